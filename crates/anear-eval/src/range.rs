//! How good range searches are: precision and recall of everything within a radius.

use anear_index::Neighbors;
use anear_kernels::Neighbor;

use crate::recall::{common, pairs};

/// How right and how complete the results of a range search are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// What share of the found is true.
    pub precision: f64,
    /// What share of the true was found.
    pub recall: f64,
}

/// How many are true, found, and both, for one query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// True neighbors.
    pub truth: usize,
    /// Found neighbors.
    pub found: usize,
    /// Those that are both.
    pub both: usize,
}

/// How the numbers of several queries become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Averaging {
    /// The counts of all queries are added up first: a query with many neighbors weighs more.
    Overall,
    /// The mean of the queries' own precisions and recalls.
    Average,
}

/// Precision and recall from counts (Faiss: `counts_to_PR`).
///
/// Nothing found is precise. Where nothing is true, finding nothing is complete, and finding anything is not at all.
///
/// ```
/// use anear_eval::{Averaging, Counts, counts_to_pr};
///
/// let counts = [Counts { truth: 0, found: 0, both: 0 }, Counts { truth: 2, found: 4, both: 1 }];
/// let overall = counts_to_pr(&counts, Averaging::Overall);
/// assert_eq!((overall.precision, overall.recall), (0.25, 0.5));
/// let average = counts_to_pr(&counts, Averaging::Average);
/// assert_eq!((average.precision, average.recall), (0.625, 0.75));
/// ```
pub fn counts_to_pr(counts: &[Counts], averaging: Averaging) -> PrecisionRecall {
    match averaging {
        Averaging::Overall => counts.iter().fold(Counts::default(), Counts::plus).precision_recall(),
        Averaging::Average => {
            let mean = |share: fn(PrecisionRecall) -> f64| {
                let sum: f64 = counts.iter().map(|counts| share(counts.precision_recall())).sum();
                if counts.is_empty() {
                    1.0
                } else {
                    sum / counts.len() as f64
                }
            };
            PrecisionRecall {
                precision: mean(|pr| pr.precision),
                recall: mean(|pr| pr.recall),
            }
        }
    }
}

/// Precision and recall of range search results (Faiss: `range_PR`).
///
/// # Panics
/// If `found` and `truth` are not of as many queries.
pub fn range_pr(found: &Neighbors, truth: &Neighbors, averaging: Averaging) -> PrecisionRecall {
    let counts: Vec<_> = pairs(found, truth)
        .map(|(found, truth)| Counts::of(found, truth))
        .collect();
    counts_to_pr(&counts, averaging)
}

/// [`range_pr`] of what was found within each of several smaller radii, the truth being that of the full one (Faiss:
/// `range_PR_multiple_thresholds`).
///
/// # Panics
/// If `found` and `truth` are not of as many queries.
pub fn range_pr_at(found: &Neighbors, truth: &Neighbors, radii: &[f32], averaging: Averaging) -> Vec<PrecisionRecall> {
    radii
        .iter()
        .map(|&radius| range_pr(&within(found, radius), truth, averaging))
        .collect()
}

/// The neighbors strictly closer than `radius` (Faiss: `filter_range_results`).
pub fn within(neighbors: &Neighbors, radius: f32) -> Neighbors {
    let closer = |row: &[Neighbor]| row.iter().filter(|n| n.distance < radius).copied().collect();
    neighbors.iter().map(closer).collect()
}

/// The radius within which at most `max` of these neighbors are, over all queries, and one more would be too many
/// (Faiss: `apply_maxres`); `None` where there are no more than `max`.
pub fn radius_for(neighbors: &Neighbors, max: usize) -> Option<f32> {
    let mut distances: Vec<f32> = neighbors.iter().flatten().map(|n| n.distance).collect();
    if distances.len() <= max {
        return None;
    }
    let (_, radius, _) = distances.select_nth_unstable_by(max, f32::total_cmp);
    Some(*radius)
}

