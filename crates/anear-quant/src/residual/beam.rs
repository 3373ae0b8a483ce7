//! Encoding by beam search: of all ways to choose from the codebooks so far, the best few are kept.

use anear_kernels::{Metric, Neighbor, TopK};

use super::Residual;

/// The best ways to encode one vector, and the room to find them in.
pub(super) struct Beam<'a> {
    residual: &'a Residual,
    /// The best first.
    paths: Vec<Path>,
    distances: Vec<f32>,
}

/// One way.
struct Path {
    /// What was chosen from each codebook.
    numbers: Vec<u32>,
    /// What is left of the vector.
    rest: Vec<f32>,
}

impl<'a> Beam<'a> {
    pub(super) fn new(residual: &'a Residual) -> Self {
        Self {
            residual,
            paths: Vec::new(),
            distances: Vec::new(),
        }
    }

    /// The numbers of the best way that was found.
    pub(super) fn best(&mut self, vector: &[f32]) -> &[u32] {
        self.follow(vector);
        &self.paths[0].numbers
    }

    /// What the best way leaves of the vector.
    pub(super) fn rest(&mut self, vector: &[f32]) -> &[f32] {
        self.follow(vector);
        &self.paths[0].rest
    }

    fn follow(&mut self, vector: &[f32]) {
        self.paths = vec![Path {
            numbers: Vec::new(),
            rest: vector.to_vec(),
        }];
        (0..self.residual.codebooks.len()).for_each(|stage| self.extend(stage));
    }

    /// Extends each path by each entry of a codebook and keeps the best.
    fn extend(&mut self, stage: usize) {
        let len = 1 << self.residual.params.nbits[stage];
        let mut top = TopK::new(self.residual.params.beam);
        self.distances.resize(len, 0.0);
        for (path, first) in self.paths.iter().zip((0..).step_by(len)) {
            self.residual.codebooks[stage].distances(Metric::L2, &path.rest, &mut self.distances);
            for (id, &distance) in (first..).zip(&self.distances) {
                top.push(Neighbor { id, distance });
            }
        }
        let mut kept = top.into_sorted();
        if kept.is_empty() {
            // What has no distance to anything (NaN) is encoded as something nevertheless.
            kept.push(Neighbor { id: 0, distance: 0.0 });
        }
        let extended = kept
            .iter()
            .map(|kept| self.step(stage, kept.id as usize / len, kept.id as usize % len));
        self.paths = extended.collect();
    }

    fn step(&self, stage: usize, path: usize, number: usize) -> Path {
        let Path { numbers, rest } = &self.paths[path];
        let entry = self.residual.params.entries_of(stage).start + number;
        let entry = self.residual.entries().row(entry);
        Path {
            numbers: numbers.iter().copied().chain([number as u32]).collect(),
            rest: rest.iter().zip(entry).map(|(x, y)| x - y).collect(),
        }
    }
}
