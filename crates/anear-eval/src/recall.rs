//! How many of the true neighbors were found.

use anear_index::Neighbors;
use anear_kernels::{Metric, Neighbor, Rows};

/// Which share of the true neighbors counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// [`recall_at_k`].
    Recall(usize),
    /// [`one_recall_at`] (Faiss: `OneRecallAtRCriterion`).
    OneRecallAt(usize),
    /// [`intersection_measure`] (Faiss: `IntersectionCriterion`).
    Intersection(usize),
}

impl Criterion {
    /// How good `found` is, from 0 to 1.
    ///
    /// # Panics
    /// If `found` and `truth` are not of as many queries.
    pub fn evaluate(self, found: &Neighbors, truth: &Neighbors) -> f64 {
        match self {
            Self::Recall(k) => recall_at_k(found, truth, k),
            Self::OneRecallAt(r) => one_recall_at(found, truth, r),
            Self::Intersection(k) => intersection_measure(found, truth, k),
        }
    }

    /// How many neighbors of each query it looks at.
    pub fn k(self) -> usize {
        match self {
            Self::Recall(k) | Self::OneRecallAt(k) | Self::Intersection(k) => k,
        }
    }
}

/// What share of the `k` true neighbors of each query is among its first `k` found, over all queries.
///
/// A query with fewer than `k` true neighbors wants only those; no query at all is a recall of 1. An id counts once.
///
/// ```
/// use anear_eval::recall_at_k;
/// use anear_index::Neighbors;
/// use anear_kernels::Neighbor;
///
/// let row = |ids: &[u64]| ids.iter().map(|&id| Neighbor { id, distance: 0.0 }).collect::<Vec<_>>();
/// let truth: Neighbors = [row(&[1, 2, 3]), row(&[4, 5, 6])].into_iter().collect();
/// let found: Neighbors = [row(&[2, 1, 9]), row(&[6, 5, 4])].into_iter().collect();
/// assert_eq!(recall_at_k(&found, &truth, 2), 0.75);
/// ```
///
/// # Panics
/// If `found` and `truth` are not of as many queries, as everywhere in this module.
pub fn recall_at_k(found: &Neighbors, truth: &Neighbors, k: usize) -> f64 {
    let wanted: usize = truth.iter().map(|row| row.len().min(k)).sum();
    share(hits(found, truth, k), wanted)
}

/// [`recall_at_k`] where whatever is as near as the `k`-th true neighbor counts too, at most `tolerance` farther.
///
/// This is fair among equal distances, which two searches may list in different orders (ann-benchmarks measures so,
/// with a tolerance of 0.001). It needs exact distances on both sides; those of a quantizing index are made so by
/// [`remeasure`]. A true distance of NaN, as files have it that hold only ids, lets no other id count.
pub fn recall_at_k_by_distance(found: &Neighbors, truth: &Neighbors, k: usize, tolerance: f32) -> f64 {
    let (mut hits, mut wanted) = (0, 0);
    for (found, truth) in pairs(found, truth) {
        let truth = head(truth, k);
        let limit = truth.last().map_or(f32::NAN, |last| last.distance + tolerance);
        let ids = distinct(truth);
        let is_hit = |n: &&Neighbor| n.distance <= limit || ids.binary_search(&n.id).is_ok();
        let mut hit: Vec<u64> = head(found, k).iter().filter(is_hit).map(|n| n.id).collect();
        hit.sort_unstable();
        hit.dedup();
        hits += hit.len().min(truth.len());
        wanted += truth.len();
    }
    share(hits, wanted)
}

/// What share of `k` places of each query is common to both (Faiss: `knn_intersection_measure`,
/// `IntersectionCriterion`).
///
/// Unlike [`recall_at_k`], a place that is empty in either counts as missed.
pub fn intersection_measure(found: &Neighbors, truth: &Neighbors, k: usize) -> f64 {
    share(hits(found, truth, k), truth.len() * k)
}

/// What share of the queries has its nearest true neighbor among the first `r` found (Faiss:
/// `OneRecallAtRCriterion`, "1-recall@R").
///
/// A query without true neighbors misses nothing.
pub fn one_recall_at(found: &Neighbors, truth: &Neighbors, r: usize) -> f64 {
    let is_hit = |found: &[Neighbor], truth: &[Neighbor]| {
        let nearest = truth.first();
        nearest.is_none_or(|nearest| head(found, r).iter().any(|n| n.id == nearest.id))
    };
    let hits = pairs(found, truth)
        .filter(|(found, truth)| is_hit(found, truth))
        .count();
    share(hits, truth.len())
}

/// The found neighbors with their exact distances, nearest first: of approximate distances nothing can be read.
///
/// Ids are positions in `vectors`; those outside it are dropped.
///
/// # Panics
/// If there is not one row of `found` per query, or dimensions differ.
pub fn remeasure(metric: Metric, queries: Rows<'_>, vectors: Rows<'_>, found: &Neighbors) -> Neighbors {
    assert_eq!(queries.len(), found.len(), "one row of neighbors per query");
    let exact = |(query, row): (&[f32], &[Neighbor])| {
        let known = row.iter().filter(|n| n.id < vectors.len() as u64);
        let mut row: Vec<_> = known
            .map(|n| Neighbor {
                id: n.id,
                distance: metric.distance(query, vectors.row(n.id as usize)),
            })
            .collect();
        row.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.id.cmp(&b.id)));
        row
    };
    queries.iter().zip(found.iter()).map(exact).collect()
}

