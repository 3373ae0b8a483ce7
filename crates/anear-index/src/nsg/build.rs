//! How the graph is built: every vector is linked to some of its neighbors (Fu et al., Algorithm 2), which an HNSW graph
//! finds; and how a few more vectors are linked into it.
//!
//! What a node chooses depends on the graph before its batch alone, what is linked back on everything that chose it, in
//! order, and what mends the graph comes node by node: so the graph is the same on any number of threads.

use anear_kernels::{IdSelector, TopK};
use anear_pool::Pool;
use anear_quant::CodeRun;

use super::Nsg;
use crate::graph::link::{Linker, Settled, TASK_NODES, batch_len};
use crate::graph::walk::{Reached, Towards};
use crate::graph::{Graph, Linked, NO_LINK, Scratch, remove, search};
use crate::{Hnsw, Result};

/// So many more candidates than links are kept while a node looks for its own. Faiss keeps 32 more and considers all that
/// it passed, too; with these alone its recall is reached (within 0.003 on uniform data of 32 dimensions).
const MORE_CANDIDATES: usize = 96;

/// Links what is in the slots from `first` on, which are no nodes yet.
pub(super) fn insert(index: &mut Nsg, first: u32, pool: Option<&Pool>) -> Result<()> {
    let linked = &mut index.linked;
    let count = linked.slots.len() - first as usize;
    if count < linked.slots.living() - count {
        insert_some(linked, first, pool);
    } else if count > 0 {
        if linked.slots.living() < linked.slots.len() {
            remove::compact_slots(linked)?;
        }
        build(linked, index.seed, pool);
    }
    Ok(())
}

/// The graph of all slots, which are all in use.
fn build(index: &mut Linked, seed: u64, pool: Option<&Pool>) {
    let room = index.graph.room(0);
    let hnsw = hnsw(index, seed, pool);
    let builder = Builder::new(index, room, pool);
    let nodes: Vec<u32> = (0..hnsw.len() as u32).collect();
    let links = builder.choose(&hnsw, &nodes, &vec![Vec::new(); nodes.len()]);
    let mut graph = Graph::level(room);
    graph.reserve(nodes.len());
    nodes.iter().for_each(|_| graph.push(0));
    graph.set_entry_point(middle(index));
    builder.link(&mut graph, &nodes, &links);
    builder.connect(&mut graph);
    index.graph = graph;
}

/// Another graph of all slots, in which neighbors are found. Fu et al. look for them in the graph of the nearest neighbors
/// of every vector, which falls apart where vectors lie in clusters.
fn hnsw(index: &mut Linked, seed: u64, pool: Option<&Pool>) -> Graph {
    let vectors = index.vectors_of(0..index.slots.len() as u32);
    let m = (index.graph.room(0) / 2).max(2);
    let mut hnsw = Hnsw::over(index.with_graph(Graph::new(m)), seed);
    hnsw.insert(0, index.rows(&vectors), pool);
    *index = hnsw.into_linked();
    index.take_graph()
}

/// The vector in use that is nearest to the mean of all: Fu et al.'s navigating node.
fn middle(index: &Linked) -> Option<u32> {
    let mut sums = vec![0.0_f64; index.quantizer.dim()];
    let mut vector = Vec::new();
    for slot in index.slots.in_use() {
        vector.clear();
        index.space().decode(std::iter::once(slot), &mut vector);
        sums.iter_mut().zip(&vector).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    let count = index.slots.living().max(1) as f64;
    let mean: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
    let selected = index.slots.selected(&IdSelector::All);
    let (run, mut tops) = (CodeRun::all(&index.codes), [TopK::new(1)]);
    index
        .quantizer
        .scan(index.metric, index.rows(&mean), &run, &selected.selector(), &mut tops);
    let [top] = tops;
    top.into_sorted().first().map(|nearest| nearest.id as u32)
}

/// Lets searches begin in the middle.
pub(super) fn move_to_the_middle(index: &mut Linked) {
    let middle = middle(index);
    index.graph.set_entry_point(middle);
}

/// Links the slots from `first` on into the graph there is.
fn insert_some(index: &mut Linked, first: u32, pool: Option<&Pool>) {
    let mut graph = index.take_graph();
    let builder = Builder::new(index, graph.room(0), pool);
    let nodes: Vec<u32> = (first..index.slots.len() as u32).collect();
    let mut done = 0;
    while done < nodes.len() {
        let batch = &nodes[done..nodes.len().min(done + batch_len(graph.len()))];
        let links = builder.choose(&graph, batch, &builder.linker.peers(batch));
        batch.iter().for_each(|_| graph.push(0));
        builder.link(&mut graph, batch, &links);
        builder.adopt_all(&mut graph, batch);
        done += batch.len();
    }
    index.graph = graph;
}

struct Builder<'a> {
    linker: Linker<'a>,
    /// Links of a node.
    room: usize,
}

