//! A way through what was built, and what it costs.

use super::curve::RECALL;
use super::effort::{By, Effort, JUMP};
use super::exact::Exact;
use super::learned::Learned;
use super::links::Links;
use super::read::Reading;
use super::walk::Ground;

/// A graph is built where a search that reads lists for a recall of 0.95 reads more bytes than this, which takes about
/// 0.05 ms: below that, what it would save is not worth building for several times as long and taking several times the
/// memory. Images (Fashion-MNIST, patches of them) are on this side, where walks over rows with codes take as long and three
/// quarters of the time; word and sentence embeddings on the other, where they take a third, and those of a lean graph half.
const READ_MAX: f32 = 400_000.0;

/// How many times what is counted for lists walks may cost, where both are possible: bytes in order take up to three times as
/// long as is counted where codes are in no cache. Words (340,000 codes of 58 bytes, Zen 4): walks cost 1.4 times as much
/// and took .4 of the time, over a lean graph 1.7 times and .6. In noise they cost 8 times as much.
const LISTS_MORE: f32 = 2.0;

/// A way through what was built: over the links, or by reading lists where there are none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trail<'a> {
    pub(super) learned: &'a Learned,
    pub(super) exact: &'a Exact,
    pub(super) links: Option<&'a Links>,
}

impl<'a> Trail<'a> {
    /// Bytes that a search reads, those of random places counted [`JUMP`]-fold or more. Readings of lists take up what is in none
    /// as well.
    pub(super) fn cost(&self, effort: Effort) -> f32 {
        let unlisted = match self.links {
            Some(_) => 0,
            None => self.exact.len() - self.learned.lists.listed(),
        };
        self.cost_when_built(effort) + (unlisted * self.slot_len(effort.by)) as f32
    }

    /// As [`cost`](Self::cost), of what was there when everything was built.
    fn cost_when_built(&self, effort: Effort) -> f32 {
        let Learned { lists, code, .. } = self.learned;
        let begin = lists.len() * code.code_len();
        let (visits, visit) = match self.links {
            Some(links) => (effort.visits, links.shape().cost()),
            None => (
                effort.visits.min(lists.len()),
                lists.mean_len() * self.slot_len(effort.by),
            ),
        };
        let candidate = self.exact.row_len() * JUMP;
        begin as f32 + visits as f32 * visit as f32 + effort.candidates as f32 * candidate as f32
    }

    /// Bytes that are read of each slot in a list.
    fn slot_len(&self, by: By) -> usize {
        match by {
            By::Codes => self.learned.code.code_len(),
            By::Vectors => self.exact.row_len(),
        }
    }

    /// As [`cost`](Self::cost), for choosing between walks and lists.
    pub(super) fn cost_beside_others(&self, effort: Effort) -> f32 {
        match self.links {
            Some(_) => self.cost(effort),
            None => LISTS_MORE * self.cost(effort),
        }
    }

    /// Whether a search took too little time for something faster to be worth building.
    pub(super) fn takes_little(&self) -> bool {
        let effort = self.learned.read[0].effort(RECALL);
        self.links.is_none() && effort.is_some_and(|effort| self.cost_when_built(effort) <= READ_MAX)
    }

    /// Whether codes tell neighbors apart: else walks do not find them either.
    pub(super) fn codes_tell(&self) -> bool {
        let effort = self.learned.read[0].effort(RECALL);
        effort.is_none_or(|effort| effort.by == By::Codes)
    }

    /// What walks go over, where there are links.
    pub(super) fn ground(&self) -> Option<Ground<'a>> {
        self.links.map(|links| Ground {
            links,
            lists: &self.learned.lists,
            code: &self.learned.code,
        })
    }

    /// What lists are read for a query.
    pub(super) fn reading(&self, query: &'a [f32], effort: Effort) -> Reading<'a> {
        Reading {
            lists: &self.learned.lists,
            codes: &self.learned.codes,
            exact: self.exact,
            query,
            effort,
        }
    }
}
