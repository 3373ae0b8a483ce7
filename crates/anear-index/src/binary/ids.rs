//! Ids of the caller's: what they may be, and where each one's vector is.

use std::collections::HashMap;

use anear_kernels::{Bitmap, IdSelector};

use crate::{Error, Result};

/// Ids above this do not fit Faiss's signed ones.
pub(super) const MAX_ID: u64 = i64::MAX as u64;

/// Refuses ids that are not one per vector, are too large, are taken, or repeat.
pub(super) fn check(vectors: usize, ids: &[u64], is_taken: impl Fn(u64) -> bool) -> Result<()> {
    if vectors != ids.len() {
        return Err(Error::IdCount {
            vectors,
            ids: ids.len(),
        });
    }
    if let Some(&id) = ids.iter().find(|id| **id > MAX_ID) {
        return Err(Error::IdTooLarge { id });
    }
    if let Some(&id) = ids.iter().find(|id| is_taken(**id)) {
        return Err(Error::DuplicateId { id });
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
pub(super) struct Ids {
    by_position: Vec<u64>,
    positions: HashMap<u64, u64>,
}

impl Ids {
    pub(super) fn len(&self) -> usize {
        self.by_position.len()
    }

    pub(super) fn as_slice(&self) -> &[u64] {
        &self.by_position
    }

    pub(super) fn position(&self, id: u64) -> Option<u64> {
        self.positions.get(&id).copied()
    }

    /// [`check`]s ids for vectors to come.
    pub(super) fn check_new(&self, vectors: usize, ids: &[u64]) -> Result<()> {
        check(vectors, ids, |id| self.positions.contains_key(&id))
    }

    /// Numbers the newest vectors; the ids were checked.
    pub(super) fn append(&mut self, ids: &[u64]) {
        self.positions.extend(ids.iter().copied().zip(self.len() as u64..));
        self.by_position.extend_from_slice(ids);
    }

    /// Forgets the ids of these positions; those behind move up.
    pub(super) fn remove(&mut self, positions: &Bitmap) {
        let mut position = 0;
        self.by_position.retain(|_| {
            position += 1;
            !positions.contains(position - 1)
        });
        self.positions = self.by_position.iter().copied().zip(0..).collect();
    }

    /// The positions whose ids are selected.
    pub(super) fn selected(&self, selector: &IdSelector<'_>) -> Bitmap {
        match selector {
            IdSelector::All => Bitmap::full(self.len()),
            IdSelector::Sorted(ids) => {
                let positions = ids.iter().filter_map(|id| self.position(*id));
                Bitmap::from_indices(self.len(), positions.map(|position| position as usize))
            }
            _ => {
                let is_selected = |position: &usize| selector.contains(self.by_position[*position]);
                Bitmap::from_indices(self.len(), (0..self.len()).filter(is_selected))
            }
        }
    }
}
