//! k-means on bits: centroids are bit vectors too, each bit the majority of its cluster's.
//!
//! This is Lloyd's algorithm under Hamming distance (k-majority: Grana et al., "A fast approach for integrating ORB
//! descriptors in the bag of words model", 2013). All of it is whole numbers, so threads and instruction sets do not
//! show. Faiss's binary IVF clusters in floats and rounds at the end.

use anear_kernels::{Bits, Neighbor};
use anear_pool::Pool;

use super::{BinaryFlat, BinaryIndex as _};
use crate::{Error, Neighbors, Result, SearchRequest};

/// Rounds of assigning and voting, as many as Faiss gives the centroids of an IVF.
const ROUNDS: usize = 10;

/// More vectors than this per centroid do not make better ones, says Faiss's default; a random part is taken.
const SAMPLE_PER_CENTROID: usize = 256;

/// `k` centroids of the vectors of `sample`.
///
/// # Errors
/// [`Error::TooFewTrainingVectors`] for fewer vectors than centroids.
pub(super) fn centroids(sample: Bits<'_>, k: usize, seed: u64, pool: Option<&Pool>) -> Result<BinaryFlat> {
    if sample.len() < k {
        return Err(Error::TooFewTrainingVectors {
            what: format!("{k} centroids"),
            needed: k,
            got: sample.len(),
        });
    }
    let code_len = sample.dim();
    let picked = pick(sample.len(), k.saturating_mul(SAMPLE_PER_CENTROID), seed);
    let sample: Vec<u8> = picked.iter().flat_map(|i| sample.row(*i)).copied().collect();
    let sample = Bits::new(&sample, code_len).expect("whole vectors");
    // In random order, any of them will do to begin with.
    let mut centroids = BinaryFlat::new(code_len * 8)?;
    centroids.add(sample.slice(0..k))?;
    for _ in 0..ROUNDS {
        let nearest = SearchRequest {
            pool,
            ..SearchRequest::new(1)
        };
        let next = vote(sample, centroids.codes(), &centroids.search(sample, &nearest)?);
        if next == centroids.codes().as_slice() {
            break;
        }
        centroids = BinaryFlat::new(code_len * 8)?;
        centroids.add(Bits::new(&next, code_len).expect("whole centroids"))?;
    }
    Ok(centroids)
}

/// `min(n, count)` different numbers below `n` in random order.
fn pick(n: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..n).collect();
    let mut random = SplitMix(seed);
    let count = count.min(n);
    for i in 0..count {
        numbers.swap(i, i + random.below(n - i));
    }
    numbers.truncate(count);
    numbers
}

/// The next centroids, where `nearest` has the present one of each vector.
fn vote(sample: Bits<'_>, centroids: Bits<'_>, nearest: &Neighbors) -> Vec<u8> {
    let dim = sample.dim() * 8;
    let mut members = vec![0u32; centroids.len()];
    let mut ones = vec![0u32; centroids.len() * dim];
    for (vector, nearest) in sample.iter().zip(nearest.iter()) {
        let cluster = nearest[0].id as usize;
        members[cluster] += 1;
        count_ones(vector, &mut ones[cluster * dim..][..dim]);
    }
    let mut next = centroids.as_slice().to_vec();
    for (cluster, centroid) in next.chunks_mut(sample.dim()).enumerate() {
        settle(&ones[cluster * dim..][..dim], members[cluster], centroid);
    }
    // A centroid that nothing is near to moves to a vector that is far from all.
    let mut empty = (0..centroids.len()).filter(|cluster| members[*cluster] == 0).peekable();
    if empty.peek().is_some() {
        for (cluster, vector) in empty.zip(farthest_first(nearest)) {
            next[cluster * sample.dim()..][..sample.dim()].copy_from_slice(sample.row(vector));
        }
    }
    next
}

fn count_ones(vector: &[u8], ones: &mut [u32]) {
    for (byte, ones) in vector.iter().zip(ones.as_chunks_mut::<8>().0) {
        for (bit, ones) in ones.iter_mut().enumerate() {
            *ones += u32::from(byte >> bit & 1);
        }
    }
}

/// Each bit as most of the members have it; where they are at odds, it stays.
fn settle(ones: &[u32], members: u32, centroid: &mut [u8]) {
    for (byte, ones) in centroid.iter_mut().zip(ones.as_chunks::<8>().0) {
        for (bit, ones) in ones.iter().enumerate() {
            match (2 * ones).cmp(&members) {
                std::cmp::Ordering::Less => *byte &= !(1 << bit),
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => *byte |= 1 << bit,
            }
        }
    }
}

fn farthest_first(nearest: &Neighbors) -> impl Iterator<Item = usize> {
    let distance = |row: &[Neighbor]| row[0].distance as u32;
    let mut vectors: Vec<_> = nearest.iter().map(distance).enumerate().collect();
    vectors.sort_by_key(|(_, distance)| std::cmp::Reverse(*distance));
    vectors.into_iter().map(|(vector, _)| vector)
}

/// Random numbers from a seed (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(super) struct SplitMix(pub(super) u64);

impl SplitMix {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// A number below `n`, which is at least 1.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors around four corners, three bits of each turned over.
    fn clusters(per_cluster: u64) -> (Vec<[u8; 4]>, Vec<u8>) {
        let corners = vec![[0; 4], [0xff; 4], [0xf0; 4], [0, 0xff, 0, 0xff]];
        let mut random = SplitMix(3);
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
    fn majorities_find_the_corners_on_any_number_of_threads() {
        let (mut corners, vectors) = clusters(200);
        let sample = Bits::new(&vectors, 4).unwrap();
        let mut found: Vec<[u8; 4]> = (0..20)
            .map(|seed| centroids(sample, 4, seed, None).unwrap())
            .map(|c| c.codes().iter().map(|c| c.try_into().unwrap()).collect::<Vec<_>>())
            .find(|found| corners.iter().all(|corner| found.contains(corner)))
            .expect("one of twenty beginnings leads to all corners");
        found.sort_unstable();
        corners.sort_unstable();
        assert_eq!(found, corners);

        let pool = Pool::new(3).unwrap();
        let [alone, shared] = [None, Some(&pool)].map(|pool| centroids(sample, 9, 5, pool).unwrap());
        assert_eq!(alone.codes().as_slice(), shared.codes().as_slice());
    }

    #[test]
    fn a_round_votes_bit_by_bit() {
        let sample = Bits::new(&[0b0111, 0b0011, 0b0001, 0b1100, 0b1010], 1).unwrap();
        let centroids = Bits::new(&[0b0000, 0b1000, 0b1111_0000], 1).unwrap();
        let nearest = [0, 0, 0, 1, 1].map(|id| vec![Neighbor { id, distance: 1.0 }]);
        let next = vote(sample, centroids, &nearest.into_iter().collect());
        // At odds about the second and the third bit, which stay; the third centroid had no vector and takes one.
        assert_eq!(next, [0b0011, 0b1000, 0b0111]);
    }

    #[test]
    fn fewer_vectors_than_centroids_are_refused() {
        let error = centroids(Bits::new(&[1, 2], 1).unwrap(), 3, 0, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "training 3 centroids needs at least 3 vectors, got 2"
        );
    }
}
