//! Saving and loading.
//!
//! A store is saved as a folder (`folder.rs`) or as bytes (`bytes.rs`). Both go through [`Saved`]: one segment of
//! documents with their index, and [`Meta`], what those two do not say. `settle.rs` makes a store of what was loaded.
//!
//! Nothing that is loaded is ever executed: pickles are parsed as data, and no option changes that.

mod bytes;
mod folder;
mod meta;
mod seal;
mod settle;

use std::path::Path;
use std::sync::Arc;

use anear_documents::Document;
use anear_embeddings::Embeddings;
use anear_index::{Knobs, VectorIndex};

use self::meta::Meta;
use super::{LocalStore, LocalStoreBuilder, View, set_knobs};
use crate::error::Result;
use crate::segment::Segment;

/// What is written: the documents of one snapshot.
struct Saved {
    meta: Meta,
    /// `None` when there is no document.
    segment: Option<Arc<Segment>>,
    /// What is written instead of the segment's index: a copy with the search parameters that were set since, or, by a
    /// store without documents that knows its dimension, one without vectors.
    instead: Option<Arc<dyn VectorIndex>>,
}

/// What was read: documents in the order of their vectors, nothing checked across the two yet.
struct Opened {
    /// `None` for stores that another program saved.
    meta: Option<Meta>,
    documents: Vec<Document>,
    /// `None` when no vector was ever added.
    index: Option<Box<dyn VectorIndex>>,
}

impl Saved {
    fn of(View { shared, snapshot }: &View) -> Result<Self> {
        let meta = Meta::new(&shared.settings, shared.embeddings.model(), snapshot);
        let segment = snapshot.to_segment(&shared.pool)?;
        let instead = match (&segment, snapshot.template(), snapshot.dim()) {
            (Some(segment), ..) => adjusted(segment.index(), snapshot.knobs())?,
            (None, Some(template), _) => Some(template.clone()),
            (None, None, Some(dim)) => shared.settings.untrained(dim)?,
            _ => None,
        };
        Ok(Self { meta, segment, instead })
    }

    /// The documents in the order of their vectors.
    fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.segment.iter().flat_map(|segment| segment.documents().iter())
    }

    /// The index to write; `None` as long as no vector was added.
    fn index(&self) -> Option<&dyn VectorIndex> {
        let own = self.segment.as_ref().map(|segment| segment.index());
        self.instead.as_deref().or(own)
    }
}

/// A copy of the index with these search parameters; `None` where it has them already.
fn adjusted(index: &dyn VectorIndex, knobs: &Knobs) -> Result<Option<Arc<dyn VectorIndex>>> {
    if knobs.iter().all(|(name, value)| index.knob(name) == Some(value)) {
        return Ok(None);
    }
    let mut copy = index.boxed_clone();
    set_knobs(&mut *copy, knobs)?;
    Ok(Some(copy.into()))
}

impl LocalStore {
    /// Saves the store into a folder: `<index_name>.faiss` and `<index_name>.pkl`, which LangChain's Python FAISS
    /// opens, and `<index_name>.anear.json`, which holds what those two do not say to LangChain and the digest of each.
    /// Without it the store still loads with its settings, but nothing tells whether its files were damaged.
    ///
    /// All or nothing: after a crash at any moment, a full disk or a failed sync the folder loads as the store it held
    /// before or as this one. Readers and writers go on meanwhile; one snapshot is saved. Saves of one store wait for
    /// each other; of two stores or processes that save to one folder at once, one is refused. `index_name` is LangChain's,
    /// usually `index`; it may not leave the folder, which may be a link (`current -> v42`), while its files may not. One save to a folder at a time: another one, of this process or any,
    /// is refused meanwhile.
    ///
    /// A store that never held a vector has no `.faiss` file yet, since its dimension is not known. An index that Faiss
    /// does not have is in `<index_name>.vectors` instead, which only anear reads.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage), which says whether the folder is as before, and
    /// [`Error::Unsaveable`](crate::Error::Unsaveable) for metadata that Python cannot hold (dates before the year 1,
    /// offsets of a day or more) and for foreign objects that are neither Python's data nor equal to a number or text.
    /// ([`serialize_to_bytes`](Self::serialize_to_bytes) takes them.)
    ///
    /// ```
    /// # use anear_store::{LocalStore, VectorStoreExt};
    /// # use anear_embeddings::FakeEmbeddings;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let folder = folder.path();
    /// # futures::executor::block_on(async {
    /// let store = LocalStore::from_texts(["foo", "bar"], FakeEmbeddings::new(8)).await?;
    /// store.save_local(folder, "index").await?;
    /// let again = LocalStore::load_local(folder, "index", FakeEmbeddings::new(8)).await?;
    /// assert_eq!(again.similarity_search("foo").await?[0].page_content, "foo");
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub async fn save_local(&self, folder: impl AsRef<Path>, index_name: &str) -> Result<()> {
        let (folder, name) = (folder.as_ref().to_owned(), index_name.to_owned());
        let turn = self.shared.saving.get().lock_owned().await;
        let save = move |view: &View| {
            let _turn = turn;
            folder::save(&*view.shared.fs, &folder, &name, &Saved::of(view)?)
        };
        self.read(save).await
    }

    /// Loads a store from a folder, with default settings; see [`LocalStoreBuilder::load_local`].
    ///
    /// # Errors
    /// As there.
    pub async fn load_local(
        folder: impl AsRef<Path>,
        index_name: &str,
        embeddings: impl Embeddings + 'static,
    ) -> Result<Self> {
        Self::builder(embeddings).load_local(folder, index_name).await
    }

