//! Normally distributed random numbers.

use std::f64::consts::TAU;

use anear_kernels::Random;

/// One with mean 0 and variance 1 (Box & Muller, 1958).
pub(crate) fn gaussian(random: &mut Random) -> f64 {
    // Above zero, so that the logarithm exists.
    let unit = |bits: u64| ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let (radius, angle) = (unit(random.bits()), unit(random.bits()));
    (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaussians_have_mean_zero_and_variance_one() {
        let mut random = Random::new(7);
        let numbers: Vec<f64> = (0..20_000).map(|_| gaussian(&mut random)).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let variance = numbers.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
