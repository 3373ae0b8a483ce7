//! One vector for a text from the vectors of its tokens.

use std::iter::zip;

use serde::Deserialize;

use crate::unit::normalize;

/// What `1_Pooling/config.json` says; several modes at once are put side by side, in this order.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Modes {
    #[serde(rename = "pooling_mode_cls_token")]
    pub(super) cls: bool,
    #[serde(rename = "pooling_mode_max_tokens")]
    pub(super) max: bool,
    #[serde(rename = "pooling_mode_mean_tokens")]
    pub(super) mean: bool,
    #[serde(rename = "pooling_mode_mean_sqrt_len_tokens")]
    pub(super) mean_sqrt: bool,
    #[serde(rename = "pooling_mode_weightedmean_tokens")]
    pub(super) weighted_mean: bool,
    #[serde(rename = "pooling_mode_lasttoken")]
    pub(super) last: bool,
}

/// How a model makes one vector of many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pooling {
    pub(super) modes: Modes,
    pub(super) normalize: bool,
}

impl Pooling {
    /// Length of the pooled vector for token vectors of length `hidden`.
    pub(super) fn dim(&self, hidden: usize) -> usize {
        let Modes {
            cls,
            max,
            mean,
            mean_sqrt,
            ..
        } = self.modes;
        hidden * [cls, max, mean, mean_sqrt].into_iter().filter(|on| *on).count()
    }

    /// The vector of a text whose tokens, at least one, have these vectors.
    pub(super) fn pool(&self, tokens: &[Vec<f32>]) -> Vec<f32> {
        let Modes {
            cls,
            max,
            mean,
            mean_sqrt,
            ..
        } = self.modes;
        let mut pooled = Vec::new();
        if cls {
            pooled.extend_from_slice(&tokens[0]);
        }
        if max {
            pooled.extend(fold(tokens, f32::max));
        }
        if mean {
            pooled.extend(sum_over(tokens, tokens.len() as f32));
        }
        if mean_sqrt {
            pooled.extend(sum_over(tokens, (tokens.len() as f32).sqrt()));
        }
        if self.normalize {
            normalize(&mut pooled);
        }
        pooled
    }
}

fn sum_over(tokens: &[Vec<f32>], divisor: f32) -> Vec<f32> {
    let mut sum = fold(tokens, |a, b| a + b);
    sum.iter_mut().for_each(|x| *x /= divisor);
    sum
}

/// `f` over all tokens, component by component.
fn fold(tokens: &[Vec<f32>], f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let mut result = tokens[0].clone();
    for token in &tokens[1..] {
        zip(&mut result, token).for_each(|(x, y)| *x = f(*x, *y));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(config: &str, normalize: bool) -> Vec<f32> {
        let pooling = Pooling {
            modes: serde_json::from_str(config).unwrap(),
            normalize,
        };
        let tokens = [vec![1.0, -2.0], vec![3.0, 0.0], vec![2.0, 5.0], vec![2.0, 1.0]];
        let pooled = pooling.pool(&tokens);
        assert_eq!(pooled.len(), pooling.dim(2));
        pooled
    }

    #[test]
    fn every_mode_is_what_its_name_says() {
        assert_eq!(pool(r#"{"pooling_mode_cls_token": true}"#, false), [1.0, -2.0]);
        assert_eq!(pool(r#"{"pooling_mode_max_tokens": true}"#, false), [3.0, 5.0]);
        assert_eq!(
            pool(r#"{"pooling_mode_mean_tokens": true, "other": 7}"#, false),
            [2.0, 1.0]
        );
        assert_eq!(
            pool(r#"{"pooling_mode_mean_sqrt_len_tokens": true}"#, false),
            [4.0, 2.0]
        );
    }

    #[test]
    fn modes_together_stand_side_by_side() {
        let both = r#"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}"#;
        assert_eq!(pool(both, false), [1.0, -2.0, 2.0, 1.0]);
    }

    #[test]
    fn a_normalized_vector_has_length_one() {
        let pooled = pool(r#"{"pooling_mode_max_tokens": true}"#, true);
        let norm = 34.0_f32.sqrt();
        assert!((pooled[0] - 3.0 / norm).abs() < 1e-6 && (pooled[1] - 5.0 / norm).abs() < 1e-6);
    }
}
