//! What a request selects.

use std::ops::Range;
use std::sync::OnceLock;

use anear_kernels::{Bitmap, IdSelector};

use super::ids::Ids;

/// What a filter admits and was not removed.
pub(super) struct Selected<'a> {
    ids: &'a Ids,
    keep: &'a IdSelector<'a>,
    slots: OnceLock<Vec<u32>>,
    bits: Option<Bitmap>,
}

impl<'a> Selected<'a> {
    pub(super) fn new(ids: &'a Ids, keep: &'a IdSelector<'a>) -> Self {
        Self {
            ids,
            keep,
            slots: OnceLock::new(),
            bits: None,
        }
    }

    /// Where it is, ascending: found out once for all queries, if any of them asks.
    pub(super) fn slots(&self) -> &[u32] {
        self.slots.get_or_init(|| self.ids.selected(self.keep))
    }

    /// Has a bit for each slot from here on: then asking for some takes much less time, and this a little for all.
    pub(super) fn mark(&mut self) {
        self.bits = Some(self.ids.selected_bits(self.keep));
    }

    /// Whether the vector in a slot is selected.
    #[inline]
    pub(super) fn contains(&self, slot: u32) -> bool {
        match &self.bits {
            Some(bits) => bits.contains(slot as usize),
            None => self.ids.id(slot).is_some_and(|id| self.keep.contains(id)),
        }
    }

    /// How many in these slots are.
    pub(super) fn count_in(&self, slots: Range<usize>) -> usize {
        match &self.bits {
            Some(bits) => bits.count_range(slots),
            None => slots.filter(|slot| self.contains(*slot as u32)).count(),
        }
    }
}