    /// The store as bytes, for a database or a cache: anear's own checksummed container.
    ///
    /// Of a foreign metadata value it holds the nearest; [`serialize_to_pickle`](Self::serialize_to_pickle) and
    /// [`save_local`](Self::save_local) keep Python's data exactly.
    ///
    /// # Errors
    /// Only when the store itself fails.
    pub async fn serialize_to_bytes(&self) -> Result<Vec<u8>> {
        self.read(|view| bytes::write(&Saved::of(view)?)).await
    }

    /// The store as bytes that LangChain's `FAISS.deserialize_from_bytes` opens too: the pickle that LangChain makes,
    /// followed by what it cannot say and a digest of all, which Python ignores and
    /// [`deserialize_from_bytes`](Self::deserialize_from_bytes) checks.
    ///
    /// LangChain has no store without an index: one that never held a vector, so that its dimension is not known, becomes
    /// the bytes of [`serialize_to_bytes`](Self::serialize_to_bytes), which only anear opens.
    ///
    /// # Errors
    /// [`Error::Unsaveable`](crate::Error::Unsaveable) for metadata as in [`save_local`](Self::save_local).
    ///
    /// ```
    /// # use anear_store::{LocalStore, VectorStoreExt};
    /// # use anear_embeddings::FakeEmbeddings;
    /// # futures::executor::block_on(async {
    /// let store = LocalStore::from_texts(["foo", "bar"], FakeEmbeddings::new(8)).await?;
    /// let bytes = store.serialize_to_pickle().await?;
    /// let again = LocalStore::deserialize_from_bytes(bytes, FakeEmbeddings::new(8)).await?;
    /// assert_eq!(again.similarity_search("foo").await?[0].page_content, "foo");
    /// # Ok::<(), anear_store::Error>(()) }).unwrap();
    /// ```
    pub async fn serialize_to_pickle(&self) -> Result<Vec<u8>> {
        self.read(|view| bytes::write_pickle(&Saved::of(view)?)).await
    }

    /// The store in these bytes, with default settings; see [`LocalStoreBuilder::deserialize_from_bytes`].
    ///
    /// # Errors
    /// As there.
    pub async fn deserialize_from_bytes(serialized: Vec<u8>, embeddings: impl Embeddings + 'static) -> Result<Self> {
        Self::builder(embeddings).deserialize_from_bytes(serialized).await
    }

    /// The name of the embedding model that the loaded store was saved with; `None` for a new store and for one that
    /// another program saved. Vectors of different models cannot be compared.
    pub fn saved_model(&self) -> Option<&str> {
        self.shared.saved_model.as_deref()
    }
}

impl LocalStoreBuilder {
    /// Loads a store that [`LocalStore::save_local`] or LangChain's Python FAISS saved.
    ///
    /// A store of ours brings its settings; asking for others is an error. One that LangChain saved says nothing but
    /// its index: the metric is the builder's, or that of the index.
    ///
    /// Nothing is executed: pickles are parsed as data. Every byte of a store of ours is checked; LangChain's files carry
    /// no checksum, so a flipped bit inside a vector or a text of theirs cannot be seen. Any model may be given whose
    /// vectors are as wide as the saved ones, checked here if the model says its width and at the first search or change
    /// otherwise; whether it is the same model, [`saved_model`](LocalStore::saved_model) tells.
    ///
    /// # Errors
    /// [`Error::NothingSaved`](crate::Error::NothingSaved) when the folder holds no such store,
    /// [`Error::Storage`](crate::Error::Storage) and [`Error::File`](crate::Error::File) naming what is damaged or does not
    /// match, [`Error::NewerStore`](crate::Error::NewerStore) for one of a later anear,
    /// [`Error::SavedSetting`](crate::Error::SavedSetting) and [`Error::Dimension`](crate::Error::Dimension) when
    /// the builder contradicts what was saved.
    pub async fn load_local(self, folder: impl AsRef<Path>, index_name: &str) -> Result<LocalStore> {
        let (folder, name) = (folder.as_ref().to_owned(), index_name.to_owned());
        self.open(move |builder| folder::load(&*builder.fs, &folder, &name, builder.mapped))
            .await
    }

    /// The store in bytes of [`LocalStore::serialize_to_bytes`], [`LocalStore::serialize_to_pickle`] or LangChain's
    /// `serialize_to_bytes`. Of the first two every byte is checked; LangChain's carry no checksum.
    ///
    /// # Errors
    /// [`Error::NotAStore`](crate::Error::NotAStore) for other bytes, [`Error::Storage`](crate::Error::Storage),
    /// [`Error::Meta`](crate::Error::Meta) and [`Error::Pickle`](crate::Error::Pickle) for damaged ones; settings as in
    /// [`load_local`](Self::load_local).
    pub async fn deserialize_from_bytes(self, serialized: Vec<u8>) -> Result<LocalStore> {
        self.open(move |_| bytes::read(&serialized)).await
    }

    /// Runs `read` on the compute pool and makes a store of what it gives.
    async fn open(self, read: impl FnOnce(&Self) -> Result<Opened> + Send + 'static) -> Result<LocalStore> {
        let pool = self.pool.clone();
        pool.run(move || {
            let opened = read(&self)?;
            self.settle(opened)
        })
        .await?
    }
}
