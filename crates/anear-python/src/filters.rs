//! Filters from Python: dicts become data that columns answer, callables are asked about each document.

use anear::{DocumentFilter, Filter, Value};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use serde_json::{Map, Value as Json};

use crate::error::raise;
use crate::runtime::Breather;
use crate::values::{metadata_to_python, type_name, value_from_python};

/// Deeper than any filter that is taken.
const DEPTH_MAX: usize = 64;

/// Which documents are wanted.
pub(crate) enum Wanted {
    All,
    Matching(DocumentFilter),
    /// Those of which this says so, given their metadata.
    Accepted(Py<PyAny>),
}

impl Wanted {
    /// `None`, a dict of LangChain's grammar and ours, or a callable.
    pub(crate) fn from_python(filter: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(filter) = filter else {
            return Ok(Self::All);
        };
        if let Ok(dict) = filter.cast::<PyDict>() {
            let filter = Filter::from_json(&filter_json(dict, DEPTH_MAX)?).map_err(raise)?;
            return Ok(Self::Matching(filter.into()));
        }
        if filter.is_callable() {
            return Ok(Self::Accepted(filter.clone().unbind()));
        }
        Err(PyValueError::new_err(format!(
            "filter must be a dict of metadata or a callable, not {}",
            filter.get_type().repr()?
        )))
    }
}

/// The positions of the documents that `accept` wants, given the metadata of each.
///
/// Attached, and with nothing locked: the callable may call the store. It is asked no more once nobody is interested.
pub(crate) fn accepted(
    py: Python<'_>,
    view: &anear::View,
    accept: &Py<PyAny>,
    is_wanted: impl Fn() -> bool,
) -> PyResult<Vec<usize>> {
    let mut breather = Breather::new();
    let mut positions = Vec::new();
    for (position, document) in view.documents().enumerate() {
        breather.breathe(py)?;
        if !is_wanted() {
            break;
        }
        let metadata = metadata_to_python(py, &document.metadata)?;
        if accept.bind(py).call1((metadata,))?.is_truthy()? {
            positions.push(position);
        }
    }
    Ok(positions)
}

/// The filter in the form that [`Filter::from_json`] reads, where all grammar is.
fn filter_json(filter: &Bound<'_, PyDict>, levels: usize) -> PyResult<Json> {
    let levels = below(levels)?;
    entries(filter, |key, value| match key {
        "$and" | "$or" => match items(value) {
            Some(filters) => filters
                .iter()
                .map(|filter| match filter.cast::<PyDict>() {
                    Ok(dict) => filter_json(dict, levels),
                    Err(_) => operand(filter),
                })
                .collect(),
            None => operand(value),
        },
        "$not" => match value.cast::<PyDict>() {
            Ok(dict) => filter_json(dict, levels),
            Err(_) => operand(value),
        },
        // An operator where a field should be: refused by name, whatever it is given.
        key if key.starts_with('$') => Ok(Json::Null),
        _ => conditions(value, levels),
    })
}

/// What stands behind a field: operators, a list of values, or one value.
fn conditions(value: &Bound<'_, PyAny>, levels: usize) -> PyResult<Json> {
    let levels = below(levels)?;
    if let Ok(dict) = value.cast::<PyDict>() {
        return entries(dict, |key, value| match key {
            "$not" => conditions(value, levels),
            _ => operand(value),
        });
    }
    let operator = if value.is_instance_of::<PyList>() { "$in" } else { "$eq" };
    Ok(Json::Object(Map::from_iter([(operator.to_owned(), operand(value)?)])))
}

fn entries(
    dict: &Bound<'_, PyDict>,
    mut json: impl FnMut(&str, &Bound<'_, PyAny>) -> PyResult<Json>,
) -> PyResult<Json> {
    let mut map = Map::with_capacity(dict.len());
    for (key, value) in dict.iter() {
        let key = key.cast::<PyString>().map_err(|_| {
            PyTypeError::new_err(format!(
                "filter keys must be str, got {} ({})",
                key.repr().map(|repr| repr.to_string()).unwrap_or_default(),
                type_name(&key).unwrap_or_default()
            ))
        })?;
        let key = key.to_str()?;
        map.insert(key.to_owned(), json(key, &value)?);
    }
    Ok(Json::Object(map))
}

/// The items of a list or a tuple.
fn items<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    let list = value.cast::<PyList>().ok().map(|list| list.iter().collect());
    list.or_else(|| value.cast::<PyTuple>().ok().map(|tuple| tuple.iter().collect()))
}

/// A value to compare with.
fn operand(value: &Bound<'_, PyAny>) -> PyResult<Json> {
    let wanted = value_from_python(value)?;
    if let Value::Foreign(foreign) = &wanted
        && matches!(foreign.nearest(), Value::Float(number) if number.is_nan())
    {
        return Err(PyValueError::new_err(format!(
            "a filter cannot compare with {} ({}); give a callable: filter=lambda metadata: ...",
            value.repr()?,
            foreign.type_name()
        )));
    }
    Ok(Json::from(&wanted))
}

fn below(levels: usize) -> PyResult<usize> {
    levels
        .checked_sub(1)
        .ok_or_else(|| PyValueError::new_err("the filter nests too deeply"))
}
