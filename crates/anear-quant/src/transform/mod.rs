//! What turns vectors into other vectors before they are encoded: rotations, projections, scalings.
//!
//! A [`Transform`] does not change once it is made; indexes and their copies share it. Blueprints are
//! [`TransformSpec`]s, in Faiss's tokens. One file per kind; what they need of linear algebra is in `algebra.rs`.
//!
//! ```
//! use anear_kernels::Rows;
//! use anear_quant::{Training, transform::TransformSpec};
//!
//! let sample = [2.0, 0.0, -2.0, 0.0, 0.0, 1.0, 0.0, -1.0];
//! let sample = Rows::new(&sample, 2).unwrap();
//! let pca = TransformSpec::parse("PCA1").unwrap().train(sample, &Training::default())?;
//! let mut projected = Vec::new();
//! pca.apply(sample, &mut projected);
//! assert!((projected[0].abs() - 2.0).abs() < 1e-6 && projected[2].abs() < 1e-6);
//!
//! let mut restored = Vec::new();
//! pca.reverse(Rows::new(&projected, 1).unwrap(), &mut restored)?;
//! assert!((restored[0] - 2.0).abs() < 1e-6);
//! # Ok::<(), anear_quant::Error>(())
//! ```

use std::any::Any;
use std::fmt;

use anear_kernels::Rows;

use crate::{Error, Result};

mod algebra;
mod center;
mod hadamard;
mod itq;
mod linear;
mod normalize;
mod opq;
mod pca;
mod remap;
mod rotation;
mod spec;

pub use center::Center;
pub use hadamard::Hadamard;
pub(crate) use hadamard::transform_runs;
pub use itq::{Itq, ItqParts};
pub use linear::Linear;
pub use normalize::Normalize;
pub use pca::{Pca, PcaParts};
pub(crate) use pca::{Principal, subsample};
pub use remap::Remap;
pub use spec::TransformSpec;

/// The most components a transform makes, as in Faiss's reader.
const MAX_DIM: usize = 1 << 20;

/// What turns vectors into other vectors.
pub trait Transform: Any + fmt::Debug + Send + Sync {
    /// What trains one like this.
    fn spec(&self) -> TransformSpec;

    /// Components of the vectors it takes.
    fn dim_in(&self) -> usize;

    /// Components of the vectors it makes.
    fn dim_out(&self) -> usize;

