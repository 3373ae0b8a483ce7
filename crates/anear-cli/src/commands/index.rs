//! `anear index`: files in, a saved store out.

use std::io::{self, Write as _};

use anear::VectorStore as _;

use super::build;
use crate::args::IndexArgs;
use crate::error::{Error, Outcome, Result};
use crate::model::ModelName;

pub(crate) async fn index(args: IndexArgs) -> Result<Outcome> {
    let model = args.model.embeddings.unwrap_or(ModelName::Default).open().await?;
    let store = build(&args.text, args.index.index, model, args.progress.progress).await?;
    let stage = args.progress.progress.endless("saving");
    store.save_local(&args.out, &args.store.name).await?;
    drop(stage);
    let passages = store.count(None).await?;
    let said = writeln!(
        io::stdout().lock(),
        "saved {passages} passages to {}",
        args.out.display()
    );
    said.map_err(Error::Write)?;
    Ok(Outcome::Done)
}
