//! How a vector becomes bytes and how those bytes are compared with a query.
//!
//! An index decides where to look; a [`Quantizer`] decides how a vector is stored and compared. Index shapes and
//! quantizers compose, so each is written once.
//!
//! Two ways to compare, because they are two problems:
//!
//! - many queries against one packed run of codes: [`Quantizer::scan`], which a quantizer may fuse;
//! - one query against blocks or single codes of the index's choosing: [`Quantizer::scorer`].
//!
//! # Adding a quantizer
//!
//! Write a module with a type that implements [`Quantizer`]; the scans are provided. Training is not part of the trait:
//! parameters have a `train` that returns the quantizer, so an untrained one does not exist. [`Raw`] is the shortest
//! example. Then give it a variant in [`QuantizerSpec`], in reading, printing, training, loading and
//! [`EXAMPLES`](QuantizerSpec::EXAMPLES): the conformance suites run over that list.
//!
//! ```
//! use anear_kernels::{IdSelector, Metric, Rows, TopK};
//! use anear_quant::{CodeRun, Quantizer, Raw};
//!
//! let raw = Raw::new(2);
//! let codes = raw.codes_of(Rows::new(&[0.0, 0.0, 3.0, 4.0], 2).unwrap())?;
//!
//! let query = Rows::new(&[3.0, 3.0], 2).unwrap();
//! let mut tops = [TopK::new(1)];
//! raw.scan(Metric::L2, query, &CodeRun::all(&codes), &IdSelector::All, &mut tops);
//! let [top] = tops;
//! assert_eq!(top.into_sorted()[0].id, 1);
//! # Ok::<(), anear_quant::Error>(())
//! ```
#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::ops::Range;

use anear_bytes::AlignedBytes;
use anear_kernels::{IdSelector, Metric, Neighbor, Rows, TopK};

mod codes;
mod error;
mod fast_scan;
mod lsh;
mod product;
mod rabitq;
mod random;
mod raw;
mod residual;
mod scalar;
mod spec;
mod terms;
pub mod transform;
mod transform_code;

pub use codes::{BLOCK_LEN, Codes, Layout};
pub use error::{Error, Result};
pub use fast_scan::{FastScan, FastScanParams};
pub use lsh::{Lsh, LshParams};
pub use product::{Product, ProductParams};
pub use rabitq::{RaBitQ, RaBitQFastScan, RaBitQParams};
pub use raw::Raw;
pub use residual::{NormKind, Residual, ResidualParams};
pub use scalar::{RangeStat, Scalar, ScalarKind, ScalarParams};
pub use spec::{QuantizerSpec, Training};
pub use transform_code::{Spectrum, TransformCode, TransformedQuery};

/// Codes scored per virtual call: 256 distances are 1 KiB of stack and hide the call behind any code length.
const BLOCK: usize = 8 * BLOCK_LEN;

/// Queries that are compared with the same codes while these are in the cache: then memory is read an eighth as often. The
/// tables of some quantizers take megabytes for each.
const TOGETHER: usize = 8;

/// Bytes of those codes: a share of any second-level cache.
const CACHED_BYTES: usize = 128 << 10;

/// How a vector becomes bytes, and how those bytes are compared with a query.
///
/// Codes are [`code_len`](Self::code_len) bytes each. They are made and given back one after the other, and lie in a
/// [`Codes`] of the quantizer's [`layout`](Self::layout) in between. A quantizer does not change once it is trained:
/// indexes and their copies share it.
pub trait Quantizer: Any + fmt::Debug + Send + Sync {
    /// What trains one like this.
    fn spec(&self) -> QuantizerSpec;

    /// Components per vector.
    fn dim(&self) -> usize;

    /// Bytes per vector.
    fn code_len(&self) -> usize;

    /// How its codes lie in memory.
    fn layout(&self) -> Layout {
        Layout::Rows
    }

    /// Whether vectors can be compared by `metric`.
    fn supports(&self, metric: Metric) -> bool;

    /// Whether codes are the vectors themselves: nothing is lost.
    fn is_exact(&self) -> bool {
        false
    }

