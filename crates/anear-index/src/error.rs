//! What can go wrong in an index, each with the value that was wrong and the way out.

use std::borrow::Cow;

use anear_kernels::{Metric, Rows, first_non_finite};

use crate::MAX_DIM;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an index refused; it is unchanged then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Vectors or queries of another width.
    #[error("expected vectors of dimension {expected}, got {got}")]
    Dimension {
        /// The index's dimension.
        expected: usize,
        /// The dimension that came.
        got: usize,
    },
    /// A dimension no index can have.
    #[error("the dimension of an index must be between 1 and {MAX_DIM}, got {got}")]
    DimensionRange {
        /// The dimension that was asked for.
        got: usize,
    },
    /// A dimension no index over bits can have.
    #[error("the dimension of a binary index must be a multiple of 8 between 8 and {MAX_DIM}, got {got}")]
    BinaryDimension {
        /// The dimension that was asked for, in bits.
        got: usize,
    },
    /// An index that must see vectors before it can take any.
    #[error("`{index}` must be trained on a sample of vectors before it can take any; use train instead of build")]
    NeedsTraining {
        /// The factory string.
        index: String,
    },
    /// A sample too small to train on.
    #[error("training {what} needs at least {needed} vectors, got {got}")]
    TooFewTrainingVectors {
        /// What is trained.
        what: String,
        /// The smallest sample that would do.
        needed: usize,
        /// The size of the sample.
        got: usize,
    },
    /// A vector too large to learn from.
    #[error("vector {row} is too large: its squared components must add up to {most:e} at most; scale vectors down")]
    TooLarge {
        /// Which vector of the call, from 0.
        row: usize,
        /// The largest sum of squared components.
        most: f32,
    },
    /// NaN or an infinity among the components.
    #[error("{what} {row} has {value} at component {column}; only finite numbers can be compared")]
    NotFinite {
        /// "vector" or "query".
        what: &'static str,
        /// Which vector of the call, from 0.
        row: usize,
        /// Which component of it, from 0.
        column: usize,
        /// NaN, inf or -inf.
        value: f32,
    },
    /// No neighbors were asked for.
    #[error("k must be at least 1, got 0")]
    ZeroK,
    /// A range search within NaN.
    #[error("the radius of a range search must be a number, got NaN")]
    RadiusNaN,
    /// The caller's buffers do not fit the request.
    #[error("the result needs {expected} places ({queries} queries x k = {k}), got {got}")]
    OutputShape {
        /// `queries * k`.
        expected: usize,
        /// Queries of the call.
        queries: usize,
        /// Neighbors asked for.
        k: usize,
        /// Places in the smaller of the two buffers.
        got: usize,
    },
    /// The index has no such ability.
    #[error("{index} index does not support {operation}")]
    Unsupported {
        /// [`VectorIndex::kind`](crate::VectorIndex::kind) of the index.
        index: &'static str,
        /// What was asked for, and what to use instead if there is something.
        operation: &'static str,
    },
    /// A search parameter the index does not have.
    #[error("unknown search parameter `{name}`; this index has: {known}")]
    UnknownKnob {
        /// The name that came.
        name: String,
        /// The names it has, or "none".
        known: String,
    },
    /// Vectors cannot be compared that way by this kind of index.
    #[error("{what} cannot compare vectors by {metric}; it can by {supported}")]
    Metric {
        /// The kind, as a factory string.
        what: String,
        /// The metric that was asked for.
        metric: Metric,
        /// Those it can.
        supported: String,
    },
    /// An index that must learn from vectors first.
    #[error("`{what}` must be trained on vectors like those to come before it can be built")]
    Untrained {
        /// The factory string.
        what: String,
    },
    /// A search parameter with a value it cannot have.
    #[error("{name} must be {expected}, got {value}")]
    KnobValue {
        /// The parameter.
        name: &'static str,
        /// What it can be.
        expected: String,
        /// What came.
        value: f64,
    },
    /// No vector has this id.
    #[error("id {id} is not in the index, which holds {len} vectors")]
    UnknownId {
        /// The id that was asked for.
        id: u64,
        /// Vectors in the index.
        len: usize,
    },
    /// An id that stands for a vector of the index already.
    #[error("id {id} is in the index already; remove the old vector first or choose another id")]
    DuplicateId {
        /// The id.
        id: u64,
    },
    /// An id that would stand for two vectors of one call or file.
    #[error("id {id} is given twice; give each vector an id of its own")]
    RepeatedId {
        /// The id.
        id: u64,
    },
    /// An id that does not fit Faiss's signed ids.
    #[error("id {id} is too large; ids must be below 2^63")]
    IdTooLarge {
        /// The id.
        id: u64,
    },
    /// As many ids as vectors are needed.
    #[error("{vectors} vectors came with {ids} ids; give each vector one id")]
    IdCount {
        /// Vectors of the call.
        vectors: usize,
        /// Ids of the call.
        ids: usize,
    },
    /// Two indexes that cannot become one.
    #[error("cannot merge {other} into {own}; both must have the same kind, dimension and metric")]
    Mismatch {
        /// The index that would receive.
        own: String,
        /// The index that would give.
        other: String,
    },
    /// Vectors that were said to have length 1 and do not.
    #[error("vector {row} has length {length}, not 1; add the vectors to a cosine index to normalize them")]
    NotNormalized {
        /// Which vector, from 0.
        row: usize,
        /// Its length.
        length: f32,
    },
    /// The system has no memory for the vectors.
    #[error("no memory for {bytes} more bytes of vectors")]
    OutOfMemory {
        /// Bytes that were asked for.
        bytes: usize,
    },
    /// A factory string that names no index.
    #[error("cannot read index `{}`: {reason} at character {at}", excerpt(.text))]
    Spec {
        /// The whole string.
        text: String,
        /// Where reading stopped, in characters from 0.
        at: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A saved index whose parts contradict each other.
    #[error("the saved index is damaged: {0}")]
    Damaged(String),
    /// A saved index in a format of a later anear.
    #[error("the saved index has version {found}, this anear reads up to version {known}; update anear to read it")]
    NewerIndex {
        /// The version of the saved index.
        found: u32,
        /// The newest version that is read.
        known: u32,
    },
    /// A Faiss file of a kind that is not read.
    #[error("`{fourcc}` ({name}) cannot be read yet; anear reads {readable}")]
    FaissKind {
        /// The four characters the object begins with, with others than printable ASCII escaped.
        fourcc: String,
        /// Faiss's class.
        name: &'static str,
        /// The kinds that are read.
        readable: &'static str,
    },
    /// A Faiss file that contradicts itself, or is none.
    #[error("not a sound Faiss index: {0}")]
    Faiss(String),
    /// A quantizer that could not be trained or loaded, or codes that could not be kept.
    #[error(transparent)]
    Quantizer(#[from] anear_quant::Error),
    /// Centroids that could not be found.
    #[error(transparent)]
    Cluster(#[from] anear_cluster::Error),
    /// The bytes themselves: truncated, changed or of another format.
    #[error(transparent)]
    Bytes(#[from] anear_bytes::Error),
}

impl Error {
    /// Whether vectors were wanted back that cannot be made of their codes.
    pub fn has_no_way_back(&self) -> bool {
        matches!(self, Self::Quantizer(anear_quant::Error::Irreversible { .. }))
    }

    /// Whether training failed for want of vectors.
    pub fn wants_more_vectors(&self) -> bool {
        matches!(
            self,
            Self::TooFewTrainingVectors { .. }
                | Self::Quantizer(anear_quant::Error::TooFewTrainingVectors { .. })
                | Self::Cluster(anear_cluster::Error::TooFewVectors { .. })
        )
    }
}

/// Characters of a factory string that a message repeats.
const EXCERPT_MAX: usize = 200;

/// As much of a factory string as a message repeats.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(EXCERPT_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// Refuses vectors of another width than `dim`.
pub(crate) fn check_dim(dim: usize, vectors: Rows<'_>) -> Result<()> {
    if vectors.dim() == dim {
        return Ok(());
    }
    Err(Error::Dimension {
        expected: dim,
        got: vectors.dim(),
    })
}

/// Refuses the first NaN or infinity, by row and column.
pub(crate) fn check_finite(what: &'static str, vectors: Rows<'_>) -> Result<()> {
    match first_non_finite(vectors) {
        None => Ok(()),
        Some((row, column)) => Err(Error::NotFinite {
            what,
            row,
            column,
            value: vectors.row(row)[column],
        }),
    }
}

/// Refuses a dimension that no index can have.
pub(crate) fn check_index_dim(dim: usize) -> Result<()> {
    if (1..=MAX_DIM).contains(&dim) {
        return Ok(());
    }
    Err(Error::DimensionRange { got: dim })
}

/// How an index is named in an error about two of them.
pub(crate) fn describe(kind: &str, dim: usize, metric: Metric) -> String {
    format!("a {kind} index of dimension {dim} by {metric}")
}
