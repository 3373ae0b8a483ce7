//! How a query is answered: by walking the graph, or by comparing what is selected where that is less work.

use anear_kernels::{IdSelector, Neighbor, Rows, TopK};
use anear_quant::CodeRun;

use super::walk::{Reached, Towards};
use super::{Linked, Scratch};
use crate::tiles::{on_pool, parts};
use crate::{Neighbors, RangeRequest, SearchRequest};

/// Distances that a walk computes per node it keeps, times what one costs more than in a scan.
// Single queries by L2 broke even at 8 to 31 (50,000 x 64) and at 12 (20,000 x 384) with one in 5 to 10 vectors selected;
// batches, for which scans are ten times faster, far above. Example `hnsw_bench`.
const DISTANCES_PER_NODE: u64 = 24;

/// Queries of one task: enough to hide handing it over, few enough that all threads end together.
const TASK_QUERIES: usize = 8;

/// The nearest of each query, of which `ef` nodes are kept while the graph is walked.
pub(crate) fn nearest(index: &Linked, queries: Rows<'_>, request: &SearchRequest<'_>, ef: usize) -> Neighbors {
    let selected = index.slots.selected(&request.selector);
    let search = Search::new(index, selected.selector(), request.k, ef);
    let rows = over_queries(queries, request.pool, |queries| search.nearest(queries));
    rows.into_iter().collect()
}

/// Everything that is selected, strictly within the radius, and reached from the nearest without leaving it.
pub(crate) fn within(index: &Linked, queries: Rows<'_>, request: &RangeRequest<'_>, ef: usize) -> Neighbors {
    let selected = index.slots.selected(&request.selector);
    let search = Search::new(index, selected.selector(), 1, ef);
    let rows = over_queries(queries, request.pool, |queries| search.within(queries, request.radius));
    rows.into_iter().collect()
}

/// What `answer` says to stretches of the queries, on the threads of a pool if there is one.
pub(crate) fn over_queries<T: Send>(
    queries: Rows<'_>,
    pool: Option<&anear_pool::Pool>,
    answer: impl Fn(Rows<'_>) -> Vec<T> + Send + Sync,
) -> Vec<T> {
    let Some(pool) = pool.filter(|pool| pool.threads() > 1) else {
        return answer(queries);
    };
    let tasks: Vec<_> = parts(queries.len(), TASK_QUERIES).collect();
    let answers = on_pool(Some(pool), tasks.len(), |task| {
        answer(queries.slice(tasks[task].clone()))
    });
    answers.into_iter().flatten().collect()
}

/// What is the same for all queries of a request.
struct Search<'a> {
    index: &'a Linked,
    keep: IdSelector<'a>,
    /// How many slots are selected, and how many of them are asked for.
    matches: usize,
    k: usize,
    ef: usize,
}

impl<'a> Search<'a> {
    fn new(index: &'a Linked, keep: IdSelector<'a>, k: usize, ef: usize) -> Self {
        let matches = keep.count_in(0..index.slots.len() as u64) as usize;
        let k = k.min(matches);
        Self {
            index,
            keep,
            matches,
            k,
            ef: ef.min(index.slots.len()).max(k),
        }
    }

    /// Whether comparing all that match is less work than a walk, which passes `len / matches` nodes for one that
    /// matches.
    fn is_scan_cheaper(&self) -> bool {
        let [matches, len, ef] = [self.matches, self.index.slots.len(), self.ef].map(|n| n as u64);
        let walk = DISTANCES_PER_NODE.saturating_mul(ef).saturating_mul(len);
        matches.saturating_mul(matches) <= walk
    }

    fn nearest(&self, queries: Rows<'_>) -> Vec<Vec<Neighbor>> {
        if self.is_scan_cheaper() {
            return self.scan(queries);
        }
        self.index.walkers.with(|scratch| {
            let answer = |i| {
                let walked = self.walk(queries.row(i), scratch);
                walked.unwrap_or_else(|| self.scan(queries.slice(i..i + 1)).concat())
            };
            (0..queries.len()).map(answer).collect()
        })
    }

