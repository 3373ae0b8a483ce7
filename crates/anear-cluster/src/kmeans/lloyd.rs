//! Lloyd's loop: every vector to its nearest centroid, every centroid to the mean of its vectors.

use anear_kernels::{Random, Rows, RowsMut, normalize};

use super::KMeans;
use super::init::Choice;
use super::sketched::Assigner;
use super::split::split_empty;
use super::stats::{IterationStats, imbalance_factor, objective};
use crate::assign::{Assignment, nearest};
use crate::clusters::Clusters;
use crate::params::{KMeansParams, Training};
use crate::random::stream;

/// What stays the same while centroids are moved.
pub(super) struct Lloyd<'a> {
    pub(super) params: &'a KMeansParams,
    pub(super) vectors: Rows<'a>,
    pub(super) training: &'a Training<'a>,
}

impl Lloyd<'_> {
    /// As many centroids as vectors: each is one.
    pub(super) fn copy(&self) -> KMeans {
        let mut centroids = self.vectors.as_slice().to_vec();
        self.finish_centroids(&mut centroids);
        self.finished(centroids, Vec::new())
    }

    /// One run, from choosing the first centroids to the last iteration.
    pub(super) fn run(&self, redo: usize) -> KMeans {
        let mut random = stream(self.params.seed, 1 + redo as u64);
        let mut centroids = self.first_centroids(&mut random);
        let mut stats: Vec<IterationStats> = Vec::new();
        let mut assigner = Assigner::new(self.vectors, self.params.metric, self.training.pool);
        let mut last_ids = Vec::new();
        for iteration in 0..self.params.niter {
            let assignment = assigner.assign(self.rows(&centroids), &last_ids, self.params.niter - iteration);
            let (imbalance_factor, splits) = self.move_centroids(&assignment, &mut centroids, &mut random);
            let now = IterationStats {
                redo,
                iteration,
                objective: objective(self.params.metric, &assignment, self.training.weights),
                imbalance_factor,
                splits,
            };
            if let Some(progress) = self.training.progress {
                progress(&now);
            }
            let before = stats.last().cloned();
            stats.push(now);
            // The same clusters have the same means: from here on, nothing would ever change.
            let at_rest = before.as_ref().is_some_and(|before| before.splits == 0) && assignment.ids == last_ids;
            if at_rest || before.is_some_and(|before| self.is_enough(before.objective, &stats)) {
                break;
            }
            last_ids = assignment.ids;
        }
        self.finished(centroids, stats)
    }

    fn first_centroids(&self, random: &mut Random) -> Vec<f32> {
        let given = self
            .training
            .init_centroids
            .map_or(Vec::new(), |rows| rows.as_slice().to_vec());
        let choice = Choice {
            vectors: self.vectors,
            weights: self.training.weights,
            pool: self.training.pool,
        };
        let mut centroids = choice.complete(self.params.k, self.params.init, given, random);
        let first = self.first_free() * self.vectors.dim();
        self.finish_centroids(&mut centroids[first..]);
        centroids
    }

    /// Moves the centroids to the means of their clusters. Says how unequal those are, and how many were empty.
    fn move_centroids(&self, assignment: &Assignment, centroids: &mut [f32], random: &mut Random) -> (f64, usize) {
        let (dim, first) = (self.vectors.dim(), self.first_free());
        let Training { weights, pool, .. } = *self.training;
        let clusters = Clusters::new(&assignment.ids, self.params.k);
        let mut masses = clusters.masses(weights);
        let imbalance_factor = imbalance_factor(&masses);
        clusters.update(self.vectors, weights, &masses, first, centroids, pool);
        let splits = split_empty(dim, first, &mut clusters.sizes(), &mut masses, centroids, random);
        self.finish_centroids(&mut centroids[first * dim..]);
        (imbalance_factor, splits)
    }

    /// Gives moved centroids the form that the parameters ask for.
    fn finish_centroids(&self, centroids: &mut [f32]) {
        if self.params.spherical {
            normalize(&mut RowsMut::new(centroids, self.vectors.dim()).expect("whole rows"));
        }
        if self.params.int_centroids {
            centroids
                .iter_mut()
                .for_each(|component| *component = component.round_ties_even());
        }
    }

    /// The first centroid that may be moved.
    fn first_free(&self) -> usize {
        let given = self.training.init_centroids.map_or(0, |rows| rows.len());
        if self.params.frozen_centroids { given } else { 0 }
    }

    /// Whether the last improvement was too small to go on.
    fn is_enough(&self, before: f64, stats: &[IterationStats]) -> bool {
        let threshold = self.params.early_stop_threshold;
        let now = stats.last().map_or(before, |last| last.objective);
        threshold > 0.0 && (before - now).abs() <= threshold * before.abs()
    }

    fn finished(&self, centroids: Vec<f32>, stats: Vec<IterationStats>) -> KMeans {
        let objective = stats.last().map(|last| last.objective).unwrap_or_else(|| {
            let assignment = nearest(
                self.vectors,
                self.rows(&centroids),
                self.params.metric,
                self.training.pool,
            );
            objective(self.params.metric, &assignment, self.training.weights)
        });
        KMeans {
            dim: self.vectors.dim(),
            metric: self.params.metric,
            centroids,
            objective,
            stats,
            warning: None,
        }
    }

    fn rows<'c>(&self, centroids: &'c [f32]) -> Rows<'c> {
        Rows::new(centroids, self.vectors.dim()).expect("whole rows")
    }
}
