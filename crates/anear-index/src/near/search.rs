//! How a query is answered: which way, and how far.

use anear_kernels::{IdSelector, Metric, Rows, TopK};

use super::curve::{Curves, NEIGHBORS};
use super::effort::{By, Effort};
use super::learned::Learned;
use super::links::LINE;
use super::read::Among;
use super::scratch::Scratch;
use super::selected::{Selected, cost_of_asking, cost_of_marking};
use super::trail::Trail;
use super::{CANDIDATES, Near, RECALL_WANTED, VISITS};
use crate::graph::search::over_queries;
use crate::idle::Idle;
use crate::request::as_share;
use crate::{Neighbors, Result, SearchRequest, VectorIndex as _};

/// Where no less than this share is selected, a search goes the same way as where everything is.
const MOSTLY: f32 = 0.95;

/// Links of a row that enter the beam, about: the less the nearer a walk is to its goal.
const PUSHED: f32 = 8.0;

/// Which way a request goes.
#[derive(Clone, Copy, Debug)]
enum Way<'a> {
    /// All that is selected is compared.
    Compare,
    /// The graph is walked, or lists are read.
    Look(Look<'a>),
}

/// A search along a trail: where not all is an answer, until as much that is one was seen as where all is.
#[derive(Clone, Copy, Debug)]
struct Look<'a> {
    trail: Trail<'a>,
    effort: Effort,
    among: Option<Among>,
}

impl Look<'_> {
    /// Whether so many queries ask so often whether a slot is an answer that making bits of the filter takes less time.
    fn is_worth_marking(&self, queries: usize, keep: &IdSelector<'_>) -> bool {
        let Some(among) = self.among else { return false };
        let all = self.trail.exact.len() as f32;
        let visits = self.effort.visits as f32;
        let asked = match self.trail.links {
            Some(_) => visits * PUSHED,
            None => visits * self.trail.learned.lists.mean_len() as f32 / among.share(),
        };
        queries as f32 * asked.min(all) * cost_of_asking(keep) > cost_of_marking(keep, among.share() * all, all)
    }
}

/// For so many neighbors and a recall: what was measured for at least as many, or as many times what was for most; of
/// candidates more by the growth since then, as so many more are about as near.
fn effort_for(curves: &Curves, k: usize, recall: f64, growth: f64) -> Option<Effort> {
    let of = measured_for(k);
    let effort = curves[of].effort(recall)?;
    let times = k.div_ceil(NEIGHBORS[of]).max(1);
    let candidates = (effort.candidates as f64 * growth).ceil() as usize;
    Some(Effort {
        visits: effort.visits.saturating_mul(times),
        candidates: candidates.saturating_mul(times).max(k),
        ..effort
    })
}

/// How many neighbors a search for `k` looks for.
fn looked_for(k: usize) -> usize {
    NEIGHBORS[measured_for(k)].max(k)
}

/// Which of [`NEIGHBORS`] stands for `k`.
fn measured_for(k: usize) -> usize {
    let measured = NEIGHBORS.iter().position(|neighbors| k <= *neighbors);
    measured.unwrap_or(NEIGHBORS.len() - 1)
}

impl Near {
    pub(super) fn nearest(&self, queries: Rows<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        let keep = &request.selector;
        let tops = match self.way(request)? {
            Way::Compare => self.nearest_in(queries, request.k, &self.ids.selected(keep), request.pool),
            Way::Look(look) => self.nearest_along(queries, request, look),
        };
        Ok(tops.into_iter().map(TopK::into_sorted).collect())
    }

