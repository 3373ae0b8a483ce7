//! A store at one moment, to be looked at from all sides.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use anear_documents::{Document, DocumentFilter, Value};
use anear_kernels::{Metric, Rows};

use super::persist::type_name;
use super::search::diverse;
use super::{LocalStore, Shared};
use crate::error::{Error, Result};
use crate::request::{Hit, Query, Ranking, SearchRequest};
use crate::score::{reaches, score};
use crate::snapshot::{Place, Snapshot};

/// The documents and vectors of a store at one moment; later changes do not show. Cheap to clone.
///
/// Documents are numbered from 0 in insertion order, without gaps: these positions are what Faiss calls ids and
/// LangChain's `index_to_docstore_id` maps. Everything here is synchronous: searches run on the calling thread and the
/// store's pool.
///
/// ```
/// use anear_store::{LocalStore, VectorStoreExt};
/// use anear_embeddings::FakeEmbeddings;
///
/// # futures::executor::block_on(async {
/// let store = LocalStore::from_texts(["foo", "bar"], FakeEmbeddings::new(8)).await?;
/// let view = store.view();
/// store.add_texts(["baz"]).await?;
/// assert_eq!((view.len(), store.view().len()), (2, 3));
/// let id = view.document(1).and_then(|document| document.id.clone()).unwrap();
/// assert_eq!(view.position(&id), Some(1));
/// assert_eq!(view.vector(1)?.len(), 8);
/// # Ok::<(), anear_store::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct View {
    shared: Arc<Shared>,
    snapshot: Arc<Snapshot>,
}

/// Bytes that a store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Those of the vectors.
    pub vectors: usize,
    /// About those of the documents: texts, ids and metadata.
    pub documents: usize,
}

impl LocalStore {
    /// What the store holds now.
    pub fn view(&self) -> View {
        View::new(self.shared.clone())
    }
}

