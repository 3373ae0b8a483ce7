//! Building the graph: neighbors from the lists, pruned, with links back, pruned again.
//!
//! No vector is searched for in the graph while it grows; what is near is found by reading lists, for all vectors side by
//! side. The rule of pruning is that of Vamana (Jayaram Subramanya et al., *DiskANN*, 2019).

use std::ops::Range;

use anear_kernels::{EstimateTables, Rows};
use anear_pool::Pool;
use anear_quant::{Codes, TransformCode, TransformedQuery};

use super::links::Links;
use super::lists::Lists;
use super::reach::{Reservoir, scan};
use super::space::Space;
use super::walk::{Effort, WalkMemory, walk};
use crate::Result;
use crate::flat::{on_pool, parts};
use crate::graph::walk::Reached;

/// Slots of one task.
const TASK: usize = 256;

/// Lists that are read for the neighbors of a vector.
const LISTS: usize = 8;

/// How walks look for neighbors, of which half as many more than links are looked at; so do those for vectors that come later.
pub(super) const EFFORT: Effort = Effort {
    visits: 64,
    candidates: 96,
};

/// Links back that are looked at beside a vector's own; more are very rare, but for a few middles of everything.
const BACK_MAX: usize = 64;

/// A link is left out where another leads this much nearer to its end: squared, as distances are.
const ALPHA: f32 = 1.07 * 1.07;

/// What is built from.
pub(super) struct Material<'a> {
    pub(super) space: Space<'a>,
    pub(super) code: &'a TransformCode,
    pub(super) codes: &'a Codes,
    /// The same codes, one after the other.
    pub(super) code_rows: &'a [u8],
    pub(super) lists: &'a Lists,
    pub(super) degree: usize,
}

/// The slots that each slot is linked to, nearest first.
type Neighbors = Vec<Vec<Reached>>;

/// The graph: from the neighbors that lists tell, then from those that walks over that first graph find besides.
///
/// Text embeddings (100,000 x 384) need a fifth fewer visits for a recall of 0.95 after the second time; a third made it
/// another twentieth.
///
/// # Errors
/// [`anear_quant::Error::OutOfMemory`].
pub(super) fn graph(material: &Material<'_>, pool: Option<&Pool>) -> Result<Links> {
    let near = each(material, pool, |slots| near_by_lists(material, slots));
    let links = linked(material, &near, pool);
    drop(near);
    let first = pack(material, &links, pool)?;
    let near = each(material, pool, |slots| near_by_walks(material, &first, &links, slots));
    drop((first, links));
    pack(material, &linked(material, &near, pool), pool)
}

/// What `of` makes of stretches of all slots, in order.
fn each<T: Send>(
    material: &Material<'_>,
    pool: Option<&Pool>,
    of: impl Fn(Range<usize>) -> Vec<T> + Send + Sync,
) -> Vec<T> {
    let tasks: Vec<_> = parts(material.space.len(), TASK).collect();
    let done = on_pool(pool, tasks.len(), |task| of(tasks[task].clone()));
    done.into_iter().flatten().collect()
}

/// The tables of some slots' own vectors, one after the other.
fn for_each_tables(material: &Material<'_>, slots: Range<usize>, mut visit: impl FnMut(u32, &EstimateTables)) {
    let dim = material.code.dim();
    let vectors = material.space.gathered(slots.clone());
    let mut components = Vec::new();
    material
        .code
        .project(Rows::new(&vectors, dim).expect("whole vectors"), &mut components);
    let mut query = TransformedQuery::default();
    for (slot, components) in slots.zip(components.chunks_exact(material.code.kept())) {
        material.code.prepare_components(components, &mut query);
        visit(slot as u32, query.tables());
    }
}

fn near_by_lists(material: &Material<'_>, slots: Range<usize>) -> Neighbors {
    let (mut reservoir, mut lists) = (Reservoir::default(), Reservoir::default());
    let mut near = Vec::with_capacity(slots.len());
    let mut distances = Vec::new();
    for_each_tables(material, slots, |slot, tables| {
        reservoir.begin(EFFORT.candidates);
        for list in material.lists.nearest(tables, LISTS, &mut lists) {
            scan(tables, material.codes, material.lists.slots(list), &mut reservoir);
        }
        reservoir.settle();
        let found = reservoir.kept().iter().map(|reached| reached.slot());
        let neighbors = measured(material, slot, found, &mut distances);
        near.push(pruned(&neighbors, material.degree, |a, b| {
            material.space.distance(a, b)
        }));
    });
    near
}

