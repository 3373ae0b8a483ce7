//! Unit length, and numbers that are none.

use crate::{
    kernels::Kernels,
    metric::cosine::SAFE_SQUARED_NORM,
    rows::{Rows, RowsMut},
};

/// Scales every row to Euclidean length 1, in place. Zero vectors stay zero.
///
/// However long or short, a finite vector neither overflows nor vanishes on the way.
/// A vector with a NaN stays as it is; one with an infinite component becomes NaN in at least one.
///
/// ```
/// use anear_kernels::{RowsMut, normalize};
///
/// let mut data = [3.0, 4.0, 0.0, 0.0, 3e-30, 4e-30];
/// normalize(&mut RowsMut::new(&mut data, 2).expect("three rows"));
/// assert_eq!(data, [0.6, 0.8, 0.0, 0.0, 0.6, 0.8]);
/// ```
pub fn normalize(rows: &mut RowsMut<'_>) {
    rows.iter_mut().for_each(normalize_row);
}

fn normalize_row(row: &mut [f32]) {
    let squared_norm = Kernels::get().squared_norm(row);
    if SAFE_SQUARED_NORM.contains(&squared_norm) {
        let norm = squared_norm.sqrt();
        row.iter_mut().for_each(|x| *x /= norm);
    } else {
        normalize_in_double_precision(row);
    }
}

/// The square of any finite f32 is a normal f64, and so is their sum.
#[cold]
fn normalize_in_double_precision(row: &mut [f32]) {
    let norm = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    if norm > 0.0 {
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
    }
}

// Long enough for the compiler to vectorize, short enough to find the culprit by looking again.
const BLOCK: usize = 512;

/// Where the first NaN or infinity is, as (row, column).
///
/// ```
/// use anear_kernels::{Rows, first_non_finite};
///
/// let rows = Rows::new(&[0.0, 1.0, 2.0, f32::NAN], 2).expect("two rows");
/// assert_eq!(first_non_finite(rows), Some((1, 1)));
/// ```
pub fn first_non_finite(rows: Rows<'_>) -> Option<(usize, usize)> {
    let data = rows.as_slice();
    let block = data
        .chunks(BLOCK)
        .position(|block| block.iter().fold(false, |bad, x| bad | !x.is_finite()))?;
    let start = block * BLOCK;
    let at = start + data[start..].iter().position(|x| !x.is_finite())?;
    Some((at / rows.dim(), at % rows.dim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;

    fn length(row: &[f32]) -> f64 {
        row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn a_vector_with_a_number_missing_stays_as_it_is() {
        let mut data = [f32::NAN, 3.0, 4.0];
        normalize(&mut RowsMut::new(&mut data, 3).unwrap());
        assert!(data[0].is_nan() && data[1..] == [3.0, 4.0]);
    }

    #[test]
    fn every_finite_vector_but_zero_gets_unit_length() {
        for scale in [f32::MIN_POSITIVE, 1e-44, 1e-30, 1e-14, 1.0, 1e18, 1e30, f32::MAX] {
            for dim in [1, 3, 32, 100] {
                let mut data: Vec<f32> = (0..dim).map(|i| scale * (1.0 - i as f32 / 50.0)).collect();
                let direction = data.clone();
                normalize(&mut RowsMut::new(&mut data, dim).unwrap());
                assert!(
                    (length(&data) - 1.0).abs() < 1e-6,
                    "scale={scale} dim={dim}: {}",
                    length(&data)
                );
                let parallel = Metric::Cosine.distance(&data, &direction);
                assert!(parallel < 1e-6, "scale={scale} dim={dim}: {parallel}");
            }
        }
    }

    #[test]
    fn zero_stays_zero_and_what_is_not_finite_stays_so() {
        let mut data = [0.0, 0.0, f32::INFINITY, 1.0, f32::NAN, 1.0];
        normalize(&mut RowsMut::new(&mut data, 2).unwrap());
        assert_eq!(data[..2], [0.0, 0.0]);
        assert!(data[2..4].iter().any(|x| x.is_nan()) && data[4..].iter().any(|x| x.is_nan()));
    }

    #[test]
    fn the_first_non_finite_component_is_found_wherever_it_is() {
        for at in [0, 1, 6, 511, 512, 513, 1399] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut data = vec![f32::MAX; 1400];
                data[at] = bad;
                data[1399] = bad;
                assert_eq!(first_non_finite(Rows::new(&data, 7).unwrap()), Some((at / 7, at % 7)));
            }
        }
        assert_eq!(first_non_finite(Rows::new(&[f32::MAX; 1400], 7).unwrap()), None);
    }
}
