//! The loops around a metric: one query against one vector, a run of vectors, or a list of them.

use crate::{
    isa::simd::{Simd, WIDE},
    metric::{Measure, inner_product::InnerProduct},
    prefetch::{self, prefetch},
    rows::Rows,
};

/// The distance of two vectors.
#[inline(always)]
pub(crate) fn pair<S: Simd, M: Measure>(simd: S, parameter: f32, x: &[f32], y: &[f32]) -> f32 {
    fold::<S, M>(simd, M::prepare(simd, parameter, x), x, y, |_| ())
}

/// `<x, x>`, in the canonical order.
#[inline(always)]
pub(crate) fn squared_norm<S: Simd>(simd: S, x: &[f32]) -> f32 {
    -pair::<S, InnerProduct>(simd, 0.0, x, x)
}

// How far ahead of the row being read memory is fetched. Without, AVX-512 read 21 GB/s, with 2, 4 and 8 KiB 27, 27
// and 30, with more no faster (Zen 5, bench `scan`): the processor's own prefetching stops at pages.
pub(crate) const AHEAD_BYTES: usize = 8192;

/// The distances of `query` to each of `rows`, written to `out`.
#[inline(always)]
pub(crate) fn run<S: Simd, M: Measure>(simd: S, parameter: f32, query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
    let prepared = M::prepare(simd, parameter, query);
    for (distance, row) in out.iter_mut().zip(rows) {
        let ahead = row.as_ptr().wrapping_byte_add(AHEAD_BYTES);
        *distance = fold::<S, M>(simd, prepared, query, row, |i| fetch(ahead, i));
    }
}

/// The distances of `query` to the rows at the positions of `list`, written to `out`.
#[inline(always)]
pub(crate) fn list<S: Simd, M: Measure>(
    simd: S,
    parameter: f32,
    query: &[f32],
    rows: Rows<'_>,
    list: &[usize],
    out: &mut [f32],
) {
    let prepared = M::prepare(simd, parameter, query);
    let rows_ahead = (AHEAD_BYTES / size_of_val(query).max(1)).clamp(1, 8);
    for &position in list.iter().take(rows_ahead) {
        prefetch(rows.row(position));
    }
    for (n, (distance, &position)) in out.iter_mut().zip(list).enumerate() {
        let row = rows.row(position);
        let ahead = list
            .get(n + rows_ahead)
            .map_or(row, |&position| rows.row(position))
            .as_ptr();
        *distance = fold::<S, M>(simd, prepared, query, row, |i| fetch(ahead, i));
    }
}

/// Fetches a chunk of 32 components.
#[inline(always)]
fn fetch(row: *const f32, chunk: usize) {
    prefetch::bytes_at(row.wrapping_add(chunk * WIDE).cast(), size_of::<[f32; WIDE]>());
}

/// One distance in the canonical order. `fetch` is told the number of each chunk of 32 components.
#[inline(always)]
fn fold<S: Simd, M: Measure>(simd: S, prepared: M::Prepared, x: &[f32], y: &[f32], fetch: impl Fn(usize)) -> f32 {
    assert_eq!(x.len(), y.len(), "vectors of different lengths have no distance");
    let ((x_chunks, x_rest), (y_chunks, y_rest)) = (x.as_chunks::<WIDE>(), y.as_chunks::<WIDE>());
    let mut state = M::start(simd, prepared);
    for (i, (x, y)) in x_chunks.iter().zip(y_chunks).enumerate() {
        fetch(i);
        state = M::step(simd, state, simd.load(x), simd.load(y));
    }
    if !x_rest.is_empty() {
        let len = x_rest.len();
        state = M::step(simd, state, simd.load_first(len, x_rest), simd.load_first(len, y_rest));
    }
    M::finish(simd, state, prepared, x, y)
}
