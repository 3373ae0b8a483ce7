//! The one table of filter operators: their names, what they take, and what they mean.

use std::cmp::Ordering;

use super::parse::{expected, list};
use crate::value::{compare, equal};
use crate::{Result, Value};

/// What a filter asks of one field.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Equals the value; a missing field equals [`Value::Null`].
    Eq(Value),
    /// Does not equal the value.
    Ne(Value),
    /// Is larger than the value.
    Gt(Value),
    /// Is at least the value.
    Gte(Value),
    /// Is smaller than the value.
    Lt(Value),
    /// Is at most the value.
    Lte(Value),
    /// Equals one of the values.
    In(Vec<Value>),
    /// Equals none of the values.
    Nin(Vec<Value>),
    /// Is present (also as null), or is absent.
    Exists(bool),
    /// Is a list with an element that equals the value, or a text that contains the text.
    Contains(Value),
}

/// A row of the table of operators.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) name: &'static str,
    pub(super) alias: Option<&'static str>,
    pub(super) read: fn(Value) -> Result<Op>,
}

/// The operators of a field, in the order in which errors list them.
pub(super) const TABLE: &[Operator] = &[
    row("$eq", |value| Ok(Op::Eq(value))),
    Operator {
        name: "$neq",
        alias: Some("$ne"),
        read: |value| Ok(Op::Ne(value)),
    },
    row("$gt", |value| Ok(Op::Gt(value))),
    row("$gte", |value| Ok(Op::Gte(value))),
    row("$lt", |value| Ok(Op::Lt(value))),
    row("$lte", |value| Ok(Op::Lte(value))),
    row("$in", |value| list("$in", value).map(Op::In)),
    row("$nin", |value| list("$nin", value).map(Op::Nin)),
    row("$exists", |value| match value {
        Value::Bool(exists) => Ok(Op::Exists(exists)),
        other => Err(expected("$exists", "true or false", &other)),
    }),
    row("$contains", |value| Ok(Op::Contains(value))),
];

const fn row(name: &'static str, read: fn(Value) -> Result<Op>) -> Operator {
    Operator {
        name,
        alias: None,
        read,
    }
}

impl Op {
    /// The operator's name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Eq(_) => "$eq",
            Self::Ne(_) => "$neq",
            Self::Gt(_) => "$gt",
            Self::Gte(_) => "$gte",
            Self::Lt(_) => "$lt",
            Self::Lte(_) => "$lte",
            Self::In(_) => "$in",
            Self::Nin(_) => "$nin",
            Self::Exists(_) => "$exists",
            Self::Contains(_) => "$contains",
        }
    }

    /// The values it compares with.
    pub(crate) fn values(&self) -> &[Value] {
        match self {
            Self::Eq(value) | Self::Ne(value) | Self::Contains(value) => std::slice::from_ref(value),
            Self::Gt(value) | Self::Gte(value) | Self::Lt(value) | Self::Lte(value) => std::slice::from_ref(value),
            Self::In(values) | Self::Nin(values) => values,
            Self::Exists(_) => &[],
        }
    }

    /// The JSON that stands behind the name.
    pub(super) fn operand(&self) -> serde_json::Value {
        match self {
            Self::Eq(value) | Self::Ne(value) | Self::Contains(value) => value.into(),
            Self::Gt(value) | Self::Gte(value) | Self::Lt(value) | Self::Lte(value) => value.into(),
            Self::In(values) | Self::Nin(values) => values.iter().map(serde_json::Value::from).collect(),
            Self::Exists(exists) => (*exists).into(),
        }
    }

    /// Whether a field with this value, or none, is wanted.
    pub fn matches(&self, stored: Option<&Value>) -> bool {
        let value = stored.unwrap_or(&Value::Null);
        let ordered = |wanted, accept: fn(Ordering) -> bool| compare(value, wanted).is_some_and(accept);
        match self {
            Self::Eq(wanted) => equal(value, wanted),
            Self::Ne(wanted) => !equal(value, wanted),
            Self::Gt(wanted) => ordered(wanted, Ordering::is_gt),
            Self::Gte(wanted) => ordered(wanted, Ordering::is_ge),
            Self::Lt(wanted) => ordered(wanted, Ordering::is_lt),
            Self::Lte(wanted) => ordered(wanted, Ordering::is_le),
            Self::In(wanted) => wanted.iter().any(|wanted| equal(value, wanted)),
            Self::Nin(wanted) => !wanted.iter().any(|wanted| equal(value, wanted)),
            Self::Exists(wanted) => stored.is_some() == *wanted,
            Self::Contains(wanted) => contains(value, wanted),
        }
    }
}

fn contains(value: &Value, wanted: &Value) -> bool {
    match (value.nearest(), wanted.nearest()) {
        (Value::List(items), wanted) => items.iter().any(|item| equal(item, wanted)),
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        _ => false,
    }
}
