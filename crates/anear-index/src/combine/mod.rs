//! Indexes that hold indexes.

pub(crate) mod cosine;
pub(crate) mod id_map;
pub(crate) mod refine;

pub use cosine::Cosine;
pub use id_map::IdMap;
pub use refine::Refine;
