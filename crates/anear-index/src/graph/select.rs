//! Which of the nodes near a node it is linked to (Malkov and Yashunin, Algorithm 4).

use anear_kernels::{Metric, Rows};
use anear_quant::{Codes, Quantizer};

use super::walk::Reached;

/// Vectors of a graph as they are compared with each other: as their codes give them back.
#[derive(Clone, Copy)]
pub(crate) struct Space<'a> {
    pub(crate) metric: Metric,
    pub(crate) quantizer: &'a dyn Quantizer,
    pub(crate) codes: &'a Codes,
}

/// The memory of a selection, kept from one to the next.
#[derive(Default)]
pub(crate) struct Selector {
    vectors: Vec<f32>,
    open: Vec<usize>,
    distances: Vec<f32>,
}

impl Space<'_> {
    /// Appends the vectors of these slots.
    pub(crate) fn decode(&self, slots: impl Iterator<Item = u32>, vectors: &mut Vec<f32>) {
        for slot in slots {
            let slot = slot as usize;
            self.quantizer.decode(self.codes.bytes_of(slot..slot + 1), vectors);
        }
    }
}

impl Selector {
    /// Up to `room` of `candidates`, which are sorted by their distance from a node: each that is closer to the node than
    /// to all that were selected before it.
    pub(crate) fn select(&mut self, space: &Space<'_>, candidates: &[Reached], room: usize) -> Vec<u32> {
        self.vectors.clear();
        space.decode(candidates.iter().map(|candidate| candidate.slot()), &mut self.vectors);
        let rows = Rows::new(&self.vectors, space.quantizer.dim()).expect("whole vectors");
        self.open.clear();
        self.open.extend(0..candidates.len());
        let mut selected = Vec::with_capacity(room.min(candidates.len()));
        while let Some((&nearest, rest)) = self.open.split_first()
            && selected.len() < room
        {
            selected.push(candidates[nearest].slot());
            self.distances.resize(rest.len(), 0.0);
            space
                .metric
                .distances_at(rows.row(nearest), rows, rest, &mut self.distances);
            let mut kept = 0;
            for i in 0..self.distances.len() {
                let candidate = self.open[i + 1];
                self.open[kept] = candidate;
                kept += usize::from(self.distances[i] >= candidates[candidate].distance());
            }
            self.open.truncate(kept);
        }
        selected
    }
}

#[cfg(test)]
mod tests {
    use anear_quant::Raw;

    use super::*;

    #[test]
    fn a_candidate_behind_a_selected_one_is_left_out() {
        // The node is at the origin; two candidates in one direction, one in another.
        let vectors = [1.0, 0.0, 2.0, 0.0, 0.0, 2.5];
        let raw = Raw::new(2);
        let codes = raw.codes_of(Rows::new(&vectors, 2).unwrap()).unwrap();
        let space = Space {
            metric: Metric::L2,
            quantizer: &raw,
            codes: &codes,
        };
        let candidates = [(1.0, 0), (4.0, 1), (6.25, 2)].map(|(distance, slot)| Reached::new(distance, slot));
        let mut selector = Selector::default();
        assert_eq!(selector.select(&space, &candidates, 8), [0, 2]);
        assert_eq!(selector.select(&space, &candidates, 1), [0]);
        assert!(selector.select(&space, &[], 8).is_empty());
    }
}
