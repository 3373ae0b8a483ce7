//! LangChain's notebook on asynchronous FAISS, cell by cell: `cargo run --example notebook`.
#![allow(clippy::print_stdout, reason = "an example shows its results")]

use anear::{
    AsyncTextSplitter, CharacterTextSplitter, DefaultEmbeddings, Document, Embeddings, Filter, Hit, LocalStore,
    SearchRequest, SplitOptions, TextLoader, Value, VectorStore, VectorStoreExt,
};

const SPEECH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nomination.txt");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let documents = TextLoader::new(SPEECH).aload().await?;
    let text_splitter = CharacterTextSplitter::new(SplitOptions::sized(1000, 0))?;
    let docs = text_splitter.asplit_documents(documents).await?;
    let embeddings = DefaultEmbeddings::new();
    let db = LocalStore::from_documents(docs, embeddings.clone()).await?;

    let query = "What did the president say about Ketanji Brown Jackson";
    let docs = db.similarity_search(query).await?;
    println!("{}\n", docs[0].page_content);

    println!("## Similarity search with score");
    let docs_and_scores = db.similarity_search_with_score(query).await?;
    println!("{:?}", docs_and_scores[0]);
    let embedding_vector = embeddings.embed_query(query).await?;
    let by_vector = db.similarity_search_by_vector(&embedding_vector, 4).await?;
    println!("the same by vector: {}\n", by_vector == docs);

    println!("## Saving and loading");
    let folder = tempfile::tempdir()?;
    db.save_local(folder.path().join("faiss_index"), "index").await?;
    let new_db = LocalStore::load_local(folder.path().join("faiss_index"), "index", embeddings.clone()).await?;
    println!("{:?}\n", new_db.similarity_search(query).await?[0]);

    println!("## Serializing and deserializing from bytes");
    let serialized = db.serialize_to_bytes().await?;
    let db = LocalStore::deserialize_from_bytes(serialized, embeddings.clone()).await?;
    println!("{} documents\n", db.count(None).await?);

    println!("## Merging");
    let db1 = LocalStore::from_texts(["foo"], embeddings.clone()).await?;
    let db2 = LocalStore::from_texts(["bar"], embeddings.clone()).await?;
    println!("{:?}", db1.get_by_ids(&db1.list(None).await?).await?);
    println!("{:?}", db2.get_by_ids(&db2.list(None).await?).await?);
    db1.merge_from(&db2).await?;
    println!("{:?}\n", db1.get_by_ids(&db1.list(None).await?).await?);

    println!("## Similarity search with filtering");
    let texts = ["foo", "bar", "foo", "barbar", "foo", "bar burr", "foo", "bar bruh"];
    let page = |i: usize| 1 + i as i64 / 2;
    let pages = (0..8).map(|i| Document::new(texts[i]).with_metadata("page", page(i)));
    let db = LocalStore::from_documents(pages.collect(), embeddings).await?;
    print(db.similarity_search_with_score("foo").await?);
    let page_1 = SearchRequest::new("foo").filter(Filter::eq("page", 1));
    print(db.similarity_search_with_score(page_1.clone()).await?);
    print(db.max_marginal_relevance_search_with_score(page_1.clone()).await?);
    // No `fetch_k` to tune: a filtered search finds the k nearest matching documents, always.
    print(db.similarity_search_with_score(page_1.k(1)).await?);

    println!("## Delete");
    let first = db.list(None).await?.swap_remove(0);
    println!("{}", db.delete_by_ids([first.as_str()]).await? == 1);
    println!("{}", db.list(None).await?.contains(&first));
    Ok(())
}

fn print(hits: Vec<Hit>) {
    for Hit { document, score } in hits {
        let Document {
            page_content, metadata, ..
        } = document;
        println!(
            "Content: {page_content}, Metadata: {}, Score: {score}",
            Value::from(metadata)
        );
    }
    println!();
}
