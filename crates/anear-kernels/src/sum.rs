//! Weighted sums of rows: how centroids are made.

use crate::{isa::simd::Registers, kernels::Kernels, prefetch::prefetch, rows::Rows};

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

// Rows that are read side by side: each total is loaded and stored once for all of them.
const ABREAST: usize = 4;

// The rows are anywhere in memory: those this far ahead in the list are fetched, of each as much as this.
const AHEAD: usize = 12;
const FETCHED_BYTES: usize = 1024;

/// The sum of the listed rows, a few rows at a time.
#[inline(always)]
pub(crate) fn sum<S: Registers>(simd: S, rows: Rows<'_>, list: &[usize], weights: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    let (fours, rest) = list.as_chunks::<ABREAST>();
    let (four_weights, rest_weights) = weights.as_chunks::<ABREAST>();
    for (i, (&four, &weights)) in fours.iter().zip(four_weights).enumerate() {
        for &position in list.iter().skip(i * ABREAST + AHEAD).take(ABREAST) {
            fetch(rows.row(position));
        }
        add(simd, four.map(|position| rows.row(position)), weights, out);
    }
    for (&position, &weight) in rest.iter().zip(rest_weights) {
        add(simd, [rows.row(position)], [weight], out);
    }
}

/// Fetches what a row begins with; the processor's own prefetching does the rest.
#[inline(always)]
fn fetch(row: &[f32]) {
    prefetch(&row[..row.len().min(FETCHED_BYTES / size_of::<f32>())]);
}

/// Adds each of `rows`, in order.
#[inline(always)]
fn add<S: Registers, const N: usize>(simd: S, rows: [&[f32]; N], weights: [f32; N], out: &mut [f32]) {
    let wide = out.len() / S::LANES * S::LANES;
    for (i, out) in (0..).step_by(S::LANES).zip(out[..wide].chunks_exact_mut(S::LANES)) {
        let mut total = simd.load(out);
        for (row, &weight) in rows.iter().zip(&weights) {
            total = simd.add(total, simd.mul(simd.load(&row[i..]), simd.splat(weight)));
        }
        simd.store(total, out);
    }
    for (i, total) in out.iter_mut().enumerate().skip(wide) {
        for (row, weight) in rows.iter().zip(&weights) {
            *total += row[i] * weight;
        }
    }
}
