//! Files of real LangChain releases read as the documents that were saved; ours read back, here and in
//! the real LangChain.
// The counts are part of what these tests report.
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anear_pickle::{
    Date, DateTime, Decimal, Delta, Error, FaissClass, Offset, SavedDocstore, SavedDocument, Time, Uuid, Value,
    read_bytes_pkl, read_index_pkl, write_bytes_pkl, write_index_pkl,
};

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/langchain");
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn str(text: &str) -> Value {
    Value::Str(text.into())
}

fn document<const N: usize>(id: &str, page_content: &str, metadata: [(&str, Value); N]) -> SavedDocument {
    let metadata = metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    SavedDocument {
        id: id.into(),
        page_content: page_content.into(),
        metadata,
    }
}

/// What the fixtures' README says, under the ids of one file.
fn expected(ids: [&str; 2]) -> SavedDocstore {
    let metadata = [
        ("page", Value::Int(1)),
        ("score", Value::Float(0.5)),
        ("ok", Value::Bool(true)),
        ("none", Value::None),
        ("l", Value::List(vec![Value::Int(1), str("a")])),
        ("d", Value::Dict(vec![(str("k"), str("v"))])),
    ];
    let documents = vec![
        document(ids[0], "foo", metadata),
        document(ids[1], "bar", [("page", Value::Int(2))]),
    ];
    SavedDocstore {
        documents,
        positions: vec![(0, ids[0].into()), (1, ids[1].into())],
    }
}

fn check_fixture(folder: &Path, saved: &SavedDocstore) {
    let ids = [saved.documents[0].id.as_str(), saved.documents[1].id.as_str()];
    assert_eq!(*saved, expected(ids), "{}", folder.display());
    let given = ids == ["id-a", "id-b"];
    let random = ids.iter().all(|id| id.len() == 36);
    assert!(given || random, "{}: {ids:?}", folder.display());
}

#[test]
fn every_release_reads_as_the_same_documents() {
    let folders = fixtures();
    for folder in &folders {
        let pickle = fs::read(folder.join("index.pkl")).unwrap();
        check_fixture(folder, &read_index_pkl(&pickle).unwrap());
    }
    println!("{} folders", folders.len());
    assert_eq!(folders.len(), 9);
}

#[test]
fn serialized_bytes_hold_the_faiss_file_and_the_documents() {
    let mut count = 0;
    for folder in fixtures() {
        let Ok(pickle) = fs::read(folder.join("bytes.pkl")) else {
            continue;
        };
        let (index, saved) = read_bytes_pkl(&pickle).unwrap();
        check_fixture(&folder, &saved);
        assert_eq!(index.class, FaissClass::FLAT_L2);
        assert_eq!(index.bytes, fs::read(folder.join("index.faiss")).unwrap());
        count += 1;
    }
    println!("{count} serialized stores");
    assert_eq!(count, 6);
}

#[test]
fn what_we_write_reads_back() {
    for saved in [SavedDocstore::default(), expected(["x", "y"]), rich()] {
        assert_eq!(read_index_pkl(&write_index_pkl(&saved).unwrap()).unwrap(), saved);
        for index in [vec![], vec![7; 300]] {
            let pickle = write_bytes_pkl(FaissClass::FLAT_IP, &index, &saved).unwrap();
            let (read, again) = read_bytes_pkl(&pickle).unwrap();
            assert_eq!(
                (read.class, &read.bytes[..], again),
                (FaissClass::FLAT_IP, &index[..], saved.clone())
            );
        }
    }
}

#[test]
fn the_two_shapes_are_not_mistaken_for_one_another() {
    let saved = expected(["x", "y"]);
    let index = write_index_pkl(&saved).unwrap();
    let bytes = write_bytes_pkl(FaissClass::FLAT, b"IxFl", &saved).unwrap();
    assert!(matches!(read_index_pkl(&bytes), Err(Error::NotAStore { .. })));
    assert!(matches!(read_bytes_pkl(&index), Err(Error::NotAStore { .. })));
    let plain = anear_pickle::write(&Value::Tuple(vec![Value::None, Value::None])).unwrap();
    assert!(matches!(read_index_pkl(&plain), Err(Error::NotAStore { .. })));
}

