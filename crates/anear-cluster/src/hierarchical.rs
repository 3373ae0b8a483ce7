//! Two levels of k-means: parts first, then the clusters of each part. For many clusters.
//!
//! A vector is compared with about `2 sqrt(k)` centroids instead of `k`; vectors at the border of a part may have a nearer
//! centroid in the next one, so the objective is a few percent worse.

use anear_kernels::Rows;

use crate::clusters::Clusters;
use crate::error::{Result, check_finite, check_k};
use crate::kmeans::{KMeans, TooFewPoints};
use crate::parallel;
use crate::params::{KMeansParams, Training};
use crate::random::stream;
use anear_pool::Pool;

/// The parameters of a clustering in two levels.
///
/// ```
/// use anear_cluster::HierarchicalParams;
/// use anear_kernels::Rows;
///
/// let vectors: Vec<f32> = (0..2000).map(|i| (i * i % 997) as f32).collect();
/// let vectors = Rows::new(&vectors, 2).expect("a thousand rows");
/// let kmeans = HierarchicalParams::new(20).train(vectors, None)?;
/// assert_eq!(kmeans.centroids().len(), 20);
/// # Ok::<(), anear_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HierarchicalParams {
    /// How each level is clustered, and how many clusters there are in the end.
    pub level: KMeansParams,
    /// Parts of the first level; 0: the square root of `k`.
    pub parts: usize,
}

impl HierarchicalParams {
    /// The defaults for `k` clusters.
    pub fn new(k: usize) -> Self {
        Self {
            level: KMeansParams::new(k),
            parts: 0,
        }
    }

    /// Clusters `vectors`.
    ///
    /// The objective is that of vectors with the centroids of their own part; there are no statistics of iterations.
    ///
    /// # Errors
    /// As [`KMeansParams::train`].
    pub fn train(&self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<KMeans> {
        let k = self.level.k;
        self.level.check()?;
        check_k(k, vectors)?;
        check_finite("vector", vectors)?;
        let warning = TooFewPoints::check(&self.level, vectors.len());
        let most = k.saturating_mul(self.level.max_points_per_centroid);
        let sample = stream(self.level.seed, 0).sorted_sample(vectors.len(), vectors.len().min(most));
        let sample: Vec<f32> = sample.iter().flat_map(|&i| vectors.row(i)).copied().collect();
        let trained = self.train_parts(Rows::new(&sample, vectors.dim()).expect("whole rows"), pool)?;
        Ok(KMeans { warning, ..trained })
    }

    fn train_parts(&self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<KMeans> {
        let count = match self.parts {
            0 => self.level.k.isqrt(),
            parts => parts.min(self.level.k),
        };
        let first = KMeansParams {
            k: count,
            ..self.level.clone()
        };
        let training = Training {
            pool,
            ..Training::default()
        };
        let parts = first.train(vectors, &training)?.assign(vectors, pool)?;
        let parts = Clusters::new(&parts.ids, count);
        let shares = shares(&parts.sizes(), self.level.k);
        let trained = parallel::map(pool, count, |part| {
            self.train_part(vectors, parts.members(part), shares[part])
        });
        let mut all = KMeans {
            dim: vectors.dim(),
            metric: self.level.metric,
            centroids: Vec::with_capacity(self.level.k * vectors.dim()),
            objective: 0.0,
            stats: Vec::new(),
            warning: None,
        };
        for part in trained {
            let part = part?;
            all.objective += part.objective;
            all.centroids.extend(part.centroids);
        }
        Ok(all)
    }

    /// The clusters of one part; there may be none.
    fn train_part(&self, vectors: Rows<'_>, members: &[usize], k: usize) -> Result<KMeans> {
        let part: Vec<f32> = members.iter().flat_map(|&i| vectors.row(i)).copied().collect();
        let params = KMeansParams {
            k,
            max_points_per_centroid: usize::MAX,
            ..self.level.clone()
        };
        if k == 0 {
            return Ok(KMeans {
                dim: vectors.dim(),
                metric: self.level.metric,
                centroids: Vec::new(),
                objective: 0.0,
                stats: Vec::new(),
                warning: None,
            });
        }
        params.train(
            Rows::new(&part, vectors.dim()).expect("whole rows"),
            &Training::default(),
        )
    }
}

/// Shares out `k` clusters in proportion to the sizes: no part gets more than it has vectors, none that has any gets
/// none. There are at least `k` vectors, and no more parts than `k`.
fn shares(sizes: &[usize], k: usize) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    let mut shares: Vec<usize> = sizes
        .iter()
        .map(|&size| ((size as u128 * k as u128 / total as u128) as usize).clamp(size.min(1), size))
        .collect();
    // One at a time to where clusters are the largest, or from where they are the smallest.
    let load = |shares: &[usize], part: usize, after: isize| {
        sizes[part] as f64 / shares[part].saturating_add_signed(after).max(1) as f64
    };
    while shares.iter().sum::<usize>() < k {
        let open = (0..sizes.len()).filter(|&part| shares[part] < sizes[part]);
        let Some(part) = open.max_by(|&a, &b| load(&shares, a, 1).total_cmp(&load(&shares, b, 1))) else {
            break;
        };
        shares[part] += 1;
    }
    while shares.iter().sum::<usize>() > k {
        let open = (0..sizes.len()).filter(|&part| shares[part] > 1);
        let Some(part) = open.min_by(|&a, &b| load(&shares, a, -1).total_cmp(&load(&shares, b, -1))) else {
            break;
        };
        shares[part] -= 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clusters_are_shared_out_and_no_part_gets_more_than_it_can_fill() {
        for (sizes, k) in [
            (vec![10, 10, 10], 6),
            (vec![100, 1, 1], 10),
            (vec![1000, 1, 1, 1, 1], 5),
            (vec![3, 3, 3], 9),
            (vec![0, 50, 7], 11),
        ] {
            let shares = shares(&sizes, k);
            assert_eq!(shares.iter().sum::<usize>(), k, "{sizes:?}");
            for (share, size) in shares.iter().zip(&sizes) {
                assert!(share <= size && (*share > 0 || *size == 0), "{sizes:?} {shares:?}");
            }
        }
    }
}
