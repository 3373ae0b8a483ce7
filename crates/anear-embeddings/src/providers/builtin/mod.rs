//! The model that is part of the program: a table of token vectors.
//!
//! `wordpiece.rs` cuts a text into the table's tokens.

mod wordpiece;

use std::sync::LazyLock;

use anear_pool::Pool;
use anear_static_model::{DIM, MODEL, row};
use async_trait::async_trait;

use crate::fake::FakeEmbeddings;
use crate::polite::slices;
use crate::unit::normalize;
use crate::{Embeddings, Error, Result};

/// The embedded default model: no key, no network, no download.
///
/// A text's vector is the sum of its tokens' learned vectors, scaled to length 1 (128 dimensions, English, distilled
/// from all-MiniLM-L6-v2; see the crate `anear-static-model` for how well it agrees). Texts of any length are read
/// whole; word order does not count.
///
/// A text in which the model knows nothing (empty, blanks, only emoji) gets a unit vector drawn from its characters:
/// equal to the same text's, unrelated to all others, and never a zero vector, which has no cosine and would be
/// suspiciously near to every question.
///
/// ```
/// use anear_embeddings::{DefaultEmbeddings, Embeddings};
///
/// # futures::executor::block_on(async {
/// let model = DefaultEmbeddings::new();
/// assert_eq!(model.dim(), Some(128));
/// let vector = model.embed_query("When does the boat depart?").await?;
/// assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
/// # Ok::<(), anear_embeddings::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct DefaultEmbeddings {
    pool: Pool,
}

impl DefaultEmbeddings {
    /// The model on the process's compute pool.
    pub fn new() -> Self {
        Self::on(Pool::global().clone())
    }

    /// The model on a pool of the caller's.
    pub fn on(pool: Pool) -> Self {
        Self { pool }
    }
}

impl Default for DefaultEmbeddings {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Embeddings for DefaultEmbeddings {
    fn model(&self) -> &str {
        MODEL
    }

    fn dim(&self) -> Option<usize> {
        Some(DIM)
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let mut vectors = Vec::with_capacity(texts.len());
        for slice in slices(texts) {
            let (slice, pool) = (slice.to_vec(), self.pool.clone());
            let embedded = self
                .pool
                .run(move || pool.map(slice.len(), |i| embed(&slice[i])))
                .await?;
            for vector in embedded {
                vectors.push(vector?);
            }
        }
        Ok(vectors)
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        let text = text.to_owned();
        self.pool.urgent().run(move || embed(&text)).await?
    }
}

fn embed(text: &str) -> Result<Vec<f32>> {
    let mut sum = vec![0.0_f32; DIM];
    wordpiece::tokens(text, |token| {
        if let Some((codes, scale)) = row(token) {
            sum.iter_mut()
                .zip(codes)
                .for_each(|(sum, code)| *sum += scale * f32::from(*code));
        }
    })
    .map_err(|error| Error::Tokenizer {
        name: MODEL.to_owned(),
        message: error.to_string(),
    })?;
    if sum.iter().all(|x| *x == 0.0) {
        return Ok(UNKNOWN.embed(text.trim()));
    }
    normalize(&mut sum);
    Ok(sum)
}

/// Directions for texts without a known token.
static UNKNOWN: LazyLock<FakeEmbeddings> = LazyLock::new(|| FakeEmbeddings::new(DIM));
