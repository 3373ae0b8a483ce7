//! One bit per position: which rows exist, which match a filter.

use std::{fmt, ops::Range};

/// A set of positions in `0..len`, one bit each, 64 to a word, lowest bit first.
///
/// ```
/// use anear_kernels::Bitmap;
///
/// let mut even = Bitmap::from_indices(10, (0..10).step_by(2));
/// even.remove(4);
/// assert_eq!(even.iter().collect::<Vec<_>>(), [0, 2, 6, 8]);
/// even.not();
/// assert_eq!(even.count(), 6);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Bitmap {
    // Bits at and above `len` in the last word are always 0.
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// The empty subset of `0..len`.
    pub fn with_len(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(64)],
            len,
        }
    }

    /// All of `0..len`.
    pub fn full(len: usize) -> Self {
        let mut bitmap = Self::with_len(len);
        bitmap.not();
        bitmap
    }

    /// The subset of `0..len` that holds `positions`, given in any order.
    ///
    /// # Panics
    /// If a position is not below `len`.
    pub fn from_indices(len: usize, positions: impl IntoIterator<Item = usize>) -> Self {
        let mut bitmap = Self::with_len(len);
        for position in positions {
            bitmap.insert(position);
        }
        bitmap
    }

    /// A bitmap over `0..len` from its words, or `None` if their number is not `len / 64`, rounded up.
    /// Bits at and above `len` are ignored.
    pub fn from_words(words: Vec<u64>, len: usize) -> Option<Self> {
        let mut bitmap = (words.len() == len.div_ceil(64)).then_some(Self { words, len })?;
        bitmap.clear_beyond_len();
        Some(bitmap)
    }

    /// The words: position `i` is bit `i % 64` of word `i / 64`.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Number of positions, set or not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no positions at all (`len() == 0`); see [`count`](Self::count) for "none is set".
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of positions that are set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Number of set positions within `range`; positions at and above `len` count as not set.
    pub fn count_range(&self, range: Range<usize>) -> usize {
        blocks(range)
            .map(|(at, keep)| (self.word_at(at) & keep).count_ones() as usize)
            .sum()
    }

    /// Whether `position` is set; never for one at or above `len`.
    pub fn contains(&self, position: usize) -> bool {
        self.words
            .get(position / 64)
            .is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    /// Sets `position`; says whether it was not set before.
    ///
    /// # Panics
    /// If `position >= len()`.
    pub fn insert(&mut self, position: usize) -> bool {
        assert!(
            position < self.len,
            "position {position} is beyond a bitmap of {}",
            self.len
        );
        let (word, bit) = (&mut self.words[position / 64], 1 << (position % 64));
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }

    /// Clears `position`; says whether it was set.
    pub fn remove(&mut self, position: usize) -> bool {
        let was_set = self.contains(position);
        if was_set {
            self.words[position / 64] &= !(1 << (position % 64));
        }
        was_set
    }

    /// Keeps what `other` holds too.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn and(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| mine & theirs);
    }

    /// Takes in what `other` holds.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn or(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| mine | theirs);
    }

    /// Turns every position over.
    pub fn not(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.clear_beyond_len();
    }

    /// Changes the number of positions; new ones are not set.
    pub fn resize(&mut self, len: usize) {
        self.words.resize(len.div_ceil(64), 0);
        self.len = len;
        self.clear_beyond_len();
    }

    /// The set positions, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.iter_range(0..self.len)
    }

    /// The set positions within `range`, ascending; positions at and above `len` count as not set.
    pub fn iter_range(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        blocks(range.start..range.end.min(self.len))
            .flat_map(|(at, keep)| ones(self.word_at(at) & keep).map(move |bit| at + bit))
    }

    /// The 64 bits that begin at `position`, the first of them lowest; 0 beyond the end.
    pub(crate) fn word_at(&self, position: usize) -> u64 {
        let (word, shift) = (position / 64, position % 64);
        let at = |i: usize| self.words.get(i).copied().unwrap_or(0);
        if shift == 0 {
            at(word)
        } else {
            at(word) >> shift | at(word + 1) << (64 - shift)
        }
    }

    /// The first set position at or after `from`.
    pub(crate) fn next_set(&self, from: usize) -> Option<usize> {
        let here = self.word_at(from);
        if here != 0 {
            return Some(from + here.trailing_zeros() as usize);
        }
        let next = from / 64 + 1;
        let skipped = self.words.get(next..)?.iter().position(|&word| word != 0)?;
        let word = next + skipped;
        Some(word * 64 + self.words[word].trailing_zeros() as usize)
    }

    fn combine(&mut self, other: &Self, f: impl Fn(u64, u64) -> u64) {
        assert_eq!(self.len, other.len, "bitmaps of different lengths cannot be combined");
        for (mine, &theirs) in self.words.iter_mut().zip(&other.words) {
            *mine = f(*mine, theirs);
        }
    }

    fn clear_beyond_len(&mut self) {
        if let Some(last) = self.words.last_mut()
            && !self.len.is_multiple_of(64)
        {
            *last &= low_bits(self.len % 64);
        }
    }
}

