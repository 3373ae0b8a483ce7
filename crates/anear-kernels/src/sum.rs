//! Weighted sums of rows: how centroids are made.

use crate::{isa::simd::Registers, kernels::Kernels, rows::Rows};

/// Writes the sum of the rows at the positions of `list`, each times its weight, to `out`.
///
/// Every component is added in the order of the list, so the bits are the same on every instruction set.
///
/// ```
/// use anear_kernels::{Rows, weighted_sum};
///
/// let rows = Rows::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2).expect("three rows");
/// let mut sum = [0.0; 2];
/// weighted_sum(rows, &[0, 2], &[1.0, 10.0], &mut sum);
/// assert_eq!(sum, [51.0, 62.0]);
/// ```
///
/// # Panics
/// If a length does not fit, or a position is not below `rows.len()`.
pub fn weighted_sum(rows: Rows<'_>, list: &[usize], weights: &[f32], out: &mut [f32]) {
    Kernels::get().weighted_sum(rows, list, weights, out);
}

impl Kernels {
    /// As [`weighted_sum`], on this instruction set.
    pub fn weighted_sum(&self, rows: Rows<'_>, list: &[usize], weights: &[f32], out: &mut [f32]) {
        assert_eq!(list.len(), weights.len(), "one weight per position");
        assert_eq!(out.len(), rows.dim(), "a sum of rows is a row");
        // SAFETY: `for_isa` hands out a table only where its instruction set is available.
        unsafe { (self.weighted_sum)(rows, list, weights, out) }
    }
}

// Independent totals that hide the time of an addition; 8 registers of AVX-512 are 512 bytes of every row.
const TOTALS: usize = 8;

/// The sum of the listed rows, a strip of components at a time.
#[inline(always)]
pub(crate) fn strips<S: Registers>(simd: S, rows: Rows<'_>, list: &[usize], weights: &[f32], out: &mut [f32]) {
    let width = TOTALS * S::LANES;
    let (wide, rest) = out.split_at_mut(out.len() / width * width);
    for (strip, out) in wide.chunks_exact_mut(width).enumerate() {
        let mut totals = [simd.splat(0.0); TOTALS];
        for (&position, &weight) in list.iter().zip(weights) {
            let row = &rows.row(position)[strip * width..][..width];
            let weight = simd.splat(weight);
            for (total, components) in totals.iter_mut().zip(row.chunks_exact(S::LANES)) {
                *total = simd.add(*total, simd.mul(simd.load(components), weight));
            }
        }
        for (&total, out) in totals.iter().zip(out.chunks_exact_mut(S::LANES)) {
            simd.store(total, out);
        }
    }
    rest.fill(0.0);
    for (&position, &weight) in list.iter().zip(weights) {
        for (total, &component) in rest.iter_mut().zip(&rows.row(position)[wide.len()..]) {
            *total += component * weight;
        }
    }
}
