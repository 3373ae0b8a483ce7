//! Encoding by beam search: of all ways to choose from the codebooks so far, the best few are kept.
//!
//! Many vectors go together: a codebook is compared with what all their ways leave in one product of matrices.

use std::ops::Range;

use anear_kernels::{Neighbor, Rows, TopK};

use super::{Book, Residual, squared_norm};

/// Numbers of a product: a megabyte, which stays in the cache.
const PRODUCTS: usize = 1 << 18;

/// The best ways to encode some vectors, and the room to find them in.
pub(super) struct Beam<'a> {
    residual: &'a Residual,
    paths: Paths,
    extended: Paths,
    products: Vec<f32>,
}

/// Ways: those of the first vector, then those of the second, of each the best first.
#[derive(Default)]
struct Paths {
    /// Where those of each vector begin, and at last where they end.
    starts: Vec<usize>,
    /// What was chosen from each codebook, way after way.
    numbers: Vec<u32>,
    /// What is left of the vector, way after way.
    rests: Vec<f32>,
}

impl<'a> Beam<'a> {
    pub(super) fn new(residual: &'a Residual) -> Self {
        Self {
            residual,
            paths: Paths::default(),
            extended: Paths::default(),
            products: Vec::new(),
        }
    }

    /// How many vectors go together best.
    fn together(&self) -> usize {
        let params = &self.residual.params;
        let widest = 1 << params.nbits.iter().max().expect("checked: at least one codebook");
        (PRODUCTS / (params.beam * widest)).max(1)
    }

    /// Calls `visit` with the numbers of the best way that was found for each vector, and with what it leaves of it.
    pub(super) fn encode(&mut self, vectors: Rows<'_>, mut visit: impl FnMut(&[u32], &[f32])) {
        let (stages, together) = (self.residual.params.nbits.len(), self.together());
        for first in (0..vectors.len()).step_by(together) {
            self.begin(vectors.slice(first..vectors.len().min(first + together)));
            (0..stages).for_each(|stage| self.extend(stage));
            let Paths { starts, numbers, rests } = &self.paths;
            for best in &starts[..starts.len() - 1] {
                visit(
                    &numbers[best * stages..][..stages],
                    &rests[best * vectors.dim()..][..vectors.dim()],
                );
            }
        }
    }

    /// One way for each vector, which has chosen nothing.
    fn begin(&mut self, vectors: Rows<'_>) {
        self.paths.clear();
        self.paths.starts.extend(1..=vectors.len());
        self.paths.rests.extend_from_slice(vectors.as_slice());
    }

    /// Extends each way by each entry of a codebook and keeps the best of each vector.
    fn extend(&mut self, stage: usize) {
        let Self {
            residual,
            paths,
            extended,
            products,
        } = self;
        let (book, entries) = (&residual.books[stage], residual.params.entries_of(stage));
        let entries = residual.entries().slice(entries);
        let rests = Rows::new(&paths.rests, residual.dim).expect("whole vectors");
        products.resize(rests.len() * entries.len(), 0.0);
        book.matrix.multiply(rests, products);
        extended.clear();
        for ways in paths.starts.windows(2) {
            for (way, number) in best(book, rests, ways[0]..ways[1], products, residual.params.beam) {
                extended.numbers.extend(&paths.numbers[way * stage..][..stage]);
                extended.numbers.push(number as u32);
                let rest = rests.row(way).iter().zip(entries.row(number));
                extended.rests.extend(rest.map(|(x, y)| x - y));
            }
            extended.starts.push(extended.numbers.len() / (stage + 1));
        }
        std::mem::swap(paths, extended);
    }
}

/// The best of these ways with an entry behind each: the way and the number of the entry. `products` are those of what all
/// ways leave with all entries.
fn best(
    book: &Book,
    rests: Rows<'_>,
    ways: Range<usize>,
    products: &mut [f32],
    beam: usize,
) -> impl Iterator<Item = (usize, usize)> {
    let len = book.norms.len();
    // What has no distance to anything (NaN) is encoded as something nevertheless.
    let anything = Neighbor {
        id: (ways.start * len) as u64,
        distance: 0.0,
    };
    let mut top = TopK::new(beam);
    for way in ways {
        let distances = &mut products[way * len..][..len];
        let norm = squared_norm(rests.row(way));
        for (distance, entry) in distances.iter_mut().zip(&book.norms) {
            *distance = norm + (entry - 2.0 * *distance);
        }
        offer(&mut top, (way * len) as u64, distances);
    }
    if top.is_empty() {
        top.push(anything);
    }
    let kept = top.into_sorted().into_iter();
    kept.map(move |kept| (kept.id as usize / len, kept.id as usize % len))
}

impl Paths {
    fn clear(&mut self) {
        self.starts.clear();
        self.starts.push(0);
        self.numbers.clear();
        self.rests.clear();
    }
}

/// Offers distances that belong to ascending ids; hardly any eight have one that is small enough.
fn offer(top: &mut TopK, first_id: u64, distances: &[f32]) {
    for (first, distances) in (first_id..).step_by(8).zip(distances.chunks(8)) {
        let threshold = top.threshold();
        if distances
            .iter()
            .fold(false, |any, &distance| any | (distance <= threshold))
        {
            for (id, &distance) in (first..).zip(distances) {
                top.push(Neighbor { id, distance });
            }
        }
    }
}
