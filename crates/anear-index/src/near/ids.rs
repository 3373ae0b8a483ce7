//! Which slot holds the vector of which id.

use anear_bytes::Cursor;
use anear_kernels::{Bitmap, IdSelector};

use crate::graph::SLOTS_MAX;
use crate::{Error, Result};

/// No id.
const NONE: u32 = u32::MAX;

/// One in so many are few: passing over bits of all takes longer than looking for these.
const FEW: usize = 64;

/// Ids that were given in the order in which vectors came, and the slots that hold these now.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    /// By slot; of a vector that was removed there is none.
    ids: Vec<u32>,
    /// Slots in use, by their ids.
    order: Vec<u32>,
    next: u64,
}

impl Ids {
    /// Slots, in use or not.
    pub(super) fn slots(&self) -> usize {
        self.ids.len()
    }

    /// Slots in use.
    pub(super) fn living(&self) -> usize {
        self.order.len()
    }

    /// Whether each id is its place in the order: all that were given are in use.
    fn are_places(&self) -> bool {
        self.living() as u64 == self.next
    }

    /// The id that comes next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Refuses so many more vectors, whose ids end before `end`, if there are not as many slots and ids.
    pub(super) fn check(&self, count: usize, end: u64) -> Result<()> {
        if self.slots() + count <= SLOTS_MAX && end <= u64::from(NONE) {
            return Ok(());
        }
        Err(Error::IdTooLarge { id: end })
    }

    /// A slot for a vector under the next id or a larger one.
    pub(super) fn push(&mut self, id: u64) {
        self.order.push(self.ids.len() as u32);
        self.ids.push(id as u32);
        self.next = id + 1;
    }

    /// Takes back what was pushed from this slot on.
    pub(super) fn truncate(&mut self, slots: usize, next: u64) {
        self.order.retain(|slot| (*slot as usize) < slots);
        self.ids.truncate(slots);
        self.next = next;
    }

    /// The id of the vector in a slot, if it was not removed.
    #[inline]
    pub(super) fn id(&self, slot: u32) -> Option<u64> {
        let id = self.ids[slot as usize];
        (id != NONE).then_some(u64::from(id))
    }

    /// The slot of an id that is in use.
    pub(super) fn slot(&self, id: u64) -> Option<u32> {
        if self.are_places() {
            return self.order.get(usize::try_from(id).ok()?).copied();
        }
        let id_at = |slot: &u32| u64::from(self.ids[*slot as usize]);
        let place = self.order.binary_search_by_key(&id, id_at).ok()?;
        Some(self.order[place])
    }

