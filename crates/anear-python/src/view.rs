//! A store at one moment, for those who look behind it: positions, ids, vectors.

use anear::kernels::Rows;
use numpy::{IntoPyArray as _, PyArray1, PyArray2, PyArrayMethods as _};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::arrays::{Matrix, vector};
use crate::error::{guarded, raise};
use crate::index::{empty_answer, rows};
use crate::runtime::Breather;
use crate::values::record_to_python;

/// A store at one moment: later changes do not show. Positions count documents from 0 in insertion order.
#[pyclass(frozen, module = "anear._native")]
pub(crate) struct View(pub(crate) anear::View);

#[pymethods]
impl View {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    #[getter]
    fn dim(&self) -> Option<usize> {
        self.0.dim()
    }

    #[getter]
    fn metric(&self) -> &'static str {
        self.0.metric().name()
    }

    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guarded(|| {
            let mut breather = Breather::new();
            let list = PyList::empty(py);
            for document in self.0.documents() {
                list.append(document.id.as_deref())?;
                breather.breathe(py)?;
            }
            Ok(list)
        })
    }

    fn id(&self, position: usize) -> Option<&str> {
        self.0.document(position)?.id.as_deref()
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.0.position(id)
    }

    fn record<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Option<Bound<'py, PyTuple>>> {
        guarded(|| {
            self.0
                .get(id)
                .map(|document| record_to_python(py, document))
                .transpose()
        })
    }

    #[pyo3(signature = (start = 0, stop = None))]
    fn records<'py>(&self, py: Python<'py>, start: usize, stop: Option<usize>) -> PyResult<Bound<'py, PyList>> {
        guarded(|| {
            let range = self.range(start, stop);
            let mut breather = Breather::new();
            let list = PyList::empty(py);
            for document in self.0.documents().skip(range.start).take(range.len()) {
                list.append(record_to_python(py, document)?)?;
                breather.breathe(py)?;
            }
            Ok(list)
        })
    }

    fn vector<'py>(&self, py: Python<'py>, position: i64) -> PyResult<Bound<'py, PyArray1<f32>>> {
        guarded(|| {
            let len = self.0.len();
            let inside = usize::try_from(position).ok().filter(|position| *position < len);
            let position = inside.ok_or_else(|| {
                PyIndexError::new_err(format!("there is no vector {position}; the index holds {len}"))
            })?;
            Ok(self.0.vector(position).map_err(raise)?.into_pyarray(py))
        })
    }

    #[pyo3(signature = (start = 0, stop = None))]
    fn vectors<'py>(&self, py: Python<'py>, start: usize, stop: Option<usize>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        guarded(|| {
            let range = self.range(start, stop);
            let shape = [range.len(), self.0.dim().unwrap_or_default()];
            let vectors = py.detach(|| self.0.vectors(range)).map_err(raise)?;
            vectors.into_pyarray(py).reshape(shape)
        })
    }

    /// Scores and positions, padded as Faiss does.
    #[expect(clippy::type_complexity, reason = "two arrays, as Faiss returns them")]
    fn nearest<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        k: usize,
    ) -> PyResult<(Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<i64>>)> {
        guarded(|| {
            let matrix = Matrix::from_python(x)?;
            let (scores, positions) = empty_answer(py, matrix.rows, k)?;
            let mut writable = (scores.readwrite(), positions.readwrite());
            let out = (writable.0.as_slice_mut()?, writable.1.as_slice_mut()?);
            py.detach(|| self.nearest_into(rows(&matrix), k, out)).map_err(raise)?;
            drop(writable);
            Ok((scores, positions))
        })
    }
}

/// Positions of the chosen candidates; see [`anear::maximal_marginal_relevance`].
#[pyfunction]
#[pyo3(signature = (query, candidates, lambda_mult = 0.5, k = 4))]
pub(crate) fn maximal_marginal_relevance(
    py: Python<'_>,
    query: &Bound<'_, PyAny>,
    candidates: &Bound<'_, PyAny>,
    lambda_mult: f32,
    k: i64,
) -> PyResult<Vec<usize>> {
    guarded(|| {
        let query = vector(query)?;
        let matrix = Matrix::from_python(candidates)?;
        let candidates: Vec<&[f32]> = rows(&matrix).map(|rows| rows.iter().collect()).unwrap_or_default();
        if !candidates.is_empty() && matrix.dim != query.len() {
            return Err(PyValueError::new_err(format!(
                "the query has {} components, the candidates have {}",
                query.len(),
                matrix.dim
            )));
        }
        let k = usize::try_from(k).unwrap_or(0);
        Ok(py.detach(|| anear::maximal_marginal_relevance(&query, &candidates, lambda_mult, k)))
    })
}

impl View {
    fn range(&self, start: usize, stop: Option<usize>) -> std::ops::Range<usize> {
        let stop = stop.unwrap_or(usize::MAX).min(self.0.len());
        start.min(stop)..stop
    }

    fn nearest_into(&self, queries: Option<Rows<'_>>, k: usize, out: (&mut [f32], &mut [i64])) -> anear::Result<()> {
        let farthest = match self.0.metric() {
            anear::Metric::InnerProduct => f32::NEG_INFINITY,
            _ => f32::INFINITY,
        };
        out.0.fill(farthest);
        out.1.fill(-1);
        let found = match queries {
            Some(queries) => self.0.nearest(queries, k, None)?,
            None => Vec::new(),
        };
        let places = out.0.chunks_mut(k).zip(out.1.chunks_mut(k));
        for ((scores, positions), row) in places.zip(found) {
            for ((score, position), found) in scores.iter_mut().zip(positions).zip(row) {
                // Positions are below 2^63.
                (*position, *score) = (found.0 as i64, found.1);
            }
        }
        Ok(())
    }
}
