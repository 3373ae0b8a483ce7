//! Everything that can go wrong with bytes, one variant per outcome that a caller acts on.

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
}

/// A tag or kind as it is shown in messages.
pub(crate) fn show(tag: [u8; 4]) -> String {
    tag.escape_ascii().to_string()
}
