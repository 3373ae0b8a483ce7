//! The nearest of some candidates, for each of many vectors: a register-tiled product fused with the search for its
//! minimum.
//!
//! The candidates are transposed into panels once; the vectors stay as they are. Each vector keeps, per lane, the
//! smallest value, where it was, and the second smallest. If the two smallest of all are further apart than rounding
//! explains (`bounds.rs`), the winner is certain; else the canonical distances decide.

use std::fmt;

use crate::{
    bounds::Margin,
    isa::simd::Fused,
    kernels::Kernels,
    metric::Metric,
    product::{self, Product},
    rows::Rows,
    select::{Neighbor, TopK},
    selector::IdSelector,
};

/// Candidates, prepared to be compared with many vectors of which each wants its nearest one.
///
/// The answers are those of [`scan`](crate::scan) for `k = 1`, to the bit: the smallest distance, ties by the smallest
/// position. Only L2, inner product and cosine have a product form; others gain nothing.
///
/// ```
/// use anear_kernels::{Metric, Nearest, Rows};
///
/// let centroids = Rows::new(&[0.0, 0.0, 10.0, 0.0], 2).expect("two rows");
/// let vectors = Rows::new(&[9.0, 1.0, 1.0, 1.0, 5.0, 0.0], 2).expect("three rows");
/// let (mut ids, mut distances) = ([0; 3], [0.0; 3]);
/// Nearest::new(Metric::L2, centroids).find(vectors, &mut ids, &mut distances);
/// assert_eq!(ids, [1, 0, 0]);
/// assert_eq!(distances, [2.0, 2.0, 25.0]);
/// ```
pub struct Nearest<'a> {
    kernels: &'static Kernels,
    metric: Metric,
    candidates: Rows<'a>,
    panels: Option<Panels>,
}

// Vectors that are compared with one panel after the other stay in L2 beside it. Reasoned, not tuned.
const BLOCK_BYTES: usize = 256 << 10;

// The minima of more vectors than this outgrow a share of L1 where the vectors are short.
const BLOCK_LEN: usize = 96;

// Undecided vectors that are gathered to be decided together.
const UNDECIDED_LEN: usize = 1024;

impl<'a> Nearest<'a> {
    /// Transposes the candidates; worth it from a few vectors on.
    ///
    /// # Panics
    /// If there are more than `u32::MAX` candidates.
    pub fn new(metric: Metric, candidates: Rows<'a>) -> Self {
        Self::on(Kernels::get(), metric, candidates)
    }

