//! Faiss's index files, both ways: what `faiss.write_index` writes and `faiss.read_index` reads.
//!
//! An object is a four-character code, a header and a body; an id map holds another object. Nothing in a file is
//! believed before it was checked against the bytes that are there.
//!
//! | code | Faiss's class | here |
//! |---|---|---|
//! | `IxF2` | `IndexFlatL2` | [`Flat`](crate::Flat) by squared L2 |
//! | `IxFI` | `IndexFlatIP` | [`Flat`](crate::Flat) by inner product; a cosine index is written as this |
//! | `IxFl` | `IndexFlat` | [`Flat`](crate::Flat) by another metric |
//! | `IxMp`, `IxM2` | `IndexIDMap`, `IndexIDMap2` | [`IdMap`](crate::IdMap) |
//!
//! Faiss has no cosine metric: an index of unit vectors comes back by inner product, and whoever knows better says so
//! with [`Flat::into_cosine`](crate::Flat::into_cosine).
//!
//! ```
//! use anear_index::compat::faiss::{read_index, write_index};
//! use anear_index::{Flat, VectorIndex, VectorIndexExt};
//! use anear_kernels::{Metric, Rows};
//!
//! let mut index = Flat::new(2, Metric::L2)?;
//! index.add(Rows::new(&[1.0, 2.0], 2).unwrap())?;
//! let file = write_index(&index)?;
//! assert!(file.starts_with(b"IxF2"));
//! assert_eq!(read_index(&file)?.len(), 1);
//! # Ok::<(), anear_index::Error>(())
//! ```

mod kinds;
mod read;
mod write;

pub use read::read_index;
pub use write::write_index;

use anear_kernels::Metric;

const FLAT_L2: [u8; 4] = *b"IxF2";
const FLAT_IP: [u8; 4] = *b"IxFI";
const FLAT: [u8; 4] = *b"IxFl";
const ID_MAP: [u8; 4] = *b"IxMp";
const ID_MAP_2: [u8; 4] = *b"IxM2";

/// Stands twice in every header, where versions long past had fields.
const DUMMY: i64 = 1 << 20;

/// Faiss's numbers of the metrics that both sides have. Cosine is not one of Faiss's.
const METRICS: &[(i32, Metric)] = &[
    (0, Metric::InnerProduct),
    (1, Metric::L2),
    (2, Metric::L1),
    (3, Metric::Linf),
];

/// Metrics above this number carry an argument in the header.
const LAST_WITHOUT_ARGUMENT: i32 = 1;

/// The code of a flat index by this metric.
fn flat_code(metric: Metric) -> [u8; 4] {
    match metric {
        Metric::L2 => FLAT_L2,
        Metric::InnerProduct => FLAT_IP,
        _ => FLAT,
    }
}
