//! Files for other programs: vectors as fvecs, fbin and npy, ids as ivecs; vectors may be more than fit in memory.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anear_index::Neighbors;

use super::npy;
use crate::{Blocks, Error, Result};

/// Vectors that are held at a time: 1 MiB of them.
const BLOCK_BYTES: usize = 1 << 20;

/// Writes all vectors of `blocks` to a file, in the format of its extension: fvecs, fbin or npy.
///
/// A file of that name is replaced.
///
/// ```
/// use anear_eval::{Blocks, datasets};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("base.fvecs");
/// let data: datasets::Synthetic = "n=10,d=4".parse()?;
/// datasets::save(&path, &mut data.base())?;
/// assert_eq!(datasets::open(&path)?.len(), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Extension`], [`Error::Write`], and those of `blocks`.
pub fn save(path: &Path, blocks: &mut dyn Blocks) -> Result<()> {
    let (len, dim) = (blocks.len(), blocks.dim());
    let too_many = || {
        Error::write(
            path,
            io::Error::other(format!("{len} vectors are too many for the format")),
        )
    };
    let (header, repeats_dim) = match extension(path).as_str() {
        "fvecs" => (Vec::new(), true),
        "npy" => (npy::header(len, dim), false),
        "fbin" => {
            let len = u32::try_from(len).map_err(|_| too_many())?;
            ([len, dim as u32].map(u32::to_le_bytes).concat(), false)
        }
        _ => {
            return Err(Error::Extension {
                path: path.to_owned(),
                known: "fvecs, fbin, npy",
            });
        }
    };
    let mut out = Out::create(path)?;
    out.write(&header)?;
    let max = (BLOCK_BYTES / size_of::<f32>() / dim).max(1);
    let mut block = Vec::new();
    while blocks.next_block(max, &mut block)? > 0 {
        for row in block.chunks_exact(dim) {
            if repeats_dim {
                out.write(&(dim as u32).to_le_bytes())?;
            }
            row.iter().try_for_each(|x| out.write(&x.to_le_bytes()))?;
        }
        block.clear();
    }
    out.finish()
}

/// Writes the ids of `neighbors` as ivecs, `k` for each query; -1 where there are fewer.
///
/// # Errors
/// [`Error::Extension`] for a file that is not called so, [`Error::Write`], also for an id that ivecs cannot hold.
pub fn save_neighbors(path: &Path, neighbors: &Neighbors, k: usize) -> Result<()> {
    if extension(path) != "ivecs" {
        return Err(Error::Extension {
            path: path.to_owned(),
            known: "ivecs",
        });
    }
    let mut out = Out::create(path)?;
    for row in neighbors.iter() {
        out.write(&(k as u32).to_le_bytes())?;
        for place in 0..k {
            let id = row.get(place).map_or(Ok(-1), |n| i32::try_from(n.id).map_err(|_| n.id));
            let too_large = |id| Error::write(path, io::Error::other(format!("id {id} does not fit 31 bits")));
            out.write(&id.map_err(too_large)?.to_le_bytes())?;
        }
    }
    out.finish()
}

/// The extension in small letters; empty where there is none.
pub(super) fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// A file being written, which names itself in errors.
struct Out<'a> {
    path: &'a Path,
    file: BufWriter<File>,
}

impl<'a> Out<'a> {
    fn create(path: &'a Path) -> Result<Self> {
        let file = File::create(path).map_err(|source| Error::write(path, source))?;
        let file = BufWriter::new(file);
        Ok(Self { path, file })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|source| Error::write(self.path, source))
    }

    fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(|source| Error::write(self.path, source))
    }
}
