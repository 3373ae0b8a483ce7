//! Vectors rounded to bytes, which prove of nearly all of them that they are too far away: single queries read a quarter of
//! the memory, and the answers stay those of the vectors themselves.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use anear_kernels::{ByteRows, IdSelector, Metric};
use anear_pool::Pool;

use super::{Flat, on_pool, parts};

/// Vectors of fewer bytes are in the cache, where reading them costs little.
const BYTES_MIN: usize = 4 << 20;

/// Vectors of more bytes have no preview: a quarter of this is as much memory as is taken without being asked for.
const BYTES_MAX: usize = 4 << 30;

/// Bytes of a row are rounded up to 32, and twenty more are kept: too much beside fewer components than this.
const DIM_MIN: usize = 48;

/// Rounding takes about as long as so many searches; whoever searches less often is spared.
const SEARCHES_MIN: usize = 8;

/// More queries than this at once are compared by a product of matrices, which takes less for each.
const QUERIES_MAX: usize = 8;

/// A selector that admits less than this share leaves too little to be spared.
const SHARE_MIN: usize = 8;

/// Vectors of one task.
const PART: usize = 1 << 14;

/// How many rows must be proven too far away for one that is measured all the same.
const PRICE: i64 = 2;

/// The rounded vectors of one state of an index, from some searches on, as long as they are of use.
#[derive(Debug, Default)]
pub(super) struct Preview {
    searches: AtomicUsize,
    bytes: RwLock<Option<Arc<ByteRows>>>,
    /// Rows that were spared, less the price of those that were not: at most as many as there are.
    spared: AtomicI64,
}

impl Preview {
    /// The rounded vectors of `index`, if they are there and of use to the request; after some searches they are made.
    pub(super) fn of(
        index: &Flat,
        queries: usize,
        selector: &IdSelector<'_>,
        pool: Option<&Pool>,
    ) -> Option<Arc<ByteRows>> {
        if !suits(index) || queries > QUERIES_MAX || selects_few(selector, index.codes.len()) {
            return None;
        }
        let preview = &*index.preview;
        let bytes = || preview.bytes.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(bytes) = bytes() {
            return Some(bytes);
        }
        // Only searches with these numbers wait until they are made, and later ones do not ask again.
        if preview.searches.fetch_add(queries, Ordering::Relaxed) / SEARCHES_MIN != 1 {
            return None;
        }
        let mut made = preview.bytes.write().unwrap_or_else(PoisonError::into_inner);
        if made.is_none() {
            *made = round(index, pool).map(Arc::new);
        }
        made.clone()
    }

    /// Learns that of so many rows some had to be measured; where that is most of them, there is no preview any more.
    pub(super) fn weigh(&self, rows: usize, measured: usize) {
        let (rows, measured) = (rows as i64, measured as i64);
        let gain = rows - PRICE * measured;
        let add = |spared: i64| Some((spared + gain).min(rows));
        let before = self.spared.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if before.is_ok_and(|before| before + gain < -rows) {
            self.searches.store(2 * SEARCHES_MIN, Ordering::Relaxed);
            *self.bytes.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Bytes of memory held.
    pub(super) fn memory(&self) -> usize {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        bytes.as_ref().map_or(0, |bytes| bytes.memory())
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

/// The vectors, rounded; nothing where they are no vectors, or memory is short.
fn round(index: &Flat, pool: Option<&Pool>) -> Option<ByteRows> {
    let rows = index.rows()?;
    let parts: Vec<_> = parts(rows.len(), PART).collect();
    let rounded = on_pool(pool, parts.len(), |i| ByteRows::new(rows.slice(parts[i].clone())));
    let mut rounded = rounded.into_iter();
    let mut all = rounded.next()??;
    for part in rounded {
        if !all.extend_from(&part?) {
            return None;
        }
    }
    Some(all)
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
        let within = RangeRequest::new(1e6);
        for i in 0..4 {
            let found = index.range_search(rows(&queries).slice(i..i + 1), &within).unwrap();
            assert_eq!(found.row(0).len(), LEN);
        }
        assert_eq!(index.preview.memory(), 0);
        check(&index, rows(&queries));
        assert_eq!(index.preview.memory(), 0, "and is not made again");
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
