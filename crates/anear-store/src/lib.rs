//! The async vector store: documents, embeddings and an index that stay in step.
//!
//! [`LocalStore`] is the store in this process. [`VectorStore`] is what every store can do, [`VectorStoreExt`] the
//! everyday surface on top of it, with the names of LangChain's `FAISS`; [`blocking`] gives the same to synchronous
//! code. [`python`] is for doors to it that live in Python.
#![forbid(unsafe_code)]

pub mod blocking;
mod compat;
mod error;
mod live;
mod local;
mod mmr;
pub mod python;
mod request;
mod retriever;
mod score;
mod segment;
mod snapshot;
mod store;

pub use error::{Error, Result};
pub use local::{LocalStore, LocalStoreBuilder, MemoryUsage, View};
pub use mmr::maximal_marginal_relevance;
pub use request::{DEFAULT_FETCH_K, DEFAULT_K, DEFAULT_LAMBDA_MULT, Hit, Query, Ranking, SearchBatch, SearchRequest};
pub use retriever::{Retriever, SearchType};
pub use score::RelevanceFn;
pub use store::{Deletion, VectorStore, VectorStoreExt};
