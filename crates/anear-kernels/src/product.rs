//! The register-tiled product of a batch: which pairs of query and row may be close enough to be worth measuring.
//!
//! The inner products here are fused and in any order, so they are not distances, only a filter:
//! a pair is dropped if even its most favorable rounding keeps it beyond the threshold. `bounds.rs` has the proof.

use crate::{
    isa::simd::Fused,
    nearest::{Columns, Minimum},
};

/// The most rows that any instruction set compares in one tile.
pub(crate) const TILE_ROWS: usize = 12;

/// For each row of a tile, one bit per query: whether the pair has to be measured. At most 32 queries.
pub(crate) type Tile = [u32; TILE_ROWS];

type Least = unsafe fn(&[f32], &[&[f32]], &[f32], &mut [f32]);

/// The product of one instruction set: compares a panel of `queries` with `rows` rows at a time.
///
/// A panel holds component 0 of every query, then component 1, and so on.
pub(crate) struct Product {
    pub(crate) queries: usize,
    pub(crate) rows: usize,
    /// Arguments: a panel, as many rows as `rows` says, the bounds of both.
    pub(crate) tile: unsafe fn(&[f32], &[&[f32]], &Bounds<'_>) -> Tile,
    /// Adds the inner products to a matrix of one row of `queries` floats per row. Arguments as for `tile`.
    pub(crate) multiply: unsafe fn(&[f32], &[&[f32]], &mut [f32]),
    /// As [`least`]. Arguments: a panel, as many rows as `rows` says, the weight of each, a float per query.
    pub(crate) least: Least,
    /// Lanes of a register.
    pub(crate) lanes: usize,
    /// Arguments: a panel with what goes with it, as many rows as `rows` says, the running minima of each.
    pub(crate) nearest: unsafe fn(&Columns<'_>, &[&[f32]], &mut [f32]),
    /// Arguments: running minima, what becomes of them.
    pub(crate) fold: unsafe fn(&mut [f32], &mut [Minimum]),
}

/// What the inner product of query `q` and row `x` must not be below: `slope[q] * weight[x] + offset[q]`.
///
/// NaN in any of the three lets the pair pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds<'a> {
    pub(crate) slope: &'a [f32],
    pub(crate) offset: &'a [f32],
    pub(crate) weight: &'a [f32],
}

/// Compares `W` registers of queries with `R` rows.
#[inline(always)]
pub(crate) fn tile<S: Fused, const W: usize, const R: usize>(
    simd: S,
    panel: &[f32],
    rows: &[&[f32]],
    bounds: &Bounds<'_>,
) -> Tile {
    let products = products::<S, W, R>(simd, panel, rows);
    passing::<S, W, R>(simd, &products, bounds)
}

/// The inner products of `W` registers of queries with `R` rows, fused, in the order of the components.
#[inline(always)]
pub(crate) fn products<S: Fused, const W: usize, const R: usize>(
    simd: S,
    panel: &[f32],
    rows: &[&[f32]],
) -> [[S::Reg; W]; R] {
    let dim = panel.len() / (W * S::LANES);
    let rows: &[&[f32]; R] = rows.try_into().expect("as many rows as the tile has");
    assert!(rows.iter().all(|row| row.len() == dim), "rows as long as the panel");
    let mut products = [[simd.splat(0.0); W]; R];
    for (i, column) in panel.chunks_exact(W * S::LANES).enumerate() {
        let mut queries = [simd.splat(0.0); W];
        for (w, query) in queries.iter_mut().enumerate() {
            *query = simd.load(&column[w * S::LANES..]);
        }
        for (products, row) in products.iter_mut().zip(rows) {
            // SAFETY: the panel has `dim` columns, so `i < dim`, and every row is `dim` long.
            let component = simd.splat(unsafe { *row.get_unchecked(i) });
            for (product, query) in products.iter_mut().zip(queries) {
                *product = simd.mul_add(query, component, *product);
            }
        }
    }
    products
}

/// Adds the inner products of `W` registers of queries with `R` rows to `out`.
#[inline(always)]
pub(crate) fn multiply<S: Fused, const W: usize, const R: usize>(
    simd: S,
    panel: &[f32],
    rows: &[&[f32]],
    out: &mut [f32],
) {
    let products = products::<S, W, R>(simd, panel, rows);
    for (products, out) in products.iter().zip(out.chunks_exact_mut(W * S::LANES)) {
        for (&product, out) in products.iter().zip(out.chunks_exact_mut(S::LANES)) {
            simd.store(simd.add(simd.load(out), product), out);
        }
    }
}

/// The least of `weight - product` over `R` rows, for each of `W` registers of queries. NaN is passed over or comes out.
#[inline(always)]
pub(crate) fn least<S: Fused, const W: usize, const R: usize>(
    simd: S,
    panel: &[f32],
    rows: &[&[f32]],
    weights: &[f32],
    out: &mut [f32],
) {
    let mut least = [simd.splat(f32::INFINITY); W];
    for (products, &weight) in products::<S, W, R>(simd, panel, rows).iter().zip(weights) {
        for (least, &product) in least.iter_mut().zip(products) {
            *least = simd.min(simd.sub(simd.splat(weight), product), *least);
        }
    }
    for (least, out) in least.into_iter().zip(out.chunks_exact_mut(S::LANES)) {
        simd.store(least, out);
    }
}

#[inline(always)]
fn passing<S: Fused, const W: usize, const R: usize>(
    simd: S,
    products: &[[S::Reg; W]; R],
    bounds: &Bounds<'_>,
) -> Tile {
    let mut tile = [0; TILE_ROWS];
    for (r, products) in products.iter().enumerate() {
        let weight = simd.splat(bounds.weight[r]);
        for (w, &product) in products.iter().enumerate() {
            let at = w * S::LANES;
            let bound = simd.mul_add(simd.load(&bounds.slope[at..]), weight, simd.load(&bounds.offset[at..]));
            let beyond = simd.less(product, bound);
            tile[r] |= (beyond ^ ((1 << S::LANES) - 1)) << at;
        }
    }
    tile
}
