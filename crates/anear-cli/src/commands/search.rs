//! `anear search`: a saved store and a question in, passages out.

use anear::VectorStore as _;

use super::{load, request};
use crate::args::SearchArgs;
use crate::error::{Error, Outcome, Result};
use crate::model::ModelName;
use crate::output::write_hits;

pub(crate) async fn search(args: SearchArgs) -> Result<Outcome> {
    let store = load(&args.folder, &args.store.name).await?;
    let model = match (args.model.embeddings, store.saved_model()) {
        (Some(model), _) => model,
        (None, None) => return Err(Error::NoModel { folder: args.folder }),
        (None, Some(saved)) => ModelName::of_saved(saved).ok_or_else(|| Error::UnknownModel {
            folder: args.folder,
            saved: saved.to_owned(),
        })?,
    };
    let question = model.open().await?.embeddings.embed_query(&args.question).await?;
    let json = args.search.json;
    let hits = store.search(request(question, args.search)).await?;
    write_hits(&store, &hits, json)
}
