//! Floats in, floats out: distances, scans and top-k for the anear vector search engine.
