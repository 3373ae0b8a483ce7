//! Documents kept by id: the trait, and the one that keeps them in memory.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use anear_pool::Pool;
use async_trait::async_trait;
use indexmap::IndexMap;

use crate::{Document, DocumentFilter, DocumentId, Error, Result};

/// Keeps documents by id.
#[async_trait]
pub trait Docstore: fmt::Debug + Send + Sync {
    /// Stores documents, all or none; one whose id is known is replaced.
    ///
    /// # Errors
    /// [`Error::MissingId`] for a document without an id, or what the storage reports.
    async fn put(&self, documents: Vec<Document>) -> Result<()>;

    /// The documents of these ids, in their order; `None` where there is none.
    ///
    /// # Errors
    /// What the storage reports.
    async fn get(&self, ids: &[DocumentId]) -> Result<Vec<Option<Document>>>;

    /// Removes documents and says how many there were; an unknown id is no error.
    ///
    /// # Errors
    /// What the storage reports.
    async fn delete(&self, ids: &[DocumentId]) -> Result<usize>;

    /// The ids of the documents that the filter wants, in order of insertion.
    ///
    /// # Errors
    /// [`Error::FilterTooLarge`] for a filter beyond the [`limits`](crate::limits), [`Error::Panicked`] when a closure
    /// panics, or what the storage reports.
    async fn select(&self, filter: &DocumentFilter) -> Result<Vec<DocumentId>>;
}

/// A docstore in memory, which asks a filter about every document. It works on the compute pool.
///
/// ```
/// # futures::executor::block_on(async {
/// use anear_documents::{Docstore, Document, Filter, InMemoryDocstore};
///
/// let store = InMemoryDocstore::default();
/// store.put(vec![Document::new("foo").with_id("a").with_metadata("page", 1)]).await?;
/// assert_eq!(store.select(&Filter::eq("page", 1).into()).await?, ["a"]);
/// # Ok::<(), anear_documents::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct InMemoryDocstore {
    documents: Arc<RwLock<Documents>>,
}

type Documents = IndexMap<DocumentId, Document>;

// No code of others runs while the lock is held for writing, so a poisoned lock still guards whole data.
impl InMemoryDocstore {
    /// Reads on the compute pool, where waiting for the lock keeps no executor's thread.
    async fn read<R: Send + 'static>(&self, work: impl FnOnce(&Documents) -> R + Send + 'static) -> Result<R> {
        let documents = Arc::clone(&self.documents);
        let read = move || work(&documents.read().unwrap_or_else(PoisonError::into_inner));
        Ok(Pool::global().run(read).await?)
    }

    /// Writes on the compute pool.
    async fn write<R: Send + 'static>(&self, work: impl FnOnce(&mut Documents) -> R + Send + 'static) -> Result<R> {
        let documents = Arc::clone(&self.documents);
        let write = move || work(&mut documents.write().unwrap_or_else(PoisonError::into_inner));
        Ok(Pool::global().run(write).await?)
    }
}

#[async_trait]
impl Docstore for InMemoryDocstore {
    async fn put(&self, documents: Vec<Document>) -> Result<()> {
        let named = documents
            .into_iter()
            .enumerate()
            .map(|(position, document)| match &document.id {
                Some(id) => Ok((id.clone(), document)),
                None => Err(Error::MissingId { position }),
            });
        let named = named.collect::<Result<Vec<_>>>()?;
        self.write(|documents| documents.extend(named)).await
    }

    async fn get(&self, ids: &[DocumentId]) -> Result<Vec<Option<Document>>> {
        let ids = ids.to_vec();
        self.read(move |documents| ids.iter().map(|id| documents.get(id).cloned()).collect())
            .await
    }

    async fn delete(&self, ids: &[DocumentId]) -> Result<usize> {
        let ids: HashSet<DocumentId> = ids.iter().cloned().collect();
        self.write(move |documents| {
            let before = documents.len();
            documents.retain(|id, _| !ids.contains(id));
            before - documents.len()
        })
        .await
    }

    async fn select(&self, filter: &DocumentFilter) -> Result<Vec<DocumentId>> {
        filter.check()?;
        let filter = filter.clone();
        self.read(move |documents| {
            let wanted = documents
                .iter()
                .filter(|(_, document)| filter.matches(&document.metadata));
            wanted.map(|(id, _)| id.clone()).collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::Filter;

    #[test]
    fn a_batch_with_a_missing_id_changes_nothing() {
        let store = InMemoryDocstore::default();
        let batch = vec![Document::new("foo").with_id("a"), Document::new("bar")];
        let error = block_on(store.put(batch)).unwrap_err();
        assert!(error.to_string().contains("document 1 has no id"));
        assert_eq!(block_on(store.get(&["a".into()])).unwrap(), [None]);
    }

    #[test]
    fn put_replaces_and_delete_counts() {
        let store = InMemoryDocstore::default();
        for (text, page) in [("foo", 1), ("bar", 2)] {
            let document = Document::new(text).with_id("a").with_metadata("page", page);
            block_on(store.put(vec![document, Document::new("c").with_id("c")])).unwrap();
        }
        let found = block_on(store.get(&["b".into(), "a".into()])).unwrap();
        assert_eq!(found[0], None);
        assert_eq!(found[1].as_ref().unwrap().page_content, "bar");
        assert_eq!(block_on(store.select(&Filter::eq("page", 2).into())).unwrap(), ["a"]);
        assert_eq!(block_on(store.select(&Filter::all().into())).unwrap(), ["a", "c"]);
        assert_eq!(
            block_on(store.delete(&["a".into(), "x".into(), "a".into()])).unwrap(),
            1
        );
        assert_eq!(
            block_on(store.select(&DocumentFilter::from_fn(|_| true))).unwrap(),
            ["c"]
        );
    }

    #[test]
    fn closures_run_on_the_pool_and_may_panic() {
        let store = InMemoryDocstore::default();
        block_on(store.put(vec![Document::new("foo").with_id("a")])).unwrap();
        let here = std::thread::current().id();
        let elsewhere = DocumentFilter::from_fn(move |_| std::thread::current().id() != here);
        assert_eq!(block_on(store.select(&elsewhere)).unwrap(), ["a"]);
        let error = block_on(store.select(&DocumentFilter::from_fn(|_| panic!("seven")))).unwrap_err();
        assert!(matches!(error, Error::Panicked(_)), "{error}");
        assert_eq!(block_on(store.delete(&["a".into()])).unwrap(), 1);
    }
}