impl Counts {
    fn of(found: &[Neighbor], truth: &[Neighbor]) -> Self {
        Self {
            truth: truth.len(),
            found: found.len(),
            both: common(found, truth),
        }
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            truth: self.truth + other.truth,
            found: self.found + other.found,
            both: self.both + other.both,
        }
    }

    fn precision_recall(self) -> PrecisionRecall {
        let share = |of: usize| self.both as f64 / of as f64;
        let precision = if self.found == 0 { 1.0 } else { share(self.found) };
        let recall = match (self.truth, self.found) {
            (0, 0) => 1.0,
            (0, _) => 0.0,
            (truth, _) => share(truth),
        };
        PrecisionRecall { precision, recall }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[(u64, f32)]]) -> Neighbors {
        let row = |row: &&[(u64, f32)]| row.iter().map(|&(id, distance)| Neighbor { id, distance }).collect();
        rows.iter().map(row).collect()
    }

    fn truth() -> Neighbors {
        rows(&[&[(1, 0.1), (2, 0.5), (3, 0.9)], &[], &[(7, 0.2), (8, 0.3)]])
    }

    fn found() -> Neighbors {
        rows(&[&[(1, 0.1), (2, 0.5)], &[(5, 0.4)], &[(7, 0.2), (9, 0.25), (8, 0.9)]])
    }

    #[track_caller]
    fn check(got: PrecisionRecall, precision: f64, recall: f64) {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(got.precision, precision) && close(got.recall, recall), "{got:?}");
    }

    #[test]
    fn precision_and_recall_are_those_of_faiss() {
        // faiss 1.15.1, contrib.evaluation.range_PR and range_PR_multiple_thresholds of these results.
        check(range_pr(&found(), &truth(), Averaging::Overall), 2.0 / 3.0, 0.8);
        check(range_pr(&found(), &truth(), Averaging::Average), 5.0 / 9.0, 5.0 / 9.0);
        let expected = [
            (
                Averaging::Overall,
                [(1.0, 0.0), (2.0 / 3.0, 0.4), (0.5, 0.4), (2.0 / 3.0, 0.8)],
            ),
            (
                Averaging::Average,
                [
                    (1.0, 1.0 / 3.0),
                    (5.0 / 6.0, 11.0 / 18.0),
                    (0.5, 5.0 / 18.0),
                    (5.0 / 9.0, 5.0 / 9.0),
                ],
            ),
        ];
        for (averaging, expected) in expected {
            let got = range_pr_at(&found(), &truth(), &[0.1, 0.3, 0.5, 1.0], averaging);
            for (got, (precision, recall)) in got.into_iter().zip(expected) {
                check(got, precision, recall);
            }
        }
    }

    #[test]
    fn nothing_found_is_precise_and_too_much_is_not_complete() {
        let pr = |truth, found, both| counts_to_pr(&[Counts { truth, found, both }], Averaging::Overall);
        check(pr(2, 0, 0), 1.0, 0.0);
        check(pr(0, 0, 0), 1.0, 1.0);
        check(pr(0, 2, 0), 0.0, 0.0);
        check(counts_to_pr(&[], Averaging::Average), 1.0, 1.0);
    }

    #[test]
    fn the_radius_lets_in_as_many_as_it_may() {
        // faiss 1.15.1, contrib.exhaustive_search.apply_maxres of the same distances.
        let neighbors = rows(&[&[(0, 0.1), (1, 0.5), (2, 0.9)], &[], &[(3, 0.2), (4, 0.3), (5, 0.3)]]);
        for (max, radius, left) in [
            (0, 0.1, 0),
            (1, 0.2, 1),
            (2, 0.3, 2),
            (3, 0.3, 2),
            (4, 0.5, 4),
            (5, 0.9, 5),
        ] {
            assert_eq!(radius_for(&neighbors, max), Some(radius), "{max}");
            assert_eq!(within(&neighbors, radius).iter().map(<[_]>::len).sum::<usize>(), left);
        }
        assert_eq!(radius_for(&neighbors, 6), None);
    }
}
