//! A matrix and perhaps an offset (Faiss: `LinearTransform`).

use std::sync::OnceLock;

use anear_bytes::Cursor;
use anear_kernels::{Matrix, Metric, Rows};

use super::{Transform, TransformSpec, check_dim, check_floats, put_floats, take_floats};
use crate::{Error, Result};

/// `A x + b`: what rotations, OPQ, PCA and ITQ are once they are trained (Faiss: `LinearTransform`).
///
/// ```
/// use anear_kernels::Rows;
/// use anear_quant::transform::{Linear, Transform};
///
/// let turn = Linear::new(2, 2, vec![0.0, -1.0, 1.0, 0.0], vec![])?;
/// let mut out = Vec::new();
/// turn.apply(Rows::new(&[3.0, 1.0], 2).unwrap(), &mut out);
/// assert_eq!(out, [-1.0, 3.0]);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Linear {
    spec: TransformSpec,
    dim_in: usize,
    matrix: Vec<f32>,
    /// One number per row of the matrix, or none.
    bias: Vec<f32>,
    /// The matrix for multiplying.
    forward: Matrix,
    /// The transposed matrix, where it leads back.
    inverse: OnceLock<Option<Matrix>>,
}

/// How far products of rows may be from 0 and 1 in an orthonormal matrix of `f32`, as in Faiss.
const TOLERANCE: f32 = 4e-5;

impl Linear {
    /// The map by `matrix`, `dim_out` rows of `dim_in` numbers, and by `bias`: one number per row, or empty.
    ///
    /// # Errors
    /// [`Error::Parameters`] when a length does not fit or a number is not finite.
    pub fn new(dim_in: usize, dim_out: usize, matrix: Vec<f32>, bias: Vec<f32>) -> Result<Self> {
        Self::trained(TransformSpec::Linear { dim: dim_out }, dim_in, matrix, bias)
    }

    /// A random rotation that came from elsewhere (Faiss: `RandomRotationMatrix`).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn rotation(dim_in: usize, dim_out: usize, matrix: Vec<f32>, bias: Vec<f32>) -> Result<Self> {
        let dim = (dim_in != dim_out).then_some(dim_out);
        Self::trained(TransformSpec::Rotation { dim }, dim_in, matrix, bias)
    }

    /// What `spec` was trained to.
    pub(super) fn trained(spec: TransformSpec, dim_in: usize, matrix: Vec<f32>, bias: Vec<f32>) -> Result<Self> {
        let dim_out = spec.dim_out(dim_in);
        check_dim(dim_in)?;
        check_dim(dim_out)?;
        check_floats("the matrix of a linear map", &matrix, dim_in * dim_out)?;
        if !bias.is_empty() {
            check_floats("the offset of a linear map", &bias, dim_out)?;
        }
        let forward = Matrix::new(Rows::new(&matrix, dim_in).expect("whole rows"));
        Ok(Self {
            spec,
            dim_in,
            matrix,
            forward,
            bias,
            inverse: OnceLock::new(),
        })
    }

    pub(super) fn load(spec: TransformSpec, dim_in: usize, cursor: &mut Cursor<'_>) -> Result<Self> {
        let matrix = take_floats(cursor, "matrix")?;
        Self::trained(spec, dim_in, matrix, take_floats(cursor, "offset")?)
    }

    /// `A`, one row per component that is made.
    pub fn matrix(&self) -> Rows<'_> {
        Rows::new(&self.matrix, self.dim_in).expect("checked when it was made")
    }

    /// `b`; empty where there is none.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// The matrix that leads back: the transposed one, when rows (or columns, if there are more rows) are orthonormal.
    fn inverse(&self) -> Option<&Matrix> {
        let inverse = || {
            let transposed = transposed(self.matrix());
            let columns = Rows::new(&transposed, self.dim_out()).expect("whole columns");
            let shorter = if self.dim_out() <= self.dim_in {
                self.matrix()
            } else {
                columns
            };
            is_orthonormal(shorter).then(|| Matrix::new(columns))
        };
        self.inverse.get_or_init(inverse).as_ref()
    }
}

/// Appends the products of the `rows` rows of `matrix` with each vector, plus `bias`.
fn multiply(matrix: &Matrix, rows: usize, bias: &[f32], vectors: Rows<'_>, out: &mut Vec<f32>) {
    let start = out.len();
    out.resize(start + vectors.len() * rows, 0.0);
    matrix.multiply(vectors, &mut out[start..]);
    if !bias.is_empty() {
        for out in out[start..].chunks_exact_mut(rows) {
            out.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
        }
    }
}