#[test]
fn inconsistent_stores_are_refused_on_the_way_in_and_out() {
    let saved = expected(["x", "y"]);
    let lost = SavedDocstore {
        positions: vec![(3, "z".into())],
        ..saved.clone()
    };
    let missing = Error::MissingDocument {
        position: 3,
        id: "z".into(),
    };
    assert_eq!(write_index_pkl(&lost), Err(missing.clone()));
    assert_eq!(
        missing.to_string(),
        "position 3 of the index names document `z`, which the docstore does not hold"
    );

    let twice = expected(["x", "x"]);
    assert_eq!(write_index_pkl(&twice), Err(Error::DuplicateId { id: "x".into() }));

    // The same two faults, made in the bytes of a good file.
    let pickle = write_index_pkl(&saved).unwrap();
    let last = pickle.windows(3).rposition(|bytes| bytes == [0x8c, 1, b'y']).unwrap();
    let mut damaged = pickle.clone();
    damaged[last + 2] = b'z';
    assert_eq!(
        read_index_pkl(&damaged),
        Err(Error::MissingDocument {
            position: 1,
            id: "z".into()
        })
    );
    let first = pickle.windows(3).position(|bytes| bytes == [0x8c, 1, b'y']).unwrap();
    let mut damaged = pickle;
    damaged[first + 2] = b'x';
    assert_eq!(read_index_pkl(&damaged), Err(Error::DuplicateId { id: "x".into() }));
}

/// `(docstore, positions)` of one document, its parts given as raw opcodes.
fn store_of(key: &[u8], content: &[u8], metadata: &[u8]) -> Vec<u8> {
    [
        b"\x80\x04clangchain.docstore.in_memory\nInMemoryDocstore\n)\x81}\x8c\x05_dict}".as_slice(),
        key,
        b"clangchain.schema\nDocument\n)\x81}\x8c\x08__dict__}(\x8c\x0cpage_content",
        content,
        b"\x8c\x08metadata",
        metadata,
        b"usbssb}K\x00",
        key,
        b"s\x86.",
    ]
    .concat()
}

#[test]
fn keys_that_are_no_text_become_the_text_python_gives_them() {
    let cases: [(&[u8], &str); 5] = [
        (b"N", "None"),
        (b"K\x07", "7"),
        (b"\x88", "True"),
        (b"G\x3f\xf8\0\0\0\0\0\0", "1.5"),
        (b"\x8c\x01a", "a"),
    ];
    for (key, text) in cases {
        let saved = read_index_pkl(&store_of(key, b"\x8c\x01c", b"N")).unwrap();
        assert_eq!(
            (saved.documents[0].id.as_str(), saved.positions[0].1.as_str()),
            (text, text)
        );
    }
    let numbered = read_index_pkl(&store_of(b"N", b"\x8c\x01c", b"}K\x01\x88s")).unwrap();
    assert_eq!(numbered.documents[0].metadata["1"], Value::Bool(true));
    let clash = read_index_pkl(&store_of(b"N", b"\x8c\x01c", b"}(K\x01\x88\x8c\x011\x88u"));
    assert_eq!(
        clash,
        Err(Error::DuplicateKey {
            id: "None".into(),
            key: "1".into()
        })
    );
}

#[test]
fn content_must_be_text_and_metadata_a_dict() {
    for (content, metadata) in [
        (&b"N"[..], &b"N"[..]),
        (b"C\x01a", b"}"),
        (b"\x8c\x01c", b"]"),
        (b"]", b"N"),
    ] {
        let read = read_index_pkl(&store_of(b"N", content, metadata));
        assert!(matches!(read, Err(Error::NotAStore { .. })), "{read:?}");
    }
}

#[test]
fn metadata_nests_64_levels_and_no_deeper() {
    let nested = |depth: usize| {
        let value = (0..depth).fold(Value::Int(1), |inner, _| Value::List(vec![inner]));
        SavedDocstore {
            documents: vec![document("a", "", [("deep", value)])],
            positions: vec![],
        }
    };
    let deepest = nested(63);
    assert_eq!(read_index_pkl(&write_index_pkl(&deepest).unwrap()).unwrap(), deepest);
    assert!(matches!(write_index_pkl(&nested(64)), Err(Error::Unwritable { .. })));
}

