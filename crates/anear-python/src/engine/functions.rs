//! What works without an index: normalizing, whole matrices of distances, the grammar of factory strings.

use anear::Pool;
use anear::kernels::{RowsMut, hamming, normalize};
use anear::{Metric, index::faiss_value};
use numpy::{
    IntoPyArray as _, PyArray2, PyArrayMethods as _, PyReadonlyArray2, PyReadwriteArray2, PyUntypedArrayMethods as _,
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
