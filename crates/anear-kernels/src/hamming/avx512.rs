//! Bits counted 512 at a time (VPOPCNTDQ: Ice Lake, Zen 4 and later).
//!
//! A register counts each of its eight words. The counts of eight codes are added up together by shuffles, and short
//! codes share registers.

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
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vpopcntdq")
        && is_x86_feature_detected!("popcnt")
}

const REGISTER: usize = 64;

/// Codes measured together.
const GROUP: usize = 8;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq,popcnt")]
fn run(query: &[u8], codes: Bits<'_>, out: &mut [u32]) -> u32 {
    match query.len() {
        8 => groups::<8>(query, codes, out),
        16 => groups::<16>(query, codes, out),
        32 => groups::<32>(query, codes, out),
        64 => groups::<64>(query, codes, out),
        _ => groups::<ANY>(query, codes, out),
    }
}

/// In the place of a length: any length.
const ANY: usize = 0;

/// Eight codes at a time, the rest one by one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq,popcnt")]
fn groups<const LEN: usize>(query: &[u8], codes: Bits<'_>, out: &mut [u32]) -> u32 {
    let mut repeated = [0; REGISTER];
    if LEN != ANY {
        repeated
            .chunks_exact_mut(LEN)
            .for_each(|part| part.copy_from_slice(query));
    }
    let repeated = load(&repeated);
    let (out, out_rest) = out.as_chunks_mut::<GROUP>();
    let (groups, rest) = codes.as_slice().split_at(out.len() * GROUP * query.len());
    let mut least = _mm256_set1_epi32(-1);
    for (group, out) in groups.chunks_exact(GROUP * query.len()).zip(out) {
        let sums = match LEN {
            ANY => any(query, group),
            _ => shared::<LEN>(repeated, group),
        };
        let distances = _mm512_cvtepi64_epi32(sums);
        least = _mm256_min_epu32(least, distances);
        store(distances, out);
    }
    let rest = super::measure(out_rest, rest.chunks_exact(query.len()), |code| {
        super::differing(query, code)
    });
    rest.min(_mm512_reduce_min_epu32(_mm512_broadcast_i64x4(least)))
}

/// Eight codes of 8, 16, 32 or 64 bytes side by side, with the query as often as it fits into a register.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn shared<const LEN: usize>(query: __m512i, group: &[u8]) -> __m512i {
    let registers = group.as_chunks::<REGISTER>().0;
    let count = |i: usize| _mm512_popcnt_epi64(_mm512_xor_si512(query, load(&registers[i])));
    match LEN {
        8 => count(0),
        16 => _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), add_words(count(0), count(1))),
        32 => _mm512_permutexvar_epi64(
            _mm512_setr_epi64(0, 2, 1, 3, 4, 6, 5, 7),
            add_blocks(add_words(count(0), count(1)), add_words(count(2), count(3))),
        ),
        _ => add_eight([0, 1, 2, 3, 4, 5, 6, 7].map(count)),
    }
}

/// Eight codes as long as the query, one register of all of them after the other: of 128 bytes, 1.5 times as fast as one
/// code after the other.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
fn any(query: &[u8], group: &[u8]) -> __m512i {
    let len = query.len();
    let (registers, tail) = query.as_chunks::<REGISTER>();
    let mut sums = [_mm512_setzero_si512(); GROUP];
    for (r, query) in registers.iter().enumerate() {
        let query = load(query);
        for (i, sum) in sums.iter_mut().enumerate() {
            let code = group[i * len + r * REGISTER..]
                .first_chunk()
                .expect("a register of a code");
            let differ = _mm512_xor_si512(query, load(code));
            *sum = _mm512_add_epi64(*sum, _mm512_popcnt_epi64(differ));
        }
    }
    if !tail.is_empty() {
        let query = load_tail(tail);
        for (sum, code) in sums.iter_mut().zip(group.chunks_exact(len)) {
            let differ = _mm512_xor_si512(query, load_tail(&code[len - tail.len()..]));
            *sum = _mm512_add_epi64(*sum, _mm512_popcnt_epi64(differ));
        }
    }
    add_eight(sums)
}

/// The sum of each register's words.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_eight([a, b, c, d, e, f, g, h]: [__m512i; GROUP]) -> __m512i {
    add_blocks(
        add_blocks(add_words(a, b), add_words(c, d)),
        add_blocks(add_words(e, f), add_words(g, h)),
    )
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

/// Fewer bytes than a register has; zeros behind them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_tail(from: &[u8]) -> __m512i {
    let from = &from[..from.len().min(REGISTER - 1)];
    // SAFETY: only the bytes below `from.len()` are read.
    unsafe { _mm512_maskz_loadu_epi8((1 << from.len()) - 1, from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(eight: __m256i, out: &mut [u32; GROUP]) {
    // SAFETY: 32 writable bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), eight) }
}
