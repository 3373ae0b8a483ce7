//! Where to look: the vector indexes of anear.
//!
//! An index decides where to look, a quantizer of `anear-quant` how a vector is stored and compared: [`Flat`] compares
//! everything, [`Ivf`] the lists nearest to a query, [`Hnsw`] and [`Nsg`] walk a graph, each over any quantizer. [`IdMap`],
//! [`PreTransform`], [`Refine`] and [`Cosine`] hold other indexes; [`binary`] has indexes of bit vectors.
//!
//! An index is made from an [`IndexSpec`], a factory string as in Faiss, and used through [`VectorIndex`]:
//!
//! ```
//! use anear_index::{IndexSpec, SearchRequest, VectorIndex, VectorIndexExt};
//! use anear_kernels::{Metric, Rows};
//!
//! let spec: IndexSpec = "Flat".parse()?;
//! let mut index = spec.build(2, Metric::L2)?;
//! let vectors = [0.0, 0.0, 1.0, 0.0, 5.0, 5.0];
//! assert_eq!(index.add(Rows::new(&vectors, 2).unwrap())?, 0..3);
//!
//! let query = Rows::new(&[0.9, 0.0], 2).unwrap();
//! let found = index.search(query, &SearchRequest::new(2))?;
//! assert_eq!(found.row(0)[0].id, 1);
//! assert_eq!(found.row(0)[1].id, 0);
//! # Ok::<(), anear_index::Error>(())
//! ```
//!
//! # What holds for every index
//!
//! - A distance is smaller for what is closer, whatever the metric; [`faiss_value`] turns it into Faiss's value.
//! - The answer does not depend on the number of threads, on how queries are batched, or on the instruction set.
//! - Equal distances come in Faiss's order: by ascending position, for inner products by descending position.
//! - What goes in is checked once, at the door: dimension, NaN and infinities, `k`, knobs. A refused call changes
//!   nothing.
//! - Nothing here is asynchronous, or reads a clock or the environment; nothing but [`open`] and [`open_mapped`] opens a
//!   file.
//!
//! Indexes over bit vectors are a family of their own, in [`binary`].
//!
//! # Adding an index
//!
//! Write a module with a type that implements [`VectorIndex`]. Then
//!
//! - in `spec.rs`, give it a variant in [`IndexSpec`], its token in reading, printing and the list of what is known, an
//!   arm in [`IndexSpec::build`], and a line in [`IndexSpec::EXAMPLES`]: the conformance suite runs over that list;
//! - in `persist.rs`, name its sections in the list of all sections, and load it in the head's `load`.
#![forbid(unsafe_code)]

pub mod binary;
mod combine;
pub mod compat;
#[cfg(test)]
mod conformance;
mod error;
mod flat;
mod graph;
mod hnsw;
mod idle;
mod ids;
mod index;
mod ivf;
mod memory;
mod near;
mod neighbors;
mod nsg;
mod persist;
mod request;
mod spec;
mod tiles;

pub use anear_bytes::{Mapping, Verify};
pub use anear_quant::Training;
pub use combine::{Cosine, IdMap, PreTransform, Refine, Shards};
pub use error::{Error, Result};
pub use flat::Flat;
pub use graph::{Graph, GraphParts, NO_LINK};
pub use hnsw::Hnsw;
pub use index::{Add, AddWithIds, Merge, RangeSearch, Reconstruct, Remove, VectorIndex, VectorIndexExt};
pub use ivf::{Extent, Ivf, List, ListFile};
pub use memory::Memory;
pub use near::{Near, NearShape};
pub use neighbors::{Neighbors, NeighborsMut, faiss_value};
pub use nsg::Nsg;
pub use persist::{from_bytes, from_mapping, is_container, open, open_mapped, to_bytes};
pub use request::{Knob, KnobValues, Knobs, RangeRequest, SearchRequest};
pub use spec::{HnswSpec, IdMapKind, IndexSpec, IvfSpec, NsgSpec};

/// The longest vector an index takes, as in Faiss's reader.
pub const MAX_DIM: usize = 1 << 20;
