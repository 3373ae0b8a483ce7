//! Products of bytes with 256-bit registers: sixteen bytes are widened, then multiplied and added in pairs.

use std::arch::x86_64::*;

use super::CHUNK;

/// Bytes that are widened at a time.
const WIDENED: usize = 16;

#[target_feature(enable = "avx2")]
pub(crate) fn products(numbers: &[i16], codes: &[u8], out: &mut [i32]) {
    for (code, out) in codes.chunks_exact(numbers.len()).zip(out) {
        *out = product(numbers, code);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn product(numbers: &[i16], code: &[u8]) -> i32 {
    let mut totals = [_mm256_setzero_si256(); CHUNK / WIDENED];
    let chunks = numbers.as_chunks::<CHUNK>().0.iter().zip(code.as_chunks::<CHUNK>().0);
    for (numbers, code) in chunks {
        let halves = numbers
            .as_chunks::<WIDENED>()
            .0
            .iter()
            .zip(code.as_chunks::<WIDENED>().0);
        for (total, (numbers, bytes)) in totals.iter_mut().zip(halves) {
            // SAFETY: `numbers` is 32 readable bytes, `bytes` 16, and the loads need no alignment.
            let (numbers, bytes) = unsafe {
                let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
                (_mm256_loadu_si256(numbers.as_ptr().cast()), _mm256_cvtepu8_epi16(bytes))
            };
            *total = _mm256_add_epi32(*total, _mm256_madd_epi16(numbers, bytes));
        }
    }
    let total = _mm256_add_epi32(totals[0], totals[1]);
    let half = _mm_add_epi32(_mm256_castsi256_si128(total), _mm256_extracti128_si256::<1>(total));
    let pair = _mm_add_epi32(half, _mm_unpackhi_epi64(half, half));
    _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32::<1>(pair)))
}
