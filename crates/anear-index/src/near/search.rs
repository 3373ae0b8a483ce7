//! How a query is answered: which way, and how far.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use anear_kernels::{IdSelector, Neighbor, Rows, TopK};
use anear_pool::Pool;

use super::curve::JUMP;
use super::fit::NEIGHBORS;
use super::learned::Learned;
use super::walk::{Effort, Scratch};
use super::{CANDIDATES, Near, RECALL_WANTED, VISITS};
use crate::flat::{on_pool, parts};
use crate::request::as_share;
use crate::{Neighbors, RangeRequest, Result, SearchRequest, VectorIndex as _};

/// Queries of one task.
const TASK_QUERIES: usize = 8;

/// Vectors that are compared at a time.
const BLOCK: usize = 256;

/// Which way a request goes.
#[derive(Clone, Copy, Debug)]
enum Way<'a> {
    /// All that is selected is compared.
    Compare,
    /// Lists are read.
    Read(&'a Learned, Effort),
    /// Lists are read for as long as too little of what is selected was seen; this share is.
    ReadSelected(&'a Learned, Effort, f32),
    /// The graph is walked.
    Walk(&'a Learned, Effort),
}

impl Learned {
    /// For so many neighbors and a recall: what was measured for at least as many, or as many times what was for most.
    pub(super) fn effort(&self, k: usize, recall: f64) -> Effort {
        match &self.links {
            Some(_) => scaled(&self.walk, k, recall),
            None => scaled(&self.read, k, recall),
        }
    }
}

fn scaled(curves: &[super::curve::Curve; NEIGHBORS.len()], k: usize, recall: f64) -> Effort {
    let measured = NEIGHBORS.iter().position(|neighbors| k <= *neighbors);
    let most = NEIGHBORS.len() - 1;
    let effort = curves[measured.unwrap_or(most)].effort(recall);
    let times = if measured.is_some() {
        1
    } else {
        k.div_ceil(NEIGHBORS[most])
    };
    Effort {
        visits: effort.visits.saturating_mul(times),
        candidates: effort.candidates.saturating_mul(times).max(k),
    }
}

impl Near {
    pub(super) fn nearest(&self, queries: Rows<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        let way = self.way(request)?;
        let keep = &request.selector;
        Ok(over_queries(queries, request.pool, |queries| {
            self.scratches.with(|scratch| {
                let one = |query| self.answer(query, request.k, way, keep, scratch).into_sorted();
                queries.iter().map(one).collect()
            })
        }))
    }

    /// All selected vectors strictly within the radius, by id.
    pub(super) fn within(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Neighbors {
        over_queries(queries, request.pool, |queries| {
            self.scratches.with(|scratch| {
                let one = |query| {
                    let mut found = Vec::new();
                    self.compare(query, &request.selector, scratch, |neighbor| {
                        if neighbor.distance < request.radius {
                            found.push(neighbor);
                        }
                    });
                    found
                };
                queries.iter().map(one).collect()
            })
        })
    }

    fn way(&self, request: &SearchRequest<'_>) -> Result<Way<'_>> {
        let recall = match request.knobs.get(&RECALL_WANTED) {
            Some(value) => as_share(&RECALL_WANTED, value)?,
            None => self.recall,
        };
        let visits = request.knobs.count(&VISITS, self.visits)?;
        let candidates = request.knobs.count(&CANDIDATES, self.candidates)?;
        let Some(learned) = self.learned.as_ref().filter(|_| recall < 1.0) else {
            return Ok(Way::Compare);
        };
        let asked = |effort: Effort| Effort {
            visits: if visits == 0 { effort.visits } else { visits },
            candidates: if candidates == 0 {
                effort.candidates
            } else {
                candidates.max(request.k)
            },
        };
        if !matches!(request.selector, IdSelector::All) {
            let effort = asked(scaled(&learned.read, request.k, recall));
            return Ok(self.way_to_selected(learned, effort, &request.selector));
        }
        let effort = asked(learned.effort(request.k, recall));
        Ok(match learned.links {
            // Those that were removed are visited as well.
            Some(_) => Way::Walk(learned, effort.times(self.ids.slots(), self.len())),
            None => Way::Read(learned, effort),
        })
    }

    /// Comparing all that is selected or reading lists: what reads fewer bytes.
    fn way_to_selected<'a>(&self, learned: &'a Learned, effort: Effort, keep: &IdSelector<'_>) -> Way<'a> {
        let selected = keep.count_in(0..self.ids.next()) as usize;
        let row_len = self.exact.row_len() as f32;
        let compared = selected as f32 * row_len * JUMP as f32;
        let share = selected as f32 / self.len().max(1) as f32;
        let visited = (effort.visits as f32 * learned.lists.mean_len() as f32 / share).min(self.len() as f32);
        let candidates = effort.candidates.min(selected) as f32;
        let read = visited * learned.code.code_len() as f32 + candidates * row_len * JUMP as f32;
        match compared <= read {
            true => Way::Compare,
            false => Way::ReadSelected(learned, effort, share),
        }
    }

    fn answer(&self, query: &[f32], k: usize, way: Way<'_>, keep: &IdSelector<'_>, scratch: &mut Scratch) -> TopK {
        let mut top = TopK::new(k.min(self.len().max(1)));
        let lives = |slot: u32| self.ids.id(slot).is_some();
        let is_kept = |slot: u32| self.ids.id(slot).is_some_and(|id| keep.contains(id));
        match way {
            Way::Compare => {
                self.compare(query, keep, scratch, |neighbor| top.push(neighbor));
                return top;
            }
            Way::Walk(learned, effort) => {
                learned.code.prepare(query, &mut scratch.query);
                let links = learned.links.as_ref().expect("a walk needs a graph");
                match self.ids.are_all_living() {
                    true => scratch.walk(links, &learned.lists, effort, None, |_| true),
                    false => scratch.walk(links, &learned.lists, effort, None, lives),
                }
            }
            Way::Read(learned, effort) => {
                learned.code.prepare(query, &mut scratch.query);
                match self.ids.are_all_living() {
                    true => scratch.read(&learned.lists, &learned.codes, effort, |_| true),
                    false => scratch.read(&learned.lists, &learned.codes, effort, lives),
                }
            }
            Way::ReadSelected(learned, effort, share) => {
                learned.code.prepare(query, &mut scratch.query);
                if !scratch.read_accepted(&learned.lists, &learned.codes, effort, share, is_kept) {
                    return self.answer(query, k, Way::Compare, keep, scratch);
                }
            }
        }
        scratch.measure(&self.exact, query);
        for (slot, distance) in scratch.slots.iter().zip(&scratch.distances) {
            if let Some(id) = self.ids.id(*slot) {
                top.push(Neighbor {
                    id,
                    distance: *distance,
                });
            }
        }
        // Where a walk went astray among removed vectors, or lists held too few, there are more to be had.
        if top.len() < k.min(self.len()) {
            return self.answer(query, k, Way::Compare, keep, scratch);
        }
        top
    }

    /// Visits every selected vector, by id.
    fn compare(&self, query: &[f32], keep: &IdSelector<'_>, scratch: &mut Scratch, mut visit: impl FnMut(Neighbor)) {
        let mut ids = Vec::with_capacity(BLOCK);
        let mut selected = keep.matches_in(0..self.ids.next());
        loop {
            ids.clear();
            scratch.slots.clear();
            for id in selected.by_ref() {
                if let Some(slot) = self.ids.slot(id) {
                    ids.push(id);
                    scratch.slots.push(slot);
                }
                if ids.len() == BLOCK {
                    break;
                }
            }
            if ids.is_empty() {
                return;
            }
            scratch.measure(&self.exact, query);
            for (id, distance) in ids.iter().zip(&scratch.distances) {
                visit(Neighbor {
                    id: *id,
                    distance: *distance,
                });
            }
        }
    }
}

impl Effort {
    /// As much more as `all` are more than `some`.
    fn times(self, all: usize, some: usize) -> Self {
        Self {
            visits: (self.visits as f64 * all as f64 / some.max(1) as f64).ceil() as usize,
            ..self
        }
    }
}

fn over_queries(
    queries: Rows<'_>,
    pool: Option<&Pool>,
    answer: impl Fn(Rows<'_>) -> Vec<Vec<Neighbor>> + Send + Sync,
) -> Neighbors {
    let Some(pool) = pool.filter(|pool| pool.threads() > 1) else {
        return answer(queries).into_iter().collect();
    };
    let tasks: Vec<_> = parts(queries.len(), TASK_QUERIES).collect();
    let answers = on_pool(Some(pool), tasks.len(), |task| {
        answer(queries.slice(tasks[task].clone()))
    });
    answers.into_iter().flatten().collect()
}

/// The memory of searches that are not going on just now.
#[derive(Default)]
pub(super) struct Scratches(Mutex<Vec<Scratch>>);

impl Scratches {
    fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = idle().pop().unwrap_or_default();
        let done = work(&mut scratch);
        idle().push(scratch);
        done
    }
}

impl Clone for Scratches {
    /// Memory is not copied.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Scratches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratches")
    }
}
