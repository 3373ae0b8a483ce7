//! Products of bytes with 512-bit registers, where these multiply words and add up in one instruction (VNNI); else AVX2's.
//!
//! With two instructions it took 1.15 times as long (224 rows of 784 components, in the cache).

use std::arch::x86_64::*;

use super::{AHEAD, CHUNK, avx2, code_at};
use crate::{
    pairwise::AHEAD_BYTES,
    prefetch::{self, prefetch},
};

/// Rows whose totals stay in registers together: the query is loaded once for all of them.
const TOGETHER: usize = 4;

fn multiplies_words() -> bool {
    is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni")
}

#[target_feature(enable = "avx512f,avx2")]
pub(crate) fn products(numbers: &[i16], codes: &[u8], out: &mut [i32]) {
    if !multiplies_words() {
        return avx2::products(numbers, codes, out);
    }
    // SAFETY: AVX-512BW and VNNI were just detected; AVX-512F is a feature of this function.
    unsafe { products_of_words(numbers, codes, out) }
}

#[target_feature(enable = "avx512f,avx2")]
pub(crate) fn squares_at(own: &[u8], codes: &[u8], positions: &[u32], out: &mut [i32]) {
    if !multiplies_words() {
        return avx2::squares_at(own, codes, positions, out);
    }
    // SAFETY: AVX-512BW and VNNI were just detected; AVX-512F is a feature of this function.
    unsafe { squares_of_words_at(own, codes, positions, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn products_of_words(numbers: &[i16], codes: &[u8], out: &mut [i32]) {
    let len = numbers.len();
    let mut groups = codes.chunks_exact(TOGETHER * len);
    let (fours, rest) = out.as_chunks_mut::<TOGETHER>();
    for (group, out) in groups.by_ref().zip(fours) {
        *out = reduce(add_products(numbers, four_at(group, len, [0, 1, 2, 3])));
    }
    for (code, out) in groups.remainder().chunks_exact(len).zip(rest) {
        *out = _mm512_reduce_add_epi32(add_products(numbers, [code])[0]);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn squares_of_words_at(own: &[u8], codes: &[u8], positions: &[u32], out: &mut [i32]) {
    let len = own.len();
    let (fours, rest) = positions.as_chunks::<TOGETHER>();
    let (of_fours, of_rest) = out.as_chunks_mut();
    for (i, (four, out)) in fours.iter().zip(of_fours).enumerate() {
        for ahead in positions.iter().skip(i * TOGETHER + AHEAD).take(TOGETHER) {
            prefetch(code_at(codes, len, *ahead));
        }
        *out = reduce(add_squares(own, four_at(codes, len, *four)));
    }
    for (position, out) in rest.iter().zip(of_rest) {
        *out = _mm512_reduce_add_epi32(add_squares(own, [code_at(codes, len, *position)])[0]);
    }
}

#[inline(always)]
fn four_at(codes: &[u8], len: usize, [a, b, c, d]: [u32; TOGETHER]) -> [&[u8]; TOGETHER] {
    [
        code_at(codes, len, a),
        code_at(codes, len, b),
        code_at(codes, len, c),
        code_at(codes, len, d),
    ]
}

/// Adds up the products of numbers with rows; what lies behind these in memory is fetched meanwhile.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add_products<const R: usize>(numbers: &[i16], codes: [&[u8]; R]) -> [__m512i; R] {
    let mut totals = [_mm512_setzero_si512(); R];
    for (i, numbers) in numbers.as_chunks::<CHUNK>().0.iter().enumerate() {
        // SAFETY: `numbers` is 64 readable bytes, and the load needs no alignment.
        let numbers = unsafe { _mm512_loadu_si512(numbers.as_ptr().cast()) };
        for (total, code) in totals.iter_mut().zip(codes) {
            let bytes = chunk(code, i);
            prefetch::line(bytes.as_ptr().wrapping_add(AHEAD_BYTES));
            *total = _mm512_dpwssd_epi32(*total, numbers, widen(bytes));
        }
    }
    totals
}

/// Adds up the squared differences of a row from others.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add_squares<const R: usize>(own: &[u8], codes: [&[u8]; R]) -> [__m512i; R] {
    let mut totals = [_mm512_setzero_si512(); R];
    for (i, own) in own.as_chunks::<CHUNK>().0.iter().enumerate() {
        let own = widen(own);
        for (total, code) in totals.iter_mut().zip(codes) {
            let difference = _mm512_sub_epi16(own, widen(chunk(code, i)));
            *total = _mm512_dpwssd_epi32(*total, difference, difference);
        }
    }
    totals
}

#[inline(always)]
fn chunk(code: &[u8], i: usize) -> &[u8; CHUNK] {
    code[i * CHUNK..].first_chunk().expect("whole chunks")
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn widen(bytes: &[u8; CHUNK]) -> __m512i {
    // SAFETY: `bytes` is 32 readable bytes, and the load needs no alignment.
    _mm512_cvtepu8_epi16(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) })
}

/// What the lanes of each total add up to.
#[inline]
#[target_feature(enable = "avx512f")]
fn reduce(totals: [__m512i; TOGETHER]) -> [i32; TOGETHER] {
    let [a, b, c, d] = totals;
    // Lanes of two totals in turns, then of all four.
    let first = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let second = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    let [low, high] = [
        _mm512_unpacklo_epi64(first, second),
        _mm512_unpackhi_epi64(first, second),
    ];
    let all = _mm512_add_epi32(low, high);
    let half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64::<1>(all));
    let sums = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
    let mut out = [0; TOGETHER];
    // SAFETY: `out` is 16 writable bytes, and the store needs no alignment.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), sums) }
    out
}
