//! Building the graph: neighbors from the lists, pruned, with links back, pruned again; then the same once more, with the
//! neighbors that walks over this first graph find.
//!
//! No vector is searched for in a graph while it grows: what is near is found for all vectors side by side. The rule of
//! pruning is that of Vamana (Jayaram Subramanya et al., *DiskANN*, 2019).

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use anear_kernels::Rows;
use anear_pool::Pool;
use anear_quant::{Codes, TransformCode, TransformedQuery};

use super::effort::{By, Effort, SLACKS};
use super::links::{Links, RowShape};
use super::lists::Lists;
use super::reach::{Reservoir, scan};
use super::space::{Measure, Space, lengthen, offset};
use super::walk::{Goal, Ground, WalkMemory, walk};
use crate::Result;
use crate::graph::walk::Reached;
use crate::tiles::{on_pool, parts};

/// Slots of one task.
const TASK: usize = 256;

/// Lists that are read for the neighbors of a vector.
const LISTS: usize = 8;

/// How walks look for neighbors, of which half as many more than links are looked at; so do those for vectors that come later.
pub(super) const EFFORT: Effort = Effort {
    visits: 64,
    slack: f32::INFINITY,
    candidates: 96,
    by: By::Codes,
};

/// Neighbors whose last tells walks how far to go: about as many as a vector is linked to in the end.
const LOOKED_FOR: usize = 32;

/// Walks by which the slack is chosen.
const WALKS: usize = 256;

/// Links back that are looked at beside a vector's own; more are very rare, but for a few middles of everything.
const BACK_MAX: usize = 64;

/// Links that a neighbor is compared with at a time: often one of the first leads to it.
const TOGETHER: usize = 16;

/// A link is left out where another leads this much nearer to its end: squared, as distances are.
const ALPHA: f32 = 1.07 * 1.07;

/// What is built from.
pub(super) struct Material<'a> {
    pub(super) space: Space<'a>,
    /// The squared length of the longest vector.
    pub(super) longest: f32,
    pub(super) code: &'a TransformCode,
    pub(super) codes: &'a Codes,
    /// The same codes, one after the other.
    pub(super) code_rows: &'a [u8],
    pub(super) lists: &'a Lists,
}

/// The slots that each slot is linked to, nearest first.
pub(super) type Neighbors = Vec<Vec<Reached>>;

/// What each slot may be linked to, up to `degree` others: the neighbors that lists tell.
pub(super) fn neighbors(material: &Material<'_>, degree: usize, pool: Option<&Pool>) -> Neighbors {
    each(material, pool, |slots| near_by_lists(material, degree, slots))
}

/// A graph, as it is walked and as it is built upon.
pub(super) struct Draft {
    links: Neighbors,
    pub(super) graph: Links,
}

impl Draft {
    /// With rows of this shape.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`].
    pub(super) fn of(material: &Material<'_>, near: &Neighbors, shape: RowShape, pool: Option<&Pool>) -> Result<Self> {
        let links = linked(material, near, shape.degree(), pool);
        let mut graph = Links::new(shape);
        graph.grow(material.code_rows)?;
        pack(material, &links, &mut graph, pool);
        Ok(Self { links, graph })
    }

    /// The graph of what is linked and of what walks find besides.
    ///
    /// Text embeddings (100,000 x 384) need a fifth fewer visits for a recall of 0.95 by it; once more made it another
    /// twentieth.
    pub(super) fn improved(self, material: &Material<'_>, pool: Option<&Pool>) -> Links {
        let effort = Effort {
            slack: slack(material, &self.graph, pool),
            ..EFFORT
        };
        let near = each(material, pool, |slots| near_by_walks(material, &self, effort, slots));
        let Self { links, mut graph } = self;
        drop(links);
        pack(
            material,
            &linked(material, &near, graph.shape().degree(), pool),
            &mut graph,
            pool,
        );
        graph
    }
}