    /// As [`new`](Self::new), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn on(kernels: &'static Kernels, metric: Metric, candidates: Rows<'a>) -> Self {
        assert!(u32::try_from(candidates.len()).is_ok(), "positions are 32 bits");
        Self {
            kernels,
            metric,
            candidates,
            panels: Panels::new(kernels, metric, candidates),
        }
    }

    /// Writes which candidate is nearest to each vector, and its canonical distance.
    ///
    /// A vector that has no distance to any (NaN) gets candidate 0 and the distance NaN.
    ///
    /// # Panics
    /// If a length does not fit, or there is no candidate.
    pub fn find(&self, vectors: Rows<'_>, ids: &mut [u32], distances: &mut [f32]) {
        assert!(!self.candidates.is_empty(), "somebody has to be nearest");
        assert!(
            ids.len() == vectors.len() && distances.len() == vectors.len(),
            "one place per vector"
        );
        assert_eq!(
            vectors.dim(),
            self.candidates.dim(),
            "the vectors must have the dimension of the candidates"
        );
        ids.fill(0);
        distances.fill(f32::NAN);
        let undecided = match &self.panels {
            Some(panels) => self.find_by_product(panels, vectors, ids, distances),
            None => (0..vectors.len()).collect(),
        };
        for undecided in undecided.chunks(UNDECIDED_LEN) {
            self.decide(undecided, vectors, ids, distances);
        }
    }

    /// Returns the positions of the vectors whose nearest candidate is not certain.
    fn find_by_product(
        &self,
        panels: &Panels,
        vectors: Rows<'_>,
        ids: &mut [u32],
        distances: &mut [f32],
    ) -> Vec<usize> {
        let mut undecided = Vec::new();
        let size = panels.product.rows;
        let fitting = (BLOCK_BYTES / (vectors.dim() * size_of::<f32>())).clamp(1, BLOCK_LEN);
        let len = fitting.next_multiple_of(size);
        let mut minima = vec![0.0; len * panels.minimum_len()];
        let mut folded = vec![Minimum::default(); len];
        for start in (0..vectors.len()).step_by(len) {
            let block = vectors.slice(start..vectors.len().min(start + len));
            panels.compare(block, &mut minima);
            // SAFETY: `Kernels::for_isa` hands out a table only where its instruction set is available.
            unsafe { (panels.product.fold)(&mut minima, &mut folded) };
            let places = ids[start..].iter_mut().zip(&mut distances[start..]);
            for (i, ((vector, minimum), (id, distance))) in block.iter().zip(&folded).zip(places).enumerate() {
                *id = minimum.id;
                *distance = self.distance(vector, minimum.id);
                let gap = panels.margin.gap(self.kernels.squared_norm(vector), panels.largest);
                let certain = minimum.second - minimum.best > gap;
                if !certain {
                    undecided.push(start + i);
                }
            }
        }
        undecided
    }

    /// Decides by canonical distances; what was found so far is a first bound.
    fn decide(&self, undecided: &[usize], vectors: Rows<'_>, ids: &mut [u32], distances: &mut [f32]) {
        let gathered: Vec<f32> = undecided.iter().flat_map(|&i| vectors.row(i)).copied().collect();
        let gathered = Rows::new(&gathered, vectors.dim()).expect("whole rows");
        let bound = |&i: &usize| {
            let mut top = TopK::new(1);
            top.push(Neighbor {
                id: ids[i].into(),
                distance: distances[i],
            });
            top
        };
        let mut tops: Vec<TopK> = undecided.iter().map(bound).collect();
        let all = IdSelector::All;
        self.kernels
            .scan_batch(self.metric, gathered, self.candidates, 0, &all, &mut tops);
        for (&i, top) in undecided.iter().zip(tops) {
            let nearest = top.into_sorted().first().copied();
            (ids[i], distances[i]) = nearest.map_or((0, f32::NAN), |nearest| (nearest.id as u32, nearest.distance));
        }
    }

    fn distance(&self, vector: &[f32], id: u32) -> f32 {
        self.kernels
            .distance(self.metric, vector, self.candidates.row(id as usize))
    }
}

impl fmt::Debug for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nearest({} of {:?})", self.metric, self.candidates)
    }
}

/// The candidates transposed, as many in a panel as a tile is wide.
struct Panels {
    product: &'static Product,
    margin: Margin,
    /// The largest squared norm of a candidate; NaN if one is.
    largest: f32,
    /// Begins at `start`, on a cache line.
    columns: Vec<f32>,
    start: usize,
    weights: Vec<f32>,
}

// Positions are kept in floats beside the minima; these are exact.
const POSITIONS_MAX: usize = 1 << 24;

/// A cache line, in floats.
const LINE: usize = 16;

impl Panels {
    /// `None` where the metric or the instruction set has no product.
    fn new(kernels: &'static Kernels, metric: Metric, candidates: Rows<'_>) -> Option<Self> {
        let product = kernels.product.as_ref()?;
        let margin = Margin::new(metric, candidates.dim()).filter(|_| metric != Metric::Cosine)?;
        if candidates.len() > POSITIONS_MAX {
            return None;
        }
        let len = candidates.len().next_multiple_of(product.queries);
        let mut columns = vec![0.0; len * candidates.dim() + LINE];
        let start = columns.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        // The columns that fill the last panel are never the smallest.
        let mut weights = vec![f32::INFINITY; len];
        let mut largest: f32 = 0.0;
        for (i, candidate) in candidates.iter().enumerate() {
            let squared_norm = kernels.squared_norm(candidate);
            let is_larger = squared_norm > largest || squared_norm.is_nan();
            largest = if is_larger { squared_norm } else { largest };
            weights[i] = if metric == Metric::L2 { squared_norm / 2.0 } else { 0.0 };
        }
        transpose(candidates, product.queries, &mut columns[start..]);
        Some(Self {
            product,
            margin,
            largest,
            columns,
            start,
            weights,
        })
    }

    /// Floats of the running minimum of a vector.
    fn minimum_len(&self) -> usize {
        3 * self.product.lanes
    }

