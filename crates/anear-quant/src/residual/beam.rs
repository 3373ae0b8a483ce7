//! Encoding by beam search: of all ways to choose from the codebooks so far, the best few are kept.
//!
//! Many vectors go together: a codebook is compared with what all their ways leave in one product of matrices.

use anear_kernels::{Neighbor, Rows, TopK};

use super::{Residual, squared_norm};

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
        let book = &self.residual.books[stage];
        let len = book.norms.len();
        let rests = Rows::new(&self.paths.rests, self.residual.dim).expect("whole vectors");
        self.products.resize(rests.len() * len, 0.0);
        book.matrix.multiply(rests, &mut self.products);
        self.extended.clear();
        for ways in self.paths.starts.windows(2) {
            let mut top = TopK::new(self.residual.params.beam);
            for way in ways[0]..ways[1] {
                let distances = &mut self.products[way * len..][..len];
                let norm = squared_norm(rests.row(way));
                for (distance, entry) in distances.iter_mut().zip(&book.norms) {
                    *distance = norm + (entry - 2.0 * *distance);
                }
                offer(&mut top, (way * len) as u64, distances);
            }
            let mut kept = top.into_sorted();
            if kept.is_empty() {
                // What has no distance to anything (NaN) is encoded as something nevertheless.
                let id = (ways[0] * len) as u64;
                kept.push(Neighbor { id, distance: 0.0 });
            }
            for kept in kept {
                let (way, number) = (kept.id as usize / len, kept.id as usize % len);
                let entry = self.residual.params.entries_of(stage).start + number;
                let entry = self.residual.entries().row(entry);
                self.extended
                    .numbers
                    .extend(&self.paths.numbers[way * stage..][..stage]);
                self.extended.numbers.push(number as u32);
                let rest = rests.row(way).iter().zip(entry);
                self.extended.rests.extend(rest.map(|(x, y)| x - y));
            }
            self.extended.starts.push(self.extended.numbers.len() / (stage + 1));
        }
        std::mem::swap(&mut self.paths, &mut self.extended);
    }
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
