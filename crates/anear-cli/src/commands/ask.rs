//! `anear ask`: files and a question in, passages out; nothing is left behind.

use anear::VectorStore as _;

use super::{build, request};
use crate::args::AskArgs;
use crate::error::{Outcome, Result};
use crate::model::ModelName;
use crate::output::write_hits;

pub(crate) async fn ask(args: AskArgs) -> Result<Outcome> {
    let model = args.model.embeddings.unwrap_or(ModelName::Default).open().await?;
    let store = build(&args.text, args.index.index, model, args.progress.progress).await?;
    let json = args.search.json;
    let hits = store.search(request(args.question, args.search)).await?;
    write_hits(&store, &hits, json)
}
