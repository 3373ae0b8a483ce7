//! The one way in which parsing can fail: a name that is not on the list.

use std::{error, fmt};

/// A metric or instruction set was asked for by a name that does not exist; says which names do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    what: &'static str,
    name: String,
    known: Vec<&'static str>,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown {} `{}`; known: {}",
            self.what,
            self.name,
            self.known.join(", ")
        )
    }
}

impl error::Error for UnknownName {}

/// The value in `all` that is called `name`.
pub(crate) fn parse<T: Copy>(
    what: &'static str,
    all: &[T],
    called: fn(T) -> &'static str,
    name: &str,
) -> Result<T, UnknownName> {
    let unknown = || UnknownName {
        what,
        name: name.to_owned(),
        known: all.iter().map(|&value| called(value)).collect(),
    };
    all.iter()
        .copied()
        .find(|&value| called(value) == name)
        .ok_or_else(unknown)
}
