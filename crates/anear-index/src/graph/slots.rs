//! Which slots are in use, and the ids of what is in them.

use anear_bytes::Cursor;
use anear_kernels::{Bitmap, IdSelector};

use crate::ids::MAX_ID;
use crate::{Error, Result};

/// The ids of slots, ascending, and which of them hold a vector that was not removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    /// Id of each slot; `None` while ids are the slots' numbers.
    ids: Option<Vec<u64>>,
    living: Bitmap,
    living_count: usize,
    /// One more than the largest id there has been.
    next_id: u64,
}

/// The slots whose ids a selector admits and that hold a vector.
pub(crate) enum Selected<'a> {
    Ready(IdSelector<'a>),
    Marked(Bitmap),
}

impl Selected<'_> {
    pub(crate) fn selector(&self) -> IdSelector<'_> {
        match self {
            Self::Ready(selector) => selector.clone(),
            Self::Marked(slots) => IdSelector::Bitmap(slots),
        }
    }
}

impl Slots {
    /// All in use, numbered from 0.
    pub(crate) fn counted(len: usize) -> Self {
        Self {
            ids: None,
            living: Bitmap::full(len),
            living_count: len,
            next_id: len as u64,
        }
    }

    /// Number of slots, in use or not.
    pub(crate) fn len(&self) -> usize {
        self.living.len()
    }

    /// Number of slots in use.
    pub(crate) fn living(&self) -> usize {
        self.living_count
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id
    }

    pub(crate) fn is_living(&self, slot: u32) -> bool {
        self.living.contains(slot as usize)
    }

    /// Whether all slots are in use and ids are their numbers.
    pub(crate) fn are_counted(&self) -> bool {
        self.ids.is_none() && self.living_count == self.len()
    }

    pub(crate) fn id(&self, slot: u32) -> u64 {
        self.ids.as_ref().map_or(slot.into(), |ids| ids[slot as usize])
    }

    /// The slot in use that has this id.
    pub(crate) fn slot(&self, id: u64) -> Option<u32> {
        let slot = match &self.ids {
            Some(ids) => ids.binary_search(&id).ok()?,
            None => usize::try_from(id).ok()?,
        };
        self.living.contains(slot).then_some(slot as u32)
    }

