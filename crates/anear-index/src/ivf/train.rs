//! Learning the centroids of the lists, and the codes of what goes into them.

use anear_cluster::KMeansParams;
use anear_kernels::{Metric, Rows};
use anear_quant::Training;

use super::Ivf;
use super::router::Router;
use crate::error::check_finite;
use crate::{IvfSpec, Result, VectorIndex, VectorIndexExt as _};

/// Iterations of k-means, as in Faiss's inverted files: more hardly change where lists end.
const NITER: usize = 10;

/// Vectors from which codes are learned, as many as Faiss's product quantizers take for 256 centroids.
const SAMPLE_MAX: usize = 1 << 16;

impl Ivf {
    /// An empty index that has learned from `sample`.
    ///
    /// # Errors
    /// [`Error::Quantizer`](crate::Error::Quantizer) and [`Error::Cluster`](crate::Error::Cluster) when the sample is
    /// too small, [`Error::NotFinite`](crate::Error::NotFinite), and those of [`Ivf::new`].
    pub fn train(spec: &IvfSpec, metric: Metric, sample: Rows<'_>, training: &Training<'_>) -> Result<Self> {
        check_finite("vector", sample)?;
        let centroids = centroids(spec.nlist, metric, sample, training)?;
        let centroids = Rows::new(&centroids, sample.dim()).expect("whole centroids");
        let mut coarse = spec.coarse.train(metric, centroids, training)?;
        coarse.add(centroids)?;
        Self::train_over(coarse, spec, metric, sample, training)
    }

    /// An empty index whose lists are those of the vectors in `coarse` and whose codes have learned from `sample`; what
    /// the blueprint says of lists is of no account.
    ///
    /// # Errors
    /// [`Error::Quantizer`](crate::Error::Quantizer) when the sample is too small,
    /// [`Error::NotFinite`](crate::Error::NotFinite), and those of [`Ivf::new`].
    pub fn train_over(
        coarse: Box<dyn VectorIndex>,
        spec: &IvfSpec,
        metric: Metric,
        sample: Rows<'_>,
        training: &Training<'_>,
    ) -> Result<Self> {
        check_finite("vector", sample)?;
        let router = Router::new(coarse)?;
        let part = sample.slice(0..sample.len().min(SAMPLE_MAX));
        let quantizer = if spec.by_residual {
            let residuals = router.residuals(part, &router.assign(part, training.pool)?);
            let residuals = Rows::new(&residuals, part.dim()).expect("one residual per vector");
            spec.codes.train_for_residuals(metric, residuals, training)?
        } else {
            spec.codes.train(metric, part, training)?
        };
        Self::over(router, metric, quantizer, spec.by_residual)
    }
}

fn centroids(nlist: usize, metric: Metric, sample: Rows<'_>, training: &Training<'_>) -> Result<Vec<f32>> {
    let params = match metric {
        Metric::InnerProduct => KMeansParams::spherical(nlist),
        _ => KMeansParams::new(nlist),
    };
    let params = KMeansParams {
        niter: NITER,
        seed: training.seed,
        ..params
    };
    let clustering = anear_cluster::Training {
        pool: training.pool,
        ..Default::default()
    };
    Ok(params.train(sample, &clustering)?.into_centroids())
}
