//! Slots in the order of clusters: each list is a stretch of them, with a centroid and the vector nearest to it.

use std::ops::Range;

use anear_kernels::EstimateTables;
use anear_quant::Codes;

use super::reach::{Reservoir, scan};

/// A partition of the slots that were there when it was made.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    /// Where each list begins, and where the last ends.
    pub(super) starts: Vec<u32>,
    /// The code of each list's centroid.
    pub(super) centroids: Codes,
    /// The code of each list's vector that is nearest to its centroid, and its slot.
    pub(super) middles: Codes,
    pub(super) middle_slots: Vec<u32>,
}

impl Lists {
    pub(super) fn len(&self) -> usize {
        self.middle_slots.len()
    }

    /// Slots that are in lists.
    pub(super) fn listed(&self) -> usize {
        self.starts[self.len()] as usize
    }

    /// Slots per list.
    pub(super) fn mean_len(&self) -> usize {
        self.listed().div_ceil(self.len())
    }

    /// The slots of a list.
    pub(super) fn slots(&self, list: u32) -> Range<usize> {
        self.starts[list as usize] as usize..self.starts[list as usize + 1] as usize
    }

    /// The `count` lists whose centroids seem nearest, nearest first.
    pub(super) fn nearest(&self, tables: &EstimateTables, count: usize, into: &mut Reservoir) {
        into.begin(count);
        scan(tables, &self.centroids, 0..self.len(), into);
        into.settle();
        into.sort();
    }

    /// Slots from which walks begin: the middles that seem nearest.
    pub(super) fn entries(&self, tables: &EstimateTables, memory: &mut Reservoir) {
        scan(tables, &self.middles, 0..self.len(), memory);
        memory.settle();
    }
}
