//! Pickles, stores in bytes, and filters.

use std::fs;
use std::path::Path;

use anear_documents::{Document, Filter};
use anear_embeddings::FakeEmbeddings;
use anear_pickle::{read_index_pkl, write_index_pkl};
use anear_store::{LocalStore, VectorStore, VectorStoreExt};
use futures::executor::block_on;

use super::Target;
use crate::mutate::changed;

pub(super) const PICKLE: Target = Target {
    name: "pickle",
    seeds: || fixtures("index.pkl").collect(),
    change: changed,
    read: |input| {
        let Ok(saved) = read_index_pkl(input) else {
            return false;
        };
        // As bytes: a NaN does not equal itself.
        let written = write_index_pkl(&saved).expect("what LangChain wrote can be written for LangChain");
        let again = read_index_pkl(&written).and_then(|again| write_index_pkl(&again));
        assert_eq!(again.ok(), Some(written));
        true
    },
};

pub(super) const STORE: Target = Target {
    name: "store",
    seeds: || {
        let documents = ["foo", "bar"].map(|text| Document::new(text).with_metadata("page", 7));
        let own = block_on(async {
            let store = LocalStore::from_documents(documents.to_vec(), FakeEmbeddings::new(3)).await?;
            Ok::<_, anear_store::Error>([store.serialize_to_bytes().await?, store.serialize_to_pickle().await?])
        });
        let own = own.expect("a store of two documents can be saved");
        fixtures("bytes.pkl").chain(own).collect()
    },
    change: changed,
    read: |input| {
        block_on(async {
            let opened = LocalStore::deserialize_from_bytes(input.to_vec(), FakeEmbeddings::new(3)).await;
            let Ok(store) = opened else {
                return false;
            };
            assert_eq!(store.count(None).await.ok(), Some(store.view().len()));
            // The vectors may be wider or narrower than the model's: then this is refused.
            drop(store.similarity_search("foo").await);
            true
        })
    },
};

pub(super) const FILTER: Target = Target {
    name: "filter",
    seeds: || {
        let texts = [
            r#"{"page": 7, "$or": [{"a": {"$gt": 1.5}}, {"b": {"$in": ["x", null, true]}}]}"#,
            r#"{"$not": {"at": {"$lte": "2024-02-29T12:00:00+09:00"}}, "name": {"$ne": "\u00e9"}}"#,
            r#"{"$and": [{"x": {"$nin": [1, 2]}}, {"y": {"$eq": {"$map": {"k": [1]}}}}]}"#,
        ];
        texts.map(|text| text.as_bytes().to_vec()).to_vec()
    },
    change: changed,
    read: |input| {
        let Ok(filter) = String::from_utf8_lossy(input).parse::<Filter>() else {
            return false;
        };
        let document = Document::new("text").with_metadata("page", 7).with_metadata("a", 2.0);
        let again: Filter = filter.to_string().parse().expect("what was printed is read");
        assert_eq!(again.matches(&document.metadata), filter.matches(&document.metadata));
        true
    },
};

/// The files of this name that LangChain's releases wrote.
pub(super) fn fixtures(name: &'static str) -> impl Iterator<Item = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../anear-pickle/tests/fixtures/langchain");
    let mut folders: Vec<_> = fs::read_dir(folder)
        .expect("the fixtures are part of the repository")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    folders.sort();
    folders
        .into_iter()
        .filter_map(move |folder| fs::read(folder.join(name)).ok())
}
