//! Merging pieces into chunks: greedy up to the chunk size, then the tail that fits the overlap is kept.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::SplitOptions;

/// Takes pieces one by one and appends chunks to a list.
pub(super) struct Merger<'t, 'o> {
    options: &'o SplitOptions,
    separator: &'o str,
    separator_len: usize,
    /// The pieces of the chunk in the making, each with its length.
    pieces: VecDeque<(Cow<'t, str>, usize)>,
    /// The length of those pieces and of the separators between them.
    total: usize,
}

impl<'t, 'o> Merger<'t, 'o> {
    pub(super) fn new(options: &'o SplitOptions, separator: &'o str) -> Self {
        Self {
            options,
            separator,
            separator_len: options.length.of(separator),
            pieces: VecDeque::new(),
            total: 0,
        }
    }

    /// Takes a piece of this length.
    pub(super) fn push(&mut self, piece: Cow<'t, str>, len: usize, chunks: &mut Vec<String>) {
        if self.is_full(len) {
            if let (true, Some(hook)) = (self.total > self.options.chunk_size, &self.options.on_oversized) {
                hook.call(self.total, self.options.chunk_size);
            }
            self.emit(chunks);
            while self.total > self.options.chunk_overlap || self.is_full(len) && self.total > 0 {
                self.pop();
            }
        }
        self.pieces.push_back((piece, len));
        self.total += len + self.separator_if(self.pieces.len() > 1);
    }

    /// Ends the chunk in the making; the next piece begins afresh.
    pub(super) fn finish(&mut self, chunks: &mut Vec<String>) {
        self.emit(chunks);
        self.pieces.clear();
        self.total = 0;
    }

    /// Whether one more piece of this length would be too much.
    fn is_full(&self, len: usize) -> bool {
        self.total + len + self.separator_if(!self.pieces.is_empty()) > self.options.chunk_size
    }

    fn separator_if(&self, present: bool) -> usize {
        if present { self.separator_len } else { 0 }
    }

    fn pop(&mut self) {
        let separator = self.separator_if(self.pieces.len() > 1);
        if let Some((_, len)) = self.pieces.pop_front() {
            self.total -= len + separator;
        }
    }

    fn emit(&self, chunks: &mut Vec<String>) {
        let mut chunk = String::with_capacity(
            self.pieces
                .iter()
                .map(|(piece, _)| piece.len() + self.separator.len())
                .sum(),
        );
        for (position, (piece, _)) in self.pieces.iter().enumerate() {
            if position > 0 {
                chunk.push_str(self.separator);
            }
            chunk.push_str(piece);
        }
        if self.options.strip_whitespace {
            strip(&mut chunk);
        }
        if !chunk.is_empty() {
            chunks.push(chunk);
        }
    }
}

/// Removes what Python's `str.strip` removes: Unicode whitespace and the separators U+001C to U+001F.
fn strip(text: &mut String) {
    let is_space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    text.truncate(text.trim_end_matches(is_space).len());
    let start = text.len() - text.trim_start_matches(is_space).len();
    text.drain(..start);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strip_removes_what_python_removes() {
        let spaces = "\t\n\u{b}\u{c}\r\u{1c}\u{1d}\u{1e}\u{1f} \u{85}\u{a0}\u{1680}\u{2000}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";
        let mut text = format!("{spaces}a\u{1f}b\u{200b}{spaces}");
        strip(&mut text);
        assert_eq!(text, "a\u{1f}b\u{200b}");
        let mut text = spaces.to_owned();
        strip(&mut text);
        assert_eq!(text, "");
    }
}
