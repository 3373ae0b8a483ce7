//! The inverted file: vectors in the list of their nearest centroid; a search visits the lists nearest to the query
//! (Sivic and Zisserman 2003; Faiss: `IndexIVFFlat`, `IndexIVFScalarQuantizer`, `IndexIVFPQ`, ...).
//!
//! Training is in `train.rs`, the lists are in `lists.rs`, searching is in `search.rs`.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use anear_bytes::{AlignedBytes, ContainerWriter};
use anear_kernels::{IdSelector, Metric, Rows, TopK};
use anear_pool::Pool;
use anear_quant::{Quantizer, QuantizerSpec};

use self::lists::{Lists, Place};
use self::router::Router;
use self::terms::{Scratch, Terms};
use crate::error::{check_dim, check_finite};
use crate::flat::{check_metric, encode, encode_by, is_same_quantizer, mismatch};
use crate::ids::check_count;
use crate::request::{as_count, unknown_knob};
use crate::{
    Add, AddWithIds, Error, IndexSpec, IvfSpec, Knob, KnobValues, Memory, Merge, Neighbors, RangeRequest, RangeSearch,
    Reconstruct, Remove, Result, SearchRequest, VectorIndex,
};

mod file;
pub(crate) mod knobs;
mod lists;
mod persist;
mod router;
mod search;
mod terms;
mod train;

pub use file::{Extent, ListFile};
pub use lists::List;
pub(crate) use persist::{COARSE, ENTRIES, LISTS};

/// Lists that are visited.
static NPROBE: Knob = Knob {
    name: "nprobe",
    alias: "nprobe",
    doc: "Inverted lists visited per query.",
    default: 1.0,
    ladder: &[
        1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0,
    ],
    least: 1.0,
    values: KnobValues::Counts,
};

/// Whether a search goes on.
static ENSURE_TOPK_FULL: Knob = Knob {
    name: "ensure_topk_full",
    alias: "ensure_topk_full",
    doc: "Whether a search that found fewer than k vectors goes on to further lists: 1, or 0 as in Faiss.",
    default: 1.0,
    ladder: &[1.0],
    least: 0.0,
    values: KnobValues::Counts,
};

/// Codes that are compared.
static MAX_CODES: Knob = Knob {
    name: "max_codes",
    alias: "max_codes",
    doc: "No further list is visited once so many vectors have been compared.",
    default: f64::INFINITY,
    ladder: &[f64::INFINITY],
    least: 1.0,
    values: KnobValues::Counts,
};

/// An index of which a search visits only the lists nearest to the query.
///
/// Ids are given by the caller, or counted on from the largest so far; they stay when others are removed. The answer is
/// that of comparing every vector of the lists visited, the same to the bit for any number of threads and any batching
/// of queries. A search that finds fewer than `k` vectors in `nprobe` lists goes on to further lists, unless
/// `max_codes` stops it: with a filter, too, there are `k` answers wherever there are `k` vectors.
///
/// ```
/// use anear_index::{IndexSpec, SearchRequest, Training, VectorIndex, VectorIndexExt};
/// use anear_kernels::{Metric, Rows};
///
/// let vectors: Vec<f32> = (0..200).map(|i| (i * 37 % 101) as f32).collect();
/// let vectors = Rows::new(&vectors, 2).unwrap();
/// let mut index = "IVF4,Flat".parse::<IndexSpec>()?.train(Metric::L2, vectors, &Training::default())?;
/// index.add(vectors)?;
/// let request = SearchRequest::new(3).with("nprobe", 2.0);
/// assert_eq!(index.search(vectors.slice(7..8), &request)?.row(0)[0].id, 7);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ivf {
    metric: Metric,
    router: Router,
    quantizer: Arc<dyn Quantizer>,
    by_residual: bool,
    /// Where lists are compared through inner products.
    terms: Option<Terms>,
    lists: Lists,
    nprobe: usize,
    /// `usize::MAX` where there is no limit.
    max_codes: usize,
    ensures_topk_full: bool,
}

