//! How codes are compared with a query: in the numbers they are made of, or decoded a few at a time.

use anear_kernels::{Metric, PackedQuery, Rows};

use super::Scalar;
use crate::{BLOCK_LEN, Quantizer, Scorer};

/// The fastest scorer there is for this metric.
pub(super) fn scorer<'a>(scalar: &'a Scalar, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
    match metric {
        Metric::L2 | Metric::InnerProduct => Box::new(Packed::new(scalar, metric, query)),
        _ => Box::new(Decoding { scalar, metric, query }),
    }
}

/// Compares numbers: all that a query and the ranges say about a distance is known before the first code comes.
struct Packed<'a> {
    metric: Metric,
    query: &'a [f32],
    /// What the number 0 of each component stands for.
    zeros: Vec<f64>,
    prepared: PackedQuery,
    /// For each component, how far the query is from the number 0.
    offsets: Vec<f32>,
}

impl<'a> Packed<'a> {
    fn new(scalar: &Scalar, metric: Metric, query: &'a [f32]) -> Self {
        let packing = scalar.kind.packing();
        let (zeros, steps): (Vec<f64>, Vec<f64>) = scalar.lines().unzip();
        let (offsets, origin) = (vec![0.0; query.len()], vec![0.0; query.len()]);
        let prepared = if metric == Metric::L2 {
            let steps: Vec<f32> = steps.iter().map(|step| *step as f32).collect();
            PackedQuery::squares(packing, &offsets, &steps)
        } else {
            let weights = steps.iter().zip(query);
            let weights: Vec<f32> = weights.map(|(step, q)| -(f64::from(*q) * step) as f32).collect();
            PackedQuery::products(packing, &weights, 0.0)
        };
        let mut packed = Self {
            metric,
            query,
            zeros,
            prepared,
            offsets,
        };
        packed.rebase(&origin);
        packed
    }
}

impl Scorer for Packed<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        assert_eq!(origin.len(), self.query.len(), "an origin of the quantizer's dimension");
        let zeros = self.zeros.iter().zip(origin);
        let zeros = zeros.map(|(zero, origin)| zero + f64::from(*origin));
        let components = self.query.iter().map(|query| f64::from(*query)).zip(zeros);
        if self.metric == Metric::L2 {
            let offsets = self.offsets.iter_mut().zip(components);
            offsets.for_each(|(offset, (query, zero))| *offset = (query - zero) as f32);
            self.prepared.set_offsets(&self.offsets);
        } else {
            let bias: f64 = components.map(|(query, zero)| query * zero).sum();
            self.prepared.set_bias(-bias as f32);
        }
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        self.prepared.distances(codes, out);
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        self.prepared.distances_at(codes, slots, out);
    }
}

/// Decodes a block of codes at a time and measures.
struct Decoding<'a> {
    scalar: &'a Scalar,
    metric: Metric,
    query: &'a [f32],
}

impl Decoding<'_> {
    /// Replaces `rows` by the vectors of these codes.
    fn measure(&self, codes: &[u8], rows: &mut Vec<f32>, out: &mut [f32]) {
        rows.clear();
        self.scalar.decode(codes, rows);
        let rows = Rows::new(rows, self.query.len()).expect("as many components as the query has");
        self.metric.distances(self.query, rows, out);
    }
}

impl Scorer for Decoding<'_> {
    fn rebase(&mut self, _origin: &[f32]) {
        panic!("residuals are not compared by {}", self.metric);
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        let mut rows = Vec::new();
        for (codes, out) in codes
            .chunks(BLOCK_LEN * self.scalar.code_len())
            .zip(out.chunks_mut(BLOCK_LEN))
        {
            self.measure(codes, &mut rows, out);
        }
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        let (mut rows, code_len) = (Vec::new(), self.scalar.code_len());
        for (slot, out) in slots.iter().zip(out.chunks_mut(1)) {
            self.measure(&codes[*slot as usize * code_len..][..code_len], &mut rows, out);
        }
    }
}
