//! The manifest: which files make up the committed version, readable JSON with a checksum of its own.
//!
//! ```text
//! {"anear":"saved store","format":1,"crc32c":"<8 digits>","store":
//! {
//!   "files": [{"name": "index.faiss", "len": 123, "sha256": "<64 digits>"}],
//!   "retired": [],
//!   "meta": {..}
//! }
//! }
//! ```
//!
//! The first line keeps this form in every later version. The checksum covers the version and everything
//! between the first line and the last.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Error, Result};

/// The greatest manifest that is written or read, in bytes.
pub(super) const LEN_MAX: u64 = 16 << 20;

const VERSION: u32 = 1;
const BEFORE_VERSION: &str = r#"{"anear":"saved store","format":"#;
const BEFORE_CHECKSUM: &str = r#","crc32c":""#;
const BEFORE_BODY: &str = "\",\"store\":\n";
const AFTER_BODY: &str = "\n}\n";

/// The committed version of a store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// The files that belong to it.
    pub(super) files: Vec<FileEntry>,
    /// Files of the version before that have no successor here, to be removed.
    pub(super) retired: Vec<FileEntry>,
    /// The caller's.
    pub(super) meta: Box<RawValue>,
}

/// A file by its final name, and how to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEntry {
    pub(super) name: String,
    pub(super) len: u64,
    pub(super) sha256: String,
}

/// Accepts metadata that is JSON.
pub(super) fn check_meta(meta: &str) -> Result<Box<RawValue>> {
    serde_json::from_str(meta).map_err(Error::Metadata)
}

impl Manifest {
    pub(super) fn encode(&self) -> String {
        let body = serde_json::to_string_pretty(self).expect("strings, numbers and checked JSON are JSON");
        let crc = checksum(&VERSION.to_string(), &body);
        format!("{BEFORE_VERSION}{VERSION}{BEFORE_CHECKSUM}{crc}{BEFORE_BODY}{body}{AFTER_BODY}")
    }

    /// The manifest in `text`, verified except for the names of its files.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let text = str::from_utf8(text).map_err(|_| Unreadable::damaged("it is not UTF-8"))?;
        let (version, crc, body) = envelope(text).ok_or_else(|| Unreadable::damaged("it has another form"))?;
        if checksum(version, body) != crc {
            return Err(Unreadable::damaged("its checksum does not match"));
        }
        let version = version
            .parse()
            .map_err(|_| Unreadable::damaged("its version is not a number"))?;
        if version > VERSION {
            return Err(Unreadable::Newer(version));
        }
        let manifest: Self = serde_json::from_str(body).map_err(|error| Unreadable::Damaged(error.to_string()))?;
        match manifest
            .files
            .iter()
            .chain(&manifest.retired)
            .find(|file| !is_sha256(&file.sha256))
        {
            None => Ok(manifest),
            Some(file) => Err(Unreadable::Damaged(format!(
                "`{}` has no SHA-256",
                file.name.escape_debug()
            ))),
        }
    }
}

/// Why a text is no manifest for this build.
#[derive(Debug)]
pub(super) enum Unreadable {
    Newer(u32),
    Damaged(String),
}

impl Unreadable {
    fn damaged(reason: &str) -> Self {
        Self::Damaged(reason.into())
    }

    /// The same as an error about the manifest at `path`.
    pub(super) fn at(self, path: &std::path::Path) -> Error {
        match self {
            Self::Newer(found) => Error::NewerVersion {
                what: "the manifest",
                found,
                known: VERSION,
            },
            Self::Damaged(reason) => Error::DamagedManifest {
                path: path.into(),
                reason,
            },
        }
    }
}

/// Version, checksum and body, if the text has the form of a manifest.
fn envelope(text: &str) -> Option<(&str, &str, &str)> {
    let rest = text.strip_prefix(BEFORE_VERSION)?.strip_suffix(AFTER_BODY)?;
    let (version, rest) = rest.split_once(BEFORE_CHECKSUM)?;
    let (crc, body) = rest.split_once(BEFORE_BODY)?;
    Some((version, crc, body))
}

fn checksum(version: &str, body: &str) -> String {
    let crc = crc32c::crc32c_append(crc32c::crc32c(version.as_bytes()), body.as_bytes());
    format!("{crc:08x}")
}

/// Digests become parts of file names, so they are looked at.
fn is_sha256(digest: &str) -> bool {
    digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let file = |name: &str| FileEntry {
            name: name.into(),
            len: 3,
            sha256: crate::digest::sha256(b"abc"),
        };
        let meta = check_meta(r#"{ "model":"x", "scale": 1.50 }"#).unwrap();
        Manifest {
            files: vec![file("index.faiss"), file("index.pkl")],
            retired: vec![file("index.old")],
            meta,
        }
    }

    fn with(change: impl FnOnce(&mut Manifest)) -> Result<Manifest, Unreadable> {
        let mut manifest = sample();
        change(&mut manifest);
        Manifest::parse(manifest.encode().as_bytes())
    }

    #[test]
    fn comes_back_to_the_letter_and_is_json() {
        let (manifest, text) = (sample(), sample().encode());
        let back = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!((&back.files, &back.retired), (&manifest.files, &manifest.retired));
        assert_eq!(back.meta.get(), r#"{ "model":"x", "scale": 1.50 }"#);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["store"]["files"][1]["name"], "index.pkl");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_detected() {
        let text = sample().encode();
        for len in 0..text.len() {
            assert!(Manifest::parse(&text.as_bytes()[..len]).is_err(), "cut to {len}");
        }
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut damaged = text.clone().into_bytes();
                damaged[at] ^= 1 << bit;
                assert!(Manifest::parse(&damaged).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    /// The text of format version 1. A change here means that stores saved by a released anear no longer
    /// load: raise the version and keep reading this one.
    #[test]
    fn version_1_is_frozen() {
        let text = Manifest {
            files: vec![],
            retired: vec![],
            meta: check_meta("null").unwrap(),
        }
        .encode();
        let first = r#"{"anear":"saved store","format":1,"crc32c":"ab377121","store":"#;
        assert_eq!(
            text,
            format!("{first}\n{{\n  \"files\": [],\n  \"retired\": [],\n  \"meta\": null\n}}\n}}\n")
        );
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let crc = checksum("2", "anything");
        let text = format!("{BEFORE_VERSION}2{BEFORE_CHECKSUM}{crc}{BEFORE_BODY}anything{AFTER_BODY}");
        assert!(matches!(Manifest::parse(text.as_bytes()), Err(Unreadable::Newer(2))));
        let text = text.replace("anything", "anythinG");
        assert!(matches!(Manifest::parse(text.as_bytes()), Err(Unreadable::Damaged(_))));
    }

    #[test]
    fn a_digest_cannot_lead_out_of_the_folder() {
        assert!(with(|_| ()).is_ok());
        assert!(with(|m| m.files[0].sha256 = format!("/../{}", "0".repeat(60))).is_err());
        assert!(with(|m| m.retired[0].sha256 = "F".repeat(64)).is_err());
        assert!(with(|m| m.files[1].sha256.push('0')).is_err());
    }
}
