//! Vectors that come after everything was built: their codes, and links to and from them.

use std::collections::HashMap;

use anear_kernels::{Metric, Rows};

use super::Near;
use super::draft::{EFFORT, leads_to, pruned_and_filled};
use super::exact::Exact;
use super::learned::Learned;
use super::scratch::Scratch;
use super::space::height;
use super::trail::Trail;
use crate::Result;
use crate::graph::walk::Reached;

impl Near {
    /// Takes up the vectors in the slots from `first` on, where there is something to take them up into.
    pub(super) fn insert(&mut self, first: usize, strangers: usize) -> Result<()> {
        let Some(learned) = &mut self.learned else {
            return Ok(());
        };
        let (dim, last) = (self.exact.dim(), self.exact.len());
        let (mut vectors, mut rows) = (Vec::new(), Vec::new());
        (first..last).for_each(|slot| self.exact.decode(slot as u32, &mut vectors));
        let vectors = Rows::new(&vectors, dim).expect("whole vectors");
        learned.code.encode(vectors, &mut rows);
        // First: then what comes behind cannot fail half way.
        if let Some(links) = &mut learned.links {
            links.try_reserve(vectors.len())?;
        }
        learned.codes.extend_from_rows(&rows)?;
        learned.strangers.since = strangers;
        if let Some(links) = &mut learned.links {
            links.grow(&rows)?;
        }
        let mut scratch = Scratch::default();
        for slot in first..last {
            learned.link(slot as u32, &self.exact, self.metric, &mut scratch);
        }
        Ok(())
    }
}

impl Learned {
    /// Links a slot to its neighbors, and those to it, where there is a graph.
    fn link(&mut self, slot: u32, exact: &Exact, metric: Metric, scratch: &mut Scratch) {
        let mut vectors = Vectors::new(exact, metric, self.longest);
        let trail = Trail {
            learned: self,
            exact,
            links: self.links.as_ref(),
        };
        let Some(ground) = trail.ground() else { return };
        self.prepare(vectors.get(slot), scratch);
        scratch.walk(ground, EFFORT.candidates, EFFORT, &[], |_| true);
        let Some(links) = &mut self.links else { return };
        let near = vectors.nearest(slot, scratch.slots.iter().copied());
        let degree = links.shape().degree();
        let own = vectors.pruned(&near, degree);
        let codes = &self.codes;
        let code = |end: u32, code: &mut Vec<u8>| codes.copy_to(end as usize..end as usize + 1, code);
        links.set(slot, &own, code);
        let mut is_linked = false;
        for end in own.iter().copied() {
            let mut ends: Vec<u32> = links.of(end).collect();
            match ends.len() < degree {
                true => ends.push(slot),
                false => ends = vectors.joined(end, &ends, slot),
            }
            is_linked |= ends.contains(&slot);
            links.set(end, &ends, code);
        }
        // Where all have nearer ones, the nearest gives up its farthest: what nothing links to is not found before everything is
        // built anew. So is, until then, what only this link led to.
        if let Some(&nearest) = own.first().filter(|_| !is_linked) {
            let mut ends: Vec<u32> = links.of(nearest).collect();
            ends.pop();
            ends.push(slot);
            links.set(nearest, &ends, code);
        }
    }
}

/// Vectors by slot, each decoded once.
struct Vectors<'a> {
    exact: &'a Exact,
    metric: Metric,
    longest: f32,
    /// With the component that each lacks.
    known: HashMap<u32, (Vec<f32>, f32)>,
}

impl<'a> Vectors<'a> {
    fn new(exact: &'a Exact, metric: Metric, longest: f32) -> Self {
        Self {
            exact,
            metric,
            longest,
            known: HashMap::new(),
        }
    }

    fn get(&mut self, slot: u32) -> &[f32] {
        let (exact, metric, longest) = (self.exact, self.metric, self.longest);
        let (vector, _) = self.known.entry(slot).or_insert_with(|| {
            let mut vector = Vec::new();
            exact.decode(slot, &mut vector);
            let height = height(metric, &vector, longest);
            (vector, height)
        });
        vector
    }

    /// The other slots by their distance from this one.
    fn nearest(&mut self, slot: u32, others: impl Iterator<Item = u32>) -> Vec<Reached> {
        let others: Vec<u32> = others.filter(|other| *other != slot).collect();
        for other in others.iter().chain([&slot]) {
            self.get(*other);
        }
        let distances = self.distances(slot, others.iter().copied());
        let mut near: Vec<Reached> = distances
            .zip(&others)
            .map(|(distance, other)| Reached::new(distance, *other))
            .collect();
        near.sort_unstable();
        near.dedup();
        near
    }

    /// The links of a full row and one more, of which one is given up: the farthest to which the new one leads; else the new
    /// one, if another leads to it; else the farthest.
    ///
    /// All are not pruned anew: taking a vector up took two thirds longer then (0.7 ms instead of 0.4, vectors of 64 components),
    /// and recall was higher by 0.001 when 40 in a hundred had come.
    fn joined(&mut self, slot: u32, ends: &[u32], new: u32) -> Vec<u32> {
        let near = self.nearest(slot, ends.iter().copied().chain([new]));
        let mut all: Vec<u32> = near.iter().map(|reached| reached.slot()).collect();
        let Some(own) = all.iter().position(|end| *end == new) else {
            return all;
        };
        let between: Vec<f32> = self.distances(new, all.iter().copied()).collect();
        // Copies lead to all that it would lead to.
        if between[..own].contains(&0.0) {
            all.remove(own);
            return all;
        }
        let is_needless = |at: &usize| leads_to(between[*at], near[own.max(*at)].distance());
        let farther = (own + 1..all.len()).rev().find(is_needless);
        let itself = (0..own).any(|at| is_needless(&at)).then_some(own);
        all.remove(farther.or(itself).unwrap_or(all.len() - 1));
        all
    }

    fn pruned(&self, near: &[Reached], degree: usize) -> Vec<u32> {
        let kept = pruned_and_filled(near, degree, |slot, others, out| {
            out.clear();
            out.extend(self.distances(slot, others.iter().map(|other| other.slot())));
        });
        kept.iter().map(|reached| reached.slot()).collect()
    }

    /// As in [`Space`](super::space::Space), between vectors that are known.
    fn distances(&self, slot: u32, others: impl Iterator<Item = u32>) -> impl Iterator<Item = f32> {
        let (x, x_height) = &self.known[&slot];
        others.map(move |other| {
            let (y, y_height) = &self.known[&other];
            let height = x_height - y_height;
            Metric::L2.distance(x, y) + height * height
        })
    }
}
