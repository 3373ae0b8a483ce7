//! Any index of the engine, behind one class.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use anear::index::compat::faiss::{
    read_first_index, read_first_product, read_index, read_index_in, write_index, write_index_beside_lists,
};
use anear::index::{
    Error, Extent, Flat, IdMap, IdMapKind, IndexSpec, Ivf, IvfSpec, Knobs, Mapping, Neighbors, PreTransform,
    RangeRequest, Refine, SearchRequest, Training, VectorIndex, VectorIndexExt as _, Verify, faiss_value, from_bytes,
    is_container, open_mapped, to_bytes,
};
use anear::kernels::{IdSelector, Rows};
use anear::quant::{Product, QuantizerSpec};
use anear::{Metric, Pool};
use numpy::{
    IntoPyArray as _, PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray2, PyUntypedArrayMethods as _,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::selector::Selector;
use super::transform::NativeTransform;
use super::{detached, parts, raise, refused, rows};
use crate::error::guarded;

/// An index that can be filled and searched, with Faiss's values in its answers.
#[pyclass(frozen, module = "anear._native")]
#[pyo3(name = "VectorIndex")]
pub(crate) struct NativeIndex(RwLock<Box<dyn VectorIndex>>);

/// Search parameters by name.
type Values = HashMap<String, f64>;

/// Bounds of the rows, values and ids of a range search.
pub(crate) type Within<'py> = (
    Bound<'py, PyArray1<u64>>,
    Bound<'py, PyArray1<f32>>,
    Bound<'py, PyArray1<i64>>,
);

impl NativeIndex {
    pub(crate) fn new(index: Box<dyn VectorIndex>) -> Self {
        Self(RwLock::new(index))
    }

    pub(crate) fn read<T: Send>(
        &self,
        py: Python<'_>,
        read: impl FnOnce(&dyn VectorIndex, Option<&Pool>) -> T + Send,
    ) -> T {
        detached(py, |pool| {
            read(&**self.0.read().unwrap_or_else(PoisonError::into_inner), pool)
        })
    }

    fn write<T: Send>(&self, py: Python<'_>, write: impl FnOnce(&mut dyn VectorIndex, Option<&Pool>) -> T + Send) -> T {
        detached(py, |pool| {
            write(&mut **self.0.write().unwrap_or_else(PoisonError::into_inner), pool)
        })
    }

    /// What `work` makes of each query with its row of ids, and the metric of the index that it worked on.
    fn each_with<T: Send>(
        &self,
        py: Python<'_>,
        queries: Rows<'_>,
        ids: Rows<'_, i64>,
        work: impl Fn(&dyn VectorIndex, &[f32], &[i64]) -> Result<T, Error> + Send + Sync,
    ) -> PyResult<(Metric, Vec<T>)> {
        if queries.len() != ids.len() {
            return Err(PyValueError::new_err("one row of ids per query"));
        }
        self.read(py, |index, pool| {
            let row = |i: usize| work(index, queries.row(i), ids.row(i));
            let done: Result<Vec<T>, Error> = match pool {
                Some(pool) if queries.len() > 1 => pool.map(queries.len(), row).into_iter().collect(),
                _ => (0..queries.len()).map(row).collect(),
            };
            done.map(|done| (index.metric(), done))
        })
        .map_err(raise)
    }

    fn copied(&self, py: Python<'_>) -> Box<dyn VectorIndex> {
        self.read(py, |index, _| index.boxed_clone())
    }
}

#[pymethods]
impl NativeIndex {
    /// The index of a factory string, trained on `sample`; where nothing is to be learned, that may be empty.
    #[staticmethod]
    #[pyo3(signature = (spec, metric, sample, seed = 1234))]
    fn build(py: Python<'_>, spec: &str, metric: &str, sample: PyReadonlyArray2<'_, f32>, seed: u64) -> PyResult<Self> {
        guarded(|| {
            let (spec, metric) = (spec.parse::<IndexSpec>().map_err(raise)?, metric_of(metric)?);
            let sample = rows(&sample)?;
            detached(py, |pool| spec.train(metric, sample, &Training { seed, pool }))
                .map(Self::new)
                .map_err(raise)
        })
    }

