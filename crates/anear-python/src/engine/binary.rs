//! Any index over bit vectors, behind one class.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use anear::Pool;
use anear::index::binary::{
    BinaryHnsw, BinaryIdMap, BinaryIndex, BinaryIvf, BinarySpec, from_bytes, read_binary_index,
    read_first_binary_index, to_bytes, write_binary_index,
};
use anear::index::{IdMapKind, Neighbors, RangeRequest, SearchRequest};
use anear::kernels::IdSelector;
use numpy::{
    IntoPyArray as _, PyArray1, PyArray2, PyArrayMethods as _, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray2,
    PyUntypedArrayMethods as _,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::index::{Within, positive, within};
use super::parts::check_lists;
use super::selector::Selector;
use super::{detached, raise, refused, rows};
use crate::error::guarded;

/// An index over bit vectors that can be filled and searched.
#[pyclass(frozen, module = "anear._native")]
#[pyo3(name = "BinaryIndex")]
pub(crate) struct NativeBinaryIndex(RwLock<Box<dyn BinaryIndex>>);

impl NativeBinaryIndex {
    fn new(index: Box<dyn BinaryIndex>) -> Self {
        Self(RwLock::new(index))
    }

    fn read<T: Send>(&self, py: Python<'_>, read: impl FnOnce(&dyn BinaryIndex, Option<&Pool>) -> T + Send) -> T {
        detached(py, |pool| {
            read(&**self.0.read().unwrap_or_else(PoisonError::into_inner), pool)
        })
    }

    fn write<T: Send>(&self, py: Python<'_>, write: impl FnOnce(&mut dyn BinaryIndex) -> T + Send) -> T {
        detached(py, |_| {
            write(&mut **self.0.write().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

#[pymethods]
impl NativeBinaryIndex {
    /// The index of a factory string, trained on `sample` where it must be.
    #[staticmethod]
    #[pyo3(signature = (spec, d, sample = None, seed = 1234))]
    fn build(
        py: Python<'_>,
        spec: &str,
        d: usize,
        sample: Option<PyReadonlyArray2<'_, u8>>,
        seed: u64,
    ) -> PyResult<Self> {
        guarded(|| {
            let spec = spec.parse::<BinarySpec>().map_err(raise)?;
            let sample = sample.as_ref().map(rows).transpose()?;
            let build = |pool: Option<&Pool>| match sample {
                Some(sample) => spec.train(d, sample, seed, pool),
                None => spec.build(d),
            };
            detached(py, build).map(Self::new).map_err(raise)
        })
    }

    /// An inverted file whose lists are those of the vectors in a copy of `coarse`.
    #[staticmethod]
    fn ivf(py: Python<'_>, coarse: &Self) -> PyResult<Self> {
        let coarse = coarse.read(py, |index, _| index.boxed_clone());
        let index = BinaryIvf::new(coarse).map_err(raise)?;
        Ok(Self::new(Box::new(index)))
    }

    /// A graph that takes this long over building it.
    #[staticmethod]
    fn hnsw(d: usize, m: usize, ef_construction: usize) -> PyResult<Self> {
        let index = BinaryHnsw::new(d, m).map_err(raise)?;
        Ok(Self::new(Box::new(index.with_ef_construction(ef_construction))))
    }

    /// Ids over a copy of `inner`, one per vector.
    #[staticmethod]
    fn id_map(py: Python<'_>, two: bool, inner: &Self, ids: Vec<u64>) -> PyResult<Self> {
        let kind = if two { IdMapKind::IdMap2 } else { IdMapKind::IdMap };
        let inner = inner.read(py, |index, _| index.boxed_clone());
        let index = BinaryIdMap::new(kind, inner, &ids).map_err(raise)?;
        Ok(Self::new(Box::new(index)))
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        guarded(|| detached(py, |_| from_bytes(data)).map(Self::new).map_err(raise))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| {
            Ok(PyBytes::new(
                py,
                &self.read(py, |index, _| to_bytes(index)).map_err(raise)?,
            ))
        })
    }

    #[staticmethod]
    fn from_faiss(py: Python<'_>, data: PyReadonlyArray1<'_, u8>) -> PyResult<Self> {
        guarded(|| {
            let data = data.as_slice()?;
            detached(py, |_| read_binary_index(data)).map(Self::new).map_err(raise)
        })
    }

    /// The index that a file of Faiss's begins with, and how many bytes it is.
    #[staticmethod]
    fn first_of_faiss(py: Python<'_>, data: PyReadonlyArray1<'_, u8>) -> PyResult<(Self, usize)> {
        guarded(|| {
            let data = data.as_slice()?;
            let (index, len) = detached(py, |_| read_first_binary_index(data)).map_err(raise)?;
            Ok((Self::new(index), len))
        })
    }

    fn to_faiss<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u8>>> {
        guarded(|| {
            let file = self.read(py, |index, _| write_binary_index(index)).map_err(raise)?;
            Ok(file.into_pyarray(py))
        })
    }

    fn copy(&self, py: Python<'_>) -> PyResult<Self> {
        guarded(|| Ok(Self::new(self.read(py, |index, _| index.boxed_clone()))))
    }

    fn __deepcopy__(&self, py: Python<'_>, _memo: &Bound<'_, PyAny>) -> PyResult<Self> {
        self.copy(py)
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let load = py.get_type::<Self>().getattr("from_bytes")?;
        Ok((load, (self.to_bytes(py)?,)))
    }

    #[getter]
    fn spec(&self, py: Python<'_>) -> String {
        self.read(py, |index, _| index.spec().to_string())
    }

    #[getter]
    fn d(&self, py: Python<'_>) -> usize {
        self.read(py, |index, _| index.dim())
    }

    #[getter]
    fn ntotal(&self, py: Python<'_>) -> usize {
        self.read(py, |index, _| index.len())
    }

    /// Names of the search parameters.
    fn knobs(&self, py: Python<'_>) -> Vec<(&'static str, &'static str)> {
        let knobs = self.read(py, |index, _| index.knobs());
        knobs.iter().map(|knob| (knob.name, knob.alias)).collect()
    }

    fn knob(&self, py: Python<'_>, name: &str) -> Option<f64> {
        self.read(py, |index, _| index.knob(name))
    }

    fn set_knob(&self, py: Python<'_>, name: &str, value: f64) -> PyResult<()> {
        self.write(py, |index| index.set_knob(name, value)).map_err(raise)
    }

    /// The index within an id map, and its ids.
    #[allow(clippy::type_complexity, reason = "an index and an array")]
    fn inner<'py>(&self, py: Python<'py>) -> Option<(Self, Bound<'py, PyArray1<i64>>)> {
        let found = self.read(py, |index, _| {
            let map = (index as &dyn std::any::Any).downcast_ref::<BinaryIdMap>()?;
            let ids = map.ids().iter().map(|id| *id as i64).collect::<Vec<_>>();
            Some((Self::new(map.inner().boxed_clone()), ids))
        });
        found.map(|(inner, ids)| (inner, ids.into_pyarray(py)))
    }

    /// The index that finds the lists of an inverted file.
    fn coarse(&self, py: Python<'_>) -> PyResult<Self> {
        let coarse = self.read(py, |index, _| {
            let ivf = (index as &dyn std::any::Any).downcast_ref::<BinaryIvf>();
            ivf.map(|ivf| Self::new(ivf.coarse().boxed_clone()))
        });
        coarse.ok_or_else(|| refused("this index is no inverted file"))
    }

    /// Ids and vectors of a list of an inverted file.
    #[allow(clippy::type_complexity, reason = "two arrays")]
    fn list<'py>(
        &self,
        py: Python<'py>,
        number: usize,
    ) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray2<u8>>)> {
        let (ids, codes) = self.read(py, |index, _| {
            let ivf = (index as &dyn std::any::Any).downcast_ref::<BinaryIvf>();
            let ivf = ivf.ok_or_else(|| refused("this index is no inverted file"))?;
            if number >= ivf.nlist() {
                return Err(refused(format!("there is no list {number}; there are {}", ivf.nlist())));
            }
            let (ids, codes) = ivf.list(number);
            Ok((ids.iter().map(|id| *id as i64).collect::<Vec<_>>(), codes.to_vec()))
        })?;
        let shape = [ids.len(), self.read(py, |index, _| index.code_len())];
        Ok((ids.into_pyarray(py), codes.into_pyarray(py).reshape(shape)?))
    }

    /// Appends the `i`-th of these vectors to list `lists[i]` of an inverted file, under the id `ids[i]`.
    fn add_codes(
        &self,
        py: Python<'_>,
        lists: PyReadonlyArray1<'_, u32>,
        ids: PyReadonlyArray1<'_, i64>,
        codes: PyReadonlyArray2<'_, u8>,
    ) -> PyResult<()> {
        guarded(|| {
            let (lists, ids, codes) = (lists.as_slice()?, positive(ids.as_slice()?)?, rows(&codes)?);
            self.write(py, |index| {
                let ivf = (index as &mut dyn std::any::Any).downcast_mut::<BinaryIvf>();
                let ivf = ivf.ok_or_else(|| refused("this index is no inverted file"))?;
                check_lists(lists, ivf.nlist(), ids.len(), codes.len())?;
                ivf.add_to_lists(lists, &ids, codes).map_err(raise)
            })
        })
    }

    fn add(&self, py: Python<'_>, x: PyReadonlyArray2<'_, u8>) -> PyResult<()> {
        guarded(|| {
            let x = rows(&x)?;
            self.write(py, |index| index.add(x)).map(drop).map_err(raise)
        })
    }

    fn add_with_ids(
        &self,
        py: Python<'_>,
        x: PyReadonlyArray2<'_, u8>,
        ids: PyReadonlyArray1<'_, i64>,
    ) -> PyResult<()> {
        guarded(|| {
            let (x, ids) = (rows(&x)?, positive(ids.as_slice()?)?);
            self.write(py, |index| index.add_with_ids(x, &ids)).map_err(raise)
        })
    }

    #[pyo3(signature = (x, distances, labels, selector = None, knobs = None))]
    fn search(
        &self,
        py: Python<'_>,
        x: PyReadonlyArray2<'_, u8>,
        mut distances: PyReadwriteArray2<'_, i32>,
        mut labels: PyReadwriteArray2<'_, i64>,
        selector: Option<PyRef<'_, Selector>>,
        knobs: Option<HashMap<String, f64>>,
    ) -> PyResult<()> {
        guarded(|| {
            let (queries, k) = (rows(&x)?, labels.shape()[1]);
            let (distances, labels) = (distances.as_slice_mut()?, labels.as_slice_mut()?);
            let keep = selector
                .as_ref()
                .map_or(IdSelector::All, |selector| selector.as_selector());
            let found = self.read(py, |index, pool| {
                let mut request = SearchRequest::new(k).selecting(keep);
                request.pool = pool;
                let knobs = knobs.into_iter().flatten();
                knobs.for_each(|(name, value)| request.knobs.set(name, value));
                index.search(queries, &request)
            });
            fill(k, &found.map_err(raise)?, distances, labels);
            Ok(())
        })
    }

    #[pyo3(signature = (x, radius, selector = None, knobs = None))]
    fn range_search<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'_, u8>,
        radius: f32,
        selector: Option<PyRef<'_, Selector>>,
        knobs: Option<HashMap<String, f64>>,
    ) -> PyResult<Within<'py>> {
        guarded(|| {
            let queries = rows(&x)?;
            let keep = selector
                .as_ref()
                .map_or(IdSelector::All, |selector| selector.as_selector());
            let found = self.read(py, |index, pool| {
                let mut request = RangeRequest::new(radius).selecting(keep);
                request.pool = pool;
                let knobs = knobs.into_iter().flatten();
                knobs.for_each(|(name, value)| request.knobs.set(name, value));
                index.range_search(queries, &request)
            });
            Ok(within(py, &found.map_err(raise)?, |distance| distance))
        })
    }

    /// The vectors with these ids, into the rows of `out`.
    fn reconstruct(
        &self,
        py: Python<'_>,
        ids: PyReadonlyArray1<'_, i64>,
        mut out: PyReadwriteArray2<'_, u8>,
    ) -> PyResult<()> {
        guarded(|| {
            let (ids, width) = (positive(ids.as_slice()?)?, out.shape()[1]);
            let out = out.as_slice_mut()?;
            self.read(py, |index, _| {
                if width != index.code_len() || out.len() != ids.len() * width {
                    return Err(PyValueError::new_err("the array for the vectors has another shape"));
                }
                for (out, id) in out.chunks_mut(width).zip(&ids) {
                    out.copy_from_slice(index.reconstruct(*id).map_err(raise)?);
                }
                Ok(())
            })
        })
    }

    fn remove(&self, py: Python<'_>, selector: &Selector) -> PyResult<usize> {
        guarded(|| {
            self.write(py, |index| index.remove(&selector.as_selector()))
                .map_err(raise)
        })
    }

    /// Takes over all vectors of `other`.
    fn merge(&self, py: Python<'_>, other: &Self) -> PyResult<()> {
        guarded(|| {
            if std::ptr::eq(self, other) {
                return Err(refused("an index cannot be merged into itself"));
            }
            let mut taken = other.read(py, |index, _| index.boxed_clone());
            self.write(py, |index| index.merge(&mut *taken)).map_err(raise)?;
            other.write(py, |index| index.remove(&IdSelector::All)).map_err(raise)?;
            Ok(())
        })
    }
}

fn fill(k: usize, found: &Neighbors, distances: &mut [i32], labels: &mut [i64]) {
    distances.fill(i32::MAX);
    labels.fill(-1);
    if k == 0 {
        return;
    }
    for ((distances, labels), row) in distances.chunks_mut(k).zip(labels.chunks_mut(k)).zip(found.iter()) {
        for ((distance, label), neighbor) in distances.iter_mut().zip(labels).zip(row) {
            *distance = neighbor.distance as i32;
            *label = neighbor.id as i64;
        }
    }
}
