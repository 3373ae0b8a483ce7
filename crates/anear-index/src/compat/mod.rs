//! Files of other engines, as readers and writers of our own types.

pub mod faiss;
