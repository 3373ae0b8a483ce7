//! Vectors rounded to bytes, which prove of nearly all of them that they are too far away: single queries read a quarter of
//! the memory, and the answers stay those of the vectors themselves.
//!
//! Sizes and shares below are reasoned from what a scan reads, but for those with figures, which are in
//! `docs/notes/0009-exact-search-by-rounded-vectors.md`.

use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use anear_kernels::{ByteRows, ByteRun, IdSelector, Metric, Rows};
use anear_pool::Pool;

use super::{Flat, on_pool, parts};

/// Vectors of fewer bytes are in the cache, where reading them costs little.
const BYTES_MIN: usize = 4 << 20;

/// Vectors of more bytes have no preview: a quarter of this is as much memory as is taken without being asked for.
const BYTES_MAX: usize = 4 << 30;

/// Bytes of a row are rounded up to 32, and twenty more are kept: too much beside fewer components than this.
const DIM_MIN: usize = 48;

/// Rounding takes about as long as six to fourteen searches; whoever searches less often is spared.
const SEARCHES_MIN: usize = 8;

/// More queries than this at once are compared by a product of matrices, which takes less for each.
const QUERIES_MAX: usize = 8;

/// A selector that admits less than this share leaves too little to be spared.
const SHARE_MIN: usize = 8;

/// Vectors of one task, and of one piece of a preview.
const PART: usize = 1 << 14;

/// How many rows must be proven too far away for one that is measured all the same.
const PRICE: i64 = 2;

/// The rounded vectors of one state of an index, from some searches on, as long as they are of use.
#[derive(Debug, Default)]
pub(super) struct Preview {
    searches: AtomicUsize,
    rounded: RwLock<Option<Arc<Rounded>>>,
    /// Rows that were spared, less the price of those that were not; at most as many as the index has.
    spared: AtomicI64,
}

/// Rounded vectors, [`PART`] in each piece but the last.
#[derive(Debug)]
pub(super) struct Rounded(Vec<ByteRows>);

impl Preview {
    /// The rounded vectors of `index`, if they are there and of use to the request; the search that makes up the number
    /// rounds them.
    pub(super) fn of(
        index: &Flat,
        queries: usize,
        selector: &IdSelector<'_>,
        pool: Option<&Pool>,
    ) -> Option<Arc<Rounded>> {
        if !suits(index) || queries > QUERIES_MAX || selects_few(selector, index.codes.len()) {
            return None;
        }
        let preview = &*index.preview;
        let there = preview.rounded.read().unwrap_or_else(PoisonError::into_inner).clone();
        if there.is_some() {
            return there;
        }
        let before = preview.searches.fetch_add(queries, Ordering::Relaxed);
        if before >= SEARCHES_MIN || before + queries < SEARCHES_MIN {
            return None;
        }
        // Under no lock: a thread that waits for others of the pool may take up another search meanwhile.
        let rounded = Rounded::new(index.rows()?, pool).map(Arc::new);
        preview.put(rounded.clone());
        rounded
    }

    /// Learns how many of the vectors, `len` for each of so many queries, had to be measured; where that is most of them
    /// again and again, there is no preview any more.
    pub(super) fn weigh(&self, len: usize, queries: usize, measured: usize) {
        let (len, queries, measured) = (len as i64, queries as i64, measured as i64);
        let gain = len * queries - PRICE * measured;
        let add = |spared: i64| Some((spared + gain).min(len));
        let before = self.spared.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if before.is_ok_and(|before| before + gain < -2 * len) {
            self.put(None);
        }
    }

    /// Bytes of memory held.
    pub(super) fn memory(&self) -> usize {
        let rounded = self.rounded.read().unwrap_or_else(PoisonError::into_inner);
        let pieces = rounded.iter().flat_map(|rounded| &rounded.0);
        pieces.map(ByteRows::memory).sum()
    }

    fn put(&self, rounded: Option<Arc<Rounded>>) {
        *self.rounded.write().unwrap_or_else(PoisonError::into_inner) = rounded;
    }
}

impl Rounded {
    /// Nothing if memory is short.
    fn new(rows: Rows<'_>, pool: Option<&Pool>) -> Option<Self> {
        let parts: Vec<_> = parts(rows.len(), PART).collect();
        let pieces = on_pool(pool, parts.len(), |i| ByteRows::new(rows.slice(parts[i].clone())));
        pieces.into_iter().collect::<Option<_>>().map(Self)
    }

    /// Those of `rows` that are in `slots`, of which the first has the id `first_id`, piece by piece.
    pub(super) fn runs<'a>(
        &'a self,
        rows: Rows<'a>,
        slots: Range<usize>,
        first_id: u64,
    ) -> impl Iterator<Item = ByteRun<'a>> {
        let pieces = slots.start / PART..slots.end.div_ceil(PART);
        pieces.map(move |piece| {
            let start = piece * PART;
            let here = slots.start.max(start)..slots.end.min(start + PART);
            ByteRun {
                bytes: &self.0[piece],
                rows: rows.slice(start..rows.len().min(start + PART)),
                first_id: first_id + (here.start - slots.start) as u64,
                slots: here.start - start..here.end - start,
            }
        })
    }
}

/// Whether vectors are such that a preview spares something.
fn suits(index: &Flat) -> bool {
    matches!(index.metric, Metric::L2 | Metric::InnerProduct | Metric::Cosine)
        && index.quantizer.dim() >= DIM_MIN
        && (BYTES_MIN..=BYTES_MAX).contains(&index.codes.as_bytes().len())
        && !index.codes.are_mapped()
}

