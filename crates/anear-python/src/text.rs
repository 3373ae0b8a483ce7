//! Reading and splitting text for Python.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use anear::documents::{KeepSeparator, Language, LengthFunction, OversizedHook, SplitOptions, TextSplitter};
use anear::{CharacterTextSplitter, Pool, RecursiveCharacterTextSplitter};
use pyo3::exceptions::{PyTypeError, PyUnicodeDecodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::batch::texts;
use crate::error::{guarded, raise, shutting_down};
use crate::runtime::{Breather, attach, attached, awaitable, block, in_context};
use crate::values::type_name;

/// Bytes decoded at one go by Python's codecs, which keep the GIL.
const PIECE: usize = 1 << 20;

/// Reads one text file.
#[pyclass(frozen, module = "anear._native")]
pub(crate) struct TextLoader(Source);

/// A file, and how its bytes are to be read.
#[derive(Clone)]
struct Source {
    path: PathBuf,
    /// An encoding that Python has and we leave to it: a name means there what it always meant to Python's users.
    foreign: Option<String>,
    autodetect: bool,
}

#[pymethods]
impl TextLoader {
    #[new]
    #[pyo3(signature = (path, encoding = None, autodetect_encoding = false))]
    fn new(path: PathBuf, encoding: Option<String>, autodetect_encoding: bool) -> Self {
        Self(Source {
            path,
            foreign: encoding.filter(|name| !is_utf_8(name)),
            autodetect: autodetect_encoding,
        })
    }

    fn load(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        guarded(|| block(py, self.0.clone().text()))
    }

    fn aload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| awaitable(py, self.0.clone().text(), |_, text| Ok(text)))
    }
}

fn is_utf_8(encoding: &str) -> bool {
    let plain = encoding.to_ascii_lowercase().replace('_', "-");
    matches!(plain.as_str(), "utf-8" | "utf8" | "utf-8-sig")
}

impl Source {
    /// The text with newlines as line ends.
    async fn text(self) -> PyResult<Py<PyAny>> {
        let Some(encoding) = self.foreign.clone() else {
            return self.detected(self.autodetect).await;
        };
        let path = self.path.clone();
        let bytes = on_pool(move || std::fs::read(path)).await??;
        match attached(move |py| decoded(py, &bytes, &encoding)).await {
            Err(error) if self.autodetect && is_undecodable(&error) => self.detected(true).await,
            text => text,
        }
    }

    /// The text read as UTF-8, or else, if that is wanted, as what its bytes look like.
    async fn detected(&self, autodetect: bool) -> PyResult<Py<PyAny>> {
        let loader = anear::TextLoader::new(&self.path)
            .autodetect_encoding(autodetect)
            .max_bytes(u64::MAX);
        let documents = loader.aload().await.map_err(raise)?;
        let text: String = documents.into_iter().map(|document| document.page_content).collect();
        attached(move |py| Ok(PyString::new(py, &text).into_any().unbind())).await
    }
}

/// What Python reads in its text mode, piece by piece, so that others get the GIL in between.
fn decoded(py: Python<'_>, bytes: &[u8], encoding: &str) -> PyResult<Py<PyAny>> {
    let decoder = py
        .import("codecs")?
        .call_method1("getincrementaldecoder", (encoding,))?;
    let newlines = py.import("io")?.getattr("IncrementalNewlineDecoder")?;
    let decoder = newlines.call1((decoder.call0()?, true))?;
    let decode = |piece: &[u8], last: bool| decoder.call_method1("decode", (PyBytes::new(py, piece), last));
    let pieces = PyList::empty(py);
    let mut breather = Breather::new();
    for piece in bytes.chunks(PIECE) {
        pieces.append(decode(piece, false)?)?;
        breather.breathe(py)?;
    }
    pieces.append(decode(&[], true)?)?;
    Ok(PyString::new(py, "").call_method1("join", (pieces,))?.unbind())
}

fn is_undecodable(error: &PyErr) -> bool {
    attach(|py| error.is_instance_of::<PyUnicodeDecodeError>(py)).unwrap_or(false)
}

async fn on_pool<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> PyResult<T> {
    let done = Pool::global().run(work).await;
    done.map_err(raise)
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
    static HEARD: RefCell<Heard> = const { RefCell::new(Heard::NOTHING) };
}

struct Heard {
    /// Chunks that came out too long: their length and the size wanted.
    oversized: Vec<(usize, usize)>,
    /// What a Python function that counts lengths raised first; from then on nothing is asked any more.
    raised: Option<PyErr>,
    /// Gives the GIL away between calls of that function.
    breather: Option<Breather>,
}

impl Heard {
    const NOTHING: Self = Self {
        oversized: Vec::new(),
        raised: None,
        breather: None,
    };
}

/// The chunks of a text, and the length and wanted size of those that are too long.
struct Split {
    chunks: Vec<String>,
    oversized: Vec<(usize, usize)>,
}

