//! What an index consists of, for those who look into it.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use anear::index::compat::faiss::write_product;
use anear::index::{
    Cosine, Error, Extent, Flat, Hnsw, IdMap, IdMapKind, IndexSpec, Ivf, List, ListFile, Mapping, Nsg, PreTransform,
    Refine, VectorIndex, VectorIndexExt as _,
};
use anear::kernels::{Neighbor, Rows, TopK};
use anear::quant::{Codes, FastScan, Lsh, Product, Quantizer, QuantizerSpec, Residual, Scalar};
use numpy::{IntoPyArray as _, PyArray1, PyArray2, PyArrayMethods as _, PyReadonlyArray2};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::index::{NativeIndex, metric_of};
use super::transform::NativeTransform;
use super::{raise, refused, rows};
use crate::error::guarded;

/// An array of codes, a row per vector.
type CodeArray<'py> = Bound<'py, PyArray2<u8>>;

/// An index from within.
#[pyclass(frozen, module = "anear._native")]
pub(crate) struct Parts(Py<NativeIndex>);

#[pymethods]
impl Parts {
    #[new]
    fn new(index: Py<NativeIndex>) -> Self {
        Self(index)
    }

    /// The indexes within: `id_map`, `id_map2`, `pre_transform` and `refine` say what this one makes of them.
    fn inner(&self, py: Python<'_>) -> Option<(&'static str, Vec<NativeIndex>)> {
        let copy = |index: &dyn VectorIndex| NativeIndex::new(index.boxed_clone());
        self.0.get().read(py, |index, _| {
            let two = matches!(index.spec(), IndexSpec::IdMap(IdMapKind::IdMap2, _));
            let index = index as &dyn Any;
            if let Some(map) = index.downcast_ref::<IdMap>() {
                return Some((if two { "id_map2" } else { "id_map" }, vec![copy(map.inner())]));
            }
            if let Some(before) = index.downcast_ref::<PreTransform>() {
                return Some(("pre_transform", vec![copy(before.inner())]));
            }
            if let Some(refine) = index.downcast_ref::<Refine>() {
                let refining = refine.refining() as &dyn Any;
                let refining = refining.downcast_ref::<IdMap>().map_or(refine.refining(), IdMap::inner);
                return Some(("refine", vec![copy(refine.base()), copy(refining)]));
            }
            None
        })
    }

    /// The transforms before an index, the first first.
    fn chain(&self, py: Python<'_>) -> Vec<NativeTransform> {
        self.0.get().read(py, |index, _| {
            let before = (index as &dyn Any).downcast_ref::<PreTransform>();
            let chain = before.map(PreTransform::chain).unwrap_or_default();
            chain.iter().cloned().map(NativeTransform).collect()
        })
    }

