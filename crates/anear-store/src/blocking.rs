//! The same store for synchronous code: the methods of the async one, waiting for their results.
//!
//! ```
//! use anear_store::blocking::LocalStore;
//! use anear_embeddings::FakeEmbeddings;
//!
//! let store = LocalStore::from_texts(["foo", "bar"], FakeEmbeddings::new(16))?;
//! assert_eq!(store.similarity_search("bar")?[0].page_content, "bar");
//! # Ok::<(), anear_store::Error>(())
//! ```
//!
//! Every method that waits fails with [`Error::BlockingInAsync`] on a thread that drives asynchronous code, where waiting would
//! stall everything else.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use anear_documents::{Document, DocumentFilter, DocumentId, Metadata};
use anear_embeddings::Embeddings;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Deletion, Error, Hit, LocalStoreBuilder, Result, SearchBatch, SearchRequest, VectorStore, VectorStoreExt};

/// A [`crate::LocalStore`] for synchronous code. Cloning gives another handle to the same store.
#[derive(Clone)]
pub struct LocalStore {
    store: crate::LocalStore,
    waiter: Arc<Waiter>,
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::LocalStore").field(&self.store).finish()
    }
}

/// A runtime for timers and sockets of embedding clients; the arithmetic runs on the compute pool.
struct Waiter(Option<Runtime>);

impl Waiter {
    fn new() -> Result<Arc<Self>> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("anear-blocking")
            .enable_all()
            .build();
        runtime
            .map(|runtime| Arc::new(Self(Some(runtime))))
            .map_err(Error::Runtime)
    }

    /// Waits for `future`, unless this thread drives asynchronous code.
    fn wait<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        match (&self.0, Handle::try_current()) {
            (Some(runtime), Err(_)) => runtime.block_on(future),
            _ => Err(Error::BlockingInAsync),
        }
    }
}

impl Drop for Waiter {
    /// Waits for nothing: the last handle may be dropped on a thread that drives asynchronous code.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl LocalStore {
    /// Wraps an async store; both handles see the same documents.
    ///
    /// # Errors
    /// [`Error::Runtime`] when the operating system gives no thread.
    pub fn new(store: crate::LocalStore) -> Result<Self> {
        Ok(Self {
            store,
            waiter: Waiter::new()?,
        })
    }

    /// The async store beneath.
    pub fn as_async(&self) -> &crate::LocalStore {
        &self.store
    }

    /// See [`crate::LocalStore::from_documents`].
    ///
    /// # Errors
    /// As there.
    pub fn from_documents(documents: Vec<Document>, embeddings: impl Embeddings + 'static) -> Result<Self> {
        Self::made(crate::LocalStore::from_documents(documents, embeddings))
    }

    /// See [`crate::LocalStore::from_texts`].
    ///
    /// # Errors
    /// As there.
    pub fn from_texts<T: Into<String>>(
        texts: impl IntoIterator<Item = T>,
        embeddings: impl Embeddings + 'static,
    ) -> Result<Self> {
        Self::made(crate::LocalStore::from_texts(texts, embeddings))
    }

    /// See [`crate::LocalStore::from_embeddings`].
    ///
    /// # Errors
    /// As there.
    pub fn from_embeddings(embedded: Vec<(Document, Vec<f32>)>, embeddings: impl Embeddings + 'static) -> Result<Self> {
        Self::made(crate::LocalStore::from_embeddings(embedded, embeddings))
    }

    /// See [`LocalStoreBuilder::load_local`].
    ///
    /// # Errors
    /// As there.
    pub fn load_local(folder: impl AsRef<Path>, index_name: &str, builder: LocalStoreBuilder) -> Result<Self> {
        Self::made(builder.load_local(folder, index_name))
    }

    /// See [`LocalStoreBuilder::deserialize_from_bytes`].
    ///
    /// # Errors
    /// As there.
    pub fn deserialize_from_bytes(serialized: Vec<u8>, builder: LocalStoreBuilder) -> Result<Self> {
        Self::made(builder.deserialize_from_bytes(serialized))
    }

    fn made(store: impl Future<Output = Result<crate::LocalStore>>) -> Result<Self> {
        let waiter = Waiter::new()?;
        Ok(Self {
            store: waiter.wait(store)?,
            waiter,
        })
    }
}

