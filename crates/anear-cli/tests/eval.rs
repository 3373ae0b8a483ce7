//! `anear eval` and `anear tune`: figures for vector indexes.

mod support;

use std::fs;

use serde_json::Value;
use support::{anear, arg, folder};

const DATA: &str = "synthetic:n=3000,d=16,nq=60";

fn eval_json(args: &[&str]) -> Vec<Value> {
    let quick = ["eval", "--seconds", "0", "--json"];
    anear(quick.iter().chain(args)).answers()
}

#[test]
fn every_setting_of_every_index_has_its_figures() {
    let folder = folder(&[]);
    let picture = folder.path().join("recall.svg");
    let args = [
        "--data",
        DATA,
        "--index",
        "Flat",
        "--index",
        "IVF16,Flat",
        "--experiments",
        "0",
        "--picture",
    ];
    let points = eval_json(&[&args[..], &[&arg(&picture)]].concat());
    let settings: Vec<&str> = points.iter().map(|point| point["setting"].as_str().unwrap()).collect();
    assert_eq!(points.len(), 1 + 5, "{settings:?}");
    let recall = |point: &Value| point["recall"].as_f64().unwrap();
    assert_eq!((settings[0], recall(&points[0])), ("", 1.0), "an exact index finds all");
    assert!(settings[1..].contains(&"nprobe=16"), "{settings:?}");
    assert!(points[1..].is_sorted_by_key(recall) && recall(&points[1]) < 1.0 && recall(&points[5]) == 1.0);
    for point in &points {
        for figure in ["qps", "latency_us_p50", "latency_us_p99", "build_seconds", "bytes"] {
            assert!(point[figure].as_f64().unwrap() > 0.0, "{figure}: {point}");
        }
    }
    let svg = fs::read_to_string(picture).unwrap();
    assert!(svg.contains("IVF16,Flat") && svg.contains("recall@10"));
}

#[test]
fn files_are_evaluated_with_the_truth_they_come_with() {
    // Of 3 vectors on a line, with a truth that is wrong on purpose: it is believed.
    let fbin = |len: u32, numbers: &[f32]| {
        let header = [len, 1].map(u32::to_le_bytes).concat();
        let numbers: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        [header, numbers].concat()
    };
    let truth = [1_u32, 0, 1, 1].map(u32::to_le_bytes).concat();
    let (base, queries) = (fbin(3, &[0.0, 1.0, 5.0]), fbin(2, &[0.1, 4.9]));
    let folder = folder(&[
        ("base.fbin", &base),
        ("queries.fbin", &queries),
        ("truth.ivecs", &truth),
    ]);
    let path = |name: &str| arg(folder.path().join(name));
    let (base, queries, truth) = (path("base.fbin"), path("queries.fbin"), path("truth.ivecs"));
    let files = ["--base", &base, "--queries", &queries, "--index", "Flat", "-k", "1"];
    assert_eq!(eval_json(&files)[0]["recall"], 1.0);
    assert_eq!(
        eval_json(&[&files[..], &["--truth", &truth]].concat())[0]["recall"],
        0.5
    );

    anear([
        "eval",
        "--base",
        &base,
        "--queries",
        &queries,
        "--index",
        "Flat",
        "--truth",
        &truth,
        "-k",
        "2",
    ])
    .complains(2, &["the true neighbors are 1", "2 are asked for"]);
}

