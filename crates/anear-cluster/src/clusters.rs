//! Vectors by cluster, and the mean of each.

use std::ops::Range;

use anear_kernels::{Rows, weighted_sum};
use anear_pool::Pool;

use crate::parallel;

/// The positions of the vectors of every cluster, ascending.
pub(crate) struct Clusters {
    positions: Vec<usize>,
    /// Where each cluster begins in `positions`; one more for the end.
    starts: Vec<usize>,
}

impl Clusters {
    /// Sorts `0..ids.len()` by the cluster of each, of `k`.
    pub(crate) fn new(ids: &[u32], k: usize) -> Self {
        let mut starts = vec![0; k + 1];
        ids.iter().for_each(|&id| starts[id as usize + 1] += 1);
        (0..k).for_each(|cluster| starts[cluster + 1] += starts[cluster]);
        let mut next = starts.clone();
        let mut positions = vec![0; ids.len()];
        for (position, &id) in ids.iter().enumerate() {
            positions[next[id as usize]] = position;
            next[id as usize] += 1;
        }
        Self { positions, starts }
    }

    /// Number of clusters, empty ones included.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The vectors of `cluster`.
    pub(crate) fn members(&self, cluster: usize) -> &[usize] {
        &self.positions[self.starts[cluster]..self.starts[cluster + 1]]
    }

    /// How many vectors each cluster has.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        (0..self.len()).map(|cluster| self.members(cluster).len()).collect()
    }

    /// The sum of weights of each cluster.
    pub(crate) fn masses(&self, weights: Option<&[f32]>) -> Vec<f64> {
        let mass = |members: &[usize]| match weights {
            None => members.len() as f64,
            Some(weights) => members.iter().map(|&i| f64::from(weights[i])).sum(),
        };
        (0..self.len()).map(|cluster| mass(self.members(cluster))).collect()
    }

    /// The weighted sum of the vectors of each cluster of `range`, row after row.
    pub(crate) fn sums(&self, vectors: Rows<'_>, weights: Option<&[f32]>, range: Range<usize>) -> Vec<f64> {
        let mut sums = vec![0.0; range.len() * vectors.dim()];
        let mut part = vec![0.0; vectors.dim()];
        let mut part_weights = vec![1.0; PART];
        for (cluster, sum) in range.zip(sums.chunks_exact_mut(vectors.dim())) {
            for members in self.members(cluster).chunks(PART) {
                if let Some(weights) = weights {
                    part_weights.clear();
                    part_weights.extend(members.iter().map(|&i| weights[i]));
                }
                weighted_sum(vectors, members, &part_weights[..members.len()], &mut part);
                sum.iter_mut()
                    .zip(&part)
                    .for_each(|(sum, &part)| *sum += f64::from(part));
            }
        }
        sums
    }

    /// Moves each centroid from number `first` on to the mean of its cluster; where a cluster has no mass, it stays.
    pub(crate) fn update(
        &self,
        vectors: Rows<'_>,
        weights: Option<&[f32]>,
        masses: &[f64],
        first: usize,
        centroids: &mut [f32],
        pool: Option<&Pool>,
    ) {
        let dim = vectors.dim();
        let parts = parallel::stretches(pool, self.len() - first, STRETCH, |stretch| {
            self.sums(vectors, weights, first + stretch.start..first + stretch.end)
        });
        let sums = parts.iter().flat_map(|part| part.chunks_exact(dim));
        let centroids = centroids[first * dim..].chunks_exact_mut(dim);
        for ((centroid, sum), &mass) in centroids.zip(sums).zip(&masses[first..]) {
            if mass > 0.0 {
                centroid
                    .iter_mut()
                    .zip(sum)
                    .for_each(|(c, &sum)| *c = (sum / mass) as f32);
            }
        }
    }
}

// Members that are added up in f32 before f64 takes over: the error stays below that of a hundred additions.
const PART: usize = 128;

// Clusters of one task.
const STRETCH: usize = 16;
