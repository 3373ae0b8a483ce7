//! Fast scan where a register holds a whole table of floats; sums of bytes are AVX2's.

use std::arch::x86_64::*;

use super::{ENTRIES, FastScan, LEN, avx2, in_order};

pub(crate) static AVX512: FastScan = FastScan {
    sums: avx2::sums,
    masks: avx2::masks,
    distances,
};

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
