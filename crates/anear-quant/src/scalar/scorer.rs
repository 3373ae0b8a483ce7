//! How codes are compared with a query: in the numbers they are made of, or decoded a few at a time.

use anear_kernels::{Metric, PackedQuery, Rows};

use super::Scalar;
use crate::{BLOCK_LEN, Quantizer, Scorer};

/// The fastest scorer there is for this metric.
pub(super) fn scorer<'a>(scalar: &'a Scalar, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
    match metric {
        Metric::L2 | Metric::InnerProduct => Box::new(Packed {
            prepared: prepare(scalar, metric, query, None),
            scalar,
            metric,
            query,
        }),
        _ => Box::new(Decoding { scalar, metric, query }),
    }
}

/// Compares numbers: all that a query and the ranges say about a distance is known before the first code comes.
struct Packed<'a> {
    scalar: &'a Scalar,
    metric: Metric,
    query: &'a [f32],
    prepared: PackedQuery,
}

impl Scorer for Packed<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        assert_eq!(origin.len(), self.query.len(), "an origin of the quantizer's dimension");
        self.prepared = prepare(self.scalar, self.metric, self.query, Some(origin));
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        self.prepared.distances(codes, out);
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        self.prepared.distances_at(codes, slots, out);
    }
}

/// The query in terms of numbers.
fn prepare(scalar: &Scalar, metric: Metric, query: &[f32], origin: Option<&[f32]>) -> PackedQuery {
    let packing = scalar.kind.packing();
    let origin = |i: usize| origin.map_or(0.0, |origin| f64::from(origin[i]));
    let lines = scalar.lines().zip(query).enumerate();
    let components = lines.map(|(i, ((zero, step), &query))| (f64::from(query), zero + origin(i), step));
    match metric {
        Metric::L2 => PackedQuery::squares(
            packing,
            components.map(|(query, zero, step)| ((query - zero) as f32, step as f32)),
        ),
        _ => {
            let bias: f64 = components.clone().map(|(query, zero, _)| query * zero).sum();
            PackedQuery::products(
                packing,
                components.map(|(query, _, step)| -(query * step) as f32),
                -bias as f32,
            )
        }
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
