//! Measuring what recall an effort has: each of some vectors is searched for as if it were not there.

use std::{array, iter};

use anear_kernels::{IdSelector, Metric, Random, Rows, TopK, scan_batch};
use anear_pool::Pool;

use super::curve::{Curve, Curves, NEIGHBORS, Point};
use super::distinct::Distinct;
use super::effort::{By, Effort, SLACKS};
use super::exact::Exact;
use super::scratch::Scratch;
use super::trail::Trail;
use crate::tiles::on_pool;

/// Candidates that are compared as they are, for each of these.
const CANDIDATES: [[usize; 7]; NEIGHBORS.len()] = [
    [12, 16, 24, 32, 48, 80, 160],
    [120, 140, 160, 200, 240, 320, 480],
    [1100, 1200, 1400, 1600, 1900, 2400, 3200],
];

/// Lists that are read. Between two levels far apart it is not known how recall grows: from 192 to 282 lists .95 was asked for
/// and .925 found.
const LISTS_READ: [usize; 18] = [1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 320, 448, 640];

/// Walks that make more visits on average are not worth measuring.
const WALK_MAX: usize = 640;

/// More than this was never asked for, and is not measured.
const ENOUGH: f64 = 0.9995;

/// The highest recall that is asked for in earnest. Where no reading of codes has it, for the few neighbors or for the many, what
/// reading vectors has is measured, too.
const TOLD_APART: f32 = 0.995;

/// Recalls beyond this are asked for; where two levels of walks are this far apart there, the middle is measured, too, and so
/// on. By inner product, where lengths differ by orders of magnitude, .9 was asked for and .83 found without.
const ASKED_FOR: f32 = 0.8;
const FAR_APART: f32 = 0.03;
const HALVINGS: usize = 4;

/// Vectors that are searched for: with 500, a recall of 0.95 is known to 0.005.
const PROBES: usize = 500;

/// Multiplications that finding their true neighbors may take: a few seconds. With fewer probes than this, a recall of 0.95
/// would not be known to 0.01.
const PRODUCTS: usize = 100_000_000_000;
const PROBES_MIN: usize = 200;

/// Vectors that are there more often are found whatever the effort is. The copies of others are passed over as they are: a
/// thousand vectors, each twenty times, found a fifth of their neighbors for .95 asked, as each probe found its copies.
const COPIES_MAX: usize = 100;

/// One in so many vectors is searched for with its many neighbors: these tell more than few do.
const FEWER: usize = 8;

/// Probes of one task.
const TASK: usize = 16;

/// Vectors that are searched for, and how far their neighbors are.
pub(super) struct Probes<'a> {
    rows: Rows<'a>,
    probes: Vec<Probe>,
}

#[derive(Clone)]
struct Probe {
    row: usize,
    /// Where it and its copies are, ascending.
    slots: Vec<u32>,
    /// How far the last of the neighbors of each number in [`NEIGHBORS`] is.
    limits: [f32; NEIGHBORS.len()],
}

impl<'a> Probes<'a> {
    /// Some of the vectors, each once, of whose rows `slots` tells where they are.
    pub(super) fn draw(
        rows: Rows<'a>,
        slots: &[u32],
        exact: &Exact,
        metric: Metric,
        seed: u64,
        pool: Option<&Pool>,
    ) -> Self {
        let affordable = PRODUCTS / (rows.len() * rows.dim()).max(1);
        let distinct = Distinct::of(rows);
        let groups = distinct.rare(COPIES_MAX);
        let count = affordable.clamp(PROBES_MIN, PROBES).min(groups.len());
        let drawn = Random::new(seed).sorted_sample(groups.len(), count);
        let drawn: Vec<&[u32]> = drawn.into_iter().map(|group| groups[group]).collect();
        let tasks: Vec<_> = drawn.chunks(4 * TASK).collect();
        let probes = on_pool(pool, tasks.len(), |task| {
            probes(rows, tasks[task], slots, exact, metric)
        });
        Self {
            rows,
            probes: probes.concat(),
        }
    }

    /// The curve of each number of neighbors.
    pub(super) fn measure(&self, trail: Trail<'_>, pool: Option<&Pool>) -> Curves {
        let [few, many] = match trail.links {
            // Reading lists is the same for any number.
            None => self.curves(trail, [0, 1], ENOUGH, pool),
            Some(_) => [0, 1].map(|of| {
                let [curve] = self.curves(trail, [of], ENOUGH, pool);
                curve
            }),
        };
        let [most] = self.fewer().curves(trail, [2], ENOUGH, pool);
        [few, many, most]
    }

    /// Some of these.
    fn fewer(&self) -> Self {
        Self {
            rows: self.rows,
            probes: self.probes.iter().step_by(FEWER).cloned().collect(),
        }
    }

