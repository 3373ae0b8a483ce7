//! Distances between rows that are rounded to bytes of the same step.

use super::{CHUNK, LEVELS, code_at};
use crate::{kernels::Kernels, rows::Rows};

/// Rows whose distances are taken at a time.
const BLOCK: usize = 256;

/// Rows for being compared with each other many times, where distances need not be exact: a quarter of the memory, and whole
/// numbers, of which a processor multiplies and adds up more at a time.
///
/// All components have the same step: the widest range of one, in 255 parts (fewer beyond 33,000 components). Whether that tells
/// rows apart is for [`error`](Self::error) to say. Distances are the same on every instruction set.
///
/// ```
/// use anear_kernels::{BytePairs, Rows};
///
/// let rows = Rows::new(&[0.0, 0.0, 3.0, 4.0, 6.0, 8.0], 2).expect("three rows");
/// let pairs = BytePairs::new(rows, &[2, 1, 0]);
/// let mut distances = [0.0; 2];
/// pairs.squared_distances(0, &[1, 2], &mut distances);
/// assert!((distances[0] - 25.0).abs() < 0.5 && (distances[1] - 100.0).abs() < 0.5);
/// assert!(pairs.error() < 0.001);
/// ```
#[derive(Clone, Debug)]
pub struct BytePairs {
    dim: usize,
    stride: usize,
    codes: Vec<u8>,
    step: f64,
}

impl BytePairs {
    /// Of these rows, in this order.
    ///
    /// # Panics
    /// When there is no row, or none at a position of `order`.
    pub fn new(rows: Rows<'_>, order: &[u32]) -> Self {
        let dim = rows.dim();
        // No sum of squares is beyond 32 bits then.
        let levels = LEVELS.min((i32::MAX as usize / dim).isqrt() as f32);
        let (lows, range) = ranges(rows);
        let step = range / levels;
        let per_step = if step > 0.0 { (1.0 / step).min(f32::MAX) } else { 0.0 };
        let mut pairs = Self {
            dim,
            stride: dim.next_multiple_of(CHUNK),
            codes: Vec::new(),
            step: f64::from(step),
        };
        pairs.codes.reserve_exact(order.len() * pairs.stride);
        for row in order.iter().map(|row| rows.row(*row as usize)) {
            let start = pairs.codes.len();
            let rounded = row
                .iter()
                .zip(&lows)
                .map(|(x, low)| ((x - low) * per_step + 0.5).min(levels) as u8);
            pairs.codes.extend(rounded);
            pairs.codes.resize(start + pairs.stride, 0);
        }
        pairs
    }

    /// What roundings add to a squared distance on average: where it is not small beside the distances of neighbors, these are
    /// not told apart.
    pub fn error(&self) -> f64 {
        self.dim as f64 * self.step * self.step / 6.0
    }

    /// Writes the squared distances of a row to others to `out`, by their positions.
    ///
    /// # Panics
    /// When there is no such row, or there are not as many others as places.
    pub fn squared_distances(&self, row: u32, others: &[u32], out: &mut [f32]) {
        self.squared_distances_on(Kernels::get(), row, others, out);
    }

    /// As [`squared_distances`](Self::squared_distances), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn squared_distances_on(&self, kernels: &Kernels, row: u32, others: &[u32], out: &mut [f32]) {
        assert_eq!(others.len(), out.len(), "a distance for each");
        let (own, unit) = (code_at(&self.codes, self.stride, row), self.step * self.step);
        let mut squares = [0; BLOCK];
        for (others, out) in others.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
            let squares = &mut squares[..others.len()];
            // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
            unsafe { (kernels.bytes.squares_at)(own, &self.codes, others, squares) };
            for (distance, square) in out.iter_mut().zip(squares) {
                *distance = (f64::from(*square) * unit) as f32;
            }
        }
    }
}

/// The least of each component, and the widest range of one.
fn ranges(rows: Rows<'_>) -> (Vec<f32>, f32) {
    let (mut lows, mut highs) = (rows.row(0).to_vec(), rows.row(0).to_vec());
    for row in rows {
        for ((low, high), x) in lows.iter_mut().zip(&mut highs).zip(row) {
            (*low, *high) = (low.min(*x), high.max(*x));
        }
    }
    let range = lows
        .iter()
        .zip(&highs)
        .map(|(low, high)| high - low)
        .fold(0.0, f32::max);
    (lows, range)
}
