//! How far a fused product may be from the canonical distance: the proof behind the filter of a batch.
//!
//! Let `s` be the true inner product of query `q` and row `x`, `p` the tile's value of it, and `u = 2^-24` the
//! rounding unit. A sum of `n` products in any order is off by at most `gamma(n) |q| |x|`, where
//! `gamma(n) = n u / (1 - n u)` (Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.1). The tile rounds
//! `dim` times, the canonical order `m = dim / 32 + 9` times at most: additions in a lane, 5 in the tree, and those of a
//! term. So every canonical result has the relative error `gamma(m)`, norms included.
//!
//! A pair may be dropped only if its canonical distance is certainly beyond the threshold `t`. Let it be at most `t`;
//! then, with `e = gamma(dim) + 4 gamma(m) + 16 u` covering all of the above and the roundings of the bound itself:
//!
//! * L2: `|q|^2 + |x|^2 - 2 s <= t (1 + e)`, and `|q| |x| <= (|q|^2 + |x|^2) / 2`,
//!   so `p >= ((|q|^2 + |x|^2) (1 - e) - t (1 + e)) / 2`.
//! * inner product: `-s <= t + gamma(m) |q| |x|`, so `p >= -t (1 + e) - e |q| |x|` (for positive `t`; else `1 - e`).
//! * cosine: `s >= (1 - t - e) |q| |x|`, and so is `p`.
//!
//! The nearest of some candidates is found by fused values `v`: `|c|^2 / 2 - p` for L2, `-p` for the inner product.
//! Let `n = |x|^2 + max |c|^2`. A product is off by at most `gamma(dim) n / 2`; the halved norm, the roundings of `v`
//! and the canonical distance, halved for L2, together by less than `(2 gamma(m) + 4 u) n`. So of two candidates whose
//! `v` differ by more than `e n`, the canonical distances differ the same way.
//!
//! The same values bound distances from above: half a canonical L2 distance is `v + |q|^2 / 2`, an inner product's is `v`,
//! but for `e n`; twice that covers weights that were lowered for the filter, and the computed norm.
//!
//! A sketch (`sketch.rs`) replaces the product by one that is at least as large, but for an error of its own relative
//! to `|x| |c|`, which is added to `e`. There the bound is taken apart as the sum of a vector's and a candidate's part,
//! for the inner product by `|x| |c| <= (|x|^2 + |c|^2) / 2`.
//!
//! Each bound of a pair is `slope[q] * weight[x] + offset[q]`. Underflow adds at most `2^-150` per rounding, taken off the offset.
//! Where a norm is too large or small to trust, NaN lets the pair pass.

use crate::metric::{Metric, cosine::SAFE_SQUARED_NORM};

pub(crate) const U: f64 = 1.0 / (1 << 24) as f64;

/// The bounds for one metric and dimension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Margin {
    metric: Metric,
    relative: f64,
    absolute: f64,
}

impl Margin {
    /// `None` for metrics that are no function of the inner product and norms.
    pub(crate) fn new(metric: Metric, dim: usize) -> Option<Self> {
        let has_product = matches!(metric, Metric::L2 | Metric::InnerProduct | Metric::Cosine);
        let relative = gamma(dim) + 4.0 * gamma(dim / 32 + 9) + 16.0 * U;
        // 8 times 2^-150 per component.
        let absolute = dim as f64 * (-147.0_f64).exp2();
        has_product.then_some(Self {
            metric,
            relative,
            absolute,
        })
    }

    /// What is to be known of a row: its weight.
    pub(crate) fn weight(&self, squared_norm: f32) -> f32 {
        if !self.is_trusted(squared_norm) {
            return f32::NAN;
        }
        match self.metric {
            Metric::L2 => below(f64::from(squared_norm) * (1.0 - self.relative) / 2.0),
            _ => squared_norm.sqrt(),
        }
    }

    /// Slope and offset of a query whose results are within `threshold` so far.
    pub(crate) fn query(&self, squared_norm: f32, threshold: f32) -> (f32, f32) {
        if !self.is_trusted(squared_norm) {
            return (f32::NAN, f32::NAN);
        }
        let (squared_norm, threshold, e) = (f64::from(squared_norm), f64::from(threshold), self.relative);
        let raised = threshold + threshold.abs() * e;
        let (slope, offset) = match self.metric {
            Metric::L2 => (1.0, (squared_norm * (1.0 - e) - raised) / 2.0),
            Metric::InnerProduct => (-e * squared_norm.sqrt(), -raised),
            _ => ((1.0 - threshold - e) * squared_norm.sqrt(), 0.0),
        };
        (below(slope), below(offset - self.absolute))
    }

