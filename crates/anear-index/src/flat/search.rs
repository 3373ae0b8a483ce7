//! How a search over all vectors is cut into tiles of queries x vectors, one per task of the pool.
//!
//! The tiles do not show in the answer: a distance has the same bits wherever it is computed, and the nearest by
//! (distance, position) of the parts' nearest are the nearest of all.

use std::ops::Range;
use std::slice;
use std::sync::Arc;

use anear_kernels::{IdSelector, Neighbor, Rows, TopK};
use anear_pool::Pool;
use anear_quant::{BLOCK_LEN, CodeRun};

use super::Flat;
use super::preview::{Preview, Rounded};
use crate::{Neighbors, RangeRequest, SearchRequest, VectorIndex as _};

/// Component products worth a task of their own: some 50 us of one core, several times what handing it over costs.
const TASK_WORK: usize = 1 << 20;

/// Queries that fill the register tiles of the batch kernel.
const QUERY_TILE: usize = 32;

/// Tasks per thread, so that a thread that was held up leaves work to the others.
const TASKS_PER_THREAD: usize = 2;

/// What one task compares.
#[derive(Debug, PartialEq)]
pub(crate) struct Tile {
    pub(crate) queries: Range<usize>,
    pub(crate) vectors: Range<usize>,
}

/// Pushes the nearest of each query, with `first_id` added to the positions.
pub(super) fn nearest(index: &Flat, queries: Rows<'_>, request: &SearchRequest<'_>, first_id: u64, tops: &mut [TopK]) {
    let tiles = tiles(index, queries.len(), request.pool);
    let preview = Preview::of(index, queries.len(), &request.selector, request.pool);
    let preview = preview.as_ref();
    let positions_are_ids = first_id == 0 || matches!(request.selector, IdSelector::All);
    if tiles.len() <= 1 && positions_are_ids {
        let run = CodeRun {
            first_id,
            ..CodeRun::all(&index.codes)
        };
        let measured = scan(index, preview, queries, &run, &request.selector, tops);
        weigh(index, preview, queries.len(), measured);
        return;
    }
    let k = request.k.min(index.len());
    let found = on_pool(request.pool, tiles.len(), |i| {
        let Tile {
            queries: range,
            vectors,
        } = &tiles[i];
        let mut tops: Vec<_> = tops[range.clone()]
            .iter()
            .map(|top| TopK::new(k.min(top.k())))
            .collect();
        let queries = queries.slice(range.clone());
        let run = run(index, vectors);
        let measured = scan(index, preview, queries, &run, &request.selector, &mut tops);
        (tops, measured)
    });
    weigh(
        index,
        preview,
        queries.len(),
        found.iter().map(|(_, measured)| measured).sum(),
    );
    for (tile, (found, _)) in tiles.iter().zip(found) {
        for (top, found) in tops[tile.queries.clone()].iter_mut().zip(found) {
            found.into_sorted().into_iter().for_each(|n| {
                top.push(Neighbor {
                    id: n.id + first_id,
                    ..n
                });
            });
        }
    }
}

/// Everything strictly within the radius, by ascending position.
pub(super) fn within(index: &Flat, queries: Rows<'_>, request: &RangeRequest<'_>) -> Neighbors {
    let tiles = tiles(index, queries.len(), request.pool);
    let preview = Preview::of(index, queries.len(), &request.selector, request.pool);
    let preview = preview.as_ref();
    let found = on_pool(request.pool, tiles.len(), |i| {
        let Tile {
            queries: range,
            vectors,
        } = &tiles[i];
        let run = run(index, vectors);
        let within = |query| scan_range(index, preview, query, &run, request);
        queries.slice(range.clone()).iter().map(within).collect::<Vec<_>>()
    });
    let (mut rows, mut measured) = (vec![Vec::new(); queries.len()], 0);
    for (tile, found) in tiles.iter().zip(found) {
        for (row, (found, more)) in rows[tile.queries.clone()].iter_mut().zip(found) {
            row.extend(found);
            measured += more;
        }
    }
    weigh(index, preview, queries.len(), measured);
    rows.into_iter().collect()
}

/// [`Quantizer::scan`](anear_quant::Quantizer::scan), by a preview where there is one; how many vectors were measured.
fn scan(
    index: &Flat,
    preview: Option<&Arc<Rounded>>,
    queries: Rows<'_>,
    run: &CodeRun<'_>,
    keep: &IdSelector<'_>,
    tops: &mut [TopK],
) -> usize {
    let scan_all = |queries: Rows<'_>, tops: &mut [TopK]| {
        index.quantizer.scan(index.metric, queries, run, keep, tops);
        run.slots.len() * queries.len()
    };
    let Some((rounded, rows)) = preview.zip(index.rows()) else {
        return scan_all(queries, tops);
    };
    let runs = rounded.runs(rows, run.slots.clone(), run.first_id);
    if let Some(measured) = rounded.scan_batch(index.metric, queries, &runs, keep, tops) {
        return measured;
    }
    let scan = |(i, top): (usize, &mut TopK)| match rounded.query(index.metric, queries.row(i)) {
        Some(query) => query.scan(&runs, keep, top),
        None => scan_all(queries.slice(i..i + 1), slice::from_mut(top)),
    };
    tops.iter_mut().enumerate().map(scan).sum()
}

