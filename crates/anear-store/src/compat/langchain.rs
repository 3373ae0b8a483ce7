//! Between our documents and the docstore that LangChain pickles.
//!
//! What Python has and JSON has not becomes the nearest that filters can use: tuples and sets lists, dates datetimes
//! at midnight, decimals and large integers floats, time deltas seconds, bytes lists of numbers, the rest text.

use std::collections::HashMap;
use std::sync::Arc;

use anear_documents::{DateTime, Document, Metadata, Value};
use anear_pickle::{SavedDocstore, SavedDocument, Value as Py};
use jiff::civil;
use jiff::tz::Offset;

use crate::error::{Error, Result};

/// The docstore of documents in the order of their vectors.
pub(crate) fn to_docstore<'d>(documents: impl Iterator<Item = &'d Arc<Document>>) -> Result<SavedDocstore> {
    let documents = documents
        .map(|document| to_saved(document))
        .collect::<Result<Vec<_>>>()?;
    let positions = (0..)
        .zip(documents.iter().map(|document| document.id.clone()))
        .collect();
    Ok(SavedDocstore { documents, positions })
}

/// The documents of a docstore in the order of their `vectors`: every vector has one, every document one vector.
pub(crate) fn from_docstore(saved: SavedDocstore, vectors: usize) -> Result<Vec<Document>> {
    let mut positions = saved.positions;
    positions.sort_by_key(|&(position, _)| position);
    let taken = |at: usize| positions.get(at).map(|&(position, _)| position);
    if let Some(at) = (0..positions.len().max(vectors)).find(|&at| at >= vectors || taken(at) != i64::try_from(at).ok())
    {
        return Err(Error::Positions {
            at,
            vectors,
            positions: positions.len(),
        });
    }
    let mut by_id: HashMap<String, SavedDocument> = saved
        .documents
        .into_iter()
        .map(|document| (document.id.clone(), document))
        .collect();
    let mut documents = Vec::with_capacity(vectors);
    for (_, id) in positions {
        let document = by_id.remove(&id).ok_or(Error::TwoVectors { id })?;
        documents.push(from_saved(document));
    }
    match by_id.into_keys().min() {
        Some(id) => Err(Error::NoVector { id }),
        None => Ok(documents),
    }
}

fn to_saved(document: &Document) -> Result<SavedDocument> {
    let id = document.id.clone().unwrap_or_default();
    let metadata = document.metadata.iter().map(|(key, value)| match to_python(value) {
        Some(value) => Ok((key.clone(), value)),
        None => Err(Error::Unsaveable {
            id: id.clone(),
            key: key.clone(),
            value: value.to_string(),
        }),
    });
    let metadata = metadata.collect::<Result<_>>()?;
    Ok(SavedDocument {
        id,
        page_content: document.page_content.clone(),
        metadata,
    })
}

fn from_saved(saved: SavedDocument) -> Document {
    let SavedDocument {
        id,
        page_content,
        metadata,
    } = saved;
    let metadata = metadata
        .into_iter()
        .map(|(key, value)| (key, from_python(value)))
        .collect();
    Document {
        id: Some(id),
        page_content,
        metadata,
    }
}

/// `None` for what Python cannot hold: dates before year 1.
fn to_python(value: &Value) -> Option<Py> {
    Some(match value {
        Value::Null => Py::None,
        Value::Bool(value) => Py::Bool(*value),
        Value::Int(value) => Py::Int(*value),
        Value::Float(value) => Py::Float(*value),
        Value::String(value) => Py::Str(value.clone()),
        Value::DateTime(value) => Py::DateTime(to_python_datetime(*value)?),
        Value::List(items) => Py::List(items.iter().map(to_python).collect::<Option<_>>()?),
        Value::Map(map) => {
            let pair = |(key, value): (&String, &Value)| Some((Py::Str(key.clone()), to_python(value)?));
            Py::Dict(map.iter().map(pair).collect::<Option<_>>()?)
        }
    })
}

