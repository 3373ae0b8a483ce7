//! Changing a store: embed, validate and build beside the current snapshot, then swap one pointer.

use std::collections::HashSet;
use std::sync::Arc;

use anear_documents::{Document, DocumentId, DocumentSet};
use anear_index::VectorIndex;
use anear_kernels::{Metric, Rows, RowsMut, normalize};
use anear_pool::Pool;

use super::{LocalStore, Settings, set_knobs};
use crate::error::{Error, Result, check_lengths, rows};
use crate::segment::Segment;
use crate::snapshot::{Place, Snapshot};
use crate::store::Deletion;

impl LocalStore {
    /// Embeds `documents`, then adds them. Nothing is changed while the model works.
    pub(super) async fn embed_and_add(&self, documents: Vec<Document>) -> Result<Vec<DocumentId>> {
        // Taking the texts out and putting them back costs no copy, but a loop over all documents.
        let (mut documents, texts) = self.shared.pool.run(move || take_texts(documents)).await?;
        if documents.is_empty() {
            return Err(Error::NothingToAdd { what: "documents" });
        }
        let vectors = self.shared.embeddings.embed_documents(&texts).await?;
        self.commit(move |settings, snapshot, pool| {
            check_lengths("documents", documents.len(), "vectors", vectors.len())?;
            for (document, text) in documents.iter_mut().zip(texts) {
                document.page_content = text;
            }
            let rows = Matrix::of(vectors, snapshot.dim())?;
            added(settings, snapshot, pool, documents, rows, Existing::Replace)
        })
        .await
    }

    /// Adds documents whose vectors are known.
    pub(super) async fn add(&self, embedded: Vec<(Document, Vec<f32>)>) -> Result<Vec<DocumentId>> {
        self.commit(move |settings, snapshot, pool| {
            let (documents, vectors): (_, Vec<_>) = embedded.into_iter().unzip();
            let rows = Matrix::of(vectors, snapshot.dim())?;
            added(settings, snapshot, pool, documents, rows, Existing::Replace)
        })
        .await
    }

    /// Adds documents whose vectors are known, row after row in one matrix, replacing documents with the same ids.
    ///
    /// [`upsert_embeddings`](crate::VectorStore::upsert_embeddings) without a vector of its own for each document: the
    /// matrix is copied once, into the index.
    ///
    /// # Errors
    /// As there, and [`Error::Argument`] and [`Error::Lengths`] when `vectors` is not one row of `dim` numbers for each
    /// document. Nothing is changed then.
    ///
    /// ```
    /// use anear_store::{LocalStore, VectorStore};
    /// use anear_documents::Document;
    /// use anear_embeddings::FakeEmbeddings;
    ///
    /// # futures::executor::block_on(async {
    /// let store = LocalStore::new(FakeEmbeddings::new(2));
    /// let documents = || ["a", "b"].map(|id| Document::new("text").with_id(id)).to_vec();
    /// assert_eq!(store.upsert_rows(documents(), vec![0.0, 1.0, 1.0, 0.0], 2).await?, ["a", "b"]);
    /// assert_eq!(store.view().vector(1)?, [1.0, 0.0]);
    ///
    /// let error = store.insert_rows(documents(), vec![0.5; 4], 2).await.unwrap_err();
    /// assert!(error.to_string().starts_with("ids that already exist: `a`, `b`"));
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub async fn upsert_rows(
        &self,
        documents: Vec<Document>,
        vectors: Vec<f32>,
        dim: usize,
    ) -> Result<Vec<DocumentId>> {
        self.add_rows(documents, vectors, dim, Existing::Replace).await
    }

    /// Adds documents as [`upsert_rows`](Self::upsert_rows) does, if the store holds none of their ids.
    ///
    /// # Errors
    /// As there, and [`Error::ExistingIds`]. Nothing is changed then.
    pub async fn insert_rows(
        &self,
        documents: Vec<Document>,
        vectors: Vec<f32>,
        dim: usize,
    ) -> Result<Vec<DocumentId>> {
        self.add_rows(documents, vectors, dim, Existing::Refuse).await
    }

    async fn add_rows(
        &self,
        documents: Vec<Document>,
        data: Vec<f32>,
        dim: usize,
        existing: Existing,
    ) -> Result<Vec<DocumentId>> {
        let rows = Matrix { data, dim };
        self.commit(move |settings, snapshot, pool| added(settings, snapshot, pool, documents, rows, existing))
            .await
    }

