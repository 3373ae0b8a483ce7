//! anear's own index: it is asked for a recall, and finds out by itself how to reach it.
//!
//! Few vectors are all compared. Once there are [`LEARNED_MIN`] of them, transform codes are learned, which spend bits on
//! what tells vectors apart ([`TransformCode`](anear_quant::TransformCode)); candidates found by these codes are compared
//! as they are. Codes lie in lists around centroids; where they do not tell neighbors apart, lists are read vector by
//! vector. Where reading the nearest lists takes too long for a recall of 0.95, there is a graph over the vectors besides.
//! What recall an effort has is measured when all this is built, on vectors of the index's own.
//!
//! The way in: `built.rs`, with `choose.rs` (the code), `partition.rs` (lists), `draft.rs` (a graph, of vectors compared as
//! `space.rs` says), `fit.rs` (what recall efforts have, of vectors whose copies `distinct.rs` tells); vectors that come later:
//! `insert.rs`. What there is then: `exact.rs`, `ids.rs`, and `learned.rs` with `lists.rs`, `links.rs`, `slot_codes.rs` (of a
//! lean graph), `curve.rs`. The way out: `search.rs` (along which trail, with what effort: `trail.rs`, `effort.rs`; of
//! what: `selected.rs`). In `scratch.rs`, where all searches work, `walk.rs` or `read.rs` find candidates, with `reach.rs`; where
//! all that is selected is compared: `compare.rs`. Files: `persist.rs`.

use std::any::Any;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;

use anear_bytes::{Container, ContainerWriter};
use anear_kernels::{IdSelector, Metric, Rows, TopK};
use anear_pool::Pool;
use anear_quant::Training;

use self::built::{Built, GRAPH_MIN};
use self::curve::RECALL;
use self::effort::By;
use self::exact::Exact;
use self::ids::Ids;
use self::learned::Learned;
use self::links::Links;
use self::search::Scratches;
use crate::error::{check_dim, check_finite, check_index_dim};
use crate::flat::mismatch;
use crate::request::{as_count, as_share, unknown_knob};
use crate::{
    Add, Error, IndexSpec, Knob, KnobValues, Knobs, Memory, Merge, Neighbors, RangeRequest, RangeSearch, Reconstruct,
    Remove, Result, SearchRequest, VectorIndex,
};

mod built;
mod choose;
mod compare;
mod curve;
mod distinct;
mod draft;
mod effort;
mod exact;
mod fit;
mod ids;
mod insert;
mod learned;
mod links;
mod lists;
mod partition;
pub(crate) mod persist;
mod reach;
mod read;
mod scratch;
mod search;
mod selected;
mod slot_codes;
mod space;
#[cfg(test)]
mod tests;
mod trail;
mod walk;

/// Fewer vectors are all compared: that takes no longer than finding some of them would.
const LEARNED_MIN: usize = 2048;

/// The largest sum of squared components of a vector.
const SQUARE_MAX: f32 = 1e34;

/// What share of the neighbors is to be found.
pub(crate) static RECALL_WANTED: Knob = Knob {
    name: "recall",
    alias: "target_recall",
    doc: "Share of the true neighbors to be found, on vectors like those of the index; with 1 all are compared.",
    default: RECALL,
    ladder: &[0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0],
    least: 0.0,
    values: KnobValues::Shares,
};

/// How far a search looks, for those who know.
pub(crate) static VISITS: Knob = Knob {
    name: "visits",
    alias: "nprobe",
    doc: "Lists that are read, or rows of the graph that are visited; 0: as many as the recall needs.",
    default: 0.0,
    ladder: &[0.0],
    least: 0.0,
    values: KnobValues::Counts,
};

/// How many are compared as they are, for those who know.
pub(crate) static CANDIDATES: Knob = Knob {
    name: "candidates",
    alias: "k_rerank",
    doc: "Vectors that are compared as they are, of what is found by codes; 0: as many as the recall needs.",
    default: 0.0,
    ladder: &[0.0],
    least: 0.0,
    values: KnobValues::Counts,
};

/// What is built beside the vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NearShape {
    /// `Near`, or `auto`: lists, and a graph where lists are not enough.
    #[default]
    Auto,
    /// `NearLists`: lists alone, which take little memory and are built quickly.
    Lists,
    /// `NearGraph`: lists and a graph, which takes some kilobytes per vector.
    Graph,
    /// `NearLean`: lists and a lean graph, which takes some hundred bytes per vector.
    Lean,
    /// `Near2000`, or `auto2000`: as `Auto`, with a graph only where vectors, codes and links are within so many bytes a vector
    /// when it is built; with a lean one where the other does not fit.
    Within(u32),
}

