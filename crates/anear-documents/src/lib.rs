//! What was said: documents and their metadata, filters over it, loaders and text splitters.
//!
//! | to | use |
//! |---|---|
//! | describe a text | [`Document`], [`Metadata`], [`Value`], [`DateTime`], [`Foreign`] |
//! | say which documents are wanted | [`Filter`] (data) or a closure, both as [`DocumentFilter`] |
//! | keep a batch and select from it fast | [`DocumentSet`] |
//! | keep documents by id behind a trait | [`Docstore`], [`InMemoryDocstore`] |
//! | read a text file | [`TextLoader`] |
//! | cut a text into chunks | [`CharacterTextSplitter`], [`RecursiveCharacterTextSplitter`] |
//!
//! ```
//! use anear_documents::{Document, DocumentSet, Filter};
//!
//! let set = DocumentSet::new(vec![
//!     Document::new("foo").with_id("a").with_metadata("page", 1),
//!     Document::new("bar").with_id("b").with_metadata("page", 2),
//! ])?;
//! let filter: Filter = r#"{"page": {"$gt": 1}}"#.parse()?;
//! let selected = set.select(&filter.into())?;
//! assert_eq!(selected.iter().collect::<Vec<_>>(), [1]);
//! # Ok::<(), anear_documents::Error>(())
//! ```
//!
//! Vectors are unknown here; what a text means as numbers is another crate's business.
#![forbid(unsafe_code)]

mod docstore;
mod document;
mod error;
mod filter;
mod loader;
mod set;
mod splitter;
mod value;

pub use docstore::{Docstore, InMemoryDocstore};
pub use document::{Document, DocumentId, Metadata};
pub use error::{Error, Result};
pub use filter::{DocumentFilter, DocumentPredicate, Filter, Op, limits};
pub use loader::TextLoader;
pub use set::{DocumentSet, SlotSet};
pub use splitter::{
    AsyncTextSplitter, CharacterTextSplitter, KeepSeparator, Language, LengthFunction, OversizedHook,
    RecursiveCharacterTextSplitter, SplitOptions, TextSplitter,
};
pub use value::{DateTime, Foreign, Value};
