//! Metadata values: JSON's kinds plus date and time.
//!
//! How values compare is in `compare.rs`, their JSON form in `json.rs`, dates in `datetime.rs`.

mod compare;
mod datetime;
mod json;

pub(crate) use compare::{Key, compare, equal};
pub use datetime::DateTime;
pub(crate) use json::is_tag;

use crate::Metadata;

/// A metadata value.
///
/// `==` is structural: `Int(1) != Float(1.0)`. Filters compare as Python does, see [`Filter`](crate::Filter).
///
/// # JSON form
/// Plain JSON, with three tags for what JSON lacks, so that a round trip is exact:
/// * a date and time: `{"$datetime": "2026-01-31T12:00:00+01:00"}`,
/// * a number that is not finite: `{"$float": "nan"}`, `"inf"` or `"-inf"`,
/// * a map whose only key begins with `$`, or that has a key `$map`, and so could be taken for a tag:
///   `{"$map": {...}}`.
///
/// A tag whose content does not fit is read as the plain map it is. An integer outside `i64` is read as a float.
///
/// ```
/// use anear_documents::Value;
///
/// let value: Value = serde_json::from_str(r#"[1, 2.5, {"$datetime": "2026-01-31"}]"#)?;
/// assert_eq!(value.to_string(), r#"[1,2.5,{"$datetime":"2026-01-31T00:00:00"}]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing; a missing field equals it.
    #[default]
    Null,
    /// True or false; compares as 1 or 0.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    String(String),
    /// A date and time, with or without an offset from UTC.
    DateTime(DateTime),
    /// Several values.
    List(Vec<Value>),
    /// Named values.
    Map(Metadata),
}

impl Value {
    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if this is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether lists and maps are nested at most `levels` deep; looks no deeper than that.
    pub(crate) fn fits(&self, levels: usize) -> bool {
        match self {
            Self::List(items) => levels > 0 && items.iter().all(|item| item.fits(levels - 1)),
            Self::Map(map) => levels > 0 && map.values().all(|item| item.fits(levels - 1)),
            _ => true,
        }
    }
}

macro_rules! from {
    ($($source:ty => $variant:ident),* $(,)?) => {$(
        impl From<$source> for Value {
            fn from(value: $source) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool => Bool, i64 => Int, i32 => Int, i16 => Int, i8 => Int, u32 => Int, u16 => Int, u8 => Int,
    f64 => Float, f32 => Float, String => String, &str => String, DateTime => DateTime, Metadata => Map,
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
