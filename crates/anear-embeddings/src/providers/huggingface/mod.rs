//! Sentence-transformers models of the BERT family, run locally.
//!
//! `folder.rs` reads what a model's folder says, `pooling.rs` turns its token vectors into one vector, `cache.rs` finds a
//! model by name in the hub's local cache, `hub.rs` downloads it there.

mod cache;
mod folder;
mod hub;
mod pooling;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anear_pool::Pool;
use async_trait::async_trait;
use candle_core::{Device, Tensor};

use cache::Cache;
use folder::Model;
use hub::Hub;

use crate::polite::slices;
use crate::providers::environment::variable;
use crate::{Embeddings, Error, Result, the_only};

/// Texts in one pass through the model.
const BATCH: usize = 32;

/// A sentence-transformers model of the BERT family on this machine's processor (LangChain's `HuggingFaceEmbeddings`).
///
/// Pooling, normalization, lower-casing and the longest text are what the model's own files say; a longer text is cut.
/// Newlines are read as blanks. Texts run in batches of similar length, on the compute pool; the order is kept.
///
/// ```no_run
/// use anear_embeddings::{Embeddings, HuggingFaceEmbeddings};
///
/// # async fn example() -> anear_embeddings::Result<()> {
/// let model = HuggingFaceEmbeddings::from_hub("all-MiniLM-L6-v2").await?;
/// assert_eq!(model.model(), "sentence-transformers/all-MiniLM-L6-v2");
/// assert_eq!(model.embed_query("When does the boat depart?").await?.len(), 384);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HuggingFaceEmbeddings {
    name: String,
    model: Arc<Model>,
    pool: Pool,
}

impl HuggingFaceEmbeddings {
    /// The model in `folder`, named by the folder's last part. It holds `config.json`, `tokenizer.json` and
    /// `model.safetensors`, and usually `modules.json`.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when there is no such folder, [`Error::ModelFile`] when a file is missing or damaged, or
    /// asks for what is not supported.
    pub async fn from_folder(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let name = folder
            .file_name()
            .unwrap_or(folder.as_os_str())
            .to_string_lossy()
            .into_owned();
        Self::load(name, folder).await
    }

    /// The model `name` in the hub's local cache (`HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME`, or
    /// `~/.cache/huggingface/hub`); nothing is downloaded. A name without `/` is one of `sentence-transformers/`.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when it is not there, [`Error::Setting`] for a name that cannot be one, else as
    /// [`from_folder`](Self::from_folder).
    pub async fn from_cache(name: &str) -> Result<Self> {
        let name = cache::full_name(name)?;
        let cache = Cache::of_environment(&variable);
        let folder = cache
            .find_on_pool(&name)
            .await?
            .ok_or_else(|| cache.not_found(&name, "download it with `from_hub`"))?;
        Self::load(name, &folder).await
    }

    /// The model `name` in the local cache, or else downloaded there from the hub (`HF_ENDPOINT`, by default
    /// `https://huggingface.co`, with the key in `HF_TOKEN` if there is one), unless `HF_HUB_OFFLINE` or
    /// `TRANSFORMERS_OFFLINE` says not to. Downloading needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] when it is nowhere or the hub is not to be asked, [`Error::Api`] or
    /// [`Error::Connection`] when the hub fails, else as [`from_cache`](Self::from_cache).
    pub async fn from_hub(name: &str) -> Result<Self> {
        let name = cache::full_name(name)?;
        let cache = Cache::of_environment(&variable);
        let folder = match cache.find_on_pool(&name).await? {
            Some(folder) => folder,
            None => Hub::of_environment(&variable)?.download(&name, &cache).await?,
        };
        Self::load(name, &folder).await
    }

    /// Computes on a pool of the caller's from now on.
    #[must_use]
    pub fn on(mut self, pool: Pool) -> Self {
        self.pool = pool;
        self
    }

    async fn load(name: String, folder: &Path) -> Result<Self> {
        let pool = Pool::global().clone();
        let folder = folder.to_owned();
        let model = pool.run(move || Model::load(&folder)).await??;
        Ok(Self {
            name,
            model: Arc::new(model),
            pool,
        })
    }

    async fn tokenize(&self, texts: &[String], pool: &Pool) -> Result<Vec<Vec<u32>>> {
        let mut all = Vec::with_capacity(texts.len());
        for slice in slices(texts) {
            let (slice, model, inner) = (slice.to_vec(), Arc::clone(&self.model), pool.clone());
            let tokens = pool
                .run(move || inner.map(slice.len(), |i| model.tokenize(&slice[i])))
                .await?;
            for tokens in tokens {
                all.push(tokens?);
            }
        }
        Ok(all)
    }

    async fn embed(&self, texts: &[String], pool: &Pool) -> Result<Vec<Vec<f32>>> {
        let tokens = self.tokenize(texts, pool).await?;
        // Longest first: texts of one batch are then of about one length, and little of it is padding.
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(tokens[*i].len()));
        let mut vectors = vec![Vec::new(); texts.len()];
        for positions in order.chunks(BATCH) {
            let batch: Vec<Vec<u32>> = positions.iter().map(|i| tokens[*i].clone()).collect();
            let model = Arc::clone(&self.model);
            let embedded = pool
                .run(move || embed(&model, &batch))
                .await?
                .map_err(|error| self.failed(&error))?;
            for (position, vector) in positions.iter().zip(embedded) {
                vectors[*position] = vector;
            }
        }
        Ok(vectors)
    }

    fn failed(&self, error: &candle_core::Error) -> Error {
        Error::Compute {
            model: self.name.clone(),
            message: error.to_string(),
        }
    }
}

impl fmt::Debug for HuggingFaceEmbeddings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HuggingFaceEmbeddings")
            .field("name", &self.name)
            .field("dim", &self.model.dim())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Embeddings for HuggingFaceEmbeddings {
    fn model(&self) -> &str {
        &self.name
    }

    fn dim(&self) -> Option<usize> {
        Some(self.model.dim())
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        self.embed(texts, &self.pool).await
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        the_only(&self.name, self.embed(&[text.to_owned()], &self.pool.urgent()).await?)
    }
}

/// One vector for each of `batch`, of which the first is the longest and none is empty.
fn embed(model: &Model, batch: &[Vec<u32>]) -> candle_core::Result<Vec<Vec<f32>>> {
    let longest = batch.first().map_or(0, Vec::len);
    let mut ids = Vec::with_capacity(batch.len() * longest);
    let mut mask = Vec::with_capacity(batch.len() * longest);
    for tokens in batch {
        ids.extend(
            tokens
                .iter()
                .copied()
                .chain(std::iter::repeat_n(model.pad, longest - tokens.len())),
        );
        mask.extend((0..longest).map(|i| u32::from(i < tokens.len())));
    }
    let shape = (batch.len(), longest);
    let ids = Tensor::from_vec(ids, shape, &Device::Cpu)?;
    let mask = Tensor::from_vec(mask, shape, &Device::Cpu)?;
    let hidden = model
        .bert
        .forward(&ids, &ids.zeros_like()?, Some(&mask))?
        .to_vec3::<f32>()?;
    let pooled = hidden
        .iter()
        .zip(batch)
        .map(|(hidden, tokens)| model.pooling.pool(&hidden[..tokens.len()]));
    Ok(pooled.collect())
}
