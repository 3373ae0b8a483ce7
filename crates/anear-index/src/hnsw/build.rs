//! How vectors come into the graph: in batches that search it as it was, then link themselves into it.
//!
//! A batch is a fiftieth of the graph at most, and its vectors know the nearest among themselves by comparing all. What
//! each does depends on the graph before the batch alone: so the graph is the same on any number of threads.

use std::cmp::Reverse;

use anear_kernels::{Random, Rows};
use anear_pool::Pool;

use super::Hnsw;
use crate::graph::link::{Linker, Settled, TASK_NODES, batch_len};
use crate::graph::walk::{Reached, Towards};
use crate::graph::{Graph, Linked, Scratch};

/// Links a new node gets: those on level 0 first.
type Links = Vec<Vec<u32>>;

/// Links the slots from `first` on, which hold `vectors`, into the graph.
pub(super) fn insert(index: &mut Hnsw, first: u32, vectors: Rows<'_>, pool: Option<&Pool>) {
    let order = draw_levels(&mut index.linked, index.seed, first, vectors.len());
    let mut graph = index.linked.take_graph();
    let builder = Builder {
        linker: index.linked.linker(pool),
        ef: index.ef_construction,
        first,
        vectors,
    };
    let (mut done, mut settled) = (0, Settled::default());
    while done < order.len() {
        let len = batch_len(first as usize + done).min(order.len() - done);
        builder.insert(&mut graph, &order[done..done + len], &mut settled);
        done += len;
    }
    index.linked.graph = graph;
}

/// Gives the new slots their levels. They are inserted from the highest level down, as in Faiss, and otherwise in no
/// order: vectors often come sorted, and then a graph that grows along the order is a bad one.
fn draw_levels(index: &mut Linked, seed: u64, first: u32, count: usize) -> Vec<u32> {
    let (m, levels_max) = (index.graph.m() as u64, index.graph.levels_max());
    let mut order = Vec::with_capacity(count);
    index.graph.reserve(count);
    for slot in first..first + count as u32 {
        let random = mix(seed ^ mix(index.slots.id(slot)));
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

/// A number that looks random, another for each.
fn mix(number: u64) -> u64 {
    Random::new(number).bits()
}

struct Builder<'a> {
    linker: Linker<'a>,
    ef: usize,
    /// The slot of the first of `vectors`.
    first: u32,
    vectors: Rows<'a>,
}

impl Builder<'_> {
    fn insert(&self, graph: &mut Graph, batch: &[u32], settled: &mut Settled) {
        for (node, links) in self.find(graph, batch) {
            for (level, links) in links.iter().enumerate() {
                graph.set_links(node, level, links);
            }
        }
        self.linker.link_back(graph, batch, settled);
        let highest = batch.iter().copied().min_by_key(|node| Reverse(graph.top_level(*node)));
        let top = |node: Option<u32>| node.map(|node| graph.top_level(node));
        if top(highest) > top(graph.entry_point()) {
            graph.set_entry_point(highest);
        }
    }

    /// The links of each new node, found in the graph without them.
    fn find(&self, graph: &Graph, batch: &[u32]) -> Vec<(u32, Links)> {
        let peers = self.linker.peers(batch);
        self.linker.tasks(batch.len(), TASK_NODES, |range, scratch| {
            let links = |i: usize| (batch[i], self.links(graph, batch[i], &peers[i], scratch));
            range.map(links).collect()
        })
    }

    /// What a new node is linked to on each of its levels (Malkov and Yashunin, Algorithm 1).
    fn links(&self, graph: &Graph, node: u32, peers: &[Reached], scratch: &mut Scratch) -> Links {
        let own_top = graph.top_level(node);
        let mut links = vec![Vec::new(); own_top + 1];
        let Some(entry) = graph.entry_point() else {
            return links;
        };
        let query = self.vectors.row((node - self.first) as usize);
        let Linker { space, slots, .. } = self.linker;
        let scorer = space.quantizer.scorer(space.metric, query);
        let towards = Towards {
            graph,
            codes: space.codes.as_bytes(),
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
                slots.is_living(slot)
            });
            nearest = walker.found().next().unwrap_or(nearest);
            let peers = peers.iter().filter(|peer| graph.top_level(peer.slot()) >= level);
            let mut candidates: Vec<_> = walker.found().chain(peers.copied()).collect();
            candidates.sort_unstable();
            candidates.truncate(self.ef);
            links[level] = match graph.room(level) {
                room if candidates.len() <= room => candidates.iter().map(|candidate| candidate.slot()).collect(),
                room => selector.select(&space, &candidates, room, |_| false),
            };
        }
        links
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
