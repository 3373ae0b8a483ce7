//! How vectors come into the graph: in batches that search it as it was, then link themselves into it.
//!
//! A batch is a fiftieth of the graph at most, and its vectors know the nearest among themselves by comparing all. What
//! each does depends on the graph before the batch alone, and what is done to a node on everything that was linked to it,
//! in order: so the graph is the same on any number of threads.

use std::cmp::Reverse;
use std::ops::Range;

use anear_kernels::{IdSelector, Neighbor, Rows, TopK, scan_batch};
use anear_pool::Pool;

use super::graph::Graph;
use super::select::Space;
use super::slots::Slots;
use super::walk::{Reached, Towards};
use super::{Hnsw, Scratch, Walkers};
use crate::flat::{on_pool, parts};

/// A batch is at most this share of the nodes there are: too little for the graph to miss it.
const BATCH_SHARE: usize = 50;

/// Comparing all vectors of a batch with each other costs as much as a walk at some thousands.
const BATCH_MAX: usize = 1024;

/// Nearest of the same batch that are candidates: as many as a node has links at most, by Faiss's default.
const PEERS: usize = 32;

/// Nodes of one task that compares a batch with itself: as many as a register tile takes, some times.
const TASK_PEERS: usize = 64;

/// Nodes of one task: enough to hide handing it over, few enough that all threads end together.
const TASK_NODES: usize = 8;

/// Links a new node gets: those on level 0 first.
type Links = Vec<Vec<u32>>;

/// A node that is linked to another on a level: in the order in which links are put in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Back {
    level: usize,
    node: u32,
    new: u32,
}

/// Links the slots from `first` on, which hold `vectors`, into the graph.
pub(super) fn insert(index: &mut Hnsw, first: u32, vectors: Rows<'_>, pool: Option<&Pool>) {
    let order = draw_levels(index, first, vectors.len());
    let mut graph = std::mem::replace(&mut index.graph, Graph::new(2));
    let builder = Builder {
        space: index.space(),
        slots: &index.slots,
        walkers: &index.walkers,
        ef: index.ef_construction,
        first,
        vectors,
        pool,
    };
    let mut done = 0;
    while done < order.len() {
        let len = ((first as usize + done) / BATCH_SHARE)
            .clamp(1, BATCH_MAX)
            .min(order.len() - done);
        builder.insert(&mut graph, &order[done..done + len]);
        done += len;
    }
    index.graph = graph;
}

/// Gives the new slots their levels. They are inserted from the highest level down, as in Faiss, and otherwise in no
/// order: vectors often come sorted, and then a graph that grows along the order is a bad one.
fn draw_levels(index: &mut Hnsw, first: u32, count: usize) -> Vec<u32> {
    let (m, levels_max) = (index.graph.m() as u64, index.graph.levels_max());
    let mut order = Vec::with_capacity(count);
    for slot in first..first + count as u32 {
        let random = mix(index.seed ^ mix(index.slots.id(slot)));
        let level = draw_level(random, m, levels_max);
        index.graph.push(level);
        order.push((Reverse(level), mix(random), slot));
    }
    order.sort_unstable();
    order.into_iter().map(|(.., slot)| slot).collect()
}

/// A level that one in `m` of the nodes passes, as in Faiss.
fn draw_level(random: u64, m: u64, levels_max: usize) -> usize {
    let chances = std::iter::successors(Some(u64::MAX / m), |chance| Some(chance / m));
    chances
        .take(levels_max - 1)
        .take_while(|chance| random < *chance)
        .count()
}

/// A number that looks random, another for each (Steele, Lea and Flood, SplitMix64, 2014).
fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

struct Builder<'a> {
    space: Space<'a>,
    slots: &'a Slots,
    walkers: &'a Walkers,
    ef: usize,
    /// The slot of the first of `vectors`.
    first: u32,
    vectors: Rows<'a>,
    pool: Option<&'a Pool>,
}

