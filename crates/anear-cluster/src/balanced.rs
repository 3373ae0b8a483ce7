//! Clusters of nearly equal size: for inverted lists that must not be long.
//!
//! Every centroid has a price, which is added to squared distances; it rises while the cluster is larger than the
//! average and falls while it is smaller (an auction, as in Bertsekas, *The auction algorithm*, 1988). As one more component
//! of the centroid, the square root of the price makes this a search for the nearest like any other.

use anear_kernels::{Metric, Rows};
use anear_pool::Pool;

use crate::assign::{Assignment, nearest};
use crate::clusters::Clusters;
use crate::error::{Result, check, check_finite, check_k};
use crate::kmeans::KMeans;
use crate::params::{KMeansParams, Training};

/// The parameters of a clustering into clusters of limited size, by squared Euclidean distance.
///
/// ```
/// use anear_cluster::BalancedParams;
/// use anear_kernels::Rows;
///
/// let vectors: Vec<f32> = (0..2000).map(|i| (i * i % 997) as f32).collect();
/// let vectors = Rows::new(&vectors, 2).expect("a thousand rows");
/// let balanced = BalancedParams::new(10).train(vectors, None)?;
/// assert!(balanced.assignment.sizes(10).iter().all(|&size| size <= 110));
/// # Ok::<(), anear_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BalancedParams {
    /// How the clusters are found before they are balanced.
    pub kmeans: KMeansParams,
    /// Rounds of balancing: each changes prices and moves centroids.
    pub niter: usize,
    /// The largest cluster, relative to the average; at least 1.
    pub max_size: f64,
}

/// A balanced clustering.
#[derive(Clone, Debug)]
pub struct Balanced {
    /// The centroids: each the mean of its cluster, not necessarily the nearest one of all its vectors.
    pub kmeans: KMeans,
    /// The cluster of each vector, and its distance to the centroid.
    pub assignment: Assignment,
}

// What a cluster twice as large as the average adds to its price in a round, relative to the mean distance. Reasoned:
// tens of rounds reach any price that matters, none overshoots by more than a fraction of a distance.
const RATE: f64 = 0.1;

impl BalancedParams {
    /// The defaults for `k` clusters: none is more than a tenth larger than the average.
    pub fn new(k: usize) -> Self {
        Self {
            kmeans: KMeansParams::new(k),
            niter: 30,
            max_size: 1.1,
        }
    }

    /// Clusters `vectors`; no cluster has more than `max_size * n / k` of them, rounded up.
    ///
    /// # Errors
    /// As [`KMeansParams::train`], and [`Error::Metric`](crate::Error::Metric) for another metric than L2.
    pub fn train(&self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Balanced> {
        check("max_size", "at least 1", self.max_size, self.max_size >= 1.0)?;
        if self.kmeans.metric != Metric::L2 {
            return Err(crate::Error::Metric {
                metric: self.kmeans.metric,
            });
        }
        check_k(self.kmeans.k, vectors)?;
        check_finite("vector", vectors)?;
        let training = Training {
            pool,
            ..Training::default()
        };
        let mut kmeans = self.kmeans.train(vectors, &training)?;
        let mut assignment = self.balance(vectors, &mut kmeans.centroids, pool);
        self.limit(vectors, &kmeans.centroids, &mut assignment);
        let k = self.kmeans.k;
        let clusters = Clusters::new(&assignment.ids, k);
        clusters.update(vectors, None, &clusters.masses(None), 0, &mut kmeans.centroids, pool);
        for (i, distance) in assignment.distances.iter_mut().enumerate() {
            let centroid = kmeans.centroids().row(assignment.ids[i] as usize);
            *distance = Metric::L2.distance(vectors.row(i), centroid);
        }
        kmeans.objective = assignment.distances.iter().map(|&distance| f64::from(distance)).sum();
        Ok(Balanced { kmeans, assignment })
    }

    /// Finds prices by which clusters are nearly equal, and the centroids that go with them.
    fn balance(&self, vectors: Rows<'_>, centroids: &mut [f32], pool: Option<&Pool>) -> Assignment {
        let dim = vectors.dim();
        let priced_vectors = widen(vectors, &vec![0.0; vectors.len()]);
        let priced_vectors = Rows::new(&priced_vectors, dim + 1).expect("whole rows");
        let mut prices = vec![0.0; self.kmeans.k];
        let assign = |centroids: &[f32], prices: &[f64]| {
            let roots: Vec<f32> = prices.iter().map(|price| price.sqrt() as f32).collect();
            let rows = widen(Rows::new(centroids, dim).expect("whole rows"), &roots);
            let rows = Rows::new(&rows, dim + 1).expect("whole rows");
            nearest(priced_vectors, rows, Metric::L2, pool)
        };
        let mut assignment = assign(centroids, &prices);
        for _ in 0..self.niter {
            let clusters = Clusters::new(&assignment.ids, self.kmeans.k);
            let masses = clusters.masses(None);
            clusters.update(vectors, None, &masses, 0, centroids, pool);
            raise(&mut prices, &masses, &assignment);
            assignment = assign(centroids, &prices);
        }
        assignment
    }

    /// Moves the farthest vectors of clusters that are too large to the nearest centroid with room.
    fn limit(&self, vectors: Rows<'_>, centroids: &[f32], assignment: &mut Assignment) {
        let k = self.kmeans.k;
        let centroids = Rows::new(centroids, vectors.dim()).expect("whole rows");
        let limit = (self.max_size * vectors.len() as f64 / k as f64).ceil() as usize;
        let distance = |i: usize, id: usize| Metric::L2.distance(vectors.row(i), centroids.row(id));
        let clusters = Clusters::new(&assignment.ids, k);
        let mut sizes = clusters.sizes();
        for cluster in 0..k {
            let mut members = clusters.members(cluster).to_vec();
            members.sort_by(|&a, &b| distance(b, cluster).total_cmp(&distance(a, cluster)).then(a.cmp(&b)));
            let surplus = members.len().saturating_sub(limit);
            for &i in &members[..surplus] {
                let open = (0..k).filter(|&id| sizes[id] < limit);
                let nearest = open.min_by(|&a, &b| distance(i, a).total_cmp(&distance(i, b)));
                let nearest = nearest.unwrap_or(cluster);
                sizes[cluster] -= 1;
                sizes[nearest] += 1;
                assignment.ids[i] = nearest as u32;
            }
        }
    }
}

/// Changes prices by how much each cluster is larger than the average; the smallest price is 0.
fn raise(prices: &mut [f64], masses: &[f64], assignment: &Assignment) {
    let n = assignment.ids.len() as f64;
    let mean_distance = assignment.distances.iter().map(|&d| f64::from(d)).sum::<f64>() / n;
    let average = n / masses.len() as f64;
    for (price, mass) in prices.iter_mut().zip(masses) {
        *price += RATE * mean_distance * (mass / average - 1.0);
    }
    let least = prices.iter().copied().fold(f64::INFINITY, f64::min);
    prices.iter_mut().for_each(|price| *price -= least);
}

/// Each row with one more component.
fn widen(rows: Rows<'_>, last: &[f32]) -> Vec<f32> {
    let rows = rows.iter().zip(last);
    rows.flat_map(|(row, last)| row.iter().chain([last])).copied().collect()
}
