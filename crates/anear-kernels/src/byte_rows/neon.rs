//! Products of bytes with 128-bit registers: eight bytes are widened, then multiplied and added to lanes of 32 bits.

use std::arch::aarch64::*;

use super::{AHEAD, CHUNK, code_at};
use crate::{isa::neon::load_bytes, prefetch::prefetch};

/// Bytes that a register holds.
const BYTES: usize = 16;

#[target_feature(enable = "neon")]
pub(crate) fn products(numbers: &[i16], codes: &[u8], out: &mut [i32]) {
    for (code, out) in codes.chunks_exact(numbers.len()).zip(out) {
        *out = product(numbers, code);
    }
}

#[target_feature(enable = "neon")]
pub(crate) fn squares_at(own: &[u8], codes: &[u8], positions: &[u32], out: &mut [i32]) {
    for (i, (position, out)) in positions.iter().zip(out).enumerate() {
        if let Some(ahead) = positions.get(i + AHEAD) {
            prefetch(code_at(codes, own.len(), *ahead));
        }
        *out = square(own, code_at(codes, own.len(), *position));
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn product(numbers: &[i16], code: &[u8]) -> i32 {
    let mut totals = [vdupq_n_s32(0); 2 * CHUNK / BYTES];
    for (numbers, code) in numbers.as_chunks::<CHUNK>().0.iter().zip(code.as_chunks::<CHUNK>().0) {
        let halves = numbers.as_chunks::<BYTES>().0.iter().zip(code.as_chunks().0);
        for (totals, (numbers, bytes)) in totals.as_chunks_mut::<2>().0.iter_mut().zip(halves) {
            // SAFETY: `numbers` is 32 readable bytes, and the load needs no alignment.
            let int16x8x2_t(first, second) = unsafe { vld1q_s16_x2(numbers.as_ptr()) };
            let bytes = load_bytes(bytes);
            let widened = [vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes)].map(|half| vreinterpretq_s16_u16(half));
            for (numbers, bytes) in [first, second].into_iter().zip(widened) {
                totals[0] = vmlal_s16(totals[0], vget_low_s16(numbers), vget_low_s16(bytes));
                totals[1] = vmlal_high_s16(totals[1], numbers, bytes);
            }
        }
    }
    let [a, b, c, d] = totals;
    vaddvq_s32(vaddq_s32(vaddq_s32(a, b), vaddq_s32(c, d)))
}

/// The squared distance of two rows.
#[inline]
#[target_feature(enable = "neon")]
fn square(own: &[u8], code: &[u8]) -> i32 {
    let mut totals = [vdupq_n_u32(0); CHUNK / BYTES];
    for (own, code) in own.as_chunks::<CHUNK>().0.iter().zip(code.as_chunks::<CHUNK>().0) {
        let halves = own.as_chunks().0.iter().zip(code.as_chunks().0);
        for (total, (own, code)) in totals.iter_mut().zip(halves) {
            let apart = vabdq_u8(load_bytes(own), load_bytes(code));
            let low = vget_low_u8(apart);
            *total = vpadalq_u16(*total, vmull_u8(low, low));
            *total = vpadalq_u16(*total, vmull_high_u8(apart, apart));
        }
    }
    vaddvq_u32(vaddq_u32(totals[0], totals[1])) as i32
}
