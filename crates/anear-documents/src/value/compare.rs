//! How a stored value compares with a wanted one: equality and order as in Python.

use std::cmp::Ordering;

use jiff::{Timestamp, civil};

use super::{DateTime, Value};

/// Whether a stored value equals a wanted one.
///
/// Numbers and truth values compare by value (`1 == 1.0 == true`), not-a-number equals nothing, and a stored date
/// also equals the ISO 8601 text of its moment.
pub(crate) fn equal(stored: &Value, wanted: &Value) -> bool {
    match (stored.nearest(), wanted.nearest()) {
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        (Value::Null, Value::Null) => true,
        (stored, wanted) => compare(stored, wanted) == Some(Ordering::Equal),
    }
}

/// The order of a stored and a wanted value; `None` when they have none.
///
/// Ordered are numbers and truth values, texts, dates (naive with naive, aware with aware, also against ISO 8601
/// text), and lists by their first difference.
pub(crate) fn compare(stored: &Value, wanted: &Value) -> Option<Ordering> {
    match (stored.nearest(), wanted.nearest()) {
        (Value::String(left), Value::String(right)) => Some(left.as_str().cmp(right)),
        (Value::DateTime(left), Value::DateTime(right)) => left.partial_cmp(right),
        (Value::DateTime(left), Value::String(right)) => left.partial_cmp(&right.parse::<DateTime>().ok()?),
        (Value::List(left), Value::List(right)) => compare_lists(left, right),
        (stored, wanted) => Some(Number::of(stored)?.cmp(&Number::of(wanted)?)),
    }
}

fn compare_lists(left: &[Value], right: &[Value]) -> Option<Ordering> {
    match left.iter().zip(right).find(|(left, right)| !equal(left, right)) {
        Some((left, right)) => compare(left, right),
        None => Some(left.len().cmp(&right.len())),
    }
}

/// A number that has a place in the order of numbers: no not-a-number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Int((*value).into())),
            Value::Int(value) => Some(Self::Int(*value)),
            Value::Float(value) if !value.is_nan() => Some(Self::Float(*value)),
            _ => None,
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Self::Int(left), Self::Int(right)) => left.cmp(&right),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
            (Self::Int(left), Self::Float(right)) => compare_exactly(left, right),
            (Self::Float(left), Self::Int(right)) => compare_exactly(right, left).reverse(),
        }
    }
}

/// Compares without rounding: 2^53 + 1 is larger than the float 2^53.
fn compare_exactly(int: i64, float: f64) -> Ordering {
    // 2^63 as a float; every float below it and not below -2^63 truncates to an i64.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if float >= BOUND {
        Ordering::Less
    } else if float < -BOUND {
        Ordering::Greater
    } else {
        let whole = float.trunc();
        int.cmp(&(whole as i64)).then(if float > whole {
            Ordering::Less
        } else if float < whole {
            Ordering::Greater
        } else {
            Ordering::Equal
        })
    }
}

/// A value's place in one total order over all values, in which equal values are neighbors.
///
/// Lists, maps and not-a-numbers are only told apart by their kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key<'a> {
    Null,
    Number(Number),
    Text(&'a str),
    Naive(civil::DateTime),
    Aware(Timestamp),
    List,
    Map,
    NotANumber,
}

impl<'a> Key<'a> {
    /// Number of kinds.
    pub(crate) const KINDS: usize = 8;

    pub(crate) fn of(value: &'a Value) -> Self {
        match value.nearest() {
            Value::Null => Self::Null,
            Value::String(text) => Self::Text(text),
            Value::DateTime(at) => at.timestamp().map_or(Self::Naive(at.civil()), Self::Aware),
            Value::List(_) => Self::List,
            Value::Map(_) => Self::Map,
            value => Number::of(value).map_or(Self::NotANumber, Self::Number),
        }
    }

    /// The keys of a wanted value: a text that reads as a date also means the date.
    pub(crate) fn of_wanted(value: &'a Value) -> impl Iterator<Item = Self> {
        let date = value.as_str().and_then(|text| text.parse::<DateTime>().ok());
        let date = date.map(|at| at.timestamp().map_or(Self::Naive(at.civil()), Self::Aware));
        std::iter::once(Self::of(value)).chain(date)
    }

    pub(crate) fn kind(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Number(_) => 1,
            Self::Text(_) => 2,
            Self::Naive(_) => 3,
            Self::Aware(_) => 4,
            Self::List => 5,
            Self::Map => 6,
            Self::NotANumber => 7,
        }
    }

    pub(crate) fn cmp(&self, other: &Key<'_>) -> Ordering {
        match (self, other) {
            (Self::Number(left), Key::Number(right)) => left.cmp(right),
            (Self::Text(left), Key::Text(right)) => (*left).cmp(*right),
            (Self::Naive(left), Key::Naive(right)) => left.cmp(right),
            (Self::Aware(left), Key::Aware(right)) => left.cmp(right),
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_across_kinds_without_rounding() {
        let big = 1_i64 << 53;
        assert!(equal(&Value::Int(1), &Value::Float(1.0)));
        assert!(equal(&Value::Bool(true), &Value::Int(1)));
        assert!(!equal(&Value::Int(big + 1), &Value::Float(big as f64)));
        assert_eq!(
            compare(&Value::Int(big + 1), &Value::Float(big as f64)),
            Some(Ordering::Greater)
        );
        assert_eq!(
            compare(&Value::Int(i64::MAX), &Value::Float(i64::MAX as f64)),
            Some(Ordering::Less)
        );
        assert_eq!(
            compare(&Value::Int(i64::MIN), &Value::Float(i64::MIN as f64)),
            Some(Ordering::Equal)
        );
        assert_eq!(compare(&Value::Float(-0.5), &Value::Int(0)), Some(Ordering::Less));
        assert_eq!(
            compare(&Value::Float(f64::NEG_INFINITY), &Value::Int(i64::MIN)),
            Some(Ordering::Less)
        );
    }

    #[test]
    fn not_a_number_equals_nothing() {
        let nan = Value::Float(f64::NAN);
        assert!(!equal(&nan, &nan));
        assert_eq!(compare(&nan, &Value::Int(0)), None);
    }

    #[test]
    fn a_stored_date_equals_its_text_and_a_stored_text_no_date() {
        let date = Value::DateTime("2026-01-31T12:00:00Z".parse().unwrap());
        let text = Value::from("2026-01-31T13:00:00+01:00");
        assert!(equal(&date, &text));
        assert!(!equal(&text, &date));
    }

    #[test]
    fn lists_order_by_their_first_difference() {
        let list = |items: &[i64]| Value::from(items.to_vec());
        assert_eq!(compare(&list(&[1, 2]), &list(&[1, 3])), Some(Ordering::Less));
        assert_eq!(compare(&list(&[1, 2]), &list(&[1])), Some(Ordering::Greater));
        assert_eq!(compare(&Value::from(vec!["a"]), &list(&[1])), None);
    }
}
