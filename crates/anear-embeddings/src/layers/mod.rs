//! Wrappers: each takes a model and is a model.

mod cached;
mod rate_limited;

pub use cached::CachedEmbeddings;
pub use rate_limited::RateLimitedEmbeddings;