    /// Appends the image of each vector.
    ///
    /// # Panics
    /// When the vectors do not have [`dim_in`](Self::dim_in) components.
    fn apply(&self, vectors: Rows<'_>, out: &mut Vec<f32>);

    /// Appends, for each vector, one that has it as its image; what the transform lost stays lost.
    ///
    /// # Errors
    /// [`Error::Irreversible`] where there is no way back.
    ///
    /// # Panics
    /// When the vectors do not have [`dim_out`](Self::dim_out) components.
    fn reverse(&self, vectors: Rows<'_>, out: &mut Vec<f32>) -> Result<()>;

    /// Everything that [`TransformSpec::load`] needs besides the dimension.
    fn save(&self) -> Vec<u8>;
}

/// Appends `floats` after their number, as Faiss does.
pub(crate) fn put_floats(out: &mut Vec<u8>, floats: &[f32]) {
    out.extend((floats.len() as u64).to_le_bytes());
    floats.iter().for_each(|x| out.extend(x.to_le_bytes()));
}

/// What [`put_floats`] wrote.
pub(crate) fn take_floats(cursor: &mut anear_bytes::Cursor<'_>, what: &'static str) -> Result<Vec<f32>> {
    let bytes = cursor.counted_items(size_of::<f32>(), what)?;
    Ok(bytes.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect())
}

/// Fails unless the part called `what` has `expected` numbers, all of them finite.
pub(crate) fn check_floats(what: &str, floats: &[f32], expected: usize) -> Result<()> {
    if floats.len() != expected {
        return Err(Error::Parameters(format!(
            "expected {expected} numbers as {what}, got {}",
            floats.len()
        )));
    }
    match floats.iter().find(|x| !x.is_finite()) {
        Some(x) => Err(Error::Parameters(format!("{what} may not contain {x}"))),
        None => Ok(()),
    }
}

/// The mean of the vectors, of which there is at least one.
pub(crate) fn mean(vectors: Rows<'_>) -> Vec<f32> {
    algebra::mean(vectors).iter().map(|x| *x as f32).collect()
}

/// Fails unless `dim` is a number of components.
fn check_dim(dim: usize) -> Result<()> {
    match dim {
        1..=MAX_DIM => Ok(()),
        _ => Err(Error::Parameters(format!(
            "a transform makes 1 to {MAX_DIM} components, not {dim}"
        ))),
    }
}

/// Numbers of a matrix that is learned at most: 8 GiB of doubles, which takes hours anyway.
const MAX_MATRIX: usize = 1 << 30;

/// Fails where a matrix with a row or a column per component, of the wider side, would be too large to make.
fn check_square(dim_in: usize, dim_out: usize) -> Result<()> {
    let dim = dim_in.max(dim_out);
    if dim.checked_mul(dim).is_some_and(|numbers| numbers <= MAX_MATRIX) {
        return Ok(());
    }
    Err(Error::Parameters(format!(
        "a rotation from {dim_in} to {dim_out} components is too large to make; `HR` and `Pad` need no matrix"
    )))
}

#[cfg(test)]
mod tests {
    use anear_kernels::Random;

    use super::*;
    use crate::Training;
    use crate::random::gaussian;

    const DIM: usize = 24;

    fn sample() -> Vec<f32> {
        let mut random = Random::new(9);
        (0..400 * DIM)
            .map(|i| (gaussian(&mut random) * (1 + i % DIM) as f64) as f32 + 2.0)
            .collect()
    }

    fn images(transform: &dyn Transform, vectors: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        transform.apply(Rows::new(vectors, transform.dim_in()).unwrap(), &mut out);
        out
    }

    #[test]
    fn every_kind_is_trained_saved_and_loaded() {
        let sample = sample();
        for token in TransformSpec::EXAMPLES {
            let spec = TransformSpec::parse(token).unwrap();
            assert_eq!(spec.to_string(), *token);
            let rows = Rows::new(&sample, DIM).unwrap();
            let transform = spec.train(rows, &Training::default()).unwrap();
            assert_eq!((transform.spec(), transform.dim_in()), (spec, DIM), "{token}");
            assert_eq!(transform.dim_out(), spec.dim_out(DIM), "{token}");
            let saved = transform.save();
            let loaded = spec.load(DIM, &saved).unwrap();
            assert_eq!(images(&*loaded, &sample), images(&*transform, &sample), "{token}");
            assert_eq!((loaded.spec(), loaded.save()), (spec, saved), "{token}");
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let sample = sample();
        for token in TransformSpec::EXAMPLES {
            let spec = TransformSpec::parse(token).unwrap();
            let saved = spec
                .train(Rows::new(&sample, DIM).unwrap(), &Training::default())
                .unwrap()
                .save();
            for len in 0..saved.len() {
                assert!(
                    spec.load(DIM, &saved[..len]).is_err(),
                    "{token} cut to {len} of {}",
                    saved.len()
                );
            }
            assert!(spec.load(DIM, &[&saved[..], &[0]].concat()).is_err(), "{token}");
            if !saved.is_empty() {
                assert!(spec.load(DIM + 1, &saved).is_err(), "{token}");
            }
        }
    }

    #[test]
    fn one_vector_is_turned_as_many_are() {
        let sample = sample();
        for token in TransformSpec::EXAMPLES {
            let rows = Rows::new(&sample, DIM).unwrap();
            let transform = TransformSpec::parse(token)
                .unwrap()
                .train(rows, &Training::default())
                .unwrap();
            let one_by_one: Vec<f32> = rows.iter().flat_map(|row| images(&*transform, row)).collect();
            assert_eq!(images(&*transform, &sample), one_by_one, "{token}");
        }
    }

    #[test]
    fn what_keeps_all_components_can_be_undone() {
        let sample = sample();
        for token in [
            "PCA24", "PCAR24", "RR", "RR30", "HR", "OPQ4", "OPQ4_32", "Pad30", "Center",
        ] {
            let rows = Rows::new(&sample, DIM).unwrap();
            let transform = TransformSpec::parse(token)
                .unwrap()
                .train(rows, &Training::default())
                .unwrap();
            let images = images(&*transform, &sample);
            let mut again = Vec::new();
            transform
                .reverse(Rows::new(&images, transform.dim_out()).unwrap(), &mut again)
                .unwrap();
            let worst = again
                .iter()
                .zip(&sample)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(worst < 1e-3 && again.len() == sample.len(), "{token}: {worst}");
        }
    }

    #[test]
    fn threads_change_nothing() {
        let sample = sample();
        let pool = anear_pool::Pool::new(3).unwrap();
        for token in TransformSpec::EXAMPLES {
            let [with, without] = [Some(&pool), None].map(|pool| {
                let training = Training {
                    pool,
                    ..Training::default()
                };
                TransformSpec::parse(token)
                    .unwrap()
                    .train(Rows::new(&sample, DIM).unwrap(), &training)
                    .unwrap()
                    .save()
            });
            assert!(with == without, "{token}");
        }
    }

    #[test]
    fn samples_that_do_not_fit_are_refused() {
        let sample = sample();
        for token in [
            "PCA25",
            "PCA0",
            "ITQ25",
            "OPQ5",
            "OPQ4_30",
            "OPQ0",
            "RR0",
            "Pad99999999",
            "RR1000000",
            "OPQ4_1000000",
            "Linear24",
            "Remap24",
        ] {
            let spec = TransformSpec::parse(token).unwrap();
            let error = spec
                .train(Rows::new(&sample, DIM).unwrap(), &Training::default())
                .unwrap_err();
            assert!(matches!(error, Error::Parameters(_)), "{token}: {error}");
        }
        for token in ["PCA8", "ITQ", "OPQ4", "Center"] {
            let spec = TransformSpec::parse(token).unwrap();
            let error = spec
                .train(Rows::new(&[], DIM).unwrap(), &Training::default())
                .unwrap_err();
            assert!(matches!(error, Error::TooFewTrainingVectors { .. }), "{token}: {error}");
        }
    }
}
