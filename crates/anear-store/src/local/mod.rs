//! The store in this process: documents, embeddings and an index that stay in step.
//!
//! # How readers and writers live together
//!
//! A search takes the current [`Snapshot`] and works on it to its end, on threads that writers do not use: it waits for
//! none of them, however long one builds, and sees nobody's half of a change; those that are under way at the same time
//! share one scan (`gather.rs`). Writers take turns. A write embeds its texts first, then validates everything and builds
//! the next snapshot beside the current one, then swaps one pointer; a write that fails or whose future is dropped before
//! its turn has changed nothing, one that has begun its turn commits whole. After an acknowledged write every later
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
use anear_index::{Flat, IndexSpec, Knobs, Training, VectorIndex};
use anear_kernels::{Metric, Rows};
use anear_pool::{PerProcess, Pool};
use arc_swap::ArcSwap;
use async_trait::async_trait;

pub use self::census::MemoryUsage;
use self::gather::Gather;
pub use self::view::View;
use crate::error::{Error, Result};
use crate::request::{Hit, SearchRequest, check_filter};
use crate::score::{RelevanceFn, relevance, relevance_of_bits};
use crate::snapshot::Snapshot;
use crate::store::{Deletion, VectorStore};

/// A vector store in memory, on exact search or any other [index](LocalStoreBuilder::index); the successor of LangChain's
/// `FAISS`.
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
    /// The same for what reads, which waits for no writer.
    readers: Pool,
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
    pub(crate) index: IndexSpec,
    /// Search parameters that a new index gets.
    pub(crate) knobs: Knobs,
    pub(crate) relevance: Option<RelevanceFn>,
}

impl Settings {
    /// Trains an index of this kind on vectors as they will be added.
    fn train(&self, vectors: Rows<'_>, pool: &Pool) -> Result<Box<dyn VectorIndex>> {
        let training = Training {
            pool: Some(pool),
            ..Training::default()
        };
        let trained = self.index.train(self.metric, vectors, &training);
        let mut index = trained.map_err(|source| match source.wants_more_vectors() {
            true => Error::Untrained {
                index: self.index.to_string(),
                got: vectors.len(),
                source: Box::new(source),
            },
            false => source.into(),
        })?;
        set_knobs(&mut *index, &self.knobs)?;
        Ok(index)
    }

    /// An index of this kind without vectors; `None` for one that must be trained.
    fn untrained(&self, dim: usize) -> Result<Option<Arc<dyn VectorIndex>>> {
        match self.index.needs_training() {
            true => Ok(None),
            false => Ok(Some(self.index.build(dim, self.metric)?.into())),
        }
    }