/// [`Quantizer::scan_range`](anear_quant::Quantizer::scan_range), by a preview where there is one; how many vectors were
/// measured.
fn scan_range(
    index: &Flat,
    preview: Option<&Arc<Rounded>>,
    query: &[f32],
    run: &CodeRun<'_>,
    request: &RangeRequest<'_>,
) -> (Vec<Neighbor>, usize) {
    let (keep, radius) = (&request.selector, request.radius);
    let rounded = preview.zip(index.rows());
    let prepared = rounded.and_then(|(rounded, rows)| Some((rounded.query(index.metric, query)?, rounded, rows)));
    let Some((query, rounded, rows)) = prepared else {
        let found = index.quantizer.scan_range(index.metric, query, run, keep, radius);
        return (found, run.slots.len());
    };
    let mut found = Vec::new();
    let runs = rounded.runs(rows, run.slots.clone(), run.first_id);
    let measured = query.scan_range(&runs, keep, radius, &mut found);
    (found, measured)
}

/// Tells a preview what it was good for.
fn weigh(index: &Flat, preview: Option<&Arc<Rounded>>, queries: usize, measured: usize) {
    if let Some(rounded) = preview {
        index.preview.weigh(rounded, index.codes.len(), queries, measured);
    }
}

/// These vectors under their positions.
fn run<'a>(index: &'a Flat, vectors: &Range<usize>) -> CodeRun<'a> {
    CodeRun {
        codes: &index.codes,
        slots: vectors.clone(),
        first_id: vectors.start as u64,
    }
}

/// `[task(0), .., task(tasks - 1)]`, on the threads of `pool` if there is one.
pub(crate) fn on_pool<T: Send>(pool: Option<&Pool>, tasks: usize, task: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    match pool {
        Some(pool) if tasks > 1 => pool.map(tasks, task),
        _ => (0..tasks).map(task).collect(),
    }
}

fn tiles(index: &Flat, queries: usize, pool: Option<&Pool>) -> Vec<Tile> {
    let threads = pool.map_or(1, Pool::threads);
    tiling(queries, index.len(), index.dim(), threads)
}

/// Cuts between queries where every task still has a register tile of them, otherwise between vectors: then each
/// vector is read from memory once, by one thread, whatever the number of queries.
pub(crate) fn tiling(queries: usize, vectors: usize, dim: usize, threads: usize) -> Vec<Tile> {
    let work = queries.saturating_mul(vectors).saturating_mul(dim);
    let tasks = match threads {
        0 | 1 => 1,
        _ => (threads * TASKS_PER_THREAD).min(work / TASK_WORK).max(1),
    };
    if queries >= tasks * QUERY_TILE {
        let len = queries.div_ceil(tasks).next_multiple_of(QUERY_TILE);
        parts(queries, len)
            .map(|queries| Tile {
                queries,
                vectors: 0..vectors,
            })
            .collect()
    } else {
        // Codes may lie in blocks; none is cut.
        parts(vectors, vectors.div_ceil(tasks).max(1).next_multiple_of(BLOCK_LEN))
            .map(|vectors| Tile {
                queries: 0..queries,
                vectors,
            })
            .collect()
    }
}

/// `0..total` in parts of `len`, the last one shorter.
pub(crate) fn parts(total: usize, len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..total).step_by(len).map(move |start| start..total.min(start + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_each_pair_once() {
        for (queries, vectors) in [(0, 5), (5, 0), (1, 1), (1, 100_000), (7, 3), (64, 50_000), (1_000, 999)] {
            for threads in [1, 2, 7, 64] {
                let tiles = tiling(queries, vectors, 128, threads);
                let pairs: usize = tiles.iter().map(|t| t.queries.len() * t.vectors.len()).sum();
                assert_eq!(pairs, queries * vectors, "{queries} x {vectors} on {threads}");
                let ascending =
                    |a: &Tile, b: &Tile| a.queries.end <= b.queries.start || a.vectors.end <= b.vectors.start;
                assert!(tiles.windows(2).all(|pair| ascending(&pair[0], &pair[1])));
            }
        }
    }

    #[test]
    fn few_queries_share_the_vectors_and_many_are_shared_out() {
        let single = tiling(1, 100_000, 256, 2);
        assert_eq!(single.len(), 4);
        assert!(single.iter().all(|tile| tile.queries == (0..1)));
        let batch = tiling(1_000, 100_000, 256, 2);
        assert!(batch.iter().all(|tile| tile.vectors == (0..100_000)));
        assert_eq!(tiling(1, 100, 256, 2).len(), 1, "too little to share");
    }
}
