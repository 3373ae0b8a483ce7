//! A Faiss file as it is read: bounded, and never deeper than Faiss itself goes.

use std::path::Path;

use anear_bytes::{AlignedBytes, Cursor, Mapping};

use super::unsound;
use crate::Result;

/// Objects may be within each other this deep, as in Faiss.
const DEPTH_MAX: usize = 50;

/// A place in a Faiss file.
pub(super) struct Source<'a> {
    cursor: Cursor<'a>,
    mapping: Option<&'a Mapping>,
    folder: Option<&'a Path>,
    depth: usize,
}

impl<'a> Source<'a> {
    /// A file, and the mapping that it lies in, if it does.
    pub(super) fn new(file: &'a [u8], mapping: Option<&'a Mapping>) -> Self {
        Self {
            cursor: Cursor::new(file),
            mapping,
            folder: None,
            depth: 0,
        }
    }

    /// The same, with other files that it names in `folder`.
    pub(super) fn beside(self, folder: &'a Path) -> Self {
        Self {
            folder: Some(folder),
            ..self
        }
    }

    /// Where files may be that this one names.
    pub(super) fn folder(&self) -> Option<&'a Path> {
        self.folder
    }

    /// Bytes of the file to keep: standing on its mapping if there is one, otherwise as a copy.
    pub(super) fn own(&self, bytes: &[u8]) -> Result<AlignedBytes> {
        Ok(AlignedBytes::of(bytes, self.mapping)?)
    }

    /// Everything was read.
    pub(super) fn finish(self) -> Result<()> {
        Ok(self.cursor.finish()?)
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> usize {
        self.cursor.offset()
    }

    /// The four characters an object begins with.
    pub(super) fn code(&mut self) -> Result<[u8; 4]> {
        Ok(self.cursor.array("index code")?)
    }

    /// Reads what is within an object.
    pub(super) fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH_MAX {
            return Err(unsound(format!("more than {DEPTH_MAX} objects within each other")));
        }
        self.depth += 1;
        let object = read(self);
        self.depth -= 1;
        object
    }

    pub(super) fn bool(&mut self, what: &'static str) -> Result<bool> {
        Ok(self.cursor.bool(what)?)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8> {
        Ok(self.cursor.u8(what)?)
    }

    pub(super) fn i32(&mut self, what: &'static str) -> Result<i32> {
        Ok(self.cursor.i32(what)?)
    }

    pub(super) fn i64(&mut self, what: &'static str) -> Result<i64> {
        Ok(self.cursor.i64(what)?)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64> {
        Ok(self.cursor.u64(what)?)
    }

    pub(super) fn f32(&mut self, what: &'static str) -> Result<f32> {
        Ok(f32::from_le_bytes(self.cursor.array(what)?))
    }

    /// A number of things in memory.
    pub(super) fn size(&mut self, what: &'static str) -> Result<usize> {
        let value = self.u64(what)?;
        usize::try_from(value).map_err(|_| unsound(format!("{what} is {value}, more than this machine can hold")))
    }

    /// `count` items of `size` bytes.
    pub(super) fn items(&mut self, count: usize, size: usize, what: &'static str) -> Result<&'a [u8]> {
        Ok(self.cursor.items(count as u64, size, what)?)
    }

    /// As many bytes as the number before them says.
    pub(super) fn bytes(&mut self, what: &'static str) -> Result<&'a [u8]> {
        self.items_of_count(1, what)
    }

    /// The codes of a flat index, to keep.
    pub(super) fn codes(&mut self) -> Result<AlignedBytes> {
        let codes = self.bytes("codes")?;
        self.own(codes)
    }

    /// As many four-byte words as the number before them says.
    pub(super) fn words(&mut self, what: &'static str) -> Result<&'a [u8]> {
        self.items_of_count(size_of::<f32>(), what)
    }

    /// As many items of `size` bytes as the number before them says.
    pub(super) fn items_of_count(&mut self, size: usize, what: &'static str) -> Result<&'a [u8]> {
        Ok(self.cursor.counted_items(size, what)?)
    }

    /// Numbers of four bytes, as many as the number before them says.
    pub(super) fn u32s(&mut self, what: &'static str) -> Result<Vec<u32>> {
        let (numbers, _) = self.words(what)?.as_chunks();
        Ok(numbers.iter().map(|number| u32::from_le_bytes(*number)).collect())
    }

    /// As many floats as the number before them says.
    pub(super) fn floats(&mut self, what: &'static str) -> Result<Vec<f32>> {
        let (floats, _) = self.words(what)?.as_chunks();
        Ok(floats.iter().map(|float| f32::from_le_bytes(*float)).collect())
    }

    /// As many ids as the number before them says.
    pub(super) fn ids(&mut self, what: &'static str) -> Result<Vec<u64>> {
        labels(self.items_of_count(size_of::<i64>(), what)?)
    }

    /// Numbers of eight bytes, as many as the number before them says.
    pub(super) fn sizes(&mut self, what: &'static str) -> Result<Vec<u64>> {
        let (sizes, _) = self.items_of_count(size_of::<u64>(), what)?.as_chunks();
        Ok(sizes.iter().map(|size| u64::from_le_bytes(*size)).collect())
    }
}

/// Ids as Faiss keeps them, signed.
pub(super) fn labels(bytes: &[u8]) -> Result<Vec<u64>> {
    let (ids, _) = bytes.as_chunks();
    let label =
        |id: i64| u64::try_from(id).map_err(|_| unsound(format!("it has the id {id}; ids must not be negative")));
    ids.iter().map(|id| label(i64::from_le_bytes(*id))).collect()
}
