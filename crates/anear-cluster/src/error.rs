//! What can go wrong in clustering, each with the value that was wrong and the way out.

use anear_kernels::{Metric, Rows, first_non_finite};

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why vectors could not be clustered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Fewer vectors than clusters.
    #[error("{k} clusters need at least {k} vectors, got {got}; ask for fewer clusters or bring more vectors")]
    TooFewVectors {
        /// Clusters asked for.
        k: usize,
        /// Vectors that came.
        got: usize,
    },
    /// Vectors and centroids of different widths.
    #[error("expected {what} of dimension {expected}, got {got}")]
    Dimension {
        /// What had the wrong dimension.
        what: &'static str,
        /// The dimension of the rest.
        expected: usize,
        /// The dimension that came.
        got: usize,
    },
    /// NaN or an infinity among the components.
    #[error("{what} {row} has {value} at component {column}; only finite numbers can be compared")]
    NotFinite {
        /// "vector" or "centroid".
        what: &'static str,
        /// Which one, from 0.
        row: usize,
        /// Which component of it, from 0.
        column: usize,
        /// NaN, inf or -inf.
        value: f32,
    },
    /// Not one weight per vector.
    #[error("{vectors} vectors need {vectors} weights, got {got}")]
    Weights {
        /// Vectors that came.
        vectors: usize,
        /// Weights that came.
        got: usize,
    },
    /// A weight that cannot be one.
    #[error("the weight of vector {row} is {value}; weights are finite and not negative")]
    Weight {
        /// Which vector, from 0.
        row: usize,
        /// Its weight.
        value: f32,
    },
    /// More centroids to begin with than clusters.
    #[error("{k} clusters can begin with at most {k} centroids, got {got}")]
    TooManyCentroids {
        /// Clusters asked for.
        k: usize,
        /// Centroids that came.
        got: usize,
    },
    /// There is no centroid to assign to.
    #[error("vectors can be assigned only where there is a centroid, got none")]
    NoCentroids,
    /// A metric for which the mean of a cluster is not its best centroid.
    #[error("k-means works by l2 or inner_product, got {metric}; for cosine, normalize or ask for `spherical`")]
    Metric {
        /// The metric asked for.
        metric: Metric,
    },
    /// A parameter out of its range.
    #[error("`{name}` must be {range}, got {got}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// What it may be.
        range: &'static str,
        /// What it is.
        got: f64,
    },
}

/// Refuses a parameter that is out of its range.
pub(crate) fn check(name: &'static str, range: &'static str, got: f64, holds: bool) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::Parameter { name, range, got })
}

/// Refuses a number of clusters that cannot be, or for which there are too few vectors.
pub(crate) fn check_k(k: usize, vectors: Rows<'_>) -> Result<()> {
    let range = "between 1 and 4294967295";
    check("k", range, k as f64, k > 0 && u32::try_from(k).is_ok())?;
    if vectors.len() < k {
        return Err(Error::TooFewVectors { k, got: vectors.len() });
    }
    Ok(())
}

/// Refuses rows of another width than `expected`.
pub(crate) fn check_dim(what: &'static str, expected: usize, rows: Rows<'_>) -> Result<()> {
    if rows.dim() == expected {
        return Ok(());
    }
    Err(Error::Dimension {
        what,
        expected,
        got: rows.dim(),
    })
}

/// Refuses the first NaN or infinity, by row and column.
pub(crate) fn check_finite(what: &'static str, rows: Rows<'_>) -> Result<()> {
    match first_non_finite(rows) {
        None => Ok(()),
        Some((row, column)) => Err(Error::NotFinite {
            what,
            row,
            column,
            value: rows.row(row)[column],
        }),
    }
}
