//! Bits counted 512 at a time (VPOPCNTDQ: Ice Lake, Zen 4 and later).
//!
//! A register counts each of its eight words; codes of 8 to 64 bytes then share registers, and the counts of eight codes
//! are added up together by shuffles, 2 to 3 times as fast as one by one.

use std::arch::x86_64::*;

use super::Table;
use crate::rows::Bits;

pub(super) static TABLE: Table = Table {
    run,
    // One code at a time leaves nothing to share.
    list: super::list_popcnt,
};

/// Whether this machine can run the functions of [`TABLE`].
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vpopcntdq")
        && is_x86_feature_detected!("popcnt")
}

const REGISTER: usize = 64;

/// Codes measured together.
const GROUP: usize = 8;

#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq,popcnt")]
fn run(query: &[u8], codes: Bits<'_>, out: &mut [u32]) {
    match query.len() {
        8 => groups::<8>(query, codes, out),
        16 => groups::<16>(query, codes, out),
        32 => groups::<32>(query, codes, out),
        64 => groups::<64>(query, codes, out),
        _ => codes
            .iter()
            .zip(out)
            .for_each(|(code, out)| *out = differing(query, code)),
    }
}

/// Eight codes at a time, in `LEN / 8` registers; the rest one by one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq,popcnt")]
fn groups<const LEN: usize>(query: &[u8], codes: Bits<'_>, out: &mut [u32]) {
    let mut repeated = [0; REGISTER];
    repeated
        .chunks_exact_mut(LEN)
        .for_each(|part| part.copy_from_slice(query));
    let wanted = load(&repeated);
    let (out_groups, out_rest) = out.as_chunks_mut::<GROUP>();
    let (groups, rest) = codes.as_slice().split_at(out_groups.len() * GROUP * LEN);
    for (group, out) in groups.chunks_exact(GROUP * LEN).zip(out_groups) {
        let registers = group.as_chunks::<REGISTER>().0;
        let count = |i: usize| count(_mm512_xor_si512(wanted, load(&registers[i])));
        let sums = match LEN {
            8 => count(0),
            16 => _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), add_words(count(0), count(1))),
            32 => _mm512_permutexvar_epi64(
                _mm512_setr_epi64(0, 2, 1, 3, 4, 6, 5, 7),
                add_blocks(add_words(count(0), count(1)), add_words(count(2), count(3))),
            ),
            _ => add_blocks(
                add_blocks(add_words(count(0), count(1)), add_words(count(2), count(3))),
                add_blocks(add_words(count(4), count(5)), add_words(count(6), count(7))),
            ),
        };
        store(_mm512_cvtepi64_epi32(sums), out);
    }
    let rest = rest.as_chunks::<LEN>().0;
    rest.iter()
        .zip(out_rest)
        .for_each(|(code, out)| *out = super::differing(query, code));
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq,popcnt")]
fn differing(x: &[u8], y: &[u8]) -> u32 {
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks(), y.as_chunks());
    let mut sum = _mm512_setzero_si512();
    for (x, y) in x.iter().zip(y) {
        sum = _mm512_add_epi64(sum, count(_mm512_xor_si512(load(x), load(y))));
    }
    _mm512_reduce_add_epi64(sum) as u32 + super::differing(x_rest, y_rest)
}

/// The set bits of each word.
#[inline]
#[target_feature(enable = "avx512vpopcntdq")]
fn count(words: __m512i) -> __m512i {
    _mm512_popcnt_epi64(words)
}

/// Adds neighboring words: `[a0 + a1, b0 + b1, a2 + a3, b2 + b3, ..]`.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_words(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
}

/// Adds neighboring pairs of words: `[a01 + a23, a45 + a67, b01 + b23, b45 + b67]`.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_blocks(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi64(
        _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b),
        _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(from: &[u8; REGISTER]) -> __m512i {
    // SAFETY: 64 readable bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(eight: __m256i, out: &mut [u32; GROUP]) {
    // SAFETY: 32 writable bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), eight) }
}