fn selects_few(selector: &IdSelector<'_>, len: usize) -> bool {
    match selector {
        IdSelector::Sorted(ids) => ids.len() < len / SHARE_MIN,
        IdSelector::Bitmap(ids) => ids.count() < len / SHARE_MIN,
        IdSelector::Range(ids) => ids.end.saturating_sub(ids.start) < (len / SHARE_MIN) as u64,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use anear_kernels::{Random, Rows};

    use super::*;
    use crate::{RangeRequest, SearchRequest, VectorIndex as _, VectorIndexExt as _};

    const DIM: usize = 48;
    const LEN: usize = BYTES_MIN / (DIM * 4) + 200;

    fn numbers(seed: u64, len: usize) -> Vec<f32> {
        let mut random = Random::new(seed);
        (0..len * DIM).map(|_| random.unit() as f32).collect()
    }

    fn rows(numbers: &[f32]) -> Rows<'_> {
        Rows::new(numbers, DIM).unwrap()
    }

    /// Searches query by query, and compares with what all of them find in one call, where there is no preview.
    fn check(index: &Flat, queries: Rows<'_>) {
        assert!(queries.len() > QUERIES_MAX);
        let third: Vec<u64> = (0..index.len() as u64).step_by(3).collect();
        for selector in [IdSelector::All, IdSelector::Sorted(&third), IdSelector::Range(7..99)] {
            let request = SearchRequest::new(10).selecting(selector.clone());
            let want = index.search(queries, &request).unwrap();
            let radius = want.row(0)[9].distance;
            let within = RangeRequest {
                selector,
                ..RangeRequest::new(radius)
            };
            let want_within = index.range_search(queries, &within).unwrap();
            for (i, pool) in (0..queries.len()).zip([None, Some(Pool::global())].into_iter().cycle()) {
                let query = queries.slice(i..i + 1);
                let request = SearchRequest {
                    pool,
                    ..request.clone()
                };
                assert_eq!(
                    index.search(query, &request).unwrap().row(0),
                    want.row(i),
                    "{request:?}"
                );
                let within = RangeRequest { pool, ..within.clone() };
                let found = index.range_search(query, &within).unwrap();
                assert_eq!(found.row(0), want_within.row(i), "{within:?}");
            }
        }
    }

    #[test]
    fn single_queries_find_what_many_find_also_when_vectors_come_and_go() {
        let (base, more, queries) = (numbers(1, LEN), numbers(2, 300), numbers(3, 2 * SEARCHES_MIN));
        for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
            let mut index = Flat::new(DIM, metric).unwrap();
            index.add(rows(&base)).unwrap();
            let without = index.memory().owned;
            check(&index, rows(&queries));
            assert!(index.memory().owned > without + without / 4, "{metric} has a preview");
            index.remove(&IdSelector::Range(50..100)).unwrap();
            index.add(rows(&more)).unwrap();
            assert!(
                index.memory().owned < without + without / 4,
                "{metric}: it was of other vectors"
            );
            check(&index, rows(&queries));
        }
    }

    #[test]
    fn a_preview_that_spares_too_little_is_dropped() {
        let (base, queries) = (numbers(1, LEN), numbers(3, 2 * SEARCHES_MIN));
        let mut index = Flat::new(DIM, Metric::L2).unwrap();
        index.add(rows(&base)).unwrap();
        check(&index, rows(&queries));
        assert!(index.preview.memory() > 0);
        // Everything is within this radius.
        let within = |i: usize, pool| {
            let within = RangeRequest {
                pool,
                ..RangeRequest::new(1e6)
            };
            let found = index.range_search(rows(&queries).slice(i..i + 1), &within).unwrap();
            assert_eq!(found.row(0).len(), LEN);
        };
        within(0, Some(Pool::global()));
        assert!(index.preview.memory() > 0, "one such search is no reason");
        (1..5).for_each(|i| within(i, None));
        assert_eq!(index.preview.memory(), 0);
        check(&index, rows(&queries));
        assert_eq!(index.preview.memory(), 0, "and is not made again");
    }

    #[test]
    fn searches_of_one_pool_do_not_wait_for_each_other() {
        let pool = Pool::new(2).unwrap();
        let base = numbers(1, 2 * LEN);
        for _ in 0..20 {
            let mut index = Flat::new(DIM, Metric::L2).unwrap();
            index.add(rows(&base)).unwrap();
            let found = pool.map(64, |i| {
                let request = SearchRequest {
                    pool: Some(&pool),
                    ..SearchRequest::new(1)
                };
                index.search(rows(&base).slice(i..i + 1), &request).unwrap().row(0)[0].id
            });
            assert!(found.into_iter().eq(0..64));
            assert!(index.preview.memory() > 0);
        }
    }

    #[test]
    fn small_sets_and_short_vectors_have_none() {
        for (dim, len) in [(DIM, LEN - 400), (DIM / 2, 2 * LEN)] {
            let base = numbers(1, LEN);
            let base = Rows::new(&base[..(dim * len).min(DIM * LEN)], dim).unwrap();
            let mut index = Flat::new(dim, Metric::L2).unwrap();
            index.add(base).unwrap();
            for i in 0..2 * SEARCHES_MIN {
                index.search(base.slice(i..i + 1), &SearchRequest::new(1)).unwrap();
            }
            assert_eq!(index.preview.memory(), 0, "{len} x {dim}");
        }
    }
}
