//! Weights of bits with 512-bit registers; where bytes cannot be added up in them, with 256-bit ones.

use std::arch::x86_64::*;

use super::{BitWeights, LEN, avx2, bits, estimates_by};

fn adds_up_bytes() -> bool {
    is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni")
}

#[target_feature(enable = "avx512f,avx2,fma")]
pub(crate) fn estimates_at(weights: &BitWeights, codes: &[u8], stride: usize, positions: &[u32], out: &mut [f32]) {
    if !adds_up_bytes() {
        return avx2::estimates_at(weights, codes, stride, positions, out);
    }
    // SAFETY: `adds_up_bytes` saw BW and VNNI; F and FMA are this function's own.
    unsafe { estimates_at_bytes(weights, codes, stride, positions, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni,fma")]
fn estimates_at_bytes(weights: &BitWeights, codes: &[u8], stride: usize, positions: &[u32], out: &mut [f32]) {
    estimates_by(weights, codes, stride, positions, out, |code, weights| {
        sum(code, weights)
    });
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn sum(code: &[u8], weights: &[[i8; LEN]]) -> i32 {
    let ones = _mm512_set1_epi8(1);
    let mut sums = _mm512_setzero_si512();
    for (i, weights) in weights.iter().enumerate() {
        // SAFETY: `weights` is 64 readable bytes, and the load needs no alignment.
        let set = unsafe { _mm512_maskz_loadu_epi8(bits(code, i), weights.as_ptr()) };
        sums = _mm512_dpbusd_epi32(sums, ones, set);
    }
    _mm512_reduce_add_epi32(sums)
}
