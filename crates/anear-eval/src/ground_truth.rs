//! The true neighbors, by comparing every query with every vector of a data set that need not fit in memory.
//!
//! Vectors are read block by block; each block is shared by all threads, each with its share of the queries. What is
//! found does not depend on either: neighbors are the first by (distance, position).

use std::sync::{Mutex, PoisonError};

use anear_index::Neighbors;
use anear_kernels::{IdSelector, Metric, Neighbor, Rows, TopK, first_non_finite, scan_batch, scan_range};
use anear_pool::Pool;

use crate::range::{radius_for, within};
use crate::{Blocks, Error, Result};

/// Bytes of a block: enough that reading and scanning hardly notice the seams, little beside any memory.
const BLOCK_BYTES: usize = 64 << 20;

/// Told how many of how many vectors have been compared.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// The `k` true neighbors of each query among the vectors of `base`, which are numbered as they come (Faiss:
/// `knn_ground_truth`).
///
/// Every metric goes, also those by which no index can compare.
///
/// ```
/// use anear_eval::{InMemory, knn_ground_truth};
/// use anear_kernels::{Metric, Rows};
///
/// let base = Rows::new(&[0.0, 10.0, 4.0, 5.0], 1).unwrap();
/// let query = Rows::new(&[4.4], 1).unwrap();
/// let truth = knn_ground_truth(Metric::L2, query, &mut InMemory::new(base), 2, None, &mut |_, _| ())?;
/// let ids: Vec<u64> = truth.row(0).iter().map(|n| n.id).collect();
/// assert_eq!(ids, [2, 3]);
/// # Ok::<(), anear_eval::Error>(())
/// ```
///
/// # Errors
/// Those of `base`, and as of an index [`anear_index::Error::Dimension`], [`anear_index::Error::ZeroK`] and
/// [`anear_index::Error::NotFinite`].
pub fn knn_ground_truth(
    metric: Metric,
    queries: Rows<'_>,
    base: &mut dyn Blocks,
    k: usize,
    pool: Option<&Pool>,
    progress: Progress<'_>,
) -> Result<Neighbors> {
    if k == 0 {
        return Err(anear_index::Error::ZeroK.into());
    }
    let shares = shares(queries, pool, || TopK::new(k.min(base.len().max(1))));
    each_block(queries, base, progress, |rows, first_id| {
        on_shares(&shares, pool, |queries, tops| {
            scan_batch(metric, queries, rows, first_id, &IdSelector::All, tops)
        });
    })?;
    Ok(Neighbors::from_tops(metric, results(shares)))
}

/// The true neighbors of each query that are strictly closer than `radius`, by ascending position (Faiss:
/// `range_ground_truth`).
///
/// With `max_results` the radius shrinks whenever more than that are held, over all queries, so that memory stays
/// bounded whatever the radius (Faiss: `range_search_max_results`). Returns the neighbors and the radius they are
/// within.
///
/// # Errors
/// Those of [`knn_ground_truth`] but for `ZeroK`, and [`anear_index::Error::RadiusNaN`].
pub fn range_ground_truth(
    metric: Metric,
    queries: Rows<'_>,
    base: &mut dyn Blocks,
    radius: f32,
    max_results: Option<usize>,
    pool: Option<&Pool>,
    progress: Progress<'_>,
) -> Result<(Neighbors, f32)> {
    if radius.is_nan() {
        return Err(anear_index::Error::RadiusNaN.into());
    }
    let mut found: Neighbors = (0..queries.len()).map(|_| Vec::new()).collect();
    let mut radius = radius;
    each_block(queries, base, progress, |rows, first_id| {
        let shares = shares(queries, pool, Vec::new);
        on_shares(&shares, pool, |queries, out| {
            for (query, out) in queries.iter().zip(out) {
                scan_range(metric, query, rows, first_id, &IdSelector::All, radius, out);
            }
        });
        let more: Vec<Vec<Neighbor>> = results(shares);
        found = found
            .iter()
            .zip(&more)
            .map(|(had, new)| [had, new.as_slice()].concat())
            .collect();
        if let Some(smaller) = max_results.and_then(|max| radius_for(&found, max)) {
            radius = smaller;
            found = within(&found, radius);
        }
    })?;
    Ok((found, radius))
}

/// Hands every block of `base` to `scan`, with the position of its first vector.
fn each_block(
    queries: Rows<'_>,
    base: &mut dyn Blocks,
    progress: Progress<'_>,
    mut scan: impl FnMut(Rows<'_>, u64),
) -> Result<()> {
    let (dim, total) = (base.dim(), base.len());
    if dim != queries.dim() {
        let (expected, got) = (dim, queries.dim());
        return Err(anear_index::Error::Dimension { expected, got }.into());
    }
    check_finite("query", queries, 0)?;
    let max = (BLOCK_BYTES / size_of::<f32>() / dim).max(1);
    let (mut block, mut done) = (Vec::new(), 0);
    loop {
        block.clear();
        let count = base.next_block(max, &mut block)?;
        if count == 0 {
            return Ok(());
        }
        let rows = Rows::new(&block, dim).expect("blocks are of whole vectors");
        check_finite("vector", rows, done)?;
        scan(rows, done as u64);
        done += count;
        progress(done, total);
    }
}

fn check_finite(what: &'static str, rows: Rows<'_>, first: usize) -> Result<()> {
    let Some((row, column)) = first_non_finite(rows) else {
        return Ok(());
    };
    Err(Error::Index(anear_index::Error::NotFinite {
        what,
        row: first + row,
        column,
        value: rows.row(row)[column],
    }))
}

/// The queries of one thread, and what each of them has found.
///
/// The lock is never waited for: no other thread has this share.
struct Share<'a, T> {
    queries: Rows<'a>,
    found: Mutex<Vec<T>>,
}