    /// An inverted file whose lists are those of the vectors in a copy of `coarse`.
    #[staticmethod]
    fn ivf(
        py: Python<'_>,
        coarse: &Self,
        codes: &str,
        metric: &str,
        by_residual: bool,
        sample: PyReadonlyArray2<'_, f32>,
        seed: u64,
    ) -> PyResult<Self> {
        guarded(|| {
            let codes = QuantizerSpec::parse(codes)
                .ok_or_else(|| refused(format!("inverted lists cannot hold `{codes}`: no such codes")))?;
            let (coarse, sample, metric) = (coarse.copied(py), rows(&sample)?, metric_of(metric)?);
            let spec = IvfSpec {
                nlist: coarse.len(),
                coarse: Box::new(coarse.spec()),
                codes,
                by_residual,
            };
            let train = |pool: Option<&Pool>| Ivf::train_over(coarse, &spec, metric, sample, &Training { seed, pool });
            let index = detached(py, train).map_err(raise)?;
            Ok(Self::new(Box::new(index)))
        })
    }

    /// Ids over a copy of `inner`, one per vector.
    #[staticmethod]
    fn id_map(py: Python<'_>, two: bool, inner: &Self, ids: Vec<u64>) -> PyResult<Self> {
        let kind = if two { IdMapKind::IdMap2 } else { IdMapKind::IdMap };
        let index = IdMap::with_ids(kind, inner.copied(py), ids).map_err(raise)?;
        Ok(Self::new(Box::new(index)))
    }

    /// Transforms, the first first, before a copy of `inner`.
    #[staticmethod]
    fn pre_transform(py: Python<'_>, chain: Vec<PyRef<'_, NativeTransform>>, inner: &Self) -> PyResult<Self> {
        let chain = chain.iter().map(|transform| transform.0.clone()).collect();
        let index = PreTransform::new(chain, inner.copied(py)).map_err(raise)?;
        Ok(Self::new(Box::new(index)))
    }

    /// Copies of two indexes of the same vectors, of which the second ranks what the first finds; its `i`-th vector has the
    /// id `ids[i]` in the first, if that keeps ids.
    #[staticmethod]
    fn refine(py: Python<'_>, base: &Self, refine: &Self, ids: PyReadonlyArray1<'_, i64>) -> PyResult<Self> {
        let ids = positive(ids.as_slice()?)?;
        let index = Refine::with_ids(base.copied(py), refine.copied(py), ids).map_err(raise)?;
        Ok(Self::new(Box::new(index)))
    }

