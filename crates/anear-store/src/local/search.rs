//! Searching: embed the query, then scan one snapshot on the compute pool.

use super::{LocalStore, View, gather};
use crate::error::{Error, Result};
use crate::mmr::maximal_marginal_relevance;
use crate::request::{Hit, Query, SearchRequest};
use crate::snapshot::{Place, Snapshot};

/// Comparisons of a choice by maximal marginal relevance: some seconds of one thread for common widths.
const MMR_PAIRS_MAX: usize = 100_000_000;

impl LocalStore {
    pub(super) async fn find(&self, mut request: SearchRequest) -> Result<Vec<Hit>> {
        request.check()?;
        if let Query::Text(text) = &request.query {
            request.query = Query::Vector(self.shared.embeddings.embed_query(text).await?);
        }
        if let (Query::Vector(query), None) = (&mut request.query, &request.filter) {
            let query = std::mem::take(query);
            return gather::search(&self.shared, query, request).await;
        }
        let shared = self.shared.clone();
        let search = move || View::new(shared).search(&request, None);
        self.shared.pool.run(search).await?
    }
}

/// The `k` of the nearest that are relevant but not all the same, each with its own distance.
pub(super) fn diverse(
    snapshot: &Snapshot,
    query: &[f32],
    found: Vec<(Place, f32)>,
    k: usize,
    lambda_mult: f32,
) -> Result<Vec<(Place, f32)>> {
    let pairs = k.min(found.len()).saturating_mul(found.len());
    if pairs > MMR_PAIRS_MAX {
        return Err(Error::Argument {
            name: "k * fetch_k",
            wanted: "at most 100,000,000 for maximal marginal relevance",
            got: pairs.to_string(),
        });
    }
    let vectors = found
        .iter()
        .map(|(place, _)| snapshot.vector(*place))
        .collect::<Result<Vec<_>>>()?;
    let vectors: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
    let chosen = maximal_marginal_relevance(query, &vectors, lambda_mult, k);
    Ok(chosen.into_iter().map(|i| found[i]).collect())
}
