//! The same question, embedded by OpenAI or a compatible server: `OPENAI_API_KEY=... cargo run --example openai`.
//!
//! `OPENAI_BASE_URL` points to another server, such as `http://localhost:11434/v1` for Ollama.
#![allow(clippy::print_stdout, reason = "an example shows its results")]

use anear::{
    AsyncTextSplitter, CharacterTextSplitter, LocalStore, OpenAiEmbeddings, SplitOptions, TextLoader, VectorStoreExt,
};

const SPEECH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nomination.txt");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::var_os("OPENAI_API_KEY").is_none() {
        println!("no key: set OPENAI_API_KEY to yours (https://platform.openai.com/api-keys) and run this again");
        return Ok(());
    }
    let documents = TextLoader::new(SPEECH).aload().await?;
    let documents = CharacterTextSplitter::new(SplitOptions::sized(1000, 0))?
        .asplit_documents(documents)
        .await?;

    let embeddings = OpenAiEmbeddings::from_env()?;
    let store = LocalStore::from_documents(documents, embeddings).await?;
    let question = "What did the president say about Ketanji Brown Jackson";
    for (document, relevance) in store.similarity_search_with_relevance_scores(question).await? {
        println!("{relevance:.2} {}\n", document.page_content);
    }
    Ok(())
}
