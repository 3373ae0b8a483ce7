//! Vectors of length 1 (Faiss: `NormalizationTransform`).

use anear_kernels::{Rows, RowsMut, normalize};

use super::{Transform, TransformSpec};
use crate::Result;

/// Scales vectors to length 1; zero stays zero. The way back leaves them as they are: their lengths are lost.
///
/// ```
/// use anear_kernels::Rows;
/// use anear_quant::transform::{Normalize, Transform};
///
/// let mut out = Vec::new();
/// Normalize::new(2).apply(Rows::new(&[3.0, 4.0], 2).unwrap(), &mut out);
/// assert_eq!(out, [0.6, 0.8]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Normalize {
    dim: usize,
}

impl Normalize {
    /// For vectors of `dim` components.
    ///
    /// # Panics
    /// When `dim` is 0.
    pub fn new(dim: usize) -> Self {
        assert!(dim > 0, "a vector has at least one component");
        Self { dim }
    }
}

impl Transform for Normalize {
    fn spec(&self) -> TransformSpec {
        TransformSpec::Normalize
    }

    fn dim_in(&self) -> usize {
        self.dim
    }

    fn dim_out(&self) -> usize {
        self.dim
    }

    fn apply(&self, vectors: Rows<'_>, out: &mut Vec<f32>) {
        assert_eq!(vectors.dim(), self.dim, "vectors of the transform's dimension");
        let start = out.len();
        out.extend_from_slice(vectors.as_slice());
        normalize(&mut RowsMut::new(&mut out[start..], self.dim).expect("whole rows"));
    }

    fn reverse(&self, vectors: Rows<'_>, out: &mut Vec<f32>) -> Result<()> {
        assert_eq!(vectors.dim(), self.dim, "vectors that the transform made");
        out.extend_from_slice(vectors.as_slice());
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        Vec::new()
    }
}
