//! What is known of an iteration, and how good it was.

use anear_kernels::Metric;

use crate::assign::Assignment;

/// One iteration of a training (Faiss: `ClusteringIterationStats`).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IterationStats {
    /// Which run of `nredo`, from 0.
    pub redo: usize,
    /// Which iteration of the run, from 0.
    pub iteration: usize,
    /// The sum of squared distances to the nearest centroid (L2), or of inner products with it: of the assignment
    /// that the iteration began with, each vector by its weight.
    pub objective: f64,
    /// 1 for clusters of equal weight, k if one has it all (Faiss: `imbalance_factor`).
    pub imbalance_factor: f64,
    /// How many empty clusters took a half of another one.
    pub splits: usize,
}

/// The sum over all vectors of what k-means makes small (L2) or large (inner product).
pub(crate) fn objective(metric: Metric, assignment: &Assignment, weights: Option<&[f32]>) -> f64 {
    let distances = assignment.distances.iter().map(|&distance| f64::from(distance));
    let sum: f64 = match weights {
        None => distances.sum(),
        Some(weights) => distances.zip(weights).map(|(d, &weight)| d * f64::from(weight)).sum(),
    };
    if metric == Metric::InnerProduct { -sum } else { sum }
}

/// Whether the objective `a` is better than `b`.
pub(crate) fn is_better(metric: Metric, a: f64, b: f64) -> bool {
    if metric == Metric::InnerProduct { a > b } else { a < b }
}

/// `k * sum(m^2) / sum(m)^2`.
pub(crate) fn imbalance_factor(masses: &[f64]) -> f64 {
    let total: f64 = masses.iter().sum();
    let squares: f64 = masses.iter().map(|mass| mass * mass).sum();
    if total > 0.0 {
        masses.len() as f64 * squares / (total * total)
    } else {
        1.0
    }
}
