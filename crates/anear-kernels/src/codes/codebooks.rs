//! Codebooks, transposed: the distances from a query to 32 entries at a time.

use crate::{
    isa::simd::{Registers, WIDE},
    kernels::Kernels,
    metric::Metric,
    rows::Rows,
};

/// The codebooks of a product quantizer, each for its own part of the components.
///
/// ```
/// use anear_kernels::{Codebooks, Metric};
///
/// // Two codebooks of two entries, of one component each.
/// let books = Codebooks::new(&[0.0, 1.0, 5.0, 7.0], 2, 2);
/// let mut table = [0.0; 4];
/// books.distances(Metric::L2, &[3.0, 6.0], &mut table);
/// assert_eq!(table, [9.0, 4.0, 1.0, 1.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Codebooks {
    /// For each codebook, component after component, that of all its entries; padded to a multiple of 32 by entries
    /// that are infinitely far away.
    columns: Vec<f32>,
    count: usize,
    len: usize,
    dim: usize,
}

/// A table of distances on one instruction set: the arguments of [`fill`].
pub(crate) struct Tables {
    pub(crate) squares: unsafe fn(&Codebooks, &[f32], &mut [f32]),
    pub(crate) products: unsafe fn(&Codebooks, &[f32], &mut [f32]),
}

impl Codebooks {
    /// `count` codebooks of `len` entries each; `entries` has all of them, row after row.
    ///
    /// # Panics
    /// If there is nothing, `len` is no power of two, or an entry is no whole number of components.
    pub fn new(entries: &[f32], count: usize, len: usize) -> Self {
        assert!(
            len.is_power_of_two() && len < 1 << 24,
            "codes choose from a power of two"
        );
        assert!(
            !entries.is_empty() && entries.len().is_multiple_of(count * len),
            "codebooks of whole entries"
        );
        let mut books = Self {
            columns: Vec::new(),
            count,
            len,
            dim: entries.len() / (count * len),
        };
        let width = books.width();
        books.columns = vec![f32::INFINITY; count * books.dim * width];
        let book = books.columns.chunks_exact_mut(books.dim * width);
        for (columns, entries) in book.zip(entries.chunks_exact(len * books.dim)) {
            for (i, entry) in entries.chunks_exact(books.dim).enumerate() {
                columns[i..]
                    .iter_mut()
                    .step_by(width)
                    .zip(entry)
                    .for_each(|(to, from)| *to = *from);
            }
        }
        books
    }

    fn width(&self) -> usize {
        self.len.next_multiple_of(WIDE)
    }

    /// Writes the distances from each part of `query` to each entry of its codebook, codebook after codebook.
    ///
    /// Terms are added in order of the components, on every instruction set.
    ///
    /// # Panics
    /// If a length does not fit, or `metric` is neither L2 nor inner product.
    pub fn distances(&self, metric: Metric, query: &[f32], table: &mut [f32]) {
        self.distances_on(Kernels::get(), metric, query, table);
    }

    /// As [`distances`](Self::distances), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn distances_on(&self, kernels: &Kernels, metric: Metric, query: &[f32], table: &mut [f32]) {
        assert_eq!(
            query.len(),
            self.count * self.dim,
            "a query of the codebooks' dimension"
        );
        assert_eq!(table.len(), self.count * self.len, "one place per entry");
        let fill = match metric {
            Metric::L2 => kernels.tables.squares,
            Metric::InnerProduct => kernels.tables.products,
            other => panic!("codebooks are not compared by {other}"),
        };
        // SAFETY: `Kernels::for_isa` hands out a table only where its instruction set is available.
        unsafe { fill(self, query, table) }
    }

    /// Writes the number of the entry of codebook `part` that is nearest to that part of each vector, by the distances of
    /// [`distances`](Self::distances) for L2; the smallest of equals, and 0 where there is no distance.
    ///
    /// # Panics
    /// If a length does not fit, or there is no such codebook.
    pub fn nearest(&self, part: usize, vectors: Rows<'_>, numbers: &mut [u32]) {
        self.nearest_on(Kernels::get(), part, vectors, numbers);
    }

    /// As [`nearest`](Self::nearest), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn nearest_on(&self, kernels: &Kernels, part: usize, vectors: Rows<'_>, numbers: &mut [u32]) {
        assert_eq!(
            vectors.dim(),
            self.count * self.dim,
            "vectors of the codebooks' dimension"
        );
        assert_eq!(vectors.len(), numbers.len(), "one place per vector");
        // SAFETY: `Kernels::for_isa` hands out kernels only where their instruction set is available.
        unsafe { (kernels.nearest_entries)(self, part, vectors, numbers) }
    }
}

