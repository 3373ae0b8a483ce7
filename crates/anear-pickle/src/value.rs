//! What a pickle means: an owned tree of plain data.

use std::collections::HashSet;

use crate::{BigInt, Date, DateTime, Decimal, Delta, Offset, Time, Uuid};

/// One piece of Python data.
///
/// Numpy scalars read as the plain number they hold, numpy arrays as (nested) lists, a LangChain
/// document inside metadata as the dict of its `page_content` and `metadata`.
///
/// Equality is that of the data: order counts in dicts and sets, `1` is not `1.0`, `NaN` is not `NaN`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `None`.
    None,
    /// `bool`.
    Bool(bool),
    /// `int` within `i64`.
    Int(i64),
    /// `int` outside of `i64`.
    BigInt(BigInt),
    /// `float`.
    Float(f64),
    /// `complex`: real and imaginary part.
    Complex(f64, f64),
    /// `str`.
    Str(String),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `bytearray`.
    ByteArray(Vec<u8>),
    /// `list`.
    List(Vec<Value>),
    /// `tuple`.
    Tuple(Vec<Value>),
    /// `set`, in the order of the pickle.
    Set(Vec<Value>),
    /// `frozenset`, in the order of the pickle.
    FrozenSet(Vec<Value>),
    /// `dict`, `OrderedDict` or `defaultdict`: keys and values in order; no key twice.
    Dict(Vec<(Value, Value)>),
    /// `datetime.date`.
    Date(Date),
    /// `datetime.time`.
    Time(Time),
    /// `datetime.datetime`.
    DateTime(DateTime),
    /// `datetime.timedelta`.
    Delta(Delta),
    /// `datetime.timezone`.
    Zone(Offset),
    /// `decimal.Decimal`.
    Decimal(Decimal),
    /// `uuid.UUID`.
    Uuid(Uuid),
    /// `pathlib.PosixPath` or `WindowsPath`, as its text; it is written as a path of the machine that loads it.
    Path(String),
    /// `pathlib.PurePosixPath`, as its text.
    PurePosixPath(String),
    /// `pathlib.PureWindowsPath`, as its text.
    PureWindowsPath(String),
}

impl Value {
    /// The name of the type in Python.
    ///
    /// ```
    /// assert_eq!(anear_pickle::Value::Tuple(Vec::new()).type_name(), "tuple");
    /// ```
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::BigInt(_) => "int",
            Self::Float(_) => "float",
            Self::Complex(..) => "complex",
            Self::Str(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::ByteArray(_) => "bytearray",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
            Self::FrozenSet(_) => "frozenset",
            Self::Dict(_) => "dict",
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::DateTime(_) => "datetime",
            Self::Delta(_) => "timedelta",
            Self::Zone(_) => "timezone",
            Self::Decimal(_) => "Decimal",
            Self::Uuid(_) => "UUID",
            Self::Path(_) => "Path",
            Self::PurePosixPath(_) => "PurePosixPath",
            Self::PureWindowsPath(_) => "PureWindowsPath",
        }
    }

    /// This key of a dict as text: Python's `str(key)`, where the key is text, a number, `None` or of dates and times.
    ///
    /// `None` for keys of any other type.
    ///
    /// ```
    /// use anear_pickle::Value;
    ///
    /// assert_eq!(Value::Bool(true).key_text().as_deref(), Some("True"));
    /// assert_eq!(Value::Float(1e16).key_text().as_deref(), Some("1e+16"));
    /// assert_eq!(Value::Tuple(Vec::new()).key_text(), None);
    /// ```
    pub fn key_text(&self) -> Option<String> {
        Some(match self {
            Self::Str(text) | Self::Path(text) => text.clone(),
            Self::PurePosixPath(text) | Self::PureWindowsPath(text) => text.clone(),
            Self::None => "None".into(),
            Self::Bool(bool) => if *bool { "True" } else { "False" }.into(),
            Self::Int(int) => int.to_string(),
            Self::BigInt(int) => int.to_string(),
            Self::Float(float) => float_text(*float),
            Self::Decimal(decimal) => decimal.to_string(),
            Self::Uuid(uuid) => uuid.to_string(),
            Self::Date(date) => date.to_string(),
            Self::Time(time) => time.to_string(),
            Self::DateTime(DateTime { date, time }) => format!("{date} {time}"),
            Self::Delta(delta) => delta.to_string(),
            _ => return None,
        })
    }

    /// Whether Python takes this as a key of a dict or an item of a set.
    pub(crate) fn is_hashable(&self) -> bool {
        match self {
            Self::List(_) | Self::Dict(_) | Self::Set(_) | Self::ByteArray(_) => false,
            Self::Tuple(items) => items.iter().all(Self::is_hashable),
            _ => true,
        }
    }
}

/// Python's `str(float)`: as Rust's shortest form, but for the exponent, which has a sign and two digits, and for NaN.
fn float_text(float: f64) -> String {
    let text = format!("{float:?}");
    match text.split_once('e') {
        _ if float.is_nan() => "nan".into(),
        None => text,
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent
                .strip_prefix('-')
                .map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
    }
}

/// Why Python cannot hold `keys` as the keys of one dict or the items of one set, if it cannot.
pub(crate) fn keys_problem<'v>(keys: impl ExactSizeIterator<Item = &'v Value>) -> Option<&'static str> {
    let mut seen = HashSet::with_capacity(keys.len());
    for key in keys {
        if !key.is_hashable() {
            return Some("a list, dict, set or bytearray stands where only a key can stand");
        }
        if !seen.insert(Key::from(key)) {
            return Some("the same key stands twice in one dict or set");
        }
    }
    None
}

/// `value` as a key among others: equal for what Python takes as the same key.
///
/// Numbers that are equal are one key in Python (`1`, `1.0`, `True`); anything that is neither a
/// number nor text is told apart by its printed form.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key<'v> {
    Str(&'v str),
    Int(i64),
    Other(String),
}

impl<'v> From<&'v Value> for Key<'v> {
    fn from(value: &'v Value) -> Self {
        match value {
            Value::Str(text) => Self::Str(text),
            Value::Int(int) => Self::Int(*int),
            Value::Bool(bool) => Self::Int(i64::from(*bool)),
            // Every f64 that equals its own i64 is exact there; the others keep their printed form.
            Value::Float(float) if (*float as i64) as f64 == *float => Self::Int(*float as i64),
            other => Self::Other(format!("{other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts are what CPython prints for the same literals.
    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (float, python) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (-1.5e300, "-1.5e+300"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (5e-324, "5e-324"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(Value::Float(float).key_text().as_deref(), Some(python));
        }
    }
}
