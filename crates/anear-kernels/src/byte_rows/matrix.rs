//! Products of a matrix whose rows are rounded to bytes with one vector.

use super::{BLOCK, ByteRows, CHUNK};
use crate::{kernels::Kernels, rows::Rows};

/// A matrix that is read in a quarter of the memory, for products that need not be exact: each is off by half a step per
/// component at most, where a row has 255 steps from its least component to its greatest.
///
/// One vector has the same products on every instruction set. For many vectors at a time, or products without that
/// error, there is [`Matrix`](crate::Matrix).
///
/// ```
/// use anear_kernels::{ByteMatrix, Rows};
///
/// let matrix = ByteMatrix::new(Rows::new(&[1.0, 2.0, 0.0, -1.0], 2).expect("two rows"));
/// let (mut numbers, mut products) = (Vec::new(), [0.0; 2]);
/// matrix.multiply(&[3.0, 4.0], &mut numbers, &mut products);
/// assert!((products[0] - 11.0).abs() < 0.01 && (products[1] + 4.0).abs() < 0.01);
/// ```
#[derive(Clone, Debug)]
pub struct ByteMatrix(ByteRows);

impl ByteMatrix {
    /// The matrix of these rows.
    ///
    /// # Panics
    /// If memory is short.
    pub fn new(rows: Rows<'_>) -> Self {
        Self::on(Kernels::get(), rows)
    }

    /// As [`new`](Self::new), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn on(kernels: &Kernels, rows: Rows<'_>) -> Self {
        Self(ByteRows::on(kernels, rows).expect("memory for a quarter of the rows"))
    }

    /// Writes the inner products of all rows with `vector` to `products`; `numbers` is memory to work in.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn multiply(&self, vector: &[f32], numbers: &mut Vec<i16>, products: &mut [f32]) {
        self.multiply_on(Kernels::get(), vector, numbers, products);
    }

    /// As [`multiply`](Self::multiply), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn multiply_on(&self, kernels: &Kernels, vector: &[f32], numbers: &mut Vec<i16>, products: &mut [f32]) {
        let ByteRows {
            dim,
            stride,
            codes,
            lows,
            steps,
            ..
        } = &self.0;
        assert_eq!(vector.len(), *dim, "a vector as long as the rows");
        assert_eq!(products.len(), lows.len(), "a product per row");
        numbers.clear();
        numbers.resize(dim.next_multiple_of(CHUNK), 0);
        // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
        let whole = unsafe { (kernels.bytes.numbers)(vector, numbers) };
        let (of_low, of_step) = (whole.scale * whole.sum as f32, whole.scale);
        let facts = lows.chunks(BLOCK).zip(steps.chunks(BLOCK));
        let blocks = codes.chunks(BLOCK * stride).zip(products.chunks_mut(BLOCK));
        for ((codes, products), (lows, steps)) in blocks.zip(facts) {
            let mut found = [0; BLOCK];
            let found = &mut found[..products.len()];
            // SAFETY: as above.
            unsafe { (kernels.bytes.products)(numbers, codes, found) };
            for (((product, found), low), step) in products.iter_mut().zip(found).zip(lows).zip(steps) {
                *product = of_low * low + of_step * step * *found as f32;
            }
        }
    }
}
