//! Feeds every reader of anear with changed files and texts, for as long as it is told.
//!
//! ```text
//! cargo run --package anear-fuzz -- --seconds 60                        # all readers
//! cargo run --package anear-fuzz -- --only faiss --seed 7               # one of them, other changes
//! cargo run --package anear-fuzz -- --only faiss --input FILE           # what failed, once more
//! ```
//!
//! An input fails when its reader panics, or takes more memory than [`memory_limit`] allows for its size. It is then
//! kept below `target/fuzz`. So is the input that is being read, for readers that take the whole process down with them.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod mutate;
mod targets;

use std::error::Error;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use fastrand::Rng;
use peak_alloc::PeakAlloc;

use self::targets::{TARGETS, Target};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Changed files and texts against every reader of anear.
#[derive(Debug, Parser)]
struct Options {
    /// How long to go on, all readers together
    #[arg(long, default_value_t = 60, conflicts_with = "input")]
    seconds: u64,
    /// Where the changes begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One reader, by its name
    #[arg(long)]
    only: Option<String>,
    /// One input for that reader
    #[arg(long, requires = "only")]
    input: Option<PathBuf>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    let chosen = chosen(options.only.as_deref())?;
    if let Some(path) = &options.input {
        let input = fs::read(path)?;
        let verdict = chosen.iter().try_for_each(|target| attempt(target, &input).map(drop));
        return Ok(report(verdict.err()));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz");
    fs::create_dir_all(&folder)?;
    let time = Duration::from_secs(options.seconds) / chosen.len() as u32;
    println!(
        "{:<14}{:>10}{:>10}{:>16}",
        "reader", "inputs", "accepted", "bytes per byte"
    );
    for target in chosen {
        let count = fuzz(target, time, options.seed, &folder)?;
        let Some(count) = count else {
            return Ok(ExitCode::FAILURE);
        };
        println!(
            "{:<14}{:>10}{:>10}{:>16.1}",
            target.name, count.inputs, count.accepted, count.per_byte
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// All targets, or the one with this name.
fn chosen(only: Option<&str>) -> Result<Vec<&'static Target>, Box<dyn Error>> {
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| only.is_none_or(|name| name == target.name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        return Err(format!("no such reader; there are: {}", names.join(", ")).into());
    }
    Ok(chosen)
}

/// What became of a reader's inputs.
#[derive(Default)]
struct Count {
    inputs: u64,
    accepted: u64,
    /// The most memory that an input took, by its own size.
    per_byte: f64,
}

/// Changes the seeds of `target` until `time` is over; `None` when an input failed, which was then reported.
fn fuzz(target: &Target, time: Duration, seed: u64, folder: &Path) -> Result<Option<Count>, Box<dyn Error>> {
    let seeds = (target.seeds)();
    for (i, seed) in seeds.iter().enumerate() {
        assert!(attempt(target, seed)?.accepted, "{}: seed {i} is refused", target.name);
    }
    let (mut rng, mut count, start) = (Rng::with_seed(seed), Count::default(), Instant::now());
    let current = folder.join(target.name);
    let mut file = File::create(&current)?;
    while start.elapsed() < time {
        let input = (target.change)(&seeds[rng.usize(..seeds.len())], &mut rng);
        file.rewind()?;
        file.write_all(&input)?;
        file.set_len(input.len() as u64)?;
        match attempt(target, &input) {
            Ok(attempt) => {
                count.inputs += 1;
                count.accepted += u64::from(attempt.accepted);
                count.per_byte = count.per_byte.max(attempt.memory as f64 / input.len().max(1) as f64);
            }
            Err(failure) => {
                let kept = folder.join(format!("{}-failed-{}", target.name, count.inputs));
                fs::rename(&current, &kept)?;
                report(Some(format!(
                    "{failure}\nonce more: cargo run --package anear-fuzz -- --only {} --input {}",
                    target.name,
                    kept.display()
                )));
                return Ok(None);
            }
        }
    }
    fs::remove_file(&current)?;
    Ok(Some(count))
}

struct Attempt {
    accepted: bool,
    memory: usize,
}

/// Reads one input; an error says how that failed.
fn attempt(target: &Target, input: &[u8]) -> Result<Attempt, String> {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let accepted = catch_unwind(AssertUnwindSafe(|| (target.read)(input)))
        .map_err(|_| format!("{}: an input of {} bytes made it panic", target.name, input.len()))?;
    let memory = MEMORY.peak_usage().saturating_sub(before);
    let limit = memory_limit(input.len());
    if memory > limit {
        return Err(format!(
            "{}: an input of {} bytes took {memory} bytes of memory, more than {limit}",
            target.name,
            input.len()
        ));
    }
    Ok(Attempt { accepted, memory })
}

/// Bytes of memory that an input of `len` bytes may take: a byte can stand for a list or a value of some words, and
/// searching what was read takes tables that do not depend on it.
fn memory_limit(len: usize) -> usize {
    256 * len + (4 << 20)
}

fn report(failure: Option<String>) -> ExitCode {
    match failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
