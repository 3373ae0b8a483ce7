//! Fast scan with 256-bit registers: the even codebook of a pair in the lower half, the odd in the upper.

use std::arch::x86_64::*;

use super::{ENTRIES, FastScan, LEN, in_order};

pub(crate) static AVX2: FastScan = FastScan { sums, masks, distances };

/// Bytes that a register holds.
type Bytes = [u8; 32];

#[target_feature(enable = "avx2")]
pub(super) fn sums(tables: &[u8], block: &[u8]) -> [u16; LEN] {
    let [low, high] = accumulate(tables.as_chunks().0, block.as_chunks().0);
    let mut sums = [0; LEN];
    let halves = sums.as_chunks_mut::<16>().0;
    store(low, &mut halves[0]);
    store(high, &mut halves[1]);
    sums
}

#[target_feature(enable = "avx2")]
pub(super) fn masks(tables: &[&[u8]], blocks: &[u8], stride: usize, bounds: &[u16], masks: &mut [u32]) {
    let len = bounds.len() / tables.len();
    for (tables, (bounds, masks)) in tables.iter().zip(bounds.chunks(len).zip(masks.chunks_mut(len))) {
        let tables: &[Bytes] = tables.as_chunks().0;
        for ((block, &bound), mask) in blocks.chunks(stride).zip(bounds).zip(masks) {
            let [low, high] = accumulate(tables, block.as_chunks().0);
            let bound = _mm256_set1_epi16(bound as i16);
            let [low, high] = [low, high].map(|sums| _mm256_cmpeq_epi16(_mm256_min_epu16(sums, bound), sums));
            // Packing takes turns between the halves of its arguments.
            let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(low, high));
            *mask = _mm256_movemask_epi8(packed) as u32;
        }
    }
}

#[target_feature(enable = "avx2")]
fn distances(tables: &[[f32; ENTRIES]], block: &[u8], start: f32) -> [f32; LEN] {
    // Eight bytes each: the lower halves of 0 to 7 and of 8 to 15, then the upper halves.
    let mut totals = [_mm256_set1_ps(start); 4];
    let codes: &[[u8; 16]] = block.as_chunks().0;
    for (table, codes) in tables.iter().zip(codes) {
        let [lower, upper] = [&table[..8], &table[8..]].map(|half| load_floats(half));
        for (i, total) in totals.iter_mut().enumerate() {
            let eight = i64::from_le_bytes(*codes[i % 2 * 8..].first_chunk().expect("eight of 16 bytes"));
            let numbers = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(eight >> (i / 2 * 4)));
            // Of an index the lowest three bits count; the fourth, on top of a lane, chooses a half.
            let half = _mm256_castsi256_ps(_mm256_slli_epi32::<28>(numbers));
            let entries = [lower, upper].map(|half| _mm256_permutevar8x32_ps(half, numbers));
            *total = _mm256_add_ps(*total, _mm256_blendv_ps(entries[0], entries[1], half));
        }
    }
    let mut by_byte = [0.0; LEN];
    for (total, to) in totals.into_iter().zip(by_byte.as_chunks_mut::<8>().0) {
        // SAFETY: `to` is 8 writable floats, and the store needs no alignment.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), total) }
    }
    in_order(&by_byte)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_floats(from: &[f32]) -> __m256 {
    let from: &[f32; 8] = from.first_chunk().expect("eight floats");
    // SAFETY: `from` is 8 readable floats, and the load needs no alignment.
    unsafe { _mm256_loadu_ps(from.as_ptr()) }
}

/// The sums of vectors 0 to 15 and of vectors 16 to 31.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::codes) fn accumulate(tables: &[Bytes], block: &[Bytes]) -> [__m256i; 2] {
    let nibble = _mm256_set1_epi8(15);
    // Per group of 16 vectors: sums of even bytes with those of odd bytes 256-fold on top, and sums of odd bytes.
    let mut both = [_mm256_setzero_si256(); 2];
    let mut odd = [_mm256_setzero_si256(); 2];
    for (table, codes) in tables.iter().zip(block) {
        let (table, codes) = (load(table), load(codes));
        let groups = [codes, _mm256_srli_epi16::<4>(codes)];
        for (i, group) in groups.into_iter().enumerate() {
            let entries = _mm256_shuffle_epi8(table, _mm256_and_si256(group, nibble));
            both[i] = _mm256_add_epi16(both[i], entries);
            odd[i] = _mm256_add_epi16(odd[i], _mm256_srli_epi16::<8>(entries));
        }
    }
    [0, 1].map(|i| {
        let even = _mm256_sub_epi16(both[i], _mm256_slli_epi16::<8>(odd[i]));
        // Even codebooks are in the lower halves, odd ones in the upper: vectors 0 to 7, then 8 to 15.
        let lower = _mm256_permute2x128_si256::<0x20>(even, odd[i]);
        let upper = _mm256_permute2x128_si256::<0x31>(even, odd[i]);
        _mm256_add_epi16(lower, upper)
    })
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(from: &Bytes) -> __m256i {
    // SAFETY: `from` is 32 readable bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(sums: __m256i, to: &mut [u16; 16]) {
    // SAFETY: `to` is 32 writable bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), sums) }
}
