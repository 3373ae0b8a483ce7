//! One index of any kind.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use anear::index::compat::faiss::{read_index, write_index};
use anear::index::{
    Cosine, IdMap, IndexSpec, Ivf, Neighbors, PreTransform, RangeRequest, Refine, SearchRequest, Training, VectorIndex,
    VectorIndexExt as _, faiss_value,
};
use anear::kernels::IdSelector;
use anear::{Metric, Pool};
use numpy::{IntoPyArray as _, PyArray1, PyArray2, PyArrayMethods as _, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::{PyKeyError, PyMemoryError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::selector::Selector;
use super::{detached, metric, raise, refused, rows};
use crate::error::guarded;

/// Distances and ids, row by row.
pub(super) type Found<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<i64>>);

/// Where each query's results end, their distances and their ids.
type FoundWithin<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<f32>>,
    Bound<'py, PyArray1<i64>>,
);

/// An index that has been trained.
#[pyclass(frozen, module = "anear._native")]
pub(crate) struct Engine(RwLock<Box<dyn VectorIndex>>);

impl Engine {
    fn new(index: Box<dyn VectorIndex>) -> Self {
        Self(RwLock::new(index))
    }

    fn read<T: Send>(&self, py: Python<'_>, read: impl FnOnce(&dyn VectorIndex, Option<&Pool>) -> T + Send) -> T {
        detached(py, |pool| {
            read(&**self.0.read().unwrap_or_else(PoisonError::into_inner), pool)
        })
    }

    fn write<T: Send>(&self, py: Python<'_>, write: impl FnOnce(&mut dyn VectorIndex, Option<&Pool>) -> T + Send) -> T {
        detached(py, |pool| {
            write(&mut **self.0.write().unwrap_or_else(PoisonError::into_inner), pool)
        })
    }
}

#[pymethods]
impl Engine {
    /// An empty index that has learned from `sample`.
    #[staticmethod]
    fn train(
        py: Python<'_>,
        spec: &str,
        metric_name: &str,
        sample: PyReadonlyArray2<'_, f32>,
        seed: u64,
    ) -> PyResult<Self> {
        guarded(|| {
            let (spec, metric) = (spec.parse::<IndexSpec>().map_err(raise)?, metric(metric_name)?);
            let sample = rows(&sample)?;
            let index = detached(py, |pool| spec.train(metric, sample, &Training { seed, pool }));
            index.map(Self::new).map_err(raise)
        })
    }

    /// An empty index of a kind that needs no training.
    #[staticmethod]
    fn build(spec: &str, dim: usize, metric_name: &str) -> PyResult<Self> {
        guarded(|| {
            let spec = spec.parse::<IndexSpec>().map_err(raise)?;
            spec.build(dim, metric(metric_name)?).map(Self::new).map_err(raise)
        })
    }

    /// An inverted file whose lists are those of the vectors in `coarse`.
    #[staticmethod]
    fn over(
        py: Python<'_>,
        coarse: &Self,
        spec: &str,
        metric_name: &str,
        sample: PyReadonlyArray2<'_, f32>,
    ) -> PyResult<Self> {
        guarded(|| {
            let spec = spec.parse::<IndexSpec>().map_err(raise)?;
            let IndexSpec::Ivf(spec) = spec else {
                return Err(refused(format!("`{spec}` is no inverted file")));
            };
            let (metric, sample) = (metric(metric_name)?, rows(&sample)?);
            let coarse = coarse.read(py, |coarse, _| coarse.boxed_clone());
            let index = detached(py, |pool| {
                let training = Training {
                    pool,
                    ..Training::default()
                };
                Ivf::train_over(coarse, &spec, metric, sample, &training)
            });
            Ok(Self::new(Box::new(index.map_err(raise)?)))
        })
    }

    /// The index in a Faiss file.
    #[staticmethod]
    fn from_faiss(py: Python<'_>, file: &[u8]) -> PyResult<Self> {
        guarded(|| detached(py, |_| read_index(file)).map(Self::new).map_err(raise))
    }

