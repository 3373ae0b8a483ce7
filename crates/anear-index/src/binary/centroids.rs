//! Centroids of bit vectors: k-means on the bits as numbers 0 and 1, rounded at the end, as in Faiss's binary IVF.
//!
//! Centroids that are bits in every round (k-majority) need a tenth of the arithmetic, but far worse ones come out: in
//! bench `binary` one probe of 256 then finds 68 % of the neighbors, with these 89 %.

use anear_kernels::{Bits, Metric, Neighbor, Random, Rows};
use anear_pool::Pool;

use super::{BinaryFlat, BinaryIndex as _};
use crate::{Error, Flat, Result, SearchRequest, VectorIndex as _, VectorIndexExt as _};

/// Rounds of assigning and averaging, as many as Faiss gives the centroids of an IVF.
const ROUNDS: usize = 10;

/// More vectors than this per centroid do not make better ones, says Faiss's default; a random part is taken.
const SAMPLE_PER_CENTROID: usize = 256;

/// Vectors that are numbers at the same time: a few megabytes.
const BLOCK: usize = 4096;

/// `k` centroids of the vectors of `sample`.
///
/// # Errors
/// [`Error::TooFewTrainingVectors`] for fewer vectors than centroids.
pub(super) fn train(sample: Bits<'_>, k: usize, seed: u64, pool: Option<&Pool>) -> Result<BinaryFlat> {
    if sample.len() < k {
        return Err(Error::TooFewTrainingVectors {
            what: format!("{k} centroids"),
            needed: k,
            got: sample.len(),
        });
    }
    let code_len = sample.dim();
    let picked = Random::new(seed).sample(sample.len(), k.saturating_mul(SAMPLE_PER_CENTROID));
    let sample: Vec<u8> = picked.iter().flat_map(|i| sample.row(*i)).copied().collect();
    let sample = Bits::new(&sample, code_len).expect("whole vectors");
    // In random order, any of them will do to begin with.
    let mut centroids = numbers(sample.slice(0..k));
    let mut before = Vec::new();
    for _ in 0..ROUNDS {
        let nearest = assign(sample, &centroids, pool)?;
        if nearest == before {
            break;
        }
        centroids = average(sample, k, &nearest);
        before = nearest;
    }
    let mut rounded = BinaryFlat::new(code_len * 8)?;
    rounded.add(Bits::new(&bits(&centroids), code_len).expect("whole centroids"))?;
    Ok(rounded)
}

/// Each bit as a number.
fn numbers(vectors: Bits<'_>) -> Vec<f32> {
    let bits = |byte: &u8| std::array::from_fn::<_, 8, _>(|bit| f32::from(byte >> bit & 1));
    vectors.as_slice().iter().flat_map(bits).collect()
}

/// Each number as the bit that is nearer.
fn bits(numbers: &[f32]) -> Vec<u8> {
    let byte = |bits: &[f32; 8]| (0..8).fold(0, |byte, bit| byte | u8::from(bits[bit] > 0.5) << bit);
    numbers.as_chunks().0.iter().map(byte).collect()
}

/// The nearest centroid of each vector.
fn assign(sample: Bits<'_>, centroids: &[f32], pool: Option<&Pool>) -> Result<Vec<Neighbor>> {
    let dim = sample.dim() * 8;
    let mut index = Flat::new(dim, Metric::L2)?;
    index.add(Rows::new(centroids, dim).expect("whole centroids"))?;
    let request = SearchRequest {
        pool,
        ..SearchRequest::new(1)
    };
    let mut nearest = Vec::with_capacity(sample.len());
    for start in (0..sample.len()).step_by(BLOCK) {
        let block = numbers(sample.slice(start..sample.len().min(start + BLOCK)));
        let found = index.search(Rows::new(&block, dim).expect("whole vectors"), &request)?;
        nearest.extend(found.iter().map(|row| row[0]));
    }
    Ok(nearest)
}

