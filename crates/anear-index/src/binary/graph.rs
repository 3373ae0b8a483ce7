//! A hierarchical navigable small world: the graph alone, whatever its nodes are and however they are compared.
//!
//! Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small
//! World graphs", 2018; laid out in memory as Faiss's files have it. Two things differ from the paper. A search may
//! refuse nodes: it walks over them but does not return them. And nodes can be removed: whoever linked to one is linked
//! anew to what can be reached over it.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use anear_kernels::{Bitmap, Neighbor, Random};

/// A place for a link that is not there; -1 in files.
pub(crate) const NONE: u32 = u32::MAX;

/// How the nodes of a graph are compared.
pub(crate) trait Space {
    /// What nodes and queries are.
    type Point<'a>: Copy
    where
        Self: 'a;

    /// The node with this number.
    fn point(&self, node: u32) -> Self::Point<'_>;

    /// Distances of a point to some nodes, smaller for closer, none NaN.
    fn distances(&self, from: Self::Point<'_>, nodes: &[u32], out: &mut Vec<f32>);
}

/// Links between nodes on several levels. Node numbers are positions in some storage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Graph {
    /// How many links of a node are below each level: of those on level `l`, the first is `first_link[l]`.
    pub(crate) first_link: Vec<u32>,
    /// The share of nodes whose highest level this is.
    pub(crate) level_shares: Vec<f64>,
    /// How many levels each node is on, at least 1.
    pub(crate) levels: Vec<u32>,
    /// Where each node's links begin in `links`, and at last where they end.
    pub(crate) offsets: Vec<usize>,
    /// Node numbers; on each level, [`NONE`] from the first free place on.
    pub(crate) links: Vec<u32>,
    /// Where searches begin: a node on the most levels.
    pub(crate) entry: Option<u32>,
    /// Candidates kept while a new node's neighbors are searched.
    pub(crate) ef_construction: usize,
}

/// Seeds the levels of new nodes, together with their numbers.
const LEVEL_SEED: u64 = 12_345;

/// Levels that fewer nodes than this share would be on are left out.
const SHARE_MIN: f64 = 1e-9;

impl Graph {
    /// Without nodes; each will have up to `m` links per level, at least 2, and twice as many on the lowest.
    pub(crate) fn new(m: usize, ef_construction: usize) -> Self {
        let rate = (m as f64).ln();
        let share = |level: i32| (-f64::from(level) * rate).exp() * (1.0 - (-rate).exp());
        let level_shares: Vec<f64> = (0..).map(share).take_while(|share| *share >= SHARE_MIN).collect();
        let first_link = (0..=level_shares.len()).map(|level| match level {
            0 => 0,
            _ => ((level + 1) * m) as u32,
        });
        Self {
            first_link: first_link.collect(),
            level_shares,
            levels: Vec::new(),
            offsets: vec![0],
            links: Vec::new(),
            entry: None,
            ef_construction,
        }
    }