/// One component's part of a distance, rounded once where it joins the sum.
pub(crate) trait Component {
    /// What stands for the query's component.
    fn of_query(component: f32) -> f32 {
        component
    }

    fn add<R: Registers>(simd: R, sum: R::Reg, query: R::Reg, entry: R::Reg) -> R::Reg;
}

/// `(x - y)^2`.
pub(crate) struct Square;

impl Component for Square {
    #[inline(always)]
    fn add<R: Registers>(simd: R, sum: R::Reg, query: R::Reg, entry: R::Reg) -> R::Reg {
        let difference = simd.sub(query, entry);
        simd.mul_add(difference, difference, sum)
    }
}

/// `-x y`.
pub(crate) struct Negated;

impl Component for Negated {
    #[inline(always)]
    fn of_query(component: f32) -> f32 {
        -component
    }

    #[inline(always)]
    fn add<R: Registers>(simd: R, sum: R::Reg, query: R::Reg, entry: R::Reg) -> R::Reg {
        simd.mul_add(query, entry, sum)
    }
}

/// All distances of a query.
#[inline(always)]
pub(crate) fn fill<R: Registers, T: Component>(simd: R, books: &Codebooks, query: &[f32], table: &mut [f32]) {
    let parts = query
        .chunks_exact(books.dim)
        .zip(books.columns.chunks_exact(books.dim * books.width()));
    for ((query, columns), table) in parts.zip(table.chunks_exact_mut(books.len)) {
        for (start, table) in (0..).step_by(WIDE).zip(table.chunks_mut(WIDE)) {
            let distances = wide::<R, T>(simd, query, columns, books.width(), start);
            if let Ok(table) = table.try_into() {
                store(simd, distances, table);
            } else {
                let mut padded = [0.0; WIDE];
                store(simd, distances, &mut padded);
                table.copy_from_slice(&padded[..table.len()]);
            }
        }
    }
}

/// The number of the entry of codebook `part` that is nearest to that part of each vector.
///
/// Each lane keeps its smallest distance and at which step it was; the first of the smallest lanes wins.
#[inline(always)]
pub(crate) fn nearest<R: Registers>(simd: R, books: &Codebooks, part: usize, vectors: Rows<'_>, numbers: &mut [u32]) {
    let width = books.width();
    let columns = &books.columns[part * books.dim * width..][..books.dim * width];
    for (vector, number) in vectors.iter().zip(numbers) {
        let query = &vector[part * books.dim..][..books.dim];
        let (mut best, mut from) = (simd.zero(), simd.zero());
        best.as_mut().fill(simd.splat(f32::INFINITY));
        for start in (0..width).step_by(WIDE) {
            let distances = wide::<R, Square>(simd, query, columns, width, start);
            let lanes = distances.as_ref().iter().zip(best.as_mut()).zip(from.as_mut());
            for ((&distance, best), from) in lanes {
                // Exact: no codebook has 2^24 entries.
                *from = simd.if_less(distance, *best, simd.splat(start as f32), *from);
                *best = simd.if_less(distance, *best, distance, *best);
            }
        }
        let (mut distances, mut starts) = ([0.0; WIDE], [0.0; WIDE]);
        store(simd, best, &mut distances);
        store(simd, from, &mut starts);
        let smallest = min(distances);
        let number_of = |i| {
            if distances[i] == smallest {
                starts[i] + i as f32
            } else {
                f32::INFINITY
            }
        };
        *number = min(std::array::from_fn(number_of)) as u32;
    }
}

/// The distances to 32 entries of a codebook.
#[inline(always)]
fn wide<R: Registers, T: Component>(simd: R, query: &[f32], columns: &[f32], width: usize, start: usize) -> R::Wide {
    let mut sums = simd.zero();
    for (&component, column) in query.iter().zip(columns.chunks_exact(width)) {
        let (component, column) = (simd.splat(T::of_query(component)), &column[start..][..WIDE]);
        for (i, sum) in sums.as_mut().iter_mut().enumerate() {
            *sum = T::add(simd, *sum, component, simd.load(&column[i * R::LANES..]));
        }
    }
    sums
}

#[inline(always)]
fn store<R: Registers>(simd: R, wide: R::Wide, to: &mut [f32; WIDE]) {
    for (i, &register) in wide.as_ref().iter().enumerate() {
        simd.store(register, &mut to[i * R::LANES..]);
    }
}

/// The smallest of 32 numbers, none of them NaN.
#[inline(always)]
fn min(mut lanes: [f32; WIDE]) -> f32 {
    let mut half = WIDE / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = if lanes[i + half] < lanes[i] {
                lanes[i + half]
            } else {
                lanes[i]
            };
        }
        half /= 2;
    }
    lanes[0]
}
