//! Assignments that begin with the previous one: few centroids come into question, and sketches say which.
//!
//! The answers are those of any other assignment, to the bit; whether sketches are worth their price is counted, not
//! timed, so that it is the same on every machine.

use anear_kernels::{Metric, NearestBySketch, Rows, Sketches, Subspace};
use anear_pool::Pool;

use crate::assign::{Assignment, STRETCH, nearest};
use crate::parallel;

/// Assigns the same vectors again and again.
pub(super) struct Assigner<'a> {
    vectors: Rows<'a>,
    metric: Metric,
    pool: Option<&'a Pool>,
    way: Way<'a>,
}

enum Way<'a> {
    Untried,
    Plain,
    Sketched(Sketched<'a>),
}

impl<'a> Assigner<'a> {
    pub(super) fn new(vectors: Rows<'a>, metric: Metric, pool: Option<&'a Pool>) -> Self {
        Self {
            vectors,
            metric,
            pool,
            way: Way::Untried,
        }
    }

    /// The nearest centroid of each vector. `last` is the assignment before, empty at first; `times` more are to come,
    /// this one included.
    pub(super) fn assign(&mut self, centroids: Rows<'_>, last: &[u32], times: usize) -> Assignment {
        if matches!(self.way, Way::Untried) && !last.is_empty() {
            let sketched = Sketched::new(self.vectors, self.metric, centroids, last, times, self.pool);
            self.way = sketched.map_or(Way::Plain, Way::Sketched);
        }
        if let Way::Sketched(sketched) = &self.way
            && let Some((assignment, pays)) = sketched.nearest(centroids, last)
        {
            if !pays {
                self.way = Way::Plain;
            }
            return assignment;
        }
        nearest(self.vectors, centroids, self.metric, self.pool)
    }
}

/// Vectors and their sketches.
struct Sketched<'a> {
    vectors: Rows<'a>,
    metric: Metric,
    subspace: Subspace,
    /// Of each stretch of vectors.
    sketches: Vec<Sketches>,
    pool: Option<&'a Pool>,
}

// Vectors from which the subspace is learned.
const SAMPLE: usize = 2048;

// Directions of the subspace: a twelfth of the components. For Fashion-MNIST, 64 and 98 of 784 were as good, 32 and 130
// a fifth slower (bench `kmeans_vs_faiss`). Fewer than 16 save little of the time of a tile.
fn directions(dim: usize) -> usize {
    (dim / 12).max(16)
}

impl<'a> Sketched<'a> {
    /// Sketches `vectors`, to be assigned `times` more times; `guesses` are their nearest `centroids` so far.
    ///
    /// `None` where it would not be worth it.
    fn new(
        vectors: Rows<'a>,
        metric: Metric,
        centroids: Rows<'_>,
        guesses: &[u32],
        times: usize,
        pool: Option<&'a Pool>,
    ) -> Option<Self> {
        let len = directions(vectors.dim());
        let step = vectors.len().div_ceil(SAMPLE);
        // In products of two vectors: what sketches cost at first, and what they save at best.
        let learning = 4 * len * vectors.len().div_ceil(step) + len * vectors.len();
        let saved = centroids.len() as f64 - cost(vectors.dim(), centroids.len(), 2.0);
        if saved * ((vectors.len() * times) as f64) < 2.0 * learning as f64 {
            return None;
        }
        let sample: Vec<f32> = vectors.iter().step_by(step).flatten().copied().collect();
        let subspace = Subspace::new(Rows::new(&sample, vectors.dim())?, len)?;
        let mut sketched = Self {
            vectors,
            metric,
            subspace,
            sketches: Vec::new(),
            pool,
        };
        sketched.is_worth_it(centroids, guesses).then(|| {
            sketched.sketches = parallel::stretches(pool, vectors.len(), STRETCH, |stretch| {
                sketched.subspace.sketch(vectors.slice(stretch))
            });
            sketched
        })
    }

    /// Tries the stretch in the middle.
    fn is_worth_it(&self, centroids: Rows<'_>, guesses: &[u32]) -> bool {
        let start = self.vectors.len() / STRETCH / 2 * STRETCH;
        let trial = start..self.vectors.len().min(start + STRETCH);
        let vectors = self.vectors.slice(trial.clone());
        let Some(nearest) = NearestBySketch::new(self.metric, centroids, &self.subspace) else {
            return false;
        };
        let (mut ids, mut distances) = (guesses[trial].to_vec(), vec![0.0; vectors.len()]);
        let measured = nearest.improve(vectors, &self.subspace.sketch(vectors), &mut ids, &mut distances);
        self.pays(centroids.len(), measured, vectors.len())
    }

    fn pays(&self, k: usize, measured: usize, vectors: usize) -> bool {
        cost(self.vectors.dim(), k, measured as f64 / vectors as f64) < 0.9 * k as f64
    }

    /// The nearest centroid of each vector, and whether it came cheaper than without sketches.
    fn nearest(&self, centroids: Rows<'_>, guesses: &[u32]) -> Option<(Assignment, bool)> {
        let nearest = NearestBySketch::new(self.metric, centroids, &self.subspace)?;
        let parts = parallel::stretches(self.pool, self.vectors.len(), STRETCH, |stretch| {
            let mut ids = guesses[stretch.clone()].to_vec();
            let mut distances = vec![0.0; ids.len()];
            let sketches = &self.sketches[stretch.start / STRETCH];
            let measured = nearest.improve(self.vectors.slice(stretch), sketches, &mut ids, &mut distances);
            (measured, (ids, distances))
        });
        let (measured, parts): (Vec<usize>, Vec<_>) = parts.into_iter().unzip();
        let (ids, distances): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let assignment = Assignment {
            ids: ids.concat(),
            distances: distances.concat(),
        };
        let pays = self.pays(centroids.len(), measured.iter().sum(), self.vectors.len());
        Some((assignment, pays))
    }
}

/// What the assignment of a vector costs with sketches, in products of a tile, of which it costs `k` without.
///
/// A pair that is measured costs 4 of them, and what 1280 of their components cost (AVX-512, perf of Fashion-MNIST).
fn cost(dim: usize, k: usize, measured: f64) -> f64 {
    let sketch = (directions(dim) + 1) as f64 / dim as f64;
    k as f64 * sketch + measured * (4.0 + 1280.0 / dim as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn sketches_are_used_for_vectors_near_a_subspace_and_not_for_noise() {
        let (n, dim, k) = (3000, 128, 64);
        let mut random = stream(1, 0);
        let mut floats = |n: usize| -> Vec<f32> { (0..n).map(|_| random.unit() as f32 - 0.5).collect() };
        let directions = floats(4 * dim);
        for (noise, is_sketched) in [(0.05, true), (10.0, false)] {
            let mut data: Vec<f32> = floats(n * dim).iter().map(|x| noise * x).collect();
            for row in data.chunks_exact_mut(dim) {
                for (along, direction) in floats(4).into_iter().zip(directions.chunks_exact(dim)) {
                    row.iter_mut().zip(direction).for_each(|(x, d)| *x += along * d);
                }
            }
            let vectors = Rows::new(&data, dim).unwrap();
            let centroids = vectors.slice(0..k);
            let mut assigner = Assigner::new(vectors, Metric::L2, None);
            let first = assigner.assign(centroids, &[], 10);
            assert_eq!(assigner.assign(centroids, &first.ids, 9), first);
            assert_eq!(matches!(assigner.way, Way::Sketched(_)), is_sketched, "noise {noise}");
        }
    }
}