    /// What `to_bytes` wrote.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        guarded(|| detached(py, |_| from_bytes(data)).map(Self::new).map_err(raise))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| Ok(PyBytes::new(py, &self.read(py, |index, _| to_bytes(index)))))
    }

    /// Whether bytes begin as those of `to_bytes` do.
    #[staticmethod]
    fn is_own(data: PyReadonlyArray1<'_, u8>) -> PyResult<bool> {
        Ok(is_container(data.as_slice()?))
    }

    /// The index of a file of `to_bytes`'s, in which its codes stay.
    #[staticmethod]
    fn map_own(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let open = |_: Option<&Pool>| open_mapped(&path, Verify::Everything);
        guarded(|| detached(py, open).map(Self::new).map_err(raise))
    }

    /// The index of a file of Faiss's, with lists that it leaves to another file in `folder`.
    #[staticmethod]
    #[pyo3(signature = (data, folder = None))]
    fn from_faiss(py: Python<'_>, data: PyReadonlyArray1<'_, u8>, folder: Option<PathBuf>) -> PyResult<Self> {
        guarded(|| {
            let data = data.as_slice()?;
            let read = |_: Option<&Pool>| match &folder {
                Some(folder) => read_index_in(folder, data, None),
                None => read_index(data),
            };
            detached(py, read).map(Self::new).map_err(raise)
        })
    }

    /// The index of a file of Faiss's, in which its codes stay.
    #[staticmethod]
    fn map_faiss(py: Python<'_>, path: PathBuf, folder: PathBuf) -> PyResult<Self> {
        let open = |_: Option<&Pool>| {
            let file = Mapping::open(&path)?;
            read_index_in(&folder, file.as_slice(), Some(&file))
        };
        guarded(|| detached(py, open).map(Self::new).map_err(raise))
    }

    /// The index that a file of Faiss's begins with, and how many bytes it is.
    #[staticmethod]
    fn first_of_faiss(py: Python<'_>, data: PyReadonlyArray1<'_, u8>) -> PyResult<(Self, usize)> {
        guarded(|| {
            let data = data.as_slice()?;
            let (index, len) = detached(py, |_| read_first_index(data)).map_err(raise)?;
            Ok((Self::new(index), len))
        })
    }

    /// An index over the product quantizer that a file of Faiss's begins with, and how many bytes that is.
    #[staticmethod]
    fn first_product_of_faiss(data: PyReadonlyArray1<'_, u8>) -> PyResult<(Self, usize)> {
        guarded(|| {
            let (product, len) = read_first_product(data.as_slice()?).map_err(raise)?;
            let flat = Flat::over(Arc::new(product), Metric::L2).map_err(raise)?;
            Ok((Self::new(Box::new(flat)), len))
        })
    }

    /// An index over a product quantizer of these centroids, those of the first part first.
    #[staticmethod]
    fn product(dim: usize, m: usize, nbits: u32, centroids: PyReadonlyArray1<'_, f32>) -> PyResult<Self> {
        guarded(|| {
            let product = Product::from_parts(dim, m, nbits, centroids.as_slice()?.to_vec()).map_err(refused)?;
            let flat = Flat::over(Arc::new(product), Metric::L2).map_err(raise)?;
            Ok(Self::new(Box::new(flat)))
        })
    }

    /// A copy whose product codes of 4 bits lie in blocks, in files in blocks of so many.
    fn in_blocks(&self, py: Python<'_>, file_block: usize) -> PyResult<Self> {
        guarded(|| {
            self.read(py, |index, _| parts::in_blocks(index, file_block))
                .map(Self::new)
        })
    }

    /// Appends the `i`-th of these codes to list `lists[i]` of an inverted file, under the id `ids[i]`.
    fn add_codes(
        &self,
        py: Python<'_>,
        lists: PyReadonlyArray1<'_, u32>,
        ids: PyReadonlyArray1<'_, i64>,
        codes: PyReadonlyArray2<'_, u8>,
    ) -> PyResult<()> {
        guarded(|| {
            let (lists, ids, codes) = (lists.as_slice()?, positive(ids.as_slice()?)?, rows(&codes)?);
            self.write(py, |index, _| parts::add_codes(index, lists, &ids, codes))
        })
    }

    /// Makes the lists of the file at `path` those of an inverted file; others find it as `name`. Of each list: its size,
    /// its capacity and where it begins.
    fn map_lists(
        &self,
        py: Python<'_>,
        path: PathBuf,
        name: String,
        extents: PyReadonlyArray2<'_, u64>,
    ) -> PyResult<()> {
        guarded(|| {
            if extents.shape()[1] != 3 {
                return Err(PyValueError::new_err(format!(
                    "expected three numbers per list, its size, its capacity and where it begins, got {}",
                    extents.shape()[1]
                )));
            }
            let (extents, _) = extents.as_slice()?.as_chunks();
            let extent = |&[len, capacity, offset]: &[u64; 3]| Extent { len, capacity, offset };
            let extents = extents.iter().map(extent).collect();
            self.write(py, |index, _| parts::map_lists(index, &path, name, extents))
        })
    }

    /// A file for Faiss; lists in a file of their own stay there if that is wanted.
    #[pyo3(signature = (beside_lists = false))]
    fn to_faiss<'py>(&self, py: Python<'py>, beside_lists: bool) -> PyResult<Bound<'py, PyArray1<u8>>> {
        guarded(|| {
            let write = if beside_lists {
                write_index_beside_lists
            } else {
                write_index
            };
            let file = self.read(py, |index, _| write(index)).map_err(raise)?;
            Ok(file.into_pyarray(py))
        })
    }

    /// A copy that shares nothing with this one.
    fn copy(&self, py: Python<'_>) -> PyResult<Self> {
        guarded(|| Ok(Self::new(self.copied(py))))
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
    fn metric(&self, py: Python<'_>) -> String {
        self.read(py, |index, _| index.metric().to_string())
    }

    #[getter]
    fn ntotal(&self, py: Python<'_>) -> usize {
        self.read(py, |index, _| index.len())
    }

    /// What to add to the ids of another index so that none of them is taken here: the id of the next vector, where they
    /// are numbered here; 0 where ids are the caller's.
    #[getter]
    fn next_id(&self, py: Python<'_>) -> u64 {
        self.read(py, |index, _| index.merge_offset())
    }

    /// What searches can be told: name, alias, default, values worth trying.
    #[allow(clippy::type_complexity, reason = "a table of four columns")]
    fn knobs(&self, py: Python<'_>) -> Vec<(&'static str, &'static str, f64, Vec<f64>)> {
        let knobs = self.read(py, |index, _| index.knobs());
        let row = |knob: &&'static anear::index::Knob| (knob.name, knob.alias, knob.default, knob.ladder.to_vec());
        knobs.iter().map(row).collect()
    }

    fn knob(&self, py: Python<'_>, name: &str) -> Option<f64> {
        self.read(py, |index, _| index.knob(name))
    }

    fn set_knob(&self, py: Python<'_>, name: &str, value: f64) -> PyResult<()> {
        self.write(py, |index, _| index.set_knob(name, value)).map_err(raise)
    }

    /// One sentence on how searches are answered, and why, of an index that finds that out by itself.
    fn explain(&self, py: Python<'_>) -> Option<String> {
        self.read(py, |index, _| index.explain_search(&Knobs::default()))
    }

    fn add(&self, py: Python<'_>, x: PyReadonlyArray2<'_, f32>) -> PyResult<()> {
        guarded(|| {
            let x = rows(&x)?;
            self.write(py, |index, pool| match index.as_add() {
                Some(add) => add.add_on(x, pool).map(drop),
                None => index.add(x).map(drop),
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
            let (x, ids) = (rows(&x)?, positive(ids.as_slice()?)?);
            self.write(py, |index, pool| match index.as_add_with_ids() {
                Some(add) => add.add_with_ids_on(x, &ids, pool),
                None => index.add_with_ids(x, &ids),
            })
            .map_err(raise)
        })
    }

    /// Fills `distances` and `labels`, which have a row per query and `k` columns.
    #[pyo3(signature = (x, distances, labels, selector = None, knobs = None))]
    fn search(
        &self,
        py: Python<'_>,
        x: PyReadonlyArray2<'_, f32>,
        mut distances: PyReadwriteArray2<'_, f32>,
        mut labels: PyReadwriteArray2<'_, i64>,
        selector: Option<PyRef<'_, Selector>>,
        knobs: Option<Values>,
    ) -> PyResult<()> {
        guarded(|| {
            let (queries, k) = (rows(&x)?, labels.shape()[1]);
            let (distances, labels) = (distances.as_slice_mut()?, labels.as_slice_mut()?);
            let keep = selector
                .as_ref()
                .map_or(IdSelector::All, |selector| selector.as_selector());
            let knobs = knobs.unwrap_or_default();
            self.read(py, |index, pool| {
                let mut request = SearchRequest::new(k).selecting(keep);
                request.pool = pool;
                knobs
                    .into_iter()
                    .for_each(|(name, value)| request.knobs.set(name, value));
                let found = nearest(index, queries, &request)?;
                fill(index.metric(), k, &found, distances, labels);
                Ok(())
            })
            .map_err(raise)
        })
    }

    #[pyo3(signature = (x, radius, selector = None, knobs = None))]
    fn range_search<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'_, f32>,
        radius: f32,
        selector: Option<PyRef<'_, Selector>>,
        knobs: Option<Values>,
    ) -> PyResult<Within<'py>> {
        guarded(|| {
            let queries = rows(&x)?;
            let keep = selector
                .as_ref()
                .map_or(IdSelector::All, |selector| selector.as_selector());
            let knobs = knobs.unwrap_or_default();
            let found = self.read(py, |index, pool| {
                // The value is its own inverse.
                let mut request = RangeRequest::new(faiss_value(index.metric(), radius)).selecting(keep);
                request.pool = pool;
                knobs
                    .into_iter()
                    .for_each(|(name, value)| request.knobs.set(name, value));
                let found = index.range_search(queries, &request)?;
                Ok((index.metric(), found))
            });
            let (metric, found) = found.map_err(raise)?;
            Ok(within(py, &found, |distance| faiss_value(metric, distance)))
        })
    }

    /// The vectors with these ids, into the rows of `out`.
    fn reconstruct(
        &self,
        py: Python<'_>,
        ids: PyReadonlyArray1<'_, i64>,
        mut out: PyReadwriteArray2<'_, f32>,
    ) -> PyResult<()> {
        guarded(|| {
            let (ids, out) = (positive(ids.as_slice()?)?, out.as_slice_mut()?);
            let vectors = self.read(py, |index, _| {
                let mut vectors = Vec::with_capacity(out.len());
                let Some(reconstruct) = index.as_reconstruct() else {
                    return index.reconstruct(0);
                };
                ids.iter()
                    .try_for_each(|id| reconstruct.reconstruct(*id, &mut vectors))?;
                Ok(vectors)
            });
            let vectors = vectors.map_err(raise)?;
            match vectors.len() == out.len() {
                true => out.copy_from_slice(&vectors),
                false => return Err(PyValueError::new_err("the array for the vectors has another shape")),
            }
            Ok(())
        })
    }

    /// From each query to the vectors with the ids in its row of `labels`; NaN where those are below 0.
    fn distances(
        &self,
        py: Python<'_>,
        x: PyReadonlyArray2<'_, f32>,
        labels: PyReadonlyArray2<'_, i64>,
        mut out: PyReadwriteArray2<'_, f32>,
    ) -> PyResult<()> {
        guarded(|| {
            let (queries, labels, out) = (rows(&x)?, rows(&labels)?, out.as_slice_mut()?);
            if out.len() != labels.as_slice().len() {
                return Err(PyValueError::new_err("one distance per label"));
            }
            let (metric, found) = self.each_with(py, queries, labels, parts::distances)?;
            for (out, found) in out.chunks_mut(labels.dim()).zip(found) {
                let values = found.into_iter().map(|distance| faiss_value(metric, distance));
                out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
            }
            Ok(())
        })
    }

    /// The nearest of the candidates in each query's row, the first of those that are equally near; -1 stands for none.
    fn rank(
        &self,
        py: Python<'_>,
        x: PyReadonlyArray2<'_, f32>,
        candidates: PyReadonlyArray2<'_, i64>,
        mut distances: PyReadwriteArray2<'_, f32>,
        mut labels: PyReadwriteArray2<'_, i64>,
    ) -> PyResult<()> {
        guarded(|| {
            let (queries, candidates, k) = (rows(&x)?, rows(&candidates)?, labels.shape()[1]);
            let (distances, labels) = (distances.as_slice_mut()?, labels.as_slice_mut()?);
            let nearest = |index: &dyn VectorIndex, query: &[f32], ids: &[i64]| parts::nearest_of(index, query, ids, k);
            let (metric, found) = self.each_with(py, queries, candidates, nearest)?;
            fill(metric, k, &found.into_iter().collect(), distances, labels);
            Ok(())
        })
    }

    fn remove(&self, py: Python<'_>, selector: &Selector) -> PyResult<usize> {
        guarded(|| {
            self.write(py, |index, pool| index.remove_on(&selector.as_selector(), pool))
                .map_err(raise)
        })
    }

    /// Takes over all vectors of `other`, whose ids grow by `add_id`.
    fn merge(&self, py: Python<'_>, other: &Self, add_id: u64) -> PyResult<()> {
        guarded(|| {
            if std::ptr::eq(self, other) {
                return Err(refused("an index cannot be merged into itself"));
            }
            let mut taken = other.copied(py);
            self.write(py, |index, pool| match index.as_merge() {
                Some(merge) => merge.merge_from(&mut *taken, add_id, pool),
                None => index.merge_on(&mut *taken, pool),
            })
            .map_err(raise)?;
            other
                .write(py, |index, pool| index.remove_on(&IdSelector::All, pool))
                .map_err(raise)?;
            Ok(())
        })
    }
}

