//! k-means by Lloyd's algorithm: assign, average, again.

pub(crate) mod init;
mod lloyd;
mod sketched;
mod split;
pub(crate) mod stats;

use anear_kernels::{Metric, Rows};
use anear_pool::Pool;

pub use stats::IterationStats;

use crate::assign::{Assignment, assign};
use crate::error::{Error, Result, check_dim, check_finite, check_k};
use crate::params::{KMeansParams, Training};
use crate::random::stream;
use lloyd::Lloyd;

/// A finished clustering: the centroids, and how they came about.
#[derive(Clone, Debug)]
pub struct KMeans {
    pub(crate) dim: usize,
    pub(crate) metric: Metric,
    pub(crate) centroids: Vec<f32>,
    pub(crate) objective: f64,
    pub(crate) stats: Vec<IterationStats>,
    pub(crate) warning: Option<TooFewPoints>,
}

/// So few vectors that the clusters may mean little; the training went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("clustering {got} vectors into {k} clusters; at least {wanted} vectors would make better centroids")]
pub struct TooFewPoints {
    /// Vectors that came.
    pub got: usize,
    /// Clusters asked for.
    pub k: usize,
    /// `k * min_points_per_centroid`.
    pub wanted: usize,
}

impl TooFewPoints {
    pub(crate) fn check(params: &KMeansParams, got: usize) -> Option<Self> {
        let wanted = params.k.saturating_mul(params.min_points_per_centroid);
        (got < wanted).then_some(Self {
            got,
            k: params.k,
            wanted,
        })
    }
}

impl KMeans {
    /// The centroids, `k` rows.
    pub fn centroids(&self) -> Rows<'_> {
        Rows::new(&self.centroids, self.dim).expect("centroids are whole rows")
    }

    /// The centroids as one vector, row after row.
    pub fn into_centroids(self) -> Vec<f32> {
        self.centroids
    }

    /// By which distance vectors are assigned.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The objective of the last iteration of the best run, see [`IterationStats::objective`].
    pub fn objective(&self) -> f64 {
        self.objective
    }

    /// All iterations of all runs, in order; none if there was nothing to do.
    pub fn stats(&self) -> &[IterationStats] {
        &self.stats
    }

    /// Whether there were fewer vectors than the parameters wish for.
    pub fn warning(&self) -> Option<TooFewPoints> {
        self.warning
    }

    /// The nearest centroid of each vector.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`].
    pub fn assign(&self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Assignment> {
        assign(vectors, self.centroids(), self.metric, pool)
    }
}

impl KMeansParams {
    /// Clusters `vectors`.
    ///
    /// The same seed gives the same bits, for any number of threads and on every instruction set.
    ///
    /// # Errors
    /// [`Error::TooFewVectors`] if there are fewer than `k`; [`Error::NotFinite`], [`Error::Dimension`],
    /// [`Error::Weights`], [`Error::Weight`], [`Error::TooManyCentroids`] for input that does not fit;
    /// [`Error::Metric`] and [`Error::Parameter`] for parameters that cannot be.
    pub fn train(&self, vectors: Rows<'_>, training: &Training<'_>) -> Result<KMeans> {
        self.check()?;
        check_k(self.k, vectors)?;
        check_finite("vector", vectors)?;
        check_weights(vectors, training.weights)?;
        self.check_centroids(vectors, training.init_centroids)?;
        let warning = TooFewPoints::check(self, vectors.len());
        let most = self.k.saturating_mul(self.max_points_per_centroid);
        let trained = if vectors.len() > most {
            let chosen = stream(self.seed, 0).sorted_sample(vectors.len(), most);
            let sample: Vec<f32> = chosen.iter().flat_map(|&i| vectors.row(i)).copied().collect();
            let weights: Option<Vec<f32>> = training
                .weights
                .map(|weights| chosen.iter().map(|&i| weights[i]).collect());
            let sample = Rows::new(&sample, vectors.dim()).expect("whole rows");
            let weights = weights.as_deref();
            self.train_all(sample, &Training { weights, ..*training })
        } else {
            self.train_all(vectors, training)
        };
        Ok(KMeans { warning, ..trained })
    }

    /// Trains on all vectors.
    fn train_all(&self, vectors: Rows<'_>, training: &Training<'_>) -> KMeans {
        let lloyd = Lloyd {
            params: self,
            vectors,
            training,
        };
        if vectors.len() == self.k {
            return lloyd.copy();
        }
        let mut best = lloyd.run(0);
        for redo in 1..self.nredo {
            let run = lloyd.run(redo);
            let mut stats = std::mem::take(&mut best.stats);
            stats.extend_from_slice(&run.stats);
            if stats::is_better(self.metric, run.objective, best.objective) {
                best = run;
            }
            best.stats = stats;
        }
        best
    }

    fn check_centroids(&self, vectors: Rows<'_>, centroids: Option<Rows<'_>>) -> Result<()> {
        let Some(centroids) = centroids else {
            return Ok(());
        };
        check_dim("initial centroids", vectors.dim(), centroids)?;
        check_finite("centroid", centroids)?;
        if centroids.len() > self.k {
            return Err(Error::TooManyCentroids {
                k: self.k,
                got: centroids.len(),
            });
        }
        Ok(())
    }
}

/// Refuses weights that are not one per vector, negative or not finite.
fn check_weights(vectors: Rows<'_>, weights: Option<&[f32]>) -> Result<()> {
    let Some(weights) = weights else {
        return Ok(());
    };
    if weights.len() != vectors.len() {
        return Err(Error::Weights {
            vectors: vectors.len(),
            got: weights.len(),
        });
    }
    match weights.iter().position(|weight| !weight.is_finite() || *weight < 0.0) {
        None => Ok(()),
        Some(row) => Err(Error::Weight {
            row,
            value: weights[row],
        }),
    }
}
