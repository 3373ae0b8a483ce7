//! Largest absolute difference.

use super::Measure;
use crate::isa::simd::Simd;

pub(crate) struct Linf;

impl Measure for Linf {
    type State<S: Simd> = S::Wide;
    type Prepared = ();

    #[inline(always)]
    fn prepare<S: Simd>(_: S, _: f32, _: &[f32]) {}

    #[inline(always)]
    fn start<S: Simd>(simd: S, (): ()) -> S::Wide {
        simd.zero()
    }

    #[inline(always)]
    fn step<S: Simd>(simd: S, largest: S::Wide, x: S::Wide, y: S::Wide) -> S::Wide {
        simd.max_magnitude(largest, simd.abs(simd.sub(x, y)))
    }

    #[inline(always)]
    fn finish<S: Simd>(simd: S, largest: S::Wide, (): (), _: &[f32], _: &[f32]) -> f32 {
        simd.largest(largest)
    }
}
