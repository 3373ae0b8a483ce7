//! A splitter with several separators, from coarse to fine.

use super::merge::Merger;
use super::pattern::Pattern;
use super::pieces::for_each_piece;
use super::{KeepSeparator, Language, SplitOptions, TextSplitter};
use crate::Result;

/// Cuts at the first separator that occurs, and pieces that are too long at the next ones (LangChain's
/// `RecursiveCharacterTextSplitter`).
///
/// Pieces shorter than the chunk size are merged; a piece of the chunk size or more is cut further, and stays whole
/// when no separator is left. Separators begin the piece that follows them unless
/// [`keep_separator`](SplitOptions::keep_separator) says otherwise.
///
/// ```
/// use anear_documents::{RecursiveCharacterTextSplitter, SplitOptions, TextSplitter};
///
/// let splitter = RecursiveCharacterTextSplitter::new(SplitOptions::sized(12, 4))?;
/// assert_eq!(splitter.split_text("one two\n\nthree four five")?, ["one two", "three four", "five"]);
/// # Ok::<(), anear_documents::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RecursiveCharacterTextSplitter {
    separators: Vec<Pattern>,
    options: SplitOptions,
}

/// The separators that need no language: paragraphs, lines, words, characters.
const SEPARATORS: [&str; 4] = ["\n\n", "\n", " ", ""];

impl RecursiveCharacterTextSplitter {
    /// A splitter at blank lines, else line ends, else blanks, else anywhere.
    ///
    /// # Errors
    /// [`Error::ChunkSize`](crate::Error::ChunkSize) or [`Error::ChunkOverlap`](crate::Error::ChunkOverlap).
    pub fn new(options: SplitOptions) -> Result<Self> {
        options.check()?;
        let separators = SEPARATORS.map(Pattern::literal).to_vec();
        Ok(Self { separators, options })
    }

    /// A splitter at the places where a language begins something new.
    ///
    /// # Errors
    /// As [`new`](RecursiveCharacterTextSplitter::new).
    pub fn from_language(language: Language, options: SplitOptions) -> Result<Self> {
        Self::new(options)?.with_separator_regexes(language.separators())
    }

    /// The same splitter with other separators, coarse ones first; none means those of
    /// [`new`](RecursiveCharacterTextSplitter::new).
    #[must_use]
    pub fn with_separators(mut self, separators: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.separators = separators.into_iter().map(Pattern::literal).collect();
        if self.separators.is_empty() {
            self.separators = SEPARATORS.map(Pattern::literal).to_vec();
        }
        self
    }

    /// The same splitter with regular expressions as separators, in Python's syntax; none means those of
    /// [`new`](RecursiveCharacterTextSplitter::new).
    ///
    /// # Errors
    /// [`Error::SeparatorRegex`](crate::Error::SeparatorRegex).
    pub fn with_separator_regexes(mut self, separators: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        self.separators = separators.into_iter().map(Pattern::regex).collect::<Result<_>>()?;
        if self.separators.is_empty() {
            self.separators = SEPARATORS.map(Pattern::literal).to_vec();
        }
        Ok(self)
    }

    fn split_at(&self, text: &str, separators: &[Pattern], chunks: &mut Vec<String>) -> Result<()> {
        let (separator, finer) = choose(text, separators)?;
        let keep = self.options.keep_separator.unwrap_or(KeepSeparator::Start);
        let between = if keep == KeepSeparator::No {
            separator.source()
        } else {
            ""
        };
        let mut merger = Merger::new(&self.options, between);
        for_each_piece(text, separator, keep, |piece| {
            let len = self.options.length.of(&piece);
            if len < self.options.chunk_size {
                merger.push(piece, len, chunks);
                return Ok(());
            }
            merger.finish(chunks);
            if finer.is_empty() {
                chunks.push(piece.into_owned());
                Ok(())
            } else {
                self.split_at(&piece, finer, chunks)
            }
        })?;
        merger.finish(chunks);
        Ok(())
    }
}

/// The first separator that occurs, and those after it; if none occurs, the last one, and nothing after it.
fn choose<'s>(text: &str, separators: &'s [Pattern]) -> Result<(&'s Pattern, &'s [Pattern])> {
    for (position, separator) in separators.iter().enumerate() {
        if separator.is_everywhere() {
            return Ok((separator, &[]));
        }
        if separator.occurs_in(text)? {
            return Ok((separator, &separators[position + 1..]));
        }
    }
    Ok((&separators[separators.len() - 1], &[]))
}

impl TextSplitter for RecursiveCharacterTextSplitter {
    fn options(&self) -> &SplitOptions {
        &self.options
    }

    fn split_text(&self, text: &str) -> Result<Vec<String>> {
        let mut chunks = Vec::new();
        self.split_at(text, &self.separators, &mut chunks)?;
        Ok(chunks)
    }
}
