//! `anear info`: what this program runs on, or what a saved store holds.

use std::io::{self, Write};
use std::path::Path;

use anear::kernels::{Isa, isa, isa_report};
use anear::{LocalStore, Pool, VectorStore as _};
use serde::Serialize;

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
            available: Isa::available().map(Isa::name).collect(),
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
