//! Finding candidates in the nearest lists.

use std::ops::Range;

use anear_kernels::EstimateTables;
use anear_quant::Codes;

use super::effort::{By, Effort, SPREADS};
use super::exact::{Comparing, Exact};
use super::lists::Lists;
use super::reach::{Reservoir, compare_each, scan_each};
use super::selected::Selected;

/// A filter that accepts less than this, of what it accepts elsewhere, near the query has to do with the query.
const LESS: f32 = 0.5;

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
        let share = answers as f64 / all.max(1) as f64;
        let usual = neighbors as f64 * (1.0 - share) / share;
        let spread = (usual / share).sqrt();
        Self {
            share: share as f32,
            nearer_max: Some((usual / f64::from(LESS) + 2.0 * SPREADS * spread) as usize),
        }
    }

    /// What share of all are answers.
    pub(super) fn share(self) -> f32 {
        self.share
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

/// What is read for a query, and how far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) lists: &'a Lists,
    pub(super) codes: &'a Codes,
    pub(super) exact: &'a Exact,
    pub(super) query: &'a [f32],
    pub(super) effort: Effort,
}

/// What a query was made into: for codes, and for vectors.
#[derive(Clone, Copy)]
pub(super) struct Prepared<'a> {
    pub(super) tables: &'a EstimateTables,
    pub(super) comparing: &'a Comparing,
}

/// Reads the nearest lists and what is in none. Tells how many lists that were.
pub(super) fn read(
    reading: Reading<'_>,
    prepared: Prepared<'_>,
    accepts: impl Fn(u32) -> bool,
    memory: &mut ReadMemory,
) -> usize {
    let mut reader = Reader::begin(reading, prepared, accepts, memory, 0);
    let visits = reader.choose(reading.effort.visits.min(reading.lists.len()));
    for at in 0..visits {
        reader.scan(reader.slots(at));
    }
    reader.finish();
    visits
}

/// As [`read`], and more lists, until as many answers were read as there are among so many vectors on average.
/// Where answers are far fewer near the query than elsewhere, these lists say little of what is nearest, and nothing is
/// found.
pub(super) fn read_among(
    reading: Reading<'_>,
    prepared: Prepared<'_>,
    among: Among,
    selected: Selected<'_>,
    memory: &mut ReadMemory,
) -> usize {
    let accepts = |slot| selected.contains(slot);
    let mut reader = Reader::begin(reading, prepared, accepts, memory, among.nearer_max.unwrap_or(0));
    let all = reader.choose(reading.lists.len());
    let (mut read, mut answers, mut wanted, mut visits) = (0, 0, usize::MAX, 0);
    while visits < all && answers < wanted {
        let slots = reader.slots(visits);
        visits += 1;
        read += slots.len();
        answers += selected.count_in(slots.clone());
        reader.scan(slots);
        if visits < reading.effort.visits {
            continue;
        }
        // Lists near to queries are longer than others: so many are counted, and not as long as lists are on average.
        wanted = wanted.min((among.share * read as f32) as usize);
        if among.nearer_max.is_some() && (answers as f32) < LESS * among.share * read as f32 {
            reader.memory.answers.begin(0);
            return visits;
        }
    }
    reader.finish();
    visits
}

/// The memory of readings.
#[derive(Debug, Default)]
pub(super) struct ReadMemory {
    answers: Reservoir,
    /// What is no answer.
    refused: Reservoir,
    lists: Reservoir,
}

impl ReadMemory {
    /// What was found, nearest first.
    pub(super) fn found(&self) -> impl Iterator<Item = u32> {
        self.answers.kept().iter().map(|reached| reached.slot())
    }

    /// How much that is no answer is nearer than the last of `k` answers, as far as account was kept of it.
    pub(super) fn past(&self, k: usize) -> usize {
        let last = self.answers.kept().get(k.saturating_sub(1));
        let nearer = self.refused.kept().iter();
        nearer
            .filter(|refused| last.is_some_and(|last| *refused < last))
            .count()
    }
}

/// A reading that has begun, list by list.
struct Reader<'a, A> {
    reading: Reading<'a>,
    prepared: Prepared<'a>,
    accepts: A,
    memory: &'a mut ReadMemory,
}

impl<'a, A: Fn(u32) -> bool> Reader<'a, A> {
    /// With account of so much that is no answer.
    fn begin(
        reading: Reading<'a>,
        prepared: Prepared<'a>,
        accepts: A,
        memory: &'a mut ReadMemory,
        refused: usize,
    ) -> Self {
        let slots = reading.codes.len();
        memory.answers.begin(reading.effort.candidates.min(slots));
        memory.refused.begin(refused.saturating_add(1).min(slots));
        Self {
            reading,
            prepared,
            accepts,
            memory,
        }
    }

    /// Finds out which lists are nearest: so many, or fewer where a file tells of centroids that are at no distance.
    fn choose(&mut self, count: usize) -> usize {
        let Self { reading, memory, .. } = self;
        reading.lists.nearest(self.prepared.tables, count, &mut memory.lists);
        memory.lists.kept().len()
    }

    /// The slots of the `at`-th nearest list.
    fn slots(&self, at: usize) -> Range<usize> {
        self.reading.lists.slots(self.memory.lists.kept()[at].slot())
    }

    fn scan(&mut self, slots: Range<usize>) {
        let Self {
            reading,
            prepared,
            accepts,
            memory,
        } = self;
        let ReadMemory { answers, refused, .. } = &mut **memory;
        let push = |answers: &mut Reservoir, distance, slot| match accepts(slot) {
            true => answers.push(distance, slot),
            false => refused.push(distance, slot),
        };
        match reading.effort.by {
            By::Codes => scan_each(prepared.tables, reading.codes, slots, answers, push),
            By::Vectors => compare_each(reading.exact, reading.query, prepared.comparing, slots, answers, push),
        }
    }

    /// Reads what is in no list; then nearest first.
    fn finish(mut self) {
        self.scan(self.reading.lists.listed()..self.reading.codes.len());
        self.memory.refused.settle();
        self.memory.answers.settle();
        self.memory.answers.sort();
    }
}
