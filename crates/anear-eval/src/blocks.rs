//! Vectors that come in blocks, so that a data set may be larger than memory.

use anear_kernels::Rows;

use crate::Result;

/// Vectors of one dimension, read in order, as many at a time as there is room for.
///
/// Implemented by every reader of [`datasets`](crate::datasets), by [`Rows`] in memory through [`InMemory`], and by
/// whatever else has vectors.
pub trait Blocks {
    /// Components per vector, at least 1.
    fn dim(&self) -> usize;

    /// Number of vectors, those read already included.
    fn len(&self) -> usize;

    /// Whether there is no vector.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the next vectors, `max` at most, to `out`; returns how many, 0 at the end.
    ///
    /// # Errors
    /// Those of the source, for example [`Error::Read`](crate::Error::Read).
    fn next_block(&mut self, max: usize, out: &mut Vec<f32>) -> Result<usize>;
}

/// Vectors in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    data: Vec<f32>,
    dim: usize,
}

/// Vectors that are in memory, as [`Blocks`].
///
/// ```
/// use anear_eval::{Blocks, InMemory};
/// use anear_kernels::Rows;
///
/// let mut blocks = InMemory::new(Rows::new(&[1.0, 2.0, 3.0], 1).unwrap());
/// let mut out = Vec::new();
/// assert_eq!(blocks.next_block(2, &mut out)?, 2);
/// assert_eq!(blocks.next_block(2, &mut out)?, 1);
/// assert_eq!(blocks.next_block(2, &mut out)?, 0);
/// assert_eq!(out, [1.0, 2.0, 3.0]);
/// # Ok::<(), anear_eval::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InMemory<'a> {
    rows: Rows<'a>,
    done: usize,
}

impl Vectors {
    /// `data` as vectors of `dim` components; `None` if `dim` is 0 or `data` does not end with a whole vector.
    pub fn new(data: Vec<f32>, dim: usize) -> Option<Self> {
        Rows::new(&data, dim)?;
        Some(Self { data, dim })
    }

    /// Everything that is left of `blocks`.
    ///
    /// # Errors
    /// Those of `blocks`.
    pub fn read(blocks: &mut dyn Blocks) -> Result<Self> {
        let mut data = Vec::new();
        while blocks.next_block(usize::MAX, &mut data)? > 0 {}
        let dim = blocks.dim();
        Ok(Self { data, dim })
    }

    /// The vectors of `rows` at the positions `at`, in that order.
    ///
    /// # Panics
    /// If a position is not below `rows.len()`.
    pub fn gather(rows: Rows<'_>, at: impl IntoIterator<Item = usize>) -> Self {
        Self {
            data: at.into_iter().flat_map(|i| rows.row(i)).copied().collect(),
            dim: rows.dim(),
        }
    }

    /// All of them.
    pub fn rows(&self) -> Rows<'_> {
        Rows::new(&self.data, self.dim).expect("checked when it was made")
    }
}

impl<'a> InMemory<'a> {
    /// All of `rows`, from the first.
    pub fn new(rows: Rows<'a>) -> Self {
        Self { rows, done: 0 }
    }
}

impl Blocks for InMemory<'_> {
    fn dim(&self) -> usize {
        self.rows.dim()
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn next_block(&mut self, max: usize, out: &mut Vec<f32>) -> Result<usize> {
        let count = max.min(self.rows.len() - self.done);
        out.extend_from_slice(self.rows.slice(self.done..self.done + count).as_slice());
        self.done += count;
        Ok(count)
    }
}
