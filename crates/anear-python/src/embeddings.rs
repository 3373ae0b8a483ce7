//! anear's own embedding models for Python. Vectors come as float32 arrays.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anear::embeddings::{Embeddings as _, Error as EmbeddingError};
use anear::{DefaultEmbeddings, HuggingFaceEmbeddings, OpenAiEmbeddings};
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
    let vectors = model.embed_documents(&texts).await.map_err(failed)?;
    let joined = anear::Pool::global().run(move || Rows {
        count: vectors.len(),
        data: vectors.concat(),
    });
    joined.await.map_err(|panic| raise(anear::Error::from(panic)))
}

impl Rows {
    fn into_array(self, py: Python<'_>) -> PyResult<Bound<'_, PyArray2<f32>>> {
        let dim = self.data.len().checked_div(self.count).unwrap_or_default();
        self.data.into_pyarray(py).reshape([self.count, dim])
    }
}

fn failed(error: EmbeddingError) -> PyErr {
    raise(anear::Error::from(error))
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
            let vector = block(py, async move { model.embed_query(&text).await.map_err(failed) })?;
            Ok(vector.into_pyarray(py))
        })
    }

    fn aembed_query<'py>(&self, py: Python<'py>, text: String) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let model = self.0.clone();
            let embedding = async move { model.embed_query(&text).await.map_err(failed) };
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

/// A sentence-transformers model in a folder, in the hub's cache, or downloaded from the hub.
#[pyfunction]
pub(crate) fn huggingface_embeddings(py: Python<'_>, name: String) -> PyResult<Embeddings> {
    guarded(|| {
        let loading = async move {
            match Path::new(&name).is_dir() {
                true => HuggingFaceEmbeddings::from_folder(&name).await,
                false => HuggingFaceEmbeddings::from_hub(&name).await,
            }
        };
        let model = block(py, async { loading.await.map_err(failed) })?;
        Ok(Embeddings(Arc::new(model)))
    })
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
            .model(model)
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
        Ok(Embeddings(Arc::new(builder.build().map_err(failed)?)))
    })
}
