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
//! Write a module with a type that implements [`Quantizer`]; only `encode`, `decode` and `scorer` are needed.
//! Training is not part of the trait: parameters have a `train` that returns the quantizer, so an untrained one does
//! not exist. [`Raw`] is the shortest example.
//!
//! ```
//! use anear_bytes::AlignedBytes;
//! use anear_kernels::{IdSelector, Metric, Rows, TopK};
//! use anear_quant::{Quantizer, Raw};
//!
//! let raw = Raw::new(2);
//! let mut codes = AlignedBytes::new();
//! raw.encode(Rows::new(&[0.0, 0.0, 3.0, 4.0], 2).unwrap(), &mut codes);
//!
//! let query = Rows::new(&[3.0, 3.0], 2).unwrap();
//! let mut tops = [TopK::new(1)];
//! raw.scan(Metric::L2, query, codes.as_slice(), 0, &IdSelector::All, &mut tops);
//! let [top] = tops;
//! assert_eq!(top.into_sorted()[0].id, 1);
//! ```
#![forbid(unsafe_code)]

use std::fmt;

use anear_bytes::AlignedBytes;
use anear_kernels::{IdSelector, Metric, Neighbor, Rows, TopK};

mod raw;

pub use raw::Raw;

/// Codes scored per virtual call: 256 distances are 1 KiB of stack and hide the call behind any code length.
const BLOCK: usize = 256;

/// How a vector becomes bytes, and how those bytes are compared with a query.
///
/// Codes are packed, [`code_len`](Self::code_len) bytes each, in a buffer aligned to 64 bytes. A slice of codes handed
/// back to a quantizer begins at a code of such a buffer.
pub trait Quantizer: fmt::Debug + Send + Sync {
    /// Components per vector.
    fn dim(&self) -> usize;

    /// Bytes per vector.
    fn code_len(&self) -> usize;

    /// Appends one code per row.
    ///
    /// # Panics
    /// When the rows have another dimension.
    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes);

    /// Appends one row per code; what the code lost stays lost.
    ///
    /// # Panics
    /// When `codes` is not a whole number of codes.
    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>);

    /// Distances from one query. Metric, layout and instruction set are resolved here, once per query.
    ///
    /// # Panics
    /// When the query has another dimension.
    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a>;

    /// Pushes the codes that `keep` admits into the `i`-th top-k of the `i`-th query; the `j`-th code has the id
    /// `first_id + j`.
    ///
    /// Provided: one [`Scorer`] per query. Override it where many queries at once are cheaper; the answer must be the
    /// same.
    ///
    /// # Panics
    /// When the dimensions differ or there is not one top-k per query.
    fn scan(
        &self,
        metric: Metric,
        queries: Rows<'_>,
        codes: &[u8],
        first_id: u64,
        keep: &IdSelector<'_>,
        tops: &mut [TopK],
    ) {
        assert_eq!(queries.len(), tops.len(), "one top-k per query");
        for (query, top) in queries.iter().zip(tops) {
            let scorer = self.scorer(metric, query);
            for_each_block(codes, self.code_len(), first_id, |codes, ids| {
                scorer.scan(codes, ids, keep, top);
            });
        }
    }

    /// The codes that `keep` admits and that are closer than `radius`, by ascending id; the `j`-th code has the id
    /// `first_id + j`.
    ///
    /// Provided over [`Scorer`], like [`scan`](Self::scan).
    fn scan_range(
        &self,
        metric: Metric,
        query: &[f32],
        codes: &[u8],
        first_id: u64,
        keep: &IdSelector<'_>,
        radius: f32,
    ) -> Vec<Neighbor> {
        let mut out = Vec::new();
        let scorer = self.scorer(metric, query);
        let mut distances = [0.0; BLOCK];
        for_each_block(codes, self.code_len(), first_id, |codes, ids| {
            let distances = &mut distances[..ids.len()];
            scorer.score_block(codes, distances);
            out.extend(neighbors(ids, distances).filter(|n| n.distance < radius && keep.contains(n.id)));
        });
        out
    }
}

/// Distances from one fixed query to many codes; smaller is closer.
///
/// One virtual call per block, never per code.
///
/// Its only users so far are the default [`Quantizer::scan`] and [`Quantizer::scan_range`] and the tests: it is the
/// border that quantizers and indexes to come are built on.
pub trait Scorer: Send {
    /// `out[i]` = distance to the `i`-th of the packed `codes`: for lists, which are read in order.
    ///
    /// No index calls it yet: the defaults of [`scan`](Self::scan) and [`Quantizer::scan_range`] do.
    fn score_block(&self, codes: &[u8], out: &mut [f32]);

    /// `out[i]` = distance to the code in slot `slots[i]` of `codes`: for graphs, which jump.
    ///
    /// Only tests call it yet; the graphs to come will.
    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]);

    /// Pushes the packed `codes`, of which the `i`-th has the id `ids[i]`, into `top` where `keep` admits them.
    ///
    /// Override it to prune against [`TopK::threshold`].
    fn scan(&self, codes: &[u8], ids: &[u64], keep: &IdSelector<'_>, top: &mut TopK) {
        let code_len = codes.len().checked_div(ids.len()).unwrap_or(1).max(1);
        let mut distances = [0.0; BLOCK];
        for (codes, ids) in codes.chunks(BLOCK * code_len).zip(ids.chunks(BLOCK)) {
            let distances = &mut distances[..ids.len()];
            self.score_block(codes, distances);
            for neighbor in neighbors(ids, distances) {
                // An equal distance may still win its place by a smaller id.
                if neighbor.distance <= top.threshold() && keep.contains(neighbor.id) {
                    top.push(neighbor);
                }
            }
        }
    }
}

/// Calls `visit` with at most [`BLOCK`] codes and their consecutive ids at a time.
fn for_each_block(codes: &[u8], code_len: usize, first_id: u64, mut visit: impl FnMut(&[u8], &[u64])) {
    let mut ids: [u64; BLOCK] = std::array::from_fn(|i| first_id + i as u64);
    for codes in codes.chunks(BLOCK * code_len) {
        visit(codes, &ids[..codes.len() / code_len]);
        ids.iter_mut().for_each(|id| *id += BLOCK as u64);
    }
}

fn neighbors<'a>(ids: &'a [u64], distances: &'a [f32]) -> impl Iterator<Item = Neighbor> + 'a {
    ids.iter()
        .zip(distances)
        .map(|(&id, &distance)| Neighbor { id, distance })
}
