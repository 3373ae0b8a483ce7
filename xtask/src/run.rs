//! Running commands: each is printed before it runs, and its failure names it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Nothing, or what failed.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// A command of this repository, run in its root.
pub(crate) struct Step(Command);

/// A cargo command.
pub(crate) fn cargo(args: &[&str]) -> Step {
    program(
        std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from),
        args,
    )
}

/// Any command.
pub(crate) fn program(path: impl AsRef<Path>, args: &[&str]) -> Step {
    let mut command = Command::new(path.as_ref());
    command.args(args).current_dir(root());
    Step(command)
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

impl Step {
    /// Sets a variable for this command.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs the command and waits for it.
    pub(crate) fn run(mut self) -> Outcome {
        let shown = self.to_string();
        println!("\n$ {shown}");
        match self.0.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{shown}` ended with {status}")),
            Err(error) => Err(format!("`{shown}` cannot be started: {error}")),
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = Path::new(self.0.get_program()).file_name().unwrap_or_default();
        write!(f, "{}", name.to_string_lossy())?;
        self.0
            .get_args()
            .try_for_each(|arg| write!(f, " {}", arg.to_string_lossy()))
    }
}

/// What a tool prints where it is installed and succeeds.
pub(crate) fn output(tool: &str, args: &[&str]) -> Outcome<String> {
    let output = Command::new(tool).args(args).current_dir(root()).output();
    match output.map_err(|error| format!("`{tool}` cannot be started: {error}"))? {
        output if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        output => Err(format!("`{tool} {}` ended with {}", args.join(" "), output.status)),
    }
}

/// Runs a cargo subcommand where it is installed, and says so where it is not.
pub(crate) fn if_installed(subcommand: &[&str], args: &[&str]) -> Outcome {
    if output("cargo", &[subcommand, &["--version"]].concat()).is_err() {
        println!("\nNOT RUN: `cargo {}` is not installed", subcommand.join(" "));
        return Ok(());
    }
    // Through the PATH, where a toolchain can be chosen, not the cargo that runs this.
    program("cargo", &[subcommand, args].concat()).run()
}

/// The names of the facade's examples.
pub(crate) fn examples() -> Outcome<Vec<String>> {
    let folder = root().join("crates/anear/examples");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let sources = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut names: Vec<String> = sources
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}