    /// The ids of an id map, or of one that ranks candidates by ids of the index that finds them.
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let ids = self.0.get().read(py, |index, _| {
            let index = index as &dyn Any;
            let index = index
                .downcast_ref()
                .map_or(index, |refine: &Refine| refine.refining() as &dyn Any);
            let map = index.downcast_ref::<IdMap>();
            map.map(|map| map.ids().iter().map(|id| *id as i64).collect::<Vec<_>>())
        });
        Ok(ids
            .ok_or_else(|| refused("only an id map has ids of its own"))?
            .into_pyarray(py))
    }

    /// The index that finds the lists of an inverted file.
    fn coarse(&self, py: Python<'_>) -> PyResult<NativeIndex> {
        self.with_ivf(py, |ivf| Ok(NativeIndex::new(ivf.coarse().boxed_clone())))
    }

    /// Whether an inverted file keeps what remains when the centroid is taken away.
    fn by_residual(&self, py: Python<'_>) -> PyResult<bool> {
        self.with_ivf(py, |ivf| Ok(ivf.by_residual()))
    }

    fn list_sizes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let sizes = self.with_ivf(py, |ivf| {
            Ok((0..ivf.nlist()).map(|i| ivf.list(i).len() as i64).collect())
        });
        sizes.map(|sizes: Vec<_>| sizes.into_pyarray(py))
    }

    /// Ids and codes of a list.
    fn list<'py>(&self, py: Python<'py>, number: usize) -> PyResult<(Bound<'py, PyArray1<i64>>, CodeArray<'py>)> {
        let (ids, codes, code_len) = self.with_ivf(py, |ivf| {
            let missing = || PyIndexError::new_err(format!("list {number} is not one of {}", ivf.nlist()));
            let list = (number < ivf.nlist()).then(|| ivf.list(number)).ok_or_else(missing)?;
            let ids = list.ids().iter().map(|id| *id as i64).collect::<Vec<_>>();
            Ok((ids, one_by_one(list.codes()), list.codes().code_len()))
        })?;
        Ok((ids.into_pyarray(py), code_array(py, codes, code_len)?))
    }

    /// Bytes per vector.
    fn code_size(&self, py: Python<'_>) -> PyResult<usize> {
        self.with_quantizer(py, |quantizer, _| Ok(quantizer.code_len()))
    }

    /// The codes of all vectors, as the index keeps them.
    fn codes<'py>(&self, py: Python<'py>) -> PyResult<CodeArray<'py>> {
        let found = self.0.get().read(py, |index, _| {
            let index = index as &dyn Any;
            let flat = index.downcast_ref::<Flat>().map(Flat::codes);
            let hnsw = index.downcast_ref::<Hnsw>().map(Hnsw::codes);
            let codes = flat.or(hnsw).or_else(|| index.downcast_ref::<Nsg>().map(Nsg::codes));
            codes.map(|codes| (one_by_one(codes), codes.code_len()))
        });
        let (codes, code_len) = found.ok_or_else(|| refused("this index has no codes in one place"))?;
        code_array(py, codes, code_len)
    }

    /// The codes of these vectors; `origins` are taken away first.
    #[pyo3(signature = (x, origins = None))]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArray2<'_, f32>,
        origins: Option<PyReadonlyArray2<'_, f32>>,
    ) -> PyResult<CodeArray<'py>> {
        guarded(|| {
            let (x, origins) = (rows(&x)?, origins.as_ref().map(rows).transpose()?);
            let residuals = origins.map(|origins| {
                let pairs = x.as_slice().iter().zip(origins.as_slice());
                pairs.map(|(x, origin)| x - origin).collect::<Vec<f32>>()
            });
            let x = match &residuals {
                Some(residuals) => Rows::new(residuals, x.dim()).ok_or_else(|| refused("one origin per vector"))?,
                None => x,
            };
            let (codes, code_len) = self.with_quantizer(py, |quantizer, index| {
                if x.dim() != index.dim() {
                    let (wanted, got) = (index.dim(), x.dim());
                    return Err(refused(format!("expected vectors of dimension {wanted}, got {got}")));
                }
                let codes = quantizer.codes_of(x).map_err(refused)?;
                Ok((one_by_one(&codes), quantizer.code_len()))
            })?;
            code_array(py, codes, code_len)
        })
    }

    /// The vectors of these codes.
    fn decode<'py>(&self, py: Python<'py>, codes: PyReadonlyArray2<'_, u8>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        guarded(|| {
            let codes = rows(&codes)?;
            let (vectors, dim) = self.with_quantizer(py, |quantizer, _| {
                if codes.dim() != quantizer.code_len() {
                    let (wanted, got) = (quantizer.code_len(), codes.dim());
                    return Err(refused(format!("expected codes of {wanted} bytes, got {got}")));
                }
                let mut vectors = Vec::new();
                quantizer.decode(codes.as_slice(), &mut vectors);
                Ok((vectors, quantizer.dim()))
            })?;
            let count = vectors.len() / dim.max(1);
            vectors.into_pyarray(py).reshape([count, dim])
        })
    }

    /// An empty index of codes by the same quantizer, which compares all of them.
    fn flat(&self, py: Python<'_>, metric: &str) -> PyResult<NativeIndex> {
        let (metric, quantizer) = (metric_of(metric)?, self.quantizer(py)?);
        let flat = Flat::over(quantizer, metric).map_err(raise)?;
        Ok(NativeIndex::new(Box::new(flat)))
    }

    /// An empty inverted file of codes by the same quantizer, whose lists are those of the vectors in a copy of `coarse`.
    fn ivf(&self, py: Python<'_>, coarse: &NativeIndex, metric: &str, by_residual: bool) -> PyResult<NativeIndex> {
        let (metric, quantizer) = (metric_of(metric)?, self.quantizer(py)?);
        let coarse = coarse.read(py, |index, _| index.boxed_clone());
        let ivf = Ivf::new(metric, coarse, quantizer, by_residual).map_err(raise)?;
        Ok(NativeIndex::new(Box::new(ivf)))
    }

    /// The product quantizer, as Faiss writes it.
    fn product_to_faiss<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let file = self.with_quantizer(py, |quantizer, _| {
            let product = product_of(&**quantizer).ok_or_else(|| refused("this index has no product quantizer"))?;
            Ok(write_product(product))
        })?;
        Ok(file.into_pyarray(py))
    }

    /// What the quantizer learned, by Faiss's names.
    fn learned<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let floats = self.with_quantizer(py, |quantizer, _| Ok(learned(&**quantizer)))?;
        let dict = PyDict::new(py);
        for (name, values) in floats {
            dict.set_item(name, values.into_pyarray(py))?;
        }
        Ok(dict)
    }

    /// The links of a graph, in Faiss's arrays.
    fn graph<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let parts = self.0.get().read(py, |index, _| {
            let any = innermost(index);
            let hnsw = any.downcast_ref::<Hnsw>().map(Hnsw::graph);
            let nsg = any.downcast_ref::<Nsg>().map(Nsg::graph);
            hnsw.or(nsg).map(|graph| graph.parts().clone())
        });
        let parts = parts.ok_or_else(|| refused("this index is no graph"))?;
        let signed = |numbers: &[u32]| numbers.iter().map(|x| *x as i32).collect::<Vec<_>>().into_pyarray(py);
        let dict = PyDict::new(py);
        dict.set_item("levels", signed(&parts.levels))?;
        dict.set_item("neighbors", signed(&parts.neighbors))?;
        dict.set_item("cum_nneighbor_per_level", signed(&parts.cum_nneighbor_per_level))?;
        dict.set_item("offsets", parts.offsets.into_pyarray(py))?;
        dict.set_item("entry_point", parts.entry_point.map_or(-1, i64::from))?;
        Ok(dict)
    }
}

