//! A navigable graph on bit vectors (Faiss: `IndexBinaryHNSW`).

use std::any::Any;
use std::ops::Range;

use anear_kernels::{Bits, IdSelector, Neighbor, hamming};

use super::graph::{self, Graph, Scratch, Space};
use super::index::{check_search, each_query, mismatch, no_own_ids, requested, unknown_knob, whole};
use super::{BinaryFlat, BinaryIndex, BinarySpec};
use crate::{Error, Knob, KnobValues, Neighbors, RangeRequest, Result, SearchRequest};

/// How many candidates a search keeps.
pub(super) static EF_SEARCH: Knob = Knob {
    name: "efSearch",
    alias: "efSearch",
    doc: "Candidates kept while the graph is walked; at least k are.",
    default: 16.0,
    ladder: &[4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0],
    least: 1.0,
    values: KnobValues::Counts,
};

/// Faiss's default.
const EF_CONSTRUCTION: usize = 40;

/// Vectors linked to their neighbors; a search walks along the links (Faiss: `IndexBinaryHNSW`). Ids are positions.
///
/// Unlike Faiss's, it can remove and merge, and a selector restricts what is found, not what is walked over: where few
/// vectors are selected, exactly those are compared. A search by radius compares everything.
///
/// ```
/// use anear_index::SearchRequest;
/// use anear_index::binary::{BinaryHnsw, BinaryIndex};
/// use anear_kernels::Bits;
///
/// let mut index = BinaryHnsw::new(8, 32)?;
/// index.add(Bits::new(&[0b0000, 0b0001, 0b0111], 1).unwrap())?;
/// let found = index.search(Bits::new(&[0b1111], 1).unwrap(), &SearchRequest::new(1).with("efSearch", 64.0))?;
/// assert_eq!(found.row(0)[0].id, 2);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BinaryHnsw {
    storage: BinaryFlat,
    graph: Graph,
    ef_search: usize,
}

/// Vertices are numbered in 32 bits, of which Faiss's files have a sign.
const MAX_LEN: usize = i32::MAX as usize;

/// More links than this per vector and level help nobody, and overflow what Faiss counts them in.
const MAX_M: usize = 1 << 20;

impl BinaryHnsw {
    /// An empty index for vectors of `dim` bits with up to `m` links each per level, twice as many at the lowest.
    ///
    /// # Errors
    /// [`Error::BinaryDimension`], and [`Error::KnobValue`] for an `m` that is not between 2 and 2^20.
    pub fn new(dim: usize, m: usize) -> Result<Self> {
        if !(2..=MAX_M).contains(&m) {
            return Err(Error::KnobValue {
                name: "the number of links per vector",
                expected: format!("between 2 and {MAX_M}"),
                value: m as f64,
            });
        }
        Ok(Self {
            storage: BinaryFlat::new(dim)?,
            graph: Graph::new(m, EF_CONSTRUCTION),
            ef_search: EF_SEARCH.default as usize,
        })
    }

    /// Keeps `ef_construction` candidates while the neighbors of a new vector are searched, instead of 40.
    pub fn with_ef_construction(mut self, ef_construction: usize) -> Self {
        self.graph.ef_construction = ef_construction.max(1);
        self
    }

    /// Links every vector of `storage`.
    pub(super) fn over(storage: BinaryFlat, m: usize) -> Result<Self> {
        let mut index = Self::new(storage.dim(), m)?;
        index.add(storage.codes())?;
        Ok(index)
    }

    /// A graph with as many nodes as there are vectors, as a file holds it.
    pub(super) fn from_parts(storage: BinaryFlat, graph: Graph) -> Self {
        Self {
            storage,
            graph,
            ef_search: EF_SEARCH.default as usize,
        }
    }

    pub(super) fn storage(&self) -> &BinaryFlat {
        &self.storage
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(super) fn ef_search(&self) -> usize {
        self.ef_search
    }

    /// Whether comparing the selected vectors is less work than walking until `ef` of them are found.
    fn is_scan_cheaper(&self, keep: &IdSelector<'_>, ef: usize) -> bool {
        if matches!(keep, IdSelector::All) {
            return false;
        }
        let (len, selected) = (self.len() as u64, keep.count_in(0..self.len() as u64));
        // The walk measures some m neighbors of each node, and of those it walks to, one in len / selected is accepted.
        let walked = (ef * self.graph.m()) as u64 * len / selected.max(1);
        selected <= walked
    }
}

impl Space for Bits<'_> {
    type Point<'a>
        = &'a [u8]
    where
        Self: 'a;