    /// The slots in use, ascending.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = u32> + '_ {
        self.living.iter().map(|slot| slot as u32)
    }

    /// Appends slots in use; ids ascend, from no less than [`next_id`](Self::next_id) on.
    pub(crate) fn extend(&mut self, ids: impl Iterator<Item = u64>) {
        for id in ids {
            let slot = self.len();
            self.living.resize(slot + 1);
            self.living.insert(slot);
            self.living_count += 1;
            self.next_id = id + 1;
            if self.ids.is_none() && id != slot as u64 {
                self.ids = Some((0..slot as u64).collect());
            }
            self.ids.iter_mut().for_each(|ids| ids.push(id));
        }
    }

    /// Counts ids on from `next_id`, if that is larger than now.
    pub(crate) fn count_on_from(&mut self, next_id: u64) {
        self.next_id = self.next_id.max(next_id);
    }

    /// Takes a slot out of use.
    pub(crate) fn remove(&mut self, slot: u32) {
        self.living_count -= usize::from(self.living.remove(slot as usize));
    }

    /// Forgets the slots that are not in use; those behind move up and keep their ids.
    pub(crate) fn compact(&mut self) {
        let ids = self.in_use().map(|slot| self.id(slot)).collect();
        let count = self.living_count;
        (self.ids, self.living) = (Some(ids), Bitmap::full(count));
    }

    pub(crate) fn selected<'a>(&'a self, ids: &IdSelector<'a>) -> Selected<'a> {
        let living = IdSelector::Bitmap(&self.living);
        match (&self.ids, ids) {
            _ if self.are_counted() => Selected::Ready(ids.clone()),
            (_, IdSelector::All) => Selected::Ready(living),
            (None, _) => Selected::Ready(IdSelector::And(vec![living, ids.clone()])),
            (Some(_), IdSelector::Sorted(listed)) => {
                let slots = listed.iter().filter_map(|id| self.slot(*id));
                Selected::Marked(Bitmap::from_indices(self.len(), slots.map(|slot| slot as usize)))
            }
            (Some(_), _) => {
                let slots = self.in_use().filter(|slot| ids.contains(self.id(*slot)));
                Selected::Marked(Bitmap::from_indices(self.len(), slots.map(|slot| slot as usize)))
            }
        }
    }

    /// What [`load`](Self::load) reads.
    pub(crate) fn save(&self) -> Vec<u8> {
        let mut bytes = self.next_id.to_le_bytes().to_vec();
        bytes.push(self.ids.is_some().into());
        bytes.extend(self.living.words().iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(self.ids.iter().flatten().flat_map(|id| id.to_le_bytes()));
        bytes
    }

    pub(crate) fn load(len: usize, bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let next_id = cursor.u64("next id")?;
        let has_ids = cursor.bool("whether there are ids")?;
        let words = cursor.items(len.div_ceil(64) as u64, size_of::<u64>(), "slots in use")?;
        let living = Bitmap::from_words(numbers(words).collect(), len);
        let ids = match has_ids {
            true => Some(numbers(cursor.items(len as u64, size_of::<u64>(), "ids")?).collect::<Vec<_>>()),
            false => None,
        };
        cursor.finish()?;
        let end = ids
            .as_ref()
            .map_or(len as u64, |ids| ids.last().map_or(0, |last| last.saturating_add(1)));
        let ascends = ids.as_ref().is_none_or(|ids| ids.is_sorted_by(|a, b| a < b));
        let (Some(living), true) = (living, ascends && end <= next_id && next_id <= MAX_ID) else {
            return Err(Error::Damaged("the ids of its slots do not ascend".into()));
        };
        Ok(Self {
            ids,
            living_count: living.count(),
            living,
            next_id,
        })
    }
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|number| u64::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slots and, for each in use, its id.
    fn check(slots: &Slots, model: &[(u32, u64)]) {
        assert_eq!(slots.living(), model.len());
        assert!(slots.in_use().eq(model.iter().map(|(slot, _)| *slot)));
        for id in 0..100 {
            let expected = model.iter().find(|entry| entry.1 == id).map(|entry| entry.0);
            assert_eq!(slots.slot(id), expected, "id {id}");
        }
        let even = |id: u64| id.is_multiple_of(2);
        for keep in [
            IdSelector::All,
            IdSelector::Range(3..17),
            IdSelector::Sorted(&[0, 4, 5, 18, 70]),
            IdSelector::Custom(&even),
        ] {
            let selected = slots.selected(&keep);
            let found: Vec<u64> = selected.selector().matches_in(0..slots.len() as u64).collect();
            let expected = model.iter().filter(|entry| keep.contains(entry.1));
            assert_eq!(
                found,
                expected.map(|entry| u64::from(entry.0)).collect::<Vec<_>>(),
                "{keep:?}"
            );
        }
        let restored = Slots::load(slots.len(), &slots.save()).unwrap();
        assert_eq!(format!("{restored:?}"), format!("{slots:?}"));
    }

    #[test]
    fn ids_stay_while_slots_come_and_go() {
        let mut slots = Slots::default();
        check(&slots, &[]);
        slots.extend(0..6);
        assert!(slots.are_counted());
        check(&slots, &[(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
        [1, 5, 5].into_iter().for_each(|slot| slots.remove(slot));
        check(&slots, &[(0, 0), (2, 2), (3, 3), (4, 4)]);
        slots.compact();
        check(&slots, &[(0, 0), (1, 2), (2, 3), (3, 4)]);
        assert_eq!(slots.next_id(), 6, "an id is given once");
        slots.extend([6, 18].into_iter());
        slots.remove(1);
        check(&slots, &[(0, 0), (2, 3), (3, 4), (4, 6), (5, 18)]);
        assert_eq!(slots.next_id(), 19);
    }

    #[test]
    fn a_gap_in_the_ids_is_remembered() {
        let mut slots = Slots::counted(2);
        slots.extend([2, 9].into_iter());
        check(&slots, &[(0, 0), (1, 1), (2, 2), (3, 9)]);
    }

    #[test]
    fn damaged_ids_are_refused() {
        let mut slots = Slots::counted(2);
        slots.extend([7].into_iter());
        let sound = slots.save();
        assert!(Slots::load(3, &sound).is_ok());
        assert!(Slots::load(4, &sound).is_err());
        assert!(Slots::load(3, &sound[..sound.len() - 1]).is_err());
        for (at, byte) in [(0, 7), (7, 255), (8, 2), (17, 1)] {
            let mut bytes = sound.clone();
            bytes[at] = byte;
            assert!(Slots::load(3, &bytes).is_err(), "byte {at}");
        }
    }
}
