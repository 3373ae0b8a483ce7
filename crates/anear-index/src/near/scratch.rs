//! What a search works in, kept from one to the next.

use anear_quant::TransformedQuery;

use super::effort::{By, Effort};
use super::exact::{Comparing, Exact};
use super::read::{Among, Prepared, ReadMemory, Reading, read, read_among};
use super::selected::Selected;
use super::walk::{Goal, Ground, WalkMemory, walk};

/// The memory of a search.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) query: TransformedQuery,
    /// The query that it is made of.
    pub(super) lengthened: Vec<f32>,
    /// What makes its estimates squared distances.
    pub(super) offset: f32,
    /// Lists that the last search read, or rows of the graph.
    pub(super) visits: usize,
    pub(super) comparing: Comparing,
    walk: WalkMemory,
    read: ReadMemory,
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
        without: &[u32],
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

    /// Candidates from the nearest lists and from what is in none, nearest first by what they are read by.
    pub(super) fn read(&mut self, reading: Reading<'_>, accepts: impl Fn(u32) -> bool) {
        self.read_by(reading, |prepared, memory| read(reading, prepared, accepts, memory));
    }

    /// As [`read`](Self::read), among what is not all an answer; nothing where what was read says little of that.
    pub(super) fn read_among(&mut self, reading: Reading<'_>, among: Among, selected: Selected<'_>) {
        self.read_by(reading, |prepared, memory| {
            read_among(reading, prepared, among, selected, memory)
        });
    }

    fn read_by(&mut self, reading: Reading<'_>, read: impl FnOnce(Prepared<'_>, &mut ReadMemory) -> usize) {
        if reading.effort.by == By::Vectors {
            reading.exact.prepare(reading.query, &mut self.comparing);
        }
        let prepared = Prepared {
            tables: self.query.tables(),
            comparing: &self.comparing,
        };
        self.visits = read(prepared, &mut self.read);
        self.slots.clear();
        self.slots.extend(self.read.found());
    }

    /// How much that is no answer is nearer than the last of `k` answers that were read last.
    pub(super) fn read_past(&self, k: usize) -> usize {
        self.read.past(k)
    }

    /// Compares the candidates with the query as they are.
    pub(super) fn measure(&mut self, exact: &Exact, query: &[f32]) {
        exact.prepare(query, &mut self.comparing);
        self.distances.clear();
        self.distances.resize(self.slots.len(), 0.0);
        exact.distances(query, &mut self.comparing, &self.slots, &mut self.distances);
    }
}
