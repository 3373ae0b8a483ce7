//! Faiss's index files, both ways: what `faiss.write_index` writes and `faiss.read_index` reads.
//!
//! An object is a four-character code, a header and a body, and may hold further objects. Nothing in a file is believed
//! before it was checked against the bytes that are there. Each kind of object has one file here, which both reads and
//! writes it.
//!
//! | code | Faiss's class | here |
//! |---|---|---|
//! | `IxF2`, `IxFI`, `IxFl` | `IndexFlatL2`, `IndexFlatIP`, `IndexFlat` | [`Flat`] over raw vectors |
//! | `IxSQ` | `IndexScalarQuantizer` | [`Flat`] over [`Scalar`](anear_quant::Scalar) |
//! | `IxHe` | `IndexLSH` | [`Flat`] over [`Lsh`](anear_quant::Lsh) |
//! | `IxPq`, `IPfs` | `IndexPQ`, `IndexPQFastScan` | [`Flat`] over [`Product`], [`FastScan`](anear_quant::FastScan) |
//! | `IwPQ`, `IwPf` | `IndexIVFPQ`, `IndexIVFPQFastScan` | [`Ivf`] over the same |
//! | `IxRq`, `IwRQ` | `IndexResidualQuantizer`, `IndexIVFResidualQuantizer` | [`Flat`], [`Ivf`] over [`Residual`](anear_quant::Residual) |
//! | `Ixrq`, `Ixrr` | `IndexRaBitQ` | [`Flat`] over [`RaBitQ`](anear_quant::RaBitQ) |
//! | `Iwrq`, `Iwrr` | `IndexIVFRaBitQ` | [`Ivf`] over the same |
//! | `Irfn`, `Iwrn` | `IndexRaBitQFastScan`, `IndexIVFRaBitQFastScan` | [`Flat`], [`Ivf`] over [`RaBitQFastScan`](anear_quant::RaBitQFastScan) |
//! | `IwFl` | `IndexIVFFlat` | [`Ivf`] over raw vectors |
//! | `IwSq`, `IwSQ` | `IndexIVFScalarQuantizer` | [`Ivf`] over [`Scalar`](anear_quant::Scalar) |
//! | `IHNf`, `IHNs`, `IHNp`, `IH00` | `IndexHNSWFlat`, `IndexHNSWSQ`, `IndexHNSWPQ`, `IndexHNSW` | [`Hnsw`] |
//! | `INSf`, `INSs`, `INSp` | `IndexNSGFlat`, `IndexNSGSQ`, `IndexNSGPQ` | [`Nsg`] |
//! | `IxMp`, `IxM2` | `IndexIDMap`, `IndexIDMap2` | [`IdMap`] |
//! | `IxPT` | `IndexPreTransform` | [`PreTransform`] |
//! | `IxRF` | `IndexRefine`, `IndexRefineFlat` | [`Refine`] |
//!
//! Faiss has no cosine metric: an index of unit vectors is written and comes back by inner product, and whoever knows
//! better says so with [`Cosine::restored`](crate::Cosine::restored).
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

mod blocks;
mod combine;
mod flat;
mod header;
mod hnsw;
mod ivf;
mod kinds;
mod nsg;
mod on_disk;
mod quantizers;
mod sink;
mod source;
mod transforms;

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use anear_quant::Product;
use anear_quant::transform::Transform;

use self::sink::Sink;
use self::source::Source;
use crate::{Cosine, Error, Flat, Hnsw, IdMap, Ivf, Mapping, Nsg, PreTransform, Refine, Result, VectorIndex};

/// The index in a file that Faiss wrote, all of it.
///
/// Vectors with NaN or infinities are taken as they are: Faiss lets them in, and they are never found.
///
/// # Errors
/// [`Error::FaissKind`] for kinds that are not read, [`Error::Faiss`] and [`Error::Bytes`] for files that are cut, go
/// on after their end or contradict themselves, [`Error::RepeatedId`] where two vectors have one id.
pub fn read_index(file: &[u8]) -> Result<Box<dyn VectorIndex>> {
    read(Source::new(file, None))
}

/// As [`read_index`], but codes stay in the file, where they are in memory only as far as searches look at them (Faiss:
/// `IO_FLAG_MMAP`, `IO_FLAG_MMAP_IFC`).
///
/// The index can be changed all the same; see [`open_mapped`](crate::open_mapped). Faiss aligns nothing: vectors of flat
/// indexes and graphs that are kept as they are and do not lie at a multiple of four are copied into memory, those of
/// inverted lists block by block while they are compared: such a search takes about half as long again.
///
/// # Errors
/// Those of [`read_index`].
pub fn read_index_mapped(file: &Mapping) -> Result<Box<dyn VectorIndex>> {
    read(Source::new(file.as_slice(), Some(file)))
}

