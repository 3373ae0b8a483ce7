//! Weights of bits with 128-bit registers.

use std::arch::aarch64::*;

use super::{BitWeights, LEN, bits, estimates_by};
use crate::{codes::fast_scan::neon::BITS, isa::neon::load_bytes};

#[target_feature(enable = "neon")]
pub(crate) fn estimates_at(weights: &BitWeights, codes: &[u8], stride: usize, positions: &[u32], out: &mut [f32]) {
    estimates_by(weights, codes, stride, positions, out, |code, weights| {
        sum(code, weights)
    });
}

#[inline]
#[target_feature(enable = "neon")]
fn sum(code: &[u8], weights: &[[i8; LEN]]) -> i32 {
    let own = load_bytes(&BITS);
    let mut sums = vdupq_n_s32(0);
    for (i, weights) in weights.iter().enumerate() {
        let bits = vreinterpretq_u8_u64(vdupq_n_u64(bits(code, i)));
        let mut bytes = load_bytes(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
        for weights in weights.as_chunks::<16>().0 {
            let set = vreinterpretq_s8_u8(vtstq_u8(vqtbl1q_u8(bits, bytes), own));
            // SAFETY: `weights` is 16 readable bytes, and the load needs no alignment.
            let set = vandq_s8(set, unsafe { vld1q_s8(weights.as_ptr()) });
            sums = vpadalq_s16(sums, vpaddlq_s8(set));
            bytes = vaddq_u8(bytes, vdupq_n_u8(2));
        }
    }
    vaddvq_s32(sums)
}
