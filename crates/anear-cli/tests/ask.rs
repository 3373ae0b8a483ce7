//! `anear ask`: the right passage, from any text.

mod support;

use serde_json::Value;
use support::{QUESTION, anear, anear_reading, arg, command, folder, prose, speech};

fn ask_json(args: &[&str]) -> Vec<Value> {
    anear(["ask"].iter().chain(args).chain(&["--json"])).answers()
}

#[test]
fn the_question_of_the_readme_finds_the_nomination_first() {
    let run = anear(["ask", &arg(speech()), QUESTION]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let first = run.stdout.split("\n2. ").next().unwrap();
    assert!(first.starts_with("1. ") && first.contains("nomination.txt:"), "{first}");
    assert!(
        first.contains("My nominee for the Supreme Court is Judge Ketanji Brown Jackson"),
        "{first}"
    );
    assert_eq!(run.stderr, "");
}

#[test]
fn questions_in_other_words_find_their_passages() {
    let pairs = [
        ("How expensive is medicine for diabetics?", "Insulin"),
        ("What happens to soldiers who got sick from fumes?", "burn pit"),
        ("Will there be more trains through the harbor?", "tunnel"),
        ("rules for artificial intelligence", "talking to a machine"),
        ("Why can a farmer not fix his tractor?", "combine"),
    ];
    for (question, passage) in pairs {
        let answers = ask_json(&[&arg(speech()), question, "-k", "3"]);
        let found = answers
            .iter()
            .any(|answer| answer["page_content"].as_str().unwrap().contains(passage));
        assert!(found, "{question}: {answers:#?}");
    }
}

#[test]
fn json_lines_say_where_the_passage_is() {
    let text = std::fs::read_to_string(speech()).unwrap();
    let answers = ask_json(&[&arg(speech()), QUESTION, "-k", "5"]);
    assert_eq!(answers.len(), 5);
    for (i, answer) in answers.iter().enumerate() {
        let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
        let fields = [
            "rank",
            "score",
            "relevance",
            "source",
            "start_index",
            "page_content",
            "metadata",
        ];
        assert_eq!(keys.len(), fields.len());
        assert!(fields.iter().all(|field| answer.get(field).is_some()), "{answer}");
        assert_eq!(answer["rank"], i + 1);
        assert_eq!(answer["source"], arg(speech()));

        let content = answer["page_content"].as_str().unwrap();
        let start = answer["start_index"].as_u64().unwrap() as usize;
        let there: String = text.chars().skip(start).take(content.chars().count()).collect();
        assert_eq!(there, content);
        let line = answer["metadata"]["start_line"].as_u64().unwrap() as usize;
        let first_line = content.lines().next().unwrap();
        assert_eq!(text.lines().nth(line - 1).unwrap(), first_line);
    }
    let scores: Vec<f64> = answers.iter().map(|answer| answer["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted(), "{scores:?}");
    let relevances = answers.iter().map(|answer| answer["relevance"].as_f64().unwrap());
    assert!(relevances.is_sorted_by(|a, b| a >= b));
}

#[test]
fn any_utf8_text_of_one_byte_and_more_is_answered() {
    let texts: &[(&str, &[u8])] = &[
        ("letter", b"a"),
        ("newline", b"\n"),
        ("space", b" "),
        ("nul", b"\0"),
        ("blank", b" \n\n \t \n\n"),
        ("crlf", b"one line\r\n\r\nanother line\r\n"),
        ("bom", "\u{feff}text after a byte order mark".as_bytes()),
        (
            "korean",
            "대통령은 판사를 지명했다.\n\n다리는 유월에 열린다.".as_bytes(),
        ),
        ("emoji", "👩‍👩‍👧‍👦🏳️‍🌈".as_bytes()),
        ("combining", "e\u{301}\u{327}a\u{30a}".as_bytes()),
        ("controls", b"\x1b[31mred\x07\x7f"),
        ("directions", "\u{202e}abc\u{2066}def".as_bytes()),
        ("separators", "a\u{2028}b\u{2029}c\u{85}d\x0ce".as_bytes()),
        ("astral", "\u{10ffff}\u{1f600}".as_bytes()),
        ("private", "\u{e000}\u{f8ff}".as_bytes()),
    ];
    for (name, bytes) in texts {
        let folder = folder(&[("text", bytes)]);
        let answers = ask_json(&[&arg(folder.path().join("text")), "what is this?", "-k", "1"]);
        assert_eq!(answers.len(), 1, "{name}");
        assert!(!answers[0]["page_content"].as_str().unwrap().is_empty(), "{name}");
    }
}

#[test]
fn a_text_of_one_long_word_is_cut_and_answered() {
    let folder = folder(&[("long", "x".repeat(20_000).as_bytes())]);
    let answers = ask_json(&[&arg(folder.path().join("long")), "what is this?", "-k", "100"]);
    let lengths = answers
        .iter()
        .map(|answer| answer["page_content"].as_str().unwrap().len());
    assert_eq!(lengths.sum::<usize>(), 20_000);
}

#[test]
fn a_needle_in_a_megabyte_is_found() {
    let needle = "The password of the lighthouse keeper's parrot is marmalade.";
    let mut text = prose(1 << 20);
    let middle = text[..text.len() / 2].rfind("\n\n").unwrap() + 2;
    text.insert_str(middle, &format!("{needle}\n\n"));
    let folder = folder(&[("text", text.as_bytes())]);
    let file = arg(folder.path().join("text"));
    let question = "What is the password of the parrot?";
    let answers = ask_json(&[&file, question, "-k", "1", "--chunk-size", "200"]);
    assert!(
        answers[0]["page_content"].as_str().unwrap().contains(needle),
        "{}",
        answers[0]
    );
}

#[test]
fn several_files_are_one_search() {
    let folder = folder(&[
        ("bread.txt", b"Flour, water and salt make bread."),
        ("boats.txt", b"The ferry sails at noon."),
    ]);
    let (bread, boats) = (
        arg(folder.path().join("bread.txt")),
        arg(folder.path().join("boats.txt")),
    );
    for (question, source) in [("When does the ship leave?", &boats), ("How do I bake a loaf?", &bread)] {
        let answers = ask_json(&[&bread, &boats, question]);
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[0]["source"], *source, "{question}");
    }
}

#[test]
fn standard_input_is_read_as_a_file_is() {
    let from_file = ask_json(&[&arg(speech()), QUESTION, "-k", "3"]);
    let text = std::fs::read(speech()).unwrap();
    let from_stdin = anear_reading(["ask", "-", QUESTION, "-k", "3", "--json"], &text).answers();
    for (file, stdin) in from_file.iter().zip(&from_stdin) {
        assert_eq!(stdin["source"], "-");
        assert_eq!(stdin["page_content"], file["page_content"]);
        assert_eq!(stdin["start_index"], file["start_index"]);
        assert_eq!(stdin["score"], file["score"]);
    }
}

#[test]
fn a_filter_says_what_may_be_found() {
    let folder = folder(&[("a.txt", b"The ferry sails at noon."), ("b.txt", b"Bread needs salt.")]);
    let (a, b) = (arg(folder.path().join("a.txt")), arg(folder.path().join("b.txt")));
    let filter = serde_json::json!({ "source": b }).to_string();
    let answers = ask_json(&[&a, &b, "When does the ferry sail?", "--filter", &filter]);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0]["source"], b);
    let run = anear(["ask", &a, "ferry?", "--filter", r#"{"start_line": {"$gt": 5}}"#]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (Some(1), "", ""),
        "nothing matches"
    );
}

#[test]
fn maximal_marginal_relevance_passes_over_copies() {
    let text = "The ferry sails at noon.\n\nThe ferry sails at noon.\n\nThe ferry carries forty cars.";
    let folder = folder(&[("text", text.as_bytes())]);
    let file = arg(folder.path().join("text"));
    let args = [
        file.as_str(),
        "When does the ferry sail?",
        "-k",
        "2",
        "--chunk-size",
        "30",
    ];
    let plain = ask_json(&args);
    assert_eq!(plain[0]["page_content"], plain[1]["page_content"]);
    let diverse = ask_json(&[&args[..], &["--mmr"]].concat());
    assert_eq!(diverse[0]["page_content"], "The ferry sails at noon.");
    assert_eq!(diverse[1]["page_content"], "The ferry carries forty cars.");
}

#[test]
fn chunks_are_as_long_as_asked_for_and_overlap() {
    let args = ["--chunk-size", "80", "--chunk-overlap", "20", "-k", "10000"];
    let answers = ask_json(&[&[arg(speech()).as_str(), QUESTION], &args[..]].concat());
    let mut spans: Vec<(u64, u64)> = answers.iter().map(span).collect();
    spans.sort_unstable();
    assert!(spans.iter().all(|(start, end)| end - start <= 80));
    assert!(spans.windows(2).any(|pair| pair[1].0 < pair[0].1), "none overlap");
}

/// First character and the one behind the last.
fn span(answer: &Value) -> (u64, u64) {
    let start = answer["start_index"].as_u64().unwrap();
    (
        start,
        start + answer["page_content"].as_str().unwrap().chars().count() as u64,
    )
}

#[test]
fn other_encodings_are_read_when_named_or_guessed() {
    // "Grüße aus Köln" in windows-1252.
    let folder = folder(&[(
        "text",
        b"Gr\xfc\xdfe aus K\xf6ln. Der Zug f\xe4hrt sp\xe4ter, die T\xfcr schlie\xdft.",
    )]);
    let file = arg(folder.path().join("text"));
    for encoding in ["windows-1252", "auto"] {
        let answers = ask_json(&[&file, "greetings?", "--encoding", encoding]);
        assert!(
            answers[0]["page_content"]
                .as_str()
                .unwrap()
                .starts_with("Grüße aus Köln"),
            "{encoding}"
        );
    }
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let mut child = command(["ask", &arg(speech()), QUESTION, "-k", "1000", "--chunk-size", "20"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
