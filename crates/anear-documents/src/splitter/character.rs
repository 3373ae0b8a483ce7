//! A splitter with one separator.

use super::merge::Merger;
use super::pattern::Pattern;
use super::pieces::for_each_piece;
use super::{KeepSeparator, SplitOptions, TextSplitter};
use crate::Result;

/// Cuts at one separator and merges the pieces up to the chunk size (LangChain's `CharacterTextSplitter`).
///
/// A piece longer than the chunk size stays whole. Separators are left out of pieces and put back between merged ones
/// unless [`keep_separator`](SplitOptions::keep_separator) says otherwise. As in LangChain, what is put back for a
/// regular expression is its source, not what it matched: use `KeepSeparator::Start` or `End` with one.
///
/// ```
/// use anear_documents::{CharacterTextSplitter, SplitOptions, TextSplitter};
///
/// let splitter = CharacterTextSplitter::new(SplitOptions::sized(11, 0))?.with_separator(". ");
/// assert_eq!(splitter.split_text("One. Two. Three.")?, ["One. Two", "Three."]);
/// # Ok::<(), anear_documents::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CharacterTextSplitter {
    separator: Pattern,
    options: SplitOptions,
}

impl CharacterTextSplitter {
    /// A splitter at blank lines (`"\n\n"`).
    ///
    /// # Errors
    /// [`Error::ChunkSize`](crate::Error::ChunkSize) or [`Error::ChunkOverlap`](crate::Error::ChunkOverlap).
    pub fn new(options: SplitOptions) -> Result<Self> {
        options.check()?;
        Ok(Self {
            separator: Pattern::literal("\n\n"),
            options,
        })
    }

    /// The same splitter with another separator; the empty one cuts between all characters.
    #[must_use]
    pub fn with_separator(mut self, separator: impl Into<String>) -> Self {
        self.separator = Pattern::literal(separator);
        self
    }

    /// The same splitter with a regular expression as separator, in Python's syntax.
    ///
    /// # Errors
    /// [`Error::SeparatorRegex`](crate::Error::SeparatorRegex).
    pub fn with_separator_regex(mut self, separator: impl Into<String>) -> Result<Self> {
        self.separator = Pattern::regex(separator)?;
        Ok(self)
    }
}

impl TextSplitter for CharacterTextSplitter {
    fn options(&self) -> &SplitOptions {
        &self.options
    }

    fn split_text(&self, text: &str) -> Result<Vec<String>> {
        let keep = self.options.keep_separator.unwrap_or(KeepSeparator::No);
        let put_back = keep == KeepSeparator::No && !self.separator.is_lookaround();
        let mut merger = Merger::new(&self.options, if put_back { self.separator.source() } else { "" });
        let mut chunks = Vec::new();
        for_each_piece(text, &self.separator, keep, |piece| {
            let len = self.options.length.of(&piece);
            merger.push(piece, len, &mut chunks);
            Ok(())
        })?;
        merger.finish(&mut chunks);
        Ok(chunks)
    }
}
