//! What a request selects.

use std::ops::Range;

use anear_kernels::{Bitmap, IdSelector};

use super::ids::{Ids, in_order};

/// How many times longer it takes to look for an id in a list, or to ask a rule of the caller's, than to mark a slot: 50 ns
/// instead of 3 in a list of 50,000 (Zen 4).
const LOOKED_UP: f32 = 16.0;

/// What a filter admits and was not removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selected<'a> {
    ids: &'a Ids,
    keep: &'a IdSelector<'a>,
    /// By slot.
    bits: Option<&'a Bitmap>,
}

impl<'a> Selected<'a> {
    /// Told by asking the filter, or by bits that were made of it.
    pub(super) fn new(ids: &'a Ids, keep: &'a IdSelector<'a>, bits: Option<&'a Bitmap>) -> Self {
        Self { ids, keep, bits }
    }

    /// Where it is, ascending.
    pub(super) fn slots(self) -> Vec<u32> {
        self.bits.map_or_else(|| self.ids.selected(self.keep), in_order)
    }

    /// Whether the vector in a slot is selected.
    #[inline]
    pub(super) fn contains(self, slot: u32) -> bool {
        match self.bits {
            Some(bits) => bits.contains(slot as usize),
            None => self.ids.id(slot).is_some_and(|id| self.keep.contains(id)),
        }
    }

    /// How many in these slots are.
    pub(super) fn count_in(self, slots: Range<usize>) -> usize {
        match (self.bits, self.keep) {
            (Some(bits), _) => bits.count_range(slots),
            (None, IdSelector::All) => self.ids.used_in(slots),
            (None, _) => slots.filter(|slot| self.contains(*slot as u32)).count(),
        }
    }
}

/// How long making bits takes, in slots that are marked, of a filter that selects so many of all.
pub(super) fn cost_of_marking(keep: &IdSelector<'_>, selected: f32, all: f32) -> f32 {
    if has_rule(keep) { LOOKED_UP * all } else { selected }
}

/// How long asking whether a slot is selected takes, in slots that are marked.
pub(super) fn cost_of_asking(keep: &IdSelector<'_>) -> f32 {
    match keep {
        IdSelector::All | IdSelector::Range(_) | IdSelector::Bitmap(_) => 1.0,
        IdSelector::Sorted(_) | IdSelector::Custom(_) => LOOKED_UP,
        IdSelector::Not(inner) => cost_of_asking(inner),
        IdSelector::And(some) | IdSelector::Or(some) => some.iter().map(cost_of_asking).sum(),
        IdSelector::Xor(left, right) => cost_of_asking(left) + cost_of_asking(right),
    }
}

/// Whether it asks the caller, which takes as long for what is not selected.
fn has_rule(keep: &IdSelector<'_>) -> bool {
    match keep {
        IdSelector::All | IdSelector::Range(_) | IdSelector::Bitmap(_) | IdSelector::Sorted(_) => false,
        IdSelector::Custom(_) => true,
        IdSelector::Not(inner) => has_rule(inner),
        IdSelector::And(some) | IdSelector::Or(some) => some.iter().any(has_rule),
        IdSelector::Xor(left, right) => has_rule(left) || has_rule(right),
    }
}
