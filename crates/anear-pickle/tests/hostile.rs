//! Pickles made to run code: each is refused, whichever way it goes about it.
// The counts are part of what these tests report.
#![allow(clippy::print_stdout)]

mod common;

use anear_pickle::{Error, Value, read, read_bytes_pkl, read_index_pkl};
use common::{as_index, as_metadata, plain, unhex};

/// Written and proven by `python/hostile.py`: whether CPython ran code, name, body in hex.
const PAYLOADS: &str = include_str!("fixtures/hostile.tsv");

/// Whether the pickle was refused for what it asks to do (and not because it is ill-formed).
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::Forbidden { .. } | Error::Opcode { .. } | Error::Shape { .. }
    )
}

#[test]
fn no_payload_gets_past_the_allow_list() {
    let (mut payloads, mut proven) = (0, 0);
    for line in PAYLOADS.lines() {
        let [status, name, hex] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let body = unhex(hex);
        let errors = [
            read(&plain(&body)).unwrap_err(),
            read_index_pkl(&as_metadata(&body)).unwrap_err(),
            read_bytes_pkl(&as_index(&body)).unwrap_err(),
        ];
        for error in &errors {
            assert!(is_refusal(error), "{name}: {error}");
        }
        payloads += 1;
        proven += usize::from(status == "runs");
    }
    println!("{payloads} payloads ({proven} of which run code in CPython), 3 entry points each: 0 accepted");
    assert!(proven >= 47);
}

/// The same holder reads well with data in it, so the refusals above are for the payload.
#[test]
fn the_holders_of_the_payloads_are_sound() {
    assert!(read(&plain(b"K\x01")).is_ok());
    assert_eq!(
        read_index_pkl(&as_metadata(b"K\x01")).unwrap().documents[0].metadata["k"],
        Value::Int(1)
    );
    let index = b"cfaiss\nIndexFlat\n)\x81}\x8c\x04thisC\x01xsb";
    assert_eq!(read_bytes_pkl(&as_index(index)).unwrap().0.bytes[..], b"x"[..]);
}

#[test]
fn opcodes_that_reach_outside_are_refused_by_name() {
    let cases: [(&[u8], &str); 13] = [
        (b"(ios\nsystem\n", "INST"),
        (b"(N)o", "OBJ"),
        (b"Pid\n", "PERSID"),
        (b"K\x01Q", "BINPERSID"),
        (b"\x82\x01", "EXT1"),
        (b"\x83\x01\x00", "EXT2"),
        (b"\x84\x01\x00\x00\x00", "EXT4"),
        (b"\x97", "NEXT_BUFFER"),
        (b"C\x01a\x98", "READONLY_BUFFER"),
        (b"S'a'\n", "STRING"),
        (b"T\x01\0\0\0a", "BINSTRING"),
        (b"U\x01a", "SHORT_BINSTRING"),
        (b"\xff", "unknown"),
    ];
    for (body, expected) in cases {
        match read(&plain(body)) {
            Err(Error::Opcode { name, .. }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn allowed_classes_are_used_only_as_python_uses_them() {
    let misuses: [(&str, &[u8]); 22] = [
        ("called document", b"clangchain.schema\nDocument\n)R"),
        (
            "called docstore",
            b"clangchain.docstore.in_memory\nInMemoryDocstore\n)R",
        ),
        ("called index", b"cfaiss\nIndexFlat\n(K\x08tR"),
        ("called factory", b"c__builtin__\nlist\n)R"),
        ("document with arguments", b"clangchain.schema\nDocument\n(K\x01t\x81"),
        (
            "document with keywords",
            b"clangchain.schema\nDocument\n)}\x8c\x01aK\x01s\x92",
        ),
        (
            "document with a method",
            b"clangchain.schema\nDocument\n)\x81}(\x8c\x08__dict__}\x8c\x0c__setstate__Nub",
        ),
        (
            "document with a class",
            b"clangchain.schema\nDocument\n)\x81}(\x8c\x08__dict__}\x8c\x09__class__Nub",
        ),
        (
            "document with slots",
            b"clangchain.schema\nDocument\n)\x81N}\x8c\x01aNs\x86b",
        ),
        (
            "state for a class",
            b"clangchain.schema\nDocument\n}\x8c\x08__dict__}sb",
        ),
        (
            "two states",
            b"clangchain.schema\nDocument\n)\x81}\x8c\x08__dict__}sb}\x8c\x08__dict__}sb",
        ),
        ("state for a dict", b"}}\x8c\x01aNsb"),
        (
            "index with more than bytes",
            b"cfaiss\nIndexFlat\n)\x81}(\x8c\x04thisC\x00\x8c\x03ownNub",
        ),
        (
            "reconstructed popen",
            b"ccopyreg\n_reconstructor\n(cdatetime\ndate\nc__builtin__\nobject\nNtR",
        ),
        (
            "reconstructed with a state",
            b"ccopyreg\n_reconstructor\n(cuuid\nUUID\nc__builtin__\nobject\nK\x01tR",
        ),
        (
            "encoded by another codec",
            b"c_codecs\nencode\n\x8c\x01a\x8c\x05rot13\x86R",
        ),
        ("array of objects", b"cnumpy\ndtype\n\x8c\x02O8\x89\x88\x87R"),
        (
            "array that is no array",
            b"cnumpy.core.multiarray\n_reconstruct\n(cuuid\nUUID\nK\0\x85C\x01btR",
        ),
        (
            "defaultdict of documents",
            b"ccollections\ndefaultdict\nclangchain.schema\nDocument\n\x85R",
        ),
        ("uuid that is text", b"cuuid\nUUID\n)\x81}\x8c\x03int\x8c\x01asb"),
        ("day that is none", b"cdatetime\ndate\nC\x04\x07\xe7\x02\x1d\x85R"),
        ("a class for a value", b"cdatetime\ndate\n"),
    ];
    for (name, body) in misuses {
        for error in [
            read(&plain(body)).unwrap_err(),
            read_index_pkl(&as_metadata(body)).unwrap_err(),
        ] {
            assert!(
                matches!(error, Error::Shape { .. } | Error::Malformed { .. }),
                "{name}: {error}"
            );
        }
    }
    println!("{} misuses of allowed classes refused", misuses.len());
}

#[test]
fn messages_show_hostile_names_harmlessly() {
    let name = "a\x1b[2J".to_owned() + &"b".repeat(100_000);
    let len = (name.len() as u32).to_le_bytes();
    let pickle = [b"\x80\x04X".as_slice(), &len, name.as_bytes(), b"\x8c\x01x\x93."];
    let message = read(&pickle.concat()).unwrap_err().to_string();
    assert!(message.len() < 400 && !message.contains('\x1b'), "{message}");
}
