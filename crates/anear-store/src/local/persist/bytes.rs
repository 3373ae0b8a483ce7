//! A saved store as bytes: anear's container, or the pickle that LangChain makes, bare or under our seal (`seal.rs`).
//!
//! The container has the sections `meta` (JSON), `docs` (a JSON document a line, in the order of the vectors) and
//! `indx` (a container of its own, missing as long as no vector was added).

use anear_bytes::{Container, ContainerWriter};
use anear_documents::Document;
use anear_index::compat::faiss::{class_name, read_index, write_index};
use anear_pickle::FaissClass;

use super::meta::Meta;
use super::{Opened, Saved, seal};
use crate::compat::langchain::{from_docstore, to_docstore};
use crate::error::{Error, Result};

const KIND: [u8; 4] = *b"stor";
const META: [u8; 4] = *b"meta";
const DOCUMENTS: [u8; 4] = *b"docs";
const INDEX: [u8; 4] = *b"indx";

pub(super) fn write(saved: &Saved) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for document in saved.documents() {
        serde_json::to_writer(&mut lines, &**document).map_err(|error| Error::Meta(error.to_string()))?;
        lines.push(b'\n');
    }
    let container = ContainerWriter::new(KIND).section(META, saved.meta.to_json()?.into_bytes());
    let container = container.section(DOCUMENTS, lines);
    Ok(match saved.index() {
        None => container.finish(),
        Some(index) => container.section(INDEX, anear_index::to_bytes(index)).finish(),
    })
}

/// LangChain's pickle under our seal; the container as long as there is no index, without which LangChain has no store,
/// and for an index that Faiss does not have.
pub(super) fn write_pickle(saved: &Saved) -> Result<Vec<u8>> {
    let Some(index) = saved.index() else {
        return write(saved);
    };
    let file = match write_index(index) {
        Err(anear_index::Error::Unsupported { .. }) => return write(saved),
        file => file?,
    };
    let Some(class) = class_name(&file).and_then(FaissClass::named) else {
        return write(saved);
    };
    let docstore = to_docstore(saved.documents())?;
    let pickle = anear_pickle::write_bytes_pkl(class, &file, &docstore)?;
    Ok(seal::close(pickle, &saved.meta.to_json()?))
}

pub(super) fn read(bytes: &[u8]) -> Result<Opened> {
    if Container::is_one(bytes) {
        ours(bytes)
    } else if seal::is_one(bytes) {
        sealed(bytes)
    } else {
        langchains(bytes)
    }
}

fn ours(bytes: &[u8]) -> Result<Opened> {
    let container = Container::parse(bytes, KIND, &[META, DOCUMENTS, INDEX])?;
    let meta = std::str::from_utf8(container.section(META)?).map_err(|error| Error::Meta(error.to_string()))?;
    let lines = container.section(DOCUMENTS)?.split_inclusive(|&byte| byte == b'\n');
    let documents = lines.enumerate().map(document).collect::<Result<_>>()?;
    let index = container.optional(INDEX).map(anear_index::from_bytes).transpose()?;
    Ok(Opened {
        meta: Some(Meta::from_json(meta)?),
        documents,
        index,
    })
}

fn document((line, json): (usize, &[u8])) -> Result<Document> {
    serde_json::from_slice(json).map_err(|error| Error::Meta(format!("document {line}: {error}")))
}

fn sealed(bytes: &[u8]) -> Result<Opened> {
    let (pickle, meta) = seal::open(bytes)?;
    Ok(Opened {
        meta: Some(Meta::from_json(meta)?),
        ..langchains(pickle)?
    })
}

fn langchains(bytes: &[u8]) -> Result<Opened> {
    if bytes.first() != Some(&0x80) {
        return Err(Error::NotAStore { len: bytes.len() });
    }
    let (index, docstore) = anear_pickle::read_bytes_pkl(bytes)?;
    let index = read_index(&index.bytes)?;
    let documents = from_docstore(docstore, index.len())?;
    Ok(Opened {
        meta: None,
        documents,
        index: Some(index),
    })
}
