//! What can go wrong in a store, one variant for each outcome that someone acts on.

use std::path::PathBuf;

use anear_documents::DocumentId;
use anear_kernels::Rows;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call on a store failed. A failed call has changed nothing, unless its variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A call that adds got an empty list.
    #[error("nothing to add: the list of {what} is empty")]
    NothingToAdd {
        /// What the list should hold.
        what: &'static str,
    },
    /// Two lists that go together differ in length.
    #[error("{left} and {right} must be equally long, got {left_len} and {right_len}")]
    Lengths {
        /// Name of the first list.
        left: &'static str,
        /// Its length.
        left_len: usize,
        /// Name of the second list.
        right: &'static str,
        /// Its length.
        right_len: usize,
    },
    /// One call names the same id twice.
    #[error("id `{id}` occurs more than once in this call; ids must be unique within a call")]
    DuplicateId {
        /// The repeated id.
        id: DocumentId,
    },
    /// Ids that the store does not hold.
    #[error("{} not in the store: {}; nothing was deleted (`delete_existing` skips unknown ids)", if ids.len() == 1 { "this id is" } else { "these ids are" }, quoted(ids))]
    UnknownIds {
        /// All of them, in the order given.
        ids: Vec<DocumentId>,
    },
    /// Ids of new documents that the store holds already.
    #[error(
        "ids that already exist: {}; nothing was added (`upsert_rows` replaces)",
        quoted(ids)
    )]
    ExistingIds {
        /// All of them, in the order given.
        ids: Vec<DocumentId>,
    },
    /// A position beyond the last document.
    #[error("no document is at position {position}; the store holds {len}, numbered from 0")]
    UnknownPosition {
        /// The position that was asked for.
        position: usize,
        /// Number of documents.
        len: usize,
    },
    /// A store merged into itself.
    #[error("a store cannot be merged into itself")]
    MergeWithSelf,
    /// Both stores of a merge hold the same id.
    #[error("id `{id}` is in both stores; delete it from one of them or give it another id, then merge again")]
    MergeOverlap {
        /// The first id found in both.
        id: DocumentId,
    },
    /// Too few vectors for an index to learn from.
    #[error(
        "the index `{index}` cannot learn from a first batch of {got}: {source}; add more at once, call `train` with \
         more vectors before, or choose an index that needs no training, such as `Flat` or `HNSW32`"
    )]
    Untrained {
        /// The factory string.
        index: String,
        /// Number of vectors that came.
        got: usize,
        /// What the index says.
        source: Box<anear_index::Error>,
    },
    /// An index that is no use to a store.
    #[error("the index `{index}` has ids of its own, but a store numbers its documents; leave out the id map")]
    OwnIds {
        /// The factory string.
        index: String,
    },
    /// Vectors that a search compares and the index does not give back.
    #[error(
        "maximal marginal relevance compares vectors, and the index `{index}` does not give them back: {source}; build the \
         store on `{index},RFlat`, which keeps them, or search by similarity"
    )]
    NoVectors {
        /// The factory string.
        index: String,
        /// What the index says.
        source: Box<anear_index::Error>,
    },
    /// Two stores compare their vectors differently.
    #[error("cannot merge a store with {theirs} into a store with {ours}")]
    MergeSettings {
        /// Settings of the target.
        ours: String,
        /// Settings of the source.
        theirs: String,
    },
    /// `k`, `fetch_k` or a threshold outside its range.
    #[error("{name} must be {wanted}, got {got}")]
    Argument {
        /// The parameter.
        name: &'static str,
        /// What it may be.
        wanted: &'static str,
        /// What it was.
        got: String,
    },
    /// A vector whose width is not the store's.
    #[error("expected vectors of dimension {expected}, got {got}{hint}")]
    Dimension {
        /// The width of the vectors in the store.
        expected: usize,
        /// The width given.
        got: usize,
        /// The way out, where one is known.
        hint: &'static str,
    },
    /// A blocking call on a thread that drives asynchronous code.
    #[error("a blocking call would stall the async runtime of this thread; use the async store and await it")]
    BlockingInAsync,
    /// The blocking facade could not start its runtime.
    #[error("cannot start a runtime for blocking calls: {0}")]
    Runtime(#[source] std::io::Error),
    /// There is no saved store where one was looked for.
    #[error("no saved store in {}: {missing} is missing; save one there with save_local, or mend the path", folder.display())]
    NothingSaved {
        /// The folder.
        folder: PathBuf,
        /// The file that was looked for.
        missing: String,
    },
    /// Bytes that are neither ours nor LangChain's.
    #[error("these {len} bytes are no saved store: neither anear's container nor LangChain's pickle")]
    NotAStore {
        /// How many bytes.
        len: usize,
    },
    /// A file of a saved store is damaged, or of a kind that is not read.
    #[error("cannot load {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// The settings or documents inside a saved store are damaged.
    #[error("the saved store is damaged: {0}")]
    Meta(String),
    /// A store of a later anear.
    #[error("the store has version {found}, this anear reads up to {known}; update anear to read it")]
    NewerStore {
        /// Its version.
        found: u32,
        /// The newest known here.
        known: u32,
    },
    /// The loader asked for other settings than those the store was built with.
    #[error(
        "the store was saved with {name} {saved}, but {asked} was asked for; leave the setting out, or build the store anew"
    )]
    SavedSetting {
        /// The setting.
        name: &'static str,
        /// What the store was built with.
        saved: String,
        /// What was asked for.
        asked: String,
    },
    /// Vectors and documents of a saved store do not match.
    #[error(
        "{vectors} vectors and {positions} positions do not match, first at position {at}; the store was broken when it was saved"
    )]
    Positions {
        /// The first position that has no document, or no vector.
        at: usize,
        /// Number of vectors.
        vectors: usize,
        /// Number of positions in `index_to_docstore_id`.
        positions: usize,
    },
    /// Two positions of a saved store name the same document.
    #[error("document `{id}` has more than one vector; the store was broken when it was saved")]
    TwoVectors {
        /// Its id.
        id: DocumentId,
    },
    /// A document of a saved store that no position names.
    #[error("document `{id}` has no vector; the store was broken when it was saved")]
    NoVector {
        /// Its id.
        id: DocumentId,
    },
    /// Metadata that the saved form cannot hold.
    #[error("document `{id}`: metadata `{key}` contains {what}; nothing was saved")]
    Unsaveable {
        /// The document.
        id: DocumentId,
        /// The metadata field.
        key: String,
        /// What it contains that cannot be saved, why, and the way out.
        what: String,
    },
    /// Files could not be written or read; the message says what the folder holds now.
    #[error(transparent)]
    Storage(#[from] anear_bytes::Error),
    /// A pickle that is damaged, or holds something that only running it could make.
    #[error(transparent)]
    Pickle(#[from] anear_pickle::Error),
    /// Embedding a text failed.
    #[error(transparent)]
    Embedding(#[from] anear_embeddings::Error),
    /// The index refused.
    #[error(transparent)]
    Index(#[from] anear_index::Error),
    /// A filter or a document is invalid.
    #[error(transparent)]
    Documents(#[from] anear_documents::Error),
    /// A bug of ours: a job on the compute pool panicked. The store is as it was.
    #[error("internal error, please report it: {0}")]
    Panicked(#[from] anear_pool::Panicked),
}

impl Error {
    /// A vector or query of another width than the store's.
    pub(crate) fn dimension(expected: usize, got: usize) -> Self {
        let hint = "; use the embedding model that the store was built with";
        Self::Dimension { expected, got, hint }
    }
}

/// Two lists that go together must be equally long.
pub(crate) fn check_lengths(left: &'static str, left_len: usize, right: &'static str, right_len: usize) -> Result<()> {
    if left_len == right_len {
        return Ok(());
    }
    Err(Error::Lengths {
        left,
        left_len,
        right,
        right_len,
    })
}

/// `data` as rows of `dim` numbers, which must be `expected`, where that is known.
pub(crate) fn rows<'a>(name: &'static str, data: &'a [f32], dim: usize, expected: Option<usize>) -> Result<Rows<'a>> {
    match expected {
        Some(expected) if expected != dim => Err(Error::dimension(expected, dim)),
        _ => Rows::new(data, dim).ok_or_else(|| Error::Argument {
            name,
            wanted: "whole rows of a dimension of at least 1",
            got: format!("{} numbers for rows of {dim}", data.len()),
        }),
    }
}

/// At most eight ids, quoted; a longer list ends with how many more there are.
fn quoted(ids: &[DocumentId]) -> String {
    const SHOWN: usize = 8;
    let mut text = ids
        .iter()
        .take(SHOWN)
        .map(|id| format!("`{id}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if ids.len() > SHOWN {
        text.push_str(&format!(" and {} more", ids.len() - SHOWN));
    }
    text
}
