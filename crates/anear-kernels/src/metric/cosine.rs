//! Cosine distance, of vectors of any length.

use std::ops::RangeInclusive;

use super::Measure;
use crate::{isa::simd::Simd, pairwise::squared_norm};

pub(crate) struct Cosine;

/// Squared norms for which neither the sum nor a component that matters has left the range of f32.
pub(crate) const SAFE_SQUARED_NORM: RangeInclusive<f32> = 1e-28..=1e37;

impl Measure for Cosine {
    /// Inner product, and squared norm of `y`.
    type State<S: Simd> = [S::Wide; 2];
    /// Squared norm of the query.
    type Prepared = f32;

    #[inline(always)]
    fn prepare<S: Simd>(simd: S, _: f32, query: &[f32]) -> f32 {
        squared_norm(simd, query)
    }

    #[inline(always)]
    fn start<S: Simd>(simd: S, _: f32) -> [S::Wide; 2] {
        [simd.zero(); 2]
    }

    #[inline(always)]
    fn step<S: Simd>(simd: S, [product, norm]: [S::Wide; 2], x: S::Wide, y: S::Wide) -> [S::Wide; 2] {
        [simd.add(product, simd.mul(x, y)), simd.add(norm, simd.mul(y, y))]
    }

    #[inline(always)]
    fn finish<S: Simd>(simd: S, [product, norm]: [S::Wide; 2], x_norm: f32, x: &[f32], y: &[f32]) -> f32 {
        let (product, y_norm) = (simd.sum(product), simd.sum(norm));
        if SAFE_SQUARED_NORM.contains(&x_norm) && SAFE_SQUARED_NORM.contains(&y_norm) {
            distance(product.into(), x_norm.into(), y_norm.into())
        } else {
            in_double_precision(x, y)
        }
    }
}

/// The product of two f32 is exact in f64, so a vector is at distance exactly 0 from itself.
#[inline(always)]
fn distance(product: f64, x_norm: f64, y_norm: f64) -> f32 {
    (1.0 - product / (x_norm * y_norm).sqrt()).clamp(0.0, 2.0) as f32
}

/// For vectors so long or short that f32 cannot hold their squared norm, for zero vectors, infinities and NaN.
#[cold]
fn in_double_precision(x: &[f32], y: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let (x_norm, y_norm) = (dot(x, x), dot(y, y));
    let some_zero = (x_norm == 0.0 || y_norm == 0.0) && !(x_norm + y_norm).is_nan();
    if some_zero {
        1.0
    } else {
        distance(dot(x, y), x_norm, y_norm)
    }
}
