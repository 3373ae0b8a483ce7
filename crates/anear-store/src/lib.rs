//! The async vector store: documents, embeddings and an index that stay in step.