    /// What a recall costs for the fewest neighbors.
    pub(super) fn cost(&self, trail: Trail<'_>, recall: f64, pool: Option<&Pool>) -> f32 {
        // A longer walk that needs fewer candidates may cost less than the first that is long enough.
        let beyond = recall + (1.0 - recall) / 2.0;
        let [curve] = self.curves(trail, [0], beyond, pool);
        curve.effort(recall).map_or(f32::INFINITY, |effort| trail.cost(effort))
    }

    /// The curves of some of [`NEIGHBORS`], up to a recall, measured in the same searches.
    fn curves<const N: usize>(&self, trail: Trail<'_>, of: [usize; N], enough: f64, pool: Option<&Pool>) -> [Curve; N] {
        let mut points = [const { Vec::new() }; N];
        let most = CANDIDATES[of[N - 1]];
        let most = most[most.len() - 1];
        let mut measure = |levels| self.steps(trail, of, levels, enough, &mut points, pool);
        match trail.links {
            Some(_) => {
                let mut steps = measure(walks(most));
                // Where distances hardly differ, from one slack to the next is a long way.
                for _ in 0..HALVINGS {
                    let halves = steps.windows(2).filter_map(|pair| Step::between(&pair[0], &pair[1]));
                    steps.extend(measure(halves.collect()));
                    steps.sort_by(|a, b| a.level.slack.total_cmp(&b.level.slack));
                }
            }
            None => {
                let all = trail.learned.lists.len();
                let steps = measure(reads(all, most, By::Codes));
                if steps.iter().all(|step| step.reached < TOLD_APART) {
                    measure(reads(self.affordable_lists(trail), most, By::Vectors));
                }
            }
        }
        points.map(Curve::of)
    }

    /// Lists of which all vectors may be compared for each probe: half of them at most, as comparing all takes little longer.
    fn affordable_lists(&self, trail: Trail<'_>) -> usize {
        let lists = &trail.learned.lists;
        let products_per_list = self.probes.len() * lists.mean_len() * self.rows.dim();
        let affordable = PRODUCTS / (4 * products_per_list).max(1);
        affordable.clamp(1, lists.len().div_ceil(2))
    }

    /// Measures levels, the smaller first, up to a recall.
    fn steps<const N: usize>(
        &self,
        trail: Trail<'_>,
        of: [usize; N],
        levels: Vec<Effort>,
        enough: f64,
        points: &mut [Vec<Point>; N],
        pool: Option<&Pool>,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        for level in levels {
            let step = self.step(trail, of, level, points, pool);
            let is_last = f64::from(step.reached) >= enough || trail.links.is_some() && step.visits > WALK_MAX;
            steps.push(step);
            if is_last {
                break;
            }
        }
        steps
    }

    /// Measures one level, with each number of candidates.
    fn step<const N: usize>(
        &self,
        trail: Trail<'_>,
        of: [usize; N],
        level: Effort,
        points: &mut [Vec<Point>; N],
        pool: Option<&Pool>,
    ) -> Step {
        let (found, measured) = self.found(trail, of, level, pool);
        let mut reached = f32::INFINITY;
        for ((points, of), found) in points.iter_mut().zip(of).zip(found) {
            let mut best: f32 = 0.0;
            for (candidates, hits) in CANDIDATES[of].into_iter().zip(found) {
                let effort = Effort { candidates, ..measured };
                let recall = hits as f32 / (self.probes.len() * NEIGHBORS[of]) as f32;
                best = best.max(recall);
                points.push(Point {
                    recall,
                    effort,
                    cost: trail.cost(effort),
                });
            }
            reached = reached.min(best);
        }
        Step {
            level,
            visits: measured.visits,
            reached,
        }
    }

    /// How many neighbors are found, for each number and with each number of candidates, and the effort with as many visits as
    /// that took.
    fn found<const N: usize>(
        &self,
        trail: Trail<'_>,
        of: [usize; N],
        level: Effort,
        pool: Option<&Pool>,
    ) -> ([Hits; N], Effort) {
        let all: Vec<usize> = (0..self.probes.len()).collect();
        let mut each = self.each(&all, trail, of, level, pool);
        // Where all vectors are the same there is nothing to visit.
        let visits = each
            .iter()
            .map(|(_, visits)| visits)
            .sum::<usize>()
            .div_ceil(all.len())
            .max(1);
        let effort = Effort { visits, ..level };
        // Searches end after so many.
        let long: Vec<usize> = all.into_iter().filter(|i| each[*i].1 > effort.visits_max()).collect();
        for (i, shorter) in long.iter().zip(self.each(&long, trail, of, effort, pool)) {
            each[*i] = shorter;
        }
        let sum = |of: usize, at: usize| each.iter().map(|(hits, _)| hits[of][at]).sum();
        (array::from_fn(|of| array::from_fn(|at| sum(of, at))), effort)
    }

