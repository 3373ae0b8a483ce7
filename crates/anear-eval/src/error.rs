//! What can go wrong in evaluating: files that are not what they should be, counts that do not fit.

use std::io;
use std::path::{Path, PathBuf};

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an evaluation could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system could not read a file.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system could not write a file.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that contradicts itself or its extension.
    #[error("{} is damaged or of another format: {reason} at byte {at}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes from 0.
        at: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A file that its format's library could not read.
    #[error("cannot read {}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A file whose name does not tell a format.
    #[error("cannot tell the format of {}; known extensions: {known}", path.display())]
    Extension {
        /// The file.
        path: PathBuf,
        /// The extensions that are read or written.
        known: &'static str,
    },
    /// A format that this program was built without.
    #[error("{} needs the feature `{feature}`, without which this program was built", path.display())]
    Feature {
        /// The file.
        path: PathBuf,
        /// The missing feature.
        feature: &'static str,
    },
    /// A description of synthetic data that cannot be followed.
    #[error("cannot read data set `{text}`: {reason}; write for example n=100000,d=64,nq=1000,clusters=100,seed=1")]
    Synthetic {
        /// The description.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Queries without as many rows of true neighbors.
    #[error("{queries} queries came with the true neighbors of {truth}; give as many of one as of the other")]
    TruthCount {
        /// Number of queries.
        queries: usize,
        /// Rows of true neighbors.
        truth: usize,
    },
    /// Fewer queries than something can be said about.
    #[error("{needed} queries are needed at least, got {got}")]
    TooFewQueries {
        /// The least number.
        needed: usize,
        /// The number that came.
        got: usize,
    },
    /// A share that is none.
    #[error("the target recall must be above 0 and at most 1, got {got}")]
    Target {
        /// The value that came.
        got: f64,
    },
    /// A picture that could not be drawn.
    #[error("cannot draw the picture: {0}")]
    Picture(String),
    /// The index refused.
    #[error(transparent)]
    Index(#[from] anear_index::Error),
}

impl Error {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn format(path: &Path, at: u64, reason: impl Into<String>) -> Self {
        Self::Format {
            path: path.to_owned(),
            at,
            reason: reason.into(),
        }
    }
}

/// Refuses true neighbors of another number of queries.
pub(crate) fn check_truth(queries: usize, truth: usize) -> Result<()> {
    if queries == truth {
        return Ok(());
    }
    Err(Error::TruthCount { queries, truth })
}
