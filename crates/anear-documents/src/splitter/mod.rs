//! Cutting texts into chunks that fit an embedding model.
//!
//! Both splitters give the chunks that langchain-text-splitters 1.1.3 gives (`tests/splits.rs` replays its answers):
//! a text falls into pieces at a separator (`pattern.rs`, `pieces.rs`), and neighboring pieces are merged up to the
//! chunk size with an overlap (`merge.rs`). Separators of programming languages are in `language.rs`.

mod character;
mod language;
mod merge;
mod options;
mod pattern;
mod pieces;
mod python;
mod recursive;
mod start_index;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use anear_pool::Pool;

pub use self::character::CharacterTextSplitter;
pub use self::language::Language;
pub use self::options::{KeepSeparator, LengthFunction, OversizedHook, SplitOptions};
pub use self::recursive::RecursiveCharacterTextSplitter;
use self::start_index::StartIndex;
use crate::{Document, Error, Metadata, Result};

/// The metadata name under which a chunk's place is kept when `add_start_index` is set.
const START_INDEX: &str = "start_index";

/// Cuts texts into chunks.
pub trait TextSplitter: fmt::Debug + Send + Sync {
    /// The sizes and choices that all splitters share.
    fn options(&self) -> &SplitOptions;

    /// The chunks of a text, in order.
    ///
    /// # Errors
    /// [`Error::SeparatorMatch`] when a separator that is a regular expression gives up.
    fn split_text(&self, text: &str) -> Result<Vec<String>>;

    /// The chunks of texts as documents, each with a copy of its text's metadata.
    ///
    /// With `add_start_index`, the metadata `start_index` is the chunk's place in its text in code points, or -1 when
    /// the chunk does not stand there literally (its whitespace was stripped or its separators replaced).
    ///
    /// # Errors
    /// [`Error::MetadataCount`] when there are metadatas but fewer than texts, and those of
    /// [`split_text`](TextSplitter::split_text).
    fn create_documents(&self, texts: &[&str], metadatas: &[Metadata]) -> Result<Vec<Document>> {
        if !metadatas.is_empty() && metadatas.len() < texts.len() {
            return Err(Error::MetadataCount {
                texts: texts.len(),
                metadatas: metadatas.len(),
            });
        }
        let none = Metadata::new();
        let mut documents = Vec::new();
        for (position, text) in texts.iter().enumerate() {
            let metadata = metadatas.get(position).unwrap_or(&none);
            documents.extend(chunks(self.options(), text, metadata, self.split_text(text)?));
        }
        Ok(documents)
    }

    /// The chunks of documents, each with a copy of its document's metadata and no id.
    ///
    /// # Errors
    /// As [`split_text`](TextSplitter::split_text).
    fn split_documents(&self, documents: &[Document]) -> Result<Vec<Document>> {
        let mut all = Vec::new();
        for document in documents {
            let split = self.split_text(&document.page_content)?;
            all.extend(chunks(
                self.options(),
                &document.page_content,
                &document.metadata,
                split,
            ));
        }
        Ok(all)
    }
}

fn chunks(options: &SplitOptions, text: &str, metadata: &Metadata, chunks: Vec<String>) -> Vec<Document> {
    let mut place = options
        .add_start_index
        .then(|| StartIndex::new(text, options.chunk_overlap));
    let document = |chunk: String| {
        let mut metadata = metadata.clone();
        if let Some(place) = &mut place {
            metadata.insert(START_INDEX.into(), place.of(&chunk).into());
        }
        Document {
            id: None,
            page_content: chunk,
            metadata,
        }
    };
    chunks.into_iter().map(document).collect()
}

impl<T: TextSplitter + ?Sized> TextSplitter for Arc<T> {
    fn options(&self) -> &SplitOptions {
        (**self).options()
    }

    fn split_text(&self, text: &str) -> Result<Vec<String>> {
        (**self).split_text(text)
    }
}

/// The same work on the compute pool, awaited; every splitter that can be cloned has it, `Arc<dyn TextSplitter>` too.
///
/// ```
/// # futures::executor::block_on(async {
/// use anear_documents::{AsyncTextSplitter, RecursiveCharacterTextSplitter, SplitOptions};
///
/// let splitter = RecursiveCharacterTextSplitter::new(SplitOptions::sized(10, 0))?;
/// assert_eq!(splitter.asplit_text("one two three four".into()).await?, ["one two", "three", "four"]);
/// # Ok::<(), anear_documents::Error>(()) }).unwrap();
/// ```
pub trait AsyncTextSplitter: TextSplitter + Clone + 'static {
    /// [`TextSplitter::split_text`] on the compute pool.
    fn asplit_text(&self, text: String) -> impl Future<Output = Result<Vec<String>>> + Send {
        let splitter = self.clone();
        async move { Pool::global().run(move || splitter.split_text(&text)).await? }
    }

    /// [`TextSplitter::create_documents`] on the compute pool.
    fn acreate_documents(
        &self,
        texts: Vec<String>,
        metadatas: Vec<Metadata>,
    ) -> impl Future<Output = Result<Vec<Document>>> + Send {
        let splitter = self.clone();
        let work = move || {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            splitter.create_documents(&texts, &metadatas)
        };
        async move { Pool::global().run(work).await? }
    }

    /// [`TextSplitter::split_documents`] on the compute pool.
    fn asplit_documents(&self, documents: Vec<Document>) -> impl Future<Output = Result<Vec<Document>>> + Send {
        let splitter = self.clone();
        async move { Pool::global().run(move || splitter.split_documents(&documents)).await? }
    }
}

impl<T: TextSplitter + Clone + 'static> AsyncTextSplitter for T {}
