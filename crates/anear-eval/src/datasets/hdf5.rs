//! HDF5 as ann-benchmarks has it: `train` to be searched, `test` to search for, `neighbors` and `distances` the truth.

use std::fmt;
use std::path::{Path, PathBuf};

use anear_index::Neighbors;
use anear_kernels::{Metric, Neighbor};
use hdf5_pure::{Dataset, File};

use super::AnnBenchmarks;
use crate::{Blocks, Error, Result, Vectors};

/// Rows that are read at a time are at most so many bytes: the library hands them over as a list of their own.
const WINDOW_BYTES: usize = 4 << 20;

/// No filter of HDF5 that is read makes more of a byte than deflate, which makes at most 1032 of it.
const INFLATION_MAX: u64 = 1032;

/// The matrix called `name` in a file.
#[derive(Debug)]
pub(super) struct Matrix {
    path: PathBuf,
    name: String,
    data: Dataset,
    dim: usize,
    len: usize,
    done: usize,
}

pub(super) fn open(path: &Path, name: Option<&str>) -> Result<Matrix> {
    Matrix::new(path, &file(path)?, name.unwrap_or("train"))
}

pub(super) fn neighbors(path: &Path, name: Option<&str>) -> Result<Neighbors> {
    truth(path, &file(path)?, name.unwrap_or("neighbors"))
}

/// All of a file of ann-benchmarks; `train` is read later.
pub(super) fn ann_benchmarks(path: &Path) -> Result<AnnBenchmarks> {
    let file = file(path)?;
    let attributes = file.root().attrs().map_err(|error| content(path, error))?;
    let distance = attributes.get("distance").and_then(|value| value.as_str());
    Ok(AnnBenchmarks {
        base: Box::new(Matrix::new(path, &file, "train")?),
        queries: Vectors::read(&mut Matrix::new(path, &file, "test")?)?,
        truth: truth(path, &file, "neighbors")?,
        metric: match distance {
            Some("euclidean") => Some(Metric::L2),
            Some("angular") => Some(Metric::Cosine),
            _ => None,
        },
    })
}

fn file(path: &Path) -> Result<File> {
    // The library's own error would not say which file was not there.
    std::fs::metadata(path).map_err(|source| Error::read(path, source))?;
    File::open_streaming(path).map_err(|error| content(path, error))
}

/// Ids with their distances where the file has those, otherwise NaN.
fn truth(path: &Path, file: &File, name: &str) -> Result<Neighbors> {
    let mut ids = Matrix::new(path, file, name)?;
    let mut distances = match name {
        "neighbors" => Matrix::new(path, file, "distances").ok(),
        _ => None,
    };
    distances.take_if(|distances| (distances.len, distances.dim) != (ids.len, ids.dim));
    let (mut truth, mut row_distances) = (Neighbors::default(), Vec::new());
    while let Some(rows) = ids.window(usize::MAX) {
        let row_ids = ids.checked(ids.data.read_i64_rows(rows.0, rows.1), rows.1)?;
        row_distances.clear();
        match &mut distances {
            Some(distances) => drop(distances.next_block(rows.1 as usize, &mut row_distances)?),
            None => row_distances.resize(row_ids.len(), f32::NAN),
        }
        for (ids, distances) in row_ids.chunks(ids.dim).zip(row_distances.chunks(ids.dim)) {
            truth.push_row(&neighbors_of(ids, distances));
        }
        ids.done += rows.1 as usize;
    }
    Ok(truth)
}

fn neighbors_of(ids: &[i64], distances: &[f32]) -> Vec<Neighbor> {
    let known = ids.iter().zip(distances).map_while(|(&id, &distance)| {
        let id = u64::try_from(id).ok()?;
        Some(Neighbor { id, distance })
    });
    known.collect()
}

impl Matrix {
    fn new(path: &Path, file: &File, name: &str) -> Result<Self> {
        let wrong = |error: &dyn fmt::Display| content(path, format!("dataset `{name}`: {error}"));
        let data = file.dataset(name).map_err(|error| wrong(&error))?;
        let shape = data.shape().map_err(|error| wrong(&error))?;
        let &[len, dim] = shape.as_slice() else {
            return Err(wrong(&format!("its shape is {shape:?}, not [vectors, components]")));
        };
        if dim == 0 || dim > anear_index::MAX_DIM as u64 {
            return Err(wrong(&format!(
                "dimension {dim} is not between 1 and {}",
                anear_index::MAX_DIM
            )));
        }
        let bytes = std::fs::metadata(path)
            .map_err(|source| Error::read(path, source))?
            .len();
        if len.saturating_mul(dim) > bytes.saturating_mul(INFLATION_MAX) {
            return Err(wrong(&format!(
                "{len} x {dim} numbers cannot be in a file of {bytes} bytes"
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            name: name.to_owned(),
            data,
            dim: dim as usize,
            len: usize::try_from(len).map_err(|_| wrong(&"too many vectors for this machine"))?,
            done: 0,
        })
    }

    /// First and number of the rows to read next, `max` at most; `None` at the end.
    fn window(&self, max: usize) -> Option<(u64, u64)> {
        let most = (WINDOW_BYTES / size_of::<f64>() / self.dim).max(1);
        let count = max.min(most).min(self.len - self.done);
        (count > 0).then_some((self.done as u64, count as u64))
    }

    /// What the library read, if it is as much as it should be.
    fn checked<T>(&self, read: Result<Vec<T>, hdf5_pure::Error>, rows: u64) -> Result<Vec<T>> {
        let at = |error: &dyn fmt::Display| {
            let reason = format!("dataset `{}`, vector {}: {error}", self.name, self.done);
            content(&self.path, reason)
        };
        let numbers = read.map_err(|error| at(&error))?;
        if numbers.len() as u64 == rows * self.dim as u64 {
            return Ok(numbers);
        }
        Err(at(&format!(
            "{} numbers instead of {rows} x {}",
            numbers.len(),
            self.dim
        )))
    }
}

impl Blocks for Matrix {
    fn dim(&self) -> usize {
        self.dim
    }

    fn len(&self) -> usize {
        self.len
    }

    fn next_block(&mut self, max: usize, out: &mut Vec<f32>) -> Result<usize> {
        let mut count = 0;
        while let Some((start, rows)) = self.window(max - count) {
            let numbers = self.checked(self.data.read_f32_rows(start, rows), rows)?;
            out.extend_from_slice(&numbers);
            count += rows as usize;
            self.done += rows as usize;
        }
        Ok(count)
    }
}

fn content(path: &Path, reason: impl fmt::Display) -> Error {
    Error::Content {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
