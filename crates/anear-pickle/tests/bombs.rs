//! Pickles made to take all memory, time or stack: each is refused within its budget.
// The counts are part of what these tests report.
#![allow(clippy::print_stdout)]

mod common;

use anear_pickle::{Error, Limits, Value, read, read_index_pkl, read_with};
use common::{as_metadata, plain};

/// `levels` objects, each holding the one before ten times, by memo; the last is left.
fn laughs(open: &[u8], close: &[u8], levels: u8) -> Vec<u8> {
    let mut body = b"K\x01q\x00".to_vec();
    for level in 0..levels {
        body.push(b'0');
        body.extend(open);
        for _ in 0..10 {
            body.extend([b'h', level]);
        }
        body.extend(close);
        body.extend([b'q', level + 1]);
    }
    body
}

/// Nine values under nine keys at each level, each the one before; the last is left.
fn dict_laughs(levels: u8) -> Vec<u8> {
    let mut body = b"K\x01q\x00".to_vec();
    for level in 0..levels {
        body.extend(b"0}(");
        for key in 0..9 {
            body.extend([b'K', key, b'h', level]);
        }
        body.extend([b'u', b'q', level + 1]);
    }
    body
}

/// `(head, part × times, tail)` in one.
fn repeated(head: &[u8], part: &[u8], times: usize, tail: &[u8]) -> Vec<u8> {
    [head, &part.repeat(times), tail].concat()
}

/// One object of 100 kB in memo 0, used by `part` many times.
fn shared(opcode: u8, part: &[u8], times: usize) -> Vec<u8> {
    let mut body = vec![opcode];
    body.extend(100_000u32.to_le_bytes());
    body.extend([b'7'; 100_000]);
    body.extend(b"q\x000(");
    body.extend(part.repeat(times));
    body.extend(b"l");
    body
}

/// How a bomb is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Refusal {
    Limit,
    CutShort,
    Damaged,
    Misuse,
}

fn refusal(error: &Error) -> Refusal {
    match error {
        Error::Limit { .. } => Refusal::Limit,
        Error::Truncated { .. } => Refusal::CutShort,
        Error::Malformed { .. } => Refusal::Damaged,
        Error::Shape { .. } => Refusal::Misuse,
        other => panic!("{other}"),
    }
}

fn bombs() -> Vec<(Refusal, &'static str, Vec<u8>)> {
    use Refusal::*;
    let big_list = || repeated(b"](", b"N", 100_000, b"eq\x000(");
    vec![
        (Limit, "billion laughs of lists", laughs(b"](", b"e", 40)),
        (Limit, "billion laughs of tuples", laughs(b"(", b"t", 40)),
        (Limit, "billion laughs of dicts", dict_laughs(40)),
        (Limit, "laughs of duplicates", repeated(b"K\x01", b"2\x86", 60, b"")),
        (
            Limit,
            "list 200,000 deep",
            repeated(b"", b"](", 200_000, &b"e".repeat(200_000)),
        ),
        (Limit, "tuple 200,000 deep", repeated(b"N", b"\x85", 200_000, b"")),
        (
            Limit,
            "dict 200,000 deep",
            repeated(b"N", b"q\x000}K\x00h\x00s", 200_000, b""),
        ),
        (
            Limit,
            "frozenset 200,000 deep",
            repeated(
                b"",
                b"(",
                200_000,
                &[b")".as_slice(), &b"\x91".repeat(200_000)].concat(),
            ),
        ),
        (Damaged, "a million open marks", repeated(b"", b"(", 1_000_000, b"N")),
        (
            Damaged,
            "a million objects left over",
            repeated(b"", b"]", 1_000_000, b""),
        ),
        (Limit, "list in itself", b"]q\x00h\x00a".to_vec()),
        (Limit, "dict in itself", b"}q\x00K\x01h\x00s".to_vec()),
        (Limit, "tuple in its own list", b"]q\x00h\x00\x85q\x01a0h\x01".to_vec()),
        (CutShort, "long of two gigabytes", b"\x8b\xff\xff\xff\x7f\x01".to_vec()),
        (
            CutShort,
            "long of negative length",
            b"\x8b\xff\xff\xff\xff\x01".to_vec(),
        ),
        (
            Damaged,
            "long of a megabyte",
            [b"\x8b\x40\x42\x0f\x00".as_slice(), &[1; 1_000_000]].concat(),
        ),
        (
            Damaged,
            "integer of a million digits",
            repeated(b"L", b"9", 1_000_000, b"L\n"),
        ),
        (
            Damaged,
            "small integer of a million digits",
            repeated(b"I", b"9", 1_000_000, b"\n"),
        ),
        (CutShort, "text of 2^63 bytes", b"\x8d\0\0\0\0\0\0\0\x80x".to_vec()),
        (CutShort, "text of 4 GB", b"X\xff\xff\xff\xffx".to_vec()),
        (CutShort, "bytes of 2^62", b"\x8e\0\0\0\0\0\0\0\x40x".to_vec()),
        (CutShort, "bytearray of a terabyte", b"\x96\0\0\0\0\0\x01\0\0x".to_vec()),
        (CutShort, "frame of 2^60", b"\x95\0\0\0\0\0\0\0\x10N".to_vec()),
        (Damaged, "memo number 2^31", b"Nr\0\0\0\x80".to_vec()),
        (Damaged, "memo number as text", b"Np4294967295\n".to_vec()),
        (Limit, "text shared 10,000 times", shared(b'X', b"h\x00", 10_000)),
        (Limit, "bytes shared 10,000 times", shared(b'B', b"h\x00", 10_000)),
        (
            Limit,
            "sets of one list",
            [big_list(), b"cbuiltins\nset\nh\x00\x85R0".repeat(5_000), b"l".to_vec()].concat(),
        ),
        (
            Limit,
            "bytes encoded again",
            shared(b'X', b"c_codecs\nencode\nh\x00\x8c\x06latin1\x86R0", 5_000),
        ),
        (
            Limit,
            "bytearrays of one text",
            shared(b'B', b"cbuiltins\nbytearray\nh\x00\x85R0", 5_000),
        ),
        (
            Limit,
            "decimals of one text",
            shared(b'X', b"cdecimal\nDecimal\nh\x00\x85R0", 5_000),
        ),
        (
            Limit,
            "paths of one text",
            shared(b'X', b"cpathlib\nPath\nh\x00\x85R0", 5_000),
        ),
        (Limit, "calls with one huge tuple", {
            let tuple = repeated(b"(", b"\x8c\x01a", 100_000, b"tq\x000(");
            [tuple, b"cpathlib\nPath\nh\x00R0".repeat(1000), b"l".to_vec()].concat()
        }),
        (Limit, "array of 2^40 empty rows", {
            let head = b"cnumpy._core.numeric\n_frombuffer\n(C\x00cnumpy\ndtype\n\x8c\x02f4\x89\x88\x87R";
            [head.as_slice(), b"\x8a\x06\0\0\0\0\0\x01K\x00\x86\x8c\x01CtR"].concat()
        }),
        (Misuse, "array whose size overflows", {
            let head = b"cnumpy._core.numeric\n_frombuffer\n(C\x00cnumpy\ndtype\n\x8c\x02f4\x89\x88\x87R";
            [
                head.as_slice(),
                b"\x8a\x08\0\0\0\0\0\0\0\x40\x8a\x08\0\0\0\0\0\0\0\x40\x86\x8c\x01CtR",
            ]
            .concat()
        }),
        (
            Misuse,
            "numpy text of 2^62 characters",
            b"cnumpy\ndtype\n\x8c\x14U4611686018427387904\x89\x88\x87R".to_vec(),
        ),
        (Misuse, "one key 100,000 times", repeated(b"}(", b"NN", 100_000, b"u")),
        (Misuse, "100,000 states of one document", {
            let state = repeated(b"}(", b"\x8c\x08__dict__}", 100_000, b"uq\x000(");
            [
                state,
                b"clangchain.schema\nDocument\n)\x81h\x00b0".repeat(1000),
                b"l".to_vec(),
            ]
            .concat()
        }),
    ]
}

