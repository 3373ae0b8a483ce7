//! The first centroids: random vectors, k-means++, or an approximation of it.

use anear_kernels::{Metric, Random, Rows};
use anear_pool::Pool;

use crate::assign::nearest;
use crate::parallel;
use crate::params::Init;
use crate::random::Lottery;

/// What centroids are chosen from.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) vectors: Rows<'a>,
    pub(crate) weights: Option<&'a [f32]>,
    pub(crate) pool: Option<&'a Pool>,
}

impl Choice<'_> {
    /// `centroids`, completed to `k` rows.
    pub(crate) fn complete(&self, k: usize, init: Init, mut centroids: Vec<f32>, random: &mut Random) -> Vec<f32> {
        let missing = k - centroids.len() / self.vectors.dim();
        match init {
            _ if missing == 0 => {}
            Init::Random => self.add_random(missing, &mut centroids, random),
            Init::PlusPlus => self.add_far(missing, &mut centroids, random),
            Init::AfkMc2 { chain_length } => self.add_by_chains(missing, chain_length, &mut centroids, random),
        }
        centroids
    }

    fn add_random(&self, count: usize, centroids: &mut Vec<f32>, random: &mut Random) {
        for i in random.sample(self.vectors.len(), count) {
            centroids.extend_from_slice(self.vectors.row(i));
        }
    }

    /// k-means++: each with a probability in proportion to its squared distance from those chosen before.
    fn add_far(&self, count: usize, centroids: &mut Vec<f32>, random: &mut Random) {
        let end = centroids.len() + count * self.vectors.dim();
        if centroids.is_empty() {
            self.add_random(1, centroids, random);
        }
        let mut squares = self.squares(self.vectors, centroids);
        while centroids.len() < end {
            let centroid = self.vectors.row(self.draw(&squares, random));
            centroids.extend_from_slice(centroid);
            self.shrink(&mut squares, centroid);
        }
    }

    /// AFK-MC², Algorithm 1. All chains draw from one distribution, so what a chain will meet is measured at once.
    fn add_by_chains(&self, count: usize, chain_length: usize, centroids: &mut Vec<f32>, random: &mut Random) {
        let end = centroids.len() + count * self.vectors.dim();
        if centroids.is_empty() {
            self.add_random(1, centroids, random);
        }
        let squares = self.squares(self.vectors, centroids);
        let chances = self.proposals(&squares);
        let Some(lottery) = Lottery::new(chances.iter().copied()) else {
            return self.add_random((end - centroids.len()) / self.vectors.dim(), centroids, random);
        };
        while centroids.len() < end {
            let chain: Vec<usize> = (0..chain_length).map(|_| lottery.draw(random)).collect();
            let met: Vec<f32> = chain.iter().flat_map(|&i| self.vectors.row(i)).copied().collect();
            let met = self.squares(self.rows(&met), centroids);
            let odds = |step: usize| f64::from(met[step]) * self.weight(chain[step]) / chances[chain[step]];
            let chosen = (1..chain_length).fold(0, |at, step| {
                let moves = random.unit() * odds(at) < odds(step);
                if moves { step } else { at }
            });
            centroids.extend_from_slice(self.vectors.row(chain[chosen]));
        }
    }

    /// Half in proportion to the squared distance from the first centroids, half to the weight.
    fn proposals(&self, squares: &[f32]) -> Vec<f64> {
        let far = |(i, &square): (usize, &f32)| self.weight(i) * f64::from(square);
        let total_far: f64 = squares.iter().enumerate().map(far).sum();
        let total: f64 = (0..squares.len()).map(|i| self.weight(i)).sum();
        let share = |of: f64, total: f64| if total > 0.0 { of / total } else { 0.0 };
        squares
            .iter()
            .enumerate()
            .map(|(i, square)| share(far((i, square)), total_far) + share(self.weight(i), total))
            .collect()
    }

    /// A vector, with a probability in proportion to its square; any vector if all squares are zero.
    fn draw(&self, squares: &[f32], random: &mut Random) -> usize {
        let shares = squares.iter().enumerate();
        let shares = shares.map(|(i, &square)| self.weight(i) * f64::from(square));
        match Lottery::new(shares) {
            Some(lottery) => lottery.draw(random),
            None => random.below(squares.len()),
        }
    }

    /// The squared distance of each vector to the nearest centroid.
    fn squares(&self, vectors: Rows<'_>, centroids: &[f32]) -> Vec<f32> {
        nearest(vectors, self.rows(centroids), Metric::L2, self.pool).distances
    }

    /// Takes one more centroid into account.
    fn shrink(&self, squares: &mut Vec<f32>, centroid: &[f32]) {
        let parts = parallel::stretches(self.pool, squares.len(), STRETCH, |stretch| {
            let vectors = self.vectors.slice(stretch.clone());
            let closer = |(vector, &square): (&[f32], &f32)| square.min(Metric::L2.distance(centroid, vector));
            vectors.iter().zip(&squares[stretch]).map(closer).collect::<Vec<_>>()
        });
        *squares = parts.concat();
    }

    fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0, |weights| f64::from(weights[i]))
    }

    fn rows<'c>(&self, components: &'c [f32]) -> Rows<'c> {
        Rows::new(components, self.vectors.dim()).expect("whole rows")
    }
}

// Vectors of one task.
const STRETCH: usize = 4096;
