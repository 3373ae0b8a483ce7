//! Fast scan with 512-bit registers: four tables of bytes in one, or one of floats.
//!
//! Sums of bytes need instructions that came after the first AVX-512 (VBMI to look up, VNNI to add up); without them they
//! are AVX2's.

use std::arch::x86_64::*;

use super::{ENTRIES, FastScan, LEN, ORDER, avx2, in_order};

pub(crate) static AVX512: FastScan = FastScan { sums, masks, distances };

/// Codebooks whose tables a register holds.
const BOOKS: usize = 4;

/// Bytes that a register holds: four codebooks of a block, or their tables.
const BYTES: usize = BOOKS * ENTRIES;

/// Queries whose sums stay in registers together.
const TOGETHER: usize = 4;

/// From the bytes of four codebooks, one after the other, to four bytes for each vector in order.
const BY_VECTOR: [u8; BYTES] = by_vector();

const fn by_vector() -> [u8; BYTES] {
    let mut from = [0; BYTES];
    let mut byte = 0;
    while byte < BYTES {
        let (book, place) = (byte / ENTRIES, byte % ENTRIES);
        from[ORDER[place] * BOOKS + book] = byte as u8;
        byte += 1;
    }
    from
}

pub(in crate::codes) fn looks_up_bytes() -> bool {
    is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vnni")
}

#[target_feature(enable = "avx512f,avx2")]
fn sums(tables: &[u8], block: &[u8]) -> [u16; LEN] {
    if !looks_up_bytes() {
        return avx2::sums(tables, block);
    }
    // SAFETY: the instructions are there.
    unsafe { sums_of_bytes(tables, block) }
}

