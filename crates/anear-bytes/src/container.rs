//! Anear's own file format: a header, a table of sections, and the sections, all checksummed.
//!
//! ```text
//! header   64 bytes  0 magic `ANEARBOX` | 8 version u32 | 12 kind [4] | 16 flags u32 = 0 | 20 sections u32
//!                    24 total length u64 | 32 CRC32C of the table u32 | 36 zeros | 60 CRC32C of bytes 0..60
//! table    32 each   0 tag [4] | 4 flags u32: 1 = may be skipped | 8 offset u64 | 16 length u64
//!                    24 CRC32C of the section u32 | 28 zero u32
//! sections           each at the next multiple of 64, zeros between; the last byte ends the file
//! ```
//!
//! Numbers are little-endian. The places of the sections follow from their lengths, so they cannot
//! overlap; the offsets are there for other readers, and must agree. No byte is free to change: what no
//! checksum covers must be zero. Magic, version and the header's checksum keep their places in every
//! later version.

use std::borrow::Cow;
use std::io::{self, Write};

use crc32c::crc32c;

use crate::error::show;
use crate::{ALIGNMENT, AlignedBytes, Cursor, Error, Mapping, Result};

/// The version of the format that this build writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"ANEARBOX";
const HEADER_LEN: usize = 64;
const HEADER_CRC_AT: usize = 60;
const ENTRY_LEN: usize = 32;
const OPTIONAL: u32 = 1;
const PADDING: [u8; ALIGNMENT] = [0; ALIGNMENT];

/// Collects sections and writes them as one container.
///
/// Sections are borrowed (or owned, where they are made on the spot) and written once, without a copy
/// of the whole. A tag has four bytes and names one section.
///
/// ```
/// # use anear_bytes::{Container, ContainerWriter};
/// let bytes = ContainerWriter::new(*b"note")
///     .section(*b"text", b"hello")
///     .optional(*b"mood", vec![3])
///     .finish();
/// let container = Container::parse(&bytes, *b"note", &[*b"text"])?;
/// assert_eq!(container.section(*b"text")?, b"hello");
/// # Ok::<(), anear_bytes::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a container is written by `finish` or `write_to`"]
pub struct ContainerWriter<'a> {
    kind: [u8; 4],
    sections: Vec<Section<'a>>,
}

#[derive(Debug)]
struct Section<'a> {
    tag: [u8; 4],
    flags: u32,
    bytes: Cow<'a, [u8]>,
}

impl<'a> ContainerWriter<'a> {
    /// An empty container that will hold a thing of this kind.
    pub const fn new(kind: [u8; 4]) -> Self {
        Self {
            kind,
            sections: Vec::new(),
        }
    }

    /// Adds a section that every reader must know.
    ///
    /// # Panics
    /// When the tag was used before.
    pub fn section(self, tag: [u8; 4], bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        self.add(tag, 0, bytes.into())
    }

    /// Adds a section that a reader may skip if it does not know it.
    ///
    /// # Panics
    /// When the tag was used before.
    pub fn optional(self, tag: [u8; 4], bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        self.add(tag, OPTIONAL, bytes.into())
    }

    fn add(mut self, tag: [u8; 4], flags: u32, bytes: Cow<'a, [u8]>) -> Self {
        assert!(
            self.sections.iter().all(|s| s.tag != tag),
            "section `{}` is written twice",
            show(tag)
        );
        self.sections.push(Section { tag, flags, bytes });
        self
    }

    /// The container in memory.
    pub fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.total_len());
        self.write_to(&mut bytes).expect("writing to memory does not fail");
        bytes
    }

    /// Writes the container from front to back.
    ///
    /// # Errors
    /// Those of `out`, which then holds a part of the container that no reader accepts.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let table = self.table();
        out.write_all(&self.header(&table))?;
        out.write_all(&table)?;
        let mut at = HEADER_LEN + table.len();
        for section in &self.sections {
            out.write_all(&PADDING[..align(at) - at])?;
            out.write_all(&section.bytes)?;
            at = align(at) + section.bytes.len();
        }
        Ok(())
    }

    /// Length of the whole container in bytes.
    pub fn total_len(&self) -> usize {
        let table_end = HEADER_LEN + self.sections.len() * ENTRY_LEN;
        self.sections
            .iter()
            .fold(table_end, |at, section| align(at) + section.bytes.len())
    }

    fn header(&self, table: &[u8]) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        header[0..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        header[12..16].copy_from_slice(&self.kind);
        header[20..24].copy_from_slice(&(self.sections.len() as u32).to_le_bytes());
        header[24..32].copy_from_slice(&(self.total_len() as u64).to_le_bytes());
        header[32..36].copy_from_slice(&crc32c(table).to_le_bytes());
        let crc = crc32c(&header[..HEADER_CRC_AT]);
        header[HEADER_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        header
    }

    fn table(&self) -> Vec<u8> {
        let mut table = Vec::with_capacity(self.sections.len() * ENTRY_LEN);
        let mut at = HEADER_LEN + self.sections.len() * ENTRY_LEN;
        for section in &self.sections {
            at = align(at);
            table.extend(section.tag);
            table.extend(section.flags.to_le_bytes());
            table.extend((at as u64).to_le_bytes());
            table.extend((section.bytes.len() as u64).to_le_bytes());
            table.extend(crc32c(&section.bytes).to_le_bytes());
            table.extend([0; 4]);
            at += section.bytes.len();
        }
        table
    }
}

