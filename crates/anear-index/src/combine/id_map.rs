//! Ids of the caller's over an index that numbers by position (Faiss: `IndexIDMap`, `IndexIDMap2`).

use std::any::Any;

use anear_bytes::{Container, ContainerWriter};
use anear_kernels::{IdSelector, Metric, Rows, TopK};
use anear_pool::Pool;

use crate::flat::mismatch;
use crate::ids::{GONE, Ids, check_count};
use crate::index::{VectorIndexExt as _, unsupported};
use crate::{
    AddWithIds, Error, IdMapKind, IndexSpec, Knob, Knobs, Memory, Merge, Neighbors, RangeRequest, RangeSearch,
    Reconstruct, Remove, Result, SearchRequest, VectorIndex,
};

/// The section that holds the ids.
pub(crate) const IDS: [u8; 4] = *b"ids ";

/// An index whose ids are the caller's: any `u64` below 2^63, each once.
///
/// Equal distances come in the order of the index within, that is by when they were added, not by id. Unlike Faiss's,
/// both kinds reconstruct, and neither takes an id twice.
///
/// ```
/// use anear_index::{IndexSpec, SearchRequest, VectorIndex, VectorIndexExt};
/// use anear_kernels::{Metric, Rows};
///
/// let mut index = "IDMap,Flat".parse::<IndexSpec>()?.build(1, Metric::L2)?;
/// index.add_with_ids(Rows::new(&[1.0, 2.0], 1).unwrap(), &[700, 7])?;
/// let found = index.search(Rows::new(&[1.9], 1).unwrap(), &SearchRequest::new(1))?;
/// assert_eq!(found.row(0)[0].id, 7);
///
/// let error = index.add_with_ids(Rows::new(&[3.0], 1).unwrap(), &[700]).unwrap_err();
/// assert_eq!(error.to_string(), "id 700 is in the index already; remove the old vector first or choose another id");
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Debug)]
pub struct IdMap {
    kind: IdMapKind,
    inner: Box<dyn VectorIndex>,
    ids: Ids,
}

impl IdMap {
    /// Over an empty index that numbers by position.
    ///
    /// # Errors
    /// [`Error::IdCount`] when `inner` has vectors already, [`Error::Unsupported`] when it has ids of its own.
    pub fn new(kind: IdMapKind, inner: Box<dyn VectorIndex>) -> Result<Self> {
        Self::with_ids(kind, inner, Vec::new())
    }

    /// Over an index whose vector `i` has the id `ids[i]`; `u64::MAX` where it has no vector `i` any more.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when `inner` has ids of its own; [`Error::IdCount`], [`Error::RepeatedId`],
    /// [`Error::IdTooLarge`].
    pub fn with_ids(kind: IdMapKind, inner: Box<dyn VectorIndex>, mut ids: Vec<u64>) -> Result<Self> {
        let mut index = Self {
            kind,
            inner,
            ids: Ids::default(),
        };
        if index.inner.as_add().is_none() {
            return Err(Error::Unsupported {
                index: "id_map",
                operation: "an index within that has ids of its own",
            });
        }
        // The next vector must be the next in the list: removed ones may be missing behind the last, none before it.
        let next = usize::try_from(index.inner.merge_offset()).unwrap_or(usize::MAX);
        if next > ids.len() {
            check_count(next, &ids)?;
        }
        ids.truncate(next);
        let living: Vec<u64> = ids.iter().copied().filter(|id| *id != GONE).collect();
        check_count(index.inner.len(), &living)?;
        index.ids.check_new(&living)?;
        index.ids.append(&ids);
        Ok(index)
    }

    /// The id of each vector, by its id in the index within; `u64::MAX` where that has none any more.
    pub fn ids(&self) -> &[u64] {
        self.ids.as_slice()
    }

    /// The ids of the vectors there are, by their ids in the index within.
    pub(crate) fn living(&self) -> impl Iterator<Item = u64> {
        self.ids.iter()
    }

