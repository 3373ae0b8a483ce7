//! Ids of the caller's over a binary index that numbers its vectors (Faiss: `IndexBinaryIDMap`, `IndexBinaryIDMap2`).

use std::any::Any;
use std::ops::Range;

use anear_kernels::{Bits, IdSelector};

use super::index::{check_width, mismatch};
use super::lists::Lists;
use super::{BinaryHash, BinaryIndex, BinaryIvf, BinarySpec};
use crate::ids::{GONE, Ids, check_count};
use crate::{Error, IdMapKind, Knob, Neighbors, RangeRequest, Result, SearchRequest};

/// A binary index whose ids are the caller's: any `u64` below 2^63, each once.
///
/// Equal distances come in the order of the index within, that is by when they were added. Unlike Faiss's, both kinds
/// reconstruct, and neither takes an id twice.
///
/// ```
/// use anear_index::SearchRequest;
/// use anear_index::binary::{BinaryIndex, BinarySpec};
/// use anear_kernels::Bits;
///
/// let mut index = "IDMap,BFlat".parse::<BinarySpec>()?.build(8)?;
/// index.add_with_ids(Bits::new(&[0b0001, 0b0111], 1).unwrap(), &[700, 7])?;
/// let found = index.search(Bits::new(&[0b1111], 1).unwrap(), &SearchRequest::new(1))?;
/// assert_eq!(found.row(0)[0].id, 7);
/// assert_eq!(index.reconstruct(700)?, [0b0001]);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Debug)]
pub struct BinaryIdMap {
    kind: IdMapKind,
    inner: Box<dyn BinaryIndex>,
    ids: Ids,
}

impl BinaryIdMap {
    /// Over an index whose vector `i` has the id `ids[i]`; `u64::MAX` where it has no vector `i` any more.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when `inner` is an id map; [`Error::IdCount`], [`Error::RepeatedId`],
    /// [`Error::IdTooLarge`], and [`Error::UnknownId`] when `inner` has a vector beyond `ids`.
    pub fn new(kind: IdMapKind, mut inner: Box<dyn BinaryIndex>, ids: &[u64]) -> Result<Self> {
        if matches!(inner.spec(), BinarySpec::IdMap(..)) {
            return Err(Error::Unsupported {
                index: "binary_id_map",
                operation: "an id map within; use that one alone",
            });
        }
        let named = |id: &u64| {
            usize::try_from(*id)
                .ok()
                .and_then(|id| ids.get(id))
                .is_some_and(|id| *id != GONE)
        };
        let mut map = Ids::default();
        let living: Vec<u64> = ids.iter().copied().filter(|id| *id != GONE).collect();
        check_count(inner.len(), &living)?;
        let own = lists_of(&mut *inner).map(|lists| lists.ids()).unwrap_or_default();
        if let Some(&id) = own.iter().find(|id| !named(id)) {
            return Err(Error::UnknownId { id, len: living.len() });
        }
        map.check_new(&living)?;
        map.append(ids);
        Ok(Self { kind, inner, ids: map })
    }

    /// The id of each vector, by its id in the index within; `u64::MAX` where that has none any more.
    pub fn ids(&self) -> &[u64] {
        self.ids.as_slice()
    }

    /// The ids of the vectors there are, by their ids in the index within.
    pub(super) fn living(&self) -> Vec<u64> {
        self.ids.iter().collect()
    }

    /// The index that numbers its vectors.
    pub fn inner(&self) -> &dyn BinaryIndex {
        &*self.inner
    }

    /// A copy of the index within, its vectors numbered without gaps in the order of their ids there.
    pub(super) fn inner_renumbered(&self) -> Result<Box<dyn BinaryIndex>> {
        let mut inner = self.inner.boxed_clone();
        if let Some(lists) = lists_of(&mut *inner) {
            let mut next = 0..;
            let numbers = self
                .ids()
                .iter()
                .map(|id| if *id == GONE { GONE } else { next.next().unwrap_or(GONE) });
            lists.rename(&numbers.collect::<Vec<_>>())?;
        }
        Ok(inner)
    }

