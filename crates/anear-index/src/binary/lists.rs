//! Lists of codes with their ids, and where each id is: what inverted lists and hash buckets have in common.

use std::collections::HashMap;
use std::ops::Range;

use anear_kernels::{Bits, IdSelector, Neighbor, TopK, hamming};

use crate::{Error, Result, ids};

/// Codes of one list and the id of each.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    pub(super) ids: Vec<u64>,
    pub(super) codes: Vec<u8>,
}

/// All lists of an index. No id is in them twice.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    code_len: usize,
    lists: Vec<List>,
    /// List and offset of each id.
    places: HashMap<u64, (u32, u32)>,
    next_id: u64,
}

impl Lists {
    pub(super) fn new(code_len: usize, count: usize) -> Self {
        Self {
            code_len,
            lists: vec![List::default(); count],
            places: HashMap::new(),
            next_id: 0,
        }
    }

    /// Lists that a file holds, each with as many codes as ids.
    pub(super) fn from_lists(code_len: usize, lists: Vec<List>) -> Result<Self> {
        let mut all = Self::new(code_len, 0);
        for (number, list) in (0..).zip(&lists) {
            for (offset, &id) in (0..).zip(&list.ids) {
                if all.places.insert(id, (number, offset)).is_some() {
                    return Err(Error::RepeatedId { id });
                }
                all.next_id = all.next_id.max(id + 1);
            }
        }
        all.lists = lists;
        Ok(all)
    }

    /// Gives the vector with id `i` the id `ids[i]`, for as many ids as vectors.
    pub(super) fn rename(&mut self, ids: &[u64]) -> Result<()> {
        for id in self.lists.iter_mut().flat_map(|list| &mut list.ids) {
            let known = usize::try_from(*id).ok().and_then(|id| ids.get(id));
            *id = *known.ok_or_else(|| Error::Faiss(format!("an id map has no id for {id}")))?;
        }
        *self = Self::from_lists(self.code_len, std::mem::take(&mut self.lists))?;
        Ok(())
    }

    /// Number of vectors in all lists.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn as_slice(&self) -> &[List] {
        &self.lists
    }

    /// Adds an empty list; returns its number.
    pub(super) fn grow(&mut self) -> u32 {
        self.lists.push(List::default());
        self.lists.len() as u32 - 1
    }

    /// The ids after the largest there is, for vectors to come.
    pub(super) fn next_ids(&self, vectors: usize) -> Result<Range<u64>> {
        let end = self.next_id.saturating_add(vectors as u64);
        match end <= ids::MAX_ID + 1 {
            true => Ok(self.next_id..end),
            false => Err(Error::IdTooLarge { id: end - 1 }),
        }
    }

    /// Checks ids for vectors to come.
    pub(super) fn check_new(&self, vectors: usize, ids: &[u64]) -> Result<()> {
        ids::check_count(vectors, ids)?;
        ids::check_new(ids, |id| self.places.contains_key(&id))
    }

    /// Appends a vector; its id was checked.
    pub(super) fn push(&mut self, number: u32, id: u64, code: &[u8]) {
        let list = &mut self.lists[number as usize];
        self.places.insert(id, (number, list.ids.len() as u32));
        list.ids.push(id);
        list.codes.extend_from_slice(code);
        self.next_id = self.next_id.max(id + 1);
    }

    pub(super) fn code(&self, id: u64) -> Result<&[u8]> {
        let len = self.len();
        let (list, offset) = *self.places.get(&id).ok_or(Error::UnknownId { id, len })?;
        Ok(self.codes(&self.lists[list as usize]).row(offset as usize))
    }

    pub(super) fn codes<'a>(&self, list: &'a List) -> Bits<'a> {
        Bits::new(&list.codes, self.code_len).expect("whole codes")
    }

    /// Offers the selected vectors of a list to `top`.
    pub(super) fn scan(&self, number: u32, query: &[u8], keep: &IdSelector<'_>, top: &mut TopK) {
        self.measure(number, query, |neighbor| {
            if neighbor.distance <= top.threshold() && keep.contains(neighbor.id) {
                top.push(neighbor);
            }
        });
    }

    /// Appends the selected vectors of a list that are closer than `radius`.
    pub(super) fn scan_range(
        &self,
        number: u32,
        query: &[u8],
        keep: &IdSelector<'_>,
        radius: u32,
        out: &mut Vec<Neighbor>,
    ) {
        self.measure(number, query, |neighbor| {
            if (neighbor.distance as u32) < radius && keep.contains(neighbor.id) {
                out.push(neighbor);
            }
        });
    }

    fn measure(&self, number: u32, query: &[u8], mut found: impl FnMut(Neighbor)) {
        const BLOCK: usize = 256;
        let mut distances = [0; BLOCK];
        let list = &self.lists[number as usize];
        let codes = self.codes(list);
        for start in (0..list.ids.len()).step_by(BLOCK) {
            let end = list.ids.len().min(start + BLOCK);
            let distances = &mut distances[..end - start];
            hamming::distances(query, codes.slice(start..end), distances);
            for (&id, &distance) in list.ids[start..end].iter().zip(&*distances) {
                let distance = distance as f32;
                found(Neighbor { id, distance });
            }
        }
    }

    /// Removes the selected ids; returns how many there were. The last of a list takes the place of a removed one.
    pub(super) fn remove(&mut self, selector: &IdSelector<'_>) -> usize {
        let doomed: Vec<u64> = match selector {
            IdSelector::Sorted(ids) => ids.to_vec(),
            _ => {
                let all = self.lists.iter().flat_map(|list| &list.ids);
                all.copied().filter(|id| selector.contains(*id)).collect()
            }
        };
        let removed = doomed.iter().filter(|id| self.remove_one(**id)).count();
        if removed > 0 {
            self.next_id = self.places.keys().max().map_or(0, |id| id + 1);
        }
        removed
    }

    fn remove_one(&mut self, id: u64) -> bool {
        let Some((number, offset)) = self.places.remove(&id) else {
            return false;
        };
        let (list, at) = (&mut self.lists[number as usize], offset as usize);
        list.ids.swap_remove(at);
        let last = list.codes.len() - self.code_len;
        list.codes.copy_within(last.., at * self.code_len);
        list.codes.truncate(last);
        if let Some(&moved) = list.ids.get(at) {
            self.places.insert(moved, (number, offset));
        }
        true
    }

    /// Every id, list by list.
    pub(super) fn ids(&self) -> Vec<u64> {
        self.lists.iter().flat_map(|list| &list.ids).copied().collect()
    }

    /// Each vector with the number of its list and its id, list by list.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u64, &[u8])> {
        (0..).zip(&self.lists).flat_map(|(number, list)| {
            let vectors = list.ids.iter().zip(self.codes(list));
            vectors.map(move |(&id, code)| (number, id, code))
        })
    }

    /// Forgets all vectors but keeps the lists; returns what was in them.
    pub(super) fn take(&mut self) -> Self {
        let empty = Self::new(self.code_len, self.lists.len());
        std::mem::replace(self, empty)
    }
}
