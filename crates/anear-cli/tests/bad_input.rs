//! Every wrong input: an exit code, and one line that names it and the way out.

mod support;

use support::{Run, anear, anear_reading, arg, command, folder, speech};

#[test]
fn wrong_usage_exits_with_2() {
    let file = arg(speech());
    let table: &[(&[&str], &[&str])] = &[
        (&["ask"], &["required", "<FILE>", "<QUESTION>"]),
        (&["ask", &file], &["required", "<QUESTION>"]),
        (&["ask", &file, ""], &["question"]),
        (&["ask", &file, " \t"], &["question", "at least one word"]),
        (&["ask", &file, "q", "-k", "0"], &["'0'", "-k", "at least 1"]),
        (&["ask", &file, "q", "-k", "-1"], &["-1"]),
        (&["ask", &file, "q", "-k", "many"], &["many", "-k"]),
        (
            &["ask", &file, "q", "--chunk-size", "0"],
            &["'0'", "--chunk-size", "at least 1"],
        ),
        (
            &["ask", &file, "q", "--chunk-size", "10", "--chunk-overlap", "11"],
            &["10", "11", "overlap"],
        ),
        (&["ask", &file, "q", "--filter", "{"], &["--filter", "JSON"]),
        (
            &["ask", &file, "q", "--filter", r#"{"a": {"$near": 1}}"#],
            &["--filter", "unsupported operator", "$near", "$gte"],
        ),
        (&["ask", &file, "q", "--encoding", "klingon"], &["klingon", "utf-8"]),
        (
            &["ask", &file, "q", "--embeddings", "word2vec"],
            &["word2vec", "openai:MODEL", "hf:NAME_OR_FOLDER"],
        ),
        (
            &["ask", &file, "q", "--embeddings", "openai:"],
            &["openai:", "openai:MODEL"],
        ),
        (
            &["ask", &file, "q", "--progress", "sometimes"],
            &["sometimes", "always"],
        ),
        (&["ask", &file, "q", "--jsn"], &["--jsn"]),
        (&["ask", "-", "-", "q"], &["standard input", "once"]),
        (&["index", &file], &["required", "--out"]),
        (&["search", "folder"], &["required", "<QUESTION>"]),
        (&["question", &file], &["question"]),
    ];
    for (args, words) in table {
        anear(*args).complains(2, words);
    }
}

#[test]
fn a_question_without_a_command_shows_the_help() {
    let run = anear::<[&str; 0]>([]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("Usage: anear"), "{}", run.stderr);
    let run = anear(["ask", "--help"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.contains("--chunk-overlap"), "{}", run.stdout);
}

#[test]
fn files_that_cannot_be_read_exit_with_3() {
    let folder = folder(&[
        ("empty", b""),
        ("mark", b"\xef\xbb\xbf"),
        ("latin1", b"Gr\xfc\xdfe"),
        ("truncated", b"caf\xc3"),
        ("good", b"text"),
    ]);
    let path = |name: &str| arg(folder.path().join(name));
    let (good, inside) = (path("good"), path(""));
    let table: &[(String, &[&str])] = &[
        (path("missing"), &["cannot read", "missing", "No such file"]),
        (path("empty"), &["empty", "is empty"]),
        (path("mark"), &["mark", "is empty"]),
        (path("latin1"), &["latin1", "byte 2", "--encoding"]),
        (path("truncated"), &["truncated", "byte 3", "--encoding"]),
        (inside, &["is a folder", "*.txt"]),
    ];
    for (file, words) in table {
        anear(["ask", file, "q"]).complains(3, words);
        anear(["ask", &good, file, "q", "--json"]).complains(3, words);
        anear(["index", file, "--out", &path("out")]).complains(3, words);
        assert!(!folder.path().join("out").exists(), "nothing was saved");
    }
}

#[test]
fn standard_input_is_held_to_the_same() {
    anear_reading(["ask", "-", "q"], b"").complains(3, &["standard input", "is empty"]);
    anear_reading(["ask", "-", "q"], b"Gr\xfc\xdfe").complains(3, &["standard input", "byte 2", "--encoding"]);
}

#[test]
fn a_model_that_is_not_there_says_how_to_get_it() {
    let file = arg(speech());
    anear(["ask", &file, "q", "--embeddings", "openai"]).complains(3, &["OPENAI_API_KEY", "OPENAI_BASE_URL"]);
    let mut blank = command(["ask", &file, "q", "--embeddings", "openai"]);
    Run::from(blank.env("OPENAI_BASE_URL", " ").output().unwrap()).complains(3, &["OPENAI_API_KEY"]);
    // Nobody listens on port 9; a server of one's own needs no key.
    let mut elsewhere = command(["ask", &file, "q", "--embeddings", "openai:some-model"]);
    let run = elsewhere
        .env("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        .output()
        .unwrap();
    Run::from(run).complains(3, &["cannot reach", "127.0.0.1", "some-model"]);
    let run = anear(["ask", &file, "q", "--embeddings", "hf:/no/such/folder"]);
    if cfg!(feature = "huggingface") {
        run.complains(3, &["/no/such/folder"]);
    } else {
        run.complains(2, &["hf:/no/such/folder", "--features huggingface"]);
    }
}

#[test]
fn folders_that_hold_no_store_exit_with_3() {
    let folder = folder(&[("index.faiss", b"nonsense"), ("index.pkl", b"nonsense")]);
    let missing = arg(folder.path().join("missing"));
    for command in [vec!["search", &missing, "q"], vec!["info", &missing]] {
        anear(command).complains(3, &["missing"]);
    }
    let damaged = arg(folder.path());
    for command in [vec!["search", &damaged, "q"], vec!["info", &damaged]] {
        anear(command).complains(3, &["index"]);
    }
    let text = arg(speech());
    for name in ["../outside", "/etc/passwd", "a/b", ""] {
        let out = arg(folder.path().join("out"));
        let run = anear(["index", &text, "--out", &out, "--name", name]);
        run.complains(3, &["name"]);
    }
}
