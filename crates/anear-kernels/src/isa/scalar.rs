//! Plain Rust: always available, and the reference for every other instruction set.

use std::array;

use super::{Simd, WIDE};

/// Needs no proof: every machine can run it.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

#[inline(always)]
fn zip(a: [f32; WIDE], b: [f32; WIDE], f: impl Fn(f32, f32) -> f32) -> [f32; WIDE] {
    array::from_fn(|i| f(a[i], b[i]))
}

/// Folds the upper half onto the lower until one lane is left.
#[inline(always)]
fn fold(mut lanes: [f32; WIDE], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = WIDE / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = f(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a.to_bits() > b.to_bits() { a } else { b }
}

impl Simd for Scalar {
    type Wide = [f32; WIDE];
    type Tail = ();

    #[inline(always)]
    fn zero(self) -> [f32; WIDE] {
        [0.0; WIDE]
    }

    #[inline(always)]
    fn load(self, chunk: &[f32; WIDE]) -> [f32; WIDE] {
        *chunk
    }

    #[inline(always)]
    fn tail(self, _: usize) {}

    #[inline(always)]
    fn load_tail(self, (): (), chunk: &[f32]) -> [f32; WIDE] {
        let mut wide = [0.0; WIDE];
        wide[..chunk.len()].copy_from_slice(chunk);
        wide
    }

    #[inline(always)]
    fn add(self, a: [f32; WIDE], b: [f32; WIDE]) -> [f32; WIDE] {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: [f32; WIDE], b: [f32; WIDE]) -> [f32; WIDE] {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: [f32; WIDE], b: [f32; WIDE]) -> [f32; WIDE] {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn abs(self, a: [f32; WIDE]) -> [f32; WIDE] {
        a.map(f32::abs)
    }

    #[inline(always)]
    fn max_magnitude(self, a: [f32; WIDE], b: [f32; WIDE]) -> [f32; WIDE] {
        zip(a, b, larger)
    }

    #[inline(always)]
    fn sum(self, a: [f32; WIDE]) -> f32 {
        fold(a, |a, b| a + b)
    }

    #[inline(always)]
    fn largest(self, a: [f32; WIDE]) -> f32 {
        fold(a, larger)
    }
}
