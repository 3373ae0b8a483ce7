//! Replays what langchain-text-splitters 1.1.3 made of many texts: every chunk and start index is equal.
//!
//! `golden/make_splits.py` wrote the answers.
#![allow(clippy::print_stdout)]

use anear_documents::{
    CharacterTextSplitter, Document, KeepSeparator, Language, LengthFunction, RecursiveCharacterTextSplitter, Result,
    SplitOptions, TextSplitter, Value,
};
use serde_json::Value as Json;

fn golden() -> Json {
    serde_json::from_str(include_str!("golden/splits.json")).unwrap()
}

#[test]
fn every_chunk_equals_the_reference() {
    let golden = golden();
    let texts: Vec<&str> = list(&golden["texts"])
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    let splitters: Vec<_> = list(&golden["parameters"])
        .iter()
        .map(|json| splitter(json).unwrap())
        .collect();
    let answers = list(&golden["answers"]);
    let mut chunks = 0;
    for answer in answers {
        let (parameters, text) = (index(&answer[0]), texts[index(&answer[1])]);
        let expected: Vec<_> = list(&answer[2]).iter().map(|chunk| expected(text, chunk)).collect();
        let got = splitters[parameters].create_documents(&[text], &[]).unwrap();
        let got: Vec<_> = got
            .iter()
            .map(|chunk| (chunk.page_content.clone(), start(chunk)))
            .collect();
        assert_eq!(got, expected, "{} of {text:?}", golden["parameters"][parameters]);
        chunks += got.len();
    }
    println!("{} cases, {chunks} chunks equal", answers.len());
    assert!(answers.len() > 1000);
}

#[test]
fn every_language_has_the_separators_of_the_reference() {
    let golden = golden();
    let languages = golden["languages"].as_object().unwrap();
    assert_eq!(languages.len(), Language::all().count());
    for (name, separators) in languages {
        let language: Language = name.parse().unwrap();
        assert_eq!(Json::from(language.separators()), *separators, "{name}");
    }
}

fn list(json: &Json) -> &[Json] {
    json.as_array().unwrap()
}

fn index(json: &Json) -> usize {
    json.as_u64().unwrap() as usize
}

/// A chunk's text, written as text or as a range of code points, and its start index if it has one.
fn expected(text: &str, chunk: &Json) -> (String, Option<i64>) {
    let (content, rest) = match list(chunk) {
        [Json::String(content), rest @ ..] => (content.clone(), rest),
        [from, to, rest @ ..] => (
            text.chars().skip(index(from)).take(index(to) - index(from)).collect(),
            rest,
        ),
        _ => panic!("not a chunk: {chunk}"),
    };
    (content, rest.first().and_then(Json::as_i64))
}

fn start(chunk: &Document) -> Option<i64> {
    chunk.metadata.get("start_index").and_then(Value::as_i64)
}

fn splitter(json: &Json) -> Result<Box<dyn TextSplitter>> {
    let options = options(json);
    let is_regex = json["is_separator_regex"] == true;
    if json["kind"] == "character" {
        let splitter = CharacterTextSplitter::new(options)?;
        let separator = json["separator"].as_str().unwrap();
        return Ok(Box::new(match is_regex {
            true => splitter.with_separator_regex(separator)?,
            false => splitter.with_separator(separator),
        }));
    }
    if let Some(language) = json["language"].as_str() {
        return Ok(Box::new(RecursiveCharacterTextSplitter::from_language(
            language.parse()?,
            options,
        )?));
    }
    let splitter = RecursiveCharacterTextSplitter::new(options)?;
    Ok(Box::new(match json["separators"].as_array() {
        None => splitter,
        Some(separators) if is_regex => {
            splitter.with_separator_regexes(separators.iter().map(|text| text.as_str().unwrap()))?
        }
        Some(separators) => splitter.with_separators(separators.iter().map(|text| text.as_str().unwrap())),
    }))
}

fn options(json: &Json) -> SplitOptions {
    SplitOptions {
        keep_separator: match &json["keep_separator"] {
            Json::Null => None,
            Json::Bool(false) => Some(KeepSeparator::No),
            Json::String(end) if end == "end" => Some(KeepSeparator::End),
            _ => Some(KeepSeparator::Start),
        },
        add_start_index: json["add_start_index"] == true,
        strip_whitespace: json["strip_whitespace"] != false,
        length: match json["length"].as_str() {
            Some("utf8") => LengthFunction::from_fn(str::len),
            Some("words") => LengthFunction::from_fn(|text| text.split(' ').count()),
            _ => LengthFunction::Chars,
        },
        ..SplitOptions::sized(index(&json["chunk_size"]), index(&json["chunk_overlap"]))
    }
}
