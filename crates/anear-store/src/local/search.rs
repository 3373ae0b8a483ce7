//! Searching: embed the query, then scan one snapshot on the compute pool.

use std::borrow::Cow;

use anear_documents::{Document, DocumentFilter};
use anear_index::Knobs;
use anear_kernels::Rows;

use super::gather::Gather;
use super::{LocalStore, Shared, View};
use crate::error::{Error, Result, rows};
use crate::mmr::maximal_marginal_relevance;
use crate::request::{Hit, Query, Ranking, SearchBatch, SearchRequest, at_least_one};
use crate::score::{reaches, score};
use crate::snapshot::{Place, Selection};

/// Comparisons of a choice by maximal marginal relevance: some seconds of one thread for common widths.
const MMR_PAIRS_MAX: usize = 100_000_000;

impl LocalStore {
    pub(super) async fn find(&self, mut request: SearchRequest) -> Result<Vec<Hit>> {
        request.check()?;
        if let Query::Text(text) = &request.query {
            request.query = Query::Vector(self.shared.embeddings.embed_query(text).await?);
        }
        match Gather::takes(&request) {
            true => self.find_gathered(request).await,
            false => self.read(move |view| view.search(&request, None)).await,
        }
    }

    /// Searches for many vectors in one pass over the store: the hits of each, in the order of the queries.
    ///
    /// # Errors
    /// As [`VectorStore::search`](crate::VectorStore::search), embedding apart, if any one of the queries is refused;
    /// [`Error::Argument`] when `queries` are not whole rows.
    ///
    /// ```
    /// use anear_store::{LocalStore, SearchBatch};
    /// use anear_embeddings::TableEmbeddings;
    ///
    /// # futures::executor::block_on(async {
    /// let model = TableEmbeddings::new([("north", vec![0.0, 1.0]), ("east", vec![1.0, 0.0])]);
    /// let store = LocalStore::from_texts(["north", "east"], model).await?;
    /// let hits = store.search_batch(SearchBatch::new(vec![1.0, 0.1, 0.1, 1.0], 2).k(1)).await?;
    /// assert_eq!(hits[0][0].document.page_content, "east");
    /// assert_eq!(hits[1][0].document.page_content, "north");
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub async fn search_batch(&self, batch: SearchBatch) -> Result<Vec<Vec<Hit>>> {
        batch.check()?;
        self.read(move |view| view.search_batch(&batch, None)).await
    }
}

impl View {
    /// The `k` nearest of each query, nearest first, as positions and [scores](Hit::score); with `among` only of the
    /// documents at these positions.
    ///
    /// # Errors
    /// When `k` is 0, the queries have another width than the vectors or a component that is not finite;
    /// [`Error::UnknownPosition`] for a position in `among` that is not there.
    ///
    /// ```
    /// # use anear_store::{LocalStore, VectorStoreExt};
    /// # use anear_embeddings::TableEmbeddings;
    /// use anear_kernels::Rows;
    /// # futures::executor::block_on(async {
    /// let model = TableEmbeddings::new([("north", vec![0.0, 1.0]), ("east", vec![1.0, 0.0])]);
    /// let view = LocalStore::from_texts(["north", "east"], model).await?.view();
    /// let queries = Rows::new(&[1.0, 0.0, 0.0, 1.0], 2).unwrap();
    /// assert_eq!(view.nearest(queries, 1, None)?, [[(1, 0.0)], [(0, 0.0)]]);
    /// assert_eq!(view.nearest(queries, 1, Some(&[1]))?, [[(1, 0.0)], [(1, 2.0)]]);
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub fn nearest(&self, queries: Rows<'_>, k: usize, among: Option<&[usize]>) -> Result<Vec<Vec<(usize, f32)>>> {
        at_least_one("k", k)?;
        let selection = self.selection(None, among)?;
        let found = self.found(queries, &vec![k; queries.len()], &selection, &Knobs::default())?;
        let scored = |(place, distance)| (self.snapshot.position(place), score(self.metric(), distance));
        Ok(found
            .into_iter()
            .map(|found| found.into_iter().map(scored).collect())
            .collect())
    }

    /// The search beneath all others; the query must be a vector, since a view has no time to wait for a model. With
    /// `among` only the documents at these positions are looked at, and of them those that the request's filter wants.
    ///
    /// # Errors
    /// As [`VectorStore::search`](crate::VectorStore::search), embedding apart; [`Error::Argument`] for a query that is
    /// a text, [`Error::UnknownPosition`] for a position in `among` that is not there.
    pub fn search(&self, request: &SearchRequest, among: Option<&[usize]>) -> Result<Vec<Hit>> {
        request.check()?;
        let query = self.query(request)?;
        let selection = self.selection(request.filter.as_ref(), among)?;
        let found = self.found(query, &[request.candidates()], &selection, &request.knobs)?;
        self.ranked(request, &found.concat())
    }

    /// [`LocalStore::search_batch`] on this state, synchronous; with `among` only of the documents at these positions.
    ///
    /// # Errors
    /// As there, and [`Error::UnknownPosition`] for a position in `among` that is not there.
    pub fn search_batch(&self, batch: &SearchBatch, among: Option<&[usize]>) -> Result<Vec<Vec<Hit>>> {
        batch.check()?;
        let queries = rows("queries", &batch.queries, batch.dim, self.dim())?;
        let selection = self.selection(batch.filter.as_ref(), among)?;
        let found = self.found(queries, &vec![batch.k; queries.len()], &selection, &batch.knobs)?;
        let hits = |found: &Vec<_>| self.hits(found, batch.score_threshold);
        Ok(found.iter().map(hits).collect())
    }