    /// Whether preparing a [`Scorer`] costs more than comparing some hundred codes: then lists of residuals are compared
    /// through their inner products with the query, which are prepared once for all lists.
    fn scorer_is_costly(&self) -> bool {
        false
    }

    /// What the address of codes must be a multiple of where they are compared one by one ([`Scorer::score_at`]), as graphs
    /// do; see [`Codes::try_align`].
    fn alignment(&self) -> usize {
        1
    }

    /// Appends one code per row, one after the other whatever the layout.
    ///
    /// # Panics
    /// When the rows have another dimension.
    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes);

    /// As [`encode`](Self::encode), of what vectors differ by from an origin each: the `i`-th from row `of[i]` of `origins`.
    ///
    /// Scored after [`Scorer::rebase`] to the same origin. Override it where codes depend on the vector too.
    ///
    /// # Panics
    /// When dimensions differ, or there is not one origin per residual.
    fn encode_residuals(&self, residuals: Rows<'_>, origins: Rows<'_>, of: &[u32], codes: &mut AlignedBytes) {
        assert_eq!(residuals.len(), of.len(), "one origin per residual");
        assert_eq!(residuals.dim(), origins.dim(), "origins of the residuals' dimension");
        self.encode(residuals, codes);
    }

    /// Appends one row per code; what the code lost stays lost. The codes lie one after the other.
    ///
    /// # Panics
    /// When `codes` is not a whole number of codes.
    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>);

    /// The squared norm that a code keeps of what it stands for, where codes do; rounded, as distances by L2 take it.
    fn kept_norm(&self, _code: &[u8]) -> Option<f32> {
        None
    }

    /// Distances from one query. Metric, layout and instruction set are resolved here, once per query.
    ///
    /// # Panics
    /// When the query has another dimension, or the metric is not supported.
    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a>;

    /// Everything that [`QuantizerSpec::load`] needs besides the dimension.
    fn save(&self) -> Vec<u8>;

    /// No codes yet, in this quantizer's layout.
    fn new_codes(&self) -> Codes {
        Codes::new(self.layout(), self.code_len())
    }

    /// The codes of these vectors.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    ///
    /// # Panics
    /// When the rows have another dimension.
    fn codes_of(&self, vectors: Rows<'_>) -> Result<Codes> {
        let mut codes = self.new_codes();
        let mut rows = AlignedBytes::new();
        self.encode(vectors, &mut rows);
        codes.extend_from_rows(rows.as_slice())?;
        Ok(codes)
    }

    /// Pushes the codes of `run` that `keep` admits into the `i`-th top-k of the `i`-th query.
    ///
    /// Provided: one [`Scorer`] per query. Override it where many queries at once are cheaper; the answer must be the
    /// same.
    ///
    /// # Panics
    /// When the dimensions differ or there is not one top-k per query.
    fn scan(&self, metric: Metric, queries: Rows<'_>, run: &CodeRun<'_>, keep: &IdSelector<'_>, tops: &mut [TopK]) {
        assert_eq!(queries.len(), tops.len(), "one top-k per query");
        for (first, tops) in (0..).step_by(TOGETHER).zip(tops.chunks_mut(TOGETHER)) {
            let queries = queries.slice(first..first + tops.len());
            let scorers: Vec<_> = queries.iter().map(|query| self.scorer(metric, query)).collect();
            for run in run.cached() {
                for (scorer, top) in scorers.iter().zip(&mut *tops) {
                    run.for_each_block(|codes, ids| scorer.scan(codes, ids, keep, top));
                }
            }
        }
    }

    /// Whether [`scan_list`](Self::scan_list) compares many queries at once for less than one after the other.
    fn scans_batches(&self) -> bool {
        false
    }

    /// Pushes the codes of a list, of which the `i`-th has the id `ids[i]`, into the `i`-th top-k of the `i`-th query
    /// where `keep` admits them.
    ///
    /// Provided like [`scan`](Self::scan).
    ///
    /// # Panics
    /// When the dimensions differ, or there is not one top-k per query and one id per code.
    fn scan_list(
        &self,
        metric: Metric,
        queries: Rows<'_>,
        codes: &Codes,
        ids: &[u64],
        keep: &IdSelector<'_>,
        tops: &mut [TopK],
    ) {
        assert_eq!(queries.len(), tops.len(), "one top-k per query");
        assert_eq!(codes.len(), ids.len(), "one id per code");
        for (query, top) in queries.iter().zip(tops) {
            let scorer = self.scorer(metric, query);
            for (start, ids) in (0..).step_by(BLOCK).zip(ids.chunks(BLOCK)) {
                scorer.scan(codes.bytes_of(start..start + ids.len()), ids, keep, top);
            }
        }
    }

    /// The codes of `run` that `keep` admits and that are closer than `radius`, by ascending id.
    ///
    /// Provided over [`Scorer`], like [`scan`](Self::scan).
    fn scan_range(
        &self,
        metric: Metric,
        query: &[f32],
        run: &CodeRun<'_>,
        keep: &IdSelector<'_>,
        radius: f32,
    ) -> Vec<Neighbor> {
        let mut out = Vec::new();
        let scorer = self.scorer(metric, query);
        run.for_each_block(|codes, ids| scorer.scan_range(codes, ids, keep, radius, &mut out));
        out
    }
}

