//! The vector store as Python sees it: each method once for threads and once for event loops.
//!
//! Both go through the same future; only who waits for it differs ([`block`], [`awaitable`]).

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use anear::embeddings::{Embeddings, Error as EmbeddingError};
use anear::index::Knobs;
use anear::{
    Deletion, Document, DocumentFilter, Hit, LocalStore, LocalStoreBuilder, Metric, Pool, SearchBatch, SearchRequest,
    VectorStore as _,
};
use async_trait::async_trait;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::arrays::Matrix;
use crate::batch::{Batch, Given, Source, known_ids};
use crate::engine::index::NativeIndex;
use crate::error::{guarded, raise};
use crate::filters::{Wanted, accepted};
use crate::index::metric_of;
use crate::runtime::{Breather, attached, awaitable, block, in_context};
use crate::values::{metadata_to_python, record_to_python};
use crate::view::View;

/// Longer lists are built off the event loop's thread.
const SHORT: usize = 200;

/// Documents and the index of their vectors.
#[pyclass(frozen, weakref, module = "anear._native")]
pub(crate) struct Store {
    store: LocalStore,
}

/// The name of a model that lives in Python, where all texts are embedded.
#[derive(Debug)]
struct ModelInPython(String);

#[async_trait]
impl Embeddings for ModelInPython {
    fn model(&self) -> &str {
        &self.0
    }

    fn dim(&self) -> Option<usize> {
        None
    }

    async fn embed_documents(&self, _texts: &[String]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        Err(EmbeddingError::Setting {
            name: "model",
            value: self.0.clone(),
            reason: "texts are embedded in Python, the store takes vectors".into(),
        })
    }
}

/// Which documents a call is about, once a callable has been asked.
enum Scope {
    Filtered(Option<DocumentFilter>),
    /// These positions of one moment.
    Chosen(anear::View, Vec<usize>),
}

impl Wanted {
    /// Asks a callable on this thread.
    fn here(self, py: Python<'_>, store: &LocalStore) -> PyResult<Scope> {
        self.while_wanted(py, store, || true)
    }

    fn while_wanted(self, py: Python<'_>, store: &LocalStore, is_wanted: impl Fn() -> bool) -> PyResult<Scope> {
        Ok(match self {
            Self::All => Scope::Filtered(None),
            Self::Matching(filter) => Scope::Filtered(Some(filter)),
            Self::Accepted(accept) => {
                let view = store.view();
                let positions = accepted(py, &view, &accept, is_wanted)?;
                Scope::Chosen(view, positions)
            }
        })
    }

    /// Asks a callable on a thread that may call Python, in the context of the task that gave it, until the task is
    /// cancelled.
    async fn elsewhere(self, store: LocalStore) -> PyResult<Scope> {
        match self {
            Self::All => Ok(Scope::Filtered(None)),
            Self::Matching(filter) => Ok(Scope::Filtered(Some(filter))),
            accepted => {
                // Dropped with this future, which the other thread sees.
                let awaited = Arc::new(());
                let seen = Arc::downgrade(&awaited);
                let scope = attached(move |py| accepted.while_wanted(py, &store, || seen.strong_count() > 0)).await;
                drop(awaited);
                scope
            }
        }
    }

    /// For [`Wanted::elsewhere`]: the callable sees the context variables of the running task.
    fn in_context(self, py: Python<'_>) -> PyResult<Self> {
        match self {
            Self::Accepted(accept) => in_context(py, accept).map(Self::Accepted),
            other => Ok(other),
        }
    }
}

async fn find(store: LocalStore, request: SearchRequest, scope: Scope) -> PyResult<Vec<Hit>> {
    let found = match scope {
        Scope::Filtered(None) => store.search(request).await,
        Scope::Filtered(Some(filter)) => store.search(request.filter(filter)).await,
        Scope::Chosen(view, positions) => read(move || view.search(&request, Some(&positions))).await,
    };
    found.map_err(raise)
}

async fn find_all(store: LocalStore, batch: SearchBatch, scope: Scope) -> PyResult<Vec<Vec<Hit>>> {
    let found = match scope {
        Scope::Filtered(None) => store.search_batch(batch).await,
        Scope::Filtered(Some(filter)) => store.search_batch(batch.filter(filter)).await,
        Scope::Chosen(view, positions) => read(move || view.search_batch(&batch, Some(&positions))).await,
    };
    found.map_err(raise)
}

