//! Documents kept by id: the trait, and the one that keeps them in memory.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use indexmap::IndexMap;

use crate::{Document, DocumentFilter, DocumentId, Error, Result};

/// Keeps documents by id.
#[async_trait]
pub trait Docstore: fmt::Debug + Send + Sync {
    /// Stores documents, all or none; one whose id is known is replaced.
    async fn put(&self, documents: Vec<Document>) -> Result<()>;

    /// The documents of these ids, in their order; `None` where there is none.
    async fn get(&self, ids: &[DocumentId]) -> Result<Vec<Option<Document>>>;

    /// Removes documents and says how many there were; an unknown id is no error.
    async fn delete(&self, ids: &[DocumentId]) -> Result<usize>;

    /// The ids of the documents that the filter wants, in order of insertion.
    async fn select(&self, filter: &DocumentFilter) -> Result<Vec<DocumentId>>;
}

/// A docstore in memory, which asks a filter about every document.
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
    documents: RwLock<IndexMap<DocumentId, Document>>,
}

// No code of others runs while the lock is held for writing, so a poisoned lock still guards whole data.
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
        self.documents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(named);
        Ok(())
    }

    async fn get(&self, ids: &[DocumentId]) -> Result<Vec<Option<Document>>> {
        let documents = self.documents.read().unwrap_or_else(PoisonError::into_inner);
        Ok(ids.iter().map(|id| documents.get(id).cloned()).collect())
    }

    async fn delete(&self, ids: &[DocumentId]) -> Result<usize> {
        let mut documents = self.documents.write().unwrap_or_else(PoisonError::into_inner);
        let before = documents.len();
        let ids: std::collections::HashSet<&DocumentId> = ids.iter().collect();
        documents.retain(|id, _| !ids.contains(id));
        Ok(before - documents.len())
    }

    async fn select(&self, filter: &DocumentFilter) -> Result<Vec<DocumentId>> {
        filter.check()?;
        let documents = self.documents.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = documents
            .iter()
            .filter(|(_, document)| filter.matches(&document.metadata));
        Ok(wanted.map(|(id, _)| id.clone()).collect())
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
}
