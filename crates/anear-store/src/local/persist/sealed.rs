//! A saved store as bytes that LangChain opens too: its pickle, and behind it a seal.
//!
//! Python's `pickle.loads` reads up to the pickle's STOP and ignores what follows. There stands what LangChain's form
//! cannot say, and a digest:
//!
//! | bytes | what |
//! |---|---|
//! | | the pickle of `(index, docstore, index_to_docstore_id)`, which ends with [`MARK`] |
//! | | [`Meta`] as JSON |
//! | 64 | SHA-256 of everything before, in hexadecimal digits |
//! | 8 | length of the JSON, little-endian |
//! | 8 | [`MAGIC`] |

use anear_bytes::digest::sha256;
use anear_index::VectorIndex;
use anear_index::compat::faiss::write_index;
use anear_kernels::Metric;
use anear_pickle::FaissClass;

use super::meta::Meta;
use super::{Opened, Saved};
use crate::compat::langchain::to_docstore;
use crate::error::{Error, Result};

const MAGIC: [u8; 8] = *b"ANEARSL1";
const DIGEST_LEN: usize = 64;
const LEN_LEN: usize = 8;

/// The end of a pickle that has a seal: the last object is remembered four times, though nobody asks for it, then STOP.
/// Python takes no notice, and a pickle whose seal was cut off is known by it.
const MARK: [u8; 9] = *b"q\x01q\x00q\x01q\x00.";
const STOP: [u8; 1] = *b".";

/// LangChain's pickle of a store and its seal. `None` for a store whose dimension is not known: without an index
/// LangChain has no form for it.
pub(super) fn write(saved: &Saved) -> Result<Option<Vec<u8>>> {
    let Some(index) = saved.index() else { return Ok(None) };
    let documents = saved.segment.iter().flat_map(|segment| segment.documents().iter());
    let docstore = to_docstore(documents)?;
    let mut bytes = anear_pickle::write_bytes_pkl(class_of(index), &write_index(index)?, &docstore)?;
    bytes.truncate(bytes.len() - STOP.len());
    bytes.extend(MARK);
    let meta = saved.meta.to_json()?;
    bytes.extend(meta.as_bytes());
    let digest = sha256(&bytes);
    bytes.extend(digest.as_bytes());
    bytes.extend((meta.len() as u64).to_le_bytes());
    bytes.extend(MAGIC);
    Ok(Some(bytes))
}

/// The class that holds this index in Faiss; cosine indexes are written as products of unit vectors.
fn class_of(index: &dyn VectorIndex) -> FaissClass {
    match index.metric() {
        Metric::L2 => FaissClass::FLAT_L2,
        Metric::InnerProduct | Metric::Cosine => FaissClass::FLAT_IP,
        _ => FaissClass::FLAT,
    }
}

/// The store in sealed bytes; `None` for bytes without a seal.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Opened>> {
    let Some(sealed) = bytes.strip_suffix(&MAGIC) else {
        return match bytes.ends_with(&MARK) {
            true => Err(damaged("the seal behind the pickle is missing")),
            false => Ok(None),
        };
    };
    let (sealed, len) = split_end(sealed, LEN_LEN)?;
    let (covered, digest) = split_end(sealed, DIGEST_LEN)?;
    if sha256(covered).as_bytes() != digest {
        return Err(damaged("the bytes do not have the digest that was written with them"));
    }
    let len = <[u8; LEN_LEN]>::try_from(len).map_or(u64::MAX, u64::from_le_bytes);
    let (pickle, meta) = split_end(covered, usize::try_from(len).unwrap_or(usize::MAX))?;
    let meta = std::str::from_utf8(meta).map_err(|error| Error::Meta(error.to_string()))?;
    let opened = super::bytes::langchains(pickle)?;
    Ok(Some(Opened {
        meta: Some(Meta::from_json(meta)?),
        ..opened
    }))
}

fn split_end(bytes: &[u8], len: usize) -> Result<(&[u8], &[u8])> {
    let at = bytes.len().checked_sub(len);
    at.map(|at| bytes.split_at(at))
        .ok_or_else(|| damaged("it is shorter than its seal says"))
}

fn damaged(what: &str) -> Error {
    Error::Meta(what.to_owned())
}
