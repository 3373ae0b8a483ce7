//! Optimized product quantization (Faiss: `OPQMatrix`).

use anear_kernels::{self as kernels, Random, Rows};
use anear_pool::Pool;

use super::pca::{check_finite, subsample};
use super::{Linear, Transform, TransformSpec, algebra};
use crate::{Error, Result, Training};

/// Rounds of codebooks and rotation, as in Faiss.
const ROUNDS: usize = 50;

/// Vectors that are learned from at most: 256 per centroid, as in Faiss.
const SAMPLE: usize = 256 * 256;

/// Rounds of k-means in the first round, and in those that follow, as in Faiss.
const FIRST_ITERATIONS: usize = 40;
const ITERATIONS: usize = 4;

/// The rotation with which a product quantizer of `m` parts and 8 bits loses least, found by turns: codebooks for
/// rotated vectors, then the rotation that brings the vectors closest to what the codes stand for (Ge, He, Ke & Sun,
/// *Optimized product quantization*, 2013, the non-parametric form).
pub(super) fn train(spec: TransformSpec, m: usize, sample: Rows<'_>, training: &Training<'_>) -> Result<Linear> {
    let (dim_in, dim_out) = (sample.dim(), spec.dim_out(sample.dim()));
    if m == 0 || !dim_out.is_multiple_of(m) {
        return Err(Error::Parameters(format!(
            "`{spec}` needs a dimension that {m} divides, not {dim_out}: ask for `OPQ{m}_{}`",
            dim_out.next_multiple_of(m.max(1))
        )));
    }
    if sample.is_empty() {
        return Err(Error::TooFewTrainingVectors {
            what: spec.to_string(),
            needed: 1,
            got: 0,
        });
    }
    let mut random = Random::new(training.seed);
    let sample = subsample(sample, SAMPLE, &mut random);
    let sample = Rows::new(&sample, dim_in).expect("whole vectors");
    let centered = algebra::centered(sample, &algebra::mean(sample));
    let vectors = Rows::new(&centered, dim_in).expect("whole vectors");

    let larger = algebra::random_rotation(dim_in.max(dim_out), &mut random, training.pool);
    let mut rotation = larger.corner(dim_out, dim_in);
    let mut books = Codebooks {
        m,
        centroids: Vec::new(),
    };
    let mut rotated = Vec::new();
    for round in 0..ROUNDS {
        rotated.clear();
        Linear::trained(spec, dim_in, rotation.to_f32(), Vec::new())?.apply(vectors, &mut rotated);
        let iterations = if round == 0 { FIRST_ITERATIONS } else { ITERATIONS };
        let images = Rows::new(&rotated, dim_out).expect("as many");
        let decoded = books.refine(images, iterations, &mut random, training.pool);
        let decoded = Rows::new(&decoded, dim_out).expect("as many");
        let products = algebra::cross_product(decoded, vectors, training.pool);
        check_finite(&spec, &products)?;
        rotation = algebra::nearest_orthonormal(&products, training.pool);
    }
    Linear::trained(spec, dim_in, rotation.to_f32(), Vec::new())
}

/// Centroids of a part of the vectors; 256 of them fit a byte.
const CENTROIDS: usize = 256;

/// The codebooks of a product quantizer that is thrown away once the rotation is found.
struct Codebooks {
    m: usize,
    /// One list per part; empty at first.
    centroids: Vec<Vec<f32>>,
}

impl Codebooks {
    /// Some rounds of Lloyd's k-means from where the last ones ended, and what the vectors decode to then.
    fn refine(&mut self, vectors: Rows<'_>, iterations: usize, random: &mut Random, pool: Option<&Pool>) -> Vec<f32> {
        let width = vectors.dim() / self.m;
        let parts: Vec<Vec<f32>> = (0..self.m).map(|part| columns(vectors, part * width, width)).collect();
        if self.centroids.is_empty() {
            let chosen = random.sorted_sample(vectors.len(), CENTROIDS);
            let start = |part: &Vec<f32>| {
                chosen
                    .iter()
                    .flat_map(|i| &part[i * width..][..width])
                    .copied()
                    .collect()
            };
            self.centroids = parts.iter().map(start).collect();
        }
        let refined = |part: usize| lloyd(&parts[part], width, self.centroids[part].clone(), iterations);
        let refined = match pool {
            Some(pool) => pool.map(self.m, refined),
            None => (0..self.m).map(refined).collect(),
        };
        let mut decoded = vec![0.0; vectors.as_slice().len()];
        self.centroids.clear();
        for (part, (centroids, nearest)) in refined.into_iter().enumerate() {
            for (out, nearest) in decoded.chunks_exact_mut(vectors.dim()).zip(nearest) {
                out[part * width..][..width].copy_from_slice(&centroids[nearest as usize * width..][..width]);
            }
            self.centroids.push(centroids);
        }
        decoded
    }
}