/// The mean of each centroid's vectors. A centroid that is nearest to none moves to a vector that is far from all.
fn average(sample: Bits<'_>, k: usize, nearest: &[Neighbor]) -> Vec<f32> {
    let dim = sample.dim() * 8;
    let mut members = vec![0u32; k];
    let mut ones = vec![0u32; k * dim];
    for (vector, nearest) in sample.iter().zip(nearest) {
        let cluster = nearest.id as usize;
        members[cluster] += 1;
        count_ones(vector, &mut ones[cluster * dim..][..dim]);
    }
    let mut means: Vec<f32> = ones
        .chunks(dim)
        .zip(&members)
        .flat_map(|(ones, members)| ones.iter().map(|ones| *ones as f32 / (*members).max(1) as f32))
        .collect();
    let mut empty = (0..k).filter(|cluster| members[*cluster] == 0).peekable();
    if empty.peek().is_some() {
        let mut far: Vec<usize> = (0..sample.len()).collect();
        far.sort_by(|a, b| nearest[*b].distance.total_cmp(&nearest[*a].distance));
        for (cluster, vector) in empty.zip(far) {
            means[cluster * dim..][..dim].copy_from_slice(&numbers(sample.slice(vector..vector + 1)));
        }
    }
    means
}

fn count_ones(vector: &[u8], ones: &mut [u32]) {
    for (byte, ones) in vector.iter().zip(ones.as_chunks_mut::<8>().0) {
        for (bit, ones) in ones.iter_mut().enumerate() {
            *ones += u32::from(byte >> bit & 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors around four corners, three bits of each turned over.
    fn clusters(per_cluster: u64) -> (Vec<[u8; 4]>, Vec<u8>) {
        let corners = vec![[0; 4], [0xff; 4], [0xf0; 4], [0, 0xff, 0, 0xff]];
        let mut random = Random::new(3);
        let mut vectors = Vec::new();
        for _ in 0..per_cluster {
            for corner in &corners {
                let turned = (0..3).fold(0, |bits: u32, _| bits | 1 << random.below(32));
                vectors.extend((u32::from_le_bytes(*corner) ^ turned).to_le_bytes());
            }
        }
        (corners, vectors)
    }

    #[test]
    fn means_find_the_corners_on_any_number_of_threads() {
        let (mut corners, vectors) = clusters(200);
        let sample = Bits::new(&vectors, 4).unwrap();
        let mut found: Vec<[u8; 4]> = (0..20)
            .map(|seed| train(sample, 4, seed, None).unwrap())
            .map(|c| c.codes().iter().map(|c| c.try_into().unwrap()).collect::<Vec<_>>())
            .find(|found| corners.iter().all(|corner| found.contains(corner)))
            .expect("one of twenty beginnings leads to all corners");
        found.sort_unstable();
        corners.sort_unstable();
        assert_eq!(found, corners);

        let pool = Pool::new(3).unwrap();
        let [alone, shared] = [None, Some(&pool)].map(|pool| train(sample, 9, 5, pool).unwrap());
        assert_eq!(alone.codes().as_slice(), shared.codes().as_slice());
    }

    #[test]
    fn a_round_averages_bit_by_bit() {
        let sample = Bits::new(&[0b0111, 0b0011, 0b0001, 0b1101], 1).unwrap();
        let nearest = [(0, 1.0), (0, 3.0), (0, 2.0), (1, 0.0)].map(|(id, distance)| Neighbor { id, distance });
        let means = average(sample, 3, &nearest);
        assert_eq!(means[..4], [1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0]);
        // The third centroid had no vector and takes the farthest.
        assert_eq!(bits(&means), [0b0011, 0b1101, 0b0011]);
    }

    #[test]
    fn fewer_vectors_than_centroids_are_refused() {
        let error = train(Bits::new(&[1, 2], 1).unwrap(), 3, 0, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "training 3 centroids needs at least 3 vectors, got 2"
        );
    }
}