impl NearShape {
    /// Every shape without a bound.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Lists, Self::Graph, Self::Lean];

    /// The shape of a token in a factory string, where `auto` is another word for `Near`; or why there is none. `None` for a
    /// token that begins with neither.
    pub(crate) fn named(token: &str) -> Option<std::result::Result<Self, &'static str>> {
        let behind = token.strip_prefix("Near").or_else(|| token.strip_prefix("auto"))?;
        let of_bytes = |bytes: &str| Some(Self::Within(bytes.parse::<NonZeroU32>().ok()?.get()));
        let shape = match (token, behind) {
            (_, "") => Some(Self::Auto),
            ("NearLists", _) => Some(Self::Lists),
            ("NearGraph", _) => Some(Self::Graph),
            ("NearLean", _) => Some(Self::Lean),
            (_, bytes) => of_bytes(bytes).filter(|_| !bytes.starts_with(['0', '+'])),
        };
        Some(shape.ok_or(
            "no index is called so; these are: Near or auto, Near2000 (bytes a vector), NearLists, NearGraph, NearLean",
        ))
    }

    /// Whether a vector and its links may take so many bytes.
    fn admits(self, bytes: usize) -> bool {
        match self {
            Self::Within(most) => bytes <= most as usize,
            Self::Auto | Self::Graph | Self::Lean => true,
            Self::Lists => false,
        }
    }

    /// Whether there is to be a graph in any case.
    fn wants_graph(self) -> bool {
        matches!(self, Self::Graph | Self::Lean)
    }
}

/// The token in a factory string.
impl fmt::Display for NearShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("Near"),
            Self::Lists => f.write_str("NearLists"),
            Self::Graph => f.write_str("NearGraph"),
            Self::Lean => f.write_str("NearLean"),
            Self::Within(bytes) => write!(f, "Near{bytes}"),
        }
    }
}

/// Refuses vectors whose products could not be added up when codes are learned.
fn check_size(vectors: Rows<'_>) -> Result<()> {
    let square = |vector: &[f32]| -Metric::InnerProduct.distance(vector, vector);
    match vectors.iter().position(|vector| square(vector) > SQUARE_MAX) {
        None => Ok(()),
        Some(row) => Err(Error::TooLarge { row, most: SQUARE_MAX }),
    }
}

/// The knobs of every shape.
pub(crate) fn knobs() -> Vec<&'static Knob> {
    vec![&RECALL_WANTED, &VISITS, &CANDIDATES]
}

/// An index that is asked for a recall.
///
/// Vectors are kept without loss, in a byte or two per component where nothing is lost by that. Ids are counted as vectors
/// come; they stay when others are removed, and are never given twice. Everything is learned and built anew whenever half
/// as many vectors have come as there were; in between, new ones are linked into the graph, or read along with every
/// list. The same vectors added in the same calls make the same index, to the bit, on any number of threads.
///
/// With a filter, the selected vectors are all compared, or the graph is walked or lists are read as for as many neighbors as
/// lie within the distance of the last that is selected: whatever reads fewest bytes. Where a filter, or what was removed,
/// has to do with a query, it is compared with all that is selected: recall is no lower.
///
/// ```
/// use anear_index::{IndexSpec, SearchRequest, VectorIndex, VectorIndexExt};
/// use anear_kernels::{Metric, Rows};
///
/// let vectors: Vec<f32> = (0..8 * 3000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as f32).collect();
/// let vectors = Rows::new(&vectors, 8).unwrap();
/// let mut index = "Near".parse::<IndexSpec>()?.build(8, Metric::L2)?;
/// index.add(vectors)?;
///
/// let request = SearchRequest::new(3).with("recall", 0.99);
/// assert_eq!(index.search(vectors.slice(42..43), &request)?.row(0)[0].id, 42);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Near {
    metric: Metric,
    shape: NearShape,
    seed: u64,
    exact: Exact,
    ids: Ids,
    learned: Option<Learned>,
    recall: f64,
    visits: usize,
    candidates: usize,
    scratches: Scratches,
}