fn transposed(matrix: Rows<'_>) -> Vec<f32> {
    (0..matrix.dim())
        .flat_map(|j| matrix.iter().map(move |row| row[j]))
        .collect()
}

fn is_orthonormal(rows: Rows<'_>) -> bool {
    let mut products = vec![0.0; rows.len()];
    rows.iter().enumerate().all(|(i, row)| {
        let products = &mut products[..=i];
        Metric::InnerProduct.distances(row, rows.slice(0..i + 1), products);
        products[i] += 1.0;
        products.iter().all(|x| x.abs() < TOLERANCE)
    })
}

impl Transform for Linear {
    fn spec(&self) -> TransformSpec {
        self.spec
    }

    fn dim_in(&self) -> usize {
        self.dim_in
    }

    fn dim_out(&self) -> usize {
        self.spec.dim_out(self.dim_in)
    }

    fn apply(&self, vectors: Rows<'_>, out: &mut Vec<f32>) {
        multiply(&self.forward, self.dim_out(), &self.bias, vectors, out);
    }

    fn reverse(&self, vectors: Rows<'_>, out: &mut Vec<f32>) -> Result<()> {
        assert_eq!(vectors.dim(), self.dim_out(), "vectors that the transform made");
        let inverse = self.inverse().ok_or_else(|| Error::Irreversible {
            transform: self.spec.to_string(),
        })?;
        if self.bias.is_empty() {
            multiply(inverse, self.dim_in, &[], vectors, out);
            return Ok(());
        }
        let mut linear = vectors.as_slice().to_vec();
        for vector in linear.chunks_exact_mut(self.dim_out()) {
            vector.iter_mut().zip(&self.bias).for_each(|(x, bias)| *x -= bias);
        }
        let linear = Rows::new(&linear, self.dim_out()).expect("as many");
        multiply(inverse, self.dim_in, &[], linear, out);
        Ok(())
    }

    fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_floats(&mut out, &self.matrix);
        put_floats(&mut out, &self.bias);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_products_with_the_rows_plus_the_offset() {
        // Large enough that the matrix is taken in stretches.
        let (dim_in, dim_out) = (300, 250);
        let number = |i: usize| ((i * 7919) % 17) as f32 - 8.0;
        let matrix: Vec<f32> = (0..dim_in * dim_out).map(number).collect();
        let bias: Vec<f32> = (0..dim_out).map(|i| i as f32).collect();
        let vectors: Vec<f32> = (0..3 * dim_in).map(|i| number(i * i)).collect();
        let linear = Linear::new(dim_in, dim_out, matrix.clone(), bias).unwrap();
        let mut out = vec![5.0];
        linear.apply(Rows::new(&vectors, dim_in).unwrap(), &mut out);
        assert_eq!(out.len(), 1 + 3 * dim_out);
        for (i, x) in out[1..].iter().enumerate() {
            let (vector, j) = (&vectors[i / dim_out * dim_in..][..dim_in], i % dim_out);
            let product: f32 = vector.iter().zip(&matrix[j * dim_in..]).map(|(x, a)| x * a).sum();
            // Small integers: all arithmetic is exact.
            assert_eq!(*x, product + j as f32);
        }
    }

    #[test]
    fn only_an_orthonormal_matrix_leads_back() {
        let stretch = Linear::new(2, 2, vec![2.0, 0.0, 0.0, 1.0], vec![]).unwrap();
        let error = stretch
            .reverse(Rows::new(&[1.0, 1.0], 2).unwrap(), &mut Vec::new())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "what `Linear2` made cannot be turned back into vectors"
        );
        let wide = Linear::new(1, 2, vec![0.6, 0.8], vec![1.0, 2.0]).unwrap();
        let mut out = Vec::new();
        wide.reverse(Rows::new(&[4.0, 6.0], 2).unwrap(), &mut out).unwrap();
        assert_eq!(out, [5.0]);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert!(Linear::new(2, 2, vec![1.0; 3], vec![]).is_err());
        assert!(Linear::new(2, 2, vec![1.0; 4], vec![1.0]).is_err());
        assert!(Linear::new(2, 0, vec![], vec![]).is_err());
        assert!(Linear::new(1 << 30, 1 << 40, vec![], vec![]).is_err());
        assert!(Linear::new(1, 1, vec![f32::NAN], vec![]).is_err());
    }
}
