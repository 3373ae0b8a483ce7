//! The store in this process: documents, embeddings and an index that stay in step.
//!
//! # How readers and writers live together
//!
//! A search takes the current [`Snapshot`] and works on it to its end: it waits for nobody and sees nobody's half
//! of a change; those that are under way at the same time share one scan (`gather.rs`). Writers take turns. A write embeds its texts first, then validates everything and builds the next
//! snapshot beside the current one, then swaps one pointer; a write that fails or whose future is dropped before its
//! turn has changed nothing, one that has begun its turn commits whole. After an acknowledged write every later
//! search sees it.

mod census;
mod gather;
mod persist;
mod search;
mod view;
mod write;

use std::sync::Arc;

use anear_bytes::{Fs, RealFs};
use anear_documents::{Document, DocumentFilter, DocumentId};
use anear_embeddings::Embeddings;
use anear_index::Flat;
use anear_kernels::Metric;
use anear_pool::{PerProcess, Pool};
use arc_swap::ArcSwap;
use async_trait::async_trait;

pub use self::census::MemoryUsage;
use self::gather::Gather;
pub use self::view::View;
use crate::error::Result;
use crate::request::{Hit, SearchRequest};
use crate::score::{RelevanceFn, relevance};
use crate::snapshot::Snapshot;
use crate::store::{Deletion, VectorStore};

/// A vector store in memory, on exact search; the successor of LangChain's `FAISS`.
///
/// Cloning gives another handle to the same store. Any number of tasks and threads may add, delete and search at
/// once.
///
/// ```
/// use anear_store::{LocalStore, VectorStoreExt};
/// use anear_embeddings::FakeEmbeddings;
///
/// # futures::executor::block_on(async {
/// let store = LocalStore::from_texts(["foo", "bar"], FakeEmbeddings::new(16)).await?;
/// let hits = store.similarity_search_with_score("foo").await?;
/// assert_eq!(hits[0].document.page_content, "foo");
/// assert_eq!(hits[0].score, 0.0);
/// # Ok::<(), anear_store::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    embeddings: Arc<dyn Embeddings>,
    settings: Settings,
    pool: Pool,
    snapshot: ArcSwap<Snapshot>,
    fs: Arc<dyn Fs>,
    saved_model: Option<String>,
    /// Held by the writer whose turn it is, in the job that changes the snapshot, never by a caller's future. A turn that
    /// was taken when the process was forked ends in the parent only: the child has turns of its own.
    turn: PerProcess<tokio::sync::Mutex<()>>,
    /// Held likewise by the save that is under way: saves of one store wait for each other.
    saving: PerProcess<tokio::sync::Mutex<()>>,
    gather: Gather,
}

/// How a store compares vectors; saved with it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) metric: Metric,
    pub(crate) normalize_l2: bool,
    pub(crate) relevance: Option<RelevanceFn>,
}

impl Settings {
    /// Relevance of a score, by the caller's function or the metric's own.
    fn relevance_of(&self, score: f32) -> f32 {
        match &self.relevance {
            Some(relevance) => relevance.of(score),
            None => relevance(self.metric, score),
        }
    }

    /// The part that two stores must share to be merged, in words.
    fn describe(&self) -> String {
        format!(
            "metric {}{}",
            self.metric,
            if self.normalize_l2 {
                " on normalized vectors"
            } else {
                ""
            }
        )
    }
}

/// Settings of a store that is about to be made, from nothing, from texts or from a saved folder.
#[derive(Clone, Debug)]
pub struct LocalStoreBuilder {
    embeddings: Arc<dyn Embeddings>,
    /// `None`: what a saved store says, else squared L2.
    metric: Option<Metric>,
    /// `None`: what a saved store says, else that of the first vector.
    dim: Option<usize>,
    /// `None`: what a saved store says, else no.
    normalize_l2: Option<bool>,
    relevance: Option<RelevanceFn>,
    saved_model: Option<String>,
    pool: Pool,
    fs: Arc<dyn Fs>,
}