fn shares<'a, T>(queries: Rows<'a>, pool: Option<&Pool>, empty: impl Fn() -> T) -> Vec<Share<'a, T>> {
    let len = queries.len().div_ceil(pool.map_or(1, Pool::threads)).max(1);
    (0..queries.len())
        .step_by(len)
        .map(|start| {
            let queries = queries.slice(start..queries.len().min(start + len));
            let found = Mutex::new((0..queries.len()).map(|_| empty()).collect());
            Share { queries, found }
        })
        .collect()
}

fn on_shares<T: Send>(shares: &[Share<'_, T>], pool: Option<&Pool>, scan: impl Fn(Rows<'_>, &mut [T]) + Sync + Send) {
    let one = |share: &Share<'_, T>| {
        let mut found = share.found.lock().unwrap_or_else(PoisonError::into_inner);
        scan(share.queries, &mut found);
    };
    match pool {
        Some(pool) if shares.len() > 1 => drop(pool.map(shares.len(), |i| one(&shares[i]))),
        _ => shares.iter().for_each(one),
    }
}

fn results<T>(shares: Vec<Share<'_, T>>) -> Vec<T> {
    let found = |share: Share<'_, T>| share.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    shares.into_iter().flat_map(found).collect()
}

#[cfg(test)]
mod tests {
    use anear_kernels::faiss_tie_order;

    use super::*;
    use crate::{InMemory, Vectors};

    /// Hands out one or two vectors at a time.
    struct Drops<'a>(InMemory<'a>, usize);

    impl Blocks for Drops<'_> {
        fn dim(&self) -> usize {
            self.0.dim()
        }

        fn len(&self) -> usize {
            self.0.len()
        }

        fn next_block(&mut self, max: usize, out: &mut Vec<f32>) -> Result<usize> {
            self.1 += 1;
            self.0.next_block(max.min(1 + self.1 % 2), out)
        }
    }

    /// Small whole components, so that equal distances are everywhere.
    fn vectors(n: usize, dim: usize, seed: u64) -> Vectors {
        let mut random = crate::random::stream(seed, 0);
        let data = (0..n * dim).map(|_| random.below(4) as f32 - 1.0).collect();
        Vectors::new(data, dim).unwrap()
    }

    fn naive(metric: Metric, queries: Rows<'_>, base: Rows<'_>) -> Vec<Vec<Neighbor>> {
        let all = |query| {
            let measure = |(id, row): (usize, &[f32])| Neighbor {
                id: id as u64,
                distance: metric.distance(query, row),
            };
            // What cannot be compared is never found.
            let is_near = |neighbor: &Neighbor| !neighbor.distance.is_nan();
            base.iter().enumerate().map(measure).filter(is_near).collect()
        };
        queries.iter().map(all).collect()
    }

    #[test]
    fn the_true_neighbors_are_those_of_sorting_everything() {
        let (base, queries) = (vectors(157, 5, 1), vectors(13, 5, 2));
        let pool = Pool::new(3).unwrap();
        for &metric in Metric::ALL {
            let expected: Neighbors = naive(metric, queries.rows(), base.rows())
                .into_iter()
                .map(|mut row| {
                    row.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id)));
                    row.truncate(10);
                    faiss_tie_order(metric, &mut row);
                    row
                })
                .collect();
            for pool in [None, Some(&pool)] {
                let mut blocks = Drops(InMemory::new(base.rows()), 0);
                let mut seen = Vec::new();
                let truth = knn_ground_truth(metric, queries.rows(), &mut blocks, 10, pool, &mut |n, of| {
                    seen.push((n, of))
                });
                assert_eq!(truth.unwrap(), expected, "{metric}");
                assert_eq!(seen.last(), Some(&(157, 157)));
                assert!(seen.is_sorted());
            }
        }
    }

    #[test]
    fn everything_within_a_radius_is_found_and_no_more_than_wanted() {
        let (base, queries) = (vectors(157, 3, 1), vectors(7, 3, 2));
        let all: Neighbors = naive(Metric::L2, queries.rows(), base.rows()).into_iter().collect();
        let pool = Pool::new(2).unwrap();
        let range = |radius, max| {
            let mut blocks = Drops(InMemory::new(base.rows()), 0);
            let found = range_ground_truth(
                Metric::L2,
                queries.rows(),
                &mut blocks,
                radius,
                max,
                Some(&pool),
                &mut |_, _| (),
            );
            found.unwrap()
        };
        assert_eq!(range(4.0, None), (within(&all, 4.0), 4.0));
        let (found, radius) = range(100.0, Some(50));
        assert_eq!(found, within(&all, radius));
        let count = |radius| within(&all, radius).iter().map(<[_]>::len).sum::<usize>();
        assert!(
            count(radius) <= 50 && count(radius + 1.0) > 50,
            "distances are whole numbers"
        );
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let refused = |queries: &[f32], base: &[f32], k| {
            let (queries, base) = (Rows::new(queries, 1).unwrap(), Rows::new(base, 1).unwrap());
            let blocks = &mut Drops(InMemory::new(base), 0);
            knn_ground_truth(Metric::L2, queries, blocks, k, None, &mut |_, _| ())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused(&[1.0], &[1.0], 0), "k must be at least 1, got 0");
        assert_eq!(
            refused(&[1.0], &[1.0, 2.0, 3.0, f32::NAN], 1),
            "vector 3 has NaN at component 0; only finite numbers can be compared"
        );
        assert!(refused(&[f32::INFINITY], &[1.0], 1).starts_with("query 0 has inf"));
    }
}
