//! The same store without `async`: `cargo run --example blocking`.
#![allow(clippy::print_stdout, reason = "an example shows its results")]

use anear::blocking::LocalStore;
use anear::{CharacterTextSplitter, DefaultEmbeddings, Filter, SearchRequest, SplitOptions, TextLoader, TextSplitter};

const SPEECH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nomination.txt");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let documents = TextLoader::new(SPEECH).load()?;
    let documents = CharacterTextSplitter::new(SplitOptions::sized(1000, 0))?.split_documents(&documents)?;
    let store = LocalStore::from_documents(documents, DefaultEmbeddings::new())?;

    for question in ["How much does insulin cost now?", "What happens to old coal plants?"] {
        let request = SearchRequest::new(question).k(1).filter(Filter::exists("source", true));
        for (document, relevance) in store.similarity_search_with_relevance_scores(request)? {
            println!("{question} ({relevance:.2})\n{}\n", document.page_content);
        }
    }

    let folder = tempfile::tempdir()?;
    store.save_local(folder.path(), "index")?;
    let builder = anear::LocalStore::builder(DefaultEmbeddings::new());
    let loaded = LocalStore::load_local(folder.path(), "index", builder)?;
    println!("saved and loaded: {} documents", loaded.count(None)?);
    Ok(())
}
