//! Reading files that others wrote: bounded, little-endian, allocating nothing.

use crate::{Error, Result};

/// A place in a foreign file, from which fields are read in order.
///
/// Nothing a file says is believed: a count must fit in the bytes that remain before anyone acts on it.
/// Every method takes the name of what is read, for the error message.
///
/// ```
/// # use anear_bytes::Cursor;
/// let file = [2, 0, 0, 0, b'h', b'i'];
/// let mut cursor = Cursor::new(&file);
/// let count = cursor.u32("text length")?;
/// assert_eq!(cursor.items(count.into(), 1, "text")?, b"hi");
/// cursor.finish()?;
///
/// let error = Cursor::new(&file[..3]).u32("text length").unwrap_err();
/// assert_eq!(error.to_string(), "text length at byte 0 needs 4 bytes, but only 3 are left");
/// # Ok::<(), anear_bytes::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    left: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor before the first byte of `file`.
    pub const fn new(file: &'a [u8]) -> Self {
        Self { left: file, offset: 0 }
    }

    /// Bytes read so far.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes that remain.
    pub const fn bytes_left(&self) -> usize {
        self.left.len()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer remain.
    pub fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8]> {
        let (taken, left) = self
            .left
            .split_at_checked(len)
            .ok_or_else(|| self.short(len as u64, what))?;
        self.left = left;
        self.offset += len;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer remain.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let (taken, left) = self
            .left
            .split_first_chunk()
            .ok_or_else(|| self.short(N as u64, what))?;
        self.left = left;
        self.offset += N;
        Ok(*taken)
    }

    /// The bytes of `count` items of `size` bytes each.
    ///
    /// # Errors
    /// [`Error::Short`] when the product overflows or exceeds what remains.
    pub fn items(&mut self, count: u64, size: usize, what: &'static str) -> Result<&'a [u8]> {
        let needed = count.saturating_mul(size as u64);
        let len = usize::try_from(needed).map_err(|_| self.short(needed, what))?;
        self.take(len, what)
    }

    /// The bytes of as many items of `size` bytes as the leading `u64` says.
    ///
    /// This is how Faiss writes a vector of anything.
    ///
    /// # Errors
    /// [`Error::Short`] when the count itself or its items exceed what remains.
    pub fn counted_items(&mut self, size: usize, what: &'static str) -> Result<&'a [u8]> {
        let count = self.u64(what)?;
        self.items(count, size, what)
    }

    /// One unsigned byte.
    ///
    /// # Errors
    /// [`Error::Short`] at the end.
    pub fn u8(&mut self, what: &'static str) -> Result<u8> {
        self.array(what).map(u8::from_le_bytes)
    }

    /// Two bytes as an unsigned number.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer remain.
    pub fn u16(&mut self, what: &'static str) -> Result<u16> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// Four bytes as an unsigned number.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer remain.
    pub fn u32(&mut self, what: &'static str) -> Result<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// Eight bytes as an unsigned number.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer remain.
    pub fn u64(&mut self, what: &'static str) -> Result<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Four bytes as a signed number.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer remain.
    pub fn i32(&mut self, what: &'static str) -> Result<i32> {
        self.array(what).map(i32::from_le_bytes)
    }

    /// Eight bytes as a signed number.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer remain.
    pub fn i64(&mut self, what: &'static str) -> Result<i64> {
        self.array(what).map(i64::from_le_bytes)
    }

    /// One byte that is 0 or 1.
    ///
    /// # Errors
    /// [`Error::Short`] at the end, [`Error::Value`] for any other byte.
    pub fn bool(&mut self, what: &'static str) -> Result<bool> {
        let offset = self.offset;
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Error::Value {
                what,
                offset,
                value: other.into(),
                expected: "0 or 1",
            }),
        }
    }

    /// Says that all was read.
    ///
    /// # Errors
    /// [`Error::TrailingBytes`] when something remains.
    pub const fn finish(self) -> Result<()> {
        match self.left.len() {
            0 => Ok(()),
            left => Err(Error::TrailingBytes {
                offset: self.offset,
                left,
            }),
        }
    }

    const fn short(&self, needed: u64, what: &'static str) -> Error {
        Error::Short {
            what,
            offset: self.offset,
            needed,
            left: self.left.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian() {
        let mut file = Vec::new();
        file.extend(7u8.to_le_bytes());
        file.extend(0x1234u16.to_le_bytes());
        file.extend(0x1234_5678u32.to_le_bytes());
        file.extend((u64::MAX - 1).to_le_bytes());
        file.extend((-5i32).to_le_bytes());
        file.extend(i64::MIN.to_le_bytes());
        file.push(1);
        let mut cursor = Cursor::new(&file);
        assert_eq!(cursor.u8("a").unwrap(), 7);
        assert_eq!(cursor.u16("b").unwrap(), 0x1234);
        assert_eq!(cursor.u32("c").unwrap(), 0x1234_5678);
        assert_eq!(cursor.u64("d").unwrap(), u64::MAX - 1);
        assert_eq!(cursor.i32("e").unwrap(), -5);
        assert_eq!(cursor.i64("f").unwrap(), i64::MIN);
        assert!(cursor.bool("g").unwrap());
        assert_eq!((cursor.offset(), cursor.bytes_left()), (file.len(), 0));
        cursor.finish().unwrap();
    }

    #[test]
    fn a_lying_count_is_refused_and_nothing_is_consumed() {
        for (count, size) in [(3, 1), (u64::MAX, 1), (u64::MAX, 8), (1 << 63, 2), (1 << 61, 8)] {
            let mut cursor = Cursor::new(b"ab");
            let error = cursor.items(count, size, "codes").unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::Short {
                        what: "codes",
                        offset: 0,
                        left: 2,
                        ..
                    }
                ),
                "{error}"
            );
            assert_eq!(cursor.bytes_left(), 2);
        }
    }

    #[test]
    fn every_cut_of_a_counted_list_is_refused() {
        let mut file = 3u64.to_le_bytes().to_vec();
        file.extend([1; 12]);
        for len in 0..file.len() {
            assert!(
                Cursor::new(&file[..len]).counted_items(4, "ids").is_err(),
                "cut at {len}"
            );
        }
        assert_eq!(Cursor::new(&file).counted_items(4, "ids").unwrap(), [1; 12]);
    }

    #[test]
    fn leftovers_and_odd_bools_are_named() {
        let mut cursor = Cursor::new(&[0, 2, 9]);
        assert!(!cursor.bool("flag").unwrap());
        assert_eq!(
            cursor.bool("flag").unwrap_err().to_string(),
            "flag at byte 1 is 2, expected 0 or 1"
        );
        let error = cursor.finish().unwrap_err().to_string();
        assert_eq!(error, "1 bytes are left over after byte 2, where the file should end");
    }
}
