//! `anear search`: a saved store and a question in, passages out.

use anear::{LocalStore, VectorStore as _};

use super::request;
use crate::args::SearchArgs;
use crate::error::{Outcome, Result};
use crate::output::write_hits;

pub(crate) async fn search(args: SearchArgs) -> Result<Outcome> {
    let model = args
        .model
        .embeddings
        .unwrap_or(crate::model::ModelName::Default)
        .open()?;
    let store = LocalStore::load_local(&args.folder, &args.store.name, model.embeddings).await?;
    let json = args.search.json;
    let hits = store.search(request(args.question, args.search)).await?;
    write_hits(&store, &hits, json)
}
