//! What can go wrong in training, loading and filling, each with the value that was wrong and the way out.

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a quantizer could not be made, or codes not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too few vectors to learn from.
    #[error("training {what} needs at least {needed} vectors, got {got}")]
    TooFewTrainingVectors {
        /// What was to be trained, as a factory token.
        what: String,
        /// The least number.
        needed: usize,
        /// The number that came.
        got: usize,
    },
    /// Parameters that make no quantizer; says which and what would do.
    #[error("{0}")]
    Parameters(String),
    /// A transform that has no way back.
    #[error("what `{transform}` made cannot be turned back into vectors")]
    Irreversible {
        /// The transform, as a factory token.
        transform: String,
    },
    /// A saved quantizer, or codes, whose parts contradict each other.
    #[error("the saved codes are damaged: {0}")]
    Damaged(String),
    /// The system has no memory for the codes.
    #[error("no memory for {bytes} more bytes of codes")]
    OutOfMemory {
        /// Bytes that were asked for.
        bytes: usize,
    },
    /// The bytes themselves: truncated or changed.
    #[error(transparent)]
    Bytes(#[from] anear_bytes::Error),
}
