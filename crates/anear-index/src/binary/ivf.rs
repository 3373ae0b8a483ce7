//! Inverted lists on bit vectors: each vector is in the list of its nearest centroid (Faiss: `IndexBinaryIVF`).

use std::any::Any;
use std::ops::Range;

use anear_kernels::{Bits, IdSelector, TopK};
use anear_pool::Pool;

use super::index::{check_range, check_search, check_width, each_query, mismatch, requested, unknown_knob, whole};
use super::lists::Lists;
use super::{BinaryFlat, BinaryHnsw, BinaryIndex, BinarySpec, centroids};
use crate::{Error, Knob, KnobValues, Neighbors, RangeRequest, Result, SearchRequest};

/// How many lists a search looks at.
pub(super) static NPROBE: Knob = Knob {
    name: "nprobe",
    alias: "nprobe",
    doc: "Lists looked at per query: those of the nearest centroids.",
    default: 1.0,
    ladder: &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0],
    least: 1.0,
    values: KnobValues::Counts,
};

/// Vectors in lists around centroids; a search looks at the `nprobe` nearest lists (Faiss: `IndexBinaryIVF`).
///
/// Ids are the caller's, or follow the largest there is. Removing a vector costs the same in an index of any size.
///
/// ```
/// use anear_index::SearchRequest;
/// use anear_index::binary::{BinaryIndex, BinaryIvf};
/// use anear_kernels::Bits;
///
/// let sample = Bits::new(&[0x00, 0x01, 0xff, 0xfe], 1).unwrap();
/// let mut index = BinaryIvf::train(8, 2, sample, 42, None)?;
/// index.add_with_ids(sample, &[10, 11, 12, 13])?;
///
/// let found = index.search(Bits::new(&[0xfc], 1).unwrap(), &SearchRequest::new(2).with("nprobe", 2.0))?;
/// assert_eq!([found.row(0)[0].id, found.row(0)[1].id], [13, 12]);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Debug)]
pub struct BinaryIvf {
    coarse: Box<dyn BinaryIndex>,
    lists: Lists,
    nprobe: usize,
}

impl BinaryIvf {
    /// An empty index of `nlist` lists around centroids that `sample` trains, for vectors of `dim` bits.
    ///
    /// # Errors
    /// [`Error::BinaryDimension`], [`Error::Dimension`], [`Error::TooFewTrainingVectors`].
    pub fn train(dim: usize, nlist: usize, sample: Bits<'_>, seed: u64, pool: Option<&Pool>) -> Result<Self> {
        let empty = BinaryFlat::new(dim)?;
        check_width(dim, sample)?;
        match nlist {
            0 => Self::new(Box::new(empty)),
            _ => Self::new(Box::new(centroids::train(sample, nlist, seed, pool)?)),
        }
    }

    /// An empty index around the vectors of `coarse`, a [`BinaryFlat`] or a [`BinaryHnsw`].
    ///
    /// # Errors
    /// [`Error::NeedsTraining`] when `coarse` is empty, [`Error::Unsupported`] when it is of another kind.
    pub fn new(coarse: Box<dyn BinaryIndex>) -> Result<Self> {
        let lists = Lists::new(coarse.code_len(), coarse.len());
        Self::with_lists(coarse, lists)
    }

    /// The index whose vectors are the centroids.
    pub fn coarse(&self) -> &dyn BinaryIndex {
        &*self.coarse
    }

    /// Number of lists.
    pub fn nlist(&self) -> usize {
        self.lists.as_slice().len()
    }

    /// Ids and vectors of list `number`.
    ///
    /// # Panics
    /// When there is no such list.
    pub fn list(&self, number: usize) -> (&[u64], &[u8]) {
        let list = &self.lists.as_slice()[number];
        (&list.ids, &list.codes)
    }

    /// Appends the `i`-th of these vectors to list `lists[i]`, under the id `ids[i]`.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::IdCount`], [`Error::DuplicateId`], [`Error::RepeatedId`], [`Error::IdTooLarge`].
    ///
    /// # Panics
    /// When there is no such list, or not one list per id.
    pub fn add_to_lists(&mut self, lists: &[u32], ids: &[u64], vectors: Bits<'_>) -> Result<()> {
        assert_eq!(lists.len(), ids.len(), "one list per id");
        assert!(
            lists.iter().all(|list| (*list as usize) < self.nlist()),
            "lists there are"
        );
        check_width(self.dim(), vectors)?;
        self.lists.check_new(vectors.len(), ids)?;
        for ((vector, &list), &id) in vectors.iter().zip(lists).zip(ids) {
            self.lists.push(list, id, vector);
        }
        Ok(())
    }

    /// Around the vectors of `coarse`, as many as there are lists.
    pub(super) fn with_lists(coarse: Box<dyn BinaryIndex>, lists: Lists) -> Result<Self> {
        let any: &dyn Any = &*coarse;
        if !any.is::<BinaryFlat>() && !any.is::<BinaryHnsw>() {
            return Err(Error::Unsupported {
                index: "binary_ivf",
                operation: "centroids in an index of this kind; use BFlat or BHNSW",
            });
        }
        if coarse.is_empty() {
            return Err(Error::NeedsTraining { index: "BIVF".into() });
        }
        Ok(Self {
            coarse,
            lists,
            nprobe: 1,
        })
    }

