//! Links between slots on several levels, laid out as in Faiss's files.

use std::ops::Range;

use anear_bytes::try_reserve_large;
use anear_kernels::prefetch;

use crate::{Error, Result};

/// A place for a link that is not there; -1 in Faiss's files.
pub const NO_LINK: u32 = u32::MAX;

/// Places for links of a node on one level, at most: twice as many as a graph has links per vector.
const PLACES_MAX: u32 = 2 << 12;

/// More slots do not fit the walks' entries, which keep two bits of a slot's number for themselves.
pub(crate) const SLOTS_MAX: usize = 1 << 30;

/// Levels on which fewer than this share of the nodes would be are left out, as in Faiss.
const SHARE_MIN: f64 = 1e-9;

/// Links between nodes, numbered from 0 as the slots of their codes; each node is on level 0 and on some above it.
///
/// The links of node `i` on level `l` are
/// `neighbors[offsets[i] + cum_nneighbor_per_level[l] .. offsets[i] + cum_nneighbor_per_level[l + 1]]`, with
/// [`NO_LINK`] from the first free place on.
///
/// ```
/// use anear_index::{Graph, GraphParts, NO_LINK};
///
/// // Two nodes on level 0 that are linked to each other.
/// let graph = Graph::from_parts(GraphParts {
///     levels: vec![1, 1],
///     offsets: vec![0, 4, 8],
///     neighbors: [[1, NO_LINK, NO_LINK, NO_LINK], [0, NO_LINK, NO_LINK, NO_LINK]].concat(),
///     cum_nneighbor_per_level: vec![0, 4, 6],
///     entry_point: Some(0),
/// })?;
/// assert_eq!(graph.links(1, 0), [0]);
/// assert_eq!(graph.m(), 2);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    parts: GraphParts,
}

/// What a [`Graph`] is made of, under Faiss's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphParts {
    /// On how many levels each node is, at least 1.
    pub levels: Vec<u32>,
    /// Where the links of each node begin, and at last where they end.
    pub offsets: Vec<u64>,
    /// Links of all nodes, node by node, level by level.
    pub neighbors: Vec<u32>,
    /// Places of a node below each level, beginning with 0.
    pub cum_nneighbor_per_level: Vec<u32>,
    /// Where searches begin: a node of the highest level on which searches go; `None` where there is no node.
    pub entry_point: Option<u32>,
}

impl Graph {
    /// Without nodes; each will have `m` links per level, twice as many on level 0.
    ///
    /// # Panics
    /// When `m` is below 2: then every node would be on every level.
    pub fn new(m: usize) -> Self {
        assert!(m >= 2, "a node has at least two links");
        let share = |level: i32| (m as f64).powi(-level) * (1.0 - 1.0 / m as f64);
        let levels = (0..).take_while(|level| share(*level) >= SHARE_MIN).count();
        let places = |level: usize| if level == 0 { 0 } else { (level + 1) * m };
        Self {
            parts: GraphParts {
                offsets: vec![0],
                cum_nneighbor_per_level: (0..=levels.max(1)).map(|level| places(level) as u32).collect(),
                ..GraphParts::default()
            },
        }
    }

    /// Without nodes; each will have up to `room` links, all on level 0.
    pub(crate) fn level(room: usize) -> Self {
        Self {
            parts: GraphParts {
                offsets: vec![0],
                cum_nneighbor_per_level: vec![0, room as u32],
                ..GraphParts::default()
            },
        }
    }

    /// The graph of these parts, if they are one.
    ///
    /// # Errors
    /// [`Error::Damaged`] when levels, offsets and places contradict each other, and when a link leads to no node or to
    /// one that is not on its level, or the entry point is none.
    pub fn from_parts(parts: GraphParts) -> Result<Self> {
        let mut graph = Self { parts };
        graph.check_places()?;
        graph.check_offsets()?;
        graph.check_links()?;
        graph.check_entry()?;
        Ok(graph)
    }

    /// What it is made of.
    pub fn parts(&self) -> &GraphParts {
        &self.parts
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.parts.levels.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Places for links per node and level above level 0.
    pub fn m(&self) -> usize {
        match *self.parts.cum_nneighbor_per_level {
            [_, first, second, ..] => (second - first) as usize,
            [_, first] => first as usize / 2,
            _ => 0,
        }
    }

    /// Where searches begin.
    pub fn entry_point(&self) -> Option<u32> {
        self.parts.entry_point
    }

    /// The highest level on which `node` is.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn top_level(&self, node: u32) -> usize {
        self.parts.levels[node as usize] as usize - 1
    }

    /// The nodes to which `node` is linked on `level`.
    ///
    /// # Panics
    /// When there is no such node, or it is not on that level.
    pub fn links(&self, node: u32, level: usize) -> &[u32] {
        let places = self.places_of(node, level);
        &places[..places.partition_point(|link| *link != NO_LINK)]
    }

