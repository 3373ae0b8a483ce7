//! Mini-batch k-means: each step sees a few vectors only. For more vectors than anyone wants to pass over many times.

use anear_kernels::{Metric, Random, Rows};
use anear_pool::Pool;

use crate::assign::nearest;
use crate::clusters::Clusters;
use crate::error::{Result, check, check_finite, check_k};
use crate::kmeans::KMeans;
use crate::kmeans::init::Choice;
use crate::kmeans::stats::{IterationStats, imbalance_factor, objective};
use crate::params::{Init, check_metric};
use crate::random::stream;

/// The parameters of mini-batch k-means (Sculley, *Web-scale k-means clustering*, 2010).
///
/// A centroid is the mean of all vectors it was ever given, so it settles as they become many.
///
/// ```
/// use anear_cluster::MiniBatchParams;
/// use anear_kernels::Rows;
///
/// let vectors: Vec<f32> = (0..2000).map(|i| (i * i % 997) as f32).collect();
/// let vectors = Rows::new(&vectors, 2).expect("a thousand rows");
/// let kmeans = MiniBatchParams::new(5).train(vectors, None)?;
/// assert_eq!(kmeans.centroids().len(), 5);
/// # Ok::<(), anear_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MiniBatchParams {
    /// Number of clusters.
    pub k: usize,
    /// Vectors of a step, drawn with repetition; as many as there are if that is less.
    pub batch_len: usize,
    /// Number of steps.
    pub niter: usize,
    /// By which distance vectors are assigned: [`Metric::L2`] or [`Metric::InnerProduct`].
    pub metric: Metric,
    /// Where all randomness comes from.
    pub seed: u64,
    /// How the first centroids are chosen, from three batches.
    pub init: Init,
}

impl MiniBatchParams {
    /// The defaults for `k` clusters: 100 steps of `max(1024, 4 k)` vectors, first centroids by k-means++.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            batch_len: k.saturating_mul(4).max(1024),
            niter: 100,
            metric: Metric::L2,
            seed: 1234,
            init: Init::PlusPlus,
        }
    }

    /// Clusters `vectors`.
    ///
    /// The objective is estimated: that of the last batch, in proportion.
    ///
    /// # Errors
    /// [`Error::TooFewVectors`](crate::Error::TooFewVectors), [`Error::NotFinite`](crate::Error::NotFinite),
    /// [`Error::Metric`](crate::Error::Metric), [`Error::Parameter`](crate::Error::Parameter).
    pub fn train(&self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<KMeans> {
        check_metric(self.metric)?;
        check("batch_len", "at least 1", self.batch_len as f64, self.batch_len > 0)?;
        check("niter", "at least 1", self.niter as f64, self.niter > 0)?;
        check_k(self.k, vectors)?;
        check_finite("vector", vectors)?;
        let batch_len = self.batch_len.min(vectors.len());
        let mut random = stream(self.seed, 0);
        let mut centroids = self.first_centroids(vectors, &mut random, pool);
        let mut masses = vec![0.0; self.k];
        let mut stats = Vec::new();
        for iteration in 0..self.niter {
            let batch: Vec<f32> = (0..batch_len)
                .flat_map(|_| vectors.row(random.below(vectors.len())))
                .copied()
                .collect();
            let batch = Rows::new(&batch, vectors.dim()).expect("whole rows");
            let rows = Rows::new(&centroids, vectors.dim()).expect("whole rows");
            let assignment = nearest(batch, rows, self.metric, pool);
            let clusters = Clusters::new(&assignment.ids, self.k);
            let share = vectors.len() as f64 / batch.len() as f64;
            stats.push(IterationStats {
                redo: 0,
                iteration,
                objective: objective(self.metric, &assignment, None) * share,
                imbalance_factor: imbalance_factor(&clusters.masses(None)),
                splits: 0,
            });
            move_centroids(batch, &clusters, &mut masses, &mut centroids);
        }
        Ok(KMeans {
            dim: vectors.dim(),
            metric: self.metric,
            centroids,
            objective: stats.last().map_or(0.0, |last| last.objective),
            stats,
            warning: None,
        })
    }

    fn first_centroids(&self, vectors: Rows<'_>, random: &mut Random, pool: Option<&Pool>) -> Vec<f32> {
        let len = self.batch_len.saturating_mul(3).max(self.k).min(vectors.len());
        let sample = random.sorted_sample(vectors.len(), len);
        let sample: Vec<f32> = sample.iter().flat_map(|&i| vectors.row(i)).copied().collect();
        let choice = Choice {
            vectors: Rows::new(&sample, vectors.dim()).expect("whole rows"),
            weights: None,
            pool,
        };
        choice.complete(self.k, self.init, Vec::new(), random)
    }
}

/// Moves each centroid to the mean of what it had and what it gets.
fn move_centroids(batch: Rows<'_>, clusters: &Clusters, masses: &mut [f64], centroids: &mut [f32]) {
    let dim = batch.dim();
    let sums = clusters.sums(batch, None, 0..masses.len());
    let gains = clusters.masses(None);
    let centroids = centroids.chunks_exact_mut(dim).zip(sums.chunks_exact(dim));
    for ((centroid, sum), (mass, gain)) in centroids.zip(masses.iter_mut().zip(gains)) {
        if gain > 0.0 {
            let all = *mass + gain;
            for (component, sum) in centroid.iter_mut().zip(sum) {
                *component = ((f64::from(*component) * *mass + sum) / all) as f32;
            }
            *mass = all;
        }
    }
}