impl LocalStoreBuilder {
    /// Compares vectors by `metric` (default: squared L2). A saved store brings its own.
    pub fn metric(self, metric: Metric) -> Self {
        Self {
            metric: Some(metric),
            ..self
        }
    }

    /// Scales every vector and query to unit length (Faiss's `normalize_L2`; default: off).
    pub fn normalize_l2(self, normalize: bool) -> Self {
        Self {
            normalize_l2: Some(normalize),
            ..self
        }
    }

    /// Says the width of the vectors before there is one (default: that of the first vector). A saved store brings its
    /// own.
    ///
    /// # Errors
    /// [`Error::Index`](crate::Error::Index) for a width that no index can have.
    ///
    /// ```
    /// use anear_store::LocalStore;
    /// use anear_embeddings::FakeEmbeddings;
    ///
    /// let store = LocalStore::builder(FakeEmbeddings::new(16)).dim(16)?.build();
    /// assert_eq!(store.dim(), Some(16));
    /// assert!(LocalStore::builder(FakeEmbeddings::new(16)).dim(0).is_err());
    /// # Ok::<(), anear_store::Error>(())
    /// ```
    pub fn dim(self, dim: usize) -> Result<Self> {
        // An index knows what it can be.
        Flat::new(dim, Metric::L2)?;
        Ok(Self { dim: Some(dim), ..self })
    }

    /// Turns scores into relevance by a function of one's own.
    pub fn relevance_score_fn(mut self, relevance: impl Fn(f32) -> f32 + Send + Sync + 'static) -> Self {
        self.relevance = Some(RelevanceFn::new(relevance));
        self
    }

    /// Computes on these threads (default: [`Pool::global`]).
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = pool;
        self
    }

    /// Saves and loads through `fs` (default: the operating system's files). Tests bring one that fails.
    #[doc(hidden)]
    pub fn fs(mut self, fs: impl Fs + 'static) -> Self {
        self.fs = Arc::new(fs);
        self
    }

    /// An empty store.
    pub fn build(self) -> LocalStore {
        let snapshot = Snapshot::empty(self.metric.unwrap_or(Metric::L2), self.dim);
        self.with_snapshot(snapshot)
    }

    /// A store of `documents`; see [`LocalStore::from_documents`].
    ///
    /// # Errors
    /// As [`VectorStore::upsert`].
    pub async fn from_documents(self, documents: Vec<Document>) -> Result<LocalStore> {
        let store = self.build();
        store.upsert(documents).await?;
        Ok(store)
    }

    /// A store of `texts`; see [`LocalStore::from_texts`].
    ///
    /// # Errors
    /// As [`VectorStore::upsert`].
    pub async fn from_texts<T: Into<String>>(self, texts: impl IntoIterator<Item = T>) -> Result<LocalStore> {
        self.from_documents(texts.into_iter().map(Document::new).collect())
            .await
    }

    /// A store of documents whose vectors are known; see [`LocalStore::from_embeddings`].
    ///
    /// # Errors
    /// As [`VectorStore::upsert_embeddings`].
    pub async fn from_embeddings(self, embedded: Vec<(Document, Vec<f32>)>) -> Result<LocalStore> {
        let store = self.build();
        store.upsert_embeddings(embedded).await?;
        Ok(store)
    }

    fn with_snapshot(self, snapshot: Snapshot) -> LocalStore {
        let settings = Settings {
            metric: self.metric.unwrap_or(Metric::L2),
            normalize_l2: self.normalize_l2.unwrap_or(false),
            relevance: self.relevance,
        };
        let shared = Shared {
            embeddings: self.embeddings,
            settings,
            pool: self.pool,
            snapshot: ArcSwap::from_pointee(snapshot),
            fs: self.fs,
            saved_model: self.saved_model,
            turn: PerProcess::empty(),
            saving: PerProcess::empty(),
            gather: Gather::default(),
        };
        LocalStore {
            shared: Arc::new(shared),
        }
    }
}