    /// Hints that links of `node` may be read soon: where they are is the first thing to know then.
    pub(crate) fn prefetch_place(&self, node: u32) {
        prefetch(&self.parts.offsets[node as usize..][..1]);
    }

    /// The places for links of `node` on `level`, free ones, too.
    pub(crate) fn places_of(&self, node: u32, level: usize) -> &[u32] {
        &self.parts.neighbors[self.places(node, level)]
    }

    /// Places for links of a node on `level`.
    pub(crate) fn room(&self, level: usize) -> usize {
        let places = &self.parts.cum_nneighbor_per_level;
        (places[level + 1] - places[level]) as usize
    }

    /// Levels there can be.
    pub(crate) fn levels_max(&self) -> usize {
        self.parts.cum_nneighbor_per_level.len() - 1
    }

    /// Makes room for the links of as many nodes as will come, most of them on level 0 alone.
    pub(crate) fn reserve(&mut self, nodes: usize) {
        let neighbors = &mut self.parts.neighbors;
        let places = self.parts.cum_nneighbor_per_level[1] as usize;
        // A fiftieth for those on higher levels, of which there are `m` times fewer on each.
        // Without memory, adding the nodes says so.
        let _ = try_reserve_large(neighbors, nodes * places + nodes * places / 50);
    }

    /// Appends a node without links.
    pub(crate) fn push(&mut self, top_level: usize) {
        let parts = &mut self.parts;
        let places = parts.cum_nneighbor_per_level[top_level + 1] as usize;
        parts.levels.push(top_level as u32 + 1);
        parts.neighbors.resize(parts.neighbors.len() + places, NO_LINK);
        parts.offsets.push(parts.neighbors.len() as u64);
    }

    /// Links `node` to these and to no others.
    pub(crate) fn set_links(&mut self, node: u32, level: usize, links: &[u32]) {
        let places = self.places(node, level);
        let (used, free) = self.parts.neighbors[places].split_at_mut(links.len());
        used.copy_from_slice(links);
        free.fill(NO_LINK);
    }

    pub(crate) fn set_entry_point(&mut self, entry_point: Option<u32>) {
        self.parts.entry_point = entry_point;
    }

    /// Without nodes, and with as many links for those to come.
    pub(super) fn emptied(&self) -> Self {
        Self {
            parts: GraphParts {
                offsets: vec![0],
                cum_nneighbor_per_level: self.parts.cum_nneighbor_per_level.clone(),
                ..GraphParts::default()
            },
        }
    }

    /// Keeps the nodes that `keep` names, ascending; they move up, and links to others are dropped.
    pub(crate) fn keep(&mut self, keep: &[u32]) {
        let mut numbers = vec![NO_LINK; self.len()];
        for (number, &node) in (0..).zip(keep) {
            numbers[node as usize] = number;
        }
        let number = |node: &u32| Some(numbers[*node as usize]).filter(|number| *number != NO_LINK);
        let mut kept = self.emptied();
        for (new, &old) in (0..).zip(keep) {
            kept.push(self.top_level(old));
            for level in 0..=self.top_level(old) {
                let links: Vec<u32> = self.links(old, level).iter().filter_map(number).collect();
                kept.set_links(new, level, &links);
            }
        }
        kept.parts.entry_point = self.entry_point().as_ref().and_then(number);
        *self = kept;
    }

    fn places(&self, node: u32, level: usize) -> Range<usize> {
        let first = self.parts.offsets[node as usize] as usize;
        let places = &self.parts.cum_nneighbor_per_level;
        first + places[level] as usize..first + places[level + 1] as usize
    }

    fn check_places(&self) -> Result<()> {
        let places = &self.parts.cum_nneighbor_per_level;
        if places.first() != Some(&0) || !places.is_sorted() || self.m() == 0 {
            return Err(damaged("its numbers of links per level do not ascend from 0"));
        }
        if places.windows(2).any(|levels| levels[1] - levels[0] > PLACES_MAX) {
            return Err(damaged(&format!(
                "its nodes have places for more than {PLACES_MAX} links on a level"
            )));
        }
        if self.len() > SLOTS_MAX {
            return Err(damaged(&format!("{} nodes are more than {SLOTS_MAX}", self.len())));
        }
        Ok(())
    }

    fn check_offsets(&self) -> Result<()> {
        let parts = &self.parts;
        let max = self.levels_max();
        if let Some(levels) = parts
            .levels
            .iter()
            .find(|levels| !(1..=max).contains(&(**levels as usize)))
        {
            return Err(damaged(&format!("a node is on {levels} levels, expected 1 to {max}")));
        }
        let ends = parts.levels.iter().scan(0, |end, levels| {
            *end += u64::from(parts.cum_nneighbor_per_level[*levels as usize]);
            Some(*end)
        });
        let fits = parts.offsets.last() == Some(&(parts.neighbors.len() as u64));
        if fits && std::iter::once(0).chain(ends).eq(parts.offsets.iter().copied()) {
            return Ok(());
        }
        Err(damaged("its links do not begin where its levels say"))
    }

