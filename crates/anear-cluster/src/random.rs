//! Random numbers from a seed: the same everywhere, and the same for any number of threads.

/// SplitMix64 (Steele, Lea & Flood, *Fast splittable pseudorandom number generators*, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// Stream `stream` of `seed`; different streams have nothing in common.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed);
        let start = random.bits();
        Self(start ^ stream.wrapping_mul(0xbf58_476d_1ce4_e5b9))
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// Uniform in 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `0..n`, of a positive `n`; the bias is below `n / 2^64`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// `count` different numbers of `0..n`, in random order.
    pub(crate) fn sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        for i in 0..count {
            let j = i + self.below(n - i);
            all.swap(i, j);
        }
        all.truncate(count);
        all
    }

    /// [`sample`](Self::sample), ascending.
    pub(crate) fn sorted_sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        let mut sample = self.sample(n, count);
        sample.sort_unstable();
        sample
    }
}

/// Numbers drawn with a probability each.
pub(crate) struct Lottery {
    /// The sum of all shares up to and with each.
    sums: Vec<f64>,
}

impl Lottery {
    /// `None` if all shares are zero.
    pub(crate) fn new(shares: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sum = 0.0;
        let sums: Vec<f64> = shares
            .into_iter()
            .map(|share| {
                sum += share;
                sum
            })
            .collect();
        (sum > 0.0).then_some(Self { sums })
    }

    /// One number, with a probability in proportion to its share.
    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        let total = self.sums.last().copied().unwrap_or_default();
        let ticket = random.unit() * total;
        let winner = self.sums.partition_point(|&sum| sum <= ticket);
        // Rounding may carry the ticket to the total itself: then the last share that is not zero wins.
        winner.min(self.sums.partition_point(|&sum| sum < total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_no_number_twice_and_every_number_can_be_in_it() {
        let mut random = Random::new(1, 0);
        let mut seen = [false; 20];
        for _ in 0..100 {
            let mut sample = random.sample(20, 5);
            sample.iter().for_each(|&i| seen[i] = true);
            sample.sort_unstable();
            sample.dedup();
            assert_eq!(sample.len(), 5);
        }
        assert_eq!(seen, [true; 20]);
    }

    #[test]
    fn numbers_are_drawn_in_proportion_to_their_shares() {
        let mut random = Random::new(2, 0);
        let lottery = Lottery::new([0.0, 1.0, 0.0, 3.0, 0.0]).unwrap();
        let mut drawn = [0; 5];
        (0..4000).for_each(|_| drawn[lottery.draw(&mut random)] += 1);
        assert_eq!([drawn[0], drawn[2], drawn[4]], [0; 3]);
        assert!((900..1100).contains(&drawn[1]), "{drawn:?}");
        assert!(Lottery::new([0.0, 0.0]).is_none());
    }
}
