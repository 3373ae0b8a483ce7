//! AVX2, FMA and F16C: 256-bit registers of x86-64.
//!
//! The unsafe blocks below all rest on one fact: a value of type [`Avx2`] exists only where AVX2, FMA and F16C do.

use std::arch::x86_64::*;

use super::{
    Isa,
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
    packed::{self, Numbers, PackedQuery, Term, packed_entries},
    pairwise,
    product::{self, Bounds, Product, Tile},
    quantize,
    rows::Rows,
    split::{self, SplitQuery},
    sum,
};

pub(crate) static KERNELS: Kernels = Kernels {
    isa: Isa::Avx2,
    metrics: with_metrics!(entries),
    product: Some(Product {
        queries: 16,
        rows: 6,
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
    estimates: &estimates::avx2::AVX2,
    estimates_at: bit_weights::avx2::estimates_at,
    fast_scan: &fast_scan::avx2::AVX2,
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
        products: byte_rows::avx2::products,
        squares_at: byte_rows::avx2::squares_at,
    },
    split: split::Entry {
        run: split_run,
        list: split_list,
    },
};

#[target_feature(enable = "avx2,fma,f16c")]
fn pair<M: Measure>(parameter: f32, x: &[f32], y: &[f32]) -> f32 {
    pairwise::pair::<_, M>(Avx2::here(), parameter, x, y)
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn run<M: Measure>(parameter: f32, query: &[f32], rows: Rows<'_>, out: &mut [f32]) {
    pairwise::run::<_, M>(Avx2::here(), parameter, query, rows, out);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn list<M: Measure>(parameter: f32, query: &[f32], rows: Rows<'_>, list: &[usize], out: &mut [f32]) {
    pairwise::list::<_, M>(Avx2::here(), parameter, query, rows, list, out);
}

/// 2 x 6 totals, 2 of queries, 1 of a row: 15 of 16 registers.
#[target_feature(enable = "avx2,fma,f16c")]
fn tile(panel: &[f32], rows: &[&[f32]], bounds: &Bounds<'_>) -> Tile {
    product::tile::<_, 2, 6>(Avx2::here(), panel, rows, bounds)
}

#[target_feature(enable = "avx2,fma,f16c")]
fn multiply(panel: &[f32], rows: &[&[f32]], out: &mut [f32]) {
    product::multiply::<_, 2, 6>(Avx2::here(), panel, rows, out);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn least(panel: &[f32], rows: &[&[f32]], weights: &[f32], out: &mut [f32]) {
    product::least::<_, 2, 6>(Avx2::here(), panel, rows, weights, out);
}

/// The registers of `tile`; the running minima are in memory.
#[target_feature(enable = "avx2,fma,f16c")]
fn nearest(columns: &Columns<'_>, rows: &[&[f32]], minima: &mut [f32]) {
    nearest::tile::<_, 2, 6>(Avx2::here(), columns, rows, minima);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn fold(minima: &mut [f32], out: &mut [Minimum]) {
    nearest::fold::<Avx2>(minima, out);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn round_row(row: &[f32], code: &mut [u8]) -> Rounded {
    byte_rows::round(row, code)
}

#[target_feature(enable = "avx2,fma,f16c")]
fn to_numbers(query: &[f32], numbers: &mut [i16]) -> Whole {
    byte_rows::to_numbers(query, numbers)
}

#[target_feature(enable = "avx2,fma,f16c")]
fn weighted_sum(rows: Rows<'_>, list: &[usize], weights: &[f32], out: &mut [f32]) {
    sum::sum(Avx2::here(), rows, list, weights, out);
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn packed_run<N: Numbers, T: Term>(query: &PackedQuery, codes: &[u8], out: &mut [f32]) {
    packed::run::<_, N, T>(Avx2::here(), query, codes, out);
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn packed_list<N: Numbers, T: Term>(query: &PackedQuery, codes: &[u8], list: &[u32], out: &mut [f32]) {
    packed::list::<_, N, T>(Avx2::here(), query, codes, list, out);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn table<T: Component>(books: &Codebooks, query: &[f32], table: &mut [f32]) {
    codebooks::fill::<_, T>(Avx2::here(), books, query, table);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn nearest_entries(books: &Codebooks, part: usize, vectors: Rows<'_>, numbers: &mut [u32]) {
    codebooks::nearest(Avx2::here(), books, part, vectors, numbers);
}

/// Proof that this CPU has AVX2, FMA and F16C.
#[derive(Clone, Copy)]
struct Avx2(());

impl Avx2 {
    /// Callable without `unsafe` only where the compiler knows that the features are on.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
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
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_set1_ps(value) }
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
    fn store(self, a: __m256, to: &mut [f32]) {
        let to: &mut [f32; LANES] = to.first_chunk_mut().expect("at least 8 floats");
        // SAFETY: `self` proves AVX2; `to` is 8 writable floats, and the store needs no alignment.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), a) }
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
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_div_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
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
    fn if_less(self, a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) }
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
}

/// Each register is widened on its own, from a load that puts the packed numbers of each lane where it can shift them
/// into place: loads and shifts are cheaper than the shuffles that unpacking 32 bytes at once would take.
impl Widen for Avx2 {
    #[inline(always)]
    fn bytes(self, packed: &[u8; WIDE]) -> [__m256; 4] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            // SAFETY: `self` proves AVX2; each load is of 8 readable bytes.
            *register = unsafe {
                let eight = _mm_loadl_epi64(packed[8 * i..][..8].as_ptr().cast());
                _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(eight))
            };
        }
        wide
    }

    #[inline(always)]
    fn nibbles(self, packed: &[u8; WIDE / 2]) -> [__m256; 4] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            // SAFETY: `self` proves AVX2.
            *register = unsafe {
                let eight = _mm256_set1_epi32(i32::from_le_bytes(chunk(&packed[4 * i..])));
                numbers::<15>(_mm256_srlv_epi32(eight, _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28)))
            };
        }
        wide
    }

    #[inline(always)]
    fn sextets(self, packed: &[u8; WIDE / 4 * 3]) -> [__m256; 4] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            // SAFETY: `self` proves AVX2.
            *register = unsafe { sextets(packed, i) };
        }
        wide
    }

    #[inline(always)]
    fn few_bits(self, packed: &[u8], bits: usize) -> [__m256; 4] {
        // SAFETY: `self` proves AVX2.
        std::array::from_fn(|i| unsafe { few_bits(packed, bits, i) })
    }

    #[inline(always)]
    fn select(self, bits: u32, floats: &[f32; WIDE]) -> [__m256; 4] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            // SAFETY: `self` proves AVX2; the load is of 8 readable floats.
            *register = unsafe {
                let own = _mm256_sllv_epi32(
                    _mm256_set1_epi32(1 << (8 * i)),
                    _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                );
                let set = _mm256_and_si256(_mm256_set1_epi32(bits as i32), own);
                let mask = _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, own));
                _mm256_and_ps(mask, _mm256_loadu_ps(floats[8 * i..][..8].as_ptr()))
            };
        }
        wide
    }

    #[inline(always)]
    fn halves(self, packed: &[u8; 2 * WIDE]) -> [__m256; 4] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            // SAFETY: `self` proves F16C; each load is of 16 readable bytes.
            *register = unsafe { _mm256_cvtph_ps(_mm_loadu_si128(packed[16 * i..][..16].as_ptr().cast())) };
        }
        wide
    }

    #[inline(always)]
    fn bfloats(self, packed: &[u8; 2 * WIDE]) -> [__m256; 4] {
        let mut wide = Registers::zero(self);
        for (i, register) in wide.iter_mut().enumerate() {
            // SAFETY: `self` proves AVX2; each load is of 16 readable bytes.
            *register = unsafe {
                let upper = _mm256_cvtepu16_epi32(_mm_loadu_si128(packed[16 * i..][..16].as_ptr().cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(upper))
            };
        }
        wide
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn to_levels(components: &[f32], lows: &[f32], spans: &[f32], levels: f32, numbers: &mut [u8]) {
    quantize::to_levels(components, lows, spans, levels, numbers);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn to_halves(components: &[f32], bits: &mut [[u8; 2]]) {
    quantize::to_halves(components, bits);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn grid_fits(grid: &Grid, components: &[f32], scales: &[f32; Grid::SCALES]) -> Fits {
    grid::fits(grid, components, scales)
}

#[target_feature(enable = "avx2,fma,f16c")]
fn grid_numbers(grid: &Grid, components: &[f32], scale: f32, numbers: &mut [u8]) {
    grid::numbers(grid, components, scale, numbers);
}

/// As in `tile`.
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_matrix(matrix: &Matrix, vectors: Rows<'_>, products: &mut [f32]) {
    matrix::multiply::<_, 2, 6>(Avx2::here(), matrix, vectors, products);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn split_run(query: &SplitQuery, codes: &[u8], out: &mut [f32]) {
    split::run(Avx2::here(), query, codes, out);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn split_list(query: &SplitQuery, codes: &[u8], list: &[u32], out: &mut [f32]) {
    split::list(Avx2::here(), query, codes, list, out);
}

#[inline(always)]
pub(super) fn chunk<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("as many bytes as a register has lanes for")
}

/// The `i`-th 8 of 32 numbers of six bits.
///
/// # Safety
/// This CPU has AVX2.
#[inline(always)]
unsafe fn sextets(packed: &[u8; WIDE / 4 * 3], i: usize) -> __m256 {
    // 6 bytes are wanted and 8 are loaded: the last 6 of them in the end, the first 6 everywhere else.
    let (at, skip) = if i == 3 { (16, 2) } else { (6 * i, 0) };
    // Bytes 0 to 2 into four lanes, bytes 3 to 5 into the other four.
    let (low, high) = (0x0002_0100 + 0x0001_0101 * skip, 0x0005_0403 + 0x0001_0101 * skip);
    // SAFETY: the caller knows that there is AVX2.
    unsafe {
        let eight = _mm256_set1_epi64x(i64::from_le_bytes(chunk(&packed[at..])));
        let threes = _mm256_shuffle_epi8(eight, _mm256_setr_epi32(low, low, low, low, high, high, high, high));
        numbers::<63>(_mm256_srlv_epi32(threes, _mm256_setr_epi32(0, 6, 12, 18, 0, 6, 12, 18)))
    }
}

/// The `i`-th 8 of 32 numbers of `bits` bits each.
///
/// # Safety
/// This CPU has AVX2.
#[inline(always)]
pub(super) unsafe fn few_bits(packed: &[u8], bits: usize, i: usize) -> __m256 {
    // The upper four of eight numbers begin within a byte where `bits` is odd.
    let (half, odd, step) = (bits / 2, (bits % 2 * 4) as i32, bits as i32);
    let four = |at: usize| i32::from_le_bytes(chunk(&packed[at..]));
    let (lower, upper) = (four(i * bits), four(i * bits + half));
    // SAFETY: the caller knows that there is AVX2.
    unsafe {
        let words = _mm256_setr_m128i(_mm_set1_epi32(lower), _mm_set1_epi32(upper));
        let from = _mm256_mullo_epi32(_mm256_set1_epi32(step), _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3));
        let from = _mm256_add_epi32(from, _mm256_setr_epi32(0, 0, 0, 0, odd, odd, odd, odd));
        let numbers = _mm256_and_si256(_mm256_srlv_epi32(words, from), _mm256_set1_epi32((1 << step) - 1));
        _mm256_cvtepi32_ps(numbers)
    }
}

/// The numbers in the low bits of each lane.
///
/// # Safety
/// This CPU has AVX2.
#[inline(always)]
unsafe fn numbers<const MASK: i32>(lanes: __m256i) -> __m256 {
    // SAFETY: the caller knows that there is AVX2.
    unsafe { _mm256_cvtepi32_ps(_mm256_and_si256(lanes, _mm256_set1_epi32(MASK))) }
}

impl Fused for Avx2 {
    #[inline(always)]
    fn less(self, a: __m256, b: __m256) -> u32 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(a, b)) as u32 }
    }

    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_min_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_max_ps(a, b) }
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