    /// Searches the index within among the positions of the selected ids, and names what it finds.
    fn translated(
        &self,
        selector: &IdSelector<'_>,
        search: impl FnOnce(IdSelector<'_>) -> Result<Neighbors>,
    ) -> Result<Neighbors> {
        let mut found = search(self.ids.selected(selector).selector())?;
        for neighbor in found.all_mut() {
            neighbor.id = self.ids()[neighbor.id as usize];
        }
        Ok(found)
    }
}

/// The lists of an index whose vectors keep their ids.
fn lists_of(index: &mut dyn BinaryIndex) -> Option<&mut Lists> {
    let index: &mut dyn Any = index;
    if index.is::<BinaryIvf>() {
        return index.downcast_mut().map(BinaryIvf::lists_mut);
    }
    index.downcast_mut().map(BinaryHash::lists_mut)
}

impl BinaryIndex for BinaryIdMap {
    fn kind(&self) -> &'static str {
        "binary_id_map"
    }

    fn spec(&self) -> BinarySpec {
        BinarySpec::IdMap(self.kind, Box::new(self.inner.spec()))
    }

    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn len(&self) -> usize {
        self.ids.len()
    }

    fn knobs(&self) -> Vec<&'static Knob> {
        self.inner.knobs()
    }

    fn knob(&self, name: &str) -> Option<f64> {
        self.inner.knob(name)
    }

    fn set_knob(&mut self, name: &str, value: f64) -> Result<()> {
        self.inner.set_knob(name, value)
    }

    fn search(&self, queries: Bits<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        self.translated(&request.selector, |selector| {
            let request = SearchRequest {
                selector,
                ..request.clone()
            };
            self.inner.search(queries, &request)
        })
    }

    fn range_search(&self, queries: Bits<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        self.translated(&request.selector, |selector| {
            let request = RangeRequest {
                selector,
                ..request.clone()
            };
            self.inner.range_search(queries, &request)
        })
    }

    fn add(&mut self, _vectors: Bits<'_>) -> Result<Range<u64>> {
        Err(Error::Unsupported {
            index: self.kind(),
            operation: "adding without ids; use add_with_ids",
        })
    }

    fn add_with_ids(&mut self, vectors: Bits<'_>, ids: &[u64]) -> Result<()> {
        check_width(self.dim(), vectors)?;
        check_count(vectors.len(), ids)?;
        self.ids.check_new(ids)?;
        let added = self.inner.add(vectors)?;
        // Lists count on from the largest id there is, be it one that was removed before.
        self.ids.truncate(added.start as usize);
        self.ids.append(ids);
        Ok(())
    }

    fn reconstruct(&self, id: u64) -> Result<&[u8]> {
        let position = self.ids.position(id);
        self.inner
            .reconstruct(position.ok_or(Error::UnknownId { id, len: self.len() })?)
    }

    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        let removed = self.ids.selected(ids);
        let removed = removed.selector();
        let count = self.inner.remove(&removed)?;
        match self.inner.spec().has_own_ids() {
            true => self.ids.vacate(&removed),
            false => self.ids.remove(&removed),
        }
        Ok(count)
    }

    fn merge(&mut self, other: &mut dyn BinaryIndex) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>();
        let other = other.filter(|other| other.dim() == self.dim()).ok_or(refused)?;
        self.ids.check_new(&other.living())?;
        let mut theirs = other.inner.boxed_clone();
        if let Some(lists) = lists_of(&mut *theirs) {
            let first = self.ids().len() as u64;
            lists.rename(&(first..first + other.ids().len() as u64).collect::<Vec<_>>())?;
        }
        self.inner.merge(&mut *theirs)?;
        other.inner.remove(&IdSelector::All)?;
        self.ids.append(std::mem::take(&mut other.ids).as_slice());
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn BinaryIndex> {
        Box::new(Self {
            kind: self.kind,
            inner: self.inner.boxed_clone(),
            ids: self.ids.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SearchRequest;
    use crate::binary::{BinaryFlat, read_binary_index, write_binary_index};

    /// Two bytes that no other number has.
    fn code(i: u64) -> [u8; 2] {
        [i as u8, (i / 3) as u8]
    }

    fn codes(of: Range<u64>) -> Vec<u8> {
        of.flat_map(code).collect()
    }

    fn add(index: &mut dyn BinaryIndex, of: Range<u64>) {
        let ids: Vec<u64> = of.clone().map(|i| i + 1000).collect();
        index.add_with_ids(Bits::new(&codes(of), 2).unwrap(), &ids).unwrap();
    }

    fn check(index: &dyn BinaryIndex, living: &[u64]) {
        assert_eq!(index.len(), living.len());
        for &i in living {
            assert_eq!(index.reconstruct(i + 1000).unwrap(), code(i));
            let found = index.search(
                Bits::new(&code(i), 2).unwrap(),
                &SearchRequest::new(1).with("nprobe", 4.0),
            );
            assert_eq!(found.unwrap().row(0)[0].id, i + 1000);
        }
    }

    fn over_lists() -> BinaryIdMap {
        let mut coarse = BinaryFlat::new(16).unwrap();
        coarse
            .add(Bits::new(&[0, 0, 255, 0, 0, 255, 255, 255], 2).unwrap())
            .unwrap();
        BinaryIdMap::new(
            IdMapKind::IdMap2,
            Box::new(BinaryIvf::new(Box::new(coarse)).unwrap()),
            &[],
        )
        .unwrap()
    }

    #[test]
    fn vectors_in_lists_keep_their_names_through_removals_merges_and_files() {
        let (mut one, mut other) = (over_lists(), over_lists());
        add(&mut one, 0..40);
        add(&mut other, 100..140);
        assert_eq!(one.remove(&IdSelector::Sorted(&[1000, 1020, 1038, 1039])).unwrap(), 4);
        assert_eq!(other.remove(&IdSelector::Sorted(&[1100, 1139])).unwrap(), 2);
        add(&mut one, 50..53);
        one.merge(&mut other).unwrap();
        add(&mut one, 60..62);
        let living: Vec<u64> = (1..20)
            .chain(21..38)
            .chain(50..53)
            .chain(60..62)
            .chain(101..139)
            .collect();
        check(&one, &living);
        assert!(other.is_empty());
        add(&mut other, 7..9);
        check(&other, &[7, 8]);
        let file = write_binary_index(&one).unwrap();
        let again = read_binary_index(&file).unwrap();
        assert_eq!(again.spec().to_string(), "IDMap2,BIVF4");
        check(&*again, &living);
    }

    #[test]
    fn a_vector_beyond_the_ids_is_refused() {
        let mut lists = over_lists();
        add(&mut lists, 0..3);
        let over =
            |lists: &BinaryIdMap, ids: &[u64]| BinaryIdMap::new(IdMapKind::IdMap, lists.inner().boxed_clone(), ids);
        for ids in [&[7, 8][..], &[7, 8, GONE], &[7, 8, 9, 10]] {
            assert!(matches!(over(&lists, ids), Err(Error::IdCount { vectors: 3, .. })));
        }
        assert!(matches!(over(&lists, &[7, 8, 7]), Err(Error::RepeatedId { id: 7 })));
        let mut gap = over_lists();
        add(&mut gap, 0..3);
        gap.remove(&IdSelector::Sorted(&[1000])).unwrap();
        assert!(over(&gap, &[GONE, 7, 8]).is_ok());
        assert!(matches!(over(&gap, &[7, 8]), Err(Error::UnknownId { id: 2, len: 2 })));
        assert!(BinaryIdMap::new(IdMapKind::IdMap, Box::new(lists), &[7, 8, 9]).is_err());
    }
}
