//! Distances from one query to codes that lie one after the other.

use anear_kernels::{Metric, SplitQuery};

use super::{RaBitQ, Shape, encode};
use crate::{Scorer, terms};

/// What is known of a query before the first code around a centre comes.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The query without the centre.
    pub(super) residual: Vec<f32>,
    /// From the product with signs, 1 or 0, to the distance.
    pub(super) signs: Line,
    /// From the product with all bits to the distance.
    pub(super) numbers: Line,
    /// The length of the residual.
    pub(super) length: f32,
}

/// How a product becomes a distance: `scale * (bias + first + second * (slope * product + offset))`, not below `least`,
/// where `first` and `second` are factors of the code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) scale: f32,
    pub(super) bias: f32,
    pub(super) slope: f32,
    pub(super) offset: f32,
    least: f32,
}

impl Line {
    pub(super) fn distance(&self, [first, second]: [f32; 2], product: f32) -> f32 {
        let estimate = self.bias + first + second * (self.slope * product + self.offset);
        (self.scale * estimate).max(self.least)
    }
}

impl Prepared {
    pub(super) fn new(rabitq: &RaBitQ, query: &[f32], center: &[f32]) -> Self {
        let (metric, shape) = (rabitq.params.metric, rabitq.shape());
        let mut residual = vec![0.0; query.len()];
        encode::subtract(query, center, &mut residual);
        let squared = -Metric::InnerProduct.distance(&residual, &residual);
        // Rounded components are for products with signs, as in Faiss.
        if shape.rest == 0 && rabitq.params.query_bits > 0 {
            round(&mut residual, rabitq.params.query_bits);
        }
        let sum = encode::sum(&residual) as f32;
        let root = (shape.dim as f32).sqrt();
        let mut signs = Line {
            scale: 1.0,
            bias: squared,
            slope: -4.0 / root,
            offset: 2.0 * sum / root,
            least: 0.0,
        };
        let mut numbers = Line {
            slope: 1.0,
            offset: -shape.zero() * sum,
            ..signs
        };
        if metric == Metric::InnerProduct {
            let product = metric.distance(query, center);
            // |q - c|^2 - |q|^2 without the digits that would cancel.
            signs.bias = 2.0 * product - metric.distance(center, center);
            numbers.bias = -product;
            (signs.scale, numbers.scale) = (0.5, -1.0);
            (signs.least, numbers.least) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
        }
        Self {
            residual,
            signs,
            numbers: if shape.rest == 0 { signs } else { numbers },
            length: squared.sqrt(),
        }
    }

    /// As [`new`](Self::new), for codes of residuals from `origin`.
    pub(super) fn rebased(rabitq: &RaBitQ, query: &[f32], origin: &[f32]) -> Self {
        assert_eq!(origin.len(), query.len(), "an origin of the quantizer's dimension");
        let mut center = vec![0.0; origin.len()];
        encode::add(origin, &rabitq.center, &mut center);
        Self::new(rabitq, query, &center)
    }

    /// The residual, to be multiplied with all bits of codes.
    pub(super) fn split(&self, shape: Shape) -> SplitQuery {
        SplitQuery::new(&self.residual, shape.rest, shape.rest_at(), shape.code_len())
    }
}

/// Rounds to `2^bits` values at even distances between the smallest and the largest component.
fn round(components: &mut [f32], bits: u32) {
    let (least, most) = terms::range(components);
    let (least, most) = (least as f32, most as f32);
    let step = (most - least) / ((1 << bits) - 1) as f32;
    if step > 0.0 {
        components
            .iter_mut()
            .for_each(|x| *x = least + rounded((*x - least) / step) * step);
    }
}

/// As [`f32::round`] for a number of steps, which is small and not negative: the same, in vectors.
fn rounded(steps: f32) -> f32 {
    let whole = steps as i32 as f32;
    whole + if steps - whole >= 0.5 { 1.0 } else { 0.0 }
}

/// Estimates of distances: the product of the query with the numbers of a code, put right by its factors.
pub(super) struct Estimator<'a> {
    rabitq: &'a RaBitQ,
    query: &'a [f32],
    split: SplitQuery,
    line: Line,
}

impl<'a> Estimator<'a> {
    pub(super) fn new(rabitq: &'a RaBitQ, query: &'a [f32]) -> Self {
        let prepared = Prepared::new(rabitq, query, &rabitq.center);
        Self {
            rabitq,
            query,
            split: prepared.split(rabitq.shape()),
            line: prepared.numbers,
        }
    }

    /// Makes products distances.
    fn finish<'c>(&self, code: impl Fn(usize) -> &'c [u8], out: &mut [f32]) {
        let shape = self.rabitq.shape();
        for (i, out) in out.iter_mut().enumerate() {
            *out = self.line.distance(shape.factors(code(i)), *out);
        }
    }
}

impl Scorer for Estimator<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        let prepared = Prepared::rebased(self.rabitq, self.query, origin);
        (self.split, self.line) = (prepared.split(self.rabitq.shape()), prepared.numbers);
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        self.split.products(codes, out);
        let code_len = self.rabitq.shape().code_len();
        self.finish(|i| &codes[i * code_len..][..code_len], out);
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        self.split.products_at(codes, slots, out);
        let code_len = self.rabitq.shape().code_len();
        self.finish(|i| &codes[slots[i] as usize * code_len..][..code_len], out);
    }
}
