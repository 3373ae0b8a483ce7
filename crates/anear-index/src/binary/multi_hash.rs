//! Several tables of buckets over one storage, each by other bits (Faiss: `IndexBinaryMultiHash`).

use std::any::Any;
use std::ops::Range;

use anear_kernels::{Bitmap, Bits, IdSelector, Neighbor, TopK, hamming};

use super::buckets::{Buckets, NFLIP, key, near};
use super::hash::check_bits;
use super::index::{check_range, check_search, each_query, mismatch, no_own_ids, requested, unknown_knob, whole};
use super::{BinaryFlat, BinaryIndex, BinarySpec};
use crate::{Knob, Neighbors, RangeRequest, Result, SearchRequest};

/// Vectors in several tables of buckets; the first table hashes the first bits, the next those that follow. A search
/// looks at every vector that shares a bucket with the query in any table, or one at most `nflip` bits away (Faiss:
/// `IndexBinaryMultiHash`). Ids are positions.
///
/// ```
/// use anear_index::SearchRequest;
/// use anear_index::binary::{BinaryIndex, BinaryMultiHash};
/// use anear_kernels::Bits;
///
/// let mut index = BinaryMultiHash::new(8, 2, 4)?;
/// index.add(Bits::new(&[0b0000_0001, 0b1111_0001, 0b1111_1111], 1).unwrap())?;
/// let found = index.search(Bits::new(&[0b0000_0001], 1).unwrap(), &SearchRequest::new(3))?;
/// assert_eq!(found.row(0).iter().map(|n| n.id).collect::<Vec<_>>(), [0, 1]);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BinaryMultiHash {
    storage: BinaryFlat,
    bits: usize,
    nflip: usize,
    /// Positions by key.
    tables: Vec<Buckets<Vec<u64>>>,
}

impl BinaryMultiHash {
    /// An empty index of `hashes` tables by `bits` bits each, for vectors of `dim` bits.
    ///
    /// # Errors
    /// [`Error::BinaryDimension`](crate::Error::BinaryDimension), and
    /// [`Error::KnobValue`](crate::Error::KnobValue) when a vector has fewer than `hashes * bits` bits, or a hash none or
    /// more than 64.
    pub fn new(dim: usize, hashes: usize, bits: usize) -> Result<Self> {
        Self::over(BinaryFlat::new(dim)?, hashes, bits)
    }

    /// Tables of the vectors of `storage`.
    pub(super) fn over(storage: BinaryFlat, hashes: usize, bits: usize) -> Result<Self> {
        check_bits(storage.dim(), hashes, bits)?;
        let mut index = Self {
            storage,
            bits,
            nflip: 0,
            tables: vec![Buckets::new(); hashes],
        };
        index.file(0);
        Ok(index)
    }

    pub(super) fn storage(&self) -> &BinaryFlat {
        &self.storage
    }

    pub(super) fn bits(&self) -> usize {
        self.bits
    }

    pub(super) fn nflip(&self) -> usize {
        self.nflip
    }

    /// For each table, keys and positions by ascending key.
    pub(super) fn tables(&self) -> impl ExactSizeIterator<Item = Vec<(u64, &[u64])>> {
        self.tables.iter().map(|table| {
            let mut buckets: Vec<_> = table.iter().map(|(key, bucket)| (*key, &bucket[..])).collect();
            buckets.sort_unstable_by_key(|(key, _)| *key);
            buckets
        })
    }

    /// Puts the vectors from position `first` on into the tables.
    fn file(&mut self, first: usize) {
        let codes = self.storage.codes();
        for (number, table) in self.tables.iter_mut().enumerate() {
            for position in first..codes.len() {
                let key = key(codes.row(position), number * self.bits, self.bits);
                table.entry(key).or_default().push(position as u64);
            }
        }
    }

