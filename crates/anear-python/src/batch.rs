//! Documents and their vectors as Python brings them, ready to be added.

use anear::{Document, Metadata};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

use crate::arrays::Matrix;
use crate::runtime::Breather;
use crate::values::{metadata_from_python, type_name};

/// Texts and their vectors as a call brought them.
pub(crate) enum Source {
    Lists {
        texts: Py<PyAny>,
        vectors: Py<PyAny>,
    },
    /// Any iterable of (text, vector).
    Pairs(Py<PyAny>),
}

/// What a call that adds was given.
pub(crate) struct Given {
    pub(crate) source: Source,
    pub(crate) metadatas: Option<Py<PyAny>>,
    pub(crate) ids: Option<Py<PyAny>>,
}

/// Documents with the vector of each.
pub(crate) struct Batch {
    pub(crate) documents: Vec<Document>,
    pub(crate) vectors: Matrix,
}

impl Given {
    /// Converts and checks everything that needs Python; the GIL is given away every now and then.
    pub(crate) fn into_batch(self, py: Python<'_>) -> PyResult<Batch> {
        let (texts, vectors) = self.source.into_columns(py)?;
        let metadatas = self.metadatas.map(|object| metadatas(object.bind(py))).transpose()?;
        let ids = self.ids.map(|object| ids(object.bind(py))).transpose()?;
        if let Some(metadatas) = &metadatas {
            equally_long("texts", texts.len(), "metadatas", metadatas.len())?;
        }
        if let Some(ids) = &ids {
            equally_long("texts", texts.len(), "ids", ids.len())?;
        }
        equally_long("documents", texts.len(), "embeddings", vectors.rows)?;
        let mut metadatas = metadatas.into_iter().flatten();
        let mut ids = ids.into_iter().flatten();
        let document = |page_content| Document {
            id: ids.next().flatten(),
            page_content,
            metadata: metadatas.next().unwrap_or_default(),
        };
        let documents = texts.into_iter().map(document).collect();
        Ok(Batch { documents, vectors })
    }
}

impl Source {
    fn into_columns(self, py: Python<'_>) -> PyResult<(Vec<String>, Matrix)> {
        match self {
            Self::Lists { texts: list, vectors } => Ok((texts(list.bind(py))?, Matrix::from_python(vectors.bind(py))?)),
            Self::Pairs(pairs) => {
                let mut vectors = Matrix::default();
                let mut texts = Vec::new();
                let mut breather = Breather::new();
                for (position, pair) in pairs.bind(py).try_iter()?.enumerate() {
                    let (text, vector) = two_of(position, &pair?)?;
                    texts.push(text_at(position, &text)?);
                    vectors.push(&vector)?;
                    breather.breathe(py)?;
                }
                Ok((texts, vectors))
            }
        }
    }
}

/// The halves of a pair: a tuple, or a list as JSON has it.
fn two_of<'py>(position: usize, pair: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let halves = match pair.is_instance_of::<PyString>() {
        true => Vec::new(),
        false => pair.try_iter()?.collect::<PyResult<Vec<_>>>()?,
    };
    <[_; 2]>::try_from(halves)
        .map(|[text, vector]| (text, vector))
        .map_err(|_| PyTypeError::new_err(format!("item {position} is no (text, vector)")))
}

/// Texts of any iterable of `str`.
pub(crate) fn texts(object: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if object.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(
            "expected a list of texts, got one str; put it into a list",
        ));
    }
    each(object, text_at)
}

fn text_at(position: usize, text: &Bound<'_, PyAny>) -> PyResult<String> {
    match text.cast::<PyString>() {
        Ok(text) => Ok(text.to_str()?.to_owned()),
        Err(_) => Err(PyTypeError::new_err(format!(
            "text {position} must be str, got {}",
            type_name(text)?
        ))),
    }
}

fn metadatas(object: &Bound<'_, PyAny>) -> PyResult<Vec<Metadata>> {
    each(object, |_, metadata| match metadata.is_none() {
        true => Ok(Metadata::new()),
        false => metadata_from_python(metadata),
    })
}

fn ids(object: &Bound<'_, PyAny>) -> PyResult<Vec<Option<String>>> {
    each(object, |_, id| match id.is_none() {
        true => Ok(None),
        false => id_of(id).map(Some),
    })
}

/// Ids that are there: no `None` among them.
pub(crate) fn known_ids(object: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if object.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(
            "expected a list of ids, got one str; put it into a list",
        ));
    }
    each(object, |_, id| id_of(id))
}

/// An id: text, or a number that is written as text.
pub(crate) fn id_of(id: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = id.cast::<PyString>() {
        return Ok(text.to_str()?.to_owned());
    }
    if id.is_instance_of::<PyInt>() {
        return Ok(id.str()?.to_str()?.to_owned());
    }
    Err(PyTypeError::new_err(format!(
        "ids must be str or int, got {} ({})",
        id.repr()?,
        type_name(id)?
    )))
}

fn each<T>(object: &Bound<'_, PyAny>, convert: impl Fn(usize, &Bound<'_, PyAny>) -> PyResult<T>) -> PyResult<Vec<T>> {
    let mut breather = Breather::new();
    // What an object says of its length may be anything.
    let mut all = Vec::with_capacity(object.len().unwrap_or_default().min(1 << 16));
    for (position, item) in object.try_iter()?.enumerate() {
        all.push(convert(position, &item?)?);
        breather.breathe(object.py())?;
    }
    Ok(all)
}

fn equally_long(left: &str, left_len: usize, right: &str, right_len: usize) -> PyResult<()> {
    if left_len == right_len {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "{left} and {right} expected to be equal length but len({left})={left_len} and len({right})={right_len}"
    )))
}
