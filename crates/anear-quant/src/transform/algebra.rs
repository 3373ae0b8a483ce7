//! Dense linear algebra in f64: products, the symmetric eigenproblem, random rotations, the nearest orthonormal matrix.
//!
//! Everything is made of operations on whole rows, which compilers vectorize, in an order that does not depend on the
//! number of threads.

use std::ops::Range;

use anear_kernels::{Metric, Random, Rows};
use anear_pool::Pool;

use crate::random::gaussian;

/// Vectors that are multiplied before single precision is left for double: in 32 running totals, 32 numbers each.
const BLOCK: usize = 1024;

/// Rows per unit of work for a pool.
const STRIPE: usize = 64;

/// A dense matrix, row after row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    data: Vec<f64>,
    cols: usize,
}

impl Matrix {
    pub(super) fn new(data: Vec<f64>, cols: usize) -> Self {
        assert!(cols > 0 && data.len().is_multiple_of(cols), "whole rows");
        Self { data, cols }
    }

    pub(super) fn zeros(rows: usize, cols: usize) -> Self {
        Self::new(vec![0.0; rows * cols], cols)
    }

    pub(super) fn identity(n: usize) -> Self {
        let mut identity = Self::zeros(n, n);
        identity.data.iter_mut().step_by(n + 1).for_each(|x| *x = 1.0);
        identity
    }

    pub(super) fn rows(&self) -> usize {
        self.data.len() / self.cols
    }

    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.cols..][..self.cols]
    }

    pub(super) fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.data[i * self.cols..][..self.cols]
    }

    fn columns(&self, range: Range<usize>) -> Self {
        let rows = self.data.chunks_exact(self.cols);
        Self::new(rows.flat_map(|row| &row[range.clone()]).copied().collect(), range.len())
    }

    /// The upper left part.
    pub(super) fn corner(&self, rows: usize, cols: usize) -> Self {
        let mut corner = self.columns(0..cols);
        corner.data.truncate(rows * cols);
        corner
    }

    pub(super) fn transposed(&self) -> Self {
        let mut transposed = Self::zeros(self.cols, self.rows());
        for i in 0..self.rows() {
            for (j, x) in self.row(i).iter().enumerate() {
                transposed.data[j * self.rows() + i] = *x;
            }
        }
        transposed
    }

    /// The matrix product.
    pub(super) fn times(&self, right: &Self, pool: Option<&Pool>) -> Self {
        assert_eq!(self.cols, right.rows(), "factors that fit");
        let stripes = stripes(pool, self.rows(), |rows| {
            let mut product = Self::zeros(rows.len(), right.cols);
            for (k, factor) in (0..right.rows()).map(|k| (k, right.row(k))) {
                for (out, i) in rows.clone().enumerate() {
                    add_scaled(product.row_mut(out), self.row(i)[k], factor);
                }
            }
            product.data
        });
        Self::new(stripes.concat(), right.cols)
    }

    pub(super) fn to_f32(&self) -> Vec<f32> {
        self.data.iter().map(|x| *x as f32).collect()
    }

    pub(super) fn is_finite(&self) -> bool {
        self.data.iter().all(|x| x.is_finite())
    }
}