    /// Finds the minimum of every vector of the block over all panels.
    fn compare(&self, block: Rows<'_>, minima: &mut [f32]) {
        let (width, size) = (self.product.queries, self.product.rows);
        let lanes = self.product.lanes;
        for minimum in minima.chunks_exact_mut(3 * lanes) {
            minimum[..2 * lanes].fill(f32::INFINITY);
            minimum[2 * lanes..].fill(0.0);
        }
        // The last rows of the last tile repeat; nobody looks at their minima.
        let last = block.len().saturating_sub(1);
        let rows: Vec<&[f32]> = (0..block.len().next_multiple_of(size))
            .map(|i| block.row(i.min(last)))
            .collect();
        let panels = self.columns[self.start..].chunks_exact(width * block.dim());
        for (number, (panel, weights)) in panels.zip(self.weights.chunks_exact(width)).enumerate() {
            let columns = Columns { panel, weights, number };
            let minima = minima.chunks_exact_mut(size * 3 * lanes);
            for (rows, minima) in rows.chunks_exact(size).zip(minima) {
                // SAFETY: `Kernels::for_isa` hands out a table only where its instruction set is available.
                unsafe { (self.product.nearest)(&columns, rows, minima) };
            }
        }
    }
}

/// Component 0 of the first `width` rows, then component 1, and so on; then the next `width` rows.
pub(crate) fn transpose(rows: Rows<'_>, width: usize, columns: &mut [f32]) {
    let panels = columns.chunks_exact_mut(width * rows.dim());
    for (panel, start) in panels.zip((0..rows.len()).step_by(width)) {
        for (q, row) in rows.slice(start..rows.len().min(start + width)).iter().enumerate() {
            for (column, &component) in panel.chunks_exact_mut(width).zip(row) {
                column[q] = component;
            }
        }
    }
}

/// A panel of candidates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns<'a> {
    /// As a [`Product`] wants it.
    pub(crate) panel: &'a [f32],
    /// What the product is subtracted from, one per candidate.
    pub(crate) weights: &'a [f32],
    /// How many panels are before it.
    pub(crate) number: usize,
}

/// Adds `W` registers of candidates to the minima of `R` rows: each `LANES` smallest values, `LANES` second smallest,
/// and the number of the register that each smallest was in.
#[inline(always)]
pub(crate) fn tile<S: Fused, const W: usize, const R: usize>(
    simd: S,
    columns: &Columns<'_>,
    rows: &[&[f32]],
    minima: &mut [f32],
) {
    let products = product::products::<S, W, R>(simd, columns.panel, rows);
    for (products, minimum) in products.iter().zip(minima.chunks_exact_mut(3 * S::LANES)) {
        let (best_to, rest) = minimum.split_at_mut(S::LANES);
        let (second_to, number_to) = rest.split_at_mut(S::LANES);
        let (mut best, mut second) = (simd.load(best_to), simd.load(second_to));
        let mut number = simd.load(number_to);
        for (w, &product) in products.iter().enumerate() {
            let value = simd.sub(simd.load(&columns.weights[w * S::LANES..]), product);
            let here = simd.splat((columns.number * W + w) as f32);
            number = simd.if_less(value, best, here, number);
            second = simd.min(second, simd.max(value, best));
            best = simd.min(value, best);
        }
        simd.store(best, best_to);
        simd.store(second, second_to);
        simd.store(number, number_to);
    }
}

/// The two smallest values of a vector, and which candidate the smallest belongs to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Minimum {
    best: f32,
    second: f32,
    id: u32,
}

/// Folds the lanes of the running minima, one after the other, into `out`. Destroys the lanes.
#[inline(always)]
pub(crate) fn fold<S: Fused>(minima: &mut [f32], out: &mut [Minimum]) {
    for (lanes, out) in minima.chunks_exact_mut(3 * S::LANES).zip(out) {
        *out = fold_one::<S>(lanes);
    }
}

/// Folds the upper half of the lanes onto the lower until one is left.
#[inline(always)]
fn fold_one<S: Fused>(lanes: &mut [f32]) -> Minimum {
    let (best, rest) = lanes.split_at_mut(S::LANES);
    let (second, id) = rest.split_at_mut(S::LANES);
    for (lane, id) in id.iter_mut().enumerate() {
        *id = *id * S::LANES as f32 + lane as f32;
    }
    let mut half = S::LANES / 2;
    while half > 0 {
        for i in 0..half {
            let (a, b) = (best[i], best[i + half]);
            id[i] = if b < a { id[i + half] } else { id[i] };
            second[i] = smaller(smaller(second[i], second[i + half]), if a < b { b } else { a });
            best[i] = smaller(a, b);
        }
        half /= 2;
    }
    Minimum {
        best: best[0],
        second: second[0],
        id: id[0] as u32,
    }
}

#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
