//! Principal components (Faiss: `PCAMatrix`).

use anear_bytes::Cursor;
use anear_kernels::{Random, Rows};

use super::algebra::{self, Matrix};
use super::{Linear, Transform, TransformSpec, check_floats, put_floats, take_floats};
use crate::{Error, Result, Training};

/// Vectors per component that are learned from, as in Faiss.
const SAMPLE_PER_DIM: usize = 1000;

/// The principal components of the sample, those with the largest variance, perhaps scaled or rotated.
///
/// Scaling to equal variance is by the root of the eigenvalue, which is the sum of squares over the sample and not their
/// mean, as in Faiss.
#[derive(Clone, Debug)]
pub struct Pca {
    spec: TransformSpec,
    parts: PcaParts,
}

/// What a [`Pca`] consists of, in Faiss's terms.
#[derive(Clone, Debug)]
pub struct PcaParts {
    /// Components are scaled by the eigenvalue to this power: 0, or -0.5 for equal variance.
    pub eigen_power: f32,
    /// What is added to eigenvalues before.
    pub epsilon: f32,
    /// Whether they are rotated at random.
    pub random_rotation: bool,
    /// Into how many bins of equal variance they were dealt; 0 for none. Read from files, not trained.
    pub balanced_bins: i32,
    /// The mean of the sample.
    pub mean: Vec<f32>,
    /// Sums of squares along the components, largest first: one per component that comes in.
    pub eigenvalues: Vec<f32>,
    /// The components, as rows: as many as come in.
    pub components: Vec<f32>,
    /// The map that all of this makes.
    pub linear: Linear,
}

impl Pca {
    /// The transform of these parts.
    ///
    /// # Errors
    /// [`Error::Parameters`] when lengths do not fit or a number is not finite.
    pub fn from_parts(parts: PcaParts) -> Result<Self> {
        let dim = parts.linear.dim_out();
        let spec = TransformSpec::Pca {
            dim,
            whiten: parts.eigen_power != 0.0,
            rotate: parts.random_rotation,
        };
        parts.check()?;
        Ok(Self { spec, parts })
    }

    /// What it consists of.
    pub fn parts(&self) -> &PcaParts {
        &self.parts
    }

    pub(super) fn train(spec: TransformSpec, sample: Rows<'_>, training: &Training<'_>) -> Result<Self> {
        let TransformSpec::Pca { dim, whiten, rotate } = spec else {
            return Err(Error::Parameters(format!("`{spec}` is no PCA")));
        };
        let mut random = Random::new(training.seed);
        let principal = Principal::of(&spec, dim, sample, &mut random, training)?;
        let mut matrix = Matrix::new(
            principal.components.iter().map(|x| f64::from(*x)).collect(),
            sample.dim(),
        );
        matrix = matrix.corner(dim, sample.dim());
        if whiten {
            for (i, eigenvalue) in principal.eigenvalues[..dim].iter().enumerate() {
                let scale = if *eigenvalue > 0.0 {
                    f64::from(*eigenvalue).powf(-0.5)
                } else {
                    0.0
                };
                matrix.row_mut(i).iter_mut().for_each(|x| *x *= scale);
            }
        }
        if rotate {
            matrix = algebra::random_rotation(dim, &mut random, training.pool).times(&matrix, training.pool);
        }
        let bias = (0..dim).map(|i| {
            -matrix
                .row(i)
                .iter()
                .zip(&principal.mean)
                .map(|(a, m)| a * m)
                .sum::<f64>()
        });
        let bias = bias.map(|x| x as f32).collect();
        Self::from_parts(PcaParts {
            eigen_power: if whiten { -0.5 } else { 0.0 },
            epsilon: 0.0,
            random_rotation: rotate,
            balanced_bins: 0,
            mean: principal.mean.iter().map(|x| *x as f32).collect(),
            eigenvalues: principal.eigenvalues,
            components: principal.components,
            linear: Linear::new(sample.dim(), dim, matrix.to_f32(), bias)?,
        })
    }