    pub(super) fn lists(&self) -> &Lists {
        &self.lists
    }

    pub(super) fn lists_mut(&mut self) -> &mut Lists {
        &mut self.lists
    }

    pub(super) fn nprobe(&self) -> usize {
        self.nprobe
    }

    /// The nearest lists of each query.
    fn probes(&self, queries: Bits<'_>, nprobe: usize, pool: Option<&Pool>) -> Result<Neighbors> {
        let request = SearchRequest {
            pool,
            ..SearchRequest::new(nprobe.min(self.coarse.len()))
        };
        self.coarse.search(queries, &request)
    }

    /// Appends vectors whose ids were checked.
    fn append(&mut self, vectors: Bits<'_>, ids: impl Iterator<Item = u64>) -> Result<()> {
        let nearest = self.probes(vectors, 1, None)?;
        for ((vector, nearest), id) in vectors.iter().zip(nearest.iter()).zip(ids) {
            self.lists.push(nearest[0].id as u32, id, vector);
        }
        Ok(())
    }

    fn has_centroids_of(&self, other: &Self) -> bool {
        let centroid = |index: &Self, list| index.coarse.reconstruct(list).map(<[u8]>::to_vec).ok();
        let mut lists = 0..self.coarse.len() as u64;
        self.spec() == other.spec() && lists.all(|list| centroid(self, list) == centroid(other, list))
    }
}

impl BinaryIndex for BinaryIvf {
    fn kind(&self) -> &'static str {
        "binary_ivf"
    }

    fn spec(&self) -> BinarySpec {
        let coarse_m = match self.coarse.spec() {
            BinarySpec::Hnsw { m } => Some(m),
            _ => None,
        };
        BinarySpec::Ivf {
            nlist: self.coarse.len(),
            coarse_m,
        }
    }

    fn dim(&self) -> usize {
        self.coarse.dim()
    }

    fn len(&self) -> usize {
        self.lists.len()
    }

    fn knobs(&self) -> Vec<&'static Knob> {
        vec![&NPROBE]
    }

    fn knob(&self, name: &str) -> Option<f64> {
        (name == NPROBE.name).then_some(self.nprobe as f64)
    }

    fn set_knob(&mut self, name: &str, value: f64) -> Result<()> {
        if name != NPROBE.name {
            return Err(unknown_knob(name, &self.knobs()));
        }
        self.nprobe = whole(&NPROBE, value, 1..=usize::MAX)?;
        Ok(())
    }

    fn search(&self, queries: Bits<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        check_search(self, queries, request)?;
        let nprobe = requested(&request.knobs, &NPROBE, self.nprobe, 1..=usize::MAX)?;
        let probes = self.probes(queries, nprobe, request.pool)?;
        let k = request.k.min(self.len().max(1));
        let answer = |i, query: &[u8], _: &mut ()| {
            let mut top = TopK::new(k);
            for list in probes.row(i) {
                self.lists.scan(list.id as u32, query, &request.selector, &mut top);
            }
            top.into_sorted()
        };
        Ok(each_query(request.pool, queries, || (), answer))
    }

    fn range_search(&self, queries: Bits<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        let radius = check_range(self, queries, request)?;
        let nprobe = requested(&request.knobs, &NPROBE, self.nprobe, 1..=usize::MAX)?;
        let probes = self.probes(queries, nprobe, request.pool)?;
        let answer = |i, query: &[u8], _: &mut ()| {
            let mut found = Vec::new();
            for list in probes.row(i) {
                let (list, keep) = (list.id as u32, &request.selector);
                self.lists.scan_range(list, query, keep, radius, &mut found);
            }
            found.sort_unstable_by_key(|neighbor| neighbor.id);
            found
        };
        Ok(each_query(request.pool, queries, || (), answer))
    }

    fn add(&mut self, vectors: Bits<'_>) -> Result<Range<u64>> {
        check_width(self.dim(), vectors)?;
        let ids = self.lists.next_ids(vectors.len())?;
        self.append(vectors, ids.clone())?;
        Ok(ids)
    }

    fn add_with_ids(&mut self, vectors: Bits<'_>, ids: &[u64]) -> Result<()> {
        check_width(self.dim(), vectors)?;
        self.lists.check_new(vectors.len(), ids)?;
        self.append(vectors, ids.iter().copied())
    }

    fn reconstruct(&self, id: u64) -> Result<&[u8]> {
        self.lists.code(id)
    }

    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        Ok(self.lists.remove(ids))
    }

    fn merge(&mut self, other: &mut dyn BinaryIndex) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>();
        let other = other.filter(|other| self.has_centroids_of(other)).ok_or(refused)?;
        self.lists.check_new(other.len(), &other.lists.ids())?;
        for (list, id, vector) in other.lists.take().iter() {
            self.lists.push(list, id, vector);
        }
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn BinaryIndex> {
        Box::new(Self {
            coarse: self.coarse.boxed_clone(),
            lists: self.lists.clone(),
            nprobe: self.nprobe,
        })
    }
}
