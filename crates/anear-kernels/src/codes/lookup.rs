//! Sums of looked-up distances (asymmetric distance computation: Jégou et al., *Product quantization for nearest
//! neighbor search*, 2011).
//!
//! Plain Rust on every instruction set: each lookup is a load whose address depends on a code, and the processor runs
//! ahead into the next codes by itself. Gathers of 8 or 16 codes and several codes side by side took longer, and so did
//! giving up where half of the sum is too large already: what is saved is lost again where that is guessed wrong (16 and 32
//! parts of 8 bits, Sapphire Rapids).

use super::bits::read_bits;

/// A table of distances per part of a code.
///
/// ```
/// use anear_kernels::LookupTable;
///
/// let entries = [1.0, 2.0, 4.0, 8.0, 10.0, 20.0, 40.0, 80.0];
/// let table = LookupTable { nbits: 2, entries: &entries, start: 0.5 };
/// let mut sums = [0.0; 2];
/// table.sums(&[0b1100, 0b0001], &mut sums);
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
    /// `out[i]` = `start` + the entries that the `i`-th of `codes` chooses, added in order of the parts.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn sums(&self, codes: &[u8], out: &mut [f32]) {
        let code_len = self.code_len();
        assert!(codes.len() >= out.len() * code_len, "as many codes as places");
        self.each(codes.chunks_exact(code_len), out);
    }

    /// `out[i]` = the sum for the code in slot `slots[i]` of `codes`.
    ///
    /// # Panics
    /// If a length does not fit, or there is no such slot.
    pub fn sums_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        assert_eq!(slots.len(), out.len(), "one place per slot");
        let code_len = self.code_len();
        let codes = slots.iter().map(|&slot| &codes[slot as usize * code_len..][..code_len]);
        self.each(codes, out);
    }

    fn parts(&self) -> usize {
        assert!(self.entries.len().is_multiple_of(1 << self.nbits), "whole parts");
        self.entries.len() >> self.nbits
    }

    fn code_len(&self) -> usize {
        (self.parts() * self.nbits as usize).div_ceil(8)
    }

    fn each<'c>(&self, codes: impl Iterator<Item = &'c [u8]>, out: &mut [f32]) {
        let (entries, start) = (self.entries, self.start);
        macro_rules! of_width {
            ($($bits:literal)*) => {
                match self.nbits {
                    8 => {
                        let tables = entries.as_chunks().0;
                        sum_each(codes, out, |code| of_bytes(tables, code, start));
                    }
                    $($bits => sum_each(codes, out, |code| of_bits::<$bits>(entries, code, start)),)*
                    other => panic!("codes of 1 to 16 bits, not {other}"),
                }
            };
        }
        of_width!(1 2 3 4 5 6 7 9 10 11 12 13 14 15 16);
    }
}

/// A function of its own: within others, the compiler runs out of registers.
#[inline(never)]
fn sum_each<'c>(codes: impl Iterator<Item = &'c [u8]>, out: &mut [f32], sum: impl Fn(&[u8]) -> f32) {
    for (out, code) in out.iter_mut().zip(codes) {
        *out = sum(code);
    }
}

/// Eight parts at a time, whose numbers are read at once: loads are what this costs.
#[inline(always)]
fn of_bytes(table: &[[f32; 256]], code: &[u8], start: f32) -> f32 {
    let ((tables, last), (words, bytes)) = (table.as_chunks::<8>(), code[..table.len()].as_chunks::<8>());
    let sum = tables.iter().zip(words).fold(start, |sum, (tables, word)| {
        let word = u64::from_le_bytes(*word);
        let entry = |i: usize| tables[i][usize::from((word >> (8 * i)) as u8)];
        (0..8).fold(sum, |sum, i| sum + entry(i))
    });
    let chosen = last
        .iter()
        .zip(bytes)
        .map(|(table, &number)| table[usize::from(number)]);
    chosen.fold(sum, |sum, entry| sum + entry)
}

#[inline(always)]
fn of_bits<const BITS: u32>(table: &[f32], code: &[u8], start: f32) -> f32 {
    let number = |part: usize| read_bits(code, part * BITS as usize, BITS) as usize;
    let chosen = table
        .chunks_exact(1 << BITS)
        .enumerate()
        .map(|(part, entries)| entries[number(part)]);
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
            let naive = |slot: usize| {
                let code = &codes[slot * code_len..][..code_len];
                let entry = |i| entries[(i << nbits) + read_bits(code, i * nbits as usize, nbits) as usize];
                (0..PARTS).fold(0.5, |sum, i| sum + entry(i))
            };
            let mut out = [0.0; 21];
            table.sums(&codes, &mut out);
            assert_eq!(out, array::from_fn(naive), "{nbits} bits");
            let mut picked = [0.0; 3];
            table.sums_at(&codes, &[20, 0, 7], &mut picked);
            assert_eq!(picked, [out[20], out[0], out[7]], "{nbits} bits");
        }
    }
}
