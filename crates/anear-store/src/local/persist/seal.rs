//! What makes LangChain's pickle a store of ours: settings and a digest, where Python does not look.
//!
//! ```text
//! pickle   LangChain's, except that it begins by making the text `anear` and dropping it
//! meta     JSON
//! 8        length of the meta, u64, little-endian
//! 64       SHA-256 of everything before, in hexadecimal
//! 8        magic `ANEARPKL`
//! ```
//!
//! Python reads a pickle up to its own end and ignores what follows. The dropped text tells a sealed pickle that lost
//! its seal from one of LangChain's, which never had any.
//!
//! The pickle of a folder has a manifest beside it instead of a seal. The text that it makes and drops is `anear ` and the
//! meta, so that a store whose manifest was lost still says how its vectors are compared.

use anear_bytes::digest::sha256;

use crate::error::{Error, Result};

/// The opcode PROTO 4, with which our pickles begin.
const PROTO: [u8; 2] = *b"\x80\x04";
/// SHORT_BINUNICODE and POP.
const MARK: [u8; 8] = *b"\x8c\x05anear0";
/// BINUNICODE, before the length of the text, and POP behind it.
const TEXT: u8 = b'X';
const POP: u8 = b'0';
/// What the text of a folder's pickle begins with.
const NOTE: &str = "anear ";
const MAGIC: [u8; 8] = *b"ANEARPKL";
const DIGEST_LEN: usize = 64;

/// The two under one seal.
pub(super) fn close(mut pickle: Vec<u8>, meta: &str) -> Vec<u8> {
    assert!(pickle.starts_with(&PROTO), "our pickles begin with their protocol");
    pickle.splice(PROTO.len()..PROTO.len(), MARK);
    pickle.extend(meta.as_bytes());
    pickle.extend((meta.len() as u64).to_le_bytes());
    let digest = sha256(&pickle);
    pickle.extend(digest.as_bytes());
    pickle.extend(MAGIC);
    pickle
}

/// Whether these bytes were sealed once, though they may have been damaged since.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let marked = bytes.strip_prefix(&PROTO).is_some_and(|rest| rest.starts_with(&MARK));
    marked || bytes.ends_with(&MAGIC)
}

/// The pickle and the meta, exactly as they were sealed.
pub(super) fn open(bytes: &[u8]) -> Result<(&[u8], &str)> {
    let body = bytes.strip_suffix(&MAGIC);
    let Some((sealed, digest)) = body.and_then(|body| body.split_last_chunk::<DIGEST_LEN>()) else {
        return Err(Error::Meta("its end is missing; it was cut short".to_owned()));
    };
    if sha256(sealed).as_bytes() != digest {
        return Err(Error::Meta("its digest is not the one it was saved with".to_owned()));
    }
    split(sealed).ok_or_else(|| Error::Meta("the length of its settings is wrong".to_owned()))
}

/// The pickle of a folder, with a note of the meta.
pub(super) fn noted(mut pickle: Vec<u8>, meta: &str) -> Vec<u8> {
    assert!(pickle.starts_with(&PROTO), "our pickles begin with their protocol");
    // A longer meta has no place in a pickle; the manifest has it.
    let Ok(len) = u32::try_from(NOTE.len() + meta.len()) else {
        return pickle;
    };
    let note = [
        &[TEXT][..],
        &len.to_le_bytes(),
        NOTE.as_bytes(),
        meta.as_bytes(),
        &[POP],
    ]
    .concat();
    pickle.splice(PROTO.len()..PROTO.len(), note);
    pickle
}

/// The meta that [`noted`] put into a pickle; `None` for one of LangChain's.
pub(super) fn note(pickle: &[u8]) -> Option<&str> {
    let (len, rest) = pickle
        .strip_prefix(&PROTO)?
        .strip_prefix(&[TEXT])?
        .split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    rest.starts_with(&[POP]).then_some(())?;
    std::str::from_utf8(text).ok()?.strip_prefix(NOTE)
}

fn split(sealed: &[u8]) -> Option<(&[u8], &str)> {
    let (content, len) = sealed.split_last_chunk()?;
    let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
    let (pickle, meta) = content.split_at_checked(content.len().checked_sub(len)?)?;
    Some((pickle, std::str::from_utf8(meta).ok()?))
}
