//! HNSW: a graph of near neighbors on several levels, walked towards the query (Malkov and Yashunin, "Efficient and robust
//! approximate nearest neighbor search using Hierarchical Navigable Small World graphs", 2018; Faiss: `IndexHNSWFlat`,
//! `IndexHNSWSQ`, `IndexHNSWPQ`).
//!
//! The graph is in `graph.rs`, how it is walked in `walk.rs`, how vectors come into it in `build.rs` and out of it in
//! `remove.rs`, which links a node gets in `select.rs`, whether to walk at all in `search.rs`.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use anear_bytes::{AlignedBytes, ContainerWriter};
use anear_kernels::{IdSelector, Metric, Rows, TopK};
use anear_pool::Pool;
use anear_quant::{Codes, Layout, Quantizer, Training};

use self::select::{Selector, Space};
use self::slots::{MAX_ID, Slots};
use self::walk::Walker;
use crate::error::{check_dim, check_finite};
use crate::flat::{check_metric, encode_for, is_same_quantizer, mismatch};
use crate::index::unsupported;
use crate::request::{as_count, unknown_knob};
use crate::{
    Add, Error, HnswSpec, IndexSpec, Knob, Merge, Neighbors, RangeRequest, RangeSearch, Reconstruct, Remove, Result,
    SearchRequest, VectorIndex,
};

mod build;
mod graph;
mod persist;
mod remove;
mod search;
mod select;
mod slots;
#[cfg(test)]
mod tests;
mod walk;

pub use graph::{Graph, GraphParts, NO_LINK};
pub(crate) use persist::{CODES, LINKS, SLOTS};

/// How far a search looks.
static EF_SEARCH: Knob = Knob {
    name: "ef_search",
    alias: "efSearch",
    doc: "Nearest nodes kept while the graph is walked; more find more and take longer.",
    default: 16.0,
    ladder: &[
        16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0, 1024.0,
    ],
};

/// How far a new vector looks for its neighbors; not a search parameter.
static EF_CONSTRUCTION: Knob = Knob {
    name: "ef_construction",
    alias: "efConstruction",
    doc: "Nearest nodes kept while the neighbors of a new vector are searched.",
    default: 40.0,
    ladder: &[40.0],
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
    metric: Metric,
    quantizer: Arc<dyn Quantizer>,
    codes: Codes,
    graph: Graph,
    slots: Slots,
    seed: u64,
    ef_search: usize,
    ef_construction: usize,
    walkers: Walkers,
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

    /// An index of codes and links that are there already, one node per code.
    ///
    /// # Errors
    /// [`Error::Damaged`] when there are not as many nodes as codes, and those of [`Hnsw::new`].
    ///
    /// # Panics
    /// When the codes are not the quantizer's.
    pub fn from_parts(quantizer: Arc<dyn Quantizer>, metric: Metric, codes: Codes, graph: Graph) -> Result<Self> {
        check_metric(&*quantizer, metric)?;
        if quantizer.layout() != Layout::Rows {
            return Err(unsupported(
                "hnsw",
                "codes that lie in blocks; choose a quantizer that is not made for fast scans",
            ));
        }
        assert_eq!(codes.code_len(), quantizer.code_len(), "codes of the quantizer");
        if codes.len() != graph.len() {
            let (codes, nodes) = (codes.len(), graph.len());
            return Err(Error::Damaged(format!("{codes} vectors in a graph of {nodes} nodes")));
        }
        Ok(Self {
            metric,
            quantizer,
            slots: Slots::counted(codes.len()),
            codes,
            graph,
            seed: Training::default().seed,
            ef_search: EF_SEARCH.default as usize,
            ef_construction: EF_CONSTRUCTION.default as usize,
            walkers: Walkers::default(),
        })
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
        &self.quantizer
    }

    /// What is stored, one code per slot; those of removed vectors, too.
    pub fn codes(&self) -> &Codes {
        &self.codes
    }

    /// The links between slots.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Whether the `i`-th slot holds the vector with the id `i`: nothing was removed, and no gap came with a merge.
    pub fn is_gapless(&self) -> bool {
        self.slots.are_counted()
    }

    /// Nodes kept in a search that does not say.
    pub fn ef_search(&self) -> usize {
        self.ef_search
    }

    /// Nodes kept while the neighbors of a new vector are searched.
    pub fn ef_construction(&self) -> usize {
        self.ef_construction
    }

    /// Appends vectors and their codes under ascending ids.
    fn append(
        &mut self,
        vectors: Rows<'_>,
        codes: &[u8],
        ids: impl Iterator<Item = u64>,
        pool: Option<&Pool>,
    ) -> Result<()> {
        self.codes.extend_from_rows(codes)?;
        let first = self.slots.len() as u32;
        self.slots.extend(ids);
        build::insert(self, first, vectors, pool);
        Ok(())
    }

    fn space(&self) -> Space<'_> {
        Space {
            metric: self.metric,
            quantizer: &*self.quantizer,
            codes: &self.codes,
        }
    }

    fn check_room(&self, more: usize) -> Result<()> {
        let ids = self.slots.next_id().checked_add(more as u64);
        if self.slots.len() + more <= graph::SLOTS_MAX && ids.is_some_and(|end| end <= MAX_ID) {
            return Ok(());
        }
        let bytes = more.saturating_mul(self.codes.code_len());
        Err(Error::OutOfMemory { bytes })
    }

    fn check_match(&self, other: &Self) -> Result<()> {
        let is_same = is_same_quantizer(&self.quantizer, &other.quantizer);
        if self.metric == other.metric && is_same {
            return Ok(());
        }
        Err(mismatch(self, other))
    }

    /// Without vectors; ids are counted on.
    fn clear(&mut self) {
        self.codes = self.quantizer.new_codes();
        self.graph = self.graph.emptied();
        let next_id = self.slots.next_id();
        self.slots = Slots::default();
        self.slots.count_on_from(next_id);
    }
}

