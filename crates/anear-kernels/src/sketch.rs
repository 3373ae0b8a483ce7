//! Short stand-ins for long vectors, by which most candidates are ruled out: coordinates in a subspace that holds most of
//! the vectors' length, and the length of the rest.
//!
//! For the parts of `x` and `c` outside of the subspace, `<x, c>` is at most `|x| |c|` (Cauchy and Schwarz). So the product
//! of two sketches is no smaller than that of the vectors, but for rounding, and what it rules out is out.
//!
//! Coordinates are sums in strips, those of a few vectors sums in the canonical order. With `B` the basis, `delta` the Frobenius norm of `B B^T - I` and `kappa` what rounding may do to the coordinates,
//! relative to the vector: the product of coordinates is off from that of the projections by at most
//! `(2.1 kappa + 1.2 delta) |x| |c|`, as long as both are small; and the squared length of a projection is at least the
//! squared length of its coordinates less `(2.2 kappa + 1.1 delta) |x|^2`. `error` is `2.2 (kappa + delta)`, and some roundings.

use std::{fmt, ops::Range};

use crate::{
    bitmap::ones,
    bounds::{Margin, U, gamma},
    byte_rows::squared_norm,
    kernels::Kernels,
    metric::Metric,
    nearest::transpose,
    product::{Bounds, Product},
    random::Random,
    rows::Rows,
};

/// A few orthonormal directions in which given vectors are long.
pub struct Subspace {
    kernels: &'static Kernels,
    dim: usize,
    basis: Vec<f32>,
    /// How far the product of two sketches may be below that of the vectors, relative to their norms, and how much more
    /// than the squared norm of a vector that of a sketch may be, but for three roundings of norms.
    error: f64,
}

/// The sketches of some vectors, in one subspace.
#[derive(Clone, Debug)]
pub struct Sketches {
    /// Coordinates and the length of the rest, a row for each vector.
    rows: Vec<f32>,
    dim: usize,
    squared_norms: Vec<f32>,
}

// Components that are multiplied and added up before the next are begun: it keeps the rounding of coordinates small.
const STRIP: usize = 64;

// Rounds of the power method after sums at random: the first turns these into the subspace, the second cleans it.
const ROUNDS: usize = 2;

// Fewer vectors than this are multiplied with the basis one by one. Reasoned, not tuned.
const FEW: usize = 8;

/// What subspaces are begun with, and what they are mixed by: any numbers do, and so all get the same.
const SUMS_SEED: u64 = 1;
const MIX_SEED: u64 = 2;

impl Subspace {
    /// About the `len` directions that matter most to `sample`, by subspace iteration.
    ///
    /// `None` where it is of no use: more directions than half the components or rows, or no instruction set for it.
    pub fn new(sample: Rows<'_>, len: usize) -> Option<Self> {
        Self::on(Kernels::get(), sample, len)
    }