#[pymethods]
impl Splitter {
    #[staticmethod]
    #[pyo3(signature = (separator, is_regex, **options))]
    fn character(separator: &str, is_regex: bool, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        guarded(|| {
            let (options, asks_python) = split_options(options)?;
            let splitter = CharacterTextSplitter::new(options).map_err(raise)?;
            let splitter = match is_regex {
                true => splitter.with_separator_regex(separator).map_err(raise)?,
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
            let splitter = RecursiveCharacterTextSplitter::new(options).map_err(raise)?;
            let splitter = match (separators, is_regex) {
                (None, _) => splitter,
                (Some(separators), false) => splitter.with_separators(separators),
                (Some(separators), true) => splitter.with_separator_regexes(separators).map_err(raise)?,
            };
            Ok(Self {
                splitter: Arc::new(splitter),
                asks_python,
            })
        })
    }

    #[staticmethod]
    fn separators_for_language(language: &str) -> PyResult<Vec<String>> {
        guarded(|| Ok(language.parse::<Language>().map_err(raise)?.separators()))
    }

    /// The chunks of each text, and (length, wanted size) of each chunk that is too long.
    fn split_texts(&self, py: Python<'_>, texts: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        guarded(|| {
            let (splitter, texts) = (self.splitter.clone(), self::texts(texts)?);
            let splits = match self.asks_python {
                true => texts
                    .iter()
                    .map(|text| split(&*splitter, text))
                    .collect::<PyResult<_>>()?,
                false => block(py, split_on_pool(splitter, texts))?,
            };
            splits_to_python(py, splits)
        })
    }

    fn asplit_texts<'py>(slf: &Bound<'py, Self>, texts: Py<PyAny>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| match slf.get().asks_python {
            true => Self::split_outside(slf, texts),
            false => {
                let splitter = slf.get().splitter.clone();
                let splitting = async move {
                    let texts = attached(move |py| self::texts(texts.bind(py))).await?;
                    let splits = split_on_pool(splitter, texts).await?;
                    attached(move |py| splits_to_python(py, splits)).await
                };
                awaitable(slf.py(), splitting, |_, splits| Ok(splits))
            }
        })
    }
}

impl Splitter {
    /// Splits on a thread that may call Python, in the context of the running task.
    fn split_outside<'py>(slf: &Bound<'py, Self>, texts: Py<PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let split_texts = in_context(py, slf.getattr("split_texts")?.unbind())?;
        let splitting = attached(move |py| split_texts.call1(py, (texts,)));
        awaitable(py, splitting, |_, splits| Ok(splits))
    }
}

/// Splits the texts on all threads of the pool.
async fn split_on_pool(splitter: Arc<dyn TextSplitter>, texts: Vec<String>) -> PyResult<Vec<Split>> {
    let splits = on_pool(move || Pool::global().map(texts.len(), |i| split(&*splitter, &texts[i]))).await?;
    splits.into_iter().collect()
}

/// Splits on this thread, which must be attached where lengths are counted by a Python function.
fn split(splitter: &dyn TextSplitter, text: &str) -> PyResult<Split> {
    // A counting function may split something itself.
    let outer = HEARD.replace(Heard::NOTHING);
    let chunks = splitter.split_text(text).map_err(raise);
    let Heard { oversized, raised, .. } = HEARD.replace(outer);
    match raised {
        Some(error) => Err(error),
        None => Ok(Split {
            chunks: chunks?,
            oversized,
        }),
    }
}

fn splits_to_python(py: Python<'_>, splits: Vec<Split>) -> PyResult<Py<PyAny>> {
    let (chunks, oversized) = (PyList::empty(py), PyList::empty(py));
    let mut breather = Breather::new();
    for split in splits {
        let list = PyList::empty(py);
        for chunk in split.chunks {
            list.append(chunk)?;
            breather.breathe(py)?;
        }
        chunks.append(list)?;
        for too_long in split.oversized {
            oversized.append(too_long)?;
        }
    }
    Ok((chunks, oversized).into_pyobject(py)?.into_any().unbind())
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
                "keep_separator must be True, False, 'start' or 'end', got '{other}'"
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
        let length = attach(|py| counted(function.bind(py), text));
        length.unwrap_or_else(|| Err(shutting_down())).unwrap_or_else(|error| {
            HEARD.with_borrow_mut(|heard| heard.raised = Some(error));
            0
        })
    })
}

fn counted(function: &Bound<'_, PyAny>, text: &str) -> PyResult<usize> {
    // Nothing stays borrowed while Python runs: the function may split something itself.
    let breather = HEARD.with_borrow_mut(|heard| heard.breather.take());
    let mut breather = breather.unwrap_or_else(Breather::new);
    breather.breathe(function.py())?;
    let length = function.call1((text,))?;
    HEARD.with_borrow_mut(|heard| heard.breather = Some(breather));
    length.extract().map_err(|_| {
        let kind = type_name(&length).unwrap_or_default();
        PyTypeError::new_err(format!(
            "length_function must return an int of at least 0, got {length} ({kind})"
        ))
    })
}
