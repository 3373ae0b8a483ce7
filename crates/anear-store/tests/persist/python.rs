//! Side by side with the real LangChain: it opens what we save, and we open what it saves.
//!
//! Needs a Python with langchain-community and faiss-cpu, named by `ANEAR_PYTHON`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anear_documents::Document;
use anear_embeddings::FakeEmbeddings;
use anear_kernels::Metric;
use anear_store::{LocalStore, VectorStore};
use serde::Deserialize;

use super::scene::{METRICS, NAME, all_hits, block_on, rich_document};

const WIDTH: usize = 4;

/// The interpreter, or `None` where nobody promised one.
fn python() -> Option<String> {
    let python = std::env::var("ANEAR_PYTHON").ok();
    if python.is_none() {
        let required = std::env::var("ANEAR_REQUIRE").unwrap_or_default();
        assert!(
            !required.contains("python"),
            "ANEAR_REQUIRE promises python, but ANEAR_PYTHON is not set"
        );
        eprintln!("NOT RUN: ANEAR_PYTHON names no Python with langchain-community and faiss-cpu");
    }
    python
}

/// Runs the script, which fails where LangChain does not find what it should.
fn run(python: &str, folder: &Path, what: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/langchain.py");
    let status = Command::new(python).arg(script).arg(folder).args(what).status();
    assert!(status.unwrap().success());
}

/// What a store holds and finds, as the script tells it.
#[derive(Debug, Deserialize)]
struct Report {
    documents: Vec<Document>,
    hits: Vec<Vec<(String, f64)>>,
}

/// Small integers: the arithmetic of both is exact on them. No two scores of a query are equal.
fn documents() -> Vec<(Document, Vec<f32>)> {
    let vectors = [
        [1, 2, 3, -1],
        [0, 4, -2, 5],
        [2, -3, 1, 1],
        [7, 0, 0, -6],
        [-5, 3, 2, 8],
    ];
    let documents = [
        rich_document("rich"),
        Document::new("").with_id(""),
        Document::new("long ".repeat(20_000)).with_id("색인 \0"),
        Document::new("plain").with_id("p").with_metadata("page", 1),
        rich_document("0"),
    ];
    let vectors = vectors.map(|vector| vector.map(|x: i8| f32::from(x)).to_vec());
    documents.into_iter().zip(vectors).collect()
}

fn queries() -> Vec<Vec<f32>> {
    // Of length 1, as LangChain never scales the query of a cosine search.
    vec![vec![1.0, 0.0, 0.0, 0.0], vec![0.5, -0.5, 0.5, 0.5]]
}

fn builder() -> anear_store::LocalStoreBuilder {
    LocalStore::builder(FakeEmbeddings::new(WIDTH))
}

/// Documents compare by their JSON: NaN equals itself, and the order of keys and the offsets of dates count.
fn check(what: &str, store: &LocalStore, queries: &[Vec<f32>], report: &Report) {
    let ids = block_on(store.list(None)).unwrap();
    let documents = block_on(store.get_by_ids(&ids)).unwrap();
    assert_eq!(documents.len(), report.documents.len(), "{what}");
    for (ours, theirs) in documents.iter().zip(&report.documents) {
        let [ours, theirs] = [ours, theirs].map(|document| serde_json::to_string(document).unwrap());
        assert_eq!(ours, theirs, "{what}");
    }
    for (query, theirs) in queries.iter().zip(&report.hits) {
        let ours = all_hits(store, query.clone());
        let ids: Vec<_> = ours.iter().map(|hit| hit.document.id.clone().unwrap()).collect();
        let their_ids: Vec<_> = theirs.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(ids, their_ids, "{what}");
        for (hit, (_, score)) in ours.iter().zip(theirs) {
            // LangChain shows Faiss's inner products where we show distances.
            let (score, tolerance) = match store.metric() {
                Metric::Cosine => (1.0 - score, 1e-6),
                _ => (*score, if store.normalize_l2() { 1e-6 } else { 0.0 }),
            };
            assert!(
                (f64::from(hit.score) - score).abs() <= tolerance,
                "{what}: {hit:?} {score}"
            );
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: PathBuf) -> T {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn langchain_opens_ours_and_we_open_langchains() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours");
    for metric in METRICS {
        let case = ours.join(metric.name());
        let store = builder().metric(metric).build();
        block_on(store.upsert_embeddings(documents())).unwrap();
        block_on(store.save_local(&case, NAME)).unwrap();
        fs::write(case.join("sealed.pkl"), block_on(store.serialize_to_pickle()).unwrap()).unwrap();
        fs::write(case.join("queries.json"), serde_json::to_vec(&queries()).unwrap()).unwrap();
    }
    run(&python, folder.path(), &[]);

    for metric in METRICS {
        let case = ours.join(metric.name());
        let store = block_on(builder().load_local(&case, NAME)).unwrap();
        assert_eq!(block_on(store.count(None)).unwrap(), documents().len());
        check(metric.name(), &store, &queries(), &read(case.join("found.json")));
    }
    let mut theirs = 0;
    for entry in fs::read_dir(folder.path().join("theirs")).unwrap() {
        let case = entry.unwrap().path();
        let what = case.file_name().unwrap().to_str().unwrap();
        let queries: Vec<Vec<f32>> = read(case.join("queries.json"));
        let report: Report = read(case.join("expected.json"));
        let settings = || {
            let builder = builder().normalize_l2(what == "normalized");
            if what == "extended_cosine" {
                builder.metric(Metric::Cosine)
            } else {
                builder
            }
        };
        // A vector that LangChain adds to a cosine index is not scaled, so ours scales it.
        let report = if what == "extended_cosine" {
            Report {
                hits: Vec::new(),
                ..report
            }
        } else {
            report
        };
        check(
            what,
            &block_on(settings().load_local(&case, NAME)).unwrap(),
            &queries,
            &report,
        );
        let bytes = fs::read(case.join("bytes.pkl")).unwrap();
        check(
            what,
            &block_on(settings().deserialize_from_bytes(bytes)).unwrap(),
            &queries,
            &report,
        );
        theirs += 1;
    }
    println!(
        "{} stores of ours opened by LangChain, {theirs} of LangChain's by us, each as folder and as bytes",
        METRICS.len()
    );
    assert_eq!(theirs, METRICS.len() + 4);

    // What Python has beyond JSON goes through anear unchanged, from either form into the other.
    let (exact, again) = (folder.path().join("theirs/exact"), folder.path().join("again"));
    let from_folder = block_on(builder().load_local(&exact, NAME)).unwrap();
    let bytes = fs::read(exact.join("bytes.pkl")).unwrap();
    let from_bytes = block_on(builder().deserialize_from_bytes(bytes)).unwrap();
    block_on(from_bytes.save_local(&again, NAME)).unwrap();
    let sealed = block_on(from_folder.serialize_to_pickle()).unwrap();
    fs::write(again.join("sealed.pkl"), sealed).unwrap();
    run(&python, folder.path(), &["again"]);
}
