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

use anear_bytes::digest::sha256;

use crate::error::{Error, Result};

/// The opcode PROTO 4, with which our pickles begin.
const PROTO: [u8; 2] = *b"\x80\x04";
/// SHORT_BINUNICODE and POP.
const MARK: [u8; 8] = *b"\x8c\x05anear0";
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

fn split(sealed: &[u8]) -> Option<(&[u8], &str)> {
    let (content, len) = sealed.split_last_chunk()?;
    let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
    let (pickle, meta) = content.split_at_checked(content.len().checked_sub(len)?)?;
    Some((pickle, std::str::from_utf8(meta).ok()?))
}
