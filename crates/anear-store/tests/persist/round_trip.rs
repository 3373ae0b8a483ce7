//! Whatever is saved comes back as it was, from a folder and from bytes.

use anear_bytes::RealFs;
use anear_bytes::testing::CrashFs;
use anear_documents::{DateTime, Document, Metadata, Value, limits};
use anear_kernels::Metric;
use anear_store::{Error, LocalStore, VectorStore};
use proptest::prelude::*;

use super::scene::{DIM, DIR, METRICS, NAME, Version, block_on, builder, first, moment, rich_document, written};

/// The store after a save and a load, in every form.
fn again(store: &LocalStore, disk: CrashFs) -> [LocalStore; 3] {
    block_on(store.save_local(DIR, NAME)).unwrap();
    let folder = block_on(builder(disk).load_local(DIR, NAME)).unwrap();
    let bytes = block_on(store.serialize_to_bytes()).unwrap();
    let pickle = block_on(store.serialize_to_pickle()).unwrap();
    assert!(pickle.starts_with(b"\x80\x04") || store.dim().is_none());
    let [bytes, pickle] = [bytes, pickle].map(|bytes| block_on(builder(RealFs).deserialize_from_bytes(bytes)).unwrap());
    [folder, bytes, pickle]
}

fn check(version: &Version) {
    let disk = CrashFs::new();
    let store = version.store(disk.clone());
    for loaded in again(&store, disk) {
        assert_eq!(written(&loaded), written(&store));
    }
}

#[test]
fn every_kind_of_value_comes_back_exactly() {
    for metric in METRICS {
        let mut version = Version { metric, ..first() };
        version
            .documents
            .push((rich_document("색인 \0"), vec![0.1, -0.2, 1e-3]));
        version
            .documents
            .push((Document::new("").with_id(""), vec![1e3, 0.0, -0.7]));
        check(&version);
    }
}

#[test]
fn the_deepest_metadata_comes_back() {
    // Every level of it is one that JSON has to mark as a map, which costs a level of its own.
    let nest = |inner: Value, _| Value::Map(Metadata::from_iter([("$float".to_owned(), inner)]));
    let deepest = (0..limits::METADATA_DEPTH - 1).fold(Value::Null, nest);
    let mut version = first();
    version.documents[0].0.metadata = Metadata::from_iter([("deep".to_owned(), deepest)]);
    check(&version);
}

#[test]
fn a_store_with_deletions_and_replacements_comes_back_as_it_is_seen() {
    let disk = CrashFs::new();
    let store = first().store(disk.clone());
    for i in 0..40_u8 {
        let document = Document::new("x").with_id(format!("{}", i % 13)).with_metadata("i", i);
        block_on(store.upsert_embeddings(vec![(document, vec![f32::from(i), 1.0, 0.0])])).unwrap();
    }
    block_on(store.delete(anear_store::Deletion::Ids(vec!["3".into(), "a".into()]))).unwrap();
    for loaded in again(&store, disk) {
        assert_eq!(written(&loaded), written(&store));
    }
}

#[test]
fn what_python_cannot_hold_is_refused_by_name_and_nothing_is_saved() {
    for when in [
        "0000-12-31T23:59:59",
        "-000001-01-01T00:00:00Z",
        "2026-01-31T00:00:00+24:00",
    ] {
        let (disk, old) = (CrashFs::new(), first());
        old.save(disk.clone()).unwrap();
        let mut version = first();
        version.documents[1]
            .0
            .metadata
            .insert("when".into(), moment(when).into());
        let error = version.save(disk.clone()).unwrap_err();
        assert!(
            matches!(&error, Error::Unsaveable { id, key, .. } if id == "b" && key == "when"),
            "{error:?}"
        );
        let text = moment(when).to_string();
        assert!(error.to_string().contains(&text), "{error}");
        let sealed = block_on(version.store(RealFs).serialize_to_pickle()).unwrap_err();
        assert_eq!(sealed.to_string(), error.to_string());
        let loaded = block_on(builder(disk).load_local(DIR, NAME)).unwrap();
        assert_eq!(written(&loaded), old.written());

        // Our own form has a word for it.
        let store = version.store(RealFs);
        let bytes = block_on(store.serialize_to_bytes()).unwrap();
        let loaded = block_on(builder(RealFs).deserialize_from_bytes(bytes)).unwrap();
        assert_eq!(written(&loaded), written(&store));
    }
}

fn moments() -> impl Strategy<Value = DateTime> {
    let second = -62_100_000_000_i64..253_300_000_000;
    let offset = prop_oneof![Just(None), (-86_399..86_400).prop_map(Some)];
    (second, 0..1_000_000_000_i32, offset).prop_map(|(second, nanosecond, offset)| {
        // As text: the constructors take types of a library that these tests need not know.
        let days = second.div_euclid(86_400);
        let (year, month, day) = civil_from_days(days);
        let s = second.rem_euclid(86_400);
        let offset = offset.map_or(String::new(), |offset: i32| {
            let (sign, o) = (if offset < 0 { '-' } else { '+' }, offset.abs());
            format!("{sign}{:02}:{:02}:{:02}", o / 3600, o / 60 % 60, o % 60)
        });
        let (hour, minute, second) = (s / 3600, s / 60 % 60, s % 60);
        moment(&format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanosecond:09}{offset}"
        ))
    })
}

/// Hinnant's `civil_from_days`: the date so many days after 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Any text, and those that a form uses as words of its own.
fn texts() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "",
        "$map",
        "$datetime",
        "$float",
        "$x",
        "nan",
        "2026-01-31",
        "\n",
        "\0",
    ]);
    prop_oneof![1 => words.prop_map(String::from), 3 => any::<String>()]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::num::f64::ANY.prop_map(Value::from),
        texts().prop_map(Value::from),
        moments().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            metadata(inner).prop_map(Value::Map),
        ]
    })
}

fn metadata(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Metadata> {
    prop::collection::vec((texts(), value), 0..4).prop_map(Metadata::from_iter)
}

fn versions() -> impl Strategy<Value = Version> {
    let component = prop_oneof![-1e3_f32..1e3, Just(0.0), Just(-0.0), -1.0_f32..1.0];
    let row = (texts(), metadata(values()), prop::collection::vec(component, DIM));
    let rows = prop::collection::btree_map(texts(), row, 1..5);
    (prop::sample::select(METRICS.to_vec()), rows).prop_map(|(metric, rows): (Metric, _)| Version {
        metric,
        documents: rows.into_iter().map(row_of).collect(),
    })
}

fn row_of((id, (page_content, metadata, vector)): (String, (String, Metadata, Vec<f32>))) -> (Document, Vec<f32>) {
    let id = Some(id);
    (
        Document {
            id,
            page_content,
            metadata,
        },
        vector,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_store_survives_every_form(version in versions()) {
        check(&version);
    }

    #[test]
    fn any_bytes_are_refused_or_are_a_store(mut bytes in prop::collection::vec(any::<u8>(), 0..300), head in 0..5_usize) {
        let heads: [&[u8]; 5] = [b"", b"ANEARBOX", b"\x80\x04", b"\x80\x05\x95", b"\x80\x04\x8c\x05anear0"];
        bytes.splice(0..0, heads[head].iter().copied());
        // No panic, no hang; nothing that random bytes could spell is a store.
        prop_assert!(block_on(builder(RealFs).deserialize_from_bytes(bytes)).is_err());
    }
}