fn to_python_datetime(value: DateTime) -> Option<anear_pickle::DateTime> {
    let civil = value.civil();
    let (year, month, day) = (
        u16::try_from(civil.year()).ok()?,
        civil.month() as u8,
        civil.day() as u8,
    );
    let (hour, minute, second) = (civil.hour() as u8, civil.minute() as u8, civil.second() as u8);
    let microsecond = u32::try_from(civil.subsec_nanosecond() / 1000).ok()?;
    let mut time = anear_pickle::Time::new(hour, minute, second, microsecond)?;
    if let Some(offset) = value.offset() {
        time.offset = Some(anear_pickle::Offset::new(offset.seconds())?);
    }
    Some(anear_pickle::DateTime {
        date: anear_pickle::Date::new(year, month, day)?,
        time,
    })
}

fn from_python(value: Py) -> Value {
    match value {
        Py::None => Value::Null,
        Py::Bool(value) => Value::Bool(value),
        Py::Int(value) => Value::Int(value),
        Py::Float(value) => Value::Float(value),
        Py::BigInt(value) => number(value.as_str()),
        Py::Decimal(value) => number(value.as_str()),
        Py::Str(value) | Py::Path(value) => Value::String(value),
        Py::Complex(re, im) => Value::List(vec![Value::Float(re), Value::Float(im)]),
        Py::Bytes(bytes) => Value::List(bytes.into_iter().map(|byte| Value::Int(byte.into())).collect()),
        Py::List(items) | Py::Tuple(items) | Py::Set(items) => {
            Value::List(items.into_iter().map(from_python).collect())
        }
        Py::Dict(pairs) => Value::Map(map(pairs)),
        Py::DateTime(value) => datetime(value),
        Py::Date(date) => Value::DateTime(DateTime::naive(civil_date(date).to_datetime(civil::Time::midnight()))),
        Py::Delta(delta) => Value::Float(delta.total_seconds()),
        other => Value::String(text(&other)),
    }
}

/// Numbers that fit no `i64`: the nearest float.
fn number(digits: &str) -> Value {
    digits
        .parse()
        .map_or_else(|_| Value::String(digits.to_owned()), Value::Float)
}

/// Keys as in the metadata itself: Python's `str(key)`; of tuples and the like, what we make of them, printed.
fn map(pairs: Vec<(Py, Py)>) -> Metadata {
    let printed = |key: Py| match from_python(key) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let key = |key: Py| key.key_text().unwrap_or_else(|| printed(key));
    pairs
        .into_iter()
        .map(|(k, value)| (key(k), from_python(value)))
        .collect()
}

/// A moment, or its text where ours end earlier than Python's: aware ones in the last two days of the year 9999.
fn datetime(value: anear_pickle::DateTime) -> Value {
    let anear_pickle::DateTime { date, time } = value;
    let civil = civil_date(date).at(
        time.hour() as i8,
        time.minute() as i8,
        time.second() as i8,
        time.microsecond() as i32 * 1000,
    );
    let offset = time.offset.map(|offset| Offset::from_seconds(offset.seconds()));
    match offset {
        None => Value::DateTime(DateTime::naive(civil)),
        Some(offset) => offset
            .ok()
            .and_then(|offset| DateTime::aware(civil, offset).ok())
            .map_or_else(|| Value::String(value.to_string()), Value::DateTime),
    }
}

/// Years 1 to 9999 and real months and days only, which the pickle's reader has checked.
fn civil_date(date: anear_pickle::Date) -> civil::Date {
    civil::date(date.year() as i16, date.month() as i8, date.day() as i8)
}

fn text(value: &Py) -> String {
    match value {
        Py::Time(time) => time.to_string(),
        Py::Uuid(uuid) => uuid.to_string(),
        Py::Zone(offset) => offset.to_string(),
        other => format!("{other:?}"),
    }
}
