//! Sums of looked-up distances (asymmetric distance computation: Jégou et al., *Product quantization for nearest
//! neighbor search*, 2011).
//!
//! Plain Rust on every instruction set: each lookup is a load whose address depends on a code. Gathers of 8 or 16 codes
//! took 1.1 to 1.3 times as long as this loop, and so did several codes side by side (16 parts of 8 bits, Sapphire
//! Rapids): the processor runs ahead into the next codes by itself.

use super::bits::read_bits;

/// Parts from which on a sum may end at its half: with 8 that took 1.5 times as long, with 16 0.8, with 32 0.5.
const LONG: usize = 16;

/// A table of distances per part of a code.
///
/// ```
/// use anear_kernels::LookupTable;
///
/// let entries = [1.0, 2.0, 4.0, 8.0, 10.0, 20.0, 40.0, 80.0];
/// let table = LookupTable { nbits: 2, entries: &entries, start: 0.5 };
/// let mut sums = [0.0; 2];
/// table.sums(&[0b1100, 0b0001], f32::INFINITY, &mut sums);
/// assert_eq!(sums, [81.5, 12.5]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LookupTable<'a> {
    /// A code is a string of numbers of so many bits, one per part, padded to whole bytes; from 1 to 16.
    pub nbits: u32,
    /// `2^nbits` per part, one part after the other.
    pub entries: &'a [f32],
    /// What every sum begins with.
    pub start: f32,
}

impl LookupTable<'_> {
    /// `out[i]` = `start` + the entries that the `i`-th of `codes` chooses, added in order of the parts; infinite where
    /// the sum of the first half of the parts exceeds `limit`.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn sums(&self, codes: &[u8], limit: f32, out: &mut [f32]) {
        let code_len = self.code_len();
        assert!(codes.len() >= out.len() * code_len, "as many codes as places");
        self.each(codes.chunks_exact(code_len), limit, out);
    }

    /// `out[i]` = the sum for the code in slot `slots[i]` of `codes`.
    ///
    /// # Panics
    /// If a length does not fit, or there is no such slot.
    pub fn sums_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        assert_eq!(slots.len(), out.len(), "one place per slot");
        let code_len = self.code_len();
        let codes = slots.iter().map(|&slot| &codes[slot as usize * code_len..][..code_len]);
        self.each(codes, f32::INFINITY, out);
    }

    fn parts(&self) -> usize {
        assert!(self.entries.len().is_multiple_of(1 << self.nbits), "whole parts");
        self.entries.len() >> self.nbits
    }

    fn code_len(&self) -> usize {
        (self.parts() * self.nbits as usize).div_ceil(8)
    }

    /// Parts of the first half, whose sum has a limit in [`sums`](Self::sums): none where a code is so short that it is
    /// summed up sooner than a branch is worth.
    pub fn first_half(&self) -> usize {
        if self.parts() < LONG { 0 } else { self.parts() / 2 }
    }

    fn each<'c>(&self, codes: impl Iterator<Item = &'c [u8]>, limit: f32, out: &mut [f32]) {
        let (first, rest) = self.entries.split_at(self.first_half() << self.nbits);
        macro_rules! of_width {
            ($($bits:literal)*) => {
                match self.nbits {
                    8 => {
                        let (first, rest) = (first.as_chunks().0, rest.as_chunks().0);
                        let sum = |code: &[u8], half, start| if half == 0 {
                            of_bytes(first, code, start)
                        } else {
                            of_bytes(rest, &code[first.len()..], start)
                        };
                        in_halves(codes, self.start, limit, out, sum);
                    }
                    $($bits => {
                        let skip = self.first_half();
                        let sum = |code: &[u8], half, start| if half == 0 {
                            of_bits::<$bits>(first, code, 0, start)
                        } else {
                            of_bits::<$bits>(rest, code, skip, start)
                        };
                        in_halves(codes, self.start, limit, out, sum);
                    })*
                    other => panic!("codes of 1 to 16 bits, not {other}"),
                }
            };
        }
        of_width!(1 2 3 4 5 6 7 9 10 11 12 13 14 15 16);
    }
}

/// `sum(code, half, start)` adds that half's entries to `start`.
#[inline(always)]
fn in_halves<'c>(
    codes: impl Iterator<Item = &'c [u8]>,
    start: f32,
    limit: f32,
    out: &mut [f32],
    sum: impl Fn(&[u8], usize, f32) -> f32,
) {
    for (out, code) in out.iter_mut().zip(codes) {
        let half = sum(code, 0, start);
        *out = if half > limit {
            f32::INFINITY
        } else {
            sum(code, 1, half)
        };
    }
}

#[inline(always)]
fn of_bytes(table: &[[f32; 256]], code: &[u8], start: f32) -> f32 {
    let chosen = table
        .iter()
        .zip(code)
        .map(|(entries, &number)| entries[usize::from(number)]);
    chosen.fold(start, |sum, entry| sum + entry)
}

/// The numbers from part `skip` of the code on.
#[inline(always)]
fn of_bits<const BITS: u32>(table: &[f32], code: &[u8], skip: usize, start: f32) -> f32 {
    let number = |part: usize| read_bits(code, part * BITS as usize, BITS) as usize;
    let chosen = table
        .chunks_exact(1 << BITS)
        .zip(skip..)
        .map(|(entries, part)| entries[number(part)]);
    chosen.fold(start, |sum, entry| sum + entry)
}

#[cfg(test)]
mod tests {
    use std::array;

    use super::*;

    const PARTS: usize = 17;

    #[test]
    fn sums_of_every_width_are_those_of_single_lookups() {
        for nbits in 1..=16 {
            let entries: Vec<f32> = (0..(PARTS as u64) << nbits)
                .map(|i| (i * 7919 % 10_007) as f32)
                .collect();
            let table = LookupTable {
                nbits,
                entries: &entries,
                start: 0.5,
            };
            let code_len = (PARTS * nbits as usize).div_ceil(8);
            let codes: Vec<u8> = (0..code_len * 21).map(|i| ((i * i * 31) >> 2) as u8).collect();
            let naive = |slot: usize, parts| {
                let code = &codes[slot * code_len..][..code_len];
                let entry = |i| entries[(i << nbits) + read_bits(code, i * nbits as usize, nbits) as usize];
                (0..parts).fold(0.5, |sum, i| sum + entry(i))
            };
            let mut out = [0.0; 21];
            table.sums(&codes, f32::INFINITY, &mut out);
            assert_eq!(out, array::from_fn(|slot| naive(slot, PARTS)), "{nbits} bits");
            let mut picked = [0.0; 3];
            table.sums_at(&codes, &[20, 0, 7], &mut picked);
            assert_eq!(picked, [out[20], out[0], out[7]], "{nbits} bits");

            let limit = naive(7, PARTS / 2);
            let mut limited = [0.0; 21];
            table.sums(&codes, limit, &mut limited);
            let want = |slot| {
                if naive(slot, PARTS / 2) > limit {
                    f32::INFINITY
                } else {
                    out[slot]
                }
            };
            assert_eq!(limited, array::from_fn(want), "{nbits} bits");
        }
    }
}
