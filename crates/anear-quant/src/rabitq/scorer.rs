//! Distances from one query to codes.

use anear_kernels::{Metric, SplitQuery};

use super::{RaBitQ, Shape, encode::subtract};
use crate::Scorer;

/// Estimates of distances: the product of the query with the numbers of a code, put right by its factors.
pub(super) struct Estimator<'a> {
    rabitq: &'a RaBitQ,
    shape: Shape,
    query: &'a [f32],
    split: SplitQuery,
    line: Line,
}

/// How a product becomes a distance: `scale * (bias + first + second * (slope * product + offset))`, not below `least`.
#[derive(Clone, Copy, Debug)]
struct Line {
    scale: f32,
    bias: f32,
    slope: f32,
    offset: f32,
    least: f32,
}

impl Line {
    fn distance(&self, [first, second]: [f32; 2], product: f32) -> f32 {
        let estimate = self.bias + first + second * (self.slope * product + self.offset);
        (self.scale * estimate).max(self.least)
    }
}

impl<'a> Estimator<'a> {
    pub(super) fn new(rabitq: &'a RaBitQ, query: &'a [f32]) -> Self {
        let shape = rabitq.shape();
        let (split, line) = prepare(rabitq, shape, query, &rabitq.center);
        Self {
            rabitq,
            shape,
            query,
            split,
            line,
        }
    }

    fn finish<'c>(&self, code: impl Fn(usize) -> &'c [u8], out: &mut [f32]) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = self.line.distance(self.shape.factors(code(i)), *out);
        }
    }
}

/// What is known of a query before the first code around `center` comes.
fn prepare(rabitq: &RaBitQ, shape: Shape, query: &[f32], center: &[f32]) -> (SplitQuery, Line) {
    let metric = rabitq.params.metric;
    let mut residual = vec![0.0; query.len()];
    subtract(query, center, &mut residual);
    let squared = -Metric::InnerProduct.distance(&residual, &residual);
    // Rounded components are for products with signs, as in Faiss.
    if shape.rest == 0 && rabitq.params.query_bits > 0 {
        round(&mut residual, rabitq.params.query_bits);
    }
    let sum = residual.iter().map(|x| f64::from(*x)).sum::<f64>() as f32;
    let root = (shape.dim as f32).sqrt();
    let inner = metric == Metric::InnerProduct;
    let line = match (shape.rest, inner) {
        // The query and the centre, as far as they are in the distance: |r|^2, without |q|^2 for the inner product.
        (0, _) => Line {
            scale: if inner { 0.5 } else { 1.0 },
            bias: if inner {
                -metric.distance(center, center) + 2.0 * metric.distance(query, center)
            } else {
                squared
            },
            slope: -4.0 / root,
            offset: 2.0 * sum / root,
            least: if inner { f32::NEG_INFINITY } else { 0.0 },
        },
        (_, false) => Line {
            scale: 1.0,
            bias: squared,
            slope: 1.0,
            offset: -shape.zero() * sum,
            least: 0.0,
        },
        (_, true) => Line {
            scale: -1.0,
            bias: -metric.distance(query, center),
            slope: 1.0,
            offset: -shape.zero() * sum,
            least: f32::NEG_INFINITY,
        },
    };
    (
        SplitQuery::new(&residual, shape.rest, shape.rest_at(), shape.code_len()),
        line,
    )
}

/// Rounds to `2^bits` values at even distances between the smallest and the largest component.
fn round(components: &mut [f32], bits: u32) {
    let (least, most) = components
        .iter()
        .fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
    let step = (most - least) / ((1 << bits) - 1) as f32;
    if step > 0.0 {
        components
            .iter_mut()
            .for_each(|x| *x = least + ((*x - least) / step).round() * step);
    }
}

impl Scorer for Estimator<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        assert_eq!(origin.len(), self.query.len(), "an origin of the quantizer's dimension");
        let mut center = vec![0.0; origin.len()];
        super::encode::add(origin, &self.rabitq.center, &mut center);
        (self.split, self.line) = prepare(self.rabitq, self.shape, self.query, &center);
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        self.split.products(codes, out);
        let code_len = self.shape.code_len();
        self.finish(|i| &codes[i * code_len..][..code_len], out);
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        self.split.products_at(codes, slots, out);
        let code_len = self.shape.code_len();
        self.finish(|i| &codes[slots[i] as usize * code_len..][..code_len], out);
    }
}
