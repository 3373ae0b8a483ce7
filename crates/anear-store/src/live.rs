//! Which slots of a segment are not deleted, and which of them is the n-th.

use std::ops::Range;

use anear_kernels::Bitmap;

/// Some of the slots of a segment, with rank and selection in O(log n).
#[derive(Clone, Debug)]
pub(crate) struct Live {
    slots: Bitmap,
    /// How many live slots stand before each word of the bitmap. A segment's slots fit u32.
    before: Vec<u32>,
    len: usize,
}

impl Live {
    pub(crate) fn new(slots: Bitmap) -> Self {
        let mut len = 0;
        let before = slots.words().iter().map(|word| {
            let before = len;
            len += word.count_ones();
            before
        });
        Self {
            before: before.collect(),
            len: len as usize,
            slots,
        }
    }

    pub(crate) fn slots(&self) -> &Bitmap {
        &self.slots
    }

    /// Number of live slots.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many live slots stand before `slot`.
    pub(crate) fn rank(&self, slot: u32) -> usize {
        let (word, bit) = (slot as usize / 64, slot % 64);
        let below = self.slots.words()[word] & ((1 << bit) - 1);
        (self.before[word] + below.count_ones()) as usize
    }

    /// The live slot before which `rank` others stand.
    ///
    /// # Panics
    /// When there are not so many.
    pub(crate) fn nth(&self, rank: usize) -> u32 {
        assert!(rank < self.len, "live slot {rank} of {}", self.len);
        let word = self.before.partition_point(|&before| before as usize <= rank) - 1;
        let mut bits = self.slots.words()[word];
        for _ in self.before[word] as usize..rank {
            bits &= bits - 1;
        }
        (64 * word) as u32 + bits.trailing_zeros()
    }

    /// The live slots with these ranks, as runs without gaps.
    pub(crate) fn runs(&self, ranks: Range<usize>) -> impl Iterator<Item = Range<u32>> + '_ {
        let first = if ranks.is_empty() {
            0
        } else {
            self.nth(ranks.start) as usize
        };
        let mut slots = self
            .slots
            .iter_range(first..self.slots.len())
            .take(ranks.len())
            .peekable();
        std::iter::from_fn(move || {
            let start = slots.next()?;
            let mut end = start + 1;
            while slots.next_if_eq(&end).is_some() {
                end += 1;
            }
            Some(start as u32..end as u32)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_slots_agree_with_a_walk() {
        for len in [1, 63, 64, 65, 130, 1000] {
            let slots = (0..len).filter(|i| i * i % 7 < 3 || (60..70).contains(i) || *i == 999);
            let walk: Vec<u32> = slots.clone().map(|slot| slot as u32).collect();
            let live = Live::new(Bitmap::from_indices(len, slots));
            assert_eq!(live.len(), walk.len());
            for (rank, &slot) in walk.iter().enumerate() {
                assert_eq!((live.rank(slot), live.nth(rank)), (rank, slot), "of {len}");
                let runs: Vec<u32> = live.runs(rank..walk.len().min(rank + 40)).flatten().collect();
                assert_eq!(runs, walk[rank..walk.len().min(rank + 40)], "of {len}");
            }
            assert_eq!(live.runs(walk.len()..walk.len()).count(), 0);
        }
    }

    #[test]
    fn runs_have_no_gaps_between_them() {
        let live = Live::new(Bitmap::from_indices(200, [0, 1, 2, 62, 63, 64, 65, 199]));
        assert_eq!(live.runs(1..8).collect::<Vec<_>>(), [1..3, 62..66, 199..200]);
    }
}
