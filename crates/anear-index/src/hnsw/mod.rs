//! HNSW: a graph of near neighbors on several levels, walked towards the query (Malkov and Yashunin, "Efficient and robust
//! approximate nearest neighbor search using Hierarchical Navigable Small World graphs", 2018; Faiss: `IndexHNSWFlat`,
//! `IndexHNSWSQ`, `IndexHNSWPQ`).
//!
//! How vectors come into the graph is in `build.rs`; the rest, which NSG shares, in `graph/`.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use anear_bytes::{Container, ContainerWriter};
use anear_kernels::{IdSelector, Metric, Rows, TopK};
use anear_pool::Pool;
use anear_quant::{Codes, Quantizer, Training};

use crate::error::check_finite;
use crate::flat::mismatch;
use crate::graph::{Graph, Linked, persist, remove, search};
use crate::request::{as_count, unknown_knob};
use crate::{
    Add, Error, HnswSpec, IndexSpec, Knob, KnobValues, Memory, Merge, Neighbors, RangeRequest, RangeSearch,
    Reconstruct, Remove, Result, SearchRequest, VectorIndex,
};

mod build;
#[cfg(test)]
mod tests;

/// How far a search looks.
pub(crate) static EF_SEARCH: Knob = Knob {
    name: "ef_search",
    alias: "efSearch",
    doc: "Nearest nodes kept while the graph is walked; more find more and take longer.",
    default: 16.0,
    ladder: &[
        16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0, 1024.0,
    ],
    least: 1.0,
    values: KnobValues::Counts,
};

/// How far a new vector looks for its neighbors; not a search parameter.
static EF_CONSTRUCTION: Knob = Knob {
    name: "ef_construction",
    alias: "efConstruction",
    doc: "Nearest nodes kept while the neighbors of a new vector are searched.",
    default: 40.0,
    ladder: &[40.0],
    least: 1.0,
    values: KnobValues::Counts,
};

/// Vectors that are decoded at a time.
const CHUNK: usize = 4096;

/// A graph of near neighbors, of which a search visits only what lies on the way to the query.
///
/// Ids are counted as vectors come; they stay when others are removed, and are never given twice. The same vectors added
/// in the same calls with the same seed make the same graph, to the bit, on any number of threads. Where few vectors are
/// selected they are all compared instead: with a filter, too, there are `k` answers wherever there are `k` vectors.
///
/// Removed vectors leave the graph at once: what was linked to one is linked to what lay behind it. Their memory is
/// used until more than half of it is of no use; then the rest is moved together.
///
/// ```
/// use anear_index::{IndexSpec, SearchRequest, VectorIndex, VectorIndexExt};
/// use anear_kernels::{IdSelector, Metric, Rows};
///
/// let vectors: Vec<f32> = (0..2000).map(|i| (i * 37 % 1009) as f32).collect();
/// let mut index = "HNSW16".parse::<IndexSpec>()?.build(2, Metric::L2)?;
/// index.add(Rows::new(&vectors, 2).unwrap())?;
///
/// let query = Rows::new(&vectors[84..86], 2).unwrap();
/// let request = SearchRequest::new(3).with("ef_search", 32.0);
/// assert_eq!(index.search(query, &request)?.row(0)[0].id, 42);
/// index.remove(&IdSelector::Range(42..43))?;
/// assert_ne!(index.search(query, &request)?.row(0)[0].id, 42);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Hnsw {
    linked: Linked,
    seed: u64,
    ef_search: usize,
    ef_construction: usize,
}

impl Hnsw {
    /// An empty index of up to `m` links per vector and level, twice as many on the lowest; `seed` fixes the levels.
    ///
    /// # Errors
    /// [`Error::KnobValue`] when `m` is not between 2 and [`HnswSpec::M_MAX`], [`Error::Metric`] when the quantizer cannot
    /// compare by `metric`, [`Error::Unsupported`] when its codes lie in blocks, as those of fast scans.
    pub fn new(quantizer: Arc<dyn Quantizer>, metric: Metric, m: usize, seed: u64) -> Result<Self> {
        if !(2..=HnswSpec::M_MAX).contains(&m) {
            return Err(Error::KnobValue {
                name: "the number of links per vector",
                expected: format!("between 2 and {}", HnswSpec::M_MAX),
                value: m as f64,
            });
        }
        let codes = quantizer.new_codes();
        let mut index = Self::from_parts(quantizer, metric, codes, Graph::new(m))?;
        index.seed = seed;
        Ok(index)
    }

