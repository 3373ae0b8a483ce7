//! Random numbers from a seed, the same on every machine.

/// SplitMix64 (Steele, Lea & Flood, *Fast splittable pseudorandom number generators*, 2014).
///
/// Trained indexes are what its numbers made them, and the signs of a Hadamard rotation are its numbers in Faiss's files:
/// they never change.
///
/// ```
/// use anear_kernels::Random;
///
/// let mut random = Random::new(42);
/// let sample = random.sorted_sample(100, 3);
/// assert!(sample.is_sorted_by(|one, next| one < next) && sample[2] < 100);
/// assert_eq!(Random::new(42).sorted_sample(100, 3), sample);
/// ```
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that follow from `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `0..n`, of a positive `n`; the bias is below `n / 2^64`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Nearly normal, of mean 0 and variance 1: the sum of 12 uniform numbers of 16 bits, so that no logarithm of some
    /// platform's library decides about the bits.
    pub fn normal(&mut self) -> f64 {
        let twelve = [self.bits(), self.bits(), self.bits()];
        let sum: u64 = (0..12).map(|i| twelve[i / 4] >> (i % 4 * 16) & 0xffff).sum();
        sum as f64 / 65_536.0 - 6.0
    }

    /// `count` different numbers of `0..n` in random order; all of them, if there are no more.
    pub fn sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        let count = count.min(n);
        for i in 0..count {
            all.swap(i, i + self.below(n - i));
        }
        all.truncate(count);
        all
    }

    /// [`sample`](Self::sample), ascending.
    pub fn sorted_sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut sample = self.sample(n, count);
        sample.sort_unstable();
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the authors' own program for seed 1234567.
    #[test]
    fn the_numbers_are_those_of_splitmix() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn normal_numbers_have_their_mean_and_variance() {
        let mut random = Random::new(7);
        let drawn: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / drawn.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn a_sample_has_no_number_twice_and_every_number_can_be_in_it() {
        let mut random = Random::new(1);
        let mut seen = [false; 20];
        for _ in 0..100 {
            let mut sample = random.sorted_sample(20, 5);
            sample.iter().for_each(|&i| seen[i] = true);
            sample.dedup();
            assert_eq!(sample.len(), 5);
        }
        assert_eq!(seen, [true; 20]);
        assert_eq!(random.sorted_sample(3, 12), [0, 1, 2]);
    }
}