/// Codes that lie together and have consecutive ids.
#[derive(Clone, Debug)]
pub struct CodeRun<'a> {
    /// Where they are.
    pub codes: &'a Codes,
    /// Which of them; in a layout of blocks they begin at a block.
    pub slots: Range<usize>,
    /// The id of the first.
    pub first_id: u64,
}

impl<'a> CodeRun<'a> {
    /// All codes, numbered from 0.
    pub fn all(codes: &'a Codes) -> Self {
        Self {
            codes,
            slots: 0..codes.len(),
            first_id: 0,
        }
    }

    /// The bytes, as they lie.
    pub fn bytes(&self) -> &'a [u8] {
        self.codes.bytes_of(self.slots.clone())
    }

    /// Its parts that stay in the cache.
    fn cached(&self) -> impl Iterator<Item = Self> {
        let Range { start, end } = self.slots;
        let len = (CACHED_BYTES / self.codes.code_len().max(1))
            .max(1)
            .next_multiple_of(BLOCK);
        (start..end).step_by(len).map(move |from| Self {
            slots: from..end.min(from + len),
            first_id: self.first_id + (from - start) as u64,
            ..*self
        })
    }

    /// Calls `visit` with at most [`BLOCK`] codes and their ids at a time.
    fn for_each_block(&self, mut visit: impl FnMut(&[u8], &[u64])) {
        let mut ids: [u64; BLOCK] = std::array::from_fn(|i| self.first_id + i as u64);
        for start in self.slots.clone().step_by(BLOCK) {
            let end = self.slots.end.min(start + BLOCK);
            visit(self.codes.bytes_of(start..end), &ids[..end - start]);
            ids.iter_mut().for_each(|id| *id += BLOCK as u64);
        }
    }
}

/// Distances from one fixed query to many codes; smaller is closer.
///
/// One virtual call per block, never per code. Codes are given as they lie in the quantizer's layout, from the beginning
/// of a block on where there are blocks; how many they are is told by the ids or the places for distances.
pub trait Scorer: Send {
    /// From here on codes stand for `vector - origin`: lists of residuals.
    ///
    /// Only for L2 and inner product.
    ///
    /// # Panics
    /// When the origin has another dimension, or the metric is another one.
    fn rebase(&mut self, origin: &[f32]);

    /// `out[i]` = distance to the `i`-th of `codes`: for lists, which are read in order.
    fn score_block(&self, codes: &[u8], out: &mut [f32]);

