//! Embedded vector search, async first: a Rust-native successor to Faiss and LangChain's FAISS store.