impl<'a> Builder<'a> {
    fn new(index: &'a Linked, room: usize, pool: Option<&'a Pool>) -> Self {
        let linker = index.linker(pool);
        Self { linker, room }
    }

    /// What each of `nodes` is to be linked to, of what it finds in `graph` and of its peers.
    fn choose(&self, graph: &Graph, nodes: &[u32], peers: &[Vec<Reached>]) -> Vec<Vec<u32>> {
        self.linker.tasks(nodes.len(), TASK_NODES, |range, scratch| {
            let links = |i: usize| self.links(graph, nodes[i], &peers[i], scratch);
            range.map(links).collect()
        })
    }

    fn links(&self, graph: &Graph, node: u32, peers: &[Reached], scratch: &mut Scratch) -> Vec<u32> {
        let mut candidates = self.found(graph, node, scratch);
        candidates.extend(peers);
        candidates.sort_unstable();
        candidates.dedup();
        scratch
            .selector
            .select(&self.linker.space, &candidates, self.room, |_| false)
    }

    /// What is nearest to a node on the way to it, and what it is linked to; it may be no node of the graph yet.
    fn found(&self, graph: &Graph, node: u32, scratch: &mut Scratch) -> Vec<Reached> {
        let Linker { space, slots, .. } = self.linker;
        let mut vector = Vec::new();
        space.decode(std::iter::once(node), &mut vector);
        let scorer = space.quantizer.scorer(space.metric, &vector);
        let towards = Towards {
            graph,
            codes: space.codes.as_bytes(),
            scorer: &*scorer,
        };
        let Some(from) = search::descended(towards, scratch) else {
            return Vec::new();
        };
        let width = self.room + MORE_CANDIDATES;
        scratch.walker.walk(towards, from, 0, width, usize::MAX, |slot| {
            slot != node && slots.is_living(slot)
        });
        let levels = if (node as usize) < graph.len() {
            graph.top_level(node) + 1
        } else {
            0
        };
        let links = (0..levels).flat_map(|level| graph.links(node, level));
        let links = links.map(|&link| Reached::new(towards.distance(link), link));
        scratch.walker.found().chain(links).collect()
    }

    /// Links nodes to what they chose, and that back to them.
    fn link(&self, graph: &mut Graph, nodes: &[u32], links: &[Vec<u32>]) {
        for (node, links) in nodes.iter().zip(links) {
            graph.set_links(*node, 0, links);
        }
        self.linker.link_back(graph, nodes, &mut Settled::default());
    }

    /// Links those of `nodes` to which nothing is linked any more.
    fn adopt_all(&self, graph: &mut Graph, nodes: &[u32]) {
        for &node in nodes {
            let near = graph.links(node, 0);
            if !near.iter().any(|near| graph.links(*near, 0).contains(&node)) {
                self.adopt(graph, node, |_| true);
            }
        }
    }

    /// Links what cannot be reached from the middle to what can: the nearest with a place left.
    fn connect(&self, graph: &mut Graph) {
        let mut reached = vec![false; graph.len()];
        let mut open: Vec<u32> = graph.entry_point().into_iter().collect();
        for node in 0..graph.len() as u32 {
            while let Some(next) = open.pop() {
                if !std::mem::replace(&mut reached[next as usize], true) {
                    open.extend(graph.links(next, 0));
                }
            }
            if !reached[node as usize] {
                self.adopt(graph, node, |slot| reached[slot as usize]);
                open.push(node);
            }
        }
    }

    /// Links a node's nearest with a place left, of those that `accepts` admits, to it.
    fn adopt(&self, graph: &mut Graph, node: u32, accepts: impl Fn(u32) -> bool) {
        let is_living = |slot: &u32| self.linker.slots.is_living(*slot);
        let has_place = |slot: &u32| accepts(*slot) && is_living(slot) && graph.places_of(*slot, 0).contains(&NO_LINK);
        let found = self.linker.walkers.with(|scratch| self.found(graph, node, scratch));
        let near = found.iter().map(|reached| reached.slot()).find(has_place);
        // Where all around are full, anyone is better than none.
        let parent = near.or_else(|| (0..graph.len() as u32).filter(|slot| *slot != node).find(has_place));
        if let Some(parent) = parent {
            let links = [graph.links(parent, 0), &[node]].concat();
            graph.set_links(parent, 0, &links);
        }
    }
}