impl LocalStore {
    /// Settings for a store that embeds texts with `embeddings`.
    pub fn builder(embeddings: impl Embeddings + 'static) -> LocalStoreBuilder {
        LocalStoreBuilder {
            embeddings: Arc::new(embeddings),
            metric: None,
            dim: None,
            normalize_l2: None,
            relevance: None,
            saved_model: None,
            pool: Pool::global().clone(),
            fs: Arc::new(RealFs),
        }
    }

    /// An empty store with default settings.
    pub fn new(embeddings: impl Embeddings + 'static) -> Self {
        Self::builder(embeddings).build()
    }

    /// Embeds `documents` and makes a store of them. Documents without an id get a random one (UUID v4).
    ///
    /// # Errors
    /// As [`VectorStore::upsert`].
    pub async fn from_documents(documents: Vec<Document>, embeddings: impl Embeddings + 'static) -> Result<Self> {
        Self::builder(embeddings).from_documents(documents).await
    }

    /// Embeds `texts` and makes a store of them.
    ///
    /// # Errors
    /// As [`VectorStore::upsert`].
    pub async fn from_texts<T: Into<String>>(
        texts: impl IntoIterator<Item = T>,
        embeddings: impl Embeddings + 'static,
    ) -> Result<Self> {
        Self::builder(embeddings).from_texts(texts).await
    }

    /// Makes a store of documents whose vectors are known already.
    ///
    /// # Errors
    /// As [`VectorStore::upsert_embeddings`].
    pub async fn from_embeddings(
        embedded: Vec<(Document, Vec<f32>)>,
        embeddings: impl Embeddings + 'static,
    ) -> Result<Self> {
        Self::builder(embeddings).from_embeddings(embedded).await
    }

    /// The model that embeds texts and queries.
    pub fn embeddings(&self) -> &Arc<dyn Embeddings> {
        &self.shared.embeddings
    }

    /// How vectors are compared.
    pub fn metric(&self) -> Metric {
        self.shared.settings.metric
    }

    /// Whether vectors and queries are scaled to unit length.
    pub fn normalize_l2(&self) -> bool {
        self.shared.settings.normalize_l2
    }

    /// The width of the vectors, once there is one.
    pub fn dim(&self) -> Option<usize> {
        self.shared.snapshot.load().dim()
    }

    /// Runs `read` on the state of the store when a thread of the compute pool takes it up.
    async fn read<R: Send + 'static>(&self, read: impl FnOnce(&View) -> Result<R> + Send + 'static) -> Result<R> {
        let store = self.clone();
        self.shared.pool.run(move || read(&store.view())).await?
    }
}

#[async_trait]
impl VectorStore for LocalStore {
    async fn upsert(&self, documents: Vec<Document>) -> Result<Vec<DocumentId>> {
        self.embed_and_add(documents).await
    }

    async fn upsert_embeddings(&self, embedded: Vec<(Document, Vec<f32>)>) -> Result<Vec<DocumentId>> {
        self.add(embedded).await
    }

    async fn get_by_ids(&self, ids: &[DocumentId]) -> Result<Vec<Document>> {
        let ids = ids.to_vec();
        self.read(move |view| {
            let found = ids.iter().filter_map(|id| view.get(id));
            Ok(found.map(|document| Document::clone(document)).collect())
        })
        .await
    }

    async fn delete(&self, which: Deletion) -> Result<usize> {
        self.remove(which).await
    }

    async fn search(&self, request: SearchRequest) -> Result<Vec<Hit>> {
        self.find(request).await
    }

    async fn count(&self, filter: Option<DocumentFilter>) -> Result<usize> {
        self.read(move |view| match &filter {
            None => Ok(view.len()),
            Some(filter) => Ok(view.select(filter)?.len()),
        })
        .await
    }

    async fn list(&self, filter: Option<DocumentFilter>) -> Result<Vec<DocumentId>> {
        self.read(move |View { snapshot, .. }| {
            let places = match &filter {
                None => snapshot.places().collect(),
                Some(filter) => snapshot.matching(filter)?,
            };
            Ok(places.into_iter().map(|place| snapshot.id(place).clone()).collect())
        })
        .await
    }

    fn relevance(&self, score: f32) -> f32 {
        self.shared.settings.relevance_of(score)
    }
}
