//! anear's own embedding models for Python. Vectors come as float32 arrays.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anear::embeddings::{Embeddings as _, Error as EmbeddingError, OpenAiBuilder};
use anear::{DefaultEmbeddings, HuggingFaceEmbeddings, OpenAiEmbeddings, PerProcess};
use async_trait::async_trait;
use numpy::{IntoPyArray as _, PyArray1, PyArray2, PyArrayMethods as _};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::batch::texts;
use crate::error::{guarded, raise};
use crate::runtime::{attached, awaitable, block};

/// A model of anear's.
#[pyclass(frozen, module = "anear._native")]
pub(crate) struct Embeddings(Arc<dyn anear::Embeddings>);

/// Vectors, row by row.
struct Rows {
    data: Vec<f32>,
    count: usize,
}

async fn embed(model: Arc<dyn anear::Embeddings>, texts: Vec<String>) -> PyResult<Rows> {
    let vectors = model.embed_documents(&texts).await.map_err(raise)?;
    let joined = anear::Pool::global().run(move || Rows {
        count: vectors.len(),
        data: vectors.concat(),
    });
    joined.await.map_err(raise)
}

impl Rows {
    fn into_array(self, py: Python<'_>) -> PyResult<Bound<'_, PyArray2<f32>>> {
        let dim = self.data.len().checked_div(self.count).unwrap_or_default();
        self.data.into_pyarray(py).reshape([self.count, dim])
    }
}

#[pymethods]
impl Embeddings {
    #[getter]
    fn model(&self) -> &str {
        self.0.model()
    }

    #[getter]
    fn dim(&self) -> Option<usize> {
        self.0.dim()
    }

    fn embed_documents<'py>(&self, py: Python<'py>, texts: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        guarded(|| {
            let texts = self::texts(texts)?;
            block(py, embed(self.0.clone(), texts))?.into_array(py)
        })
    }

    fn aembed_documents<'py>(&self, py: Python<'py>, texts: Py<PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let model = self.0.clone();
            let embedding = async move {
                let texts = attached(move |py| self::texts(texts.bind(py))).await?;
                embed(model, texts).await
            };
            awaitable(py, embedding, |py, rows| Ok(rows.into_array(py)?.into_any().unbind()))
        })
    }

    fn embed_query<'py>(&self, py: Python<'py>, text: String) -> PyResult<Bound<'py, PyArray1<f32>>> {
        guarded(|| {
            let model = self.0.clone();
            let vector = block(py, async move { model.embed_query(&text).await.map_err(raise) })?;
            Ok(vector.into_pyarray(py))
        })
    }

    fn aembed_query<'py>(&self, py: Python<'py>, text: String) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let model = self.0.clone();
            let embedding = async move { model.embed_query(&text).await.map_err(raise) };
            awaitable(py, embedding, |py, vector| {
                Ok(vector.into_pyarray(py).into_any().unbind())
            })
        })
    }

    fn __repr__(&self) -> String {
        format!("Embeddings(model={:?})", self.0.model())
    }
}

/// The model that is part of the package.
#[pyfunction]
pub(crate) fn default_embeddings() -> PyResult<Embeddings> {
    guarded(|| Ok(Embeddings(Arc::new(DefaultEmbeddings::new()))))
}

/// A local model; its vectors of documents, of questions, or both are scaled to length 1 where that is wanted.
#[derive(Debug)]
struct Scaled {
    model: HuggingFaceEmbeddings,
    documents: bool,
    queries: bool,
}

#[async_trait]
impl anear::Embeddings for Scaled {
    fn model(&self) -> &str {
        self.model.model()
    }

