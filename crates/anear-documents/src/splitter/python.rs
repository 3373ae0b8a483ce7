//! Regular expressions from Python's syntax to fancy-regex's.
//!
//! The two agree on most patterns. Rewritten here is what they read differently: whitespace (Python counts U+001C to
//! U+001F), word characters and boundaries (Python counts letters, numbers and `_`, no marks), `$` (Python also before a last newline),
//! `\Z`, escaped `<` and `>`, a `{` that begins no repetition, and characters that mean more inside brackets here. Not
//! rewritten: octal escapes, and inline flags in the middle of a pattern.

use std::iter::Peekable;
use std::str::Chars;

/// A character of a word.
const WORD: &str = r"[\p{L}\p{N}_]";

/// The pattern in fancy-regex's syntax; what is wrong in both is left for its compiler to refuse.
pub(super) fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern.chars().peekable();
    // With the flag `m`, `$` means the same in both.
    let multiline = inline_flags(pattern).contains('m');
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, &mut out),
            '[' => class(&mut rest, &mut out),
            '$' if !multiline => out.push_str(r"(?=\n?\z)"),
            '{' => repetition(&mut rest, &mut out),
            _ => out.push(c),
        }
    }
    out
}

fn inline_flags(pattern: &str) -> &str {
    let flags = pattern.strip_prefix("(?").and_then(|rest| rest.split_once(')'));
    flags
        .map_or("", |(flags, _)| flags)
        .trim_end_matches(|c: char| !c.is_ascii_alphabetic())
}

fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    match rest.next() {
        Some('s') => out.push_str(r"[\s\x1c-\x1f]"),
        Some('S') => out.push_str(r"[^\s\x1c-\x1f]"),
        Some('w') => out.push_str(WORD),
        Some('W') => out.push_str(r"[^\p{L}\p{N}_]"),
        Some('b') => out.extend(["(?:(?<=", WORD, ")(?!", WORD, ")|(?<!", WORD, ")(?=", WORD, "))"]),
        Some('B') => out.extend(["(?:(?<=", WORD, ")(?=", WORD, ")|(?<!", WORD, ")(?!", WORD, "))"]),
        Some('Z') => out.push_str(r"\z"),
        other => plain_escape(other, out),
    }
}

/// An escape that means the same in both, or the character alone where only Python escapes it.
fn plain_escape(escaped: Option<char>, out: &mut String) {
    match escaped {
        Some(c) if matches!(c, '<' | '>' | '\n') || !c.is_ascii() => out.push(c),
        Some(c) => out.extend(['\\', c]),
        None => out.push('\\'),
    }
}

fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    // A first `]` stands for itself.
    if rest.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    while let Some(c) = rest.next() {
        match c {
            ']' => {
                out.push(']');
                return;
            }
            '\\' => match rest.next() {
                Some('s') => out.push_str(r"\s\x1c-\x1f"),
                Some('S') => out.push_str(r"[^\s\x1c-\x1f]"),
                Some('w') => out.push_str(r"\p{L}\p{N}_"),
                Some('W') => out.push_str(r"[^\p{L}\p{N}_]"),
                Some('b') => out.push_str(r"\x08"),
                other => plain_escape(other, out),
            },
            '[' | '&' | '~' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
}

/// `{n}`, `{n,}`, `{,m}` or `{n,m}` repeat; any other `{` stands for itself.
fn repetition(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let ahead: String = rest.clone().take_while(|&c| c != '}').collect();
    let closed = rest.clone().nth(ahead.chars().count()) == Some('}');
    let (low, high) = ahead.split_once(',').unwrap_or((&ahead, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !closed || !digits(low) || !digits(high) || ahead.is_empty() {
        out.push_str(r"\{");
        return;
    }
    out.push('{');
    if low.is_empty() {
        out.push('0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_reads_differently_is_rewritten() {
        for (python, ours) in [
            (r"\n+", r"\n+"),
            (r"a{2,3}b{,4}c{5}", r"a{2,3}b{0,4}c{5}"),
            (r"\\chapter{x}", r"\\chapter\{x}"),
            ("{}{a}{", r"\{}\{a}\{"),
            ("a$", r"a(?=\n?\z)"),
            ("(?m)^a$", "(?m)^a$"),
            (r"[\s,]+\Z", r"[\s\x1c-\x1f,]+\z"),
            (r"[]a[&&b]", r"[\]a\[\&\&b]"),
            (r"[^\]$]", r"[^\]$]"),
            (r"\<\>\é", "<>é"),
            (r"\w[\w]", r"[\p{L}\p{N}_][\p{L}\p{N}_]"),
        ] {
            assert_eq!(translate(python), ours, "{python}");
            assert!(fancy_regex::Regex::new(ours).is_ok(), "{ours}");
        }
    }
}