    /// The Faiss file of this index.
    fn to_faiss<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| {
            let file = self.read(py, |index, _| write_index(index)).map_err(raise)?;
            Ok(PyBytes::new(py, &file))
        })
    }

    /// A copy that shares nothing with this one.
    fn copy(&self, py: Python<'_>) -> Self {
        Self::new(self.read(py, |index, _| index.boxed_clone()))
    }

    /// Over this index, another one that gives its vectors ids, or ranks them anew. Copies what it is given.
    fn mapped(&self, py: Python<'_>, spec: &str) -> PyResult<Self> {
        guarded(|| {
            let kind = if spec == "IDMap2" {
                anear::index::IdMapKind::IdMap2
            } else {
                anear::index::IdMapKind::IdMap
            };
            let inner = self.read(py, |index, _| index.boxed_clone());
            let ids = (0..inner.len() as u64).collect();
            let index = IdMap::with_ids(kind, inner, ids).map_err(raise)?;
            Ok(Self::new(Box::new(index)))
        })
    }

    /// An index whose candidates `refine` ranks. Copies what it is given.
    fn refined(&self, py: Python<'_>, refine: &Self) -> PyResult<Self> {
        guarded(|| {
            let [base, refine] = [self, refine].map(|engine| engine.read(py, |index, _| index.boxed_clone()));
            let index = Refine::with_vectors(base, refine).map_err(raise)?;
            Ok(Self::new(Box::new(index)))
        })
    }

    /// A copy of the index within that has this name.
    fn part(&self, py: Python<'_>, name: &str) -> PyResult<Self> {
        guarded(|| {
            let part = self.read(py, |index, _| part(index, name).map(|part| part.boxed_clone()));
            part.map(Self::new).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
        })
    }

    #[getter]
    fn spec(&self, py: Python<'_>) -> String {
        self.read(py, |index, _| index.spec().to_string())
    }

    #[getter]
    fn metric(&self, py: Python<'_>) -> String {
        self.read(py, |index, _| index.metric().to_string())
    }

    #[getter]
    fn dim(&self, py: Python<'_>) -> usize {
        self.read(py, |index, _| index.dim())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.read(py, |index, _| index.len())
    }

    /// Names and values of the search parameters.
    fn knobs(&self, py: Python<'_>) -> BTreeMap<&'static str, f64> {
        self.read(py, |index, _| {
            let named = index
                .knobs()
                .into_iter()
                .filter_map(|knob| Some((knob.alias, index.knob(knob.name)?)));
            named.collect()
        })
    }

    /// Values worth trying of each search parameter, from fast to thorough.
    fn ladders(&self, py: Python<'_>) -> BTreeMap<&'static str, Vec<f64>> {
        self.read(py, |index, _| {
            let ladders = index.knobs().into_iter().map(|knob| (knob.alias, knob.ladder.to_vec()));
            ladders.collect()
        })
    }

    fn set_knob(&self, py: Python<'_>, name: &str, value: f64) -> PyResult<()> {
        guarded(|| self.write(py, |index, _| index.set_knob(name, value)).map_err(raise))
    }

    fn add(&self, py: Python<'_>, x: PyReadonlyArray2<'_, f32>) -> PyResult<()> {
        guarded(|| {
            let vectors = rows(&x)?;
            self.write(py, |index, pool| match index.as_add() {
                Some(add) => add.add_on(vectors, pool).map(drop),
                None => index.add(vectors).map(drop),
            })
            .map_err(raise)
        })
    }

    fn add_with_ids(
        &self,
        py: Python<'_>,
        x: PyReadonlyArray2<'_, f32>,
        ids: PyReadonlyArray1<'_, i64>,
    ) -> PyResult<()> {
        guarded(|| {
            let (vectors, ids) = (rows(&x)?, unsigned(&ids)?);
            self.write(py, |index, pool| match index.as_add_with_ids() {
                Some(add) => add.add_with_ids_on(vectors, &ids, pool),
                None => index.add_with_ids(vectors, &ids),
            })
            .map_err(raise)
        })
    }

    /// The `k` nearest of each query, padded with -1 and the worst value there is.
    #[pyo3(signature = (x, k, knobs, selector))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f32>,
        k: usize,
        knobs: BTreeMap<String, f64>,
        selector: Option<PyRef<'py, Selector>>,
    ) -> PyResult<Found<'py>> {
        guarded(|| {
            let queries = rows(&x)?;
            let places = queries
                .len()
                .checked_mul(k)
                .filter(|places| *places < isize::MAX as usize / 8);
            let places =
                places.ok_or_else(|| PyMemoryError::new_err(format!("no memory for {k} results per query")))?;
            let keep = selector.as_deref().map_or(IdSelector::All, Selector::as_selector);
            let (distances, ids) = self.read(py, |index, pool| {
                let mut request = SearchRequest::new(k).selecting(keep);
                knobs
                    .into_iter()
                    .for_each(|(name, value)| request.knobs.set(name, value));
                request.pool = pool;
                let found = index.search(queries, &request).map_err(raise)?;
                padded(index.metric(), &found, k, places)
            })?;
            let shape = [queries.len(), k];
            Ok((
                distances.into_pyarray(py).reshape(shape)?,
                ids.into_pyarray(py).reshape(shape)?,
            ))
        })
    }

    /// Everything better than `radius`, in Faiss's terms.
    #[pyo3(signature = (x, radius, knobs, selector))]
    fn range_search<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'py, f32>,
        radius: f32,
        knobs: BTreeMap<String, f64>,
        selector: Option<PyRef<'py, Selector>>,
    ) -> PyResult<FoundWithin<'py>> {
        guarded(|| {
            let queries = rows(&x)?;
            let keep = selector.as_deref().map_or(IdSelector::All, Selector::as_selector);
            let (ends, distances, ids) = self.read(py, |index, pool| {
                let metric = index.metric();
                // Its own inverse: both sides of it are mirrored alike.
                let mut request = RangeRequest::new(faiss_value(metric, radius)).selecting(keep);
                knobs
                    .into_iter()
                    .for_each(|(name, value)| request.knobs.set(name, value));
                request.pool = pool;
                let found = index.range_search(queries, &request).map_err(raise)?;
                let mut ends = vec![0_i64];
                let (mut distances, mut ids) = (Vec::new(), Vec::new());
                for row in found.iter() {
                    distances.extend(row.iter().map(|n| faiss_value(metric, n.distance)));
                    ids.extend(row.iter().map(|n| n.id as i64));
                    ends.push(ids.len() as i64);
                }
                PyResult::Ok((ends, distances, ids))
            })?;
            Ok((ends.into_pyarray(py), distances.into_pyarray(py), ids.into_pyarray(py)))
        })
    }

    /// The vectors with these ids.
    fn reconstruct<'py>(
        &self,
        py: Python<'py>,
        ids: PyReadonlyArray1<'py, i64>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        guarded(|| {
            let ids = unsigned(&ids)?;
            let (vectors, dim) = self.read(py, |index, _| {
                let mut vectors = Vec::new();
                for id in &ids {
                    vectors.extend(index.reconstruct(*id).map_err(raise)?);
                }
                PyResult::Ok((vectors, index.dim()))
            })?;
            vectors.into_pyarray(py).reshape([ids.len(), dim])
        })
    }

    /// Removes what is selected; returns how many there were.
    fn remove(&self, py: Python<'_>, selector: PyRef<'_, Selector>) -> PyResult<usize> {
        guarded(|| {
            let selector = selector.as_selector();
            self.write(py, |index, _| index.remove(&selector)).map_err(raise)
        })
    }

    /// Takes over the vectors of another index, which is empty then.
    fn merge(&self, py: Python<'_>, other: &Self, add_id: u64) -> PyResult<()> {
        guarded(|| {
            // A copy gives the vectors: two locks are never held at once.
            let mut giving = other.read(py, |index, _| index.boxed_clone());
            let merged = self.write(py, |index, _| {
                let kind = index.kind();
                let missing = || refused(format!("{kind} index does not support merging"));
                index
                    .as_merge()
                    .ok_or_else(missing)?
                    .merge_from(&mut *giving, add_id)
                    .map_err(raise)
            });
            merged?;
            other
                .write(py, |index, _| index.remove(&IdSelector::All))
                .map(drop)
                .map_err(raise)
        })
    }

    /// The ids of an id map, by position.
    fn id_map<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray1<i64>>> {
        let ids = self.read(py, |index, _| {
            let map = (index as &dyn Any).downcast_ref::<IdMap>()?;
            Some(map.ids().iter().map(|id| *id as i64).collect::<Vec<_>>())
        });
        Some(ids?.into_pyarray(py))
    }

    /// The ids in an inverted list.
    fn list_ids<'py>(&self, py: Python<'py>, list: usize) -> Option<Bound<'py, PyArray1<i64>>> {
        let ids = self.read(py, |index, _| {
            let ivf = (index as &dyn Any)
                .downcast_ref::<Ivf>()
                .filter(|ivf| list < ivf.nlist())?;
            Some(ivf.list(list).ids().iter().map(|id| *id as i64).collect::<Vec<_>>())
        });
        Some(ids?.into_pyarray(py))
    }
}

