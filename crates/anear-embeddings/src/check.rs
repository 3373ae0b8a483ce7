//! The one place where a model's vectors are verified: as many as texts, all of one width, all finite.

use std::sync::OnceLock;

use async_trait::async_trait;

use crate::polite::yield_now;
use crate::{Embeddings, Error, Result};

/// Verified at one go: a fraction of a millisecond.
const SLICE_COMPONENTS: usize = 1 << 18;

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
    check_vectors(model, 0, width.unwrap_or_default(), vectors)?;
    Ok(width)
}

/// Verifies vectors that belong to the texts from `first` on.
fn check_vectors(model: &str, first: usize, width: usize, vectors: &[Vec<f32>]) -> Result<()> {
    vectors
        .iter()
        .zip(first..)
        .try_for_each(|(vector, position)| check_vector(model, position, width, vector))
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
/// A model that lies is then an error at its first batch. A store needs no such wrapper: it checks every vector itself.
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

    /// A large batch is verified in slices, between which others have the thread.
    async fn verify(&self, texts: usize, vectors: &[Vec<f32>]) -> Result<()> {
        if vectors.len() != texts {
            return Err(Error::Count {
                model: self.model().to_owned(),
                expected: texts,
                got: vectors.len(),
            });
        }
        let Some(first) = vectors.first() else { return Ok(()) };
        let width = self.dim().unwrap_or(first.len());
        let slice = (SLICE_COMPONENTS / width.max(1)).max(1);
        for (i, vectors) in vectors.chunks(slice).enumerate() {
            check_vectors(self.model(), i * slice, width, vectors)?;
            if (i + 1) * slice < texts {
                yield_now().await;
            }
        }
        // A batch that ran beside this one may have set another width in between.
        let expected = *self.width.get_or_init(|| width);
        match expected == width {
            true => Ok(()),
            false => Err(Error::Width {
                model: self.model().to_owned(),
                position: 0,
                expected,
                got: width,
            }),
        }
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
        self.verify(texts.len(), &vectors).await?;
        Ok(vectors)
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        let vectors = [self.inner.embed_query(text).await?];
        self.verify(1, &vectors).await?;
        let [vector] = vectors;
        Ok(vector)
    }
}
