//! The container: what is written comes back, and no damage goes unseen.
#![allow(clippy::print_stdout, reason = "the tests say how much they covered")]

use anear_bytes::{AlignedBytes, Container, ContainerWriter, Error, Mapping, Verify};

const KIND: [u8; 4] = *b"test";
const KNOWN: &[[u8; 4]] = &[*b"rows", *b"ids ", *b"none"];

fn small() -> Vec<u8> {
    ContainerWriter::new(KIND)
        .section(*b"rows", b"0123456789")
        .section(*b"none", b"")
        .section(*b"ids ", vec![7; 65])
        .optional(*b"note", b"may be skipped")
        .finish()
}

fn parse(bytes: &[u8]) -> Result<Container<'_>, Error> {
    Container::parse(bytes, KIND, KNOWN)
}

/// Sets the header's checksum right, as a careful forger would.
fn reseal(bytes: &mut [u8]) {
    let sections = u32::from_le_bytes(bytes[20..24].try_into().unwrap()) as usize;
    if let Some(table) = bytes.get(64..64 + sections * 32) {
        let crc = crc32c::crc32c(table);
        bytes[32..36].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
}

fn forged(change: impl FnOnce(&mut Vec<u8>)) -> Error {
    let mut bytes = small();
    change(&mut bytes);
    reseal(&mut bytes);
    parse(&bytes).unwrap_err()
}

#[test]
fn sections_come_back_aligned_and_in_order() {
    let bytes = AlignedBytes::from(&small()[..]);
    let container = parse(bytes.as_slice()).unwrap();
    assert_eq!(container.section(*b"rows").unwrap(), b"0123456789");
    assert_eq!(container.section(*b"none").unwrap(), b"");
    assert_eq!(container.section(*b"ids ").unwrap(), [7; 65]);
    assert_eq!(container.optional(*b"note"), Some(&b"may be skipped"[..]));
    assert_eq!(container.optional(*b"more"), None);
    assert_eq!(
        container.tags().collect::<Vec<_>>(),
        [*b"rows", *b"none", *b"ids ", *b"note"]
    );
    for tag in [*b"rows", *b"ids ", *b"note"] {
        assert_eq!(container.section(tag).unwrap().as_ptr() as usize % 64, 0);
    }
    assert!(matches!(container.section(*b"more"), Err(Error::MissingSection { section }) if section == "more"));
}

#[test]
fn a_container_without_sections_is_one() {
    let bytes = ContainerWriter::new(KIND).finish();
    assert_eq!(bytes.len(), 64);
    assert_eq!(parse(&bytes).unwrap().tags().count(), 0);
}

#[test]
fn a_container_within_a_container_stays_aligned() {
    let outer = ContainerWriter::new(*b"nest").section(*b"rows", small()).finish();
    let outer = AlignedBytes::from(&outer[..]);
    let outer = Container::parse(outer.as_slice(), *b"nest", KNOWN).unwrap();
    let inner = parse(outer.section(*b"rows").unwrap()).unwrap();
    assert_eq!(inner.section(*b"ids ").unwrap().as_ptr() as usize % 64, 0);
}

#[test]
fn writing_in_pieces_gives_the_same_bytes() {
    let writer = ContainerWriter::new(KIND)
        .section(*b"rows", b"abc")
        .section(*b"ids ", b"defg");
    let mut streamed = Vec::new();
    writer.write_to(&mut streamed).unwrap();
    assert_eq!(streamed.len(), writer.total_len());
    assert_eq!(streamed, writer.finish());
}

/// The bytes of format version 1. A change here means that stores saved by a released anear no longer
/// load: raise the format version and keep reading this one.
#[test]
fn version_1_is_frozen() {
    let bytes = ContainerWriter::new(*b"gold")
        .section(*b"data", b"\x01\x02\x03")
        .finish();
    let digest = anear_bytes::digest::sha256(&bytes);
    assert_eq!(
        (bytes.len(), digest.as_str()),
        (131, "82814abbeeb8c77ab209a3cdd0646a43eb6432929f9f8f2942811a90af023cf4")
    );
}

#[test]
fn every_flipped_bit_is_detected() {
    let bytes = small();
    let mut flips = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(parse(&damaged).is_err(), "bit {bit} of byte {at} of {}", bytes.len());
            flips += 1;
        }
    }
    println!("{flips} flipped bits, all detected");
}

#[test]
fn every_cut_and_every_extra_byte_is_detected() {
    let bytes = small();
    for len in 0..bytes.len() {
        assert!(parse(&bytes[..len]).is_err(), "cut to {len} of {}", bytes.len());
    }
    for extra in 1..130 {
        let longer = [&bytes[..], &vec![0; extra]].concat();
        assert!(parse(&longer).is_err(), "{extra} bytes too many");
    }
    println!("{} cuts, all detected", bytes.len());
}

