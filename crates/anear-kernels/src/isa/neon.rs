//! NEON: 128-bit registers of 64-bit Arm.
//!
//! The unsafe blocks below rest on one fact: a value of type [`Neon`] exists only where NEON does. Codes are made by plain
//! functions: rounded to levels, to grids and to halves.

use std::arch::aarch64::*;

use super::{
    Isa,
    simd::{Fused, Registers},
    widen::Widen,
};
use crate::{
    byte_rows::{self, Rounded, Whole},
    codes::{
        bit_weights,
        codebooks::{self, Codebooks, Component, Negated, Square, Tables},
        estimates, fast_scan,
    },
    grid,
    kernels::{Entry, Kernels, entries},
    matrix::{self, Matrix},
    metric::{Measure, with_metrics},
    nearest::{self, Columns, Minimum},
    packed::{self, Numbers, PackedQuery, Term, packed_entries},
    pairwise,
    product::{self, Bounds, Product, Tile},
    quantize,
    rows::Rows,
    split::{self, SplitQuery},
    sum,
};

pub(crate) static KERNELS: Kernels = Kernels {
    isa: Isa::Neon,
    metrics: with_metrics!(entries),
    product: Some(Product {
        queries: 12,
        rows: 8,
        tile,
        multiply,
        least,
        lanes: LANES,
        nearest,
        fold,
    }),
    weighted_sum,
    multiply: multiply_matrix,
    packed: packed_entries!(),
    tables: Tables {
        squares: table::<Square>,
        products: table::<Negated>,
    },
    nearest_entries,
    estimates: &estimates::neon::NEON,
    estimates_at: bit_weights::neon::estimates_at,
    fast_scan: &fast_scan::neon::NEON,
    quantize: &quantize::SCALAR,
    grid: &grid::SCALAR,
    bytes: &byte_rows::Entry {
        round: round_row,
        numbers: to_numbers,
        products: byte_rows::neon::products,
        squares_at: byte_rows::neon::squares_at,
    },
    split: split::Entry {
        run: split_run,
        list: split_list,
    },
};

#[target_feature(enable = "neon")]
fn pair<M: Measure>(parameter: f32, x: &[f32], y: &[f32]) -> f32 {
    pairwise::pair::<_, M>(Neon::here(), parameter, x, y)
}

#[target_feature(enable = "neon")]
fn run<M: Measure>(parameter: f32, query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
    pairwise::run::<_, M>(Neon::here(), parameter, query, rows, out);
}

#[target_feature(enable = "neon")]
fn list<M: Measure>(parameter: f32, query: &[f32], rows: Rows<'_>, list: &[usize], out: &mut [f32]) {
    pairwise::list::<_, M>(Neon::here(), parameter, query, rows, list, out);
}

/// 3 x 8 totals, 3 of queries, 1 of a row: 28 of 32 registers.
#[target_feature(enable = "neon")]
fn tile(panel: &[f32], rows: &[&[f32]], bounds: &Bounds<'_>) -> Tile {
    product::tile::<_, 3, 8>(Neon::here(), panel, rows, bounds)
}

#[target_feature(enable = "neon")]
fn multiply(panel: &[f32], rows: &[&[f32]], out: &mut [f32]) {
    product::multiply::<_, 3, 8>(Neon::here(), panel, rows, out);
}

#[target_feature(enable = "neon")]
fn least(panel: &[f32], rows: &[&[f32]], weights: &[f32], out: &mut [f32]) {
    product::least::<_, 3, 8>(Neon::here(), panel, rows, weights, out);
}

/// The registers of `tile`; the running minima are in memory.
#[target_feature(enable = "neon")]
fn nearest(columns: &Columns<'_>, rows: &[&[f32]], minima: &mut [f32]) {
    nearest::tile::<_, 3, 8>(Neon::here(), columns, rows, minima);
}

#[target_feature(enable = "neon")]
fn fold(minima: &mut [f32], out: &mut [Minimum]) {
    nearest::fold::<Neon>(minima, out);
}

#[target_feature(enable = "neon")]
fn round_row(row: &[f32], code: &mut [u8]) -> Rounded {
    byte_rows::round(row, code)
}

#[target_feature(enable = "neon")]
fn to_numbers(query: &[f32], numbers: &mut [i16]) -> Whole {
    byte_rows::to_numbers(query, numbers)
}

#[target_feature(enable = "neon")]
fn weighted_sum(rows: Rows<'_>, list: &[usize], weights: &[f32], out: &mut [f32]) {
    sum::sum(Neon::here(), rows, list, weights, out);
}

/// 4 x 6 totals, 4 of rows, 1 of a vector: 29 of 32 registers.
#[target_feature(enable = "neon")]
fn multiply_matrix(matrix: &Matrix, vectors: Rows<'_>, products: &mut [f32]) {
    matrix::multiply::<_, 4, 6>(Neon::here(), matrix, vectors, products);
}

