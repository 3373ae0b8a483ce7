//! What works without an index: clustering, normalizing, whole matrices of distances.

use anear::Pool;
use anear::cluster::{self, Init, IterationStats, KMeansParams, Training};
use anear::kernels::{RowsMut, hamming, normalize};
use anear::{Metric, index::faiss_value};
use numpy::{
    IntoPyArray as _, PyArray2, PyArrayMethods as _, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray2,
    PyUntypedArrayMethods as _,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::{detached, refused, rows};
use crate::error::guarded;

/// Faiss's value for each query and each vector.
#[pyfunction]
pub(crate) fn pairwise<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'_, f32>,
    y: PyReadonlyArray2<'_, f32>,
    metric: &str,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    guarded(|| {
        let (x, y, metric) = (rows(&x)?, rows(&y)?, metric.parse::<Metric>().map_err(refused)?);
        if x.dim() != y.dim() {
            return Err(PyValueError::new_err(
                "both sets of vectors must have the same dimension",
            ));
        }
        let row = |i: usize| {
            let mut row = vec![0.0; y.len()];
            metric.distances(x.row(i), y, &mut row);
            row.iter_mut()
                .for_each(|distance| *distance = faiss_value(metric, *distance));
            row
        };
        let all = detached(py, |pool| mapped(pool, x.len(), row)).concat();
        all.into_pyarray(py).reshape([x.len(), y.len()])
    })
}

/// In how many bits each query differs from each code.
#[pyfunction]
pub(crate) fn pairwise_hamming<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'_, u8>,
    y: PyReadonlyArray2<'_, u8>,
) -> PyResult<Bound<'py, PyArray2<i32>>> {
    guarded(|| {
        let (x, y) = (rows(&x)?, rows(&y)?);
        if x.dim() != y.dim() {
            return Err(PyValueError::new_err("both sets of codes must have the same length"));
        }
        let row = |i: usize| {
            let mut row = vec![0; y.len()];
            hamming::distances(x.row(i), y, &mut row);
            row.into_iter().map(|bits| bits as i32).collect::<Vec<_>>()
        };
        let all = detached(py, |pool| mapped(pool, x.len(), row)).concat();
        all.into_pyarray(py).reshape([x.len(), y.len()])
    })
}

fn mapped<T: Send>(pool: Option<&Pool>, n: usize, f: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    match pool {
        Some(pool) if n > 1 => pool.map(n, f),
        _ => (0..n).map(f).collect(),
    }
}

/// Scales each row to length 1, in place.
#[pyfunction]
pub(crate) fn normalize_rows(py: Python<'_>, mut x: PyReadwriteArray2<'_, f32>) -> PyResult<()> {
    let dim = x.shape()[1];
    let slice = x.as_slice_mut()?;
    py.detach(|| RowsMut::new(slice, dim).iter_mut().for_each(normalize));
    Ok(())
}

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
        let metric = if self.inner_product {
            Metric::InnerProduct
        } else {
            Metric::L2
        };
        Ok(KMeansParams {
            k: self.k,
            niter: self.niter,
            nredo: self.nredo,
            metric,
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
        let trained = trained.map_err(|error| match error {
            cluster::Error::NotFinite { .. } => refused(format!("input contains NaN's or Inf's: {error}")),
            error => refused(error),
        })?;
        let iteration = |stats: &IterationStats| (stats.objective, stats.imbalance_factor, stats.splits);
        let stats = trained.stats().iter().map(iteration).collect();
        let warning = trained.warning().map(|warning| warning.to_string());
        let (objective, dim) = (trained.objective(), x.dim());
        let centroids = trained.into_centroids();
        let count = centroids.len() / dim;
        Ok((
            centroids.into_pyarray(py).reshape([count, dim])?,
            objective,
            stats,
            warning,
        ))
    })
}

/// Fails if the engine cannot build an index of this factory string.
#[pyfunction]
pub(crate) fn check_spec(spec: &str) -> PyResult<(String, bool)> {
    let spec = spec.parse::<anear::index::IndexSpec>().map_err(refused)?;
    Ok((spec.to_string(), spec.needs_training()))
}

/// Fails if the engine cannot build a binary index of this factory string.
#[pyfunction]
pub(crate) fn check_binary_spec(spec: &str) -> PyResult<String> {
    let spec = spec.parse::<anear::index::binary::BinarySpec>().map_err(refused)?;
    Ok(spec.to_string())
}

/// The instruction set that the kernels run on.
#[pyfunction]
pub(crate) fn instruction_set() -> String {
    anear::kernels::isa().to_string()
}