impl Parts {
    fn with_ivf<T: Send>(&self, py: Python<'_>, look: impl FnOnce(&Ivf) -> PyResult<T> + Send) -> PyResult<T> {
        self.0
            .get()
            .read(py, |index, _| match innermost(index).downcast_ref::<Ivf>() {
                Some(ivf) => look(ivf),
                None => Err(refused("this index is no inverted file")),
            })
    }

    fn quantizer(&self, py: Python<'_>) -> PyResult<Arc<dyn Quantizer>> {
        self.with_quantizer(py, |quantizer, _| Ok(quantizer.clone()))
    }

    fn with_quantizer<T: Send>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&Arc<dyn Quantizer>, &dyn VectorIndex) -> PyResult<T> + Send,
    ) -> PyResult<T> {
        self.0.get().read(py, |index, _| {
            let any = innermost(index);
            let flat = any.downcast_ref::<Flat>().map(Flat::quantizer);
            let ivf = any.downcast_ref::<Ivf>().map(Ivf::quantizer);
            let hnsw = any.downcast_ref::<Hnsw>().map(Hnsw::quantizer);
            let nsg = any.downcast_ref::<Nsg>().map(Nsg::quantizer);
            match flat.or(ivf).or(hnsw).or(nsg) {
                Some(quantizer) => look(quantizer, index),
                None => Err(refused(format!("{} has no codes of its own", index.spec()))),
            }
        })
    }
}

/// Through the wrapper that cosine needs.
fn innermost(index: &dyn VectorIndex) -> &dyn Any {
    match (index as &dyn Any).downcast_ref::<Cosine>() {
        Some(cosine) => cosine.inner() as &dyn Any,
        None => index as &dyn Any,
    }
}

