//! Which slot holds the vector of which id.

use anear_bytes::Cursor;

use crate::{Error, Result};

/// No id, or no slot.
const NONE: u32 = u32::MAX;

/// Ids that were given in the order in which vectors came, and the slots that hold them now.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    /// By slot; of a vector that was removed there is none.
    ids: Vec<u32>,
    /// By id.
    slots: Vec<u32>,
    living: usize,
}

impl Ids {
    /// Slots, in use or not.
    pub(super) fn slots(&self) -> usize {
        self.ids.len()
    }

    /// Slots in use.
    pub(super) fn living(&self) -> usize {
        self.living
    }

    /// Whether every slot is in use.
    pub(super) fn are_all_living(&self) -> bool {
        self.living == self.ids.len()
    }

    /// The id that comes next.
    pub(super) fn next(&self) -> u64 {
        self.slots.len() as u64
    }

    /// Refuses so many more ids from `first` on if there are not as many.
    pub(super) fn check(first: u64, count: usize) -> Result<()> {
        match first.saturating_add(count as u64) {
            end if end <= u64::from(NONE >> 2) => Ok(()),
            end => Err(Error::IdTooLarge { id: end }),
        }
    }

    /// A slot for a vector under the next id or a larger one.
    pub(super) fn push(&mut self, id: u64) {
        self.slots.resize(id as usize, NONE);
        self.slots.push(self.ids.len() as u32);
        self.ids.push(id as u32);
        self.living += 1;
    }

    /// Takes back what was pushed last.
    pub(super) fn truncate(&mut self, slots: usize, next: u64) {
        self.living -= self.ids[slots..].iter().filter(|id| **id != NONE).count();
        self.ids.truncate(slots);
        self.slots.truncate(next as usize);
    }

    /// The id of the vector in a slot, if it was not removed.
    #[inline]
    pub(super) fn id(&self, slot: u32) -> Option<u64> {
        let id = self.ids[slot as usize];
        (id != NONE).then_some(u64::from(id))
    }

    /// The slot of an id that is in use.
    pub(super) fn slot(&self, id: u64) -> Option<u32> {
        let slot = *self.slots.get(usize::try_from(id).ok()?)?;
        (slot != NONE).then_some(slot)
    }

    /// All ids in use, ascending, with their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        let used = (0..).zip(&self.slots).filter(|(_, slot)| **slot != NONE);
        used.map(|(id, slot)| (id, *slot))
    }

    /// Takes an id out of use.
    pub(super) fn remove(&mut self, id: u64) {
        if let Some(slot) = self.slot(id) {
            self.ids[slot as usize] = NONE;
            self.slots[id as usize] = NONE;
            self.living -= 1;
        }
    }

    /// Forgets the slots out of use; `order` has the number of each one's id among those in use, slot by slot.
    pub(super) fn reorder(&mut self, order: &[u32]) {
        let ids: Vec<u64> = self.iter().map(|(id, _)| id).collect();
        self.ids = order.iter().map(|number| ids[*number as usize] as u32).collect();
        self.slots.fill(NONE);
        for (slot, id) in (0..).zip(&self.ids) {
            self.slots[*id as usize] = slot;
        }
    }

    /// Numbers the ids in use anew, from 0.
    pub(super) fn renumber(&mut self) {
        self.slots = self.iter().map(|(_, slot)| slot).collect();
        for (id, slot) in (0..).zip(&self.slots) {
            self.ids[*slot as usize] = id;
        }
    }

    /// Without vectors; ids are counted on.
    pub(super) fn emptied(&self) -> Self {
        Self {
            ids: Vec::new(),
            slots: vec![NONE; self.slots.len()],
            living: 0,
        }
    }

    /// What [`load`](Self::load) reads.
    pub(super) fn save(&self) -> Vec<u8> {
        let next = self.next().to_le_bytes();
        let ids = self.ids.iter().flat_map(|id| id.to_le_bytes());
        next.into_iter().chain(ids).collect()
    }

    /// What [`save`](Self::save) wrote.
    pub(super) fn load(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let next = cursor.u64("next id")?;
        let count = cursor.bytes_left() as u64 / 4;
        let (ids, _) = cursor.items(count, 4, "ids")?.as_chunks::<4>();
        cursor.finish()?;
        let ids: Vec<u32> = ids.iter().map(|id| u32::from_le_bytes(*id)).collect();
        // Ids that are out of use take four bytes each, and no more can be than were ever given.
        let mut slots = Vec::new();
        Self::check(next, 0)?;
        if slots.try_reserve(next as usize).is_err() {
            return Err(Error::OutOfMemory {
                bytes: 4 * next as usize,
            });
        }
        slots.resize(next as usize, NONE);
        let mut living = 0;
        for (slot, id) in (0..).zip(&ids).filter(|(_, id)| **id != NONE) {
            match slots.get_mut(*id as usize) {
                Some(place) if *place == NONE => *place = slot,
                _ => return Err(Error::Damaged(format!("id {id} is taken or was never given"))),
            }
            living += 1;
        }
        Ok(Self { ids, slots, living })
    }
}
