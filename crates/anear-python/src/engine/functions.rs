//! What Faiss does without an index: exact neighbors, distances, k-means, factory strings.

use std::collections::BTreeMap;

use anear::cluster::{self, Init, IterationStats, KMeansParams};
use anear::index::{Flat, IndexSpec, SearchRequest, VectorIndex as _, VectorIndexExt as _, faiss_value};
use anear::kernels::{RowsMut, normalize};
use numpy::{IntoPyArray as _, PyArray2, PyArrayMethods as _, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::{detached, metric, raise, refused, rows};
use crate::error::guarded;

/// Whether the engine knows this factory string; its complaint if not.
#[pyfunction]
pub(crate) fn complaint(spec: &str) -> Option<String> {
    spec.parse::<IndexSpec>().err().map(|error| error.to_string())
}

/// A factory string as the engine writes it, and whether such an index must be trained.
#[pyfunction]
pub(crate) fn canonical(spec: &str) -> PyResult<(String, bool)> {
    let spec: IndexSpec = spec.parse().map_err(raise)?;
    Ok((spec.to_string(), spec.needs_training()))
}

/// All distances of `x` to `y`, in Faiss's terms.
#[pyfunction]
pub(crate) fn pairwise<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'py, f32>,
    y: PyReadonlyArray2<'py, f32>,
    metric_name: &str,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    guarded(|| {
        let (x, y, metric) = (rows(&x)?, rows(&y)?, metric(metric_name)?);
        if x.dim() != y.dim() {
            return Err(PyValueError::new_err(format!(
                "dimensions {} and {} differ",
                x.dim(),
                y.dim()
            )));
        }
        let distances = detached(py, |_| {
            let mut distances = vec![0.0; x.len() * y.len()];
            for (query, out) in x.iter().zip(distances.chunks_mut(y.len().max(1))) {
                metric.distances(query, y, out);
                out.iter_mut()
                    .for_each(|distance| *distance = faiss_value(metric, *distance));
            }
            distances
        });
        distances.into_pyarray(py).reshape([x.len(), y.len()])
    })
}

/// Gives every row the length 1, in place; zero rows stay.
#[pyfunction]
pub(crate) fn normalize_rows(py: Python<'_>, mut x: PyReadwriteArray2<'_, f32>) -> PyResult<()> {
    guarded(|| {
        let dim = x.as_array().ncols();
        let data = x.as_slice_mut()?;
        if let Some(mut rows) = RowsMut::new(data, dim) {
            detached(py, |_| normalize(&mut rows));
        }
        Ok(())
    })
}

/// Parameters of k-means by Faiss's names; what is not named has Faiss's default.
fn params(k: usize, given: &BTreeMap<String, f64>) -> KMeansParams {
    let get = |name: &str, default: f64| given.get(name).copied().unwrap_or(default);
    let flag = |name: &str| get(name, 0.0) != 0.0;
    let spherical = flag("spherical");
    let base = if flag("inner_product") {
        KMeansParams::spherical(k)
    } else {
        KMeansParams::new(k)
    };
    KMeansParams {
        niter: get("niter", 25.0) as usize,
        nredo: get("nredo", 1.0) as usize,
        spherical,
        int_centroids: flag("int_centroids"),
        frozen_centroids: flag("frozen_centroids"),
        min_points_per_centroid: get("min_points_per_centroid", 39.0) as usize,
        max_points_per_centroid: get("max_points_per_centroid", 256.0) as usize,
        seed: get("seed", 1234.0) as u64,
        init: match get("init_method", 0.0) as usize {
            1 => Init::PlusPlus,
            2 => Init::AfkMc2 {
                chain_length: get("afkmc2_chain_length", 50.0) as usize,
            },
            _ => Init::Random,
        },
        early_stop_threshold: get("early_stop_threshold", 0.0),
        ..base
    }
}

/// Objective, imbalance factor and number of splits of one iteration.
type Stats = (f64, f64, usize);

fn stats(stats: &IterationStats) -> Stats {
    (stats.objective, stats.imbalance_factor, stats.splits)
}

/// Centroids and the statistics of each iteration.
#[pyfunction]
#[pyo3(signature = (x, k, given, weights, init))]
pub(crate) fn kmeans<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'py, f32>,
    k: usize,
    given: BTreeMap<String, f64>,
    weights: Option<PyReadonlyArray1<'py, f32>>,
    init: Option<PyReadonlyArray2<'py, f32>>,
) -> PyResult<(Bound<'py, PyArray2<f32>>, Vec<Stats>)> {
    guarded(|| {
        let vectors = rows(&x)?;
        let weights = weights.as_ref().map(|weights| weights.as_slice()).transpose()?;
        let init_centroids = init.as_ref().map(rows).transpose()?;
        let params = params(k, &given);
        let trained = detached(py, |pool| {
            let training = cluster::Training {
                weights,
                init_centroids,
                pool,
                ..Default::default()
            };
            params.train(vectors, &training)
        });
        let trained = trained.map_err(refused)?;
        let history = trained.stats().iter().map(stats).collect();
        let centroids = trained.into_centroids().into_pyarray(py).reshape([k, vectors.dim()])?;
        Ok((centroids, history))
    })
}

/// The `k` nearest of `y` to each of `x`, in Faiss's terms: distances and positions, one after the other.
#[pyfunction]
pub(crate) fn knn<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'py, f32>,
    y: PyReadonlyArray2<'py, f32>,
    k: usize,
    metric_name: &str,
) -> PyResult<super::index::Found<'py>> {
    guarded(|| {
        let (queries, base, metric) = (rows(&x)?, rows(&y)?, metric(metric_name)?);
        let places = queries.len().saturating_mul(k);
        let (distances, ids) = detached(py, |pool| {
            let mut index = Flat::new(base.dim(), metric).map_err(raise)?;
            index.add(base).map_err(raise)?;
            let request = SearchRequest {
                pool,
                ..SearchRequest::new(k)
            };
            let found = index.search(queries, &request).map_err(raise)?;
            super::index::padded(metric, &found, k, places)
        })?;
        let shape = [queries.len(), k];
        Ok((
            distances.into_pyarray(py).reshape(shape)?,
            ids.into_pyarray(py).reshape(shape)?,
        ))
    })
}
