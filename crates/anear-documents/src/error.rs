//! Everything that can go wrong with documents, as one enum.

use std::path::PathBuf;

/// The result of an operation on documents.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong; the message names the offending value and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A filter uses an operator that does not exist.
    #[error("filter contains unsupported operator: {operator}; known operators: {known}")]
    UnsupportedOperator {
        /// The operator as written.
        operator: String,
        /// The operators that could stand there.
        known: String,
    },
    /// A filter's operator was given a value it cannot take.
    #[error("filter: {place} expects {expected}, got {got}")]
    FilterValue {
        /// The operator or field.
        place: String,
        /// What may stand there.
        expected: &'static str,
        /// What stands there, shortened.
        got: String,
    },
    /// A filter is larger than the limits of [`limits`](crate::limits) allow.
    #[error("filter has more than {limit} {what}; split the query or filter with a closure")]
    FilterTooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A filter is not JSON at all.
    #[error("filter is not valid JSON: {0}")]
    FilterSyntax(#[source] serde_json::Error),
    /// A text is not a date or a date and time.
    #[error(
        "`{text}` is not an ISO 8601 date and time; write 2026-01-31, 2026-01-31T12:00:00 or 2026-01-31T12:00:00+01:00"
    )]
    DateTime {
        /// The text.
        text: String,
    },
    /// A document that must have an id has none.
    #[error("document {position} has no id; set one with `with_id`")]
    MissingId {
        /// Its place in the batch, from 0.
        position: usize,
    },
    /// Two documents of one batch have the same id.
    #[error("id `{id}` occurs more than once in one batch; ids must be unique")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// Metadata is nested too deeply.
    #[error("metadata of document `{id}` is nested deeper than {limit} levels; flatten it")]
    MetadataTooDeep {
        /// The document's id, or its text's beginning.
        id: String,
        /// The limit, [`limits::METADATA_DEPTH`](crate::limits::METADATA_DEPTH).
        limit: usize,
    },
    /// A batch has more documents than slots exist.
    #[error("a document set holds at most {limit} documents, got {got}; use several sets")]
    TooManyDocuments {
        /// The limit.
        limit: usize,
        /// The size of the batch.
        got: usize,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is larger than the loader was told to take.
    #[error("{} is larger than {limit} bytes; raise the limit with `max_bytes`", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file is not text in the expected encoding.
    #[error("{} is not valid {encoding} at byte {offset}; {hint}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The encoding's name.
        encoding: &'static str,
        /// Offset of the first byte that does not fit.
        offset: usize,
        /// The way out.
        hint: &'static str,
    },
    /// An encoding's name is not known.
    #[error(
        "unknown encoding `{label}`; use a label of the WHATWG Encoding Standard such as utf-8, euc-kr or windows-1252"
    )]
    UnknownEncoding {
        /// The name as given.
        label: String,
    },
    /// A splitter cannot make chunks of this size.
    #[error("chunk_size must be > 0, got {0}")]
    ChunkSize(usize),
    /// A splitter's chunks would overlap by more than they hold.
    #[error("Got a larger chunk overlap ({overlap}) than chunk size ({size}), should be smaller.")]
    ChunkOverlap {
        /// `chunk_overlap` as given.
        overlap: usize,
        /// `chunk_size` as given.
        size: usize,
    },
    /// A separator is not a regular expression.
    #[error("separator `{pattern}` is not a valid regular expression: {source}")]
    SeparatorRegex {
        /// The separator as given.
        pattern: String,
        /// Why.
        source: Box<fancy_regex::Error>,
    },
    /// A separator's regular expression gave up on a text.
    #[error("separator `{pattern}` backtracks too much on this text: {source}")]
    SeparatorMatch {
        /// The separator as given.
        pattern: String,
        /// Why.
        source: Box<fancy_regex::Error>,
    },
    /// There are fewer metadatas than texts.
    #[error("{texts} texts need {texts} metadatas, got {metadatas}; give one for each text or none at all")]
    MetadataCount {
        /// Number of texts.
        texts: usize,
        /// Number of metadatas.
        metadatas: usize,
    },
    /// No language has this name.
    #[error("unknown language `{name}`; known languages: {known}")]
    UnknownLanguage {
        /// The name as given.
        name: String,
        /// The languages that have separators.
        known: String,
    },
    /// Work on the compute pool panicked.
    #[error(transparent)]
    Panicked(#[from] anear_pool::Panicked),
}
