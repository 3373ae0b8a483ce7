//! From texts to request bodies, and from answers to one vector per text.

use serde::Serialize;
use tiktoken_rs::CoreBPE;

use crate::error::shortened;
use crate::unit::normalize;
use crate::{Error, Result, tiktoken};

/// What decides how texts are cut and grouped.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) model: String,
    pub(super) dimensions: Option<usize>,
    pub(super) chunk_size: usize,
    pub(super) max_request_tokens: usize,
    /// The most tokens of one piece; `None` leaves texts unmeasured.
    pub(super) ctx_length: Option<usize>,
    pub(super) skip_empty: bool,
}

/// One request: its JSON body, and whose vectors it will bring, in order.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) body: Vec<u8>,
    pub(super) owners: Vec<Owner>,
}

/// The text a vector belongs to, and how much the vector weighs in it: tokens, at least 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    text: usize,
    weight: usize,
}

#[derive(Serialize)]
struct Request<'a, T> {
    model: &'a str,
    input: &'a [T],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

/// Cuts and groups `texts`.
///
/// Whole texts and pieces of long ones (sent as token numbers) never share a request: the API takes one kind at a time.
pub(super) fn batches(texts: Vec<String>, rules: &Rules) -> Result<Vec<Batch>> {
    let mut whole = Vec::new();
    let mut pieces = Vec::new();
    let encoder = rules.ctx_length.map(|limit| (encoder(&rules.model), limit));
    for (text, content) in texts.into_iter().enumerate() {
        if rules.skip_empty && content.trim().is_empty() {
            continue;
        }
        let content = without_newlines(content, &rules.model);
        let Some((encoder, limit)) = encoder else {
            whole.push((Owner { text, weight: 1 }, content));
            continue;
        };
        let tokens = tiktoken::encode(encoder, &content);
        if tokens.len() <= limit {
            whole.push((
                Owner {
                    text,
                    weight: tokens.len().max(1),
                },
                content,
            ));
        } else {
            let cut = tokens.chunks(limit).map(|piece| {
                (
                    Owner {
                        text,
                        weight: piece.len(),
                    },
                    piece.to_vec(),
                )
            });
            pieces.extend(cut);
        }
    }
    let mut batches = group(&whole, rules)?;
    batches.extend(group(&pieces, rules)?);
    Ok(batches)
}

/// Models that end in 001 read a newline as the end of the text.
fn without_newlines(text: String, model: &str) -> String {
    if model.ends_with("001") && text.contains('\n') {
        text.replace('\n', " ")
    } else {
        text
    }
}

fn encoder(model: &str) -> &'static CoreBPE {
    tiktoken_rs::bpe_for_model(model).unwrap_or_else(|_| tiktoken_rs::cl100k_base_singleton())
}

/// Requests of consecutive `inputs`, each as large as `rules` allow.
fn group<T: Serialize>(inputs: &[(Owner, T)], rules: &Rules) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    let mut rest = inputs;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(batch_len(rest, rules));
        batches.push(batch(now, rules)?);
        rest = later;
    }
    Ok(batches)
}

/// How many of `inputs` fit into one request; at least one.
fn batch_len<T>(inputs: &[(Owner, T)], rules: &Rules) -> usize {
    let mut tokens = 0;
    let fits = inputs.iter().take(rules.chunk_size).take_while(|(owner, _)| {
        tokens += owner.weight;
        rules.ctx_length.is_none() || tokens <= rules.max_request_tokens
    });
    fits.count().max(1)
}

fn batch<T: Serialize>(inputs: &[(Owner, T)], rules: &Rules) -> Result<Batch> {
    let (owners, input): (Vec<Owner>, Vec<&T>) = inputs.iter().map(|(owner, input)| (*owner, input)).unzip();
    let request = Request {
        model: &rules.model,
        input: &input,
        encoding_format: "float",
        dimensions: rules.dimensions,
    };
    let body = serde_json::to_vec(&request).map_err(|error| Error::Malformed {
        model: rules.model.clone(),
        message: shortened(&error.to_string(), 400),
    })?;
    Ok(Batch { body, owners })
}

/// One vector for each of `texts`, `None` for those that were in no batch.
///
/// `owners` and `answers` are the batches' in their order.
pub(super) fn merge(texts: usize, owners: Vec<Vec<Owner>>, answers: Vec<Vec<Vec<f32>>>) -> Vec<Option<Vec<f32>>> {
    let mut parts: Vec<Vec<(usize, Vec<f32>)>> = vec![Vec::new(); texts];
    for (owners, vectors) in owners.into_iter().zip(answers) {
        for (owner, vector) in owners.into_iter().zip(vectors) {
            parts[owner.text].push((owner.weight, vector));
        }
    }
    parts.into_iter().map(average).collect()
}

/// The only part as it is; of several, the average by weight, scaled to length 1.
fn average(mut parts: Vec<(usize, Vec<f32>)>) -> Option<Vec<f32>> {
    if parts.len() <= 1 {
        return parts.pop().map(|(_, vector)| vector);
    }
    let total: usize = parts.iter().map(|(weight, _)| weight).sum();
    let mut sum = vec![0.0_f64; parts[0].1.len()];
    for (weight, vector) in &parts {
        let share = *weight as f64 / total as f64;
        sum.iter_mut()
            .zip(vector)
            .for_each(|(sum, x)| *sum += share * f64::from(*x));
    }
    let mut vector: Vec<f32> = sum.into_iter().map(|x| x as f32).collect();
    normalize(&mut vector);
    Some(vector)
}