async fn count(store: LocalStore, scope: Scope) -> PyResult<usize> {
    match scope {
        Scope::Filtered(filter) => store.count(filter).await.map_err(raise),
        Scope::Chosen(_, positions) => Ok(positions.len()),
    }
}

async fn list(store: LocalStore, scope: Scope) -> PyResult<Vec<String>> {
    match scope {
        Scope::Filtered(filter) => store.list(filter).await.map_err(raise),
        Scope::Chosen(view, positions) => Ok(ids_at(&view, &positions)),
    }
}

async fn delete_in(store: LocalStore, scope: Scope) -> PyResult<usize> {
    let which = match scope {
        Scope::Filtered(filter) => Deletion::Matching(filter.unwrap_or_else(|| anear::Filter::all().into())),
        Scope::Chosen(view, positions) => Deletion::Existing(ids_at(&view, &positions)),
    };
    store.delete(which).await.map_err(raise)
}

async fn add(store: LocalStore, batch: Batch, replace: bool) -> PyResult<Vec<String>> {
    let Batch { documents, vectors } = batch;
    if documents.is_empty() {
        return Ok(Vec::new());
    }
    let added = match replace {
        true => store.upsert_rows(documents, vectors.data, vectors.dim).await,
        false => store.insert_rows(documents, vectors.data, vectors.dim).await,
    };
    added.map_err(raise)
}

async fn read<T: Send + 'static>(work: impl FnOnce() -> anear::Result<T> + Send + 'static) -> anear::Result<T> {
    Pool::global().urgent().run(work).await?
}

fn ids_at(view: &anear::View, positions: &[usize]) -> Vec<String> {
    let documents = positions.iter().filter_map(|&position| view.document(position));
    documents.filter_map(|document| document.id.clone()).collect()
}

/// Makes a list of Python objects; long lists give the GIL away every now and then.
fn listed<T>(
    py: Python<'_>,
    items: &[T],
    object: impl Fn(Python<'_>, &T) -> PyResult<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let mut breather = Breather::new();
    let list = PyList::empty(py);
    for item in items {
        list.append(object(py, item)?)?;
        if items.len() > SHORT {
            breather.breathe(py)?;
        }
    }
    Ok(list.into_any().unbind())
}

/// A list on its way to an event loop: short ones are made on the loop's thread, long ones elsewhere.
enum Answer<T> {
    Short(Vec<T>),
    Long(Py<PyAny>),
}

type ToPython<T> = fn(Python<'_>, &T) -> PyResult<Py<PyAny>>;

/// An asyncio future of a list.
fn awaitable_list<'py, T: Send + 'static>(
    py: Python<'py>,
    items: impl Future<Output = PyResult<Vec<T>>> + Send + 'static,
    object: ToPython<T>,
) -> PyResult<Bound<'py, PyAny>> {
    let answer = async move {
        let items = items.await?;
        if items.len() <= SHORT {
            return Ok(Answer::Short(items));
        }
        attached(move |py| listed(py, &items, object)).await.map(Answer::Long)
    };
    awaitable(py, answer, move |py, answer| match answer {
        Answer::Short(items) => listed(py, &items, object),
        Answer::Long(list) => Ok(list),
    })
}

fn hit_to_python(py: Python<'_>, hit: &Hit) -> PyResult<Py<PyAny>> {
    let id = hit.document.id.as_deref().unwrap_or_default();
    let metadata = metadata_to_python(py, &hit.document.metadata)?;
    let hit = (id, &hit.document.page_content, metadata, f64::from(hit.score)).into_pyobject(py)?;
    Ok(hit.into_any().unbind())
}

fn document_to_python(py: Python<'_>, document: &Document) -> PyResult<Py<PyAny>> {
    Ok(record_to_python(py, document)?.into_any().unbind())
}

fn text_to_python(py: Python<'_>, text: &String) -> PyResult<Py<PyAny>> {
    Ok(text.into_pyobject(py)?.into_any().unbind())
}

/// A number of documents to find; how many there are is the store's business.
fn at_least_one(name: &str, value: i64) -> PyResult<usize> {
    usize::try_from(value)
        .ok()
        .filter(|value| *value > 0)
        .ok_or_else(|| PyValueError::new_err(format!("{name} must be at least 1, got {value}")))
}

fn similar(vector: Vec<f32>, k: i64, score_threshold: Option<f32>, params: Option<Params>) -> PyResult<SearchRequest> {
    Ok(SearchRequest {
        k: at_least_one("k", k)?,
        score_threshold,
        knobs: params.unwrap_or_default().0,
        ..SearchRequest::new(vector)
    })
}

fn batched(queries: Matrix, k: usize, score_threshold: Option<f32>, params: Option<Params>) -> SearchBatch {
    SearchBatch {
        k,
        score_threshold,
        knobs: params.unwrap_or_default().0,
        ..SearchBatch::new(queries.data, queries.dim)
    }
}

fn diverse(
    vector: Vec<f32>,
    k: i64,
    fetch_k: i64,
    lambda_mult: f32,
    params: Option<Params>,
) -> PyResult<SearchRequest> {
    let request = similar(vector, k, None, params)?;
    Ok(request.mmr(at_least_one("fetch_k", fetch_k)?, lambda_mult))
}

fn builder(metric: Option<&str>, normalize_l2: Option<bool>, model: String) -> PyResult<LocalStoreBuilder> {
    let mut builder = LocalStore::builder(ModelInPython(model));
    if let Some(metric) = metric {
        builder = builder.metric(metric_of(metric)?);
    }
    if let Some(normalize) = normalize_l2 {
        builder = builder.normalize_l2(normalize);
    }
    Ok(builder)
}

/// The index that a store shall have.
#[derive(FromPyObject)]
enum Wish<'py> {
    Spec(String),
    /// It has learned what it must; its vectors are of no account.
    Trained(Bound<'py, NativeIndex>),
}

impl Wish<'_> {
    fn asked_of(&self, py: Python<'_>, builder: LocalStoreBuilder, metric: Metric) -> PyResult<LocalStoreBuilder> {
        let asked = match self {
            Self::Spec(spec) => builder.index(spec),
            Self::Trained(index) => index.get().read(py, |index, _| match index.metric() == metric {
                true => builder.trained_index(index),
                // What was learned for another metric is learned anew.
                false => builder.index_spec(index.spec()),
            }),
        };
        asked.map_err(raise)
    }
}

