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
    /// `bytes` or `bytearray`.
    Bytes(Vec<u8>),
    /// `list`.
    List(Vec<Value>),
    /// `tuple`.
    Tuple(Vec<Value>),
    /// `set` or `frozenset`, in the order of the pickle.
    Set(Vec<Value>),
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
    /// A path of `pathlib`, as its text.
    Path(String),
}

impl Value {
    /// Whether Python takes this as a key of a dict or an item of a set.
    pub(crate) fn is_hashable(&self) -> bool {
        match self {
            Self::List(_) | Self::Dict(_) => false,
            Self::Tuple(items) => items.iter().all(Self::is_hashable),
            _ => true,
        }
    }
}

/// Why Python cannot hold `keys` as the keys of one dict or the items of one set, if it cannot.
pub(crate) fn keys_problem<'v>(keys: impl ExactSizeIterator<Item = &'v Value>) -> Option<&'static str> {
    let mut seen = HashSet::with_capacity(keys.len());
    for key in keys {
        if !key.is_hashable() {
            return Some("a list or dict stands where only a key can stand");
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
