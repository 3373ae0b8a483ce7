//! The bytes of a file, wherever they are.

use std::ops::Deref;

use crate::Mapping;

/// The bytes of a file: read, or mapped.
#[derive(Clone, Debug)]
pub enum Contents {
    /// In memory.
    Read(Vec<u8>),
    /// In memory only where they are looked at.
    Mapped(Mapping),
}

impl Contents {
    /// The mapping whose bytes these are, if they are not in memory.
    pub fn mapping(&self) -> Option<&Mapping> {
        match self {
            Self::Read(_) => None,
            Self::Mapped(mapping) => Some(mapping),
        }
    }
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Read(bytes) => bytes,
            Self::Mapped(mapping) => mapping.as_slice(),
        }
    }
}

/// By their bytes.
impl PartialEq for Contents {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Contents {}
