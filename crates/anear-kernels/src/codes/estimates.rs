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

use crate::kernels::Kernels;

use super::fast_scan::{BYTE, ENTRIES, LEN};

/// Bytes of the two floats behind the numbers of a code.
const FACTORS: usize = 2 * size_of::<f32>();

/// Estimates on one instruction set.
pub(crate) struct Entry {
    /// Rounds tables with these reaches to bytes, given how many of these there are for 1.
    pub(crate) round: Round,
    /// As [`EstimateTables::estimates`], of checked lengths.
    pub(crate) estimates: unsafe fn(&EstimateTables, &[u8], f32, &mut [f32; LEN]) -> u32,
}

type Round = unsafe fn(&[[f32; ENTRIES]], &[f32], f32, &mut [u8]);

/// What a query adds to an estimate for each number that a code may have: tables of 16 entries, rounded to bytes.
///
/// ```
/// use anear_kernels::EstimateTables;
///
/// // Two numbers per code; entries count up. Of the codes, the first has the numbers 3 and 5, all others 0 and 0; norms
/// // are 10 and scales 2.
/// let mut tables = EstimateTables::default();
/// tables.fill(&[std::array::from_fn(|entry| entry as f32 - 7.5); 2], &[7.5; 2]);
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
    /// Takes over tables for an even count of numbers per code, of which none has an entry farther from 0 than its reach.
    /// The bytes of all have one step, 255 of which are twice the largest reach.
    ///
    /// # Panics
    /// If the count is odd, or there is not one reach per table.
    pub fn fill(&mut self, tables: &[[f32; 16]], reaches: &[f32]) {
        self.fill_on(Kernels::get(), tables, reaches);
    }

    /// As [`fill`](Self::fill), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn fill_on(&mut self, kernels: &Kernels, tables: &[[f32; 16]], reaches: &[f32]) {
        assert!(tables.len().is_multiple_of(2), "pairs of tables");
        assert_eq!(tables.len(), reaches.len(), "a reach per table");
        self.bytes.resize(tables.len() * ENTRIES, 0);
        let largest = reaches.iter().copied().fold(0.0, f32::max);
        self.start = -reaches.iter().sum::<f32>();
        self.step = 2.0 * largest / 255.0;
        let per_byte = if largest > 0.0 { 255.0 / (2.0 * largest) } else { 0.0 };
        // SAFETY: `Kernels::for_isa` hands out kernels only where their instruction set is available.
        unsafe { (kernels.estimates.round)(tables, reaches, per_byte, &mut self.bytes) }
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
pub(crate) static SCALAR: Entry = Entry { round, estimates };

/// Adding this to a float from 0 to 2^22 rounds it to a whole number, ties to even, which its lowest bits are then.
const WHOLE: f32 = (1 << 23) as f32;

#[inline(always)]
pub(crate) fn round(tables: &[[f32; ENTRIES]], reaches: &[f32], per_byte: f32, bytes: &mut [u8]) {
    let bytes = bytes.as_chunks_mut::<ENTRIES>().0;
    for ((table, reach), bytes) in tables.iter().zip(reaches).zip(bytes) {
        for (entry, byte) in table.iter().zip(bytes) {
            let share = ((entry + reach) * per_byte).clamp(0.0, 255.0);
            *byte = (share + WHOLE).to_bits() as u8;
        }
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
