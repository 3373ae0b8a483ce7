//! Metadata that Python has and JSON has not: kept exactly, searched as the nearest there is.

use std::sync::Arc;

use anear_bytes::RealFs;
use anear_bytes::testing::CrashFs;
use anear_documents::{Document, Filter, Foreign, Metadata, Value};
use anear_kernels::Metric;
use anear_pickle::{self as pickle, Value as Py};
use anear_store::python::{value_from_pickle, value_to_pickle};
use anear_store::{Error, LocalStore, VectorStore};

use super::langchain::{VECTORS, docstore, foreign};
use super::scene::{DIR, NAME, block_on, builder, moment};

/// Python's data, the name of its type, and what filters see of it.
fn beyond_json() -> Vec<(Py, &'static str, Value)> {
    let date = |y, m, d| pickle::Date::new(y, m, d).unwrap();
    let aware_end = {
        let mut time = pickle::Time::new(23, 59, 59, 999_999).unwrap();
        time.offset = Some(pickle::Offset::new(0).unwrap());
        pickle::DateTime {
            date: date(9999, 12, 31),
            time,
        }
    };
    let folded = pickle::DateTime {
        date: date(2026, 10, 25),
        time: {
            let mut time = pickle::Time::new(2, 30, 0, 0).unwrap();
            time.fold = true;
            time
        },
    };
    let map = |pairs: &[(&str, Value)]| -> Value {
        let pairs = pairs.iter().cloned();
        Metadata::from_iter(pairs.map(|(key, value)| (key.to_owned(), value))).into()
    };
    let text = |text: &str| Py::Str(text.into());
    vec![
        (
            Py::Tuple(vec![Py::Int(1), Py::Tuple(vec![Py::None])]),
            "tuple",
            vec![Value::from(1), Value::List(vec![Value::Null])].into(),
        ),
        (Py::Set(vec![text("x")]), "set", ["x"].into()),
        (Py::FrozenSet(vec![Py::Int(7)]), "frozenset", [7].into()),
        (Py::Bytes(vec![0, 255]), "bytes", [0, 255].into()),
        (Py::ByteArray(vec![]), "bytearray", Value::List(vec![])),
        (Py::Complex(1.0, -2.0), "complex", [1.0, -2.0].into()),
        (
            Py::BigInt(pickle::BigInt::parse("-9223372036854775809").unwrap()),
            "int",
            (-9_223_372_036_854_775_808.0).into(),
        ),
        (
            Py::Decimal(pickle::Decimal::parse("1.50").unwrap()),
            "Decimal",
            1.5.into(),
        ),
        (
            Py::Decimal(pickle::Decimal::parse("sNaN1").unwrap()),
            "Decimal",
            "sNaN1".into(),
        ),
        (
            Py::Uuid(pickle::Uuid::from(1)),
            "UUID",
            "00000000-0000-0000-0000-000000000001".into(),
        ),
        (
            Py::Date(date(2026, 1, 31)),
            "date",
            moment("2026-01-31T00:00:00").into(),
        ),
        (
            Py::Time(pickle::Time::new(9, 5, 0, 0).unwrap()),
            "time",
            "09:05:00".into(),
        ),
        (
            Py::Delta(pickle::Delta::new(-1, 0, 0).unwrap()),
            "timedelta",
            (-86_400.0).into(),
        ),
        (
            Py::Zone(pickle::Offset::new(3600).unwrap()),
            "timezone",
            "+01:00".into(),
        ),
        // Python's greatest aware moment lies beyond ours.
        (
            Py::DateTime(aware_end),
            "datetime",
            "9999-12-31T23:59:59.999999+00:00".into(),
        ),
        (Py::DateTime(folded), "datetime", moment("2026-10-25T02:30:00").into()),
        (Py::Path("a/b".into()), "Path", "a/b".into()),
        (Py::PurePosixPath("/a".into()), "PurePosixPath", "/a".into()),
        (Py::PureWindowsPath("C:\\a".into()), "PureWindowsPath", "C:\\a".into()),
        // Keys within are named as Python prints them, like those of the metadata itself.
        (
            Py::Dict(vec![(Py::Bool(true), Py::Int(1)), (Py::Float(1e16), Py::Tuple(vec![]))]),
            "dict",
            map(&[("True", 1.into()), ("1e+16", Value::List(vec![]))]),
        ),
        (
            Py::Dict(vec![(Py::Tuple(vec![Py::Int(1)]), Py::Set(vec![]))]),
            "dict",
            map(&[("[1]", Value::List(vec![]))]),
        ),
    ]
}

/// The metadata of the one document, in order.
fn only_metadata(store: &LocalStore) -> Metadata {
    let ids = block_on(store.list(None)).unwrap();
    block_on(store.get_by_ids(&ids)).unwrap().remove(0).metadata
}