    /// As [`new`](Self::new), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn on(kernels: &'static Kernels, sample: Rows<'_>, len: usize) -> Option<Self> {
        Self::spanned_by(kernels, directions(kernels, sample, len)?, sample.dim())
    }

    /// How much of the squared lengths of `sample` the directions leave out.
    pub(crate) fn left_out(&self, sample: Rows<'_>) -> f64 {
        let length = squared_norm(sample.as_slice());
        (length - squared_norm(&self.coordinates(sample))) / length
    }

    /// The same by directions of which none matters more than another: coordinates are about equally large.
    pub(crate) fn mixed(self) -> Option<Self> {
        let basis = Rows::new(&self.basis, self.dim)?;
        let mut random = Random::new(MIX_SEED);
        let weights: Vec<f32> = (0..basis.len().pow(2)).map(|_| random.normal() as f32).collect();
        let mixed = sums(self.kernels, basis, &weights, basis.len())?;
        Self::spanned_by(self.kernels, mixed, self.dim)
    }

    fn spanned_by(kernels: &'static Kernels, basis: Vec<f32>, dim: usize) -> Option<Self> {
        let roundings = (STRIP + dim / STRIP + 2).max(dim / 32 + 9);
        let kappa = ((basis.len() / dim) as f64).sqrt() * gamma(roundings);
        let error = 2.2 * (kappa + defect(Rows::new(&basis, dim)?)) + 16.0 * U;
        (error < 0.01).then_some(Self {
            kernels,
            dim,
            basis,
            error,
        })
    }

    pub(crate) fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    /// Components of a sketch.
    pub(crate) fn sketch_dim(&self) -> usize {
        self.len() + 1
    }

    /// How many directions there are.
    fn len(&self) -> usize {
        self.basis.len() / self.dim
    }

    /// See the field.
    pub(crate) fn error(&self) -> f64 {
        self.error
    }

    /// The sketches of `vectors`.
    ///
    /// # Panics
    /// If the dimension is another one.
    pub fn sketch(&self, vectors: Rows<'_>) -> Sketches {
        assert_eq!(
            vectors.dim(),
            self.dim,
            "the vectors must have the dimension of the subspace"
        );
        let len = self.len();
        let coordinates = self.coordinates(vectors);
        let squared_norms: Vec<f32> = vectors.iter().map(|vector| self.kernels.squared_norm(vector)).collect();
        let mut rows = Vec::with_capacity(vectors.len() * (len + 1));
        for (coordinates, &squared_norm) in coordinates.chunks_exact(len).zip(&squared_norms) {
            rows.extend_from_slice(coordinates);
            rows.push(self.rest(coordinates, squared_norm));
        }
        Sketches {
            rows,
            dim: len + 1,
            squared_norms,
        }
    }

    /// The products with the directions: of a few vectors one by one, since those of many transpose the basis before.
    fn coordinates(&self, vectors: Rows<'_>) -> Vec<f32> {
        let basis = Rows::new(&self.basis, self.dim).expect("whole rows");
        if vectors.len() >= FEW {
            return self.kernels.multiply(vectors, basis).expect("there is a product");
        }
        let mut coordinates = vec![0.0; vectors.len() * basis.len()];
        for (vector, to) in vectors.iter().zip(coordinates.chunks_exact_mut(basis.len())) {
            self.kernels.distances(Metric::InnerProduct, vector, basis, to);
            to.iter_mut().for_each(|x| *x = -*x);
        }
        coordinates
    }

    /// The length of what the coordinates leave out, rounded up.
    fn rest(&self, coordinates: &[f32], norm: f32) -> f32 {
        let rest = f64::from(norm) * (1.0 + gamma(self.dim / 32 + 9) + self.error) - squared_norm(coordinates);
        (rest.max(0.0).sqrt() as f32).next_up()
    }
}

impl fmt::Debug for Subspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subspace({} of {} directions)", self.len(), self.dim)
    }
}

/// Candidates of which many vectors, each with a guess, want the nearest: as [`Nearest`](crate::Nearest), where sketches
/// rule most of them out.
pub struct NearestBySketch<'a> {
    kernels: &'static Kernels,
    product: &'static Product,
    margin: Margin,
    metric: Metric,
    candidates: Rows<'a>,
    columns: Vec<f32>,
    offsets: Vec<f32>,
}

// Vectors whose sketches are compared with one panel of candidates after the other.
const BLOCK_LEN: usize = 96;

impl<'a> NearestBySketch<'a> {
    /// Sketches the candidates. `None` where the metric has no product.
    ///
    /// # Panics
    /// If the dimension is not that of the subspace.
    pub fn new(metric: Metric, candidates: Rows<'a>, subspace: &Subspace) -> Option<Self> {
        let product = subspace.kernels.product.as_ref()?;
        let margin = Margin::of_sketches(metric, candidates.dim(), subspace.error)?;
        let sketches = subspace.sketch(candidates);
        let len = candidates.len().next_multiple_of(product.queries);
        let mut columns = vec![0.0; len * sketches.dim];
        transpose(sketches.rows(0..candidates.len()), product.queries, &mut columns);
        // No product reaches what is asked of the columns that fill the last panel.
        let mut offsets = vec![f32::INFINITY; len];
        for (offset, &squared_norm) in offsets.iter_mut().zip(&sketches.squared_norms) {
            *offset = margin.candidate(squared_norm);
        }
        Some(Self {
            kernels: subspace.kernels,
            product,
            margin,
            metric,
            candidates,
            columns,
            offsets,
        })
    }

    /// Replaces each guess in `ids` by the nearest candidate and writes its distance.
    ///
    /// The answers are those of [`Nearest::find`](crate::Nearest::find), to the bit. Returns how many pairs had to be
    /// measured: the fewer, the better the sketches and the guesses.
    ///
    /// # Panics
    /// If a length does not fit, or a guess is not below the number of candidates.
    pub fn improve(&self, vectors: Rows<'_>, sketches: &Sketches, ids: &mut [u32], distances: &mut [f32]) -> usize {
        let len = vectors.len();
        assert!(
            sketches.squared_norms.len() == len && ids.len() == len && distances.len() == len,
            "one sketch and one place per vector"
        );
        let mut measured = 0;
        for start in (0..len).step_by(BLOCK_LEN) {
            let places = start..len.min(start + BLOCK_LEN);
            let mut block = Block {
                start,
                ids: &mut ids[places.clone()],
                distances: &mut distances[places],
                weights: Vec::new(),
            };
            measured += self.improve_block(vectors, sketches, &mut block);
        }
        measured
    }

