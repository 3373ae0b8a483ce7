//! What k-means is told: how many clusters, how to begin, when to stop.

use std::fmt;

use anear_kernels::{Metric, Rows};
use anear_pool::Pool;

use crate::error::{Error, Result, check};
use crate::kmeans::IterationStats;

/// How the first centroids are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Init {
    /// Different vectors at random (Faiss `RANDOM`).
    #[default]
    Random,
    /// k-means++ (Arthur & Vassilvitskii 2007): each with a probability in proportion to its squared distance from
    /// those chosen before. Costs about as much as a few iterations (Faiss `KMEANS_PLUS_PLUS`).
    PlusPlus,
    /// AFK-MC² (Bachem et al. 2016): approximates k-means++ by Markov chains, without a pass over all vectors for
    /// each centroid (Faiss `AFK_MC2`).
    AfkMc2 {
        /// Steps of a chain; Faiss's default is 50.
        chain_length: usize,
    },
}

/// The parameters of k-means, with Faiss's names and defaults.
///
/// ```
/// use anear_cluster::{Init, KMeansParams};
///
/// let params = KMeansParams {
///     niter: 10,
///     init: Init::PlusPlus,
///     ..KMeansParams::new(64)
/// };
/// assert_eq!(params.max_points_per_centroid, 256);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct KMeansParams {
    /// Number of clusters.
    pub k: usize,
    /// Iterations at most: they end earlier once no vector changes its cluster any more.
    pub niter: usize,
    /// How many times to begin anew; the best objective counts.
    pub nredo: usize,
    /// By which distance vectors are assigned: [`Metric::L2`] or [`Metric::InnerProduct`].
    pub metric: Metric,
    /// Normalize the centroids after every update.
    pub spherical: bool,
    /// Round the centroids to whole numbers after every update.
    pub int_centroids: bool,
    /// Keep the given initial centroids as they are.
    pub frozen_centroids: bool,
    /// Fewer vectors than this for each centroid are worth a [`TooFewPoints`](crate::TooFewPoints).
    pub min_points_per_centroid: usize,
    /// More vectors than this for each centroid are not used: a random sample takes their place.
    pub max_points_per_centroid: usize,
    /// Where all randomness comes from.
    pub seed: u64,
    /// How the first centroids are chosen.
    pub init: Init,
    /// Stop once an iteration improves the objective by no more than this share of it; 0: never.
    pub early_stop_threshold: f64,
}

impl KMeansParams {
    /// Faiss's defaults for `k` clusters.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            niter: 25,
            nredo: 1,
            metric: Metric::L2,
            spherical: false,
            int_centroids: false,
            frozen_centroids: false,
            min_points_per_centroid: 39,
            max_points_per_centroid: 256,
            seed: 1234,
            init: Init::Random,
            early_stop_threshold: 0.0,
        }
    }

    /// Spherical k-means: unit centroids, assignment by inner product (what Faiss's `spherical=True` does).
    pub fn spherical(k: usize) -> Self {
        Self {
            metric: Metric::InnerProduct,
            spherical: true,
            ..Self::new(k)
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        check_metric(self.metric)?;
        let count = |name, got: usize| check(name, "at least 1", got as f64, got > 0);
        count("nredo", self.nredo)?;
        count("max_points_per_centroid", self.max_points_per_centroid)?;
        if let Init::AfkMc2 { chain_length } = self.init {
            count("chain_length", chain_length)?;
        }
        let threshold = self.early_stop_threshold;
        check("early_stop_threshold", "at least 0", threshold, threshold >= 0.0)
    }
}

/// Refuses a metric whose best centroid is not the mean.
pub(crate) fn check_metric(metric: Metric) -> Result<()> {
    match metric {
        Metric::L2 | Metric::InnerProduct => Ok(()),
        metric => Err(Error::Metric { metric }),
    }
}

/// What a training is given besides the vectors; all of it may be left out.
#[derive(Clone, Copy, Default)]
pub struct Training<'a> {
    /// How much each vector counts.
    pub weights: Option<&'a [f32]>,
    /// The first centroids; those that are missing are chosen.
    pub init_centroids: Option<Rows<'a>>,
    /// The threads to work on; the calling thread if there are none.
    pub pool: Option<&'a Pool>,
    /// Told of every iteration.
    pub progress: Option<&'a dyn Fn(&IterationStats)>,
}

impl fmt::Debug for Training<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Training")
            .field("weights", &self.weights.map(<[f32]>::len))
            .field("init_centroids", &self.init_centroids)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}
