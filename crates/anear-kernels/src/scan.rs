//! One query against many rows: the exact search whose only limit is memory bandwidth.

use crate::{
    bitmap::{low_bits, ones},
    kernels::Kernels,
    metric::Metric,
    rows::Rows,
    select::{Neighbor, TopK},
    selector::IdSelector,
};

/// Offers every row whose id `keep` accepts to `top`; row `i` has the id `first_id + i`.
///
/// The distances are those of [`Metric::distance`], to the bit.
///
/// ```
/// use anear_kernels::{IdSelector, Metric, Rows, TopK, scan};
///
/// let rows = Rows::new(&[0.0, 0.0, 3.0, 4.0, 1.0, 0.0], 2).expect("three rows");
/// let mut top = TopK::new(2);
/// scan(Metric::L2, &[0.0, 0.0], rows, 100, &IdSelector::All, &mut top);
/// let found: Vec<_> = top.into_sorted().iter().map(|n| (n.id, n.distance)).collect();
/// assert_eq!(found, [(100, 0.0), (102, 1.0)]);
/// ```
///
/// # Panics
/// If `query` is not of `rows.dim()` components.
pub fn scan(metric: Metric, query: &[f32], rows: Rows<'_>, first_id: u64, keep: &IdSelector<'_>, top: &mut TopK) {
    Kernels::get().scan(metric, query, rows, first_id, keep, top);
}

/// Appends every accepted row closer than `radius` to `out`, in the order of ids. Strictly closer, as in Faiss.
///
/// # Panics
/// If `query` is not of `rows.dim()` components.
pub fn scan_range(
    metric: Metric,
    query: &[f32],
    rows: Rows<'_>,
    first_id: u64,
    keep: &IdSelector<'_>,
    radius: f32,
    out: &mut Vec<Neighbor>,
) {
    Kernels::get().scan_range(metric, query, rows, first_id, keep, radius, out);
}

// Rows per call of a kernel: enough to make the call and the threshold test free, few enough for the distances to stay
// in L1; and the ids in a selector's word, which fixes it. Not tuned.
const BLOCK: usize = 64;

// With fewer accepted rows than this among 64, only those are read: a skipped row must save more than it costs to jump.
// Reasoned, not tuned: bench `scan` accepts every row.
const DENSE: u32 = 48;

/// Which rows a block of distances belongs to.
#[derive(Clone, Copy)]
enum Positions<'a> {
    From(usize),
    At(&'a [usize]),
}

impl Positions<'_> {
    fn get(&self, i: usize) -> usize {
        match self {
            Self::From(first) => first + i,
            Self::At(list) => list[i],
        }
    }
}

impl Kernels {
    /// As [`scan`], on this instruction set.
    pub fn scan(
        &self,
        metric: Metric,
        query: &[f32],
        rows: Rows<'_>,
        first_id: u64,
        keep: &IdSelector<'_>,
        top: &mut TopK,
    ) {
        self.visit(metric, query, rows, first_id, keep, |positions, distances| {
            top.push_block(distances, |i| first_id + positions.get(i) as u64);
        });
    }

    /// As [`scan_range`], on this instruction set.
    #[expect(
        clippy::too_many_arguments,
        reason = "a query, rows with ids, what to accept, and where to put it"
    )]
    pub fn scan_range(
        &self,
        metric: Metric,
        query: &[f32],
        rows: Rows<'_>,
        first_id: u64,
        keep: &IdSelector<'_>,
        radius: f32,
        out: &mut Vec<Neighbor>,
    ) {
        self.visit(metric, query, rows, first_id, keep, |positions, distances| {
            for (i, &distance) in distances.iter().enumerate() {
                if distance < radius {
                    out.push(Neighbor {
                        id: first_id + positions.get(i) as u64,
                        distance,
                    });
                }
            }
        });
    }

    /// Hands the distances of all accepted rows to `found`, in blocks, ascending.
    /// A distance of NaN may also stand for a row that was not accepted.
    fn visit(
        &self,
        metric: Metric,
        query: &[f32],
        rows: Rows<'_>,
        first_id: u64,
        keep: &IdSelector<'_>,
        mut found: impl FnMut(Positions<'_>, &[f32]),
    ) {
        assert_eq!(query.len(), rows.dim(), "the query must have the dimension of the rows");
        let mut distances = [0.0; BLOCK];
        // Accepted rows between others, waiting to be a block.
        let mut waiting = [0; BLOCK];
        let mut waiting_len = 0;
        for (id, word) in keep.words_in(first_id..first_id + rows.len() as u64) {
            let start = (id - first_id) as usize;
            let len = BLOCK.min(rows.len() - start);
            let dense = word.count_ones() >= DENSE;
            if waiting_len > 0 && (dense || waiting_len + word.count_ones() as usize > BLOCK) {
                let (waiting, distances) = (&waiting[..waiting_len], &mut distances[..waiting_len]);
                self.distances_at(metric, query, rows, waiting, distances);
                found(Positions::At(waiting), distances);
                waiting_len = 0;
            }
            if dense {
                let distances = &mut distances[..len];
                self.distances(metric, query, rows.slice(start..start + len), distances);
                ones(!word & low_bits(len)).for_each(|refused| distances[refused] = f32::NAN);
                found(Positions::From(start), distances);
            } else {
                for bit in ones(word) {
                    waiting[waiting_len] = start + bit;
                    waiting_len += 1;
                }
            }
        }
        let (waiting, distances) = (&waiting[..waiting_len], &mut distances[..waiting_len]);
        self.distances_at(metric, query, rows, waiting, distances);
        found(Positions::At(waiting), distances);
    }
}
