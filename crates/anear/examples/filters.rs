//! Which documents may be found, as data and as a closure: `cargo run --example filters`.
#![allow(clippy::print_stdout, reason = "an example shows its results")]

use anear::{
    DefaultEmbeddings, Document, DocumentFilter, Filter, LocalStore, SearchRequest, VectorStore, VectorStoreExt,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let library = [
        ("Bake the loaf until its crust is brown.", "bread", 1998),
        ("Sourdough rises slowly, without yeast from the shop.", "bread", 2015),
        ("Prune the apple tree in late winter.", "garden", 2003),
        ("Sow beans when the soil is warm.", "garden", 2021),
        ("A sharp chisel is a safe chisel.", "workshop", 2010),
    ];
    let documents = library.map(|(text, shelf, year)| {
        Document::new(text)
            .with_metadata("shelf", shelf)
            .with_metadata("year", year)
    });
    let store = LocalStore::from_documents(documents.into(), DefaultEmbeddings::new()).await?;

    // The filters of LangChain and of its servers, as JSON ...
    let texts = [
        r#"{"shelf": "garden"}"#,
        r#"{"shelf": ["garden", "workshop"]}"#,
        r#"{"year": {"$gte": 2000, "$lt": 2020}}"#,
        r#"{"$or": [{"shelf": "bread"}, {"year": {"$gt": 2020}}], "$not": {"year": 1998}}"#,
    ];
    for text in texts {
        let filter: Filter = text.parse()?;
        show(&store, text, filter.into()).await?;
    }
    // ... the same in Rust ...
    show(
        &store,
        "not garden, since 2000",
        (!Filter::eq("shelf", "garden") & Filter::gte("year", 2000)).into(),
    )
    .await?;
    // ... or any function of the metadata.
    let even = DocumentFilter::from_fn(|metadata| {
        metadata
            .get("year")
            .and_then(|year| year.as_i64())
            .is_some_and(|year| year % 2 == 0)
    });
    show(&store, "even years", even).await?;

    // An operator that does not exist is an error, never an empty answer.
    let error = r#"{"year": {"$near": 2000}}"#.parse::<Filter>().unwrap_err();
    println!("{error}");
    Ok(())
}

/// The two nearest documents among those that match.
async fn show(store: &LocalStore, name: &str, filter: DocumentFilter) -> anear::Result<()> {
    println!("{name}: {} match", store.count(Some(filter.clone())).await?);
    for document in store
        .similarity_search(SearchRequest::new("growing fruit").k(2).filter(filter))
        .await?
    {
        println!("  {}", document.page_content);
    }
    Ok(())
}
