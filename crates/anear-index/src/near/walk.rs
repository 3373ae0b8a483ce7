//! Finding candidates: by a walk over the graph, or by reading the nearest lists.

use anear_kernels::{EstimateTables, prefetch};
use anear_quant::{BLOCK_LEN, Codes, TransformedQuery};

use super::exact::{Comparing, Exact};
use super::links::Links;
use super::lists::Lists;
use super::reach::{Reservoir, scan_where};
use crate::graph::walk::{Beam, Reached, Seen, marked};

/// Where a walk begins: the nearest of the lists' middles. One would do for most queries; the others cost nothing.
const ENTRIES: usize = 8;

/// A filter that accepts less than this, of what it accepts elsewhere, near the query has to do with the query.
const LESS: f32 = 0.25;

/// How far a search looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effort {
    /// Rows of the graph, or lists, that are read.
    pub(super) visits: usize,
    /// Candidates that are compared as they are.
    pub(super) candidates: usize,
}

/// Walks towards the query that `tables` are of, as if the slot `without` were not there; what is nearest is in the beam
/// then.
pub(super) fn walk(
    links: &Links,
    lists: &Lists,
    tables: &EstimateTables,
    effort: Effort,
    without: Option<u32>,
    accepts: impl Fn(u32) -> bool,
    memory: &mut WalkMemory,
) {
    let WalkMemory { beam, seen, entries } = memory;
    let len = links.len();
    seen.begin(len);
    if let Some(slot) = without {
        seen.insert(slot);
    }
    beam.begin(effort.visits.max(effort.candidates).min(len));
    entries.begin(ENTRIES);
    lists.entries(tables, entries);
    for reached in entries.kept() {
        let slot = lists.middle_slots[reached.slot() as usize];
        if seen.insert(slot) {
            beam.push(marked(Reached::new(reached.distance(), slot), &accepts));
        }
    }
    let mut estimates = [0.0; BLOCK_LEN];
    for _ in 0..effort.visits {
        let Some(slot) = beam.expand() else { break };
        // Most often it stays the nearest but for what this row tells.
        if let Some(next) = beam.nearest() {
            prefetch(links.row(next));
        }
        for (block, slots) in links.blocks(links.row(slot)) {
            let mut nearer = tables.estimates(block, beam.bound(), &mut estimates);
            while nearer != 0 {
                let lane = nearer.trailing_zeros() as usize;
                nearer &= nearer - 1;
                let slot = u32::from_le_bytes(slots[lane]);
                let reached = Reached::new(estimates[lane], slot);
                // A file may tell of slots that are not there.
                if (slot as usize) < len && beam.wants(reached) && seen.insert(slot) {
                    beam.push(marked(reached, &accepts));
                }
            }
        }
        if let Some(next) = beam.nearest() {
            prefetch(links.row(next));
        }
    }
}

/// The memory of a walk.
#[derive(Debug, Default)]
pub(super) struct WalkMemory {
    pub(super) beam: Beam,
    seen: Seen,
    entries: Reservoir,
}

/// The memory of a search, kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) query: TransformedQuery,
    comparing: Comparing,
    walk: WalkMemory,
    reservoir: Reservoir,
    lists: Reservoir,
    /// Candidates, and then how far they are.
    pub(super) slots: Vec<u32>,
    pub(super) distances: Vec<f32>,
}

impl Scratch {
    /// Candidates by a walk, nearest first by their estimates.
    pub(super) fn walk(
        &mut self,
        links: &Links,
        lists: &Lists,
        effort: Effort,
        without: Option<u32>,
        accepts: impl Fn(u32) -> bool,
    ) {
        walk(
            links,
            lists,
            self.query.tables(),
            effort,
            without,
            accepts,
            &mut self.walk,
        );
        let found = self.walk.beam.found().take(effort.candidates);
        self.slots.clear();
        self.slots.extend(found.map(|reached| reached.slot()));
    }

    /// Candidates from the nearest lists and from what is in none, nearest first by their estimates.
    pub(super) fn read(&mut self, lists: &Lists, codes: &Codes, effort: Effort, accepts: impl Fn(u32) -> bool) {
        self.reservoir.begin(effort.candidates.min(codes.len()));
        let tables = self.query.tables();
        for list in lists.nearest(tables, effort.visits.min(lists.len()), &mut self.lists) {
            scan_where(tables, codes, lists.slots(list), &mut self.reservoir, &accepts);
        }
        self.read_unlisted(lists, codes, accepts);
    }

    /// As [`read`](Self::read), but as many lists as have as many accepted vectors as a search of that effort reads where
    /// all are accepted. `share` is that of accepted vectors among all; where it is far less near the query, these lists
    /// say little of what is nearest among the accepted, and the answer is `false`.
    pub(super) fn read_accepted(
        &mut self,
        lists: &Lists,
        codes: &Codes,
        effort: Effort,
        share: f32,
        accepts: impl Fn(u32) -> bool,
    ) -> bool {
        self.reservoir.begin(effort.candidates.min(codes.len()));
        let tables = self.query.tables();
        let wanted = effort.visits.saturating_mul(lists.mean_len());
        let (mut read, mut accepted) = (0, 0);
        for list in lists.nearest(tables, lists.len(), &mut self.lists) {
            let slots = lists.slots(list);
            let accepted_here = slots.clone().filter(|slot| accepts(*slot as u32)).count();
            read += slots.len();
            accepted += accepted_here;
            if accepted_here > 0 {
                scan_where(tables, codes, slots, &mut self.reservoir, &accepts);
            }
            if read >= wanted && (accepted as f32) < LESS * share * read as f32 {
                return false;
            }
            if accepted >= wanted {
                break;
            }
        }
        self.read_unlisted(lists, codes, accepts);
        true
    }

    fn read_unlisted(&mut self, lists: &Lists, codes: &Codes, accepts: impl Fn(u32) -> bool) {
        scan_where(
            self.query.tables(),
            codes,
            lists.listed()..codes.len(),
            &mut self.reservoir,
            accepts,
        );
        self.reservoir.settle();
        self.reservoir.sort();
        self.slots.clear();
        self.slots
            .extend(self.reservoir.kept().iter().map(|reached| reached.slot()));
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