impl Ivf {
    /// An empty index that compares by `metric` and whose lists are those of the vectors in `coarse`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when `coarse` does not give its vectors back or numbers them with gaps,
    /// [`Error::Dimension`] when it has another dimension than the quantizer, [`Error::Metric`] when the quantizer
    /// cannot compare by the metric or residuals by it mean nothing.
    pub fn new(
        metric: Metric,
        coarse: Box<dyn VectorIndex>,
        quantizer: Arc<dyn Quantizer>,
        by_residual: bool,
    ) -> Result<Self> {
        Self::over(Router::new(coarse)?, metric, quantizer, by_residual)
    }

    fn over(router: Router, metric: Metric, quantizer: Arc<dyn Quantizer>, by_residual: bool) -> Result<Self> {
        let dim = router.dim();
        if dim != quantizer.dim() {
            return Err(Error::Dimension {
                expected: dim,
                got: quantizer.dim(),
            });
        }
        check_metric(&*quantizer, metric)?;
        if by_residual && !matches!(metric, Metric::L2 | Metric::InnerProduct) {
            return Err(Error::Metric {
                what: "an inverted file of residuals".into(),
                metric,
                supported: "l2, inner_product".into(),
            });
        }
        let through_products = by_residual && metric == Metric::L2 && quantizer.scorer_is_costly();
        Ok(Self {
            metric,
            lists: Lists::new(router.nlist(), &*quantizer),
            terms: through_products.then(|| Terms::new(router.centroids())),
            router,
            quantizer,
            by_residual,
            nprobe: NPROBE.default as usize,
            max_codes: MAX_CODES.default as usize,
            ensures_topk_full: true,
        })
    }

    /// Number of inverted lists.
    pub fn nlist(&self) -> usize {
        self.lists.len()
    }

    /// The index that finds the lists nearest to a vector.
    pub fn coarse(&self) -> &dyn VectorIndex {
        self.router.coarse()
    }

    /// How the vectors of a list are stored.
    pub fn quantizer(&self) -> &Arc<dyn Quantizer> {
        &self.quantizer
    }

    /// Whether codes are of what remains of a vector when its centroid is taken away.
    pub fn by_residual(&self) -> bool {
        self.by_residual
    }

    /// Lists visited by requests that do not say.
    pub fn nprobe(&self) -> usize {
        self.nprobe
    }

    /// Sets [`nprobe`](Self::nprobe).
    ///
    /// # Panics
    /// When it is 0.
    pub fn set_nprobe(&mut self, nprobe: usize) {
        assert!(nprobe > 0, "at least one list is visited");
        self.nprobe = nprobe;
    }

    /// What is in list `number`.
    ///
    /// # Panics
    /// When there is no such list.
    pub fn list(&self, number: usize) -> &List {
        self.lists.get(number)
    }

    /// Makes codes that are there already the lists of this index, in place of its own.
    ///
    /// # Errors
    /// [`Error::RepeatedId`], [`Error::IdTooLarge`]; the index is as it was then.
    ///
    /// # Panics
    /// When there are more lists or fewer.
    pub fn fill_lists(&mut self, lists: Vec<List>) -> Result<()> {
        assert_eq!(lists.len(), self.nlist(), "as many lists as before");
        let mut scratch = Scratch::default();
        let lists = (0..).zip(lists);
        let lists = lists.map(|(number, list)| self.with_terms(number, list, &mut scratch));
        self.lists = Lists::of(lists.collect())?;
        Ok(())
    }

    /// A list with the term of each code, where the index needs them.
    fn with_terms(&self, number: usize, list: List, scratch: &mut Scratch) -> List {
        let Some(terms) = &self.terms else {
            return list;
        };
        let centroid = self.router.centroid(number);
        let own = terms.of_list(&*self.quantizer, centroid, list.codes(), scratch);
        list.with_terms(own)
    }

