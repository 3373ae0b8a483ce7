//! What a selective filter costs over a million documents: building a column, then using it.
//!
//! `cargo run --release -p anear-documents --example select`
#![allow(clippy::print_stdout)]

use std::time::Instant;

use anear_documents::{Document, DocumentFilter, DocumentSet, Filter, Result};

const LEN: i64 = 1_000_000;

fn main() -> Result<()> {
    let documents = (0..LEN).map(|i| {
        Document::new("")
            .with_id(format!("id-{i}"))
            .with_metadata("group", i * 7919 % 1000)
            .with_metadata("page", i)
            .with_metadata("source", format!("folder/file-{}.txt", i * 104_729 % 5000))
            .with_metadata("tags", vec![format!("t{}", i % 1000), "all".to_owned()])
    });
    let set = DocumentSet::new(documents.collect())?;
    println!(
        "{LEN} documents; milliseconds of the first use (which builds the columns), of the next, and of asking each document"
    );
    for (name, filter) in [
        ("group = 5", Filter::eq("group", 5)),
        ("page < 1000", Filter::lt("page", 1000)),
        ("source = .. (0.02 %)", Filter::eq("source", "folder/file-77.txt")),
        ("tags contains t7", Filter::contains("tags", "t7")),
        (
            "group = 5 and source contains 77",
            Filter::eq("group", 5) & Filter::contains("source", "77"),
        ),
        (
            "page >= 100000 and group != 5 and tags contains t7",
            Filter::gte("page", 100_000) & Filter::ne("group", 5) & Filter::contains("tags", "t7"),
        ),
        ("group in 100 values", Filter::is_in("group", (0..100).map(|i| i * 10))),
        ("no group", Filter::exists("group", false)),
    ] {
        let filter = DocumentFilter::from(filter);
        let (first, found) = timed(|| set.select(&filter))?;
        let (next, _) = timed(|| set.select(&filter))?;
        let (asked, same) = {
            let filter = filter.clone();
            timed(|| set.select(&DocumentFilter::from_fn(move |metadata| filter.matches(metadata))))?
        };
        assert_eq!(found, same);
        println!(
            "{first:9.2} {next:9.3} {asked:9.1}  {:7} of {}: {name}",
            found.count(),
            found.slots()
        );
    }
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = Instant::now();
    let result = work()?;
    Ok((start.elapsed().as_secs_f64() * 1e3, result))
}
