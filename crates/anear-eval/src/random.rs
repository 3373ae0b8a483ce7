//! Random numbers from a seed: the same on every machine.

use anear_kernels::Random;

/// Stream `stream` of `seed`; different streams have nothing in common.
pub(crate) fn stream(seed: u64, stream: u64) -> Random {
    let mut inner = Random::new(Random::new(seed).bits() ^ stream.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    Random::new(inner.bits())
}

/// `0..n` in random order.
pub(crate) fn permutation(n: usize, random: &mut Random) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        all.swap(i, random.below(i + 1));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_has_each_number_once() {
        let mut order = permutation(100, &mut stream(3, 1));
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
