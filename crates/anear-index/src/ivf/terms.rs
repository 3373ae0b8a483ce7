//! What lets lists of residuals be compared through inner products, prepared once for all lists.
//!
//! For a query `q`, a centroid `c` and a decoded residual `r`, both of the former without the mean of all centroids,
//!
//! ```text
//! |q - c - r|^2 = |q - c|^2 + (|r|^2 + 2 <c, r>) - 2 <q, r>
//! ```
//!
//! of which the second term belongs to the vector and is kept beside its code, the first is one distance per list, and
//! only the last depends on query and code. Without the mean, which cancels, the terms are no larger than the distance
//! they make up, and nothing is lost to rounding. Faiss keeps a table of such terms per list and sub-vector instead.

use anear_kernels::{Metric, Rows};
use anear_quant::Quantizer;

/// The mean of the centroids.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    mean: Vec<f32>,
}

impl Terms {
    pub(super) fn new(centroids: Rows<'_>) -> Self {
        let mut sums = vec![0.0_f64; centroids.dim()];
        for centroid in centroids {
            sums.iter_mut().zip(centroid).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        let count = centroids.len().max(1) as f64;
        Self {
            mean: sums.iter().map(|sum| (sum / count) as f32).collect(),
        }
    }

    /// `x` without the mean.
    pub(super) fn shifted(&self, x: &[f32]) -> Vec<f32> {
        x.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect()
    }

    /// The term of each of these codes, one after the other, in the list of this centroid, appended to `out`. Where codes
    /// keep the norm of what they stand for, it is that, as in Faiss.
    pub(super) fn extend(&self, quantizer: &dyn Quantizer, centroid: &[f32], codes: &[u8], out: &mut Vec<f32>) {
        let centroid = self.shifted(centroid);
        let product = |x: &[f32], y: &[f32]| -Metric::InnerProduct.distance(x, y);
        let mut residuals = Vec::new();
        quantizer.decode(codes, &mut residuals);
        let residuals = Rows::new(&residuals, quantizer.dim()).expect("whole vectors");
        let terms = residuals.iter().zip(codes.chunks_exact(quantizer.code_len()));
        out.extend(terms.map(|(r, code)| {
            let norm = quantizer.kept_norm(code).unwrap_or_else(|| product(r, r));
            norm + 2.0 * product(&centroid, r)
        }));
    }
}
