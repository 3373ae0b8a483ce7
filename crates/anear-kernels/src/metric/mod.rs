//! How far apart two vectors are: the list of metrics, and what each must say about itself.
//!
//! A metric is one line in [`with_metrics`] and one file beside this one.

pub(crate) mod bray_curtis;
pub(crate) mod canberra;
pub(crate) mod cosine;
mod exponent;
pub(crate) mod inner_product;
pub(crate) mod jaccard;
pub(crate) mod jensen_shannon;
pub(crate) mod l1;
pub(crate) mod l2;
pub(crate) mod linf;
pub(crate) mod lp;

use std::{fmt, str::FromStr};

use crate::{
    isa::simd::Simd,
    kernels::Kernels,
    names::{self, UnknownName},
    rows::Rows,
};

pub use exponent::Exponent;

/// The one place where metrics are listed: hands `variant, name, implementation, doc` to the macro `$then`. A variant may
/// have a parameter, with an `EXAMPLE` of its own.
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
            Lp(Exponent), "lp", crate::metric::lp::Lp,
                "Sum of `|x - y|^p`, of which no root is taken; Faiss `METRIC_Lp`.";
            Canberra, "canberra", crate::metric::canberra::Canberra,
                "Sum of `|x - y| / (|x| + |y|)`, where 0 / 0 is 0; Faiss `METRIC_Canberra`.";
            BrayCurtis, "bray_curtis", crate::metric::bray_curtis::BrayCurtis,
                "Sum of `|x - y|` over sum of `|x + y|`, where 0 / 0 is 0; Faiss `METRIC_BrayCurtis`.";
            JensenShannon, "jensen_shannon", crate::metric::jensen_shannon::JensenShannon,
                "Half the sum of `x ln(x / m) + y ln(y / m)` with `m = (x + y) / 2`, where 0 ln 0 is 0, of components that \
                 are not negative; Faiss `METRIC_JensenShannon`.";
            Jaccard, "jaccard", crate::metric::jaccard::Jaccard,
                "`1 - sum min(x, y) / sum max(x, y)`, where 0 / 0 is 1; Faiss's `METRIC_Jaccard` is the quotient, a similarity.";
        }
    };
}
pub(crate) use with_metrics;

macro_rules! define {
    ($($variant:ident $(($parameter:ty))?, $name:literal, $measure:path, $doc:literal;)*) => {
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
            $(#[doc = $doc] $variant $(($parameter))?,)*
        }

        /// The places of metrics in a table.
        enum Place {
            $($variant,)*
        }

        impl Metric {
            /// Every metric; one example of those with a parameter.
            pub const ALL: &[Self] = &[$(Self::$variant $((<$parameter>::EXAMPLE))?),*];

            /// The name, without the parameter that [`Display`](fmt::Display) adds in configuration and saved files.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)*
                }
            }

            /// Its place in a table that has an entry for each metric.
            pub(crate) const fn place(self) -> usize {
                match self {
                    $(Self::$variant { .. } => Place::$variant as usize,)*
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

impl Metric {
    /// What [`Measure::prepare`] is given; of no meaning to most.
    pub(crate) const fn parameter(self) -> f32 {
        if let Self::Lp(exponent) = self {
            exponent.get()
        } else {
            0.0
        }
    }

    /// What an error calls it.
    fn known_as(self) -> &'static str {
        if let Self::Lp(_) = self {
            "lp3 (or another exponent)"
        } else {
            self.name()
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lp(exponent) => f.pad(&format!("lp{exponent}")),
            _ => f.pad(self.name()),
        }
    }
}

impl FromStr for Metric {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let exponent = name
            .strip_prefix("lp")
            .and_then(|exponent| Exponent::new(exponent.parse().ok()?));
        match exponent {
            Some(exponent) => Ok(Self::Lp(exponent)),
            None => names::parse("metric", Self::ALL, Self::known_as, name),
        }
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

    /// `parameter` is the metric's, if it has one.
    fn prepare<S: Simd>(simd: S, parameter: f32, query: &[f32]) -> Self::Prepared;

    fn start<S: Simd>(simd: S, prepared: Self::Prepared) -> Self::State<S>;

    /// Adds 32 components. Chunks beyond the end are filled with zeros on both sides.
    fn step<S: Simd>(simd: S, state: Self::State<S>, x: S::Wide, y: S::Wide) -> Self::State<S>;

    /// `x` is the query that `prepared` describes.
    fn finish<S: Simd>(simd: S, state: Self::State<S>, prepared: Self::Prepared, x: &[f32], y: &[f32]) -> f32;
}
