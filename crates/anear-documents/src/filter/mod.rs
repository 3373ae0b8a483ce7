//! Which documents are wanted, as data or as a closure.
//!
//! The operators are in `op.rs`, the JSON grammar in `parse.rs`.

mod op;
mod parse;

use std::fmt;
use std::sync::Arc;

pub use op::Op;

use crate::{Error, Metadata, Result, Value};

/// How large a filter or a document's metadata may be.
pub mod limits {
    /// Most nodes of one filter: fields and `$and`, `$or`, `$not` together.
    pub const FILTER_NODES: usize = 4_096;
    /// Deepest nesting of one filter.
    pub const FILTER_DEPTH: usize = 32;
    /// Most values of one `$in`, `$nin` or list.
    pub const FILTER_LIST: usize = 10_000;
    /// Deepest nesting of lists and maps in metadata.
    pub const METADATA_DEPTH: usize = 60;
}

/// A condition on metadata, as data: it can be read from JSON, written, sent and shown.
///
/// # JSON form
/// A map whose entries must all hold:
/// * `"field": value`: equals; `"field": [..]`: equals one of the list; `"field": {"$op": value, ..}`: all hold;
/// * operators of a field: `$eq`, `$neq` (also `$ne`), `$gt`, `$gte`, `$lt`, `$lte`, `$in`, `$nin`, `$exists`,
///   `$contains`, `$not`;
/// * `"$and": [..]`, `"$or": [..]` and `"$not": {..}` combine filters, beside other entries too.
///
/// `{}` and an empty `$and` match all documents, an empty `$or` none.
///
/// # Meaning
/// * A field named `a.b` is the entry `a.b` or, without one, the entry `b` of the map `a`.
/// * Values compare as in Python: `1 == 1.0 == true`, texts by code point, dates by instant. A stored date also
///   compares with ISO 8601 text. Maps are values when tagged as [`Value`] describes: `{"$map": {..}}`.
/// * A missing field equals null, so `{"a": null}` matches documents without `a`, and `$neq` a value matches them too.
/// * Values that have no order (a missing field, a text and a number) never match `$gt`, `$gte`, `$lt`, `$lte`.
///
/// ```
/// use anear_documents::{Document, Filter};
///
/// let metadata = Document::new("").with_metadata("page", 3).with_metadata("tags", ["a", "b"]).metadata;
/// let filter: Filter = r#"{"page": {"$gte": 2, "$lt": 5}, "$not": {"tags": {"$contains": "c"}}}"#.parse()?;
/// assert!(filter.matches(&metadata));
/// let same = Filter::gte("page", 2) & Filter::lt("page", 5) & !Filter::contains("tags", "c");
/// assert!(same.matches(&metadata));
/// # Ok::<(), anear_documents::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All hold; with none, everything matches.
    And(Vec<Filter>),
    /// At least one holds; with none, nothing matches.
    Or(Vec<Filter>),
    /// Does not hold.
    Not(Box<Filter>),
    /// A condition on one field.
    Field {
        /// The field's name, or a dotted path into nested maps.
        name: String,
        /// What is asked of it.
        op: Op,
    },
}

impl Filter {
    /// Matches every document.
    pub fn all() -> Self {
        Self::And(Vec::new())
    }

    /// The field equals the value.
    pub fn eq(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(name, Op::Eq(value.into()))
    }

    /// The field does not equal the value.
    pub fn ne(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(name, Op::Ne(value.into()))
    }

    /// The field is larger than the value.
    pub fn gt(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(name, Op::Gt(value.into()))
    }

    /// The field is at least the value.
    pub fn gte(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(name, Op::Gte(value.into()))
    }

    /// The field is smaller than the value.
    pub fn lt(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(name, Op::Lt(value.into()))
    }

    /// The field is at most the value.
    pub fn lte(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(name, Op::Lte(value.into()))
    }

    /// The field equals one of the values.
    pub fn is_in<V: Into<Value>>(name: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self::field(name, Op::In(values.into_iter().map(Into::into).collect()))
    }

    /// The field equals none of the values.
    pub fn not_in<V: Into<Value>>(name: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self::field(name, Op::Nin(values.into_iter().map(Into::into).collect()))
    }

    /// The field is present, or is absent.
    pub fn exists(name: impl Into<String>, exists: bool) -> Self {
        Self::field(name, Op::Exists(exists))
    }

    /// The field is a list with this element, or a text with this part.
    pub fn contains(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::field(name, Op::Contains(value.into()))
    }

    /// A condition on one field.
    pub fn field(name: impl Into<String>, op: Op) -> Self {
        Self::Field { name: name.into(), op }
    }

