//! The loops around a metric: one query against one vector, a run of vectors, or a list of them.

use crate::{
    isa::simd::{Simd, WIDE},
    metric::Measure,
    metric::inner_product::InnerProduct,
};

/// The distance of two vectors.
#[inline(always)]
pub(crate) fn pair<S: Simd, M: Measure>(simd: S, x: &[f32], y: &[f32]) -> f32 {
    let prepared = M::prepare(simd, x);
    let [distance] = group::<S, M, 1>(simd, prepared, x, [y]);
    distance
}

/// `<x, x>`, in the canonical order.
#[inline(always)]
pub(crate) fn squared_norm<S: Simd>(simd: S, x: &[f32]) -> f32 {
    -pair::<S, InnerProduct>(simd, x, x)
}

/// The distances of `query` to the vectors that `row` returns for 0, 1, ..., written to `out`.
///
/// `G` vectors are compared at a time, to have enough independent additions in flight.
#[inline(always)]
pub(crate) fn many<'a, S: Simd, M: Measure, const G: usize>(
    simd: S,
    query: &[f32],
    row: impl Fn(usize) -> &'a [f32],
    out: &mut [f32],
) {
    let prepared = M::prepare(simd, query);
    let mut next = 0;
    let (groups, rest) = out.as_chunks_mut::<G>();
    for distances in groups {
        *distances = group::<S, M, G>(simd, prepared, query, std::array::from_fn(|i| row(next + i)));
        next += G;
    }
    for distance in rest {
        [*distance] = group::<S, M, 1>(simd, prepared, query, [row(next)]);
        next += 1;
    }
}

/// The distances of `x` to `G` vectors.
#[inline(always)]
fn group<S: Simd, M: Measure, const G: usize>(simd: S, prepared: M::Prepared, x: &[f32], ys: [&[f32]; G]) -> [f32; G] {
    let (x_chunks, x_rest) = x.as_chunks::<WIDE>();
    let mut y_chunks = [x_chunks; G];
    for (chunks, y) in y_chunks.iter_mut().zip(ys) {
        assert_eq!(x.len(), y.len(), "vectors of different lengths have no distance");
        *chunks = &y.as_chunks().0[..x_chunks.len()];
    }
    let mut states = [M::start(simd); G];
    for (i, chunk) in x_chunks.iter().enumerate() {
        let chunk = simd.load(chunk);
        for (state, y_chunks) in states.iter_mut().zip(&y_chunks) {
            *state = M::step(simd, *state, chunk, simd.load(&y_chunks[i]));
        }
    }
    if !x_rest.is_empty() {
        let (start, len) = (x.len() - x_rest.len(), x_rest.len());
        let chunk = simd.load_first(len, x_rest);
        for (state, y) in states.iter_mut().zip(ys) {
            *state = M::step(simd, *state, chunk, simd.load_first(len, &y[start..]));
        }
    }
    let mut distances = [0.0; G];
    for ((distance, state), y) in distances.iter_mut().zip(states).zip(ys) {
        *distance = M::finish(simd, state, prepared, x, y);
    }
    distances
}