/// `f` of stretches of `0..n`, in order.
fn stripes<T: Send>(pool: Option<&Pool>, n: usize, f: impl Fn(Range<usize>) -> T + Send + Sync) -> Vec<T> {
    let stripe = |i: usize| f(i * STRIPE..n.min((i + 1) * STRIPE));
    let count = n.div_ceil(STRIPE);
    match pool {
        Some(pool) if count > 1 => pool.map(count, stripe),
        _ => (0..count).map(stripe).collect(),
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut totals = [0.0; 8];
    let ((xs, x), (ys, y)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    for (x, y) in xs.iter().zip(ys) {
        for lane in 0..8 {
            totals[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
    totals.iter().sum::<f64>() + rest
}

fn add_scaled(y: &mut [f64], a: f64, x: &[f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}

/// The mean of the vectors.
pub(super) fn mean(vectors: Rows<'_>) -> Vec<f64> {
    let mut sum = vec![0.0; vectors.dim()];
    for vector in vectors {
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    sum.iter_mut().for_each(|sum| *sum /= vectors.len().max(1) as f64);
    sum
}

/// The vectors without `mean`.
pub(super) fn centered(vectors: Rows<'_>, mean: &[f64]) -> Vec<f32> {
    let mut out = vectors.as_slice().to_vec();
    for vector in out.chunks_exact_mut(mean.len()) {
        vector
            .iter_mut()
            .zip(mean)
            .for_each(|(x, mean)| *x = (f64::from(*x) - mean) as f32);
    }
    out
}

/// The sum of `x yᵀ` over pairs of vectors, `x.dim()` x `y.dim()`.
pub(super) fn cross_product(x: Rows<'_>, y: Rows<'_>, pool: Option<&Pool>) -> Matrix {
    sum_of_products(x, y, |_| y.dim(), pool)
}

/// The sum of `x xᵀ` over the vectors: each symmetric pair is computed once.
pub(super) fn scatter(x: Rows<'_>, pool: Option<&Pool>) -> Matrix {
    let mut scatter = sum_of_products(x, x, |i| i + 1, pool);
    for i in 0..x.dim() {
        for j in 0..i {
            scatter.row_mut(j)[i] = scatter.row(i)[j];
        }
    }
    scatter
}

/// The first `width(i)` numbers of each row `i` of the sum of `x yᵀ`, by kernels on blocks of transposed vectors.
fn sum_of_products(x: Rows<'_>, y: Rows<'_>, width: impl Fn(usize) -> usize + Sync, pool: Option<&Pool>) -> Matrix {
    assert_eq!(x.len(), y.len(), "pairs of vectors");
    let mut sum = Matrix::zeros(x.dim(), y.dim());
    for start in (0..x.len()).step_by(BLOCK) {
        let block = start..x.len().min(start + BLOCK);
        let (len, x, y) = (
            block.len(),
            transposed(x.slice(block.clone())),
            transposed(y.slice(block)),
        );
        let products = stripes(pool, sum.rows(), |rows| {
            let mut products = Vec::new();
            for i in rows {
                let at = products.len();
                products.resize(at + width(i), 0.0);
                let others = Rows::new(&y[..width(i) * len], len).expect("whole columns");
                Metric::InnerProduct.distances(&x[i * len..][..len], others, &mut products[at..]);
            }
            products
        });
        let mut products = products.iter().flatten();
        for i in 0..sum.rows() {
            // The distance is the negated product.
            sum.row_mut(i)[..width(i)]
                .iter_mut()
                .zip(&mut products)
                .for_each(|(sum, p)| *sum -= f64::from(*p));
        }
    }
    sum
}

fn transposed(vectors: Rows<'_>) -> Vec<f32> {
    let mut out = vec![0.0; vectors.as_slice().len()];
    for (i, vector) in vectors.iter().enumerate() {
        out[i..]
            .iter_mut()
            .step_by(vectors.len())
            .zip(vector)
            .for_each(|(out, x)| *out = *x);
    }
    out
}

/// Below this a component is the rounding error of rounding errors, as where components repeat others: products of floats
/// other than 0 are larger than 1e-91, and squares of what is this small have no precision.
const NEGLIGIBLE: f64 = 1e-140;

/// A reflection `I - v vᵀ`, with `|v|^2 = 2`, of the components from the `skip`-th on; or nothing, with `v = 0`.
struct Reflection {
    skip: usize,
    v: Vec<f64>,
}

impl Reflection {
    /// Turns `x` into a multiple of the first axis: the multiple comes with it (Golub & Van Loan, 5.1).
    fn of(skip: usize, mut x: Vec<f64>) -> (Self, f64) {
        if x.iter().all(|x| x.abs() < NEGLIGIBLE) {
            let v = vec![0.0; x.len()];
            return (Self { skip, v }, 0.0);
        }
        let length = dot(&x, &x).sqrt();
        let image = if x[0] > 0.0 { -length } else { length };
        x[0] -= image;
        let scale = (2.0 / dot(&x, &x)).sqrt();
        x.iter_mut().for_each(|x| *x *= scale);
        (Self { skip, v: x }, image)
    }

    fn apply(&self, row: &mut [f64]) {
        let row = &mut row[self.skip..];
        let along = dot(row, &self.v);
        add_scaled(row, -along, &self.v);
    }
}

/// The product `.. R2 R1 R0` of reflections, in which each skips one component more than the one before.
fn accumulate(n: usize, reflections: &[Reflection], pool: Option<&Pool>) -> Matrix {
    let identity = Matrix::identity(n);
    let product = stripes(pool, n, |rows| {
        let mut stripe = identity.data[rows.start * n..rows.end * n].to_vec();
        for reflection in reflections.iter().rev() {
            // Rows above are those of the identity still, and do not reach what is reflected.
            let untouched = reflection.skip.saturating_sub(rows.start).min(rows.len());
            stripe[untouched * n..]
                .chunks_exact_mut(n)
                .for_each(|row| reflection.apply(row));
        }
        stripe
    });
    Matrix::new(product.concat(), n)
}

/// A random rotation or reflection, uniformly distributed (Stewart, *The efficient generation of random orthogonal
/// matrices*, 1980): the Q of a Gaussian matrix, without the matrix.
pub(super) fn random_rotation(n: usize, random: &mut Random, pool: Option<&Pool>) -> Matrix {
    let mut signs = Vec::with_capacity(n);
    let mut reflections = Vec::with_capacity(n);
    for skip in 0..n {
        let (reflection, image) = Reflection::of(skip, (skip..n).map(|_| gaussian(random)).collect());
        signs.push(if image < 0.0 { -1.0 } else { 1.0 });
        reflections.push(reflection);
    }
    let mut rotation = accumulate(n, &reflections, pool);
    for (i, sign) in signs.iter().enumerate() {
        rotation.row_mut(i).iter_mut().for_each(|x| *x *= sign);
    }
    rotation
}

/// A symmetric matrix with nothing beside its diagonal and the one below.
struct Tridiagonal {
    diagonal: Vec<f64>,
    beside: Vec<f64>,
}

/// Turns a symmetric matrix into a tridiagonal one by reflections from both sides (Golub & Van Loan, 8.3.1).
///
/// The change that one reflection makes to a row is made when the next one reads it: the matrix is passed once per step.
fn tridiagonalize(mut matrix: Matrix) -> (Tridiagonal, Vec<Reflection>) {
    let n = matrix.rows();
    let mut tridiagonal = Tridiagonal {
        diagonal: Vec::with_capacity(n),
        beside: Vec::with_capacity(n),
    };
    let mut reflections: Vec<Reflection> = Vec::with_capacity(n);
    // What is still to be taken from the matrix: v wᵀ + w vᵀ, from component `k` on.
    let (mut v, mut w) = (vec![0.0; n], vec![0.0; n]);
    for k in 0..n {
        change(&mut matrix.row_mut(k)[k..], (v[0], &w), (w[0], &v));
        tridiagonal.diagonal.push(matrix.row(k)[k]);
        if k + 1 == n {
            break;
        }
        let (reflection, image) = Reflection::of(k + 1, matrix.row(k)[k + 1..].to_vec());
        tridiagonal.beside.push(image);
        let mut next = Vec::with_capacity(n - k - 1);
        for i in k + 1..n {
            let row = &mut matrix.row_mut(i)[k + 1..];
            change(row, (v[i - k], &w[1..]), (w[i - k], &v[1..]));
            next.push(dot(row, &reflection.v));
        }
        let along = dot(&next, &reflection.v) / 2.0;
        add_scaled(&mut next, -along, &reflection.v);
        (v, w) = (reflection.v.clone(), next);
        reflections.push(reflection);
    }
    (tridiagonal, reflections)
}

fn change(row: &mut [f64], (a, x): (f64, &[f64]), (b, y): (f64, &[f64])) {
    for ((row, x), y) in row.iter_mut().zip(x).zip(y) {
        *row -= a * x + b * y;
    }
}

/// A rotation by `cos` and `sin` of the components `k` and `k + 1`.
#[derive(Clone, Copy)]
struct Rotation {
    k: usize,
    cos: f64,
    sin: f64,
}

impl Rotation {
    fn apply(self, rows: &mut Matrix) {
        let (upper, lower) = rows.data[self.k * rows.cols..][..2 * rows.cols].split_at_mut(rows.cols);
        for (x, y) in upper.iter_mut().zip(lower) {
            (*x, *y) = (self.cos * *x + self.sin * *y, self.cos * *y - self.sin * *x);
        }
    }
}

impl Tridiagonal {
    /// The largest part at the end in which nothing beside the diagonal is zero, unless all is diagonal.
    fn unreduced(&mut self) -> Option<(usize, usize)> {
        for (i, beside) in self.beside.iter_mut().enumerate() {
            let scale = self.diagonal[i].abs() + self.diagonal[i + 1].abs();
            if beside.abs() <= (f64::EPSILON * scale).max(f64::MIN_POSITIVE) {
                *beside = 0.0;
            }
        }
        let last = self.beside.iter().rposition(|x| *x != 0.0)?;
        let first = self.beside[..last]
            .iter()
            .rposition(|x| *x == 0.0)
            .map_or(0, |zero| zero + 1);
        Some((first, last + 1))
    }

    /// One implicit QR step with Wilkinson's shift on the part from `first` to `last` (Golub & Van Loan, 8.3.2).
    fn step(&mut self, (first, last): (usize, usize), rotations: &mut Vec<Rotation>) {
        let beside = self.beside[last - 1];
        let half = (self.diagonal[last - 1] - self.diagonal[last]) / 2.0;
        let shift = self.diagonal[last] - beside * beside / (half + half.hypot(beside).copysign(half));
        let (mut x, mut z) = (self.diagonal[first] - shift, self.beside[first]);
        for k in first..last {
            let length = x.hypot(z);
            let (cos, sin) = if length > 0.0 {
                (x / length, z / length)
            } else {
                (1.0, 0.0)
            };
            rotations.push(Rotation { k, cos, sin });
            if k > first {
                self.beside[k - 1] = length;
            }
            let (a, b, c) = (self.diagonal[k], self.beside[k], self.diagonal[k + 1]);
            self.diagonal[k] = cos * cos * a + 2.0 * cos * sin * b + sin * sin * c;
            self.diagonal[k + 1] = sin * sin * a - 2.0 * cos * sin * b + cos * cos * c;
            self.beside[k] = cos * sin * (c - a) + (cos * cos - sin * sin) * b;
            if k + 1 < last {
                (x, z) = (self.beside[k], sin * self.beside[k + 1]);
                self.beside[k + 1] *= cos;
            }
        }
    }
}

/// Rotations that are gathered before rows are rotated: 24 MiB.
const ROTATIONS: usize = 1 << 20;

/// The eigenvalues of a symmetric matrix, largest first, and as many eigenvectors of length 1, as rows.
///
/// Reduction to tridiagonal form, then implicit QR steps; their rotations are applied to stripes of columns that stay in
/// the cache.
pub(super) fn symmetric_eigen(matrix: Matrix, pool: Option<&Pool>) -> (Vec<f64>, Matrix) {
    let n = matrix.rows();
    let (mut tridiagonal, reflections) = tridiagonalize(matrix);
    let vectors = accumulate(n, &reflections, pool);
    drop(reflections);
    let mut columns = stripes(None, n, |columns| vectors.columns(columns));
    drop(vectors);
    let mut rotations = Vec::new();
    // Two or three steps per eigenvalue do.
    for _ in 0..30 * n {
        let part = tridiagonal.unreduced();
        if let Some(part) = part {
            tridiagonal.step(part, &mut rotations);
        }
        if part.is_none() || rotations.len() > ROTATIONS {
            columns = rotated(&columns, &rotations, pool);
            rotations.clear();
        }
        if part.is_none() {
            break;
        }
    }
    sorted(&tridiagonal.diagonal, &columns)
}

fn rotated(stripes: &[Matrix], rotations: &[Rotation], pool: Option<&Pool>) -> Vec<Matrix> {
    let rotated = |i: usize| {
        let mut stripe: Matrix = stripes[i].clone();
        rotations.iter().for_each(|rotation| rotation.apply(&mut stripe));
        stripe
    };
    match pool {
        Some(pool) => pool.map(stripes.len(), rotated),
        None => (0..stripes.len()).map(rotated).collect(),
    }
}

fn sorted(values: &[f64], columns: &[Matrix]) -> (Vec<f64>, Matrix) {
    let n = values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    let mut vectors = Vec::with_capacity(n * n);
    for &i in &order {
        columns
            .iter()
            .for_each(|stripe| vectors.extend_from_slice(stripe.row(i)));
    }
    (order.iter().map(|i| values[*i]).collect(), Matrix::new(vectors, n))
}

/// The matrix with orthonormal rows (or columns, where there are more rows) that is nearest to `matrix`: `U Vᵀ` of its
/// singular value decomposition (Schönemann, *A generalized solution of the orthogonal Procrustes problem*, 1966).
pub(super) fn nearest_orthonormal(matrix: &Matrix, pool: Option<&Pool>) -> Matrix {
    if matrix.rows() > matrix.cols {
        return nearest_orthonormal(&matrix.transposed(), pool).transposed();
    }
    let (_, left) = symmetric_eigen(matrix.times(&matrix.transposed(), pool), pool);
    let mut right = left.times(matrix, pool);
    orthonormalize(&mut right);
    left.transposed().times(&right, pool)
}

/// Makes the rows orthonormal, the first ones changed least; a row that depends on those before is replaced
/// (Gram & Schmidt, twice, because once is not enough).
fn orthonormalize(matrix: &mut Matrix) {
    let cols = matrix.cols;
    let longest = (0..matrix.rows())
        .map(|i| dot(matrix.row(i), matrix.row(i)).sqrt())
        .fold(0.0, f64::max);
    let mut axes = 0..cols;
    for i in 0..matrix.rows() {
        let (before, from) = matrix.data.split_at_mut(i * cols);
        let row = &mut from[..cols];
        while !straighten(row, before, longest) {
            // One of the axes is independent of fewer rows than there are axes.
            row.fill(0.0);
            row[axes.next().expect("no more rows than columns")] = longest.max(1.0);
        }
    }
}

/// Takes from `row` what lies along the orthonormal rows `before` and scales it to length 1; false when all but a
/// trillionth of `scale` lies along them.
fn straighten(row: &mut [f64], before: &[f64], mut scale: f64) -> bool {
    for _ in 0..2 {
        for other in before.chunks_exact(row.len()) {
            let along = dot(row, other);
            add_scaled(row, -along, other);
        }
        let length = dot(row, row).sqrt();
        if length <= scale * 1e-12 {
            return false;
        }
        row.iter_mut().for_each(|x| *x /= length);
        scale = 1.0;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
        let mut random = Random::new(seed);
        Matrix::new((0..rows * cols).map(|_| gaussian(&mut random)).collect(), cols)
    }

    fn farthest(a: &Matrix, b: &Matrix) -> f64 {
        assert_eq!((a.rows(), a.cols), (b.rows(), b.cols));
        a.data
            .iter()
            .zip(&b.data)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max)
    }

    fn is_orthonormal(matrix: &Matrix) -> bool {
        farthest(
            &matrix.times(&matrix.transposed(), None),
            &Matrix::identity(matrix.rows()),
        ) < 1e-12
    }

    #[test]
    fn eigenvectors_are_orthonormal_and_put_the_matrix_together() {
        for n in [1, 2, 3, 10, 100] {
            let a = random(n, n, 5);
            let spd = a.times(&a.transposed(), None);
            let (values, vectors) = symmetric_eigen(spd.clone(), None);
            assert!(values.is_sorted_by(|a, b| a >= b) && is_orthonormal(&vectors));
            let mut scaled = vectors.clone();
            for (i, value) in values.iter().enumerate() {
                scaled.row_mut(i).iter_mut().for_each(|x| *x *= value);
            }
            let again = vectors.transposed().times(&scaled, None);
            assert!(farthest(&again, &spd) < 1e-11 * values[0], "{n}");
        }
    }

    #[test]
    fn eigenvalues_may_be_equal_or_zero() {
        for diagonal in [[0.0; 5], [3.0; 5], [7.0, 0.0, 7.0, 0.0, -1.0]] {
            let mut matrix = Matrix::zeros(5, 5);
            diagonal.iter().enumerate().for_each(|(i, x)| matrix.row_mut(i)[i] = *x);
            let rotation = random_rotation(5, &mut Random::new(3), None);
            let turned = rotation.transposed().times(&matrix, None).times(&rotation, None);
            for matrix in [matrix, turned] {
                let (values, vectors) = symmetric_eigen(matrix, None);
                let mut want = diagonal;
                want.sort_by(|a, b| b.total_cmp(a));
                assert!(
                    values.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-13),
                    "{values:?}"
                );
                assert!(is_orthonormal(&vectors));
            }
        }
    }

    #[test]
    fn components_may_repeat_others() {
        let (count, times) = (24, 16);
        let some = random(100, count, 3);
        let repeated: Vec<f64> = (0..100).flat_map(|i| some.row(i).repeat(times)).collect();
        let repeated = Matrix::new(repeated, count * times);
        let (values, vectors) = symmetric_eigen(repeated.transposed().times(&repeated, None), None);
        let (want, _) = symmetric_eigen(some.transposed().times(&some, None), None);
        let want = want
            .iter()
            .map(|value| value * times as f64)
            .chain(std::iter::repeat(0.0));
        let off = values.iter().zip(want).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f64::max) < 1e-11 * values[0] && is_orthonormal(&vectors));
    }

    #[test]
    fn random_rotations_are_orthonormal_and_differ_by_seed() {
        let [a, b] = [1, 2].map(|seed| random_rotation(70, &mut Random::new(seed), None));
        assert!(is_orthonormal(&a) && is_orthonormal(&b));
        assert!(farthest(&a, &b) > 0.1);
        // Uniformly distributed: the first component is as often negative as not.
        let negative = (0..400).filter(|seed| random_rotation(2, &mut Random::new(*seed), None).row(0)[0] < 0.0);
        assert!((150..250).contains(&negative.count()));
    }

    #[test]
    fn the_nearest_orthonormal_matrix_undoes_a_stretch() {
        let rotation = random_rotation(20, &mut Random::new(1), None);
        // A rotation times a positive definite matrix: nothing is nearer than the rotation.
        let stretch = random(20, 20, 2);
        let stretch = stretch.times(&stretch.transposed(), None);
        assert!(farthest(&nearest_orthonormal(&rotation.times(&stretch, None), None), &rotation) < 1e-9);
        for (rows, cols) in [(5, 20), (20, 5)] {
            let nearest = nearest_orthonormal(&random(rows, cols, 3), None);
            let shorter = if rows < cols { nearest } else { nearest.transposed() };
            assert!(is_orthonormal(&shorter));
        }
    }

    #[test]
    fn what_has_no_full_rank_has_a_nearest_orthonormal_matrix_too() {
        let thin = random(6, 2, 4);
        for matrix in [
            Matrix::zeros(6, 6),
            thin.times(&random(2, 6, 5), None),
            thin.times(&random(2, 9, 6), None),
        ] {
            assert!(is_orthonormal(&nearest_orthonormal(&matrix, None)));
        }
    }

    #[test]
    fn products_of_vectors_equal_those_in_double_precision() {
        let (x, y) = (random(1500, 7, 8), random(1500, 4, 9));
        let (x32, y32) = (x.to_f32(), y.to_f32());
        let [x_rows, y_rows] = [Rows::new(&x32, 7).unwrap(), Rows::new(&y32, 4).unwrap()];
        let want = x.transposed().times(&y, None);
        assert!(farthest(&cross_product(x_rows, y_rows, None), &want) < 1e-3);
        assert!(farthest(&scatter(x_rows, None), &x.transposed().times(&x, None)) < 1e-3);
    }

    #[test]
    fn threads_change_nothing() {
        let pool = Pool::new(3).unwrap();
        let a = random(150, 150, 1);
        let spd = a.times(&a.transposed(), Some(&pool));
        assert_eq!(symmetric_eigen(spd.clone(), Some(&pool)), symmetric_eigen(spd, None));
        let [with, without] = [Some(&pool), None].map(|pool| random_rotation(150, &mut Random::new(1), pool));
        assert_eq!(with, without);
    }
}
