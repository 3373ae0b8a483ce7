//! Text to vectors: embedding models for anear, hosted, local and built in.
//!
//! Everything here is an [`Embeddings`]: it takes texts and gives one vector for each, in order.
//!
//! | model | needs | feature |
//! |---|---|---|
//! | [`DefaultEmbeddings`] | nothing: its table is part of the program | |
//! | `OpenAiEmbeddings` | a key, or a compatible server of your own | `openai` (on by default) |
//! | `HuggingFaceEmbeddings` | a model folder, or a download | `huggingface` |
//! | [`FakeEmbeddings`], [`TableEmbeddings`] | nothing; for tests | |
//!
//! [`CachedEmbeddings`], [`RateLimitedEmbeddings`] and [`Checked`] wrap any of them and are [`Embeddings`] themselves.
//! Local models compute on an [`anear_pool::Pool`], never on the executor's threads.
//!
//! ```
//! use anear_embeddings::{DefaultEmbeddings, Embeddings};
//!
//! # futures::executor::block_on(async {
//! let model = DefaultEmbeddings::new();
//! let texts = ["The ferry leaves at noon.".to_string(), "Bread needs flour and water.".to_string()];
//! let vectors = model.embed_documents(&texts).await?;
//! let query = model.embed_query("When does the boat depart?").await?;
//!
//! let similarity = |v: &[f32]| v.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>();
//! assert!(similarity(&vectors[0]) > similarity(&vectors[1]));
//! # Ok::<(), anear_embeddings::Error>(()) }).unwrap();
//! ```
//!
//! # Adding a provider
//! One file in `providers/`, one feature, one line in `providers/mod.rs`; verify every answer with [`check_batch`] and
//! run `conformance::check` (feature `conformance`) in its tests.
#![forbid(unsafe_code)]

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

mod check;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod fake;
mod layers;
mod polite;
mod providers;
#[cfg(feature = "tiktoken")]
mod tiktoken;
mod token_length;
mod unit;

pub use check::{Checked, check_batch};
pub use error::{Error, Result};
pub use fake::{FakeEmbeddings, TableEmbeddings};
pub use layers::{CachedEmbeddings, RateLimitedEmbeddings};
pub use providers::*;
#[cfg(feature = "tiktoken")]
pub use token_length::tiktoken_length;
pub use token_length::token_length;

/// A model that turns texts into vectors.
///
/// LangChain's `Embeddings`, its asynchronous half; a blocking call is `block_on` of these.
#[async_trait]
pub trait Embeddings: Debug + Send + Sync {
    /// The model's name, as written beside a saved store, which offers it as `saved_model` when it is loaded.
    fn model(&self) -> &str;

    /// The length of every vector, or `None` as long as it is not known.
    fn dim(&self) -> Option<usize>;

    /// One vector for each text, in the order of `texts`.
    ///
    /// # Errors
    /// The provider's; whatever the number of texts, either all vectors are given or none.
    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>>;

    /// The vector of a question; models that treat questions like any other text keep the default. One that computes on a
    /// pool does this on its [urgent](anear_pool::Pool::urgent) threads: a search waits for it.
    ///
    /// # Errors
    /// As [`embed_documents`](Self::embed_documents).
    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        let texts = [text.to_owned()];
        the_only(self.model(), self.embed_documents(&texts).await?)
    }
}

/// The vector of the only text that `model` was asked for.
fn the_only(model: &str, mut vectors: Vec<Vec<f32>>) -> Result<Vec<f32>> {
    match vectors.pop() {
        Some(vector) if vectors.is_empty() => Ok(vector),
        last => Err(Error::Count {
            model: model.to_owned(),
            expected: 1,
            got: vectors.len() + usize::from(last.is_some()),
        }),
    }
}

/// A pointer to an embedding model is one itself.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<E: Embeddings + ?Sized> Embeddings for $pointer {
            fn model(&self) -> &str {
                (**self).model()
            }

            fn dim(&self) -> Option<usize> {
                (**self).dim()
            }

            async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
                (**self).embed_documents(texts).await
            }

            async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
                (**self).embed_query(text).await
            }
        }
    )*};
}

forward!(Arc<E>, Box<E>, &E);