    /// The request's vector, as wide as the store's.
    fn query<'a>(&self, request: &'a SearchRequest) -> Result<Rows<'a>> {
        match &request.query {
            Query::Vector(vector) => rows("the query", vector, vector.len(), self.dim()),
            Query::Text(_) => Err(Error::Argument {
                name: "the query of a view",
                wanted: "a vector; search the store itself for a text",
                got: "a text".to_owned(),
            }),
        }
    }

    /// Refuses a request whose query is not one of this store's.
    pub(super) fn check(&self, request: &SearchRequest) -> Result<()> {
        self.snapshot.check_queries(self.query(request)?)
    }

    /// The candidates of each of these requests, none with a filter, found in one scan.
    pub(super) fn found_each(&self, requests: &[&SearchRequest]) -> Result<Vec<Vec<(Place, f32)>>> {
        let Some(dim) = self.dim() else {
            return Ok(vec![Vec::new(); requests.len()]);
        };
        let mut queries = Vec::with_capacity(requests.len() * dim);
        for request in requests {
            queries.extend_from_slice(self.query(request)?.as_slice());
        }
        let ks: Vec<usize> = requests.iter().map(|request| request.candidates()).collect();
        let selection = self.snapshot.select(None)?;
        let queries = rows("queries", &queries, dim, self.dim())?;
        self.found(queries, &ks, &selection, &Knobs::default())
    }

    /// What the filter wants of the documents at these positions.
    fn selection(&self, filter: Option<&DocumentFilter>, among: Option<&[usize]>) -> Result<Selection<'_>> {
        let mut selection = self.snapshot.select(filter)?;
        let Some(positions) = among else { return Ok(selection) };
        for (slots, among) in selection.iter_mut().zip(self.snapshot.at(positions)?) {
            match slots {
                None => *slots = Some(Cow::Owned(among)),
                Some(slots) => slots.to_mut().and(&among),
            }
        }
        Ok(selection)
    }

    /// The `ks[i]` selected documents nearest to the `i`-th query as the caller gave it, with their distances.
    fn found(
        &self,
        queries: Rows<'_>,
        ks: &[usize],
        selection: &Selection<'_>,
        knobs: &Knobs,
    ) -> Result<Vec<Vec<(Place, f32)>>> {
        let Shared { settings, readers, .. } = &*self.shared;
        let mut prepared = Cow::Borrowed(queries.as_slice());
        if settings.normalizes() {
            settings.prepare(prepared.to_mut(), queries.dim());
        }
        let queries = rows("queries", &prepared, queries.dim(), self.dim())?;
        self.snapshot.nearest(queries, ks, selection, knobs, readers)
    }

    /// What the request's ranking and threshold make of its candidates.
    pub(super) fn ranked(&self, request: &SearchRequest, found: &[(Place, f32)]) -> Result<Vec<Hit>> {
        let found = match request.ranking {
            Ranking::Similarity => Cow::Borrowed(found),
            Ranking::Mmr { lambda_mult, .. } => {
                let query = self.query(request)?;
                Cow::Owned(self.diverse(query.as_slice(), request.k, lambda_mult, found)?)
            }
        };
        Ok(self.hits(&found, request.score_threshold))
    }

    /// The `k` of the nearest that are relevant but not all the same, each with its own distance.
    fn diverse(&self, query: &[f32], k: usize, lambda_mult: f32, found: &[(Place, f32)]) -> Result<Vec<(Place, f32)>> {
        let pairs = k.min(found.len()).saturating_mul(found.len());
        if pairs > MMR_PAIRS_MAX {
            return Err(Error::Argument {
                name: "k * fetch_k",
                wanted: "at most 100,000,000 for maximal marginal relevance",
                got: pairs.to_string(),
            });
        }
        let mut vectors = Vec::with_capacity(found.len() * query.len());
        for (place, _) in found {
            let vector = self.snapshot.vector(*place, &mut vectors);
            vector.map_err(|error| self.without_vectors(error))?;
        }
        let vectors: Vec<&[f32]> = vectors.chunks_exact(query.len()).collect();
        let chosen = maximal_marginal_relevance(query, &vectors, lambda_mult, k);
        Ok(chosen.into_iter().map(|i| found[i]).collect())
    }

    /// What to do about an index that has no way back from codes to vectors.
    fn without_vectors(&self, error: Error) -> Error {
        match error {
            Error::Index(source) if source.has_no_way_back() => Error::NoVectors {
                index: self.shared.settings.index.to_string(),
                source: source.into(),
            },
            other => other,
        }
    }

    fn hits(&self, found: &[(Place, f32)], threshold: Option<f32>) -> Vec<Hit> {
        let metric = self.metric();
        let hit = |&(place, distance): &(Place, f32)| Hit {
            document: Document::clone(self.snapshot.document(place)),
            score: score(metric, distance),
        };
        let good = |hit: &Hit| threshold.is_none_or(|threshold| reaches(metric, hit.score, threshold));
        found.iter().map(hit).filter(good).collect()
    }
}
