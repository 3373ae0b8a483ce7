//! Vectors as they are compared while a graph is built, and queries on the way to them: by how far they are from each other.
//!
//! By inner product, each vector has a component more that makes all of them as long as the longest: then what is nearer to
//! a query is what has the larger inner product (Bachrach et al., *Speeding up the Xbox recommender system*, 2014). What is
//! much longer than most is left out when that length is found, and lacks nothing.

use anear_kernels::{Metric, Rows};
use anear_quant::TransformCode;

use crate::graph::walk::Reached;

/// The rows of an index that is built, in the order of its slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space<'a> {
    rows: Rows<'a>,
    /// The row of each slot.
    order: &'a [u32],
    /// The component that each row lacks.
    heights: &'a [f32],
}

impl<'a> Space<'a> {
    pub(super) fn new(rows: Rows<'a>, order: &'a [u32], heights: &'a [f32]) -> Self {
        Self { rows, order, heights }
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

/// The squared length of the longest row.
pub(super) fn longest(rows: Rows<'_>) -> f32 {
    rows.iter().map(square).fold(0.0, f32::max)
}

/// By inner product, makes a query as long as the longest vectors are: its own length says nothing of what is near, and codes
/// that are centered on a mean would tell little of a query much shorter or longer than that.
pub(super) fn lengthen(metric: Metric, query: &mut [f32], longest: f32) {
    if metric == Metric::L2 {
        return;
    }
    let square: f64 = query.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    let times = (f64::from(longest) / square).sqrt();
    if times > 0.0 && times.is_finite() {
        for x in query {
            *x = (f64::from(*x) * times) as f32;
        }
    }
}

/// What makes estimates by this code squared distances from a query that was [lengthened](lengthen), by inner product half
/// of those.
pub(super) fn offset(code: &TransformCode, query: &[f32], longest: f32) -> f32 {
    let lacking = code.lacking(query);
    match code.metric() {
        Metric::L2 => lacking,
        _ => lacking + longest,
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
