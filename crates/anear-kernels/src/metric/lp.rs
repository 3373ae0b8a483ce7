//! Sum of powers of absolute differences.

use super::Measure;
use crate::isa::simd::Simd;

/// The power is the system's, lane by lane, whatever the instruction set.
pub(crate) struct Lp;

impl Measure for Lp {
    /// Totals and exponent.
    type State<S: Simd> = (S::Wide, f32);
    /// The exponent.
    type Prepared = f32;

    #[inline(always)]
    fn prepare<S: Simd>(_: S, exponent: f32, _: &[f32]) -> f32 {
        exponent
    }

    #[inline(always)]
    fn start<S: Simd>(simd: S, exponent: f32) -> (S::Wide, f32) {
        (simd.zero(), exponent)
    }

    #[inline(always)]
    fn step<S: Simd>(simd: S, (sum, exponent): (S::Wide, f32), x: S::Wide, y: S::Wide) -> (S::Wide, f32) {
        let powers = simd.map(x, y, |x, y| (x - y).abs().powf(exponent));
        (simd.add(sum, powers), exponent)
    }

    #[inline(always)]
    fn finish<S: Simd>(simd: S, (sum, _): (S::Wide, f32), _: f32, _: &[f32], _: &[f32]) -> f32 {
        simd.sum(sum)
    }
}
