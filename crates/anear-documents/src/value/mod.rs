//! Metadata values: JSON's kinds plus date and time, and what another language has beyond them.
//!
//! How values compare is in `compare.rs`, their JSON form in `json.rs`, dates in `datetime.rs`, values of other
//! languages in `foreign.rs`.

mod compare;
mod datetime;
mod foreign;
mod json;

use std::sync::Arc;

pub(crate) use compare::{Key, compare, equal};
pub use datetime::DateTime;
pub use foreign::Foreign;
pub(crate) use json::is_tag;

use crate::Metadata;

/// A metadata value.
///
/// `==` is structural: `Int(1) != Float(1.0)`. Filters compare as Python does, see [`Filter`](crate::Filter). To both,
/// and to JSON, a [`Foreign`] value is what is nearest to it.
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
#[derive(Clone, Debug, Default)]
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
    /// What none of these can say, kept as it is.
    Foreign(Arc<Foreign>),
}

impl Value {
    /// The value itself, or what is nearest to a foreign one; the items of a list or map may still be foreign.
    pub fn nearest(&self) -> &Self {
        match self {
            Self::Foreign(foreign) => foreign.nearest(),
            value => value,
        }
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self.nearest() {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if this is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self.nearest() {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether lists and maps are nested at most `levels` deep; looks no deeper than that.
    pub(crate) fn fits(&self, levels: usize) -> bool {
        match self.nearest() {
            Self::List(items) => levels > 0 && items.iter().all(|item| item.fits(levels - 1)),
            Self::Map(map) => levels > 0 && map.values().all(|item| item.fits(levels - 1)),
            _ => true,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self.nearest(), other.nearest()) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => left == right,
            (Self::String(left), Self::String(right)) => left == right,
            (Self::DateTime(left), Self::DateTime(right)) => left == right,
            (Self::List(left), Self::List(right)) => left == right,
            (Self::Map(left), Self::Map(right)) => left == right,
            _ => false,
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
