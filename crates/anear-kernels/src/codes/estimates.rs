//! Estimated distances of 32 codes at a time, each of which has a norm and a scale of its own.
//!
//! A block has the numbers of its codes as [fast scan](super::fast_scan) lays them out, 16 bytes for each of an even number
//! of tables, and behind them for each code two floats: `norm` and `scale`. A code is estimated as
//! `norm + scale * (start + step * sum)`, where the sum is that of the entries, rounded to bytes, that it chooses. A code
//! that is not there has an infinite norm and a scale of 0: nothing is ever nearer than it.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;

use crate::kernels::Kernels;

use super::fast_scan::{BYTE, ENTRIES, LEN};

/// Bytes of the two floats behind the numbers of a code.
pub(super) const FACTORS: usize = 2 * size_of::<f32>();

/// Tables whose entries add up to 16 bits at most.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const TABLES_MAX: usize = 256;

/// Estimates on one instruction set.
pub(crate) struct Entry {
    /// Adds up how far the entries of a part's tables are from 0 at most.
    pub(crate) reach: unsafe fn(&CodedPart<'_>, &mut Reach),
    /// Writes the tables of a part, given how many bytes there are for 1.
    pub(crate) round: unsafe fn(&CodedPart<'_>, f32, &mut [[u8; ENTRIES]]),
    /// As [`EstimateTables::estimates`], of checked lengths.
    pub(crate) estimates: unsafe fn(&EstimateTables, &[u8], f32, &mut [f32; LEN]) -> u32,
}

/// Components of a query, and how codes have theirs: as numbers `n` of `bits` bits that stand for
/// `step * (n - (2^bits - 1) / 2)`. Where several share a table, the first has the lowest bits.
#[derive(Clone, Copy, Debug)]
pub struct CodedPart<'a> {
    /// Those of the query.
    pub components: &'a [f32],
    /// 1, 2 or 4; all components of a code have so many.
    pub bits: u32,
    /// What neighboring numbers differ by.
    pub step: f32,
}

impl CodedPart<'_> {
    /// How many tables it has: one for each four bits, the last of which may have room left.
    pub fn tables(&self) -> usize {
        self.components.len().div_ceil(4 / self.bits as usize)
    }
}

/// What a query adds to an inner product for each number that a code may have: tables of 16 entries, rounded to bytes.
///
/// ```
/// use anear_kernels::{CodedPart, EstimateTables};
///
/// // Two components of four bits. Of the codes, the first has the numbers 3 and 5, all others 0 and 0; norms are 10 and
/// // scales 2.
/// let mut tables = EstimateTables::default();
/// let part = CodedPart { components: &[1.0, 1.0], bits: 4, step: 1.0 };
/// tables.fill(std::iter::once(part));
/// let mut block = vec![0; 2 * 16];
/// (block[0], block[16]) = (3, 5);
/// (0..32).for_each(|_| block.extend([10.0_f32, 2.0].map(f32::to_le_bytes).concat()));
///
/// let mut estimates = [0.0; 32];
/// let nearer = tables.estimates(&block, -10.0, &mut estimates);
/// assert!((estimates[0] - (10.0 - 2.0 * 7.0)).abs() < 0.1);
/// assert!((estimates[1] - (10.0 - 2.0 * 15.0)).abs() < 0.1);
/// assert_eq!(nearer, !1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct EstimateTables {
    bytes: Vec<u8>,
    start: f32,
    step: f32,
}

