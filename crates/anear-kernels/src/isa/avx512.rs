//! AVX-512: 512-bit registers of x86-64.
//!
//! The unsafe blocks below all rest on one fact: a value of type [`Avx512`] exists only where AVX-512F and AVX2 do.

use std::arch::x86_64::*;

use super::{
    Isa, avx2,
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
    isa: Isa::Avx512,
    metrics: with_metrics!(entries),
    product: Some(Product {
        queries: 32,
        rows: 12,
        tile,
    }),
};

#[target_feature(enable = "avx512f,avx2,fma")]
fn pair<M: Measure>(x: &[f32], y: &[f32]) -> f32 {
    pairwise::pair::<_, M>(Avx512::here(), x, y)
}

#[target_feature(enable = "avx512f,avx2,fma")]
fn run<M: Measure>(query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
    // A 64-byte load off its boundary touches two cache lines, every time; from memory that is 15% slower than AVX2,
    // where only every second does (Zen 5, bench `scan`). The results are the same bits.
    let on_boundaries = rows.as_slice().as_ptr().cast::<__m512>().is_aligned() && rows.dim().is_multiple_of(LANES);
    if on_boundaries {
        pairwise::run::<_, M>(Avx512::here(), query, rows, out)
    } else {
        avx2::run::<M>(query, rows, out)
    }
}

#[target_feature(enable = "avx512f,avx2,fma")]
fn list<M: Measure>(query: &[f32], rows: Rows<'_>, list: &[usize], out: &mut [f32]) {
    pairwise::list::<_, M>(Avx512::here(), query, rows, list, out);
}

/// 2 x 12 totals, 2 of queries, 1 of a row: 27 of 32 registers.
#[target_feature(enable = "avx512f,avx2,fma")]
fn tile(panel: &[f32], rows: &[&[f32]], bounds: &Bounds<'_>) -> Tile {
    product::tile::<_, 2, 12>(Avx512::here(), panel, rows, bounds)
}

/// Proof that this CPU has AVX-512F and AVX2.
#[derive(Clone, Copy)]
struct Avx512(());

impl Avx512 {
    /// Callable without `unsafe` only where the compiler knows that the features are on.
    #[inline]
    #[target_feature(enable = "avx512f,avx2,fma")]
    fn here() -> Self {
        Self(())
    }
}

const LANES: usize = 16;

impl Registers for Avx512 {
    type Reg = __m512;
    type Wide = [__m512; 2];

    const LANES: usize = LANES;

    #[inline(always)]
    fn zero(self) -> [__m512; 2] {
        // SAFETY: `self` proves AVX-512F.
        [unsafe { _mm512_setzero_ps() }; 2]
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> __m512 {
        let from: &[f32; LANES] = from.first_chunk().expect("at least 16 floats");
        // SAFETY: `self` proves AVX-512F; `from` is 16 readable floats, and the load needs no alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn load_first(self, len: usize, from: &[f32]) -> __m512 {
        let from = &from[..len.min(LANES)];
        let wanted = ((1_u32 << from.len()) - 1) as u16;
        // SAFETY: `self` proves AVX-512F; only the lanes below `from.len()` are read.
        unsafe { _mm512_maskz_loadu_ps(wanted, from.as_ptr()) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_abs_ps(a) }
    }

    #[inline(always)]
    fn max_magnitude(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }

    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        // SAFETY: `self` proves AVX-512F and AVX2.
        unsafe {
            let upper = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(a)));
            let eight = _mm256_add_ps(_mm512_castps512_ps256(a), upper);
            avx2::sum(_mm_add_ps(
                _mm256_castps256_ps128(eight),
                _mm256_extractf128_ps::<1>(eight),
            ))
        }
    }

    #[inline(always)]
    fn largest(self, a: __m512) -> f32 {
        // SAFETY: `self` proves AVX-512F and AVX2.
        unsafe {
            let a = _mm512_castps_si512(a);
            let eight = _mm256_max_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64::<1>(a));
            avx2::largest(_mm_max_epi32(
                _mm256_castsi256_si128(eight),
                _mm256_extracti128_si256::<1>(eight),
            ))
        }
    }

    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        avx2::prefetch(at);
    }
}

impl Fused for Avx512 {
    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn less(self, a: __m512, b: __m512) -> u32 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b).into() }
    }
}
