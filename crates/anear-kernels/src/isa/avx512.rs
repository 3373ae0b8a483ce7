//! AVX-512: 512-bit registers of x86-64.
//!
//! The unsafe blocks below all rest on one fact: a value of type [`Avx512`] exists only where AVX-512F, AVX2 and F16C do.

use std::arch::x86_64::*;

use super::{
    Isa, avx2,
    simd::{Fused, Registers, WIDE},
    widen::Widen,
};
use crate::{
    byte_rows::{self, Rounded, Whole},
    codes::{
        bit_weights,
        codebooks::{self, Codebooks, Component, Negated, Square, Tables},
        estimates, fast_scan,
    },
    grid::{self, Fits, Grid},
    kernels::{Entry, Kernels, entries},
    matrix::{self, Matrix},
    metric::{Measure, with_metrics},
    nearest::{self, Columns, Minimum},
    packed::{self, Numbers, PackedQuery, Sextets, Term, packed_entries},
    pairwise,
    product::{self, Bounds, Product, Tile},
    quantize,
    rows::Rows,
    split::{self, SplitQuery},
    sum,
};

pub(crate) static KERNELS: Kernels = Kernels {
    isa: Isa::Avx512,
    metrics: with_metrics!(entries),
    product: Some(Product {
        queries: 32,
        rows: 12,
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
    estimates: &estimates::avx512::AVX512,
    estimates_at: bit_weights::avx512::estimates_at,
    fast_scan: &fast_scan::avx512::AVX512,
    quantize: &quantize::Entry {
        levels: to_levels,
        halves: to_halves,
    },
    grid: &grid::Entry {
        fits: grid_fits,
        numbers: grid_numbers,
    },
    bytes: &byte_rows::Entry {
        round: round_row,
        numbers: to_numbers,
        products: byte_rows::avx512::products,
        squares_at: byte_rows::avx512::squares_at,
    },
    split: split::Entry {
        run: split_run,
        list: split_list,
    },
};

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn pair<M: Measure>(parameter: f32, x: &[f32], y: &[f32]) -> f32 {
    pairwise::pair::<_, M>(Avx512::here(), parameter, x, y)
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn run<M: Measure>(parameter: f32, query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
    // A 64-byte load off its boundary touches two cache lines, every time; from memory that is 15% slower than AVX2,
    // where only every second does (Zen 5, bench `scan`). The results are the same bits.
    let on_boundaries = rows.as_slice().as_ptr().cast::<__m512>().is_aligned() && rows.dim().is_multiple_of(LANES);
    if on_boundaries {
        pairwise::run::<_, M>(Avx512::here(), parameter, query, rows, out)
    } else {
        avx2::run::<M>(parameter, query, rows, out)
    }
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn list<M: Measure>(parameter: f32, query: &[f32], rows: Rows<'_>, list: &[usize], out: &mut [f32]) {
    pairwise::list::<_, M>(Avx512::here(), parameter, query, rows, list, out);
}

/// 2 x 12 totals, 2 of queries, 1 of a row: 27 of 32 registers.
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn tile(panel: &[f32], rows: &[&[f32]], bounds: &Bounds<'_>) -> Tile {
    product::tile::<_, 2, 12>(Avx512::here(), panel, rows, bounds)
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn multiply(panel: &[f32], rows: &[&[f32]], out: &mut [f32]) {
    product::multiply::<_, 2, 12>(Avx512::here(), panel, rows, out);
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn least(panel: &[f32], rows: &[&[f32]], weights: &[f32], out: &mut [f32]) {
    product::least::<_, 2, 12>(Avx512::here(), panel, rows, weights, out);
}

/// The registers of `tile`; the running minima are in memory.
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn nearest(columns: &Columns<'_>, rows: &[&[f32]], minima: &mut [f32]) {
    nearest::tile::<_, 2, 12>(Avx512::here(), columns, rows, minima);
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn fold(minima: &mut [f32], out: &mut [Minimum]) {
    nearest::fold::<Avx512>(minima, out);
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn round_row(row: &[f32], code: &mut [u8]) -> Rounded {
    byte_rows::round(row, code)
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn to_numbers(query: &[f32], numbers: &mut [i16]) -> Whole {
    byte_rows::to_numbers(query, numbers)
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn weighted_sum(rows: Rows<'_>, list: &[usize], weights: &[f32], out: &mut [f32]) {
    sum::sum(Avx512::here(), rows, list, weights, out);
}

/// AVX-512F cannot shuffle the bytes of 512 bits, and numbers of six bits put together from two halves took 1.4 times as
/// long as on AVX2 (Sapphire Rapids, bench `packed`).
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn packed_run<N: Numbers, T: Term>(query: &PackedQuery, codes: &[u8], out: &mut [f32]) {
    if N::BYTES == Sextets::BYTES {
        avx2::packed_run::<N, T>(query, codes, out);
    } else {
        packed::run::<_, N, T>(Avx512::here(), query, codes, out);
    }
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn to_levels(components: &[f32], lows: &[f32], spans: &[f32], levels: f32, numbers: &mut [u8]) {
    quantize::to_levels(components, lows, spans, levels, numbers);
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn to_halves(components: &[f32], bits: &mut [[u8; 2]]) {
    quantize::to_halves(components, bits);
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn grid_fits(grid: &Grid, components: &[f32], scales: &[f32; Grid::SCALES]) -> Fits {
    grid::fits(grid, components, scales)
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn grid_numbers(grid: &Grid, components: &[f32], scale: f32, numbers: &mut [u8]) {
    grid::numbers(grid, components, scale, numbers);
}

/// As in `tile`.
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn multiply_matrix(matrix: &Matrix, vectors: Rows<'_>, products: &mut [f32]) {
    matrix::multiply::<_, 2, 12>(Avx512::here(), matrix, vectors, products);
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn split_run(query: &SplitQuery, codes: &[u8], out: &mut [f32]) {
    split::run(Avx512::here(), query, codes, out);
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn split_list(query: &SplitQuery, codes: &[u8], list: &[u32], out: &mut [f32]) {
    split::list(Avx512::here(), query, codes, list, out);
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn packed_list<N: Numbers, T: Term>(query: &PackedQuery, codes: &[u8], list: &[u32], out: &mut [f32]) {
    if N::BYTES == Sextets::BYTES {
        avx2::packed_list::<N, T>(query, codes, list, out);
    } else {
        packed::list::<_, N, T>(Avx512::here(), query, codes, list, out);
    }
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn table<T: Component>(books: &Codebooks, query: &[f32], table: &mut [f32]) {
    codebooks::fill::<_, T>(Avx512::here(), books, query, table);
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn nearest_entries(books: &Codebooks, part: usize, vectors: Rows<'_>, numbers: &mut [u32]) {
    codebooks::nearest(Avx512::here(), books, part, vectors, numbers);
}

/// Proof that this CPU has AVX-512F, AVX2 and F16C.
#[derive(Clone, Copy)]
struct Avx512(());

impl Avx512 {
    /// Callable without `unsafe` only where the compiler knows that the features are on.
    #[inline]
    #[target_feature(enable = "avx512f,avx2,fma,f16c")]
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
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_ps(value) }
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
    fn store(self, a: __m512, to: &mut [f32]) {
        let to: &mut [f32; LANES] = to.first_chunk_mut().expect("at least 16 floats");
        // SAFETY: `self` proves AVX-512F; `to` is 16 writable floats, and the store needs no alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), a) }
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
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
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
    fn if_less(self, a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), y, x) }
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
}

/// As on AVX2, sixteen at a time; numbers of six bits never come here.
impl Widen for Avx512 {
    #[inline(always)]
    fn bytes(self, packed: &[u8; WIDE]) -> [__m512; 2] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            // SAFETY: `self` proves AVX-512F; each load is of 16 readable bytes.
            *register = unsafe {
                let sixteen = _mm_loadu_si128(packed[16 * i..][..16].as_ptr().cast());
                _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(sixteen))
            };
        }
        wide
    }

    #[inline(always)]
    fn nibbles(self, packed: &[u8; WIDE / 2]) -> [__m512; 2] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            // SAFETY: `self` proves AVX-512F.
            *register = unsafe {
                let eight = |at| _mm512_set1_epi32(i32::from_le_bytes(avx2::chunk(&packed[at..])));
                let sixteen = _mm512_mask_mov_epi32(eight(8 * i), 0xff00, eight(8 * i + 4));
                let shifts = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
                let lanes = _mm512_and_si512(_mm512_srlv_epi32(sixteen, shifts), _mm512_set1_epi32(15));
                _mm512_cvtepi32_ps(lanes)
            };
        }
        wide
    }

    #[inline(always)]
    fn few_bits(self, packed: &[u8], bits: usize) -> [__m512; 2] {
        // SAFETY: `self` proves AVX-512F and AVX2.
        std::array::from_fn(|i| unsafe {
            let [low, high] = [2 * i, 2 * i + 1].map(|eight| avx2::few_bits(packed, bits, eight));
            let low = _mm512_castps_pd(_mm512_castps256_ps512(low));
            _mm512_castpd_ps(_mm512_insertf64x4::<1>(low, _mm256_castps_pd(high)))
        })
    }

    #[inline(always)]
    fn select(self, bits: u32, floats: &[f32; WIDE]) -> [__m512; 2] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            let mask = (bits >> (LANES * i)) as u16;
            // SAFETY: `self` proves AVX-512F; the load is of 16 readable floats.
            *register = unsafe { _mm512_maskz_loadu_ps(mask, floats[LANES * i..][..LANES].as_ptr()) };
        }
        wide
    }

    #[inline(always)]
    fn halves(self, packed: &[u8; 2 * WIDE]) -> [__m512; 2] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            // SAFETY: `self` proves AVX-512F; each load is of 32 readable bytes.
            *register = unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(packed[32 * i..][..32].as_ptr().cast())) };
        }
        wide
    }

    #[inline(always)]
    fn bfloats(self, packed: &[u8; 2 * WIDE]) -> [__m512; 2] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            // SAFETY: `self` proves AVX-512F; each load is of 32 readable bytes.
            *register = unsafe {
                let upper = _mm512_cvtepu16_epi32(_mm256_loadu_si256(packed[32 * i..][..32].as_ptr().cast()));
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(upper))
            };
        }
        wide
    }
}

impl Fused for Avx512 {
    #[inline(always)]
    fn less(self, a: __m512, b: __m512) -> u32 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b).into() }
    }

    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_max_ps(a, b) }
    }
}
