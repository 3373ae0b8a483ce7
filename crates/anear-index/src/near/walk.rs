//! Finding candidates: by a walk over the graph, or by reading the nearest lists.

use std::ops::Range;

use anear_kernels::prefetch;
use anear_quant::{BLOCK_LEN, Codes, TransformCode, TransformedQuery};

use super::effort::Effort;
use super::exact::{Comparing, Exact};
use super::links::Links;
use super::lists::Lists;
use super::reach::{Reservoir, scan_each};
use super::slot_codes::SlotCodes;
use crate::graph::walk::{Beam, Reached, Seen, marked};

/// Where a walk begins: the nearest of the lists' middles. One would do for most queries; the others cost nothing.
const ENTRIES: usize = 8;

/// A filter that accepts less than this, of what it accepts elsewhere, near the query has to do with the query.
const LESS: f32 = 0.25;

/// A graph, where walks over it begin, and what tells how far they are from their goal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    pub(super) links: &'a Links,
    pub(super) lists: &'a Lists,
    pub(super) code: &'a TransformCode,
}

/// Where a walk leads, and how far.
#[derive(Debug)]
pub(super) struct Goal<'a> {
    /// Prepared; a walk over a lean graph weighs it besides.
    pub(super) query: &'a mut TransformedQuery,
    /// What makes estimates squared distances.
    pub(super) offset: f32,
    /// How many are looked for.
    pub(super) neighbors: usize,
    pub(super) effort: Effort,
    /// A slot that is passed over as if it were not there.
    pub(super) without: Option<u32>,
}

impl Goal<'_> {
    /// Nothing farther than this is visited.
    fn limit(&self, beam: &Beam) -> f32 {
        let last = match self.effort.slack {
            f32::INFINITY => None,
            _ => beam.distance_of(self.neighbors.saturating_sub(1)),
        };
        last.map_or(f32::INFINITY, |last| {
            last + self.effort.slack * (last + self.offset).abs()
        })
    }

    /// Nothing farther than this is visited or becomes a candidate; what is leaves the beam.
    fn narrow(&self, beam: &mut Beam) -> f32 {
        let candidates = self.effort.candidates.saturating_sub(1);
        let last = beam.distance_of(candidates).unwrap_or(f32::INFINITY);
        let bound = beam.bound().min(self.limit(beam).max(last));
        beam.narrow(bound);
        bound
    }
}

/// Walks towards a goal; what is nearest is in the beam then. Tells how many rows were visited.
pub(super) fn walk(
    ground: Ground<'_>,
    goal: Goal<'_>,
    accepts: impl Fn(u32) -> bool,
    memory: &mut WalkMemory,
) -> usize {
    let codes = ground.links.slot_codes();
    if codes.is_some() {
        ground.code.weigh(goal.query);
    }
    let visits_max = goal.effort.visits_max();
    let mut walk = Walk::begin(ground, goal, accepts, memory);
    let mut visits = 0;
    while visits < visits_max {
        let Some(slot) = walk.expand() else { break };
        visits += 1;
        // Most often it stays the nearest but for what this row tells, and else is read soon.
        walk.fetch_nearest();
        match codes {
            None => walk.read_blocks(slot),
            Some(codes) => walk.read_ends(slot, codes),
        }
        walk.fetch_nearest();
    }
    visits
}

/// A walk that has begun, step by step.
struct Walk<'a, A> {
    links: &'a Links,
    goal: Goal<'a>,
    accepts: A,
    memory: &'a mut WalkMemory,
}

impl<'a, A: Fn(u32) -> bool> Walk<'a, A> {
    /// At the middles that seem nearest.
    fn begin(ground: Ground<'a>, goal: Goal<'a>, accepts: A, memory: &'a mut WalkMemory) -> Self {
        let Ground { links, lists, .. } = ground;
        let WalkMemory {
            beam, seen, entries, ..
        } = &mut *memory;
        seen.begin(links.len());
        if let Some(slot) = goal.without {
            seen.insert(slot);
        }
        let width = goal.effort.visits_max().max(goal.effort.candidates);
        beam.begin(width.min(links.len()));
        entries.begin(ENTRIES);
        lists.entries(goal.query.tables(), entries);
        for reached in entries.kept() {
            let slot = lists.middle_slots[reached.slot() as usize];
            if seen.insert(slot) {
                beam.push(marked(Reached::new(reached.distance(), slot), &accepts));
            }
        }
        Self {
            links,
            goal,
            accepts,
            memory,
        }
    }