/// Search parameters of a call, as the engine takes them.
#[derive(Default)]
struct Params(Knobs);

impl<'py> FromPyObject<'_, 'py> for Params {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let mut knobs = Knobs::default();
        for (name, value) in object.cast::<PyDict>()?.iter() {
            let name: String = name.extract()?;
            let number = value.extract().map_err(|error| named(error, &name, &value));
            knobs.set(name, number?);
        }
        Ok(Self(knobs))
    }
}

/// An error that says which parameter is no number.
fn named(error: PyErr, name: &str, value: &Bound<'_, PyAny>) -> PyErr {
    match (error.is_instance_of::<PyTypeError>(value.py()), value.repr()) {
        (true, Ok(value)) => {
            PyTypeError::new_err(format!("the search parameter `{name}` must be a number, got {value}"))
        }
        _ => error,
    }
}

fn wrapped(py: Python<'_>, store: LocalStore) -> PyResult<Py<PyAny>> {
    Ok(Py::new(py, Store { store })?.into_any())
}

#[pymethods]
impl Store {
    #[new]
    #[pyo3(signature = (*, metric = "l2", normalize_l2 = false, dim = None, index = None, model = String::new()))]
    fn new(
        py: Python<'_>,
        metric: &str,
        normalize_l2: bool,
        dim: Option<usize>,
        index: Option<Wish<'_>>,
        model: String,
    ) -> PyResult<Self> {
        guarded(|| {
            let mut builder = builder(Some(metric), Some(normalize_l2), model)?;
            if let Some(dim) = dim {
                builder = builder.dim(dim).map_err(raise)?;
            }
            if let Some(index) = index {
                builder = index.asked_of(py, builder, metric_of(metric)?)?;
            }
            let store = builder.build();
            Ok(Self { store })
        })
    }

