//! The words of the command line, and what each of them may say.

use std::num::ParseIntError;
use std::path::PathBuf;

use anear::index::IndexSpec;
use anear::{DEFAULT_K, Filter, Metric};
use clap::{Args, Parser, Subcommand};

use crate::model::ModelName;
use crate::progress::When;

/// Ask text files a question, by meaning.
///
/// Works offline: a small embedding model is part of the program.
#[derive(Debug, Parser)]
#[command(name = "anear", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 found or done, 1 nothing found, 2 wrong usage, 3 failure.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find the passages of text files that answer a question.
    #[command(after_help = format!("{ASK_EXAMPLES}\n\n{EXIT_CODES}"))]
    Ask(AskArgs),
    /// Build a store from text files and save it to a folder.
    Index(IndexArgs),
    /// Find the passages of a saved store that answer a question.
    Search(SearchArgs),
    /// Say what this program runs on, or what a saved store holds.
    Info(InfoArgs),
    /// Measure recall and speed of vector indexes, setting by setting.
    #[command(after_help = format!("{EVAL_EXAMPLES}\n\n{EXIT_CODES}"))]
    Eval(EvalArgs),
    /// Find the fastest setting of a vector index that reaches a recall.
    #[command(after_help = format!("{TUNE_EXAMPLES}\n\n{EXIT_CODES}"))]
    Tune(TuneArgs),
}

