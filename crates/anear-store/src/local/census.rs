//! What is in a store, counted: metadata fields and memory.

use std::collections::BTreeMap;

use anear_documents::{Document, Metadata, Value};
use anear_index::Memory;

use super::View;

/// What a store's content takes, in bytes. Documents that were deleted count until their segment is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUsage {
    /// The vectors, as their index keeps them.
    pub vectors: usize,
    /// The vectors that stay in a mapped file and are in memory only where they are looked at.
    pub mapped: usize,
    /// The documents with their ids and metadata: an estimate, and without the columns that filters build.
    pub documents: usize,
}

impl View {
    /// The names of the metadata fields; for each the types of its values (`null`, `bool`, `int`, `float`, `string`,
    /// `datetime`, `list`, `map`, and of a foreign value its own) and in how many documents it has them.
    ///
    /// Looks at every document.
    ///
    /// ```
    /// # use anear_store::{LocalStore, VectorStoreExt};
    /// # use anear_embeddings::FakeEmbeddings;
    /// use anear_documents::Document;
    /// # futures::executor::block_on(async {
    /// let pages = [Document::new("a").with_metadata("page", 1), Document::new("b").with_metadata("page", "ii")];
    /// let store = LocalStore::from_documents(pages.to_vec(), FakeEmbeddings::new(16)).await?;
    /// let fields = store.view().metadata_fields();
    /// assert_eq!(fields["page"], [("int".to_string(), 1), ("string".to_string(), 1)].into());
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub fn metadata_fields(&self) -> BTreeMap<String, BTreeMap<String, usize>> {
        let mut fields: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for (name, value) in self.documents().flat_map(|document| &document.metadata) {
            *fields.entry(name).or_default().entry(type_name(value)).or_default() += 1;
        }
        let owned = |types: BTreeMap<&str, usize>| types.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
        fields
            .into_iter()
            .map(|(name, types)| (name.to_owned(), owned(types)))
            .collect()
    }

    /// The memory that vectors and documents take. Looks at every document.
    pub fn memory(&self) -> MemoryUsage {
        let mut usage = MemoryUsage {
            vectors: 0,
            mapped: 0,
            documents: 0,
        };
        for segment in self.snapshot.segments() {
            let Memory { owned, mapped } = segment.index().memory();
            usage.vectors += owned;
            usage.mapped += mapped;
            usage.documents += segment
                .documents()
                .iter()
                .map(|document| bytes(document))
                .sum::<usize>();
        }
        usage
    }
}

fn type_name(value: &Value) -> &str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::String(_) => "string",
        Value::DateTime(_) => "datetime",
        Value::List(_) => "list",
        Value::Map(_) => "map",
        Value::Foreign(foreign) => foreign.type_name(),
    }
}

/// A hash table's entry beside what it holds: the hash, and a slot of a table that is three quarters full.
const ENTRY_BYTES: usize = 20;

/// The two counters of an `Arc` and the pointer to it.
const SHARED_BYTES: usize = 24;

fn bytes(document: &Document) -> usize {
    let texts = document.id.as_ref().map_or(0, String::len) + document.page_content.len();
    SHARED_BYTES + ENTRY_BYTES + size_of::<Document>() + texts + map_bytes(&document.metadata)
}

fn map_bytes(map: &Metadata) -> usize {
    let entry =
        |(key, value): (&String, &Value)| ENTRY_BYTES + size_of::<(String, Value)>() + key.len() + heap_bytes(value);
    map.iter().map(entry).sum()
}

/// What a value holds outside itself.
fn heap_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(|item| size_of::<Value>() + heap_bytes(item)).sum(),
        Value::Map(map) => map_bytes(map),
        _ => 0,
    }
}