    /// An index of codes and links that are there already, one node per code; the codes are copied where they are mapped
    /// and lie askew for the quantizer.
    ///
    /// # Errors
    /// [`Error::Damaged`] when there are not as many nodes as codes, [`anear_quant::Error::OutOfMemory`], and those of
    /// [`Hnsw::new`].
    ///
    /// # Panics
    /// When the codes are not the quantizer's.
    pub fn from_parts(quantizer: Arc<dyn Quantizer>, metric: Metric, codes: Codes, graph: Graph) -> Result<Self> {
        let linked = Linked::from_parts(quantizer, metric, codes, graph)?;
        Ok(Self::over(linked, Training::default().seed))
    }

    /// An index of what is linked already.
    pub(crate) fn over(linked: Linked, seed: u64) -> Self {
        Self {
            linked,
            seed,
            ef_search: EF_SEARCH.default as usize,
            ef_construction: EF_CONSTRUCTION.default as usize,
        }
    }

    /// An empty index that has learned its codes from `sample`.
    ///
    /// # Errors
    /// Those of [`Hnsw::new`], and [`Error::Quantizer`] when the sample is too small.
    pub fn train(spec: &HnswSpec, metric: Metric, sample: Rows<'_>, training: &Training<'_>) -> Result<Self> {
        check_finite("vector", sample)?;
        let quantizer = spec.codes.train(metric, sample, training)?;
        Self::new(quantizer, metric, spec.m, training.seed)
    }

    /// How vectors are stored.
    pub fn quantizer(&self) -> &Arc<dyn Quantizer> {
        &self.linked.quantizer
    }

    /// What is stored, one code per slot; those of removed vectors, too.
    pub fn codes(&self) -> &Codes {
        &self.linked.codes
    }

    /// The links between slots.
    pub fn graph(&self) -> &Graph {
        &self.linked.graph
    }

    /// Whether the `i`-th slot holds the vector with the id `i`: nothing was removed, and no gap came with a merge.
    pub fn is_gapless(&self) -> bool {
        self.linked.slots.are_counted()
    }

    /// Nodes kept in a search that does not say.
    pub fn ef_search(&self) -> usize {
        self.ef_search
    }

    /// Nodes kept while the neighbors of a new vector are searched.
    pub fn ef_construction(&self) -> usize {
        self.ef_construction
    }

    /// Links the vectors of the slots from `first` on.
    pub(crate) fn insert(&mut self, first: u32, vectors: Rows<'_>, pool: Option<&Pool>) {
        build::insert(self, first, vectors, pool);
    }

    pub(crate) fn into_linked(self) -> Linked {
        self.linked
    }

    /// What [`save`](VectorIndex::save) wrote.
    pub(crate) fn load(spec: &HnswSpec, dim: usize, metric: Metric, from: &Container<'_>) -> Result<Self> {
        let (linked, [seed, ef_search, ef_construction]) = persist::load(&spec.codes, dim, metric, from)?;
        let count = |number| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        Ok(Self {
            ef_search: count(ef_search),
            ef_construction: count(ef_construction),
            ..Self::over(linked, seed)
        })
    }

    fn check_match(&self, other: &Self) -> Result<()> {
        if self.linked.is_like(&other.linked) {
            return Ok(());
        }
        Err(mismatch(self, other))
    }
}

impl HnswSpec {
    /// More links per vector and level help nobody.
    pub const M_MAX: usize = 1 << 12;
}

