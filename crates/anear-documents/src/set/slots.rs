//! A set of slots as a bitmap.

/// A set of slots out of `0..slots`, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotSet {
    words: Vec<u64>,
    slots: usize,
}

impl SlotSet {
    /// No slot out of `0..slots`.
    pub fn empty(slots: usize) -> Self {
        Self {
            words: vec![0; slots.div_ceil(64)],
            slots,
        }
    }

    /// Every slot of `0..slots`.
    pub fn full(slots: usize) -> Self {
        let mut words = vec![u64::MAX; slots.div_ceil(64)];
        if let (Some(last), used @ 1..) = (words.last_mut(), slots % 64) {
            *last = (1 << used) - 1;
        }
        Self { words, slots }
    }

    /// The bits: slot `s` is bit `s % 64` of word `s / 64`; bits from `slots` on are 0.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The bits, without a copy.
    pub fn into_words(self) -> Vec<u64> {
        self.words
    }

    /// How many slots there could be: every member is below it.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// How many slots are in the set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no slot is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// Whether the slot is in the set.
    pub fn contains(&self, slot: u32) -> bool {
        let word = self.words.get(slot as usize / 64);
        word.is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    /// The slots of the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().zip((0_u32..).step_by(64)).flat_map(|(&word, base)| {
            std::iter::successors(Some(word), |word| word.checked_sub(1).map(|below| word & below))
                .take_while(|&word| word != 0)
                .map(move |word| base + word.trailing_zeros())
        })
    }

    /// Puts a slot into the set.
    pub(super) fn insert(&mut self, slot: u32) {
        self.words[slot as usize / 64] |= 1 << (slot % 64);
    }

    /// The slots that also satisfy the condition.
    pub(super) fn retain(mut self, keep: impl Fn(u32) -> bool) -> Self {
        for (word, base) in self.words.iter_mut().zip((0_u32..).step_by(64)) {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                if !keep(base + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
        self
    }

    pub(super) fn intersect(self, other: &Self) -> Self {
        self.combine(other, |left, right| left & right)
    }

    pub(super) fn union(self, other: &Self) -> Self {
        self.combine(other, |left, right| left | right)
    }

    pub(super) fn subtract(self, other: &Self) -> Self {
        self.combine(other, |left, right| left & !right)
    }

    fn combine(mut self, other: &Self, bits: impl Fn(u64, u64) -> u64) -> Self {
        for (word, &other) in self.words.iter_mut().zip(&other.words) {
            *word = bits(*word, other);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_has_every_slot_and_no_bit_beyond() {
        for len in [0, 1, 63, 64, 65, 130] {
            let full = SlotSet::full(len);
            assert_eq!((full.count(), full.slots()), (len, len));
            assert_eq!((SlotSet::empty(len).count(), SlotSet::empty(len).slots()), (0, len));
            assert_eq!(full.iter().collect::<Vec<_>>(), (0..len as u32).collect::<Vec<_>>());
            assert!(!full.contains(len as u32));
            assert_eq!(full.clone().subtract(&full), SlotSet::empty(len));
        }
    }

    #[test]
    fn retain_keeps_what_satisfies() {
        let thirds = SlotSet::full(200).retain(|slot| slot % 3 == 0);
        assert_eq!(
            thirds.iter().collect::<Vec<_>>(),
            (0..200).step_by(3).collect::<Vec<_>>()
        );
        assert_eq!(thirds.into_words().len(), 4);
    }
}
