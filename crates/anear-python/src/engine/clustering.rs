//! Clustering: k-means under Faiss's names, and its forms for many vectors, many clusters and even clusters.

use anear::Metric;
use anear::cluster::{
    self, BalancedParams, HierarchicalParams, Init, IterationStats, KMeans, KMeansParams, MiniBatchParams, Training,
};
use numpy::{IntoPyArray as _, PyArray1, PyArray2, PyArrayMethods as _, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use super::{detached, refused, rows};
use crate::error::guarded;

/// How to cluster, under Faiss's names.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Clustering {
    k: usize,
    niter: usize,
    nredo: usize,
    inner_product: bool,
    spherical: bool,
    int_centroids: bool,
    frozen_centroids: bool,
    min_points_per_centroid: usize,
    max_points_per_centroid: usize,
    seed: u64,
    init_method: u32,
    afkmc2_chain_length: usize,
    early_stop_threshold: f64,
}

impl Clustering {
    fn params(&self) -> PyResult<KMeansParams> {
        let init = match self.init_method {
            0 => Init::Random,
            1 => Init::PlusPlus,
            2 => Init::AfkMc2 {
                chain_length: self.afkmc2_chain_length,
            },
            other => return Err(refused(format!("unknown way to choose the first centroids: {other}"))),
        };
        Ok(KMeansParams {
            k: self.k,
            niter: self.niter,
            nredo: self.nredo,
            metric: metric(self.inner_product),
            spherical: self.spherical,
            int_centroids: self.int_centroids,
            frozen_centroids: self.frozen_centroids,
            min_points_per_centroid: self.min_points_per_centroid,
            max_points_per_centroid: self.max_points_per_centroid,
            seed: self.seed,
            init,
            early_stop_threshold: self.early_stop_threshold,
        })
    }
}

/// Objective, imbalance and splits of one iteration.
type Iteration = (f64, f64, usize);

/// Centroids, the objective of the best run, all iterations, and a warning if there is reason for one.
type Clusters<'py> = (Bound<'py, PyArray2<f32>>, f64, Vec<Iteration>, Option<String>);

fn metric(inner_product: bool) -> Metric {
    if inner_product {
        Metric::InnerProduct
    } else {
        Metric::L2
    }
}

/// k-means.
#[pyfunction]
#[pyo3(signature = (x, params, weights = None, init_centroids = None))]
pub(crate) fn kmeans<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'_, f32>,
    params: Clustering,
    weights: Option<PyReadonlyArray1<'_, f32>>,
    init_centroids: Option<PyReadonlyArray2<'_, f32>>,
) -> PyResult<Clusters<'py>> {
    guarded(|| {
        let (x, params) = (rows(&x)?, params.params()?);
        let weights = weights.as_ref().map(|weights| weights.as_slice()).transpose()?;
        let init_centroids = init_centroids.as_ref().map(rows).transpose()?;
        let trained = detached(py, |pool| {
            let training = Training {
                weights,
                init_centroids,
                pool,
                progress: None,
            };
            params.train(x, &training)
        });
        let trained = trained.map_err(failed)?;
        let iteration = |stats: &IterationStats| (stats.objective, stats.imbalance_factor, stats.splits);
        let stats = trained.stats().iter().map(iteration).collect();
        let warning = trained.warning().map(|warning| warning.to_string());
        let objective = trained.objective();
        Ok((centroids(py, trained)?, objective, stats, warning))
    })
}

/// Mini-batch k-means.
#[pyfunction]
pub(crate) fn minibatch_kmeans<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'_, f32>,
    params: Clustering,
    batch_len: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    guarded(|| {
        let (x, params) = (rows(&x)?, params.params()?);
        let defaults = MiniBatchParams::new(params.k);
        let params = MiniBatchParams {
            k: params.k,
            batch_len: batch_len.unwrap_or(defaults.batch_len),
            niter: params.niter,
            metric: params.metric,
            seed: params.seed,
            init: params.init,
        };
        let trained = detached(py, |pool| params.train(x, pool)).map_err(failed)?;
        centroids(py, trained)
    })
}

/// k-means in two levels, of `parts` clusters first.
#[pyfunction]
pub(crate) fn hierarchical_kmeans<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'_, f32>,
    params: Clustering,
    parts: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    guarded(|| {
        let (x, level) = (rows(&x)?, params.params()?);
        let params = HierarchicalParams { level, parts };
        let trained = detached(py, |pool| params.train(x, pool)).map_err(failed)?;
        centroids(py, trained)
    })
}

/// Centroids, and the cluster of each vector.
type Assigned<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<u32>>);

/// k-means whose clusters are at most `max_size` times as large as the average; also the cluster of each vector.
#[pyfunction]
pub(crate) fn balanced_kmeans<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'_, f32>,
    params: Clustering,
    max_size: f64,
) -> PyResult<Assigned<'py>> {
    guarded(|| {
        let (x, kmeans) = (rows(&x)?, params.params()?);
        let defaults = BalancedParams::new(kmeans.k);
        let params = BalancedParams {
            kmeans,
            max_size,
            ..defaults
        };
        let found = detached(py, |pool| params.train(x, pool)).map_err(failed)?;
        Ok((centroids(py, found.kmeans)?, found.assignment.ids.into_pyarray(py)))
    })
}

fn failed(error: cluster::Error) -> PyErr {
    match error {
        cluster::Error::NotFinite { .. } => refused(format!("input contains NaN's or Inf's: {error}")),
        error => refused(error),
    }
}

fn centroids(py: Python<'_>, trained: KMeans) -> PyResult<Bound<'_, PyArray2<f32>>> {
    let shape = [trained.centroids().len(), trained.centroids().dim()];
    trained.into_centroids().into_pyarray(py).reshape(shape)
}
