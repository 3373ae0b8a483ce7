//! Inverted lists in memory: codes and ids of each list, and for each id where it is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Add as _;
use std::sync::Arc;

use anear_kernels::IdSelector;
use anear_quant::{Codes, Quantizer};

use super::ListFile;
use crate::ids::{MAX_ID, check_new};
use crate::{Error, Memory, Result};

/// The vectors of one list.
#[derive(Clone, Debug)]
pub struct List {
    codes: Codes,
    ids: Vec<u64>,
    /// One per code where the index needs them, see `terms.rs`; otherwise none.
    terms: Vec<f32>,
}

impl List {
    /// A list of codes, of which the `i`-th has the id `ids[i]`.
    ///
    /// # Panics
    /// When there is not one id per code.
    pub fn new(codes: Codes, ids: Vec<u64>) -> Self {
        assert_eq!(codes.len(), ids.len(), "one id per code");
        let terms = Vec::new();
        Self { codes, ids, terms }
    }

    /// The codes.
    pub fn codes(&self) -> &Codes {
        &self.codes
    }

    /// The id of each code.
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }

    pub(super) fn terms(&self) -> &[f32] {
        &self.terms
    }

    pub(super) fn with_terms(self, terms: Vec<f32>) -> Self {
        Self { terms, ..self }
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no vector.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Each id with where it is, in the list of this number.
    fn places(&self, list: usize) -> impl Iterator<Item = (u64, Place)> + '_ {
        let ids = self.ids.iter().enumerate();
        ids.map(move |(slot, &id)| (id, Place { list, slot }))
    }

    /// Moves what is last into this slot.
    fn swap_remove(&mut self, slot: usize) -> Result<()> {
        self.codes.swap_remove(slot)?;
        self.ids.swap_remove(slot);
        if !self.terms.is_empty() {
            self.terms.swap_remove(slot);
        }
        Ok(())
    }

    /// What is in these slots.
    fn only(&self, places: &[Place]) -> Result<Self> {
        let mut rows = Vec::with_capacity(places.len() * self.codes.code_len());
        for &Place { slot, .. } in places {
            self.codes.copy_to(slot..slot + 1, &mut rows);
        }
        let mut codes = Codes::new(self.codes.layout(), self.codes.code_len());
        codes.extend_from_rows(&rows)?;
        let ids = places.iter().map(|place| self.ids[place.slot]);
        let terms = places.iter().filter_map(|place| self.terms.get(place.slot).copied());
        Ok(Self::new(codes, ids.collect()).with_terms(terms.collect()))
    }
}

/// Where a vector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) list: usize,
    pub(super) slot: usize,
}

/// All lists of an index.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    lists: Vec<List>,
    places: Places,
    /// What all lists are read from, and what they are in to this day: every change ends that.
    pub(super) file: Option<Arc<ListFile>>,
}

impl Lists {
    pub(super) fn new(nlist: usize, quantizer: &dyn Quantizer) -> Self {
        let list = List::new(quantizer.new_codes(), Vec::new());
        Self {
            lists: vec![list; nlist],
            places: Places::Counted(Vec::new()),
            file: None,
        }
    }

    /// Number of lists.
    pub(super) fn len(&self) -> usize {
        self.lists.len()
    }

    /// Number of vectors in all lists.
    pub(super) fn vectors(&self) -> usize {
        self.lists.iter().map(List::len).sum()
    }

    /// What the codes of all lists take.
    pub(super) fn memory(&self) -> Memory {
        let lists = self.lists.iter().map(|list| Memory::from(&list.codes));
        lists.fold(Memory::default(), Memory::add)
    }

    pub(super) fn get(&self, list: usize) -> &List {
        &self.lists[list]
    }

    /// The list that the coarse quantizer calls by this id, with its number.
    pub(super) fn numbered(&self, id: u64) -> (usize, &List) {
        (id as usize, &self.lists[id as usize])
    }

