//! Which embedding model, from its name on the command line to the model itself.

#[cfg(feature = "huggingface")]
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use anear::{DefaultEmbeddings, Embeddings, OpenAiEmbeddings};

#[cfg(not(feature = "huggingface"))]
use crate::error::Error;
use crate::error::Result;

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
    pub(crate) fn open(&self) -> Result<Model> {
        match self {
            Self::Default => Ok(Model {
                embeddings: Arc::new(DefaultEmbeddings::new()),
                slice: LOCAL_SLICE,
            }),
            Self::OpenAi(model) => {
                let builder = OpenAiEmbeddings::builder();
                let builder = model.iter().fold(builder, |builder, model| builder.model(model));
                Ok(Model {
                    embeddings: Arc::new(builder.build()?),
                    slice: REMOTE_SLICE,
                })
            }
            Self::HuggingFace(name) => hugging_face(name),
        }
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

#[cfg(feature = "huggingface")]
fn hugging_face(name: &str) -> Result<Model> {
    let path = Path::new(name);
    let model = if path.is_dir() || path.is_absolute() {
        anear::HuggingFaceEmbeddings::from_folder(path)?
    } else {
        anear::HuggingFaceEmbeddings::new(name)?
    };
    Ok(Model {
        embeddings: Arc::new(model),
        slice: LOCAL_SLICE,
    })
}

#[cfg(not(feature = "huggingface"))]
fn hugging_face(name: &str) -> Result<Model> {
    Err(Error::Usage(format!(
        "--embeddings hf:{name} needs a program with local models; get it by `cargo install anear-cli --features huggingface`"
    )))
}
