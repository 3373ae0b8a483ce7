//! Folders and bytes that LangChain wrote, and docstores that are not as they should be.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anear_bytes::RealFs;
use anear_bytes::testing::CrashFs;
use anear_documents::{Document, Filter, Foreign, Metadata, Value};
use anear_index::compat::faiss::write_index;
use anear_index::{Flat, VectorIndex, VectorIndexExt};
use anear_kernels::{Metric, Rows};
use anear_pickle::{self as pickle, SavedDocstore, SavedDocument, Value as Py};
use anear_store::python::{value_from_pickle, value_to_pickle};
use anear_store::{Error, LocalStore, VectorStore, VectorStoreExt};

use super::scene::{DIM, DIR, NAME, all_hits, block_on, builder, fixtures, moment, written};

/// What the fixtures' README says.
fn check_fixture(store: &LocalStore) {
    let ids = block_on(store.list(None)).unwrap();
    let given = ids == ["id-a", "id-b"];
    assert!(given || ids.iter().all(|id| id.len() == 36), "{ids:?}");
    let list = Value::List(vec![1.into(), "a".into()]);
    let map = Metadata::from_iter([("k".to_owned(), Value::from("v"))]);
    let first = Document::new("foo")
        .with_id(&ids[0])
        .with_metadata("page", 1)
        .with_metadata("score", 0.5)
        .with_metadata("ok", true)
        .with_metadata("none", Value::Null)
        .with_metadata("l", list)
        .with_metadata("d", map);
    let second = Document::new("bar").with_id(&ids[1]).with_metadata("page", 2);
    assert_eq!(
        block_on(store.get_by_ids(&ids)).unwrap(),
        [first.clone(), second.clone()]
    );

    assert_eq!((store.metric(), store.dim()), (Metric::L2, Some(3)));
    let hits = all_hits(store, vec![1.0, 2.0, 3.0]);
    let found: Vec<_> = hits.into_iter().map(|hit| (hit.document, hit.score)).collect();
    assert_eq!(found, [(second, 4.0), (first, 9.0)]);
}

#[test]
fn the_folders_and_bytes_of_every_release_load() {
    let (mut folders, mut bytes) = (0, 0);
    for entry in fs::read_dir(fixtures()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let store = block_on(builder(RealFs).load_local(&folder, NAME)).unwrap();
        check_fixture(&store);
        folders += 1;
        let Ok(serialized) = fs::read(folder.join("bytes.pkl")) else {
            continue;
        };
        let same = block_on(builder(RealFs).deserialize_from_bytes(serialized)).unwrap();
        check_fixture(&same);
        bytes += 1;
    }
    println!("{folders} folders, {bytes} bytes.pkl");
    assert_eq!((folders, bytes), (9, 6));
}

#[test]
fn a_loaded_folder_of_langchains_can_be_extended_and_saved_as_ours() {
    let disk = super::scene::langchains();
    let store = block_on(builder(disk.clone()).load_local(DIR, NAME)).unwrap();
    block_on(store.upsert_embeddings(vec![(Document::new("baz").with_id("c"), vec![0.0, 0.0, 1.0])])).unwrap();
    block_on(store.save_local(DIR, NAME)).unwrap();
    let again = block_on(builder(disk).load_local(DIR, NAME)).unwrap();
    assert_eq!(written(&again), written(&store));
    assert_eq!(again.saved_model(), Some("fake-3"));
}

/// A folder as LangChain would write it.
fn foreign(metric: Metric, vectors: &[f32], saved: &SavedDocstore) -> CrashFs {
    let mut index = Flat::new(DIM, metric).unwrap();
    index.add(Rows::new(vectors, DIM).unwrap()).unwrap();
    let disk = CrashFs::new();
    disk.put(
        format!("{DIR}/index.faiss"),
        &write_index(&index as &dyn VectorIndex).unwrap(),
    );
    disk.put(format!("{DIR}/index.pkl"), &pickle::write_index_pkl(saved).unwrap());
    disk
}