impl EstimateTables {
    /// Makes the tables of these parts, one part after the other, and an empty one if their count would be odd. The bytes of
    /// all have one step: 255 of them are as much as the entries of any table differ by.
    ///
    /// # Panics
    /// If a part has other bits than 1, 2 or 4.
    pub fn fill<'a>(&mut self, parts: impl Iterator<Item = CodedPart<'a>> + Clone) {
        self.fill_on(Kernels::get(), parts);
    }

    /// As [`fill`](Self::fill), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn fill_on<'a>(&mut self, kernels: &Kernels, parts: impl Iterator<Item = CodedPart<'a>> + Clone) {
        let (mut reach, mut count) = (Reach::default(), 0);
        for part in parts.clone() {
            assert!(matches!(part.bits, 1 | 2 | 4), "1, 2 or 4 bits, not {}", part.bits);
            count += part.tables();
            // SAFETY: `Kernels::for_isa` hands out kernels only where their instruction set is available.
            unsafe { (kernels.estimates.reach)(&part, &mut reach) }
        }
        self.bytes.clear();
        self.bytes.resize(count.next_multiple_of(2) * ENTRIES, 0);
        let most = 2.0 * reach.largest.into_iter().fold(0.0, f32::max);
        self.start = -reach.sums.iter().sum::<f32>();
        self.step = most / 255.0;
        let per_byte = if most > 0.0 { 255.0 / most } else { 0.0 };
        let mut bytes = self.bytes.as_chunks_mut().0;
        for part in parts {
            let (own, rest) = bytes.split_at_mut(part.tables());
            // SAFETY: as above.
            unsafe { (kernels.estimates.round)(&part, per_byte, own) }
            bytes = rest;
        }
    }

    /// Bytes of a block of 32 codes for these tables.
    pub fn block_len(&self) -> usize {
        self.bytes.len() + LEN * FACTORS
    }

    /// Writes the estimates of a block's 32 codes, which come first in `block`, and tells which are below `bound`: the
    /// lowest bit is the first code.
    ///
    /// # Panics
    /// If the block is too short.
    #[inline]
    pub fn estimates(&self, block: &[u8], bound: f32, estimates: &mut [f32; 32]) -> u32 {
        self.estimates_on(Kernels::get(), block, bound, estimates)
    }

    /// As [`estimates`](Self::estimates), on the instruction set of `kernels`.
    #[doc(hidden)]
    #[inline]
    pub fn estimates_on(&self, kernels: &Kernels, block: &[u8], bound: f32, estimates: &mut [f32; 32]) -> u32 {
        let block = &block[..self.block_len()];
        // SAFETY: `Kernels::for_isa` hands out kernels only where their instruction set is available.
        unsafe { (kernels.estimates.estimates)(self, block, bound, estimates) }
    }
}

/// Plain Rust.
pub(crate) static SCALAR: Entry = Entry {
    reach,
    round: |part, per_byte, tables| round(part, per_byte, tables, write),
    estimates,
};

/// Tables whose reaches are added up side by side.
const ABREAST: usize = 8;

/// How far entries are from 0 at most: the sum for all tables and the largest, of every eighth table each.
#[derive(Default)]
pub(crate) struct Reach {
    sums: [f32; ABREAST],
    largest: [f32; ABREAST],
}

#[inline(always)]
pub(crate) fn reach(part: &CodedPart<'_>, into: &mut Reach) {
    match part.bits {
        1 => reach_of::<1, 4>(part, into),
        2 => reach_of::<2, 2>(part, into),
        _ => reach_of::<4, 1>(part, into),
    }
}

/// As [`reach`], of `BITS` bits, which `SHARED` components have in one table.
#[inline(always)]
fn reach_of<const BITS: u32, const SHARED: usize>(part: &CodedPart<'_>, into: &mut Reach) {
    let most = part.step * highest(BITS) / 2.0;
    let mut add = |lane: usize, shared: &[f32]| {
        let reach = shared.iter().fold(0.0, |sum, component| sum + component.abs()) * most;
        into.sums[lane] += reach;
        into.largest[lane] = into.largest[lane].max(reach);
    };
    let (whole, last) = part.components.as_chunks::<SHARED>();
    let (eights, rest) = whole.as_chunks::<ABREAST>();
    for eight in eights {
        for (lane, shared) in eight.iter().enumerate() {
            add(lane, shared);
        }
    }
    for (lane, shared) in rest.iter().enumerate() {
        add(lane, shared);
    }
    add(rest.len(), last);
}

