//! Distances by lookup: the query's table, and sums of its entries.

use anear_kernels::{LookupTable, Metric};

use super::Product;
use crate::Scorer;

/// A query's distances to all centroids of all parts.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    product: &'a Product,
    metric: Metric,
    query: &'a [f32],
    /// `[m][2^nbits]`.
    pub(crate) entries: Vec<f32>,
    /// What every distance begins with.
    pub(crate) start: f32,
}

impl<'a> Table<'a> {
    pub(crate) fn new(product: &'a Product, metric: Metric, query: &'a [f32]) -> Self {
        let mut table = Self {
            product,
            metric,
            query,
            entries: vec![0.0; product.table_len()],
            start: 0.0,
        };
        table.fill(query);
        table
    }

    fn fill(&mut self, query: &[f32]) {
        self.product.codebooks.distances(self.metric, query, &mut self.entries);
    }

    /// See [`Scorer::rebase`].
    pub(crate) fn rebase(&mut self, origin: &[f32]) {
        assert_eq!(origin.len(), self.query.len(), "an origin of the query's dimension");
        if self.metric == Metric::L2 {
            let residual: Vec<f32> = self.query.iter().zip(origin).map(|(q, o)| q - o).collect();
            self.fill(&residual);
        } else {
            self.start = self.metric.distance(self.query, origin);
        }
    }
}

/// Codes one after the other.
pub(super) struct Lookup<'a>(pub(super) Table<'a>);

impl Lookup<'_> {
    fn table(&self) -> LookupTable<'_> {
        LookupTable {
            nbits: self.0.product.nbits,
            entries: &self.0.entries,
            start: self.0.start,
        }
    }
}

impl Scorer for Lookup<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        self.0.rebase(origin);
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        self.table().sums(codes, out);
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        self.table().sums_at(codes, slots, out);
    }
}