    fn improve_block(&self, vectors: Rows<'_>, sketches: &Sketches, block: &mut Block<'_>) -> usize {
        let (width, size, len) = (self.product.queries, self.product.rows, block.ids.len());
        let sketched = sketches.rows(block.start..block.start + len);
        let rows: Vec<&[f32]> = (0..len.next_multiple_of(size))
            .map(|i| sketched.row(i.min(len - 1)))
            .collect();
        // The last rows of the last tile repeat; they ask for nothing.
        block.weights = vec![f32::INFINITY; rows.len()];
        for i in 0..len {
            let vector = vectors.row(block.start + i);
            let guess = self.candidates.row(block.ids[i] as usize);
            block.distances[i] = self.kernels.distance(self.metric, vector, guess);
            self.tighten(sketches, block, i);
        }
        let slope = vec![1.0; width];
        let mut measured = len;
        let panels = self.columns.chunks_exact(width * sketches.dim);
        for (first, (panel, offset)) in (0..).step_by(width).zip(panels.zip(self.offsets.chunks_exact(width))) {
            for (start, rows) in (0..).step_by(size).zip(rows.chunks_exact(size)) {
                let bounds = Bounds {
                    slope: &slope,
                    offset,
                    weight: &block.weights[start..],
                };
                // SAFETY: `Kernels::for_isa` hands out a table only where its instruction set is available.
                let tile = unsafe { (self.product.tile)(panel, rows, &bounds) };
                for (i, &passing) in (start..).zip(&tile[..size]) {
                    for column in ones(passing.into()) {
                        measured += self.measure(vectors, sketches, block, i, first + column);
                    }
                }
            }
        }
        for (id, distance) in block.ids.iter_mut().zip(&*block.distances) {
            *id = if distance.is_nan() { 0 } else { *id };
        }
        measured
    }

    /// Compares the `i`-th vector of the block with a candidate that may be nearer.
    fn measure(&self, vectors: Rows<'_>, sketches: &Sketches, block: &mut Block<'_>, i: usize, id: usize) -> usize {
        // NaN lets all pairs pass, those of fillers too.
        if i >= block.ids.len() || id >= self.candidates.len() || id == block.ids[i] as usize {
            return 0;
        }
        let vector = vectors.row(block.start + i);
        let distance = self.kernels.distance(self.metric, vector, self.candidates.row(id));
        let (least, nearest) = (block.distances[i], block.ids[i]);
        let is_first = least.is_nan() && !distance.is_nan();
        if distance < least || is_first || (distance == least && (id as u32) < nearest) {
            (block.ids[i], block.distances[i]) = (id as u32, distance);
            self.tighten(sketches, block, i);
        }
        1
    }

    /// Adapts what is asked of a product to the distance that the `i`-th vector of the block has reached.
    fn tighten(&self, sketches: &Sketches, block: &mut Block<'_>, i: usize) {
        block.weights[i] = self
            .margin
            .vector(sketches.squared_norms[block.start + i], block.distances[i]);
    }
}

impl fmt::Debug for NearestBySketch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NearestBySketch({} of {:?})", self.metric, self.candidates)
    }
}

/// Vectors that are compared with the candidates together.
struct Block<'a> {
    start: usize,
    ids: &'a mut [u32],
    distances: &'a mut [f32],
    weights: Vec<f32>,
}

impl Sketches {
    /// The sketches of all vectors.
    pub(crate) fn all(&self) -> Rows<'_> {
        Rows::new(&self.rows, self.dim).expect("whole rows")
    }

    /// The squared norm of a vector.
    pub(crate) fn squared_norm(&self, vector: usize) -> f32 {
        self.squared_norms[vector]
    }

    /// Nothing is known of this vector: digits were lost, or there never were any.
    pub(crate) fn distrust(&mut self, vector: usize) {
        self.rows[vector * self.dim..][..self.dim].fill(f32::NAN);
    }

    /// The sketches of `range`.
    fn rows(&self, range: Range<usize>) -> Rows<'_> {
        self.all().slice(range)
    }
}