    /// The slot whose row is read next.
    #[inline]
    fn expand(&mut self) -> Option<u32> {
        let beam = &mut self.memory.beam;
        let limit = self.goal.limit(beam);
        let next = beam.expand().filter(|next| next.distance() <= limit);
        next.map(Reached::slot)
    }

    #[inline]
    fn fetch_nearest(&mut self) {
        if let Some(nearest) = self.memory.beam.nearest() {
            prefetch(self.links.row(nearest.slot()));
        }
    }

    /// Reads a row that has the codes of its ends.
    #[inline]
    fn read_blocks(&mut self, slot: u32) {
        let WalkMemory { beam, seen, .. } = &mut *self.memory;
        let mut estimates = [0.0; BLOCK_LEN];
        for (block, ends) in self.links.blocks(slot) {
            let bound = self.goal.narrow(beam);
            let mut nearer = self.goal.query.tables().estimates(block, bound, &mut estimates);
            while nearer != 0 {
                let lane = nearer.trailing_zeros() as usize;
                nearer &= nearer - 1;
                let end = u32::from_le_bytes(ends[lane]);
                let reached = Reached::new(estimates[lane], end);
                // A file may tell of slots that are not there.
                if (end as usize) < self.links.len() && beam.wants(reached) && seen.insert(end) {
                    beam.push(marked(reached, &self.accepts));
                }
            }
        }
    }

    /// Reads a row of links alone, and the codes of those ends that were not seen: what is too far now stays too far.
    #[inline]
    fn read_ends(&mut self, slot: u32, codes: &SlotCodes) {
        let WalkMemory {
            beam,
            seen,
            ends,
            estimates,
            ..
        } = &mut *self.memory;
        ends.clear();
        for end in self.links.of(slot).filter(|end| seen.insert(*end)) {
            codes.fetch(end);
            ends.push(end);
        }
        estimates.resize(ends.len(), 0.0);
        codes.estimates(self.goal.query.weights(), ends, estimates);
        let bound = self.goal.narrow(beam);
        for (end, distance) in ends.iter().zip(estimates) {
            let reached = Reached::new(*distance, *end);
            if *distance < bound && beam.wants(reached) {
                beam.push(marked(reached, &self.accepts));
            }
        }
    }
}

/// What is an answer among all there is: what a filter admits, and was not removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Among {
    share: f32,
    /// Where more that is none is nearer than the last answer, a filter, or what was removed, has to do with the query: then
    /// answers are among many that are as far, and a search that is made for the nearest finds few of them.
    nearer_max: Option<usize>,
}

impl Among {
    /// So many answers among all, of which so many are looked for.
    pub(super) fn of(answers: usize, all: usize, neighbors: usize) -> Self {
        let share = answers as f32 / all.max(1) as f32;
        let usual = neighbors as f32 * (1.0 - share) / share;
        Self {
            share,
            nearer_max: Some(((usual / LESS) as usize).saturating_add(neighbors / 2)),
        }
    }

    /// As far from the query as they may be.
    pub(super) fn anywhere(self) -> Self {
        Self {
            nearer_max: None,
            ..self
        }
    }

    /// Whether no more than may be is nearer.
    pub(super) fn admits(self, nearer: usize) -> bool {
        self.nearer_max.is_none_or(|most| nearer <= most)
    }
}

/// The memory of a walk.
#[derive(Debug, Default)]
pub(super) struct WalkMemory {
    pub(super) beam: Beam,
    seen: Seen,
    entries: Reservoir,
    /// Ends of links that were not seen before, and how far they seem.
    ends: Vec<u32>,
    estimates: Vec<f32>,
}

/// The memory of a search, kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) query: TransformedQuery,
    /// The query that it is made of.
    pub(super) lengthened: Vec<f32>,
    /// What makes its estimates squared distances.
    pub(super) offset: f32,
    /// Lists that the last search read, or rows of the graph.
    pub(super) visits: usize,
    comparing: Comparing,
    walk: WalkMemory,
    reservoir: Reservoir,
    /// What is no answer.
    refused: Reservoir,
    lists: Reservoir,
    /// Candidates, and then how far they are.
    pub(super) slots: Vec<u32>,
    pub(super) distances: Vec<f32>,
}

impl Scratch {
    /// Candidates by a walk, nearest first by their estimates.
    pub(super) fn walk(
        &mut self,
        ground: Ground<'_>,
        neighbors: usize,
        effort: Effort,
        without: Option<u32>,
        accepts: impl Fn(u32) -> bool,
    ) {
        let goal = Goal {
            query: &mut self.query,
            offset: self.offset,
            neighbors,
            effort,
            without,
        };
        self.visits = walk(ground, goal, accepts, &mut self.walk);
        let found = self.walk.beam.found().take(effort.candidates);
        self.slots.clear();
        self.slots.extend(found.map(|reached| reached.slot()));
    }

