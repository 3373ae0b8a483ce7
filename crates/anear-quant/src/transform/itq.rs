//! Iterative quantization (Faiss: `ITQTransform`).

use anear_bytes::Cursor;
use anear_kernels::{Random, Rows, RowsMut, normalize};

use super::algebra::{self, Matrix};
use super::pca::{Principal, check_finite, subsample};
use super::{Linear, Transform, TransformSpec, check_floats, mean, put_floats, take_floats};
use crate::{Error, Result, Training};

/// Rounds of signs and rotation, as in Faiss.
const ROUNDS: usize = 50;

/// Vectors per component that the rotation is learned from, as in Faiss.
const SAMPLE_PER_DIM: usize = 10;

/// The rotation with which the signs of components say most: of vectors without the mean, scaled to length 1 (Gong &
/// Lazebnik, *Iterative quantization: A Procrustean approach to learning binary codes*, 2011).
#[derive(Clone, Debug)]
pub struct Itq {
    spec: TransformSpec,
    parts: ItqParts,
}

/// What an [`Itq`] consists of, in Faiss's terms.
#[derive(Clone, Debug)]
pub struct ItqParts {
    /// What is taken from every vector, before it is scaled to length 1.
    pub mean: Vec<f32>,
    /// The rotation of principal components.
    pub rotation: Linear,
    /// Principal components, if there are fewer of them, and the rotation in one.
    pub linear: Linear,
}

impl Itq {
    /// The transform of these parts.
    ///
    /// # Errors
    /// [`Error::Parameters`] when lengths do not fit or a number is not finite.
    pub fn from_parts(parts: ItqParts) -> Result<Self> {
        let (dim_in, dim_out) = (parts.linear.dim_in(), parts.linear.dim_out());
        check_floats("the mean of an ITQ", &parts.mean, dim_in)?;
        let turned = (parts.rotation.dim_in(), parts.rotation.dim_out());
        if turned != (dim_out, dim_out) {
            return Err(Error::Parameters(format!(
                "the rotation of an ITQ is {dim_out} x {dim_out}, not {turned:?}"
            )));
        }
        let dim = (dim_in != dim_out).then_some(dim_out);
        Ok(Self {
            spec: TransformSpec::Itq { dim },
            parts,
        })
    }

    /// What it consists of.
    pub fn parts(&self) -> &ItqParts {
        &self.parts
    }

    pub(super) fn train(spec: TransformSpec, sample: Rows<'_>, training: &Training<'_>) -> Result<Self> {
        let (dim_in, dim_out) = (sample.dim(), spec.dim_out(sample.dim()));
        let mut random = Random::new(training.seed);
        let sample = subsample(sample, SAMPLE_PER_DIM.saturating_mul(dim_in).max(1 << 14), &mut random);
        let sample = Rows::new(&sample, dim_in).expect("whole vectors");
        let mean = mean(sample);
        let directions = directions(sample, &mean);
        let directions = Rows::new(&directions, dim_in).expect("whole vectors");
        // All components are needed only where some are dropped; the check of the sample is needed always.
        let principal = Principal::of(&spec, dim_out, directions, &mut random, training)?;
        let mut projection = Matrix::identity(dim_in);
        if dim_out != dim_in {
            let components = principal.components.iter().map(|x| f64::from(*x)).collect();
            projection = Matrix::new(components, dim_in).corner(dim_out, dim_in);
        }
        let to_axes = Linear::new(dim_in, dim_out, projection.to_f32(), Vec::new())?;
        let mut projected = Vec::new();
        to_axes.apply(directions, &mut projected);
        let rotation = rotation(
            &spec,
            Rows::new(&projected, dim_out).expect("whole vectors"),
            &mut random,
            training,
        )?;
        let both = rotation.times(&projection, training.pool);
        Self::from_parts(ItqParts {
            mean,
            rotation: Linear::new(dim_out, dim_out, rotation.to_f32(), Vec::new())?,
            linear: Linear::new(dim_in, dim_out, both.to_f32(), Vec::new())?,
        })
        .map(|itq| Self { spec, ..itq })
    }

