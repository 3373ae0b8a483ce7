//! Metadata between Python and Rust: what filters can use becomes ours, everything else is kept as it was.

use std::sync::Arc;

use anear::documents::{DateTime, Foreign};
use anear::{Document, Metadata, Value};
use pyo3::exceptions::{PyException, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};

/// Deeper than any store takes; beyond it a value is taken for one that contains itself.
const DEPTH_MAX: usize = 100;

/// A Python object that no pickle of plain data can say.
struct Object(Py<PyAny>);

/// Metadata of one document from any mapping with text keys.
pub(crate) fn metadata_from_python(object: &Bound<'_, PyAny>) -> PyResult<Metadata> {
    if let Ok(dict) = object.cast::<PyDict>() {
        return dict.iter().map(|(key, value)| entry(&key, &value)).collect();
    }
    let mapping = object.cast::<PyMapping>().map_err(|_| {
        PyTypeError::new_err(format!(
            "metadata must be a dict, got {}",
            type_name(object).unwrap_or_default()
        ))
    })?;
    let items = mapping.items()?;
    let items = items
        .iter()
        .map(|item| item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>());
    items
        .map(|item| {
            let (key, value) = item?;
            entry(&key, &value)
        })
        .collect()
}

fn entry(key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<(String, Value)> {
    let key = key.cast::<PyString>().map_err(|_| {
        PyTypeError::new_err(format!(
            "metadata keys must be str, got {} ({})",
            key.repr().map(|repr| repr.to_string()).unwrap_or_default(),
            type_name(key).unwrap_or_default()
        ))
    })?;
    Ok((key.to_str()?.to_owned(), value_from_python(value)?))
}

/// Any Python object as a metadata value.
pub(crate) fn value_from_python(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    value_within(object, DEPTH_MAX)
}

fn value_within(object: &Bound<'_, PyAny>, levels: usize) -> PyResult<Value> {
    if levels == 0 {
        return Err(PyValueError::new_err(format!(
            "metadata nests deeper than {DEPTH_MAX} levels, or contains itself"
        )));
    }
    Ok(match plain(object, levels)? {
        Some(value) => value,
        None => foreign(object, levels)?,
    })
}

/// What Rust's values say exactly: type and content.
fn plain(object: &Bound<'_, PyAny>, levels: usize) -> PyResult<Option<Value>> {
    if object.is_none() {
        return Ok(Some(Value::Null));
    }
    if let Ok(text) = object.cast_exact::<PyString>() {
        return Ok(Some(Value::String(text.to_str()?.to_owned())));
    }
    if let Ok(flag) = object.cast_exact::<PyBool>() {
        return Ok(Some(Value::Bool(flag.is_true())));
    }
    if object.cast_exact::<PyInt>().is_ok() {
        return Ok(object.extract().ok().map(Value::Int));
    }
    if let Ok(number) = object.cast_exact::<PyFloat>() {
        return Ok(Some(Value::Float(number.value())));
    }
    if let Ok(list) = object.cast_exact::<PyList>() {
        let items = list.iter().map(|item| value_within(&item, levels - 1));
        return Ok(Some(Value::List(items.collect::<PyResult<_>>()?)));
    }
    if let Ok(dict) = object.cast_exact::<PyDict>() {
        return plain_dict(dict, levels);
    }
    plain_datetime(object)
}

/// A dict whose keys are all text.
fn plain_dict(dict: &Bound<'_, PyDict>, levels: usize) -> PyResult<Option<Value>> {
    // Looked at first: what is nested is converted once or not at all.
    if dict.iter().any(|(key, _)| key.cast_exact::<PyString>().is_err()) {
        return Ok(None);
    }
    let mut map = Metadata::with_capacity(dict.len());
    for (key, value) in dict.iter() {
        let Ok(key) = key.cast_exact::<PyString>() else {
            return Ok(None);
        };
        map.insert(key.to_str()?.to_owned(), value_within(&value, levels - 1)?);
    }
    Ok(Some(Value::Map(map)))
}

/// A `datetime` that is naive or has a fixed offset; the name of a time zone is more than ours can say.
fn plain_datetime(object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    let py = object.py();
    let names = Datetimes::of(py)?;
    if !object.get_type().is(names.datetime.bind(py)) {
        return Ok(None);
    }
    let zone = object.getattr(pyo3::intern!(py, "tzinfo"))?;
    if !zone.is_none() && !zone.get_type().is(names.timezone.bind(py)) {
        return Ok(None);
    }
    Ok(moment(object)?.map(Value::DateTime))
}

/// The moment of any `datetime`; `None` where it is none of ours (an offset with seconds, the last days of year 9999).
fn moment(datetime: &Bound<'_, PyAny>) -> PyResult<Option<DateTime>> {
    let text = datetime.call_method0(pyo3::intern!(datetime.py(), "isoformat"))?;
    let text: String = text.extract()?;
    Ok(text.parse().ok())
}

/// Types of Python's `datetime`, looked up once.
struct Datetimes {
    datetime: Py<PyAny>,
    timezone: Py<PyAny>,
    timedelta: Py<PyAny>,
}

impl Datetimes {
    fn of(py: Python<'_>) -> PyResult<&'static Self> {
        static NAMES: PyOnceLock<Datetimes> = PyOnceLock::new();
        NAMES.get_or_try_init(py, || {
            let module = py.import("datetime")?;
            let name = |name: &str| PyResult::Ok(module.getattr(name)?.unbind());
            Ok(Self {
                datetime: name("datetime")?,
                timezone: name("timezone")?,
                timedelta: name("timedelta")?,
            })
        })
    }
}

/// A value that is none of ours: as exact data if a pickle of plain data says it, else the object itself.
fn foreign(object: &Bound<'_, PyAny>, levels: usize) -> PyResult<Value> {
    let name = type_name(object)?;
    if is_data(object)?
        && let Some(value) = unless_refused(object.py(), as_data(object, &name))?
    {
        return Ok(value);
    }
    let nearest = nearest(object, levels)?;
    Ok(Value::from(Foreign::new(
        name,
        nearest,
        Arc::new(Object(object.clone().unbind())),
    )))
}

/// Whether the object's type is one of Python's own for plain data.
fn is_data(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(matches!(
        module_of(object)?.as_str(),
        "builtins" | "datetime" | "decimal" | "uuid" | "pathlib" | "pathlib._local"
    ))
}

/// The module of the object's class; empty where a class has something else of that name.
fn module_of(object: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(object.get_type().getattr("__module__")?.extract().unwrap_or_default())
}

/// The object by way of a pickle that is read as data and, read by Python, gives the same again.
fn as_data(object: &Bound<'_, PyAny>, name: &str) -> PyResult<Option<Value>> {
    let py = object.py();
    let pickle = py.import("pickle")?.call_method1("dumps", (object, 4))?;
    let Ok(value) = anear::python::value_from_pickle(name, pickle.cast::<PyBytes>()?.as_bytes()) else {
        return Ok(None);
    };
    let again = value_to_python(py, &value)?;
    Ok(same(object, &again, DEPTH_MAX)?.then_some(value))
}

/// What cannot be pickled or compared is no data; Ctrl-C and the like are nobody's answer.
fn unless_refused<T>(py: Python<'_>, outcome: PyResult<Option<T>>) -> PyResult<Option<T>> {
    outcome.or_else(|error| match error.is_instance_of::<PyException>(py) {
        true => Ok(None),
        false => Err(error),
    })
}

/// Whether two objects are equal and of the same types, inside too.
fn same(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>, levels: usize) -> PyResult<bool> {
    if levels == 0 || !one.get_type().is(other.get_type()) {
        return Ok(false);
    }
    let all = |one: Bound<'_, PyList>, other: Bound<'_, PyList>| -> PyResult<bool> {
        if one.len() != other.len() {
            return Ok(false);
        }
        for (one, other) in one.iter().zip(other.iter()) {
            if !same(&one, &other, levels - 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    if let (Ok(one), Ok(other)) = (one.cast::<PyTuple>(), other.cast::<PyTuple>()) {
        return all(one.to_list(), other.to_list());
    }
    if let (Ok(one), Ok(other)) = (one.cast::<PyList>(), other.cast::<PyList>()) {
        return all(one.clone(), other.clone());
    }
    if let (Ok(one), Ok(other)) = (one.cast::<PyDict>(), other.cast::<PyDict>()) {
        return Ok(all(one.keys(), other.keys())? && all(one.values(), other.values())?);
    }
    // Sets of exact numbers and texts: equality knows no types, so these are asked for.
    let is_set = one.hasattr("isdisjoint")?;
    Ok(one.eq(other)? && (!is_set || types_within(one)? == types_within(other)?))
}

/// The types of a set's items, sorted by name.
fn types_within(set: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let mut names = set
        .try_iter()?
        .map(|item| type_name(&item?))
        .collect::<PyResult<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// What filters may take the object for; not-a-number, which equals nothing, for what they cannot compare.
fn nearest(object: &Bound<'_, PyAny>, levels: usize) -> PyResult<Value> {
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::String(text.to_str()?.to_owned()));
    }
    if object.is_instance_of::<PyInt>() {
        let int = object.extract().map(Value::Int);
        return int.or_else(|_| Ok(Value::Float(object.extract().unwrap_or(f64::NAN))));
    }
    if object.is_instance_of::<PyFloat>() {
        return Ok(Value::Float(object.extract()?));
    }
    if object.is_instance(Datetimes::of(object.py())?.datetime.bind(object.py()))? {
        return Ok(moment(object)?.map_or(Value::Float(f64::NAN), Value::DateTime));
    }
    if let Ok(list) = object.cast::<PyList>() {
        return nearest_items(list.iter(), levels);
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        return nearest_items(tuple.iter(), levels);
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        return Ok(plain_dict(dict, levels)?.unwrap_or(Value::Float(f64::NAN)));
    }
    nearest_scalar(object)
}

fn nearest_items<'py>(items: impl Iterator<Item = Bound<'py, PyAny>>, levels: usize) -> PyResult<Value> {
    let items = items.map(|item| value_within(&item, levels - 1));
    Ok(Value::List(items.collect::<PyResult<_>>()?))
}

/// NumPy's scalars (and what else has `item()` and no length) by the Python number they hold.
fn nearest_scalar(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if module_of(object)? == "numpy"
        && let Ok(item) = object.call_method0("item")
        && !item.get_type().is(object.get_type())
        && let Some(value) = plain(&item, 1)?
    {
        return Ok(value);
    }
    Ok(Value::Float(f64::NAN))
}

pub(crate) fn type_name(object: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(object.get_type().name()?.to_string())
}

/// A metadata value as the Python object it was.
pub(crate) fn value_to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Int(int) => int.into_pyobject(py)?.into_any(),
        Value::Float(float) => PyFloat::new(py, *float).into_any(),
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::DateTime(at) => datetime_to_python(py, at)?,
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(value_to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Map(map) => metadata_to_python(py, map)?.into_any(),
        Value::Foreign(foreign) => foreign_to_python(py, foreign)?,
    })
}

fn foreign_to_python<'py>(py: Python<'py>, foreign: &Foreign) -> PyResult<Bound<'py, PyAny>> {
    if let Some(Object(object)) = foreign.object().downcast_ref() {
        return Ok(object.bind(py).clone());
    }
    match anear::python::value_to_pickle(foreign) {
        // Written by anear from plain data: it names nothing but types of plain data.
        Some(pickle) => py.import("pickle")?.call_method1("loads", (PyBytes::new(py, &pickle),)),
        None => value_to_python(py, foreign.nearest()),
    }
}

fn datetime_to_python<'py>(py: Python<'py>, at: &DateTime) -> PyResult<Bound<'py, PyAny>> {
    let names = Datetimes::of(py)?;
    let zone = match at.offset() {
        None => None,
        Some(offset) => {
            let delta = names.timedelta.bind(py).call1((0, offset.seconds()))?;
            Some(names.timezone.bind(py).call1((delta,))?)
        }
    };
    let civil = at.civil();
    let (date, time) = (civil.date(), civil.time());
    let microsecond = time.subsec_nanosecond() / 1000;
    names.datetime.bind(py).call1((
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        microsecond,
        zone,
    ))
}

/// A fresh dict of a document's metadata.
pub(crate) fn metadata_to_python<'py>(py: Python<'py>, metadata: &Metadata) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in metadata {
        dict.set_item(key, value_to_python(py, value)?)?;
    }
    Ok(dict)
}

/// Id, text and metadata of a document.
pub(crate) fn record_to_python<'py>(py: Python<'py>, document: &Document) -> PyResult<Bound<'py, PyTuple>> {
    let id = document.id.as_deref().unwrap_or_default();
    let metadata = metadata_to_python(py, &document.metadata)?;
    (id, &document.page_content, metadata).into_pyobject(py)
}