fn near_by_walks(material: &Material<'_>, first: &Links, links: &Neighbors, slots: Range<usize>) -> Neighbors {
    let mut memory = WalkMemory::default();
    let mut near = Vec::with_capacity(slots.len());
    let mut distances = Vec::new();
    for_each_tables(material, slots, |slot, tables| {
        walk(first, material.lists, tables, EFFORT, None, |_| true, &mut memory);
        let mut found: Vec<u32> = memory.beam.found().map(|reached| reached.slot()).collect();
        found.extend(links[slot as usize].iter().map(|reached| reached.slot()));
        found.sort_unstable();
        found.dedup();
        let neighbors = measured(material, slot, found.into_iter(), &mut distances);
        near.push(pruned(&neighbors, material.degree, |a, b| {
            material.space.distance(a, b)
        }));
    });
    near
}

/// Those of `found` but the slot itself, by distance.
fn measured(
    material: &Material<'_>,
    slot: u32,
    found: impl Iterator<Item = u32>,
    distances: &mut Vec<f32>,
) -> Vec<Reached> {
    let others: Vec<u32> = found.filter(|other| *other != slot).collect();
    material.space.distances(slot, others.iter().copied(), distances);
    let mut neighbors: Vec<Reached> = others
        .iter()
        .zip(&*distances)
        .map(|(other, d)| Reached::new(*d, *other))
        .collect();
    neighbors.sort_unstable();
    neighbors
}

/// Those of a slot's neighbors, nearest first, to which none that is kept leads much nearer.
pub(super) fn pruned(neighbors: &[Reached], degree: usize, distance: impl Fn(u32, u32) -> f32) -> Vec<Reached> {
    let mut kept: Vec<Reached> = Vec::with_capacity(degree);
    for neighbor in neighbors {
        if kept.len() == degree {
            break;
        }
        // Vectors that are the same lead to each other, and not all of them are needed.
        let leads = |other: &Reached| ALPHA * distance(other.slot(), neighbor.slot()) <= neighbor.distance();
        if !kept.iter().any(leads) {
            kept.push(*neighbor);
        }
    }
    kept
}

/// As [`pruned`], filled up with the nearest that were left out.
pub(super) fn pruned_and_filled(
    candidates: &[Reached],
    degree: usize,
    distance: impl Fn(u32, u32) -> f32,
) -> Vec<Reached> {
    if candidates.len() <= degree {
        return candidates.to_vec();
    }
    let mut kept = pruned(candidates, degree, distance);
    let room = degree - kept.len();
    let rest = candidates.iter().filter(|candidate| !kept.contains(candidate));
    let rest: Vec<Reached> = rest.take(room).copied().collect();
    kept.extend(rest);
    kept.sort_unstable();
    kept
}

/// The links of every slot and those back, pruned where they are too many and filled up with the nearest where there is
/// room.
fn linked(material: &Material<'_>, near: &Neighbors, pool: Option<&Pool>) -> Neighbors {
    let back = back(near);
    each(material, pool, |slots| {
        let of_slot = |slot: usize| {
            let mut candidates = near[slot].clone();
            candidates.extend(&back[slot]);
            candidates.sort_unstable();
            candidates.dedup();
            pruned_and_filled(&candidates, material.degree, |a, b| material.space.distance(a, b))
        };
        slots.map(of_slot).collect()
    })
}

/// The slots that link to each slot: the nearest of them.
fn back(near: &Neighbors) -> Neighbors {
    let mut back: Neighbors = vec![Vec::new(); near.len()];
    for (slot, links) in (0..).zip(near) {
        for link in links {
            back[link.slot() as usize].push(Reached::new(link.distance(), slot));
        }
    }
    for links in &mut back {
        if links.len() > BACK_MAX {
            links.select_nth_unstable(BACK_MAX);
            links.truncate(BACK_MAX);
        }
    }
    back
}

/// The rows of these links.
fn pack(material: &Material<'_>, links: &Neighbors, pool: Option<&Pool>) -> Result<Links> {
    let mut packed = Links::new(material.code, material.degree);
    packed.try_reserve(links.len())?;
    let code_len = material.code.code_len();
    let code = |end: u32, code: &mut Vec<u8>| {
        code.extend_from_slice(&material.code_rows[end as usize * code_len..][..code_len]);
    };
    // Rows are made a part at a time: they take most of the memory.
    for links in links.chunks(64 * TASK) {
        let tasks: Vec<_> = links.chunks(TASK).collect();
        let rows = on_pool(pool, tasks.len(), |task| {
            let row = |links: &Vec<Reached>| {
                let ends: Vec<u32> = links.iter().map(|reached| reached.slot()).collect();
                packed.make_row(&ends, code)
            };
            tasks[task].iter().map(row).collect::<Vec<_>>().concat()
        });
        rows.iter().for_each(|rows| packed.extend(rows));
    }
    Ok(packed)
}
