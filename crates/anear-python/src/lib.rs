//! The extension module `anear._native`: the Rust half of the Python package.
//!
//! Everything here is private to the package; the public names are in `python/anear`. How Python's threads and event
//! loops meet Rust's futures is in `runtime.rs`, how answers reach an event loop in `mailbox.rs`.
#![forbid(unsafe_code)]

mod arrays;
mod batch;
mod embeddings;
mod engine;
mod error;
mod filters;
mod index;
mod mailbox;
mod runtime;
mod store;
mod text;
mod values;
mod view;

use pyo3::prelude::*;

/// The Rust half of the package `anear`.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::embeddings::{Embeddings, default_embeddings, huggingface_embeddings, openai_embeddings};
    #[pymodule_export]
    use crate::engine::binary::NativeBinaryIndex;
    #[pymodule_export]
    use crate::engine::clustering::{balanced_kmeans, hierarchical_kmeans, kmeans, minibatch_kmeans};
    #[pymodule_export]
    use crate::engine::functions::{
        check_binary_spec, check_spec, instruction_set, normalize_rows, pairwise, pairwise_hamming,
    };
    #[pymodule_export]
    use crate::engine::index::NativeIndex;
    #[pymodule_export]
    use crate::engine::parts::Parts;
    #[pymodule_export]
    use crate::engine::selector::Selector;
    #[pymodule_export]
    use crate::engine::threads::{set_threads, threads};
    #[pymodule_export]
    use crate::engine::transform::NativeTransform;
    #[pymodule_export]
    use crate::error::InternalError;
    #[pymodule_export]
    use crate::store::Store;
    #[pymodule_export]
    use crate::text::{Splitter, TextLoader};
    #[pymodule_export]
    use crate::view::{View, maximal_marginal_relevance};

    /// Ties the threads of this module to the life of the interpreter.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::runtime::register_hooks(module.py())
    }
}