/// The distances between a query and the vectors with these ids; NaN where an id is below 0.
pub(super) fn distances(index: &dyn VectorIndex, query: &[f32], ids: &[i64]) -> Result<Vec<f32>, Error> {
    if let Some(distances) = distances_of_codes(index, query, ids) {
        return Ok(distances);
    }
    let distance = |id: &i64| match u64::try_from(*id) {
        Ok(id) => Ok(index.metric().distance(query, &index.reconstruct(id)?)),
        Err(_) => Ok(f32::NAN),
    };
    ids.iter().map(distance).collect()
}

/// The same where codes lie by id and are compared as they are decoded; nothing if there is no vector for an id.
fn distances_of_codes(index: &dyn VectorIndex, query: &[f32], ids: &[i64]) -> Option<Vec<f32>> {
    let flat = (index as &dyn Any).downcast_ref::<Flat>()?;
    if !matches!(flat.quantizer().spec(), QuantizerSpec::Raw | QuantizerSpec::Scalar(_)) {
        return None;
    }
    let there = || ids.iter().copied().filter(|id| *id >= 0);
    if there().any(|id| id as usize >= flat.len()) {
        return None;
    }
    let slots = there().map(u32::try_from).collect::<Result<Vec<u32>, _>>().ok()?;
    let mut found = vec![0.0; slots.len()];
    let scorer = flat.quantizer().scorer(index.metric(), query);
    scorer.score_at(flat.codes().as_bytes(), &slots, &mut found);
    let mut found = found.into_iter();
    let mut distance = |id: &i64| if *id < 0 { None } else { found.next() };
    Some(ids.iter().map(|id| distance(id).unwrap_or(f32::NAN)).collect())
}

/// The `k` nearest of these candidates, the first of those that are equally near; those below 0 stand for none.
pub(super) fn nearest_of(
    index: &dyn VectorIndex,
    query: &[f32],
    ids: &[i64],
    k: usize,
) -> Result<Vec<Neighbor>, Error> {
    let mut top = TopK::new(k);
    for (place, distance) in (0..).zip(distances(index, query, ids)?) {
        top.push(Neighbor { id: place, distance });
    }
    let named = |found: Neighbor| Neighbor {
        id: ids[found.id as usize] as u64,
        ..found
    };
    Ok(top.into_sorted().into_iter().map(named).collect())
}

/// A copy whose product codes of 4 bits lie in blocks, to be scanned fast.
pub(super) fn in_blocks(index: &dyn VectorIndex, file_block: usize) -> PyResult<Box<dyn VectorIndex>> {
    let any = index as &dyn Any;
    if let Some(flat) = any.downcast_ref::<Flat>() {
        let quantizer = scanned_fast(flat.quantizer(), file_block)?;
        let codes = repacked(flat.codes(), &*quantizer)?;
        return Ok(Box::new(
            Flat::with_codes(quantizer, flat.metric(), codes).map_err(raise)?,
        ));
    }
    let Some(ivf) = any.downcast_ref::<Ivf>() else {
        return Err(refused(format!("{} has no product codes", index.spec())));
    };
    let quantizer = scanned_fast(ivf.quantizer(), file_block)?;
    let coarse = ivf.coarse().boxed_clone();
    let mut scanned = Ivf::new(ivf.metric(), coarse, quantizer.clone(), ivf.by_residual()).map_err(raise)?;
    scanned.set_nprobe(ivf.nprobe());
    let lists = (0..ivf.nlist()).map(|number| ivf.list(number));
    let lists = lists.map(|list| Ok(List::new(repacked(list.codes(), &*quantizer)?, list.ids().to_vec())));
    scanned.fill_lists(lists.collect::<PyResult<_>>()?).map_err(raise)?;
    Ok(Box::new(scanned))
}

fn scanned_fast(quantizer: &Arc<dyn Quantizer>, file_block: usize) -> PyResult<Arc<dyn Quantizer>> {
    let product = (&**quantizer as &dyn Any).downcast_ref::<Product>();
    let Some(product) = product.filter(|product| product.nbits() == 4) else {
        return Err(refused(format!(
            "only product codes of 4 bits can be scanned fast, got {}",
            quantizer.spec()
        )));
    };
    let fast_scan = FastScan::from_parts(product.dim(), product.m(), product.centroids().to_vec());
    let fast_scan = fast_scan.and_then(|fast_scan| fast_scan.with_file_block(file_block));
    Ok(Arc::new(fast_scan.map_err(refused)?))
}

