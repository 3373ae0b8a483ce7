//! One query against many rows: the exact search whose only limit is memory bandwidth.

use crate::{
    bitmap::ones,
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

// Rows per call of a kernel: enough to make the call and the threshold test free, few enough that the distances stay in L1.
const BLOCK: usize = 64;

// With fewer accepted rows than this among 64, only those are read.
const DENSE: u32 = 48;

/// Rows with their distances, as a scan finds them.
#[derive(Clone, Copy)]
enum Found<'a> {
    Run(u64),
    List(&'a [u64]),
}

impl Found<'_> {
    fn id(&self, i: usize) -> u64 {
        match self {
            Self::Run(first) => first + i as u64,
            Self::List(ids) => ids[i],
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
        for (i, row) in rows.iter().enumerate() {
            let id = first_id + i as u64;
            if keep.contains(id) {
                top.push(Neighbor {
                    id,
                    distance: self.distance(metric, query, row),
                });
            }
        }
    }

    /// As [`scan_range`], on this instruction set.
    #[expect(
        clippy::too_many_arguments,
        reason = "a search is a metric, a query, rows with ids, a filter and a place for results"
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
        for (i, row) in rows.iter().enumerate() {
            let id = first_id + i as u64;
            let distance = self.distance(metric, query, row);
            if keep.contains(id) && distance < radius {
                out.push(Neighbor { id, distance });
            }
        }
    }
}
