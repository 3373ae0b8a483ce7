//! What every vector store can do: a small trait to implement, and the everyday surface on top of it.

use std::fmt;

use anear_documents::{Document, DocumentFilter, DocumentId, Metadata};
use async_trait::async_trait;

use crate::error::{Result, check_lengths};
use crate::request::{Hit, SearchRequest};
use crate::retriever::Retriever;

/// Which documents a [`delete`](VectorStore::delete) takes away.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Deletion {
    /// All of these; an unknown or repeated id is an error and nothing is deleted.
    Ids(Vec<DocumentId>),
    /// Those of these that are in the store.
    Existing(Vec<DocumentId>),
    /// Those that match.
    Matching(DocumentFilter),
}

/// Documents found by the similarity of their vectors.
///
/// Object safe: a `dyn VectorStore` has the whole everyday surface of [`VectorStoreExt`].
#[async_trait]
pub trait VectorStore: fmt::Debug + Send + Sync {
    /// Embeds and adds documents, replacing those with the same ids; one without an id gets a random one. Returns
    /// the ids, in the order given.
    ///
    /// # Errors
    /// When the list is empty, an id occurs twice in it, embedding fails, or a vector has another width than those
    /// in the store or a component that is not finite. Nothing is changed then.
    async fn upsert(&self, documents: Vec<Document>) -> Result<Vec<DocumentId>>;

    /// Adds documents whose vectors are known, as [`upsert`](Self::upsert) does.
    ///
    /// # Errors
    /// As [`upsert`](Self::upsert), embedding apart.
    async fn upsert_embeddings(&self, embedded: Vec<(Document, Vec<f32>)>) -> Result<Vec<DocumentId>>;

    /// The documents with these ids, in the order given; unknown ids are left out.
    ///
    /// # Errors
    /// Only when the store itself fails.
    async fn get_by_ids(&self, ids: &[DocumentId]) -> Result<Vec<Document>>;

    /// Deletes documents, all or none; returns how many.
    ///
    /// # Errors
    /// [`Error::UnknownIds`](crate::Error::UnknownIds) and [`Error::DuplicateId`](crate::Error::DuplicateId) for
    /// [`Deletion::Ids`]; nothing is changed then.
    async fn delete(&self, which: Deletion) -> Result<usize>;

    /// The search beneath all others.
    ///
    /// # Errors
    /// When `k` is 0, embedding the query fails, or its vector has another width than those in the store or a
    /// component that is not finite.
    async fn search(&self, request: SearchRequest) -> Result<Vec<Hit>>;

    /// Number of documents, or of those that match.
    ///
    /// # Errors
    /// Only when the store itself fails.
    async fn count(&self, filter: Option<DocumentFilter>) -> Result<usize>;

    /// Ids of the documents, or of those that match, in insertion order.
    ///
    /// # Errors
    /// Only when the store itself fails.
    async fn list(&self, filter: Option<DocumentFilter>) -> Result<Vec<DocumentId>>;

    /// How relevant a result with this score is, between 0 and 1.
    fn relevance(&self, score: f32) -> f32;
}

/// The names people know, for every [`VectorStore`]. Never implement it.
#[async_trait]
pub trait VectorStoreExt: VectorStore {
    /// Adds documents; see [`VectorStore::upsert`].
    ///
    /// # Errors
    /// As [`VectorStore::upsert`].
    async fn add_documents(&self, documents: Vec<Document>) -> Result<Vec<DocumentId>> {
        self.upsert(documents).await
    }

    /// Adds texts as documents without metadata.
    ///
    /// # Errors
    /// As [`VectorStore::upsert`].
    async fn add_texts<T, I>(&self, texts: I) -> Result<Vec<DocumentId>>
    where
        T: Into<String>,
        I: IntoIterator<Item = T> + Send,
    {
        let documents = texts.into_iter().map(Document::new).collect();
        self.upsert(documents).await
    }

    /// Adds texts with the metadata of each.
    ///
    /// # Errors
    /// As [`VectorStore::upsert`], and [`Error::Lengths`](crate::Error::Lengths) when the lists differ in length.
    async fn add_texts_with_metadata(&self, texts: Vec<String>, metadatas: Vec<Metadata>) -> Result<Vec<DocumentId>> {
        check_lengths("texts", texts.len(), "metadatas", metadatas.len())?;
        let pairs = texts.into_iter().zip(metadatas);
        self.upsert(
            pairs
                .map(|(text, metadata)| Document {
                    metadata,
                    ..Document::new(text)
                })
                .collect(),
        )
        .await
    }

    /// Adds texts whose vectors are known.
    ///
    /// # Errors
    /// As [`VectorStore::upsert_embeddings`].
    async fn add_embeddings(&self, embedded: Vec<(String, Vec<f32>)>) -> Result<Vec<DocumentId>> {
        let embedded = embedded.into_iter().map(|(text, vector)| (Document::new(text), vector));
        self.upsert_embeddings(embedded.collect()).await
    }