impl Near {
    /// An empty index; `seed` fixes what is drawn at random.
    ///
    /// # Errors
    /// [`Error::DimensionRange`], and [`Error::Metric`] for metrics other than L2 and inner product.
    pub fn new(shape: NearShape, dim: usize, metric: Metric, seed: u64) -> Result<Self> {
        check_index_dim(dim)?;
        if !matches!(metric, Metric::L2 | Metric::InnerProduct) {
            return Err(Error::Metric {
                what: shape.to_string(),
                metric,
                supported: "l2, inner_product, cosine".into(),
            });
        }
        Ok(Self {
            metric,
            shape,
            seed,
            exact: Exact::new(metric, dim),
            ids: Ids::default(),
            learned: None,
            recall: RECALL,
            visits: 0,
            candidates: 0,
            scratches: Scratches::default(),
        })
    }

    /// Whether there are lists, and whether there is a graph: what the number of vectors and their nature made of it.
    pub fn built(&self) -> (bool, bool) {
        let learned = self.learned.as_ref();
        (
            learned.is_some(),
            learned.is_some_and(|learned| learned.links.is_some()),
        )
    }

    /// One sentence on how searches are answered, and why.
    pub fn explain(&self) -> String {
        self.explained(self.recall)
    }

    fn explained(&self, recall: f64) -> String {
        let Some(learned) = &self.learned else {
            return format!("all {} vectors are compared: they are few", self.len());
        };
        let since = match self.ids.slots() - learned.lists.listed() {
            0 => String::new(),
            since => format!(" ({since} came since)"),
        };
        let code = format!(
            "{} vectors in {} lists{since}, with codes of {} bytes for {} of {} components, kept in {} bytes",
            self.len(),
            learned.lists.len(),
            learned.code.code_len(),
            learned.code.kept(),
            self.dim(),
            self.exact.row_len(),
        );
        if recall >= 1.0 {
            return format!("{code}; for a recall of 1 all are compared");
        }
        let Some((trail, effort)) = self.measured(recall) else {
            return format!(
                "{code}; for a recall of {recall} all are compared: no effort that was measured reached it"
            );
        };
        let (way, what) = match trail.links {
            Some(links) => {
                let why = self.with_graph(learned, recall);
                (format!("{}, {why}", links.explain()), "visits on average")
            }
            None if learned.links.is_some() => ("lists, as walks over the graph did not reach it".into(), "lists"),
            None => (self.without_graph(learned), "lists"),
        };
        let compared = match effort.by {
            By::Codes => format!("{} candidates", effort.candidates),
            By::Vectors => "all vectors in them".into(),
        };
        format!(
            "{code}; {way}: for a recall of {recall} {} {what} and {compared}{}",
            effort.visits,
            self.told()
        )
    }

    /// How far searches were told to look, whatever the recall needs.
    fn told(&self) -> String {
        let told = [(&VISITS, self.visits), (&CANDIDATES, self.candidates)];
        let told = told.into_iter().filter(|(_, count)| *count > 0);
        let told: Vec<String> = told.map(|(knob, count)| format!("{} = {count}", knob.name)).collect();
        match told.is_empty() {
            true => String::new(),
            false => format!("; instead it was told {}", told.join(", ")),
        }
    }

    /// Why there is a graph.
    fn with_graph(&self, learned: &Learned, recall: f64) -> String {
        match learned.read[0].effort(recall) {
            _ if self.shape.wants_graph() => "as was asked for".into(),
            Some(effort) => format!("as {} lists would be read otherwise", effort.visits),
            None => "as lists do not reach it".into(),
        }
    }

    /// Why there are lists alone.
    fn without_graph(&self, learned: &Learned) -> String {
        match self.shape {
            NearShape::Lists => "lists alone".into(),
            NearShape::Within(bytes) if learned.row_shapes(self.shape, &self.exact).is_empty() => {
                format!("lists alone, within {bytes} bytes a vector")
            }
            _ if learned.lists.listed() < GRAPH_MIN => {
                format!("lists alone, as there were fewer than {GRAPH_MIN} vectors when they were made")
            }
            _ if !self.along_lists(learned).codes_tell() => "lists alone, as codes do not tell neighbors apart".into(),
            _ if self.along_lists(learned).takes_little() => "lists alone, as little of them has to be read".into(),
            _ if learned.walk[0].is_empty() => "lists alone until everything is built anew".into(),
            _ => format!("lists alone, as walks over a graph save nothing at a recall of {RECALL}"),
        }
    }