    /// The index that numbers by position.
    pub fn inner(&self) -> &dyn VectorIndex {
        &*self.inner
    }

    /// What [`VectorIndex::save`] wrote beside the index within.
    pub(crate) fn load(kind: IdMapKind, inner: Box<dyn VectorIndex>, from: &Container<'_>) -> Result<Self> {
        let (ids, rest) = from.section(IDS)?.as_chunks();
        if !rest.is_empty() {
            return Err(Error::Damaged("the ids do not fill their section".into()));
        }
        Self::with_ids(kind, inner, ids.iter().map(|id| u64::from_le_bytes(*id)).collect())
    }

    fn rename(&self, mut found: Neighbors) -> Neighbors {
        for neighbor in found.all_mut() {
            neighbor.id = self.ids()[neighbor.id as usize];
        }
        found
    }
}

impl VectorIndex for IdMap {
    fn kind(&self) -> &'static str {
        "id_map"
    }

    fn spec(&self) -> IndexSpec {
        IndexSpec::IdMap(self.kind, Box::new(self.inner.spec()))
    }

    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn metric(&self) -> Metric {
        self.inner.metric()
    }

    fn len(&self) -> usize {
        self.ids.len()
    }

    fn memory(&self) -> Memory {
        self.inner.memory()
    }

    fn keeps_ids(&self) -> bool {
        true
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

    fn explain_search(&self, knobs: &Knobs) -> Option<String> {
        self.inner.explain_search(knobs)
    }

    fn search_top(
        &self,
        queries: Rows<'_>,
        request: &SearchRequest<'_>,
        first_id: u64,
        tops: &mut [TopK],
    ) -> Result<()> {
        self.search(queries, request)?.push_into(tops, first_id);
        Ok(())
    }

    fn search(&self, queries: Rows<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        let selected = self.ids.selected(&request.selector);
        let request = SearchRequest {
            selector: selected.selector(),
            ..request.clone()
        };
        self.inner.search(queries, &request).map(|found| self.rename(found))
    }

    fn check_merge(&self, other: &dyn VectorIndex, add_id: u64) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &dyn Any).downcast_ref::<Self>().ok_or(refused)?;
        let raised = other.ids.iter().map(|id| id.saturating_add(add_id));
        self.ids.check_new(&raised.collect::<Vec<_>>())?;
        self.inner.check_merge(&*other.inner, self.inner.merge_offset())
    }

    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
        let ids: Vec<u8> = self.ids().iter().flat_map(|id| id.to_le_bytes()).collect();
        self.inner.save(out.section(IDS, ids))
    }

    fn boxed_clone(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            kind: self.kind,
            inner: self.inner.boxed_clone(),
            ids: self.ids.clone(),
        })
    }

    fn emptied(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            kind: self.kind,
            inner: self.inner.emptied(),
            ids: Ids::default(),
        })
    }

    fn renumber(&mut self) -> Result<()> {
        self.inner.renumber()?;
        self.ids = self.ids.renumbered();
        Ok(())
    }

    fn become_cosine(&mut self) -> Result<()> {
        self.inner.become_cosine()
    }

    fn as_add_with_ids(&mut self) -> Option<&mut dyn AddWithIds> {
        self.inner.as_add().is_some().then_some(self)
    }

    fn as_remove(&mut self) -> Option<&mut dyn Remove> {
        self.inner.as_remove().is_some().then_some(self)
    }

    fn as_range_search(&self) -> Option<&dyn RangeSearch> {
        self.inner.as_range_search().is_some().then_some(self)
    }

    fn as_reconstruct(&self) -> Option<&dyn Reconstruct> {
        self.inner.as_reconstruct().is_some().then_some(self)
    }

    fn as_merge(&mut self) -> Option<&mut dyn Merge> {
        self.inner.as_merge().is_some().then_some(self)
    }
}

