//! What the house demands of every file, as tests: edges between crates, file heads, links, no traces of a machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::root;

/// Who may depend on whom. A new edge is a design note in `docs/notes`.
const EDGES: &[(&str, &[&str])] = &[
    ("anear-kernels", &[]),
    ("anear-bytes", &[]),
    ("anear-pool", &[]),
    ("anear-pickle", &[]),
    ("anear-static-model", &[]),
    ("anear-cluster", &["anear-kernels", "anear-pool"]),
    (
        "anear-quant",
        &["anear-kernels", "anear-bytes", "anear-cluster", "anear-pool"],
    ),
    ("anear-documents", &["anear-pool"]),
    ("anear-embeddings", &["anear-pool", "anear-static-model"]),
    (
        "anear-index",
        &[
            "anear-kernels",
            "anear-bytes",
            "anear-cluster",
            "anear-quant",
            "anear-pool",
        ],
    ),
    (
        "anear-store",
        &[
            "anear-kernels",
            "anear-bytes",
            "anear-pool",
            "anear-pickle",
            "anear-index",
            "anear-documents",
            "anear-embeddings",
        ],
    ),
    ("anear-eval", &["anear-kernels", "anear-pool", "anear-index"]),
    (
        "anear",
        &[
            "anear-kernels",
            "anear-cluster",
            "anear-pool",
            "anear-quant",
            "anear-index",
            "anear-eval",
            "anear-documents",
            "anear-embeddings",
            "anear-store",
        ],
    ),
    ("anear-cli", &["anear"]),
    ("anear-python", &["anear"]),
    (
        "anear-fuzz",
        &[
            "anear-kernels",
            "anear-bytes",
            "anear-pickle",
            "anear-index",
            "anear-eval",
            "anear-documents",
            "anear-embeddings",
            "anear-store",
        ],
    ),
    ("xtask", &[]),
];

/// Crates that may contain `unsafe`.
const UNSAFE_ALLOWED: &[&str] = &["anear-kernels", "anear-bytes"];

/// Crates that may contain `async`.
const ASYNC_ALLOWED: &[&str] = &[
    "anear-pool",
    "anear-documents",
    "anear-embeddings",
    "anear-store",
    "anear",
    "anear-cli",
    "anear-python",
    "anear-fuzz",
];

/// A source file longer than this holds a second file.
const LINES_MAX: usize = 900;

/// Files that git tracks or would track.
fn files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git ls-files failed");
    let names = String::from_utf8(output.stdout).expect("file names are UTF-8");
    names
        .lines()
        .map(PathBuf::from)
        .filter(|path| root().join(path).is_file())
        .collect()
}

fn with_extension(extension: &str) -> Vec<(PathBuf, String)> {
    let paths = files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == extension));
    paths
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).expect("text files are UTF-8");
            (path, text)
        })
        .collect()
}

/// Fails with all complaints at once.
fn report(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn crates_depend_only_downward() {
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let mut complaints = Vec::new();
    for (path, text) in with_extension("toml")
        .into_iter()
        .filter(|(path, _)| path.ends_with("Cargo.toml"))
    {
        let Some(name) = text.lines().find_map(|line| line.strip_prefix("name = ")) else {
            continue;
        };
        let name = name.trim_matches('"');
        let Some(edges) = allowed.get(name) else {
            complaints.push(format!("{}: crate {name} is not in the list of edges", path.display()));
            continue;
        };
        let dependencies = text.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        for line in dependencies.lines().filter(|line| line.starts_with("anear")) {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !edges.contains(&dependency) {
                complaints.push(format!("{}: {name} may not depend on {dependency}", path.display()));
            }
        }
        for edge in edges.iter().filter(|edge| !dependencies.contains(&format!("\n{edge}"))) {
            complaints.push(format!(
                "{}: {name} no longer depends on {edge}; the list says so",
                path.display()
            ));
        }
    }
    report(complaints);
}

#[test]
fn every_source_file_says_what_it_is() {
    let silent = with_extension("rs")
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"));
    report(
        silent
            .map(|(path, _)| format!("{}: does not begin with `//!`", path.display()))
            .collect(),
    );
}

#[test]
fn unsafe_stays_in_its_crates() {
    let mut complaints = Vec::new();
    for (path, text) in with_extension("rs") {
        let Some(name) = crate_of(&path) else { continue };
        let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
        if is_root && !UNSAFE_ALLOWED.contains(&name) && !text.contains("#![forbid(unsafe_code)]") {
            complaints.push(format!("{}: lacks #![forbid(unsafe_code)]", path.display()));
        }
    }
    report(complaints);
}

#[test]
fn async_stays_on_its_side() {
    let function = ["async", "fn"].join(" ");
    let mut complaints = Vec::new();
    for (path, text) in with_extension("rs") {
        let Some(name) = crate_of(&path).filter(|name| !ASYNC_ALLOWED.contains(name)) else {
            continue;
        };
        if text.contains(&function) {
            complaints.push(format!("{}: async in {name}", path.display()));
        }
    }
    report(complaints);
}

#[test]
fn no_source_file_is_two() {
    let long = with_extension("rs")
        .into_iter()
        .filter(|(_, text)| text.lines().count() > LINES_MAX);
    report(
        long.map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
            .collect(),
    );
}

#[test]
fn links_in_pages_lead_somewhere() {
    let mut complaints = Vec::new();
    for (path, text) in with_extension("md") {
        let folder = root().join(&path).parent().expect("a file has a folder").to_path_buf();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                complaints.push(format!("{}: link to {target}", path.display()));
            }
        }
    }
    report(complaints);
}

#[test]
fn no_trace_of_a_machine() {
    // Assembled here so that this file does not accuse itself.
    let traces = ["/work", "/root", "/home"].map(|folder| format!("{folder}/"));
    let mut complaints = Vec::new();
    for extension in ["rs", "md", "toml", "py", "pyi", "txt", "json", "ipynb"] {
        for (path, text) in with_extension(extension) {
            for trace in traces.iter().filter(|trace| text.contains(trace.as_str())) {
                complaints.push(format!("{}: contains {trace}", path.display()));
            }
        }
    }
    report(complaints);
}

#[test]
fn nothing_large_is_committed() {
    let size = |path: &Path| fs::metadata(root().join(path)).map_or(0, |data| data.len());
    let large = files().into_iter().filter(|path| size(path) > 10_000_000);
    report(
        large
            .map(|path| format!("{}: {} bytes", path.display(), size(&path)))
            .collect(),
    );
}

fn crate_of(path: &Path) -> Option<&str> {
    let mut parts = path.iter().filter_map(|part| part.to_str());
    match parts.next()? {
        "crates" => parts.next(),
        "xtask" => Some("xtask"),
        _ => None,
    }
}
