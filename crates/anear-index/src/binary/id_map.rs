//! Ids of the caller's over a binary index that numbers by position (Faiss: `IndexBinaryIDMap`, `IndexBinaryIDMap2`).

use std::any::Any;
use std::ops::Range;

use anear_kernels::{Bits, IdSelector};

use super::index::{check_width, mismatch};
use super::{BinaryIndex, BinarySpec};
use crate::ids::{Ids, check_count};
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
    /// Over an index whose `i`-th vector has the id `ids[i]`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when `inner` has ids of its own; [`Error::IdCount`], [`Error::RepeatedId`],
    /// [`Error::IdTooLarge`].
    pub fn new(kind: IdMapKind, inner: Box<dyn BinaryIndex>, ids: &[u64]) -> Result<Self> {
        if inner.spec().has_own_ids() {
            return Err(Error::Unsupported {
                index: "binary_id_map",
                operation: "an index within that has ids of its own; use that one alone",
            });
        }
        let mut map = Ids::default();
        check_count(inner.len(), ids)?;
        map.check_new(ids)?;
        map.append(ids);
        Ok(Self { kind, inner, ids: map })
    }

    /// The id of each vector, by position.
    pub fn ids(&self) -> &[u64] {
        self.ids.as_slice()
    }

    /// The index that numbers by position.
    pub fn inner(&self) -> &dyn BinaryIndex {
        &*self.inner
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
        self.inner.add(vectors)?;
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
        self.ids.remove(&removed);
        Ok(count)
    }

    fn merge(&mut self, other: &mut dyn BinaryIndex) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>();
        let other = other.filter(|other| other.dim() == self.dim()).ok_or(refused)?;
        self.ids.check_new(other.ids())?;
        self.inner.merge(&mut *other.inner)?;
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
