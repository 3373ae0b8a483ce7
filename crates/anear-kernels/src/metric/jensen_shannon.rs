//! Jensen-Shannon divergence of two distributions, in nats.

use super::Measure;
use crate::isa::simd::Simd;

/// The logarithm is the system's, lane by lane, whatever the instruction set.
pub(crate) struct JensenShannon;

impl Measure for JensenShannon {
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
        simd.add(sum, simd.map(x, y, divergence))
    }

    #[inline(always)]
    fn finish<S: Simd>(simd: S, sum: S::Wide, (): (), _: &[f32], _: &[f32]) -> f32 {
        0.5 * simd.sum(sum)
    }
}

/// What a component adds to the divergence of both vectors from their mean.
fn divergence(x: f32, y: f32) -> f32 {
    let mean = 0.5 * (x + y);
    let from_mean = |x: f32| if x == 0.0 { 0.0 } else { x * (x / mean).ln() };
    from_mean(x) + from_mean(y)
}
