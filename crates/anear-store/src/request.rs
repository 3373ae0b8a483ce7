//! The one request beneath every search method, and what comes back.

use anear_documents::{Document, DocumentFilter};
use anear_index::Knobs;

use crate::error::{Error, Result};

/// Results when nothing else is asked for (LangChain's default).
pub const DEFAULT_K: usize = 4;
/// Candidates of a maximal marginal relevance search when nothing else is asked for.
pub const DEFAULT_FETCH_K: usize = 20;
/// Weight of relevance against diversity when nothing else is asked for.
pub const DEFAULT_LAMBDA_MULT: f32 = 0.5;

/// What to look for, how many, among which documents, in which order.
///
/// Anything that converts into a request can be given to the search methods: a text, a vector, or a request with
/// every detail.
///
/// ```
/// use anear_documents::Filter;
/// use anear_store::SearchRequest;
///
/// let request = SearchRequest::new("who was nominated?").k(1).filter(Filter::eq("page", 1));
/// assert_eq!(request.k, 1);
/// assert_eq!(SearchRequest::from("just a text").k, 4);
/// ```
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// What the results should resemble.
    pub query: Query,
    /// How many results, at least 1.
    pub k: usize,
    /// Which documents may be returned. The `k` nearest *matching* documents are found, always.
    pub filter: Option<DocumentFilter>,
    /// How the results are chosen among the nearest.
    pub ranking: Ranking,
    /// Keep only results whose [`score`](Hit::score) is at least this good: at most this large for distances, at
    /// least this large for inner products.
    pub score_threshold: Option<f32>,
    /// Search parameters of the index, such as `nprobe`, instead of the store's own.
    pub knobs: Knobs,
}

/// Many searches at once: the documents most similar to each of many vectors.
///
/// ```
/// use anear_store::SearchBatch;
///
/// let two = SearchBatch::new(vec![0.0, 1.0, 1.0, 0.0], 2).k(10);
/// assert_eq!((two.dim, two.k), (2, 10));
/// ```
#[derive(Clone, Debug)]
pub struct SearchBatch {
    /// The vectors that the results should resemble, row after row.
    pub queries: Vec<f32>,
    /// Numbers in each row: the store's dimension.
    pub dim: usize,
    /// How many results for each query, at least 1.
    pub k: usize,
    /// Which documents may be returned.
    pub filter: Option<DocumentFilter>,
    /// Keep only results whose [`score`](Hit::score) is at least this good, as in [`SearchRequest`].
    pub score_threshold: Option<f32>,
    /// Search parameters of the index, such as `nprobe`, instead of the store's own.
    pub knobs: Knobs,
}

/// What the results should resemble.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Query {
    /// A text, embedded with the store's model.
    Text(String),
    /// A vector of the store's dimension.
    Vector(Vec<f32>),
}

/// How results are chosen among the nearest.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Ranking {
    /// The `k` nearest, nearest first.
    Similarity,
    /// Maximal marginal relevance (Carbonell & Goldstein, 1998) over the `fetch_k` nearest.
    Mmr {
        /// How many of the nearest matching documents are candidates.
        fetch_k: usize,
        /// 1 asks for relevance only, 0 for diversity only.
        lambda_mult: f32,
    },
}

/// A found document.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// A copy of the stored document, with its id.
    pub document: Document,
    /// How close: squared L2 distance or inner product, as Faiss reports them (smaller, and larger, is closer), cosine
    /// distance `1 - cos`, L1 or Linf distance (smaller is closer).
    pub score: f32,
}

impl SearchRequest {
    /// A request for the [`DEFAULT_K`] documents most similar to `query`.
    pub fn new(query: impl Into<Query>) -> Self {
        Self {
            query: query.into(),
            k: DEFAULT_K,
            filter: None,
            ranking: Ranking::Similarity,
            score_threshold: None,
            knobs: Knobs::default(),
        }
    }

    /// Asks for `k` results.
    pub fn k(self, k: usize) -> Self {
        Self { k, ..self }
    }

    /// Returns only documents that match.
    pub fn filter(self, filter: impl Into<DocumentFilter>) -> Self {
        Self {
            filter: Some(filter.into()),
            ..self
        }
    }

    /// Keeps results whose score is at least as good as `score_threshold`.
    pub fn score_threshold(self, score_threshold: f32) -> Self {
        Self {
            score_threshold: Some(score_threshold),
            ..self
        }
    }

