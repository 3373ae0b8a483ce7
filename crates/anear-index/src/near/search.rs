//! How a query is answered: which way, and how far.

use anear_kernels::{IdSelector, Metric, Rows, TopK};

use super::curve::{Curves, NEIGHBORS, effort_for};
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

/// Of the share that may be missed, this is what searches among some of all are allowed: they are to find no less than others,
/// which find more than they are asked for where even the least effort does.
const MISSED: f64 = 0.7;

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

/// A search along a trail, among what is not all an answer or what is.
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
            None => visits * self.trail.learned.lists.mean_len() as f32,
        };
        queries as f32 * asked.min(all) * cost_of_asking(keep) > cost_of_marking(keep, among.share() * all, all)
    }
}

/// How many neighbors a search for `k` looks for.
fn looked_for(k: usize) -> usize {
    NEIGHBORS[0].max(k)
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
        let share = selected as f64 / self.ids.slots().max(1) as f64;
        // As many are within the distance of the last of the answers.
        let neighbors = looked_for(request.k) as f64 / share;
        let growth = self.growth(learned);
        let effort_of = |curves: &Curves| {
            let most = among.and_then(|_| effort_for(curves, neighbors, 1.0 - MISSED * (1.0 - recall)));
            let effort = most.or_else(|| effort_for(curves, neighbors, recall));
            asked(effort.map(|effort| effort.grown(growth).among(share)), curves[0].by())
        };
        // Visits that are said are rows of the graph, where there is one.
        let ways = if visits > 0 { 1 } else { usize::MAX };
        let trails = self.trails(learned).into_iter().flatten().take(ways);
        let looks = trails.filter_map(|(trail, curves)| {
            let effort = effort_of(curves)?;
            Some(Look { trail, effort, among })
        });
        Ok(self.cheapest(looks, selected))
    }

    /// Of these ways and comparing all that is selected the one that reads fewest bytes; where nearly all is selected, the first
    /// that reads fewer than comparing.
    fn cheapest<'a>(&self, mut looks: impl Iterator<Item = Look<'a>>, selected: usize) -> Way<'a> {
        // In the order of memory, so that no byte counts more than once: they take .045 ns each, where what is counted for walks
        // and lists takes .05 to .07 (a twentieth to a half of 100,000 x 384 and of 20,000 x 64, Zen 4).
        let compared = (selected * self.exact.row_len().max(LINE)) as f32;
        let best = match selected as f32 >= MOSTLY * self.len() as f32 {
            true => looks.find(|look| look.trail.cost(look.effort) < compared),
            false => {
                let costs = looks.map(|look| (look.trail.cost_beside_others(look.effort), look));
                let cheaper = costs.filter(|(cost, _)| *cost < compared);
                cheaper.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, look)| look)
            }
        };
        best.map_or(Way::Compare, Way::Look)
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
        trails.find_map(|(trail, curves)| {
            let effort = effort_for(curves, NEIGHBORS[0] as f64, recall)?;
            Some((trail, effort.grown(growth)))
        })
    }

    /// How many times as many slots there are as were measured with.
    fn growth(&self, learned: &Learned) -> f64 {
        self.ids.slots() as f64 / learned.lists.listed() as f64
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
        let nearer = match trail.ground() {
            Some(ground) => {
                match among {
                    None => scratch.walk(ground, neighbors, effort, &[], |_| true),
                    Some(_) => scratch.walk(ground, neighbors, effort, &[], is_answer),
                }
                scratch.walked_past(k)
            }
            None => {
                match among {
                    None => scratch.read(trail.reading(query, effort), |_| true),
                    Some(among) => scratch.read_among(trail.reading(query, effort), among, selected),
                }
                scratch.read_past(k)
            }
        };
        // Where neighbors are easily told from the rest, a walk ends before it has seen so many candidates.
        let wanted = neighbors.min(effort.candidates);
        scratch.slots.len() >= wanted.min(self.len()) && among.is_none_or(|among| among.admits(nearer))
    }
}

/// The memory of searches that are not going on just now.
pub(super) type Scratches = Idle<Scratch>;
