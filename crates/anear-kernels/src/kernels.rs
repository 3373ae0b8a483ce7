//! The table of kernels: for each instruction set, the functions that run on it.

use crate::{
    isa::{self, Isa, scalar::Scalar},
    metric::{Metric, with_metrics},
    pairwise,
    rows::Rows,
};

type Pair = unsafe fn(&[f32], &[f32]) -> f32;
type Run = unsafe fn(&[f32], Rows<'_>, &mut [f32]);
type List = unsafe fn(&[f32], Rows<'_>, &[u32], &mut [f32]);

/// The kernels of one metric.
pub(crate) struct Entry {
    pair: Pair,
    run: Run,
    list: List,
}

/// The kernels of one instruction set.
///
/// Everything in this crate runs on [`Kernels::get`]; tests and benchmarks force another set by
/// [`Kernels::for_isa`]. The answers are the same bits whichever it is.
pub struct Kernels {
    isa: Isa,
    metrics: &'static [Entry],
}

/// One `Entry` per metric, in the order of the enum.
macro_rules! entries {
    ($($variant:ident, $name:literal, $measure:path, $doc:literal;)*) => {
        &[$(Entry {
            pair: |x, y| pairwise::pair::<_, $measure>(Scalar, x, y),
            run: |query, rows, out| pairwise::many::<_, $measure, 1>(Scalar, query, |i| rows.row(i), out),
            list: |query, rows, list, out| {
                pairwise::many::<_, $measure, 1>(Scalar, query, |i| rows.row(list[i] as usize), out)
            },
        }),*]
    };
}

static SCALAR: Kernels = Kernels {
    isa: Isa::Scalar,
    metrics: with_metrics!(entries),
};

impl Kernels {
    /// The kernels of [`isa()`](crate::isa()).
    pub fn get() -> &'static Self {
        Self::for_isa(isa::isa()).unwrap_or(&SCALAR)
    }

    /// The kernels of `isa`, if this machine can run it.
    pub fn for_isa(isa: Isa) -> Option<&'static Self> {
        (isa == Isa::Scalar).then_some(&SCALAR)
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
        // SAFETY: a table is handed out only where its instruction set is available.
        unsafe { (self.entry(metric).pair)(x, y) }
    }

    /// The distances of `query` to each of `rows`, into `out`.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn distances(&self, metric: Metric, query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
        assert_eq!(rows.len(), out.len(), "one distance per row");
        // SAFETY: a table is handed out only where its instruction set is available.
        unsafe { (self.entry(metric).run)(query, rows, out) }
    }

    /// The distances of `query` to the rows at the positions of `list`, into `out`.
    ///
    /// # Panics
    /// If a length does not fit, or a position is not below `rows.len()`.
    pub fn distances_at(&self, metric: Metric, query: &[f32], rows: Rows<'_>, list: &[u32], out: &mut [f32]) {
        assert_eq!(list.len(), out.len(), "one distance per position");
        // SAFETY: a table is handed out only where its instruction set is available.
        unsafe { (self.entry(metric).list)(query, rows, list, out) }
    }

    fn entry(&self, metric: Metric) -> &Entry {
        &self.metrics[metric as usize]
    }
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernels({})", self.isa)
    }
}