/// The metric of this name, `lp3` for one with a parameter.
pub(super) fn metric_of(name: &str) -> PyResult<Metric> {
    name.parse().map_err(refused)
}

/// Ids that the engine can have.
pub(super) fn positive(ids: &[i64]) -> PyResult<Vec<u64>> {
    let id = |id: &i64| u64::try_from(*id).map_err(|_| refused(format!("ids must be at least 0, got {id}")));
    ids.iter().map(id).collect()
}

/// The nearest of each query; none of a query that is not finite, as in Faiss.
fn nearest(index: &dyn VectorIndex, queries: Rows<'_>, request: &SearchRequest<'_>) -> Result<Neighbors, Error> {
    match index.search(queries, request) {
        Err(Error::NotFinite { .. }) => {}
        answer => return answer,
    }
    let is_finite = |query: &[f32]| query.iter().all(|x| x.is_finite());
    let finite: Vec<f32> = queries
        .iter()
        .filter(|query| is_finite(query))
        .flatten()
        .copied()
        .collect();
    let finite = Rows::new(&finite, queries.dim()).expect("whole queries");
    let found = index.search(finite, request)?;
    let mut rest = found.iter();
    let row = |query: &[f32]| match is_finite(query) {
        true => rest.next().map(<[_]>::to_vec).unwrap_or_default(),
        false => Vec::new(),
    };
    Ok(queries.iter().map(row).collect())
}