    /// The same for products of sketches, which may be off by `error` more, relative to the norms.
    pub(crate) fn of_sketches(metric: Metric, dim: usize, error: f64) -> Option<Self> {
        let margin = Self::new(metric, dim).filter(|_| matches!(metric, Metric::L2 | Metric::InnerProduct))?;
        Some(Self {
            relative: margin.relative + error,
            ..margin
        })
    }

    /// The candidate's part of what the product must not be below.
    pub(crate) fn candidate(&self, squared_norm: f32) -> f32 {
        if squared_norm > *SAFE_SQUARED_NORM.end() {
            return f32::NAN;
        }
        let (norm, e) = (f64::from(squared_norm), self.relative);
        match self.metric {
            Metric::L2 => below(norm * (1.0 - e) / 2.0),
            _ => below(-norm * e / 2.0),
        }
    }

    /// The part of a vector that has something within `threshold` already; the two parts are added.
    pub(crate) fn vector(&self, squared_norm: f32, threshold: f32) -> f32 {
        if squared_norm > *SAFE_SQUARED_NORM.end() {
            return f32::NAN;
        }
        let (norm, threshold, e) = (f64::from(squared_norm), f64::from(threshold), self.relative);
        let raised = threshold + threshold.abs() * e;
        below(match self.metric {
            Metric::L2 => (norm * (1.0 - e) - raised) / 2.0 - self.absolute,
            _ => -norm * e / 2.0 - raised - self.absolute,
        })
    }

    /// By how much a candidate's fused value must exceed another's to be farther for certain, where no candidate's
    /// squared norm is beyond `largest`; NaN if never.
    pub(crate) fn gap(&self, squared_norm: f32, largest: f32) -> f32 {
        if !self.is_trusted(squared_norm) || !self.is_trusted(largest) {
            return f32::NAN;
        }
        let norms = f64::from(squared_norm) + f64::from(largest);
        up(norms * self.relative + self.absolute)
    }

    /// What is subtracted from a product in fused values, from the weight of a row; NaN if its norm is not to be trusted.
    pub(crate) fn fused_weight(&self, weight: f32) -> f32 {
        match self.metric {
            Metric::L2 => weight,
            _ => 0.0 * weight,
        }
    }

    /// What the canonical distance is at most for a fused `value`, where no row's squared norm is beyond `largest`;
    /// infinite where nothing is known.
    pub(crate) fn at_most(&self, squared_norm: f32, largest: f32, value: f32) -> f32 {
        let (norm, value) = (f64::from(squared_norm), f64::from(value));
        let distance = match self.metric {
            Metric::L2 => 2.0 * value + norm,
            Metric::InnerProduct => value,
            _ => f64::INFINITY,
        };
        let slack = 4.0 * ((norm + f64::from(largest)) * self.relative + self.absolute);
        let most = up(distance + slack);
        if most.is_nan() { f32::INFINITY } else { most }
    }

    /// Whether a computed squared norm is within `relative` of the true one, and the product cannot overflow.
    fn is_trusted(&self, squared_norm: f32) -> bool {
        match self.metric {
            // Half the sum of squares bounds the product also where the squares underflow.
            Metric::L2 => squared_norm <= *SAFE_SQUARED_NORM.end(),
            _ => SAFE_SQUARED_NORM.contains(&squared_norm),
        }
    }
}

pub(crate) fn gamma(roundings: usize) -> f64 {
    let error = roundings as f64 * U;
    // Half is far beyond any use; the proof needs an error below 1.
    if error < 0.5 { error / (1.0 - error) } else { f64::NAN }
}

/// The largest f32 that is not above `x`; NaN for NaN.
fn below(x: f64) -> f32 {
    let nearest = x as f32;
    if f64::from(nearest) > x {
        nearest.next_down()
    } else {
        nearest
    }
}

/// The smallest f32 that is not below `x`; NaN for NaN.
pub(crate) fn up(x: f64) -> f32 {
    -below(-x)
}