/// As [`read_index`], of a file whose inverted lists may be in another one (Faiss: `OnDiskInvertedLists`).
///
/// Only the last part of the name that the file gives is believed: the lists are looked for under it in `folder`, as Faiss
/// does by `IO_FLAG_ONDISK_SAME_DIR`, and a link there is refused. Codes stay in their file, see
/// [`Ivf::map_lists`]. With a mapping of `file` its own codes do, too, see [`read_index_mapped`].
///
/// # Errors
/// Those of [`read_index`], and [`Error::Damaged`] for lists that are not within their file.
pub fn read_index_in(folder: &Path, file: &[u8], mapping: Option<&Mapping>) -> Result<Box<dyn VectorIndex>> {
    read(Source::new(file, mapping).beside(folder))
}

fn read(mut source: Source<'_>) -> Result<Box<dyn VectorIndex>> {
    let index = read_object(&mut source)?;
    source.finish()?;
    Ok(index)
}

/// The index that a file begins with, and how many bytes of the file it is: other objects may follow.
///
/// # Errors
/// As [`read_index`], but for what comes after the index.
pub fn read_first_index(file: &[u8]) -> Result<(Box<dyn VectorIndex>, usize)> {
    read_first(file, read_object)
}

/// The transform that a file begins with (Faiss: `read_VectorTransform`), and how many bytes of the file it is.
///
/// # Errors
/// [`Error::Faiss`] and [`Error::Bytes`] for other files, and for those that are cut or contradict themselves.
pub fn read_first_transform(file: &[u8]) -> Result<(Arc<dyn Transform>, usize)> {
    read_first(file, transforms::read)
}

/// The product quantizer that a file begins with (Faiss: `read_ProductQuantizer`), and how many bytes of the file it is.
///
/// # Errors
/// [`Error::Faiss`], [`Error::Bytes`] and [`Error::Quantizer`] for files that are cut or contradict themselves.
pub fn read_first_product(file: &[u8]) -> Result<(Product, usize)> {
    read_first(file, quantizers::read_lone_product)
}

fn read_first<T>(file: &[u8], read: impl FnOnce(&mut Source<'_>) -> Result<T>) -> Result<(T, usize)> {
    let mut source = Source::new(file, None);
    let object = read(&mut source)?;
    Ok((object, source.offset()))
}

/// The file that Faiss would write for a transform alone (`write_VectorTransform`).
///
/// # Errors
/// [`Error::Unsupported`] for those that Faiss does not have.
pub fn write_transform(transform: &dyn Transform) -> Result<Vec<u8>> {
    let mut sink = Sink::default();
    transforms::write(transform, &mut sink)?;
    Ok(sink.into_bytes())
}

/// The file that Faiss would write for a product quantizer alone (`write_ProductQuantizer`).
pub fn write_product(quantizer: &Product) -> Vec<u8> {
    let mut sink = Sink::default();
    quantizers::write_product(quantizer, &mut sink);
    sink.into_bytes()
}

/// The file that Faiss would write for this index.
///
/// A cosine index is written as what Faiss users make of cosine: unit vectors, by inner product.
///
/// # Errors
/// [`Error::Unsupported`] for indexes of types that Faiss does not have.
pub fn write_index(index: &dyn VectorIndex) -> Result<Vec<u8>> {
    let mut sink = Sink::default();
    write_object(index, &mut sink)?;
    Ok(sink.into_bytes())
}

/// As [`write_index`], but lists that are in a file of their own stay there, as long as none was changed: what is written
/// names that file.
///
/// # Errors
/// Those of [`write_index`].
pub fn write_index_beside_lists(index: &dyn VectorIndex) -> Result<Vec<u8>> {
    let mut sink = Sink::beside_lists();
    write_object(index, &mut sink)?;
    Ok(sink.into_bytes())
}

/// The class in Faiss's Python package of the index in a file, by the code that it begins with.
pub fn class_name(file: &[u8]) -> Option<&'static str> {
    Some(match file.first_chunk()? {
        b"IxF2" => "IndexFlatL2",
        b"IxFI" => "IndexFlatIP",
        b"IxFl" => "IndexFlat",
        b"IxSQ" => "IndexScalarQuantizer",
        b"IxHe" => "IndexLSH",
        b"IxPq" => "IndexPQ",
        b"IPfs" => "IndexPQFastScan",
        b"Ixrq" | b"Ixrr" => "IndexRaBitQ",
        b"IwFl" => "IndexIVFFlat",
        b"IwSq" | b"IwSQ" => "IndexIVFScalarQuantizer",
        b"IwPQ" => "IndexIVFPQ",
        b"IwPf" => "IndexIVFPQFastScan",
        b"Iwrq" | b"Iwrr" => "IndexIVFRaBitQ",
        b"IxRq" => "IndexResidualQuantizer",
        b"IwRQ" => "IndexIVFResidualQuantizer",
        b"Irfn" => "IndexRaBitQFastScan",
        b"Iwrn" => "IndexIVFRaBitQFastScan",
        b"IHNf" => "IndexHNSWFlat",
        b"IHNs" => "IndexHNSWSQ",
        b"IHNp" => "IndexHNSWPQ",
        b"INSf" => "IndexNSGFlat",
        b"INSs" => "IndexNSGSQ",
        b"INSp" => "IndexNSGPQ",
        b"IxPT" => "IndexPreTransform",
        b"IxRF" => "IndexRefine",
        b"IxMp" => "IndexIDMap",
        b"IxM2" => "IndexIDMap2",
        _ => return None,
    })
}