    /// `out[i]` = distance to the code in slot `slots[i]` of `codes`: for graphs, which jump.
    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]);

    /// Pushes the `codes`, at most 256, of which the `i`-th has the id `ids[i]`, into `top` where `keep` admits them.
    ///
    /// Override it to prune against [`TopK::threshold`].
    fn scan(&self, codes: &[u8], ids: &[u64], keep: &IdSelector<'_>, top: &mut TopK) {
        let mut distances = [0.0; BLOCK];
        let distances = &mut distances[..ids.len()];
        self.score_block(codes, distances);
        push_near(ids, distances, keep, top);
    }

    /// As [`scan`](Self::scan), with `bias + terms[i] + scale * score` for the distance to the `i`-th code.
    ///
    /// For lists of residuals that are scored by inner product, prepared once for all lists: with `-<q, r>` as score,
    /// `|q - c - r|^2 = |q - c|^2 + (|r|^2 + 2 <c, r>) + 2 * score`.
    ///
    /// # Panics
    /// When there is not one term per id.
    #[expect(
        clippy::too_many_arguments,
        reason = "a scan, and the three parts of a distance around its scores"
    )]
    fn scan_with_terms(
        &self,
        codes: &[u8],
        ids: &[u64],
        scale: f32,
        bias: f32,
        terms: &[f32],
        keep: &IdSelector<'_>,
        top: &mut TopK,
    ) {
        assert_eq!(terms.len(), ids.len(), "one term per code");
        let mut distances = [0.0; BLOCK];
        let distances = &mut distances[..ids.len()];
        self.score_block(codes, distances);
        terms::apply(scale, bias, terms, distances);
        push_near(ids, distances, keep, top);
    }

    /// Appends those of `codes`, at most 256, that `keep` admits and that are closer than `radius`.
    fn scan_range(&self, codes: &[u8], ids: &[u64], keep: &IdSelector<'_>, radius: f32, out: &mut Vec<Neighbor>) {
        let mut distances = [0.0; BLOCK];
        let distances = &mut distances[..ids.len()];
        self.score_block(codes, distances);
        out.extend(neighbors(ids, distances).filter(|n| n.distance < radius && keep.contains(n.id)));
    }
}

/// Pushes what is near enough and wanted.
fn push_near(ids: &[u64], distances: &[f32], keep: &IdSelector<'_>, top: &mut TopK) {
    for (ids, distances) in ids.chunks(BLOCK_LEN).zip(distances.chunks(BLOCK_LEN)) {
        let threshold = top.threshold();
        // Without a branch per distance; hardly any block has one close enough.
        if !distances
            .iter()
            .fold(false, |any, &distance| any | (distance <= threshold))
        {
            continue;
        }
        for Neighbor { id, distance } in neighbors(ids, distances) {
            push_wanted(id, distance, keep, top);
        }
    }
}

/// Pushes a neighbor that is near enough and wanted.
#[inline]
fn push_wanted(id: u64, distance: f32, keep: &IdSelector<'_>, top: &mut TopK) {
    // An equal distance may still win its place by a smaller id.
    if distance <= top.threshold() && keep.contains(id) {
        top.push(Neighbor { id, distance });
    }
}

fn neighbors<'a>(ids: &'a [u64], distances: &'a [f32]) -> impl Iterator<Item = Neighbor> + 'a {
    ids.iter()
        .zip(distances)
        .map(|(&id, &distance)| Neighbor { id, distance })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_scored_by_inner_product_with_terms_have_their_distance_by_l2() {
        let (query, origin) = ([3.0, -1.0], [1.0, 2.0]);
        let residuals: Vec<f32> = (0..60).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
        let raw = Raw::new(2);
        let codes = raw.codes_of(Rows::new(&residuals, 2).unwrap()).unwrap();
        let dot = |x: &[f32], y: &[f32]| x[0] * y[0] + x[1] * y[1];
        let terms: Vec<f32> = residuals.chunks(2).map(|r| dot(r, r) + 2.0 * dot(&origin, r)).collect();
        let bias = Metric::L2.distance(&query, &origin);

        let ids: Vec<u64> = (100..130).collect();
        let keep = IdSelector::Range(103..127);
        let (mut with_terms, mut rebased) = (TopK::new(8), TopK::new(8));
        let scorer = raw.scorer(Metric::InnerProduct, &query);
        scorer.scan_with_terms(codes.as_bytes(), &ids, 2.0, bias, &terms, &keep, &mut with_terms);
        let mut scorer = raw.scorer(Metric::L2, &query);
        scorer.rebase(&origin);
        scorer.scan(codes.as_bytes(), &ids, &keep, &mut rebased);
        // Small integers: all arithmetic is exact.
        assert_eq!(with_terms.into_sorted(), rebased.into_sorted());
    }
}
