//! What the codes of an index take.

use std::ops::Add;

use anear_bytes::AlignedBytes;
use anear_quant::Codes;

/// Bytes of an index's codes, and of [`Near`](crate::Near)'s graph. Ids, other links and what was learned are always in
/// memory, and not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// In memory of the process's own.
    pub owned: usize,
    /// In a mapped file: in memory only where they are looked at, as long as the system likes.
    pub mapped: usize,
}

impl From<&Codes> for Memory {
    fn from(codes: &Codes) -> Self {
        let bytes = codes.as_bytes().len();
        match codes.are_mapped() {
            true => Self {
                owned: 0,
                mapped: bytes,
            },
            false => Self {
                owned: bytes,
                mapped: 0,
            },
        }
    }
}

impl From<&AlignedBytes> for Memory {
    fn from(bytes: &AlignedBytes) -> Self {
        match bytes.is_mapped() {
            true => Self {
                owned: 0,
                mapped: bytes.len(),
            },
            false => Self {
                owned: bytes.len(),
                mapped: 0,
            },
        }
    }
}

impl Add for Memory {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            owned: self.owned + other.owned,
            mapped: self.mapped + other.mapped,
        }
    }
}
