//! Random filters over random metadata: columns, evaluation and a third reading of the JSON agree.
#![allow(clippy::print_stdout)]

use std::sync::Arc;

use anear_documents::{
    DateTime, Docstore, Document, DocumentFilter, DocumentSet, Filter, Foreign, InMemoryDocstore, Metadata, Op, Value,
};
use futures::executor::block_on;
use serde_json::{Value as Json, json};

const SETS: usize = 100;
const FILTERS: usize = 100;

/// A small generator, so that a failing seed can be named (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    fn list<T>(&mut self, max: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(max + 1)).map(|_| item(self)).collect()
    }
}

const FIELDS: [&str; 6] = ["a", "b", "c", "m.k", "m", "none"];

fn scalar(random: &mut Random) -> Json {
    match random.below(12) {
        0 => Json::Null,
        1 => json!(random.below(2) == 0),
        2..5 => json!(random.below(5)),
        5 => random.pick(&[
            json!(0.5),
            json!(1.0),
            json!(-2.25),
            json!(9_007_199_254_740_993_i64),
            json!(9_007_199_254_740_992.0),
        ]),
        6 => random.pick(&[json!({"$float": "nan"}), json!({"$float": "inf"})]),
        7 => random.pick(&[
            json!("2026-01-01"),
            json!("2026-01-02T00:00:00Z"),
            json!("2026-01-02T09:00:00+09:00"),
        ]),
        8 => {
            json!({"$datetime": random.pick(&["2026-01-01T00:00:00", "2026-01-02T00:00:00+00:00", "2026-01-03T01:00:00"])})
        }
        _ => random.pick(&[json!("x"), json!("xy"), json!("yx"), json!(""), json!("1")]),
    }
}

fn value(random: &mut Random) -> Json {
    match random.below(8) {
        0 | 1 => Json::Array(random.list(3, scalar)),
        2 => json!({"$map": {"k": scalar(random), "$j": 1}}),
        _ => scalar(random),
    }
}

fn metadata(random: &mut Random) -> Metadata {
    let mut metadata = Metadata::new();
    for field in ["a", "b", "c", "m.k"] {
        if random.below(4) > 0 {
            metadata.insert(field.into(), value(random).into());
        }
    }
    if random.below(2) == 0 {
        metadata.shift_remove("m.k");
        metadata.insert("m".into(), json!({"k": value(random), "l": 1}).into());
    }
    metadata
}

fn filter(random: &mut Random, levels: usize) -> Json {
    let mut entries = serde_json::Map::new();
    for _ in 0..random.below(3) + usize::from(random.below(8) > 0) {
        match random.below(if levels == 0 { 4 } else { 7 }) {
            4 => entries.insert(
                "$and".into(),
                random.list(3, |random| filter(random, levels - 1)).into(),
            ),
            5 => entries.insert("$or".into(), random.list(3, |random| filter(random, levels - 1)).into()),
            6 => entries.insert("$not".into(), filter(random, levels - 1)),
            _ => entries.insert(random.pick(&FIELDS).into(), condition(random)),
        };
    }
    Json::Object(entries)
}

fn condition(random: &mut Random) -> Json {
    match random.below(6) {
        0 => value(random),
        1 => Json::Array(random.list(3, value)),
        _ => {
            let mut entries = serde_json::Map::new();
            for _ in 0..=random.below(2) {
                let op = random.pick(&[
                    "$eq",
                    "$neq",
                    "$ne",
                    "$gt",
                    "$gte",
                    "$lt",
                    "$lte",
                    "$in",
                    "$nin",
                    "$exists",
                    "$contains",
                    "$not",
                ]);
                let operand = match op {
                    "$in" | "$nin" => Json::Array(random.list(4, value)),
                    "$exists" => json!(random.below(2) == 0),
                    "$not" => json!({"$gt": scalar(random)}),
                    _ => value(random),
                };
                entries.insert(op.into(), operand);
            }
            Json::Object(entries)
        }
    }
}

