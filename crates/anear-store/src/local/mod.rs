//! The store in this process: documents, embeddings and an index that stay in step.
//!
//! # How readers and writers live together
//!
//! A search takes the current [`Snapshot`] and works on it to its end: it waits for nobody and sees nobody's half
//! of a change. Writers take turns. A write embeds its texts first, then validates everything and builds the next
//! snapshot beside the current one, then swaps one pointer; a write that fails or whose future is dropped before its
//! turn has changed nothing, one that has begun its turn commits whole. After an acknowledged write every later
//! search sees it.

mod gather;
mod persist;
mod search;
mod view;
mod write;

use std::convert::Infallible;
use std::sync::Arc;

pub use self::view::{Memory, View};

use anear_bytes::{Fs, RealFs};
use anear_documents::{Document, DocumentFilter, DocumentId};
use anear_embeddings::Embeddings;
use anear_index::IndexSpec;
use anear_kernels::Metric;
use anear_pool::{PerProcess, Pool};
use arc_swap::ArcSwap;
use async_trait::async_trait;

use crate::error::Result;
use crate::request::{Hit, SearchRequest};
use crate::score::{RelevanceFn, relevance};
use crate::snapshot::Snapshot;
use crate::store::{Deletion, VectorStore};

use self::gather::Gathered;
use self::write::{Existing, Matrix};

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
    /// Held by the writer whose turn it is, in the job that changes the snapshot, never by a caller's future.
    turn: Turn,
    /// Searches that wait to be answered together.
    gathered: Gathered,
    /// Held likewise by the save that is under way: saves of one store wait for each other.
    saving: Turn,
}

/// Whose turn it is among those who change or save a store. A forked child has its own: the job that held the parent's
/// never ends there.
#[derive(Debug, Default)]
struct Turn(PerProcess<Arc<tokio::sync::Mutex<()>>>);

impl Turn {
    async fn take(&self) -> tokio::sync::OwnedMutexGuard<()> {
        let Ok(turn) = self.0.get_or_try_init(|| Ok::<_, Infallible>(Arc::default()));
        turn.lock_owned().await
    }
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
    /// `None`: what a saved store says, else no.
    normalize_l2: Option<bool>,
    relevance: Option<RelevanceFn>,
    saved_model: Option<String>,
    /// Of an empty store: the width of the vectors to come.
    dim: Option<usize>,
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

    /// Settles the width of the vectors of an empty store before the first one comes (default: the first one does).
    ///
    /// # Errors
    /// [`Error::Index`](crate::Error::Index) for a width that no index takes.
    pub fn dim(self, dim: usize) -> Result<Self> {
        IndexSpec::Flat.build(dim, Metric::L2)?;
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
            turn: Turn::default(),
            gathered: Gathered::default(),
            saving: Turn::default(),
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
            normalize_l2: None,
            relevance: None,
            saved_model: None,
            dim: None,
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

    /// Adds documents whose vectors are the rows of one matrix, `dim` components each, replacing those with the same ids;
    /// otherwise as [`VectorStore::upsert_embeddings`].
    ///
    /// # Errors
    /// As there, and [`Error::Lengths`](crate::Error::Lengths) when there are more or fewer rows than documents.
    pub async fn upsert_rows(
        &self,
        documents: Vec<Document>,
        vectors: Vec<f32>,
        dim: usize,
    ) -> Result<Vec<DocumentId>> {
        self.add_rows(documents, Matrix { data: vectors, dim }, Existing::Replace)
            .await
    }

    /// The same, but an id that exists already is an error and nothing is added.
    ///
    /// # Errors
    /// As [`upsert_rows`](Self::upsert_rows), and [`Error::ExistingIds`](crate::Error::ExistingIds).
    pub async fn insert_rows(
        &self,
        documents: Vec<Document>,
        vectors: Vec<f32>,
        dim: usize,
    ) -> Result<Vec<DocumentId>> {
        self.add_rows(documents, Matrix { data: vectors, dim }, Existing::Refuse)
            .await
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

    /// Runs `read` on the current snapshot, on the compute pool.
    async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared, &Snapshot) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let shared = self.shared.clone();
        self.shared
            .pool
            .run(move || read(&shared, &shared.snapshot.load_full()))
            .await?
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
        self.read(move |_, snapshot| {
            let places = ids.iter().filter_map(|id| snapshot.find(id));
            Ok(places.map(|place| Document::clone(snapshot.document(place))).collect())
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
        self.read(move |_, snapshot| match &filter {
            None => Ok(snapshot.len()),
            Some(filter) => Ok(snapshot.matching(filter)?.len()),
        })
        .await
    }

    async fn list(&self, filter: Option<DocumentFilter>) -> Result<Vec<DocumentId>> {
        self.read(move |_, snapshot| {
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
