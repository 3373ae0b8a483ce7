//! Every code is compared: exact over raw vectors (Faiss: `IndexFlat`), as good as its codes over any other quantizer
//! (`IndexScalarQuantizer`, `IndexPQ`, ...).
//!
//! How it is searched is in `search.rs`.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use anear_bytes::{AlignedBytes, Container, ContainerWriter};
use anear_kernels::{IdSelector, Metric, Rows, RowsMut, TopK, normalize};
use anear_pool::Pool;
use anear_quant::{Codes, Quantizer, QuantizerSpec, Raw};

use self::preview::Preview;
use crate::error::{check_dim, check_finite, check_index_dim, describe};
use crate::persist;
use crate::tiles::{on_pool, parts};
use crate::{
    Add, Error, IndexSpec, Memory, Merge, Neighbors, RangeRequest, RangeSearch, Reconstruct, Remove, Result,
    SearchRequest, VectorIndex,
};

mod preview;
mod search;

/// The section that holds the vectors.
pub(crate) const VECTORS: [u8; 4] = *b"vecs";

/// Vectors of a cosine index may differ from length 1 by this much: what normalizing in f32 leaves, generously.
const UNIT_TOLERANCE: f32 = 1e-3;

/// Every code is kept and compared with every query (Faiss: `IndexFlat`, `IndexScalarQuantizer`, `IndexPQ`, ...).
///
/// The answer is that of the codes, exact over raw vectors, by position, and the same to the bit for any number of
/// threads and any batching of queries. A cosine index normalizes what it is given and keeps that; a zero vector stays
/// zero, at distance 1 from everything.
///
/// After sixteen single queries, or 256 in batches, by L2, inner product or cosine, vectors of 4 MiB to 4 GiB together are
/// rounded to bytes as well, or, where they differ in few directions, sketches of them: these prove of nearly all that they
/// are too far away. The answers stay the same, to the bit; [`memory`](VectorIndex::memory) grows by up to a quarter.
/// Where they prove it of too few, they are dropped.
///
/// ```
/// use anear_index::{Flat, SearchRequest, VectorIndex, VectorIndexExt};
/// use anear_kernels::{IdSelector, Metric, Rows};
///
/// let mut index = Flat::new(2, Metric::L2)?;
/// index.add(Rows::new(&[0.0, 0.0, 1.0, 0.0, 1.0, 1.0], 2).unwrap())?;
///
/// let query = Rows::new(&[1.0, 0.2], 2).unwrap();
/// let request = SearchRequest::new(1).selecting(IdSelector::Sorted(&[0, 2]));
/// assert_eq!(index.search(query, &request)?.row(0)[0].id, 2);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Flat {
    metric: Metric,
    quantizer: Arc<dyn Quantizer>,
    codes: Codes,
    /// Of these codes; another one wherever they change.
    preview: Arc<Preview>,
}

impl Flat {
    /// An empty index for vectors of `dim` components, kept as they are.
    ///
    /// # Errors
    /// [`Error::DimensionRange`].
    pub fn new(dim: usize, metric: Metric) -> Result<Self> {
        check_index_dim(dim)?;
        Self::over(Arc::new(Raw::new(dim)), metric)
    }

    /// An empty index of codes.
    ///
    /// # Errors
    /// [`Error::Metric`] when the quantizer cannot compare by `metric`.
    pub fn over(quantizer: Arc<dyn Quantizer>, metric: Metric) -> Result<Self> {
        let codes = quantizer.new_codes();
        Self::with_codes(quantizer, metric, codes)
    }

    /// An index of codes that are there already; copied where they are mapped and lie askew for the quantizer.
    ///
    /// # Errors
    /// [`Error::Metric`] when the quantizer cannot compare by `metric`, [`anear_quant::Error::OutOfMemory`].
    ///
    /// # Panics
    /// When the codes are not the quantizer's.
    pub fn with_codes(quantizer: Arc<dyn Quantizer>, metric: Metric, mut codes: Codes) -> Result<Self> {
        check_metric(&*quantizer, metric)?;
        assert_eq!(
            (codes.layout(), codes.code_len()),
            (quantizer.layout(), quantizer.code_len()),
            "codes of the quantizer"
        );
        codes.try_align(quantizer.alignment())?;
        Ok(Self {
            metric,
            quantizer,
            codes,
            preview: Arc::default(),
        })
    }

    /// How vectors are stored, and what is stored.
    pub fn into_parts(self) -> (Arc<dyn Quantizer>, Codes) {
        (self.quantizer, self.codes)
    }