#[test]
fn damage_is_named_after_its_section() {
    let mut bytes = small();
    let rows = parse(&bytes).unwrap().section(*b"rows").unwrap().as_ptr() as usize - bytes.as_ptr() as usize;
    let expected = crc32c::crc32c(b"0123456789");
    bytes[rows] = b'x';
    let found = crc32c::crc32c(b"x123456789");
    let message = format!("section `rows` is damaged (checksum {found:08x}, expected {expected:08x})");
    assert_eq!(parse(&bytes).unwrap_err().to_string(), message);
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let error = forged(|bytes| bytes[8..12].copy_from_slice(&7u32.to_le_bytes()));
    assert_eq!(
        error.to_string(),
        "the container has format version 7, this anear reads up to 1; update anear to read it"
    );
}

#[test]
fn another_kind_is_refused_by_name() {
    let error = Container::parse(&small(), *b"flat", KNOWN).unwrap_err();
    assert_eq!(error.to_string(), "the container holds `test`, expected `flat`");
}

#[test]
fn an_unknown_section_is_refused_unless_optional() {
    let bytes = ContainerWriter::new(KIND)
        .section(*b"rows", b"")
        .section(*b"new!", b"")
        .finish();
    assert!(matches!(parse(&bytes), Err(Error::UnknownSection { section }) if section == "new!"));
    let bytes = ContainerWriter::new(KIND)
        .section(*b"rows", b"")
        .optional(*b"new!", b"")
        .finish();
    assert!(parse(&bytes).is_ok());
}

#[test]
fn forgeries_with_right_checksums_are_refused() {
    let entry = |i: usize, field: usize| 64 + i * 32 + field;
    let put = |bytes: &mut Vec<u8>, at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    let cases = [
        (forged(|b| b[8..12].fill(0)), "a reserved field of its header"),
        (forged(|b| b[16] = 1), "a reserved field of its header"),
        (forged(|b| b[40] = 1), "a reserved field of its header"),
        (
            forged(|b| b[20..24].fill(0xff)),
            "section table at byte 64 needs 137438953440 bytes",
        ),
        (
            forged(|b| put(b, 24, u64::MAX)),
            "it says it has 18446744073709551615 bytes",
        ),
        (forged(|b| b[entry(0, 4)] = 2), "a reserved field of section `rows`"),
        (forged(|b| b[entry(0, 28)] = 1), "a reserved field of section `rows`"),
        (forged(|b| put(b, entry(2, 8), 0)), "section `ids ` is at byte 0"),
        (
            forged(|b| put(b, entry(0, 16), u64::MAX)),
            "needs 18446744073709551615 bytes",
        ),
        (
            forged(|b| b.copy_within(64..68, entry(2, 0))),
            "section `rows` is there twice",
        ),
        (forged(|b| b[entry(4, 10)] = 1), "the padding before section `none`"),
        (
            forged(|b| shorten_last_section(b, entry(3, 0))),
            "11 bytes follow the last section",
        ),
    ];
    for (error, part) in cases {
        let message = error.to_string();
        assert!(message.contains(part), "{message}");
    }
}

fn shorten_last_section(bytes: &mut [u8], entry: usize) {
    bytes[entry + 16..entry + 24].copy_from_slice(&3u64.to_le_bytes());
    bytes[entry + 24..entry + 28].copy_from_slice(&crc32c::crc32c(b"may").to_le_bytes());
}

#[test]
#[should_panic(expected = "section `rows` is written twice")]
fn a_tag_is_written_once() {
    let _ = ContainerWriter::new(KIND).section(*b"rows", b"").section(*b"rows", b"");
}

#[test]
fn a_mapped_container_is_verified_as_far_as_it_is_asked_for() {
    let inner = ContainerWriter::new(KIND).section(*b"text", b"within").finish();
    let whole = ContainerWriter::new(*b"nest").section(*b"text", inner).finish();
    let dir = tempfile::tempdir().unwrap();
    let open = |bytes: &[u8], verify| {
        let path = dir.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let mapping = Mapping::open(&path).unwrap();
        // The next file is another one.
        std::fs::remove_file(&path).unwrap();
        let outer = Container::parse_mapped(&mapping, verify, *b"nest", &[*b"text"])?;
        let inner = outer.container(*b"text", KIND, &[*b"text"])?;
        inner.own(inner.section(*b"text")?)
    };
    for verify in [Verify::Everything, Verify::Structure] {
        let text = open(&whole, verify).unwrap();
        assert!(text.is_mapped() && (text.as_slice().as_ptr() as usize).is_multiple_of(64));
        assert_eq!(text.as_slice(), b"within");
        assert!((0..whole.len()).all(|len| open(&whole[..len], verify).is_err()), "cuts");
    }
    let changed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let last = whole.len() - 1;
    assert!((0..=last).all(|at| open(&changed(at), Verify::Everything).is_err()));
    assert!(
        (0..96).all(|at| open(&changed(at), Verify::Structure).is_err()),
        "header and table"
    );
    assert_eq!(open(&changed(last), Verify::Structure).unwrap().as_slice(), b"withio");
}