    /// Deletes what `which` names; returns how many documents that were.
    pub(super) async fn remove(&self, which: Deletion) -> Result<usize> {
        self.commit(move |_, snapshot, pool| {
            let places = match which {
                Deletion::Ids(ids) => found_all(snapshot, &ids)?,
                Deletion::Existing(ids) => distinct(ids.iter().filter_map(|id| snapshot.find(id))),
                Deletion::Matching(filter) => snapshot.matching(&filter)?,
            };
            Ok((snapshot.without(&places, pool)?, places.len()))
        })
        .await
    }

    /// Adds all documents of `source` to this store; the source is left as it is.
    ///
    /// Where both indexes learned the same (or nothing) and have the same search parameters, codes are taken over as they
    /// are; otherwise the vectors are, as the source gives them back.
    ///
    /// All or nothing: on an error both stores are as they were. Returns how many documents were added.
    ///
    /// # Errors
    /// [`Error::MergeWithSelf`], [`Error::MergeSettings`] when the stores compare vectors differently,
    /// [`Error::MergeOverlap`] when both hold the same id, [`Error::Dimension`].
    ///
    /// ```
    /// # use anear_store::{LocalStore, VectorStore};
    /// # use anear_embeddings::FakeEmbeddings;
    /// # futures::executor::block_on(async {
    /// let one = LocalStore::from_texts(["foo"], FakeEmbeddings::new(8)).await?;
    /// let two = LocalStore::from_texts(["bar"], FakeEmbeddings::new(8)).await?;
    /// assert_eq!(one.merge_from(&two).await?, 1);
    /// assert_eq!((one.count(None).await?, two.count(None).await?), (2, 1));
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub async fn merge_from(&self, source: &LocalStore) -> Result<usize> {
        if Arc::ptr_eq(&self.shared, &source.shared) {
            return Err(Error::MergeWithSelf);
        }
        let (ours, theirs) = (self.shared.settings.describe(), source.shared.settings.describe());
        if ours != theirs {
            return Err(Error::MergeSettings { ours, theirs });
        }
        let source = source.shared.clone();
        self.commit(move |settings, snapshot, pool| {
            let source = source.snapshot.load_full();
            let both = source
                .places()
                .map(|place| source.id(place))
                .find(|id| snapshot.find(id).is_some());
            if let Some(id) = both {
                return Err(Error::MergeOverlap { id: id.clone() });
            }
            match source.to_segment(pool)? {
                None => Ok((snapshot.clone(), 0)),
                Some(segment) => {
                    let segment = fitting(settings, snapshot, pool, segment)?;
                    Ok((snapshot.with(segment, pool)?, source.len()))
                }
            }
        })
        .await
    }

    /// Trains the index on a sample of the vectors to come, row after row of `dim` numbers, before the first are added.
    ///
    /// Without this an index that must be trained learns from the first batch. A store whose index is trained already, or
    /// needs no training, is left as it is.
    ///
    /// # Errors
    /// [`Error::Untrained`] for a sample that is too small; [`Error::Argument`] and [`Error::Dimension`] for one that is
    /// not whole rows.
    ///
    /// ```
    /// # use anear_store::{LocalStore, VectorStore, VectorStoreExt};
    /// # use anear_embeddings::FakeEmbeddings;
    /// # futures::executor::block_on(async {
    /// let sample: Vec<f32> = (0..400).map(|i| (i * i % 17) as f32).collect();
    /// let store = LocalStore::builder(FakeEmbeddings::new(4)).index("IVF2,Flat")?.build();
    /// store.train(sample, 4).await?;
    /// store.add_texts(["one text is enough now"]).await?;
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub async fn train(&self, sample: Vec<f32>, dim: usize) -> Result<()> {
        self.commit(move |settings, snapshot, pool| {
            if snapshot.template().is_some() {
                return Ok((snapshot.clone(), ()));
            }
            let mut sample = Matrix { data: sample, dim };
            settings.prepare(&mut sample.data, dim);
            let sample = rows("the sample", &sample.data, dim, snapshot.dim())?;
            Ok((snapshot.trained_as(template(settings, snapshot, pool, sample)?), ()))
        })
        .await
    }