    /// The selected vectors that share a bucket with the query, with their distances, by ascending position.
    fn candidates(&self, query: &[u8], keep: &IdSelector<'_>, nflip: usize, seen: &mut Bitmap) -> Vec<Neighbor> {
        let mut positions = Vec::new();
        for (number, table) in self.tables.iter().enumerate() {
            let key = key(query, number * self.bits, self.bits);
            near(table, key, self.bits, nflip, |bucket| {
                for &position in bucket {
                    if seen.insert(position as usize) {
                        positions.push(position);
                    }
                }
            });
        }
        positions.iter().for_each(|position| {
            seen.remove(*position as usize);
        });
        positions.retain(|position| keep.contains(*position));
        positions.sort_unstable();
        let codes = self.storage.codes();
        let measure = |id: u64| Neighbor {
            id,
            distance: hamming::distance(query, codes.row(id as usize)) as f32,
        };
        positions.into_iter().map(measure).collect()
    }
}

impl BinaryIndex for BinaryMultiHash {
    fn kind(&self) -> &'static str {
        "binary_multi_hash"
    }

    fn spec(&self) -> BinarySpec {
        BinarySpec::MultiHash {
            hashes: self.tables.len(),
            bits: self.bits,
        }
    }

    fn dim(&self) -> usize {
        self.storage.dim()
    }

    fn len(&self) -> usize {
        self.storage.len()
    }

    fn knobs(&self) -> Vec<&'static Knob> {
        vec![&NFLIP]
    }

    fn knob(&self, name: &str) -> Option<f64> {
        (name == NFLIP.name).then_some(self.nflip as f64)
    }

    fn set_knob(&mut self, name: &str, value: f64) -> Result<()> {
        if name != NFLIP.name {
            return Err(unknown_knob(name, &self.knobs()));
        }
        self.nflip = whole(&NFLIP, value, 0..=i32::MAX as usize)?;
        Ok(())
    }

    fn search(&self, queries: Bits<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        check_search(self, queries, request)?;
        let nflip = requested(&request.knobs, &NFLIP, self.nflip, 0..=i32::MAX as usize)?;
        let k = request.k.min(self.len().max(1));
        let answer = |_, query: &[u8], seen: &mut Bitmap| {
            let mut top = TopK::new(k);
            let candidates = self.candidates(query, &request.selector, nflip, seen);
            candidates.into_iter().for_each(|neighbor| top.push(neighbor));
            top.into_sorted()
        };
        let scratch = || Bitmap::with_len(self.len());
        Ok(each_query(request.pool, queries, scratch, answer))
    }

    fn range_search(&self, queries: Bits<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        let radius = check_range(self, queries, request)?;
        let nflip = requested(&request.knobs, &NFLIP, self.nflip, 0..=i32::MAX as usize)?;
        let answer = |_, query: &[u8], seen: &mut Bitmap| {
            let mut found = self.candidates(query, &request.selector, nflip, seen);
            found.retain(|neighbor| (neighbor.distance as u32) < radius);
            found
        };
        let scratch = || Bitmap::with_len(self.len());
        Ok(each_query(request.pool, queries, scratch, answer))
    }

    fn add(&mut self, vectors: Bits<'_>) -> Result<Range<u64>> {
        let added = self.storage.add(vectors)?;
        self.file(added.start as usize);
        Ok(added)
    }

    fn add_with_ids(&mut self, _vectors: Bits<'_>, _ids: &[u64]) -> Result<()> {
        Err(no_own_ids(self))
    }

    fn reconstruct(&self, id: u64) -> Result<&[u8]> {
        self.storage.reconstruct(id)
    }

    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        let removed = self.storage.remove(ids)?;
        if removed > 0 {
            self.tables.iter_mut().for_each(Buckets::clear);
            self.file(0);
        }
        Ok(removed)
    }

    fn merge(&mut self, other: &mut dyn BinaryIndex) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>();
        let fits = |other: &&mut Self| (other.dim(), other.spec()) == (self.dim(), self.spec());
        let other = other.filter(fits).ok_or(refused)?;
        self.add(other.storage.codes())?;
        other.remove(&IdSelector::All)?;
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn BinaryIndex> {
        Box::new(self.clone())
    }
}
