//! The `anear` command: ask text files a question, save an index, search it; measure vector indexes and tune them.
//!
//! Answers go to standard output, everything else to standard error. [`error::Outcome`] lists the exit codes.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod corpus;
mod error;
mod model;
mod output;
mod picture;
mod progress;
mod trial;

use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser as _;
use clap::error::ErrorKind;
use error::{Error, Outcome, Result};

fn main() -> ExitCode {
    // A bug of ours is one line too.
    panic::set_hook(Box::new(|panic| {
        complain(&format!("internal error, please report it: {panic}"))
    }));
    let outcome = panic::catch_unwind(AssertUnwindSafe(outcome)).unwrap_or(Outcome::Failed);
    ExitCode::from(outcome as u8)
}

fn outcome() -> Outcome {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    match run(cli.command) {
        Ok(outcome) => outcome,
        Err(error) => {
            let outcome = error.outcome();
            if outcome != Outcome::Done {
                complain(&error.line());
            }
            outcome
        }
    }
}

fn run(command: Command) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.map_err(Error::Runtime)?;
    match command {
        Command::Eval(args) => commands::eval(&args),
        Command::Tune(args) => commands::tune(&args),
        Command::Ask(args) => runtime.block_on(commands::ask(args)),
        Command::Index(args) => runtime.block_on(commands::index(args)),
        Command::Search(args) => runtime.block_on(commands::search(args)),
        Command::Info(args) => runtime.block_on(commands::info(args)),
    }
}

/// What was asked for instead of work (help, version), or what is wrong with the command line.
fn refused(error: &clap::Error) -> Outcome {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nobody is left to be told when this fails.
            let _ = error.print();
            Outcome::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Outcome::WrongUsage
        }
        _ => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let text = text
                .replace("\n\nUsage:", "; usage:")
                .replace("\n\nFor more information, try", "; try");
            let words: Vec<&str> = text.split_whitespace().collect();
            complain(words.join(" ").trim_end_matches('.'));
            Outcome::WrongUsage
        }
    }
}

fn complain(line: &str) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(io::stderr(), "anear: {}", line.replace('\n', " "));
}
