//! Estimates with 256-bit registers.

use std::arch::x86_64::*;

use super::{CodedPart, Entries, Entry, EstimateTables, LEN, Reach, TABLES_MAX};
use crate::codes::fast_scan::{ENTRIES, avx2::accumulate};

pub(crate) static AVX2: Entry = Entry {
    reach,
    round,
    estimates,
};

#[target_feature(enable = "avx2,fma")]
fn reach(part: &CodedPart<'_>, into: &mut Reach) {
    super::reach(part, into);
}

#[target_feature(enable = "avx2,fma")]
fn round(part: &CodedPart<'_>, per_byte: f32, tables: &mut [[u8; ENTRIES]]) {
    super::round(part, per_byte, tables, |entries, table| write(entries, table));
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn write(entries: Entries<'_>, table: &mut [u8; ENTRIES]) {
    let [mut low, mut high] = [_mm256_set1_ps(entries.first); 2];
    for (component, numbers) in entries.components.iter().zip(entries.numbers) {
        // SAFETY: `numbers` is 16 readable floats, and the loads need no alignment.
        let [first, last] = unsafe {
            [
                _mm256_loadu_ps(numbers.as_ptr()),
                _mm256_loadu_ps(numbers.as_ptr().add(8)),
            ]
        };
        let component = _mm256_set1_ps(*component);
        low = _mm256_fmadd_ps(component, first, low);
        high = _mm256_fmadd_ps(component, last, high);
    }
    let [low, high] = [_mm256_cvtps_epi32(low), _mm256_cvtps_epi32(high)];
    // Packing takes turns between the halves of its arguments.
    let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
    let packed = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
    // SAFETY: `table` is 16 writable bytes, and the store needs no alignment.
    unsafe { _mm_storeu_si128(table.as_mut_ptr().cast(), packed) }
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn estimates(tables: &EstimateTables, block: &[u8], bound: f32, estimates: &mut [f32; LEN]) -> u32 {
    let (numbers, factors) = block.split_at(tables.bytes.len());
    let mut sums = [_mm256_setzero_si256(); 4];
    let stretches = tables.bytes.chunks(TABLES_MAX * ENTRIES);
    for (tables, numbers) in stretches.zip(numbers.chunks(TABLES_MAX * ENTRIES)) {
        let [low, high] = accumulate(tables.as_chunks().0, numbers.as_chunks().0);
        for (i, half) in [low, high].into_iter().enumerate() {
            let [first, second] = [_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half)];
            sums[2 * i] = _mm256_add_epi32(sums[2 * i], _mm256_cvtepu16_epi32(first));
            sums[2 * i + 1] = _mm256_add_epi32(sums[2 * i + 1], _mm256_cvtepu16_epi32(second));
        }
    }
    let [start, step, bound] = [tables.start, tables.step, bound].map(|x| _mm256_set1_ps(x));
    let mut nearer = 0;
    for (i, (sum, factors)) in sums.into_iter().zip(factors.as_chunks::<64>().0).enumerate() {
        let [norm, scale] = split(factors);
        let product = _mm256_fmadd_ps(step, _mm256_cvtepi32_ps(sum), start);
        let estimate = _mm256_fmadd_ps(scale, product, norm);
        nearer |= (_mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(estimate, bound)) as u32) << (8 * i);
        let to: &mut [f32; 8] = estimates[8 * i..].first_chunk_mut().expect("eight of 32 estimates");
        // SAFETY: `to` is 8 writable floats, and the store needs no alignment.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), estimate) }
    }
    nearer
}

/// The norms and the scales of eight codes.
#[inline]
#[target_feature(enable = "avx2")]
fn split(factors: &[u8; 64]) -> [__m256; 2] {
    let [first, second] = [0, 32].map(|at| {
        let half: &[u8; 32] = factors[at..].first_chunk().expect("half of 64 bytes");
        // SAFETY: `half` is 32 readable bytes, and the load needs no alignment.
        unsafe { _mm256_loadu_ps(half.as_ptr().cast()) }
    });
    // Within halves of registers; then the middle quarters change places.
    let [norms, scales] = [
        _mm256_shuffle_ps::<0b10_00_10_00>(first, second),
        _mm256_shuffle_ps::<0b11_01_11_01>(first, second),
    ];
    [norms, scales].map(|quarters| {
        let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_castps_si256(quarters));
        _mm256_castsi256_ps(ordered)
    })
}