    /// Appends the `i`-th of these codes to list `lists[i]`, under the id `ids[i]`.
    ///
    /// # Errors
    /// [`Error::DuplicateId`], [`Error::RepeatedId`], [`Error::IdTooLarge`], [`Error::OutOfMemory`].
    ///
    /// # Panics
    /// When there is no such list, or not one list and one id per code.
    pub fn add_codes(&mut self, lists: &[u32], ids: &[u64], codes: &[u8]) -> Result<()> {
        assert_eq!(lists.len(), ids.len(), "one id per code");
        assert_eq!(codes.len(), ids.len() * self.quantizer.code_len(), "whole codes");
        assert!(
            lists.iter().all(|list| (*list as usize) < self.nlist()),
            "lists there are"
        );
        self.lists.check_new(ids)?;
        let terms = self.terms_of(codes, lists);
        self.lists.extend(lists, ids, codes, &terms)
    }

    /// Codes of `vectors` that go to these lists, one after the other.
    fn encode(&self, vectors: Rows<'_>, lists: &[u32], pool: Option<&Pool>) -> AlignedBytes {
        let mut codes = AlignedBytes::new();
        if !self.by_residual {
            encode(&*self.quantizer, vectors, pool, &mut codes);
            return codes;
        }
        let residuals = self.router.residuals(vectors, lists);
        let residuals = self.rows(&residuals);
        encode_by(vectors.len(), pool, &mut codes, |range, codes| {
            let (residuals, lists) = (residuals.slice(range.clone()), &lists[range]);
            self.quantizer
                .encode_residuals(residuals, self.router.centroids(), lists, codes);
        });
        codes
    }

    fn insert(&mut self, vectors: Rows<'_>, ids: &[u64], pool: Option<&Pool>) -> Result<()> {
        let lists = self.router.assign(vectors, pool)?;
        let codes = self.encode(vectors, &lists, pool);
        let terms = self.terms_of(codes.as_slice(), &lists);
        self.lists.extend(&lists, ids, codes.as_slice(), &terms)
    }

    /// The term of each of `codes` that goes to list `lists[i]`; none where the index needs none.
    fn terms_of(&self, codes: &[u8], lists: &[u32]) -> Vec<f32> {
        let Some(terms) = &self.terms else {
            return Vec::new();
        };
        let (mut vectors, mut own) = (Vec::new(), Vec::with_capacity(lists.len()));
        for (code, &list) in codes.chunks_exact(self.quantizer.code_len()).zip(lists) {
            let centroid = self.router.centroid(list as usize);
            terms.extend(&*self.quantizer, centroid, code, &mut vectors, &mut own);
        }
        own
    }

    fn rows<'v>(&self, vectors: &'v [f32]) -> Rows<'v> {
        Rows::new(vectors, self.dim()).expect("whole vectors")
    }

    fn check_match(&self, other: &Self) -> Result<()> {
        let is_same = self.metric == other.metric
            && self.by_residual == other.by_residual
            && self.router.has_centroids_of(&other.router)
            && is_same_quantizer(&self.quantizer, &other.quantizer);
        if is_same { Ok(()) } else { Err(mismatch(self, other)) }
    }
}

impl IvfSpec {
    /// The most lists there can be.
    pub const NLIST_MAX: usize = 1 << 30;

    /// Whether codes are of residuals where nothing else is said, as in Faiss.
    pub(crate) fn default_by_residual(codes: &QuantizerSpec) -> bool {
        !matches!(codes, QuantizerSpec::Raw | QuantizerSpec::FastScan { .. })
    }
}