    pub(super) fn load(spec: TransformSpec, dim_in: usize, cursor: &mut Cursor<'_>) -> Result<Self> {
        let dim_out = spec.dim_out(dim_in);
        let itq = Self::from_parts(ItqParts {
            mean: take_floats(cursor, "mean")?,
            rotation: Linear::load(TransformSpec::Linear { dim: dim_out }, dim_out, cursor)?,
            linear: Linear::load(TransformSpec::Linear { dim: dim_out }, dim_in, cursor)?,
        })?;
        Ok(Self { spec, ..itq })
    }
}

/// The vectors without `mean`, of length 1.
fn directions(vectors: Rows<'_>, mean: &[f32]) -> Vec<f32> {
    assert_eq!(vectors.dim(), mean.len(), "vectors of the transform's dimension");
    let components = vectors.as_slice().iter().zip(mean.iter().cycle());
    let mut out: Vec<f32> = components.map(|(x, mean)| x - mean).collect();
    normalize(&mut RowsMut::new(&mut out, mean.len()).expect("whole rows"));
    out
}

/// The rotation by which `vectors` come closest to corners of a cube, found by turns: corners, then rotation.
fn rotation(spec: &TransformSpec, vectors: Rows<'_>, random: &mut Random, training: &Training<'_>) -> Result<Matrix> {
    let dim = vectors.dim();
    let mut rotation = algebra::random_rotation(dim, random, training.pool);
    let mut turned = Vec::new();
    for _ in 0..ROUNDS {
        turned.clear();
        Linear::new(dim, dim, rotation.to_f32(), Vec::new())?.apply(vectors, &mut turned);
        turned.iter_mut().for_each(|x| *x = if *x > 0.0 { 1.0 } else { -1.0 });
        let corners = Rows::new(&turned, dim).expect("as many");
        let products = algebra::cross_product(corners, vectors, training.pool);
        check_finite(spec, &products)?;
        rotation = algebra::nearest_orthonormal(&products, training.pool);
    }
    Ok(rotation)
}

impl Transform for Itq {
    fn spec(&self) -> TransformSpec {
        self.spec
    }

    fn dim_in(&self) -> usize {
        self.parts.linear.dim_in()
    }

    fn dim_out(&self) -> usize {
        self.parts.linear.dim_out()
    }

    fn apply(&self, vectors: Rows<'_>, out: &mut Vec<f32>) {
        let directions = directions(vectors, &self.parts.mean);
        self.parts
            .linear
            .apply(Rows::new(&directions, self.dim_in()).expect("as many"), out);
    }

    /// There is none: lengths are lost.
    fn reverse(&self, _vectors: Rows<'_>, _out: &mut Vec<f32>) -> Result<()> {
        Err(Error::Irreversible {
            transform: self.spec.to_string(),
        })
    }

    fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_floats(&mut out, &self.parts.mean);
        out.extend(self.parts.rotation.save());
        out.extend(self.parts.linear.save());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::gaussian;

    #[test]
    fn signs_keep_more_than_those_of_a_random_rotation() {
        let mut random = Random::new(5);
        // Two clusters along each of four axes, far from a corner of the cube after a rotation.
        let mut vector = || -> Vec<f64> {
            (0..8)
                .map(|i| gaussian(&mut random) * 0.1 + ((i < 4) as u8 as f64) * gaussian(&mut random).signum())
                .collect()
        };
        let turn = algebra::random_rotation(8, &mut Random::new(6), None);
        let sample: Vec<f32> = (0..500)
            .flat_map(|_| Matrix::new(vector(), 8).times(&turn, None).to_f32())
            .collect();
        let sample = Rows::new(&sample, 8).unwrap();
        let loss = |token: &str| {
            let mut out = Vec::new();
            let transform = TransformSpec::parse(token)
                .unwrap()
                .train(sample, &Training::default())
                .unwrap();
            transform.apply(sample, &mut out);
            normalize(&mut RowsMut::new(&mut out, transform.dim_out()).unwrap());
            let side = (transform.dim_out() as f32).sqrt().recip();
            out.iter().map(|x| (x - x.signum() * side).powi(2)).sum::<f32>() / sample.len() as f32
        };
        assert!(loss("ITQ4") < 0.1 * loss("RR4"), "{} {}", loss("ITQ4"), loss("RR4"));
        assert!(loss("ITQ") < 0.9 * loss("RR"), "{} {}", loss("ITQ"), loss("RR"));
    }
}
