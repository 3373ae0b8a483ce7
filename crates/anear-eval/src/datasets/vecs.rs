//! fvecs, ivecs and bvecs, the files of the SIFT and GIST sets: before each vector stands its dimension.

use std::path::Path;

use super::fixed::{Element, FixedFile, Layout, Opened};
use crate::Result;

/// The vectors of a file whose components are stored as `element`.
pub(super) fn open(path: &Path, element: Element) -> Result<FixedFile> {
    let dim = i32::from_le_bytes(Opened::new(path)?.header()?);
    // From the start again: the dimension belongs to the first vector.
    let file = Opened::new(path)?;
    let dim = usize::try_from(dim)
        .ok()
        .filter(|dim| (1..=anear_index::MAX_DIM).contains(dim));
    let Some(dim) = dim else {
        let most = anear_index::MAX_DIM;
        return Err(file.wrong(format!("the first vector's dimension is not between 1 and {most}")));
    };
    let stride = 4 + dim as u64 * element.size() as u64;
    if !file.bytes.is_multiple_of(stride) {
        let whole = file.bytes / stride;
        return Err(crate::Error::format(
            &file.path,
            whole * stride,
            format!(
                "vector {whole} of dimension {dim} needs {stride} bytes, there are {}",
                file.bytes % stride
            ),
        ));
    }
    let layout = Layout {
        start: 0,
        dim,
        len: usize::try_from(file.bytes / stride).map_err(|_| file.wrong("too many vectors for this machine"))?,
        element,
        repeats_dim: true,
    };
    Ok(file.with(layout))
}
