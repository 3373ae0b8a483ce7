//! How vectors leave the graph: every node that was linked to one is linked to what lay behind it (as in FreshDiskANN,
//! Singh et al. 2021, and IP-DiskANN, Xu et al. 2025, without waiting for more removals).

use std::cmp::Reverse;

use anear_kernels::IdSelector;

use super::links::Graph;
use super::{Linked, Scratch};
use crate::Result;
use crate::flat::runs;

/// Around so many removed nodes as are a smaller share than this of all, those that were linked to them are looked for
/// within two links; otherwise all nodes are looked through.
const NEARBY_SHARE: usize = 64;

/// Removed nodes that one node's way leads over at most.
const PASSED_MAX: usize = 64;

/// Removes what is selected; returns how many there were. A node with too many links behind those that are gone is linked
/// to at least the `fill` nearest, where there is room.
///
/// # Errors
/// [`anear_quant::Error::OutOfMemory`]; nothing is removed then.
pub(crate) fn remove(index: &mut Linked, ids: &IdSelector<'_>, fill: usize) -> Result<usize> {
    let selected = index.slots.selected(ids);
    let selector = selected.selector();
    let matches = selector.matches_in(0..index.slots.len() as u64);
    let removed: Vec<u32> = matches.map(|slot| slot as u32).collect();
    let left = index.slots.living() - removed.len();
    let is_compacted = 2 * left < index.slots.len();
    if is_compacted && left > 0 {
        index.codes.try_own()?;
    }
    removed.iter().for_each(|slot| index.slots.remove(*slot));
    if left == 0 {
        index.clear();
    } else if !removed.is_empty() {
        let nodes = if is_compacted || NEARBY_SHARE * removed.len() >= index.slots.len() {
            index.slots.in_use().collect()
        } else {
            nearby(index, &removed)
        };
        bypass(index, &nodes, fill);
        move_entry(index);
        if is_compacted {
            compact(index)?;
        }
    }
    Ok(removed.len())
}

/// The nodes in use within two links of those removed, ascending.
fn nearby(index: &Linked, removed: &[u32]) -> Vec<u32> {
    let graph = &index.graph;
    let links = |node: u32| (0..=graph.top_level(node)).flat_map(move |level| graph.links(node, level).iter().copied());
    let mut nodes: Vec<u32> = removed.iter().flat_map(|node| links(*node)).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let behind: Vec<u32> = nodes.iter().flat_map(|node| links(*node)).collect();
    nodes.extend(behind);
    nodes.retain(|node| index.slots.is_living(*node));
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// Links those of `nodes` that were linked to a node no longer in use to what lies behind it.
fn bypass(index: &mut Linked, nodes: &[u32], fill: usize) {
    let mut graph = std::mem::replace(&mut index.graph, Graph::new(2));
    index.walkers.with(|scratch| {
        for &node in nodes {
            for level in 0..=graph.top_level(node) {
                if let Some(links) = relinked(index, &graph, node, level, fill, scratch) {
                    graph.set_links(node, level, &links);
                }
            }
        }
    });
    index.graph = graph;
}

/// New links of a node, if one of those it has leads to a node no longer in use.
fn relinked(
    index: &Linked,
    graph: &Graph,
    node: u32,
    level: usize,
    fill: usize,
    scratch: &mut Scratch,
) -> Option<Vec<u32>> {
    let is_gone = |node: &u32| !index.slots.is_living(*node);
    let (mut gone, mut near): (Vec<u32>, Vec<u32>) = graph.links(node, level).iter().partition(|node| is_gone(node));
    if gone.is_empty() {
        return None;
    }
    let mut passed = 0;
    while let Some(&next) = gone.get(passed)
        && passed < PASSED_MAX
    {
        passed += 1;
        for link in graph.links(next, level) {
            if !is_gone(link) {
                near.push(*link);
            } else if !gone.contains(link) {
                gone.push(*link);
            }
        }
    }
    near.sort_unstable();
    near.dedup();
    near.retain(|link| *link != node);
    if near.len() <= graph.room(level) {
        return Some(near);
    }
    let room = graph.room(level);
    Some(scratch.nearest_of(&index.space(), node, &near, 0, room, fill.min(room)))
}

/// Searches begin at a node in use.
fn move_entry(index: &mut Linked) {
    let entry = index.graph.entry_point();
    if entry.is_none_or(|entry| !index.slots.is_living(entry)) {
        let highest = index
            .slots
            .in_use()
            .min_by_key(|node| Reverse(index.graph.top_level(*node)));
        index.graph.set_entry_point(highest);
    }
}

/// Moves what is in use together.
///
/// # Errors
/// [`anear_quant::Error::OutOfMemory`]; nothing is moved then.
pub(super) fn compact(index: &mut Linked) -> Result<()> {
    let kept: Vec<u32> = index.slots.in_use().collect();
    compact_slots(index)?;
    index.graph.keep(&kept);
    Ok(())
}

/// Moves slots in use together; links stay as they were.
///
/// # Errors
/// [`anear_quant::Error::OutOfMemory`]; nothing is moved then.
pub(crate) fn compact_slots(index: &mut Linked) -> Result<()> {
    index.codes.keep(runs(index.slots.in_use().map(u64::from)))?;
    index.slots.compact();
    Ok(())
}
