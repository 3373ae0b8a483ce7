//! Finding candidates by a walk over the graph.

use anear_kernels::prefetch;
use anear_quant::{BLOCK_LEN, TransformCode, TransformedQuery};

use super::effort::Effort;
use super::links::Links;
use super::lists::Lists;
use super::reach::Reservoir;
use super::slot_codes::SlotCodes;
use crate::graph::walk::{Beam, Reached, Seen, marked};

/// Where a walk begins: the nearest of the lists' middles. One would do for most queries; the others cost nothing.
const ENTRIES: usize = 8;

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
    /// Slots that are passed over as if they were not there.
    pub(super) without: &'a [u32],
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
        for slot in goal.without {
            seen.insert(*slot);
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
