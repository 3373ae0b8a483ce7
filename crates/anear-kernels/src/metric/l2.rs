//! Squared Euclidean distance.

use super::Measure;
use crate::isa::simd::Simd;

pub(crate) struct L2;

impl Measure for L2 {
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
        let difference = simd.sub(x, y);
        simd.add(sum, simd.mul(difference, difference))
    }

    #[inline(always)]
    fn finish<S: Simd>(simd: S, sum: S::Wide, (): (), _: &[f32], _: &[f32]) -> f32 {
        simd.sum(sum)
    }
}
