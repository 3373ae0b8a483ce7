//! Buckets by the first bits of a vector (Faiss: `IndexBinaryHash`).

use std::any::Any;
use std::ops::Range;

use anear_kernels::{Bits, IdSelector, TopK};

use super::buckets::{Buckets, MAX_BITS, NFLIP, key, near};
use super::index::{
    check_index_dim, check_range, check_search, check_width, each_query, mismatch, requested, unknown_knob, whole,
};
use super::lists::{List, Lists};
use super::{BinaryIndex, BinarySpec};
use crate::{Error, Knob, Neighbors, RangeRequest, Result, SearchRequest};

/// Vectors in buckets by their first bits; a search looks at the buckets whose bits differ in at most `nflip` from the
/// query's (Faiss: `IndexBinaryHash`).
///
/// Ids are the caller's, or follow the largest there is.
///
/// ```
/// use anear_index::SearchRequest;
/// use anear_index::binary::{BinaryHash, BinaryIndex};
/// use anear_kernels::Bits;
///
/// let mut index = BinaryHash::new(8, 4)?;
/// index.add(Bits::new(&[0b0000_0001, 0b0000_0011, 0b1111_0001], 1).unwrap())?;
///
/// let query = Bits::new(&[0b0000_0001], 1).unwrap();
/// let same_bucket = index.search(query, &SearchRequest::new(3))?;
/// assert_eq!(same_bucket.row(0).len(), 2);
/// let next_ones_too = index.search(query, &SearchRequest::new(3).with("nflip", 1.0))?;
/// assert_eq!(next_ones_too.row(0).len(), 3);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BinaryHash {
    dim: usize,
    bits: usize,
    nflip: usize,
    /// The list of each key.
    buckets: Buckets<u32>,
    lists: Lists,
}

impl BinaryHash {
    /// An empty index for vectors of `dim` bits, of which the first `bits` are hashed.
    ///
    /// # Errors
    /// [`Error::BinaryDimension`], and [`Error::KnobValue`] for `bits` that are not between 1 and `dim` or 64.
    pub fn new(dim: usize, bits: usize) -> Result<Self> {
        check_index_dim(dim)?;
        check_bits(dim, 1, bits)?;
        Ok(Self {
            dim,
            bits,
            nflip: 0,
            buckets: Buckets::new(),
            lists: Lists::new(dim / 8, 0),
        })
    }

    /// Bits of the hash.
    pub(super) fn bits(&self) -> usize {
        self.bits
    }

    pub(super) fn nflip(&self) -> usize {
        self.nflip
    }

    /// Keys and their lists that are not empty, by ascending key.
    pub(super) fn buckets(&self) -> Vec<(u64, &List)> {
        let lists = self.lists.as_slice();
        let buckets = self.buckets.iter().map(|(key, list)| (*key, &lists[*list as usize]));
        let mut buckets: Vec<_> = buckets.filter(|(_, list)| !list.ids.is_empty()).collect();
        buckets.sort_by_key(|(key, _)| *key);
        buckets
    }

    pub(super) fn lists_mut(&mut self) -> &mut Lists {
        &mut self.lists
    }

    /// Whether all of these vectors belong to one bucket.
    pub(super) fn has_key(&self, expected: u64, vectors: Bits<'_>) -> bool {
        vectors.iter().all(|vector| key(vector, 0, self.bits) == expected)
    }

    /// Appends a vector whose id was checked.
    fn push(&mut self, id: u64, vector: &[u8]) {
        let key = key(vector, 0, self.bits);
        let list = *self.buckets.entry(key).or_insert_with(|| self.lists.grow());
        self.lists.push(list, id, vector);
    }
}

/// Refuses hashes that a vector does not have the bits for.
pub(super) fn check_bits(dim: usize, hashes: usize, bits: usize) -> Result<()> {
    let most = (dim / hashes.max(1)).min(MAX_BITS);
    if hashes >= 1 && (1..=most).contains(&bits) {
        return Ok(());
    }
    Err(Error::KnobValue {
        name: "the number of bits per hash",
        expected: format!("between 1 and {most} for {hashes} hashes of vectors of {dim} bits"),
        value: bits as f64,
    })
}

impl BinaryIndex for BinaryHash {
    fn kind(&self) -> &'static str {
        "binary_hash"
    }

    fn spec(&self) -> BinarySpec {
        BinarySpec::Hash { bits: self.bits }
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn len(&self) -> usize {
        self.lists.len()
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
        let answer = |_, query: &[u8], _: &mut ()| {
            let mut top = TopK::new(k);
            near(&self.buckets, key(query, 0, self.bits), self.bits, nflip, |list| {
                self.lists.scan(*list, query, &request.selector, &mut top);
            });
            top.into_sorted()
        };
        Ok(each_query(request.pool, queries, || (), answer))
    }

    fn range_search(&self, queries: Bits<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        let radius = check_range(self, queries, request)?;
        let nflip = requested(&request.knobs, &NFLIP, self.nflip, 0..=i32::MAX as usize)?;
        let answer = |_, query: &[u8], _: &mut ()| {
            let mut found = Vec::new();
            near(&self.buckets, key(query, 0, self.bits), self.bits, nflip, |list| {
                self.lists
                    .scan_range(*list, query, &request.selector, radius, &mut found);
            });
            found.sort_unstable_by_key(|neighbor| neighbor.id);
            found
        };
        Ok(each_query(request.pool, queries, || (), answer))
    }

    fn add(&mut self, vectors: Bits<'_>) -> Result<Range<u64>> {
        check_width(self.dim, vectors)?;
        let ids = self.lists.next_ids(vectors.len())?;
        ids.clone().zip(vectors).for_each(|(id, vector)| self.push(id, vector));
        Ok(ids)
    }

    fn add_with_ids(&mut self, vectors: Bits<'_>, ids: &[u64]) -> Result<()> {
        check_width(self.dim, vectors)?;
        self.lists.check_new(vectors.len(), ids)?;
        ids.iter().zip(vectors).for_each(|(&id, vector)| self.push(id, vector));
        Ok(())
    }

    fn reconstruct(&self, id: u64) -> Result<&[u8]> {
        self.lists.code(id)
    }

    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        Ok(self.lists.remove(ids))
    }

    fn merge(&mut self, other: &mut dyn BinaryIndex) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>();
        let fits = |other: &&mut Self| (other.dim, other.bits) == (self.dim, self.bits);
        let other = other.filter(fits).ok_or(refused)?;
        self.lists.check_new(other.len(), &other.lists.ids())?;
        for (_, id, vector) in other.lists.take().iter() {
            self.push(id, vector);
        }
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn BinaryIndex> {
        Box::new(self.clone())
    }
}
