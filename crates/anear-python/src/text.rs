//! Reading and splitting text for Python.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use anear::documents::{KeepSeparator, Language, LengthFunction, OversizedHook, SplitOptions, TextSplitter};
use anear::{CharacterTextSplitter, Document, Pool, RecursiveCharacterTextSplitter};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::batch::texts;
use crate::error::{guarded, raise, shutting_down};
use crate::runtime::{attach, attached, awaitable, block};
use crate::values::metadata_to_python;

/// Reads one text file as one text with its metadata.
#[pyclass(frozen, module = "anear._native")]
pub(crate) struct TextLoader(anear::TextLoader);

#[pymethods]
impl TextLoader {
    #[new]
    #[pyo3(signature = (path, encoding = None, autodetect_encoding = false))]
    fn new(path: PathBuf, encoding: Option<String>, autodetect_encoding: bool) -> Self {
        let loader = anear::TextLoader::new(path).autodetect_encoding(autodetect_encoding);
        Self(match encoding {
            Some(encoding) => loader.encoding(encoding),
            None => loader,
        })
    }

    fn load(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        guarded(|| {
            let document = block(py, load(self.0.clone()))?;
            loaded(py, document)
        })
    }

    fn aload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| awaitable(py, load(self.0.clone()), loaded))
    }
}

async fn load(loader: anear::TextLoader) -> PyResult<Document> {
    let documents = loader.aload().await.map_err(failed)?;
    documents
        .into_iter()
        .next()
        .ok_or_else(|| PyValueError::new_err("the loader gave no document"))
}

fn loaded(py: Python<'_>, document: Document) -> PyResult<Py<PyAny>> {
    let metadata = metadata_to_python(py, &document.metadata)?;
    Ok((document.page_content, metadata).into_pyobject(py)?.into_any().unbind())
}

fn failed(error: anear::documents::Error) -> PyErr {
    raise(anear::Error::from(error))
}

/// Cuts texts as langchain-text-splitters does, chunk for chunk.
#[pyclass(frozen, module = "anear._native")]
pub(crate) struct Splitter {
    splitter: Arc<dyn TextSplitter>,
    /// Whether lengths are counted by a Python function.
    asks_python: bool,
}

thread_local! {
    /// What the split under way on this thread has to tell.
    static HEARD: RefCell<Heard> = const { RefCell::new(Heard { oversized: Vec::new(), raised: None }) };
}

#[derive(Default)]
struct Heard {
    /// Chunks that came out too long: their length and the size wanted.
    oversized: Vec<(usize, usize)>,
    /// What a Python function that counts lengths raised first; from then on nothing is asked any more.
    raised: Option<PyErr>,
}

/// The chunks of each text, and the length and wanted size of those that are too long.
struct Split {
    chunks: Vec<Vec<String>>,
    oversized: Vec<(usize, usize)>,
}

#[pymethods]
impl Splitter {
    #[staticmethod]
    #[pyo3(signature = (separator, is_regex, **options))]
    fn character(separator: &str, is_regex: bool, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        guarded(|| {
            let (options, asks_python) = split_options(options)?;
            let splitter = CharacterTextSplitter::new(options).map_err(failed)?;
            let splitter = match is_regex {
                true => splitter.with_separator_regex(separator).map_err(failed)?,
                false => splitter.with_separator(separator),
            };
            Ok(Self {
                splitter: Arc::new(splitter),
                asks_python,
            })
        })
    }

    #[staticmethod]
    #[pyo3(signature = (separators, is_regex, **options))]
    fn recursive(
        separators: Option<Vec<String>>,
        is_regex: bool,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        guarded(|| {
            let (options, asks_python) = split_options(options)?;
            let splitter = RecursiveCharacterTextSplitter::new(options).map_err(failed)?;
            let splitter = match (separators, is_regex) {
                (None, _) => splitter,
                (Some(separators), false) => splitter.with_separators(separators),
                (Some(separators), true) => splitter.with_separator_regexes(separators).map_err(failed)?,
            };
            Ok(Self {
                splitter: Arc::new(splitter),
                asks_python,
            })
        })
    }

    #[staticmethod]
    fn separators_for_language(language: &str) -> PyResult<Vec<String>> {
        guarded(|| Ok(language.parse::<Language>().map_err(failed)?.separators()))
    }

