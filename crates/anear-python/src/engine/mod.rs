//! The engine as the Python layer of Faiss's names uses it: indexes, selectors, transforms and a few functions.
//!
//! Thin on purpose. Arrays come contiguous and of the right type, answers go into arrays that Python made, what is not
//! trained yet exists only in Python. The GIL is released wherever there is work to do.

use std::fmt::Display;

use anear::Pool;
use anear::kernels::Rows;
use numpy::{Element, PyReadonlyArray2, PyUntypedArrayMethods as _};
use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

pub(crate) mod binary;
pub(crate) mod clustering;
pub(crate) mod functions;
pub(crate) mod index;
pub(crate) mod parts;
pub(crate) mod selector;
pub(crate) mod threads;
pub(crate) mod transform;

/// A refusal of the engine, as Faiss's users expect it: a `RuntimeError`.
fn refused(error: impl Display) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

/// [`refused`] for the errors of indexes, of which one has an exception of its own.
fn raise(error: anear::index::Error) -> PyErr {
    match error {
        anear::index::Error::OutOfMemory { .. } => PyMemoryError::new_err(error.to_string()),
        error => refused(error),
    }
}

/// Works with the GIL released, as a job that no fork cuts in two, on as many threads as the user allows.
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce(Option<&Pool>) -> T + Send) -> T {
    py.detach(|| Pool::here(|| threads::with_pool(work)))
}

/// The rows of an array that lies row by row.
fn rows<'a, T: Element>(array: &'a PyReadonlyArray2<'_, T>) -> PyResult<Rows<'a, T>> {
    let shape = array.shape();
    let whole = array.is_c_contiguous().then(|| array.as_slice().ok()).flatten();
    whole.and_then(|data| Rows::new(data, shape[1])).ok_or_else(|| {
        PyValueError::new_err(format!(
            "expected a contiguous array of rows, got one of shape ({}, {})",
            shape[0], shape[1]
        ))
    })
}
