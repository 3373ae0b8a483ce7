//! Which slot holds the vector of which id.

use std::ops::Range;
use std::sync::OnceLock;

use anear_bytes::Cursor;
use anear_kernels::{Bitmap, IdSelector};

use crate::graph::SLOTS_MAX;
use crate::{Error, Result};

/// No id.
const NONE: u32 = u32::MAX;

/// One in so many are few: passing over bits of all takes longer than looking for these. Reasoned, not tuned: a word of bits
/// takes about a nanosecond, looking for an id and sorting it in fifty.
const FEW: usize = 64;

/// Ids that were given for each in use where bits of all of them take no more memory than the ids themselves.
const SPARSE: u64 = 32;

/// Ids that were given in the order in which vectors came, and the slots that hold these now.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    /// By slot; of a vector that was removed there is none.
    ids: Vec<u32>,
    /// Slots in use, by their ids.
    order: Vec<u32>,
    next: u64,
    /// Made when first asked for since anything came or went.
    places: OnceLock<Option<Places>>,
}

/// Where in the order the ids in use are.
#[derive(Clone, Debug)]
struct Places {
    used: Bitmap,
    /// How many are in use before each 64 of them.
    before: Vec<u32>,
}

impl Places {
    fn of(ids: impl Iterator<Item = u64>, next: u64) -> Self {
        let used = Bitmap::from_indices(next as usize, ids.map(|id| id as usize));
        let mut sum = 0;
        let count = |word: &u64| {
            sum += word.count_ones();
            sum - word.count_ones()
        };
        Self {
            before: used.words().iter().map(count).collect(),
            used,
        }
    }

    fn get(&self, id: u64) -> Option<usize> {
        let id = usize::try_from(id).ok().filter(|id| self.used.contains(*id))?;
        let lower = self.used.words()[id / 64] & ((1 << (id % 64)) - 1);
        Some((self.before[id / 64] + lower.count_ones()) as usize)
    }
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
        self.places = OnceLock::new();
        self.order.push(self.ids.len() as u32);
        self.ids.push(id as u32);
        self.next = id + 1;
    }

    /// Takes back what was pushed from this slot on.
    pub(super) fn truncate(&mut self, slots: usize, next: u64) {
        self.places = OnceLock::new();
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

    /// How many of these slots are in use.
    pub(super) fn used_in(&self, slots: Range<usize>) -> usize {
        self.ids[slots].iter().filter(|id| **id != NONE).count()
    }

    /// The slot of an id that is in use.
    pub(super) fn slot(&self, id: u64) -> Option<u32> {
        let place = match self.places.get() {
            _ if self.are_places() => usize::try_from(id).ok()?,
            Some(Some(places)) => places.get(id)?,
            _ => {
                let id_at = |slot: &u32| u64::from(self.ids[*slot as usize]);
                self.order.binary_search_by_key(&id, id_at).ok()?
            }
        };
        self.order.get(place).copied()
    }

    fn places(&self) -> Option<&Places> {
        let are_dense = self.next / SPARSE <= self.living() as u64;
        let places = || are_dense.then(|| Places::of(self.iter().map(|(id, _)| id), self.next));
        self.places.get_or_init(places).as_ref()
    }

    /// All ids in use, ascending, with their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.order
            .iter()
            .map(|slot| (u64::from(self.ids[*slot as usize]), *slot))
    }

    /// How many ids in use are selected.
    pub(super) fn count(&self, keep: &IdSelector<'_>) -> usize {
        match self.in_use(keep) {
            // Words of bits are counted at a time then.
            Some(keep) => keep.count_in(0..self.next) as usize,
            None => self.asked(keep).count(),
        }
    }

    /// The slots in use whose ids are selected, ascending: memory is read fastest in this order.
    pub(super) fn selected(&self, keep: &IdSelector<'_>) -> Vec<u32> {
        let (all, few) = (0..self.slots() as u32, self.slots() / FEW);
        match keep {
            IdSelector::All if self.living() == self.slots() => all.collect(),
            IdSelector::All => all.filter(|slot| self.ids[*slot as usize] != NONE).collect(),
            IdSelector::Sorted(ids) if ids.len() <= few => {
                let mut slots: Vec<u32> = ids.iter().filter_map(|id| self.slot(*id)).collect();
                slots.sort_unstable();
                slots.dedup();
                slots
            }
            _ => in_order(&self.selected_bits(keep)),
        }
    }

    /// A bit for each slot, set where its id is in use and selected.
    pub(super) fn selected_bits(&self, keep: &IdSelector<'_>) -> Bitmap {
        let mut bits = Bitmap::with_len(self.slots());
        let mut mark = |slot: u32| {
            bits.insert(slot as usize);
        };
        match self.in_use(keep) {
            Some(keep) => keep
                .matches_in(0..self.next)
                .filter_map(|id| self.slot(id))
                .for_each(mark),
            None => self.asked(keep).for_each(&mut mark),
        }
        bits
    }

    /// What selects the same of the ids in use and none else, where that can be said.
    fn in_use<'a>(&'a self, keep: &IdSelector<'a>) -> Option<IdSelector<'a>> {
        match self.are_places() {
            true => Some(keep.clone()),
            false => {
                let used = IdSelector::Bitmap(&self.places()?.used);
                Some(IdSelector::And(vec![used, keep.clone()]))
            }
        }
    }

    /// The slots in use whose ids are selected, each of which is asked for.
    fn asked(&self, keep: &IdSelector<'_>) -> impl Iterator<Item = u32> {
        (0..self.slots() as u32).filter(|slot| self.id(*slot).is_some_and(|id| keep.contains(id)))
    }

    /// Takes the selected ids out of use; how many these were.
    pub(super) fn remove(&mut self, selected: &IdSelector<'_>) -> usize {
        self.places = OnceLock::new();
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
        self.places = OnceLock::new();
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
        Ok(Self {
            ids,
            order,
            next,
            places: OnceLock::new(),
        })
    }
}

/// The positions of the bits that are set.
pub(super) fn in_order(bits: &Bitmap) -> Vec<u32> {
    let mut slots = Vec::with_capacity(bits.count());
    bits.iter().for_each(|slot| slots.push(slot as u32));
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_selected_ids_are_what_asking_for_each_says() {
        let mut ids = Ids::default();
        (0..500).for_each(|id| ids.push(id));
        // Another order of the same: 7 has no divisor in common with 500.
        let order: Vec<u32> = (0..500).map(|slot| slot * 7 % 500).collect();
        ids.reorder(&order);
        let listed: Vec<u64> = (0..900).filter(|id| id % 3 == 0).chain([900, 900]).collect();
        let few = [3, 3, 77, 499, 500];
        let odd = |id: u64| id % 2 == 1;
        for gone in [0..0, 70..80, 5..497] {
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
