//! Measuring what recall an effort has: each of some vectors is searched for as if it were not there.

use anear_kernels::{IdSelector, Metric, Random, Rows, TopK, scan_batch};
use anear_pool::Pool;

use super::curve::{Curve, JUMP, Point};
use super::exact::Exact;
use super::learned::Learned;
use super::walk::{Effort, Scratch};
use crate::flat::{on_pool, parts};

/// Neighbors that efforts are measured for: requests for fewer than the first are answered as for the first.
pub(super) const NEIGHBORS: [usize; 2] = [10, 100];

/// Candidates that are compared as they are, for each of these.
const CANDIDATES: [[usize; 7]; NEIGHBORS.len()] = [[12, 16, 24, 32, 48, 80, 160], [120, 140, 160, 200, 240, 320, 480]];

/// The most of them.
const CANDIDATES_MAX: usize = 480;

/// Lists that are read, or rows that a walk visits.
const VISITS: [usize; 16] = [1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 320, 640];

/// A walk of fewer visits finds too little to be worth measuring.
const WALK_MIN: usize = 8;

/// More than this was never asked for, and is not measured.
const ENOUGH: f32 = 0.9995;

/// Vectors that are searched for: with 500, a recall of 0.95 is known to 0.005.
const PROBES: usize = 500;

/// Multiplications that finding their true neighbors may take: a few seconds. With less, a recall of 0.95 would not be
/// known to 0.01.
const PRODUCTS: usize = 100_000_000_000;
const PROBES_MIN: usize = 200;

/// Probes of one task.
const TASK: usize = 16;

/// Vectors that are searched for, and how far their neighbors are.
pub(super) struct Probes<'a> {
    rows: Rows<'a>,
    probes: Vec<Probe>,
}

struct Probe {
    row: usize,
    slot: u32,
    /// How far the last of the neighbors of each number in [`NEIGHBORS`] is.
    limits: [f32; NEIGHBORS.len()],
}

/// How candidates are found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Read,
    Walk,
}

impl<'a> Probes<'a> {
    /// Some of the rows, of which `slots` tells where they are.
    pub(super) fn draw(
        rows: Rows<'a>,
        slots: &[u32],
        exact: &Exact,
        metric: Metric,
        seed: u64,
        pool: Option<&Pool>,
    ) -> Self {
        let affordable = PRODUCTS / (rows.len() * rows.dim()).max(1);
        let count = affordable.clamp(PROBES_MIN, PROBES).min(rows.len());
        let drawn = Random::new(seed).sorted_sample(rows.len(), count);
        let tasks: Vec<_> = parts(drawn.len(), 4 * TASK).collect();
        let limits = on_pool(pool, tasks.len(), |task| {
            limits(rows, &drawn[tasks[task].clone()], slots, exact, metric)
        });
        let probe = |(row, limits): (&usize, _)| Probe {
            row: *row,
            slot: slots[*row],
            limits,
        };
        let probes = drawn.iter().zip(limits.into_iter().flatten()).map(probe).collect();
        Self { rows, probes }
    }

    /// The curve of each number of neighbors, one way.
    pub(super) fn measure(&self, learned: &Learned, exact: &Exact, way: Way, pool: Option<&Pool>) -> [Curve; 2] {
        let most = match way {
            Way::Read => learned.lists.len(),
            Way::Walk => usize::MAX,
        };
        let least = match way {
            Way::Read => 1,
            Way::Walk => WALK_MIN,
        };
        let mut points = [const { Vec::new() }; NEIGHBORS.len()];
        let levels = VISITS.iter().copied().filter(|visits| *visits >= least);
        let levels = levels
            .take_while(|visits| *visits < most)
            .chain((most < usize::MAX).then_some(most));
        for visits in levels {
            let found = self.found(learned, exact, way, visits, pool);
            for (i, points) in points.iter_mut().enumerate() {
                for (candidates, hits) in CANDIDATES[i].into_iter().zip(found[i]) {
                    let effort = Effort { visits, candidates };
                    points.push(Point {
                        recall: hits as f32 / (self.probes.len() * NEIGHBORS[i]) as f32,
                        effort,
                        cost: cost(learned, exact, way, effort),
                    });
                }
            }
            let best = points.iter().flat_map(|points| points.last());
            if best.map(|point| point.recall).fold(1.0, f32::min) >= ENOUGH {
                break;
            }
        }
        points.map(Curve::of)
    }

