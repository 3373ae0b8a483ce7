//! `ilod`: inverted lists in a file of their own, which the file of the index names.
//!
//! The name is whatever the writer chose. Only what it ends with is believed, and looked for in one folder that the
//! caller knows; links are not followed.

use anear_bytes::Mapping;

use super::sink::Sink;
use super::source::Source;
use super::unsound;
use crate::{Extent, Ivf, ListFile, Result};

/// Of a list: its size, its capacity and where it begins.
const EXTENT: usize = 3 * size_of::<u64>();

/// Of a free place: where it begins and its bytes.
const FREE: usize = 2 * size_of::<u64>();

pub(super) fn read(index: &mut Ivf, source: &mut Source<'_>) -> Result<()> {
    let extents = source.items_of_count(EXTENT, "places of lists")?;
    source.items_of_count(FREE, "free places")?;
    let name = source.bytes("name of the file of lists")?;
    let size = source.size("size of the file of lists")?;
    let (name, data) = open_lists(&name.escape_ascii().to_string(), base_name(name)?, source)?;
    let (extents, _) = extents.as_chunks();
    let file = ListFile::new(name, data, extents.iter().map(extent).collect());
    if file.size() < size {
        return Err(unsound(format!(
            "{} has {} bytes, expected {size}",
            file.name(),
            file.size()
        )));
    }
    index.map_lists(file)
}

/// What a name of a file ends with, whatever system wrote it.
fn base_name(name: &[u8]) -> Result<&str> {
    let bad = |why: &dyn std::fmt::Display| unsound(format!("its lists are in `{}`: {why}", name.escape_ascii()));
    let base = name
        .rsplit(|byte| matches!(byte, b'/' | b'\\'))
        .next()
        .unwrap_or_default();
    let base = std::str::from_utf8(base).map_err(|error| bad(&error))?;
    anear_bytes::name::check(base).map_err(|error| bad(&error))?;
    Ok(base)
}

/// Maps the file of lists that is called `name` where it was written, and `base` in the folder that the caller knows; with
/// its path there.
fn open_lists(name: &str, base: &str, source: &Source<'_>) -> Result<(String, Mapping)> {
    let Some(folder) = source.folder() else {
        return Err(unsound(format!(
            "its lists are in another file, `{name}`; read it from its folder, by its path"
        )));
    };
    let path = folder.join(base);
    match Mapping::open(&path) {
        Err(error) if error.is_not_found() => Err(unsound(format!(
            "its lists are in the file `{name}`, looked for as {}, where there is none; put it there, or say in which \
             folder it is",
            path.display()
        ))),
        opened => Ok((path.to_string_lossy().into_owned(), opened?)),
    }
}

fn extent(bytes: &[u8; EXTENT]) -> Extent {
    let (numbers, _) = bytes.as_chunks();
    let [len, capacity, offset] = [0, 1, 2].map(|i: usize| u64::from_le_bytes(numbers[i]));
    Extent { len, capacity, offset }
}

pub(super) fn write(file: &ListFile, code_len: usize, sink: &mut Sink) {
    sink.put(b"ilod");
    sink.u64(file.extents().len());
    sink.u64(code_len);
    sink.u64(file.extents().len());
    for Extent { len, capacity, offset } in file.extents() {
        for number in [len, capacity, offset] {
            sink.put(number.to_le_bytes());
        }
    }
    sink.u64(0);
    sink.bytes(file.name().as_bytes());
    sink.u64(file.size());
}
