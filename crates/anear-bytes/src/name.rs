//! What may name a saved store: a name that stays in its folder on every system.

use crate::{Error, Result};

/// The longest name, in characters.
const CHARS_MAX: usize = 100;
/// The longest name, in bytes: file systems allow 255, of which staged files need the rest.
const BYTES_MAX: usize = 180;

/// Accepts a name that can become part of a file's name: a letter, digit or `_`, then up to 99 of
/// letters, digits, `.`, `_`, `-` and spaces, letters in any language.
///
/// # Errors
/// [`Error::Name`] names the rule that the name breaks: empty, too long, another character (a
/// separator, NUL, a control character), a `..`, a dot or space at its end, a Windows device.
///
/// ```
/// use anear_bytes::name;
/// assert!(name::check("index").is_ok() && name::check("색인 2024.v1").is_ok());
/// for bad in ["", "../index", "a/b", "a\0", "nul", ".hidden", "a..b", "end "] {
///     assert!(name::check(bad).is_err());
/// }
/// ```
pub fn check(name: &str) -> Result<()> {
    match broken_rule(name) {
        None => Ok(()),
        Some(rule) => Err(Error::Name {
            name: name.chars().take(CHARS_MAX).collect(),
            rule,
        }),
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    let first = name.chars().next();
    if first.is_none() {
        Some("it is empty")
    } else if name.len() > BYTES_MAX || name.chars().count() > CHARS_MAX {
        Some("it is longer than 100 characters or 180 bytes")
    } else if !first.is_some_and(starts_a_name) {
        Some("it must begin with a letter, a digit or `_`")
    } else if !name.chars().all(|c| starts_a_name(c) || matches!(c, '.' | '-' | ' ')) {
        Some("only letters, digits, `.`, `_`, `-` and spaces are allowed")
    } else if name.contains("..") {
        Some("it contains `..`")
    } else if name.ends_with(['.', ' ']) {
        Some("it ends with a dot or a space")
    } else if is_device(name) {
        Some("it is the name of a device on Windows")
    } else {
        None
    }
}

fn starts_a_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric() || (!c.is_ascii() && c.is_alphanumeric())
}

/// `CON`, `con.txt`, `Lpt1`: Windows opens the device, whatever the extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    match stem.as_str() {
        "con" | "prn" | "aux" | "nul" => true,
        port => port
            .strip_prefix("com")
            .or_else(|| port.strip_prefix("lpt"))
            .is_some_and(|digit| ["1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"].contains(&digit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_accepted() {
        let longest = "x".repeat(100);
        for name in [
            "index",
            "_x",
            "7",
            "my index-2.v1",
            "색인",
            "naïve",
            "console",
            "com10",
            "nullable",
            &longest,
        ] {
            assert!(check(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_leave_the_folder_or_break_a_system_are_refused() {
        let (long, wide) = ("x".repeat(101), "색".repeat(61));
        let bad = [
            "",
            ".",
            "..",
            "../x",
            "a/../b",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "C:x",
            "a:b",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            "a\u{202e}b",
            "a\u{85}b",
            " a",
            "-a",
            ".a",
            "a.",
            "a ",
            "a..b",
            "a*b",
            "a?b",
            "a|b",
            "<a>",
            "\"a\"",
            "CON",
            "con.txt",
            "Aux",
            "nul .x",
            "COM1",
            "lpt9.faiss",
            "com¹",
            "a\u{2028}b",
            "\u{ff0f}",
            &long,
            &wide,
        ];
        for name in bad {
            assert!(matches!(check(name), Err(Error::Name { .. })), "{name:?} was accepted");
        }
    }

    #[test]
    fn the_error_shows_the_name_and_the_rule() {
        let error = check("a\0b").unwrap_err().to_string();
        assert_eq!(
            error,
            r"`a\0b` cannot name a saved store: only letters, digits, `.`, `_`, `-` and spaces are allowed"
        );
    }
}