const ASK_EXAMPLES: &str = "Examples:
  anear ask speech.txt \"who was nominated?\"
  anear ask notes/*.txt \"when do we meet?\" -k 2 --json
  git log | anear ask - \"when did we speed up the search?\"";

const EVAL_EXAMPLES: &str = "Examples:
  anear eval --data synthetic:n=100000,d=64 --index Flat --index IVF256,Flat --picture recall.svg
  anear eval --data glove-100-angular.hdf5 --index IVF1024,Flat -k 100 --threads 8
  anear eval --base base.fvecs --queries query.fvecs --truth gt.ivecs --index IVF1024,Flat";

const TUNE_EXAMPLES: &str = "Examples:
  anear tune --recall 0.95 --data synthetic:n=100000,d=64 --index IVF256,Flat --picture tuned.svg
  anear tune --recall 0.9 --base base.fbin --queries query.fbin --metric inner_product --index IVF1024,Flat";

#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    /// What you want to know.
    #[arg(value_parser = question)]
    pub(crate) question: String,
    #[command(flatten)]
    pub(crate) index: KindArgs,
    #[command(flatten)]
    pub(crate) search: QueryArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
}

#[derive(Debug, Args)]
pub(crate) struct IndexArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    /// Folder to save to; made if it is not there. A store of the same name in it is replaced.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) index: KindArgs,
    #[command(flatten)]
    pub(crate) store: NameArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Folder of the saved store, of ours or of LangChain's FAISS.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// What you want to know.
    #[arg(value_parser = question)]
    pub(crate) question: String,
    #[command(flatten)]
    pub(crate) store: NameArgs,
    #[command(flatten)]
    pub(crate) search: QueryArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Folder of a saved store; without it: version, instruction set, threads, features.
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: NameArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// An index in Faiss's words, such as Flat or IVF1024,Flat; may be given several times.
    #[arg(long, value_name = "SPEC", required = true)]
    pub(crate) index: Vec<IndexSpec>,
    #[command(flatten)]
    pub(crate) measure: MeasureArgs,
    /// Most settings of an index to try, of those that may be worth having; 0 tries all.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) experiments: usize,
    /// Print all settings that were tried, not only those worth having.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) picture: PictureArgs,
    /// Print one JSON object a line for each setting.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TuneArgs {
    /// The recall to reach, above 0 and at most 1.
    #[arg(long, value_name = "R")]
    pub(crate) recall: f64,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// An index in Faiss's words, such as IVF1024,Flat.
    #[arg(long, value_name = "SPEC")]
    pub(crate) index: IndexSpec,
    #[command(flatten)]
    pub(crate) measure: MeasureArgs,
    /// Tune for queries that come one by one instead of all at once.
    #[arg(long)]
    pub(crate) one_by_one: bool,
    /// Most settings to try.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = at_least_one)]
    pub(crate) trials: usize,
    /// Print all settings that were tried, not only those worth having.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) picture: PictureArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
}

/// A picture of what was measured.
#[derive(Debug, Args)]
pub(crate) struct PictureArgs {
    /// Draw recall and speed to this file, .svg or .png.
    #[arg(long, value_name = "FILE")]
    pub(crate) picture: Option<PathBuf>,
    /// Draw on black.
    #[arg(long, requires = "picture")]
    pub(crate) dark: bool,
}

/// What is searched, and for what.
///
/// Files: fvecs, bvecs, fbin, u8bin, i8bin, npy, and of hdf5 and parquet the part named behind `#`.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// A whole data set: a file of ann-benchmarks (.hdf5), or `synthetic:` with any of n, d, nq, clusters, seed.
    #[arg(long, value_name = "SET", required_unless_present = "base", conflicts_with_all = ["base", "queries", "truth"])]
    pub(crate) data: Option<String>,
    /// File of the vectors to search.
    #[arg(long, value_name = "FILE", requires = "queries")]
    pub(crate) base: Option<PathBuf>,
    /// File of the queries.
    #[arg(long, value_name = "FILE", requires = "base")]
    pub(crate) queries: Option<PathBuf>,
    /// File of the true neighbors (.ivecs, .ibin, .npy, .hdf5); without it they are computed.
    #[arg(long, value_name = "FILE", requires = "base")]
    pub(crate) truth: Option<PathBuf>,
    /// How vectors are compared: l2, inner_product, cosine, l1 or linf. By default what the data set says, or l2.
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Option<Metric>,
}

/// What is measured, and how long.
#[derive(Debug, Args)]
pub(crate) struct MeasureArgs {
    /// Neighbors of each query.
    #[arg(short, value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    pub(crate) k: usize,
    /// Threads to search on. Indexes are built on all.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) threads: usize,
    /// Seconds to measure each setting for, at least.
    #[arg(long, value_name = "S", default_value_t = 0.2, value_parser = seconds)]
    pub(crate) seconds: f64,
}

/// Which text, and how it is cut into passages.
#[derive(Debug, Args)]
pub(crate) struct TextArgs {
    /// Text files; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Most characters of a passage. Cuts at paragraphs where it can, then at lines, then between words.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub(crate) chunk_size: usize,
    /// Characters that a passage may repeat from the one before it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) chunk_overlap: usize,
    /// Encoding of the files, such as utf-8, euc-kr or windows-1252; `auto` guesses.
    #[arg(long, value_name = "LABEL", default_value = "utf-8")]
    pub(crate) encoding: String,
}

/// What passages are searched by.
#[derive(Debug, Args)]
pub(crate) struct KindArgs {
    /// An index, such as Flat, which is exact; auto, which is asked for a recall; or one in Faiss's words, such as HNSW32.
    #[arg(long, value_name = "SPEC", default_value = "Flat")]
    pub(crate) index: IndexSpec,
}

/// How the passages are chosen and shown.
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// Most passages to show.
    #[arg(short, value_name = "N", default_value_t = DEFAULT_K, value_parser = at_least_one)]
    pub(crate) k: usize,
    /// Search only passages whose metadata match, such as '{"source": "a.txt", "start_line": {"$lt": 100}}'.
    #[arg(long, value_name = "JSON", value_parser = filter)]
    pub(crate) filter: Option<Filter>,
    /// Give a search parameter of the index a value, such as recall=0.9 or nprobe=16; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) set: Vec<(String, f64)>,
    /// Prefer passages that differ from each other (maximal marginal relevance).
    #[arg(long)]
    pub(crate) mmr: bool,
    /// Print one JSON object a line: rank, score, relevance, source, start_index, page_content, metadata.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// Name of the store within its folder.
    #[arg(long, value_name = "NAME", default_value = "index")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// What turns text into vectors: `default` (built in), `openai[:MODEL]` (key in OPENAI_API_KEY, another
    /// server in OPENAI_BASE_URL) or
    /// `hf:NAME_OR_FOLDER` (sentence-transformers, run locally). Searching a saved store, the model it was built with.
    #[arg(long, value_name = "MODEL")]
    pub(crate) embeddings: Option<ModelName>,
}

#[derive(Debug, Args)]
pub(crate) struct ProgressArgs {
    /// When to show progress on standard error; `auto`: when that is a terminal.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) progress: When,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(count) => Ok(count),
        Err(error) => Err(ParseIntError::to_string(&error)),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        // A day is too long already, and what is longer fits no clock.
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("must be between 0 and 86400".into()),
    }
}

fn filter(text: &str) -> Result<Filter, anear::documents::Error> {
    text.parse()
}

fn setting(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("must be a name and a value, such as recall=0.9")?;
    match value.parse() {
        Ok(value) => Ok((name.into(), value)),
        Err(_) => Err(format!("`{value}` is no number")),
    }
}

fn question(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("a question needs at least one word".into())
    } else {
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        Cli::command().debug_assert();
    }
}