/// One object of any kind, which may be within another.
fn read_object(source: &mut Source<'_>) -> Result<Box<dyn VectorIndex>> {
    let code = source.code()?;
    source.within(|source| -> Result<Box<dyn VectorIndex>> {
        Ok(match &code {
            b"IxF2" | b"IxFI" | b"IxFl" => Box::new(flat::read_raw(code, source)?) as _,
            b"IxSQ" => Box::new(flat::read_scalar(source)?),
            b"IxHe" => Box::new(flat::read_lsh(source)?),
            b"IxPq" => Box::new(flat::read_product(source)?),
            b"IPfs" => Box::new(flat::read_fast_scan(source)?),
            b"IwPQ" => Box::new(ivf::read_product(source)?),
            b"IwPf" => Box::new(ivf::read_fast_scan(source)?),
            b"IxRq" => Box::new(flat::read_residual(source)?),
            b"IwRQ" => Box::new(ivf::read_residual(source)?),
            b"Ixrq" | b"Ixrr" => Box::new(flat::read_rabitq(code, source)?),
            b"Iwrq" | b"Iwrr" => Box::new(ivf::read_rabitq(code, source)?),
            b"Irfn" => Box::new(flat::read_rabitq_fast_scan(source)?),
            b"Iwrn" => Box::new(ivf::read_rabitq_fast_scan(source)?),
            b"IwFl" => Box::new(ivf::read_raw(source)?),
            b"IwSq" | b"IwSQ" => Box::new(ivf::read_scalar(code, source)?),
            b"IHNf" | b"IHNs" | b"IHNp" | b"IH00" => Box::new(hnsw::read(source)?),
            b"INSf" | b"INSs" | b"INSp" => Box::new(nsg::read(source)?),
            b"IxMp" | b"IxM2" => Box::new(combine::read_id_map(code, source)?),
            b"IxPT" => Box::new(combine::read_pre_transform(source)?),
            b"IxRF" => Box::new(combine::read_refine(source)?),
            _ => return Err(kinds::unreadable(code)),
        })
    })
}

fn write_object(index: &dyn VectorIndex, sink: &mut Sink) -> Result<()> {
    let any: &dyn Any = index;
    if let Some(flat) = any.downcast_ref::<Flat>() {
        flat::write(flat, sink)
    } else if let Some(ivf) = any.downcast_ref::<Ivf>() {
        ivf::write(ivf, sink)
    } else if let Some(hnsw) = any.downcast_ref::<Hnsw>() {
        hnsw::write(hnsw, sink)
    } else if let Some(nsg) = any.downcast_ref::<Nsg>() {
        nsg::write(nsg, sink)
    } else if let Some(map) = any.downcast_ref::<IdMap>() {
        combine::write_id_map(map, sink)
    } else if let Some(transformed) = any.downcast_ref::<PreTransform>() {
        combine::write_pre_transform(transformed, sink)
    } else if let Some(refine) = any.downcast_ref::<Refine>() {
        combine::write_refine(refine, sink)
    } else if let Some(cosine) = any.downcast_ref::<Cosine>() {
        write_object(cosine.inner(), sink)
    } else {
        Err(unsupported(index))
    }
}

/// The error for what Faiss has no form for.
fn unsupported(index: &dyn VectorIndex) -> Error {
    Error::Unsupported {
        index: index.kind(),
        operation: "Faiss files; save it in anear's own format",
    }
}

/// The error for an index whose ids have gaps, where Faiss knows positions only.
fn gaps(index: &dyn VectorIndex) -> Error {
    Error::Unsupported {
        index: index.kind(),
        operation: "Faiss files after vectors were removed, for its ids have gaps then; put `IDMap,` before it, or save it in \
                    anear's own format",
    }
}

/// The error for a file that contradicts itself.
fn unsound(reason: impl Into<String>) -> Error {
    Error::Faiss(reason.into())
}