    /// Relevance of a score of vectors of this width, by the caller's function or the metric's own.
    fn relevance_of(&self, score: f32, dim: Option<usize>) -> f32 {
        let bits = dim.and_then(|dim| self.index.bits_compared(dim));
        match (&self.relevance, bits) {
            (Some(relevance), _) => relevance.of(score),
            (None, Some(bits)) => relevance_of_bits(score, bits),
            (None, None) => relevance(self.metric, score),
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

/// Makes these the search parameters of requests that name none.
fn set_knobs(index: &mut dyn VectorIndex, knobs: &Knobs) -> Result<()> {
    Ok(knobs.iter().try_for_each(|(name, value)| index.set_knob(name, value))?)
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
    /// `None`: what a saved store has, else exact search.
    index: Option<IndexSpec>,
    /// What the index has learned already.
    trained: Option<Arc<dyn VectorIndex>>,
    knobs: Knobs,
    relevance: Option<RelevanceFn>,
    saved_model: Option<String>,
    pool: Pool,
    fs: Arc<dyn Fs>,
    mapped: bool,
}

impl LocalStoreBuilder {
    /// Compares vectors by `metric` (default: squared L2). A saved store brings its own.
    pub fn metric(self, metric: Metric) -> Self {
        Self {
            metric: Some(metric),
            trained: self.trained.filter(|index| index.metric() == metric),
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
        Ok(Self {
            dim: Some(dim),
            trained: self.trained.filter(|index| index.dim() == dim),
            ..self
        })
    }

    /// Searches by an index of this kind (default: `Flat`, which is exact). A saved store brings its own.
    ///
    /// It takes Faiss's factory strings: `HNSW32`, `IVF1024,SQ8`, `OPQ16,IVF256,PQ16x4fs,RFlat`. An index that must be
    /// trained learns from the first documents that are added, or from [`LocalStore::train`]; it wants thousands, and all
    /// documents of a kind. Filters stay exact in what they admit, and find `k` documents wherever `k` match; which are
    /// the nearest is as approximate as the index.
    ///
    /// # Errors
    /// [`Error::Index`](crate::Error::Index) that points into a string that is none,
    /// [`Error::OwnIds`](crate::Error::OwnIds) for an id map: a store numbers its documents itself.
    ///
    /// ```
    /// use anear_store::{LocalStore, SearchRequest, VectorStore, VectorStoreExt};
    /// use anear_embeddings::FakeEmbeddings;
    ///
    /// # futures::executor::block_on(async {
    /// let texts = (0..200).map(|i| format!("text {i}"));
    /// let builder = LocalStore::builder(FakeEmbeddings::new(16)).index("IVF4,SQ8")?.knob("nprobe", 2.0);
    /// let store = builder.from_texts(texts).await?;
    /// assert_eq!(store.index().to_string(), "IVF4,SQ8");
    ///
    /// let found = store.search(SearchRequest::new("text 7").k(1).with("nprobe", 4.0)).await?;
    /// assert_eq!(found[0].document.page_content, "text 7");
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub fn index(self, factory: &str) -> Result<Self> {
        self.index_spec(factory.parse()?)
    }

    /// [`index`](Self::index), read already.
    ///
    /// # Errors
    /// As there.
    pub fn index_spec(self, index: IndexSpec) -> Result<Self> {
        if let IndexSpec::IdMap(..) = index {
            return Err(Error::OwnIds {
                index: index.to_string(),
            });
        }
        Ok(Self {
            index: Some(index),
            trained: None,
            ..self
        })
    }

    /// Searches by copies of this index, which has learned what it must; vectors in it are of no account. Metric, dimension
    /// and search parameters are its own; where another metric, dimension or kind of index is asked for afterwards, it is
    /// trained anew.
    ///
    /// # Errors
    /// [`Error::OwnIds`](crate::Error::OwnIds) for an id map.
    ///
    /// ```
    /// use anear_embeddings::FakeEmbeddings;
    /// use anear_index::IndexSpec;
    /// use anear_kernels::Metric;
    /// use anear_store::{LocalStore, VectorStoreExt};
    ///
    /// # futures::executor::block_on(async {
    /// let index = "HNSW16".parse::<IndexSpec>()?.build(16, Metric::L2)?;
    /// let store = LocalStore::builder(FakeEmbeddings::new(16)).trained_index(&*index)?.build();
    /// store.add_texts(["foo", "bar"]).await?;
    /// assert_eq!(store.index().to_string(), "HNSW16,Flat");
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub fn trained_index(self, index: &dyn VectorIndex) -> Result<Self> {
        let mut empty = index.emptied();
        if empty.as_add().is_none() {
            let index = index.spec().to_string();
            return Err(Error::OwnIds { index });
        }
        Ok(Self {
            metric: Some(index.metric()),
            dim: Some(index.dim()),
            index: Some(index.spec()),
            trained: Some(empty.into()),
            ..self
        })
    }

    /// Sets a search parameter of the index, such as `nprobe` or `efSearch`, for searches that do not say otherwise.
    ///
    /// An unknown one is an error of the call that makes the index: the first that adds, or the one that loads.
    pub fn knob(mut self, name: impl Into<String>, value: f64) -> Self {
        self.knobs.set(name, value);
        self
    }

    /// Turns scores into relevance by a function of one's own.
    pub fn relevance_score_fn(mut self, relevance: impl Fn(f32) -> f32 + Send + Sync + 'static) -> Self {
        self.relevance = Some(RelevanceFn::new(relevance));
        self
    }

    /// Computes on these threads (default: [`Pool::global`]); what reads on its [urgent](Pool::urgent) ones.
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = pool;
        self
    }

    /// Leaves what is loaded from a folder in its file, as far as it can stay there (Faiss: `IO_FLAG_MMAP`; default: off): codes
    /// and vectors are in memory only where searches look at them, and [`memory`](View::memory) tells how much that is.
    ///
    /// That is of use for indexes that look at a small part of a set that is larger than memory: `auto`, and inverted
    /// files. Vectors of other indexes in Faiss's files rarely lie at multiples of four bytes and are read all the same; so are
    /// documents, and the files of a folder that another program saved. Loading looks at every byte once in any case, to see
    /// that nothing is damaged. Changes bring what they touch into memory, at the latest when parts of the store are merged,
    /// and saving makes the new file in memory: this is for stores that are read.
    ///
    /// Nobody may change or cut the files meanwhile: who looks at what was cut is ended by the system. LangChain's
    /// `save_local` into the same folder does cut them. What anear saves replaces files, which is allowed on a local disk
    /// (but on Windows a folder that anyone has mapped cannot be saved to).
    ///
    /// ```
    /// # use anear_store::{LocalStore, VectorStoreExt};
    /// # use anear_embeddings::FakeEmbeddings;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let folder = folder.path();
    /// # futures::executor::block_on(async {
    /// let store = LocalStore::builder(FakeEmbeddings::new(8)).index("auto")?.from_texts(["foo", "bar"]).await?;
    /// store.save_local(folder, "index").await?;
    /// let again = LocalStore::builder(FakeEmbeddings::new(8)).mapped(true).load_local(folder, "index").await?;
    /// assert!(again.view().memory().mapped > 0);
    /// assert_eq!(again.similarity_search("foo").await?[0].page_content, "foo");
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub fn mapped(self, mapped: bool) -> Self {
        Self { mapped, ..self }
    }

    /// Saves and loads through `fs` (default: the operating system's files). Tests bring one that fails.
    #[doc(hidden)]
    pub fn fs(mut self, fs: impl Fs + 'static) -> Self {
        self.fs = Arc::new(fs);
        self
    }

    /// An empty store.
    pub fn build(self) -> LocalStore {
        let snapshot = match &self.trained {
            Some(index) => Snapshot::like(index.clone()).searched_with(self.knobs.clone()),
            None => {
                let kind = self.index.clone().unwrap_or_default();
                Snapshot::empty(self.metric.unwrap_or(Metric::L2), self.dim, &kind)
            }
        };
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
            index: self.index.unwrap_or_default(),
            knobs: self.knobs,
            relevance: self.relevance,
        };
        let shared = Shared {
            embeddings: self.embeddings,
            settings,
            readers: self.pool.urgent(),
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
            index: None,
            trained: None,
            knobs: Knobs::default(),
            relevance: None,
            saved_model: None,
            pool: Pool::global().clone(),
            fs: Arc::new(RealFs),
            mapped: false,
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

    /// The kind of index that it searches by.
    pub fn index(&self) -> &IndexSpec {
        &self.shared.settings.index
    }

    /// The width of the vectors, once there is one.
    pub fn dim(&self) -> Option<usize> {
        self.shared.snapshot.load().dim()
    }

    /// Runs `read` on the state of the store when a thread of the compute pool takes it up.
    async fn read<R: Send + 'static>(&self, read: impl FnOnce(&View) -> Result<R> + Send + 'static) -> Result<R> {
        let store = self.clone();
        self.shared.readers.run(move || read(&store.view())).await?
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
        if let Deletion::Matching(filter) = &which {
            check_filter(Some(filter))?;
        }
        self.remove(which).await
    }

    async fn search(&self, request: SearchRequest) -> Result<Vec<Hit>> {
        self.find(request).await
    }

    async fn count(&self, filter: Option<DocumentFilter>) -> Result<usize> {
        check_filter(filter.as_ref())?;
        self.read(move |view| match &filter {
            None => Ok(view.len()),
            Some(filter) => Ok(view.select(filter)?.len()),
        })
        .await
    }

    async fn list(&self, filter: Option<DocumentFilter>) -> Result<Vec<DocumentId>> {
        check_filter(filter.as_ref())?;
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
        self.shared.settings.relevance_of(score, self.dim())
    }
}