#[target_feature(enable = "neon")]
fn split_run(query: &SplitQuery, codes: &[u8], out: &mut [f32]) {
    split::run(Neon::here(), query, codes, out);
}

#[target_feature(enable = "neon")]
fn split_list(query: &SplitQuery, codes: &[u8], list: &[u32], out: &mut [f32]) {
    split::list(Neon::here(), query, codes, list, out);
}

#[target_feature(enable = "neon")]
fn packed_run<N: Numbers, T: Term>(query: &PackedQuery, codes: &[u8], out: &mut [f32]) {
    packed::run::<_, N, T>(Neon::here(), query, codes, out);
}

#[target_feature(enable = "neon")]
fn packed_list<N: Numbers, T: Term>(query: &PackedQuery, codes: &[u8], list: &[u32], out: &mut [f32]) {
    packed::list::<_, N, T>(Neon::here(), query, codes, list, out);
}

#[target_feature(enable = "neon")]
fn table<T: Component>(books: &Codebooks, query: &[f32], table: &mut [f32]) {
    codebooks::fill::<_, T>(Neon::here(), books, query, table);
}

#[target_feature(enable = "neon")]
fn nearest_entries(books: &Codebooks, part: usize, vectors: Rows<'_>, numbers: &mut [u32]) {
    codebooks::nearest(Neon::here(), books, part, vectors, numbers);
}

/// Proof that this CPU has NEON.
#[derive(Clone, Copy)]
struct Neon(());

impl Neon {
    /// Callable without `unsafe` only where the compiler knows that the feature is on.
    #[inline]
    #[target_feature(enable = "neon")]
    fn here() -> Self {
        Self(())
    }
}

const LANES: usize = 4;

impl Registers for Neon {
    type Reg = float32x4_t;
    type Wide = [float32x4_t; 8];

    const LANES: usize = LANES;

    #[inline(always)]
    fn zero(self) -> [float32x4_t; 8] {
        // SAFETY: `self` proves NEON.
        [unsafe { vdupq_n_f32(0.0) }; 8]
    }

    #[inline(always)]
    fn splat(self, value: f32) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> float32x4_t {
        let from: &[f32; LANES] = from.first_chunk().expect("at least 4 floats");
        // SAFETY: `self` proves NEON; `from` is 4 readable floats, and the load needs no alignment.
        unsafe { vld1q_f32(from.as_ptr()) }
    }

    #[inline(always)]
    fn load_first(self, len: usize, from: &[f32]) -> float32x4_t {
        let len = len.min(LANES);
        let mut lanes = [0.0; LANES];
        lanes[..len].copy_from_slice(&from[..len]);
        self.load(&lanes)
    }

    #[inline(always)]
    fn store(self, a: float32x4_t, to: &mut [f32]) {
        let to: &mut [f32; LANES] = to.first_chunk_mut().expect("at least 4 floats");
        // SAFETY: `self` proves NEON; `to` is 4 writable floats, and the store needs no alignment.
        unsafe { vst1q_f32(to.as_mut_ptr(), a) }
    }

    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    fn div(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vdivq_f32(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    fn abs(self, a: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vabsq_f32(a) }
    }

    #[inline(always)]
    fn max_magnitude(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b))) }
    }

    #[inline(always)]
    fn if_less(self, a: float32x4_t, b: float32x4_t, x: float32x4_t, y: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vbslq_f32(vcltq_f32(a, b), x, y) }
    }

    #[inline(always)]
    fn sum(self, a: float32x4_t) -> f32 {
        // SAFETY: `self` proves NEON.
        unsafe {
            let two = vadd_f32(vget_low_f32(a), vget_high_f32(a));
            vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
        }
    }

    #[inline(always)]
    fn largest(self, a: float32x4_t) -> f32 {
        // SAFETY: `self` proves NEON.
        f32::from_bits(unsafe { vmaxvq_u32(vreinterpretq_u32_f32(a)) })
    }
}

impl Widen for Neon {}

impl Fused for Neon {
    #[inline(always)]
    fn less(self, a: float32x4_t, b: float32x4_t) -> u32 {
        const BITS: [u32; LANES] = [1, 2, 4, 8];
        // SAFETY: `self` proves NEON; `BITS` is 4 readable integers.
        unsafe { vaddvq_u32(vandq_u32(vcltq_f32(a, b), vld1q_u32(BITS.as_ptr()))) }
    }

    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vminq_f32(a, b) }
    }

    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves NEON.
        unsafe { vmaxq_f32(a, b) }
    }
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn load_bytes(from: &[u8; 16]) -> uint8x16_t {
    // SAFETY: `from` is 16 readable bytes, and the load needs no alignment.
    unsafe { vld1q_u8(from.as_ptr()) }
}
