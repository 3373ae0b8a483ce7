//! Products of a matrix with many vectors, tiled in registers.
//!
//! Each component is one running total, to which products are added in order by the fused operation: the same bits on every
//! instruction set and in every batch. They are not those of inner products, which are summed up in another order.

use crate::{
    isa::simd::{Registers, WIDE},
    kernels::Kernels,
    rows::Rows,
};

/// A matrix laid out for being multiplied with vectors.
///
/// ```
/// use anear_kernels::{Matrix, Rows};
///
/// let rows = Rows::new(&[1.0, 2.0, 0.0, -1.0], 2).expect("two rows");
/// let mut products = [0.0; 4];
/// Matrix::new(rows).multiply(Rows::new(&[3.0, 4.0, 1.0, 0.0], 2).expect("two vectors"), &mut products);
/// assert_eq!(products, [11.0, -4.0, 1.0, 0.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Matrix {
    /// For each 32 rows, component after component, that of all of them; zeros make up for rows that are not there.
    panels: Vec<f32>,
    rows: usize,
    dim: usize,
}

impl Matrix {
    /// The matrix of these rows.
    pub fn new(rows: Rows<'_>) -> Self {
        let dim = rows.dim();
        let mut panels = vec![0.0; rows.len().next_multiple_of(WIDE) * dim];
        for (i, row) in rows.iter().enumerate() {
            let column = panels[i / WIDE * WIDE * dim + i % WIDE..].iter_mut().step_by(WIDE);
            column.zip(row).for_each(|(to, from)| *to = *from);
        }
        Self {
            panels,
            rows: rows.len(),
            dim,
        }
    }

    /// Writes the inner products of all rows with each of `vectors` to `products`, vector after vector.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn multiply(&self, vectors: Rows<'_>, products: &mut [f32]) {
        self.multiply_on(Kernels::get(), vectors, products);
    }

    /// As [`multiply`](Self::multiply), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn multiply_on(&self, kernels: &Kernels, vectors: Rows<'_>, products: &mut [f32]) {
        assert_eq!(vectors.dim(), self.dim, "vectors as long as the rows");
        assert_eq!(
            products.len(),
            vectors.len() * self.rows,
            "a place for each row and vector"
        );
        // SAFETY: `Kernels::for_isa` hands out kernels only where their instruction set is available.
        unsafe { (kernels.multiply)(self, vectors, products) }
    }
}

/// Vectors that pass over the matrix together: a multiple of what any tile takes. Reasoned, not tuned: a panel of 768
/// components comes from the second-level cache for each of these blocks, and is used for 50,000 cycles.
const BLOCK: usize = 96;

/// All products, in tiles of `W` registers of rows and `R` vectors.
#[inline(always)]
pub(crate) fn multiply<S: Registers, const W: usize, const R: usize>(
    simd: S,
    matrix: &Matrix,
    vectors: Rows<'_>,
    products: &mut [f32],
) {
    let (dim, rows) = (matrix.dim, matrix.rows);
    if rows == 0 {
        return;
    }
    let blocks = vectors.as_slice().chunks(BLOCK * dim);
    for (vectors, products) in blocks.zip(products.chunks_mut(BLOCK * rows)) {
        for first in (0..rows).step_by(W * S::LANES) {
            let panel = &matrix.panels[first / WIDE * WIDE * dim..][..WIDE * dim];
            let mut groups = vectors.chunks_exact(R * dim);
            let mut outs = products.chunks_exact_mut(R * rows);
            for (vectors, out) in groups.by_ref().zip(outs.by_ref()) {
                store(simd, tile::<S, W, R>(simd, panel, first % WIDE, vectors), first, out);
            }
        }
        let whole = vectors.len() / (R * dim) * R;
        let rest = vectors[whole * dim..].chunks_exact(dim);
        for (vector, out) in rest.zip(products[whole * rows..].chunks_exact_mut(rows)) {
            alone::<S, W>(simd, matrix, vector, out);
        }
    }
}

/// Panels that one vector passes over together: as many running totals hide how long an addition takes.
const PANELS: usize = 4;

/// The products of one vector with all rows.
#[inline(always)]
fn alone<S: Registers, const W: usize>(simd: S, matrix: &Matrix, vector: &[f32], out: &mut [f32]) {
    let (dim, step) = (matrix.dim, W * S::LANES);
    let panel = |first: usize| &matrix.panels[first / WIDE * WIDE * dim..][..WIDE * dim];
    let mut first = 0;
    while first + (PANELS - 1) * step < matrix.rows {
        let firsts: [usize; PANELS] = std::array::from_fn(|i| first + i * step);
        let panels = firsts.map(|first| &panel(first)[first % WIDE..]);
        let mut totals = [[simd.splat(0.0); W]; PANELS];
        for (i, component) in vector.iter().enumerate() {
            let component = simd.splat(*component);
            for (totals, panel) in totals.iter_mut().zip(panels) {
                for (w, total) in totals.iter_mut().enumerate() {
                    *total = simd.mul_add(simd.load(&panel[i * WIDE + w * S::LANES..]), component, *total);
                }
            }
        }
        for (totals, first) in totals.into_iter().zip(firsts) {
            store(simd, [totals], first, out);
        }
        first += PANELS * step;
    }
    for first in (first..matrix.rows).step_by(step) {
        store(
            simd,
            tile::<S, W, 1>(simd, panel(first), first % WIDE, vector),
            first,
            out,
        );
    }
}

/// The products of `R` vectors with `W` registers of a panel's rows, from row `lane` on.
#[inline(always)]
fn tile<S: Registers, const W: usize, const R: usize>(
    simd: S,
    panel: &[f32],
    lane: usize,
    vectors: &[f32],
) -> [[S::Reg; W]; R] {
    let dim = panel.len() / WIDE;
    assert_eq!(vectors.len(), R * dim, "as many vectors as the tile has");
    let mut totals = [[simd.splat(0.0); W]; R];
    for (i, column) in panel.chunks_exact(WIDE).enumerate() {
        let mut rows = [simd.splat(0.0); W];
        for (w, row) in rows.iter_mut().enumerate() {
            *row = simd.load(&column[lane + w * S::LANES..]);
        }
        for (r, totals) in totals.iter_mut().enumerate() {
            // SAFETY: `i` is below `dim`, and there are `R` vectors of `dim` components.
            let component = simd.splat(unsafe { *vectors.get_unchecked(r * dim + i) });
            for (total, row) in totals.iter_mut().zip(rows) {
                *total = simd.mul_add(row, component, *total);
            }
        }
    }
    totals
}

/// Writes the products with the rows from `first` on, as far as there are rows; `out` has as many places for each vector.
#[inline(always)]
fn store<S: Registers, const W: usize, const R: usize>(
    simd: S,
    products: [[S::Reg; W]; R],
    first: usize,
    out: &mut [f32],
) {
    for (products, out) in products.iter().zip(out.chunks_exact_mut(out.len() / R)) {
        for (&product, out) in products.iter().zip(out[first..].chunks_mut(S::LANES)) {
            if out.len() == S::LANES {
                simd.store(product, out);
            } else {
                let mut lanes = [0.0; WIDE];
                simd.store(product, &mut lanes);
                out.copy_from_slice(&lanes[..out.len()]);
            }
        }
    }
}