    /// All ids in use, ascending, with their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.order
            .iter()
            .map(|slot| (u64::from(self.ids[*slot as usize]), *slot))
    }

    /// How many ids in use are selected.
    pub(super) fn count(&self, keep: &IdSelector<'_>) -> usize {
        // Words of bits are counted at a time then.
        if self.are_places() {
            return keep.count_in(0..self.next) as usize;
        }
        let is_selected = |id: &&u32| **id != NONE && keep.contains(u64::from(**id));
        self.ids.iter().filter(is_selected).count()
    }

    /// The slots in use whose ids are selected, ascending: memory is read fastest in this order.
    pub(super) fn selected(&self, keep: &IdSelector<'_>) -> Vec<u32> {
        let few = self.slots() / FEW;
        let mut slots: Vec<u32> = match keep {
            IdSelector::All if self.living() == self.slots() => return (0..self.slots() as u32).collect(),
            IdSelector::Sorted(ids) if ids.len() <= few => ids.iter().filter_map(|id| self.slot(*id)).collect(),
            _ => {
                let bits = self.selected_bits(keep);
                let mut slots = Vec::with_capacity(bits.count());
                bits.iter().for_each(|slot| slots.push(slot as u32));
                return slots;
            }
        };
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// The same as bits.
    pub(super) fn selected_bits(&self, keep: &IdSelector<'_>) -> Bitmap {
        let mut bits = Bitmap::with_len(self.slots());
        let mut mark = |slot: u32| {
            bits.insert(slot as usize);
        };
        if self.are_places() {
            keep.matches_in(0..self.next)
                .for_each(|id| mark(self.order[id as usize]));
        } else {
            let is_selected = |slot: &u32| self.id(*slot).is_some_and(|id| keep.contains(id));
            (0..self.slots() as u32).filter(is_selected).for_each(mark);
        }
        bits
    }

    /// Takes the selected ids out of use; how many these were.
    pub(super) fn remove(&mut self, selected: &IdSelector<'_>) -> usize {
        let (ids, before) = (&mut self.ids, self.order.len());
        self.order.retain(|slot| {
            let id = &mut ids[*slot as usize];
            let stays = !selected.contains(u64::from(*id));
            if !stays {
                *id = NONE;
            }
            stays
        });
        before - self.order.len()
    }

    /// Forgets the slots out of use; `order` has the number of each one's id among those in use, slot by slot.
    pub(super) fn reorder(&mut self, order: &[u32]) {
        let ids: Vec<u64> = self.iter().map(|(id, _)| id).collect();
        self.ids = order.iter().map(|number| ids[*number as usize] as u32).collect();
        for (slot, number) in (0..).zip(order) {
            self.order[*number as usize] = slot;
        }
    }

    /// Numbers the ids in use anew, from 0.
    pub(super) fn renumber(&mut self) {
        for (id, slot) in (0..).zip(&self.order) {
            self.ids[*slot as usize] = id;
        }
        self.next = self.order.len() as u64;
    }

    /// Without vectors; ids are counted on.
    pub(super) fn emptied(&self) -> Self {
        Self {
            next: self.next,
            ..Self::default()
        }
    }

    /// What [`load`](Self::load) reads.
    pub(super) fn save(&self) -> Vec<u8> {
        let ids = self.ids.iter().flat_map(|id| id.to_le_bytes());
        self.next.to_le_bytes().into_iter().chain(ids).collect()
    }

    /// What [`save`](Self::save) wrote.
    pub(super) fn load(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let next = cursor.u64("next id")?;
        let count = cursor.bytes_left() as u64 / 4;
        let (ids, _) = cursor.items(count, 4, "ids")?.as_chunks::<4>();
        cursor.finish()?;
        let ids: Vec<u32> = ids.iter().map(|id| u32::from_le_bytes(*id)).collect();
        let mut order: Vec<u32> = (0..ids.len() as u32)
            .filter(|slot| ids[*slot as usize] != NONE)
            .collect();
        let id_at = |slot: &u32| ids[*slot as usize];
        order.sort_unstable_by_key(id_at);
        let is_last_given = order.last().is_none_or(|slot| u64::from(id_at(slot)) < next);
        if !order.is_sorted_by(|a, b| id_at(a) < id_at(b))
            || !is_last_given
            || next > u64::from(NONE)
            || ids.len() > SLOTS_MAX
        {
            return Err(Error::Damaged("ids are given twice, or were never given".into()));
        }
        Ok(Self { ids, order, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_selected_ids_are_what_asking_for_each_says() {
        let mut ids = Ids::default();
        (0..500).for_each(|id| ids.push(id));
        // Any order without fixed points will do: 7 has no divisor in common with 500.
        let order: Vec<u32> = (0..500).map(|slot| slot * 7 % 500).collect();
        ids.reorder(&order);
        let listed: Vec<u64> = (0..900).filter(|id| id % 3 == 0).chain([900, 900]).collect();
        let few = [3, 3, 77, 499, 500];
        let odd = |id: u64| id % 2 == 1;
        for gone in [0..0, 70..80] {
            ids.remove(&IdSelector::Range(gone));
            let bits = Bitmap::from_indices(700, listed.iter().map(|id| *id as usize).filter(|id| *id < 700));
            for keep in [
                IdSelector::All,
                IdSelector::Range(60..90),
                IdSelector::Sorted(&listed),
                IdSelector::Sorted(&few),
                IdSelector::Sorted(&[]),
                IdSelector::Bitmap(&bits),
                IdSelector::Custom(&odd),
                IdSelector::Not(Box::new(IdSelector::Sorted(&few))),
            ] {
                let is_selected = |slot: &u32| ids.id(*slot).is_some_and(|id| keep.contains(id));
                let want: Vec<u32> = (0..500).filter(is_selected).collect();
                assert_eq!(ids.selected(&keep), want, "{keep:?}");
                let marked: Vec<u32> = ids.selected_bits(&keep).iter().map(|slot| slot as u32).collect();
                assert_eq!((marked, ids.count(&keep)), (want.clone(), want.len()), "{keep:?}");
            }
        }
    }
}
