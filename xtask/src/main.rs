//! Tasks of the workshop, run as `cargo xtask TASK`.
//!
//! `test` is the one command that passes or fails the whole repository, here and in continuous integration; the
//! others are its parts and the benchmark. What a task needs beyond Rust (Python packages) it installs below
//! `target/`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod neon;
mod python;
mod run;
#[cfg(test)]
mod tidy;

use std::process::ExitCode;

use run::{Outcome, cargo, program};

const HELP: &str = "\
usage: cargo xtask TASK

  test        everything that must hold: format, lints, tidy, unit, doc and integration tests,
              examples, documentation, a minute of changed files, interchange with the real Python packages
  check       the quick part of it: format, lints, tidy
  neon        the kernels of 64-bit Arm on any machine, emulated: needs qemu-user, gcc-aarch64-linux-gnu
              and `rustup target add aarch64-unknown-linux-gnu`; `test` runs it where they are installed
  bench       exact search paired with faiss-cpu, then recall and speed beside all peers;
              `bench exact` and `bench peers [ARGUMENTS]` run one of them
";

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let outcome = match task.as_str() {
        "test" => test(),
        "check" => check(),
        "neon" => neon::test(),
        "bench" => bench(&std::env::args().skip(2).collect::<Vec<_>>()),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => {
            println!("xtask {task}: passed");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("xtask {task}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Outcome {
    cargo(&["fmt", "--all", "--check"]).run()?;
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ])
    .run()?;
    cargo(&["test", "--package", "xtask"]).run()
}

fn test() -> Outcome {
    check()?;
    let python = python::environment()?;
    // What the tests may count on: with these promises a test that lacks its peer fails instead of skipping.
    cargo(&[
        "test",
        "--workspace",
        "--exclude",
        "xtask",
        "--all-features",
        "--",
        "--show-output",
    ])
    .env("ANEAR_PYTHON", &python.interpreter)
    .env("ANEAR_MINILM", &python.minilm)
    .env("ANEAR_REQUIRE", "python,minilm")
    .run()?;
    python_package(&python)?;
    for example in run::examples()? {
        cargo(&["run", "--quiet", "--package", "anear", "--example", &example]).run()?;
    }
    cargo(&["run", "--package", "anear-fuzz", "--", "--seconds", "60"]).run()?;
    cargo(&["doc", "--workspace", "--all-features", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    run::if_installed(
        &["deny"],
        &["--offline", "--all-features", "check", "licenses", "bans", "sources"],
    )?;
    // The pure parts of the one crate with unsafe code, under the interpreter that sees undefined behavior.
    let pure = [
        "test",
        "--package",
        "anear-kernels",
        "--lib",
        "--",
        "rows",
        "select",
        "bitmap",
    ];
    run::if_installed(&["+nightly", "miri"], &pure)?;
    neon::test_if_installed()
}

/// The wheel in a clean environment, then its tests and types beside the real LangChain.
fn python_package(python: &python::Environment) -> Outcome {
    python::package(python)?;
    program(
        &python.interpreter,
        &["-m", "pytest", "--quiet", "crates/anear-python/tests"],
    )
    .env("ANEAR_MINILM", &python.minilm)
    .env("ANEAR_LANGCHAIN_SDIST", &python.upstream)
    .env(
        "ANEAR_FIXTURES",
        run::root().join("crates/anear-pickle/tests/fixtures/langchain"),
    )
    .env("ANEAR_REQUIRE", "upstream,fixtures,minilm,notebook")
    .run()
}

fn bench(args: &[String]) -> Outcome {
    match args.split_first() {
        None => {
            exact()?;
            peers(&[])
        }
        Some((part, [])) if part == "exact" => exact(),
        Some((part, rest)) if part == "peers" => peers(rest),
        Some((part, _)) => Err(format!("there is no benchmark `{part}`; `exact` and `peers` are there")),
    }
}

fn exact() -> Outcome {
    let python = python::environment()?;
    cargo(&[
        "build",
        "--release",
        "--package",
        "anear-index",
        "--example",
        "flat_bench",
    ])
    .run()?;
    program(&python.interpreter, &["benches/flat_vs_faiss.py"]).run()
}

fn peers(args: &[String]) -> Outcome {
    let python = python::environment()?;
    python::package(&python)?;
    python::require(&python, "benches/peers/requirements.txt")?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    program(&python.interpreter, &[&["benches/peers"], &args[..]].concat())
        .env("ANEAR_MINILM", &python.minilm)
        .run()
}