    /// Sets a search parameter of the index, by anear's name or Faiss's, for searches that do not name it; the next search
    /// sees it.
    ///
    /// # Errors
    /// [`Error::Index`] for a parameter that the index, there or to come, does not have, and for a value that it cannot have.
    ///
    /// ```
    /// # use anear_store::{LocalStore, VectorStoreExt};
    /// # use anear_embeddings::FakeEmbeddings;
    /// # futures::executor::block_on(async {
    /// let store = LocalStore::builder(FakeEmbeddings::new(16)).index("HNSW16")?.from_texts(["foo"]).await?;
    /// store.set_knob("efSearch", 64.0).await?;
    /// assert_eq!(store.view().knob("ef_search"), Some(64.0));
    /// assert!(store.set_knob("nprobe", 64.0).await.is_err());
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub async fn set_knob(&self, name: impl Into<String>, value: f64) -> Result<()> {
        let name = name.into();
        self.commit(move |_, snapshot, _| Ok((snapshot.with_knob(&name, value)?, ())))
            .await
    }

    /// Waits for this writer's turn, then lets `change` build the next snapshot and makes it current.
    async fn commit<R: Send + 'static>(
        &self,
        change: impl FnOnce(&Settings, &Snapshot, &Pool) -> Result<(Snapshot, R)> + Send + 'static,
    ) -> Result<R> {
        let turn = self.shared.turn.get().lock_owned().await;
        let shared = self.shared.clone();
        let job = move || {
            // The turn belongs to the job: it ends with the job, also when nobody awaits it any more.
            let _turn = turn;
            let (next, answer) = change(&shared.settings, &shared.snapshot.load(), &shared.pool)?;
            shared.snapshot.store(Arc::new(next));
            Ok(answer)
        };
        self.shared.pool.run(job).await?
    }
}

/// What happens to documents whose ids are those of new ones.
#[derive(Clone, Copy, PartialEq)]
enum Existing {
    Replace,
    Refuse,
}

/// Vectors on their way into the index: rows of `dim` numbers.
struct Matrix {
    data: Vec<f32>,
    dim: usize,
}

impl Matrix {
    /// The same vectors one after the other; they must be as wide as the store's or, in a store without vectors, as the
    /// first of them.
    fn of(vectors: Vec<Vec<f32>>, dim: Option<usize>) -> Result<Self> {
        let dim = dim.or(vectors.first().map(Vec::len)).unwrap_or_default();
        let mut data = Vec::with_capacity(vectors.len() * dim);
        for vector in vectors {
            if vector.len() != dim {
                return Err(Error::dimension(dim, vector.len()));
            }
            data.extend(vector);
        }
        Ok(Self { data, dim })
    }
}

/// The snapshot with `documents` added, and their ids. Everything is checked before anything is built.
fn added(
    settings: &Settings,
    snapshot: &Snapshot,
    pool: &Pool,
    mut documents: Vec<Document>,
    Matrix { mut data, dim }: Matrix,
    existing: Existing,
) -> Result<(Snapshot, Vec<DocumentId>)> {
    if documents.is_empty() {
        return Err(Error::NothingToAdd { what: "documents" });
    }
    settings.prepare(&mut data, dim);
    let vectors = rows("vectors", &data, dim, snapshot.dim())?;
    check_lengths("documents", documents.len(), "vectors", vectors.len())?;
    let ids = assign_ids(&mut documents)?;
    if existing == Existing::Refuse {
        refuse_existing(snapshot, &ids)?;
    }
    let documents = DocumentSet::new(documents)?;
    let template = template(settings, snapshot, pool, vectors)?;
    let segment = Segment::build(documents, vectors, &*template, pool)?;
    Ok((snapshot.with(Arc::new(segment), pool)?, ids))
}

/// What the snapshot's segments are copies of; trained on `vectors` if they are the first.
fn template(settings: &Settings, snapshot: &Snapshot, pool: &Pool, vectors: Rows<'_>) -> Result<Arc<dyn VectorIndex>> {
    match snapshot.template() {
        Some(template) => {
            snapshot.knobs().check(&template.knobs())?;
            Ok(template.clone())
        }
        None => {
            let mut index = settings.train(vectors, pool)?;
            set_knobs(&mut *index, snapshot.knobs())?;
            Ok(index.into())
        }
    }
}

