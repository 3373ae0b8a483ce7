//! What the tests of the store share: documents, vectors by seed, a naive store to compare with.
#![allow(dead_code, reason = "each test file uses its part")]

use anear_documents::{Document, Filter};
use anear_kernels::Metric;
use anear_store::{Hit, LocalStore, SearchRequest, VectorStore};

/// Pseudo-random numbers (splitmix64): the same seed, the same test.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Uniform in -1..1.
    pub(crate) fn component(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn vector(&mut self, dim: usize) -> Vec<f32> {
        (0..dim).map(|_| self.component()).collect()
    }
}

/// A document with an id and a page number.
pub(crate) fn document(id: &str, page: i64) -> Document {
    Document::new(format!("text of {id}"))
        .with_id(id)
        .with_metadata("page", page)
}

/// Everything in the store, found by a search for it: ids, texts and scores, in a form that compares.
pub(crate) async fn contents(store: &LocalStore) -> Vec<String> {
    let ids = store.list(None).await.unwrap();
    let documents = store.get_by_ids(&ids).await.unwrap();
    assert_eq!(documents.len(), ids.len(), "every listed id has its document");
    let mut lines: Vec<String> = documents.iter().map(|document| format!("{document:?}")).collect();
    if let Some(dim) = store.dim() {
        let hits = store
            .search(SearchRequest::new(vec![0.25; dim]).k(ids.len().max(1)))
            .await
            .unwrap();
        assert_eq!(hits.len(), ids.len(), "a search for all finds all");
        lines.extend(
            hits.iter()
                .map(|hit| format!("{:?} {:x}", hit.document.id, hit.score.to_bits())),
        );
    }
    lines
}

/// The naive twin of a store: a list that is searched by sorting it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) rows: Vec<(Document, Vec<f32>)>,
}

impl Model {
    pub(crate) fn upsert(&mut self, documents: &[(Document, Vec<f32>)]) {
        self.rows
            .retain(|(old, _)| !documents.iter().any(|(new, _)| new.id == old.id));
        self.rows.extend_from_slice(documents);
    }

    pub(crate) fn search(
        &self,
        metric: Metric,
        query: &[f32],
        k: usize,
        filter: Option<&Filter>,
    ) -> Vec<(String, f32)> {
        let wanted = self
            .rows
            .iter()
            .filter(|(document, _)| filter.is_none_or(|f| f.matches(&document.metadata)));
        let mut found: Vec<(String, f32)> = wanted
            .map(|(document, vector)| (document.id.clone().unwrap(), metric.distance(query, vector)))
            .collect();
        // Stable: ties stay in insertion order.
        found.sort_by(|a, b| a.1.total_cmp(&b.1));
        found.truncate(k);
        found
    }
}

pub(crate) fn ids(hits: &[Hit]) -> Vec<String> {
    hits.iter().map(|hit| hit.document.id.clone().unwrap()).collect()
}
