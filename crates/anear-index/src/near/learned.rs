//! What was learned of the vectors, and built from them, once there were many.

use anear_kernels::{Metric, Rows};
use anear_quant::{Codes, TransformCode};

use super::NearShape;
use super::curve::Curves;
use super::exact::Exact;
use super::links::{Ends, Links, RowShape};
use super::lists::Lists;
use super::scratch::Scratch;
use super::space::{lengthen, offset};

/// Links of a vector, of which that is taken which reads fewer bytes: with 32, word embeddings (GloVe, 340,000 x 100) need
/// two and a half times as many visits for a recall of 0.95, sentence embeddings (100,000 x 384) one and a half.
const DEGREES: [usize; 2] = [64, 32];

/// How many times as far from the mean, squared, as the farthest of the typical vectors a stranger is.
const BEYOND: f32 = 2.0;

/// Codes, lists, links, and what they are good for.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    pub(super) code: TransformCode,
    /// By slot.
    pub(super) codes: Codes,
    pub(super) lists: Lists,
    pub(super) links: Option<Links>,
    /// The squared length of the longest of the typical vectors.
    pub(super) longest: f32,
    /// How far from the mean the typical vectors are at most, squared.
    pub(super) radius: f32,
    pub(super) strangers: Strangers,
    /// Of reading lists, and of walks, where they were measured.
    pub(super) read: Curves,
    pub(super) walk: Curves,
}

/// How many vectors are far beyond the typical ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strangers {
    /// Of those that were learned from, and of those that came since.
    pub(super) before: usize,
    pub(super) since: usize,
}

impl Learned {
    /// Whether a vector is far beyond all that the code was learned from: what it tells of such vectors is of no use.
    pub(super) fn is_stranger(&self, vector: &[f32]) -> bool {
        self.code.from_mean(vector) > BEYOND * self.radius
    }

    pub(super) fn strangers_among(&self, vectors: Rows<'_>) -> usize {
        vectors.iter().filter(|vector| self.is_stranger(vector)).count()
    }

    /// Rows that a graph may have, the widest first: with the codes of their ends where those fit, as walks take two thirds of
    /// the time then (texts, words); else without.
    pub(super) fn row_shapes(&self, shape: NearShape, exact: &Exact) -> Vec<RowShape> {
        let vector = exact.row_len() + self.code.code_len();
        let that_fit = |ends| {
            let rows = DEGREES.map(|degree| RowShape::new(&self.code, ends, degree));
            let rows = rows
                .into_iter()
                .filter(|row| shape.admits(vector + row.bytes_per_slot()));
            rows.collect::<Vec<_>>()
        };
        let inline = that_fit(Ends::Inline);
        match shape == NearShape::Lean || inline.is_empty() {
            true => that_fit(Ends::Lean),
            false => inline,
        }
    }

    /// Makes a query ready for estimating.
    pub(super) fn prepare(&self, query: &[f32], scratch: &mut Scratch) {
        let query = match self.code.metric() {
            Metric::L2 => query,
            metric => {
                scratch.lengthened.clear();
                scratch.lengthened.extend_from_slice(query);
                lengthen(metric, &mut scratch.lengthened, self.longest);
                &scratch.lengthened
            }
        };
        self.code.prepare(query, &mut scratch.query);
        scratch.offset = offset(&self.code, query, self.longest);
    }
}
