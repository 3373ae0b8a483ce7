//! Vectors rounded to bytes, which prove of nearly all of them that they are too far away: searches read a small part of the
//! memory, and the answers stay those of the vectors themselves.
//!
//! Where vectors differ in few directions, sketches of them are rounded (a thirtieth to a seventh of the bytes, for single
//! queries and for batches); elsewhere the vectors (a quarter, for single queries).
//!
//! Sizes and shares below are reasoned from what a scan reads, but for those with figures, which are in
//! `docs/notes/0009-exact-search-by-rounded-vectors.md`.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use anear_kernels::{
    ByteQuery, ByteRows, ByteRun, IdSelector, Metric, Random, Rows, Sketcher, TopK, scan_batch_sketched,
};
use anear_pool::Pool;

use super::Flat;
use crate::tiles::{on_pool, parts};

/// Vectors of fewer bytes are in the cache, where reading them costs little.
const BYTES_MIN: usize = 4 << 20;

/// Vectors of more bytes have no preview: a quarter of this is as much memory as is taken without being asked for.
const BYTES_MAX: usize = 4 << 30;

/// Bytes of a row are rounded up to 32, and twenty more are kept: too much beside fewer components than this.
const DIM_MIN: usize = 48;

/// Rounding takes about as long as ten to forty searches; whoever searches less often is spared.
const SEARCHES_MIN: usize = 16;

/// Queries of batches after which sketches are rounded: these take about as long, too.
const BATCHED_MIN: usize = 256;

/// More queries than this at once are compared by a product of matrices, which takes less for each.
const QUERIES_MAX: usize = 8;

/// A selector that admits less than this share leaves too little to be spared.
const SHARE_MIN: usize = 8;

/// Vectors of one task, and of one piece of a preview.
const PART: usize = 1 << 14;

/// Vectors from which the directions of sketches are learned.
const SAMPLE: usize = 2048;

/// Directions of sketches, tried in turn: with the length of the rest, they fill pieces of 32 bytes. More of them between would
/// spare less reading than they take to try.
const DIRECTIONS: [usize; 4] = [31, 95, 191, 255];

/// How much of the spread of the vectors sketches may leave out: more directions take longer to read than they spare.
const REST_MAX: f64 = 0.1;

/// How many rows must be proven too far away for one that is measured all the same.
const PRICE: i64 = 2;

/// The same for sketches, beside which a row that lies somewhere in memory takes longer.
const PRICE_OF_SKETCHES: i64 = 8;

/// The rounded vectors of one state of an index, from some searches on, as long as they are of use.
#[derive(Debug, Default)]
pub(super) struct Preview {
    searches: AtomicUsize,
    batched: AtomicUsize,
    rounded: RwLock<Option<Arc<Rounded>>>,
    /// Vectors differ in too many directions, or sketches spared too little.
    sketches_are_useless: AtomicBool,
}

/// Rounded vectors or their sketches, [`PART`] in each piece but the last.
#[derive(Debug)]
pub(super) struct Rounded {
    sketcher: Option<Sketcher>,
    pieces: Vec<ByteRows>,
    /// Rows that were spared, less the price of those that were not; at most as many as the index has.
    spared: AtomicI64,
}

impl Preview {
    /// The rounded vectors of `index`, if they are there and of use to the request; the search that makes up the number
    /// rounds them.
    pub(super) fn of(
        index: &Flat,
        queries: usize,
        selector: &IdSelector<'_>,
        pool: Option<&Pool>,
    ) -> Option<Arc<Rounded>> {
        if !suits(index) || selects_few(selector, index.codes.len()) {
            return None;
        }
        let is_batch = queries > QUERIES_MAX;
        let preview = &*index.preview;
        if let Some(rounded) = preview.get() {
            return (rounded.sketcher.is_some() || !is_batch).then_some(rounded);
        }
        let (searches, enough) = match is_batch {
            true => (&preview.batched, BATCHED_MIN),
            false => (&preview.searches, SEARCHES_MIN),
        };
        let before = searches.fetch_add(queries, Ordering::Relaxed);
        if before >= enough || before + queries < enough {
            return None;
        }
        // Under no lock: a thread that waits for others of the pool may take up another search meanwhile.
        let rounded = Arc::new(preview.round(index.rows()?, is_batch, pool)?);
        *preview.rounded.write().unwrap_or_else(PoisonError::into_inner) = Some(rounded.clone());
        Some(rounded)
    }