    /// The documents most similar to a text, a vector, or whatever a [`SearchRequest`] asks for.
    ///
    /// # Errors
    /// As [`VectorStore::search`].
    async fn similarity_search(&self, request: impl Into<SearchRequest> + Send) -> Result<Vec<Document>> {
        Ok(documents(self.search(request.into()).await?))
    }

    /// The same with the score of each; see [`Hit::score`].
    ///
    /// # Errors
    /// As [`VectorStore::search`].
    async fn similarity_search_with_score(&self, request: impl Into<SearchRequest> + Send) -> Result<Vec<Hit>> {
        self.search(request.into()).await
    }

    /// The documents nearest to a vector.
    ///
    /// # Errors
    /// As [`VectorStore::search`].
    async fn similarity_search_by_vector(&self, vector: &[f32], k: usize) -> Result<Vec<Document>> {
        self.similarity_search(SearchRequest::new(vector).k(k)).await
    }

    /// The documents nearest to a vector with the score of each.
    ///
    /// # Errors
    /// As [`VectorStore::search`].
    async fn similarity_search_with_score_by_vector(&self, vector: &[f32], k: usize) -> Result<Vec<Hit>> {
        self.search(SearchRequest::new(vector).k(k)).await
    }

    /// The most similar documents with their relevance: between 0 and 1, larger is better, whatever the metric.
    ///
    /// # Errors
    /// As [`VectorStore::search`].
    async fn similarity_search_with_relevance_scores(
        &self,
        request: impl Into<SearchRequest> + Send,
    ) -> Result<Vec<(Document, f32)>> {
        let hits = self.search(request.into()).await?;
        Ok(hits
            .into_iter()
            .map(|hit| (hit.document, self.relevance(hit.score)))
            .collect())
    }

    /// Documents that are relevant but not all the same, by maximal marginal relevance.
    ///
    /// # Errors
    /// As [`VectorStore::search`].
    async fn max_marginal_relevance_search(&self, request: impl Into<SearchRequest> + Send) -> Result<Vec<Document>> {
        Ok(documents(self.search(request.into().or_mmr()).await?))
    }

    /// The same with each document's own score.
    ///
    /// # Errors
    /// As [`VectorStore::search`].
    async fn max_marginal_relevance_search_with_score(
        &self,
        request: impl Into<SearchRequest> + Send,
    ) -> Result<Vec<Hit>> {
        self.search(request.into().or_mmr()).await
    }

    /// Documents near to a vector but not all the same, by maximal marginal relevance.
    ///
    /// # Errors
    /// As [`VectorStore::search`].
    async fn max_marginal_relevance_search_by_vector(&self, vector: &[f32], k: usize) -> Result<Vec<Document>> {
        self.max_marginal_relevance_search(SearchRequest::new(vector).k(k))
            .await
    }

    /// The same with each document's own score.
    ///
    /// # Errors
    /// As [`VectorStore::search`].
    async fn max_marginal_relevance_search_with_score_by_vector(&self, vector: &[f32], k: usize) -> Result<Vec<Hit>> {
        self.max_marginal_relevance_search_with_score(SearchRequest::new(vector).k(k))
            .await
    }

    /// Deletes the documents with these ids; an unknown id is an error and nothing is deleted.
    ///
    /// # Errors
    /// [`Error::UnknownIds`](crate::Error::UnknownIds), [`Error::DuplicateId`](crate::Error::DuplicateId).
    async fn delete_by_ids<T, I>(&self, ids: I) -> Result<usize>
    where
        T: Into<DocumentId>,
        I: IntoIterator<Item = T> + Send,
    {
        let ids = ids.into_iter().map(Into::into).collect();
        self.delete(Deletion::Ids(ids)).await
    }

    /// Deletes those documents with these ids that are there.
    ///
    /// # Errors
    /// Only when the store itself fails.
    async fn delete_existing<T, I>(&self, ids: I) -> Result<usize>
    where
        T: Into<DocumentId>,
        I: IntoIterator<Item = T> + Send,
    {
        let ids = ids.into_iter().map(Into::into).collect();
        self.delete(Deletion::Existing(ids)).await
    }

    /// Deletes the documents that match.
    ///
    /// # Errors
    /// Only when the store itself fails.
    async fn delete_matching(&self, filter: impl Into<DocumentFilter> + Send) -> Result<usize> {
        self.delete(Deletion::Matching(filter.into())).await
    }

    /// A retriever over this store: one text in, documents out.
    #[expect(
        clippy::wrong_self_convention,
        reason = "LangChain's name; a store is a cheap handle to clone"
    )]
    fn as_retriever(self) -> Retriever<Self>
    where
        Self: Sized,
    {
        Retriever::new(self)
    }
}

impl<S: VectorStore + ?Sized> VectorStoreExt for S {}

fn documents(hits: Vec<Hit>) -> Vec<Document> {
    hits.into_iter().map(|hit| hit.document).collect()
}