impl Builder<'_> {
    fn insert(&self, graph: &mut Graph, batch: &[u32]) {
        for (node, links) in self.find(graph, batch) {
            for (level, links) in links.iter().enumerate() {
                graph.set_links(node, level, links);
            }
        }
        self.link_back(graph, batch);
        let highest = batch.iter().copied().min_by_key(|node| Reverse(graph.top_level(*node)));
        let top = |node: Option<u32>| node.map(|node| graph.top_level(node));
        if top(highest) > top(graph.entry_point()) {
            graph.set_entry_point(highest);
        }
    }

    /// The links of each new node, found in the graph without them.
    fn find(&self, graph: &Graph, batch: &[u32]) -> Vec<(u32, Links)> {
        let peers = self.peers(batch);
        self.tasks(batch.len(), TASK_NODES, |range, scratch| {
            let links = |i: usize| (batch[i], self.links(graph, batch[i], &peers[i], scratch));
            range.map(links).collect()
        })
    }

    /// The nearest of the same batch, for each of it.
    fn peers(&self, batch: &[u32]) -> Vec<Vec<Reached>> {
        if batch.len() == 1 {
            return vec![Vec::new()];
        }
        let mut decoded = Vec::new();
        self.space.decode(batch.iter().copied(), &mut decoded);
        let rows = Rows::new(&decoded, self.vectors.dim()).expect("whole vectors");
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

    /// What a new node is linked to on each of its levels (Malkov and Yashunin, Algorithm 1).
    fn links(&self, graph: &Graph, node: u32, peers: &[Reached], scratch: &mut Scratch) -> Links {
        let own_top = graph.top_level(node);
        let mut links = vec![Vec::new(); own_top + 1];
        let Some(entry) = graph.entry_point() else {
            return links;
        };
        let query = self.vectors.row((node - self.first) as usize);
        let scorer = self.space.quantizer.scorer(self.space.metric, query);
        let towards = Towards {
            graph,
            codes: self.space.codes.as_bytes(),
            scorer: &*scorer,
        };
        let Scratch { walker, selector } = scratch;
        let mut nearest = Reached::new(towards.distance(entry), entry);
        let top = graph.top_level(entry);
        for level in (own_top + 1..=top).rev() {
            nearest = walker.descend(towards, nearest, level);
        }
        for level in (0..=own_top.min(top)).rev() {
            walker.walk(towards, nearest, level, self.ef, usize::MAX, |slot| {
                self.slots.is_living(slot)
            });
            nearest = walker.found().next().unwrap_or(nearest);
            let peers = peers.iter().filter(|peer| graph.top_level(peer.slot()) >= level);
            let mut candidates: Vec<_> = walker.found().chain(peers.copied()).collect();
            candidates.sort_unstable();
            candidates.truncate(self.ef);
            links[level] = match graph.room(level) {
                room if candidates.len() <= room => candidates.iter().map(|candidate| candidate.slot()).collect(),
                room => selector.select(&self.space, &candidates, room),
            };
        }
        links
    }

    /// Links the neighbors of the new nodes back to them; one that has no place left keeps the best of all.
    fn link_back(&self, graph: &mut Graph, batch: &[u32]) {
        let mut backs = Vec::new();
        for &new in batch {
            for level in 0..=graph.top_level(new) {
                backs.extend(graph.links(new, level).iter().map(|&node| Back { level, node, new }));
            }
        }
        backs.sort_unstable();
        let nodes: Vec<&[Back]> = backs.chunk_by(|a, b| (a.level, a.node) == (b.level, b.node)).collect();
        let read: &Graph = graph;
        let links = self.tasks(nodes.len(), TASK_NODES, |range, scratch| {
            nodes[range]
                .iter()
                .map(|backs| self.merged(read, backs, scratch))
                .collect()
        });
        for (backs, links) in nodes.iter().zip(links) {
            graph.set_links(backs[0].node, backs[0].level, &links);
        }
    }

    /// The links of a node that is to be linked to new ones, too.
    fn merged(&self, graph: &Graph, backs: &[Back], scratch: &mut Scratch) -> Vec<u32> {
        let Back { level, node, .. } = backs[0];
        let mut links = graph.links(node, level).to_vec();
        let old = links.clone();
        links.extend(backs.iter().map(|back| back.new).filter(|new| !old.contains(new)));
        if links.len() <= graph.room(level) {
            return links;
        }
        scratch.nearest_of(&self.space, node, &links, graph.room(level), 0)
    }

    /// What `work` makes of all nodes, `len` at a time.
    fn tasks<T: Send>(
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
    /// Up to `room` of `nodes` that `node` is to be linked to; where fewer than `fill` were selected, the nearest others
    /// make up for them.
    pub(super) fn nearest_of(
        &mut self,
        space: &Space<'_>,
        node: u32,
        nodes: &[u32],
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
        let mut selected = self.selector.select(space, &candidates, room);
        let rest = candidates.iter().map(|candidate| candidate.slot());
        let rest = rest
            .filter(|slot| !selected.contains(slot))
            .take(fill.saturating_sub(selected.len()));
        let rest: Vec<u32> = rest.collect();
        selected.extend(rest);
        selected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_m_passes_each_level() {
        let levels: Vec<usize> = (0..100_000).map(|i| draw_level(mix(i), 10, 7)).collect();
        for (level, expected) in [(1, 10_000.0_f64), (2, 1_000.0), (3, 100.0)] {
            let passed = levels.iter().filter(|own| **own >= level).count() as f64;
            // Four standard deviations.
            assert!(
                (passed - expected).abs() < 4.0 * expected.sqrt(),
                "{passed} pass level {level}"
            );
        }
        assert_eq!(draw_level(0, 2, 4), 3, "never beyond the highest");
    }
}