/// An orthonormal basis of about the subspace in which `sample` is longest.
///
/// `None` as for [`Subspace::new`].
fn directions(kernels: &Kernels, sample: Rows<'_>, len: usize) -> Option<Vec<f32>> {
    let dim = sample.dim();
    if kernels.product.is_none() || len == 0 || 2 * len > dim || 2 * len > sample.len() {
        return None;
    }
    // Sums of all rows: a row that is there twice does no harm.
    let mut random = Random::new(SUMS_SEED);
    let weights: Vec<f32> = (0..sample.len() * len).map(|_| random.normal() as f32).collect();
    let mut basis = sums(kernels, sample, &weights, len)?;
    for _ in 0..ROUNDS {
        let coordinates = kernels.multiply(sample, Rows::new(&basis, dim)?)?;
        basis = sums(kernels, sample, &coordinates, len)?;
    }
    Some(basis)
}

/// The sums of all `rows`, each with its weight for each of `len` sums, made orthonormal.
fn sums(kernels: &Kernels, rows: Rows<'_>, weights: &[f32], len: usize) -> Option<Vec<f32>> {
    let everywhere: Vec<usize> = (0..rows.len()).collect();
    let mut sums = vec![0.0; len * rows.dim()];
    for (direction, to) in sums.chunks_exact_mut(rows.dim()).enumerate() {
        let weights: Vec<f32> = weights.iter().skip(direction).step_by(len).copied().collect();
        kernels.weighted_sum(rows, &everywhere, &weights, to);
    }
    orthonormal(Rows::new(&sums, rows.dim())?)
}

impl Kernels {
    /// The inner products of each of `rows` with each of `others`, a row for each row; `None` without a product.
    ///
    /// Components are multiplied and added in order within strips, and the strips in order, so the bits are the same
    /// on every instruction set that fuses.
    fn multiply(&self, rows: Rows<'_>, others: Rows<'_>) -> Option<Vec<f32>> {
        let product = self.product.as_ref()?;
        let (width, size, dim) = (product.queries, product.rows, rows.dim());
        let mut columns = vec![0.0; others.len().next_multiple_of(width) * dim];
        transpose(others, width, &mut columns);
        let mut products = vec![0.0; rows.len() * others.len()];
        let mut tile = vec![0.0; size * width];
        for start in (0..rows.len()).step_by(size) {
            let group: Vec<&[f32]> = (start..start + size).map(|i| rows.row(i.min(rows.len() - 1))).collect();
            for (first, panel) in (0..).step_by(width).zip(columns.chunks_exact(width * dim)) {
                tile.fill(0.0);
                for strip in (0..dim).step_by(STRIP) {
                    let strip = strip..dim.min(strip + STRIP);
                    let panel = &panel[strip.start * width..strip.end * width];
                    let group: Vec<&[f32]> = group.iter().map(|row| &row[strip.clone()]).collect();
                    // SAFETY: `Kernels::for_isa` hands out a table only where its instruction set is available.
                    unsafe { (product.multiply)(panel, &group, &mut tile) };
                }
                let used = first..others.len().min(first + width);
                let to = products.chunks_exact_mut(others.len()).skip(start);
                for (to, from) in to.zip(tile.chunks_exact(width)) {
                    to[used.clone()].copy_from_slice(&from[..used.len()]);
                }
            }
        }
        Some(products)
    }
}

/// The rows made orthogonal to each other and one long, in order (Gram and Schmidt, twice); `None` if one vanishes.
fn orthonormal(rows: Rows<'_>) -> Option<Vec<f32>> {
    let mut done: Vec<Vec<f64>> = Vec::new();
    for row in rows {
        let mut row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        for _ in 0..2 {
            for other in &done {
                let along = dot(&row, other);
                row.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
            }
            let length = dot(&row, &row).sqrt();
            // Also false for NaN.
            if !(length > 0.0 && length.is_finite()) {
                return None;
            }
            row.iter_mut().for_each(|x| *x /= length);
        }
        done.push(row);
    }
    Some(done.into_iter().flatten().map(|x| x as f32).collect())
}

/// The Frobenius norm of `B B^T - I`.
fn defect(basis: Rows<'_>) -> f64 {
    let rows: Vec<Vec<f64>> = basis
        .iter()
        .map(|row| row.iter().map(|&x| f64::from(x)).collect())
        .collect();
    let mut squares = 0.0;
    for (i, x) in rows.iter().enumerate() {
        for (j, y) in rows.iter().enumerate() {
            squares += (dot(x, y) - f64::from(u8::from(i == j))).powi(2);
        }
    }
    squares.sqrt()
}

/// The inner product, in 16 running totals.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut totals = [0.0; 16];
    for (x, y) in x.chunks(16).zip(y.chunks(16)) {
        for (total, (x, y)) in totals.iter_mut().zip(x.iter().zip(y)) {
            *total += x * y;
        }
    }
    totals.iter().sum()
}
