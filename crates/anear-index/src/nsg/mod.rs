//! NSG: a graph on one level whose links lead from one node to all others along paths that come nearer at every step (Fu,
//! Xiang, Wang and Cai, "Fast approximate nearest neighbor search with the navigating spreading-out graph", 2019; Faiss:
//! `IndexNSGFlat`, `IndexNSGPQ`, `IndexNSGSQ`).
//!
//! How the graph is built and vectors come into it is in `build.rs`; the rest, which HNSW shares, in `graph/`.

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
    Add, Error, IndexSpec, Knob, KnobValues, Memory, Merge, Neighbors, NsgSpec, RangeRequest, RangeSearch, Reconstruct,
    Remove, Result, SearchRequest, VectorIndex,
};

mod build;
#[cfg(test)]
mod tests;

/// How far a search looks.
pub(crate) static SEARCH_L: Knob = Knob {
    name: "search_l",
    alias: "search_L",
    doc: "Nearest nodes kept while the graph is walked; more find more and take longer.",
    default: 16.0,
    ladder: &[
        16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0, 1024.0,
    ],
    least: 1.0,
    values: KnobValues::Counts,
};

/// A graph of near neighbors on one level, of which a search visits only what lies on the way from its middle to the query.
///
/// Ids, removal, filters and threads are as in [`Hnsw`](crate::Hnsw). The graph is built anew whenever as many vectors are
/// added as there are already: from the neighbors of each, found through an HNSW graph that is not kept. Fewer vectors
/// search the graph there is and are linked into it.
///
/// ```
/// use anear_index::{IndexSpec, SearchRequest, VectorIndex, VectorIndexExt};
/// use anear_kernels::{Metric, Rows};
///
/// let vectors: Vec<f32> = (0..2000).map(|i| (i * 37 % 1009) as f32).collect();
/// let mut index = "NSG16".parse::<IndexSpec>()?.build(2, Metric::L2)?;
/// index.add(Rows::new(&vectors, 2).unwrap())?;
///
/// let query = Rows::new(&vectors[84..86], 2).unwrap();
/// let request = SearchRequest::new(3).with("search_L", 32.0);
/// assert_eq!(index.search(query, &request)?.row(0)[0].id, 42);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Nsg {
    linked: Linked,
    seed: u64,
    search_l: usize,
}

impl Nsg {
    /// An empty index of up to `r` links per vector; `seed` fixes the order in which the graph is built.
    ///
    /// # Errors
    /// [`Error::KnobValue`] when `r` is not between 2 and [`NsgSpec::R_MAX`], [`Error::Metric`] when the quantizer cannot
    /// compare by `metric`, [`Error::Unsupported`] when its codes lie in blocks, as those of fast scans.
    pub fn new(quantizer: Arc<dyn Quantizer>, metric: Metric, r: usize, seed: u64) -> Result<Self> {
        if !(2..=NsgSpec::R_MAX).contains(&r) {
            return Err(Error::KnobValue {
                name: "the number of links per vector",
                expected: format!("between 2 and {}", NsgSpec::R_MAX),
                value: r as f64,
            });
        }
        let codes = quantizer.new_codes();
        let linked = Linked::from_parts(quantizer, metric, codes, Graph::level(r))?;
        Ok(Self::over(linked, seed))
    }

    /// An index of codes and links that are there already, one node per code, all on level 0.
    ///
    /// # Errors
    /// [`Error::Damaged`] when there are not as many nodes as codes, or they are on several levels, and those of
    /// [`Nsg::new`].
    ///
    /// # Panics
    /// When the codes are not the quantizer's.
    pub fn from_parts(quantizer: Arc<dyn Quantizer>, metric: Metric, codes: Codes, graph: Graph) -> Result<Self> {
        if graph.levels_max() != 1 {
            return Err(Error::Damaged(format!("{} levels of links", graph.levels_max())));
        }
        let linked = Linked::from_parts(quantizer, metric, codes, graph)?;
        Ok(Self::over(linked, Training::default().seed))
    }

    fn over(linked: Linked, seed: u64) -> Self {
        Self {
            linked,
            seed,
            search_l: SEARCH_L.default as usize,
        }
    }

    /// An empty index that has learned its codes from `sample`.
    ///
    /// # Errors
    /// Those of [`Nsg::new`], and [`Error::Quantizer`] when the sample is too small.
    pub fn train(spec: &NsgSpec, metric: Metric, sample: Rows<'_>, training: &Training<'_>) -> Result<Self> {
        check_finite("vector", sample)?;
        let quantizer = spec.codes.train(metric, sample, training)?;
        Self::new(quantizer, metric, spec.r, training.seed)
    }

