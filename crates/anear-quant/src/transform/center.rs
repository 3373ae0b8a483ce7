//! Vectors without their mean (Faiss: `CenteringTransform`).

use anear_bytes::Cursor;
use anear_kernels::Rows;

use super::{Transform, TransformSpec, check_dim, check_floats, mean, put_floats, take_floats};
use crate::{Error, Result};

/// Takes the mean of the sample from every vector.
///
/// ```
/// use anear_kernels::Rows;
/// use anear_quant::transform::{Center, Transform};
///
/// let mut out = Vec::new();
/// Center::new(vec![1.0, 2.0])?.apply(Rows::new(&[1.0, 1.0], 2).unwrap(), &mut out);
/// assert_eq!(out, [0.0, -1.0]);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Center {
    mean: Vec<f32>,
}

impl Center {
    /// Takes `mean` from every vector.
    ///
    /// # Errors
    /// [`Error::Parameters`] when it has no component, or one that is not finite.
    pub fn new(mean: Vec<f32>) -> Result<Self> {
        check_dim(mean.len())?;
        check_floats("a mean", &mean, mean.len())?;
        Ok(Self { mean })
    }

    pub(super) fn train(sample: Rows<'_>) -> Result<Self> {
        if sample.is_empty() {
            return Err(Error::TooFewTrainingVectors {
                what: "Center".into(),
                needed: 1,
                got: 0,
            });
        }
        Self::new(mean(sample))
    }

    pub(super) fn load(dim: usize, cursor: &mut Cursor<'_>) -> Result<Self> {
        let mean = take_floats(cursor, "mean")?;
        check_floats("a mean", &mean, dim)?;
        Self::new(mean)
    }

    /// What is taken from every vector.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    fn map(&self, vectors: Rows<'_>, out: &mut Vec<f32>, f: impl Fn(f32, f32) -> f32) {
        assert_eq!(vectors.dim(), self.mean.len(), "vectors of the transform's dimension");
        out.extend(
            vectors
                .as_slice()
                .iter()
                .zip(self.mean.iter().cycle())
                .map(|(x, mean)| f(*x, *mean)),
        );
    }
}

impl Transform for Center {
    fn spec(&self) -> TransformSpec {
        TransformSpec::Center
    }

    fn dim_in(&self) -> usize {
        self.mean.len()
    }

    fn dim_out(&self) -> usize {
        self.mean.len()
    }

    fn apply(&self, vectors: Rows<'_>, out: &mut Vec<f32>) {
        self.map(vectors, out, |x, mean| x - mean);
    }

    fn reverse(&self, vectors: Rows<'_>, out: &mut Vec<f32>) -> Result<()> {
        self.map(vectors, out, |x, mean| x + mean);
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_floats(&mut out, &self.mean);
        out
    }
}
