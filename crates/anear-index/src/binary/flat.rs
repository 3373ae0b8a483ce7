//! The exact index on bit vectors: every vector is compared (Faiss: `IndexBinaryFlat`).

use std::any::Any;
use std::ops::Range;

use anear_bytes::AlignedBytes;
use anear_kernels::{Bits, IdSelector, TopK, hamming};
use anear_pool::Pool;

use super::index::{check_index_dim, check_range, check_search, check_width, mismatch, no_own_ids};
use super::{BinaryIndex, BinarySpec};
use crate::flat::runs;
use crate::tiles::{Tile, on_pool, tiling};
use crate::{Error, Neighbors, RangeRequest, Result, SearchRequest};

/// Every vector is kept and compared with every query (Faiss: `IndexBinaryFlat`). Ids are positions.
///
/// ```
/// use anear_index::binary::{BinaryFlat, BinaryIndex};
/// use anear_index::{RangeRequest, SearchRequest};
/// use anear_kernels::{Bits, IdSelector};
///
/// let mut index = BinaryFlat::new(8)?;
/// index.add(Bits::new(&[0b0000, 0b0001, 0b0111], 1).unwrap())?;
///
/// let query = Bits::new(&[0b0011], 1).unwrap();
/// let request = SearchRequest::new(1).selecting(IdSelector::Sorted(&[0, 2]));
/// assert_eq!(index.search(query, &request)?.row(0)[0].id, 2);
/// assert_eq!(index.range_search(query, &RangeRequest::new(2.0))?.row(0).len(), 2);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BinaryFlat {
    code_len: usize,
    codes: AlignedBytes,
}

impl BinaryFlat {
    /// An empty index for vectors of `dim` bits.
    ///
    /// # Errors
    /// [`Error::BinaryDimension`].
    pub fn new(dim: usize) -> Result<Self> {
        check_index_dim(dim)?;
        Ok(Self {
            code_len: dim / 8,
            codes: AlignedBytes::new(),
        })
    }

    /// The vectors as they are stored.
    pub fn codes(&self) -> Bits<'_> {
        Bits::new(self.codes.as_slice(), self.code_len).expect("whole codes")
    }

    /// The position of the vector with this id.
    pub(super) fn position(&self, id: u64) -> Result<usize> {
        let position = usize::try_from(id).ok().filter(|position| *position < self.len());
        position.ok_or(Error::UnknownId { id, len: self.len() })
    }

    fn tiles(&self, queries: Bits<'_>, pool: Option<&Pool>) -> Vec<Tile> {
        // In the time of one product of components, about two bytes are compared.
        let work = self.code_len.div_ceil(2);
        tiling(queries.len(), self.len(), work, pool.map_or(1, Pool::threads))
    }
}

impl BinaryIndex for BinaryFlat {
    fn kind(&self) -> &'static str {
        "binary_flat"
    }

    fn spec(&self) -> BinarySpec {
        BinarySpec::Flat
    }

    fn dim(&self) -> usize {
        self.code_len * 8
    }

    fn len(&self) -> usize {
        self.codes.len() / self.code_len
    }

    fn search(&self, queries: Bits<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        check_search(self, queries, request)?;
        let k = request.k.min(self.len().max(1));
        let tiles = self.tiles(queries, request.pool);
        let found = on_pool(request.pool, tiles.len(), |i| {
            let Tile {
                queries: range,
                vectors,
            } = &tiles[i];
            let mut tops = vec![TopK::new(k); range.len()];
            let (codes, first) = (self.codes().slice(vectors.clone()), vectors.start as u64);
            hamming::scan(queries.slice(range.clone()), codes, first, &request.selector, &mut tops);
            tops
        });
        let mut tops = vec![TopK::new(k); queries.len()];
        for (tile, found) in tiles.iter().zip(found) {
            let own = tops[tile.queries.clone()].iter_mut();
            own.zip(found).for_each(|(top, found)| top.merge(found));
        }
        Ok(tops.into_iter().map(TopK::into_sorted).collect())
    }

    fn range_search(&self, queries: Bits<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        let radius = check_range(self, queries, request)?;
        let tiles = self.tiles(queries, request.pool);
        let found = on_pool(request.pool, tiles.len(), |i| {
            let vectors = tiles[i].vectors.clone();
            let (codes, first) = (self.codes().slice(vectors.clone()), vectors.start as u64);
            let scan = |query| {
                let mut out = Vec::new();
                hamming::scan_range(query, codes, first, &request.selector, radius, &mut out);
                out
            };
            let queries = queries.slice(tiles[i].queries.clone());
            queries.iter().map(scan).collect::<Vec<_>>()
        });
        let mut rows = vec![Vec::new(); queries.len()];
        for (tile, found) in tiles.iter().zip(found) {
            let own = rows[tile.queries.clone()].iter_mut();
            own.zip(found).for_each(|(row, found)| row.extend(found));
        }
        Ok(rows.into_iter().collect())
    }

    fn add(&mut self, vectors: Bits<'_>) -> Result<Range<u64>> {
        check_width(self.dim(), vectors)?;
        let (first, bytes) = (self.len() as u64, vectors.as_slice());
        let no_memory = |_| Error::OutOfMemory { bytes: bytes.len() };
        self.codes.try_reserve(bytes.len()).map_err(no_memory)?;
        self.codes.extend_from_slice(bytes);
        Ok(first..self.len() as u64)
    }

    fn add_with_ids(&mut self, _vectors: Bits<'_>, _ids: &[u64]) -> Result<()> {
        Err(no_own_ids(self))
    }

    fn reconstruct(&self, id: u64) -> Result<&[u8]> {
        self.position(id).map(|position| self.codes().row(position))
    }

    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        let (len, code_len) = (self.len(), self.code_len);
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

    fn merge(&mut self, other: &mut dyn BinaryIndex) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>();
        let other = other.filter(|other| other.code_len == self.code_len).ok_or(refused)?;
        self.add(other.codes())?;
        other.codes = AlignedBytes::new();
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn BinaryIndex> {
        Box::new(self.clone())
    }
}
