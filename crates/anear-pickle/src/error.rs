//! What can be wrong with a pickle, or with a value that should become one.

/// The result of reading or writing a pickle.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A pickle that cannot be read as data, or a value that cannot be written as one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The pickle names a class or function outside the fixed table of data types.
    #[error(
        "the pickle names `{}.{}`, which is refused: only data can be loaded from a pickle, never code",
        printable(module),
        printable(name)
    )]
    Forbidden {
        /// The module, as the pickle spells it.
        module: String,
        /// The name in it, as the pickle spells it.
        name: String,
    },
    /// The pickle uses an opcode that is unknown, or that data never needs.
    #[error("the pickle uses opcode {name} (0x{opcode:02x}) at byte {at}, which is refused: plain data never needs it")]
    Opcode {
        /// The opcode's byte.
        opcode: u8,
        /// Its name in Python's `pickletools`, or `unknown`.
        name: &'static str,
        /// Its position in the pickle.
        at: usize,
    },
    /// The pickle ends early, or declares a length beyond its end.
    #[error("the pickle is cut short: {needed} bytes are declared at byte {at}, {left} are left")]
    Truncated {
        /// Position from which bytes were needed.
        at: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes left.
        left: usize,
    },
    /// The opcodes do not fit together.
    #[error("the pickle is damaged at byte {at}: {what}")]
    Malformed {
        /// Position of the opcode.
        at: usize,
        /// What does not fit.
        what: &'static str,
    },
    /// A class of the table is used with arguments or a state that the class does not have.
    #[error("the pickle misuses `{class}`: {what}")]
    Shape {
        /// The class, in Python's spelling.
        class: &'static str,
        /// What is wrong, or was expected.
        what: &'static str,
    },
    /// The pickle asks for more than [`Limits`](crate::Limits) grant.
    #[error("the pickle goes beyond the limit of {limit} {what}; raise `Limits::{field}` for a file you trust")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// The field of [`Limits`](crate::Limits) that holds it.
        field: &'static str,
    },
    /// The pickle is well-formed data, but not what LangChain saves.
    #[error("the pickle is no LangChain store: expected {expected}")]
    NotAStore {
        /// What should have been there.
        expected: &'static str,
    },
    /// A vector's position names a document that the docstore does not hold.
    #[error("position {position} of the index names document `{id}`, which the docstore does not hold")]
    MissingDocument {
        /// Position of the vector.
        position: i64,
        /// Identifier of the document.
        id: String,
    },
    /// Two documents have the same identifier (as text).
    #[error("two documents have the id `{id}`")]
    DuplicateId {
        /// The identifier.
        id: String,
    },
    /// Two keys of one document's metadata are the same text.
    #[error("two metadata keys of document `{id}` are both written `{key}`")]
    DuplicateKey {
        /// Identifier of the document.
        id: String,
        /// The key as text.
        key: String,
    },
    /// The value has no pickle that Python or this crate would read back.
    #[error("the value cannot be written as a pickle: {what}")]
    Unwritable {
        /// Why.
        what: &'static str,
    },
}

/// `text` from an untrusted file: control characters escaped, at most 100 characters.
fn printable(text: &str) -> String {
    let mut shown: String = text.chars().take(100).flat_map(char::escape_debug).collect();
    if text.chars().nth(100).is_some() {
        shown.push('…');
    }
    shown
}
