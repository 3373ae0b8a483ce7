//! The JSON form of values: plain JSON, tagged only where JSON has no word.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Value;
use crate::Metadata;

const DATETIME: &str = "$datetime";
const FLOAT: &str = "$float";
const MAP: &str = "$map";

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::Float(value) => tagged(serializer, FLOAT, float_name(*value)),
            Self::String(value) => serializer.serialize_str(value),
            Self::DateTime(value) => tagged(serializer, DATETIME, &value.to_string()),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(map) if looks_tagged(map) || map.contains_key(MAP) => tagged(serializer, MAP, map),
            Self::Map(map) => serializer.collect_map(map),
            Self::Foreign(foreign) => foreign.nearest().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { tags: true })
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        Self::deserialize(json).expect("every JSON value is a metadata value")
    }
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> Self {
        // Every value has a JSON form; keys are strings and numbers finite by construction.
        serde_json::to_value(value).unwrap_or(Self::Null)
    }
}

/// The JSON form.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

fn tagged<S: Serializer>(serializer: S, tag: &str, content: &(impl Serialize + ?Sized)) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, content)?;
    map.end()
}

fn looks_tagged(map: &Metadata) -> bool {
    map.len() == 1 && map.keys().all(|key| key.starts_with('$'))
}

fn float_name(value: f64) -> &'static str {
    if value.is_nan() {
        "nan"
    } else if value > 0.0 {
        "inf"
    } else {
        "-inf"
    }
}

/// The value that a map with one tag stands for; any other map is itself.
fn untag(mut map: Metadata) -> Value {
    if !looks_tagged(&map) {
        return Value::Map(map);
    }
    let Some((tag, content)) = map.pop() else {
        return Value::Map(map);
    };
    match (tag.as_str(), content) {
        // Read by `MapContent`: a map that is no tag.
        (MAP, Value::Map(content)) => Value::Map(content),
        (_, content) => read_tag(&tag, &content).unwrap_or_else(|| Value::Map(Metadata::from_iter([(tag, content)]))),
    }
}

fn read_tag(tag: &str, content: &Value) -> Option<Value> {
    match (tag, content.as_str()?) {
        (DATETIME, text) => text.parse().ok().map(Value::DateTime),
        (FLOAT, "nan") => Some(Value::Float(f64::NAN)),
        (FLOAT, "inf") => Some(Value::Float(f64::INFINITY)),
        (FLOAT, "-inf") => Some(Value::Float(f64::NEG_INFINITY)),
        _ => None,
    }
}

/// Whether a JSON map is the tagged form of a value that is no map.
pub(crate) fn is_tag(name: &str) -> bool {
    [DATETIME, FLOAT, MAP].contains(&name)
}

/// Reads any value; without `tags`, an outermost map is taken as it is.
struct ValueVisitor {
    tags: bool,
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a metadata value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        if self.tags {
            read_map(entries).map(untag)
        } else {
            let mut map = Metadata::new();
            while let Some((key, value)) = entries.next_entry()? {
                map.insert(key, value);
            }
            Ok(Value::Map(map))
        }
    }
}

/// Reads a map's entries, each as a value, except that the content of an only key `$map` stays the map it is.
fn read_map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Metadata, A::Error> {
    let mut map = Metadata::new();
    while let Some(key) = entries.next_key::<String>()? {
        let value = match key.as_str() {
            MAP => entries.next_value::<MapContent>()?.0,
            _ => entries.next_value()?,
        };
        map.insert(key, value);
    }
    if map.len() > 1
        && let Some(Value::Map(content)) = map.get_mut(MAP)
    {
        let content = std::mem::take(content);
        map.insert(MAP.into(), untag(content));
    }
    Ok(map)
}

/// The content of a `$map` tag: any value, but a map is not taken for a tag.
struct MapContent(Value);

impl<'de> Deserialize<'de> for MapContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { tags: false }).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(key: &str, value: impl Into<Value>) -> Value {
        Value::Map(Metadata::from_iter([(key.into(), value.into())]))
    }

    #[test]
    fn the_round_trip_is_exact() {
        let date: crate::DateTime = "2026-01-31T12:00:00+01:00".parse().unwrap();
        let two = Metadata::from_iter([("$map".into(), map("$datetime", "2026-01-31")), ("b".into(), 1.into())]);
        for value in [
            Value::Null,
            Value::from([1.5, -0.0, 0.1 + 0.2, f64::MIN_POSITIVE, 1e300]),
            Value::from([i64::MIN, i64::MAX]),
            Value::from([f64::INFINITY, f64::NEG_INFINITY]),
            Value::DateTime(date),
            map("$datetime", "2026-01-31"),
            map("$datetime", date),
            map("$datetime", "yesterday"),
            map("$float", "nan"),
            map("$map", 1),
            map("$map", map("$map", map("$float", "inf"))),
            map("$map", map("a", map("$float", "inf"))),
            map("$", Value::Null),
            map("a", map("$datetime", "2026-01-31")),
            Value::Map(two),
            Value::Map(Metadata::new()),
        ] {
            let text = value.to_string();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "{text}");
            assert_eq!(Value::from(serde_json::Value::from(&value)), value, "{text}");
        }
        let nan = Value::Float(f64::NAN).to_string();
        assert_eq!(nan, r#"{"$float":"nan"}"#);
        assert!(matches!(serde_json::from_str(&nan), Ok(Value::Float(value)) if value.is_nan()));
    }

    #[test]
    fn foreign_json_that_only_resembles_a_tag_is_data() {
        for text in [
            r#"{"$datetime":"yesterday"}"#,
            r#"{"$float":1}"#,
            r#"{"$map":3}"#,
            r#"{"$other":{}}"#,
        ] {
            assert!(matches!(serde_json::from_str(text), Ok(Value::Map(_))), "{text}");
        }
        let value: Value = serde_json::from_str(r#"{"lc":1,"type":"secret","id":["OPENAI_API_KEY"]}"#).unwrap();
        assert!(matches!(value, Value::Map(map) if map.len() == 3));
    }

    #[test]
    fn an_integer_beyond_64_bits_is_read_as_a_float() {
        assert_eq!(
            serde_json::from_str::<Value>("18446744073709551615").unwrap(),
            Value::Float(u64::MAX as f64)
        );
    }
}
