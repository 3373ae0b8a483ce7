//! Text lengths in tokens, for splitters that cut by what a model reads.

use std::path::Path;

use tokenizers::Tokenizer;

use crate::{Error, Result};

/// A function that counts the tokens of a text as the tokenizer in `file` (a Hugging Face `tokenizer.json`) sees them,
/// without the special tokens a model adds around a text and without the file's truncation and padding.
///
/// A text that the tokenizer cannot split (its file may declare no unknown token) is counted in characters.
///
/// ```no_run
/// let length = anear_embeddings::token_length("all-MiniLM-L6-v2/tokenizer.json")?;
/// assert_eq!(length("hello world"), 2);
/// # Ok::<(), anear_embeddings::Error>(())
/// ```
///
/// # Errors
/// [`Error::ModelFile`] when `file` is missing or no tokenizer.
pub fn token_length(file: impl AsRef<Path>) -> Result<impl Fn(&str) -> usize + Clone + Send + Sync + 'static> {
    let tokenizer = load_tokenizer(file.as_ref())?;
    Ok(move |text: &str| {
        tokenizer
            .encode_fast(text, false)
            .map_or_else(|_| text.chars().count(), |encoding| encoding.len())
    })
}

/// The tokenizer in `file`, which neither cuts nor pads.
pub(crate) fn load_tokenizer(file: &Path) -> Result<Tokenizer> {
    let damaged = |error: tokenizers::Error| Error::ModelFile {
        path: file.to_owned(),
        message: error.to_string(),
    };
    let mut tokenizer = Tokenizer::from_file(file).map_err(damaged)?;
    tokenizer.with_truncation(None).map_err(damaged)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// A function that counts the tokens of a text in one of OpenAI's encodings: `cl100k_base`, `o200k_base`, `p50k_base`,
/// `p50k_edit`, `r50k_base`/`gpt2`. Text that looks like a special token counts as plain text.
///
/// ```
/// let length = anear_embeddings::tiktoken_length("cl100k_base")?;
/// assert_eq!(length("hello world"), 2);
/// # Ok::<(), anear_embeddings::Error>(())
/// ```
///
/// # Errors
/// [`Error::Tokenizer`] for another name.
#[cfg(feature = "tiktoken")]
pub fn tiktoken_length(encoding: &str) -> Result<impl Fn(&str) -> usize + Clone + Send + Sync + 'static> {
    let encoder = match encoding {
        "cl100k_base" => tiktoken_rs::cl100k_base_singleton(),
        "o200k_base" => tiktoken_rs::o200k_base_singleton(),
        "p50k_base" => tiktoken_rs::p50k_base_singleton(),
        "p50k_edit" => tiktoken_rs::p50k_edit_singleton(),
        "r50k_base" | "gpt2" => tiktoken_rs::r50k_base_singleton(),
        _ => {
            return Err(Error::Tokenizer {
                name: encoding.to_owned(),
                message: "no such encoding; there are cl100k_base, o200k_base, p50k_base, p50k_edit, r50k_base, gpt2"
                    .to_owned(),
            });
        }
    };
    Ok(move |text: &str| crate::tiktoken::encode(encoder, text).len())
}