#[target_feature(enable = "avx512f,avx2")]
fn masks(tables: &[&[u8]], blocks: &[u8], stride: usize, bounds: &[u16], masks: &mut [u32]) {
    if !looks_up_bytes() {
        return avx2::masks(tables, blocks, stride, bounds, masks);
    }
    let len = bounds.len() / tables.len();
    let of_queries = bounds.chunks(TOGETHER * len).zip(masks.chunks_mut(TOGETHER * len));
    for (tables, (bounds, masks)) in tables.chunks(TOGETHER).zip(of_queries) {
        // SAFETY: the instructions are there.
        unsafe {
            match *tables {
                [a, b, c, d] => masks_of_bytes([a, b, c, d], blocks, stride, bounds, masks),
                [a, b, c] => masks_of_bytes([a, b, c], blocks, stride, bounds, masks),
                [a, b] => masks_of_bytes([a, b], blocks, stride, bounds, masks),
                [a] => masks_of_bytes([a], blocks, stride, bounds, masks),
                _ => {}
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vnni")]
fn sums_of_bytes(tables: &[u8], block: &[u8]) -> [u16; LEN] {
    let [[low, high]] = accumulate([tables], block);
    let mut sums = [0; LEN];
    for (half, to) in [low, high].into_iter().zip(sums.as_chunks_mut::<16>().0) {
        // SAFETY: `to` is 32 writable bytes, and the store needs no alignment.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(half)) }
    }
    sums
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vnni")]
fn masks_of_bytes<const Q: usize>(tables: [&[u8]; Q], blocks: &[u8], stride: usize, bounds: &[u16], masks: &mut [u32]) {
    let len = bounds.len() / Q;
    for (i, block) in blocks.chunks(stride).take(len).enumerate() {
        for (q, sums) in accumulate(tables, block).into_iter().enumerate() {
            let bound = _mm512_set1_epi32(bounds[q * len + i].into());
            let [low, high] = sums.map(|sums| u32::from(_mm512_cmple_epu32_mask(sums, bound)));
            masks[q * len + i] = low | high << 16;
        }
    }
}

/// For each query the sums of vectors 0 to 15 and of vectors 16 to 31.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vnni")]
pub(in crate::codes) fn accumulate<const Q: usize>(tables: [&[u8]; Q], block: &[u8]) -> [[__m512i; 2]; Q] {
    let len = tables[0].len();
    // Of every other group of codebooks: an addition waits for the one before it longer than everything else takes.
    let [mut even, mut odd] = [[[_mm512_setzero_si512(); 2]; Q]; 2];
    let mut at = 0;
    while at + 2 * BYTES <= len {
        for (at, totals) in [(at, &mut even), (at + BYTES, &mut odd)] {
            let halves = numbers(load_all(&block[at..]));
            for (tables, totals) in tables.iter().zip(totals) {
                add_entries(load_all(&tables[at..]), halves, totals);
            }
        }
        at += 2 * BYTES;
    }
    while at < len {
        // Where there are fewer codebooks, the others' entries are zeros.
        let halves = numbers(load(&block[at..len]));
        for (tables, totals) in tables.iter().zip(&mut even) {
            add_entries(load(&tables[at..]), halves, totals);
        }
        at += BYTES;
    }
    // Without closures, as everywhere here: whether these become part of a function that has more instructions than others
    // changes with what else is compiled, and lists took a seventh longer where one did not.
    for (even, odd) in even.as_flattened_mut().iter_mut().zip(odd.as_flattened()) {
        *even = _mm512_add_epi32(*even, *odd);
    }
    even
}

/// Adds the entries of four codebooks that vectors choose.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vnni")]
fn add_entries(table: __m512i, halves: [__m512i; 2], totals: &mut [__m512i; 2]) {
    for (total, numbers) in totals.iter_mut().zip(halves) {
        let entries = _mm512_permutexvar_epi8(numbers, table);
        *total = _mm512_dpbusd_epi32(*total, entries, _mm512_set1_epi8(1));
    }
}

/// Of four codebooks, the places of a register of tables that vectors 0 to 15 choose, and those of vectors 16 to 31.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn numbers(codes: __m512i) -> [__m512i; 2] {
    // SAFETY: the constant is 64 readable bytes, and the load needs no alignment.
    let by_vector = unsafe { _mm512_loadu_si512(BY_VECTOR.as_ptr().cast()) };
    let codes = _mm512_permutexvar_epi8(by_vector, codes);
    // The codebooks' places are 0, 16, 32, 48: `a & b | c`.
    let [nibble, book] = [_mm512_set1_epi8(15), _mm512_set1_epi32(0x3020_1000)];
    let upper = _mm512_srli_epi32::<4>(codes);
    [
        _mm512_ternarylogic_epi32::<0b1110_1010>(codes, nibble, book),
        _mm512_ternarylogic_epi32::<0b1110_1010>(upper, nibble, book),
    ]
}

/// The first bytes of `from`, of which there are enough.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_all(from: &[u8]) -> __m512i {
    let from: &[u8; BYTES] = from.first_chunk().expect("a whole register");
    // SAFETY: `from` is 64 readable bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

/// The first bytes of `from`; zeros where it ends.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(from: &[u8]) -> __m512i {
    let there = u64::MAX
        .checked_shr((BYTES - from.len().min(BYTES)) as u32)
        .unwrap_or(0);
    // SAFETY: of the bytes at `from` only those are read that are there.
    unsafe { _mm512_maskz_loadu_epi8(there, from.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx2")]
fn distances(tables: &[[f32; ENTRIES]], block: &[u8], start: f32) -> [f32; LEN] {
    // Of the lower halves of 16 bytes, and of the upper halves.
    let mut totals = [_mm512_set1_ps(start); 2];
    let codes: &[[u8; 16]] = block.as_chunks().0;
    for (table, codes) in tables.iter().zip(codes) {
        // SAFETY: `table` is 16 readable floats, `codes` 16 readable bytes, and the loads need no alignment.
        let (table, codes) = unsafe {
            let codes = _mm_loadu_si128(codes.as_ptr().cast());
            (_mm512_loadu_ps(table.as_ptr()), _mm512_cvtepu8_epi32(codes))
        };
        // Of an index the lowest four bits count.
        for (total, numbers) in totals.iter_mut().zip([codes, _mm512_srli_epi32::<4>(codes)]) {
            *total = _mm512_add_ps(*total, _mm512_permutexvar_ps(numbers, table));
        }
    }
    let mut by_byte = [0.0; LEN];
    for (total, to) in totals.into_iter().zip(by_byte.as_chunks_mut::<16>().0) {
        // SAFETY: `to` is 16 writable floats, and the store needs no alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), total) }
    }
    in_order(&by_byte)
}