/// The slack with which walks make about as many visits on average as [`EFFORT`] says: so the vectors whose neighbors are
/// hard to tell from the rest are looked for longer (text embeddings need a quarter fewer visits for a recall of 0.98
/// than where all walks are equally long).
fn slack(material: &Material<'_>, first: &Links, pool: Option<&Pool>) -> f32 {
    let len = material.space.len();
    let slots: Vec<usize> = (0..len).step_by(len.div_ceil(WALKS)).collect();
    let visits = |slack| {
        let effort = Effort { slack, ..EFFORT };
        let walks = on_pool(pool, slots.len(), |i| {
            let mut visits = 0;
            for_each_walk(material, first, effort, slots[i]..slots[i] + 1, |_, made, _| {
                visits += made
            });
            visits
        });
        walks.into_iter().sum::<usize>() / slots.len()
    };
    let few = SLACKS.into_iter().take_while(|slack| visits(*slack) <= EFFORT.visits);
    few.last().unwrap_or(SLACKS[0])
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

/// Some slots' own vectors as queries, one after the other, and what makes their estimates squared distances.
fn for_each_query(
    material: &Material<'_>,
    slots: Range<usize>,
    mut visit: impl FnMut(u32, &mut TransformedQuery, f32),
) {
    let dim = material.code.dim();
    let mut vectors = material.space.gathered(slots.clone());
    for vector in vectors.chunks_exact_mut(dim) {
        lengthen(material.code.metric(), vector, material.longest);
    }
    let vectors = Rows::new(&vectors, dim).expect("whole vectors");
    let mut components = Vec::new();
    material.code.project(vectors, &mut components);
    let mut query = TransformedQuery::default();
    let components = components.chunks_exact(material.code.kept());
    for ((slot, vector), components) in slots.zip(vectors).zip(components) {
        material.code.prepare_components(components, &mut query);
        let offset = offset(material.code, vector, material.longest);
        visit(slot as u32, &mut query, offset);
    }
}

fn near_by_lists(material: &Material<'_>, degree: usize, slots: Range<usize>) -> Neighbors {
    let (mut reservoir, mut lists) = (Reservoir::default(), Reservoir::default());
    let mut near = Vec::with_capacity(slots.len());
    let mut measure = material.space.measure();
    for_each_query(material, slots, |slot, query, _| {
        let tables = query.tables();
        reservoir.begin(EFFORT.candidates);
        material.lists.nearest(tables, LISTS, &mut lists);
        for list in lists.kept() {
            let slots = material.lists.slots(list.slot());
            scan(tables, material.codes, slots, &mut reservoir);
        }
        reservoir.settle();
        let found = reservoir.kept().iter().map(|reached| reached.slot());
        let neighbors = measured(&mut measure, slot, found);
        near.push(pruned(&neighbors, degree, |slot, others, out| {
            measure.distances(slot, others, out);
        }));
    });
    near
}

/// A walk towards each of some slots.
fn for_each_walk(
    material: &Material<'_>,
    graph: &Links,
    effort: Effort,
    slots: Range<usize>,
    mut visit: impl FnMut(u32, usize, &WalkMemory),
) {
    let mut memory = WalkMemory::default();
    let ground = Ground {
        links: graph,
        lists: material.lists,
        code: material.code,
    };
    for_each_query(material, slots, |slot, query, offset| {
        let goal = Goal {
            query,
            offset,
            neighbors: LOOKED_FOR,
            effort,
            without: &[],
        };
        let visits = walk(ground, goal, |_| true, &mut memory);
        visit(slot, visits, &memory);
    });
}

fn near_by_walks(material: &Material<'_>, draft: &Draft, effort: Effort, slots: Range<usize>) -> Neighbors {
    let mut near = Vec::with_capacity(slots.len());
    let mut measure = material.space.measure();
    for_each_walk(material, &draft.graph, effort, slots, |slot, _, memory| {
        let mut found: Vec<u32> = memory.beam.found().map(|reached| reached.slot()).collect();
        found.truncate(effort.candidates);
        found.extend(draft.links[slot as usize].iter().map(|reached| reached.slot()));
        found.sort_unstable();
        found.dedup();
        let neighbors = measured(&mut measure, slot, found.into_iter());
        near.push(pruned(&neighbors, draft.graph.shape().degree(), |slot, others, out| {
            measure.distances(slot, others, out);
        }));
    });
    near
}

/// Those of `found` but the slot itself, by distance.
fn measured(measure: &mut Measure<'_>, slot: u32, found: impl Iterator<Item = u32>) -> Vec<Reached> {
    let others = found.filter(|other| *other != slot);
    let mut neighbors: Vec<Reached> = others.map(|other| Reached::new(0.0, other)).collect();
    let mut distances = Vec::new();
    measure.distances(slot, &neighbors, &mut distances);
    for (neighbor, distance) in neighbors.iter_mut().zip(distances) {
        *neighbor = Reached::new(distance, neighbor.slot());
    }
    neighbors.sort_unstable();
    neighbors
}

/// Whether a link leads so much nearer to the end of another that this one is not needed: so far are the ends of both from each
/// other, and that of the other from where both begin.
pub(super) fn leads_to(between: f32, distance: f32) -> bool {
    ALPHA * between <= distance
}

/// Those of a slot's neighbors, nearest first, to which none that is kept leads much nearer. `distances` measures from one
/// slot to others.
pub(super) fn pruned(
    neighbors: &[Reached],
    degree: usize,
    mut distances: impl FnMut(u32, &[Reached], &mut Vec<f32>),
) -> Vec<Reached> {
    let (mut kept, mut between): (Vec<Reached>, _) = (Vec::with_capacity(degree), Vec::new());
    for neighbor in neighbors {
        if kept.len() == degree {
            break;
        }
        let mut leads = |some: &[Reached]| {
            distances(neighbor.slot(), some, &mut between);
            // Vectors that are the same lead to each other, and not all of them are needed.
            between.iter().any(|between| leads_to(*between, neighbor.distance()))
        };
        if !kept.chunks(TOGETHER).any(&mut leads) {
            kept.push(*neighbor);
        }
    }
    kept
}

/// As [`pruned`], filled up with the nearest that were left out.
pub(super) fn pruned_and_filled(
    candidates: &[Reached],
    degree: usize,
    distances: impl FnMut(u32, &[Reached], &mut Vec<f32>),
) -> Vec<Reached> {
    if candidates.len() <= degree {
        return candidates.to_vec();
    }
    let mut kept = pruned(candidates, degree, distances);
    let room = degree - kept.len();
    let rest = candidates.iter().filter(|candidate| !kept.contains(candidate));
    let rest: Vec<Reached> = rest.take(room).copied().collect();
    kept.extend(rest);
    kept.sort_unstable();
    kept
}

/// The links of every slot and those back, pruned where they are too many and filled up with the nearest where there is
/// room.
fn linked(material: &Material<'_>, near: &Neighbors, degree: usize, pool: Option<&Pool>) -> Neighbors {
    let back = back(near, degree);
    each(material, pool, |slots| {
        let mut measure = material.space.measure();
        let of_slot = |slot: usize| {
            // The first that pruning keeps are those that it keeps where it keeps fewer.
            let mut candidates: Vec<Reached> = near[slot].iter().take(degree).copied().collect();
            candidates.extend(&back[slot]);
            candidates.sort_unstable();
            candidates.dedup();
            pruned_and_filled(&candidates, degree, |slot, others, out| {
                measure.distances(slot, others, out);
            })
        };
        slots.map(of_slot).collect()
    })
}

/// The slots that link to each slot: the nearest of them.
fn back(near: &Neighbors, degree: usize) -> Neighbors {
    let mut back: Neighbors = vec![Vec::new(); near.len()];
    for (slot, links) in (0..).zip(near) {
        for link in links.iter().take(degree) {
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

/// Makes the rows of these links.
fn pack(material: &Material<'_>, links: &Neighbors, into: &mut Links, pool: Option<&Pool>) {
    let code_len = material.code.code_len();
    let code = |end: u32, codes: &mut Vec<u8>| {
        codes.extend_from_slice(&material.code_rows[end as usize * code_len..][..code_len]);
    };
    let (shape, rows) = into.rows_mut(0..links.len());
    let rows = rows.chunks_mut(TASK * shape.row_len());
    let tasks: Vec<_> = rows.zip(links.chunks(TASK)).map(Mutex::new).collect();
    on_pool(pool, tasks.len(), |task| {
        let (rows, links) = &mut *tasks[task].lock().unwrap_or_else(PoisonError::into_inner);
        for (row, links) in rows.chunks_exact_mut(shape.row_len()).zip(*links) {
            let ends: Vec<u32> = links.iter().map(|reached| reached.slot()).collect();
            shape.write(row, &ends, code);
        }
    });
}
