//! A store as it was at one moment, for synchronous reading.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use anear_documents::{Document, DocumentFilter};
use anear_index::VectorIndex;
use anear_kernels::Metric;

use super::{LocalStore, Shared};
use crate::error::Result;
use crate::snapshot::Snapshot;

/// The state of a [`LocalStore`] at one moment: whatever is written later, it answers the same.
///
/// Taking one and cloning it copy nothing. Documents are numbered from 0 in insertion order, without gaps (LangChain:
/// `index_to_docstore_id`); a position is a number of this view, another view may number otherwise.
///
/// Everything here is synchronous: reads are short, searches compute on the calling thread and the store's pool. Async
/// code searches with the store itself.
///
/// ```
/// use anear_store::{LocalStore, VectorStoreExt};
/// use anear_embeddings::FakeEmbeddings;
///
/// # futures::executor::block_on(async {
/// let store = LocalStore::from_texts(["foo", "bar"], FakeEmbeddings::new(16)).await?;
/// let view = store.view();
/// store.add_texts(["later"]).await?;
///
/// assert_eq!(view.len(), 2);
/// assert_eq!(view.document(1).map(|document| document.page_content.as_str()), Some("bar"));
/// assert_eq!(view.vectors(0..2)?.len(), 2 * 16);
/// # Ok::<(), anear_store::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct View {
    pub(super) shared: Arc<Shared>,
    pub(super) snapshot: Arc<Snapshot>,
}

impl LocalStore {
    /// The store as it is now, to be read without waiting.
    pub fn view(&self) -> View {
        View {
            shared: self.shared.clone(),
            snapshot: self.shared.snapshot.load_full(),
        }
    }
}

impl View {
    /// Number of documents.
    pub fn len(&self) -> usize {
        self.snapshot.len()
    }

    /// Whether there is no document.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The width of the vectors, if it is known.
    pub fn dim(&self) -> Option<usize> {
        self.snapshot.dim()
    }

    /// How vectors are compared.
    pub fn metric(&self) -> Metric {
        self.shared.settings.metric
    }

    /// The value of a search parameter for searches that do not name it, of the index or of the one to come; `None` where
    /// there is no such parameter.
    pub fn knob(&self, name: &str) -> Option<f64> {
        self.snapshot.knob(name, &self.shared.settings.knobs)
    }

    /// One sentence on how searches of the largest part are answered, and why, by an index that finds that out by itself
    /// (`auto`); `None` for others, and where there is no vector.
    pub fn explain(&self) -> Option<String> {
        self.snapshot.explain()
    }

    /// A copy without vectors of the index, which has learned what it must; `None` where there is no index yet.
    pub fn empty_index(&self) -> Option<Box<dyn VectorIndex>> {
        self.snapshot.template().map(|template| template.boxed_clone())
    }

    /// Whether there is an index: vectors were added, or it was trained or given.
    pub fn is_trained(&self) -> bool {
        self.snapshot.template().is_some()
    }

    /// The document at a position.
    pub fn document(&self, position: usize) -> Option<&Arc<Document>> {
        let place = self.snapshot.place(position).ok()?;
        Some(self.snapshot.document(place))
    }

    /// The position of the document with this id.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.snapshot.find(id).map(|place| self.snapshot.position(place))
    }

    /// The document with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<Document>> {
        self.snapshot.find(id).map(|place| self.snapshot.document(place))
    }

    /// All documents, by position.
    pub fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.snapshot.places().map(|place| self.snapshot.document(place))
    }

    /// The vector at a position, as it is stored: normalized, where the store does so.
    ///
    /// # Errors
    /// [`Error::UnknownPosition`](crate::Error::UnknownPosition).
    pub fn vector(&self, position: usize) -> Result<Vec<f32>> {
        self.snapshot.place(position)?;
        self.snapshot.vectors(position..position + 1)
    }

    /// The vectors at these positions, row after row, as they are stored.
    ///
    /// # Errors
    /// [`Error::UnknownPosition`](crate::Error::UnknownPosition) names the first position that is not there.
    pub fn vectors(&self, positions: Range<usize>) -> Result<Vec<f32>> {
        self.snapshot.vectors(positions)
    }

    /// The positions of the documents that match, ascending.
    ///
    /// # Errors
    /// [`Error::Documents`](crate::Error::Documents) for a filter beyond its limits.
    ///
    /// ```
    /// # use anear_store::{LocalStore, VectorStoreExt};
    /// # use anear_embeddings::FakeEmbeddings;
    /// use anear_documents::{Document, Filter};
    /// # futures::executor::block_on(async {
    /// let pages = (0..9).map(|page| Document::new("text").with_metadata("page", page));
    /// let store = LocalStore::from_documents(pages.collect(), FakeEmbeddings::new(16)).await?;
    /// assert_eq!(store.view().select(&Filter::gt("page", 6).into())?, [7, 8]);
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub fn select(&self, filter: &DocumentFilter) -> Result<Vec<usize>> {
        let places = self.snapshot.matching(filter)?;
        Ok(places.into_iter().map(|place| self.snapshot.position(place)).collect())
    }
}

/// Shows the shape: a store's documents do not belong into a log.
impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("len", &self.len())
            .field("dim", &self.dim())
            .field("metric", &self.metric())
            .finish_non_exhaustive()
    }
}
