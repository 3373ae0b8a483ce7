//! Searching: embed the query, then scan one snapshot on the compute pool.

use anear_documents::{Document, DocumentFilter};
use anear_pool::Pool;

use super::{LocalStore, Settings};
use crate::error::{Error, Result};
use crate::mmr::maximal_marginal_relevance;
use crate::request::{Hit, Query, Ranking, SearchRequest};
use crate::score::{reaches, score};
use crate::snapshot::{Place, Snapshot};

/// Comparisons of a choice by maximal marginal relevance: some seconds of one thread for common widths.
const MMR_PAIRS_MAX: usize = 100_000_000;

impl LocalStore {
    pub(super) async fn find(&self, request: SearchRequest) -> Result<Vec<Hit>> {
        let SearchRequest {
            query,
            k,
            filter,
            ranking,
            score_threshold,
        } = request;
        check(k, ranking, score_threshold)?;
        let mut query = match query {
            Query::Text(text) => self.shared.embeddings.embed_query(&text).await?,
            Query::Vector(vector) => vector,
        };
        self.read(move |shared, snapshot| {
            let (settings, pool) = (&shared.settings, &shared.pool);
            let dim = query.len();
            settings.prepare(&mut query, dim);
            let found = match ranking {
                Ranking::Similarity => snapshot.search(&query, k, filter.as_ref(), pool)?,
                Ranking::Mmr { fetch_k, lambda_mult } => {
                    diverse(snapshot, &query, k, fetch_k, lambda_mult, filter.as_ref(), pool)?
                }
            };
            Ok(hits(snapshot, settings, found, score_threshold))
        })
        .await
    }
}

/// Bounds that no store can lift.
fn check(k: usize, ranking: Ranking, score_threshold: Option<f32>) -> Result<()> {
    let at_least_one = |name, value: usize| match value {
        0 => Err(Error::Argument {
            name,
            wanted: "at least 1",
            got: value.to_string(),
        }),
        _ => Ok(()),
    };
    at_least_one("k", k)?;
    if score_threshold.is_some_and(f32::is_nan) {
        let got = "NaN".to_owned();
        return Err(Error::Argument {
            name: "score_threshold",
            wanted: "a number",
            got,
        });
    }
    if let Ranking::Mmr { fetch_k, lambda_mult } = ranking {
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

/// The `k` of the `fetch_k` nearest that are relevant but not all the same, each with its own distance.
fn diverse(
    snapshot: &Snapshot,
    query: &[f32],
    k: usize,
    fetch_k: usize,
    lambda_mult: f32,
    filter: Option<&DocumentFilter>,
    pool: &Pool,
) -> Result<Vec<(Place, f32)>> {
    let found = snapshot.search(query, fetch_k.max(k), filter, pool)?;
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

fn hits(snapshot: &Snapshot, settings: &Settings, found: Vec<(Place, f32)>, threshold: Option<f32>) -> Vec<Hit> {
    let metric = settings.metric;
    let hit = |(place, distance)| {
        let document = Document::clone(snapshot.document(place));
        Hit {
            document,
            score: score(metric, distance),
        }
    };
    let good = |hit: &Hit| threshold.is_none_or(|threshold| reaches(metric, hit.score, threshold));
    found.into_iter().map(hit).filter(good).collect()
}