    fn dim(&self) -> Option<usize> {
        self.model.dim()
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        self.check_process()?;
        let mut vectors = self.model.embed_documents(texts).await?;
        if !self.documents {
            return Ok(vectors);
        }
        let scale_all = move || {
            vectors.iter_mut().for_each(|vector| scale(vector));
            vectors
        };
        Ok(anear::Pool::global().run(scale_all).await?)
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbeddingError> {
        self.check_process()?;
        let mut vector = self.model.embed_query(text).await?;
        if self.queries {
            scale(&mut vector);
        }
        Ok(vector)
    }
}

/// The process that has candle's threads. They start at the first computation; a child that is forked later lacks them
/// and cannot start others, and would wait for them forever.
static COMPUTES_IN: OnceLock<u32> = OnceLock::new();

impl Scaled {
    fn check_process(&self) -> Result<(), EmbeddingError> {
        let here = std::process::id();
        if *COMPUTES_IN.get_or_init(|| here) == here {
            return Ok(());
        }
        Err(EmbeddingError::Compute {
            model: self.model.model().to_owned(),
            message: "local models were used before this process was forked, and their threads stayed behind; \
                      start processes by \"spawn\" or \"forkserver\", or fork before the first embedding"
                .to_owned(),
        })
    }
}

/// Scales to length 1; a vector of zeros stays one.
fn scale(vector: &mut [f32]) {
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
}

/// A sentence-transformers model in a folder, in the hub's cache, or downloaded from the hub.
#[pyfunction]
#[pyo3(signature = (name, *, normalize_documents = false, normalize_queries = false))]
pub(crate) fn huggingface_embeddings(
    py: Python<'_>,
    name: String,
    normalize_documents: bool,
    normalize_queries: bool,
) -> PyResult<Embeddings> {
    guarded(|| {
        let loading = async move {
            match is_folder(&name) {
                true => HuggingFaceEmbeddings::from_folder(&name).await,
                false => HuggingFaceEmbeddings::from_hub(&name).await,
            }
        };
        let model = block(py, async { loading.await.map_err(raise) })?;
        Ok(Embeddings(Arc::new(Scaled {
            model,
            documents: normalize_documents,
            queries: normalize_queries,
        })))
    })
}

/// Whether the name is a folder's, there or not, and not a model's on the hub.
fn is_folder(name: &str) -> bool {
    Path::new(name).is_absolute() || name.starts_with('.') || Path::new(name).is_dir()
}

/// A client of each process's own: a forked child cannot use the parent's connections, nobody reads from them there.
#[derive(Debug)]
struct Client {
    builder: OpenAiBuilder,
    model: String,
    built: PerProcess<OpenAiEmbeddings>,
}

impl Client {
    fn here(&self) -> Result<Arc<OpenAiEmbeddings>, EmbeddingError> {
        self.built.get_or_try_init(|| self.builder.clone().build())
    }
}

#[async_trait]
impl anear::Embeddings for Client {
    fn model(&self) -> &str {
        &self.model
    }

    fn dim(&self) -> Option<usize> {
        self.here().ok()?.dim()
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        self.here()?.embed_documents(texts).await
    }
}

/// A client of OpenAI's API or of a server that speaks it.
#[pyfunction]
#[pyo3(signature = (
    *, model, api_key = None, base_url = None, dimensions = None, organization = None, chunk_size, embedding_ctx_length,
    check_embedding_ctx_length, skip_empty, max_retries, timeout = None, headers = None, query = None
))]
#[expect(clippy::too_many_arguments, reason = "LangChain's settings, all named by the caller")]
pub(crate) fn openai_embeddings(
    model: String,
    api_key: Option<String>,
    base_url: Option<String>,
    dimensions: Option<usize>,
    organization: Option<String>,
    chunk_size: usize,
    embedding_ctx_length: usize,
    check_embedding_ctx_length: Option<bool>,
    skip_empty: bool,
    max_retries: u32,
    timeout: Option<f64>,
    headers: Option<BTreeMap<String, String>>,
    query: Option<BTreeMap<String, String>>,
) -> PyResult<Embeddings> {
    guarded(|| {
        let mut builder = match base_url {
            Some(url) => OpenAiEmbeddings::builder().base_url(url),
            None => OpenAiEmbeddings::builder().environment_server(),
        };
        builder = builder
            .model(&model)
            .chunk_size(chunk_size)
            .embedding_ctx_length(embedding_ctx_length)
            .skip_empty(skip_empty)
            .max_retries(max_retries);
        if let Some(check) = check_embedding_ctx_length {
            builder = builder.check_ctx_length(check);
        }
        if let Some(key) = api_key {
            builder = builder.api_key(key);
        }
        if let Some(dimensions) = dimensions {
            builder = builder.dimensions(dimensions);
        }
        if let Some(organization) = organization {
            builder = builder.organization(organization);
        }
        if let Some(seconds) = timeout {
            let timeout = Duration::try_from_secs_f64(seconds)
                .map_err(|error| PyValueError::new_err(format!("timeout = {seconds} cannot be used: {error}")))?;
            builder = builder.timeout(timeout);
        }
        builder = headers
            .into_iter()
            .flatten()
            .fold(builder, |builder, (name, value)| builder.header(name, value));
        builder = query
            .into_iter()
            .flatten()
            .fold(builder, |builder, (name, value)| builder.query(name, value));
        let client = Client {
            builder,
            model,
            built: PerProcess::empty(),
        };
        client.here().map_err(raise)?;
        Ok(Embeddings(Arc::new(client)))
    })
}
