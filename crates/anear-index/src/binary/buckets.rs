//! Hash keys of codes, and the buckets whose keys are near one.

use std::collections::HashMap;

use crate::{Knob, KnobValues};

/// How far a bucket's key may be from the query's.
pub(super) static NFLIP: Knob = Knob {
    name: "nflip",
    alias: "nflip",
    doc: "Bits of the hash that may differ: buckets up to this far from the query's are looked at.",
    default: 0.0,
    ladder: &[0.0, 1.0, 2.0, 3.0, 4.0],
    least: 0.0,
    values: KnobValues::Counts,
};

/// Keys have at most this many bits.
pub(super) const MAX_BITS: usize = 64;

/// What is in the buckets of one hash, by key.
pub(super) type Buckets<T> = HashMap<u64, T>;

/// `bits` bits of a code from bit `start` on, the first of them lowest.
pub(super) fn key(code: &[u8], start: usize, bits: usize) -> u64 {
    let first = start / 8;
    let mut bytes = [0; 16];
    let wanted = &code[first..code.len().min(first + 9)];
    bytes[..wanted.len()].copy_from_slice(wanted);
    let mask = (1u128 << bits) - 1;
    (u128::from_le_bytes(bytes) >> (start % 8) & mask) as u64
}

/// Hands over every bucket whose key differs from `key` in at most `nflip` of its `bits` bits.
///
/// Either by trying all such keys or by looking at all buckets, whichever is less; the order means nothing.
pub(super) fn near<T>(buckets: &Buckets<T>, key: u64, bits: usize, nflip: usize, mut visit: impl FnMut(&T)) {
    let nflip = nflip.min(bits);
    if keys_within(bits, nflip) > buckets.len() as f64 {
        let near = buckets
            .iter()
            .filter(|(other, _)| (key ^ **other).count_ones() <= nflip as u32);
        near.for_each(|(_, bucket)| visit(bucket));
        return;
    }
    for flips in 0..=nflip {
        each_choice(bits, flips, |turned| {
            if let Some(bucket) = buckets.get(&(key ^ turned)) {
                visit(bucket);
            }
        });
    }
}

/// How many keys differ in at most `nflip` of `bits` bits.
fn keys_within(bits: usize, nflip: usize) -> f64 {
    let mut choices = 1.0;
    (0..=nflip)
        .map(|flips| {
            if flips > 0 {
                choices *= (bits + 1 - flips) as f64 / flips as f64;
            }
            choices
        })
        .sum()
}

/// Every number of `bits` bits with `ones` of them set, ascending (Gosper's hack).
fn each_choice(bits: usize, ones: usize, mut visit: impl FnMut(u64)) {
    if ones == 0 {
        return visit(0);
    }
    let mut choice = (1u128 << ones) - 1;
    while choice < 1 << bits {
        visit(choice as u64);
        let lowest = choice & choice.wrapping_neg();
        let carried = choice + lowest;
        choice = carried | (((carried ^ choice) / lowest) >> 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_bits_from_its_start_on() {
        let code: Vec<u8> = (0..20u32).map(|i| (i * 37 + 11) as u8).collect();
        for (start, bits) in [(0, 1), (0, 64), (5, 64), (7, 9), (63, 20), (150, 10), (96, 64)] {
            let bit = |i: usize| u64::from(code[i / 8] >> (i % 8) & 1);
            let expected = (0..bits).fold(0, |key, i| key | bit(start + i) << i);
            assert_eq!(key(&code, start, bits), expected, "{bits} from {start}");
        }
    }

    #[test]
    fn near_buckets_are_those_within_the_flips_whichever_way_they_are_found() {
        for (bits, keys) in [(7, 120u64), (7, 3), (64, 500), (1, 2)] {
            let mask = u64::MAX >> (64 - bits);
            let buckets: Buckets<u64> = (0..keys)
                .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask)
                .map(|key| (key, key))
                .collect();
            for nflip in [0, 1, 2, 7, 64, usize::MAX] {
                let mut found = Vec::new();
                near(&buckets, 5 & mask, bits, nflip, |key| found.push(*key));
                found.sort_unstable();
                let mut expected: Vec<u64> = buckets.keys().copied().collect();
                expected.retain(|key| ((key ^ (5 & mask)).count_ones() as usize) <= nflip);
                expected.sort_unstable();
                assert_eq!(found, expected, "{bits} bits, {keys} keys, {nflip} flips");
            }
        }
    }
}