    /// How much that is no answer the last walk came past on its way to `k` answers.
    pub(super) fn walked_past(&self, k: usize) -> usize {
        self.walk.beam.refused_before(k)
    }

    /// Candidates from the nearest lists and from what is in none, nearest first by their estimates.
    pub(super) fn read(&mut self, lists: &Lists, codes: &Codes, effort: Effort, accepts: impl Fn(u32) -> bool) {
        self.begin(effort, codes, 0);
        self.visits = effort.visits.min(lists.len());
        self.choose_lists(lists, self.visits);
        for at in 0..self.visits {
            self.scan(codes, lists.slots(self.lists.kept()[at].slot()), &accepts);
        }
        self.finish(lists, codes, accepts);
    }

    /// As [`read`](Self::read), and more lists, until as many answers were read as there would be if all were answers.
    /// Where answers are far fewer near the query than elsewhere, these lists say little of what is nearest, and nothing is
    /// found.
    pub(super) fn read_among(
        &mut self,
        lists: &Lists,
        codes: &Codes,
        effort: Effort,
        among: Among,
        accepts: impl Fn(u32) -> bool,
    ) {
        self.begin(effort, codes, among.nearer_max.unwrap_or(0));
        self.choose_lists(lists, lists.len());
        let (mut read, mut answers, mut wanted) = (0, 0, usize::MAX);
        for at in 0..lists.len() {
            let slots = lists.slots(self.lists.kept()[at].slot());
            read += slots.len();
            answers += slots.clone().filter(|slot| accepts(*slot as u32)).count();
            self.visits = at + 1;
            self.scan(codes, slots, &accepts);
            if self.visits < effort.visits {
                continue;
            }
            // Lists near to queries are longer than others: so many are counted, and not as long as lists are on average.
            wanted = wanted.min(read);
            if among.nearer_max.is_some() && (answers as f32) < LESS * among.share * read as f32 {
                self.slots.clear();
                return;
            }
            if answers >= wanted {
                break;
            }
        }
        self.finish(lists, codes, accepts);
    }

    /// How much that is no answer is nearer than the last of `k` answers that were read last, as far as account was kept of it.
    pub(super) fn read_past(&self, k: usize) -> usize {
        let last = self.reservoir.kept().get(k.saturating_sub(1));
        let nearer = self.refused.kept().iter();
        nearer
            .filter(|refused| last.is_some_and(|last| *refused < last))
            .count()
    }

    /// Makes ready for reading, with account of so much that is no answer.
    fn begin(&mut self, effort: Effort, codes: &Codes, refused: usize) {
        self.reservoir.begin(effort.candidates.min(codes.len()));
        self.refused.begin(refused.saturating_add(1).min(codes.len()));
    }

    fn choose_lists(&mut self, lists: &Lists, count: usize) {
        lists.nearest(self.query.tables(), count, &mut self.lists);
    }

    fn scan(&mut self, codes: &Codes, slots: Range<usize>, accepts: impl Fn(u32) -> bool) {
        let refused = &mut self.refused;
        scan_each(
            self.query.tables(),
            codes,
            slots,
            &mut self.reservoir,
            |answers, distance, slot| match accepts(slot) {
                true => answers.push(distance, slot),
                false => refused.push(distance, slot),
            },
        );
    }

    /// Reads what is in no list; then nearest first.
    fn finish(&mut self, lists: &Lists, codes: &Codes, accepts: impl Fn(u32) -> bool) {
        self.scan(codes, lists.listed()..codes.len(), accepts);
        self.refused.settle();
        self.reservoir.settle();
        self.reservoir.sort();
        self.slots.clear();
        let kept = self.reservoir.kept().iter();
        self.slots.extend(kept.map(|reached| reached.slot()));
    }

    /// Compares the candidates with the query as they are.
    pub(super) fn measure(&mut self, exact: &Exact, query: &[f32]) {
        exact.prepare(query, &mut self.comparing);
        self.measure_prepared(exact, query);
    }

    /// As [`measure`](Self::measure), with the query of the last time.
    pub(super) fn measure_prepared(&mut self, exact: &Exact, query: &[f32]) {
        self.distances.clear();
        self.distances.resize(self.slots.len(), 0.0);
        exact.distances(query, &mut self.comparing, &self.slots, &mut self.distances);
    }
}