    /// Sketches where they are of use; else the vectors, if not for a batch.
    fn round(&self, rows: Rows<'_>, is_batch: bool, pool: Option<&Pool>) -> Option<Rounded> {
        let sketcher = match self.sketches_are_useless.load(Ordering::Relaxed) {
            true => None,
            false => sketcher(rows),
        };
        if sketcher.is_none() {
            self.sketches_are_useless.store(true, Ordering::Relaxed);
            if is_batch {
                return None;
            }
        }
        Rounded::new(rows, sketcher, pool)
    }

    /// Learns how many of the vectors, `len` for each of so many queries, had to be measured; where that is most of them
    /// again and again, there is no such preview any more.
    pub(super) fn weigh(&self, rounded: &Arc<Rounded>, len: usize, queries: usize, measured: usize) {
        let (len, queries, measured) = (len as i64, queries as i64, measured as i64);
        // No search alone decides.
        let gain = (len * queries - rounded.price() * measured).max(-len);
        let add = |spared: i64| Some((spared + gain).min(len));
        let before = rounded.spared.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if before.is_ok_and(|before| before + gain < -2 * len) {
            self.discard(rounded);
        }
    }

    /// Vectors may be of use where their sketches were not.
    fn discard(&self, rounded: &Arc<Rounded>) {
        let mut there = self.rounded.write().unwrap_or_else(PoisonError::into_inner);
        if there.as_ref().is_some_and(|there| Arc::ptr_eq(there, rounded)) {
            *there = None;
            if rounded.sketcher.is_some() {
                self.sketches_are_useless.store(true, Ordering::Relaxed);
                self.searches.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Bytes of memory held.
    pub(super) fn memory(&self) -> usize {
        self.get()
            .map_or(0, |rounded| rounded.pieces.iter().map(ByteRows::memory).sum())
    }

    fn get(&self) -> Option<Arc<Rounded>> {
        self.rounded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Rounded {
    /// Nothing if memory is short.
    fn new(rows: Rows<'_>, sketcher: Option<Sketcher>, pool: Option<&Pool>) -> Option<Self> {
        let parts: Vec<_> = parts(rows.len(), PART).collect();
        let pieces = on_pool(pool, parts.len(), |i| {
            let rows = rows.slice(parts[i].clone());
            match &sketcher {
                Some(sketcher) => ByteRows::sketched(rows, sketcher),
                None => ByteRows::new(rows),
            }
        });
        let pieces = pieces.into_iter().collect::<Option<_>>()?;
        Some(Self {
            sketcher,
            pieces,
            spared: AtomicI64::new(0),
        })
    }

    /// A query prepared for what was rounded; nothing if it has no bound.
    pub(super) fn query<'q>(&self, metric: Metric, query: &'q [f32]) -> Option<ByteQuery<'q>> {
        match &self.sketcher {
            Some(sketcher) => ByteQuery::sketched(metric, query, sketcher),
            None => ByteQuery::new(metric, query),
        }
    }

    /// Pushes the nearest of the runs to many queries; how many pairs were measured. Nothing where there are no sketches, or
    /// the queries are few.
    pub(super) fn scan_batch(
        &self,
        metric: Metric,
        queries: Rows<'_>,
        runs: &[ByteRun<'_>],
        keep: &IdSelector<'_>,
        tops: &mut [TopK],
    ) -> Option<usize> {
        let sketcher = self.sketcher.as_ref().filter(|_| queries.len() > QUERIES_MAX)?;
        let sketched = sketcher.sketch(metric, queries);
        let scan = |run| scan_batch_sketched(metric, queries, &sketched, run, keep, tops);
        runs.iter().map(scan).sum()
    }

    /// Those of `rows` that are in `slots`, of which the first has the id `first_id`, piece by piece.
    pub(super) fn runs<'a>(&'a self, rows: Rows<'a>, slots: Range<usize>, first_id: u64) -> Vec<ByteRun<'a>> {
        let pieces = slots.start / PART..slots.end.div_ceil(PART);
        let run = |piece| {
            let start = piece * PART;
            let here = slots.start.max(start)..slots.end.min(start + PART);
            ByteRun {
                bytes: &self.pieces[piece],
                rows: rows.slice(start..rows.len().min(start + PART)),
                first_id: first_id + (here.start - slots.start) as u64,
                slots: here.start - start..here.end - start,
            }
        };
        pieces.map(run).collect()
    }

    fn price(&self) -> i64 {
        match self.sketcher {
            Some(_) => PRICE_OF_SKETCHES,
            None => PRICE,
        }
    }
}

/// The directions in which vectors differ, where these are few.
fn sketcher(rows: Rows<'_>) -> Option<Sketcher> {
    // At random, since every so many-th row may be of one kind; any seed does.
    let sample = Random::new(0).sorted_sample(rows.len(), SAMPLE);
    let sample = rows.gathered(sample.into_iter());
    Sketcher::learn(Rows::new(&sample, rows.dim())?, &DIRECTIONS, REST_MAX)
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
    use anear_kernels::{Neighbor, Random, Rows};

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

    /// Searches query by query, and compares with what all of them find in one call, where there is no preview: vectors at
    /// random have no sketches.
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

    const LONG: usize = 128;
    const LONG_LEN: usize = BYTES_MIN / (LONG * 4) + 300;

    /// Vectors that differ in few directions.
    fn alike(seed: u64, len: usize) -> Vec<f32> {
        let mut random = Random::new(seed);
        let mut directions = Random::new(0);
        let directions: Vec<f32> = (0..9 * LONG).map(|_| directions.unit() as f32 - 0.5).collect();
        let vector = |_| {
            let weights: Vec<f32> = (0..9).map(|_| random.unit() as f32).collect();
            let at = |i: usize| (0..9).map(|j| weights[j] * directions[j * LONG + i]).sum::<f32>();
            let component = |i| at(i) + 0.05 * random.unit() as f32;
            (0..LONG).map(component).collect::<Vec<_>>()
        };
        (0..len).flat_map(vector).collect()
    }

    /// The answers of a fresh index to batches that are too few to round anything.
    fn answers(base: Rows<'_>, metric: Metric, queries: Rows<'_>, selector: &IdSelector<'_>) -> Vec<Vec<Neighbor>> {
        let mut index = Flat::new(base.dim(), metric).unwrap();
        index.add(base).unwrap();
        let request = SearchRequest::new(10).selecting(selector.clone());
        let found = index.search(queries, &request).unwrap();
        assert_eq!(index.preview.memory(), 0);
        (0..queries.len()).map(|i| found.row(i).to_vec()).collect()
    }

    #[test]
    fn sketches_are_rounded_where_vectors_differ_in_few_directions() {
        let (base, queries) = (alike(1, LONG_LEN), alike(2, BATCHED_MIN - 1));
        let base = Rows::new(&base, LONG).unwrap();
        let queries = Rows::new(&queries, LONG).unwrap();
        let most: Vec<u64> = (0..LONG_LEN as u64).filter(|id| id % 3 != 1).collect();
        for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
            for selector in [IdSelector::All, IdSelector::Sorted(&most)] {
                let want = answers(base, metric, queries, &selector);
                let mut index = Flat::new(LONG, metric).unwrap();
                index.add(base).unwrap();
                for pool in [None, Some(Pool::global())] {
                    // The second batch is searched through sketches; so are single queries.
                    for queries in [queries, queries, queries.slice(0..70)] {
                        let request = SearchRequest {
                            pool,
                            ..SearchRequest::new(10).selecting(selector.clone())
                        };
                        let found = index.search(queries, &request).unwrap();
                        assert!(
                            (0..queries.len()).all(|i| found.row(i) == want[i]),
                            "{metric}, {request:?}"
                        );
                        let single = index.search(queries.slice(0..1), &request).unwrap();
                        assert_eq!(single.row(0), want[0], "{metric}, {request:?}");
                    }
                }
                // 32 bytes and 20 more, where there were 512.
                let memory = index.preview.memory();
                assert!(0 < memory && memory <= base.len() * 52, "{metric}: {memory}");
                assert!(index.preview.get().unwrap().sketcher.is_some());
            }
        }
    }

    #[test]
    fn where_sketches_spare_too_little_vectors_are_rounded() {
        let (base, queries) = (alike(1, LONG_LEN), alike(2, SEARCHES_MIN));
        let base = Rows::new(&base, LONG).unwrap();
        let queries = Rows::new(&queries, LONG).unwrap();
        let mut index = Flat::new(LONG, Metric::L2).unwrap();
        index.add(base).unwrap();
        let each = |index: &Flat, k: usize| {
            for i in 0..queries.len() {
                index.search(queries.slice(i..i + 1), &SearchRequest::new(k)).unwrap();
            }
        };
        each(&index, 1);
        assert!(index.preview.get().unwrap().sketcher.is_some());
        // A third of all are the nearest.
        let wide = SearchRequest::new(LONG_LEN / 3);
        index.search(queries.slice(0..1), &wide).unwrap();
        assert!(
            index.preview.get().unwrap().sketcher.is_some(),
            "one such search is no reason"
        );
        each(&index, LONG_LEN / 3);
        assert!(index.preview.get().is_none_or(|rounded| rounded.sketcher.is_none()));
        each(&index, 1);
        assert!(index.preview.get().unwrap().sketcher.is_none());
        let want = answers(base, Metric::L2, queries, &IdSelector::All);
        let found = index.search(queries.slice(0..1), &SearchRequest::new(10)).unwrap();
        assert_eq!(found.row(0), want[0]);
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
