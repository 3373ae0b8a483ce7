//! Ids of the caller's: what they may be, and where each one's vector is.

use std::collections::HashMap;
use std::mem;

use anear_kernels::{Bitmap, IdSelector};

use crate::{Error, Result};

/// Ids above this do not fit Faiss's signed ones.
pub(crate) const MAX_ID: u64 = i64::MAX as u64;

/// Stands in a list of ids where there is no vector any more.
pub(crate) const GONE: u64 = u64::MAX;

/// Refuses ids that are not one per vector.
pub(crate) fn check_count(vectors: usize, ids: &[u64]) -> Result<()> {
    if vectors == ids.len() {
        return Ok(());
    }
    Err(Error::IdCount {
        vectors,
        ids: ids.len(),
    })
}

/// Refuses ids that are too large, that are taken, or that repeat.
pub(crate) fn check_new(ids: &[u64], is_taken: impl Fn(u64) -> bool) -> Result<()> {
    if let Some(&id) = ids.iter().find(|id| **id > MAX_ID) {
        return Err(Error::IdTooLarge { id });
    }
    if let Some(&id) = ids.iter().find(|id| is_taken(**id)) {
        return Err(Error::DuplicateId { id });
    }
    if ids.is_sorted_by(|one, next| one < next) {
        return Ok(());
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::RepeatedId { id: pair[0] }),
        None => Ok(()),
    }
}

/// The id of each position and the position of each id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// [`GONE`] where there is no vector any more.
    by_position: Vec<u64>,
    positions: HashMap<u64, u64>,
}

impl Ids {
    /// Ids, without positions that are gone.
    pub(crate) fn len(&self) -> usize {
        self.positions.len()
    }

    /// The id of each position.
    pub(crate) fn as_slice(&self) -> &[u64] {
        &self.by_position
    }

    /// All ids, by position.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.by_position.iter().copied().filter(|id| *id != GONE)
    }

    /// Where an id is. Many are their own positions: those need no lookup.
    pub(crate) fn position(&self, id: u64) -> Option<u64> {
        let own = usize::try_from(id).ok().and_then(|place| self.by_position.get(place));
        match own {
            Some(own) if *own == id => Some(id),
            _ => self.positions.get(&id).copied(),
        }
    }

    /// Refuses ids that are too large, that are taken, or that repeat.
    pub(crate) fn check_new(&self, ids: &[u64]) -> Result<()> {
        check_new(ids, |id| self.positions.contains_key(&id))
    }

    /// Numbers the newest vectors; the ids were checked.
    pub(crate) fn append(&mut self, ids: &[u64]) {
        let numbered = ids.iter().copied().zip(self.by_position.len() as u64..);
        self.positions.extend(numbered.filter(|(id, _)| *id != GONE));
        self.by_position.extend_from_slice(ids);
    }

    /// Forgets the positions from this one on, which are gone.
    pub(crate) fn truncate(&mut self, len: usize) {
        debug_assert!(
            self.by_position.iter().skip(len).all(|id| *id == GONE),
            "only positions that are gone"
        );
        self.by_position.truncate(len);
    }

    /// Forgets the ids of these positions, which stay empty.
    pub(crate) fn vacate(&mut self, positions: &IdSelector<'_>) {
        for position in positions.matches_in(0..self.by_position.len() as u64) {
            let id = mem::replace(&mut self.by_position[position as usize], GONE);
            self.positions.remove(&id);
        }
    }

    /// Forgets the ids of these positions; those behind move up.
    pub(crate) fn remove(&mut self, positions: &IdSelector<'_>) {
        let mut position = 0;
        self.by_position.retain(|_| {
            position += 1;
            !positions.contains(position - 1)
        });
        self.positions = self.by_position.iter().copied().zip(0..).collect();
    }

    /// The ids 0, 1, 2, ... in the order of the old ones; empty positions are left out.
    pub(crate) fn renumbered(&self) -> Self {
        let mut old: Vec<u64> = self.iter().collect();
        old.sort_unstable();
        let new = self.iter().map(|id| old.partition_point(|other| *other < id) as u64);
        let new: Vec<u64> = new.collect();
        let mut ids = Self::default();
        ids.append(&new);
        ids
    }

    /// The positions whose ids are selected.
    pub(crate) fn selected(&self, selector: &IdSelector<'_>) -> Positions {
        match selector {
            IdSelector::All => Positions::All,
            IdSelector::Sorted(ids) => {
                let mut listed: Vec<u64> = ids.iter().filter_map(|id| self.position(*id)).collect();
                listed.sort_unstable();
                Positions::Listed(listed)
            }
            _ => {
                let is_selected = |position: &usize| selector.contains(self.by_position[*position]);
                let marked = (0..self.by_position.len()).filter(is_selected);
                Positions::Marked(Bitmap::from_indices(self.by_position.len(), marked))
            }
        }
    }
}

/// Positions in an index that numbers by them.
pub(crate) enum Positions {
    All,
    /// Ascending.
    Listed(Vec<u64>),
    Marked(Bitmap),
}

impl Positions {
    pub(crate) fn selector(&self) -> IdSelector<'_> {
        match self {
            Self::All => IdSelector::All,
            Self::Listed(positions) => IdSelector::Sorted(positions),
            Self::Marked(positions) => IdSelector::Bitmap(positions),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_by_position_without_those_that_are_gone() {
        let mut ids = Ids::default();
        ids.append(&[50, GONE, 3, 40]);
        assert!(ids.iter().eq([50, 3, 40]));
        assert_eq!((ids.len(), ids.position(40), ids.position(GONE)), (3, Some(3), None));
        assert_eq!(ids.renumbered().as_slice(), [2, 0, 1]);
        ids.vacate(&IdSelector::Range(0..1));
        assert!(ids.iter().eq([3, 40]));
    }
}