    /// Every link leads to a node of its level; what stands behind the first free place is no link.
    fn check_links(&mut self) -> Result<()> {
        for node in 0..self.len() as u32 {
            for level in 0..=self.top_level(node) {
                let places = self.places(node, level);
                let all = &mut self.parts.neighbors[places];
                let used = all.iter().position(|link| *link == NO_LINK).unwrap_or(all.len());
                all[used..].fill(NO_LINK);
                let levels = &self.parts.levels;
                let is_on = |link: &u32| {
                    levels
                        .get(*link as usize)
                        .is_some_and(|levels| *levels as usize > level)
                };
                if let Some(link) = self.links(node, level).iter().find(|link| !is_on(link)) {
                    return Err(damaged(&format!(
                        "node {node} is linked to {link}, which is not on level {level}"
                    )));
                }
            }
        }
        Ok(())
    }

    fn check_entry(&self) -> Result<()> {
        match self.entry_point() {
            None if self.is_empty() => Ok(()),
            Some(entry) if (entry as usize) < self.len() => Ok(()),
            _ => Err(damaged("its entry point is no node")),
        }
    }
}

fn damaged(reason: &str) -> Error {
    Error::Damaged(format!("the graph is none: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three nodes, the second on two levels.
    fn parts() -> GraphParts {
        let mut graph = Graph::new(2);
        [0, 1, 0].into_iter().for_each(|level| graph.push(level));
        graph.set_links(0, 0, &[1, 2]);
        graph.set_links(1, 0, &[0]);
        graph.set_links(2, 0, &[1]);
        graph.set_entry_point(Some(1));
        graph.parts
    }

    #[test]
    fn levels_and_places_are_faisss() {
        // faiss.IndexHNSWFlat(4, 32).hnsw.cum_nneighbor_per_level
        assert_eq!(
            Graph::new(32).parts.cum_nneighbor_per_level,
            [0, 64, 96, 128, 160, 192, 224]
        );
        assert_eq!(Graph::new(2).m(), 2);
        assert_eq!(Graph::new(1 << 20).levels_max(), 2);
    }

    #[test]
    fn sound_parts_are_a_graph() {
        let graph = Graph::from_parts(parts()).unwrap();
        assert_eq!((graph.links(0, 0), graph.links(1, 1)), (&[1, 2][..], &[][..]));
        let empty = Graph::new(5);
        assert_eq!(Graph::from_parts(empty.parts.clone()).unwrap(), empty);
    }

    #[test]
    fn what_stands_behind_a_free_place_is_no_link() {
        let mut parts = parts();
        parts.neighbors[3] = 77;
        assert_eq!(Graph::from_parts(parts).unwrap().links(0, 0), [1, 2]);
    }

    #[test]
    fn parts_that_contradict_each_other_are_refused() {
        type Damage = fn(&mut GraphParts);
        let damages: &[Damage] = &[
            |parts| parts.cum_nneighbor_per_level[0] = 1,
            |parts| parts.cum_nneighbor_per_level[2] = 3,
            |parts| parts.cum_nneighbor_per_level.clear(),
            |parts| parts.cum_nneighbor_per_level.truncate(1),
            |parts| parts.levels[0] = 0,
            |parts| parts.levels[0] = 2,
            |parts| parts.levels[0] = u32::MAX,
            |parts| parts.levels.truncate(2),
            |parts| parts.offsets[1] += 1,
            |parts| parts.offsets.truncate(3),
            |parts| parts.offsets.clear(),
            |parts| parts.neighbors.truncate(5),
            |parts| parts.neighbors[0] = 3,
            // On level 1, to a node that is on level 0 alone.
            |parts| parts.neighbors[8] = 0,
            |parts| parts.entry_point = None,
            |parts| parts.entry_point = Some(3),
        ];
        for (i, damage) in damages.iter().enumerate() {
            let mut parts = parts();
            damage(&mut parts);
            let error = Graph::from_parts(parts).unwrap_err();
            assert!(matches!(error, Error::Damaged(_)), "damage {i}: {error}");
        }
    }

    #[test]
    fn nodes_that_are_kept_keep_their_links_to_each_other() {
        let mut graph = Graph::from_parts(parts()).unwrap();
        graph.keep(&[1, 2]);
        assert_eq!((graph.links(0, 0), graph.links(1, 0)), (&[][..], &[0][..]));
        assert_eq!(graph.entry_point(), Some(0));
        Graph::from_parts(graph.parts).unwrap();
    }
}
