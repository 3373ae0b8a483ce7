//! What an index answers: owned rows of neighbors, or the caller's buffers.

use anear_kernels::{Metric, Neighbor, TopK, faiss_tie_order};

/// Neighbors of several queries, closest first; a query may have fewer than the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neighbors {
    all: Vec<Neighbor>,
    /// Where each query's neighbors end in `all`.
    ends: Vec<usize>,
}

impl Neighbors {
    /// Sorts what a search collected, equal distances in Faiss's order.
    pub fn from_tops(metric: Metric, tops: Vec<TopK>) -> Self {
        tops.into_iter()
            .map(|top| {
                let mut row = top.into_sorted();
                faiss_tie_order(metric, &mut row);
                row
            })
            .collect()
    }

    /// Number of queries.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there was no query.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The neighbors of query `i`.
    ///
    /// # Panics
    /// When there is no query `i`.
    pub fn row(&self, i: usize) -> &[Neighbor] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.all[start..self.ends[i]]
    }

    /// The neighbors of each query in turn.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[Neighbor]> {
        (0..self.len()).map(|i| self.row(i))
    }

    /// Appends the neighbors of one more query.
    pub fn push_row(&mut self, row: &[Neighbor]) {
        self.all.extend_from_slice(row);
        self.ends.push(self.all.len());
    }

    /// Pushes the neighbors of the `i`-th query into `tops[i]`, with `first_id` added to each id.
    ///
    /// # Panics
    /// When there is not one top-k per query.
    pub(crate) fn push_into(&self, tops: &mut [TopK], first_id: u64) {
        assert_eq!(self.len(), tops.len(), "one top-k per query");
        for (top, row) in tops.iter_mut().zip(self.iter()) {
            for &Neighbor { id, distance } in row {
                let id = id + first_id;
                top.push(Neighbor { id, distance });
            }
        }
    }

    /// The neighbors that `keep` accepts.
    pub(crate) fn filtered(&self, keep: impl Fn(&Neighbor) -> bool) -> Self {
        let kept = |row: &[Neighbor]| row.iter().copied().filter(&keep).collect();
        self.iter().map(kept).collect()
    }

    /// The neighbors of all queries, to rename their ids.
    pub(crate) fn all_mut(&mut self) -> &mut [Neighbor] {
        &mut self.all
    }
}

impl FromIterator<Vec<Neighbor>> for Neighbors {
    fn from_iter<I: IntoIterator<Item = Vec<Neighbor>>>(rows: I) -> Self {
        let mut neighbors = Self::default();
        rows.into_iter().for_each(|row| neighbors.push_row(&row));
        neighbors
    }
}

/// The caller's buffers for `k` neighbors per query, query by query.
///
/// Places for which there is no neighbor get the id -1 and an infinite distance; this padding exists only here.
#[derive(Debug)]
pub struct NeighborsMut<'a> {
    /// Ids; -1 where there is none.
    pub ids: &'a mut [i64],
    /// Distances, smaller is closer; infinite where there is no neighbor.
    pub distances: &'a mut [f32],
}

impl NeighborsMut<'_> {
    /// Writes `k` places per query.
    pub(crate) fn fill(&mut self, k: usize, neighbors: &Neighbors) {
        self.ids.fill(-1);
        self.distances.fill(f32::INFINITY);
        let places = self.ids.chunks_mut(k).zip(self.distances.chunks_mut(k));
        for ((ids, distances), row) in places.zip(neighbors.iter()) {
            for ((id, distance), neighbor) in ids.iter_mut().zip(distances).zip(row) {
                // Positions and labels are below 2^63.
                *id = neighbor.id as i64;
                *distance = neighbor.distance;
            }
        }
    }
}

/// The value Faiss reports for a distance of ours: for inner product and cosine the product itself, for Jaccard the
/// similarity; of these, larger is closer.
///
/// ```
/// use anear_index::faiss_value;
/// use anear_kernels::Metric;
///
/// assert_eq!(faiss_value(Metric::L2, 4.0), 4.0);
/// assert_eq!(faiss_value(Metric::InnerProduct, -0.5), 0.5);
/// assert_eq!(faiss_value(Metric::Cosine, 0.25), 0.75);
/// ```
pub fn faiss_value(metric: Metric, distance: f32) -> f32 {
    match metric {
        Metric::InnerProduct => -distance,
        Metric::Cosine | Metric::Jaccard => 1.0 - distance,
        _ => distance,
    }
}
