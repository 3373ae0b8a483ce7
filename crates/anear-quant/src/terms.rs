//! Distances that are scores with a term per vector around them, and what a threshold means for the scores.

/// `bias + terms[i] + scale * score` in place of each score.
pub(crate) fn apply(scale: f32, bias: f32, terms: &[f32], scores: &mut [f32]) {
    for (score, term) in scores.iter_mut().zip(terms) {
        *score = bias + term + scale * *score;
    }
}

/// No score is larger than this if its distance by [`apply`] is within the threshold; `magnitude` is that of the largest
/// score.
///
/// A distance is rounded three times, relative to numbers that are no larger than the sum of what is known of them: where
/// `bias + term` is large, it is so within the threshold and the largest score.
pub(crate) fn score_limit(threshold: f32, scale: f32, bias: f32, terms: &[f32], magnitude: f64) -> f64 {
    if scale <= 0.0 {
        return f64::INFINITY;
    }
    let [threshold, scale, bias, term] = [threshold, scale, bias, smallest(terms)].map(f64::from);
    let magnitude = bias.abs() + term.abs() + threshold.abs() + scale * magnitude;
    let slack = 4.0 * f64::from(f32::EPSILON) * magnitude + f64::from(f32::MIN_POSITIVE);
    (threshold - bias - term + slack) / scale
}

/// The smallest and the largest number; infinite where one is NaN.
pub(crate) fn range(numbers: &[f32]) -> (f64, f64) {
    let largest = smallest_by(numbers, |number| -number);
    let nan = numbers.iter().fold(false, |nan, number| nan | number.is_nan());
    if nan {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    (smallest(numbers).into(), (-largest).into())
}

fn smallest(numbers: &[f32]) -> f32 {
    smallest_by(numbers, |number| number)
}

/// The smallest of what `of` makes of the numbers, in eight lanes: scans do this for every block.
fn smallest_by(numbers: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let smaller = |a: f32, b: f32| if b < a { b } else { a };
    let (eights, rest) = numbers.as_chunks::<8>();
    let mut lanes = [f32::INFINITY; 8];
    for eight in eights {
        lanes
            .iter_mut()
            .zip(eight)
            .for_each(|(lane, &number)| *lane = smaller(*lane, of(number)));
    }
    let rest = rest.iter().map(|&number| of(number));
    lanes.iter().copied().chain(rest).fold(f32::INFINITY, smaller)
}
