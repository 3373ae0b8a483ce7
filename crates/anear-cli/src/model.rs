//! Which embedding model, from its name on the command line to the model itself.

use std::str::FromStr;
use std::sync::Arc;

use anear::{DefaultEmbeddings, Embeddings, OpenAiEmbeddings};

use crate::error::{Error, Result};

/// What `--embeddings` may say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ModelName {
    /// The one that is part of the program.
    Default,
    /// A model of OpenAI or of a compatible server.
    OpenAi(Option<String>),
    /// A sentence-transformers model, by name or folder.
    HuggingFace(String),
}

impl FromStr for ModelName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "default" => Ok(Self::Default),
            None if text == "openai" => Ok(Self::OpenAi(None)),
            Some(("openai", model)) if !model.is_empty() => Ok(Self::OpenAi(Some(model.to_owned()))),
            Some(("hf", model)) if !model.is_empty() => Ok(Self::HuggingFace(model.to_owned())),
            _ => Err("use default, openai, openai:MODEL or hf:NAME_OR_FOLDER".into()),
        }
    }
}

/// A model that is ready to embed.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) embeddings: Arc<dyn Embeddings>,
    /// Texts to embed between two steps of the progress bar.
    pub(crate) slice: usize,
}

/// Local models answer within milliseconds a text.
const LOCAL_SLICE: usize = 512;
/// Four concurrent requests of the client, full ones.
const REMOTE_SLICE: usize = 4000;

impl ModelName {
    /// The model of this name.
    pub(crate) async fn open(&self) -> Result<Model> {
        let (embeddings, slice): (Arc<dyn Embeddings>, usize) = match self {
            Self::Default => (Arc::new(DefaultEmbeddings::new()), LOCAL_SLICE),
            Self::OpenAi(model) => (Arc::new(open_ai(model.as_deref())?), REMOTE_SLICE),
            Self::HuggingFace(name) => (hugging_face(name).await?, LOCAL_SLICE),
        };
        Ok(Model { embeddings, slice })
    }

    /// The name of the model that a saved store was built with, if it can be opened by name alone.
    pub(crate) fn of_saved(model: &str) -> Option<Self> {
        if model == DefaultEmbeddings::new().model() {
            return Some(Self::Default);
        }
        model
            .starts_with("text-embedding-")
            .then(|| Self::OpenAi(Some(model.to_owned())))
    }
}

fn open_ai(model: Option<&str>) -> Result<OpenAiEmbeddings> {
    let mut builder = OpenAiEmbeddings::builder().environment_server();
    if let Some(model) = model {
        builder = builder.model(model);
    }
    builder.build().map_err(|error| match error {
        anear::embeddings::Error::MissingKey { variable } => Error::NoKey { variable },
        other => other.into(),
    })
}

#[cfg(feature = "huggingface")]
async fn hugging_face(name: &str) -> Result<Arc<dyn Embeddings>> {
    use anear::HuggingFaceEmbeddings;
    let path = std::path::Path::new(name);
    let model = if path.is_dir() || path.is_absolute() || name.starts_with('.') {
        HuggingFaceEmbeddings::from_folder(path).await?
    } else {
        HuggingFaceEmbeddings::from_hub(name).await?
    };
    Ok(Arc::new(model))
}

#[cfg(not(feature = "huggingface"))]
async fn hugging_face(name: &str) -> Result<Arc<dyn Embeddings>> {
    Err(Error::Usage(format!(
        "--embeddings hf:{name} needs local models, which this program was built without; \
         `cargo install anear-cli --features huggingface` has them"
    )))
}
