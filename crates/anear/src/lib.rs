//! Vector search inside your program, async first: documents in, a question, the passages that answer it.
//!
//! anear is a Rust-native successor to Faiss and to LangChain's async FAISS vector store. It keeps their words, opens
//! their files, and needs neither Python nor a server. This crate is the front door: everything here comes from a
//! smaller crate and can be had there alone.
//!
//! # Ask a text file a question
//!
//! No key, no network, no download: the default embedding model is part of the program.
//!
//! ```
//! use anear::{
//!     AsyncTextSplitter, CharacterTextSplitter, DefaultEmbeddings, LocalStore, SplitOptions, TextLoader, VectorStoreExt,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nomination.txt");
//! let documents = TextLoader::new(path).aload().await?;
//! let splitter = CharacterTextSplitter::new(SplitOptions::sized(1000, 0))?;
//! let documents = splitter.asplit_documents(documents).await?;
//!
//! let store = LocalStore::from_documents(documents, DefaultEmbeddings::new()).await?;
//! let found = store.similarity_search("What did the president say about Ketanji Brown Jackson").await?;
//! assert!(found[0].page_content.contains("Ketanji Brown Jackson"));
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look further
//!
//! | to | see |
//! |---|---|
//! | add, search, delete, merge | [`VectorStoreExt`], [`LocalStore`] |
//! | say which documents may be found | [`Filter`], [`SearchRequest::filter`] |
//! | find documents that are not all the same | [`VectorStoreExt::max_marginal_relevance_search`] |
//! | search for many vectors at once | [`LocalStore::search_batch`] |
//! | read documents and vectors by position, at one moment | [`LocalStore::view`] |
//! | save to a folder or to bytes, and load | [`LocalStore::save_local`], [`LocalStore::serialize_to_bytes`] |
//! | call all this from synchronous code | [`blocking::LocalStore`] |
//! | choose an embedding model or write one | [`embeddings`] |
//! | read and split text | [`documents`] |
//! | search vectors without documents | [`index`] |
//! | cluster vectors | [`cluster`] |
//! | encode and turn vectors | [`quant`] |
//! | compare vectors, nothing else | [`kernels`] |
//! | measure recall and speed, tune an index, read data sets | `eval` (feature `eval`) |
//!
//! # Features
//!
//! | feature | brings | default |
//! |---|---|---|
//! | `openai` | [`OpenAiEmbeddings`]: OpenAI's API and compatible servers | yes |
//! | `huggingface` | `HuggingFaceEmbeddings`: sentence-transformers models, run locally | no |
//! | `eval` | `eval`: recall, ground truth, timing, tuning, data sets | yes |
//! | `hdf5`, `parquet` | data sets in these formats | no |
//! | `png` | charts of recall and speed as PNG | no |
#![forbid(unsafe_code)]

#[doc(no_inline)]
pub use anear_cluster as cluster;
#[doc(no_inline)]
pub use anear_documents as documents;
pub use anear_embeddings as embeddings;
#[cfg(feature = "eval")]
pub use anear_eval as eval;
pub use anear_index as index;
pub use anear_kernels as kernels;
pub use anear_quant as quant;
#[doc(inline)]
pub use anear_store::python;

/// Documents and what is asked of them.
#[doc(inline)]
pub use anear_documents::{Document, DocumentFilter, DocumentId, Filter, Metadata, Value};

/// Reading and splitting text.
#[doc(inline)]
pub use anear_documents::{
    AsyncTextSplitter, CharacterTextSplitter, RecursiveCharacterTextSplitter, SplitOptions, TextLoader, TextSplitter,
};

/// Text to vectors.
#[cfg(feature = "huggingface")]
#[doc(inline)]
pub use anear_embeddings::HuggingFaceEmbeddings;
/// Text to vectors.
#[cfg(feature = "openai")]
#[doc(inline)]
pub use anear_embeddings::OpenAiEmbeddings;
/// Text to vectors.
#[doc(inline)]
pub use anear_embeddings::{DefaultEmbeddings, Embeddings};

/// How vectors are compared.
#[doc(inline)]
pub use anear_kernels::Metric;
/// The threads that compute.
#[doc(inline)]
pub use anear_pool::{PerProcess, Pool};

/// The store and its searches.
#[doc(inline)]
pub use anear_store::{
    DEFAULT_FETCH_K, DEFAULT_K, DEFAULT_LAMBDA_MULT, Deletion, Error, Hit, LocalStore, LocalStoreBuilder, MemoryUsage,
    Query, Ranking, RelevanceFn, Result, Retriever, SearchBatch, SearchRequest, SearchType, VectorStore,
    VectorStoreExt, View, blocking, maximal_marginal_relevance,
};

/// The README's code, so that it compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