/// The same value to every filter, some of it said by foreign values.
fn with_foreign(random: &mut Random, value: &Value) -> Value {
    let same = match value {
        Value::List(items) => Value::List(items.iter().map(|item| with_foreign(random, item)).collect()),
        Value::Map(map) => Value::Map(with_foreign_fields(random, map)),
        value => value.clone(),
    };
    match random.below(4) {
        0 => Foreign::new("thing", same, Arc::new(())).into(),
        _ => same,
    }
}

fn with_foreign_fields(random: &mut Random, metadata: &Metadata) -> Metadata {
    let field = |(name, value): (&String, &Value)| (name.clone(), with_foreign(random, value));
    metadata.iter().map(field).collect()
}

/// The same filter, some of its values foreign.
fn with_foreign_values(random: &mut Random, filter: Filter) -> Filter {
    let mut all = |filters: Vec<Filter>| {
        let filters = filters.into_iter();
        filters.map(|filter| with_foreign_values(random, filter)).collect()
    };
    match filter {
        Filter::And(filters) => Filter::And(all(filters)),
        Filter::Or(filters) => Filter::Or(all(filters)),
        Filter::Not(filter) => !with_foreign_values(random, *filter),
        Filter::Field { name, mut op } => {
            match &mut op {
                Op::Eq(value) | Op::Ne(value) | Op::Contains(value) => *value = with_foreign(random, value),
                Op::Gt(value) | Op::Gte(value) | Op::Lt(value) | Op::Lte(value) => *value = with_foreign(random, value),
                Op::In(values) | Op::Nin(values) => {
                    values.iter_mut().for_each(|value| *value = with_foreign(random, value));
                }
                Op::Exists(_) => {}
            }
            Filter::Field { name, op }
        }
    }
}

/// What a filter means, read from its JSON as plainly as possible.
mod oracle {
    use super::*;

    pub(super) fn matches(filter: &Json, metadata: &Metadata) -> bool {
        filter
            .as_object()
            .unwrap()
            .iter()
            .all(|(key, value)| match key.as_str() {
                "$and" => value.as_array().unwrap().iter().all(|filter| matches(filter, metadata)),
                "$or" => value.as_array().unwrap().iter().any(|filter| matches(filter, metadata)),
                "$not" => !matches(value, metadata),
                field => holds(value, find(metadata, field)),
            })
    }

    fn find<'a>(metadata: &'a Metadata, field: &str) -> Option<&'a Value> {
        metadata.get(field).or_else(|| match (field, metadata.get("m")) {
            ("m.k", Some(Value::Map(map))) => map.get("k"),
            _ => None,
        })
    }

    fn holds(condition: &Json, found: Option<&Value>) -> bool {
        let tag = ["$map", "$float", "$datetime"];
        match condition {
            Json::Object(ops) if !ops.keys().any(|key| tag.contains(&key.as_str())) => {
                ops.iter().all(|(op, operand)| one(op, operand, found))
            }
            Json::Array(_) => one("$in", condition, found),
            _ => one("$eq", condition, found),
        }
    }

    fn one(op: &str, operand: &Json, found: Option<&Value>) -> bool {
        let stored = found.cloned().unwrap_or_default();
        let wanted = Value::from(operand.clone());
        let sign = order(&stored, &wanted);
        match op {
            "$eq" => same(&stored, &wanted),
            "$ne" | "$neq" => !same(&stored, &wanted),
            "$gt" => sign == Some(1),
            "$gte" => matches!(sign, Some(0 | 1)),
            "$lt" => sign == Some(-1),
            "$lte" => matches!(sign, Some(0 | -1)),
            "$in" => operand
                .as_array()
                .unwrap()
                .iter()
                .any(|wanted| one("$eq", wanted, found)),
            "$nin" => !one("$in", operand, found),
            "$exists" => operand.as_bool() == Some(found.is_some()),
            "$not" => !holds(operand, found),
            "$contains" => match (&stored, &wanted) {
                (Value::List(items), _) => items.iter().any(|item| same(item, &wanted)),
                (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                _ => false,
            },
            _ => panic!("{op}"),
        }
    }

    fn same(stored: &Value, wanted: &Value) -> bool {
        match (stored, wanted) {
            (Value::Null, Value::Null) => true,
            (Value::List(left), Value::List(right)) => {
                left.len() == right.len() && (0..left.len()).all(|at| same(&left[at], &right[at]))
            }
            (Value::Map(left), Value::Map(right)) => {
                left.len() == right.len()
                    && left
                        .keys()
                        .all(|key| right.contains_key(key) && same(&left[key], &right[key]))
            }
            _ => order(stored, wanted) == Some(0),
        }
    }

    fn order(stored: &Value, wanted: &Value) -> Option<i32> {
        match (stored, wanted) {
            (Value::List(left), Value::List(right)) => {
                for (left, right) in left.iter().zip(right) {
                    if !same(left, right) {
                        return order(left, right);
                    }
                }
                Some(left.len().cmp(&right.len()) as i32)
            }
            (Value::String(left), Value::String(right)) => Some(left.cmp(right) as i32),
            (Value::DateTime(_), Value::String(text)) => {
                order(stored, &Value::DateTime(text.parse::<DateTime>().ok()?))
            }
            (Value::DateTime(left), Value::DateTime(right)) => match (left.timestamp(), right.timestamp()) {
                (Some(left), Some(right)) => Some(left.cmp(&right) as i32),
                (None, None) => Some(left.civil().cmp(&right.civil()) as i32),
                _ => None,
            },
            _ => match (whole(stored), whole(wanted)) {
                (Some(left), Some(right)) => Some(left.cmp(&right) as i32),
                _ => Some(float(stored)?.partial_cmp(&float(wanted)?)? as i32),
            },
        }
    }

    /// Exact integers, also those written as floats.
    fn whole(value: &Value) -> Option<i128> {
        match value {
            Value::Bool(value) => Some((*value).into()),
            Value::Int(value) => Some((*value).into()),
            Value::Float(value) if value.fract() == 0.0 => Some(*value as i128),
            _ => None,
        }
    }

    fn float(value: &Value) -> Option<f64> {
        match value {
            Value::Float(value) => Some(*value),
            _ => whole(value).map(|value| value as f64),
        }
    }
}

