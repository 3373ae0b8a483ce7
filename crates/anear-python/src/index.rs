//! What searches of stores and views have in common: metrics by name, rows, arrays for answers.

use anear::Metric;
use anear::kernels::Rows;
use numpy::PyArray2;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::Matrix;

/// The metric of this name.
pub(crate) fn metric_of(name: &str) -> PyResult<Metric> {
    name.parse().map_err(|_| {
        let known: Vec<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        PyValueError::new_err(format!("unknown metric {name:?}; there are {}", known.join(", ")))
    })
}

/// The vectors as rows; `None` when there are none.
pub(crate) fn rows(matrix: &Matrix) -> Option<Rows<'_>> {
    Rows::new(&matrix.data, matrix.dim).filter(|rows| !rows.is_empty())
}

/// Arrays of `rows` x `k` for an answer.
#[expect(clippy::type_complexity, reason = "two arrays, as Faiss returns them")]
pub(crate) fn empty_answer(
    py: Python<'_>,
    rows: usize,
    k: usize,
) -> PyResult<(Bound<'_, PyArray2<f32>>, Bound<'_, PyArray2<i64>>)> {
    const PLACES_MAX: usize = 1 << 28;
    if k == 0 {
        return Err(PyValueError::new_err("k must be at least 1, got 0"));
    }
    if rows.saturating_mul(k) > PLACES_MAX {
        return Err(PyValueError::new_err(format!(
            "{rows} queries with k = {k} want more than {PLACES_MAX} answers; ask in smaller batches"
        )));
    }
    Ok((
        PyArray2::zeros(py, [rows, k], false),
        PyArray2::zeros(py, [rows, k], false),
    ))
}
