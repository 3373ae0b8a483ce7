//! Vectors as they are compared while a graph is built: by how far they are from each other.

use anear_kernels::{Metric, Rows};
use anear_quant::TransformCode;

use crate::graph::walk::Reached;

/// The rows of an index that is built, in the order of its slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space<'a> {
    rows: Rows<'a>,
    /// The row of each slot.
    order: &'a [u32],
    /// By inner product, a component more for each row, which makes all of them equally long: then what is nearer to a
    /// query is what has the larger inner product (Bachrach et al., *Speeding up the Xbox recommender system*, 2014).
    heights: &'a [f32],
}

impl<'a> Space<'a> {
    pub(super) fn new(rows: Rows<'a>, order: &'a [u32], heights: &'a [f32]) -> Self {
        Self { rows, order, heights }
    }

    /// The squared length of the longest row.
    pub(super) fn longest(rows: Rows<'_>) -> f32 {
        rows.iter().map(square).fold(0.0, f32::max)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The vectors of some slots, one after the other.
    pub(super) fn gathered(&self, slots: std::ops::Range<usize>) -> Vec<f32> {
        self.rows.gathered(self.order[slots].iter().map(|row| *row as usize))
    }

    /// The squared distances of a slot to others.
    pub(super) fn distances(&self, slot: u32, others: &[Reached], out: &mut Vec<f32>) {
        let row_of = |slot: u32| self.order[slot as usize] as usize;
        let positions: Vec<usize> = others.iter().map(|other| row_of(other.slot())).collect();
        out.clear();
        out.resize(positions.len(), 0.0);
        let own = row_of(slot);
        Metric::L2.distances_at(self.rows.row(own), self.rows, &positions, out);
        for (distance, position) in out.iter_mut().zip(positions) {
            let height = self.heights[own] - self.heights[position];
            *distance += height * height;
        }
    }
}

/// What makes a query's estimates by this code squared distances, by inner product half of those in [`Space`].
pub(super) fn offset(code: &TransformCode, query: &[f32], longest: f32) -> f32 {
    let lacking = code.lacking(query);
    match code.metric() {
        Metric::L2 => lacking,
        _ => lacking + (square(query) + longest) / 2.0,
    }
}

/// The component that a vector lacks by inner product, where the longest has this squared length.
pub(super) fn height(metric: Metric, vector: &[f32], longest: f32) -> f32 {
    match metric {
        Metric::L2 => 0.0,
        _ => (longest - square(vector)).max(0.0).sqrt(),
    }
}

fn square(vector: &[f32]) -> f32 {
    -Metric::InnerProduct.distance(vector, vector)
}