impl View {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let snapshot = shared.snapshot.load_full();
        Self { shared, snapshot }
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.snapshot.len()
    }

    /// Whether there is no document.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The width of the vectors, once it is known.
    pub fn dim(&self) -> Option<usize> {
        self.snapshot.dim()
    }

    /// How vectors are compared.
    pub fn metric(&self) -> Metric {
        self.snapshot.metric()
    }

    /// The document at a position.
    pub fn document(&self, position: usize) -> Option<&Arc<Document>> {
        Some(self.snapshot.document(self.snapshot.place(position)?))
    }

    /// The position of the document with this id.
    pub fn position(&self, id: &str) -> Option<usize> {
        Some(self.snapshot.position(self.snapshot.find(id)?))
    }

    /// The document with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<Document>> {
        Some(self.snapshot.document(self.snapshot.find(id)?))
    }

    /// All documents, by position.
    pub fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.snapshot.places().map(|place| self.snapshot.document(place))
    }

    /// The vector at a position, as it is stored: of a cosine store normalized.
    ///
    /// # Errors
    /// [`Error::Position`] when there is no such position.
    pub fn vector(&self, position: usize) -> Result<Vec<f32>> {
        let place = self.snapshot.place(position);
        self.snapshot.vector(place.ok_or_else(|| self.no_position(position))?)
    }

    /// The vectors at a range of positions, one after the other.
    ///
    /// # Errors
    /// [`Error::Position`] when the range ends behind the last position.
    pub fn vectors(&self, positions: Range<usize>) -> Result<Vec<f32>> {
        if positions.end > self.len() {
            return Err(self.no_position(positions.end - 1));
        }
        let mut vectors = Vec::with_capacity(positions.len() * self.dim().unwrap_or_default());
        self.snapshot.vectors(positions, &mut vectors)?;
        Ok(vectors)
    }

    /// The positions of the documents that match, ascending.
    ///
    /// # Errors
    /// When the filter exceeds the [limits](anear_documents::limits).
    pub fn select(&self, filter: &DocumentFilter) -> Result<Vec<usize>> {
        let places = self.snapshot.matching(filter)?;
        Ok(places.into_iter().map(|place| self.snapshot.position(place)).collect())
    }

    /// The `k` nearest documents of each query as positions with their [score](Hit::score), nearest first; with
    /// `among`, only of these positions.
    ///
    /// # Errors
    /// When `k` is 0, or a query has another width than the store's vectors or a component that is not finite.
    pub fn nearest(&self, queries: Rows<'_>, k: usize, among: Option<&[usize]>) -> Result<Vec<Vec<(usize, f32)>>> {
        let mut vectors = queries.as_slice().to_vec();
        let found = self.scan(&mut vectors, queries.dim(), k, None, among)?;
        let score = |(place, distance)| (self.snapshot.position(place), score(self.metric(), distance));
        Ok(found
            .into_iter()
            .map(|row| row.into_iter().map(score).collect())
            .collect())
    }

    /// Whether a [score](Hit::score) is at least as good as `threshold`: as large for inner products, as small otherwise.
    pub fn reaches(&self, score: f32, threshold: f32) -> bool {
        reaches(self.metric(), score, threshold)
    }

    /// The search beneath all others, for a request whose query is a vector; with `among`, only of these positions.
    ///
    /// # Errors
    /// As [`VectorStore::search`](crate::VectorStore::search), and [`Error::Argument`] for a query that is a text: only
    /// the store itself has the model.
    pub fn search(&self, request: &SearchRequest, among: Option<&[usize]>) -> Result<Vec<Hit>> {
        request.check()?;
        let Query::Vector(query) = &request.query else {
            return Err(Error::Argument {
                name: "the query",
                wanted: "a vector; texts are searched by the store itself",
                got: "a text".into(),
            });
        };
        let mut query = query.clone();
        let dim = query.len();
        let mut rows = self.scan(&mut query, dim, request.candidates(), request.filter.as_ref(), among)?;
        self.choose(&query, rows.pop().unwrap_or_default(), request)
    }

    /// From the nearest candidates of a prepared query to the hits that the request asks for.
    pub(super) fn choose(&self, query: &[f32], found: Vec<(Place, f32)>, request: &SearchRequest) -> Result<Vec<Hit>> {
        let found = match request.ranking {
            Ranking::Similarity => found,
            Ranking::Mmr { lambda_mult, .. } => diverse(&self.snapshot, query, found, request.k, lambda_mult)?,
        };
        Ok(self.hits(found, request.score_threshold))
    }

    /// Names of the metadata fields, with the types of their values (JSON Schema's names, `datetime`, and Python's own
    /// for foreign values) and how many documents have each.
    pub fn metadata_fields(&self) -> BTreeMap<String, BTreeMap<String, usize>> {
        let mut fields: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (field, value) in self.documents().flat_map(|document| &document.metadata) {
            if !fields.contains_key(field) {
                fields.insert(field.clone(), BTreeMap::new());
            }
            if let Some(types) = fields.get_mut(field) {
                *types.entry(kind_of(value).to_owned()).or_default() += 1;
            }
        }
        fields
    }

    /// How much memory vectors and documents take.
    pub fn memory(&self) -> Memory {
        Memory {
            vectors: self.len() * self.dim().unwrap_or_default() * size_of::<f32>(),
            documents: self.documents().map(|document| document_bytes(document)).sum(),
        }
    }

    /// The nearest of each query, which is prepared as the store's vectors were.
    fn scan(
        &self,
        queries: &mut [f32],
        dim: usize,
        k: usize,
        filter: Option<&DocumentFilter>,
        among: Option<&[usize]>,
    ) -> Result<Vec<Vec<(Place, f32)>>> {
        self.shared.settings.prepare(queries, dim);
        let Some(queries) = self.snapshot.queries(queries, dim)? else {
            return Ok(Vec::new());
        };
        let selection = self.snapshot.selection(filter, among)?;
        let ks = vec![k; queries.len()];
        self.snapshot.search(queries, &ks, &selection, &self.shared.pool)
    }

    /// Prepares one query as the store's vectors were; says whether there is anything to compare it with.
    pub(super) fn prepare(&self, query: &mut [f32]) -> Result<bool> {
        let dim = query.len();
        self.shared.settings.prepare(query, dim);
        Ok(self.snapshot.queries(query, dim)?.is_some())
    }

    /// The `ks[i]` documents nearest to the `i`-th of the prepared `queries`.
    pub(super) fn nearest_places(&self, queries: &[f32], ks: &[usize]) -> Result<Vec<Vec<(Place, f32)>>> {
        let Some(queries) = self.dim().and_then(|dim| Rows::new(queries, dim)) else {
            return Ok(Vec::new());
        };
        let selection = self.snapshot.selection(None, None)?;
        self.snapshot.search(queries, ks, &selection, &self.shared.pool)
    }

    fn hits(&self, found: Vec<(Place, f32)>, threshold: Option<f32>) -> Vec<Hit> {
        let metric = self.metric();
        let scored = found
            .into_iter()
            .map(|(place, distance)| (place, score(metric, distance)));
        let good = scored
            .filter(|(_, score)| threshold.is_none_or(|threshold| crate::score::reaches(metric, *score, threshold)));
        let hit = |(place, score)| Hit {
            document: Document::clone(self.snapshot.document(place)),
            score,
        };
        good.map(hit).collect()
    }

    fn no_position(&self, position: usize) -> Error {
        Error::Position {
            position,
            len: self.len(),
        }
    }
}

/// The type of a metadata value; a foreign one has the name that its language gives it.
fn kind_of(value: &Value) -> &str {
    match value {
        Value::Foreign(foreign) => foreign.type_name(),
        own => type_name(own),
    }
}

fn document_bytes(document: &Document) -> usize {
    let id = document.id.as_ref().map_or(0, String::capacity);
    let metadata = document.metadata.iter();
    let metadata = metadata.map(|(key, value)| size_of::<(u64, String, Value)>() + key.capacity() + heap_bytes(value));
    size_of::<Document>() + id + document.page_content.capacity() + metadata.sum::<usize>()
}

/// Bytes that a value takes outside of itself.
fn heap_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.capacity(),
        Value::List(items) => items.iter().map(|item| size_of::<Value>() + heap_bytes(item)).sum(),
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| size_of::<(u64, String, Value)>() + key.capacity() + heap_bytes(value))
            .sum(),
        _ => 0,
    }
}