    /// The ids of all vectors, list by list.
    pub(super) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.lists.iter().flat_map(|list| list.ids.iter().copied())
    }

    /// One more than the largest id there has been.
    pub(super) fn next_id(&self) -> u64 {
        match &self.places {
            Places::Counted(places) => places.len() as u64,
            Places::Named { next_id, .. } => *next_id,
        }
    }

    /// Gives no id below this one any more.
    pub(super) fn count_on_from(&mut self, next_id: u64) {
        match &mut self.places {
            Places::Named { next_id: own, .. } => *own = next_id,
            Places::Counted(words) if next_id == words.len() as u64 => {}
            Places::Counted(_) => {
                self.places = self.places.named();
                self.count_on_from(next_id);
            }
        }
    }

    pub(super) fn place(&self, id: u64) -> Option<Place> {
        self.places.get(id)
    }

    /// Refuses ids that are too large, that repeat, or that are taken.
    pub(super) fn check_new(&self, ids: &[u64]) -> Result<()> {
        check_new(ids, |id| self.place(id).is_some())
    }

    /// Appends to list `lists[i]` the `i`-th of `codes` under the id `ids[i]`, with the `i`-th of `terms` if there are
    /// any; the ids were checked.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`]; nothing is appended then.
    pub(super) fn extend(&mut self, lists: &[u32], ids: &[u64], codes: &[u8], terms: &[f32]) -> Result<()> {
        let mut counts = vec![0; self.lists.len()];
        lists.iter().for_each(|list| counts[*list as usize] += 1);
        for (list, count) in self.lists.iter_mut().zip(counts) {
            list.codes.try_reserve(count)?;
        }
        self.file.take_if(|_| !ids.is_empty());
        let code_len = codes.len().checked_div(ids.len()).unwrap_or(1).max(1);
        for (i, code) in codes.chunks_exact(code_len).enumerate() {
            let (number, id) = (lists[i], ids[i]);
            let list = &mut self.lists[number as usize];
            list.codes.extend_from_rows(code)?;
            list.ids.push(id);
            list.terms.extend(terms.get(i));
            let place = Place {
                list: number as usize,
                slot: list.ids.len() - 1,
            };
            self.places.insert(id, place);
        }
        Ok(())
    }

    /// These lists.
    ///
    /// # Errors
    /// [`Error::RepeatedId`], [`Error::IdTooLarge`].
    pub(super) fn of(lists: Vec<List>) -> Result<Self> {
        let count: usize = lists.iter().map(List::len).sum();
        let largest = lists.iter().flat_map(|list| list.ids.iter().copied()).max();
        if let Some(id) = largest.filter(|id| *id > MAX_ID) {
            return Err(Error::IdTooLarge { id });
        }
        let mut places = Places::for_ids(count, largest.map_or(0, |id| id + 1));
        for (id, place) in (0..).zip(&lists).flat_map(|(number, list)| list.places(number)) {
            if places.get(id).is_some() {
                return Err(Error::RepeatedId { id });
            }
            places.insert(id, place);
        }
        let file = None;
        Ok(Self { lists, places, file })
    }

    /// Appends the lists of an index with the same centroids; the raised ids were checked.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`]; nothing is appended then.
    pub(super) fn append(&mut self, other: &Self, add_id: u64) -> Result<()> {
        for (list, theirs) in self.lists.iter_mut().zip(&other.lists) {
            list.codes.try_reserve(theirs.len())?;
        }
        self.file.take_if(|_| other.vectors() > 0);
        let first_slots: Vec<usize> = self.lists.iter().map(List::len).collect();
        self.places.append(&other.places, add_id, &first_slots);
        for (list, theirs) in self.lists.iter_mut().zip(&other.lists) {
            list.codes.append(&theirs.codes)?;
            list.terms.extend_from_slice(&theirs.terms);
            list.ids.extend(theirs.ids.iter().map(|id| id + add_id));
        }
        Ok(())
    }

    /// Gives the ids 0, 1, 2 ... in the order of those there are.
    pub(super) fn renumber(&mut self) {
        self.file = None;
        let lists = self.lists.iter().enumerate();
        let mut entries: Vec<(u64, Place)> = lists.flat_map(|(list, l)| l.places(list)).collect();
        entries.sort_unstable_by_key(|(id, _)| *id);
        for (id, (_, place)) in (0..).zip(&entries) {
            self.lists[place.list].ids[place.slot] = id;
        }
        self.places = Places::Counted(entries.into_iter().map(|(_, place)| pack(place)).collect());
    }

    /// The vectors of these ids, list by list, each once; ids that are not there are left out.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`].
    pub(super) fn selected(&self, ids: impl Iterator<Item = u64>) -> Result<Vec<(usize, List)>> {
        let mut places: Vec<Place> = ids.filter_map(|id| self.place(id)).collect();
        places.sort_unstable_by_key(|place| pack(*place));
        places.dedup_by_key(|place| pack(*place));
        let lists = places.chunk_by(|one, next| one.list == next.list);
        lists
            .map(|places| Ok((places[0].list, self.get(places[0].list).only(places)?)))
            .collect()
    }

    /// Removes the selected ids; returns how many there were. The last vector of a list takes a removed one's slot.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`]; nothing is removed then.
    pub(super) fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        let doomed: Vec<u64> = match ids {
            IdSelector::Sorted(ids) => ids.iter().copied().filter(|id| self.place(*id).is_some()).collect(),
            _ => self.ids().filter(|id| ids.contains(*id)).collect(),
        };
        for place in doomed.iter().filter_map(|id| self.places.get(*id)) {
            self.lists[place.list].codes.try_own()?;
        }
        self.file.take_if(|_| !doomed.is_empty());
        let mut removed = 0;
        for id in doomed {
            let Some(place) = self.places.remove(id) else { continue };
            self.lists[place.list].swap_remove(place.slot)?;
            if let Some(&moved) = self.lists[place.list].ids.get(place.slot) {
                self.places.insert(moved, place);
            }
            removed += 1;
        }
        Ok(removed)
    }
}

