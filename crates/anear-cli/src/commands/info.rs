//! `anear info`: what this program runs on, or what a saved store holds.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anear::kernels::{Isa, isa, isa_report};
use anear::{Pool, VectorStore as _};
use serde::Serialize;

use super::load;
use crate::args::InfoArgs;
use crate::error::{Error, Outcome, Result};
use crate::output::write_json;

/// What belongs into a bug report.
#[derive(Debug, Serialize)]
struct Program {
    version: &'static str,
    /// The instruction set that computes distances.
    instruction_set: &'static str,
    available: Vec<&'static str>,
    /// The same with the reason of the choice, and the environment variable that made it.
    instruction_set_report: String,
    threads: usize,
    features: Vec<&'static str>,
}

/// What a saved store holds.
#[derive(Debug, Serialize)]
struct Saved {
    documents: usize,
    /// `None` while there is no vector.
    dimension: Option<usize>,
    metric: &'static str,
    /// Whether vectors are scaled to unit length.
    normalized: bool,
    /// The kind of index, as a factory string.
    index: String,
    /// How it searches, and why, if it finds that out by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
    /// `None` where the program that saved it did not say.
    model: Option<String>,
    /// Size of its files.
    bytes: u64,
}

pub(crate) async fn info(args: InfoArgs) -> Result<Outcome> {
    match &args.folder {
        None => Program::here().write(args.json),
        Some(folder) => Saved::load(folder, &args.store.name).await?.write(args.json),
    }
    .map_err(Error::Write)?;
    Ok(Outcome::Done)
}

impl Program {
    fn here() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            instruction_set: isa().name(),
            available: Isa::ALL
                .iter()
                .filter(|isa| isa.is_available())
                .map(|isa| isa.name())
                .collect(),
            instruction_set_report: isa_report(),
            threads: Pool::global().threads(),
            features: if cfg!(feature = "huggingface") {
                vec!["openai", "huggingface"]
            } else {
                vec!["openai"]
            },
        }
    }

    fn write(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            return write_json(&mut out, self);
        }
        writeln!(out, "anear {}", self.version)?;
        writeln!(out, "instruction set: {}", self.instruction_set_report)?;
        writeln!(out, "threads: {}", self.threads)?;
        writeln!(out, "features: {}", self.features.join(", "))
    }
}

impl Saved {
    async fn load(folder: &Path, name: &str) -> Result<Self> {
        let store = load(folder, name).await?;
        Ok(Self {
            documents: store.count(None).await?,
            dimension: store.dim(),
            metric: store.metric().name(),
            normalized: store.normalize_l2(),
            index: store.index().to_string(),
            explanation: store.view().explain(),
            model: store.saved_model().map(str::to_owned),
            bytes: bytes(folder, name).map_err(|source| Error::Read {
                path: folder.to_owned(),
                source,
            })?,
        })
    }

    fn write(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            return write_json(&mut out, self);
        }
        let Self {
            documents,
            dimension,
            metric,
            normalized,
            index,
            explanation,
            model,
            bytes,
        } = self;
        let dimension = dimension.map_or("unknown".into(), |dimension| dimension.to_string());
        writeln!(out, "documents: {documents}")?;
        writeln!(out, "dimension: {dimension}")?;
        writeln!(
            out,
            "metric: {metric}{}",
            if *normalized { ", on normalized vectors" } else { "" }
        )?;
        writeln!(out, "index: {index}")?;
        if let Some(explanation) = explanation {
            writeln!(out, "searches: {explanation}")?;
        }
        writeln!(out, "model: {}", model.as_deref().unwrap_or("not recorded"))?;
        writeln!(out, "bytes: {bytes}")
    }
}

/// Size of the files of one saved store, as many as there are: LangChain writes no `.anear.json`, and an index is in a
/// `.faiss` or, where Faiss has none such, a `.vectors`.
fn bytes(folder: &Path, name: &str) -> io::Result<u64> {
    let kinds = ["faiss", "vectors", "pkl", "anear.json"];
    let sizes = kinds.map(|kind| match fs::metadata(folder.join(format!("{name}.{kind}"))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        metadata => Ok(metadata?.len()),
    });
    sizes.into_iter().sum()
}
