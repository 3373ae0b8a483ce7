//! Filters from JSON and back.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value as Json};

use super::op::TABLE;
use super::{Filter, Op, limits, too_large};
use crate::value::is_tag;
use crate::{Error, Result, Value};

/// The keys that combine filters.
const COMBINERS: [&str; 3] = ["$and", "$or", "$not"];

impl Filter {
    /// Reads the JSON form that [`Filter`] describes.
    ///
    /// # Errors
    /// [`Error::UnsupportedOperator`] names an operator that does not exist, wherever it stands;
    /// [`Error::FilterValue`] an operand of the wrong kind; [`Error::FilterTooLarge`] the limit passed.
    pub fn from_json(json: &Json) -> Result<Self> {
        let filter = filter("filter", json, limits::FILTER_DEPTH)?;
        filter.check()?;
        Ok(filter)
    }

    /// The JSON form; reading it gives the same meaning.
    pub fn to_json(&self) -> Json {
        let entry = |key: &str, value: Json| Json::Object(Map::from_iter([(key.to_owned(), value)]));
        match self {
            Self::And(filters) => entry("$and", filters.iter().map(Self::to_json).collect()),
            Self::Or(filters) => entry("$or", filters.iter().map(Self::to_json).collect()),
            Self::Not(filter) => entry("$not", filter.to_json()),
            Self::Field { name, op } => entry(name, entry(op.name(), op.operand())),
        }
    }
}

/// Reads JSON text.
impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_json(&serde_json::from_str(text).map_err(Error::FilterSyntax)?)
    }
}

/// The JSON form.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_json().fmt(f)
    }
}

fn filter(place: &str, json: &Json, levels: usize) -> Result<Filter> {
    if levels == 0 {
        return Err(too_large("levels", limits::FILTER_DEPTH));
    }
    let Json::Object(map) = json else {
        return Err(not_expected(place, "a map of fields and operators", json));
    };
    let mut all = Vec::new();
    for (key, json) in map {
        match key.as_str() {
            "$and" => all.push(Filter::And(filters(key, json, levels - 1)?)),
            "$or" => all.push(Filter::Or(filters(key, json, levels - 1)?)),
            "$not" => all.push(!filter(key, json, levels - 1)?),
            name if name.starts_with('$') => return Err(unsupported(name, &COMBINERS)),
            name => conditions(name, json, levels - 1, &mut all)?,
        }
    }
    Ok(one_or_all(all))
}

fn filters(key: &str, json: &Json, levels: usize) -> Result<Vec<Filter>> {
    match json {
        Json::Array(items) => items.iter().map(|item| filter(key, item, levels)).collect(),
        other => Err(not_expected(key, "a list of filters", other)),
    }
}

/// Appends what stands behind a field's name.
fn conditions(name: &str, json: &Json, levels: usize, all: &mut Vec<Filter>) -> Result<()> {
    if levels == 0 {
        return Err(too_large("levels", limits::FILTER_DEPTH));
    }
    match json {
        Json::Object(map) if !is_tagged(map) => {
            for (key, json) in map {
                all.push(condition(name, key, json, levels)?);
            }
        }
        Json::Array(_) => all.push(Filter::field(name, Op::In(list(name, value(name, json)?)?))),
        _ => all.push(Filter::field(name, Op::Eq(value(name, json)?))),
    }
    Ok(())
}

fn condition(name: &str, key: &str, json: &Json, levels: usize) -> Result<Filter> {
    if key == "$not" {
        let mut inner = Vec::new();
        conditions(name, json, levels - 1, &mut inner)?;
        return Ok(!one_or_all(inner));
    }
    match TABLE.iter().find(|row| row.name == key || row.alias == Some(key)) {
        Some(row) => Ok(Filter::field(name, (row.read)(value(key, json)?)?)),
        None => Err(unsupported(key, &known_operators())),
    }
}

fn one_or_all(mut filters: Vec<Filter>) -> Filter {
    match filters.pop() {
        Some(only) if filters.is_empty() => only,
        Some(last) => {
            filters.push(last);
            Filter::And(filters)
        }
        None => Filter::all(),
    }
}

fn is_tagged(map: &Map<String, Json>) -> bool {
    map.len() == 1 && map.keys().all(|key| is_tag(key))
}

/// Reads a value to compare with; unlike in metadata, a tag must fit its content.
fn value(place: &str, json: &Json) -> Result<Value> {
    if !fits(json, limits::FILTER_DEPTH) {
        return Err(too_large("levels in a value", limits::FILTER_DEPTH));
    }
    let value = Value::from(json.clone());
    match (&value, json) {
        (Value::Map(map), Json::Object(tag)) if is_tagged(tag) && !tag.contains_key("$map") => {
            debug_assert_eq!(map.len(), 1);
            Err(not_expected(place, "a valid $datetime or $float", json))
        }
        _ => Ok(value),
    }
}