fn document(id: &str) -> SavedDocument {
    SavedDocument {
        id: id.into(),
        page_content: format!("text of {id}"),
        metadata: Default::default(),
    }
}

fn docstore(ids: &[&str], positions: &[(i64, &str)]) -> SavedDocstore {
    SavedDocstore {
        documents: ids.iter().map(|id| document(id)).collect(),
        positions: positions.iter().map(|(at, id)| (*at, (*id).to_owned())).collect(),
    }
}

const VECTORS: [f32; 6] = [1.0, 0.0, 0.0, 0.0, 3.0, 4.0];

#[test]
fn without_a_manifest_the_file_says_the_metric_and_the_builder_may_say_another() {
    let two = docstore(&["a", "b"], &[(0, "a"), (1, "b")]);
    for metric in [Metric::L2, Metric::InnerProduct] {
        let disk = foreign(metric, &VECTORS, &two);
        let store = block_on(builder(disk.clone()).load_local(DIR, NAME)).unwrap();
        assert_eq!(store.metric(), metric);
        for asked in super::scene::METRICS {
            let store = block_on(builder(disk.clone()).metric(asked).load_local(DIR, NAME)).unwrap();
            let twin = builder(RealFs).metric(asked).build();
            let documents = ["a", "b"].map(|id| Document::new(format!("text of {id}")).with_id(id));
            let vectors = VECTORS.chunks(DIM).map(<[f32]>::to_vec);
            block_on(twin.upsert_embeddings(documents.into_iter().zip(vectors).collect())).unwrap();
            assert_eq!(written(&store), written(&twin), "{metric} as {asked}");
        }
    }
}

#[test]
fn positions_say_which_vector_is_whose_in_whatever_order_they_stand() {
    let disk = foreign(Metric::L2, &VECTORS, &docstore(&["a", "b"], &[(1, "a"), (0, "b")]));
    let store = block_on(builder(disk).load_local(DIR, NAME)).unwrap();
    assert_eq!(block_on(store.list(None)).unwrap(), ["b", "a"]);
    let nearest = all_hits(&store, VECTORS[..3].to_vec()).remove(0);
    assert_eq!((nearest.document.id.as_deref(), nearest.score), (Some("b"), 0.0));
}

#[test]
fn vectors_and_documents_that_do_not_match_are_refused_by_name() {
    let cases: [(&str, SavedDocstore, &str); 7] = [
        (
            "a gap",
            docstore(&["a", "b"], &[(0, "a"), (2, "b")]),
            "first at position 1",
        ),
        (
            "begins at 1",
            docstore(&["a", "b"], &[(1, "a"), (2, "b")]),
            "first at position 0",
        ),
        (
            "a negative position",
            docstore(&["a", "b"], &[(-1, "a"), (0, "b")]),
            "first at position 0",
        ),
        ("too few", docstore(&["a"], &[(0, "a")]), "2 vectors and 1 positions"),
        (
            "too many",
            docstore(&["a", "b", "c"], &[(0, "a"), (1, "b"), (2, "c")]),
            "2 vectors and 3 positions do not match, first at position 2",
        ),
        (
            "an extra document",
            docstore(&["a", "b", "lost"], &[(0, "a"), (1, "b")]),
            "document `lost` has no vector",
        ),
        (
            "twice the same",
            docstore(&["twice"], &[(0, "twice"), (1, "twice")]),
            "document `twice` has more than one",
        ),
    ];
    for (what, saved, needle) in &cases {
        let error = block_on(builder(foreign(Metric::L2, &VECTORS, saved)).load_local(DIR, NAME)).unwrap_err();
        assert!(
            matches!(&error, Error::File { path, .. } if path.ends_with("index.pkl")),
            "{what}: {error:?}"
        );
        assert!(error.to_string().contains(needle), "{what}: {error}");
    }
}

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

