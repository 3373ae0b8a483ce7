//! What every embedding model keeps, as a check for a provider's own tests.

use crate::{Embeddings, Error, check_batch};

/// How far two vectors of one text may be apart per component, relative to the longest: batches of another shape
/// are summed in another order.
const TOLERANCE: f32 = 1e-3;

/// A promise that a model broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The model failed.
    #[error("the model failed on {what}: {error}")]
    Failed {
        /// What was asked.
        what: &'static str,
        /// How it failed.
        error: Error,
    },
    /// The model answered something it must not.
    #[error("{0}")]
    Broken(String),
}

/// Asks `model` for a few texts and verifies what the rest of anear builds on: a name; one finite vector of one width
/// for each text, in order, whatever the batch; the declared width; no vectors for no texts; awkward texts (empty,
/// blank, long, many scripts) accepted; equal texts equal, different texts different; questions as wide as documents.
///
/// # Errors
/// The first [`Violation`].
///
/// ```
/// # futures::executor::block_on(async {
/// anear_embeddings::conformance::check(&anear_embeddings::FakeEmbeddings::new(16)).await?;
/// # Ok::<(), anear_embeddings::conformance::Violation>(()) }).unwrap();
/// ```
pub async fn check(model: &dyn Embeddings) -> Result<(), Violation> {
    ensure(!model.model().is_empty(), "the model has no name")?;
    let none = embed(model, "no texts", &[]).await?;
    ensure(none.is_empty(), "no texts gave vectors")?;

    let texts = texts();
    let vectors = embed(model, "a batch", &texts).await?;
    let width = vectors[0].len();
    ensure(
        model.dim().is_none_or(|dim| dim == width),
        "the declared dimension is not the vectors'",
    )?;

    let reversed: Vec<String> = texts.iter().rev().cloned().collect();
    let backward = embed(model, "the batch reversed", &reversed).await?;
    for ((text, forward), backward) in texts.iter().zip(&vectors).zip(backward.iter().rev()) {
        ensure(
            close(forward, backward),
            &format!("{text:?} has another vector when its batch is reversed"),
        )?;
        let alone = embed(model, "one text", std::slice::from_ref(text)).await?;
        ensure(
            close(forward, &alone[0]),
            &format!("{text:?} has another vector when it is alone"),
        )?;
    }
    let twice = embed(model, "a text twice", &[texts[0].clone(), texts[0].clone()]).await?;
    ensure(close(&twice[0], &twice[1]), "one text has two vectors in one batch")?;
    ensure(
        !close(&vectors[0], &vectors[1]),
        "two unrelated sentences have one vector",
    )?;

    let query = model
        .embed_query(&texts[0])
        .await
        .map_err(|error| Violation::Failed { what: "a query", error })?;
    check_batch(model.model(), 1, Some(width), &[query])
        .map(drop)
        .map_err(|error| Violation::Failed { what: "a query", error })
}

fn texts() -> Vec<String> {
    let awkward = [
        "",
        " ",
        "\n\t",
        "a",
        "한국어 문장입니다.",
        "naïve café 🙂",
        "fn main() { println!(\"{}\", 1); }",
    ];
    let sentences = [
        "The ferry leaves the harbor at noon.",
        "Bread needs flour, water and patience.",
    ];
    let long = "many words follow one another ".repeat(400);
    sentences
        .iter()
        .chain(&awkward)
        .map(ToString::to_string)
        .chain([long])
        .collect()
}

async fn embed(model: &dyn Embeddings, what: &'static str, texts: &[String]) -> Result<Vec<Vec<f32>>, Violation> {
    let failed = |error| Violation::Failed { what, error };
    let vectors = model.embed_documents(texts).await.map_err(failed)?;
    check_batch(model.model(), texts.len(), model.dim(), &vectors).map_err(failed)?;
    Ok(vectors)
}

fn close(a: &[f32], b: &[f32]) -> bool {
    let largest = a.iter().chain(b).fold(0.0_f32, |largest, x| largest.max(x.abs()));
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= TOLERANCE * largest)
}

fn ensure(kept: bool, broken: &str) -> Result<(), Violation> {
    if kept {
        Ok(())
    } else {
        Err(Violation::Broken(broken.to_owned()))
    }
}