#[test]
fn the_table_is_for_people_and_the_picture_for_pages() {
    let folder = folder(&[]);
    let picture = folder.path().join("recall.png");
    let png = arg(&picture);
    let run = anear([
        "eval",
        "--data",
        DATA,
        "--index",
        "IVF16,Flat",
        "--seconds",
        "0",
        "--picture",
        &png,
        "--dark",
    ]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(
        lines[0].starts_with("synthetic, 3,000 vectors of 16 components, by l2, on 1 thread of "),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with("index ") && lines[1].ends_with("MB"),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with("IVF16,Flat  nprobe="), "{}", lines[2]);
    assert!(fs::read(picture).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn a_setting_is_found_that_reaches_the_recall() {
    let args = [
        "tune",
        "--data",
        DATA,
        "--index",
        "IVF16,Flat",
        "--seconds",
        "0",
        "--recall",
        "0.9",
        "--json",
    ];
    let choice = anear(args).answers().remove(0);
    assert_eq!(choice["reached"], true);
    assert!(choice["setting"].as_str().unwrap().starts_with("nprobe="), "{choice}");
    // On other queries than it was chosen by, it is about as good.
    assert!(choice["recall"].as_f64().unwrap() > 0.8, "{choice}");
    assert!(choice["trials"].as_u64().unwrap() < 12, "{choice}");
}

#[test]
fn an_index_that_is_asked_for_a_recall_is_measured_and_tuned_by_it() {
    let points = eval_json(&["--data", DATA, "--index", "auto", "--experiments", "0"]);
    let settings: Vec<&str> = points.iter().map(|point| point["setting"].as_str().unwrap()).collect();
    assert_eq!(settings.len(), 7, "{settings:?}");
    assert!(
        settings.contains(&"recall=0.8") && settings.contains(&"recall=0.995"),
        "{settings:?}"
    );
    let all = points.iter().find(|point| point["setting"] == "recall=1").unwrap();
    assert_eq!((&all["index"], &all["recall"]), (&"Near".into(), &1.0.into()));
    let tune = [
        "tune",
        "--data",
        DATA,
        "--index",
        "NearGraph",
        "--seconds",
        "0",
        "--recall",
        "0.9",
        "--json",
    ];
    let choice = anear(tune).answers().remove(0);
    assert_eq!(choice["reached"], true);
    assert!(choice["setting"].as_str().unwrap().starts_with("recall="), "{choice}");
}

#[test]
fn what_was_tried_is_shown_and_drawn() {
    let folder = folder(&[]);
    let picture = folder.path().join("tuned.svg");
    let drawn = arg(&picture);
    let quick = [
        "tune",
        "--data",
        DATA,
        "--index",
        "IVF16,Flat",
        "--seconds",
        "0",
        "--recall",
        "0.9",
    ];
    let run = anear(quick.iter().chain(&["--all", "--picture", &drawn]));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let table: Vec<&str> = run
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("setting "))
        .collect();
    let chosen: Vec<&&str> = table.iter().filter(|line| line.contains(" chosen ")).collect();
    assert_eq!(chosen.len(), 1, "{run:?}");
    let tried = run
        .stdout
        .lines()
        .find_map(|line| line.split_once(" settings tried"))
        .unwrap()
        .0;
    assert_eq!(table.len() - 1, tried.parse::<usize>().unwrap(), "{run:?}");
    let setting = chosen[0].split_whitespace().next().unwrap();
    assert!(run.stdout.starts_with(&format!("IVF16,Flat  {setting}\n")), "{run:?}");
    let svg = fs::read_to_string(picture).unwrap();
    assert!(
        svg.contains("IVF16,Flat") && svg.contains(&format!("chosen: {setting}")),
        "{svg}"
    );
    let bad = anear(quick.iter().chain(&["--picture", "tuned.gif"]));
    bad.complains(2, &["--picture", "tuned.gif"]);
}

#[test]
fn progress_is_shown_when_asked_for() {
    let run = anear([
        "eval",
        "--data",
        DATA,
        "--index",
        "Flat",
        "--seconds",
        "0",
        "--progress",
        "always",
    ]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for stage in ["reading", "comparing", "building", "measuring"] {
        assert!(run.stderr.contains(stage), "no `{stage}` in: {}", run.stderr);
    }
}

#[test]
fn what_cannot_be_evaluated_is_refused_in_one_line() {
    let flat = |args: &[&str]| anear(["eval", "--index", "Flat"].iter().chain(args));
    flat(&[]).complains(2, &["--data"]);
    flat(&["--data", "synthetic:n=1000000000000000"])
        .complains(2, &["needs 256000000.", "GB of memory", "may be at most"]);
    flat(&["--data", "synthetic:n=18446744073709551615,nq=18446744073709551615"]).complains(2, &["GB of memory"]);
    flat(&["--data", "synthetic:n=ten"]).complains(2, &["`ten` is not a whole number"]);
    flat(&["--data", "base.fvecs"]).complains(2, &["--base", "base.fvecs"]);
    flat(&["--data", "nowhere.hdf5"]).complains(3, &["cannot read nowhere.hdf5"]);
    flat(&["--base", "b.txt", "--queries", "q.txt"]).complains(2, &["cannot tell the format of b.txt"]);
    flat(&["--data", DATA, "--picture", "recall.gif"]).complains(2, &[".svg or a .png"]);
    anear(["eval", "--data", DATA, "--index", "Flop"]).complains(2, &["unknown index `Flop`"]);
    anear(["tune", "--data", DATA, "--index", "Flat", "--recall", "1.5"]).complains(2, &["target recall", "1.5"]);
}
