//! Values of another language that are none of ours.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::Value;

/// A value of another language that is none of ours: kept, and given back as it is.
///
/// Filters, JSON and `==` see what is nearest to it among ours. Something that nothing may equal has a not-a-number as
/// its nearest: `Value::Float(f64::NAN)`.
///
/// ```
/// use std::sync::Arc;
/// use anear_documents::{Document, Filter, Foreign, Value};
///
/// let pair = Foreign::new("tuple", [1, 2].into(), Arc::new((1, 2)));
/// let document = Document::new("foo").with_metadata("pair", pair);
/// assert!(Filter::contains("pair", 2).matches(&document.metadata));
/// assert_eq!(document.metadata["pair"].to_string(), "[1,2]");
///
/// let Value::Foreign(kept) = &document.metadata["pair"] else { unreachable!() };
/// assert_eq!(kept.object().downcast_ref(), Some(&(1, 2)));
/// ```
pub struct Foreign {
    type_name: String,
    nearest: Value,
    object: Arc<dyn Any + Send + Sync>,
}

impl Foreign {
    /// The value `object`, whose type its language calls `type_name` and to which `nearest` is nearest.
    ///
    /// Foreign values inside `nearest` are replaced by what is nearest to them.
    pub fn new(type_name: impl Into<String>, mut nearest: Value, object: Arc<dyn Any + Send + Sync>) -> Self {
        make_ours(&mut nearest);
        Self {
            type_name: type_name.into(),
            nearest,
            object,
        }
    }

    /// The name of its type, in its own language.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// What is nearest to it among our values; nothing inside is foreign.
    pub fn nearest(&self) -> &Value {
        &self.nearest
    }

    /// The value itself.
    pub fn object(&self) -> &Arc<dyn Any + Send + Sync> {
        &self.object
    }
}

/// Replaces every foreign value in `value` by what is nearest to it.
fn make_ours(value: &mut Value) {
    match value {
        Value::Foreign(foreign) => {
            let nearest = foreign.nearest.clone();
            *value = nearest;
        }
        Value::List(items) => items.iter_mut().for_each(make_ours),
        Value::Map(map) => map.values_mut().for_each(make_ours),
        _ => {}
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign")
            .field("type_name", &self.type_name)
            .field("nearest", &self.nearest)
            .finish_non_exhaustive()
    }
}

impl From<Foreign> for Value {
    fn from(foreign: Foreign) -> Self {
        Self::Foreign(Arc::new(foreign))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, Metadata};

    fn foreign(nearest: impl Into<Value>) -> Value {
        Foreign::new("thing", nearest.into(), Arc::new(())).into()
    }

    #[test]
    fn a_foreign_value_equals_what_is_nearest_to_it_and_nothing_else() {
        let list = Value::from(vec![foreign(1), foreign("x")]);
        for value in [Value::Null, true.into(), 1.into(), 1.0.into(), "x".into(), list] {
            let foreign = foreign(value.clone());
            assert_eq!(foreign, value);
            assert_eq!(value, foreign);
            assert_eq!(foreign, foreign.clone());
            assert_eq!(foreign.to_string(), value.to_string());
            assert_eq!((foreign.as_str(), foreign.as_i64()), (value.as_str(), value.as_i64()));
        }
        assert_ne!(foreign(1), Value::Float(1.0));
        assert_ne!(foreign(f64::NAN), foreign(f64::NAN));
    }

    #[test]
    fn nothing_inside_the_nearest_is_foreign() {
        let map = Metadata::from_iter([("k".to_owned(), foreign(vec![foreign(1)]))]);
        let Value::Foreign(outer) = foreign(vec![foreign(2), map.into()]) else {
            unreachable!()
        };
        let text = format!("{:?}", outer.nearest());
        assert!(!text.contains("Foreign"), "{text}");
        assert_eq!(outer.nearest().to_string(), r#"[2,{"k":[1]}]"#);
    }

    #[test]
    fn json_reads_back_as_the_nearest() {
        let document = Document::new("").with_metadata("pair", foreign([1, 2]));
        let json = serde_json::to_string(&document).unwrap();
        let read: Document = serde_json::from_str(&json).unwrap();
        assert!(matches!(read.metadata["pair"], Value::List(_)));
        assert_eq!(read, document);
    }
}
