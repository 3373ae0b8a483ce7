//! From a Faiss file to an index.

use anear_bytes::Cursor;
use anear_kernels::Metric;

use super::{FLAT, FLAT_IP, FLAT_L2, ID_MAP, ID_MAP_2, LAST_WITHOUT_ARGUMENT, METRICS, flat_code, kinds};
use crate::{Error, Flat, IdMap, IdMapKind, MAX_DIM, Result, VectorIndex};

/// The index in a file that Faiss wrote, all of it.
///
/// Vectors with NaN or infinities are taken as they are: Faiss lets them in, and they are never found.
///
/// # Errors
/// [`Error::FaissKind`] for kinds that are not read, [`Error::Faiss`] and [`Error::Bytes`] for files that are cut, go
/// on after their end or contradict themselves, [`Error::RepeatedId`] for an id map that maps two vectors to one id.
pub fn read_index(file: &[u8]) -> Result<Box<dyn VectorIndex>> {
    let mut cursor = Cursor::new(file);
    let code = cursor.array("index code")?;
    let index: Box<dyn VectorIndex> = match code {
        ID_MAP => Box::new(id_map(IdMapKind::IdMap, &mut cursor)?),
        ID_MAP_2 => Box::new(id_map(IdMapKind::IdMap2, &mut cursor)?),
        _ => Box::new(flat(code, &mut cursor)?),
    };
    cursor.finish()?;
    Ok(index)
}

/// What every object of Faiss's begins with, after its code.
#[derive(PartialEq)]
struct Header {
    dim: usize,
    len: usize,
    metric: Metric,
}

impl Header {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let dim = dimension(cursor.i32("dimension")?)?;
        let len = cursor.i64("number of vectors")?;
        let len = usize::try_from(len).map_err(|_| unsound(format!("it says it has {len} vectors")))?;
        cursor.take(2 * size_of::<i64>(), "unused header fields")?;
        if !cursor.bool("is_trained")? {
            return Err(unsound("it says it is untrained, which its kind cannot be".into()));
        }
        let number = cursor.i32("metric")?;
        let metric = metric(number)?;
        if number > LAST_WITHOUT_ARGUMENT {
            cursor.u32("metric argument")?;
        }
        Ok(Self { dim, len, metric })
    }
}

fn flat(code: [u8; 4], cursor: &mut Cursor<'_>) -> Result<Flat> {
    if ![FLAT_L2, FLAT_IP, FLAT].contains(&code) {
        return Err(kinds::unreadable(code));
    }
    let Header { dim, len, metric } = Header::read(cursor)?;
    if code != FLAT && code != flat_code(metric) {
        let code = code.escape_ascii();
        return Err(unsound(format!("`{code}` contradicts its metric, {metric}")));
    }
    let codes = cursor.counted_items(size_of::<f32>(), "vectors")?;
    if Some(codes.len()) != len.checked_mul(dim * size_of::<f32>()) {
        let floats = codes.len() / size_of::<f32>();
        return Err(unsound(format!(
            "{len} vectors of dimension {dim} do not make {floats} components"
        )));
    }
    Flat::from_codes(dim, metric, len, codes)
}

fn id_map(kind: IdMapKind, cursor: &mut Cursor<'_>) -> Result<IdMap> {
    let outer = Header::read(cursor)?;
    let code = cursor.array("code of the index within")?;
    // Faiss lets maps nest fifty deep; nobody makes such files, and each level is a call deeper.
    if [ID_MAP, ID_MAP_2].contains(&code) {
        return Err(unsound("an id map within an id map is not read".into()));
    }
    let inner = flat(code, cursor)?;
    let within = Header {
        dim: inner.dim(),
        len: inner.len(),
        metric: inner.metric(),
    };
    if outer != within {
        return Err(unsound(
            "the id map and the index within differ in dimension, metric or length".into(),
        ));
    }
    let (ids, _) = cursor.counted_items(size_of::<i64>(), "ids")?.as_chunks();
    if ids.len() != outer.len {
        return Err(unsound(format!("{} vectors have {} ids", outer.len, ids.len())));
    }
    let ids = ids
        .iter()
        .map(|id| label(i64::from_le_bytes(*id)))
        .collect::<Result<_>>()?;
    IdMap::with_ids(kind, Box::new(inner), ids)
}

fn dimension(value: i32) -> Result<usize> {
    let dim = usize::try_from(value).ok().filter(|dim| (1..=MAX_DIM).contains(dim));
    dim.ok_or_else(|| unsound(format!("its dimension is {value}, expected 1 to {MAX_DIM}")))
}

fn metric(number: i32) -> Result<Metric> {
    let known = METRICS.iter().find(|(known, _)| *known == number);
    known.map(|(_, metric)| *metric).ok_or_else(|| {
        let readable: Vec<_> = METRICS.iter().map(|(n, metric)| format!("{n} ({metric})")).collect();
        unsound(format!(
            "its metric is number {number}; anear reads {}",
            readable.join(", ")
        ))
    })
}

fn label(id: i64) -> Result<u64> {
    u64::try_from(id).map_err(|_| unsound(format!("it has the id {id}; ids must not be negative")))
}

fn unsound(reason: String) -> Error {
    Error::Faiss(reason)
}
