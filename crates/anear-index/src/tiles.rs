//! How work over queries x vectors is cut into tiles, one per task of the pool.
//!
//! The tiles do not show in the answer: a distance has the same bits wherever it is computed, and the nearest by
//! (distance, position) of the parts' nearest are the nearest of all.

use std::ops::Range;

use anear_kernels::{Neighbor, TopK};
use anear_pool::Pool;
use anear_quant::BLOCK_LEN;

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

/// Scans every tile into tops of its own, which hold `most` at most; what these found goes into `tops`, `offset` added to its
/// ids. What the scans returned, in the order of tiles.
pub(crate) fn over_tiles<R: Send>(
    pool: Option<&Pool>,
    tiles: &[Tile],
    tops: &mut [TopK],
    most: usize,
    offset: u64,
    scan: impl Fn(&Tile, &mut [TopK]) -> R + Send + Sync,
) -> Vec<R> {
    let found = on_pool(pool, tiles.len(), |i| {
        let own = &tops[tiles[i].queries.clone()];
        let mut own: Vec<TopK> = own.iter().map(|top| TopK::new(most.min(top.k()))).collect();
        let returned = scan(&tiles[i], &mut own);
        (own, returned)
    });
    let merge = |(tile, (found, returned)): (&Tile, (Vec<TopK>, R))| {
        for (top, found) in tops[tile.queries.clone()].iter_mut().zip(found) {
            for near in found.into_sorted() {
                let id = near.id + offset;
                top.push(Neighbor { id, ..near });
            }
        }
        returned
    };
    tiles.iter().zip(found).map(merge).collect()
}

/// `[task(0), .., task(tasks - 1)]`, on the threads of `pool` if there is one.
pub(crate) fn on_pool<T: Send>(pool: Option<&Pool>, tasks: usize, task: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    match pool {
        Some(pool) if tasks > 1 => pool.map(tasks, task),
        _ => (0..tasks).map(task).collect(),
    }
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
