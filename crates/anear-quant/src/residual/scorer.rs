//! Distances to sums of entries: from a table of inner products, or decoded.

use anear_kernels::{Metric, Rows};

use super::{Residual, squared_norm};
use crate::{BLOCK_LEN, Quantizer, Scorer};

/// Inner products with all entries; by L2 with the norms in the codes.
pub(super) struct Sums<'a> {
    residual: &'a Residual,
    metric: Metric,
    query: &'a [f32],
    /// Negated inner products.
    table: Vec<f32>,
    /// What every distance begins with.
    start: f32,
}

impl<'a> Sums<'a> {
    pub(super) fn new(residual: &'a Residual, metric: Metric, query: &'a [f32]) -> Self {
        let mut sums = Self {
            residual,
            metric,
            query,
            table: vec![0.0; residual.params.entries()],
            start: 0.0,
        };
        sums.fill(query);
        if metric == Metric::L2 {
            sums.start = squared_norm(query);
        }
        sums
    }

    fn fill(&mut self, query: &[f32]) {
        for (stage, book) in self.residual.codebooks.iter().enumerate() {
            let table = &mut self.table[self.residual.params.entries_of(stage)];
            book.distances(Metric::InnerProduct, query, table);
        }
    }

    fn score(&self, code: &[u8]) -> f32 {
        let product = self.residual.chosen(code).map(|entry| self.table[entry]).sum::<f32>();
        if self.metric == Metric::L2 {
            self.start + self.residual.norm(code) + 2.0 * product
        } else {
            self.start + product
        }
    }
}

impl Scorer for Sums<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        if self.metric == Metric::L2 {
            let query = difference(self.query, origin);
            self.fill(&query);
            self.start = squared_norm(&query);
        } else {
            self.start = self.metric.distance(self.query, origin);
        }
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        for (out, code) in out.iter_mut().zip(codes.chunks_exact(self.residual.code_len())) {
            *out = self.score(code);
        }
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        let code_len = self.residual.code_len();
        for (out, &slot) in out.iter_mut().zip(slots) {
            *out = self.score(&codes[slot as usize * code_len..][..code_len]);
        }
    }
}

/// L2 without norms: to what codes stand for.
pub(super) struct Decoded<'a> {
    residual: &'a Residual,
    query: Vec<f32>,
    original: &'a [f32],
}

impl<'a> Decoded<'a> {
    pub(super) fn new(residual: &'a Residual, query: &'a [f32]) -> Self {
        assert_eq!(query.len(), residual.dim, "a query of the quantizer's dimension");
        Self {
            residual,
            query: query.to_vec(),
            original: query,
        }
    }

    /// A few codes at a time: decoded, they stay in L1.
    fn score<'c>(&self, mut codes: impl Iterator<Item = &'c [u8]>, out: &mut [f32]) {
        let mut vectors = Vec::new();
        for out in out.chunks_mut(BLOCK_LEN) {
            vectors.clear();
            codes
                .by_ref()
                .take(out.len())
                .for_each(|code| self.residual.decode_one(code, &mut vectors));
            let vectors = Rows::new(&vectors, self.residual.dim).expect("whole vectors");
            Metric::L2.distances(&self.query, vectors, out);
        }
    }
}

impl Scorer for Decoded<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        self.query = difference(self.original, origin);
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        self.score(codes.chunks_exact(self.residual.code_len()), out);
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        let code_len = self.residual.code_len();
        self.score(
            slots.iter().map(|&slot| &codes[slot as usize * code_len..][..code_len]),
            out,
        );
    }
}

fn difference(query: &[f32], origin: &[f32]) -> Vec<f32> {
    assert_eq!(query.len(), origin.len(), "an origin of the query's dimension");
    query.iter().zip(origin).map(|(q, o)| q - o).collect()
}