    /// Appends vectors under these ids, which are larger than all before.
    fn append(&mut self, vectors: Rows<'_>, ids: impl Iterator<Item = u64>, pool: Option<&Pool>) -> Result<()> {
        let (slots, next) = (self.ids.slots(), self.ids.next());
        let strangers = self.strangers_since(vectors);
        self.exact.extend(vectors)?;
        ids.for_each(|id| self.ids.push(id));
        let done = match self.wants_learning(strangers) {
            true => self.rebuild(pool),
            false => self.insert(slots, strangers),
        };
        if done.is_err() {
            self.exact.truncate(slots);
            self.ids.truncate(slots, next);
        }
        done
    }

    /// How many strangers came since everything was learned, together with those among these vectors.
    fn strangers_since(&self, vectors: Rows<'_>) -> usize {
        self.learned.as_ref().map_or(0, |learned| {
            learned.strangers.since.saturating_add(learned.strangers_among(vectors))
        })
    }

    /// Whether so many vectors have come, or so many strangers, that what was learned of those before is of the past.
    fn wants_learning(&self, strangers: usize) -> bool {
        let Some(learned) = &self.learned else {
            return self.ids.living() >= LEARNED_MIN;
        };
        let before = learned.lists.listed();
        let are_many = strangers.saturating_mul(strangers) > before && strangers >= learned.strangers.before;
        self.ids.slots() >= before + before / 2 || are_many
    }

    /// Learns and builds everything anew from the vectors that were not removed.
    fn rebuild(&mut self, pool: Option<&Pool>) -> Result<()> {
        let dim = self.exact.dim();
        let mut rows = Vec::new();
        let bytes = self.len().saturating_mul(dim).saturating_mul(size_of::<f32>());
        anear_bytes::try_reserve_large(&mut rows, self.len() * dim).map_err(|_| Error::OutOfMemory { bytes })?;
        self.ids.iter().for_each(|(_, slot)| self.exact.decode(slot, &mut rows));
        let rows = Rows::new(&rows, dim).expect("whole vectors");
        if rows.len() < LEARNED_MIN {
            let mut exact = Exact::for_all(self.metric, rows)?;
            exact.extend(rows)?;
            let order: Vec<u32> = (0..rows.len() as u32).collect();
            self.ids.reorder(&order);
            (self.exact, self.learned) = (exact, None);
            return Ok(());
        }
        let built = Built::of(rows, self.metric, self.shape, self.seed, pool)?;
        self.ids.reorder(&built.order);
        (self.exact, self.learned) = (built.exact, Some(built.learned));
        Ok(())
    }

    fn check_match(&self, other: &Self) -> Result<()> {
        if (self.dim(), self.metric) == (other.dim(), other.metric) {
            return Ok(());
        }
        Err(mismatch(self, other))
    }
}

