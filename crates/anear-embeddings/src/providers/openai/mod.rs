//! OpenAI's embedding models, and every server that speaks their API: Azure, Ollama, vLLM, LM Studio...
//!
//! `builder.rs` gathers the settings, `plan.rs` turns texts into request bodies and answers back into one vector per
//! text, `wire.rs` reads an answer, `http.rs` sends, waits and retries.

mod builder;
mod http;
mod plan;
mod wire;

use std::fmt;
use std::sync::{Arc, OnceLock};

use anear_pool::Pool;
use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};

pub use builder::OpenAiBuilder;
use http::Endpoint;
use plan::{Batch, Rules};

use crate::polite::copied;
use crate::{Embeddings, Error, Result, the_only};

/// The client of OpenAI's embedding API and of compatible servers (LangChain's `OpenAIEmbeddings`).
///
/// Texts travel in batches, several batches at once, and come back in order. A refused or broken request is sent again
/// after a growing, jittered pause, or after the one the server asks for. A text longer than the model reads is cut by
/// tokens; the vectors of its pieces are averaged by their token counts and scaled back to length 1.
/// The key appears in no error, no `Debug` and no log.
///
/// Runs in a tokio runtime with I/O and time; tokenizing and parsing happen on the compute pool.
///
/// ```no_run
/// use anear_embeddings::{Embeddings, OpenAiEmbeddings};
///
/// # async fn example() -> anear_embeddings::Result<()> {
/// // The key is in the environment variable OPENAI_API_KEY.
/// let model = OpenAiEmbeddings::builder().model("text-embedding-3-small").dimensions(256).build()?;
/// assert_eq!(model.embed_query("When does the boat depart?").await?.len(), 256);
///
/// // A server of one's own.
/// let local = OpenAiEmbeddings::builder()
///     .base_url("http://localhost:11434/v1")
///     .model("nomic-embed-text")
///     .without_api_key()
///     .check_ctx_length(false)
///     .build()?;
/// # Ok(()) }
/// ```
pub struct OpenAiEmbeddings {
    endpoint: Endpoint,
    rules: Arc<Rules>,
    /// Batches in flight at once, for one call.
    concurrency: usize,
    /// Set from the start when `dimensions` is, else by the first answer.
    width: Arc<OnceLock<usize>>,
    pool: Pool,
}

impl OpenAiEmbeddings {
    /// A client with every setting at its default: see [`OpenAiBuilder`].
    ///
    /// # Errors
    /// [`Error::MissingKey`] when `OPENAI_API_KEY` is not set.
    pub fn from_env() -> Result<Self> {
        Self::builder().build()
    }

    /// Settings to choose from.
    pub fn builder() -> OpenAiBuilder {
        OpenAiBuilder::default()
    }

    async fn embed(&self, texts: &[String], pool: &Pool) -> Result<Vec<Vec<f32>>> {
        let (count, texts, rules) = (texts.len(), copied(texts).await, Arc::clone(&self.rules));
        let batches = pool.run(move || plan::batches(texts, &rules)).await??;
        let requests: Vec<_> = batches.iter().map(|batch| self.answer(batch, pool)).collect();
        let answers: Vec<_> = stream::iter(requests).buffered(self.concurrency).try_collect().await?;
        let owners = batches.into_iter().map(|batch| batch.owners).collect();
        let vectors = pool.run(move || plan::merge(count, owners, answers)).await?;
        vectors
            .into_iter()
            .map(|vector| vector.map_or_else(|| self.skipped(), Ok))
            .collect()
    }

    /// Sends one batch and gives its verified vectors.
    async fn answer(&self, batch: &Batch, pool: &Pool) -> Result<Vec<Vec<f32>>> {
        let body = self.endpoint.post(&batch.body).await?;
        let (count, width) = (batch.owners.len(), Arc::clone(&self.width));
        let (rules, redact) = (Arc::clone(&self.rules), self.endpoint.redactor());
        pool.run(move || wire::read(&body, &rules.model, count, &width, &redact))
            .await?
    }
}

impl fmt::Debug for OpenAiEmbeddings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiEmbeddings")
            .field("model", &self.rules.model)
            .field("host", &self.endpoint.host())
            .field("dim", &self.width.get())
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Embeddings for OpenAiEmbeddings {
    fn model(&self) -> &str {
        &self.rules.model
    }

    fn dim(&self) -> Option<usize> {
        self.width.get().copied()
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        self.embed(texts, &self.pool).await
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        the_only(self.model(), self.embed(&[text.to_owned()], &self.pool.urgent()).await?)
    }
}

impl OpenAiEmbeddings {
    /// The vector of a text that was not sent.
    fn skipped(&self) -> Result<Vec<f32>> {
        let unknown = || Error::Setting {
            name: "skip_empty",
            value: "true".into(),
            reason: "every text so far was empty, so the vectors' width is not known; set `dimensions`".into(),
        };
        self.dim().map(|dim| vec![0.0; dim]).ok_or_else(unknown)
    }
}