/// Where each id is.
#[derive(Clone, Debug)]
enum Places {
    /// Ids that were counted from 0: one word each, those that are gone too.
    Counted(Vec<u64>),
    /// Ids of the caller's.
    Named { places: HashMap<u64, Place>, next_id: u64 },
}

/// Stands for an id that is gone.
const GONE: u64 = u64::MAX;

/// Faiss's form of a place in one word.
fn pack(place: Place) -> u64 {
    (place.list as u64) << 32 | place.slot as u64
}

fn unpack(word: u64) -> Option<Place> {
    (word != GONE).then_some(Place {
        list: (word >> 32) as usize,
        slot: word as u32 as usize,
    })
}

impl Places {
    /// Room for so many ids, all of them below `end`.
    fn for_ids(count: usize, end: u64) -> Self {
        // A word for each number up to the largest is less than an entry of a map for each id.
        if end <= 2 * count as u64 {
            return Self::Counted(vec![GONE; end as usize]);
        }
        Self::Named {
            places: HashMap::with_capacity(count),
            next_id: 0,
        }
    }

    fn get(&self, id: u64) -> Option<Place> {
        match self {
            Self::Counted(words) => unpack(*words.get(usize::try_from(id).ok()?)?),
            Self::Named { places, .. } => places.get(&id).copied(),
        }
    }

    /// Puts an id in its place, whether it is new or moves.
    fn insert(&mut self, id: u64, place: Place) {
        match self {
            Self::Counted(words) if id < words.len() as u64 => words[id as usize] = pack(place),
            Self::Counted(words) if id == words.len() as u64 => words.push(pack(place)),
            Self::Counted(_) => {
                *self = self.named();
                self.insert(id, place);
            }
            Self::Named { places, next_id } => {
                places.insert(id, place);
                *next_id = (*next_id).max(id + 1);
            }
        }
    }

    /// Takes over the places of lists that come behind `first_slots[i]` vectors of ours, their ids raised.
    fn append(&mut self, other: &Self, add_id: u64, first_slots: &[usize]) {
        let moved = |Place { list, slot }| Place {
            list,
            slot: first_slots[list] + slot,
        };
        match (self, other) {
            (Self::Counted(own), Self::Counted(theirs)) if own.len() as u64 == add_id => {
                own.extend(
                    theirs
                        .iter()
                        .map(|word| unpack(*word).map_or(GONE, |place| pack(moved(place)))),
                );
            }
            (own, Self::Counted(theirs)) => {
                let places = (add_id..).zip(theirs);
                places
                    .filter_map(|(id, word)| Some((id, unpack(*word)?)))
                    .for_each(|(id, place)| own.insert(id, moved(place)));
            }
            (own, Self::Named { places, .. }) => {
                places
                    .iter()
                    .for_each(|(id, place)| own.insert(id + add_id, moved(*place)));
            }
        }
    }

