//! A saved store as a folder that LangChain opens too.

use std::collections::BTreeMap;
use std::path::Path;

use anear_bytes::{Contents, Fs, Loaded, Payload, Verify, load_generation, save_generation};
use anear_index::VectorIndex;
use anear_index::compat::faiss::{read_index, read_index_mapped, write_index};

use super::meta::Meta;
use super::{Opened, Saved, seal};
use crate::compat::langchain::{from_docstore, to_docstore};
use crate::error::{Error, Result};

/// No file of a store is larger; what a file really holds bounds its reading anyway.
const FILE_LEN_MAX: u64 = 1 << 42;

pub(super) fn save(fs: &dyn Fs, folder: &Path, name: &str, saved: &Saved) -> Result<()> {
    let (index_name, pickle_name) = file_names(name);
    let index_names = [index_name, own_file_name(name)];
    let meta = saved.meta.to_json()?;
    let pickle = seal::noted(anear_pickle::write_index_pkl(&to_docstore(saved.documents())?)?, &meta);
    let index = saved.index().map(|index| written(name, index)).transpose()?;
    let mut payloads = vec![Payload::bytes(&pickle_name, &pickle)];
    // An index in the other form, LangChain's perhaps, would stand beside documents that are not its own.
    payloads.extend(index_names.iter().map(|name| match &index {
        Some((written, index)) if written == name => Payload::bytes(name, index),
        _ => Payload::absent(name),
    }));
    Ok(save_generation(fs, folder, name, payloads, &meta)?)
}

/// The name and the bytes of the index's file: Faiss's where it has such an index, else anear's own.
fn written(name: &str, index: &dyn VectorIndex) -> Result<(String, Vec<u8>)> {
    match write_index(index) {
        Ok(file) => Ok((file_names(name).0, file)),
        Err(anear_index::Error::Unsupported { .. }) => Ok((own_file_name(name), anear_index::to_bytes(index))),
        Err(error) => Err(error.into()),
    }
}

/// Maps the index, if so wanted; but not another program's, which may write its files where they are.
pub(super) fn load(fs: &dyn Fs, folder: &Path, name: &str, mapped: bool) -> Result<Opened> {
    let index_names = [file_names(name).0, own_file_name(name)];
    let map: Vec<&str> = index_names.iter().filter(|_| mapped).map(String::as_str).collect();
    match load_generation(fs, folder, name, &map)? {
        Loaded::Committed { meta, files } => committed(folder, name, &meta, &files),
        Loaded::Missing => Err(nothing(folder, &file_names(name).0)),
        Loaded::Foreign => {
            let opened = foreign(fs, folder, name);
            // A first save of ours may have come while the other program's files were read.
            match load_generation(fs, folder, name, &map)? {
                Loaded::Committed { meta, files } => committed(folder, name, &meta, &files),
                _ => opened,
            }
        }
    }
}

fn committed(folder: &Path, name: &str, meta: &str, files: &BTreeMap<String, Contents>) -> Result<Opened> {
    let (index_name, pickle_name) = file_names(name);
    let pickle = files.get(&pickle_name).ok_or_else(|| nothing(folder, &pickle_name))?;
    let (own_name, manifest) = (own_file_name(name), format!("{name}.anear.json"));
    let theirs = files.get(&index_name).map(|file| (&index_name, from_faiss(file)));
    let ours = || Some((&own_name, from_container(files.get(&own_name)?)));
    let index = theirs.or_else(ours);
    let index = index.map(|(file, index)| index.map_err(|error| in_file(folder, file, error.into())));
    let index = index.transpose()?;
    let meta = Meta::from_json(meta).map_err(|error| in_file(folder, &manifest, error))?;
    Ok(Opened {
        meta: Some(meta),
        ..opened(folder, name, index, pickle)?
    })
}

/// The index in Faiss's file.
fn from_faiss(file: &Contents) -> anear_index::Result<Box<dyn VectorIndex>> {
    match file.mapping() {
        Some(mapping) => read_index_mapped(mapping),
        None => read_index(file),
    }
}

/// The index in a file of ours, whose digest was compared with the manifest's.
fn from_container(file: &Contents) -> anear_index::Result<Box<dyn VectorIndex>> {
    match file.mapping() {
        Some(mapping) => anear_index::from_mapping(mapping, Verify::Structure),
        None => anear_index::from_bytes(file),
    }
}

fn foreign(fs: &dyn Fs, folder: &Path, name: &str) -> Result<Opened> {
    let (index_name, pickle_name) = file_names(name);
    let read = |name: &str| {
        let path = folder.join(name);
        match fs.entry(&path)? {
            None => Err(nothing(folder, name)),
            Some(_) => Ok(fs.read(&path, FILE_LEN_MAX)?),
        }
    };
    let (index, pickle) = (read(&index_name)?, read(&pickle_name)?);
    let index = read_index(&index).map_err(|error| in_file(folder, &index_name, error.into()))?;
    // One of ours whose manifest was lost says how its vectors are compared; LangChain's never do.
    let meta = seal::note(&pickle).map(Meta::from_json).transpose();
    Ok(Opened {
        meta: meta.map_err(|error| in_file(folder, &pickle_name, error))?,
        ..opened(folder, name, Some(index), &pickle)?
    })
}

fn opened(folder: &Path, name: &str, index: Option<Box<dyn VectorIndex>>, pickle: &[u8]) -> Result<Opened> {
    let (_, pickle_name) = file_names(name);
    let documents = anear_pickle::read_index_pkl(pickle)
        .map_err(Error::from)
        .and_then(|saved| {
            let vectors = index.as_ref().map_or(0, |index| index.len());
            from_docstore(saved, vectors)
        });
    let documents = documents.map_err(|error| in_file(folder, &pickle_name, error))?;
    Ok(Opened {
        meta: None,
        documents,
        index,
    })
}

fn in_file(folder: &Path, name: &str, error: Error) -> Error {
    Error::File {
        path: folder.join(name),
        source: Box::new(error),
    }
}

/// The names LangChain reads.
fn file_names(name: &str) -> (String, String) {
    (format!("{name}.faiss"), format!("{name}.pkl"))
}

/// The file of an index that Faiss does not have.
fn own_file_name(name: &str) -> String {
    format!("{name}.vectors")
}

fn nothing(folder: &Path, missing: &str) -> Error {
    Error::NothingSaved {
        folder: folder.into(),
        missing: missing.to_owned(),
    }
}
