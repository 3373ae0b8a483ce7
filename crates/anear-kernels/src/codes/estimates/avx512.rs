//! Estimates with 512-bit registers; where bytes cannot be looked up in them, with 256-bit ones.

use std::arch::x86_64::*;

use super::{CodedPart, Entries, Entry, EstimateTables, LEN, Reach, avx2};
use crate::codes::fast_scan::{
    ENTRIES,
    avx512::{accumulate, looks_up_bytes},
};

pub(crate) static AVX512: Entry = Entry {
    reach,
    round,
    estimates,
};

#[target_feature(enable = "avx512f,avx2,fma")]
fn reach(part: &CodedPart<'_>, into: &mut Reach) {
    super::reach(part, into);
}

#[target_feature(enable = "avx512f,avx2,fma")]
fn round(part: &CodedPart<'_>, per_byte: f32, tables: &mut [[u8; ENTRIES]]) {
    super::round(part, per_byte, tables, |entries, table| write(entries, table));
}

#[inline]
#[target_feature(enable = "avx512f")]
fn write(entries: Entries<'_>, table: &mut [u8; ENTRIES]) {
    let mut sum = _mm512_set1_ps(entries.first);
    for (component, numbers) in entries.components.iter().zip(entries.numbers) {
        // SAFETY: `numbers` is 16 readable floats, and the load needs no alignment.
        let numbers = unsafe { _mm512_loadu_ps(numbers.as_ptr()) };
        sum = _mm512_fmadd_ps(_mm512_set1_ps(*component), numbers, sum);
    }
    let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(sum));
    // SAFETY: `table` is 16 writable bytes, and the store needs no alignment.
    unsafe { _mm_storeu_si128(table.as_mut_ptr().cast(), bytes) }
}

#[target_feature(enable = "avx512f,avx2,fma")]
fn estimates(tables: &EstimateTables, block: &[u8], bound: f32, estimates: &mut [f32; LEN]) -> u32 {
    if !looks_up_bytes() {
        return avx2::estimates(tables, block, bound, estimates);
    }
    // SAFETY: the instructions are there.
    unsafe { estimates_of_bytes(tables, block, bound, estimates) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vnni")]
fn estimates_of_bytes(tables: &EstimateTables, block: &[u8], bound: f32, estimates: &mut [f32; LEN]) -> u32 {
    let (numbers, factors) = block.split_at(tables.bytes.len());
    let [sums] = accumulate([&tables.bytes], numbers);
    let [start, step, bound] = [tables.start, tables.step, bound].map(|x| _mm512_set1_ps(x));
    let mut nearer = 0;
    for (i, (sum, factors)) in sums.into_iter().zip(factors.as_chunks::<128>().0).enumerate() {
        let [norm, scale] = split(factors);
        let product = _mm512_fmadd_ps(step, _mm512_cvtepi32_ps(sum), start);
        let estimate = _mm512_fmadd_ps(scale, product, norm);
        nearer |= u32::from(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(estimate, bound)) << (16 * i);
        let to: &mut [f32; 16] = estimates[16 * i..].first_chunk_mut().expect("half of 32 estimates");
        // SAFETY: `to` is 16 writable floats, and the store needs no alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), estimate) }
    }
    nearer
}

/// The norms and the scales of 16 codes.
#[inline]
#[target_feature(enable = "avx512f")]
fn split(factors: &[u8; 128]) -> [__m512; 2] {
    let [first, second] = [0, 64].map(|at| {
        let half: &[u8; 64] = factors[at..].first_chunk().expect("half of 128 bytes");
        // SAFETY: `half` is 64 readable bytes, and the load needs no alignment.
        unsafe { _mm512_loadu_ps(half.as_ptr().cast()) }
    });
    let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    let odd = _mm512_or_si512(even, _mm512_set1_epi32(1));
    [even, odd].map(|places| _mm512_permutex2var_ps(first, places, second))
}