    fn point(&self, node: u32) -> &[u8] {
        self.row(node as usize)
    }

    fn distances(&self, from: &[u8], nodes: &[u32], out: &mut Vec<f32>) {
        const BLOCK: usize = 64;
        let mut distances = [0; BLOCK];
        for nodes in nodes.chunks(BLOCK) {
            let distances = &mut distances[..nodes.len()];
            hamming::distances_at(from, *self, nodes, distances);
            out.extend(distances.iter().map(|distance| *distance as f32));
        }
    }
}

impl BinaryIndex for BinaryHnsw {
    fn kind(&self) -> &'static str {
        "binary_hnsw"
    }

    fn spec(&self) -> BinarySpec {
        BinarySpec::Hnsw { m: self.graph.m() }
    }

    fn dim(&self) -> usize {
        self.storage.dim()
    }

    fn len(&self) -> usize {
        self.storage.len()
    }

    fn knobs(&self) -> Vec<&'static Knob> {
        vec![&EF_SEARCH]
    }

    fn knob(&self, name: &str) -> Option<f64> {
        (name == EF_SEARCH.name).then_some(self.ef_search as f64)
    }

    fn set_knob(&mut self, name: &str, value: f64) -> Result<()> {
        if name != EF_SEARCH.name {
            return Err(unknown_knob(name, &self.knobs()));
        }
        self.ef_search = whole(&EF_SEARCH, value, 1..=i32::MAX as usize)?;
        Ok(())
    }

    fn search(&self, queries: Bits<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        check_search(self, queries, request)?;
        let k = request.k.min(self.len().max(1));
        let ef = requested(&request.knobs, &EF_SEARCH, self.ef_search, 1..=i32::MAX as usize)?;
        let ef = ef.min(self.len()).max(k);
        if self.is_scan_cheaper(&request.selector, ef) {
            let request = SearchRequest {
                knobs: Default::default(),
                ..request.clone()
            };
            return self.storage.search(queries, &request);
        }
        let accept = |node: u32| request.selector.contains(node.into());
        let answer = |_, query: &[u8], scratch: &mut Scratch| -> Vec<Neighbor> {
            let mut found = graph::search(&self.graph, &self.storage.codes(), query, ef, accept, scratch);
            found.truncate(k);
            found
        };
        Ok(each_query(request.pool, queries, Scratch::default, answer))
    }

    fn range_search(&self, queries: Bits<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        self.storage.range_search(queries, request)
    }

    fn add(&mut self, vectors: Bits<'_>) -> Result<Range<u64>> {
        if self.len() + vectors.len() > MAX_LEN {
            return Err(Error::OutOfMemory {
                bytes: vectors.as_slice().len(),
            });
        }
        let added = self.storage.add(vectors)?;
        let mut scratch = Scratch::default();
        for _ in added.clone() {
            graph::insert(&mut self.graph, &self.storage.codes(), &mut scratch);
        }
        Ok(added)
    }

    fn add_with_ids(&mut self, _vectors: Bits<'_>, _ids: &[u64]) -> Result<()> {
        Err(no_own_ids(self))
    }

    fn reconstruct(&self, id: u64) -> Result<&[u8]> {
        self.storage.reconstruct(id)
    }

    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        let matches = ids.matches_in(0..self.len() as u64);
        let removed = anear_kernels::Bitmap::from_indices(self.len(), matches.map(|id| id as usize));
        if removed.count() > 0 {
            graph::remove(&mut self.graph, &self.storage.codes(), &removed);
        }
        self.storage.remove(&IdSelector::Bitmap(&removed))
    }

    fn merge(&mut self, other: &mut dyn BinaryIndex) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>();
        let other = other.filter(|other| other.dim() == self.dim()).ok_or(refused)?;
        self.add(other.storage.codes())?;
        other.remove(&IdSelector::All)?;
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn BinaryIndex> {
        Box::new(self.clone())
    }
}
