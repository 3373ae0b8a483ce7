//! Everything that can go wrong with bytes, one variant per outcome that a caller acts on.

use std::io;
use std::path::{Path, PathBuf};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong with a buffer, a container, a file or a saved folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system has no memory for a buffer of this many bytes.
    #[error("no memory for {len} bytes")]
    OutOfMemory {
        /// Bytes asked for.
        len: usize,
    },

    /// The bytes do not begin as anear's container does.
    #[error("these {len} bytes are not an anear container; they do not begin with `ANEARBOX`")]
    NotAContainer {
        /// Bytes there.
        len: usize,
    },
    /// The container or manifest was written by a later version of anear.
    #[error("{what} has format version {found}, this anear reads up to {known}; update anear to read it")]
    NewerVersion {
        /// Container or manifest.
        what: &'static str,
        /// The version it carries.
        found: u32,
        /// The newest version that this build reads.
        known: u32,
    },
    /// The container is whole, but holds another kind of thing.
    #[error("the container holds `{found}`, expected `{expected}`")]
    WrongKind {
        /// Its kind.
        found: String,
        /// The kind asked for.
        expected: String,
    },
    /// A checksum does not match: bytes changed since they were written.
    #[error("section `{section}` is damaged (checksum {found:08x}, expected {expected:08x})")]
    DamagedSection {
        /// Tag of the section; `header` and `table` are the container's own.
        section: String,
        /// CRC32C of the bytes there.
        found: u32,
        /// CRC32C written beside them.
        expected: u32,
    },
    /// The container is cut short, has bytes after its end, or contradicts itself.
    #[error("the container is malformed: {0}")]
    Malformed(String),
    /// The container lacks a section that the reader needs.
    #[error("the container has no section `{section}`")]
    MissingSection {
        /// Tag of the section.
        section: String,
    },
    /// The container has a section that this reader does not know and may not skip.
    #[error("the container has a section `{section}` that this anear does not know; update anear to read it")]
    UnknownSection {
        /// Tag of the section.
        section: String,
    },

    /// A foreign file ends before what it announces.
    #[error("{what} at byte {offset} needs {needed} bytes, but only {left} are left")]
    Short {
        /// What was being read.
        what: &'static str,
        /// Where it begins.
        offset: usize,
        /// Bytes it needs; more than fits in 64 bits is `u64::MAX`.
        needed: u64,
        /// Bytes that remain in the file.
        left: usize,
    },
    /// A foreign file holds a value that its format does not allow.
    #[error("{what} at byte {offset} is {value}, expected {expected}")]
    Value {
        /// What was being read.
        what: &'static str,
        /// Where it begins.
        offset: usize,
        /// The value there.
        value: u64,
        /// The values allowed.
        expected: &'static str,
    },
    /// A foreign file goes on after its last field.
    #[error("{left} bytes are left over after byte {offset}, where the file should end")]
    TrailingBytes {
        /// Where the last field ends.
        offset: usize,
        /// Bytes after it.
        left: usize,
    },

    /// A name that may not become part of a file's name.
    #[error("`{name}` cannot name a saved store: {rule}", name = name.escape_debug())]
    Name {
        /// The name, as given.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },

    /// The system refused an access to a file or folder.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried: read, create, rename ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why the system refused.
        source: io::Error,
    },
    /// Only regular files are opened: no links, folders, pipes or devices.
    #[error("{path} is {found}, expected a regular file")]
    NotAFile {
        /// What was to be read.
        path: PathBuf,
        /// What it is, with its article.
        found: &'static str,
    },
    /// The file is longer than its reader allows.
    #[error("{path} has {len} bytes, more than the {limit} allowed here")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
        /// The greatest length allowed.
        limit: u64,
    },
    /// Another writer is at work on the same store.
    #[error("another save to the same store is under way ({path} is locked); try again when it is done")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },

    /// A save failed before its commit: nothing changed, and saving again is safe.
    #[error("nothing was saved, what {dir} held is as it was: {source}")]
    NotSaved {
        /// The store's folder.
        dir: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// A save failed at its commit: the folder holds the old or the new version, whole in either case.
    #[error("the new version in {dir} may or may not survive a power cut, save again: {source}")]
    Unknown {
        /// The store's folder.
        dir: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// A save failed after its commit: anear loads the new version, other programs may not see it yet.
    #[error("saved in {dir}, but not every file has its final name yet, save again: {source}")]
    Unpublished {
        /// The store's folder.
        dir: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// The manifest of a saved store is not what was written.
    #[error("the manifest {path} is damaged: {reason}")]
    DamagedManifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of a saved store is not the one that its manifest names.
    #[error(
        "{path} is damaged or was replaced by another program (it has {found}, saved were {expected}); to load \
         what is there without this check, remove {manifest}", manifest = manifest.display()
    )]
    DamagedFile {
        /// The file, under its final name.
        path: PathBuf,
        /// Length and SHA-256 of what is there, or that nothing is.
        found: String,
        /// Length and SHA-256 of what was saved.
        expected: String,
        /// The manifest that says so.
        manifest: PathBuf,
    },
    /// The store was replaced again and again while it was being read.
    #[error("the store in {dir} was saved {attempts} times while it was being loaded; load it again")]
    Busy {
        /// The store's folder.
        dir: PathBuf,
        /// How often reading began anew.
        attempts: usize,
    },
    /// A payload's file name is not `<stem>.<extension>`, or is there twice.
    #[error("`{name}` cannot name a file of the saved store `{stem}`: {rule}", name = name.escape_debug())]
    PayloadName {
        /// The file name, as given.
        name: String,
        /// The store's name.
        stem: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The metadata of a save is not JSON.
    #[error("the metadata to save is not JSON: {0}")]
    Metadata(serde_json::Error),
}

impl Error {
    /// The error of a refused access, which remembers what was tried on what.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.into(),
            source,
        }
    }

    /// Whether there was no file or folder at the path.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// A tag or kind as it is shown in messages.
pub(crate) fn show(tag: [u8; 4]) -> String {
    tag.escape_ascii().to_string()
}