    /// The nearest of what is found along a trail; where too little is, of all that is selected.
    fn nearest_along(&self, queries: Rows<'_>, request: &SearchRequest<'_>, look: Look<'_>) -> Vec<TopK> {
        let (keep, k, pool) = (&request.selector, request.k, request.pool);
        let is_worth_marking = look.is_worth_marking(queries.len(), keep);
        let bits = is_worth_marking.then(|| self.ids.selected_bits(keep));
        let selected = Selected::new(&self.ids, keep, bits.as_ref());
        let mut found: Vec<Option<TopK>> = over_queries(queries, pool, |queries| {
            self.scratches.with(|scratch| {
                let one = |query| self.answer(query, k, look, selected, scratch);
                queries.iter().map(one).collect()
            })
        });
        let missed: Vec<usize> = (0..found.len()).filter(|i| found[*i].is_none()).collect();
        if !missed.is_empty() {
            let queries_left = queries.gathered(missed.iter().copied());
            let queries_left = Rows::new(&queries_left, queries.dim()).expect("whole queries");
            let compared = self.nearest_in(queries_left, k, &selected.slots(), pool);
            for (i, top) in missed.into_iter().zip(compared) {
                found[i] = Some(top);
            }
        }
        found.into_iter().flatten().collect()
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
        // What is not said is what the recall needs; where none was measured that reaches it, all has to be said.
        let asked = |effort: Option<Effort>, best: By| {
            let said = |said: usize, needed: Option<usize>| if said == 0 { needed } else { Some(said) };
            let slack = if visits == 0 { effort?.slack } else { f32::INFINITY };
            Some(Effort {
                visits: said(visits, effort.map(|effort| effort.visits))?,
                slack,
                candidates: said(candidates, effort.map(|effort| effort.candidates))?.max(request.k),
                by: effort.map_or(best, |effort| effort.by),
            })
        };
        let selected = match &request.selector {
            IdSelector::All => self.len(),
            keep => self.ids.count(keep),
        };
        let among = (selected < self.ids.slots()).then(|| {
            let among = Among::of(selected, self.ids.slots(), looked_for(request.k));
            match visits {
                0 => among,
                // Who says how far a search looks is taken at their word.
                _ => among.anywhere(),
            }
        });
        let effort_of = |curves: &Curves| {
            let effort = effort_for(curves, request.k, recall, self.growth(learned));
            asked(effort, curves[measured_for(request.k)].by())
        };
        Ok(match (selected as f32) < MOSTLY * self.len() as f32 {
            true => {
                let walk = Some(&learned.walk).filter(|_| visits == 0).and_then(&effort_of);
                self.way_to_selected(learned, [walk, effort_of(&learned.read)], selected, among)
            }
            // Visits that are said are rows of the graph, where there is one.
            false => self.way_to_all(learned, effort_of, visits > 0, selected, among),
        })
    }

