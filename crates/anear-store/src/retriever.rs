//! A retriever: a store with its search settled, so that callers only bring a text.

use anear_documents::{Document, DocumentFilter};

use crate::error::{Error, Result};
use crate::request::{DEFAULT_K, Ranking, SearchRequest};
use crate::store::VectorStore;

/// How a [`Retriever`] searches.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SearchType {
    /// The most similar documents.
    Similarity,
    /// The most similar documents whose relevance is at least this.
    SimilarityScoreThreshold(f32),
    /// Maximal marginal relevance.
    Mmr {
        /// How many of the nearest are candidates.
        fetch_k: usize,
        /// 1 asks for relevance only, 0 for diversity only.
        lambda_mult: f32,
    },
}

/// One text in, documents out.
///
/// ```
/// use anear_store::{LocalStore, SearchType, VectorStoreExt};
/// # use anear_embeddings::FakeEmbeddings;
/// # futures::executor::block_on(async {
/// let store = LocalStore::from_texts(["foo", "bar"], FakeEmbeddings::new(16)).await?;
/// let retriever = store.as_retriever().k(1).search_type(SearchType::SimilarityScoreThreshold(0.9));
/// assert_eq!(retriever.invoke("foo").await?[0].page_content, "foo");
/// # Ok::<(), anear_store::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Retriever<S> {
    store: S,
    search_type: SearchType,
    k: usize,
    filter: Option<DocumentFilter>,
}

impl<S: VectorStore> Retriever<S> {
    pub(crate) fn new(store: S) -> Self {
        Self {
            store,
            search_type: SearchType::Similarity,
            k: DEFAULT_K,
            filter: None,
        }
    }

    /// How to search (default: by similarity).
    pub fn search_type(self, search_type: SearchType) -> Self {
        Self { search_type, ..self }
    }

    /// How many documents to return (default: 4).
    pub fn k(self, k: usize) -> Self {
        Self { k, ..self }
    }

    /// Returns only documents that match.
    pub fn filter(self, filter: impl Into<DocumentFilter>) -> Self {
        Self {
            filter: Some(filter.into()),
            ..self
        }
    }

    /// The store that is searched.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The documents relevant to `text`.
    ///
    /// # Errors
    /// As [`VectorStore::search`], and [`Error::Argument`] for a threshold outside 0 to 1.
    pub async fn invoke(&self, text: &str) -> Result<Vec<Document>> {
        let (ranking, least) = match self.search_type {
            SearchType::Similarity => (Ranking::Similarity, None),
            SearchType::SimilarityScoreThreshold(least) => (Ranking::Similarity, Some(least)),
            SearchType::Mmr { fetch_k, lambda_mult } => (Ranking::Mmr { fetch_k, lambda_mult }, None),
        };
        if let Some(least) = least.filter(|least| !(0.0..=1.0).contains(least)) {
            let got = least.to_string();
            return Err(Error::Argument {
                name: "the relevance threshold",
                wanted: "between 0 and 1",
                got,
            });
        }
        let request = SearchRequest {
            k: self.k,
            filter: self.filter.clone(),
            ranking,
            ..SearchRequest::new(text)
        };
        let hits = self.store.search(request).await?.into_iter();
        let relevant = hits.filter(|hit| least.is_none_or(|least| self.store.relevance(hit.score) >= least));
        Ok(relevant.map(|hit| hit.document).collect())
    }
}