#[test]
fn bombs_are_refused() {
    let bombs = bombs();
    for (expected, name, body) in &bombs {
        let error = read(&plain(body)).unwrap_err();
        assert_eq!(refusal(&error), *expected, "{name}: {error}");
        // Inside a store the same holds, though what follows the bomb may be refused first.
        refusal(&read_index_pkl(&as_metadata(body)).unwrap_err());
    }
    println!("{} bombs, 2 entry points each: 0 went off", bombs.len());
    assert!(bombs.len() >= 20);
}

#[test]
fn documents_that_share_one_metadata_bomb_are_refused() {
    let metadata = repeated(b"}(\x8c\x01k](", b"N", 10_000, b"eu");
    let document =
        b"clangchain.schema\nDocument\n)\x81}\x8c\x08__dict__}(\x8c\x0cpage_content\x8c\x01c\x8c\x08metadatah\x00usb";
    let mut pickle = [b"\x80\x04".as_slice(), &metadata, b"q\x000"].concat();
    pickle.extend(b"clangchain.docstore.in_memory\nInMemoryDocstore\n)\x81}\x8c\x05_dict}(");
    for id in 0..2000u16 {
        pickle.push(b'M');
        pickle.extend(id.to_le_bytes());
        pickle.extend(document);
    }
    pickle.extend(b"usb}\x86.");
    assert!(matches!(
        read_index_pkl(&pickle),
        Err(Error::Limit { field: "expansion", .. })
    ));
}

#[test]
fn sharing_within_the_budget_is_no_bomb() {
    let value = read(&plain(&laughs(b"](", b"e", 3))).unwrap();
    let Value::List(items) = value else {
        panic!("a list was written")
    };
    assert_eq!(items.len(), 10);
    assert!(items.iter().all(|item| *item == items[0]));
}

#[test]
fn each_limit_is_kept() {
    let pickle = plain(b"](K\x01q\x00K\x02q\x01e");
    let limit = |limits: Limits| match read_with(&pickle, &limits) {
        Err(Error::Limit { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert!(
        read_with(
            &pickle,
            &Limits {
                opcodes: 9,
                memo: 2,
                depth: 1,
                ..Limits::default()
            }
        )
        .is_ok()
    );
    assert_eq!(
        limit(Limits {
            bytes: pickle.len() - 1,
            ..Limits::default()
        }),
        "bytes"
    );
    assert_eq!(
        limit(Limits {
            opcodes: 8,
            ..Limits::default()
        }),
        "opcodes"
    );
    assert_eq!(
        limit(Limits {
            memo: 1,
            ..Limits::default()
        }),
        "memo"
    );
    assert_eq!(
        limit(Limits {
            depth: 0,
            ..Limits::default()
        }),
        "depth"
    );
    assert_eq!(
        limit(Limits {
            expansion: 0,
            slack: 8,
            ..Limits::default()
        }),
        "expansion"
    );
    // However high the caller goes, nesting stays within what the thread's stack bears.
    let deep = plain(&repeated(b"N", b"\x85", 5000, b""));
    assert_eq!(
        read_with(
            &deep,
            &Limits {
                depth: usize::MAX,
                ..Limits::default()
            }
        ),
        Err(Error::Limit {
            what: "levels of nesting",
            limit: 512,
            field: "depth"
        })
    );
}
