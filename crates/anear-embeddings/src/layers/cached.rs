//! Remembers the vectors of the texts seen last.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{Embeddings, Error, Result};

/// A model that is asked for each text once, as long as the text stays among the last `capacity` used.
///
/// Only the texts that are not remembered are sent, each once per call, and the answer keeps the order of the call.
/// Questions and documents are remembered apart, since a model may treat them differently; each kind holds up to
/// `capacity` texts. Failed calls are not remembered. Two calls that run at once and miss the same text both ask.
///
/// ```
/// use anear_embeddings::{CachedEmbeddings, Embeddings, FakeEmbeddings};
///
/// # futures::executor::block_on(async {
/// let model = CachedEmbeddings::new(FakeEmbeddings::new(8), 10_000);
/// let first = model.embed_query("again and again").await?;
/// assert_eq!(model.embed_query("again and again").await?, first);
/// # Ok::<(), anear_embeddings::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct CachedEmbeddings<E> {
    inner: E,
    documents: Mutex<Lru>,
    queries: Mutex<Lru>,
}

impl<E: Embeddings> CachedEmbeddings<E> {
    /// Remembers up to `capacity` documents and as many questions of `inner`; 0 remembers nothing.
    pub fn new(inner: E, capacity: usize) -> Self {
        Self {
            inner,
            documents: Mutex::new(Lru::new(capacity)),
            queries: Mutex::new(Lru::new(capacity)),
        }
    }

    /// The model within.
    pub fn inner(&self) -> &E {
        &self.inner
    }

    /// Forgets everything.
    pub fn clear(&self) {
        lock(&self.documents).clear();
        lock(&self.queries).clear();
    }

    /// The vectors of `texts` that are remembered, and the other texts, each once.
    fn recall<'a>(&self, texts: &'a [String]) -> (HashMap<&'a str, Arc<[f32]>>, Vec<&'a str>) {
        let mut cache = lock(&self.documents);
        let mut known = HashMap::new();
        let mut missing = Vec::new();
        let mut seen = HashSet::new();
        for text in texts.iter().map(String::as_str).filter(|text| seen.insert(*text)) {
            match cache.get(text) {
                Some(vector) => drop(known.insert(text, vector)),
                None => missing.push(text),
            }
        }
        (known, missing)
    }

    /// Asks for `missing` and remembers the answer.
    async fn learn(&self, missing: &[&str]) -> Result<Vec<Arc<[f32]>>> {
        let texts: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let vectors = self.inner.embed_documents(&texts).await?;
        if vectors.len() != texts.len() {
            let (expected, got) = (texts.len(), vectors.len());
            return Err(Error::Count {
                model: self.model().to_owned(),
                expected,
                got,
            });
        }
        let vectors: Vec<Arc<[f32]>> = vectors.into_iter().map(Arc::from).collect();
        let mut cache = lock(&self.documents);
        for (text, vector) in missing.iter().zip(&vectors) {
            cache.put(text, Arc::clone(vector));
        }
        Ok(vectors)
    }
}

#[async_trait]
impl<E: Embeddings> Embeddings for CachedEmbeddings<E> {
    fn model(&self) -> &str {
        self.inner.model()
    }

    fn dim(&self) -> Option<usize> {
        self.inner.dim()
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let (mut known, missing) = self.recall(texts);
        if !missing.is_empty() {
            let vectors = self.learn(&missing).await?;
            known.extend(missing.into_iter().zip(vectors));
        }
        Ok(texts.iter().map(|text| known[text.as_str()].to_vec()).collect())
    }

    async fn embed_query(&self, text: &str) -> Result<Vec<f32>> {
        let known = lock(&self.queries).get(text);
        if let Some(vector) = known {
            return Ok(vector.to_vec());
        }
        let vector = self.inner.embed_query(text).await?;
        lock(&self.queries).put(text, Arc::from(vector.as_slice()));
        Ok(vector)
    }
}

/// A panic elsewhere leaves at worst an entry more or less: the cache stays usable.
fn lock(cache: &Mutex<Lru>) -> MutexGuard<'_, Lru> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The `capacity` entries used last; `order` maps the time of each one's last use to its text.
#[derive(Debug)]
struct Lru {
    capacity: usize,
    clock: u64,
    entries: HashMap<Arc<str>, (u64, Arc<[f32]>)>,
    order: BTreeMap<u64, Arc<str>>,
}

impl Lru {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            clock: 0,
            entries: HashMap::new(),
            order: BTreeMap::new(),
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
    }

    fn get(&mut self, text: &str) -> Option<Arc<[f32]>> {
        let (used, vector) = self.entries.get_mut(text)?;
        self.clock += 1;
        if let Some(key) = self.order.remove(used) {
            self.order.insert(self.clock, key);
        }
        *used = self.clock;
        Some(Arc::clone(vector))
    }

    fn put(&mut self, text: &str, vector: Arc<[f32]>) {
        if self.capacity == 0 {
            return;
        }
        self.clock += 1;
        let key: Arc<str> = Arc::from(text);
        if let Some((used, _)) = self.entries.insert(Arc::clone(&key), (self.clock, vector)) {
            self.order.remove(&used);
        }
        self.order.insert(self.clock, key);
        while self.entries.len() > self.capacity {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            self.entries.remove(&oldest);
        }
    }
}
