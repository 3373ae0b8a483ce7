//! Binary indexes in anear's own container: checksummed and versioned.
//!
//! ```text
//! container of kind `bidx`
//!   head   version u32
//!   body   the index as Faiss would write it
//! ```
//!
//! Faiss's layout holds everything a binary index is, so there is no second one; what it lacks is a way to notice damage.

use anear_bytes::{Container, ContainerWriter, Cursor};

use super::{BinaryIndex, read_binary_index, write_binary_index};
use crate::{Error, Result};

const KIND: [u8; 4] = *b"bidx";
const HEAD: [u8; 4] = *b"head";
const BODY: [u8; 4] = *b"body";
const VERSION: u32 = 1;

/// The index as one block of bytes, which [`from_bytes`] reads.
///
/// ```
/// use anear_index::binary::{BinaryIndex, BinarySpec, from_bytes, to_bytes};
/// use anear_kernels::Bits;
///
/// let mut index = "BHNSW16".parse::<BinarySpec>()?.build(16)?;
/// index.add(Bits::new(&[1, 2, 3, 4], 2).unwrap())?;
/// let restored = from_bytes(&to_bytes(&*index)?)?;
/// assert_eq!(restored.reconstruct(1)?, [3, 4]);
/// # Ok::<(), anear_index::Error>(())
/// ```
///
/// # Errors
/// [`Error::Unsupported`] for an index of a type that is not this crate's.
pub fn to_bytes(index: &dyn BinaryIndex) -> Result<Vec<u8>> {
    let body = write_binary_index(index)?;
    let container = ContainerWriter::new(KIND).section(HEAD, VERSION.to_le_bytes().to_vec());
    Ok(container.section(BODY, body).finish())
}

/// The index that [`to_bytes`] wrote.
///
/// # Errors
/// [`Error::Bytes`] when the bytes were cut or changed, [`Error::NewerIndex`] when a later anear wrote them, and those
/// of [`read_binary_index`].
pub fn from_bytes(bytes: &[u8]) -> Result<Box<dyn BinaryIndex>> {
    let container = Container::parse(bytes, KIND, &[HEAD, BODY])?;
    let mut head = Cursor::new(container.section(HEAD)?);
    let found = head.u32("index version")?;
    head.finish()?;
    match found {
        VERSION => read_binary_index(container.section(BODY)?),
        0 => Err(Error::Damaged("it has version 0, which no anear wrote".into())),
        _ => Err(Error::NewerIndex { found, known: VERSION }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::BinaryFlat;

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let mut index = BinaryFlat::new(8).unwrap();
        index.add(anear_kernels::Bits::new(&[1, 2, 3], 1).unwrap()).unwrap();
        let whole = to_bytes(&index).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(from_bytes(&bytes).is_err(), "bit {bit}");
        }
        assert!((0..whole.len()).all(|len| from_bytes(&whole[..len]).is_err()));
    }

    #[test]
    fn only_a_newer_version_asks_for_an_update() {
        let with_version = |version: u32| {
            let container = ContainerWriter::new(KIND).section(HEAD, version.to_le_bytes().to_vec());
            from_bytes(&container.section(BODY, vec![]).finish()).unwrap_err()
        };
        assert!(matches!(with_version(2), Error::NewerIndex { found: 2, known: 1 }));
        assert!(matches!(with_version(0), Error::Damaged(_)));
    }
}