/// How much of a mapped container is verified when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Every byte: the whole file is read once.
    #[default]
    Everything,
    /// Header and table, and with them that no section was cut or moved; what is in the sections is not even read. For
    /// files too large to be read, whose bytes something else vouches for: in damaged ones anything can be found.
    Structure,
}

/// A container that was verified, borrowed from where it was read.
///
/// Sections begin at multiples of 64 from the container's first byte, so a container in [`AlignedBytes`] or in a
/// [`Mapping`], or one that is itself a section of such a container, gives sections that can be viewed as numbers.
#[derive(Clone, Debug)]
pub struct Container<'a> {
    sections: Vec<([u8; 4], &'a [u8])>,
    mapping: Option<&'a Mapping>,
}

impl<'a> Container<'a> {
    /// Verifies everything and gives the sections; `known` are the tags that the caller reads.
    ///
    /// Allocates a few words per section, never on the word of a damaged header.
    ///
    /// # Errors
    /// [`Error::NotAContainer`], [`Error::NewerVersion`], [`Error::WrongKind`],
    /// [`Error::DamagedSection`], [`Error::Malformed`], and [`Error::UnknownSection`] for a section
    /// that is neither known nor marked as optional.
    pub fn parse(bytes: &'a [u8], kind: [u8; 4], known: &[[u8; 4]]) -> Result<Self> {
        Self::parse_part(bytes, None, Verify::Everything, kind, known)
    }

    /// As [`parse`](Self::parse), of a mapped file: what [`own`](Self::own) gives stands on it.
    ///
    /// # Errors
    /// Those of [`parse`](Self::parse).
    pub fn parse_mapped(mapping: &'a Mapping, verify: Verify, kind: [u8; 4], known: &[[u8; 4]]) -> Result<Self> {
        Self::parse_part(mapping.as_slice(), Some(mapping), verify, kind, known)
    }

    /// The container in the section with this tag, which lies where this one does and was verified with it.
    ///
    /// # Errors
    /// Those of [`section`](Self::section) and [`parse`](Self::parse).
    pub fn container(&self, tag: [u8; 4], kind: [u8; 4], known: &[[u8; 4]]) -> Result<Self> {
        Self::parse_part(self.section(tag)?, self.mapping, Verify::Structure, kind, known)
    }

    fn parse_part(
        bytes: &'a [u8],
        mapping: Option<&'a Mapping>,
        verify: Verify,
        kind: [u8; 4],
        known: &[[u8; 4]],
    ) -> Result<Self> {
        let header = Header::parse(bytes)?;
        if header.kind != kind {
            return Err(Error::WrongKind {
                found: show(header.kind),
                expected: show(kind),
            });
        }
        let table = header.table(bytes)?;
        let mut sections = Vec::with_capacity(table.len() / ENTRY_LEN);
        let mut end = HEADER_LEN + table.len();
        for entry in table.chunks_exact(ENTRY_LEN) {
            let entry = Entry::parse(entry)?;
            if sections.iter().any(|(tag, _)| *tag == entry.tag) {
                return Err(Error::Malformed(format!(
                    "section `{}` is there twice",
                    show(entry.tag)
                )));
            }
            if entry.flags & OPTIONAL == 0 && !known.contains(&entry.tag) {
                return Err(Error::UnknownSection {
                    section: show(entry.tag),
                });
            }
            let section = entry.section(bytes, end)?;
            if verify == Verify::Everything {
                check(&show(entry.tag), section, entry.crc)?;
            }
            end = align(end) + section.len();
            sections.push((entry.tag, section));
        }
        match bytes.len() - end {
            0 => Ok(Self { sections, mapping }),
            left => Err(Error::Malformed(format!("{left} bytes follow the last section"))),
        }
    }

