//! What loading and splitting a large text costs: 100 MB of prose, chunks of 1000 characters.
//!
//! `cargo run --release -p anear-documents --example split`
#![allow(clippy::print_stdout)]

use std::time::Instant;

use anear_documents::{CharacterTextSplitter, RecursiveCharacterTextSplitter, SplitOptions, TextLoader, TextSplitter};

const BYTES: usize = 100_000_000;
const PARAGRAPH: &str = "The committee met on a rainy Tuesday, and nobody had read the report.\nThen came the questions: \
    who pays, how much, and why now? 회의는 비 오는 화요일에 열렸다. No answer was written down.\r\n\r\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("anear-split-{}.txt", std::process::id()));
    std::fs::write(&path, PARAGRAPH.repeat(BYTES / PARAGRAPH.len()))?;
    let loaded = timed("load", || TextLoader::new(&path).load());
    std::fs::remove_file(&path)?;
    let text = loaded?.remove(0);
    let options = || SplitOptions {
        add_start_index: true,
        ..SplitOptions::sized(1000, 200)
    };
    let splitters: [(&str, Box<dyn TextSplitter>); 3] = [
        ("recursive", Box::new(RecursiveCharacterTextSplitter::new(options())?)),
        ("character", Box::new(CharacterTextSplitter::new(options())?)),
        (
            "characters one by one",
            Box::new(CharacterTextSplitter::new(options())?.with_separator("")),
        ),
    ];
    for (name, splitter) in splitters {
        let chunks = timed(name, || splitter.split_documents(std::slice::from_ref(&text)))?;
        println!("    {} chunks", chunks.len());
    }
    Ok(())
}

fn timed<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{name}: {:.2} s", start.elapsed().as_secs_f64());
    result
}
