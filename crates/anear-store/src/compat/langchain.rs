//! Between our documents and the docstore that LangChain pickles; metadata values as in `python.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use anear_documents::Document;
use anear_pickle::{SavedDocstore, SavedDocument};

use crate::error::{Error, Result};
use crate::python::{from_python, to_python};

/// The docstore of documents in the order of their vectors.
pub(crate) fn to_docstore<'d>(documents: impl Iterator<Item = &'d Arc<Document>>) -> Result<SavedDocstore> {
    let documents = documents
        .map(|document| to_saved(document))
        .collect::<Result<Vec<_>>>()?;
    let positions = (0..)
        .zip(documents.iter().map(|document| document.id.clone()))
        .collect();
    Ok(SavedDocstore { documents, positions })
}

/// The documents of a docstore in the order of their `vectors`: every vector has one, every document one vector.
pub(crate) fn from_docstore(saved: SavedDocstore, vectors: usize) -> Result<Vec<Document>> {
    let mut positions = saved.positions;
    positions.sort_by_key(|&(position, _)| position);
    let taken = |at: usize| positions.get(at).map(|&(position, _)| position);
    if let Some(at) = (0..positions.len().max(vectors)).find(|&at| at >= vectors || taken(at) != i64::try_from(at).ok())
    {
        return Err(Error::Positions {
            at,
            vectors,
            positions: positions.len(),
        });
    }
    let mut by_id: HashMap<String, SavedDocument> = saved
        .documents
        .into_iter()
        .map(|document| (document.id.clone(), document))
        .collect();
    let mut documents = Vec::with_capacity(vectors);
    for (_, id) in positions {
        let document = by_id.remove(&id).ok_or(Error::TwoVectors { id })?;
        documents.push(from_saved(document));
    }
    match by_id.into_keys().min() {
        Some(id) => Err(Error::NoVector { id }),
        None => Ok(documents),
    }
}

fn to_saved(document: &Document) -> Result<SavedDocument> {
    let id = document.id.clone().unwrap_or_default();
    let metadata = document.metadata.iter().map(|(key, value)| match to_python(value) {
        Ok(value) => Ok((key.clone(), value)),
        Err(what) => Err(Error::Unsaveable {
            id: id.clone(),
            key: key.clone(),
            what,
        }),
    });
    let metadata = metadata.collect::<Result<_>>()?;
    Ok(SavedDocument {
        id,
        page_content: document.page_content.clone(),
        metadata,
    })
}

fn from_saved(saved: SavedDocument) -> Document {
    let SavedDocument {
        id,
        page_content,
        metadata,
    } = saved;
    let metadata = metadata
        .into_iter()
        .map(|(key, value)| (key, from_python(value)))
        .collect();
    Document {
        id: Some(id),
        page_content,
        metadata,
    }
}