    #[staticmethod]
    #[pyo3(signature = (folder, name, *, metric = None, normalize_l2 = None, model = String::new(), mapped = false))]
    fn load(
        py: Python<'_>,
        folder: PathBuf,
        name: &str,
        metric: Option<&str>,
        normalize_l2: Option<bool>,
        model: String,
        mapped: bool,
    ) -> PyResult<Self> {
        guarded(|| {
            let builder = builder(metric, normalize_l2, model)?.mapped(mapped);
            let loading = builder.load_local(folder, name);
            let store = block(py, async { loading.await.map_err(raise) })?;
            Ok(Self { store })
        })
    }

    #[staticmethod]
    #[pyo3(signature = (folder, name, *, metric = None, normalize_l2 = None, model = String::new(), mapped = false))]
    fn aload<'py>(
        py: Python<'py>,
        folder: PathBuf,
        name: String,
        metric: Option<&str>,
        normalize_l2: Option<bool>,
        model: String,
        mapped: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let builder = builder(metric, normalize_l2, model)?.mapped(mapped);
            let loading = async move { builder.load_local(folder, &name).await.map_err(raise) };
            awaitable(py, loading, wrapped)
        })
    }

    #[staticmethod]
    #[pyo3(signature = (data, *, metric = None, normalize_l2 = None, model = String::new()))]
    fn from_bytes(
        py: Python<'_>,
        data: &[u8],
        metric: Option<&str>,
        normalize_l2: Option<bool>,
        model: String,
    ) -> PyResult<Self> {
        guarded(|| {
            let data = py.detach(|| data.to_vec());
            let loading = builder(metric, normalize_l2, model)?.deserialize_from_bytes(data);
            let store = block(py, async { loading.await.map_err(raise) })?;
            Ok(Self { store })
        })
    }

    #[staticmethod]
    #[pyo3(signature = (data, *, metric = None, normalize_l2 = None, model = String::new()))]
    fn afrom_bytes<'py>(
        py: Python<'py>,
        data: Bound<'py, PyBytes>,
        metric: Option<&str>,
        normalize_l2: Option<bool>,
        model: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let builder = builder(metric, normalize_l2, model)?;
            let data = data.unbind();
            let loading = async move {
                let data = attached(move |py| {
                    let data = data.as_bytes(py);
                    Ok(py.detach(|| data.to_vec()))
                });
                builder.deserialize_from_bytes(data.await?).await.map_err(raise)
            };
            awaitable(py, loading, wrapped)
        })
    }

    #[getter]
    fn metric(&self) -> &'static str {
        self.store.metric().name()
    }

    #[getter]
    fn normalize_l2(&self) -> bool {
        self.store.normalize_l2()
    }

    #[getter]
    fn dim(&self) -> Option<usize> {
        self.store.dim()
    }

    /// The kind of index, as a factory string.
    #[getter]
    fn index(&self) -> String {
        self.store.index().to_string()
    }

    /// The name of the model that a loaded store was saved with, if it is known.
    #[getter]
    fn saved_model(&self) -> Option<&str> {
        self.store.saved_model()
    }

    #[getter]
    fn is_trained(&self) -> bool {
        self.store.view().is_trained() || !self.store.index().needs_training()
    }

    /// How relevant a result with this score is, between 0 and 1.
    fn relevance(&self, score: f32) -> f32 {
        self.store.relevance(score)
    }

    fn train(&self, py: Python<'_>, vectors: &Bound<'_, PyAny>) -> PyResult<()> {
        guarded(|| {
            let (store, sample) = (self.store.clone(), Matrix::from_python(vectors)?);
            block(
                py,
                async move { store.train(sample.data, sample.dim).await.map_err(raise) },
            )
        })
    }

    /// A copy of the index without vectors, which has learned what it must.
    fn empty_index(&self) -> Option<NativeIndex> {
        self.store.view().empty_index().map(NativeIndex::new)
    }

    fn knob(&self, name: &str) -> Option<f64> {
        self.store.view().knob(name)
    }

    fn explain(&self) -> Option<String> {
        self.store.view().explain()
    }

    fn set_knob(&self, py: Python<'_>, name: String, value: f64) -> PyResult<()> {
        guarded(|| {
            let store = self.store.clone();
            block(py, async move { store.set_knob(name, value).await.map_err(raise) })
        })
    }

    fn __len__(&self) -> usize {
        self.store.view().len()
    }

    #[pyo3(signature = (texts, vectors, metadatas = None, ids = None, *, replace = true))]
    fn add(
        &self,
        py: Python<'_>,
        texts: Py<PyAny>,
        vectors: Py<PyAny>,
        metadatas: Option<Py<PyAny>>,
        ids: Option<Py<PyAny>>,
        replace: bool,
    ) -> PyResult<Py<PyAny>> {
        guarded(|| {
            let source = Source::Lists { texts, vectors };
            self.added(py, Given { source, metadatas, ids }, replace)
        })
    }

    #[pyo3(signature = (texts, vectors, metadatas = None, ids = None, *, replace = true))]
    fn aadd<'py>(
        &self,
        py: Python<'py>,
        texts: Py<PyAny>,
        vectors: Py<PyAny>,
        metadatas: Option<Py<PyAny>>,
        ids: Option<Py<PyAny>>,
        replace: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let source = Source::Lists { texts, vectors };
            self.aadded(py, Given { source, metadatas, ids }, replace)
        })
    }

    #[pyo3(signature = (pairs, metadatas = None, ids = None, *, replace = true))]
    fn add_pairs(
        &self,
        py: Python<'_>,
        pairs: Py<PyAny>,
        metadatas: Option<Py<PyAny>>,
        ids: Option<Py<PyAny>>,
        replace: bool,
    ) -> PyResult<Py<PyAny>> {
        guarded(|| {
            let source = Source::Pairs(pairs);
            self.added(py, Given { source, metadatas, ids }, replace)
        })
    }

    #[pyo3(signature = (pairs, metadatas = None, ids = None, *, replace = true))]
    fn aadd_pairs<'py>(
        &self,
        py: Python<'py>,
        pairs: Py<PyAny>,
        metadatas: Option<Py<PyAny>>,
        ids: Option<Py<PyAny>>,
        replace: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let source = Source::Pairs(pairs);
            self.aadded(py, Given { source, metadatas, ids }, replace)
        })
    }

    #[pyo3(signature = (vector, k, *, filter = None, score_threshold = None, params = None))]
    fn search(
        &self,
        py: Python<'_>,
        vector: &Bound<'_, PyAny>,
        k: i64,
        filter: Option<&Bound<'_, PyAny>>,
        score_threshold: Option<f32>,
        params: Option<Params>,
    ) -> PyResult<Py<PyAny>> {
        guarded(|| {
            let request = similar(crate::arrays::vector(vector)?, k, score_threshold, params)?;
            self.found(py, request, filter)
        })
    }

    #[pyo3(signature = (vector, k, *, filter = None, score_threshold = None, params = None))]
    fn asearch<'py>(
        &self,
        py: Python<'py>,
        vector: &Bound<'py, PyAny>,
        k: i64,
        filter: Option<&Bound<'py, PyAny>>,
        score_threshold: Option<f32>,
        params: Option<Params>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let request = similar(crate::arrays::vector(vector)?, k, score_threshold, params)?;
            self.afound(py, request, filter)
        })
    }

    #[pyo3(signature = (vector, k, *, fetch_k, lambda_mult, filter = None, params = None))]
    #[expect(clippy::too_many_arguments, reason = "all named by the caller")]
    fn mmr(
        &self,
        py: Python<'_>,
        vector: &Bound<'_, PyAny>,
        k: i64,
        fetch_k: i64,
        lambda_mult: f32,
        filter: Option<&Bound<'_, PyAny>>,
        params: Option<Params>,
    ) -> PyResult<Py<PyAny>> {
        guarded(|| {
            let request = diverse(crate::arrays::vector(vector)?, k, fetch_k, lambda_mult, params)?;
            self.found(py, request, filter)
        })
    }

    #[pyo3(signature = (vector, k, *, fetch_k, lambda_mult, filter = None, params = None))]
    #[expect(clippy::too_many_arguments, reason = "all named by the caller")]
    fn ammr<'py>(
        &self,
        py: Python<'py>,
        vector: &Bound<'py, PyAny>,
        k: i64,
        fetch_k: i64,
        lambda_mult: f32,
        filter: Option<&Bound<'py, PyAny>>,
        params: Option<Params>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let request = diverse(crate::arrays::vector(vector)?, k, fetch_k, lambda_mult, params)?;
            self.afound(py, request, filter)
        })
    }

    #[pyo3(signature = (vectors, k, *, filter = None, score_threshold = None, params = None))]
    fn search_batch(
        &self,
        py: Python<'_>,
        vectors: &Bound<'_, PyAny>,
        k: i64,
        filter: Option<&Bound<'_, PyAny>>,
        score_threshold: Option<f32>,
        params: Option<Params>,
    ) -> PyResult<Py<PyAny>> {
        guarded(|| {
            let batch = batched(
                Matrix::from_python(vectors)?,
                at_least_one("k", k)?,
                score_threshold,
                params,
            );
            let scope = Wanted::from_python(filter)?.here(py, &self.store)?;
            let found = block(py, find_all(self.store.clone(), batch, scope))?;
            listed(py, &found, |py, hits| listed(py, hits, hit_to_python))
        })
    }

    #[pyo3(signature = (vectors, k, *, filter = None, score_threshold = None, params = None))]
    fn asearch_batch<'py>(
        &self,
        py: Python<'py>,
        vectors: Py<PyAny>,
        k: i64,
        filter: Option<&Bound<'py, PyAny>>,
        score_threshold: Option<f32>,
        params: Option<Params>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let k = at_least_one("k", k)?;
            let finding = self.scoped(py, filter, move |store, scope| async move {
                let queries = attached(move |py| Matrix::from_python(vectors.bind(py))).await?;
                let found = find_all(store, batched(queries, k, score_threshold, params), scope).await?;
                // However few the queries, their hits may be many.
                attached(move |py| listed(py, &found, |py, hits| listed(py, hits, hit_to_python))).await
            })?;
            awaitable(py, finding, |_, found| Ok(found))
        })
    }

    fn get(&self, py: Python<'_>, ids: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        guarded(|| {
            let (store, ids) = (self.store.clone(), known_ids(ids)?);
            let documents = block(py, async move { store.get_by_ids(&ids).await.map_err(raise) })?;
            listed(py, &documents, document_to_python)
        })
    }

    fn aget<'py>(&self, py: Python<'py>, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let (store, ids) = (self.store.clone(), known_ids(ids)?);
            let getting = async move { store.get_by_ids(&ids).await.map_err(raise) };
            awaitable_list(py, getting, document_to_python)
        })
    }

    fn delete(&self, py: Python<'_>, ids: &Bound<'_, PyAny>) -> PyResult<usize> {
        guarded(|| {
            let (store, which) = (self.store.clone(), Deletion::Existing(known_ids(ids)?));
            block(py, async move { store.delete(which).await.map_err(raise) })
        })
    }

    fn adelete<'py>(&self, py: Python<'py>, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let (store, which) = (self.store.clone(), Deletion::Existing(known_ids(ids)?));
            awaitable(py, async move { store.delete(which).await.map_err(raise) }, number)
        })
    }

    fn delete_matching(&self, py: Python<'_>, filter: &Bound<'_, PyAny>) -> PyResult<usize> {
        guarded(|| {
            let scope = Wanted::from_python(Some(filter))?.here(py, &self.store)?;
            block(py, delete_in(self.store.clone(), scope))
        })
    }

    fn adelete_matching<'py>(&self, py: Python<'py>, filter: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| awaitable(py, self.scoped(py, Some(filter), delete_in)?, number))
    }

    fn merge(&self, py: Python<'_>, other: PyRef<'_, Self>) -> PyResult<usize> {
        guarded(|| {
            let (store, other) = (self.store.clone(), other.store.clone());
            block(py, async move { store.merge_from(&other).await.map_err(raise) })
        })
    }

    fn amerge<'py>(&self, py: Python<'py>, other: PyRef<'_, Self>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let (store, other) = (self.store.clone(), other.store.clone());
            awaitable(py, async move { store.merge_from(&other).await.map_err(raise) }, number)
        })
    }

    fn save(&self, py: Python<'_>, folder: PathBuf, name: String) -> PyResult<()> {
        guarded(|| {
            let store = self.store.clone();
            block(py, async move { store.save_local(folder, &name).await.map_err(raise) })
        })
    }

    fn asave<'py>(&self, py: Python<'py>, folder: PathBuf, name: String) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let store = self.store.clone();
            let saving = async move { store.save_local(folder, &name).await.map_err(raise) };
            awaitable(py, saving, |py, ()| Ok(py.None()))
        })
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| {
            let store = self.store.clone();
            let bytes = block(py, async move { store.serialize_to_pickle().await.map_err(raise) })?;
            Ok(PyBytes::new(py, &bytes))
        })
    }

    fn ato_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let store = self.store.clone();
            let writing = async move {
                let bytes = store.serialize_to_pickle().await.map_err(raise)?;
                attached(move |py| Ok(PyBytes::new(py, &bytes).into_any().unbind())).await
            };
            awaitable(py, writing, |_, bytes| Ok(bytes))
        })
    }

    #[pyo3(signature = (filter = None))]
    fn count(&self, py: Python<'_>, filter: Option<&Bound<'_, PyAny>>) -> PyResult<usize> {
        guarded(|| {
            let scope = Wanted::from_python(filter)?.here(py, &self.store)?;
            block(py, count(self.store.clone(), scope))
        })
    }

    #[pyo3(signature = (filter = None))]
    fn acount<'py>(&self, py: Python<'py>, filter: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| awaitable(py, self.scoped(py, filter, count)?, number))
    }

    #[pyo3(signature = (filter = None))]
    fn list_ids(&self, py: Python<'_>, filter: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        guarded(|| {
            let scope = Wanted::from_python(filter)?.here(py, &self.store)?;
            let ids = block(py, list(self.store.clone(), scope))?;
            listed(py, &ids, text_to_python)
        })
    }

    #[pyo3(signature = (filter = None))]
    fn alist_ids<'py>(&self, py: Python<'py>, filter: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| awaitable_list(py, self.scoped(py, filter, list)?, text_to_python))
    }

    fn metadata_fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        guarded(|| {
            let view = self.store.view();
            let fields = py.detach(|| view.metadata_fields());
            fields.into_pyobject(py)
        })
    }

    /// Bytes of the vectors in memory, of those in a mapped file, and about as many bytes of the documents.
    fn memory(&self, py: Python<'_>) -> PyResult<(usize, usize, usize)> {
        guarded(|| {
            let view = self.store.view();
            let memory = py.detach(|| view.memory());
            Ok((memory.vectors, memory.mapped, memory.documents))
        })
    }

    fn view(&self) -> View {
        View(self.store.view())
    }
}

