//! Ids of the caller's over an index that numbers by position (Faiss: `IndexIDMap`, `IndexIDMap2`).

use std::any::Any;
use std::collections::HashMap;

use anear_bytes::{Container, ContainerWriter};
use anear_kernels::{Bitmap, IdSelector, Metric, Neighbor, Rows, TopK};

use crate::flat::mismatch;
use crate::index::VectorIndexExt as _;
use crate::{
    AddWithIds, Error, IdMapKind, IndexSpec, Knob, Merge, Neighbors, RangeRequest, RangeSearch, Reconstruct, Remove,
    Result, SearchRequest, VectorIndex,
};

/// The section that holds the ids.
pub(crate) const IDS: [u8; 4] = *b"ids ";

/// Ids above this do not fit Faiss's signed ones.
const MAX_ID: u64 = i64::MAX as u64;

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
    ids: Vec<u64>,
    positions: HashMap<u64, u64>,
}

impl IdMap {
    /// Over an empty index that numbers by position.
    ///
    /// # Errors
    /// [`Error::IdCount`] when `inner` has vectors already, [`Error::Unsupported`] when it has ids of its own.
    pub fn new(kind: IdMapKind, inner: Box<dyn VectorIndex>) -> Result<Self> {
        Self::with_ids(kind, inner, Vec::new())
    }

    /// Over an index whose `i`-th vector has the id `ids[i]`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when `inner` has ids of its own; [`Error::IdCount`], [`Error::RepeatedId`],
    /// [`Error::IdTooLarge`].
    pub fn with_ids(kind: IdMapKind, inner: Box<dyn VectorIndex>, ids: Vec<u64>) -> Result<Self> {
        let mut index = Self {
            kind,
            inner,
            ids: Vec::new(),
            positions: HashMap::new(),
        };
        if matches!(index.inner.spec(), IndexSpec::IdMap(..)) {
            return Err(Error::Unsupported {
                index: "id_map",
                operation: "an index within that has ids of its own",
            });
        }
        index.check_count(index.inner.len(), &ids)?;
        index.check_new(&ids)?;
        index.append(&ids);
        Ok(index)
    }

    /// The id of each vector, by position.
    pub fn ids(&self) -> &[u64] {
        &self.ids
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

    fn check_count(&self, vectors: usize, ids: &[u64]) -> Result<()> {
        if vectors == ids.len() {
            return Ok(());
        }
        Err(Error::IdCount {
            vectors,
            ids: ids.len(),
        })
    }

    /// Refuses ids that are too large, that repeat, or that are taken.
    fn check_new(&self, ids: &[u64]) -> Result<()> {
        if let Some(&id) = ids.iter().find(|id| **id > MAX_ID) {
            return Err(Error::IdTooLarge { id });
        }
        if let Some(&id) = ids.iter().find(|id| self.positions.contains_key(id)) {
            return Err(Error::DuplicateId { id });
        }
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Error::RepeatedId { id: pair[0] }),
            None => Ok(()),
        }
    }

    /// Numbers the newest vectors; the ids were checked.
    fn append(&mut self, ids: &[u64]) {
        let first = self.ids.len() as u64;
        self.positions.extend(ids.iter().copied().zip(first..));
        self.ids.extend_from_slice(ids);
    }

    /// The positions whose ids are selected; `None` for all of them.
    fn selected(&self, selector: &IdSelector<'_>) -> Option<Bitmap> {
        let mut selected = match selector {
            IdSelector::All => return None,
            _ => Bitmap::with_len(self.ids.len()),
        };
        match selector {
            IdSelector::Sorted(ids) => ids.iter().filter_map(|id| self.positions.get(id)).for_each(|position| {
                selected.insert(*position as usize);
            }),
            _ => (0..self.ids.len())
                .filter(|i| selector.contains(self.ids[*i]))
                .for_each(|i| {
                    selected.insert(i);
                }),
        }
        Some(selected)
    }

    fn to_id(&self, position: u64) -> u64 {
        self.ids[position as usize]
    }

    fn rename(&self, mut found: Neighbors) -> Neighbors {
        for neighbor in found.all_mut() {
            neighbor.id = self.to_id(neighbor.id);
        }
        found
    }
}

fn positions_selector(selected: Option<&Bitmap>) -> IdSelector<'_> {
    selected.map_or(IdSelector::All, IdSelector::Bitmap)
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

    fn knobs(&self) -> Vec<&'static Knob> {
        self.inner.knobs()
    }

    fn search_top(
        &self,
        queries: Rows<'_>,
        request: &SearchRequest<'_>,
        first_id: u64,
        tops: &mut [TopK],
    ) -> Result<()> {
        assert_eq!(queries.len(), tops.len(), "one top-k per query");
        let found = self.search(queries, request)?;
        for (top, row) in tops.iter_mut().zip(found.iter()) {
            for &Neighbor { id, distance } in row {
                top.push(Neighbor {
                    id: id + first_id,
                    distance,
                });
            }
        }
        Ok(())
    }

    fn search(&self, queries: Rows<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        let selected = self.selected(&request.selector);
        let request = SearchRequest {
            selector: positions_selector(selected.as_ref()),
            ..request.clone()
        };
        self.inner.search(queries, &request).map(|found| self.rename(found))
    }

    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
        let ids: Vec<u8> = self.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        self.inner.save(out.section(IDS, ids))
    }

    fn boxed_clone(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            kind: self.kind,
            inner: self.inner.boxed_clone(),
            ids: self.ids.clone(),
            positions: self.positions.clone(),
        })
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
    fn add_with_ids(&mut self, vectors: Rows<'_>, ids: &[u64]) -> Result<()> {
        self.check_count(vectors.len(), ids)?;
        self.check_new(ids)?;
        self.inner.add(vectors)?;
        self.append(ids);
        Ok(())
    }
}

impl Remove for IdMap {
    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        let removed = self.selected(ids).unwrap_or_else(|| Bitmap::full(self.ids.len()));
        let count = self.inner.remove(&IdSelector::Bitmap(&removed))?;
        let mut position = 0;
        self.ids.retain(|_| {
            position += 1;
            !removed.contains(position - 1)
        });
        self.positions = self.ids.iter().copied().zip(0..).collect();
        Ok(count)
    }
}

impl RangeSearch for IdMap {
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        let selected = self.selected(&request.selector);
        let request = RangeRequest {
            selector: positions_selector(selected.as_ref()),
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
        let position = *self.positions.get(&id).ok_or(Error::UnknownId { id, len })?;
        out.extend(self.inner.reconstruct(position)?);
        Ok(())
    }
}

impl Merge for IdMap {
    fn merge(&mut self, other: &mut dyn VectorIndex) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        self.check_new(&other.ids)?;
        self.inner.merge(&mut *other.inner)?;
        self.append(&std::mem::take(&mut other.ids));
        other.positions = HashMap::new();
        Ok(())
    }
}
