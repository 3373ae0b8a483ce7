//! What a saved store's index and documents do not say.

use anear_index::VectorIndex;
use anear_kernels::Metric;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::local::Settings;
use crate::snapshot::Snapshot;

/// The version of the saved form that this anear writes.
const VERSION: u32 = 1;

/// Settings and counts of a saved store, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meta {
    version: u32,
    /// The metric by its name in anear.
    metric: String,
    /// The metric by its name in LangChain, for people who look into the file.
    distance_strategy: String,
    pub(super) normalize_l2: bool,
    /// Name of the embedding model.
    pub(super) model: String,
    /// `None` as long as no vector was added.
    pub(super) dim: Option<usize>,
    /// Number of documents.
    pub(super) documents: usize,
}

/// The version alone, which later forms have too.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Meta {
    pub(super) fn new(settings: &Settings, model: &str, snapshot: &Snapshot) -> Self {
        Self {
            version: VERSION,
            metric: settings.metric.name().to_owned(),
            distance_strategy: distance_strategy(settings.metric).to_owned(),
            normalize_l2: settings.normalize_l2,
            model: model.to_owned(),
            dim: snapshot.dim(),
            documents: snapshot.len(),
        }
    }

    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Meta(error.to_string()))
    }

    pub(super) fn from_json(json: &str) -> Result<Self> {
        let unreadable = |error: serde_json::Error| Error::Meta(error.to_string());
        let Versioned { version } = serde_json::from_str(json).map_err(unreadable)?;
        if version > VERSION {
            return Err(Error::NewerStore {
                found: version,
                known: VERSION,
            });
        }
        serde_json::from_str(json).map_err(unreadable)
    }

    /// What was read beside this must be what was saved beside it. (Vectors and documents are compared elsewhere.)
    pub(super) fn check(&self, documents: usize, index: Option<&dyn VectorIndex>) -> Result<()> {
        let agree = |what: &str, said: String, found: String| {
            if said == found {
                return Ok(());
            }
            Err(Error::Meta(format!("it says {what} {said}, but {found} is there")))
        };
        agree("number of documents", self.documents.to_string(), documents.to_string())?;
        let (said, found) = (self.dim.unwrap_or(0), index.map_or(0, VectorIndex::dim));
        agree("dimension", said.to_string(), found.to_string())?;
        match (self.metric()?, index.map(VectorIndex::metric)) {
            // A Faiss file holds a cosine index as inner products of unit vectors.
            (_, None) | (Metric::Cosine, Some(Metric::InnerProduct)) => Ok(()),
            (said, Some(found)) => agree("metric", said.to_string(), found.to_string()),
        }
    }

    pub(super) fn metric(&self) -> Result<Metric> {
        self.metric
            .parse()
            .map_err(|_| Error::Meta(format!("unknown metric `{}`", self.metric)))
    }
}

/// LangChain's name of a metric, or ours where it has none.
fn distance_strategy(metric: Metric) -> &'static str {
    match metric {
        Metric::L2 => "EUCLIDEAN_DISTANCE",
        Metric::InnerProduct => "MAX_INNER_PRODUCT",
        Metric::Cosine => "COSINE",
        other => other.name(),
    }
}