    /// How many neighbors are found with each number of candidates.
    fn found(
        &self,
        learned: &Learned,
        exact: &Exact,
        way: Way,
        visits: usize,
        pool: Option<&Pool>,
    ) -> [[usize; CANDIDATES[0].len()]; NEIGHBORS.len()] {
        let tasks: Vec<_> = parts(self.probes.len(), TASK).collect();
        let hits = on_pool(pool, tasks.len(), |task| {
            let mut scratch = Scratch::default();
            let mut hits = [[0; CANDIDATES[0].len()]; NEIGHBORS.len()];
            for probe in &self.probes[tasks[task].clone()] {
                self.search(probe, learned, exact, way, visits, &mut scratch);
                for (i, (hits, limit)) in hits.iter_mut().zip(probe.limits).enumerate() {
                    for (hits, candidates) in hits.iter_mut().zip(CANDIDATES[i]) {
                        let near = scratch.distances.iter().take(candidates);
                        *hits += near.filter(|distance| **distance <= limit).count().min(NEIGHBORS[i]);
                    }
                }
            }
            hits
        });
        let mut all = [[0; CANDIDATES[0].len()]; NEIGHBORS.len()];
        for hits in hits {
            for (all, hits) in all.as_flattened_mut().iter_mut().zip(hits.as_flattened()) {
                *all += hits;
            }
        }
        all
    }

    /// Leaves the distances of candidates, by their estimates, in the scratch.
    fn search(&self, probe: &Probe, learned: &Learned, exact: &Exact, way: Way, visits: usize, scratch: &mut Scratch) {
        let query = self.rows.row(probe.row);
        let effort = Effort {
            visits,
            candidates: CANDIDATES_MAX,
        };
        learned.code.prepare(query, &mut scratch.query);
        match (way, &learned.links) {
            (Way::Walk, Some(links)) => scratch.walk(links, &learned.lists, effort, Some(probe.slot), |_| true),
            _ => scratch.read(&learned.lists, &learned.codes, effort, |slot| slot != probe.slot),
        }
        scratch.measure(exact, query);
    }
}

/// How far the last of the neighbors of some rows is among the others, as searches measure it.
fn limits(
    rows: Rows<'_>,
    drawn: &[usize],
    slots: &[u32],
    exact: &Exact,
    metric: Metric,
) -> Vec<[f32; NEIGHBORS.len()]> {
    let queries = rows.gathered(drawn.iter().copied());
    let queries = Rows::new(&queries, rows.dim()).expect("whole vectors");
    let most = NEIGHBORS[NEIGHBORS.len() - 1] + 1;
    let mut tops: Vec<TopK> = drawn.iter().map(|_| TopK::new(most)).collect();
    scan_batch(metric, queries, rows, 0, &IdSelector::All, &mut tops);
    let mut scratch = Scratch::default();
    let limits = tops.into_iter().zip(drawn).map(|(top, own)| {
        let others = top.into_sorted().into_iter().map(|neighbor| neighbor.id as usize);
        let others = others.filter(|row| row != own).map(|row| slots[row]);
        scratch.slots.clear();
        scratch.slots.extend(others);
        scratch.measure(exact, rows.row(*own));
        scratch.distances.sort_by(f32::total_cmp);
        // Where distances are no numbers there are no neighbors, and whatever is found will do.
        NEIGHBORS.map(|k| scratch.distances.get(k - 1).copied().unwrap_or(f32::INFINITY))
    });
    limits.collect()
}

/// Bytes that a search reads.
pub(super) fn cost(learned: &Learned, exact: &Exact, way: Way, effort: Effort) -> f32 {
    let begin = learned.lists.len() * learned.code.code_len();
    let visit = match (way, &learned.links) {
        (Way::Walk, Some(links)) => links.row_len() * JUMP,
        _ => learned.lists.mean_len() * learned.code.code_len(),
    };
    let candidate = exact.row_len() * JUMP;
    begin as f32 + effort.visits as f32 * visit as f32 + effort.candidates as f32 * candidate as f32
}
