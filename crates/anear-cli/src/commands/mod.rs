//! One file for each command, and what two of them share.

mod ask;
mod eval;
mod index;
mod info;
mod search;
mod tune;

pub(crate) use ask::ask;
pub(crate) use eval::eval;
pub(crate) use index::index;
pub(crate) use info::info;
pub(crate) use search::search;
pub(crate) use tune::tune;

use std::path::Path;

use anear::embeddings::TableEmbeddings;
use anear::index::IndexSpec;
use anear::{DEFAULT_FETCH_K, DEFAULT_LAMBDA_MULT, Document, LocalStore, Query, SearchRequest};

use crate::args::{QueryArgs, TextArgs};
use crate::corpus;
use crate::error::Result;
use crate::model::Model;
use crate::progress::When;

/// Reads, splits, embeds and indexes: a store in memory.
async fn build(text: &TextArgs, index: IndexSpec, model: Model, progress: When) -> Result<LocalStore> {
    let passages = corpus::passages(text, progress).await?;
    let embedded = embed(&model, passages, progress).await?;
    let _stage = progress.endless("indexing");
    let builder = LocalStore::builder(model.embeddings).index_spec(index)?;
    Ok(builder.from_embeddings(embedded).await?)
}

/// Embeds slice by slice, so that the progress moves.
async fn embed(model: &Model, passages: Vec<Document>, progress: When) -> Result<Vec<(Document, Vec<f32>)>> {
    let stage = progress.steps("embedding", passages.len());
    let mut embedded = Vec::with_capacity(passages.len());
    let mut passages = passages.into_iter();
    loop {
        let slice: Vec<Document> = passages.by_ref().take(model.slice).collect();
        if slice.is_empty() {
            return Ok(embedded);
        }
        let texts: Vec<String> = slice.iter().map(|document| document.page_content.clone()).collect();
        let vectors = model.embeddings.embed_documents(&texts).await?;
        stage.advance(slice.len() as u64);
        embedded.extend(slice.into_iter().zip(vectors));
    }
}

/// A saved store, before it is known which model its questions need.
async fn load(folder: &Path, name: &str) -> Result<LocalStore> {
    let no_model = TableEmbeddings::new::<String>([]);
    Ok(LocalStore::load_local(folder, name, no_model).await?)
}

/// The request that the command line describes.
fn request(question: impl Into<Query>, args: QueryArgs) -> SearchRequest {
    let mut request = SearchRequest::new(question).k(args.k);
    for (name, value) in args.set {
        request = request.with(name, value);
    }
    if args.mmr {
        request = request.mmr(DEFAULT_FETCH_K, DEFAULT_LAMBDA_MULT);
    }
    match args.filter {
        Some(filter) => request.filter(filter),
        None => request,
    }
}
