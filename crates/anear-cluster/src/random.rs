//! Random numbers from a seed: the same everywhere, and the same for any number of threads.

use anear_kernels::Random;

/// Stream `stream` of `seed`; different streams have nothing in common.
pub(crate) fn stream(seed: u64, stream: u64) -> Random {
    Random::new(Random::new(seed).bits() ^ stream.wrapping_mul(0xbf58_476d_1ce4_e5b9))
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
    fn numbers_are_drawn_in_proportion_to_their_shares() {
        let mut random = stream(2, 0);
        let lottery = Lottery::new([0.0, 1.0, 0.0, 3.0, 0.0]).unwrap();
        let mut drawn = [0; 5];
        (0..4000).for_each(|_| drawn[lottery.draw(&mut random)] += 1);
        assert_eq!([drawn[0], drawn[2], drawn[4]], [0; 3]);
        assert!((900..1100).contains(&drawn[1]), "{drawn:?}");
        assert!(Lottery::new([0.0, 0.0]).is_none());
    }
}
