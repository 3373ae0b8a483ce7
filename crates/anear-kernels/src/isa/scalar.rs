//! Plain Rust: always available, and the reference for every other instruction set.

use std::array;

use super::{simd::Registers, widen::Widen};
use crate::{
    byte_rows,
    codes::{
        bit_weights,
        codebooks::{self, Codebooks, Component, Negated, Square, Tables},
        estimates, fast_scan,
    },
    grid,
    kernels::{Entry, Kernels, entries},
    matrix::{self, Matrix},
    metric::{Measure, with_metrics},
    packed::{self, Numbers, PackedQuery, Term, packed_entries},
    pairwise, quantize,
    rows::Rows,
    split::{self, SplitQuery},
    sum,
};

use super::Isa;

pub(crate) static KERNELS: Kernels = Kernels {
    isa: Isa::Scalar,
    metrics: with_metrics!(entries),
    product: None,
    weighted_sum,
    multiply: multiply_matrix,
    packed: packed_entries!(),
    tables: Tables {
        squares: table::<Square>,
        products: table::<Negated>,
    },
    nearest_entries,
    estimates: &estimates::SCALAR,
    estimates_at: bit_weights::scalar,
    fast_scan: &fast_scan::SCALAR,
    quantize: &quantize::SCALAR,
    grid: &grid::SCALAR,
    bytes: &byte_rows::SCALAR,
    split: split::Entry {
        run: split_run,
        list: split_list,
    },
};

fn pair<M: Measure>(parameter: f32, x: &[f32], y: &[f32]) -> f32 {
    pairwise::pair::<_, M>(Scalar, parameter, x, y)
}

fn run<M: Measure>(parameter: f32, query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
    pairwise::run::<_, M>(Scalar, parameter, query, rows, out);
}

fn list<M: Measure>(parameter: f32, query: &[f32], rows: Rows<'_>, list: &[usize], out: &mut [f32]) {
    pairwise::list::<_, M>(Scalar, parameter, query, rows, list, out);
}

fn weighted_sum(rows: Rows<'_>, list: &[usize], weights: &[f32], out: &mut [f32]) {
    sum::sum(Scalar, rows, list, weights, out);
}

fn multiply_matrix(matrix: &Matrix, vectors: Rows<'_>, products: &mut [f32]) {
    matrix::multiply::<_, 1, 1>(Scalar, matrix, vectors, products);
}

fn split_run(query: &SplitQuery, codes: &[u8], out: &mut [f32]) {
    split::run(Scalar, query, codes, out);
}

fn split_list(query: &SplitQuery, codes: &[u8], list: &[u32], out: &mut [f32]) {
    split::list(Scalar, query, codes, list, out);
}

fn packed_run<N: Numbers, T: Term>(query: &PackedQuery, codes: &[u8], out: &mut [f32]) {
    packed::run::<_, N, T>(Scalar, query, codes, out);
}

fn packed_list<N: Numbers, T: Term>(query: &PackedQuery, codes: &[u8], list: &[u32], out: &mut [f32]) {
    packed::list::<_, N, T>(Scalar, query, codes, list, out);
}

fn table<T: Component>(books: &Codebooks, query: &[f32], table: &mut [f32]) {
    codebooks::fill::<_, T>(Scalar, books, query, table);
}

fn nearest_entries(books: &Codebooks, part: usize, vectors: Rows<'_>, numbers: &mut [u32]) {
    codebooks::nearest(Scalar, books, part, vectors, numbers);
}

/// Needs no proof: every machine can run it.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

const LANES: usize = 32;

/// The compiler makes of it what the baseline instruction set has.
type Lanes = [f32; LANES];

impl Registers for Scalar {
    type Reg = Lanes;
    type Wide = [Lanes; 1];

    const LANES: usize = LANES;

