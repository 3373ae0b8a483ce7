//! Distances of codes in blocks: most are refused by their bytes, the others looked up.

use std::{array, slice};

use anear_kernels::{IdSelector, Neighbor, TopK, fast_scan_code, fast_scan_distances, fast_scan_masks};

use super::rounded::{ENTRIES, Rounded};
use crate::{BLOCK, BLOCK_LEN, Scorer, product::Table, push_wanted, terms};

/// Blocks of one call of a scan.
const BLOCKS: usize = BLOCK / BLOCK_LEN;

/// Queries whose sums are in registers together.
const IN_REGISTERS: usize = 4;

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
    fn visit_near(&self, codes: &[u8], len: usize, bounds: &[u16; BLOCKS], visit: impl FnMut(usize, f32)) {
        let blocks = len.div_ceil(BLOCK_LEN);
        let mut masks = [0; BLOCKS];
        let masks = &mut masks[..blocks];
        fast_scan_masks(&[&self.rounded.bytes], codes, self.stride(), &bounds[..blocks], masks);
        self.visit(codes, len, masks, visit);
    }

    /// Visits the slots, `len` at most, that the masks of their blocks say, with their distances.
    fn visit(&self, codes: &[u8], len: usize, masks: &[u32], mut visit: impl FnMut(usize, f32)) {
        for (i, &mask) in masks.iter().enumerate().filter(|(_, mask)| **mask != 0) {
            let (first, block) = (i * BLOCK_LEN, &codes[i * self.stride()..][..self.stride()]);
            let mut mask = mask & (u32::MAX >> (BLOCK_LEN - BLOCK_LEN.min(len - first)));
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

/// [`Scorer::scan`] of several queries, which look at each block together: reading its codes is half of the work.
pub(super) fn scan_together(
    scorers: &[Blockwise<'_>],
    codes: &[u8],
    ids: &[u64],
    keep: &IdSelector<'_>,
    tops: &mut [TopK],
) {
    if ids.is_empty() {
        return;
    }
    let blocks = ids.len().div_ceil(BLOCK_LEN);
    let (mut bounds, mut masks) = ([0; IN_REGISTERS * BLOCKS], [0; IN_REGISTERS * BLOCKS]);
    for (scorers, tops) in scorers.chunks(IN_REGISTERS).zip(tops.chunks_mut(IN_REGISTERS)) {
        let tables: [&[u8]; IN_REGISTERS] =
            array::from_fn(|i| scorers.get(i).map_or(&[][..], |scorer| &scorer.rounded.bytes));
        let (bounds, masks) = (
            &mut bounds[..scorers.len() * blocks],
            &mut masks[..scorers.len() * blocks],
        );
        for ((bounds, scorer), top) in bounds.chunks_mut(blocks).zip(scorers).zip(&*tops) {
            bounds.fill(scorer.rounded.bound(top.threshold().into()));
        }
        fast_scan_masks(&tables[..scorers.len()], codes, scorers[0].stride(), bounds, masks);
        for ((masks, scorer), top) in masks.chunks(blocks).zip(scorers).zip(tops) {
            scorer.visit(codes, ids.len(), masks, |slot, distance| {
                push_wanted(ids[slot], distance, keep, top);
            });
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
        scan_together(slice::from_ref(self), codes, ids, keep, slice::from_mut(top));
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
            push_wanted(ids[slot], distance, keep, top);
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