    /// The vectors as they are stored, where codes are the vectors themselves.
    pub fn rows(&self) -> Option<Rows<'_>> {
        self.raw().map(|raw| raw.rows(self.codes.as_bytes()))
    }

    /// How vectors are stored.
    pub fn quantizer(&self) -> &Arc<dyn Quantizer> {
        &self.quantizer
    }

    /// What is stored.
    pub fn codes(&self) -> &Codes {
        &self.codes
    }

    /// Appends the selected vectors of `other`, bit for bit; returns how many.
    ///
    /// # Errors
    /// [`Error::Mismatch`], [`Error::OutOfMemory`].
    pub fn extend_from(&mut self, other: &Self, keep: &IdSelector<'_>) -> Result<usize> {
        self.check_match(other)?;
        let ids = 0..other.len() as u64;
        let selected = keep.count_in(ids.clone()) as usize;
        self.preview = Arc::default();
        self.reserve(selected)?;
        for run in runs(keep.matches_in(ids)) {
            self.codes.extend_from_range(&other.codes, run)?;
        }
        Ok(selected)
    }

    /// The same vectors as a cosine index, to the bit. For unit vectors that came from an inner-product index, as
    /// Faiss's files hold them.
    ///
    /// # Errors
    /// [`Error::NotNormalized`] when a vector is neither of length 1, to rounding, nor zero.
    pub fn into_cosine(mut self) -> Result<Self> {
        self.become_cosine()?;
        Ok(self)
    }

    /// What [`VectorIndex::save`] wrote.
    pub(crate) fn load(
        spec: &QuantizerSpec,
        dim: usize,
        metric: Metric,
        len: usize,
        from: &Container<'_>,
    ) -> Result<Self> {
        check_index_dim(dim)?;
        let quantizer = persist::load_quantizer(spec, dim, from)?;
        let codes = from.own(from.section(VECTORS)?)?;
        let codes = Codes::from_bytes(quantizer.layout(), quantizer.code_len(), len, codes)?;
        Self::with_codes(quantizer, metric, codes)
    }

    fn raw(&self) -> Option<&Raw> {
        let quantizer: &dyn Any = &*self.quantizer;
        quantizer.downcast_ref()
    }

    fn reserve(&mut self, vectors: usize) -> Result<()> {
        Ok(self.codes.try_reserve(vectors)?)
    }

    fn check_match(&self, other: &Self) -> Result<()> {
        let is_same = is_same_quantizer(&self.quantizer, &other.quantizer);
        if self.metric == other.metric && is_same {
            return Ok(());
        }
        Err(mismatch(self, other))
    }
}

/// Refuses vectors that are kept as they are and are neither of length 1, to rounding, nor zero.
pub(crate) fn check_unit(quantizer: &dyn Quantizer, codes: &Codes) -> Result<()> {
    let Some(raw) = (quantizer as &dyn Any).downcast_ref::<Raw>() else {
        return Ok(());
    };
    for (row, vector) in raw.rows(codes.as_bytes()).iter().enumerate() {
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32;
        if (length - 1.0).abs() > UNIT_TOLERANCE && length != 0.0 {
            return Err(Error::NotNormalized { row, length });
        }
    }
    Ok(())
}

/// Whether codes of one mean the same to the other.
pub(crate) fn is_same_quantizer(one: &Arc<dyn Quantizer>, other: &Arc<dyn Quantizer>) -> bool {
    let description = |quantizer: &Arc<dyn Quantizer>| (quantizer.spec(), quantizer.dim(), quantizer.save());
    Arc::ptr_eq(one, other) || description(one) == description(other)
}

/// Refuses a metric by which the codes cannot be compared.
pub(crate) fn check_metric(quantizer: &dyn Quantizer, metric: Metric) -> Result<()> {
    if quantizer.supports(metric) {
        return Ok(());
    }
    let supported = Metric::ALL.iter().filter(|metric| quantizer.supports(**metric));
    Err(Error::Metric {
        what: format!("`{}`", quantizer.spec()),
        metric,
        supported: supported.map(|metric| metric.name()).collect::<Vec<_>>().join(", "),
    })
}

/// Appends the codes of `vectors`, one after the other, made on the threads of `pool`.
pub(crate) fn encode(quantizer: &dyn Quantizer, vectors: Rows<'_>, pool: Option<&Pool>, out: &mut AlignedBytes) {
    encode_by(vectors.len(), pool, out, |range, codes| {
        quantizer.encode(vectors.slice(range), codes)
    });
}

