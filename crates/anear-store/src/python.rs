//! Between our metadata values and Python's data, for doors that live in Python.
//!
//! What is the same in both is ours. Everything else that Python's data can say is kept exactly, as a
//! [`Foreign`] value that holds it. Filters see the nearest they can use: tuples and sets are lists to them, dates
//! datetimes at midnight, decimals and large integers floats, time deltas seconds, bytes lists of numbers, dicts with
//! keys that are no text maps from the text of these keys, the rest text.
//!
//! Some types are read as the plain ones they stand for: numpy's scalars as numbers, its arrays as lists, an
//! `OrderedDict` or a `defaultdict` as a dict.

use std::sync::Arc;

use anear_documents::{DateTime, Foreign, Metadata, Value};
use anear_pickle::Value as Py;
use jiff::civil;
use jiff::tz::Offset;

use crate::error::Result;

/// The value in one Python pickle of plain data (`pickle.dumps(value)`), whose type Python calls `type_name`: ours
/// where nothing is lost, else a foreign one that keeps the exact data.
///
/// # Errors
/// [`Error::Pickle`](crate::Error::Pickle) when the pickle is damaged or names a class that is no plain data; nothing is
/// ever executed.
///
/// ```
/// use anear_documents::Value;
/// use anear_store::python::{value_from_pickle, value_to_pickle};
///
/// // pickle.dumps((1, "a"), protocol=2)
/// let pair = value_from_pickle("tuple", b"\x80\x02K\x01X\x01\x00\x00\x00a\x86q\x00.")?;
/// assert_eq!(pair, Value::from(vec![Value::from(1), Value::from("a")]));
/// let Value::Foreign(pair) = pair else { unreachable!("a tuple is no list") };
/// assert_eq!(value_to_pickle(&pair).unwrap(), b"\x80\x04(K\x01\x8c\x01at.");
/// # Ok::<(), anear_store::Error>(())
/// ```
pub fn value_from_pickle(type_name: &str, pickle: &[u8]) -> Result<Value> {
    Ok(match from_python(anear_pickle::read(pickle)?) {
        Value::Foreign(found) => Foreign::new(type_name, found.nearest().clone(), found.object().clone()).into(),
        ours => ours,
    })
}

/// A pickle from which Python's `pickle.loads` makes a foreign value again, written from data only; `None` when its
/// object is no Python data.
pub fn value_to_pickle(foreign: &Foreign) -> Option<Vec<u8>> {
    anear_pickle::write(foreign.object().downcast_ref()?).ok()
}

/// Ours where nothing is lost, at every level of lists and dicts; else foreign.
pub(crate) fn from_python(value: Py) -> Value {
    match value {
        Py::List(items) => Value::List(items.into_iter().map(from_python).collect()),
        Py::Dict(pairs) if pairs.iter().all(|(key, _)| matches!(key, Py::Str(_))) => {
            let pair = |(key, value): (Py, Py)| (key_text(&key), from_python(value));
            Value::Map(pairs.into_iter().map(pair).collect())
        }
        value => {
            let nearest = nearest(&value);
            if says_all(&nearest, &value) {
                return nearest;
            }
            Foreign::new(value.type_name(), nearest, Arc::new(value)).into()
        }
    }
}

/// What Python makes of a value, exactly; else what the value contains that Python cannot have, and the way out.
pub(crate) fn to_python(value: &Value) -> Result<Py, String> {
    Ok(match value {
        Value::Null => Py::None,
        Value::Bool(value) => Py::Bool(*value),
        Value::Int(value) => Py::Int(*value),
        Value::Float(value) => Py::Float(*value),
        Value::String(value) => Py::Str(value.clone()),
        Value::DateTime(at) => Py::DateTime(
            to_python_datetime(*at).ok_or_else(|| format!("{at}, which Python cannot hold; store it as text"))?,
        ),
        Value::List(items) => Py::List(items.iter().map(to_python).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            let pair = |(key, value): (&String, &Value)| Ok((Py::Str(key.clone()), to_python(value)?));
            Py::Dict(map.iter().map(pair).collect::<Result<_, String>>()?)
        }
        Value::Foreign(foreign) => to_python_foreign(foreign)?,
    })
}

/// Exactly the data it holds; an object of any other kind as the scalar it equals, if there is one.
fn to_python_foreign(foreign: &Foreign) -> Result<Py, String> {
    if let Some(python) = foreign.object().downcast_ref::<Py>() {
        return Ok(python.clone());
    }
    match foreign.nearest() {
        Value::Float(float) if !float.is_nan() => Ok(Py::Float(*float)),
        scalar @ (Value::Bool(_) | Value::Int(_) | Value::String(_)) => to_python(scalar),
        _ => Err(format!(
            "a `{}`, which no saved store can hold; store its parts as numbers, texts or lists, or drop the field",
            foreign.type_name()
        )),
    }
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

/// Whether `nearest` is all there is to a value that is no list or dict.
fn says_all(nearest: &Value, value: &Py) -> bool {
    match value {
        Py::None | Py::Bool(_) | Py::Int(_) | Py::Float(_) | Py::Str(_) => true,
        // Python knows which of two equal times on a clock is meant (the fold), and moments later than ours.
        Py::DateTime(at) => matches!(nearest, Value::DateTime(ours) if to_python_datetime(*ours) == Some(*at)),
        _ => false,
    }
}

/// What filters see of a value.
fn nearest(value: &Py) -> Value {
    match value {
        Py::None => Value::Null,
        Py::Bool(value) => Value::Bool(*value),
        Py::Int(value) => Value::Int(*value),
        Py::Float(value) => Value::Float(*value),
        Py::BigInt(value) => number(value.as_str()),
        Py::Decimal(value) => number(value.as_str()),
        Py::Str(text) | Py::Path(text) | Py::PurePosixPath(text) | Py::PureWindowsPath(text) => {
            Value::String(text.clone())
        }
        Py::Complex(re, im) => [*re, *im].into(),
        Py::Bytes(bytes) | Py::ByteArray(bytes) => bytes.clone().into(),
        Py::List(items) | Py::Tuple(items) | Py::Set(items) | Py::FrozenSet(items) => {
            Value::List(items.iter().map(nearest).collect())
        }
        Py::Dict(pairs) => Value::Map(map(pairs)),
        Py::DateTime(value) => datetime(value),
        Py::Date(date) => Value::DateTime(DateTime::naive(civil_date(*date).to_datetime(civil::Time::midnight()))),
        Py::Delta(delta) => Value::Float(delta.total_seconds()),
        other => Value::String(text(other)),
    }
}

/// Numbers that fit no `i64`: the nearest float.
fn number(digits: &str) -> Value {
    digits
        .parse()
        .map_or_else(|_| Value::String(digits.to_owned()), Value::Float)
}

fn map(pairs: &[(Py, Py)]) -> Metadata {
    let pairs = pairs.iter();
    pairs.map(|(key, value)| (key_text(key), nearest(value))).collect()
}

/// Keys as in the metadata itself: Python's `str(key)`; of tuples and the like, what we make of them, printed.
fn key_text(key: &Py) -> String {
    key.key_text().unwrap_or_else(|| match nearest(key) {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// A moment, or its text where ours end earlier than Python's: aware ones in the last two days of the year 9999.
fn datetime(value: &anear_pickle::DateTime) -> Value {
    let anear_pickle::DateTime { date, time } = value;
    let civil = civil_date(*date).at(
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
