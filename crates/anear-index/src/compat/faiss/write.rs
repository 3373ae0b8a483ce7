//! From an index to a Faiss file, byte for byte as Faiss writes it.

use std::any::Any;

use anear_kernels::Metric;

use super::{DUMMY, ID_MAP, ID_MAP_2, LAST_WITHOUT_ARGUMENT, METRICS, flat_code};
use crate::{Error, Flat, IdMap, IdMapKind, IndexSpec, Result, VectorIndex};

/// The file that Faiss would write for this index.
///
/// A cosine index is written as what Faiss users make of cosine: unit vectors, by inner product.
///
/// # Errors
/// [`Error::Unsupported`] for indexes of types that Faiss does not have.
pub fn write_index(index: &dyn VectorIndex) -> Result<Vec<u8>> {
    let vectors = index.len() * index.dim() * size_of::<f32>();
    let mut out = Vec::with_capacity(vectors + index.len() * size_of::<i64>() + 128);
    write_object(index, &mut out)?;
    Ok(out)
}

fn write_object(index: &dyn VectorIndex, out: &mut Vec<u8>) -> Result<()> {
    let any: &dyn Any = index;
    if let Some(flat) = any.downcast_ref::<Flat>() {
        write_flat(flat, out)
    } else if let Some(map) = any.downcast_ref::<IdMap>() {
        write_id_map(map, out)
    } else {
        Err(unsupported(index))
    }
}

fn write_flat(index: &Flat, out: &mut Vec<u8>) -> Result<()> {
    out.extend(flat_code(as_faiss(index.metric())));
    write_header(index, out)?;
    let components = index.rows();
    let components = components.as_slice();
    out.extend((components.len() as u64).to_le_bytes());
    out.extend_from_slice(bytemuck::cast_slice(components));
    Ok(())
}

fn write_id_map(index: &IdMap, out: &mut Vec<u8>) -> Result<()> {
    out.extend(match index.spec() {
        IndexSpec::IdMap(IdMapKind::IdMap2, _) => ID_MAP_2,
        _ => ID_MAP,
    });
    write_header(index, out)?;
    write_object(index.inner(), out)?;
    out.extend((index.ids().len() as u64).to_le_bytes());
    out.extend(index.ids().iter().flat_map(|id| id.to_le_bytes()));
    Ok(())
}

fn write_header(index: &dyn VectorIndex, out: &mut Vec<u8>) -> Result<()> {
    let metric = as_faiss(index.metric());
    let number = METRICS
        .iter()
        .find(|(_, known)| *known == metric)
        .map(|(number, _)| *number);
    let number = number.ok_or_else(|| unsupported(index))?;
    out.extend((index.dim() as i32).to_le_bytes());
    out.extend((index.len() as i64).to_le_bytes());
    out.extend(DUMMY.to_le_bytes());
    out.extend(DUMMY.to_le_bytes());
    out.push(true.into());
    out.extend(number.to_le_bytes());
    if number > LAST_WITHOUT_ARGUMENT {
        out.extend(0f32.to_le_bytes());
    }
    Ok(())
}

/// The metric under which Faiss keeps vectors of ours.
fn as_faiss(metric: Metric) -> Metric {
    match metric {
        Metric::Cosine => Metric::InnerProduct,
        other => other,
    }
}

fn unsupported(index: &dyn VectorIndex) -> Error {
    Error::Unsupported {
        index: index.kind(),
        operation: "Faiss files; save it in anear's own format",
    }
}
