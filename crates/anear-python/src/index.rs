//! An exact index that stands alone, as people give to a store's constructor.

use std::sync::{PoisonError, RwLock};

use anear::index::{Flat, NeighborsMut, SearchRequest, VectorIndex as _, VectorIndexExt as _};
use anear::kernels::{IdSelector, Rows};
use anear::{Metric, Pool};
use numpy::{IntoPyArray as _, PyArray1, PyArray2, PyArrayMethods as _};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::Matrix;
use crate::error::{guarded, raise};

/// An exact index that stands alone (Faiss: `IndexFlat`).
#[pyclass(frozen, module = "anear")]
pub(crate) struct IndexFlat(RwLock<Flat>);

impl IndexFlat {
    /// Reads with the GIL released: nobody waits for the lock while attached. As a job like any other, so that no fork
    /// finds the lock held.
    fn read<T: Send>(&self, py: Python<'_>, read: impl FnOnce(&Flat) -> T + Send) -> T {
        py.detach(|| Pool::here(|| read(&self.0.read().unwrap_or_else(PoisonError::into_inner))))
    }

    fn write<T: Send>(&self, py: Python<'_>, write: impl FnOnce(&mut Flat) -> T + Send) -> T {
        py.detach(|| Pool::here(|| write(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))))
    }
}

#[pymethods]
impl IndexFlat {
    #[new]
    #[pyo3(signature = (d, metric = "l2"))]
    fn new(d: usize, metric: &str) -> PyResult<Self> {
        guarded(|| {
            let flat = Flat::new(d, metric_of(metric)?).map_err(raise)?;
            Ok(Self(RwLock::new(flat)))
        })
    }

    #[getter]
    fn d(&self, py: Python<'_>) -> usize {
        self.read(py, |flat| flat.dim())
    }

    #[getter]
    fn ntotal(&self, py: Python<'_>) -> usize {
        self.read(py, |flat| flat.len())
    }

    #[getter]
    fn metric(&self, py: Python<'_>) -> &'static str {
        self.read(py, |flat| flat.metric().name())
    }

    fn add(&self, py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<()> {
        guarded(|| {
            let matrix = Matrix::from_python(x)?;
            let Some(rows) = rows(&matrix) else { return Ok(()) };
            self.write(py, |flat| flat.add(rows)).map_err(raise)?;
            Ok(())
        })
    }

    /// Distances (products for inner product and cosine) and ids, padded with -1.
    #[expect(clippy::type_complexity, reason = "two arrays, as Faiss returns them")]
    fn search<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        k: usize,
    ) -> PyResult<(Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<i64>>)> {
        guarded(|| {
            let matrix = Matrix::from_python(x)?;
            let (distances, ids) = empty_answer(py, matrix.rows, k)?;
            let mut writable = (distances.readwrite(), ids.readwrite());
            let out = (writable.0.as_slice_mut()?, writable.1.as_slice_mut()?);
            if let Some(rows) = rows(&matrix) {
                self.read(py, move |flat| search_into(flat, rows, k, out))
                    .map_err(raise)?;
            }
            drop(writable);
            Ok((distances, ids))
        })
    }

    fn reconstruct<'py>(&self, py: Python<'py>, key: i64) -> PyResult<Bound<'py, PyArray1<f32>>> {
        guarded(|| {
            let id =
                u64::try_from(key).map_err(|_| PyValueError::new_err(format!("key must be at least 0, got {key}")))?;
            let vector = self.read(py, |flat| flat.reconstruct(id)).map_err(raise)?;
            Ok(vector.into_pyarray(py))
        })
    }

    #[pyo3(signature = (n0 = 0, ni = -1))]
    fn reconstruct_n<'py>(&self, py: Python<'py>, n0: usize, ni: i64) -> PyResult<Bound<'py, PyArray2<f32>>> {
        guarded(|| {
            let (vectors, dim) = self.read(py, |flat| {
                let len = flat.len();
                let end = usize::try_from(ni).map_or(len, |ni| n0.saturating_add(ni));
                if n0 > end || end > len {
                    return Err(PyValueError::new_err(format!(
                        "vectors {n0} to {end} were asked for, the index holds {len}"
                    )));
                }
                let mut vectors = Vec::new();
                flat.reconstruct_n(n0 as u64..end as u64, &mut vectors).map_err(raise)?;
                Ok((vectors, flat.dim()))
            })?;
            let rows = vectors.len() / dim;
            vectors.into_pyarray(py).reshape([rows, dim])
        })
    }

    fn remove_ids(&self, py: Python<'_>, ids: Vec<u64>) -> PyResult<usize> {
        guarded(|| {
            let mut ids = ids;
            ids.sort_unstable();
            ids.dedup();
            self.write(py, |flat| flat.remove(&IdSelector::Sorted(&ids)))
                .map_err(raise)
        })
    }

    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        guarded(|| {
            self.write(py, |flat| flat.remove(&IdSelector::All))
                .map(drop)
                .map_err(raise)
        })
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        self.read(py, |flat| {
            format!(
                "IndexFlat(d={}, metric='{}', ntotal={})",
                flat.dim(),
                flat.metric(),
                flat.len()
            )
        })
    }
}

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

fn search_into(flat: &Flat, queries: Rows<'_>, k: usize, out: (&mut [f32], &mut [i64])) -> anear::index::Result<()> {
    let (distances, ids) = out;
    let request = SearchRequest::new(k).on(Pool::global());
    flat.search_into(queries, &request, NeighborsMut { ids, distances })?;
    distances
        .iter_mut()
        .for_each(|distance| *distance = flat.faiss_value(*distance));
    Ok(())
}
