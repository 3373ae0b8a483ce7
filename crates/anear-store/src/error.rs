//! What can go wrong in a store, one variant for each outcome that someone acts on.

use anear_documents::DocumentId;

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
    /// A store merged into itself.
    #[error("a store cannot be merged into itself")]
    MergeWithSelf,
    /// Both stores of a merge hold the same id.
    #[error("id `{id}` is in both stores; delete it from one of them or give it another id, then merge again")]
    MergeOverlap {
        /// The first id found in both.
        id: DocumentId,
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

/// At most eight ids, quoted; a longer list ends with how many more there are.
fn quoted(ids: &[DocumentId]) -> String {
    const SHOWN: usize = 8;
    let mut text = ids.iter().take(SHOWN).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    if ids.len() > SHOWN {
        text.push_str(&format!(" and {} more", ids.len() - SHOWN));
    }
    text
}