/// The largest number of so many bits.
#[inline(always)]
fn highest(bits: u32) -> f32 {
    ((1 << bits) - 1) as f32
}

#[inline(always)]
pub(crate) fn round(
    part: &CodedPart<'_>,
    per_byte: f32,
    tables: &mut [[u8; ENTRIES]],
    write: impl Fn(Entries<'_>, &mut [u8; ENTRIES]),
) {
    match part.bits {
        1 => round_of::<1, 4>(part, per_byte, tables, write),
        2 => round_of::<2, 2>(part, per_byte, tables, write),
        _ => round_of::<4, 1>(part, per_byte, tables, write),
    }
}

/// As [`round`], of `BITS` bits, which `SHARED` components have in one table.
#[inline(always)]
fn round_of<const BITS: u32, const SHARED: usize>(
    part: &CodedPart<'_>,
    per_byte: f32,
    tables: &mut [[u8; ENTRIES]],
    write: impl Fn(Entries<'_>, &mut [u8; ENTRIES]),
) {
    let scale = part.step * per_byte;
    let number = |i: usize, nibble: usize| (nibble >> (i * BITS as usize) & ((1 << BITS) - 1)) as f32;
    let numbers: [[f32; ENTRIES]; SHARED] = std::array::from_fn(|i| std::array::from_fn(|nibble| number(i, nibble)));
    let round = |shared: [f32; SHARED], table: &mut _| {
        let components = shared.map(|component| component * scale);
        let below = components.iter().fold(0.0, |sum, component| sum - component.min(0.0));
        let entries = Entries {
            components: &components,
            numbers: &numbers,
            first: below * highest(BITS),
        };
        write(entries, table);
    };
    let (whole, rest) = part.components.as_chunks();
    let (of_whole, of_rest) = tables.split_at_mut(whole.len());
    for (shared, table) in whole.iter().zip(of_whole) {
        round(*shared, table);
    }
    if let [table] = of_rest {
        let mut last = [0.0; SHARED];
        last[..rest.len()].copy_from_slice(rest);
        round(last, table);
    }
}

/// The entries of a table, less the least: that of the nibble with the highest number of each component below 0, and with 0
/// of all others.
#[derive(Clone, Copy)]
pub(crate) struct Entries<'a> {
    /// In bytes.
    components: &'a [f32],
    /// Of each component, the number that it has in each nibble.
    numbers: &'a [[f32; ENTRIES]],
    first: f32,
}

/// Adding this to a float from 0 to 2^22 rounds it to a whole number, ties to even, which its lowest bits are then.
const WHOLE: f32 = (1 << 23) as f32;

fn write(entries: Entries<'_>, table: &mut [u8; ENTRIES]) {
    for (nibble, byte) in table.iter_mut().enumerate() {
        let products = entries.components.iter().zip(entries.numbers);
        let entry = products.fold(entries.first, |sum, (component, numbers)| {
            component.mul_add(numbers[nibble], sum)
        });
        *byte = (entry + WHOLE).to_bits() as u8;
    }
}

fn estimates(tables: &EstimateTables, block: &[u8], bound: f32, estimates: &mut [f32; LEN]) -> u32 {
    let (numbers, factors) = block.split_at(tables.bytes.len());
    let mut nearer = 0;
    for (vector, estimate) in estimates.iter_mut().enumerate() {
        let planes = numbers.chunks_exact(16).zip(tables.bytes.chunks_exact(ENTRIES));
        let number = |plane: &[u8]| usize::from(plane[BYTE[vector % 16]] >> (4 * (vector / 16)) & 15);
        let sum: u32 = planes.map(|(plane, table)| u32::from(table[number(plane)])).sum();
        let factor = |i: usize| {
            let at = vector * FACTORS + i * size_of::<f32>();
            f32::from_le_bytes(*factors[at..].first_chunk().expect("two floats for each code"))
        };
        let product = tables.step.mul_add(sum as f32, tables.start);
        *estimate = factor(1).mul_add(product, factor(0));
        nearer |= u32::from(*estimate < bound) << vector;
    }
    nearer
}