/// Ids among the first `k` of both, over all queries.
fn hits(found: &Neighbors, truth: &Neighbors, k: usize) -> usize {
    pairs(found, truth)
        .map(|(found, truth)| common(head(found, k), head(truth, k)))
        .sum()
}

/// Number of ids that both have.
pub(crate) fn common(found: &[Neighbor], truth: &[Neighbor]) -> usize {
    let truth = distinct(truth);
    let is_true = |id: &&u64| truth.binary_search(id).is_ok();
    distinct(found).iter().filter(is_true).count()
}

/// The rows of both, query by query.
pub(crate) fn pairs<'a>(
    found: &'a Neighbors,
    truth: &'a Neighbors,
) -> impl Iterator<Item = (&'a [Neighbor], &'a [Neighbor])> {
    assert_eq!(found.len(), truth.len(), "found and true neighbors of as many queries");
    found.iter().zip(truth.iter())
}

/// The ids, ascending, each once.
fn distinct(row: &[Neighbor]) -> Vec<u64> {
    let mut ids: Vec<u64> = row.iter().map(|n| n.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn head(row: &[Neighbor], k: usize) -> &[Neighbor] {
    &row[..row.len().min(k)]
}

fn share(hits: usize, wanted: usize) -> f64 {
    if wanted == 0 {
        return 1.0;
    }
    hits as f64 / wanted as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(rows: &[&[u64]]) -> Neighbors {
        let row = |ids: &&[u64]| ids.iter().map(|&id| Neighbor { id, distance: f32::NAN }).collect();
        rows.iter().map(row).collect()
    }

    fn measured(rows: &[&[(u64, f32)]]) -> Neighbors {
        let row = |row: &&[(u64, f32)]| row.iter().map(|&(id, distance)| Neighbor { id, distance }).collect();
        rows.iter().map(row).collect()
    }

    #[test]
    fn the_measures_are_those_of_faiss() {
        // faiss 1.15.1: IntersectionCriterion(3, R) and OneRecallAtRCriterion(3, R) of these rows.
        let truth = ids(&[&[1, 2, 3], &[4, 5, 6], &[7, 8, 9]]);
        let found = ids(&[&[5, 1, 2], &[9, 9, 4], &[7, 7, 7]]);
        for (r, intersection, one) in [
            (1, 1.0 / 3.0, 1.0 / 3.0),
            (2, 1.0 / 3.0, 2.0 / 3.0),
            (3, 4.0 / 9.0, 1.0),
        ] {
            let measure = |criterion: Criterion| criterion.evaluate(&found, &truth);
            assert_eq!(measure(Criterion::Intersection(r)), intersection, "R={r}");
            assert_eq!(measure(Criterion::OneRecallAt(r)), one, "R={r}");
            assert_eq!(measure(Criterion::Recall(r)), intersection, "R={r}");
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_missed() {
        let truth = ids(&[&[1], &[]]);
        let found = ids(&[&[1], &[3]]);
        assert_eq!(recall_at_k(&found, &truth, 10), 1.0);
        assert_eq!(one_recall_at(&found, &truth, 10), 1.0);
        assert_eq!(intersection_measure(&found, &truth, 10), 0.05);
        assert_eq!(recall_at_k(&ids(&[]), &ids(&[]), 10), 1.0);
    }

    #[test]
    fn among_equal_distances_any_will_do() {
        let truth = measured(&[&[(1, 0.0), (2, 1.0), (3, 1.0)]]);
        let found = measured(&[&[(1, 0.0), (3, 1.0)]]);
        assert_eq!(recall_at_k(&found, &truth, 2), 0.5);
        assert_eq!(recall_at_k_by_distance(&found, &truth, 2, 0.0), 1.0);
        let farther = measured(&[&[(1, 0.0), (9, 1.01)]]);
        assert_eq!(recall_at_k_by_distance(&farther, &truth, 2, 0.0), 0.5);
        assert_eq!(recall_at_k_by_distance(&farther, &truth, 2, 0.02), 1.0);
        assert_eq!(
            recall_at_k_by_distance(&found, &ids(&[&[1, 2]]), 2, 0.0),
            0.5,
            "only ids"
        );
        let twice = measured(&[&[(1, 0.0), (1, 0.0)]]);
        assert_eq!(
            recall_at_k_by_distance(&twice, &truth, 2, 0.0),
            0.5,
            "an id counts once"
        );
    }

    #[test]
    fn remeasured_neighbors_are_in_order() {
        let vectors = Rows::new(&[0.0, 3.0, 1.0], 1).unwrap();
        let query = Rows::new(&[0.0], 1).unwrap();
        let exact = remeasure(Metric::L2, query, vectors, &ids(&[&[1, 2, 7]]));
        assert_eq!(exact, measured(&[&[(2, 1.0), (1, 9.0)]]));
    }
}
