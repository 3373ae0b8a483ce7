//! Pickles that CPython wrote, at every protocol, read as the values they were made of.
//!
//! `fixtures/plain.tsv` is written by `python/plain.py` (CPython 3.8, 3.11 and 3.13, numpy 2.4): meaning,
//! protocol, pickle in hex. A change of a meaning there would be a change of what stored metadata means.
// The counts are part of what these tests report.
#![allow(clippy::print_stdout)]

mod common;

use anear_pickle::{DateTime, Offset, Time, Value, read, write};
use common::unhex;

const CORPUS: &str = include_str!("fixtures/plain.tsv");

struct Case {
    meaning: &'static str,
    protocol: &'static str,
    pickle: Vec<u8>,
}

fn corpus() -> Vec<Case> {
    let case = |line: &'static str| {
        let [meaning, protocol, hex] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        Case {
            meaning,
            protocol,
            pickle: unhex(hex),
        }
    };
    CORPUS.lines().map(case).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The canonical text of a value, as `meaning` in `plain.py`.
fn meaning(value: &Value) -> String {
    match value {
        Value::None => "None".into(),
        Value::Bool(bool) => if *bool { "True" } else { "False" }.into(),
        Value::Int(int) => format!("i{int}"),
        Value::BigInt(int) => format!("i{int}"),
        Value::Float(float) => format!("f{}", bits(*float)),
        Value::Complex(re, im) => format!("c{},{}", bits(*re), bits(*im)),
        Value::Str(text) => format!("s{}", hex(text.as_bytes())),
        Value::Bytes(bytes) => format!("b{}", hex(bytes)),
        Value::ByteArray(bytes) => format!("B{}", hex(bytes)),
        Value::List(items) => format!("[{}]", all(items)),
        Value::Tuple(items) => format!("({})", all(items)),
        Value::Set(items) => format!("{{{}}}", all(items)),
        Value::FrozenSet(items) => format!("F{{{}}}", all(items)),
        Value::Dict(pairs) => {
            let pair = |(key, value): &(Value, Value)| format!("{}={}", meaning(key), meaning(value));
            format!("<{}>", pairs.iter().map(pair).collect::<Vec<_>>().join(","))
        }
        Value::Date(date) => format!("D{date}"),
        Value::Time(time) => format!("C{}", clock(time, naive(*time).to_string())),
        Value::DateTime(at) => {
            let naive = DateTime {
                date: at.date,
                time: naive(at.time),
            };
            format!("T{}", clock(&at.time, naive.to_string()))
        }
        Value::Delta(delta) => format!("L{delta}"),
        Value::Zone(offset) => format!("Z{}", offset.seconds()),
        Value::Decimal(decimal) => format!("M{decimal}"),
        Value::Uuid(uuid) => format!("U{uuid}"),
        Value::Path(path) => format!("P{path}"),
        Value::PurePosixPath(path) => format!("/{path}"),
        Value::PureWindowsPath(path) => format!("W{path}"),
        other => panic!("no meaning for {other:?}"),
    }
}

fn all(items: &[Value]) -> String {
    items.iter().map(meaning).collect::<Vec<_>>().join(",")
}

fn bits(float: f64) -> String {
    if float.is_nan() {
        "nan".into()
    } else {
        hex(&float.to_be_bytes())
    }
}

fn naive(mut time: Time) -> Time {
    time.offset = None;
    time
}

fn clock(time: &Time, text: String) -> String {
    let offset = time.offset.as_ref().map(Offset::seconds);
    format!(
        "{text} fold{} zone{}",
        u8::from(time.fold),
        offset.map_or(String::new(), |s| s.to_string())
    )
}

#[test]
fn every_protocol_reads_as_python_meant_it() {
    let corpus = corpus();
    for Case {
        meaning: expected,
        protocol,
        pickle,
    } in &corpus
    {
        let value = read(pickle).unwrap_or_else(|error| panic!("protocol {protocol}, {expected}: {error}"));
        assert_eq!(meaning(&value), *expected, "protocol {protocol}");
    }
    println!("{} pickles of CPython", corpus.len());
    assert!(
        corpus.len() > 500
            && ["0", "1", "2", "3", "4", "5"]
                .iter()
                .all(|p| corpus.iter().any(|c| c.protocol == *p))
    );
}

#[test]
fn every_value_of_python_survives_our_own_writing() {
    for Case {
        meaning: expected,
        pickle,
        ..
    } in corpus()
    {
        let value = read(&pickle).unwrap();
        assert_eq!(meaning(&read(&write(&value).unwrap()).unwrap()), expected);
    }
}

/// Numpy 1 spelled the module `numpy.core`.
#[test]
fn numpy_1_and_2_read_alike() {
    let mut count = 0;
    for Case {
        meaning: expected,
        pickle,
        ..
    } in corpus()
    {
        let renamed = replace(&pickle, b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n");
        if renamed != pickle {
            assert_eq!(meaning(&read(&renamed).unwrap()), expected);
            count += 1;
        }
    }
    println!("{count} pickles of numpy");
    assert!(count > 30);
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend([&rest[..at], to].concat());
        rest = &rest[at + from.len()..];
    }
    out.extend(rest);
    out
}
