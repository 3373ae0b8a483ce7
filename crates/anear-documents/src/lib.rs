//! What was said: documents, metadata, filters, loaders and text splitters for anear.