    /// Number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.levels.len()
    }

    /// Links per node and level above the lowest.
    pub(crate) fn m(&self) -> usize {
        match *self.first_link {
            [_, lowest, next, ..] => (next - lowest) as usize,
            [_, lowest] => lowest as usize / 2,
            _ => 0,
        }
    }

    /// The highest level of any search, -1 without nodes.
    pub(crate) fn max_level(&self) -> i32 {
        self.entry.map_or(-1, |entry| self.top_level(entry) as i32)
    }

    /// Says whether what a file holds is a graph whose highest level is `max_level`, and if not, why.
    pub(crate) fn check(&self, max_level: i32) -> Result<(), String> {
        let shares = &self.level_shares;
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return Err("the graph has a level whose probability is none".into());
        }
        let ascends = self.first_link.is_sorted() && self.first_link.first() == Some(&0);
        let levels_max = self.first_link.len().saturating_sub(1);
        if !ascends || self.first_link.get(1).is_none_or(|links| *links == 0) || self.m() == 0 {
            return Err("the graph's numbers of links per level do not ascend from 0".into());
        }
        if shares.is_empty() || shares.len() > levels_max {
            return Err(format!(
                "the graph has {} probabilities of {levels_max} levels",
                shares.len()
            ));
        }
        if let Some(levels) = self
            .levels
            .iter()
            .find(|levels| !(1..=levels_max).contains(&(**levels as usize)))
        {
            return Err(format!(
                "a node of the graph is on {levels} levels, expected 1 to {levels_max}"
            ));
        }
        let mut end = 0;
        let ends = self.levels.iter().map(|levels| {
            end += self.first_link[*levels as usize] as usize;
            end
        });
        if !std::iter::once(0).chain(ends).eq(self.offsets.iter().copied()) || end != self.links.len() {
            return Err("the graph's links do not begin where its levels say".into());
        }
        self.check_links()?;
        let entry_level = self
            .entry
            .map(|entry| self.levels.get(entry as usize).map(|levels| *levels as i32 - 1));
        match entry_level {
            None if self.levels.is_empty() && max_level == -1 => Ok(()),
            Some(Some(level)) if level == max_level => Ok(()),
            _ => Err("the graph's entry point is not on its highest level".into()),
        }
    }

    /// Every link leads to a node that is on the same level.
    fn check_links(&self) -> Result<(), String> {
        let is_on = |link: u32, level: usize| {
            self.levels
                .get(link as usize)
                .is_some_and(|levels| *levels as usize > level)
        };
        for node in 0..self.len() as u32 {
            for level in 0..=self.top_level(node) {
                if let Some(link) = self.neighbors(node, level).iter().find(|link| !is_on(**link, level)) {
                    return Err(format!(
                        "node {node} of the graph is linked to {link}, which is not on level {level}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The nodes that `node` is linked to on `level`.
    fn neighbors(&self, node: u32, level: usize) -> &[u32] {
        let places = &self.links[self.places(node, level)];
        let len = places.iter().position(|link| *link == NONE).unwrap_or(places.len());
        &places[..len]
    }

    fn places(&self, node: u32, level: usize) -> std::ops::Range<usize> {
        let first = self.offsets[node as usize];
        first + self.first_link[level] as usize..first + self.first_link[level + 1] as usize
    }

    fn top_level(&self, node: u32) -> usize {
        self.levels[node as usize] as usize - 1
    }

    fn link(&mut self, node: u32, level: usize, to: &[u32]) {
        let places = self.places(node, level);
        let (used, free) = self.links[places].split_at_mut(to.len());
        used.copy_from_slice(to);
        free.fill(NONE);
    }

    /// The level of a new node: higher ones for ever fewer, by its number.
    fn draw_level(&self, node: u32) -> usize {
        let mut left = Random::new(LEVEL_SEED ^ u64::from(node) << 20).unit();
        let level = self.level_shares.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        level.unwrap_or(self.level_shares.len() - 1)
    }
}

/// Up to `ef` accepted nodes near `query`, closest first.
pub(crate) fn search<S: Space>(
    graph: &Graph,
    space: &S,
    query: S::Point<'_>,
    ef: usize,
    accept: impl Fn(u32) -> bool,
    scratch: &mut Scratch,
) -> Vec<Neighbor> {
    let Some(mut entry) = graph.entry else {
        return Vec::new();
    };
    for level in (1..=graph.top_level(entry)).rev() {
        entry = descend(graph, space, query, entry, level, scratch);
    }
    beam(graph, space, query, entry, 0, ef, accept, scratch)
}

/// Appends a node, which `space` knows already, and links it.
pub(crate) fn insert<S: Space>(graph: &mut Graph, space: &S, scratch: &mut Scratch) {
    let node = graph.len() as u32;
    let (level, query) = (graph.draw_level(node), space.point(node));
    graph.levels.push(level as u32 + 1);
    let end = graph.links.len() + graph.first_link[level + 1] as usize;
    graph.links.resize(end, NONE);
    graph.offsets.push(end);
    let Some(mut entry) = graph.entry else {
        graph.entry = Some(node);
        return;
    };
    let top = graph.top_level(entry);
    for level in (level + 1..=top).rev() {
        entry = descend(graph, space, query, entry, level, scratch);
    }
    for level in (0..=level.min(top)).rev() {
        let ef = graph.ef_construction;
        let near = beam(graph, space, query, entry, level, ef, |_| true, scratch);
        entry = near.first().map_or(entry, |nearest| nearest.id as u32);
        let chosen = prune(space, near, graph.places(node, level).len());
        graph.link(node, level, &chosen);
        for &neighbor in &chosen {
            link_back(graph, space, neighbor, node, level);
        }
    }
    if level > top {
        graph.entry = Some(node);
    }
}

/// Links `node` to `new`; if it has no free place, it keeps the best of all its neighbors.
fn link_back<S: Space>(graph: &mut Graph, space: &S, node: u32, new: u32, level: usize) {
    let (room, mut all) = (graph.places(node, level).len(), graph.neighbors(node, level).to_vec());
    if all.contains(&new) {
        return;
    }
    all.push(new);
    if all.len() > room {
        all = prune(space, measured(space, node, &all), room);
    }
    graph.link(node, level, &all);
}

fn measured<S: Space>(space: &S, from: u32, nodes: &[u32]) -> Vec<Neighbor> {
    let mut distances = Vec::with_capacity(nodes.len());
    space.distances(space.point(from), nodes, &mut distances);
    let mut measured: Vec<_> = std::iter::zip(nodes, distances)
        .map(|(&node, distance)| Candidate::new(node, distance).0)
        .collect();
    measured.sort_unstable_by_key(|neighbor| Candidate(*neighbor));
    measured
}

/// Algorithm 4 of the paper: of candidates that are sorted by distance, keep one only if none that is kept is closer to
/// it than what the distances were measured from.
fn prune<S: Space>(space: &S, sorted: Vec<Neighbor>, room: usize) -> Vec<u32> {
    let (mut kept, mut distances) = (Vec::with_capacity(room), Vec::with_capacity(room));
    for candidate in sorted {
        if kept.len() == room {
            break;
        }
        distances.clear();
        space.distances(space.point(candidate.id as u32), &kept, &mut distances);
        if distances.iter().all(|distance| *distance >= candidate.distance) {
            kept.push(candidate.id as u32);
        }
    }
    kept
}

/// The node of a level from which no link leads closer to `query`.
fn descend<S: Space>(
    graph: &Graph,
    space: &S,
    query: S::Point<'_>,
    entry: u32,
    level: usize,
    scratch: &mut Scratch,
) -> u32 {
    let distances = &mut scratch.distances;
    distances.clear();
    space.distances(query, &[entry], distances);
    let mut best = (entry, distances[0]);
    loop {
        let (from, neighbors) = (best.0, graph.neighbors(best.0, level));
        distances.clear();
        space.distances(query, neighbors, distances);
        for (&node, &distance) in neighbors.iter().zip(&*distances) {
            if distance < best.1 {
                best = (node, distance);
            }
        }
        if best.0 == from {
            return from;
        }
    }
}

/// Algorithm 2 of the paper: walks to ever closer nodes until the closest that is left is farther than the `ef` best.
#[expect(
    clippy::too_many_arguments,
    reason = "a graph, a query, where to begin and what to take"
)]
fn beam<S: Space>(
    graph: &Graph,
    space: &S,
    query: S::Point<'_>,
    entry: u32,
    level: usize,
    ef: usize,
    accept: impl Fn(u32) -> bool,
    scratch: &mut Scratch,
) -> Vec<Neighbor> {
    scratch.begin(entry, graph.len());
    loop {
        let Scratch {
            list,
            distances,
            candidates,
            best,
            ..
        } = &mut *scratch;
        distances.clear();
        space.distances(query, list, distances);
        for (&node, &distance) in list.iter().zip(&*distances) {
            let candidate = Candidate::new(node, distance);
            if best.len() < ef || best.peek().is_some_and(|worst| distance < worst.0.distance) {
                candidates.push(Reverse(candidate));
                if accept(node) {
                    best.push(candidate);
                    if best.len() > ef {
                        best.pop();
                    }
                }
            }
        }
        let is_near = |next: &Candidate| best.len() < ef || best.peek().is_some_and(|worst| next <= worst);
        match candidates.pop().filter(|next| is_near(&next.0)) {
            Some(Reverse(Candidate(next))) => scratch.expand(graph, next.id as u32, level),
            None => {
                let best = std::mem::take(best).into_sorted_vec();
                return best.into_iter().map(|candidate| candidate.0).collect();
            }
        }
    }
}

/// Removes nodes; those behind move up. `space` still has all of them.
pub(crate) fn remove<S: Space>(graph: &mut Graph, space: &S, removed: &Bitmap) {
    for node in (0..graph.len() as u32).filter(|node| !removed.contains(*node as usize)) {
        for level in 0..=graph.top_level(node) {
            bypass(graph, space, node, level, removed);
        }
    }
    let mut numbers = vec![NONE; graph.len()];
    let kept = (0..graph.len()).filter(|node| !removed.contains(*node));
    for (number, node) in (0..).zip(kept) {
        numbers[node] = number;
    }
    let mut rest = Graph {
        levels: Vec::new(),
        offsets: vec![0],
        links: Vec::new(),
        entry: None,
        ..graph.clone()
    };
    for node in (0..graph.len()).filter(|node| numbers[*node] != NONE) {
        let links = &graph.links[graph.offsets[node]..graph.offsets[node + 1]];
        let renumber = |link: &u32| numbers.get(*link as usize).copied().unwrap_or(NONE);
        rest.links.extend(links.iter().map(renumber));
        rest.levels.push(graph.levels[node]);
        rest.offsets.push(rest.links.len());
    }
    let first_of_the_highest = (0..rest.len() as u32)
        .rev()
        .max_by_key(|node| rest.levels[*node as usize]);
    rest.entry = first_of_the_highest;
    *graph = rest;
}

/// If `node` is linked to removed ones, links it anew, to the nearest that it reaches over those.
fn bypass<S: Space>(graph: &mut Graph, space: &S, node: u32, level: usize, removed: &Bitmap) {
    let is_removed = |node: &u32| removed.contains(*node as usize);
    if !graph.neighbors(node, level).iter().any(is_removed) {
        return;
    }
    let room = graph.places(node, level).len();
    let mut seen = vec![node];
    let (mut left, mut reached) = (VecDeque::from([node]), Vec::new());
    while let Some(from) = left.pop_front() {
        for &next in graph.neighbors(from, level) {
            if seen.contains(&next) {
                continue;
            }
            seen.push(next);
            match is_removed(&next) {
                true => left.push_back(next),
                false => reached.push(next),
            }
        }
        if reached.len() >= 2 * room {
            break;
        }
    }
    let chosen = prune(space, measured(space, node, &reached), room);
    graph.link(node, level, &chosen);
    for neighbor in chosen {
        link_back(graph, space, neighbor, node, level);
    }
}

/// What searches one after the other use again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    visited: Bitmap,
    /// The nodes in `visited`.
    trace: Vec<u32>,
    /// Nodes to be measured next, and their distances.
    list: Vec<u32>,
    distances: Vec<f32>,
    /// Where to go on from, the nearest first.
    candidates: BinaryHeap<Reverse<Candidate>>,
    /// What was found, the farthest first.
    best: BinaryHeap<Candidate>,
}

impl Scratch {
    /// Begins at `entry` in a graph of `len` nodes.
    fn begin(&mut self, entry: u32, len: usize) {
        for node in self.trace.drain(..) {
            self.visited.remove(node as usize);
        }
        self.visited.resize(len);
        self.candidates.clear();
        self.best.clear();
        self.list.clear();
        self.visit(entry);
    }

    fn visit(&mut self, node: u32) {
        if self.visited.insert(node as usize) {
            self.trace.push(node);
            self.list.push(node);
        }
    }

    /// Lists the neighbors of `node` that were not visited before.
    fn expand(&mut self, graph: &Graph, node: u32, level: usize) {
        self.list.clear();
        graph.neighbors(node, level).iter().for_each(|next| self.visit(*next));
    }
}

/// In the order in which nodes are walked to: by distance, ties by number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Candidate(Neighbor);

impl Candidate {
    fn new(node: u32, distance: f32) -> Self {
        Self(Neighbor {
            id: node.into(),
            distance,
        })
    }
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_distance = self.0.distance.total_cmp(&other.0.distance);
        by_distance.then(self.0.id.cmp(&other.0.id))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
