//! Every example runs to its end and prints what it promises.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Each example with some of what it prints, in this order.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("ask_a_file", &["Judge Ketanji Brown Jackson"]),
    (
        "blocking",
        &[
            "How much does insulin cost now?",
            "nsulin",
            "old coal plants",
            "Moss Creek",
            "saved and loaded",
        ],
    ),
    ("concurrent", &["task 0 saw", "1001 documents in the end"]),
    (
        "filters",
        &[
            r#"{"shelf": "garden"}: 2 match"#,
            "Prune the apple tree",
            r#"{"year": {"$gte": 2000, "$lt": 2020}}: 3 match"#,
            "not garden, since 2000: 2 match",
            "even years: 2 match",
            "unsupported operator: $near",
        ],
    ),
    (
        "notebook",
        &[
            "My nominee for the Supreme Court is Judge Ketanji Brown Jackson",
            "## Similarity search with score",
            "the same by vector: true",
            "## Saving and loading",
            "My nominee for the Supreme Court",
            "## Serializing",
            "## Merging",
            "\"foo\"",
            "\"bar\"",
            "## Similarity search with filtering",
            "Content: foo, Metadata: {\"page\":1}, Score: 0\nContent: foo, Metadata: {\"page\":2}, Score: 0\n\
             Content: foo, Metadata: {\"page\":3}, Score: 0\nContent: foo, Metadata: {\"page\":4}, Score: 0\n",
            "Content: foo, Metadata: {\"page\":1}, Score: 0\nContent: bar, Metadata: {\"page\":1}, Score: ",
            "Content: foo, Metadata: {\"page\":1}, Score: 0\nContent: bar, Metadata: {\"page\":1}, Score: ",
            "\n\nContent: foo, Metadata: {\"page\":1}, Score: 0\n\n",
            "## Delete\ntrue\nfalse\n",
        ],
    ),
    ("openai", &["set OPENAI_API_KEY"]),
];

#[test]
fn every_example_prints_what_it_promises() {
    for (name, promises) in EXAMPLES {
        let printed = run(name);
        let mut rest = printed.as_str();
        for promise in *promises {
            let Some((_, after)) = rest.split_once(promise) else {
                panic!("{name} does not print `{promise}` there:\n{printed}");
            };
            rest = after;
        }
    }
}

#[test]
fn every_example_is_run_and_is_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines < 80, "{} has {lines} lines", path.display());
            names.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    names.sort();
    assert_eq!(names, EXAMPLES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

/// What an example prints, without a key in its environment.
fn run(name: &str) -> String {
    let program = program(name);
    assert!(
        program.exists(),
        "{} is missing; `cargo build --package anear --examples` builds it",
        program.display()
    );
    let output = Command::new(program).env_remove("OPENAI_API_KEY").output().unwrap();
    assert!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// `target/debug/deps/<this test>` stands beside `target/debug/examples`.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    folder.join(name).with_extension(std::env::consts::EXE_EXTENSION)
}