impl fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitmap({} of {})", self.count(), self.len)
    }
}

/// A word with its lowest `n` bits set; all of them if `n >= 64`.
pub(crate) fn low_bits(n: usize) -> u64 {
    if n >= 64 { u64::MAX } else { (1 << n) - 1 }
}

/// The positions of the bits that are set, ascending.
pub(crate) fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}

/// `range` in steps of 64: where each begins, and which of its bits belong to the range.
fn blocks(range: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
    let end = range.end;
    range.step_by(64).map(move |at| (at, low_bits(end - at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A set that is irregular enough to have runs, holes and single bits across word borders.
    fn sample(len: usize) -> (Bitmap, BTreeSet<usize>) {
        let model: BTreeSet<usize> = (0..len).filter(|i| i * i % 7 < 3 || (60..70).contains(i)).collect();
        (Bitmap::from_indices(len, model.iter().copied()), model)
    }

    #[test]
    fn iterators_and_counts_agree_with_a_set() {
        for len in [0, 1, 63, 64, 65, 130, 200] {
            let (bitmap, model) = sample(len);
            assert!(bitmap.iter().eq(model.iter().copied()));
            assert_eq!(bitmap.count(), model.len());
            for start in 0..len {
                for end in [start, start + 1, start + 64, len + 70] {
                    let want = model.range(start..end).count();
                    assert_eq!(bitmap.iter_range(start..end).count(), want, "{start}..{end} of {len}");
                    assert_eq!(bitmap.count_range(start..end), want, "{start}..{end} of {len}");
                }
                assert_eq!(bitmap.next_set(start), model.range(start..).next().copied());
            }
            assert_eq!(bitmap.next_set(len + 500), None);
        }
    }

    #[test]
    fn boolean_operations_agree_with_sets() {
        let (left, left_model) = sample(150);
        let right = Bitmap::from_indices(150, (0..150).step_by(3));
        let right_model: BTreeSet<usize> = right.iter().collect();
        let (mut and, mut or, mut not) = (left.clone(), left.clone(), left);
        and.and(&right);
        or.or(&right);
        not.not();
        assert!(and.iter().eq(left_model.intersection(&right_model).copied()));
        assert!(or.iter().eq(left_model.union(&right_model).copied()));
        assert!(not.iter().eq((0..150).filter(|i| !left_model.contains(i))));
    }

    #[test]
    fn insert_and_remove_say_whether_they_changed_anything() {
        let mut bitmap = Bitmap::with_len(70);
        assert!(bitmap.insert(69) && !bitmap.insert(69));
        assert!(bitmap.contains(69) && !bitmap.contains(68) && !bitmap.contains(1000));
        assert!(bitmap.remove(69) && !bitmap.remove(69) && !bitmap.remove(1000));
    }

    #[test]
    fn nothing_is_set_beyond_the_length() {
        let mut bitmap = Bitmap::from_words(vec![u64::MAX; 2], 65).unwrap();
        assert_eq!((bitmap.count(), bitmap.words()[1]), (65, 1));
        assert_eq!(bitmap, Bitmap::full(65));
        assert!(Bitmap::from_words(vec![0; 2], 64).is_none());
        bitmap.resize(3);
        bitmap.resize(100);
        assert_eq!(bitmap.iter().collect::<Vec<_>>(), [0, 1, 2]);
    }
}
