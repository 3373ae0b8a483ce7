//! Vectors that come after everything was built: their codes, and links to and from them.

use std::collections::HashMap;

use anear_kernels::{Metric, Rows};

use super::Near;
use super::build::pruned_and_filled;
use super::exact::Exact;
use super::learned::Learned;
use super::walk::{Effort, Scratch};
use crate::Result;
use crate::graph::walk::Reached;

/// How a new vector looks for its neighbors: as all did when the graph was built.
const EFFORT: Effort = Effort {
    visits: 64,
    candidates: 96,
};

impl Near {
    /// Takes up the vectors in the slots from `first` on, where there is something to take them up into.
    pub(super) fn insert(&mut self, first: usize) -> Result<()> {
        let Some(learned) = &mut self.learned else {
            return Ok(());
        };
        let (dim, last) = (self.exact.dim(), self.exact.len());
        let (mut vectors, mut rows) = (Vec::new(), Vec::new());
        (first..last).for_each(|slot| self.exact.decode(slot as u32, &mut vectors));
        let vectors = Rows::new(&vectors, dim).expect("whole vectors");
        learned.code.encode(vectors, &mut rows);
        if let Some(links) = &mut learned.links {
            links.try_reserve(vectors.len())?;
        }
        learned.codes.extend_from_rows(&rows)?;
        if learned.links.is_some() {
            let mut scratch = Scratch::default();
            for slot in first..last {
                learned.link(slot as u32, &self.exact, self.metric, &mut scratch);
            }
        }
        Ok(())
    }
}

impl Learned {
    /// Links a slot to its neighbors, and those to it.
    fn link(&mut self, slot: u32, exact: &Exact, metric: Metric, scratch: &mut Scratch) {
        let mut vectors = Vectors::new(exact, metric);
        let Some(links) = &mut self.links else { return };
        self.code.prepare(vectors.get(slot), &mut scratch.query);
        scratch.walk(links, &self.lists, EFFORT, None, |_| true);
        let near = vectors.nearest(slot, scratch.slots.iter().copied());
        let own = vectors.pruned(&near, links.degree());
        let codes = &self.codes;
        let code = |end: u32, code: &mut Vec<u8>| codes.copy_to(end as usize..end as usize + 1, code);
        let row = links.make_row(&own, code);
        links.extend(&row);
        for end in own {
            let mut ends: Vec<u32> = links.of(end).collect();
            ends.push(slot);
            if ends.len() > links.degree() {
                let near = vectors.nearest(end, ends.into_iter());
                ends = vectors.pruned(&near, links.degree());
            }
            let row = links.make_row(&ends, code);
            links.set(end, &row);
        }
    }
}

/// Vectors by slot, each decoded once.
struct Vectors<'a> {
    exact: &'a Exact,
    metric: Metric,
    known: HashMap<u32, Vec<f32>>,
}

impl<'a> Vectors<'a> {
    fn new(exact: &'a Exact, metric: Metric) -> Self {
        let known = HashMap::new();
        Self { exact, metric, known }
    }

    fn get(&mut self, slot: u32) -> &[f32] {
        let exact = self.exact;
        self.known.entry(slot).or_insert_with(|| {
            let mut vector = Vec::new();
            exact.decode(slot, &mut vector);
            vector
        })
    }

    /// The other slots by their distance from this one.
    fn nearest(&mut self, slot: u32, others: impl Iterator<Item = u32>) -> Vec<Reached> {
        let others: Vec<u32> = others.filter(|other| *other != slot).collect();
        for other in others.iter().chain([&slot]) {
            self.get(*other);
        }
        let mut near: Vec<Reached> = others
            .into_iter()
            .map(|other| Reached::new(self.distance(slot, other), other))
            .collect();
        near.sort_unstable();
        near.dedup();
        near
    }

    fn pruned(&self, near: &[Reached], degree: usize) -> Vec<u32> {
        let kept = pruned_and_filled(near, degree, |a, b| self.distance(a, b));
        kept.iter().map(|reached| reached.slot()).collect()
    }

    /// By inner product, vectors of different lengths are as far apart as if they were all made equally long.
    fn distance(&self, a: u32, b: u32) -> f32 {
        let (x, y) = (&self.known[&a], &self.known[&b]);
        let apart = Metric::L2.distance(x, y);
        if self.metric == Metric::L2 {
            return apart;
        }
        let length = |v: &[f32]| (-Metric::InnerProduct.distance(v, v)).max(0.0).sqrt();
        let difference = length(x) - length(y);
        apart - difference * difference
    }
}
