//! The exact index: every vector is compared (Faiss: `IndexFlat`).
//!
//! How a search is spread over threads is in `search.rs`.

use std::any::Any;
use std::ops::Range;

use anear_bytes::{AlignedBytes, Container, ContainerWriter};
use anear_kernels::{IdSelector, Metric, Rows, RowsMut, TopK, normalize};
use anear_quant::{Quantizer, Raw};

use crate::error::{check_dim, check_finite, check_index_dim, describe};
use crate::{
    Add, Error, IndexSpec, Merge, Neighbors, RangeRequest, RangeSearch, Reconstruct, Remove, Result, SearchRequest,
    VectorIndex,
};

mod search;

/// The section that holds the vectors.
pub(crate) const VECTORS: [u8; 4] = *b"vecs";

/// Vectors of a cosine index may differ from length 1 by this much: what normalizing in f32 leaves, generously.
const UNIT_TOLERANCE: f32 = 1e-3;

/// Every vector is kept as it is and compared with every query (Faiss: `IndexFlat`).
///
/// The answer is exact, by position, and the same to the bit for any number of threads and any batching of queries.
/// A cosine index normalizes what it is given and keeps that; a zero vector stays zero, at distance 1 from everything.
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
    quantizer: Raw,
    codes: AlignedBytes,
}

impl Flat {
    /// An empty index for vectors of `dim` components.
    ///
    /// # Errors
    /// [`Error::DimensionRange`].
    pub fn new(dim: usize, metric: Metric) -> Result<Self> {
        check_index_dim(dim)?;
        Ok(Self {
            metric,
            quantizer: Raw::new(dim),
            codes: AlignedBytes::new(),
        })
    }

    /// The vectors as they are stored.
    pub fn rows(&self) -> Rows<'_> {
        self.quantizer.rows(self.codes.as_slice())
    }

    /// Appends the selected vectors of `other`, bit for bit; returns how many.
    ///
    /// # Errors
    /// [`Error::Mismatch`], [`Error::OutOfMemory`].
    pub fn extend_from(&mut self, other: &Self, keep: &IdSelector<'_>) -> Result<usize> {
        self.check_match(other)?;
        let ids = 0..other.len() as u64;
        let selected = keep.count_in(ids.clone()) as usize;
        self.reserve(selected)?;
        for run in runs(keep.matches_in(ids)) {
            self.codes.extend_from_slice(other.codes_of(run));
        }
        Ok(selected)
    }

    /// The same vectors as a cosine index, to the bit. For unit vectors that came from an inner-product index, as
    /// Faiss's files hold them.
    ///
    /// # Errors
    /// [`Error::NotNormalized`] when a vector is neither of length 1, to rounding, nor zero.
    pub fn into_cosine(self) -> Result<Self> {
        for (row, vector) in self.rows().iter().enumerate() {
            let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32;
            let unit = (length - 1.0).abs() <= UNIT_TOLERANCE;
            if !unit && length != 0.0 {
                return Err(Error::NotNormalized { row, length });
            }
        }
        Ok(Self {
            metric: Metric::Cosine,
            ..self
        })
    }

    /// An index over bytes that a file holds: `len` vectors, or it is damaged.
    pub(crate) fn from_codes(dim: usize, metric: Metric, len: usize, codes: &[u8]) -> Result<Self> {
        let mut index = Self::new(dim, metric)?;
        let expected = len.checked_mul(index.quantizer.code_len());
        if expected != Some(codes.len()) {
            return Err(Error::Damaged(format!(
                "{len} vectors of dimension {dim} do not fill {} bytes",
                codes.len()
            )));
        }
        index.reserve(len)?;
        index.codes.extend_from_slice(codes);
        Ok(index)
    }

    /// What [`VectorIndex::save`] wrote.
    pub(crate) fn load(dim: usize, metric: Metric, len: usize, from: &Container<'_>) -> Result<Self> {
        Self::from_codes(dim, metric, len, from.section(VECTORS)?)
    }

    fn codes_of(&self, positions: Range<usize>) -> &[u8] {
        let code_len = self.quantizer.code_len();
        &self.codes.as_slice()[positions.start * code_len..positions.end * code_len]
    }

    fn reserve(&mut self, vectors: usize) -> Result<()> {
        let bytes = vectors.saturating_mul(self.quantizer.code_len());
        self.codes.try_reserve(bytes).map_err(|_| Error::OutOfMemory { bytes })
    }

    fn check_match(&self, other: &Self) -> Result<()> {
        if self.metric == other.metric && self.quantizer == other.quantizer {
            return Ok(());
        }
        Err(mismatch(self, other))
    }
}

