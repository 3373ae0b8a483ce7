//! Data sets as they are published, read block by block, and one that is made up.
//!
//! | extension | from | what is read |
//! |---|---|---|
//! | `fvecs`, `bvecs`, `ivecs` | SIFT1M, GIST1M, Deep1B | f32, u8 and i32 |
//! | `fbin`, `u8bin`, `i8bin`, `ibin` | big-ann benchmarks | f32, u8, i8 and i32 |
//! | `npy` | NumPy | matrices in C order |
//! | `hdf5`, `h5` | ann-benchmarks (feature `hdf5`) | `train`, or the one named behind `#` |
//! | `parquet` | Hugging Face, VectorDBBench (feature `parquet`) | the first column of lists of floats, or the one named behind `#` |
//!
//! A header is believed only where the size of the file agrees, so a damaged one costs no memory; errors name the file
//! and the byte.

mod bin;
mod fixed;
#[cfg(feature = "hdf5")]
mod hdf5;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod synthetic;
mod vecs;
mod write;

use std::path::{Path, PathBuf};

use anear_index::Neighbors;
use anear_kernels::{Metric, Neighbor};

use self::fixed::{Element, FixedFile};
use self::write::extension;
use crate::{Blocks, Error, Result, Vectors};

pub use synthetic::{Synthetic, SyntheticBlocks};
pub use write::{save, save_neighbors};

/// Every extension that is read.
const KNOWN: &str = "fvecs, bvecs, ivecs, fbin, u8bin, i8bin, ibin, npy, hdf5, h5, parquet";

/// A data set of ann-benchmarks.
pub struct AnnBenchmarks {
    /// The vectors to search.
    pub base: Box<dyn Blocks>,
    /// The queries.
    pub queries: Vectors,
    /// The true neighbors of the queries, with the distances that the file gives them: Euclidean ones not squared.
    pub truth: Neighbors,
    /// How they were compared; `None` where the file names no metric of ours.
    pub metric: Option<Metric>,
}

impl std::fmt::Debug for AnnBenchmarks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (base, queries, metric) = (self.base.len(), self.queries.rows(), self.metric);
        write!(f, "AnnBenchmarks({base} vectors, queries {queries:?}, {metric:?})")
    }
}

/// Opens the vectors of a file; its extension tells the format, and `file.hdf5#test` which of several is meant.
///
/// # Errors
/// [`Error::Extension`], [`Error::Feature`], [`Error::Read`], [`Error::Format`] and [`Error::Content`].
pub fn open(path: &Path) -> Result<Box<dyn Blocks>> {
    let (path, name) = split(path);
    Ok(match extension(&path).as_str() {
        "hdf5" | "h5" => open_hdf5(&path, name.as_deref())?,
        "parquet" => open_parquet(&path, name.as_deref())?,
        _ => Box::new(fixed(&path)?),
    })
}

/// The true neighbors that a file of ids (ivecs, ibin, npy) or of ann-benchmarks (hdf5) holds.
///
/// A negative id ends its row. Distances are those of the file, or NaN where it has none.
///
/// # Errors
/// Those of [`open`], and [`Error::Format`] for a file of fractions.
pub fn neighbors(path: &Path) -> Result<Neighbors> {
    let (path, name) = split(path);
    if matches!(extension(&path).as_str(), "hdf5" | "h5") {
        return neighbors_hdf5(&path, name.as_deref());
    }
    let mut file = fixed(&path)?;
    let (mut ids, mut truth) = (Vec::new(), Neighbors::default());
    while file.next_ids(1, &mut ids)? > 0 {
        let known = ids.drain(..).map_while(|id| u64::try_from(id).ok());
        let distance = f32::NAN;
        truth.push_row(&known.map(|id| Neighbor { id, distance }).collect::<Vec<_>>());
    }
    Ok(truth)
}

/// Opens a data set of ann-benchmarks, whose queries and true neighbors are read at once.
///
/// # Errors
/// Those of [`open`].
pub fn ann_benchmarks(path: &Path) -> Result<AnnBenchmarks> {
    #[cfg(feature = "hdf5")]
    return hdf5::ann_benchmarks(path);
    #[cfg(not(feature = "hdf5"))]
    Err(missing(path, "hdf5"))
}

fn fixed(path: &Path) -> Result<FixedFile> {
    match extension(path).as_str() {
        "fvecs" => vecs::open(path, Element::F32),
        "ivecs" => vecs::open(path, Element::I32),
        "bvecs" => vecs::open(path, Element::U8),
        "fbin" => bin::open(path, Element::F32),
        "u8bin" => bin::open(path, Element::U8),
        "i8bin" => bin::open(path, Element::I8),
        "ibin" => bin::open(path, Element::I32),
        "npy" => npy::open(path),
        _ => Err(Error::Extension {
            path: path.to_owned(),
            known: KNOWN,
        }),
    }
}

/// The file, and which of its parts is meant. A file that really has `#` in its name is that file.
fn split(path: &Path) -> (PathBuf, Option<String>) {
    let text = path.to_string_lossy();
    match text.rsplit_once('#') {
        Some((file, name)) if !path.exists() => (file.into(), Some(name.to_owned())),
        _ => (path.to_owned(), None),
    }
}

#[cfg(feature = "hdf5")]
fn open_hdf5(path: &Path, name: Option<&str>) -> Result<Box<dyn Blocks>> {
    Ok(Box::new(hdf5::open(path, name)?))
}

#[cfg(not(feature = "hdf5"))]
fn open_hdf5(path: &Path, _: Option<&str>) -> Result<Box<dyn Blocks>> {
    Err(missing(path, "hdf5"))
}

#[cfg(feature = "hdf5")]
fn neighbors_hdf5(path: &Path, name: Option<&str>) -> Result<Neighbors> {
    hdf5::neighbors(path, name)
}

#[cfg(not(feature = "hdf5"))]
fn neighbors_hdf5(path: &Path, _: Option<&str>) -> Result<Neighbors> {
    Err(missing(path, "hdf5"))
}

#[cfg(feature = "parquet")]
fn open_parquet(path: &Path, name: Option<&str>) -> Result<Box<dyn Blocks>> {
    Ok(Box::new(parquet::open(path, name)?))
}

#[cfg(not(feature = "parquet"))]
fn open_parquet(path: &Path, _: Option<&str>) -> Result<Box<dyn Blocks>> {
    Err(missing(path, "parquet"))
}

#[cfg(not(all(feature = "hdf5", feature = "parquet")))]
fn missing(path: &Path, feature: &'static str) -> Error {
    Error::Feature {
        path: path.to_owned(),
        feature,
    }
}