/// Appends the codes of `len` vectors, of which `encode` appends those of a range, made on the threads of `pool`.
pub(crate) fn encode_by(
    len: usize,
    pool: Option<&Pool>,
    out: &mut AlignedBytes,
    encode: impl Fn(Range<usize>, &mut AlignedBytes) + Sync,
) {
    let parts = encode_parts(len, pool);
    if parts.len() <= 1 {
        return encode(0..len, out);
    }
    let encoded = on_pool(pool, parts.len(), |i| {
        let mut codes = AlignedBytes::new();
        encode(parts[i].clone(), &mut codes);
        codes
    });
    encoded.iter().for_each(|part| out.extend_from_slice(part.as_slice()));
}

/// Appends the codes of `vectors` as an index by `metric` keeps them: by cosine of unit vectors.
pub(crate) fn encode_for(
    quantizer: &dyn Quantizer,
    metric: Metric,
    vectors: Rows<'_>,
    pool: Option<&Pool>,
    out: &mut AlignedBytes,
) {
    let start = out.len();
    encode(quantizer, vectors, pool, out);
    if metric == Metric::Cosine && quantizer.is_exact() {
        let rows = bytemuck::cast_slice_mut(&mut out.as_mut_slice()[start..]);
        normalize(&mut RowsMut::new(rows, vectors.dim()).expect("whole vectors were encoded"));
    }
}

/// Vectors that are worth a task of their own: enough to hide handing it over, few enough that all threads end together.
const ENCODE_PART: usize = 256;

fn encode_parts(len: usize, pool: Option<&Pool>) -> Vec<Range<usize>> {
    match pool {
        Some(pool) if pool.threads() > 1 => parts(len, ENCODE_PART).collect(),
        _ => Vec::new(),
    }
}

impl VectorIndex for Flat {
    fn kind(&self) -> &'static str {
        "flat"
    }

    fn spec(&self) -> IndexSpec {
        IndexSpec::Flat(self.quantizer.spec())
    }

    fn dim(&self) -> usize {
        self.quantizer.dim()
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    fn len(&self) -> usize {
        self.codes.len()
    }

    fn memory(&self) -> Memory {
        let codes = Memory::from(&self.codes);
        Memory {
            owned: codes.owned + self.preview.memory(),
            ..codes
        }
    }

    fn search_top(
        &self,
        queries: Rows<'_>,
        request: &SearchRequest<'_>,
        first_id: u64,
        tops: &mut [TopK],
    ) -> Result<()> {
        assert_eq!(queries.len(), tops.len(), "one top-k per query");
        request.check(self.dim(), &self.knobs(), queries)?;
        search::nearest(self, queries, request, first_id, tops);
        Ok(())
    }

    fn merge_offset(&self) -> u64 {
        self.len() as u64
    }

    fn check_merge(&self, other: &dyn VectorIndex, _add_id: u64) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &dyn Any).downcast_ref::<Self>().ok_or(refused)?;
        self.check_match(other)
    }

    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
        persist::save_quantizer(&*self.quantizer, out).section(VECTORS, self.codes.as_bytes())
    }

    fn boxed_clone(&self) -> Box<dyn VectorIndex> {
        Box::new(self.clone())
    }

    fn emptied(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            metric: self.metric,
            quantizer: self.quantizer.clone(),
            codes: self.quantizer.new_codes(),
            preview: Arc::default(),
        })
    }

    fn become_cosine(&mut self) -> Result<()> {
        check_unit(&*self.quantizer, &self.codes)?;
        self.metric = Metric::Cosine;
        Ok(())
    }

    fn as_add(&mut self) -> Option<&mut dyn Add> {
        Some(self)
    }

    fn as_remove(&mut self) -> Option<&mut dyn Remove> {
        Some(self)
    }

    fn as_range_search(&self) -> Option<&dyn RangeSearch> {
        Some(self)
    }

    fn as_reconstruct(&self) -> Option<&dyn Reconstruct> {
        Some(self)
    }

    fn as_merge(&mut self) -> Option<&mut dyn Merge> {
        Some(self)
    }
}

impl Add for Flat {
    fn add_on(&mut self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Range<u64>> {
        check_dim(self.dim(), vectors)?;
        check_finite("vector", vectors)?;
        let start = self.len() as u64;
        self.preview = Arc::default();
        let (quantizer, metric) = (&*self.quantizer, self.metric);
        self.codes.extend_with(vectors.len(), |codes| {
            encode_for(quantizer, metric, vectors, pool, codes)
        })?;
        Ok(start..self.len() as u64)
    }
}

impl Remove for Flat {
    fn remove_ids(&mut self, ids: &IdSelector<'_>, _pool: Option<&Pool>) -> Result<usize> {
        let len = self.len();
        let kept = IdSelector::Not(Box::new(ids.clone()));
        self.preview = Arc::default();
        self.codes.keep(runs(kept.matches_in(0..len as u64)))?;
        Ok(len - self.len())
    }
}

impl RangeSearch for Flat {
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        Ok(search::within(self, queries, request))
    }
}