/// Writes Faiss's values, padded as Faiss pads.
fn fill(metric: Metric, k: usize, found: &Neighbors, distances: &mut [f32], labels: &mut [i64]) {
    let worst = match faiss_value(metric, 1.0) < faiss_value(metric, 0.0) {
        true => -f32::MAX,
        false => f32::MAX,
    };
    distances.fill(worst);
    labels.fill(-1);
    if k == 0 {
        return;
    }
    for ((distances, labels), row) in distances.chunks_mut(k).zip(labels.chunks_mut(k)).zip(found.iter()) {
        for ((distance, label), neighbor) in distances.iter_mut().zip(labels).zip(row) {
            *distance = faiss_value(metric, neighbor.distance);
            *label = neighbor.id as i64;
        }
    }
}

/// The three arrays of a range search.
pub(super) fn within<'py>(py: Python<'py>, found: &Neighbors, value: impl Fn(f32) -> f32) -> Within<'py> {
    let (mut ends, mut values, mut ids) = (vec![0], Vec::new(), Vec::new());
    for row in found.iter() {
        values.extend(row.iter().map(|neighbor| value(neighbor.distance)));
        ids.extend(row.iter().map(|neighbor| neighbor.id as i64));
        ends.push(ids.len() as u64);
    }
    (ends.into_pyarray(py), values.into_pyarray(py), ids.into_pyarray(py))
}
