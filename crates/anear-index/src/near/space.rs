//! Vectors as they are compared while a graph is built, and queries on the way to them: by how far they are from each other.
//!
//! By inner product, each vector has a component more that makes all of them as long as the longest: then what is nearer to
//! a query is what has the larger inner product (Bachrach et al., *Speeding up the Xbox recommender system*, 2014). What is
//! much longer than most is left out when that length is found, and lacks nothing.

use anear_kernels::{BytePairs, Metric, PairMemory, Rows};
use anear_quant::TransformCode;

use crate::graph::walk::Reached;

/// The rows of an index that is built, in the order of its slots.
///
/// They are compared as bytes: which links are kept depends as little on what is rounded to a two hundredth of its range as on
/// which vectors there happen to be, and comparing is most of the work.
#[derive(Clone, Debug)]
pub(super) struct Space<'a> {
    rows: Rows<'a>,
    /// The row of each slot.
    order: &'a [u32],
    /// By slot, and the component that each lacks.
    pairs: BytePairs,
    heights: Vec<f32>,
}

impl<'a> Space<'a> {
    /// Vectors by this metric, in the ranges and with the length of the usual ones.
    pub(super) fn new(rows: Rows<'a>, order: &'a [u32], metric: Metric, usual: Rows<'_>) -> Self {
        let longest = longest(usual);
        let in_order = || order.iter().map(|row| rows.row(*row as usize));
        Self {
            rows,
            order,
            pairs: BytePairs::new(in_order(), usual),
            heights: in_order().map(|vector| height(metric, vector, longest)).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The vectors of some slots, one after the other.
    pub(super) fn gathered(&self, slots: std::ops::Range<usize>) -> Vec<f32> {
        self.rows.gathered(self.order[slots].iter().map(|row| *row as usize))
    }

    /// What measures in it.
    pub(super) fn measure(&self) -> Measure<'_> {
        Measure {
            space: self,
            memory: PairMemory::default(),
            slots: Vec::new(),
        }
    }
}

/// Measures distances in a [`Space`].
pub(super) struct Measure<'a> {
    space: &'a Space<'a>,
    memory: PairMemory,
    slots: Vec<u32>,
}

impl Measure<'_> {
    /// The squared distances of a slot to others.
    pub(super) fn distances(&mut self, slot: u32, others: &[Reached], out: &mut Vec<f32>) {
        self.slots.clear();
        self.slots.extend(others.iter().map(|other| other.slot()));
        out.clear();
        out.resize(others.len(), 0.0);
        let Space { pairs, heights, .. } = self.space;
        pairs.squared_distances(slot, &self.slots, &mut self.memory, out);
        let own = heights[slot as usize];
        for (distance, other) in out.iter_mut().zip(&self.slots) {
            let height = own - heights[*other as usize];
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
