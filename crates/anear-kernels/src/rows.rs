//! Many vectors in one slice: `len` rows of `dim` numbers, checked once and trusted from then on.

use std::{fmt, ops::Range};

/// A borrowed matrix, row after row: `len` vectors of `dim` components.
///
/// A value of this type always holds whole rows, so nothing below it checks shapes again.
///
/// ```
/// use anear_kernels::Rows;
///
/// let rows = Rows::new(&[1.0, 2.0, 3.0, 4.0], 2).expect("two rows of two");
/// assert_eq!((rows.len(), rows.dim()), (2, 2));
/// assert_eq!(rows.row(1), [3.0, 4.0]);
/// assert!(Rows::new(&[1.0, 2.0, 3.0], 2).is_none());
/// ```
pub struct Rows<'a, T = f32> {
    data: &'a [T],
    dim: usize,
}

/// Many bit vectors, packed eight to a byte: `dim()` of these rows counts bytes, `8 * dim()` bits.
///
/// Bit `i` of a vector is bit `i % 8`, from the low end, of its byte `i / 8`, as in Faiss.
pub type Bits<'a> = Rows<'a, u8>;

impl<'a, T> Rows<'a, T> {
    /// `data` as rows of `dim` components, or `None` if `dim` is 0 or `data` does not end with a whole row.
    pub fn new(data: &'a [T], dim: usize) -> Option<Self> {
        (dim > 0 && data.len().is_multiple_of(dim)).then_some(Self { data, dim })
    }

    /// Components of a row; at least 1.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If `i >= len()`.
    pub fn row(&self, i: usize) -> &'a [T] {
        &self.data[i * self.dim..][..self.dim]
    }

    /// The rows in order.
    pub fn iter(&self) -> std::slice::ChunksExact<'a, T> {
        self.data.chunks_exact(self.dim)
    }

    /// All components, row after row.
    pub fn as_slice(&self) -> &'a [T] {
        self.data
    }

    /// The rows at these positions, one after the other.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn gathered(&self, positions: impl ExactSizeIterator<Item = usize>) -> Vec<T>
    where
        T: Copy,
    {
        let mut gathered = Vec::with_capacity(positions.len() * self.dim);
        positions.for_each(|position| gathered.extend_from_slice(self.row(position)));
        gathered
    }

    /// The rows of `range`, as a matrix of their own.
    ///
    /// # Panics
    /// If `range` leaves `0..len()`.
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self {
            data: &self.data[range.start * self.dim..range.end * self.dim],
            dim: self.dim,
        }
    }
}

impl<T> Clone for Rows<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Rows<'_, T> {}

/// Shows the shape: a matrix of a million numbers does not belong into a log.
impl<T> fmt::Debug for Rows<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({} x {})", self.len(), self.dim)
    }
}

impl<'a, T> IntoIterator for Rows<'a, T> {
    type Item = &'a [T];
    type IntoIter = std::slice::ChunksExact<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A borrowed matrix that may be changed in place; otherwise like [`Rows`].
pub struct RowsMut<'a> {
    data: &'a mut [f32],
    dim: usize,
}

impl<'a> RowsMut<'a> {
    /// `data` as rows of `dim` components, or `None` if `dim` is 0 or `data` does not end with a whole row.
    pub fn new(data: &'a mut [f32], dim: usize) -> Option<Self> {
        (dim > 0 && data.len().is_multiple_of(dim)).then_some(Self { data, dim })
    }

    /// Components of a row; at least 1.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If `i >= len()`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.dim..][..self.dim]
    }

    /// Row `i`, to be changed.
    ///
    /// # Panics
    /// If `i >= len()`.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.data[i * self.dim..][..self.dim]
    }

    /// The rows in order.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, f32> {
        self.data.chunks_exact(self.dim)
    }

    /// The rows in order, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::ChunksExactMut<'_, f32> {
        self.data.chunks_exact_mut(self.dim)
    }

    /// All components, row after row.
    pub fn as_slice(&self) -> &[f32] {
        self.data
    }

    /// The same rows, read only.
    pub fn as_rows(&self) -> Rows<'_> {
        Rows {
            data: self.data,
            dim: self.dim,
        }
    }

    /// The rows of `range`, as a matrix of their own.
    ///
    /// # Panics
    /// If `range` leaves `0..len()`.
    pub fn slice(&mut self, range: Range<usize>) -> RowsMut<'_> {
        RowsMut {
            data: &mut self.data[range.start * self.dim..range.end * self.dim],
            dim: self.dim,
        }
    }
}

impl fmt::Debug for RowsMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowsMut({} x {})", self.len(), self.dim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_rows_of_at_least_one_component_are_rows() {
        assert!(Rows::new(&[0.0; 6], 0).is_none());
        assert!(Rows::new(&[0.0; 6], 4).is_none());
        assert!(RowsMut::new(&mut [0.0; 6], 4).is_none());
        assert_eq!(Rows::<f32>::new(&[], 4).map(|rows| rows.len()), Some(0));
    }

    #[test]
    fn a_slice_of_rows_is_those_rows() {
        let data: Vec<u32> = (0..12).collect();
        let rows = Rows::new(&data, 3).unwrap();
        let middle = rows.slice(1..3);
        assert_eq!(middle.iter().collect::<Vec<_>>(), [&data[3..6], &data[6..9]]);
        assert_eq!(middle.row(1), rows.row(2));
        assert!(rows.slice(4..4).is_empty());
    }

    #[test]
    fn what_is_written_through_rows_mut_is_read_through_rows() {
        let mut data = [0.0; 6];
        let mut rows = RowsMut::new(&mut data, 2).unwrap();
        rows.slice(1..3).row_mut(1)[0] = 7.0;
        rows.iter_mut().next().unwrap()[1] = 5.0;
        assert_eq!(rows.as_rows().as_slice(), [0.0, 5.0, 0.0, 0.0, 7.0, 0.0]);
    }
}
