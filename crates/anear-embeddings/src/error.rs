//! What can go wrong while text becomes vectors. No message ever holds a key.

use std::path::PathBuf;
use std::time::Duration;

/// The result of an embedding call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why texts did not become vectors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The provider needs a key and none was given.
    #[error(
        "no API key: set the environment variable {variable}, pass one to the builder, \
         or say `.without_api_key()` for a server that needs none"
    )]
    MissingKey {
        /// The environment variable that was looked at.
        variable: &'static str,
    },

    /// A setting of the model or client cannot be used.
    #[error("{name} = {value:?} cannot be used: {reason}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it was set to.
        value: String,
        /// What it must be.
        reason: String,
    },

    /// The server refused the request, for good or after the last retry.
    #[error("the embedding server answered {status} for model {model:?} after {attempts} attempt(s): {message}")]
    Api {
        /// HTTP status code.
        status: u16,
        /// The model asked for.
        model: String,
        /// How many requests were made.
        attempts: u32,
        /// How long the server asked to wait, if it did.
        retry_after: Option<Duration>,
        /// The server's own words, cut to a bounded length.
        message: String,
    },

    /// No answer came in time, at any of the attempts.
    #[error("the embedding server did not answer for model {model:?} in {timeout:?}, {attempts} attempt(s)")]
    Timeout {
        /// The model asked for.
        model: String,
        /// The time given to each attempt.
        timeout: Duration,
        /// How many requests were made.
        attempts: u32,
    },

    /// The server could not be reached or the connection broke, at every attempt.
    #[error("cannot reach the embedding server {host} for model {model:?}, {attempts} attempt(s): {message}")]
    Connection {
        /// The server.
        host: String,
        /// The model asked for.
        model: String,
        /// How many requests were made.
        attempts: u32,
        /// What the connection reported.
        message: String,
    },

    /// The server answered with something that is not a list of embeddings.
    #[error("the embedding server's answer for model {model:?} is not understood: {message}")]
    Malformed {
        /// The model asked for.
        model: String,
        /// What is wrong with the answer.
        message: String,
    },

    /// There are more or fewer vectors than texts.
    #[error("model {model:?} gave {got} vector(s) for {expected} text(s)")]
    Count {
        /// The model asked for.
        model: String,
        /// Number of texts.
        expected: usize,
        /// Number of vectors.
        got: usize,
    },

    /// A vector's length differs from the others'.
    #[error("model {model:?} gave a vector of dimension {got} for text {position}, expected {expected}")]
    Width {
        /// The model asked for.
        model: String,
        /// Position of the text in its batch.
        position: usize,
        /// The dimension of the model's other vectors.
        expected: usize,
        /// The dimension of this one.
        got: usize,
    },

    /// A vector has no components.
    #[error("model {model:?} gave an empty vector for text {position}")]
    EmptyVector {
        /// The model asked for.
        model: String,
        /// Position of the text in its batch.
        position: usize,
    },

    /// A vector holds NaN or an infinity.
    #[error("model {model:?} gave {value} in component {component} of the vector for text {position}")]
    NonFinite {
        /// The model asked for.
        model: String,
        /// Position of the text in its batch.
        position: usize,
        /// Position in the vector.
        component: usize,
        /// The value found there.
        value: f32,
    },

    /// A [`TableEmbeddings`](crate::TableEmbeddings) has no vector for a text.
    #[error("model {model:?} has no vector for the text {text:?}")]
    UnknownText {
        /// The model asked for.
        model: String,
        /// The text, cut to a bounded length.
        text: String,
    },

    /// A local model was found nowhere.
    #[error("no embedding model {name:?}; looked in {looked}; {hint}")]
    ModelNotFound {
        /// The model's name or folder.
        name: String,
        /// The places looked at.
        looked: String,
        /// What to do about it.
        hint: String,
    },

    /// A file of a local model is missing or cannot be used.
    #[error("{}: {message}", path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },

    /// A tokenizer could not split a text or does not exist.
    #[error("tokenizer {name:?}: {message}")]
    Tokenizer {
        /// The tokenizer.
        name: String,
        /// What is wrong.
        message: String,
    },

    /// A local model failed while it computed.
    #[error("model {model:?} failed: {message}")]
    Compute {
        /// The model.
        model: String,
        /// What it reported.
        message: String,
    },

    /// A job on the compute pool panicked.
    #[error(transparent)]
    Panicked(#[from] anear_pool::Panicked),
}

/// The first `limit` characters of `text`, with an ellipsis when something was cut.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
