//! Where chunks stand in their text, counted in code points.

/// Finds chunks in order; each search begins where the last chunk's end minus the overlap was.
pub(super) struct StartIndex<'t> {
    text: &'t str,
    overlap: usize,
    /// A known place: bytes and code points from the text's beginning.
    byte: usize,
    chars: usize,
    /// The last answer and the length of its chunk.
    index: i64,
    previous_len: usize,
}

impl<'t> StartIndex<'t> {
    pub(super) fn new(text: &'t str, overlap: usize) -> Self {
        Self {
            text,
            overlap,
            byte: 0,
            chars: 0,
            index: 0,
            previous_len: 0,
        }
    }

    /// The place of the next chunk; -1 when it is not found.
    pub(super) fn of(&mut self, chunk: &str) -> i64 {
        let start = self.index + self.previous_len as i64 - self.overlap as i64;
        self.index = self.find(chunk, usize::try_from(start).unwrap_or(0));
        self.previous_len = chunk.chars().count();
        self.index
    }

    fn find(&mut self, chunk: &str, start: usize) -> i64 {
        if !self.seek(start) {
            return -1;
        }
        let Some(ahead) = self.text[self.byte..].find(chunk) else {
            return -1;
        };
        self.chars += self.text[self.byte..self.byte + ahead].chars().count();
        self.byte += ahead;
        self.chars as i64
    }

    /// Moves the known place, from where it is; false when the text ends before.
    fn seek(&mut self, chars: usize) -> bool {
        if chars < self.chars / 2 {
            (self.byte, self.chars) = (0, 0);
        }
        while self.chars < chars {
            let Some(next) = self.text[self.byte..].chars().next() else {
                return false;
            };
            self.byte += next.len_utf8();
            self.chars += 1;
        }
        while self.chars > chars {
            let Some(last) = self.text[..self.byte].chars().next_back() else {
                return false;
            };
            self.byte -= last.len_utf8();
            self.chars -= 1;
        }
        true
    }
}