    /// The chunks of each text, and (length, wanted size) of each chunk that is too long.
    fn split_texts(&self, py: Python<'_>, texts: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        guarded(|| {
            let (splitter, texts) = (self.splitter.clone(), self::texts(texts)?);
            let split = match self.asks_python {
                true => split_all(&*splitter, &texts)?,
                false => block(py, on_pool(splitter, texts))?,
            };
            split_to_python(py, split)
        })
    }

    fn asplit_texts<'py>(&self, py: Python<'py>, texts: Py<PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let (splitter, asks_python) = (self.splitter.clone(), self.asks_python);
            let splitting = async move {
                let texts = attached(move |py| self::texts(texts.bind(py))).await?;
                let split = match asks_python {
                    true => attached(move |_| split_all(&*splitter, &texts)).await?,
                    false => on_pool(splitter, texts).await?,
                };
                attached(move |py| split_to_python(py, split)).await
            };
            awaitable(py, splitting, |_, split| Ok(split))
        })
    }
}

async fn on_pool(splitter: Arc<dyn TextSplitter>, texts: Vec<String>) -> PyResult<Split> {
    let split = Pool::global().run(move || split_all(&*splitter, &texts)).await;
    split.map_err(|panic| raise(anear::Error::from(panic)))?
}

/// Splits on this thread, which must be attached where lengths are counted by a Python function.
fn split_all(splitter: &dyn TextSplitter, texts: &[String]) -> PyResult<Split> {
    // A counting function may split something itself.
    let outer = HEARD.take();
    let chunks = texts.iter().map(|text| splitter.split_text(text).map_err(failed));
    let chunks = chunks.collect::<PyResult<_>>();
    let Heard { oversized, raised } = HEARD.replace(outer);
    match raised {
        Some(error) => Err(error),
        None => Ok(Split {
            chunks: chunks?,
            oversized,
        }),
    }
}

fn split_to_python(py: Python<'_>, split: Split) -> PyResult<Py<PyAny>> {
    let chunks = PyList::new(py, split.chunks)?;
    Ok((chunks, split.oversized).into_pyobject(py)?.into_any().unbind())
}

/// LangChain's options, and whether lengths are counted by a Python function.
fn split_options(given: Option<&Bound<'_, PyDict>>) -> PyResult<(SplitOptions, bool)> {
    let hook = OversizedHook::from_fn(|len, size| HEARD.with_borrow_mut(|heard| heard.oversized.push((len, size))));
    let mut options = SplitOptions {
        on_oversized: Some(hook),
        ..SplitOptions::default()
    };
    let mut asks_python = false;
    for (name, value) in given.into_iter().flat_map(|given| given.iter()) {
        match name.extract::<String>()?.as_str() {
            "chunk_size" => options.chunk_size = size("chunk_size", "> 0", &value)?,
            "chunk_overlap" => options.chunk_overlap = size("chunk_overlap", ">= 0", &value)?,
            "keep_separator" => options.keep_separator = keep(&value)?,
            "strip_whitespace" => options.strip_whitespace = value.is_truthy()?,
            "length_function" if value.is_none() => {}
            "length_function" => {
                asks_python = true;
                options.length = counted_by(value.unbind());
            }
            other => return Err(PyValueError::new_err(format!("unknown option {other:?}"))),
        }
    }
    Ok((options, asks_python))
}

fn size(name: &str, wanted: &str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    let number: i64 = value.extract()?;
    usize::try_from(number).map_err(|_| PyValueError::new_err(format!("{name} must be {wanted}, got {number}")))
}

fn keep(value: &Bound<'_, PyAny>) -> PyResult<Option<KeepSeparator>> {
    if value.is_none() {
        return Ok(None);
    }
    if let Ok(place) = value.extract::<String>() {
        return match place.as_str() {
            "start" => Ok(Some(KeepSeparator::Start)),
            "end" => Ok(Some(KeepSeparator::End)),
            other => Err(PyValueError::new_err(format!(
                "keep_separator must be True, False, 'start' or 'end', got {other:?}"
            ))),
        };
    }
    Ok(Some(match value.is_truthy()? {
        true => KeepSeparator::Start,
        false => KeepSeparator::No,
    }))
}

/// Lengths by a Python function.
fn counted_by(function: Py<PyAny>) -> LengthFunction {
    LengthFunction::from_fn(move |text| {
        if HEARD.with_borrow(|heard| heard.raised.is_some()) {
            return 0;
        }
        let length = attach(|py| function.call1(py, (text,))?.extract::<usize>(py));
        length.unwrap_or_else(|| Err(shutting_down())).unwrap_or_else(|error| {
            HEARD.with_borrow_mut(|heard| heard.raised = Some(error));
            0
        })
    })
}
