//! The table of kernels: for each instruction set, the functions that run on it.

use std::fmt;

use crate::{
    byte_rows,
    codes::{
        bit_weights,
        codebooks::{Codebooks, Tables},
        estimates,
        fast_scan::FastScan,
    },
    grid,
    isa::{self, Isa, scalar},
    matrix::Matrix,
    metric::Metric,
    packed,
    product::Product,
    quantize,
    rows::Rows,
    split,
};

/// The kernels of one instruction set.
///
/// Everything in this crate runs on [`Kernels::get`]; tests and benchmarks force another set by
/// [`Kernels::for_isa`]. The answers are the same bits whichever it is. For those alone: not part of the promised API.
#[doc(hidden)]
pub struct Kernels {
    pub(crate) isa: Isa,
    pub(crate) metrics: &'static [Entry],
    pub(crate) product: Option<Product>,
    /// As [`Matrix::multiply`], of checked lengths.
    pub(crate) multiply: unsafe fn(&Matrix, Rows<'_>, &mut [f32]),
    pub(crate) tables: Tables,
    /// As [`codebooks::nearest`](crate::codes::codebooks::nearest).
    pub(crate) nearest_entries: unsafe fn(&Codebooks, usize, Rows<'_>, &mut [u32]),
    pub(crate) estimates: &'static estimates::Entry,
    pub(crate) estimates_at: bit_weights::EstimatesAt,
    pub(crate) fast_scan: &'static FastScan,
    pub(crate) quantize: &'static quantize::Entry,
    pub(crate) grid: &'static grid::Entry,
    pub(crate) bytes: &'static byte_rows::Entry,
    /// Arguments: rows, positions of some, a weight for each of them, where the sum goes.
    pub(crate) weighted_sum: unsafe fn(Rows<'_>, &[usize], &[f32], &mut [f32]),
    pub(crate) packed: packed::Table,
    pub(crate) split: split::Entry,
}

/// The kernels of one metric: a pair of vectors, a query and a run of rows, a query and a list of rows. Each is given the
/// metric's parameter first.
pub(crate) struct Entry {
    pub(crate) pair: unsafe fn(f32, &[f32], &[f32]) -> f32,
    pub(crate) run: unsafe fn(f32, &[f32], Rows<'_>, &mut [f32]),
    pub(crate) list: unsafe fn(f32, &[f32], Rows<'_>, &[usize], &mut [f32]),
}

/// One [`Entry`] per metric, in the order of the enum, from the functions `pair`, `run` and `list` in scope.
macro_rules! entries {
    ($($variant:ident $(($parameter:ty))?, $name:literal, $measure:path, $doc:literal;)*) => {
        &[$(Entry { pair: pair::<$measure>, run: run::<$measure>, list: list::<$measure> }),*]
    };
}
pub(crate) use entries;

impl Kernels {
    /// The kernels of [`isa()`](crate::isa()).
    pub fn get() -> &'static Self {
        Self::for_isa(isa::isa()).unwrap_or(&scalar::KERNELS)
    }

    /// The kernels of `isa`, if this machine can run it.
    pub fn for_isa(isa: Isa) -> Option<&'static Self> {
        let kernels = match isa {
            Isa::Scalar => &scalar::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &isa::avx2::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &isa::avx512::KERNELS,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => &isa::neon::KERNELS,
            _ => return None,
        };
        isa.is_available().then_some(kernels)
    }

    /// The instruction set these kernels run on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// As [`Metric::distance`].
    ///
    /// # Panics
    /// If the vectors differ in length.
    pub fn distance(&self, metric: Metric, x: &[f32], y: &[f32]) -> f32 {
        // SAFETY: `for_isa` hands out a table only where its instruction set is available.
        unsafe { (self.entry(metric).pair)(metric.parameter(), x, y) }
    }

    /// The same, and infinity where it is NaN: no pair is farther.
    pub(crate) fn distance_or_infinity(&self, metric: Metric, x: &[f32], y: &[f32]) -> f32 {
        let distance = self.distance(metric, x, y);
        if distance.is_nan() { f32::INFINITY } else { distance }
    }

    /// The distances of `query` to each of `rows`, into `out`.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn distances(&self, metric: Metric, query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
        assert_eq!(rows.len(), out.len(), "one distance per row");
        // SAFETY: `for_isa` hands out a table only where its instruction set is available.
        unsafe { (self.entry(metric).run)(metric.parameter(), query, rows, out) }
    }

    /// The distances of `query` to the rows at the positions of `list`, into `out`.
    ///
    /// # Panics
    /// If a length does not fit, or a position is not below `rows.len()`.
    pub fn distances_at(&self, metric: Metric, query: &[f32], rows: Rows<'_>, list: &[usize], out: &mut [f32]) {
        assert_eq!(list.len(), out.len(), "one distance per position");
        // SAFETY: `for_isa` hands out a table only where its instruction set is available.
        unsafe { (self.entry(metric).list)(metric.parameter(), query, rows, list, out) }
    }

    /// `<x, x>`, in the canonical order.
    pub(crate) fn squared_norm(&self, x: &[f32]) -> f32 {
        -self.distance(Metric::InnerProduct, x, x)
    }

    fn entry(&self, metric: Metric) -> &Entry {
        &self.metrics[metric.place()]
    }
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kernels({})", self.isa)
    }
}
