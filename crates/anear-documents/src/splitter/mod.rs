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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::executor::block_on;

    use super::*;
    use crate::Value;

    fn words(chunk_size: usize, chunk_overlap: usize) -> CharacterTextSplitter {
        CharacterTextSplitter::new(SplitOptions::sized(chunk_size, chunk_overlap))
            .unwrap()
            .with_separator(" ")
    }

    #[test]
    fn sizes_that_cannot_be_are_refused_in_the_words_of_the_reference() {
        let refusal = |size, overlap| {
            let options = SplitOptions::sized(size, overlap);
            let error = CharacterTextSplitter::new(options.clone()).unwrap_err().to_string();
            assert_eq!(
                RecursiveCharacterTextSplitter::new(options).unwrap_err().to_string(),
                error
            );
            error
        };
        assert_eq!(refusal(0, 0), "chunk_size must be > 0, got 0");
        assert_eq!(
            refusal(10, 11),
            "Got a larger chunk overlap (11) than chunk size (10), should be smaller."
        );
        assert!(CharacterTextSplitter::new(SplitOptions::sized(10, 10)).is_ok());
    }

    #[test]
    fn a_separator_that_is_no_regex_or_gives_up_is_named() {
        let error = words(10, 0).with_separator_regex("(a").unwrap_err().to_string();
        assert!(
            error.contains("separator `(a` is not a valid regular expression"),
            "{error}"
        );
        let hungry = words(10, 0).with_separator_regex(r"(?:a|b|ab)*(c)d\1").unwrap();
        let error = hungry
            .split_text(&format!("{}cde cdc", "ab".repeat(100)))
            .unwrap_err()
            .to_string();
        assert!(error.contains("backtracks too much"), "{error}");
    }

    #[test]
    fn an_oversized_chunk_is_heard_of_unless_it_is_the_last() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hook = {
            let heard = Arc::clone(&heard);
            OversizedHook::from_fn(move |len, size| heard.lock().unwrap().push((len, size)))
        };
        let options = SplitOptions {
            on_oversized: Some(hook),
            ..SplitOptions::sized(3, 0)
        };
        let splitter = CharacterTextSplitter::new(options).unwrap().with_separator(" ");
        assert_eq!(
            splitter.split_text("abcde fg hijklm").unwrap(),
            ["abcde", "fg", "hijklm"]
        );
        assert_eq!(*heard.lock().unwrap(), [(5, 3)]);
    }

    #[test]
    fn chunks_inherit_metadata_and_no_id() {
        let document = Document::new("one two three").with_id("a").with_metadata("source", "s");
        let options = SplitOptions {
            add_start_index: true,
            ..SplitOptions::sized(7, 3)
        };
        let splitter = CharacterTextSplitter::new(options).unwrap().with_separator(" ");
        let chunks = splitter.split_documents(&[document.clone(), document]).unwrap();
        let starts: Vec<_> = chunks
            .iter()
            .map(|chunk| chunk.metadata["start_index"].as_i64().unwrap())
            .collect();
        assert_eq!(starts, [0, 8, 0, 8]);
        assert!(
            chunks
                .iter()
                .all(|chunk| chunk.id.is_none() && chunk.metadata["source"] == Value::from("s"))
        );
    }

    #[test]
    fn fewer_metadatas_than_texts_are_refused() {
        let error = words(10, 0)
            .create_documents(&["a", "b"], &[Metadata::new()])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 texts need 2 metadatas, got 1; give one for each text or none at all"
        );
        assert_eq!(words(10, 0).create_documents(&["a", "b"], &[]).unwrap().len(), 2);
    }

    #[test]
    fn the_awaited_way_gives_the_same() {
        let splitter: Arc<dyn TextSplitter> = Arc::new(words(7, 3));
        let text = "one two three four";
        let document = Document::new(text);
        assert_eq!(
            block_on(splitter.asplit_text(text.into())).unwrap(),
            splitter.split_text(text).unwrap()
        );
        assert_eq!(
            block_on(splitter.asplit_documents(vec![document.clone()])).unwrap(),
            splitter.split_documents(&[document]).unwrap()
        );
        assert_eq!(
            block_on(splitter.acreate_documents(vec![text.into()], Vec::new())).unwrap(),
            splitter.create_documents(&[text], &[]).unwrap()
        );
    }
}