fn fits(json: &Json, levels: usize) -> bool {
    match json {
        Json::Array(items) => levels > 0 && items.iter().all(|item| fits(item, levels - 1)),
        Json::Object(map) => levels > 0 && map.values().all(|item| fits(item, levels - 1)),
        _ => true,
    }
}

/// The items of a list.
pub(super) fn list(place: &str, value: Value) -> Result<Vec<Value>> {
    match value {
        Value::List(items) => Ok(items),
        other => Err(expected(place, "a list", &other)),
    }
}

/// The error of a value that cannot stand there.
pub(super) fn expected(place: &str, expected: &'static str, got: &Value) -> Error {
    not_expected(place, expected, &got.into())
}

fn not_expected(place: &str, expected: &'static str, got: &Json) -> Error {
    let got = got.to_string();
    Error::FilterValue {
        place: place.into(),
        expected,
        got: match got.char_indices().nth(60) {
            Some((at, _)) => format!("{}...", &got[..at]),
            None => got,
        },
    }
}

fn unsupported(operator: &str, known: &[&str]) -> Error {
    Error::UnsupportedOperator {
        operator: operator.into(),
        known: known.join(", "),
    }
}

fn known_operators() -> Vec<&'static str> {
    TABLE
        .iter()
        .flat_map(|row| [Some(row.name), row.alias])
        .flatten()
        .chain(["$not"])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, Metadata};

    fn read(text: &str) -> Filter {
        text.parse().unwrap()
    }

    fn refusal(text: &str) -> String {
        text.parse::<Filter>().unwrap_err().to_string()
    }

    fn metadata(json: &str) -> Metadata {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_unknown_operator_is_named_wherever_it_stands() {
        for text in [
            r#"{"$foo": 1}"#,
            r#"{"a": {"$foo": 1}}"#,
            r#"{"$and": [{"$foo": 1}]}"#,
            r#"{"$or": [{"a": {"$not": {"$foo": 1}}}]}"#,
            r#"{"a": {"$eq": 1, "$foo": 2}}"#,
        ] {
            let error = refusal(text);
            assert!(error.contains("unsupported operator: $foo"), "{error}");
            assert!(error.contains("$not"), "{error}");
        }
        assert!(refusal(r#"{"n": {"m": 1}}"#).contains("unsupported operator: m;"));
        assert!(refusal(r#"{"a": {"$foo": 1}}"#).contains("$neq, $ne, $gt"));
    }

    #[test]
    fn an_operand_of_the_wrong_kind_is_shown() {
        for (text, part) in [
            ("[1]", "filter expects a map"),
            (r#"{"$and": {"a": 1}}"#, "$and expects a list of filters, got {\"a\":1}"),
            (r#"{"$not": [1]}"#, "$not expects a map"),
            (r#"{"$or": [7]}"#, "got 7"),
            (r#"{"a": {"$in": "abc"}}"#, "$in expects a list, got \"abc\""),
            (r#"{"a": {"$exists": 1}}"#, "$exists expects true or false, got 1"),
            (
                r#"{"a": {"$gt": {"$datetime": "soon"}}}"#,
                "got {\"$datetime\":\"soon\"}",
            ),
            (r#"{"a": "#, "not valid JSON"),
        ] {
            let error = refusal(text);
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn limits_are_named_and_a_depth_bomb_is_refused() {
        let wide = format!(
            r#"{{"$or": [{}]}}"#,
            vec![r#"{"a": 1}"#; limits::FILTER_NODES].join(",")
        );
        assert!(refusal(&wide).contains("more than 4096 nodes"));
        let long = format!(r#"{{"a": [{}]}}"#, vec!["1"; limits::FILTER_LIST + 1].join(","));
        assert!(refusal(&long).contains("more than 10000 values"));
        let deep = |levels: usize| format!("{}{{}}{}", r#"{"$not":"#.repeat(levels), "}".repeat(levels));
        assert!(deep(limits::FILTER_DEPTH - 1).parse::<Filter>().is_ok());
        assert!(refusal(&deep(limits::FILTER_DEPTH)).contains("more than 32 levels"));
        assert!(refusal(&deep(1_000_000)).contains("recursion limit"));
        let value = format!(r#"{{"a": {{"$eq": {}{}}}}}"#, "[".repeat(50), "]".repeat(50));
        assert!(refusal(&value).contains("more than 32 levels in a value"));
        let built = (0..10_000).fold(Filter::all(), |filter, _| !filter);
        assert!(built.check().is_err());
        let mut json = Json::Null;
        for _ in 0..5_000 {
            json = Json::Array(vec![json]);
        }
        assert!(Filter::from_json(&Json::Object(Map::from_iter([("a".into(), json)]))).is_err());
    }

    #[test]
    fn json_and_back_means_the_same() {
        for text in [
            r#"{}"#,
            r#"{"a": 1, "b": [1, "x"], "c": {"$map": {"$eq": 1}}}"#,
            r#"{"a": {"$not": {"$gte": 1, "$lt": 5}}, "$or": [{"b": null}, {"c": {"$exists": false}}]}"#,
            r#"{"t": {"$gt": {"$datetime": "2026-01-31T12:00:00+01:00"}}, "u": {"$contains": {"$float": "inf"}}}"#,
        ] {
            let filter = read(text);
            assert_eq!(Filter::from_json(&filter.to_json()).unwrap(), filter, "{filter}");
        }
    }

    #[test]
    fn siblings_of_a_combiner_are_kept() {
        let filter = read(r#"{"$and": [{"a": 1}], "tenant": 1, "$not": {"b": 2}}"#);
        assert!(filter.matches(&metadata(r#"{"a": 1, "tenant": 1}"#)));
        assert!(!filter.matches(&metadata(r#"{"a": 1, "tenant": 2}"#)));
        assert!(!filter.matches(&metadata(r#"{"a": 1, "tenant": 1, "b": 2}"#)));
    }

    #[test]
    fn each_operator_means_what_it_says() {
        let metadata = metadata(
            r#"{"n": 3, "f": 2.5, "t": true, "s": "foo bar", "z": null, "l": [1, "x", [2]], "a.b": 1, "m": {"k": {"j": 5}},
                "d": {"$datetime": "2026-01-31T12:00:00"}, "w": {"$datetime": "2026-01-31T12:00:00+01:00"}}"#,
        );
        for (text, wanted) in [
            (r#"{"n": 3.0}"#, true),
            (r#"{"t": 1}"#, true),
            (r#"{"n": "3"}"#, false),
            (r#"{"zz": null}"#, true),
            (r#"{"z": null}"#, true),
            (r#"{"z": {"$exists": true}}"#, true),
            (r#"{"zz": {"$exists": true}}"#, false),
            (r#"{"zz": {"$neq": 1}}"#, true),
            (r#"{"zz": {"$nin": [1]}}"#, true),
            (r#"{"zz": {"$in": [1, null]}}"#, true),
            (r#"{"zz": {"$lt": 1}}"#, false),
            (r#"{"s": {"$gt": 1}}"#, false),
            (r#"{"s": {"$not": {"$gt": 1}}}"#, true),
            (r#"{"n": {"$gt": 2, "$lte": 3}}"#, true),
            (r#"{"n": {"$ne": 3}}"#, false),
            (r#"{"n": [1, 3]}"#, true),
            (r#"{"l": {"$eq": [1, "x", [2]]}}"#, true),
            (r#"{"l": {"$contains": [2]}}"#, true),
            (r#"{"l": {"$contains": "y"}}"#, false),
            (r#"{"s": {"$contains": "o b"}}"#, true),
            (r#"{"n": {"$contains": 3}}"#, false),
            (r#"{"a.b": 1}"#, true),
            (r#"{"m.k.j": {"$gt": 4}}"#, true),
            (r#"{"m.k": {"$map": {"j": 5}}}"#, true),
            (r#"{"m.x.j": null}"#, true),
            (r#"{"d": {"$gt": "2026-01-31"}}"#, true),
            (r#"{"d": "2026-01-31T12:00"}"#, true),
            (r#"{"d": {"$lt": {"$datetime": "2027-01-01"}}}"#, true),
            (r#"{"d": {"$lt": {"$datetime": "2027-01-01T00:00:00Z"}}}"#, false),
            (r#"{"w": {"$datetime": "2026-01-31T11:00:00Z"}}"#, true),
            (r#"{"w": ["2026-01-31T11:00:00Z"]}"#, true),
            (r#"{"n": {}}"#, true),
            (r#"{"$and": []}"#, true),
            (r#"{"$or": []}"#, false),
        ] {
            assert_eq!(read(text).matches(&metadata), wanted, "{text}");
        }
    }

    #[test]
    fn constructors_build_what_json_says() {
        let json = read(r#"{"$or": [{"a": {"$ne": 1}}, {"b": {"$nin": ["x"]}}, {"c": {"$exists": true}}]}"#);
        let built = Filter::ne("a", 1) | Filter::not_in("b", ["x"]) | Filter::exists("c", true);
        assert_eq!(json, built);
        let document = Document::new("").with_metadata("b", "x").with_metadata("a", 1);
        assert!(!built.matches(&document.metadata));
    }
}
