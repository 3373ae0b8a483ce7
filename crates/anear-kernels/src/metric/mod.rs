//! How far apart two vectors are: the list of metrics, and what each must say about itself.
//!
//! A metric is one line in [`with_metrics`] and one file beside this one.

pub(crate) mod cosine;
pub(crate) mod inner_product;
pub(crate) mod l1;
pub(crate) mod l2;
pub(crate) mod linf;

use std::{fmt, str::FromStr};

use crate::{
    isa::simd::Simd,
    kernels::Kernels,
    names::{self, UnknownName},
    rows::Rows,
};

/// The one place where metrics are listed: hands `variant, name, implementation, doc` to the macro `$then`.
macro_rules! with_metrics {
    ($then:ident) => {
        $then! {
            L2, "l2", crate::metric::l2::L2,
                "Squared Euclidean distance, the sum of `(x - y)^2`; Faiss `METRIC_L2`.";
            InnerProduct, "inner_product", crate::metric::inner_product::InnerProduct,
                "Inner product with its sign turned, `-<x, y>`, so that smaller is closer; Faiss `METRIC_INNER_PRODUCT`.";
            Cosine, "cosine", crate::metric::cosine::Cosine,
                "`1 - cos(x, y)`, from 0 (same direction) to 2; exactly 1 if a vector is zero. Vectors need no normalization.";
            L1, "l1", crate::metric::l1::L1,
                "Sum of `|x - y|`; Faiss `METRIC_L1`.";
            Linf, "linf", crate::metric::linf::Linf,
                "Largest `|x - y|`; Faiss `METRIC_Linf`.";
        }
    };
}
pub(crate) use with_metrics;

macro_rules! define {
    ($($variant:ident, $name:literal, $measure:path, $doc:literal;)*) => {
        /// How the distance of two vectors is measured. Smaller is closer for every metric.
        ///
        /// ```
        /// use anear_kernels::Metric;
        ///
        /// let metric: Metric = "l2".parse()?;
        /// assert_eq!(metric.distance(&[1.0, 2.0], &[4.0, 6.0]), 25.0);
        /// assert_eq!(Metric::InnerProduct.distance(&[1.0, 2.0], &[4.0, 6.0]), -16.0);
        /// # Ok::<(), anear_kernels::UnknownName>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Metric {
            $(#[doc = $doc] $variant,)*
        }

        impl Metric {
            /// Every metric.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in configuration and saved files.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}
with_metrics!(define);

impl Metric {
    /// The distance of two vectors: the same bits on every instruction set, and as any scan finds them.
    ///
    /// Too large for f32 is infinite; NaN in gives NaN.
    ///
    /// # Panics
    /// If the vectors differ in length.
    pub fn distance(self, x: &[f32], y: &[f32]) -> f32 {
        Kernels::get().distance(self, x, y)
    }

    /// The distances of `query` to each of `rows`, into `out`: as [`distance`](Self::distance), at a fraction of the
    /// calls.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn distances(self, query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
        Kernels::get().distances(self, query, rows, out);
    }

    /// The distances of `query` to the rows at the positions of `list`, into `out`; rows ahead are fetched early.
    ///
    /// # Panics
    /// If a length does not fit, or a position is not below `rows.len()`.
    pub fn distances_at(self, query: &[f32], rows: Rows<'_>, list: &[usize], out: &mut [f32]) {
        Kernels::get().distances_at(self, query, rows, list, out);
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        names::parse("metric", Self::ALL, Self::name, name)
    }
}

/// What a metric says about itself, once for every instruction set.
///
/// A distance is a fold over chunks of 32 components, `start`, `step`, `step`, ... `finish`.
/// Each of the 32 lanes is its own running total, and `finish` folds the lanes along one fixed tree;
/// this canonical order is what makes distances equal to the bit everywhere.
pub(crate) trait Measure {
    /// The running totals.
    type State<S: Simd>: Copy;

    /// What is worth knowing about the query before the first vector comes.
    type Prepared: Copy;

    fn prepare<S: Simd>(simd: S, query: &[f32]) -> Self::Prepared;

    fn start<S: Simd>(simd: S) -> Self::State<S>;

    /// Adds 32 components. Chunks beyond the end are filled with zeros on both sides.
    fn step<S: Simd>(simd: S, state: Self::State<S>, x: S::Wide, y: S::Wide) -> Self::State<S>;

    /// `x` is the query that `prepared` describes.
    fn finish<S: Simd>(simd: S, state: Self::State<S>, prepared: Self::Prepared, x: &[f32], y: &[f32]) -> f32;
}