    fn remove(&mut self, id: u64) -> Option<Place> {
        match self {
            Self::Counted(words) => {
                let word = words.get_mut(usize::try_from(id).ok()?)?;
                unpack(std::mem::replace(word, GONE))
            }
            Self::Named { places, .. } => match places.entry(id) {
                Entry::Occupied(entry) => Some(entry.remove()),
                Entry::Vacant(_) => None,
            },
        }
    }

    /// The same places for ids with gaps.
    fn named(&self) -> Self {
        let Self::Counted(words) = self else {
            return self.clone();
        };
        let places = (0..).zip(words).filter_map(|(id, word)| Some((id, unpack(*word)?)));
        Self::Named {
            places: places.collect(),
            next_id: words.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anear_quant::Raw;

    fn lists() -> Lists {
        Lists::new(3, &Raw::new(1))
    }

    fn add(lists: &mut Lists, ids: &[u64]) {
        let numbers: Vec<u32> = ids.iter().map(|id| (id % 3) as u32).collect();
        let codes: Vec<u8> = ids.iter().flat_map(|id| (*id as f32).to_le_bytes()).collect();
        lists.extend(&numbers, ids, &codes, &[]).unwrap();
    }

    /// Every id leads to the code that was added under it.
    fn check(lists: &Lists, expected: &[u64]) {
        let mut ids: Vec<u64> = lists.ids().collect();
        ids.sort_unstable();
        assert_eq!(ids, expected);
        for &id in expected {
            let Place { list, slot } = lists.place(id).unwrap();
            let mut code = Vec::new();
            lists.get(list).codes().copy_to(slot..slot + 1, &mut code);
            assert_eq!(code, (id as f32).to_le_bytes());
            assert_eq!(lists.get(list).ids()[slot], id);
        }
    }

    #[test]
    fn ids_lead_to_their_codes_through_every_change() {
        let mut lists = lists();
        add(&mut lists, &[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(lists.remove(&IdSelector::Sorted(&[0, 3, 6, 99])).unwrap(), 3);
        check(&lists, &[1, 2, 4, 5]);
        assert_eq!(lists.next_id(), 7, "an id is not given twice");
        add(&mut lists, &[7, 50, 40]);
        check(&lists, &[1, 2, 4, 5, 7, 40, 50]);
        assert_eq!(lists.next_id(), 51);
        assert_eq!(lists.remove(&IdSelector::Range(2..45)).unwrap(), 5);
        check(&lists, &[1, 50]);
        add(&mut lists, &[2]);
        check(&lists, &[1, 2, 50]);
    }

    #[test]
    fn lists_that_are_there_are_counted_unless_ids_are_far_apart() {
        for ids in [[2, 0, 5, 1], [70, 0, 5, 1]] {
            let mut whole = lists();
            add(&mut whole, &ids);
            let mut again = Lists::of(whole.lists.clone()).unwrap();
            assert_eq!(matches!(again.places, Places::Counted(_)), ids[0] == 2);
            assert_eq!(again.next_id(), ids.iter().max().unwrap() + 1);
            add(&mut again, &[80, 3]);
            let mut expected = [ids.to_vec(), vec![80, 3]].concat();
            expected.sort_unstable();
            check(&again, &expected);
        }
        let mut repeated = lists();
        add(&mut repeated, &[0, 1]);
        let twice = vec![repeated.get(0).clone(); 2];
        assert!(matches!(Lists::of(twice), Err(Error::RepeatedId { id: 0 })));
    }

    #[test]
    fn ids_that_cannot_be_added_are_named() {
        let mut lists = lists();
        add(&mut lists, &[0, 1]);
        let refused = |ids: &[u64]| lists.check_new(ids).unwrap_err();
        assert!(matches!(refused(&[5, 1]), Error::DuplicateId { id: 1 }));
        assert!(matches!(refused(&[5, 4, 5]), Error::RepeatedId { id: 5 }));
        assert!(matches!(refused(&[1 << 63]), Error::IdTooLarge { .. }));
        assert!(lists.check_new(&[9, 7]).is_ok());
    }
}