impl VectorIndex for Near {
    fn kind(&self) -> &'static str {
        "near"
    }

    fn spec(&self) -> IndexSpec {
        IndexSpec::Near(self.shape)
    }

    fn dim(&self) -> usize {
        self.exact.dim()
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    fn len(&self) -> usize {
        self.ids.living()
    }

    fn memory(&self) -> Memory {
        let learned = self.learned.as_ref().map(|learned| {
            let links = learned.links.as_ref().map(Links::memory);
            Memory::from(&learned.codes) + links.unwrap_or_default()
        });
        Memory::from(self.exact.as_bytes()) + learned.unwrap_or_default()
    }

    fn keeps_ids(&self) -> bool {
        true
    }

    fn knobs(&self) -> Vec<&'static Knob> {
        knobs()
    }

    fn knob(&self, name: &str) -> Option<f64> {
        let values = [self.recall, self.visits as f64, self.candidates as f64];
        let known = knobs().into_iter().zip(values);
        known
            .into_iter()
            .find(|(knob, _)| knob.is_called(name))
            .map(|(_, value)| value)
    }

    fn set_knob(&mut self, name: &str, value: f64) -> Result<()> {
        match name {
            _ if RECALL_WANTED.is_called(name) => self.recall = as_share(&RECALL_WANTED, value)?,
            _ if VISITS.is_called(name) => self.visits = as_count(&VISITS, value)?,
            _ if CANDIDATES.is_called(name) => self.candidates = as_count(&CANDIDATES, value)?,
            _ => return Err(unknown_knob(name, &knobs())),
        }
        Ok(())
    }

    fn explain_search(&self, knobs: &Knobs) -> Option<String> {
        Some(self.explained(knobs.get(&RECALL_WANTED).unwrap_or(self.recall)))
    }

    fn search_top(
        &self,
        queries: Rows<'_>,
        request: &SearchRequest<'_>,
        first_id: u64,
        tops: &mut [TopK],
    ) -> Result<()> {
        assert_eq!(queries.len(), tops.len(), "one top-k per query");
        request.check(self.dim(), &knobs(), queries)?;
        self.nearest(queries, request)?.push_into(tops, first_id);
        Ok(())
    }

    fn merge_offset(&self) -> u64 {
        self.ids.next()
    }

    /// Ids are given in ascending order: those of `other` come behind all there have been.
    fn check_merge(&self, other: &dyn VectorIndex, add_id: u64) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &dyn Any).downcast_ref::<Self>().ok_or(refused)?;
        self.check_match(other)?;
        self.ids
            .check(other.ids.living(), add_id.saturating_add(other.ids.next()))?;
        match other.ids.iter().next() {
            Some((id, _)) if id + add_id < self.ids.next() => Err(Error::DuplicateId { id: id + add_id }),
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
            exact: Exact::new(self.metric, self.dim()),
            ids: Ids::default(),
            learned: None,
            scratches: Scratches::default(),
            ..*self
        })
    }

    fn renumber(&mut self) -> Result<()> {
        self.ids.renumber();
        Ok(())
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

impl Add for Near {
    fn add_on(&mut self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Range<u64>> {
        check_dim(self.dim(), vectors)?;
        check_finite("vector", vectors)?;
        check_size(vectors)?;
        let first = self.ids.next();
        let ids = first..first + vectors.len() as u64;
        self.ids.check(vectors.len(), ids.end)?;
        if !ids.is_empty() {
            self.append(vectors, ids.clone(), pool)?;
        }
        Ok(ids)
    }
}

impl Remove for Near {
    /// Removed vectors are no answers any more, but paths lead past them until everything is built anew: at the latest when
    /// they are half of all.
    fn remove_ids(&mut self, ids: &IdSelector<'_>, pool: Option<&Pool>) -> Result<usize> {
        let before = self.ids.clone();
        let gone = self.ids.remove(ids);
        if 2 * self.ids.living() < self.ids.slots()
            && let Err(error) = self.rebuild(pool)
        {
            self.ids = before;
            return Err(error);
        }
        Ok(gone)
    }
}

impl RangeSearch for Near {
    /// All selected vectors are compared.
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &knobs(), queries)?;
        Ok(self.within(queries, request))
    }
}

impl Reconstruct for Near {
    fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()> {
        let slot = self.ids.slot(id).ok_or(Error::UnknownId { id, len: self.len() })?;
        self.exact.decode(slot, out);
        Ok(())
    }
}

impl Merge for Near {
    fn merge_from(&mut self, other: &mut dyn VectorIndex, add_id: u64, pool: Option<&Pool>) -> Result<()> {
        self.check_merge(other, add_id)?;
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        let mut vectors = Vec::new();
        other
            .ids
            .iter()
            .for_each(|(_, slot)| other.exact.decode(slot, &mut vectors));
        let vectors = Rows::new(&vectors, self.dim()).expect("whole vectors");
        if !vectors.is_empty() {
            self.append(vectors, other.ids.iter().map(|(id, _)| id + add_id), pool)?;
        }
        other.exact = Exact::new(other.metric, other.exact.dim());
        other.ids = other.ids.emptied();
        other.learned = None;
        Ok(())
    }
}

impl Near {
    /// An empty index for vectors like those of a sample, which has to be of the right dimension and finite.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::NotFinite`].
    pub(crate) fn train(shape: NearShape, metric: Metric, sample: Rows<'_>, training: &Training<'_>) -> Result<Self> {
        check_finite("vector", sample)?;
        Self::new(shape, sample.dim(), metric, training.seed)
    }

    /// What [`save`](VectorIndex::save) wrote.
    pub(crate) fn load(shape: NearShape, dim: usize, metric: Metric, from: &Container<'_>) -> Result<Self> {
        persist::load(shape, dim, metric, from)
    }
}
