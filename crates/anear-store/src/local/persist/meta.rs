//! What a saved store's index and documents do not say.

use std::collections::{BTreeMap, BTreeSet};

use anear_documents::{Document, Value};
use anear_index::{IndexSpec, Knobs, VectorIndex};
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
    /// The kind of index, as a factory string.
    #[serde(default = "exact")]
    index: String,
    /// Search parameters that are not as Faiss's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    knobs: BTreeMap<String, f64>,
    /// Name of the embedding model.
    pub(super) model: String,
    /// `None` as long as no vector was added.
    pub(super) dim: Option<usize>,
    /// Number of documents.
    pub(super) documents: usize,
    /// The types of the values in each metadata field, both by name and sorted.
    metadata_types: MetadataTypes,
}

type MetadataTypes = BTreeMap<String, BTreeSet<String>>;

/// The index of stores that do not say which they have.
fn exact() -> String {
    IndexSpec::default().to_string()
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
            metric: settings.metric.to_string(),
            distance_strategy: distance_strategy(settings.metric).to_owned(),
            normalize_l2: settings.normalize_l2,
            index: settings.index.to_string(),
            knobs: knobs(settings, snapshot),
            model: model.to_owned(),
            dim: snapshot.dim(),
            documents: snapshot.len(),
            metadata_types: metadata_types(snapshot.places().map(|place| &**snapshot.document(place))),
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
    pub(super) fn check(&self, documents: &[Document], index: Option<&dyn VectorIndex>) -> Result<()> {
        let agree = |what: &str, said: String, found: String| {
            if said == found {
                return Ok(());
            }
            Err(Error::Meta(format!("it says {what} {said}, but {found} is there")))
        };
        agree(
            "number of documents",
            self.documents.to_string(),
            documents.len().to_string(),
        )?;
        let types = metadata_types(documents);
        if let Some((field, said)) = self
            .metadata_types
            .iter()
            .find(|(field, said)| types.get(*field) != Some(said))
        {
            let found = types.get(field).cloned().unwrap_or_default();
            agree(
                &format!("type of metadata `{field}`"),
                format!("{said:?}"),
                format!("{found:?}"),
            )?;
        }
        // An index that was to be trained and never was is not there, though the store may have been told its dimension.
        if index.is_some() || !documents.is_empty() || !self.index()?.needs_training() {
            let (said, found) = (self.dim.unwrap_or(0), index.map_or(0, VectorIndex::dim));
            agree("dimension", said.to_string(), found.to_string())?;
        }
        match (self.metric()?, index.map(VectorIndex::metric)) {
            // A Faiss file holds a cosine index as inner products of unit vectors.
            (_, None) | (Metric::Cosine, Some(Metric::InnerProduct)) => Ok(()),
            (said, Some(found)) => agree("metric", said.to_string(), found.to_string()),
        }
    }

    /// The search parameters that are not as Faiss's.
    pub(super) fn knobs(&self) -> Knobs {
        let mut knobs = Knobs::default();
        self.knobs.iter().for_each(|(name, value)| knobs.set(name, *value));
        knobs
    }

    /// The kind of index.
    pub(super) fn index(&self) -> Result<IndexSpec> {
        Ok(self.index.parse::<IndexSpec>()?)
    }

    pub(super) fn metric(&self) -> Result<Metric> {
        self.metric
            .parse()
            .map_err(|_| Error::Meta(format!("unknown metric `{}`", self.metric)))
    }
}

/// The search parameters that are not as Faiss's; as long as there is no index, those that it will get.
fn knobs(settings: &Settings, snapshot: &Snapshot) -> BTreeMap<String, f64> {
    // JSON has no infinity; the largest number stands for all as well.
    let finite = |(name, value): (&str, f64)| (name.to_owned(), value.min(f64::MAX));
    let Some(template) = snapshot.template() else {
        let to_come = settings.knobs.iter().chain(snapshot.knobs().iter());
        return to_come.map(finite).collect();
    };
    let known = template.knobs().into_iter();
    let set = known.filter_map(|knob| Some((knob, template.knob(knob.name)?)));
    // Counts stand for all from the largest on.
    let most = |value: f64| value.min(u64::MAX as f64);
    set.filter(|(knob, value)| most(*value) != most(knob.default))
        .map(|(knob, value)| finite((knob.name, value)))
        .collect()
}

fn metadata_types<'d>(documents: impl IntoIterator<Item = &'d Document>) -> MetadataTypes {
    let mut types = MetadataTypes::new();
    for (field, value) in documents.into_iter().flat_map(|document| &document.metadata) {
        let name = type_name(value);
        match types.get_mut(field) {
            Some(names) if names.contains(name) => {}
            Some(names) => drop(names.insert(name.to_owned())),
            None => drop(types.insert(field.clone(), BTreeSet::from([name.to_owned()]))),
        }
    }
    types
}

/// JSON Schema's name of a value's type, and `datetime`.
fn type_name(value: &Value) -> &'static str {
    match value.nearest() {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::DateTime(_) => "datetime",
        Value::List(_) => "array",
        // What is nearest to a foreign value is not foreign.
        Value::Map(_) | Value::Foreign(_) => "object",
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
