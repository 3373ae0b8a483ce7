//! Products of bytes with 256-bit registers: sixteen bytes are widened, then multiplied and added in pairs.

use std::arch::x86_64::*;

use super::{AHEAD, CHUNK, code_at};
use crate::prefetch::prefetch;

/// Bytes that are widened at a time.
const WIDENED: usize = 16;

#[target_feature(enable = "avx2")]
pub(crate) fn products(numbers: &[i16], codes: &[u8], out: &mut [i32]) {
    for (code, out) in codes.chunks_exact(numbers.len()).zip(out) {
        *out = product(numbers, code);
    }
}

#[target_feature(enable = "avx2")]
pub(crate) fn squares_at(own: &[u8], codes: &[u8], positions: &[u32], out: &mut [i32]) {
    for (i, (position, out)) in positions.iter().zip(out).enumerate() {
        if let Some(ahead) = positions.get(i + AHEAD) {
            prefetch(code_at(codes, own.len(), *ahead));
        }
        *out = square(own, code_at(codes, own.len(), *position));
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn product(numbers: &[i16], code: &[u8]) -> i32 {
    let mut totals = [_mm256_setzero_si256(); CHUNK / WIDENED];
    for (numbers, code) in numbers.as_chunks::<CHUNK>().0.iter().zip(code.as_chunks::<CHUNK>().0) {
        let halves = numbers.as_chunks::<WIDENED>().0.iter().zip(code.as_chunks().0);
        for (total, (numbers, bytes)) in totals.iter_mut().zip(halves) {
            // SAFETY: `numbers` is 32 readable bytes, and the load needs no alignment.
            let numbers = unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) };
            *total = _mm256_add_epi32(*total, _mm256_madd_epi16(numbers, widen(bytes)));
        }
    }
    add_up(totals)
}

/// The squared distance of two rows.
#[inline]
#[target_feature(enable = "avx2")]
fn square(own: &[u8], code: &[u8]) -> i32 {
    let mut totals = [_mm256_setzero_si256(); CHUNK / WIDENED];
    for (own, code) in own.as_chunks::<CHUNK>().0.iter().zip(code.as_chunks::<CHUNK>().0) {
        let halves = own.as_chunks().0.iter().zip(code.as_chunks().0);
        for (total, (own, code)) in totals.iter_mut().zip(halves) {
            let difference = _mm256_sub_epi16(widen(own), widen(code));
            *total = _mm256_add_epi32(*total, _mm256_madd_epi16(difference, difference));
        }
    }
    add_up(totals)
}

#[inline]
#[target_feature(enable = "avx2")]
fn widen(bytes: &[u8; WIDENED]) -> __m256i {
    // SAFETY: `bytes` is 16 readable bytes, and the load needs no alignment.
    _mm256_cvtepu8_epi16(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// What the lanes of both totals add up to.
#[inline]
#[target_feature(enable = "avx2")]
fn add_up(totals: [__m256i; CHUNK / WIDENED]) -> i32 {
    let total = _mm256_add_epi32(totals[0], totals[1]);
    let half = _mm_add_epi32(_mm256_castsi256_si128(total), _mm256_extracti128_si256::<1>(total));
    let pair = _mm_add_epi32(half, _mm_unpackhi_epi64(half, half));
    _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32::<1>(pair)))
}