    /// Whether the bytes begin as a container does; nothing else is verified.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// The section with this tag.
    ///
    /// # Errors
    /// [`Error::MissingSection`] when there is none.
    pub fn section(&self, tag: [u8; 4]) -> Result<&'a [u8]> {
        self.optional(tag)
            .ok_or_else(|| Error::MissingSection { section: show(tag) })
    }

    /// The section with this tag, if there is one.
    pub fn optional(&self, tag: [u8; 4]) -> Option<&'a [u8]> {
        self.sections.iter().find(|(t, _)| *t == tag).map(|(_, bytes)| *bytes)
    }

    /// Bytes of a section to keep: standing on the mapped file if there is one, otherwise as a copy.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn own(&self, bytes: &[u8]) -> Result<AlignedBytes> {
        AlignedBytes::of(bytes, self.mapping)
    }

    /// Tags of all sections, in the order they were written.
    pub fn tags(&self) -> impl Iterator<Item = [u8; 4]> {
        self.sections.iter().map(|(tag, _)| *tag)
    }
}

struct Header {
    kind: [u8; 4],
    sections: u32,
    table_crc: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self> {
        if !Container::is_one(bytes) {
            return Err(Error::NotAContainer { len: bytes.len() });
        }
        let mut cursor = Cursor::new(bytes);
        let header: [u8; HEADER_LEN] = cursor.array("container header")?;
        let (checked, crc) = header.split_at(HEADER_CRC_AT);
        check("header", checked, Cursor::new(crc).u32("header checksum")?)?;

        let mut cursor = Cursor::new(checked);
        cursor.take(MAGIC.len(), "magic")?;
        let version = cursor.u32("format version")?;
        if version > FORMAT_VERSION {
            return Err(Error::NewerVersion {
                what: "the container",
                found: version,
                known: FORMAT_VERSION,
            });
        }
        let kind = cursor.array("kind")?;
        let flags = cursor.u32("flags")?;
        let sections = cursor.u32("section count")?;
        let total = cursor.u64("total length")?;
        let table_crc = cursor.u32("table checksum")?;
        let reserved = cursor.take(cursor.bytes_left(), "reserved bytes")?;
        if version == 0 || flags != 0 || reserved.iter().any(|byte| *byte != 0) {
            return Err(Error::Malformed("a reserved field of its header is in use".into()));
        }
        if total != bytes.len() as u64 {
            return Err(Error::Malformed(format!(
                "it says it has {total} bytes, but {} are there",
                bytes.len()
            )));
        }
        Ok(Self {
            kind,
            sections,
            table_crc,
        })
    }

    fn table<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let mut cursor = Cursor::new(bytes);
        cursor.take(HEADER_LEN, "container header")?;
        let table = cursor.items(self.sections.into(), ENTRY_LEN, "section table")?;
        check("table", table, self.table_crc)?;
        Ok(table)
    }
}

struct Entry {
    tag: [u8; 4],
    flags: u32,
    offset: u64,
    len: u64,
    crc: u32,
}

impl Entry {
    fn parse(entry: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(entry);
        let tag = cursor.array("tag")?;
        let flags = cursor.u32("section flags")?;
        let (offset, len) = (cursor.u64("section offset")?, cursor.u64("section length")?);
        let crc = cursor.u32("section checksum")?;
        if flags & !OPTIONAL != 0 || cursor.u32("reserved bytes")? != 0 {
            return Err(Error::Malformed(format!(
                "a reserved field of section `{}` is in use",
                show(tag)
            )));
        }
        Ok(Self {
            tag,
            flags,
            offset,
            len,
            crc,
        })
    }

    /// The section's bytes, which begin at the next multiple of 64 after `end`.
    fn section<'a>(&self, bytes: &'a [u8], end: usize) -> Result<&'a [u8]> {
        let start = align(end);
        if self.offset != start as u64 {
            let tag = show(self.tag);
            return Err(Error::Malformed(format!(
                "section `{tag}` is at byte {}, expected {start}",
                self.offset
            )));
        }
        let mut cursor = Cursor::new(&bytes[end..]);
        let padding = cursor.take(start - end, "padding")?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Error::Malformed(format!(
                "the padding before section `{}` is not zero",
                show(self.tag)
            )));
        }
        cursor.items(self.len, 1, "section")
    }
}

fn check(section: &str, bytes: &[u8], expected: u32) -> Result<()> {
    let found = crc32c(bytes);
    if found == expected {
        return Ok(());
    }
    Err(Error::DamagedSection {
        section: section.into(),
        found,
        expected,
    })
}

const fn align(at: usize) -> usize {
    at.next_multiple_of(ALIGNMENT)
}