impl AddWithIds for IdMap {
    fn add_with_ids_on(&mut self, vectors: Rows<'_>, ids: &[u64], pool: Option<&Pool>) -> Result<()> {
        check_count(vectors.len(), ids)?;
        self.ids.check_new(ids)?;
        let missing = unsupported(self.inner.kind(), "adding");
        self.inner.as_add().ok_or(missing)?.add_on(vectors, pool)?;
        self.ids.append(ids);
        Ok(())
    }
}

impl Remove for IdMap {
    fn remove_ids(&mut self, ids: &IdSelector<'_>, pool: Option<&Pool>) -> Result<usize> {
        let removed = self.ids.selected(ids);
        let removed = removed.selector();
        let count = self.inner.remove_on(&removed, pool)?;
        match self.inner.keeps_ids() {
            true => self.ids.vacate(&removed),
            false => self.ids.remove(&removed),
        }
        Ok(count)
    }
}

impl RangeSearch for IdMap {
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        let selected = self.ids.selected(&request.selector);
        let request = RangeRequest {
            selector: selected.selector(),
            ..request.clone()
        };
        self.inner
            .range_search(queries, &request)
            .map(|found| self.rename(found))
    }
}

impl Reconstruct for IdMap {
    fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()> {
        let len = self.len();
        let position = self.ids.position(id).ok_or(Error::UnknownId { id, len })?;
        out.extend(self.inner.reconstruct(position)?);
        Ok(())
    }
}

impl Merge for IdMap {
    fn merge_from(&mut self, other: &mut dyn VectorIndex, add_id: u64, pool: Option<&Pool>) -> Result<()> {
        self.check_merge(other, add_id)?;
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        self.inner.merge_on(&mut *other.inner, pool)?;
        let ids = std::mem::take(&mut other.ids);
        let raised = |id: &u64| if *id == GONE { GONE } else { id + add_id };
        self.ids.append(&ids.as_slice().iter().map(raised).collect::<Vec<_>>());
        // Of those that were removed last, the index within may know nothing any more.
        let next = self.inner.merge_offset();
        self.ids.truncate(usize::try_from(next).unwrap_or(usize::MAX));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Training, from_bytes, to_bytes};

    fn of(spec: &str) -> Box<dyn VectorIndex> {
        let sample: Vec<f32> = (0..40).map(|i| i as f32).collect();
        let spec: IndexSpec = spec.parse().unwrap();
        let sample = Rows::new(&sample, 1).unwrap();
        spec.train(Metric::L2, sample, &Training::default()).unwrap()
    }

    /// Adds vectors that are their own ids.
    fn add(index: &mut dyn VectorIndex, ids: std::ops::Range<u64>) {
        let vectors: Vec<f32> = ids.clone().map(|id| id as f32).collect();
        index
            .add_with_ids(Rows::new(&vectors, 1).unwrap(), &ids.collect::<Vec<_>>())
            .unwrap();
    }

    #[test]
    fn names_fit_after_a_merge_though_the_last_vectors_were_removed() {
        for spec in ["IDMap,IVF2,Flat", "IDMap,HNSW4,Flat", "IDMap,Flat"] {
            for gone in [8..10, 0..10] {
                let mut one = of(spec);
                let mut other = one.boxed_clone();
                add(&mut *one, 100..110);
                add(&mut *other, 200..210);
                one.remove(&IdSelector::Range(108..110)).unwrap();
                other
                    .remove(&IdSelector::Range(200 + gone.start..200 + gone.end))
                    .unwrap();
                let mut one = from_bytes(&to_bytes(&*one)).unwrap();
                one.merge(&mut *other).unwrap();
                add(&mut *one, 300..303);
                for id in (100..108).chain(200..200 + gone.start).chain(300..303) {
                    assert_eq!(one.reconstruct(id).unwrap(), [id as f32], "{spec}");
                }
            }
        }
    }
}