impl VectorIndex for Flat {
    fn kind(&self) -> &'static str {
        "flat"
    }

    fn spec(&self) -> IndexSpec {
        IndexSpec::Flat
    }

    fn dim(&self) -> usize {
        self.quantizer.dim()
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    fn len(&self) -> usize {
        self.codes.len() / self.quantizer.code_len()
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

    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
        out.section(VECTORS, self.codes.as_slice())
    }

    fn boxed_clone(&self) -> Box<dyn VectorIndex> {
        Box::new(self.clone())
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
    fn add(&mut self, vectors: Rows<'_>) -> Result<Range<u64>> {
        check_dim(self.dim(), vectors)?;
        check_finite("vector", vectors)?;
        self.reserve(vectors.len())?;
        let (start, first_byte) = (self.len(), self.codes.len());
        self.quantizer.encode(vectors, &mut self.codes);
        if self.metric == Metric::Cosine {
            let added = bytemuck::cast_slice_mut(&mut self.codes.as_mut_slice()[first_byte..]);
            let dim = self.quantizer.dim();
            normalize(&mut RowsMut::new(added, dim).expect("whole vectors were added"));
        }
        Ok(start as u64..self.len() as u64)
    }
}

impl Remove for Flat {
    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        let (len, code_len) = (self.len(), self.quantizer.code_len());
        let kept = IdSelector::Not(Box::new(ids.clone()));
        let mut end = 0;
        for run in runs(kept.matches_in(0..len as u64)) {
            let bytes = run.start * code_len..run.end * code_len;
            self.codes.as_mut_slice().copy_within(bytes, end * code_len);
            end += run.len();
        }
        self.codes.truncate(end * code_len);
        Ok(len - end)
    }
}

impl RangeSearch for Flat {
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), queries)?;
        Ok(search::within(self, queries, request))
    }
}

impl Reconstruct for Flat {
    fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()> {
        let position = usize::try_from(id).ok().filter(|position| *position < self.len());
        let position = position.ok_or(Error::UnknownId { id, len: self.len() })?;
        self.quantizer.decode(self.codes_of(position..position + 1), out);
        Ok(())
    }

    fn reconstruct_n(&self, ids: Range<u64>, out: &mut Vec<f32>) -> Result<()> {
        let len = self.len();
        let first_missing = ids.start.max(len as u64);
        if first_missing < ids.end {
            return Err(Error::UnknownId { id: first_missing, len });
        }
        if !ids.is_empty() {
            let positions = ids.start as usize..ids.end as usize;
            self.quantizer.decode(self.codes_of(positions), out);
        }
        Ok(())
    }
}

impl Merge for Flat {
    fn merge(&mut self, other: &mut dyn VectorIndex) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        self.extend_from(other, &IdSelector::All)?;
        other.codes = AlignedBytes::new();
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
fn runs(positions: impl Iterator<Item = u64>) -> impl Iterator<Item = Range<usize>> {
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

    fn index(metric: Metric, vectors: &[f32]) -> Flat {
        let mut index = Flat::new(2, metric).unwrap();
        index.add(Rows::new(vectors, 2).unwrap()).unwrap();
        index
    }

    #[test]
    fn extending_copies_the_selected_vectors_bit_for_bit() {
        let other = index(Metric::Cosine, &[0.1, 0.7, 3.0, 1.0, 0.0, 0.0, -2.0, 0.3]);
        let mut own = index(Metric::Cosine, &[1.0, 1.0]);
        let before = own.rows().row(0).to_vec();
        assert_eq!(own.extend_from(&other, &IdSelector::Sorted(&[0, 2, 3, 9])).unwrap(), 3);
        let rows = other.rows();
        assert_eq!(
            own.rows().as_slice(),
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
        assert_eq!(index.rows().as_slice(), [0.0, 0.0, 0.0, 1.0]);
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
