//! Training: k-means for each part of the components (Faiss: 25 iterations on at most 256 vectors per centroid).

use anear_cluster::KMeansParams;
use anear_kernels::{Random, Rows};
use anear_pool::Pool;

use super::{NBITS_MAX, Product};
use crate::{Error, QuantizerSpec, Result, Training};

/// What a product quantizer is trained with.
///
/// ```
/// use anear_kernels::Rows;
/// use anear_quant::{ProductParams, Quantizer, Training};
///
/// let sample: Vec<f32> = (0..400).map(|i| (i * i % 31) as f32).collect();
/// let sample = Rows::new(&sample, 4).unwrap();
/// let product = ProductParams { m: 2, nbits: 4 }.train(sample, &Training::default())?;
/// assert_eq!(product.code_len(), 1);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductParams {
    /// Parts of a vector; divides its dimension.
    pub m: usize,
    /// Bits per part, from 1 to 16.
    pub nbits: u32,
}

impl ProductParams {
    /// Learns the centroids of vectors like those of `sample`.
    ///
    /// # Errors
    /// [`Error::Parameters`] when `m` does not divide the dimension, `nbits` is not 1 to 16 or the sample is not finite;
    /// [`Error::TooFewTrainingVectors`] when there are fewer vectors than centroids.
    pub fn train(&self, sample: Rows<'_>, training: &Training<'_>) -> Result<Product> {
        self.check(sample.dim())?;
        let needed = 1 << self.nbits;
        if sample.len() < needed {
            return Err(Error::TooFewTrainingVectors {
                what: self.spec().to_string(),
                needed,
                got: sample.len(),
            });
        }
        let most = needed.saturating_mul(KMeansParams::new(needed).max_points_per_centroid);
        let chosen = Random::new(training.seed).sorted_sample(sample.len(), most);
        let chosen: Vec<f32> = chosen.into_iter().flat_map(|row| sample.row(row)).copied().collect();
        let dim = sample.dim() / self.m;
        let (mut centroids, mut parts) = (Vec::new(), Vec::new());
        for part in 0..self.m {
            gather(&chosen, sample.dim(), part * dim, dim, &mut parts);
            let parts = Rows::new(&parts, dim).expect("whole parts");
            let seed = training.seed.wrapping_add(part as u64);
            centroids.extend(codebook(parts, needed, seed, training.pool)?);
        }
        Product::from_parts(sample.dim(), self.m, self.nbits, centroids)
    }

    fn spec(&self) -> QuantizerSpec {
        QuantizerSpec::Product {
            m: self.m,
            nbits: self.nbits,
        }
    }

    pub(super) fn check(&self, dim: usize) -> Result<()> {
        let m = self.m;
        if m == 0 || dim == 0 || !dim.is_multiple_of(m) {
            return Err(Error::Parameters(format!(
                "{m} parts do not divide {dim} components; choose a divisor of the dimension"
            )));
        }
        self.check_nbits()
    }

    pub(crate) fn check_nbits(&self) -> Result<()> {
        match self.nbits {
            1..=NBITS_MAX => Ok(()),
            nbits => Err(Error::Parameters(format!(
                "codes have 1 to {NBITS_MAX} bits per part, not {nbits}"
            ))),
        }
    }
}

/// `k` centroids of these vectors.
pub(crate) fn codebook(vectors: Rows<'_>, k: usize, seed: u64, pool: Option<&Pool>) -> Result<Vec<f32>> {
    let params = KMeansParams {
        seed,
        ..KMeansParams::new(k)
    };
    let training = anear_cluster::Training {
        pool,
        ..Default::default()
    };
    match params.train(vectors, &training) {
        Ok(kmeans) => Ok(kmeans.into_centroids()),
        Err(error) => Err(Error::Parameters(error.to_string())),
    }
}

/// Replaces `parts` by the `len` components from `start` on of each of `vectors`.
fn gather(vectors: &[f32], dim: usize, start: usize, len: usize, parts: &mut Vec<f32>) {
    parts.clear();
    vectors
        .chunks_exact(dim)
        .for_each(|vector| parts.extend_from_slice(&vector[start..][..len]));
}
