//! Estimates with 128-bit registers.

use std::arch::aarch64::*;

use super::{CodedPart, Entries, Entry, EstimateTables, LEN, TABLES_MAX, WHOLE};
use crate::codes::fast_scan::{
    ENTRIES,
    neon::{accumulate, mask_of, narrow},
};

pub(crate) static NEON: Entry = Entry {
    reach: super::reach,
    round,
    estimates,
};

/// Floats of a register.
const LANES: usize = 4;

#[target_feature(enable = "neon")]
fn round(part: &CodedPart<'_>, per_byte: f32, tables: &mut [[u8; ENTRIES]]) {
    super::round(part, per_byte, tables, |entries, table| write(entries, table));
}

#[inline]
#[target_feature(enable = "neon")]
fn write(entries: Entries<'_>, table: &mut [u8; ENTRIES]) {
    let mut totals = [vdupq_n_f32(entries.first); ENTRIES / LANES];
    for (component, numbers) in entries.components.iter().zip(entries.numbers) {
        let component = vdupq_n_f32(*component);
        for (total, numbers) in totals.iter_mut().zip(numbers.as_chunks::<LANES>().0) {
            // SAFETY: `numbers` is 4 readable floats, and the load needs no alignment.
            *total = vfmaq_f32(*total, component, unsafe { vld1q_f32(numbers.as_ptr()) });
        }
    }
    // The lowest byte of each lane.
    let [a, b, c, d] = totals.map(|total| vreinterpretq_u16_f32(vaddq_f32(total, vdupq_n_f32(WHOLE))));
    let bytes = narrow(vuzp1q_u16(a, b), vuzp1q_u16(c, d));
    // SAFETY: `table` is 16 writable bytes, and the store needs no alignment.
    unsafe { vst1q_u8(table.as_mut_ptr(), bytes) }
}

#[target_feature(enable = "neon")]
fn estimates(tables: &EstimateTables, block: &[u8], bound: f32, estimates: &mut [f32; LEN]) -> u32 {
    let (numbers, factors) = block.split_at(tables.bytes.len());
    let mut sums = [vdupq_n_u32(0); LEN / LANES];
    let stretches = tables.bytes.chunks(TABLES_MAX * ENTRIES);
    for (tables, numbers) in stretches.zip(numbers.chunks(TABLES_MAX * ENTRIES)) {
        let eights = accumulate(tables.as_chunks().0, numbers.as_chunks().0);
        for (sums, eight) in sums.as_chunks_mut::<2>().0.iter_mut().zip(eights) {
            sums[0] = vaddw_u16(sums[0], vget_low_u16(eight));
            sums[1] = vaddw_high_u16(sums[1], eight);
        }
    }
    let [start, step, bound] = [tables.start, tables.step, bound].map(|x| vdupq_n_f32(x));
    let mut nearer = [vdupq_n_u16(0); LEN / LANES];
    for (i, (sum, factors)) in sums.into_iter().zip(factors.as_chunks::<32>().0).enumerate() {
        // SAFETY: `factors` is 8 readable floats, and the load needs no alignment.
        let float32x4x2_t(norm, scale) = unsafe { vld2q_f32(factors.as_ptr().cast()) };
        let product = vfmaq_f32(start, step, vcvtq_f32_u32(sum));
        let estimate = vfmaq_f32(norm, scale, product);
        nearer[i] = vreinterpretq_u16_u32(vcltq_f32(estimate, bound));
        let to: &mut [f32; LANES] = estimates[LANES * i..].first_chunk_mut().expect("four of 32 estimates");
        // SAFETY: `to` is 4 writable floats, and the store needs no alignment.
        unsafe { vst1q_f32(to.as_mut_ptr(), estimate) }
    }
    let [a, b, c, d, e, f, g, h] = nearer;
    mask_of([
        narrow(vuzp1q_u16(a, b), vuzp1q_u16(c, d)),
        narrow(vuzp1q_u16(e, f), vuzp1q_u16(g, h)),
    ])
}
