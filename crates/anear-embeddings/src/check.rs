//! The one place where a model's vectors are verified: as many as texts, all of one width, all finite.

use std::sync::OnceLock;

use async_trait::async_trait;

use crate::{Embeddings, Error, Result};

/// Verifies one batch: a vector for each of `texts`, every one of width `dim` (or, when that is not known, of the
/// first one's), every component finite. Gives the width, or `dim` when there is nothing to measure.
///
/// # Errors
/// [`Error::Count`], [`Error::Width`], [`Error::EmptyVector`] or [`Error::NonFinite`], each naming `model`.
///
/// ```
/// use anear_embeddings::{Error, check_batch};
///
/// assert_eq!(check_batch("m", 2, None, &[vec![0.6, 0.8], vec![1.0, 0.0]])?, Some(2));
/// assert!(matches!(check_batch("m", 1, Some(3), &[vec![0.6, 0.8]]), Err(Error::Width { expected: 3, got: 2, .. })));
/// # Ok::<(), Error>(())
/// ```
pub fn check_batch(model: &str, texts: usize, dim: Option<usize>, vectors: &[Vec<f32>]) -> Result<Option<usize>> {
    if vectors.len() != texts {
        return Err(Error::Count {
            model: model.to_owned(),
            expected: texts,
            got: vectors.len(),
        });
    }
    let width = dim.or_else(|| vectors.first().map(Vec::len));
    for (position, vector) in vectors.iter().enumerate() {
        check_vector(model, position, width.unwrap_or_default(), vector)?;
    }
    Ok(width)
}

fn check_vector(model: &str, position: usize, width: usize, vector: &[f32]) -> Result<()> {
    let model = || model.to_owned();
    if vector.is_empty() {
        return Err(Error::EmptyVector {
            model: model(),
            position,
        });
    }
    if vector.len() != width {
        return Err(Error::Width {
            model: model(),
            position,
            expected: width,
            got: vector.len(),
        });
    }
    match vector.iter().position(|x| !x.is_finite()) {
        Some(component) => Err(Error::NonFinite {
            model: model(),
            position,
            component,
            value: vector[component],
        }),
        None => Ok(()),
    }
}

/// A model whose every answer is verified; the width of its first batch binds all later ones.
///
/// A store wraps the model it is given, so a model that lies is an error at its first batch and never a corrupt index.
///
/// ```
/// use anear_embeddings::{Checked, Embeddings, FakeEmbeddings};
///
/// # futures::executor::block_on(async {
/// let model = Checked::new(FakeEmbeddings::new(8));
/// assert_eq!(model.embed_query("a").await?.len(), 8);
/// assert_eq!(model.dim(), Some(8));
/// # Ok::<(), anear_embeddings::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Checked<E> {
    inner: E,
    width: OnceLock<usize>,
}

impl<E: Embeddings> Checked<E> {
    /// Verifies the answers of `inner`, whose declared width, if any, is binding from the start.
    pub fn new(inner: E) -> Self {
        Self {
            inner,
            width: OnceLock::new(),
        }
    }

    /// The model within.
    pub fn inner(&self) -> &E {
        &self.inner
    }

    fn verify(&self, texts: usize, vectors: &[Vec<f32>]) -> Result<()> {
        let width = check_batch(self.model(), texts, self.dim(), vectors)?;
        let Some(width) = width else { return Ok(()) };
        // A batch that ran beside this one may have set another width in between.
        let agreed = *self.width.get_or_init(|| width);
        check_batch(self.model(), texts, Some(agreed), vectors).map(drop)
    }
}

#[async_trait]
impl<E: Embeddings> Embeddings for Checked<E> {
    fn model(&self) -> &str {
        self.inner.model()
    }

    fn dim(&self) -> Option<usize> {
        self.width.get().copied().or_else(|| self.inner.dim())
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let vectors = self.inner.embed_documents(texts).await?;
        self.verify(texts.len(), &vectors)?;
        Ok(vectors)
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        let vectors = [self.inner.embed_query(text).await?];
        self.verify(1, &vectors)?;
        let [vector] = vectors;
        Ok(vector)
    }
}