impl Reconstruct for Flat {
    fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()> {
        let end = id.checked_add(1).ok_or(Error::UnknownId { id, len: self.len() })?;
        self.reconstruct_n(id..end, out)
    }

    fn reconstruct_n(&self, ids: Range<u64>, out: &mut Vec<f32>) -> Result<()> {
        let len = self.len();
        let first_missing = ids.start.max(len as u64);
        if first_missing < ids.end {
            return Err(Error::UnknownId { id: first_missing, len });
        }
        if !ids.is_empty() {
            let mut codes = Vec::new();
            self.codes.copy_to(ids.start as usize..ids.end as usize, &mut codes);
            self.quantizer.decode(&codes, out);
        }
        Ok(())
    }
}

impl Merge for Flat {
    fn merge_from(&mut self, other: &mut dyn VectorIndex, _add_id: u64, _pool: Option<&Pool>) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        self.extend_from(other, &IdSelector::All)?;
        other.codes = other.quantizer.new_codes();
        other.preview = Arc::default();
        Ok(())
    }
}

/// The error of two indexes that do not go together.
pub(crate) fn mismatch(own: &dyn VectorIndex, other: &dyn VectorIndex) -> Error {
    Error::Mismatch {
        own: describe(own.kind(), own.dim(), own.metric()),
        other: describe(other.kind(), other.dim(), other.metric()),
    }
}

/// Ascending positions as runs without gaps.
pub(crate) fn runs(positions: impl Iterator<Item = u64>) -> impl Iterator<Item = Range<usize>> {
    let mut positions = positions.map(|position| position as usize).peekable();
    std::iter::from_fn(move || {
        let start = positions.next()?;
        let mut end = start + 1;
        while positions.next_if_eq(&end).is_some() {
            end += 1;
        }
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VectorIndexExt as _;

    fn index(metric: Metric, vectors: &[f32]) -> Flat {
        let mut index = Flat::new(2, metric).unwrap();
        index.add(Rows::new(vectors, 2).unwrap()).unwrap();
        index
    }

    #[test]
    fn extending_copies_the_selected_vectors_bit_for_bit() {
        let other = index(Metric::Cosine, &[0.1, 0.7, 3.0, 1.0, 0.0, 0.0, -2.0, 0.3]);
        let mut own = index(Metric::Cosine, &[1.0, 1.0]);
        let before = own.rows().unwrap().row(0).to_vec();
        assert_eq!(own.extend_from(&other, &IdSelector::Sorted(&[0, 2, 3, 9])).unwrap(), 3);
        let rows = other.rows().unwrap();
        assert_eq!(
            own.rows().unwrap().as_slice(),
            [&before, rows.row(0), rows.row(2), rows.row(3)].concat()
        );
        assert_eq!(other.len(), 4);

        let stranger = index(Metric::L2, &[1.0, 1.0]);
        let error = own.extend_from(&stranger, &IdSelector::All).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot merge a flat index of dimension 2 by l2 into a flat index of dimension 2 by cosine; \
             both must have the same kind, dimension and metric"
        );
        assert_eq!(own.len(), 4);
    }

    #[test]
    fn a_zero_vector_stays_zero_and_is_at_distance_one() {
        let index = index(Metric::Cosine, &[0.0, 0.0, 0.0, 2.0]);
        assert_eq!(index.rows().unwrap().as_slice(), [0.0, 0.0, 0.0, 1.0]);
        let query = Rows::new(&[0.0, 1e30], 2).unwrap();
        let found = index.search(query, &SearchRequest::new(2)).unwrap();
        let found: Vec<_> = found.row(0).iter().map(|n| (n.id, n.distance)).collect();
        assert_eq!(found, [(1, 0.0), (0, 1.0)]);
    }

    #[test]
    fn distances_too_large_for_f32_are_infinite_and_still_found() {
        let index = index(Metric::L2, &[3e38, 3e38, 1.0, 1.0]);
        let query = Rows::new(&[-3e38, 0.0], 2).unwrap();
        let found = index.search(query, &SearchRequest::new(5)).unwrap();
        assert_eq!(found.row(0).len(), 2);
        assert!(found.row(0).iter().all(|n| n.distance == f32::INFINITY));
    }

    #[test]
    fn positions_fall_into_runs() {
        let found: Vec<_> = runs([0, 1, 2, 5, 7, 8].into_iter()).collect();
        assert_eq!(found, [0..3, 5..6, 7..9]);
        assert_eq!(runs(std::iter::empty()).count(), 0);
    }
}
