//! Distances of codes in blocks: most are refused by their bytes, the others looked up.

use anear_kernels::{IdSelector, Neighbor, TopK, fast_scan_code, fast_scan_distances, fast_scan_masks};

use super::rounded::{ENTRIES, Rounded};
use crate::{BLOCK, BLOCK_LEN, Scorer, product::Table, push_near, terms};

/// Blocks of one call of a scan.
const BLOCKS: usize = BLOCK / BLOCK_LEN;

/// From so many codes of a block on it is less work to compute the distances of all: 32 take about as long as three alone
/// (row `IVF1024,PQ32x4fs` of `benches/faiss_vs_anear.py`).
const MANY: u32 = 3;

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

    /// The exact distances to a block of codes: as the plain product quantizer's.
    fn distances(&self, block: &[u8]) -> [f32; BLOCK_LEN] {
        fast_scan_distances(self.table.entries.as_chunks().0, block, self.table.start)
    }

    /// One of them.
    fn distance(&self, block: &[u8], slot: usize) -> f32 {
        let tables: &[[f32; ENTRIES]] = self.table.entries.as_chunks().0;
        let entries = tables
            .iter()
            .enumerate()
            .map(|(part, table)| table[usize::from(fast_scan_code(block, part, slot))]);
        entries.fold(self.table.start, |sum, entry| sum + entry)
    }

    /// Visits the slots, `len` at most, whose sum of bytes is within the bound of their block, with their distances.
    fn visit_near(&self, codes: &[u8], len: usize, bounds: &[u16; BLOCKS], mut visit: impl FnMut(usize, f32)) {
        let blocks = len.div_ceil(BLOCK_LEN);
        let mut masks = [0; BLOCKS];
        let (bounds, masks) = (&bounds[..blocks], &mut masks[..blocks]);
        fast_scan_masks(&self.rounded.bytes, codes, self.stride(), bounds, masks);
        let firsts = (0..).step_by(BLOCK_LEN);
        for ((first, block), &mask) in firsts.zip(codes.chunks(self.stride())).zip(&*masks) {
            let mut mask: u32 = mask & (u32::MAX >> (BLOCK_LEN - BLOCK_LEN.min(len - first)));
            let all = (mask.count_ones() >= MANY).then(|| self.distances(block));
            while mask != 0 {
                let slot = mask.trailing_zeros() as usize;
                let distance = all.map_or_else(|| self.distance(block, slot), |all| all[slot]);
                visit(first + slot, distance);
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
        for (block, out) in codes.chunks(self.stride()).zip(out.chunks_mut(BLOCK_LEN)) {
            out.copy_from_slice(&self.distances(block)[..out.len()]);
        }
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        for (&slot, out) in slots.iter().zip(out) {
            let (block, slot) = (slot as usize / BLOCK_LEN, slot as usize % BLOCK_LEN);
            *out = self.distance(&codes[block * self.stride()..][..self.stride()], slot);
        }
    }

    fn scan(&self, codes: &[u8], ids: &[u64], keep: &IdSelector<'_>, top: &mut TopK) {
        let bounds = [self.rounded.bound(top.threshold().into()); BLOCKS];
        self.visit_near(codes, ids.len(), &bounds, |slot, distance| {
            push_near(&ids[slot..=slot], &[distance], keep, top);
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
        self.visit_near(codes, ids.len(), &bounds, |slot, score| {
            let distance = bias + terms[slot] + scale * score;
            push_near(&ids[slot..=slot], &[distance], keep, top);
        });
    }

    fn scan_range(&self, codes: &[u8], ids: &[u64], keep: &IdSelector<'_>, radius: f32, out: &mut Vec<Neighbor>) {
        let bounds = [self.rounded.bound(radius.into()); BLOCKS];
        self.visit_near(codes, ids.len(), &bounds, |slot, distance| {
            let id = ids[slot];
            if distance < radius && keep.contains(id) {
                out.push(Neighbor { id, distance });
            }
        });
    }
}