impl VectorIndex for Ivf {
    fn kind(&self) -> &'static str {
        "ivf"
    }

    fn spec(&self) -> IndexSpec {
        IndexSpec::Ivf(IvfSpec {
            nlist: self.nlist(),
            coarse: Box::new(self.coarse().spec()),
            codes: self.quantizer.spec(),
            by_residual: self.by_residual,
        })
    }

    fn dim(&self) -> usize {
        self.quantizer.dim()
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    fn len(&self) -> usize {
        self.lists.vectors()
    }

    fn memory(&self) -> Memory {
        self.lists.memory() + self.coarse().memory()
    }

    fn keeps_ids(&self) -> bool {
        true
    }

    fn knobs(&self) -> Vec<&'static Knob> {
        knobs::over(self.router.knobs())
    }

    fn knob(&self, name: &str) -> Option<f64> {
        match name {
            "nprobe" => Some(self.nprobe as f64),
            "max_codes" => Some(self.max_codes as f64),
            "ensure_topk_full" => Some(f64::from(u8::from(self.ensures_topk_full))),
            _ => self.coarse().knob(knobs::inner_name(name)?),
        }
    }

    fn set_knob(&mut self, name: &str, value: f64) -> Result<()> {
        match (name, knobs::inner_name(name)) {
            ("nprobe", _) => self.nprobe = as_count(&NPROBE, value)?,
            ("max_codes", _) => self.max_codes = as_count(&MAX_CODES, value)?,
            ("ensure_topk_full", _) => self.ensures_topk_full = as_count(&ENSURE_TOPK_FULL, value)? > 0,
            (_, Some(name)) => self.router.coarse_mut().set_knob(name, value)?,
            _ => return Err(unknown_knob(name, &self.knobs())),
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
        // What other segments have found already need not be looked for in further lists.
        let wanted: Vec<usize> = tops.iter().map(|top| top.k() - top.len()).collect();
        search::nearest(self, queries, request, &wanted)?.push_into(tops, first_id);
        Ok(())
    }

    fn merge_offset(&self) -> u64 {
        self.lists.next_id()
    }

    fn check_merge(&self, other: &dyn VectorIndex, add_id: u64) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &dyn Any).downcast_ref::<Self>().ok_or(refused)?;
        self.check_match(other)?;
        let raised: Vec<u64> = other.lists.ids().map(|id| id.saturating_add(add_id)).collect();
        self.lists.check_new(&raised)
    }

    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
        persist::save(self, out)
    }

    fn boxed_clone(&self) -> Box<dyn VectorIndex> {
        Box::new(self.clone())
    }

    fn emptied(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            router: self.router.clone(),
            quantizer: self.quantizer.clone(),
            terms: self.terms.clone(),
            lists: Lists::new(self.lists.len(), &*self.quantizer),
            ..*self
        })
    }

    fn renumber(&mut self) -> Result<()> {
        self.lists.renumber();
        Ok(())
    }

    fn as_add(&mut self) -> Option<&mut dyn Add> {
        Some(self)
    }

    fn as_add_with_ids(&mut self) -> Option<&mut dyn AddWithIds> {
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

impl Add for Ivf {
    fn add_on(&mut self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Range<u64>> {
        let first = self.lists.next_id();
        let ids = first..first.saturating_add(vectors.len() as u64);
        self.add_with_ids_on(vectors, &ids.clone().collect::<Vec<_>>(), pool)?;
        Ok(ids)
    }
}

impl AddWithIds for Ivf {
    fn add_with_ids_on(&mut self, vectors: Rows<'_>, ids: &[u64], pool: Option<&Pool>) -> Result<()> {
        check_dim(self.dim(), vectors)?;
        check_finite("vector", vectors)?;
        check_count(vectors.len(), ids)?;
        self.lists.check_new(ids)?;
        self.insert(vectors, ids, pool)
    }
}

impl Remove for Ivf {
    fn remove_ids(&mut self, ids: &IdSelector<'_>, _pool: Option<&Pool>) -> Result<usize> {
        self.lists.remove(ids)
    }
}

impl RangeSearch for Ivf {
    /// All selected vectors closer than the radius in the lists visited, list by list.
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        search::within(self, queries, request)
    }
}

impl Reconstruct for Ivf {
    fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()> {
        let len = self.len();
        let Place { list, slot } = self.lists.place(id).ok_or(Error::UnknownId { id, len })?;
        let mut code = Vec::new();
        self.lists.get(list).codes().copy_to(slot..slot + 1, &mut code);
        let start = out.len();
        self.quantizer.decode(&code, out);
        if self.by_residual {
            let vector = out[start..].iter_mut();
            vector.zip(self.router.centroid(list)).for_each(|(x, c)| *x += c);
        }
        Ok(())
    }
}

impl Merge for Ivf {
    fn merge_from(&mut self, other: &mut dyn VectorIndex, add_id: u64, _pool: Option<&Pool>) -> Result<()> {
        self.check_merge(other, add_id)?;
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        self.lists.append(&other.lists, add_id)?;
        other.lists = Lists::new(other.lists.len(), &*other.quantizer);
        Ok(())
    }
}