impl Store {
    fn added(&self, py: Python<'_>, given: Given, replace: bool) -> PyResult<Py<PyAny>> {
        let batch = given.into_batch(py)?;
        let ids = block(py, add(self.store.clone(), batch, replace))?;
        listed(py, &ids, text_to_python)
    }

    /// Everything is converted off the event loop's thread, iterators are run there too.
    fn aadded<'py>(&self, py: Python<'py>, given: Given, replace: bool) -> PyResult<Bound<'py, PyAny>> {
        let store = self.store.clone();
        let adding = async move {
            let batch = attached(move |py| given.into_batch(py)).await?;
            add(store, batch, replace).await
        };
        awaitable_list(py, adding, text_to_python)
    }

    fn found(&self, py: Python<'_>, request: SearchRequest, filter: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        let scope = Wanted::from_python(filter)?.here(py, &self.store)?;
        let hits = block(py, find(self.store.clone(), request, scope))?;
        listed(py, &hits, hit_to_python)
    }

    fn afound<'py>(
        &self,
        py: Python<'py>,
        request: SearchRequest,
        filter: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let finding = self.scoped(py, filter, |store, scope| find(store, request, scope))?;
        awaitable_list(py, finding, hit_to_python)
    }

    /// `work` on what the filter wants; a callable is asked off the event loop's thread.
    fn scoped<T, F, W>(
        &self,
        py: Python<'_>,
        filter: Option<&Bound<'_, PyAny>>,
        work: W,
    ) -> PyResult<impl Future<Output = PyResult<T>> + Send + use<T, F, W>>
    where
        F: Future<Output = PyResult<T>> + Send,
        W: FnOnce(LocalStore, Scope) -> F + Send,
    {
        let wanted = Wanted::from_python(filter)?.in_context(py)?;
        let store = self.store.clone();
        Ok(async move {
            let scope = wanted.elsewhere(store.clone()).await?;
            work(store, scope).await
        })
    }
}

fn number(py: Python<'_>, number: usize) -> PyResult<Py<PyAny>> {
    Ok(number.into_pyobject(py)?.into_any().unbind())
}