    /// What some probes find, and how many visits each takes.
    fn each<const N: usize>(
        &self,
        probes: &[usize],
        trail: Trail<'_>,
        of: [usize; N],
        effort: Effort,
        pool: Option<&Pool>,
    ) -> Vec<([Hits; N], usize)> {
        let tasks: Vec<_> = probes.chunks(TASK).collect();
        let parts = on_pool(pool, tasks.len(), |task| {
            let mut scratch = Scratch::default();
            let hits = |probe: &usize| {
                let probe = &self.probes[*probe];
                self.search(probe, trail, NEIGHBORS[of[0]], effort, &mut scratch);
                (of.map(|of| probe.hits(&scratch.distances, of)), scratch.visits)
            };
            tasks[task].iter().map(hits).collect::<Vec<_>>()
        });
        parts.concat()
    }

    /// Leaves the distances of candidates, in the order of what they were found by, in the scratch.
    fn search(&self, probe: &Probe, trail: Trail<'_>, neighbors: usize, effort: Effort, scratch: &mut Scratch) {
        let Trail { learned, exact, .. } = trail;
        let query = self.rows.row(probe.row);
        learned.prepare(query, scratch);
        match trail.ground() {
            Some(ground) => scratch.walk(ground, neighbors, effort, &probe.slots, |_| true),
            None => scratch.read(trail.reading(query, effort), |slot| {
                probe.slots.binary_search(&slot).is_err()
            }),
        }
        scratch.measure(exact, query);
    }
}

/// A level that was measured: how many visits that took, and what recall most candidates reached.
struct Step {
    level: Effort,
    visits: usize,
    reached: f32,
}

impl Step {
    /// The middle between two levels of walks, where recalls that are asked for lie far apart.
    fn between(below: &Self, above: &Self) -> Option<Effort> {
        let is_far = above.reached > ASKED_FOR && above.reached - below.reached > FAR_APART;
        is_far.then_some(Effort {
            slack: (below.level.slack + above.level.slack) / 2.0,
            ..below.level
        })
    }
}

/// Neighbors that were found with each number of candidates.
type Hits = [usize; CANDIDATES[0].len()];

impl Probe {
    /// How many of its neighbors are among its candidates at these distances.
    fn hits(&self, distances: &[f32], of: usize) -> Hits {
        CANDIDATES[of].map(|candidates| {
            let near = distances.iter().take(candidates);
            let hits = near.filter(|distance| **distance <= self.limits[of]).count();
            hits.min(NEIGHBORS[of])
        })
    }
}

/// For each of some vectors how far its neighbors are, as searches measure it, but for its copies.
fn probes(rows: Rows<'_>, groups: &[&[u32]], slots: &[u32], exact: &Exact, metric: Metric) -> Vec<Probe> {
    let queries = rows.gathered(groups.iter().map(|group| group[0] as usize));
    let queries = Rows::new(&queries, rows.dim()).expect("whole vectors");
    let most = NEIGHBORS[NEIGHBORS.len() - 1];
    let mut tops: Vec<TopK> = groups.iter().map(|group| TopK::new(most + group.len())).collect();
    scan_batch(metric, queries, rows, 0, &IdSelector::All, &mut tops);
    let mut scratch = Scratch::default();
    let probes = tops.into_iter().zip(groups).map(|(top, group)| {
        let near = top.into_sorted().into_iter().map(|neighbor| neighbor.id as u32);
        let others = near.filter(|row| group.binary_search(row).is_err());
        scratch.slots.clear();
        scratch.slots.extend(others.map(|row| slots[row as usize]));
        let row = group[0] as usize;
        scratch.measure(exact, rows.row(row));
        scratch.distances.sort_by(f32::total_cmp);
        // Where distances are no numbers there are no neighbors, and whatever is found will do.
        let limits = NEIGHBORS.map(|k| scratch.distances.get(k - 1).copied().unwrap_or(f32::INFINITY));
        let mut slots: Vec<u32> = group.iter().map(|row| slots[*row as usize]).collect();
        slots.sort_unstable();
        Probe { row, slots, limits }
    });
    probes.collect()
}

/// Walks to measure, from short to long.
fn walks(candidates: usize) -> Vec<Effort> {
    let walk = |slack| Effort {
        visits: WALK_MAX,
        slack,
        candidates,
        by: By::Codes,
    };
    SLACKS.map(walk).into()
}

/// How many lists to read, from few to many.
fn reads(all: usize, candidates: usize, by: By) -> Vec<Effort> {
    let some = LISTS_READ.into_iter().take_while(|visits| *visits < all);
    let read = |visits| Effort {
        visits,
        slack: 0.0,
        candidates,
        by,
    };
    let last = LISTS_READ[LISTS_READ.len() - 1];
    // Then a few more on the way to all.
    let more = iter::successors(Some(last), |visits| Some(visits * 3 / 2)).skip(1);
    let more = more.take_while(|visits| visits * 5 / 4 < all);
    some.chain(more).chain([all]).map(read).collect()
}
