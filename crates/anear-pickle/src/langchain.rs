//! The two pickles of LangChain's FAISS store: `index.pkl` in a saved folder (docstore, positions) and
//! the bytes of `serialize_to_bytes` (index, docstore, positions).

use std::borrow::Cow;
use std::collections::HashSet;

use indexmap::IndexMap;

use crate::decode::Decoder;
use crate::graph::{Graph, Id, Node};
use crate::write::Writer;
use crate::{Error, FaissClass, Limits, Result, Value, machine};

/// What LangChain keeps beside the vectors: the documents, and which vector belongs to which.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedDocstore {
    /// The documents, in the order of the docstore.
    pub documents: Vec<SavedDocument>,
    /// `index_to_docstore_id`: position of a vector in the index, id of its document.
    pub positions: Vec<(i64, String)>,
}

/// One document, as every release of LangChain means it.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedDocument {
    /// Its key in the docstore; `Document.id` is empty in files of older releases.
    pub id: String,
    /// Its text.
    pub page_content: String,
    /// Its metadata, in order. Keys that are no text in Python are written as `str(key)`.
    pub metadata: IndexMap<String, Value>,
}

/// A Faiss index inside a pickle: its class, and the exact content of the file Faiss would write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaissIndex<'a> {
    /// The class the pickle names.
    pub class: FaissClass,
    /// The file's content.
    pub bytes: Cow<'a, [u8]>,
}

/// Reads the `index.pkl` of a saved folder, from any release of LangChain.
///
/// # Errors
/// As [`read`](crate::read()), and: [`Error::NotAStore`] for other data, [`Error::MissingDocument`] for a
/// position whose document is not there, [`Error::DuplicateId`] and [`Error::DuplicateKey`] for ids or
/// metadata keys that are the same as text.
///
/// ```
/// use anear_pickle::{SavedDocstore, SavedDocument, Value, read_index_pkl, write_index_pkl};
///
/// let document = SavedDocument {
///     id: "a".into(),
///     page_content: "foo".into(),
///     metadata: [("page".to_owned(), Value::Int(1))].into_iter().collect(),
/// };
/// let saved = SavedDocstore { documents: vec![document], positions: vec![(0, "a".into())] };
/// assert_eq!(read_index_pkl(&write_index_pkl(&saved)?)?, saved);
/// # Ok::<(), anear_pickle::Error>(())
/// ```
pub fn read_index_pkl(pickle: &[u8]) -> Result<SavedDocstore> {
    read_index_pkl_with(pickle, &Limits::default())
}

/// [`read_index_pkl`] within `limits`.
///
/// # Errors
/// As [`read_index_pkl`].
pub fn read_index_pkl_with(pickle: &[u8], limits: &Limits) -> Result<SavedDocstore> {
    let (graph, root) = machine::run(pickle, limits)?;
    match graph.tuple(root) {
        Some([docstore, positions]) => Reader::new(&graph, pickle, limits)?.store(*docstore, *positions),
        _ => not_a_store("a pair of a docstore and its positions"),
    }
}

/// Reads the bytes that LangChain's `serialize_to_bytes` gave: the index and its docstore.
///
/// The index's bytes are borrowed from `pickle`.
///
/// # Errors
/// As [`read_index_pkl`].
pub fn read_bytes_pkl(pickle: &[u8]) -> Result<(FaissIndex<'_>, SavedDocstore)> {
    read_bytes_pkl_with(pickle, &Limits::default())
}

/// [`read_bytes_pkl`] within `limits`.
///
/// # Errors
/// As [`read_index_pkl`].
pub fn read_bytes_pkl_with<'a>(pickle: &'a [u8], limits: &Limits) -> Result<(FaissIndex<'a>, SavedDocstore)> {
    let (graph, root) = machine::run(pickle, limits)?;
    match graph.tuple(root) {
        Some([index, docstore, positions]) => {
            let saved = Reader::new(&graph, pickle, limits)?.store(*docstore, *positions)?;
            Ok((faiss_index(&graph, *index)?, saved))
        }
        _ => not_a_store("an index, a docstore and its positions"),
    }
}

