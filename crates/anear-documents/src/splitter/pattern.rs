//! A separator, compiled, and where it matches.

use std::ops::Range;

use fancy_regex::Regex;

use super::python;
use crate::{Error, Result};

/// A separator as given, ready to be searched for.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    source: String,
    matcher: Matcher,
}

#[derive(Clone, Debug)]
enum Matcher {
    /// Between any two characters.
    Everywhere,
    Literal,
    Regex(Box<Compiled>),
}

#[derive(Clone, Debug)]
struct Compiled {
    regex: Regex,
    /// Finds only matches that do not end where the search begins.
    advancing: Regex,
    /// Number of groups.
    groups: usize,
}

impl Pattern {
    /// The separator as plain text.
    pub(super) fn literal(source: impl Into<String>) -> Self {
        let source = source.into();
        let matcher = if source.is_empty() {
            Matcher::Everywhere
        } else {
            Matcher::Literal
        };
        Self { source, matcher }
    }

    /// The separator as a regular expression in Python's syntax.
    pub(super) fn regex(source: impl Into<String>) -> Result<Self> {
        let source = source.into();
        let matcher = if source.is_empty() {
            Matcher::Everywhere
        } else {
            Matcher::Regex(Box::new(Compiled::new(&source)?))
        };
        Ok(Self { source, matcher })
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Whether the text falls into its characters.
    pub(super) fn is_everywhere(&self) -> bool {
        matches!(self.matcher, Matcher::Everywhere)
    }

    /// Whether it is a regular expression that begins with a lookaround, whose matches have no text.
    pub(super) fn is_lookaround(&self) -> bool {
        let starts = ["(?=", "(?<!", "(?<=", "(?!"];
        matches!(self.matcher, Matcher::Regex(_)) && starts.iter().any(|start| self.source.starts_with(start))
    }

    /// Number of groups of a regular expression.
    pub(super) fn groups(&self) -> usize {
        match &self.matcher {
            Matcher::Regex(compiled) => compiled.groups,
            _ => 0,
        }
    }

    /// Whether it occurs in the text.
    pub(super) fn occurs_in(&self, text: &str) -> Result<bool> {
        match &self.matcher {
            Matcher::Everywhere => Ok(true),
            Matcher::Literal => Ok(text.contains(&self.source)),
            Matcher::Regex(compiled) => compiled.regex.is_match(text).map_err(|source| self.gave_up(source)),
        }
    }

    /// The next match after `last`, as Python's `re.split` goes on: an empty match may follow any match, but not twice
    /// at one place.
    pub(super) fn next_match(&self, text: &str, last: Option<&Range<usize>>) -> Result<Option<Range<usize>>> {
        let from = last.map_or(0, |last| last.end);
        match &self.matcher {
            Matcher::Everywhere => Ok(None),
            Matcher::Literal => Ok(text[from..].find(&self.source).map(|at| {
                let start = from + at;
                start..start + self.source.len()
            })),
            Matcher::Regex(compiled) => {
                let after_empty = last.is_some_and(Range::is_empty);
                let regex = if after_empty {
                    &compiled.advancing
                } else {
                    &compiled.regex
                };
                let found = regex.find_from_pos(text, from).map_err(|source| self.gave_up(source))?;
                Ok(found.map(|found| found.range()))
            }
        }
    }

    /// The text of each group of a match, where the group took part in it.
    pub(super) fn group_texts<'t>(&self, text: &'t str, at: &Range<usize>) -> Result<Vec<Option<&'t str>>> {
        let Matcher::Regex(compiled) = &self.matcher else {
            return Ok(Vec::new());
        };
        let captures = compiled
            .regex
            .captures_from_pos(text, at.start)
            .map_err(|source| self.gave_up(source))?;
        let texts = captures.map(|captures| {
            captures
                .iter()
                .skip(1)
                .map(|group| group.map(|group| group.as_str()))
                .collect()
        });
        Ok(texts.unwrap_or_default())
    }

    fn gave_up(&self, source: fancy_regex::Error) -> Error {
        Error::SeparatorMatch {
            pattern: self.source.clone(),
            source: Box::new(source),
        }
    }
}

impl Compiled {
    fn new(source: &str) -> Result<Self> {
        let translated = python::translate(source);
        let compile = |pattern: &str| {
            Regex::new(pattern).map_err(|error| Error::SeparatorRegex {
                pattern: source.to_owned(),
                source: Box::new(error),
            })
        };
        let regex = compile(&translated)?;
        let groups = regex.captures_len() - 1;
        // `\G` is where the search began: the negative lookahead refuses an empty match there.
        let advancing = compile(&format!("(?:{translated})(?!\\G)"))?;
        Ok(Self {
            regex,
            advancing,
            groups,
        })
    }
}