impl VectorIndex for Hnsw {
    fn kind(&self) -> &'static str {
        "hnsw"
    }

    fn spec(&self) -> IndexSpec {
        IndexSpec::Hnsw(HnswSpec {
            m: self.linked.graph.m(),
            codes: self.linked.quantizer.spec(),
        })
    }

    fn dim(&self) -> usize {
        self.linked.quantizer.dim()
    }

    fn metric(&self) -> Metric {
        self.linked.metric
    }

    fn len(&self) -> usize {
        self.linked.slots.living()
    }

    fn memory(&self) -> Memory {
        (&self.linked.codes).into()
    }

    fn keeps_ids(&self) -> bool {
        true
    }

    fn knobs(&self) -> Vec<&'static Knob> {
        vec![&EF_SEARCH]
    }

    fn knob(&self, name: &str) -> Option<f64> {
        match name {
            _ if EF_SEARCH.is_called(name) => Some(self.ef_search as f64),
            _ if EF_CONSTRUCTION.is_called(name) => Some(self.ef_construction as f64),
            _ => None,
        }
    }

    fn set_knob(&mut self, name: &str, value: f64) -> Result<()> {
        match name {
            _ if EF_SEARCH.is_called(name) => self.ef_search = as_count(&EF_SEARCH, value)?,
            _ if EF_CONSTRUCTION.is_called(name) => self.ef_construction = as_count(&EF_CONSTRUCTION, value)?,
            _ => return Err(unknown_knob(name, &[&EF_SEARCH, &EF_CONSTRUCTION])),
        }
        Ok(())
    }

    fn search_top(
        &self,
        queries: Rows<'_>,
        request: &SearchRequest<'_>,
        first_id: u64,
        tops: &mut [TopK],
    ) -> Result<()> {
        assert_eq!(queries.len(), tops.len(), "one top-k per query");
        request.check(self.dim(), &self.knobs(), queries)?;
        let ef = request.knobs.count(&EF_SEARCH, self.ef_search)?;
        search::nearest(&self.linked, queries, request, ef).push_into(tops, first_id);
        Ok(())
    }

    fn merge_offset(&self) -> u64 {
        self.linked.slots.next_id()
    }

    /// Ids are given in ascending order: those of `other` come behind all there have been.
    fn check_merge(&self, other: &dyn VectorIndex, add_id: u64) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &dyn Any).downcast_ref::<Self>().ok_or(refused)?;
        self.check_match(other)?;
        self.linked.check_merge(&other.linked, add_id)
    }

    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
        let own = [self.seed, self.ef_search as u64, self.ef_construction as u64];
        persist::save(&self.linked, &own, out)
    }

    fn boxed_clone(&self) -> Box<dyn VectorIndex> {
        Box::new(self.clone())
    }

    fn emptied(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            linked: self.linked.emptied(),
            ..*self
        })
    }

    fn renumber(&mut self) -> Result<()> {
        self.linked.renumber()
    }

    fn become_cosine(&mut self) -> Result<()> {
        self.linked.become_cosine()
    }

    fn as_add(&mut self) -> Option<&mut dyn Add> {
        Some(self)
    }

    fn as_remove(&mut self) -> Option<&mut dyn Remove> {
        Some(self)
    }

    fn as_range_search(&self) -> Option<&dyn RangeSearch> {
        Some(self)
    }

    fn as_reconstruct(&self) -> Option<&dyn Reconstruct> {
        Some(self)
    }

    fn as_merge(&mut self) -> Option<&mut dyn Merge> {
        Some(self)
    }
}

impl Add for Hnsw {
    fn add_on(&mut self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Range<u64>> {
        let (first, ids) = self.linked.append(vectors, pool)?;
        self.insert(first, vectors, pool);
        Ok(ids)
    }
}

impl Remove for Hnsw {
    fn remove_ids(&mut self, ids: &IdSelector<'_>, _pool: Option<&Pool>) -> Result<usize> {
        // As many as an insertion links, as long as there is room.
        remove::remove(&mut self.linked, ids, self.ef_construction)
    }
}

impl RangeSearch for Hnsw {
    /// All selected vectors closer than the radius that can be reached from the nearest without leaving the radius.
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        let ef = request.knobs.count(&EF_SEARCH, self.ef_search)?;
        Ok(search::within(&self.linked, queries, request, ef))
    }
}

impl Reconstruct for Hnsw {
    fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()> {
        self.linked.reconstruct(id, out)
    }
}

impl Merge for Hnsw {
    fn merge_from(&mut self, other: &mut dyn VectorIndex, add_id: u64, pool: Option<&Pool>) -> Result<()> {
        self.check_merge(other, add_id)?;
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        let slots = self.linked.take_over(&mut other.linked, add_id)?;
        for first in slots.clone().step_by(CHUNK) {
            let vectors = self.linked.vectors_of(first..slots.end.min(first + CHUNK as u32));
            let vectors = Rows::new(&vectors, self.dim()).expect("whole vectors");
            self.insert(first, vectors, pool);
        }
        Ok(())
    }
}