fn repacked(codes: &Codes, quantizer: &dyn Quantizer) -> PyResult<Codes> {
    let mut packed = quantizer.new_codes();
    packed.extend_from_rows(&one_by_one(codes)).map_err(refused)?;
    Ok(packed)
}

/// Appends codes to lists of an inverted file, if there are such lists and the codes are as long as its own.
pub(super) fn add_codes(index: &mut dyn VectorIndex, lists: &[u32], ids: &[u64], codes: Rows<'_, u8>) -> PyResult<()> {
    let Some(ivf) = (index as &mut dyn Any).downcast_mut::<Ivf>() else {
        return Err(refused("this index is no inverted file"));
    };
    let (nlist, code_len) = (ivf.nlist(), ivf.quantizer().code_len());
    check_lists(lists, nlist, ids.len(), codes.len())?;
    if codes.dim() != code_len {
        return Err(refused(format!(
            "expected codes of {code_len} bytes, got {}",
            codes.dim()
        )));
    }
    ivf.add_codes(lists, ids, codes.as_slice()).map_err(raise)
}

pub(super) fn map_lists(index: &mut dyn VectorIndex, path: &Path, name: String, extents: Vec<Extent>) -> PyResult<()> {
    let Some(ivf) = (index as &mut dyn Any).downcast_mut::<Ivf>() else {
        return Err(refused("this index is no inverted file"));
    };
    let data = Mapping::open(path).map_err(|error| raise(error.into()))?;
    ivf.map_lists(ListFile::new(name, data, extents)).map_err(raise)
}

/// Refuses numbers of lists that there are not, or of which there is not one for each code and id.
pub(super) fn check_lists(lists: &[u32], nlist: usize, ids: usize, codes: usize) -> PyResult<()> {
    if lists.len() != ids || ids != codes {
        let got = format!("{} lists, {ids} ids, {codes} codes", lists.len());
        return Err(refused(format!("expected one list and one id per code, got {got}")));
    }
    match lists.iter().find(|list| **list as usize >= nlist) {
        Some(list) => Err(refused(format!("there is no list {list}; there are {nlist}"))),
        None => Ok(()),
    }
}

fn product_of(quantizer: &dyn Quantizer) -> Option<&Product> {
    let quantizer = quantizer as &dyn Any;
    let fast_scan = quantizer.downcast_ref::<FastScan>().map(FastScan::product);
    fast_scan.or_else(|| quantizer.downcast_ref())
}

fn learned(quantizer: &dyn Quantizer) -> Vec<(&'static str, Vec<f32>)> {
    if let Some(product) = product_of(quantizer) {
        return vec![("centroids", product.centroids().to_vec())];
    }
    let quantizer = quantizer as &dyn Any;
    if let Some(scalar) = quantizer.downcast_ref::<Scalar>() {
        return vec![("trained", scalar.trained().to_vec())];
    }
    if let Some(lsh) = quantizer.downcast_ref::<Lsh>() {
        let floats = |floats: Option<&[f32]>| floats.unwrap_or_default().to_vec();
        return vec![
            ("thresholds", floats(lsh.thresholds())),
            ("rotation", floats(lsh.rotation())),
        ];
    }
    if let Some(residual) = quantizer.downcast_ref::<Residual>() {
        return vec![("codebooks", residual.entries().as_slice().to_vec())];
    }
    Vec::new()
}

fn one_by_one(codes: &Codes) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(codes.len() * codes.code_len());
    codes.copy_to(0..codes.len(), &mut bytes);
    bytes
}

fn code_array(py: Python<'_>, codes: Vec<u8>, code_len: usize) -> PyResult<CodeArray<'_>> {
    let count = codes.len() / code_len.max(1);
    codes.into_pyarray(py).reshape([count, code_len])
}