/// A store with every kind of value.
fn rich() -> SavedDocstore {
    let date = Date::new(2024, 2, 29).unwrap();
    let mut time = Time::new(23, 59, 58, 123_456).unwrap();
    time.fold = true;
    let mut zoned = time;
    zoned.offset = Offset::new(-19_800);
    let metadata = [
        ("none", Value::None),
        ("int", Value::Int(i64::MIN)),
        (
            "big",
            Value::BigInt(anear_pickle::BigInt::parse("-123456789012345678901234567890").unwrap()),
        ),
        ("float", Value::Float(-0.1)),
        ("complex", Value::Complex(1.0, -2.5)),
        ("text", str("ünï\n😀")),
        ("bytes", Value::Bytes(vec![0, 255, 10])),
        ("tuple", Value::Tuple(vec![Value::Int(1), Value::Tuple(vec![])])),
        ("bytearray", Value::ByteArray(vec![0, 1])),
        ("set", Value::Set(vec![Value::FrozenSet(vec![str("frozen")])])),
        ("frozenset", Value::FrozenSet(vec![])),
        (
            "dict",
            Value::Dict(vec![
                (Value::Int(1), str("one")),
                (Value::Tuple(vec![Value::Int(2)]), str("two")),
            ]),
        ),
        ("date", Value::Date(date)),
        ("time", Value::Time(time)),
        ("zoned time", Value::Time(zoned)),
        ("datetime", Value::DateTime(DateTime { date, time })),
        ("zoned", Value::DateTime(DateTime { date, time: zoned })),
        ("delta", Value::Delta(Delta::new(-3, 4, 5).unwrap())),
        ("zone", Value::Zone(Offset::new(34_200).unwrap())),
        ("decimal", Value::Decimal(Decimal::parse("-1.50E+3").unwrap())),
        ("uuid", Value::Uuid(Uuid::from(u128::MAX - 1))),
        ("path", Value::Path("a/b.txt".into())),
        ("posix", Value::PurePosixPath("/a/b".into())),
        ("windows", Value::PureWindowsPath("C:\\a".into())),
    ];
    let documents = vec![
        document("id-a", "föö", metadata),
        document("id-b", &"long ".repeat(100), []),
    ];
    SavedDocstore {
        documents,
        positions: vec![(0, "id-b".into()), (1, "id-a".into())],
    }
}

/// Python with langchain-community and faiss, from `ANEAR_PYTHON`.
fn python() -> Option<String> {
    let python = std::env::var("ANEAR_PYTHON").ok();
    let required = std::env::var("ANEAR_REQUIRE").is_ok_and(|list| list.contains("python"));
    assert!(
        python.is_some() || !required,
        "ANEAR_REQUIRE names python, but ANEAR_PYTHON is not set"
    );
    if python.is_none() {
        println!("NOT TESTED against the real LangChain: set ANEAR_PYTHON to an interpreter that has it");
    }
    python
}

#[test]
fn the_real_langchain_opens_what_we_write() {
    let Some(python) = python() else { return };
    let folder = std::env::temp_dir().join(format!("anear-pickle-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let released = fixtures().pop().unwrap();
    let index = fs::read(released.join("index.faiss")).unwrap();
    fs::write(folder.join("index.faiss"), &index).unwrap();
    fs::write(folder.join("index.pkl"), write_index_pkl(&rich()).unwrap()).unwrap();
    fs::write(
        folder.join("bytes.pkl"),
        write_bytes_pkl(FaissClass::FLAT_L2, &index, &rich()).unwrap(),
    )
    .unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/open_store.py");
    let output = Command::new(python).arg(script).arg(&folder).output().unwrap();
    let saved_by_langchain = fs::read(folder.join("again/index.pkl"));
    fs::remove_dir_all(&folder).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // LangChain opened ours, checked it, and saved it again in its own hand.
    assert_eq!(read_index_pkl(&saved_by_langchain.unwrap()).unwrap(), rich());
    println!("opened, searched, extended and saved by the real LangChain");
}
