//! Sum of absolute differences, each relative to the magnitudes.

use super::Measure;
use crate::isa::simd::{Simd, WIDE};

pub(crate) struct Canberra;

impl Measure for Canberra {
    type State<S: Simd> = S::Wide;
    type Prepared = ();

    #[inline(always)]
    fn prepare<S: Simd>(_: S, _: f32, _: &[f32]) {}

    #[inline(always)]
    fn start<S: Simd>(simd: S, (): ()) -> S::Wide {
        simd.zero()
    }

    #[inline(always)]
    fn step<S: Simd>(simd: S, sum: S::Wide, x: S::Wide, y: S::Wide) -> S::Wide {
        // Never zero, and what is not zero stays as it is: no float is smaller.
        let smallest = simd.load(&[f32::from_bits(1); WIDE]);
        let magnitudes = simd.max_magnitude(simd.add(simd.abs(x), simd.abs(y)), smallest);
        simd.add(sum, simd.div(simd.abs(simd.sub(x, y)), magnitudes))
    }

    #[inline(always)]
    fn finish<S: Simd>(simd: S, sum: S::Wide, (): (), _: &[f32], _: &[f32]) -> f32 {
        simd.sum(sum)
    }
}