/// The index of this name within another.
fn part<'i>(index: &'i dyn VectorIndex, name: &str) -> Option<&'i dyn VectorIndex> {
    let any: &dyn Any = index;
    match name {
        "quantizer" => any.downcast_ref::<Ivf>().map(Ivf::coarse),
        "base_index" => any.downcast_ref::<Refine>().map(Refine::base),
        "refine_index" => any.downcast_ref::<Refine>().map(Refine::refining),
        "index" => any
            .downcast_ref::<IdMap>()
            .map(IdMap::inner)
            .or_else(|| any.downcast_ref::<PreTransform>().map(PreTransform::inner))
            .or_else(|| any.downcast_ref::<Cosine>().map(Cosine::inner)),
        _ => None,
    }
}

/// `k` places per query.
pub(super) fn padded(metric: Metric, found: &Neighbors, k: usize, places: usize) -> PyResult<(Vec<f32>, Vec<i64>)> {
    // Faiss's largest float stands where nothing was found, for products the smallest.
    let worst = if faiss_value(metric, 1.0) < faiss_value(metric, 0.0) {
        f32::MIN
    } else {
        f32::MAX
    };
    let no_memory = |_| PyMemoryError::new_err(format!("no memory for {places} results"));
    let (mut distances, mut ids) = (Vec::new(), Vec::new());
    distances.try_reserve_exact(places).map_err(no_memory)?;
    ids.try_reserve_exact(places).map_err(no_memory)?;
    for row in found.iter() {
        distances.extend(row.iter().map(|n| faiss_value(metric, n.distance)));
        ids.extend(row.iter().map(|n| n.id as i64));
        distances.extend(std::iter::repeat_n(worst, k - row.len()));
        ids.extend(std::iter::repeat_n(-1, k - row.len()));
    }
    Ok((distances, ids))
}

fn unsigned(ids: &PyReadonlyArray1<'_, i64>) -> PyResult<Vec<u64>> {
    let unsigned = |id: &i64| u64::try_from(*id).map_err(|_| refused(format!("ids must not be negative, got {id}")));
    ids.as_slice()?.iter().map(unsigned).collect()
}
