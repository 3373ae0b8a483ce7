//! Progress: on standard error, only for those who look.

mod support;

use support::{anear, arg, folder, prose};

#[test]
fn long_work_shows_its_stages_when_asked_to() {
    let folder = folder(&[("text", prose(5 << 20).as_bytes())]);
    let file = arg(folder.path().join("text"));
    let run = anear([
        "ask",
        &file,
        "Who wrote a letter?",
        "-k",
        "1",
        "--json",
        "--progress",
        "always",
    ]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 1, "answers stay clean");
    for stage in ["reading", "splitting", "embedding", "indexing"] {
        assert!(run.stderr.contains(stage), "no `{stage}` in: {}", run.stderr);
    }
    let filled = |line: &str| line.matches('=').count();
    let bars: Vec<usize> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("embedding"))
        .map(filled)
        .collect();
    assert!(
        bars.is_sorted() && bars.last() > bars.first(),
        "the bar does not move: {bars:?}"
    );
}

#[test]
fn piped_runs_are_quiet() {
    let folder = folder(&[("text", prose(1 << 16).as_bytes())]);
    let file = arg(folder.path().join("text"));
    for args in [&["--progress", "auto"][..], &["--progress", "never"], &[]] {
        let run = anear(["ask", &file, "Who wrote a letter?"].iter().chain(args));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}
