//! Jaccard distance of weighted sets: what only one of them has, relative to what either has.

use super::Measure;
use crate::isa::simd::Simd;

/// With `d = sum |x - y|` and `s = sum (x + y)`, the sums of minima and maxima are `(s - d) / 2` and `(s + d) / 2`.
pub(crate) struct Jaccard;

impl Measure for Jaccard {
    /// Sums of `|x - y|` and `x + y`.
    type State<S: Simd> = [S::Wide; 2];
    type Prepared = ();

    #[inline(always)]
    fn prepare<S: Simd>(_: S, _: f32, _: &[f32]) {}

    #[inline(always)]
    fn start<S: Simd>(simd: S, (): ()) -> [S::Wide; 2] {
        [simd.zero(); 2]
    }

    #[inline(always)]
    fn step<S: Simd>(simd: S, [apart, together]: [S::Wide; 2], x: S::Wide, y: S::Wide) -> [S::Wide; 2] {
        [
            simd.add(apart, simd.abs(simd.sub(x, y))),
            simd.add(together, simd.add(x, y)),
        ]
    }

    #[inline(always)]
    fn finish<S: Simd>(simd: S, [apart, together]: [S::Wide; 2], (): (), _: &[f32], _: &[f32]) -> f32 {
        let (apart, together) = (simd.sum(apart), simd.sum(together));
        // Equal vectors are at distance 0, zero or not.
        if apart == 0.0 {
            0.0
        } else {
            2.0 * apart / (together + apart)
        }
    }
}
