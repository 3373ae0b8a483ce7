//! A cursor over the bytes of a pickle; every length is checked against what is left.

use crate::{Error, Result};

/// The unread rest of a pickle.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Position of the next byte.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Number of unread bytes.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `len` bytes.
    pub(crate) fn take(&mut self, len: u64) -> Result<&'a [u8]> {
        let short = Error::Truncated {
            at: self.at,
            needed: len,
            left: self.left(),
        };
        let len = usize::try_from(len)
            .ok()
            .filter(|len| *len <= self.left())
            .ok_or(short)?;
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.try_into().expect("`take` gives as many bytes as asked for"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The bytes up to the next line feed, which is consumed but not returned.
    pub(crate) fn line(&mut self) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let short = Error::Truncated {
            at: self.at,
            needed: rest.len() as u64 + 1,
            left: rest.len(),
        };
        let len = rest.iter().position(|byte| *byte == b'\n').ok_or(short)?;
        self.at += len + 1;
        Ok(&rest[..len])
    }
}