    /// Whether a document with this metadata is wanted.
    pub fn matches(&self, metadata: &Metadata) -> bool {
        match self {
            Self::And(filters) => filters.iter().all(|filter| filter.matches(metadata)),
            Self::Or(filters) => filters.iter().any(|filter| filter.matches(metadata)),
            Self::Not(filter) => !filter.matches(metadata),
            Self::Field { name, op } => op.matches(lookup(metadata, name)),
        }
    }

    /// Checks the size against [`limits`]; everything that evaluates a whole filter calls it first.
    ///
    /// # Errors
    /// [`Error::FilterTooLarge`] names the limit.
    pub fn check(&self) -> Result<()> {
        let mut nodes = 0;
        self.check_below(limits::FILTER_DEPTH, &mut nodes)
    }

    fn check_below(&self, levels: usize, nodes: &mut usize) -> Result<()> {
        *nodes += 1;
        if *nodes > limits::FILTER_NODES {
            return Err(too_large("nodes", limits::FILTER_NODES));
        }
        if levels == 0 {
            return Err(too_large("levels", limits::FILTER_DEPTH));
        }
        match self {
            Self::And(filters) | Self::Or(filters) => filters
                .iter()
                .try_for_each(|filter| filter.check_below(levels - 1, nodes)),
            Self::Not(filter) => filter.check_below(levels - 1, nodes),
            Self::Field { op, .. } => op
                .values()
                .iter()
                .try_for_each(check_value)
                .and_then(|()| check_len(op.values())),
        }
    }
}

fn check_value(value: &Value) -> Result<()> {
    if !value.fits(limits::FILTER_DEPTH) {
        return Err(too_large("levels in a value", limits::FILTER_DEPTH));
    }
    match value.nearest() {
        Value::List(items) => check_len(items),
        _ => Ok(()),
    }
}

fn check_len(values: &[Value]) -> Result<()> {
    if values.len() > limits::FILTER_LIST {
        return Err(too_large("values in a list", limits::FILTER_LIST));
    }
    Ok(())
}

fn too_large(what: &'static str, limit: usize) -> Error {
    Error::FilterTooLarge { what, limit }
}

/// The value of a field: under its literal name, else along a dotted path through maps.
pub(crate) fn lookup<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a Value> {
    metadata.get(name).or_else(|| {
        let (head, rest) = name.split_once('.')?;
        match metadata.get(head)?.nearest() {
            Value::Map(map) => lookup(map, rest),
            _ => None,
        }
    })
}

/// Both hold.
impl std::ops::BitAnd for Filter {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        match (self, other) {
            (Self::And(mut filters), other) => {
                filters.push(other);
                Self::And(filters)
            }
            (this, other) => Self::And(vec![this, other]),
        }
    }
}

/// At least one holds.
impl std::ops::BitOr for Filter {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        match (self, other) {
            (Self::Or(mut filters), other) => {
                filters.push(other);
                Self::Or(filters)
            }
            (this, other) => Self::Or(vec![this, other]),
        }
    }
}

/// Does not hold.
impl std::ops::Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        Self::Not(Box::new(self))
    }
}

/// Which documents are wanted: a [`Filter`], or a closure over the metadata.
///
/// ```
/// use anear_documents::{DocumentFilter, Filter, Value};
///
/// let data = DocumentFilter::from(Filter::eq("page", 1));
/// let code = DocumentFilter::from_fn(|metadata| metadata.get("page").and_then(Value::as_i64).is_some_and(|page| page % 2 == 1));
/// # let _ = (data, code);
/// ```
#[derive(Clone)]
pub enum DocumentFilter {
    /// A condition as data; columns of a [`DocumentSet`](crate::DocumentSet) answer it.
    Data(Filter),
    /// A closure, asked about each document.
    Predicate(DocumentPredicate),
}

/// A closure that says whether a document with this metadata is wanted.
pub type DocumentPredicate = Arc<dyn Fn(&Metadata) -> bool + Send + Sync>;

impl DocumentFilter {
    /// A filter by code.
    pub fn from_fn(predicate: impl Fn(&Metadata) -> bool + Send + Sync + 'static) -> Self {
        Self::Predicate(Arc::new(predicate))
    }

    /// Whether a document with this metadata is wanted.
    pub fn matches(&self, metadata: &Metadata) -> bool {
        match self {
            Self::Data(filter) => filter.matches(metadata),
            Self::Predicate(predicate) => predicate(metadata),
        }
    }

    /// Checks the size of a filter that is data, see [`Filter::check`].
    ///
    /// # Errors
    /// [`Error::FilterTooLarge`] names the limit.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Data(filter) => filter.check(),
            Self::Predicate(_) => Ok(()),
        }
    }
}

impl From<Filter> for DocumentFilter {
    fn from(filter: Filter) -> Self {
        Self::Data(filter)
    }
}

impl fmt::Debug for DocumentFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(filter) => f.debug_tuple("Data").field(filter).finish(),
            Self::Predicate(_) => f.write_str("Predicate(..)"),
        }
    }
}
