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
    /// For each candidate whether it may still be selected, and whether it is settled.
    open: Vec<bool>,
    settled: Vec<bool>,
    compared: Vec<usize>,
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
    /// to all that were selected before it. Of those that `settled` names it is known that they were selected together
    /// once: they are not compared with each other again.
    pub(crate) fn select(
        &mut self,
        space: &Space<'_>,
        candidates: &[Reached],
        room: usize,
        settled: impl Fn(u32) -> bool,
    ) -> Vec<u32> {
        self.vectors.clear();
        space.decode(candidates.iter().map(|candidate| candidate.slot()), &mut self.vectors);
        self.settled.clear();
        self.settled
            .extend(candidates.iter().map(|candidate| settled(candidate.slot())));
        self.open.clear();
        self.open.resize(candidates.len(), true);
        let mut selected = Vec::with_capacity(room.min(candidates.len()));
        for i in 0..candidates.len() {
            if selected.len() == room {
                break;
            }
            if self.open[i] {
                selected.push(candidates[i].slot());
                self.close(space, candidates, i);
            }
        }
        selected
    }

    /// Closes those behind the `i`-th that are closer to it than to the node.
    fn close(&mut self, space: &Space<'_>, candidates: &[Reached], i: usize) {
        let rows = Rows::new(&self.vectors, space.quantizer.dim()).expect("whole vectors");
        self.compared.clear();
        for j in i + 1..candidates.len() {
            if self.open[j] && !(self.settled[i] && self.settled[j]) {
                self.compared.push(j);
            }
        }
        self.distances.resize(self.compared.len(), 0.0);
        space
            .metric
            .distances_at(rows.row(i), rows, &self.compared, &mut self.distances);
        for (&j, distance) in self.compared.iter().zip(&self.distances) {
            self.open[j] = *distance >= candidates[j].distance();
        }
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
        assert_eq!(selector.select(&space, &candidates, 8, |_| false), [0, 2]);
        assert_eq!(selector.select(&space, &candidates, 1, |_| false), [0]);
        assert!(selector.select(&space, &[], 8, |_| false).is_empty());
    }

    #[test]
    fn what_was_selected_once_is_selected_again_without_comparing() {
        let number = |i: usize| ((i * 7919) % 97) as f32 - 48.0;
        let vectors: Vec<f32> = (0..3 * 80).map(number).collect();
        let raw = Raw::new(3);
        let codes = raw.codes_of(Rows::new(&vectors, 3).unwrap()).unwrap();
        let space = Space {
            metric: Metric::L2,
            quantizer: &raw,
            codes: &codes,
        };
        let near = |slots: std::ops::Range<u32>| {
            let row = |slot: u32| &vectors[3 * slot as usize..][..3];
            let mut near: Vec<_> = slots
                .map(|slot| Reached::new(Metric::L2.distance(&[1.0; 3], row(slot)), slot))
                .collect();
            near.sort_unstable();
            near
        };
        let mut selector = Selector::default();
        let once = selector.select(&space, &near(0..60), 9, |_| false);
        let mut again = near(60..80);
        again.extend(near(0..60).iter().filter(|reached| once.contains(&reached.slot())));
        again.sort_unstable();
        let compared = selector.select(&space, &again, 9, |_| false);
        assert_eq!(
            selector.select(&space, &again, 9, |slot| once.contains(&slot)),
            compared
        );
    }
}
