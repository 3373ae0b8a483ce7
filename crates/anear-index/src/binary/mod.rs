//! Indexes on bit vectors, compared by the number of bits that differ (Faiss: `IndexBinary`).
//!
//! A vector of `dim` bits is `dim / 8` bytes; many of them are [`Bits`](anear_kernels::Bits). An index is made from a
//! [`BinarySpec`], a factory string as in Faiss, and used through [`BinaryIndex`]:
//!
//! ```
//! use anear_index::SearchRequest;
//! use anear_index::binary::{BinaryIndex, BinarySpec};
//! use anear_kernels::Bits;
//!
//! let spec: BinarySpec = "BFlat".parse()?;
//! let mut index = spec.build(16)?;
//! let vectors = [0b0000_0000, 0, 0b0000_0111, 0, 0b0000_0001, 0];
//! assert_eq!(index.add(Bits::new(&vectors, 2).unwrap())?, 0..3);
//!
//! let query = Bits::new(&[0b0000_0011, 0], 2).unwrap();
//! let found = index.search(query, &SearchRequest::new(2))?;
//! let found: Vec<_> = found.row(0).iter().map(|n| (n.id, n.distance)).collect();
//! assert_eq!(found, [(1, 1.0), (2, 1.0)]);
//! # Ok::<(), anear_index::Error>(())
//! ```
//!
//! # What holds for every index
//!
//! - A distance is a whole number; [`Neighbor`](anear_kernels::Neighbor) holds it exactly. Equal distances come by
//!   ascending id, from an id map in the order in which they were added.
//! - Selectors restrict every search of every index: fewer than `k` neighbors come only where fewer were looked at.
//! - The answer does not depend on the number of threads, on how queries are batched, or on the instruction set.
//! - A refused call changes nothing.
//!
//! | factory string | here | exact | ids |
//! |---|---|---|---|
//! | `BFlat` | [`BinaryFlat`] | yes | positions |
//! | `BIVF256`, `BIVF256_HNSW32` | [`BinaryIvf`] | with every list probed | the caller's or consecutive |
//! | `BHNSW32` | [`BinaryHnsw`] | no; by radius, yes | positions |
//! | `BHash16` | [`BinaryHash`] | with every bit flipped | the caller's or consecutive |
//! | `BHash4x16` | [`BinaryMultiHash`] | with every bit flipped | positions |
//! | `IDMap,BFlat`, `IDMap2,BHNSW32` | [`BinaryIdMap`] | as the index within | the caller's |

mod buckets;
mod centroids;
#[cfg(test)]
mod conformance;
mod faiss;
mod flat;
mod graph;
mod hash;
mod hnsw;
mod id_map;
mod index;
mod ivf;
mod lists;
mod multi_hash;
mod persist;
mod spec;

pub use faiss::{read_binary_index, read_first_binary_index, write_binary_index};
pub use flat::BinaryFlat;
pub use hash::BinaryHash;
pub use hnsw::BinaryHnsw;
pub use id_map::BinaryIdMap;
pub use index::BinaryIndex;
pub use ivf::BinaryIvf;
pub use multi_hash::BinaryMultiHash;
pub use persist::{from_bytes, to_bytes};
pub use spec::BinarySpec;
