//! Many queries against many rows.

use crate::{kernels::Kernels, metric::Metric, rows::Rows, select::TopK, selector::IdSelector};

/// [`scan`](crate::scan) for every query, with the same answers to the bit, at a fraction of the time.
///
/// `tops[i]` belongs to query `i`.
///
/// # Panics
/// If `tops` are not as many as `queries`, or the dimensions differ.
pub fn scan_batch(
    metric: Metric,
    queries: Rows<'_>,
    rows: Rows<'_>,
    first_id: u64,
    keep: &IdSelector<'_>,
    tops: &mut [TopK],
) {
    Kernels::get().scan_batch(metric, queries, rows, first_id, keep, tops);
}

impl Kernels {
    /// As [`scan_batch`], on this instruction set.
    pub fn scan_batch(
        &self,
        metric: Metric,
        queries: Rows<'_>,
        rows: Rows<'_>,
        first_id: u64,
        keep: &IdSelector<'_>,
        tops: &mut [TopK],
    ) {
        assert_eq!(queries.len(), tops.len(), "one top-k per query");
        for (query, top) in queries.iter().zip(tops) {
            self.scan(metric, query, rows, first_id, keep, top);
        }
    }
}