    /// Asks for maximal marginal relevance over the `fetch_k` nearest.
    pub fn mmr(self, fetch_k: usize, lambda_mult: f32) -> Self {
        Self {
            ranking: Ranking::Mmr { fetch_k, lambda_mult },
            ..self
        }
    }

    /// The same request, by maximal marginal relevance with default parameters unless it already says which.
    pub(crate) fn or_mmr(self) -> Self {
        match self.ranking {
            Ranking::Similarity => self.mmr(DEFAULT_FETCH_K, DEFAULT_LAMBDA_MULT),
            Ranking::Mmr { .. } => self,
        }
    }

    /// How many of the nearest the ranking chooses from.
    pub(crate) fn candidates(&self) -> usize {
        match self.ranking {
            Ranking::Similarity => self.k,
            Ranking::Mmr { fetch_k, .. } => fetch_k.max(self.k),
        }
    }

    /// Sets a search parameter of the index, such as `nprobe` or `efSearch`, for this search.
    pub fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.knobs.set(name, value);
        self
    }

    /// Bounds that no store can lift.
    pub(crate) fn check(&self) -> Result<()> {
        at_least_one("k", self.k)?;
        check_threshold(self.score_threshold)?;
        check_filter(self.filter.as_ref())?;
        if let Ranking::Mmr { fetch_k, lambda_mult } = self.ranking {
            at_least_one("fetch_k", fetch_k)?;
            if !(0.0..=1.0).contains(&lambda_mult) {
                let got = lambda_mult.to_string();
                return Err(Error::Argument {
                    name: "lambda_mult",
                    wanted: "between 0 and 1",
                    got,
                });
            }
        }
        Ok(())
    }
}

impl SearchBatch {
    /// A batch that asks for the [`DEFAULT_K`] documents most similar to each row of `dim` numbers in `queries`.
    pub fn new(queries: Vec<f32>, dim: usize) -> Self {
        Self {
            queries,
            dim,
            k: DEFAULT_K,
            filter: None,
            score_threshold: None,
            knobs: Knobs::default(),
        }
    }

    /// Asks for `k` results for each query.
    pub fn k(self, k: usize) -> Self {
        Self { k, ..self }
    }

    /// Returns only documents that match.
    pub fn filter(self, filter: impl Into<DocumentFilter>) -> Self {
        Self {
            filter: Some(filter.into()),
            ..self
        }
    }

    /// Keeps results whose score is at least as good as `score_threshold`.
    pub fn score_threshold(self, score_threshold: f32) -> Self {
        Self {
            score_threshold: Some(score_threshold),
            ..self
        }
    }

    /// Sets a search parameter of the index, such as `nprobe` or `efSearch`, for this batch.
    pub fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.knobs.set(name, value);
        self
    }

    /// Bounds that no store can lift.
    pub(crate) fn check(&self) -> Result<()> {
        at_least_one("k", self.k)?;
        check_threshold(self.score_threshold)?;
        check_filter(self.filter.as_ref())
    }
}

/// Refuses a filter that is too large where the caller stands: taking apart one that nests deeply takes a stack as deep,
/// and those of the pool are small.
pub(crate) fn check_filter(filter: Option<&DocumentFilter>) -> Result<()> {
    Ok(filter.map_or(Ok(()), DocumentFilter::check)?)
}

/// Refuses 0.
pub(crate) fn at_least_one(name: &'static str, value: usize) -> Result<()> {
    match value {
        0 => Err(Error::Argument {
            name,
            wanted: "at least 1",
            got: value.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Refuses a threshold that nothing reaches and nothing misses.
pub(crate) fn check_threshold(score_threshold: Option<f32>) -> Result<()> {
    match score_threshold {
        Some(threshold) if threshold.is_nan() => Err(Error::Argument {
            name: "score_threshold",
            wanted: "a number",
            got: "NaN".to_owned(),
        }),
        _ => Ok(()),
    }
}

impl<Q: Into<Query>> From<Q> for SearchRequest {
    fn from(query: Q) -> Self {
        Self::new(query)
    }
}

impl From<&str> for Query {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Query {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Query {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<Vec<f32>> for Query {
    fn from(vector: Vec<f32>) -> Self {
        Self::Vector(vector)
    }
}

impl From<&[f32]> for Query {
    fn from(vector: &[f32]) -> Self {
        Self::Vector(vector.to_vec())
    }
}
