//! What all splitters can be told.

use std::fmt;
use std::sync::Arc;

use crate::{Error, Result};

/// Sizes and choices of a splitter; the defaults are LangChain's.
///
/// ```
/// use anear_documents::{CharacterTextSplitter, SplitOptions};
///
/// let options = SplitOptions { add_start_index: true, ..SplitOptions::sized(1000, 100) };
/// let splitter = CharacterTextSplitter::new(options)?;
/// # let _ = splitter;
/// let error = CharacterTextSplitter::new(SplitOptions::sized(10, 11)).unwrap_err();
/// assert!(error.to_string().starts_with("Got a larger chunk overlap (11) than chunk size (10)"));
/// # Ok::<(), anear_documents::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SplitOptions {
    /// Longest chunk that merging makes, as `length` counts; 4000. A piece without a separator may be longer.
    pub chunk_size: usize,
    /// How much of a chunk's end the next one may repeat; 200.
    pub chunk_overlap: usize,
    /// How lengths are counted; code points.
    pub length: LengthFunction,
    /// What becomes of separators; `None` is the splitter's own default.
    pub keep_separator: Option<KeepSeparator>,
    /// Whether each chunk's metadata says where it begins; no.
    pub add_start_index: bool,
    /// Whether chunks lose the whitespace at both ends; yes.
    pub strip_whitespace: bool,
    /// Called for chunks that are longer than `chunk_size`; nothing.
    pub on_oversized: Option<OversizedHook>,
}

/// What becomes of the separators between pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepSeparator {
    /// They are left out, and put back where pieces are merged.
    No,
    /// Each begins the piece that follows it.
    Start,
    /// Each ends the piece before it.
    End,
}

impl SplitOptions {
    /// The defaults with these sizes.
    pub fn sized(chunk_size: usize, chunk_overlap: usize) -> Self {
        Self {
            chunk_size,
            chunk_overlap,
            ..Self::default()
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.chunk_size == 0 {
            return Err(Error::ChunkSize(0));
        }
        if self.chunk_overlap > self.chunk_size {
            return Err(Error::ChunkOverlap {
                overlap: self.chunk_overlap,
                size: self.chunk_size,
            });
        }
        Ok(())
    }
}

impl Default for SplitOptions {
    fn default() -> Self {
        Self {
            chunk_size: 4000,
            chunk_overlap: 200,
            length: LengthFunction::Chars,
            keep_separator: None,
            add_start_index: false,
            strip_whitespace: true,
            on_oversized: None,
        }
    }
}

/// How the length of a text is counted.
#[derive(Clone, Default)]
pub enum LengthFunction {
    /// In Unicode code points, as Python's `len` does.
    #[default]
    Chars,
    /// By code, for instance in tokens of a tokenizer; called once for each piece.
    Custom(Arc<dyn Fn(&str) -> usize + Send + Sync>),
}

impl LengthFunction {
    /// Lengths by code.
    pub fn from_fn(length: impl Fn(&str) -> usize + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(length))
    }

    pub(super) fn of(&self, text: &str) -> usize {
        match self {
            Self::Chars => text.chars().count(),
            Self::Custom(length) => length(text),
        }
    }
}

impl fmt::Debug for LengthFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chars => "Chars",
            Self::Custom(_) => "Custom(..)",
        })
    }
}

/// Hears of a chunk longer than the chunk size: its length and that size. As in LangChain, not of a text's last chunk.
#[derive(Clone)]
pub struct OversizedHook(Arc<dyn Fn(usize, usize) + Send + Sync>);

impl OversizedHook {
    /// A hook that calls `hear(length, chunk_size)`.
    pub fn from_fn(hear: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(super) fn call(&self, length: usize, chunk_size: usize) {
        (self.0)(length, chunk_size);
    }
}

impl fmt::Debug for OversizedHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OversizedHook(..)")
    }
}