    /// What [`save`](VectorIndex::save) wrote.
    pub(crate) fn load(spec: &NsgSpec, dim: usize, metric: Metric, from: &Container<'_>) -> Result<Self> {
        let (linked, [seed, search_l]) = persist::load(&spec.codes, dim, metric, from)?;
        if linked.graph.levels_max() != 1 {
            return Err(Error::Damaged("a graph of one level has several".into()));
        }
        Ok(Self {
            search_l: usize::try_from(search_l).unwrap_or(usize::MAX).max(1),
            ..Self::over(linked, seed)
        })
    }

    /// How vectors are stored.
    pub fn quantizer(&self) -> &Arc<dyn Quantizer> {
        &self.linked.quantizer
    }

    /// What is stored, one code per slot; those of removed vectors, too.
    pub fn codes(&self) -> &Codes {
        &self.linked.codes
    }

    /// The links between slots; searches begin at its entry point, the navigating node.
    pub fn graph(&self) -> &Graph {
        &self.linked.graph
    }

    /// Links a vector has at most.
    pub fn r(&self) -> usize {
        self.linked.graph.room(0)
    }

    /// Whether the `i`-th slot holds the vector with the id `i`: nothing was removed, and no gap came with a merge.
    pub fn is_gapless(&self) -> bool {
        self.linked.slots.are_counted()
    }

    /// Nodes kept in a search that does not say.
    pub fn search_l(&self) -> usize {
        self.search_l
    }

    fn check_match(&self, other: &Self) -> Result<()> {
        if self.linked.is_like(&other.linked) {
            return Ok(());
        }
        Err(mismatch(self, other))
    }
}

impl NsgSpec {
    /// More links per vector help nobody.
    pub const R_MAX: usize = 1 << 12;
}

impl VectorIndex for Nsg {
    fn kind(&self) -> &'static str {
        "nsg"
    }

    fn spec(&self) -> IndexSpec {
        IndexSpec::Nsg(NsgSpec {
            r: self.r(),
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
        vec![&SEARCH_L]
    }

    fn knob(&self, name: &str) -> Option<f64> {
        SEARCH_L.is_called(name).then_some(self.search_l as f64)
    }

    fn set_knob(&mut self, name: &str, value: f64) -> Result<()> {
        if !SEARCH_L.is_called(name) {
            return Err(unknown_knob(name, &[&SEARCH_L]));
        }
        self.search_l = as_count(&SEARCH_L, value)?;
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
        let width = request.knobs.count(&SEARCH_L, self.search_l)?;
        search::nearest(&self.linked, queries, request, width).push_into(tops, first_id);
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
        persist::save(&self.linked, &[self.seed, self.search_l as u64], out)
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

impl Add for Nsg {
    fn add_on(&mut self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Range<u64>> {
        let (first, ids) = self.linked.append(vectors, pool)?;
        build::insert(self, first, pool)?;
        Ok(ids)
    }
}

impl Remove for Nsg {
    /// What is linked to a removed vector is linked to what lay behind it; the middle is looked for anew when it is gone.
    fn remove_ids(&mut self, ids: &IdSelector<'_>, _pool: Option<&Pool>) -> Result<usize> {
        let middle = self.linked.graph.entry_point();
        let room = self.r();
        let removed = remove::remove(&mut self.linked, ids, room)?;
        if self.linked.graph.entry_point() != middle {
            build::move_to_the_middle(&mut self.linked);
        }
        Ok(removed)
    }
}

impl RangeSearch for Nsg {
    /// All selected vectors closer than the radius that can be reached from the nearest without leaving the radius.
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        let width = request.knobs.count(&SEARCH_L, self.search_l)?;
        Ok(search::within(&self.linked, queries, request, width))
    }
}

impl Reconstruct for Nsg {
    fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()> {
        self.linked.reconstruct(id, out)
    }
}

impl Merge for Nsg {
    fn merge_from(&mut self, other: &mut dyn VectorIndex, add_id: u64, pool: Option<&Pool>) -> Result<()> {
        self.check_merge(other, add_id)?;
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        let slots = self.linked.take_over(&mut other.linked, add_id)?;
        build::insert(self, slots.start, pool)
    }
}
