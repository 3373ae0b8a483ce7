//! Candidates on the way from estimates to answers: what is kept of a scan of blocks.

use std::ops::Range;

use anear_kernels::{EstimateTables, prefetch};
use anear_quant::{BLOCK_LEN, Codes};

use super::exact::{Comparing, Exact};
use crate::graph::walk::Reached;

/// The `keep` nearest of what was pushed, and some more.
#[derive(Debug, Default)]
pub(super) struct Reservoir {
    keep: usize,
    reached: Vec<Reached>,
    bound: f32,
}

impl Reservoir {
    /// Forgets everything, and keeps `keep` from here on.
    pub(super) fn begin(&mut self, keep: usize) {
        self.keep = keep.max(1);
        self.reached.clear();
        self.bound = f32::INFINITY;
    }

    /// Nothing at or above this is among the nearest.
    pub(super) fn bound(&self) -> f32 {
        self.bound
    }

    #[inline]
    pub(super) fn push(&mut self, distance: f32, slot: u32) {
        self.reached.push(Reached::new(distance, slot));
        if self.reached.len() >= 2 * self.keep + BLOCK_LEN {
            self.settle();
        }
    }

    /// Keeps what is among the nearest.
    pub(super) fn settle(&mut self) {
        if self.reached.len() > self.keep {
            let (_, last, _) = self.reached.select_nth_unstable(self.keep - 1);
            self.bound = last.distance();
            self.reached.truncate(self.keep);
        }
    }

    /// What is kept, nearest first from here on.
    pub(super) fn sort(&mut self) {
        self.reached.sort_unstable();
    }

    pub(super) fn kept(&self) -> &[Reached] {
        &self.reached
    }
}

/// Pushes the estimates of the codes in these slots.
pub(super) fn scan(tables: &EstimateTables, codes: &Codes, slots: Range<usize>, into: &mut Reservoir) {
    scan_each(tables, codes, slots, into, |into, distance, slot| {
        into.push(distance, slot)
    });
}

/// Hands the estimates of the codes in these slots to `push`, those that are too far for `into` left out.
pub(super) fn scan_each(
    tables: &EstimateTables,
    codes: &Codes,
    slots: Range<usize>,
    into: &mut Reservoir,
    mut push: impl FnMut(&mut Reservoir, f32, u32),
) {
    if slots.is_empty() {
        return;
    }
    let mut estimates = [0.0; BLOCK_LEN];
    let bytes = codes.as_bytes();
    let len = tables.block_len();
    for block in slots.start / BLOCK_LEN..slots.end.div_ceil(BLOCK_LEN) {
        let first = block * BLOCK_LEN;
        let next = (block + 1) * len;
        prefetch(&bytes[next.min(bytes.len())..(next + len).min(bytes.len())]);
        let nearer = tables.estimates(&bytes[block * len..], into.bound(), &mut estimates);
        let before = slots.start.saturating_sub(first);
        let behind = (first + BLOCK_LEN).saturating_sub(slots.end);
        let mut left = nearer & u32::MAX << before & u32::MAX >> behind;
        while left != 0 {
            let lane = left.trailing_zeros() as usize;
            left &= left - 1;
            push(into, estimates[lane], (first + lane) as u32);
        }
    }
}

/// Hands how far the vectors in these slots are from a query to `push`, those that are too far for `into` left out.
pub(super) fn compare_each(
    exact: &Exact,
    query: &[f32],
    prepared: &Comparing,
    slots: Range<usize>,
    into: &mut Reservoir,
    mut push: impl FnMut(&mut Reservoir, f32, u32),
) {
    let mut distances = [0.0; BLOCK_LEN];
    for start in slots.clone().step_by(distances.len()) {
        let some = start..slots.end.min(start + distances.len());
        let distances = &mut distances[..some.len()];
        exact.distances_in(query, prepared, some.clone(), distances);
        for (slot, distance) in some.zip(distances) {
            if *distance < into.bound() {
                push(into, *distance, slot as u32);
            }
        }
    }
}
