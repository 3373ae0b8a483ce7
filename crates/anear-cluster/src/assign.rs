//! The nearest centroid of many vectors.

use anear_kernels::{Metric, Nearest, Rows};
use anear_pool::Pool;

use crate::error::{Error, Result, check_dim, check_finite};
use crate::parallel;

/// Which centroid each vector is nearest to.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The position of the nearest centroid, per vector; ties go to the smallest.
    pub ids: Vec<u32>,
    /// The distance to it, per vector; see [`Metric`] for the meaning.
    pub distances: Vec<f32>,
}

impl Assignment {
    /// How many vectors each of `k` centroids got.
    ///
    /// # Panics
    /// If a position is not below `k`.
    pub fn sizes(&self, k: usize) -> Vec<usize> {
        let mut sizes = vec![0; k];
        self.ids.iter().for_each(|&id| sizes[id as usize] += 1);
        sizes
    }
}

/// Finds the centroid nearest to each vector (Faiss: a search in the coarse quantizer with `k = 1`).
///
/// The answer is exact and the same bits on every machine: a fused product finds the candidates, canonical distances
/// decide between those it cannot tell apart.
///
/// ```
/// use anear_cluster::assign;
/// use anear_kernels::{Metric, Rows};
///
/// let centroids = Rows::new(&[0.0, 0.0, 10.0, 0.0], 2).expect("two rows");
/// let vectors = Rows::new(&[9.0, 1.0, 1.0, 1.0, 5.0, 0.0], 2).expect("three rows");
/// let assignment = assign(vectors, centroids, Metric::L2, None)?;
/// assert_eq!(assignment.ids, [1, 0, 0]);
/// assert_eq!(assignment.distances, [2.0, 2.0, 25.0]);
/// # Ok::<(), anear_cluster::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoCentroids`], [`Error::Dimension`], [`Error::NotFinite`].
pub fn assign(vectors: Rows<'_>, centroids: Rows<'_>, metric: Metric, pool: Option<&Pool>) -> Result<Assignment> {
    if centroids.is_empty() {
        return Err(Error::NoCentroids);
    }
    check_dim("vectors", centroids.dim(), vectors)?;
    check_finite("centroid", centroids)?;
    check_finite("vector", vectors)?;
    Ok(nearest(vectors, centroids, metric, pool))
}

// Vectors of one task: long enough to hide what a task costs, short enough to share a small sample among threads.
pub(crate) const STRETCH: usize = 1024;

/// [`assign`] of vectors and centroids that are known to be sound.
pub(crate) fn nearest(vectors: Rows<'_>, centroids: Rows<'_>, metric: Metric, pool: Option<&Pool>) -> Assignment {
    let nearest = Nearest::new(metric, centroids);
    let parts = parallel::stretches(pool, vectors.len(), STRETCH, |stretch| {
        let (mut ids, mut distances) = (vec![0; stretch.len()], vec![0.0; stretch.len()]);
        nearest.find(vectors.slice(stretch), &mut ids, &mut distances);
        (ids, distances)
    });
    let (ids, distances): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    Assignment {
        ids: ids.concat(),
        distances: distances.concat(),
    }
}