/// Writes the `index.pkl` that every release of LangChain Community opens.
///
/// The documents carry the state of both generations of pydantic, each of which reads its own part.
///
/// # Errors
/// [`Error::MissingDocument`], [`Error::DuplicateId`], and [`Error::Unwritable`] for metadata that
/// Python would not take (a list as a key) or that nests deeper than [`Limits::depth`] allows to read.
pub fn write_index_pkl(saved: &SavedDocstore) -> Result<Vec<u8>> {
    check(saved)?;
    let mut writer = Writer::new(estimate(saved));
    write_store(&mut writer, saved)?;
    writer.tuple(2);
    Ok(writer.finish())
}

/// Writes the bytes that LangChain's `deserialize_from_bytes` opens, with any build of Faiss.
///
/// `index` is the content of the Faiss file, `class` the class that it holds.
///
/// # Errors
/// As [`write_index_pkl`].
pub fn write_bytes_pkl(class: FaissClass, index: &[u8], saved: &SavedDocstore) -> Result<Vec<u8>> {
    check(saved)?;
    let mut writer = Writer::new(index.len() + estimate(saved));
    // The package, not the extension module of one instruction set: it exists in every build.
    writer.object("faiss", class.name(), |state| {
        state.str("this");
        state.bytes(index);
        Ok(())
    })?;
    write_store(&mut writer, saved)?;
    writer.tuple(3);
    Ok(writer.finish())
}

fn not_a_store<T>(expected: &'static str) -> Result<T> {
    Err(Error::NotAStore { expected })
}

fn faiss_index<'a>(graph: &Graph<'a>, id: Id) -> Result<FaissIndex<'a>> {
    let Node::Faiss(class, bytes) = graph.node(id) else {
        return not_a_store("a Faiss index");
    };
    match graph.node(*bytes) {
        Node::Bytes(bytes) | Node::ByteArray(bytes) => Ok(FaissIndex {
            class: *class,
            bytes: bytes.clone(),
        }),
        _ => not_a_store("the bytes of a Faiss file"),
    }
}

/// Reads documents and positions out of a graph.
struct Reader<'g, 'a> {
    graph: &'g Graph<'a>,
    decoder: Decoder<'g, 'a>,
}

impl<'g, 'a> Reader<'g, 'a> {
    fn new(graph: &'g Graph<'a>, pickle: &[u8], limits: &Limits) -> Result<Self> {
        let decoder = Decoder::new(graph, limits.budget(pickle.len())?, limits.nesting());
        Ok(Self { graph, decoder })
    }

    fn store(mut self, docstore: Id, positions: Id) -> Result<SavedDocstore> {
        let saved = SavedDocstore {
            documents: self.documents(docstore)?,
            positions: self.positions(positions)?,
        };
        check(&saved)?;
        Ok(saved)
    }

    fn documents(&mut self, docstore: Id) -> Result<Vec<SavedDocument>> {
        let Node::Docstore(dict) = self.graph.node(docstore) else {
            return not_a_store("an in-memory docstore");
        };
        let Some(pairs) = self.decoder.pairs(*dict)? else {
            return not_a_store("a dict of documents");
        };
        pairs
            .iter()
            .map(|(key, document)| self.document(*key, *document))
            .collect()
    }

    fn document(&mut self, key: Id, document: Id) -> Result<SavedDocument> {
        let id = self.key(key)?;
        let Node::Document(fields) = self.graph.node(document) else {
            return not_a_store("a document");
        };
        let Some(fields) = self.decoder.pairs(*fields)? else {
            return not_a_store("the fields of a document");
        };
        let content = self.graph.get(fields, "page_content");
        let text = content.map_or(Ok(None), |content| self.decoder.text(content))?;
        let Some(page_content) = text else {
            return not_a_store("the text of a document");
        };
        let metadata = match self.graph.get(fields, "metadata") {
            Some(metadata) => self.metadata(metadata, &id)?,
            None => IndexMap::new(),
        };
        Ok(SavedDocument {
            id,
            page_content,
            metadata,
        })
    }

