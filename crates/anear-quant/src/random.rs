//! Random numbers from a seed, the same everywhere.

use std::f64::consts::TAU;

/// SplitMix64 (Steele, Lea & Flood, *Fast splittable pseudorandom number generators*, 2014).
///
/// The signs of a [`Hadamard`](crate::transform::Hadamard) are its numbers in Faiss's files too.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// Uniform in `0..n`, of a positive `n`; the bias is below `n / 2^64`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Normally distributed, with mean 0 and variance 1 (Box & Muller, 1958).
    pub(crate) fn gaussian(&mut self) -> f64 {
        // Above zero, so that the logarithm exists.
        let unit = |bits: u64| ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        let (radius, angle) = (unit(self.bits()), unit(self.bits()));
        (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
    }

    /// `count` different numbers of `0..n`, ascending.
    pub(crate) fn sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        for i in 0..count.min(n) {
            let j = i + self.below(n - i);
            all.swap(i, j);
        }
        all.truncate(count);
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaussians_have_mean_zero_and_variance_one() {
        let mut random = Random::new(7);
        let numbers: Vec<f64> = (0..20_000).map(|_| random.gaussian()).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let variance = numbers.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn a_sample_has_no_number_twice() {
        let mut sample = Random::new(1).sample(20, 12);
        assert!(sample.iter().all(|&i| i < 20));
        sample.dedup();
        assert_eq!(sample.len(), 12);
        assert_eq!(Random::new(1).sample(3, 12), [0, 1, 2]);
    }
}
