//! Products of bytes with 512-bit registers, where they have instructions for bytes and words; else AVX2's.

use std::arch::x86_64::*;

use super::{CHUNK, avx2};
use crate::pairwise::AHEAD_BYTES;

/// Rows whose totals stay in registers together: the query is loaded once for all of them.
const TOGETHER: usize = 4;

#[target_feature(enable = "avx512f,avx2")]
pub(crate) fn products(numbers: &[i16], codes: &[u8], out: &mut [i32]) {
    if !is_x86_feature_detected!("avx512bw") {
        return avx2::products(numbers, codes, out);
    }
    // SAFETY: AVX-512BW was just detected; AVX-512F is a feature of this function.
    unsafe { products_of_words(numbers, codes, out) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn products_of_words(numbers: &[i16], codes: &[u8], out: &mut [i32]) {
    let len = numbers.len();
    let mut groups = codes.chunks_exact(TOGETHER * len);
    let (fours, rest) = out.as_chunks_mut::<TOGETHER>();
    for (group, out) in groups.by_ref().zip(fours) {
        *out = fold(numbers, std::array::from_fn(|i| &group[i * len..][..len]));
    }
    for (code, out) in groups.remainder().chunks_exact(len).zip(rest) {
        [*out] = fold(numbers, [code]);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn fold<const R: usize>(numbers: &[i16], codes: [&[u8]; R]) -> [i32; R] {
    let mut totals = [_mm512_setzero_si512(); R];
    let codes = codes.map(|code| code.as_chunks::<CHUNK>().0);
    for (i, numbers) in numbers.as_chunks::<CHUNK>().0.iter().enumerate() {
        // SAFETY: `numbers` is 64 readable bytes, and the load needs no alignment.
        let numbers = unsafe { _mm512_loadu_si512(numbers.as_ptr().cast()) };
        for (total, code) in totals.iter_mut().zip(codes) {
            let bytes = &code[i];
            _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(AHEAD_BYTES).cast());
            // SAFETY: `bytes` is 32 readable bytes, and the load needs no alignment.
            let bytes = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
            let products = _mm512_madd_epi16(numbers, _mm512_cvtepu8_epi16(bytes));
            *total = _mm512_add_epi32(*total, products);
        }
    }
    totals.map(|total| _mm512_reduce_add_epi32(total))
}
