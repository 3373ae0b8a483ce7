//! How new nodes come into a graph, whatever links they choose: they know the nearest among themselves, and what they are
//! linked to is linked back to them.
//!
//! What is done to a node depends on everything that was linked to it, in order: so the graph is the same on any number of
//! threads.

use std::collections::HashMap;
use std::ops::Range;

use anear_kernels::{IdSelector, Neighbor, Rows, TopK, scan_batch};
use anear_pool::Pool;

use super::links::Graph;
use super::select::Space;
use super::slots::Slots;
use super::walk::Reached;
use super::{Scratch, Walkers};
use crate::tiles::{on_pool, parts};

/// A batch is at most this share of the nodes there are: too little for the graph to miss it.
const BATCH_SHARE: usize = 50;

/// Comparing all vectors of a batch with each other costs as much as a walk at some thousands.
const BATCH_MAX: usize = 1024;

/// Nearest of the same batch that are candidates: as many as a node has links at most, by Faiss's default.
const PEERS: usize = 32;

/// Nodes of one task that compares a batch with itself: as many as a register tile takes, some times.
const TASK_PEERS: usize = 64;

/// Nodes of one task: enough to hide handing it over, few enough that all threads end together.
pub(crate) const TASK_NODES: usize = 8;

/// A node that is linked to another on a level: in the order in which links are put in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Back {
    level: usize,
    node: u32,
    new: u32,
}

impl Back {
    fn key(self) -> (u32, u32) {
        (self.level as u32, self.node)
    }
}

/// How many links of a node, by level and node, were selected together, while nodes are linked: the first ones, to which
/// others were added behind. The rest has none.
pub(crate) type Settled = HashMap<(u32, u32), u32>;

/// What nodes are linked by.
#[derive(Clone, Copy)]
pub(crate) struct Linker<'a> {
    pub(crate) space: Space<'a>,
    pub(crate) slots: &'a Slots,
    pub(crate) walkers: &'a Walkers,
    pub(crate) pool: Option<&'a Pool>,
}

/// How many nodes may search a graph of `nodes` at a time, before they link themselves into it.
pub(crate) fn batch_len(nodes: usize) -> usize {
    (nodes / BATCH_SHARE).clamp(1, BATCH_MAX)
}

impl Linker<'_> {
    /// The nearest of the same batch, for each of it.
    pub(crate) fn peers(&self, batch: &[u32]) -> Vec<Vec<Reached>> {
        if batch.len() == 1 {
            return vec![Vec::new()];
        }
        let mut decoded = Vec::new();
        self.space.decode(batch.iter().copied(), &mut decoded);
        let rows = Rows::new(&decoded, self.space.quantizer.dim()).expect("whole vectors");
        let reached = |peer: Neighbor| Reached::new(peer.distance, batch[peer.id as usize]);
        self.tasks(batch.len(), TASK_PEERS, |range, _| {
            let peers = self.nearest_rows(rows, range).into_iter();
            peers.map(|peers| peers.into_iter().map(reached).collect()).collect()
        })
    }

    /// The nearest other rows, for each of a range of them.
    fn nearest_rows(&self, rows: Rows<'_>, range: Range<usize>) -> Vec<Vec<Neighbor>> {
        // One more: itself.
        let mut tops: Vec<_> = range.clone().map(|_| TopK::new(PEERS + 1)).collect();
        scan_batch(
            self.space.metric,
            rows.slice(range.clone()),
            rows,
            0,
            &IdSelector::All,
            &mut tops,
        );
        let others = |(own, top): (usize, TopK)| {
            let mut found = top.into_sorted();
            found.retain(|peer| peer.id != own as u64);
            found
        };
        range.zip(tops).map(others).collect()
    }

    /// Links the neighbors of the new nodes back to them; one that has no place left keeps the best of all.
    pub(crate) fn link_back(&self, graph: &mut Graph, batch: &[u32], settled: &mut Settled) {
        let mut backs = Vec::new();
        for &new in batch {
            for level in 0..=graph.top_level(new) {
                backs.extend(graph.links(new, level).iter().map(|&node| Back { level, node, new }));
            }
        }
        backs.sort_unstable();
        let nodes: Vec<&[Back]> = backs.chunk_by(|a, b| (a.level, a.node) == (b.level, b.node)).collect();
        let (read, known): (&Graph, &Settled) = (graph, settled);
        let links = self.tasks(nodes.len(), TASK_NODES, |range, scratch| {
            nodes[range]
                .iter()
                .map(|backs| self.merged(read, backs, known, scratch))
                .collect()
        });
        for (backs, (links, selected)) in nodes.iter().zip(links) {
            graph.set_links(backs[0].node, backs[0].level, &links);
            if selected {
                settled.insert(backs[0].key(), links.len() as u32);
            }
        }
    }

    /// The links of a node that is to be linked to new ones, too, and whether they were selected.
    fn merged(&self, graph: &Graph, backs: &[Back], settled: &Settled, scratch: &mut Scratch) -> (Vec<u32>, bool) {
        let Back { level, node, .. } = backs[0];
        let old = graph.links(node, level);
        let mut links = Vec::with_capacity(old.len() + backs.len());
        links.extend_from_slice(old);
        links.extend(backs.iter().map(|back| back.new).filter(|new| !old.contains(new)));
        if links.len() <= graph.room(level) {
            return (links, false);
        }
        let settled = settled.get(&backs[0].key()).map_or(0, |count| *count as usize);
        let selected = scratch.nearest_of(&self.space, node, &links, settled, graph.room(level), 0);
        (selected, true)
    }

    /// What `work` makes of all nodes, `len` at a time.
    pub(crate) fn tasks<T: Send>(
        &self,
        nodes: usize,
        len: usize,
        work: impl Fn(Range<usize>, &mut Scratch) -> Vec<T> + Send + Sync,
    ) -> Vec<T> {
        let tasks: Vec<_> = parts(nodes, len).collect();
        let done = on_pool(self.pool, tasks.len(), |task| {
            self.walkers.with(|scratch| work(tasks[task].clone(), scratch))
        });
        done.into_iter().flatten().collect()
    }
}

impl Scratch {
    /// Up to `room` of `nodes` that `node` is to be linked to, of which the first `settled` were selected for it before;
    /// where fewer than `fill` are selected, the nearest others make up for them.
    pub(crate) fn nearest_of(
        &mut self,
        space: &Space<'_>,
        node: u32,
        nodes: &[u32],
        settled: usize,
        room: usize,
        fill: usize,
    ) -> Vec<u32> {
        let mut vector = Vec::new();
        space.decode(std::iter::once(node), &mut vector);
        let mut distances = vec![0.0; nodes.len()];
        let scorer = space.quantizer.scorer(space.metric, &vector);
        scorer.score_at(space.codes.as_bytes(), nodes, &mut distances);
        let mut candidates: Vec<_> = distances
            .iter()
            .zip(nodes)
            .map(|(d, node)| Reached::new(*d, *node))
            .collect();
        // What is farther than twice as many as there is room for is hardly ever selected.
        if candidates.len() > 2 * room {
            candidates.select_nth_unstable(2 * room);
            candidates.truncate(2 * room);
        }
        candidates.sort_unstable();
        let settled = |slot: u32| nodes[..settled].contains(&slot);
        let mut selected = self.selector.select(space, &candidates, room, settled);
        let rest = candidates.iter().map(|candidate| candidate.slot());
        let rest = rest
            .filter(|slot| !selected.contains(slot))
            .take(fill.saturating_sub(selected.len()));
        let rest: Vec<u32> = rest.collect();
        selected.extend(rest);
        selected
    }
}