impl HnswSpec {
    /// More links per vector and level help nobody.
    pub const M_MAX: usize = 1 << 12;
}

/// The memory of walks and selections that are not going on just now.
#[derive(Default)]
struct Walkers(Mutex<Vec<Scratch>>);

#[derive(Default)]
struct Scratch {
    walker: Walker,
    selector: Selector,
}

impl Walkers {
    fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = idle().pop().unwrap_or_default();
        let done = work(&mut scratch);
        idle().push(scratch);
        done
    }
}

impl Clone for Walkers {
    /// Memory is not copied.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Walkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Walkers")
    }
}

impl VectorIndex for Hnsw {
    fn kind(&self) -> &'static str {
        "hnsw"
    }

    fn spec(&self) -> IndexSpec {
        IndexSpec::Hnsw(HnswSpec {
            m: self.graph.m(),
            codes: self.quantizer.spec(),
        })
    }

    fn dim(&self) -> usize {
        self.quantizer.dim()
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    fn len(&self) -> usize {
        self.slots.living()
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
        search::nearest(self, queries, request)?.push_into(tops, first_id);
        Ok(())
    }

    fn merge_offset(&self) -> u64 {
        self.slots.next_id()
    }

    /// Ids are given in ascending order: those of `other` come behind all there have been.
    fn check_merge(&self, other: &dyn VectorIndex, add_id: u64) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &dyn Any).downcast_ref::<Self>().ok_or(refused)?;
        self.check_match(other)?;
        self.check_room(other.len())?;
        let raised = |slot| other.slots.id(slot).saturating_add(add_id);
        match (
            other.slots.in_use().next().map(raised),
            other.slots.in_use().last().map(raised),
        ) {
            (_, Some(last)) if last >= MAX_ID => Err(Error::IdTooLarge { id: last }),
            (Some(first), _) if first < self.slots.next_id() => Err(Error::DuplicateId { id: first }),
            _ => Ok(()),
        }
    }

    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
        persist::save(self, out)
    }

    fn boxed_clone(&self) -> Box<dyn VectorIndex> {
        Box::new(self.clone())
    }

    fn emptied(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            quantizer: self.quantizer.clone(),
            codes: self.quantizer.new_codes(),
            graph: self.graph.emptied(),
            slots: Slots::default(),
            walkers: Walkers::default(),
            ..*self
        })
    }

    fn renumber(&mut self) {
        if !self.slots.are_counted() {
            remove::compact(self);
        }
        self.slots = Slots::counted(self.slots.len());
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
        check_dim(self.dim(), vectors)?;
        check_finite("vector", vectors)?;
        self.check_room(vectors.len())?;
        let mut codes = AlignedBytes::new();
        encode_for(&*self.quantizer, self.metric, vectors, pool, &mut codes);
        let first = self.slots.next_id();
        let ids = first..first + vectors.len() as u64;
        self.append(vectors, codes.as_slice(), ids.clone(), pool)?;
        Ok(ids)
    }
}

impl Remove for Hnsw {
    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        remove::remove(self, ids)
    }
}

impl RangeSearch for Hnsw {
    /// All selected vectors closer than the radius that can be reached from the nearest without leaving the radius.
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        search::within(self, queries, request)
    }
}

impl Reconstruct for Hnsw {
    fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()> {
        let len = self.len();
        let slot = self.slots.slot(id).ok_or(Error::UnknownId { id, len })?;
        self.space().decode(std::iter::once(slot), out);
        Ok(())
    }
}

impl Merge for Hnsw {
    fn merge_from(&mut self, other: &mut dyn VectorIndex, add_id: u64, pool: Option<&Pool>) -> Result<()> {
        self.check_merge(other, add_id)?;
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        self.codes.try_reserve(other.len())?;
        let slots: Vec<u32> = other.slots.in_use().collect();
        for slots in slots.chunks(CHUNK) {
            let (mut codes, mut vectors) = (Vec::new(), Vec::new());
            for &slot in slots {
                other.codes.copy_to(slot as usize..slot as usize + 1, &mut codes);
            }
            other.space().decode(slots.iter().copied(), &mut vectors);
            let rows = Rows::new(&vectors, self.dim()).expect("whole vectors");
            let ids = slots.iter().map(|slot| other.slots.id(*slot) + add_id);
            self.append(rows, &codes, ids, pool)?;
        }
        if !slots.is_empty() {
            self.slots.count_on_from(other.slots.next_id() + add_id);
        }
        other.clear();
        other.slots = Slots::default();
        Ok(())
    }
}