    fn metadata(&mut self, metadata: Id, id: &str) -> Result<IndexMap<String, Value>> {
        let pairs = match self.decoder.value(metadata)? {
            Value::Dict(pairs) => pairs,
            Value::None => Vec::new(),
            _ => return not_a_store("metadata that is a dict"),
        };
        let mut metadata = IndexMap::with_capacity(pairs.len());
        for (key, value) in pairs {
            let key = key_text(&key)?;
            if metadata.contains_key(&key) {
                return Err(Error::DuplicateKey { id: id.to_owned(), key });
            }
            metadata.insert(key, value);
        }
        Ok(metadata)
    }

    fn positions(&mut self, positions: Id) -> Result<Vec<(i64, String)>> {
        let Some(pairs) = self.decoder.pairs(positions)? else {
            return not_a_store("a dict of positions");
        };
        pairs
            .iter()
            .map(|(position, id)| Ok((self.position(*position)?, self.key(*id)?)))
            .collect()
    }

    fn position(&mut self, position: Id) -> Result<i64> {
        match self.decoder.value(position)? {
            Value::Int(position) => Ok(position),
            _ => not_a_store("positions that are integers"),
        }
    }

    fn key(&mut self, id: Id) -> Result<String> {
        key_text(&self.decoder.value(id)?)
    }
}

/// An id or a key of metadata as text.
fn key_text(key: &Value) -> Result<String> {
    match key.key_text() {
        Some(text) => Ok(text),
        None => not_a_store("ids and metadata keys that are text, numbers or dates"),
    }
}

/// Every document has an id of its own, every position a number of its own and a document.
fn check(saved: &SavedDocstore) -> Result<()> {
    let mut ids = HashSet::with_capacity(saved.documents.len());
    for document in &saved.documents {
        if !ids.insert(document.id.as_str()) {
            return Err(Error::DuplicateId {
                id: document.id.clone(),
            });
        }
    }
    let mut seen = HashSet::with_capacity(saved.positions.len());
    for (position, id) in &saved.positions {
        if !ids.contains(id.as_str()) {
            return Err(Error::MissingDocument {
                position: *position,
                id: id.clone(),
            });
        }
        if !seen.insert(position) {
            return not_a_store("each position once");
        }
    }
    Ok(())
}

/// About as many bytes as the pickle will have: 600 for each document's frame, plus its text.
fn estimate(saved: &SavedDocstore) -> usize {
    saved
        .documents
        .iter()
        .map(|document| 600 + document.page_content.len())
        .sum()
}

fn write_store(writer: &mut Writer, saved: &SavedDocstore) -> Result<()> {
    writer.object("langchain_community.docstore.in_memory", "InMemoryDocstore", |state| {
        state.str("_dict");
        state.dict(|dict| {
            saved.documents.iter().try_for_each(|document| {
                dict.str(&document.id);
                write_document(dict, document)
            })
        })
    })?;
    writer.dict(|dict| {
        for (position, id) in &saved.positions {
            dict.int(*position);
            dict.str(id);
        }
        Ok(())
    })
}

/// The state of both generations of pydantic in one: each reads the keys that it knows.
fn write_document(writer: &mut Writer, document: &SavedDocument) -> Result<()> {
    const FIELDS: [&str; 3] = ["id", "metadata", "page_content"];
    writer.object("langchain_core.documents.base", "Document", |state| {
        state.str("__dict__");
        state.dict(|fields| write_fields(fields, document))?;
        for key in ["__fields_set__", "__pydantic_fields_set__"] {
            state.str(key);
            state.str_set(&FIELDS);
        }
        for key in ["__pydantic_extra__", "__pydantic_private__"] {
            state.str(key);
            state.none();
        }
        state.str("__private_attribute_values__");
        state.dict(|_| Ok(()))
    })
}

fn write_fields(fields: &mut Writer, document: &SavedDocument) -> Result<()> {
    fields.str("id");
    fields.str(&document.id);
    fields.str("metadata");
    fields.dict(|metadata| {
        document.metadata.iter().try_for_each(|(key, value)| {
            metadata.str(key);
            metadata.value(value, Limits::default().depth - 1)
        })
    })?;
    fields.str("page_content");
    fields.str(&document.page_content);
    fields.str("type");
    fields.str("Document");
    Ok(())
}
