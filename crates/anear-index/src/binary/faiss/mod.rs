//! Faiss's files of binary indexes, both ways: what `faiss.write_index_binary` writes and `faiss.read_index_binary` reads.
//!
//! | code | Faiss's class | here |
//! |---|---|---|
//! | `IBxF` | `IndexBinaryFlat` | [`BinaryFlat`](super::BinaryFlat) |
//! | `IBwF` | `IndexBinaryIVF` | [`BinaryIvf`](super::BinaryIvf) |
//! | `IBHf` | `IndexBinaryHNSW` | [`BinaryHnsw`](super::BinaryHnsw) |
//! | `IBHh` | `IndexBinaryHash` | [`BinaryHash`](super::BinaryHash) |
//! | `IBHm` | `IndexBinaryMultiHash` | [`BinaryMultiHash`](super::BinaryMultiHash) |
//! | `IBMp`, `IBM2` | `IndexBinaryIDMap`, `IndexBinaryIDMap2` | [`BinaryIdMap`](super::BinaryIdMap) |
//!
//! Nothing in a file is believed before it was checked against the bytes that are there.
//!
//! ```
//! use anear_index::binary::{BinaryFlat, BinaryIndex, read_binary_index, write_binary_index};
//! use anear_kernels::Bits;
//!
//! let mut index = BinaryFlat::new(16)?;
//! index.add(Bits::new(&[1, 2, 3, 4], 2).unwrap())?;
//! let file = write_binary_index(&index)?;
//! assert!(file.starts_with(b"IBxF"));
//! assert_eq!(read_binary_index(&file)?.reconstruct(1)?, [3, 4]);
//! # Ok::<(), anear_index::Error>(())
//! ```

mod bit_string;
mod read;
mod write;

pub use read::{read_binary_index, read_first_binary_index};
pub use write::write_binary_index;

const FLAT: [u8; 4] = *b"IBxF";
const IVF: [u8; 4] = *b"IBwF";
const HNSW: [u8; 4] = *b"IBHf";
const HASH: [u8; 4] = *b"IBHh";
const MULTI_HASH: [u8; 4] = *b"IBHm";
const ID_MAP: [u8; 4] = *b"IBMp";
const ID_MAP_2: [u8; 4] = *b"IBM2";

/// Inverted lists in the file itself; the sizes of all, or only of those that are not empty.
const LISTS: [u8; 4] = *b"ilar";
const LISTS_FULL: [u8; 4] = *b"full";
const LISTS_SPARSE: [u8; 4] = *b"sprs";

/// Faiss's number of the metric that it gives binary indexes, squared L2; it means nothing there.
const METRIC: i32 = 1;
