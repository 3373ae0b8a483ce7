//! fbin, u8bin, i8bin and ibin, the files of the big-ann benchmarks: number and dimension, then all vectors.

use std::path::Path;

use super::fixed::{Element, FixedFile, Opened};
use crate::Result;

/// The vectors of a file whose components are stored as `element`.
pub(super) fn open(path: &Path, element: Element) -> Result<FixedFile> {
    let mut file = Opened::new(path)?;
    let len = u32::from_le_bytes(file.header()?);
    let dim = u32::from_le_bytes(file.header()?);
    file.vectors(len.into(), dim.into(), element)
}