    pub(super) fn load(spec: TransformSpec, dim_in: usize, cursor: &mut Cursor<'_>) -> Result<Self> {
        let pca = Self::from_parts(PcaParts {
            eigen_power: f32::from_bits(cursor.u32("eigen power")?),
            epsilon: f32::from_bits(cursor.u32("epsilon")?),
            random_rotation: cursor.bool("random rotation")?,
            balanced_bins: cursor.i32("balanced bins")?,
            mean: take_floats(cursor, "mean")?,
            eigenvalues: take_floats(cursor, "eigenvalues")?,
            components: take_floats(cursor, "components")?,
            linear: Linear::load(
                TransformSpec::Linear {
                    dim: spec.dim_out(dim_in),
                },
                dim_in,
                cursor,
            )?,
        })?;
        if pca.spec != spec {
            return Err(Error::Damaged(format!("what should be `{spec}` is `{}`", pca.spec)));
        }
        Ok(pca)
    }
}

impl PcaParts {
    fn check(&self) -> Result<()> {
        let dim = self.linear.dim_in();
        if self.linear.dim_out() > dim {
            let got = self.linear.dim_out();
            return Err(Error::Parameters(format!(
                "there are {dim} principal components, not {got}"
            )));
        }
        check_floats("the powers of a PCA", &[self.eigen_power, self.epsilon], 2)?;
        check_floats("the mean of a PCA", &self.mean, dim)?;
        check_floats("the eigenvalues of a PCA", &self.eigenvalues, dim)?;
        check_floats("the components of a PCA", &self.components, dim * dim)
    }
}

/// The principal components of a sample.
pub(crate) struct Principal {
    pub(crate) mean: Vec<f64>,
    pub(crate) eigenvalues: Vec<f32>,
    pub(crate) components: Vec<f32>,
}

impl Principal {
    /// Of `sample`, of which `what` keeps `dim` components.
    pub(crate) fn of(
        what: &TransformSpec,
        dim: usize,
        sample: Rows<'_>,
        random: &mut Random,
        training: &Training<'_>,
    ) -> Result<Self> {
        let dim_in = sample.dim();
        if dim > dim_in {
            return Err(Error::Parameters(format!(
                "`{what}` cannot make {dim} components of {dim_in}: ask for fewer"
            )));
        }
        let needed = dim.max(2);
        if sample.len() < needed {
            return Err(Error::TooFewTrainingVectors {
                what: what.to_string(),
                needed,
                got: sample.len(),
            });
        }
        let sample = subsample(sample, SAMPLE_PER_DIM.saturating_mul(dim_in), random);
        let sample = Rows::new(&sample, dim_in).expect("whole vectors");
        let mean = algebra::mean(sample);
        let centered = algebra::centered(sample, &mean);
        let scatter = algebra::scatter(Rows::new(&centered, dim_in).expect("whole vectors"), training.pool);
        check_finite(what, &scatter)?;
        let (eigenvalues, components) = algebra::symmetric_eigen(scatter, training.pool);
        // Rounding makes negative ones of zero.
        let eigenvalues = eigenvalues.iter().map(|x| x.max(0.0) as f32).collect();
        Ok(Self {
            mean,
            eigenvalues,
            components: components.to_f32(),
        })
    }
}

/// Fails when products of the sample's vectors were too large.
pub(super) fn check_finite(what: &TransformSpec, products: &Matrix) -> Result<()> {
    if products.is_finite() {
        return Ok(());
    }
    Err(Error::Parameters(format!(
        "`{what}` cannot learn from vectors this large: scale them down"
    )))
}

/// At most `count` of the vectors, in their order.
pub(crate) fn subsample(vectors: Rows<'_>, count: usize, random: &mut Random) -> Vec<f32> {
    if vectors.len() <= count {
        return vectors.as_slice().to_vec();
    }
    let chosen = random.sorted_sample(vectors.len(), count);
    chosen.iter().flat_map(|i| vectors.row(*i)).copied().collect()
}

impl Transform for Pca {
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
        self.parts.linear.apply(vectors, out);
    }

    fn reverse(&self, vectors: Rows<'_>, out: &mut Vec<f32>) -> Result<()> {
        self.parts.linear.reverse(vectors, out)
    }

    fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.parts.eigen_power.to_le_bytes());
        out.extend(self.parts.epsilon.to_le_bytes());
        out.push(self.parts.random_rotation.into());
        out.extend(self.parts.balanced_bins.to_le_bytes());
        put_floats(&mut out, &self.parts.mean);
        put_floats(&mut out, &self.parts.eigenvalues);
        put_floats(&mut out, &self.parts.components);
        out.extend(self.parts.linear.save());
        out
    }
}