fn columns(vectors: Rows<'_>, start: usize, width: usize) -> Vec<f32> {
    vectors
        .iter()
        .flat_map(|vector| &vector[start..start + width])
        .copied()
        .collect()
}

/// `centroids` after some rounds of k-means, and the nearest of them to each vector. A centroid that nothing is nearest
/// to stays where it is.
fn lloyd(vectors: &[f32], width: usize, mut centroids: Vec<f32>, iterations: usize) -> (Vec<f32>, Vec<u32>) {
    for _ in 0..iterations {
        let nearest = nearest(vectors, width, &centroids);
        let count = centroids.len() / width;
        let (mut sums, mut sizes) = (vec![0.0_f64; centroids.len()], vec![0_u32; count]);
        for (vector, nearest) in vectors.chunks_exact(width).zip(nearest) {
            sizes[nearest as usize] += 1;
            let sum = &mut sums[nearest as usize * width..][..width];
            sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        for (i, size) in sizes.iter().enumerate().filter(|(_, size)| **size > 0) {
            let centroid = &mut centroids[i * width..][..width];
            let sum = &sums[i * width..][..width];
            centroid
                .iter_mut()
                .zip(sum)
                .for_each(|(c, sum)| *c = (sum / f64::from(*size)) as f32);
        }
    }
    let nearest = nearest(vectors, width, &centroids);
    (centroids, nearest)
}

/// The nearest centroid of each vector.
fn nearest(vectors: &[f32], width: usize, centroids: &[f32]) -> Vec<u32> {
    // What is infinitely far away makes a power of two of few.
    let mut entries = centroids.to_vec();
    entries.resize((centroids.len() / width).next_power_of_two() * width, f32::INFINITY);
    let vectors = Rows::new(vectors, width).expect("whole vectors");
    let mut numbers = vec![0; vectors.len()];
    kernels::Codebooks::new(&entries, 1, entries.len() / width).nearest(0, vectors, &mut numbers);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::gaussian;

    /// What a product quantizer loses of the vectors that `rotation` made.
    fn loss(transform: &dyn Transform, sample: Rows<'_>, m: usize) -> f32 {
        let mut images = Vec::new();
        transform.apply(sample, &mut images);
        let mut books = Codebooks {
            m,
            centroids: Vec::new(),
        };
        let rows = Rows::new(&images, transform.dim_out()).unwrap();
        let decoded = books.refine(rows, 20, &mut Random::new(1), None);
        images.iter().zip(&decoded).map(|(x, y)| (x - y).powi(2)).sum::<f32>() / sample.len() as f32
    }

    #[test]
    fn a_product_quantizer_loses_less_than_after_a_random_rotation() {
        let mut random = Random::new(2);
        let sample: Vec<f32> = (0..3000 * 16)
            .map(|i| (gaussian(&mut random) / (1 + i % 16) as f64) as f32)
            .collect();
        let sample = Rows::new(&sample, 16).unwrap();
        let loss = |token: &str| {
            let transform = TransformSpec::parse(token)
                .unwrap()
                .train(sample, &Training::default())
                .unwrap();
            loss(&*transform, sample, 4)
        };
        let (opq, random, smaller) = (loss("OPQ4"), loss("RR"), loss("OPQ4_8"));
        assert!(opq < 0.9 * random, "{opq} {random}");
        assert!(smaller < opq, "{smaller} {opq}");
    }

    #[test]
    fn the_nearest_centroid_is_the_one_that_a_plain_search_finds() {
        let mut random = Random::new(3);
        let mut numbers = |n: usize| -> Vec<f32> { (0..n).map(|_| random.below(9) as f32).collect() };
        let (vectors, centroids) = (numbers(50 * 3), numbers(40 * 3));
        let distance = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f32>();
        let plain = vectors.chunks(3).map(|x| {
            let by_distance =
                |(_, a): &(usize, &[f32]), (_, b): &(usize, &[f32])| distance(x, a).total_cmp(&distance(x, b));
            centroids.chunks(3).enumerate().min_by(by_distance).unwrap().0 as u32
        });
        assert_eq!(nearest(&vectors, 3, &centroids), plain.collect::<Vec<_>>());
    }
}
