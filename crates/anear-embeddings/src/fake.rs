//! Deterministic models for tests: no key, no network, no meaning.

use std::collections::HashMap;

use anear_pool::Pool;
use async_trait::async_trait;

use crate::error::shortened;
use crate::polite::slices;
use crate::unit::normalize;
use crate::{Embeddings, Error, Result};

/// A model that gives every text a unit vector of its own, always the same.
///
/// Equal texts have equal vectors; different texts are as good as random to each other. The vectors are part of the
/// contract: they never change between versions, so a test may keep them.
///
/// ```
/// use anear_embeddings::{Embeddings, FakeEmbeddings};
///
/// # futures::executor::block_on(async {
/// let model = FakeEmbeddings::new(4);
/// assert_eq!(model.embed_query("a").await?, model.embed_documents(&["a".into()]).await?[0]);
/// assert_ne!(model.embed_query("a").await?, model.embed_query("b").await?);
/// # Ok::<(), anear_embeddings::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct FakeEmbeddings {
    dim: usize,
    model: String,
}

impl FakeEmbeddings {
    /// A model of `dim`-dimensional vectors, named `fake-<dim>`.
    ///
    /// # Panics
    /// When `dim` is 0.
    pub fn new(dim: usize) -> Self {
        assert!(dim > 0, "a fake embedding model needs at least one dimension");
        Self {
            dim,
            model: format!("fake-{dim}"),
        }
    }

    pub(crate) fn embed(&self, text: &str) -> Vec<f32> {
        let mut state = fnv1a(text.as_bytes());
        let mut vector: Vec<f32> = (0..self.dim).map(|_| approximate_normal(&mut state)).collect();
        if vector.iter().all(|x| *x == 0.0) {
            vector[0] = 1.0;
        }
        normalize(&mut vector);
        vector
    }
}

#[async_trait]
impl Embeddings for FakeEmbeddings {
    fn model(&self) -> &str {
        &self.model
    }

    fn dim(&self) -> Option<usize> {
        Some(self.dim)
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let mut vectors = Vec::with_capacity(texts.len());
        for slice in slices(texts) {
            let (slice, model) = (slice.to_vec(), self.clone());
            let embed = move || slice.iter().map(|text| model.embed(text)).collect::<Vec<_>>();
            vectors.extend(Pool::global().run(embed).await?);
        }
        Ok(vectors)
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        let (text, model) = (text.to_owned(), self.clone());
        Ok(Pool::global().urgent().run(move || model.embed(&text)).await?)
    }
}

/// A model that knows the vectors of some texts and nothing else.
///
/// ```
/// use anear_embeddings::{Embeddings, TableEmbeddings};
///
/// # futures::executor::block_on(async {
/// let model = TableEmbeddings::new([("north", vec![0.0, 1.0]), ("east", vec![1.0, 0.0])]);
/// assert_eq!(model.embed_query("east").await?, [1.0, 0.0]);
/// assert!(model.embed_query("west").await.is_err());
/// # Ok::<(), anear_embeddings::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct TableEmbeddings {
    vectors: HashMap<String, Vec<f32>>,
    fallback: Option<Vec<f32>>,
    dim: Option<usize>,
}

impl TableEmbeddings {
    /// A model of these texts and vectors; the vectors are given as they are, unchecked.
    pub fn new<T: Into<String>>(table: impl IntoIterator<Item = (T, Vec<f32>)>) -> Self {
        let mut dim = None;
        let vectors = table.into_iter().map(|(text, vector)| {
            dim.get_or_insert(vector.len());
            (text.into(), vector)
        });
        Self {
            vectors: vectors.collect(),
            fallback: None,
            dim,
        }
    }

    /// The vector of every text that is not in the table; without it such a text is [`Error::UnknownText`].
    #[must_use]
    pub fn with_fallback(mut self, vector: Vec<f32>) -> Self {
        self.dim.get_or_insert(vector.len());
        self.fallback = Some(vector);
        self
    }

    fn embed(&self, text: &str) -> Result<Vec<f32>> {
        let vector = self.vectors.get(text).or(self.fallback.as_ref());
        vector.cloned().ok_or_else(|| Error::UnknownText {
            model: self.model().to_owned(),
            text: shortened(text, 80),
        })
    }
}

#[async_trait]
impl Embeddings for TableEmbeddings {
    fn model(&self) -> &str {
        "table"
    }

    fn dim(&self) -> Option<usize> {
        self.dim
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        texts.iter().map(|text| self.embed(text)).collect()
    }
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// SplitMix64 (Steele, Lea & Flood 2014).
pub(crate) fn next_u64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The sum of four 16-bit uniforms around zero: exact in f32, so equal on every machine.
fn approximate_normal(state: &mut u64) -> f32 {
    let bits = next_u64(state);
    let sum: u32 = (0..4).map(|i| u32::from((bits >> (16 * i)) as u16)).sum();
    (sum as f32 - 131_070.0) / 65_536.0
}