    #[inline(always)]
    fn zero(self) -> [Lanes; 1] {
        [[0.0; LANES]]
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Lanes {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Lanes {
        *from.first_chunk().expect("at least 32 floats")
    }

    #[inline(always)]
    fn load_first(self, len: usize, from: &[f32]) -> Lanes {
        let mut lanes = [0.0; LANES];
        lanes[..len].copy_from_slice(&from[..len]);
        lanes
    }

    #[inline(always)]
    fn store(self, a: Lanes, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&a);
    }

    #[inline(always)]
    fn add(self, a: Lanes, b: Lanes) -> Lanes {
        array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn sub(self, a: Lanes, b: Lanes) -> Lanes {
        array::from_fn(|i| a[i] - b[i])
    }

    #[inline(always)]
    fn mul(self, a: Lanes, b: Lanes) -> Lanes {
        array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn div(self, a: Lanes, b: Lanes) -> Lanes {
        array::from_fn(|i| a[i] / b[i])
    }

    /// The baseline of x86-64 lacks the instruction, and the call that stands in for it takes twice as long even where it
    /// finds one (bench `packed`). A product is exact in f64; the sum is rounded to f64 and then to f32.
    #[inline(always)]
    fn mul_add(self, a: Lanes, b: Lanes, c: Lanes) -> Lanes {
        let products: [f64; LANES] = array::from_fn(|i| f64::from(a[i]) * f64::from(b[i]));
        let sums: [f64; LANES] = array::from_fn(|i| products[i] + f64::from(c[i]));
        let mut wrong = false;
        for &sum in &sums {
            wrong |= may_round_wrong(sum);
        }
        if wrong && (0..LANES).any(|i| may_round_wrong(sums[i]) && !is_sum_of(sums[i], products[i], c[i].into())) {
            array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            sums.map(|sum| sum as f32)
        }
    }

    #[inline(always)]
    fn abs(self, a: Lanes) -> Lanes {
        a.map(f32::abs)
    }

    #[inline(always)]
    fn max_magnitude(self, a: Lanes, b: Lanes) -> Lanes {
        array::from_fn(|i| larger(a[i], b[i]))
    }

    #[inline(always)]
    fn if_less(self, a: Lanes, b: Lanes, x: Lanes, y: Lanes) -> Lanes {
        array::from_fn(|i| if a[i] < b[i] { x[i] } else { y[i] })
    }

    #[inline(always)]
    fn sum(self, a: Lanes) -> f32 {
        fold(a, |a, b| a + b)
    }

    #[inline(always)]
    fn largest(self, a: Lanes) -> f32 {
        fold(a, larger)
    }
}

impl Widen for Scalar {}

/// Whether f32 rounds the wrong way if f64 has rounded to this: exactly between two neighbors, or where floats are
/// subnormal and have fewer places.
#[inline(always)]
fn may_round_wrong(sum: f64) -> bool {
    const BEYOND_F32: u64 = (1 << 29) - 1;
    (sum.to_bits() & BEYOND_F32 == 1 << 28) | (sum.abs() < f64::from(f32::MIN_POSITIVE))
}

/// Whether `sum` is `a + b` and nothing was lost (Knuth, *The Art of Computer Programming*, 4.2.2, theorem B).
#[inline(always)]
fn is_sum_of(sum: f64, a: f64, b: f64) -> bool {
    let of_b = sum - a;
    (a - (sum - of_b)) + (b - of_b) == 0.0
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a.to_bits() > b.to_bits() { a } else { b }
}

/// Folds the upper half onto the lower until one lane is left.
#[inline(always)]
fn fold(mut lanes: Lanes, f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = f(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_added_as_if_rounded_once() {
        let mut state = 1_u64;
        // Exponents that let product and addend overlap, vanish beside each other, underflow and overflow.
        let mut float = |exponents: u32| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let (random, fraction) = ((state >> 33) as u32, [0, 1, 0x40_0000, 0x7f_ffff, 0x55_5555, 0x80_0001]);
            let fraction = if random & 1 == 0 {
                fraction[random as usize / 2 % 6]
            } else {
                random >> 8
            };
            f32::from_bits(
                (127 - exponents / 2 + random % exponents) << 23 | fraction & 0x7f_ffff | random & 0x8000_0000,
            )
        };
        for round in 0..100_000 {
            let exponents = [2, 40, 250][round % 3];
            let [a, b, c] = [(); 3].map(|()| array::from_fn(|_| float(exponents)));
            let got = Scalar.mul_add(a, b, c).map(f32::to_bits);
            let want = array::from_fn(|i| a[i].mul_add(b[i], c[i]).to_bits());
            assert_eq!(got, want, "{a:?} * {b:?} + {c:?}");
        }
    }
}