    /// Walking where there is a graph, or reading lists, where that costs less than comparing everything; if visits were told,
    /// no other way than the one that they are of.
    fn way_to_all<'a>(
        &'a self,
        learned: &'a Learned,
        effort_of: impl Fn(&Curves) -> Option<Effort>,
        are_told: bool,
        selected: usize,
        among: Option<Among>,
    ) -> Way<'a> {
        let compared = self.len() as f32 * self.exact.row_len() as f32;
        let ways = if are_told { 1 } else { usize::MAX };
        let trails = self.trails(learned).into_iter().flatten().take(ways);
        let mut cheaper = trails.filter_map(|(trail, curves)| {
            let effort = effort_of(curves)?;
            // What is no answer is visited as well.
            let longer = match are_told {
                true => effort,
                false => effort.times(self.ids.slots(), selected),
            };
            // Reading lists makes up for it by itself.
            let effort = if trail.links.is_some() { longer } else { effort };
            let look = Look { trail, effort, among };
            (trail.cost(longer) < compared).then_some(Way::Look(look))
        });
        cheaper.next().unwrap_or(Way::Compare)
    }

    /// Over the graph, where there is one, and through lists, with what was measured there.
    fn trails<'a>(&'a self, learned: &'a Learned) -> [Option<(Trail<'a>, &'a Curves)>; 2] {
        let read = self.along_lists(learned);
        let walk = learned.links.as_ref().map(|links| Trail {
            links: Some(links),
            ..read
        });
        [walk.map(|walk| (walk, &learned.walk)), Some((read, &learned.read))]
    }

    pub(super) fn along_lists<'a>(&'a self, learned: &'a Learned) -> Trail<'a> {
        Trail {
            learned,
            exact: &self.exact,
            links: None,
        }
    }

    /// Which way as many neighbors as are measured for are found with a recall, and how far it goes; none where no effort that
    /// was measured reached it.
    pub(super) fn measured(&self, recall: f64) -> Option<(Trail<'_>, Effort)> {
        let learned = self.learned.as_ref()?;
        let growth = self.growth(learned);
        let mut trails = self.trails(learned).into_iter().flatten();
        trails.find_map(|(trail, curves)| Some((trail, effort_for(curves, NEIGHBORS[0], recall, growth)?)))
    }

    /// How many times as many slots there are as were measured with.
    fn growth(&self, learned: &Learned) -> f64 {
        self.ids.slots() as f64 / learned.lists.listed() as f64
    }

    /// Comparing all that is selected, walking or reading lists: what reads fewest bytes.
    fn way_to_selected<'a>(
        &'a self,
        learned: &'a Learned,
        [walk, read]: [Option<Effort>; 2],
        selected: usize,
        among: Option<Among>,
    ) -> Way<'a> {
        let slots = self.ids.slots();
        // In the order of memory, so that no byte counts more than once: they take .045 ns each, where what is counted for walks
        // and lists takes .05 to .07 (a twentieth to a half of 100,000 x 384 and of 20,000 x 64, Zen 4).
        let compared = (selected * self.exact.row_len().max(LINE)) as f32;
        let [by_links, by_lists] = self.trails(learned);
        let walk = by_links.zip(walk).map(|((trail, _), effort)| {
            // What is no answer is visited as well.
            let effort = effort.times(slots, selected);
            (trail.cost(effort), Way::Look(Look { trail, effort, among }))
        });
        let read = by_lists.zip(read).map(|((trail, _), effort)| {
            // Lists are read until enough that is an answer was seen: at most all there are.
            let visits = effort.times(slots, selected).visits.min(learned.lists.len());
            let candidates = effort.candidates.min(selected);
            let longer = Effort {
                visits,
                candidates,
                ..effort
            };
            (
                trail.cost_beside_others(longer),
                Way::Look(Look { trail, effort, among }),
            )
        });
        let ways = [Some((compared, Way::Compare)), walk, read].into_iter().flatten();
        let cheapest = ways.min_by(|(a, _), (b, _)| a.total_cmp(b));
        cheapest.map_or(Way::Compare, |(_, way)| way)
    }

    /// The nearest of the candidates; none where too few were found, be it that a walk went astray, or that what is selected
    /// is far from the query.
    fn answer(
        &self,
        query: &[f32],
        k: usize,
        look: Look<'_>,
        selected: Selected<'_>,
        scratch: &mut Scratch,
    ) -> Option<TopK> {
        if !self.find_candidates(query, k, look, selected, scratch) {
            return None;
        }
        scratch.measure(&self.exact, query);
        let mut top = TopK::new(k.min(self.len()));
        for (slot, distance) in scratch.slots.iter().zip(&scratch.distances) {
            if let Some(near) = self.neighbor(*slot, *distance) {
                top.push(near);
            }
        }
        Some(top)
    }

    /// Leaves candidates in the scratch; whether they are enough.
    fn find_candidates(
        &self,
        query: &[f32],
        k: usize,
        look: Look<'_>,
        selected: Selected<'_>,
        scratch: &mut Scratch,
    ) -> bool {
        let Look { trail, effort, among } = look;
        let is_answer = |slot: u32| selected.contains(slot);
        let learned = trail.learned;
        // By inner product the length of a query says nothing.
        if self.metric == Metric::L2 && learned.is_stranger(query) {
            return false;
        }
        learned.prepare(query, scratch);
        let neighbors = looked_for(k);
        let (wanted, nearer) = match trail.ground() {
            Some(ground) => {
                match among {
                    None => scratch.walk(ground, neighbors, effort, &[], |_| true),
                    Some(_) => scratch.walk(ground, neighbors, effort, &[], is_answer),
                }
                // Where neighbors are easily told from the rest, a walk ends before it has seen so many candidates.
                (neighbors.min(effort.candidates), scratch.walked_past(k))
            }
            None => {
                match among {
                    None => scratch.read(trail.reading(query, effort), |_| true),
                    Some(among) => scratch.read_among(trail.reading(query, effort), among, selected),
                }
                let wanted = match effort.by {
                    By::Codes => effort.candidates,
                    // However many were read, they were compared.
                    By::Vectors => k,
                };
                (wanted, scratch.read_past(k))
            }
        };
        scratch.slots.len() >= wanted.min(self.len()) && among.is_none_or(|among| among.admits(nearer))
    }
}

/// The memory of searches that are not going on just now.
pub(super) type Scratches = Idle<Scratch>;