    /// The nearest that match, found by comparing all of them.
    fn scan(&self, queries: Rows<'_>) -> Vec<Vec<Neighbor>> {
        let index = self.index;
        let mut tops: Vec<_> = queries.iter().map(|_| TopK::new(self.k)).collect();
        index.quantizer.scan(
            index.metric,
            queries,
            &CodeRun::all(&index.codes),
            &self.keep,
            &mut tops,
        );
        tops.into_iter().map(|top| self.named(top.into_sorted())).collect()
    }

    /// The nearest that match, found by a walk; `None` where it lost its way: too few were found, or it took more
    /// distances than there are matches.
    fn walk(&self, query: &[f32], scratch: &mut Scratch) -> Option<Vec<Neighbor>> {
        let scorer = self.index.quantizer.scorer(self.index.metric, query);
        let towards = self.towards(&*scorer);
        let entry = descended(towards, scratch)?;
        let keep = |slot: u32| self.keep.contains(slot.into());
        let walker = &mut scratch.walker;
        let arrived = match self.keep {
            IdSelector::All => walker.walk(towards, entry, 0, self.ef, self.matches, |_| true),
            _ => walker.walk(towards, entry, 0, self.ef, self.matches, keep),
        };
        let found: Vec<_> = walker
            .found()
            .take(self.k)
            .map(|reached| self.neighbor(reached))
            .collect();
        (arrived && found.len() == self.k).then_some(found)
    }

    fn within(&self, queries: Rows<'_>, radius: f32) -> Vec<Vec<Neighbor>> {
        let is_small = self.is_scan_cheaper();
        self.index.walkers.with(|scratch| {
            let answer = |query| {
                let walked = if is_small {
                    None
                } else {
                    self.walk_within(query, radius, scratch)
                };
                walked.unwrap_or_else(|| self.scan_within(query, radius))
            };
            queries.iter().map(answer).collect()
        })
    }

    fn scan_within(&self, query: &[f32], radius: f32) -> Vec<Neighbor> {
        let (index, run) = (self.index, CodeRun::all(&self.index.codes));
        self.named(
            index
                .quantizer
                .scan_range(index.metric, query, &run, &self.keep, radius),
        )
    }

    /// By ascending slot, as everything within a radius is given; `None` when that is more work than a scan.
    fn walk_within(&self, query: &[f32], radius: f32, scratch: &mut Scratch) -> Option<Vec<Neighbor>> {
        let scorer = self.index.quantizer.scorer(self.index.metric, query);
        let towards = self.towards(&*scorer);
        let entry = descended(towards, scratch)?;
        let walker = &mut scratch.walker;
        let arrived = walker.walk(towards, entry, 0, self.ef, self.matches, |_| true);
        let mut inside = arrived.then(|| walker.within(towards, radius, self.matches))??;
        inside.retain(|reached| self.keep.contains(reached.slot().into()));
        inside.sort_unstable_by_key(|reached| reached.slot());
        Some(inside.into_iter().map(|reached| self.neighbor(reached)).collect())
    }

    fn towards<'s>(&'s self, scorer: &'s dyn anear_quant::Scorer) -> Towards<'s> {
        Towards {
            graph: &self.index.graph,
            codes: self.index.codes.as_bytes(),
            scorer,
        }
    }

    fn neighbor(&self, reached: Reached) -> Neighbor {
        Neighbor {
            id: self.index.slots.id(reached.slot()),
            distance: reached.distance(),
        }
    }

    /// Neighbors that were found by slot.
    fn named(&self, mut found: Vec<Neighbor>) -> Vec<Neighbor> {
        found
            .iter_mut()
            .for_each(|neighbor| neighbor.id = self.index.slots.id(neighbor.id as u32));
        found
    }
}

/// The node of level 0 at which a walk begins.
pub(crate) fn descended(towards: Towards<'_>, scratch: &mut Scratch) -> Option<Reached> {
    let entry = towards.graph.entry_point()?;
    let mut nearest = Reached::new(towards.distance(entry), entry);
    for level in (1..=towards.graph.top_level(entry)).rev() {
        nearest = scratch.walker.descend(towards, nearest, level);
    }
    Some(nearest)
}
