//! From anear's errors to Python's exceptions: one place, ordinary exceptions only.

use std::any::Any;
use std::error::Error as StdError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anear::embeddings::Error as EmbeddingError;
use pyo3::PyErr;
use pyo3::exceptions::{
    PyConnectionError, PyFileNotFoundError, PyMemoryError, PyOSError, PyPermissionError, PyRuntimeError,
    PyTimeoutError, PyValueError,
};
use pyo3::prelude::*;

pyo3::create_exception!(
    anear,
    InternalError,
    PyRuntimeError,
    "A bug in anear: something panicked. The store is as it was before the call."
);

/// The exception that an error of anear's becomes.
pub(crate) fn raise(error: impl Into<anear::Error>) -> PyErr {
    let error = error.into();
    let text = error.to_string();
    match &error {
        anear::Error::Panicked(_) => InternalError::new_err(text),
        anear::Error::NothingSaved { .. } => PyFileNotFoundError::new_err(text),
        anear::Error::DuplicateId { id } => PyValueError::new_err(format!(
            "Duplicate ids found in the ids list. Id {id:?} occurs more than once in this call."
        )),
        anear::Error::Index(anear::index::Error::OutOfMemory { .. }) => PyMemoryError::new_err(text),
        anear::Error::Documents(anear::documents::Error::Panicked(_)) => InternalError::new_err(text),
        anear::Error::Embedding(embedding) => of_embedding(embedding, text),
        other => match io_kind(other) {
            None => PyValueError::new_err(text),
            Some(io::ErrorKind::NotFound) => PyFileNotFoundError::new_err(text),
            Some(io::ErrorKind::PermissionDenied) => PyPermissionError::new_err(text),
            Some(_) => PyOSError::new_err(text),
        },
    }
}

fn of_embedding(error: &EmbeddingError, text: String) -> PyErr {
    match error {
        EmbeddingError::MissingKey { variable } => PyValueError::new_err(format!(
            "no API key: set the environment variable {variable}, or pass api_key=... (any text, to a server that needs none)"
        )),
        EmbeddingError::Setting { .. } => PyValueError::new_err(text),
        EmbeddingError::Timeout { .. } => PyTimeoutError::new_err(text),
        EmbeddingError::Connection { .. } => PyConnectionError::new_err(text),
        EmbeddingError::ModelNotFound { .. } => PyFileNotFoundError::new_err(text),
        EmbeddingError::Panicked(_) => InternalError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

/// What the operating system said, if it was asked.
fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

/// Runs the body of a function that Python calls: a panic becomes an [`InternalError`], which `except Exception`
/// catches (PyO3's own `PanicException` is a `BaseException`).
pub(crate) fn guarded<T>(body: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // What the body shares with others is behind the store's own atomic swap: never half changed.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// The exception of a caught panic.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> PyErr {
    let message = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into());
    InternalError::new_err(format!("internal error, please report it: anear panicked: {message}"))
}

/// What a call answers when the interpreter is going down.
pub(crate) fn shutting_down() -> PyErr {
    PyRuntimeError::new_err("the Python interpreter is shutting down")
}
