//! What is fed with changed inputs: every reader of bytes or text that anear did not write itself a moment ago.

mod documents;
mod indexes;
mod vectors;

use fastrand::Rng;

/// One reader.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Good inputs to start from.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// A bad input from a good one.
    pub(crate) change: fn(&[u8], &mut Rng) -> Vec<u8>,
    /// Reads an input and, where it is accepted, uses what was read. Says whether it was accepted.
    pub(crate) read: fn(&[u8]) -> bool,
}

pub(crate) const TARGETS: &[Target] = &[
    indexes::FACTORY,
    indexes::FAISS,
    indexes::FAISS_BINARY,
    indexes::CONTAINER,
    indexes::MAPPED,
    documents::PICKLE,
    documents::STORE,
    documents::FILTER,
    vectors::FVECS,
    vectors::FBIN,
    vectors::NPY,
];
