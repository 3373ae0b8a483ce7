//! Distances by lookup: the query's table, and sums of its entries.

use std::cell::OnceCell;

use anear_kernels::{IdSelector, LookupTable, Metric, TopK};

use super::Product;
use crate::{BLOCK, BLOCK_LEN, Quantizer, Scorer, push_near, terms};

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
pub(super) struct Lookup<'a> {
    table: Table<'a>,
    halves: OnceCell<Halves>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(table: Table<'a>) -> Self {
        Self {
            table,
            halves: OnceCell::new(),
        }
    }

    fn lookup(&self) -> LookupTable<'_> {
        LookupTable {
            nbits: self.table.product.nbits,
            entries: &self.table.entries,
            start: self.table.start,
        }
    }

    fn halves(&self) -> &Halves {
        self.halves.get_or_init(|| Halves::of(&self.lookup()))
    }
}

impl Scorer for Lookup<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        self.table.rebase(origin);
        self.halves = OnceCell::new();
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        self.lookup().sums(codes, f32::INFINITY, out);
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        self.lookup().sums_at(codes, slots, out);
    }

    fn scan(&self, codes: &[u8], ids: &[u64], keep: &IdSelector<'_>, top: &mut TopK) {
        let mut distances = [0.0; BLOCK];
        let distances = &mut distances[..ids.len()];
        let limit = self.halves().limit(top.threshold().into());
        self.lookup().sums(codes, limit, distances);
        push_near(ids, distances, keep, top);
    }

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
        let (lookup, halves) = (self.lookup(), self.halves());
        let blocks = codes.chunks(BLOCK_LEN * self.table.product.code_len());
        for ((codes, ids), terms) in blocks.zip(ids.chunks(BLOCK_LEN)).zip(terms.chunks(BLOCK_LEN)) {
            let mut distances = [0.0; BLOCK_LEN];
            let distances = &mut distances[..ids.len()];
            let score = terms::score_limit(top.threshold(), scale, bias, terms, halves.magnitude);
            lookup.sums(codes, halves.limit(score), distances);
            terms::apply(scale, bias, terms, distances);
            push_near(ids, distances, keep, top);
        }
    }
}

/// What the sum of the [first half](LookupTable::first_half) of the parts says of the whole sum.
///
/// A sum in `f32` of `n` entries is off by at most `gamma(n) A`, where `A` is the sum of their largest magnitudes and
/// `gamma(n) = n u / (1 - n u)`, `u = 2^-24` (Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.1). So
/// where the whole sum is at most `limit`, that of the first half is at most `limit - rest + 2 gamma(n) A`, with `rest` for
/// the sum of the smallest entries of all other parts. Four times `n u A` covers that and the roundings in `f64`.
#[derive(Debug)]
struct Halves {
    rest: f64,
    slack: f64,
    magnitude: f64,
}

impl Halves {
    fn of(table: &LookupTable<'_>) -> Self {
        let ranges: Vec<_> = table.entries.chunks_exact(1 << table.nbits).map(terms::range).collect();
        let largest = ranges.iter().map(|(min, max)| max.abs().max(min.abs()));
        let magnitude = f64::from(table.start).abs() + largest.sum::<f64>();
        Self {
            rest: ranges[table.first_half()..].iter().map(|(min, _)| min).sum(),
            slack: 2.0 * (ranges.len() + 8) as f64 * f64::from(f32::EPSILON),
            magnitude,
        }
    }

    /// What the sum of the first half may be where the whole sum is at most `limit`; infinite where numbers fail.
    fn limit(&self, limit: f64) -> f32 {
        let half = limit - self.rest + self.slack * (self.magnitude + limit.abs());
        if half.is_nan() {
            f32::INFINITY
        } else {
            (half as f32).next_up()
        }
    }
}
