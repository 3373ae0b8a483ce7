//! Plain Rust: always available, and the reference for every other instruction set.

use std::array;

use super::simd::Registers;
use crate::{
    kernels::{Entry, Kernels, entries},
    metric::{Measure, with_metrics},
    pairwise,
    rows::Rows,
};

use super::Isa;

pub(crate) static KERNELS: Kernels = Kernels {
    isa: Isa::Scalar,
    metrics: with_metrics!(entries),
    product: None,
};

fn pair<M: Measure>(x: &[f32], y: &[f32]) -> f32 {
    pairwise::pair::<_, M>(Scalar, x, y)
}

fn run<M: Measure>(query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
    pairwise::run::<_, M>(Scalar, query, rows, out);
}

fn list<M: Measure>(query: &[f32], rows: Rows<'_>, list: &[usize], out: &mut [f32]) {
    pairwise::list::<_, M>(Scalar, query, rows, list, out);
}

/// Needs no proof: every machine can run it.
#[derive(Clone, Copy)]
struct Scalar;

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
    fn abs(self, a: Lanes) -> Lanes {
        a.map(f32::abs)
    }

    #[inline(always)]
    fn max_magnitude(self, a: Lanes, b: Lanes) -> Lanes {
        array::from_fn(|i| larger(a[i], b[i]))
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
