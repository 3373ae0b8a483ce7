//! A question to a text file, in fifteen lines: `cargo run --example ask_a_file [FILE QUESTION]`.
#![allow(clippy::print_stdout, reason = "an example shows its results")]

use anear::{
    AsyncTextSplitter, CharacterTextSplitter, DefaultEmbeddings, LocalStore, SplitOptions, TextLoader, VectorStoreExt,
};

const SPEECH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nomination.txt");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or(SPEECH.into());
    let question = args.next().unwrap_or("Who should sit on the highest court?".into());

    let documents = TextLoader::new(path).aload().await?;
    let splitter = CharacterTextSplitter::new(SplitOptions::sized(1000, 0))?;
    let store =
        LocalStore::from_documents(splitter.asplit_documents(documents).await?, DefaultEmbeddings::new()).await?;
    println!("{}", store.similarity_search(question).await?[0].page_content);
    Ok(())
}
