//! Text to vectors: embedding models for anear, hosted, local and built in.
