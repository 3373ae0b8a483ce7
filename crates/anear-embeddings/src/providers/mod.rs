//! The models, one file or folder each; those with heavy dependencies behind a feature each.

mod builtin;
#[cfg(any(feature = "huggingface", feature = "openai"))]
mod environment;
#[cfg(feature = "huggingface")]
mod huggingface;
#[cfg(feature = "openai")]
mod openai;
#[cfg(any(feature = "huggingface", feature = "openai"))]
mod secret;

pub use builtin::DefaultEmbeddings;
#[cfg(feature = "huggingface")]
pub use huggingface::HuggingFaceEmbeddings;
#[cfg(feature = "openai")]
pub use openai::{OpenAiBuilder, OpenAiEmbeddings};
