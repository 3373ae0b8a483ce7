//! `anear index`, `anear search`, `anear info`: what was saved is what was asked.

mod support;

use serde_json::Value;
use support::{QUESTION, anear, arg, folder, speech};

fn search(folder: &str, args: &[&str]) -> Vec<Value> {
    anear(["search", folder, QUESTION, "--json"].iter().chain(args)).answers()
}

#[test]
fn index_then_search_equals_ask() {
    let folder = folder(&[]);
    let out = arg(folder.path().join("store"));
    let run = anear(["index", &arg(speech()), "--out", &out]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert!(run.stdout.starts_with("saved "), "{}", run.stdout);
    for args in [
        &[][..],
        &["-k", "1"],
        &["--mmr"],
        &["--filter", r#"{"start_line": {"$lt": 20}}"#],
    ] {
        let asked = anear(["ask", &arg(speech()), QUESTION, "--json"].iter().chain(args)).answers();
        assert_eq!(search(&out, args), asked, "{args:?}");
    }
}

#[test]
fn two_stores_live_in_one_folder_and_one_is_replaced() {
    let folder = folder(&[("a.txt", b"The ferry sails at noon."), ("b.txt", b"Bread needs salt.")]);
    let path = |name: &str| arg(folder.path().join(name));
    let out = path("store");
    for (file, name) in [("a.txt", "boats"), ("b.txt", "bread"), ("b.txt", "boats")] {
        let run = anear(["index", &path(file), "--out", &out, "--name", name]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    for name in ["boats", "bread"] {
        assert_eq!(
            search(&out, &["--name", name])[0]["page_content"],
            "Bread needs salt.",
            "{name}"
        );
    }
    anear(["search", &out, "q"]).complains(3, &["index"]);
}

#[test]
fn info_says_what_a_store_holds() {
    let folder = folder(&[]);
    let out = arg(folder.path().join("store"));
    assert_eq!(anear(["index", &arg(speech()), "--out", &out]).code, Some(0));
    let info = &anear(["info", &out, "--json"]).answers()[0];
    let passages = search(&out, &["-k", "1000"]).len();
    assert_eq!(info["documents"], passages);
    assert_eq!((&info["dimension"], &info["metric"]), (&128.into(), &"l2".into()));
    assert!(info["model"].as_str().unwrap().starts_with("anear/"), "{info}");
    let bytes: u64 = std::fs::read_dir(&out)
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(info["bytes"], bytes);
    assert_eq!(info["index"], "Flat");
    let text = anear(["info", &out]).stdout;
    assert!(text.contains(&format!("documents: {passages}")), "{text}");
    assert!(text.contains("index: Flat"), "{text}");
}

#[test]
fn an_index_that_is_asked_for_a_recall_finds_what_the_exact_one_does() {
    let folder = folder(&[]);
    let (out, file) = (arg(folder.path().join("store")), arg(speech()));
    assert_eq!(anear(["index", &file, "--out", &out, "--index", "auto"]).code, Some(0));
    let asked = anear(["ask", &file, QUESTION, "--json"]).answers();
    assert_eq!(search(&out, &["--set", "recall=0.9"]), asked);
    let again = [
        "ask",
        &file,
        QUESTION,
        "--json",
        "--index",
        "auto",
        "--set",
        "recall=0.9",
    ];
    assert_eq!(anear(again).answers(), asked);

    let info = &anear(["info", &out, "--json"]).answers()[0];
    assert_eq!(info["index"], "Near");
    let explanation = info["explanation"].as_str().unwrap();
    assert!(explanation.contains("vectors are compared"), "{info}");
    let text = anear(["info", &out]).stdout;
    assert!(text.contains(&format!("searches: {explanation}")), "{text}");

    let set = |setting| anear(["search", &out, QUESTION, "--set", setting]);
    set("recall=1.5").complains(3, &["recall must be a share between 0 and 1, got 1.5"]);
    set("recal=0.9").complains(3, &["unknown search parameter `recal`", "recall"]);
    set("recall").complains(2, &["such as recall=0.9"]);
    set("recall=much").complains(2, &["`much` is no number"]);
}

#[test]
fn info_counts_the_bytes_of_an_index_that_faiss_does_not_have() {
    let folder = folder(&[]);
    let saved = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let builder = anear::LocalStore::builder(anear::DefaultEmbeddings::new()).index("HNSW8,RaBitQ4")?;
        let store = builder.from_texts((0..50).map(|i| format!("text {i}"))).await?;
        store.save_local(folder.path(), "index").await
    });
    saved.unwrap();
    let info = &anear(["info", &arg(folder.path()), "--json"]).answers()[0];
    assert_eq!(info["index"], "HNSW8,RaBitQ4");
    let files = ["index.vectors", "index.pkl", "index.anear.json"].map(|name| folder.path().join(name));
    let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!(info["bytes"], bytes);
}

#[test]
fn info_says_what_the_program_runs_on() {
    let info = &anear(["info", "--json"]).answers()[0];
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    let available = info["available"].as_array().unwrap();
    assert!(available.contains(&info["instruction_set"]), "{info}");
    assert!(info["threads"].as_u64().unwrap() >= 1);

    for (variable, value) in [("ANEAR_ISA", "scalar"), ("FAISS_NO_AVX2", "1")] {
        let forced = support::command(["info", "--json"])
            .env(variable, value)
            .output()
            .unwrap();
        let forced = &support::Run::from(forced).answers()[0];
        let chosen = forced["instruction_set"].as_str().unwrap();
        assert!(
            chosen == "scalar" || (variable, chosen) == ("FAISS_NO_AVX2", "neon"),
            "{forced}"
        );
        let report = forced["instruction_set_report"].as_str().unwrap();
        assert!(chosen == "neon" || report.contains(variable), "{forced}");
    }
    assert!(anear(["info"]).stdout.contains("instruction set: "));
}

#[test]
fn a_store_of_langchain_is_opened_and_its_model_asked_for() {
    let fixture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../anear-pickle/tests/fixtures/langchain/lc042_py311"
    );
    let info = &anear(["info", fixture, "--json"]).answers()[0];
    assert!(info["documents"].as_u64().unwrap() > 0, "{info}");
    assert_eq!(info["model"], Value::Null, "LangChain does not save the model's name");
    anear(["search", fixture, QUESTION]).complains(3, &["does not say which model", "--embeddings"]);
    anear(["search", fixture, QUESTION, "--embeddings", "default"]).complains(3, &["dimension", "128"]);
}