/// One blocking method for each async one of the same name.
macro_rules! blocking {
    ($($(#[$doc:meta])* fn $name:ident(&self $(, $arg:ident: $type:ty)*) -> $out:ty;)*) => {
        impl LocalStore {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// As the async method.
                pub fn $name(&self $(, $arg: $type)*) -> Result<$out> {
                    self.waiter.wait(self.store.$name($($arg),*))
                }
            )*
        }
    };
}

blocking! {
    /// See [`VectorStoreExt::add_documents`].
    fn add_documents(&self, documents: Vec<Document>) -> Vec<DocumentId>;
    /// See [`VectorStoreExt::add_texts`].
    fn add_texts(&self, texts: Vec<String>) -> Vec<DocumentId>;
    /// See [`VectorStoreExt::add_texts_with_metadata`].
    fn add_texts_with_metadata(&self, texts: Vec<String>, metadatas: Vec<Metadata>) -> Vec<DocumentId>;
    /// See [`VectorStoreExt::add_embeddings`].
    fn add_embeddings(&self, embedded: Vec<(String, Vec<f32>)>) -> Vec<DocumentId>;
    /// See [`VectorStore::upsert`].
    fn upsert(&self, documents: Vec<Document>) -> Vec<DocumentId>;
    /// See [`VectorStore::search`].
    fn search(&self, request: SearchRequest) -> Vec<Hit>;
    /// See [`VectorStore::upsert_embeddings`].
    fn upsert_embeddings(&self, embedded: Vec<(Document, Vec<f32>)>) -> Vec<DocumentId>;
    /// See [`crate::LocalStore::upsert_rows`].
    fn upsert_rows(&self, documents: Vec<Document>, vectors: Vec<f32>, dim: usize) -> Vec<DocumentId>;
    /// See [`crate::LocalStore::insert_rows`].
    fn insert_rows(&self, documents: Vec<Document>, vectors: Vec<f32>, dim: usize) -> Vec<DocumentId>;
    /// See [`crate::LocalStore::search_batch`].
    fn search_batch(&self, batch: SearchBatch) -> Vec<Vec<Hit>>;
    /// See [`VectorStoreExt::similarity_search`].
    fn similarity_search(&self, request: impl Into<SearchRequest> + Send) -> Vec<Document>;
    /// See [`VectorStoreExt::similarity_search_with_score`].
    fn similarity_search_with_score(&self, request: impl Into<SearchRequest> + Send) -> Vec<Hit>;
    /// See [`VectorStoreExt::similarity_search_by_vector`].
    fn similarity_search_by_vector(&self, vector: &[f32], k: usize) -> Vec<Document>;
    /// See [`VectorStoreExt::similarity_search_with_score_by_vector`].
    fn similarity_search_with_score_by_vector(&self, vector: &[f32], k: usize) -> Vec<Hit>;
    /// See [`VectorStoreExt::similarity_search_with_relevance_scores`].
    fn similarity_search_with_relevance_scores(&self, request: impl Into<SearchRequest> + Send) -> Vec<(Document, f32)>;
    /// See [`VectorStoreExt::max_marginal_relevance_search`].
    fn max_marginal_relevance_search(&self, request: impl Into<SearchRequest> + Send) -> Vec<Document>;
    /// See [`VectorStoreExt::max_marginal_relevance_search_with_score`].
    fn max_marginal_relevance_search_with_score(&self, request: impl Into<SearchRequest> + Send) -> Vec<Hit>;
    /// See [`VectorStoreExt::max_marginal_relevance_search_by_vector`].
    fn max_marginal_relevance_search_by_vector(&self, vector: &[f32], k: usize) -> Vec<Document>;
    /// See [`VectorStoreExt::max_marginal_relevance_search_with_score_by_vector`].
    fn max_marginal_relevance_search_with_score_by_vector(&self, vector: &[f32], k: usize) -> Vec<Hit>;
    /// See [`VectorStore::get_by_ids`].
    fn get_by_ids(&self, ids: &[DocumentId]) -> Vec<Document>;
    /// See [`VectorStore::delete`].
    fn delete(&self, which: Deletion) -> usize;
    /// See [`VectorStoreExt::delete_by_ids`].
    fn delete_by_ids(&self, ids: Vec<DocumentId>) -> usize;
    /// See [`VectorStoreExt::delete_existing`].
    fn delete_existing(&self, ids: Vec<DocumentId>) -> usize;
    /// See [`VectorStoreExt::delete_matching`].
    fn delete_matching(&self, filter: impl Into<DocumentFilter> + Send) -> usize;
    /// See [`VectorStore::count`].
    fn count(&self, filter: Option<DocumentFilter>) -> usize;
    /// See [`VectorStore::list`].
    fn list(&self, filter: Option<DocumentFilter>) -> Vec<DocumentId>;
    /// See [`crate::LocalStore::save_local`].
    fn save_local(&self, folder: impl AsRef<Path>, index_name: &str) -> ();
    /// See [`crate::LocalStore::serialize_to_bytes`].
    fn serialize_to_bytes(&self) -> Vec<u8>;
    /// See [`crate::LocalStore::serialize_to_pickle`].
    fn serialize_to_pickle(&self) -> Vec<u8>;
}

impl LocalStore {
    /// See [`crate::LocalStore::merge_from`].
    ///
    /// # Errors
    /// As there.
    pub fn merge_from(&self, source: &Self) -> Result<usize> {
        self.waiter.wait(self.store.merge_from(&source.store))
    }
}
