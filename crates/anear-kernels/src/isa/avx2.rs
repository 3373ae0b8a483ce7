//! AVX2 and FMA: 256-bit registers of x86-64.
//!
//! The unsafe blocks below all rest on one fact: a value of type [`Avx2`] exists only where AVX2 and FMA do.

use std::arch::x86_64::*;

use super::{
    Isa,
    simd::{Fused, Registers},
};
use crate::{
    kernels::{Entry, Kernels, entries},
    metric::{Measure, with_metrics},
    pairwise,
    product::{self, Bounds, Product, Tile},
    rows::Rows,
};

pub(crate) static KERNELS: Kernels = Kernels {
    isa: Isa::Avx2,
    metrics: with_metrics!(entries),
    product: Some(Product {
        queries: 16,
        rows: 6,
        tile,
    }),
};

#[target_feature(enable = "avx2,fma")]
fn pair<M: Measure>(x: &[f32], y: &[f32]) -> f32 {
    pairwise::pair::<_, M>(Avx2::here(), x, y)
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn run<M: Measure>(query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
    pairwise::run::<_, M>(Avx2::here(), query, rows, out);
}

#[target_feature(enable = "avx2,fma")]
fn list<M: Measure>(query: &[f32], rows: Rows<'_>, list: &[usize], out: &mut [f32]) {
    pairwise::list::<_, M>(Avx2::here(), query, rows, list, out);
}

/// 2 x 6 totals, 2 of queries, 1 of a row: 15 of 16 registers.
#[target_feature(enable = "avx2,fma")]
fn tile(panel: &[f32], rows: &[&[f32]], bounds: &Bounds<'_>) -> Tile {
    product::tile::<_, 2, 6>(Avx2::here(), panel, rows, bounds)
}

/// Proof that this CPU has AVX2 and FMA.
#[derive(Clone, Copy)]
struct Avx2(());

impl Avx2 {
    /// Callable without `unsafe` only where the compiler knows that the features are on.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn here() -> Self {
        Self(())
    }
}

const LANES: usize = 8;

impl Registers for Avx2 {
    type Reg = __m256;
    type Wide = [__m256; 4];

    const LANES: usize = LANES;

    #[inline(always)]
    fn zero(self) -> [__m256; 4] {
        // SAFETY: `self` proves AVX2.
        [unsafe { _mm256_setzero_ps() }; 4]
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> __m256 {
        let from: &[f32; LANES] = from.first_chunk().expect("at least 8 floats");
        // SAFETY: `self` proves AVX2; `from` is 8 readable floats, and the load needs no alignment.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn load_first(self, len: usize, from: &[f32]) -> __m256 {
        let from = &from[..len.min(LANES)];
        // SAFETY: `self` proves AVX2; only the lanes below `from.len()` are read.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let wanted = _mm256_cmpgt_epi32(_mm256_set1_epi32(from.len() as i32), lanes);
            _mm256_maskload_ps(from.as_ptr(), wanted)
        }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn abs(self, a: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
    }

    #[inline(always)]
    fn max_magnitude(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b))) }
    }

    #[inline(always)]
    fn sum(self, a: __m256) -> f32 {
        // SAFETY: `self` proves AVX2.
        unsafe { sum(_mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a))) }
    }

    #[inline(always)]
    fn largest(self, a: __m256) -> f32 {
        // SAFETY: `self` proves AVX2.
        unsafe {
            let a = _mm256_castps_si256(a);
            largest(_mm_max_epi32(
                _mm256_castsi256_si128(a),
                _mm256_extracti128_si256::<1>(a),
            ))
        }
    }

    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        prefetch(at);
    }
}

impl Fused for Avx2 {
    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn less(self, a: __m256, b: __m256) -> u32 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) as u32 }
    }
}

/// Adds the upper half of four lanes to the lower, then the second to the first.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum(four: __m128) -> f32 {
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

/// The largest of four floats without sign, by their bits.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn largest(four: __m128i) -> f32 {
    let two = _mm_max_epi32(four, _mm_shuffle_epi32::<0b11_10>(four));
    let one = _mm_max_epi32(two, _mm_shuffle_epi32::<0b01>(two));
    _mm_cvtss_f32(_mm_castsi128_ps(one))
}

/// Fetches the two cache lines of 32 floats.
#[inline(always)]
pub(super) fn prefetch(at: *const f32) {
    // SAFETY: part of every x86-64, and a hint may name any address.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_byte_add(64).cast());
    }
}
