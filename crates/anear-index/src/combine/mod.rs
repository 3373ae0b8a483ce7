//! Indexes that hold indexes.

pub(crate) mod cosine;
pub(crate) mod id_map;
pub(crate) mod pre_transform;
pub(crate) mod refine;
pub(crate) mod shards;

pub use cosine::Cosine;
pub use id_map::IdMap;
pub use pre_transform::PreTransform;
pub use refine::Refine;
pub use shards::Shards;
