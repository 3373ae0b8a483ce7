//! Reads a sentence-transformers folder: what it is made of, its settings, its weights.

use std::path::{Component, Path, PathBuf};

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenizers::{Tokenizer, TruncationParams};

use super::pooling::{Modes, Pooling};
use crate::token_length::load_tokenizer;
use crate::{Error, Result};

/// A model ready to run.
pub(super) struct Model {
    pub(super) bert: BertModel,
    pub(super) pooling: Pooling,
    /// The token that fills short texts of a batch.
    pub(super) pad: u32,
    hidden: usize,
    tokenizer: Tokenizer,
    lower_case: bool,
}

/// A line of `modules.json`.
#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    r#type: String,
}

/// `sentence_bert_config.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
    do_lower_case: bool,
}

/// The parts of a model, in the form they are all brought into.
struct Parts {
    transformer: PathBuf,
    pooling: Pooling,
}

impl Model {
    pub(super) fn load(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::ModelNotFound {
                name: folder.display().to_string(),
                looked: "that folder".into(),
                hint: "give the folder that holds config.json".into(),
            });
        }
        let Parts { transformer, pooling } = parts(folder)?;
        let config_file = transformer.join("config.json");
        let config: Config = read_json(&config_file)?;
        check_config(&config, &config_file)?;
        let sentence: SentenceConfig = read_json_if_there(&transformer.join("sentence_bert_config.json"))?;
        let longest = sentence
            .max_seq_length
            .unwrap_or(usize::MAX)
            .min(config.max_position_embeddings);
        Ok(Self {
            bert: weights(&transformer, &config)?,
            pooling,
            pad: u32::try_from(config.pad_token_id).unwrap_or_default(),
            hidden: config.hidden_size,
            tokenizer: tokenizer(&transformer, longest)?,
            lower_case: sentence.do_lower_case,
        })
    }

    pub(super) fn dim(&self) -> usize {
        self.pooling.dim(self.hidden)
    }

    /// The tokens of `text` with the special ones around them, cut to what the model reads.
    pub(super) fn tokenize(&self, text: &str) -> Result<Vec<u32>> {
        let text = text.replace('\n', " ");
        let text = if self.lower_case { text.to_lowercase() } else { text };
        let failed = |message: String| Error::Tokenizer {
            name: "tokenizer.json".into(),
            message,
        };
        let encoding = self
            .tokenizer
            .encode_fast(text.trim(), true)
            .map_err(|error| failed(error.to_string()))?;
        match encoding.get_ids() {
            [] => Err(failed(
                "it adds no special token, so an empty text has none at all".into(),
            )),
            ids => Ok(ids.to_vec()),
        }
    }
}

/// What `modules.json` lists; without it, sentence-transformers takes the mean and does not normalize.
fn parts(folder: &Path) -> Result<Parts> {
    let file = folder.join("modules.json");
    let mut parts = Parts {
        transformer: folder.to_owned(),
        pooling: Pooling {
            modes: Modes {
                mean: true,
                ..Modes::default()
            },
            normalize: false,
        },
    };
    if !file.exists() {
        return Ok(parts);
    }
    for module in read_json::<Vec<Module>>(&file)? {
        let path = inside(folder, &module.path, &file)?;
        match module.r#type.rsplit('.').next().unwrap_or_default() {
            "Transformer" => parts.transformer = path,
            "Pooling" => parts.pooling.modes = modes(&path.join("config.json"))?,
            "Normalize" => parts.pooling.normalize = true,
            _ => {
                return Err(damaged(
                    &file,
                    format!("modules of type {} are not supported", module.r#type),
                ));
            }
        }
    }
    Ok(parts)
}

fn modes(file: &Path) -> Result<Modes> {
    let modes: Modes = read_json(file)?;
    let Modes {
        cls,
        max,
        mean,
        mean_sqrt,
        weighted_mean,
        last,
    } = modes;
    if weighted_mean || last {
        return Err(damaged(
            file,
            "pooling by weighted mean or by the last token is not supported",
        ));
    }
    if !(cls || max || mean || mean_sqrt) {
        return Err(damaged(file, "no pooling mode is on"));
    }
    Ok(modes)
}

/// `folder/path`, which must not leave the folder.
fn inside(folder: &Path, path: &str, file: &Path) -> Result<PathBuf> {
    if Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Ok(folder.join(path));
    }
    Err(damaged(file, format!("the path {path:?} leaves the model's folder")))
}

/// Numbers that the model's code divides by or allocates.
fn check_config(config: &Config, file: &Path) -> Result<()> {
    let kind = config.model_type.as_deref().unwrap_or("bert");
    if kind != "bert" {
        return Err(damaged(
            file,
            format!("models of type {kind} are not supported, only bert"),
        ));
    }
    let heads = config.num_attention_heads;
    if heads == 0 || config.hidden_size == 0 || !config.hidden_size.is_multiple_of(heads) {
        return Err(damaged(
            file,
            format!("{} dimensions cannot be shared by {heads} heads", config.hidden_size),
        ));
    }
    if config.max_position_embeddings < 3 {
        return Err(damaged(file, "max_position_embeddings leaves no room for a token"));
    }
    Ok(())
}

fn weights(folder: &Path, config: &Config) -> Result<BertModel> {
    let file = folder.join("model.safetensors");
    let bytes = std::fs::read(&file).map_err(|error| damaged(&file, error))?;
    let load = || {
        let tensors = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu)?;
        BertModel::load(tensors, config)
    };
    load().map_err(|error: candle_core::Error| damaged(&file, error))
}

fn tokenizer(folder: &Path, longest: usize) -> Result<Tokenizer> {
    let file = folder.join("tokenizer.json");
    let mut tokenizer = load_tokenizer(&file)?;
    let truncation = TruncationParams {
        max_length: longest,
        ..TruncationParams::default()
    };
    tokenizer
        .with_truncation(Some(truncation))
        .map_err(|error| damaged(&file, error))?;
    Ok(tokenizer)
}

fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let bytes = std::fs::read(file).map_err(|error| damaged(file, error))?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(file, error))
}

fn read_json_if_there<T: DeserializeOwned + Default>(file: &Path) -> Result<T> {
    if file.exists() {
        read_json(file)
    } else {
        Ok(T::default())
    }
}

fn damaged(file: &Path, message: impl ToString) -> Error {
    Error::ModelFile {
        path: file.to_owned(),
        message: message.to_string(),
    }
}
