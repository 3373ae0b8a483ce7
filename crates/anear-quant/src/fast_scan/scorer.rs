//! Distances of codes in blocks: most are refused by their bytes, the others looked up.

use anear_kernels::{IdSelector, Neighbor, TopK, fast_scan_code, fast_scan_masks};

use super::rounded::{ENTRIES, Rounded};
use crate::{BLOCK, BLOCK_LEN, Scorer, product::Table, push_near, terms};

/// Blocks of one call of a scan.
const BLOCKS: usize = BLOCK / BLOCK_LEN;

/// A query's exact table, and the same in bytes.
pub(super) struct Blockwise<'a> {
    table: Table<'a>,
    rounded: Rounded,
}

impl<'a> Blockwise<'a> {
    pub(super) fn new(table: Table<'a>) -> Self {
        Self {
            rounded: Rounded::new(&table.entries, table.start),
            table,
        }
    }

    /// Bytes of a block.
    fn stride(&self) -> usize {
        self.rounded.bytes.len()
    }

    /// The exact distance to the code in a slot: as the plain product quantizer's.
    fn score(&self, codes: &[u8], slot: usize) -> f32 {
        let block = &codes[slot / BLOCK_LEN * self.stride()..][..self.stride()];
        let tables: &[[f32; ENTRIES]] = self.table.entries.as_chunks().0;
        let entry =
            |(part, table): (usize, &[f32; ENTRIES])| table[usize::from(fast_scan_code(block, part, slot % BLOCK_LEN))];
        tables
            .iter()
            .enumerate()
            .map(entry)
            .fold(self.table.start, |sum, entry| sum + entry)
    }

    /// Visits the slots, `len` at most, whose sum of bytes is within the bound of their block.
    fn visit_near(&self, codes: &[u8], len: usize, bounds: &[u16; BLOCKS], mut visit: impl FnMut(usize)) {
        let blocks = len.div_ceil(BLOCK_LEN);
        let mut masks = [0; BLOCKS];
        let (bounds, masks) = (&bounds[..blocks], &mut masks[..blocks]);
        fast_scan_masks(&self.rounded.bytes, codes, self.stride(), bounds, masks);
        for (first, &mask) in (0..).step_by(BLOCK_LEN).zip(&*masks) {
            let mut mask = mask & (u32::MAX >> (BLOCK_LEN - BLOCK_LEN.min(len - first)));
            while mask != 0 {
                visit(first + mask.trailing_zeros() as usize);
                mask &= mask - 1;
            }
        }
    }
}

impl Scorer for Blockwise<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        self.table.rebase(origin);
        self.rounded = Rounded::new(&self.table.entries, self.table.start);
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        for (slot, out) in out.iter_mut().enumerate() {
            *out = self.score(codes, slot);
        }
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        for (&slot, out) in slots.iter().zip(out) {
            *out = self.score(codes, slot as usize);
        }
    }

    fn scan(&self, codes: &[u8], ids: &[u64], keep: &IdSelector<'_>, top: &mut TopK) {
        let bounds = [self.rounded.bound(top.threshold().into()); BLOCKS];
        self.visit_near(codes, ids.len(), &bounds, |slot| {
            push_near(&ids[slot..=slot], &[self.score(codes, slot)], keep, top);
        });
    }

    fn scan_with_terms(
        &self,
        codes: &[u8],
        ids: &[u64],
        scale: f32,
        bias: f32,
        terms: &[f32],
        keep: &IdSelector<'_>,
        top: &mut TopK,
    ) {
        assert_eq!(terms.len(), ids.len(), "one term per code");
        let mut bounds = [u16::MAX; BLOCKS];
        for (bound, terms) in bounds.iter_mut().zip(terms.chunks(BLOCK_LEN)) {
            let limit = terms::score_limit(top.threshold(), scale, bias, terms, self.rounded.magnitude);
            *bound = self.rounded.bound(limit);
        }
        self.visit_near(codes, ids.len(), &bounds, |slot| {
            let distance = bias + terms[slot] + scale * self.score(codes, slot);
            push_near(&ids[slot..=slot], &[distance], keep, top);
        });
    }

    fn scan_range(&self, codes: &[u8], ids: &[u64], keep: &IdSelector<'_>, radius: f32, out: &mut Vec<Neighbor>) {
        let bounds = [self.rounded.bound(radius.into()); BLOCKS];
        self.visit_near(codes, ids.len(), &bounds, |slot| {
            let (id, distance) = (ids[slot], self.score(codes, slot));
            if distance < radius && keep.contains(id) {
                out.push(Neighbor { id, distance });
            }
        });
    }
}