#[test]
fn a_folder_of_another_kind_of_index_is_refused_by_its_name() {
    let disk = foreign(Metric::L2, &VECTORS, &docstore(&["a", "b"], &[(0, "a"), (1, "b")]));
    let mut file = disk.files()[Path::new(DIR).join("index.faiss").as_path()].clone();
    file[..4].copy_from_slice(b"IHNf");
    disk.put(format!("{DIR}/index.faiss"), &file);
    let error = block_on(builder(disk).load_local(DIR, NAME)).unwrap_err();
    assert!(
        matches!(&error, Error::File { path, .. } if path.ends_with("index.faiss")),
        "{error:?}"
    );
    assert!(error.to_string().contains("IHNf"), "{error}");

    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../anear-index/tests/data/id_map.faiss");
    let disk = CrashFs::new();
    disk.put(format!("{DIR}/index.faiss"), &fs::read(sample).unwrap());
    let index =
        anear_index::compat::faiss::read_index(&disk.files()[Path::new(DIR).join("index.faiss").as_path()]).unwrap();
    let ids: Vec<String> = (0..index.len()).map(|i| i.to_string()).collect();
    let positions = (0..).zip(ids.iter().cloned()).collect();
    let saved = SavedDocstore {
        documents: ids.iter().map(|id| document(id)).collect(),
        positions,
    };
    disk.put(format!("{DIR}/index.pkl"), &pickle::write_index_pkl(&saved).unwrap());
    let quiet = LocalStore::builder(anear_embeddings::TableEmbeddings::new([] as [(&str, Vec<f32>); 0])).fs(disk);
    let error = block_on(quiet.load_local(DIR, NAME)).unwrap_err();
    assert!(matches!(error, Error::IndexKind { .. }), "{error:?}");
}

#[test]
fn bytes_that_are_nobodys_are_refused() {
    for bytes in [&b""[..], b"ANEAR", b"{}", b"\x00", b"PK\x03\x04", b"(lp0\n."] {
        let error = block_on(builder(RealFs).deserialize_from_bytes(bytes.to_vec())).unwrap_err();
        assert!(
            matches!(error, Error::NotAStore { len } if len == bytes.len()),
            "{bytes:?}: {error:?}"
        );
        assert!(
            error.to_string().contains(&format!("these {} bytes", bytes.len())),
            "{error}"
        );
    }
    // A pickle, but of a folder, not of a store.
    let pickle = fs::read(fixtures().join("lc042_py311/index.pkl")).unwrap();
    let error = block_on(builder(RealFs).deserialize_from_bytes(pickle)).unwrap_err();
    assert!(matches!(error, Error::Pickle(_)), "{error:?}");
}

#[test]
fn a_pickle_that_would_run_code_is_refused_by_the_name_it_calls() {
    // `os.system("echo pwned")`, as pickle protocol 4 writes a call.
    let attack = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0aecho pwned\x85R.";
    let error = block_on(builder(RealFs).deserialize_from_bytes(attack.to_vec())).unwrap_err();
    assert!(
        matches!(error, Error::Pickle(_)) && error.to_string().contains("os.system"),
        "{error:?}"
    );

    let disk = super::scene::langchains();
    disk.put(format!("{DIR}/index.pkl"), attack);
    let error = block_on(builder(disk).load_local(DIR, NAME)).unwrap_err();
    assert!(
        matches!(&error, Error::File { path, .. } if path.ends_with("index.pkl")),
        "{error:?}"
    );
    assert!(error.to_string().contains("os.system"), "{error}");
}

#[test]
fn a_text_query_finds_in_a_foreign_store_as_the_model_embeds_it() {
    let saved = docstore(&["a", "b"], &[(0, "a"), (1, "b")]);
    let model = anear_embeddings::TableEmbeddings::new([("second", VECTORS[3..].to_vec())]);
    let store = LocalStore::builder(model).fs(foreign(Metric::L2, &VECTORS, &saved));
    let store = block_on(store.load_local(DIR, NAME)).unwrap();
    assert_eq!(
        block_on(store.similarity_search("second")).unwrap()[0].id.as_deref(),
        Some("b")
    );
}
