//! From what an index measures to what people read: scores and relevance.

use std::fmt;
use std::sync::Arc;

use anear_kernels::Metric;

/// A function from a [`score`](crate::Hit::score) to a relevance between 0 and 1.
#[derive(Clone)]
pub struct RelevanceFn(Arc<dyn Fn(f32) -> f32 + Send + Sync>);

impl RelevanceFn {
    /// Wraps a function of one's own.
    pub fn new(relevance: impl Fn(f32) -> f32 + Send + Sync + 'static) -> Self {
        Self(Arc::new(relevance))
    }

    pub(crate) fn of(&self, score: f32) -> f32 {
        (self.0)(score)
    }
}

impl fmt::Debug for RelevanceFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelevanceFn(..)")
    }
}

/// The score of a distance: inner products are themselves, larger is closer; everything else is as measured.
pub(crate) fn score(metric: Metric, distance: f32) -> f32 {
    if metric == Metric::InnerProduct {
        -distance
    } else {
        distance
    }
}

/// Whether `score` is at least as good as `threshold`.
pub(crate) fn reaches(metric: Metric, score: f32, threshold: f32) -> bool {
    if metric == Metric::InnerProduct {
        score >= threshold
    } else {
        score <= threshold
    }
}

/// Relevance of a score: 1 for the best match of unit vectors, 0 for none, larger is better for every metric.
///
/// | metric | relevance |
/// |---|---|
/// | squared L2 | `1 - score / sqrt(2)` (LangChain's, so that tuned thresholds keep their meaning) |
/// | inner product | the inner product itself |
/// | cosine | `1 - score`, which is the cosine |
/// | L1, Linf | `1 / (1 + score)` |
///
/// Each is cut to `0..=1`: vectors are expected to have unit length for the first two, as those of nearly all
/// embedding models have. Other vectors want a [`RelevanceFn`] of their own.
pub(crate) fn relevance(metric: Metric, score: f32) -> f32 {
    let relevance = match metric {
        Metric::L2 => 1.0 - score / std::f32::consts::SQRT_2,
        Metric::InnerProduct => score,
        Metric::Cosine => 1.0 - score,
        _ => 1.0 / (1.0 + score),
    };
    relevance.clamp(0.0, 1.0)
}

/// Relevance of a score that counts which of `bits` differ: the share of those that do not.
pub(crate) fn relevance_of_bits(score: f32, bits: usize) -> f32 {
    // By inner product, where larger is closer, counts are negative.
    (1.0 - score.abs() / bits as f32).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closer_vector_is_never_less_relevant() {
        for &metric in Metric::ALL {
            let distances = [-1.0, -0.5, 0.0, 0.3, 0.9, 1.4, 2.0, 4.0];
            let distances = distances
                .into_iter()
                .filter(|d| *d >= 0.0 || metric == Metric::InnerProduct);
            let relevances: Vec<f32> = distances.map(|d| relevance(metric, score(metric, d))).collect();
            assert!(relevances.is_sorted_by(|a, b| a >= b), "{metric}: {relevances:?}");
            assert_eq!(relevances[0], 1.0, "{metric}");
        }
    }

    #[test]
    fn thresholds_point_the_right_way() {
        assert!(reaches(Metric::L2, 0.1, 0.2) && !reaches(Metric::L2, 0.3, 0.2));
        assert!(reaches(Metric::InnerProduct, 0.3, 0.2) && !reaches(Metric::InnerProduct, 0.1, 0.2));
    }
}
