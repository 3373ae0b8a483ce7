//! Fast scan with 128-bit registers: one codebook each.

use std::arch::aarch64::*;

use super::{FastScan, LEN};
use crate::isa::neon::load_bytes;

pub(crate) static NEON: FastScan = FastScan {
    sums,
    masks,
    distances: super::distances,
};

/// Bytes that a register holds.
type Bytes = [u8; 16];

/// The bit of each byte in the byte that eight of them share.
pub(in crate::codes) const BITS: Bytes = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

#[target_feature(enable = "neon")]
fn sums(tables: &[u8], block: &[u8]) -> [u16; LEN] {
    let mut sums = [0; LEN];
    let totals = accumulate(tables.as_chunks().0, block.as_chunks().0);
    for (total, to) in totals.into_iter().zip(sums.as_chunks_mut::<8>().0) {
        // SAFETY: `to` is 16 writable bytes, and the store needs no alignment.
        unsafe { vst1q_u16(to.as_mut_ptr(), total) }
    }
    sums
}

#[target_feature(enable = "neon")]
fn masks(tables: &[&[u8]], blocks: &[u8], stride: usize, bounds: &[u16], masks: &mut [u32]) {
    let len = bounds.len() / tables.len();
    for (tables, (bounds, masks)) in tables.iter().zip(bounds.chunks(len).zip(masks.chunks_mut(len))) {
        let tables: &[Bytes] = tables.as_chunks().0;
        for ((block, &bound), mask) in blocks.chunks(stride).zip(bounds).zip(masks) {
            let bound = vdupq_n_u16(bound);
            let [a, b, c, d] = accumulate(tables, block.as_chunks().0).map(|sums| vcleq_u16(sums, bound));
            *mask = mask_of([narrow(a, b), narrow(c, d)]);
        }
    }
}

/// The sums of vectors 0 to 7, 8 to 15, 16 to 23 and 24 to 31.
#[inline]
#[target_feature(enable = "neon")]
pub(in crate::codes) fn accumulate(tables: &[Bytes], block: &[Bytes]) -> [uint16x8_t; 4] {
    // Per group of 16 vectors: sums of even bytes with those of odd bytes 256-fold on top, and sums of odd bytes.
    let mut both = [vdupq_n_u16(0); 2];
    let mut odd = [vdupq_n_u16(0); 2];
    for (table, codes) in tables.iter().zip(block) {
        let (table, codes) = (load_bytes(table), load_bytes(codes));
        let groups = [vandq_u8(codes, vdupq_n_u8(15)), vshrq_n_u8::<4>(codes)];
        for (i, group) in groups.into_iter().enumerate() {
            let entries = vreinterpretq_u16_u8(vqtbl1q_u8(table, group));
            both[i] = vaddq_u16(both[i], entries);
            odd[i] = vsraq_n_u16::<8>(odd[i], entries);
        }
    }
    let even = |i: usize| vsubq_u16(both[i], vshlq_n_u16::<8>(odd[i]));
    [even(0), odd[0], even(1), odd[1]]
}

/// The lower halves of all lanes.
#[inline]
#[target_feature(enable = "neon")]
pub(in crate::codes) fn narrow(first: uint16x8_t, second: uint16x8_t) -> uint8x16_t {
    vuzp1q_u8(vreinterpretq_u8_u16(first), vreinterpretq_u8_u16(second))
}

/// A bit for each of 32 bytes, all of which are zeros or ones.
#[inline]
#[target_feature(enable = "neon")]
pub(in crate::codes) fn mask_of(bytes: [uint8x16_t; 2]) -> u32 {
    let own = load_bytes(&BITS);
    let [first, second] = bytes.map(|bytes| vandq_u8(bytes, own));
    let twos = vpaddq_u8(first, second);
    let fours = vpaddq_u8(twos, twos);
    vgetq_lane_u32::<0>(vreinterpretq_u32_u8(vpaddq_u8(fours, fours)))
}
