//! Vectors as they are compared while a graph is built, and queries on the way to them: by how far they are from each other.
//!
//! By inner product, each vector has a component more that makes all of them as long as the longest: then what is nearer to
//! a query is what has the larger inner product (Bachrach et al., *Speeding up the Xbox recommender system*, 2014). What is
//! much longer than most is left out when that length is found, and lacks nothing.

use anear_kernels::{BytePairs, IdSelector, Metric, Rows, TopK, scan_batch};
use anear_quant::TransformCode;

use crate::graph::walk::Reached;

/// How many times the median of the squared distances from the mean those of typical vectors are at most.
const ATYPICAL: f32 = 30.0;

/// One in so many are a few: codes would not tell them from each other, and queries from there are compared with all.
const FEW: usize = 8;

/// Rounding to bytes may add this share to the squared distance of neighbors.
const ROUNDING: f64 = 0.01;

/// Vectors whose nearest are looked for to know how far neighbors are.
const LOOKED_AT: usize = 64;

/// The rows of an index that is built, in the order of its slots.
///
/// They are compared as bytes where these tell neighbors apart: which links are kept depends on a hundredth of a distance as
/// little as on which vectors there happen to be, and comparing is most of the work.
#[derive(Clone, Debug)]
pub(super) struct Space<'a> {
    rows: Rows<'a>,
    /// The row of each slot.
    order: &'a [u32],
    /// By slot.
    bytes: Option<BytePairs>,
    /// By slot, the component that each lacks.
    heights: Vec<f32>,
}

impl<'a> Space<'a> {
    /// Vectors by this metric, and usual ones among them, of which the longest have this squared length.
    pub(super) fn new(rows: Rows<'a>, usual: Rows<'_>, order: &'a [u32], metric: Metric, longest: f32) -> Self {
        let in_order = order.iter().map(|row| rows.row(*row as usize));
        let bytes = BytePairs::new(rows, order);
        let is_enough = bytes.error() <= ROUNDING * f64::from(distance_of_neighbors(usual));
        Self {
            rows,
            order,
            bytes: Some(bytes).filter(|_| is_enough),
            heights: in_order.map(|vector| height(metric, vector, longest)).collect(),
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
            slots: Vec::new(),
            positions: Vec::new(),
        }
    }
}

/// The median of the squared distances of some rows to the nearest others.
fn distance_of_neighbors(rows: Rows<'_>) -> f32 {
    let some = rows.gathered((0..rows.len()).step_by(rows.len().div_ceil(LOOKED_AT)));
    let some = Rows::new(&some, rows.dim()).expect("whole vectors");
    let mut tops: Vec<TopK> = some.iter().map(|_| TopK::new(2)).collect();
    scan_batch(Metric::L2, some, rows, 0, &IdSelector::All, &mut tops);
    let nearest = tops.into_iter().filter_map(|top| top.into_sorted().pop());
    let mut distances: Vec<f32> = nearest.map(|neighbor| neighbor.distance).collect();
    distances.sort_unstable_by(f32::total_cmp);
    distances.get(distances.len() / 2).copied().unwrap_or(0.0)
}

/// Measures distances in a [`Space`].
pub(super) struct Measure<'a> {
    space: &'a Space<'a>,
    slots: Vec<u32>,
    positions: Vec<usize>,
}

impl Measure<'_> {
    /// The squared distances of a slot to others.
    pub(super) fn distances(&mut self, slot: u32, others: &[Reached], out: &mut Vec<f32>) {
        let space = self.space;
        out.clear();
        out.resize(others.len(), 0.0);
        match &space.bytes {
            Some(bytes) => {
                self.slots.clear();
                self.slots.extend(others.iter().map(|other| other.slot()));
                bytes.squared_distances(slot, &self.slots, out);
            }
            None => {
                let row_of = |slot: u32| space.order[slot as usize] as usize;
                self.positions.clear();
                self.positions.extend(others.iter().map(|other| row_of(other.slot())));
                let own = space.rows.row(row_of(slot));
                Metric::L2.distances_at(own, space.rows, &self.positions, out);
            }
        }
        let own = space.heights[slot as usize];
        for (distance, other) in out.iter_mut().zip(others) {
            let height = own - space.heights[other.slot() as usize];
            *distance += height * height;
        }
    }
}

/// Those of some rows that are not much farther from their mean than most: a few that are would hide from codes and
/// clusters what tells the others apart. Where more than a few are, they are no exceptions, and all stay.
pub(super) fn typical(rows: Rows<'_>, all: Vec<usize>) -> Vec<usize> {
    let least = all.len() - all.len() / FEW;
    let mut drawn = all.clone();
    loop {
        let mut mean = vec![0.0; rows.dim()];
        let share = 1.0 / drawn.len() as f32;
        anear_kernels::weighted_sum(rows, &drawn, &vec![share; drawn.len()], &mut mean);
        let distances: Vec<f32> = drawn
            .iter()
            .map(|row| Metric::L2.distance(rows.row(*row), &mean))
            .collect();
        let mut sorted = distances.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let most = ATYPICAL * sorted[sorted.len() / 2];
        let mut distances = distances.into_iter();
        let near = drawn.iter().copied().filter(|_| {
            let distance = distances.next().unwrap_or(f32::INFINITY);
            // What a file holds may be no number.
            distance.total_cmp(&most).is_le() || most.is_nan()
        });
        let near: Vec<usize> = near.collect();
        if near.len() < least {
            return all;
        }
        // The farthest of them moved the mean: without it others are seen to be far.
        if near.len() == drawn.len() {
            return drawn;
        }
        drawn = near;
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
