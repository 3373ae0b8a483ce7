//! Weights of bits with 256-bit registers.

use std::arch::x86_64::*;

use super::{BitWeights, LEN, bits, estimates_by};

#[target_feature(enable = "avx2,fma")]
pub(crate) fn estimates_at(weights: &BitWeights, codes: &[u8], stride: usize, positions: &[u32], out: &mut [f32]) {
    estimates_by(weights, codes, stride, positions, out, |code, weights| {
        sum(code, weights)
    });
}

#[inline]
#[target_feature(enable = "avx2")]
fn sum(code: &[u8], weights: &[[i8; LEN]]) -> i32 {
    let ones = _mm256_set1_epi8(1);
    let mut sums = _mm256_setzero_si256();
    for (i, weights) in weights.iter().enumerate() {
        let bits = bits(code, i);
        let (halves, _) = weights.as_chunks::<32>();
        for (bits, weights) in [bits as i32, (bits >> 32) as i32].into_iter().zip(halves) {
            // SAFETY: `weights` is 32 readable bytes, and the load needs no alignment.
            let weights = unsafe { _mm256_loadu_si256(weights.as_ptr().cast()) };
            let set = _mm256_and_si256(spread(bits), weights);
            let pairs = _mm256_maddubs_epi16(ones, set);
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        }
    }
    let halves = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
    let pairs = _mm_add_epi32(halves, _mm_shuffle_epi32::<0b01_00_11_10>(halves));
    let all = _mm_add_epi32(pairs, _mm_shuffle_epi32::<0b10_11_00_01>(pairs));
    _mm_cvtsi128_si32(all)
}

/// A byte for each of 32 bits: all ones where it is set.
#[inline]
#[target_feature(enable = "avx2")]
fn spread(bits: i32) -> __m256i {
    let [first, second, third, fourth] = [0, 1, 2, 3].map(|byte| i64::from_ne_bytes([byte; 8]));
    let bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), _mm256_set_epi64x(fourth, third, second, first));
    let bit = _mm256_set1_epi64x(i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, -128_i8 as u8]));
    _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit)
}
