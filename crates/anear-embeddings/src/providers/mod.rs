//! The models, one file or folder each; those with heavy dependencies behind a feature each.

mod builtin;
#[cfg(feature = "openai")]
mod openai;

pub use builtin::DefaultEmbeddings;
#[cfg(feature = "openai")]
pub use openai::{OpenAiBuilder, OpenAiEmbeddings};