/// The segment of another store, indexed as those of `snapshot` are.
fn fitting(settings: &Settings, snapshot: &Snapshot, pool: &Pool, segment: Arc<Segment>) -> Result<Arc<Segment>> {
    let (index, dim) = (segment.index(), segment.index().dim());
    if snapshot.dim().is_some_and(|expected| expected != dim) {
        // Refused by name when it is added.
        return Ok(segment);
    }
    let is_alike = match snapshot.template() {
        Some(template) => template.check_merge(index, 0).is_ok() && searches_alike(snapshot, &**template, index),
        None => index.spec() == settings.index && settings.knobs.is_empty(),
    };
    if is_alike {
        return Ok(segment);
    }
    let mut vectors = Vec::with_capacity(segment.len() * dim);
    segment.vectors(0..segment.len() as u32, &mut vectors)?;
    let vectors = rows("vectors", &vectors, dim, snapshot.dim())?;
    let template = template(settings, snapshot, pool, vectors)?;
    Ok(Arc::new(Segment::build(
        DocumentSet::from_shared(segment.documents().iter().cloned())?,
        vectors,
        &*template,
        pool,
    )?))
}

/// Whether both have the same search parameters where the snapshot says none: a segment that had others would be searched
/// otherwise than the rest.
fn searches_alike(snapshot: &Snapshot, one: &dyn VectorIndex, other: &dyn VectorIndex) -> bool {
    let mut knobs = one.knobs().into_iter();
    knobs.all(|knob| snapshot.knobs().get(knob).is_some() || one.knob(knob.name) == other.knob(knob.name))
}

fn refuse_existing(snapshot: &Snapshot, ids: &[DocumentId]) -> Result<()> {
    let ids: Vec<DocumentId> = ids.iter().filter(|id| snapshot.find(id).is_some()).cloned().collect();
    match ids.is_empty() {
        true => Ok(()),
        false => Err(Error::ExistingIds { ids }),
    }
}

impl Settings {
    /// Whether vectors and queries are scaled before they reach the index. (Cosine indexes do so themselves.)
    pub(super) fn normalizes(&self) -> bool {
        self.normalize_l2 && self.metric != Metric::Cosine
    }

    /// Scales vectors or queries to unit length if the store does.
    pub(super) fn prepare(&self, data: &mut [f32], dim: usize) {
        if self.normalizes()
            && let Some(mut rows) = RowsMut::new(data, dim)
        {
            normalize(&mut rows);
        }
    }
}

/// Gives every document without an id a random one.
fn assign_ids(documents: &mut [Document]) -> Result<Vec<DocumentId>> {
    let mut seen = HashSet::with_capacity(documents.len());
    for document in &*documents {
        if let Some(id) = document.id.as_ref().filter(|id| !seen.insert(id.as_str())) {
            return Err(Error::DuplicateId { id: id.clone() });
        }
    }
    drop(seen);
    let new_id = || uuid::Uuid::new_v4().to_string();
    Ok(documents
        .iter_mut()
        .map(|document| document.id.get_or_insert_with(new_id).clone())
        .collect())
}

fn take_texts(mut documents: Vec<Document>) -> (Vec<Document>, Vec<String>) {
    let texts = documents
        .iter_mut()
        .map(|document| std::mem::take(&mut document.page_content))
        .collect();
    (documents, texts)
}

/// The places of all `ids`, or an error that names those that are unknown or repeated.
fn found_all(snapshot: &Snapshot, ids: &[DocumentId]) -> Result<Vec<Place>> {
    let unknown: Vec<DocumentId> = ids.iter().filter(|id| snapshot.find(id).is_none()).cloned().collect();
    if !unknown.is_empty() {
        return Err(Error::UnknownIds { ids: unknown });
    }
    let mut seen = HashSet::new();
    if let Some(id) = ids.iter().find(|id| !seen.insert(id.as_str())) {
        return Err(Error::DuplicateId { id: id.clone() });
    }
    Ok(ids.iter().filter_map(|id| snapshot.find(id)).collect())
}

fn distinct(places: impl Iterator<Item = Place>) -> Vec<Place> {
    let mut seen = HashSet::new();
    places.filter(|place| seen.insert(*place)).collect()
}