#[test]
fn what_python_has_and_json_has_not_is_kept_exactly_and_filtered_as_the_nearest_there_is() {
    let cases = beyond_json();
    let mut saved = docstore(&["a"], &[(0, "a")]);
    let named = cases
        .iter()
        .enumerate()
        .map(|(i, (py, ..))| (i.to_string(), py.clone()));
    saved.documents[0].metadata = named.collect();
    let disk = foreign(Metric::L2, &VECTORS[..3], &saved);
    let store = block_on(builder(disk.clone()).load_local(DIR, NAME)).unwrap();
    let check = |store: &LocalStore| {
        let metadata = only_metadata(store);
        for (i, (py, name, nearest)) in cases.iter().enumerate() {
            let field = i.to_string();
            let Value::Foreign(kept) = &metadata[&field] else {
                panic!("{py:?} is not kept")
            };
            assert_eq!((kept.type_name(), kept.nearest()), (*name, nearest));
            assert_eq!(kept.object().downcast_ref(), Some(py));
            let filter = Filter::eq(&field, nearest.clone());
            assert_eq!(block_on(store.count(Some(filter.into()))).unwrap(), 1, "{py:?}");
        }
    };
    check(&store);
    block_on(store.save_local(DIR, NAME)).unwrap();
    check(&block_on(builder(disk).load_local(DIR, NAME)).unwrap());
    let sealed = block_on(store.serialize_to_pickle()).unwrap();
    check(&block_on(builder(RealFs).deserialize_from_bytes(sealed)).unwrap());
    // Our own bytes are JSON: they hold the nearest.
    let bytes = block_on(store.serialize_to_bytes()).unwrap();
    let loaded = only_metadata(&block_on(builder(RealFs).deserialize_from_bytes(bytes)).unwrap());
    assert_eq!(loaded, only_metadata(&store));
    assert!(!format!("{loaded:?}").contains("Foreign"));
}

#[test]
fn lists_and_dicts_stay_ours_around_what_is_foreign() {
    let tuple = Py::Tuple(vec![Py::Int(1)]);
    let list = Py::List(vec![Py::Int(0), tuple.clone()]);
    let mut saved = docstore(&["a"], &[(0, "a")]);
    let dict = Py::Dict(vec![(Py::Str("k".into()), list)]);
    saved.documents[0].metadata = [("d".to_owned(), dict)].into_iter().collect();
    let disk = foreign(Metric::L2, &VECTORS[..3], &saved);
    for _ in 0..2 {
        let store = block_on(builder(disk.clone()).load_local(DIR, NAME)).unwrap();
        let metadata = only_metadata(&store);
        let Value::Map(map) = &metadata["d"] else {
            panic!("{metadata:?}")
        };
        let Value::List(items) = &map["k"] else {
            panic!("{metadata:?}")
        };
        let [Value::Int(0), Value::Foreign(kept)] = items.as_slice() else {
            panic!("{metadata:?}")
        };
        assert_eq!(kept.object().downcast_ref(), Some(&tuple));
        let filter = Filter::contains("d.k", Value::from([1]));
        assert_eq!(block_on(store.count(Some(filter.into()))).unwrap(), 1);
        block_on(store.save_local(DIR, NAME)).unwrap();
    }
}

#[test]
fn moments_that_both_have_are_ours() {
    let end = pickle::DateTime {
        date: pickle::Date::new(9999, 12, 31).unwrap(),
        time: pickle::Time::new(23, 59, 59, 999_999).unwrap(),
    };
    let mut saved = docstore(&["a"], &[(0, "a")]);
    saved.documents[0].metadata = [("end".to_owned(), Py::DateTime(end))].into_iter().collect();
    let store = block_on(builder(foreign(Metric::L2, &VECTORS[..3], &saved)).load_local(DIR, NAME)).unwrap();
    assert!(matches!(only_metadata(&store)["end"], Value::DateTime(at) if at == moment("9999-12-31T23:59:59.999999")));
}

/// An object of a door in another language.
fn thing(nearest: impl Into<Value>) -> Value {
    Foreign::new("Thing", nearest.into(), Arc::new(())).into()
}

#[test]
fn an_object_of_another_kind_is_saved_as_the_scalar_it_equals_or_refused_by_name() {
    let save = |value: Value| {
        let disk = CrashFs::new();
        let store = builder(disk.clone()).build();
        let document = Document::new("").with_id("a").with_metadata("owner", value);
        block_on(store.upsert_embeddings(vec![(document, VECTORS[..3].to_vec())])).unwrap();
        block_on(store.save_local(DIR, NAME))?;
        Ok(only_metadata(&block_on(builder(disk).load_local(DIR, NAME)).unwrap()).shift_remove("owner"))
    };
    for scalar in [
        true.into(),
        7.into(),
        1.5.into(),
        f64::INFINITY.into(),
        Value::from("x"),
    ] {
        let loaded: Result<_, Error> = save(vec![thing(scalar.clone())].into());
        assert_eq!(loaded.unwrap(), Some(vec![scalar].into()));
    }
    let wrapped = Metadata::from_iter([("k".to_owned(), Value::from(vec![thing([1])]))]);
    for value in [thing([1]), thing(f64::NAN), thing(Value::Null), wrapped.into()] {
        let error = save(value).unwrap_err();
        assert!(matches!(&error, Error::Unsaveable { id, key, .. } if id == "a" && key == "owner"));
        assert_eq!(
            error.to_string(),
            "document `a`: metadata `owner` contains a `Thing`, which no saved store can hold; store its parts as numbers, \
             texts or lists, or drop the field; nothing was saved"
        );
    }
}

#[test]
fn one_value_goes_to_python_and_back_exactly() {
    for (py, _, nearest) in beyond_json() {
        let value = value_from_pickle("door's name", &pickle::write(&py).unwrap()).unwrap();
        assert_eq!(value, nearest);
        let Value::Foreign(kept) = &value else {
            panic!("{py:?} is not kept")
        };
        assert_eq!(kept.type_name(), "door's name");
        assert_eq!(value_to_pickle(kept), pickle::write(&py).ok());
    }
    let ours = value_from_pickle("int", &pickle::write(&Py::Int(7)).unwrap()).unwrap();
    assert!(matches!(ours, Value::Int(7)));
    let Value::Foreign(other) = thing(1) else {
        unreachable!()
    };
    assert_eq!(value_to_pickle(&other), None);
    let error = value_from_pickle("Thing", b"cos\nsystem\n.").unwrap_err();
    assert!(
        matches!(&error, Error::Pickle(_)) && error.to_string().contains("os.system"),
        "{error:?}"
    );
}