#[test]
fn columns_evaluation_and_the_plain_reading_agree() {
    let (mut answers, mut selected) = (0_usize, 0_usize);
    for seed in 1..=SETS as u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let len = random.pick(&[0, 1, 63, 64, 65, 300]);
        // The plain reading sees no foreign values, the others some.
        let plain: Vec<_> = (0..len).map(|_| metadata(&mut random)).collect();
        let documents: Vec<_> = (0..len)
            .map(|slot| Document {
                metadata: with_foreign_fields(&mut random, &plain[slot]),
                ..Document::new("").with_id(slot.to_string())
            })
            .collect();
        let store = InMemoryDocstore::default();
        block_on(store.put(documents.clone())).unwrap();
        let set = DocumentSet::new(documents).unwrap();
        for _ in 0..FILTERS {
            let json = filter(&mut random, 3);
            let filter = with_foreign_values(&mut random, Filter::from_json(&json).unwrap());
            let filter = DocumentFilter::from(filter);
            let by_column: Vec<_> = set
                .select(&filter)
                .unwrap()
                .iter()
                .map(|slot| slot.to_string())
                .collect();
            assert_eq!(
                by_column,
                block_on(store.select(&filter)).unwrap(),
                "seed {seed}, columns: {json}"
            );
            let plainly = (0..len).filter(|&slot| oracle::matches(&json, &plain[slot]));
            let plainly: Vec<_> = plainly.map(|slot| slot.to_string()).collect();
            assert_eq!(by_column, plainly, "seed {seed}, evaluation: {json}");
            answers += len;
            selected += by_column.len();
        }
    }
    println!("{} filters, {answers} answers, {selected} selected", SETS * FILTERS);
    assert!(selected > answers / 20 && selected < answers - answers / 20);
}

#[test]
fn a_closure_selects_what_it_says() {
    let documents = (0..200).map(|page| Document::new("").with_id(page.to_string()).with_metadata("page", page));
    let set = DocumentSet::new(documents.collect()).unwrap();
    let even = DocumentFilter::from_fn(|metadata| metadata["page"].as_i64().is_some_and(|page| page % 2 == 0));
    assert!(set.select(&even).unwrap().iter().eq((0..200).step_by(2)));
}
