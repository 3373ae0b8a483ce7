//! Fast scan: codes of 4 bits, looked up in registers, 32 vectors at a time (André, Kermarrec & Le Scouarnec, *Cache
//! locality is not enough*, 2015; Faiss `IndexPQFastScan`).
//!
//! A block has 32 bytes per pair of codebooks: 16 for the even one, 16 for the odd. Byte `j` of 16 has in its low half the
//! number of vector `ORDER[j]` and in its high half that of vector `16 + ORDER[j]`. With this order the even bytes of a
//! lookup are vectors 0 to 7 and the odd ones vectors 8 to 15, so that sums of 16 bits come out in order.
//!
//! Tables are laid out alike: 16 bytes for the even codebook of a pair, 16 for the odd. The largest entries of all
//! codebooks together are at most 65535; sums beyond that say nothing.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;

use crate::kernels::Kernels;

/// Vectors per block.
pub(super) const LEN: usize = 32;

/// Which vector of a group of 16 each byte belongs to.
const ORDER: [usize; 16] = [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15];

/// In which byte of 16 each vector of a group is.
pub(super) const BYTE: [usize; 16] = [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15];

/// Numbers that a codebook has an entry for.
pub(super) const ENTRIES: usize = 16;

/// Fast scan on one instruction set.
pub(crate) struct FastScan {
    /// As [`fast_scan_sums`], of checked lengths.
    pub(crate) sums: unsafe fn(&[u8], &[u8]) -> [u16; LEN],
    /// As [`fast_scan_masks`], of checked lengths.
    pub(crate) masks: Masks,
    /// As [`fast_scan_distances`], of checked lengths.
    pub(crate) distances: Distances,
}

type Distances = unsafe fn(&[[f32; ENTRIES]], &[u8], f32) -> [f32; LEN];

type Masks = unsafe fn(&[&[u8]], &[u8], usize, &[u16], &mut [u32]);

/// For each query's tables and each block of 32 codes, which of them have a sum of at most their bound: the lowest bit is
/// the first code. Bounds and masks are those of the first query, block by block, then those of the next; a block is
/// read once for several queries.
///
/// A block begins `stride` bytes after the one before it; what follows its codes is not looked at.
///
/// ```
/// use anear_kernels::fast_scan_masks;
///
/// // Two codebooks whose entries count up. Vector 0 has the codes 3 and 5, vector 16 has 1 and 0, all others 0 and 0.
/// let tables: Vec<u8> = (0..16).chain(0..16).collect();
/// let mut block = [0; 32];
/// (block[0], block[16]) = (0x13, 0x05);
/// let mut masks = [0];
/// fast_scan_masks(&[&tables], &block, 32, &[0], &mut masks);
/// assert_eq!(masks[0], !(1 | 1 << 16));
/// ```
///
/// # Panics
/// If a length does not fit.
pub fn fast_scan_masks(tables: &[&[u8]], blocks: &[u8], stride: usize, bounds: &[u16], masks: &mut [u32]) {
    Kernels::get().fast_scan_masks(tables, blocks, stride, bounds, masks);
}

/// The sums of the 32 codes of a block, which begins with them.
///
/// # Panics
/// If a length does not fit.
pub fn fast_scan_sums(tables: &[u8], block: &[u8]) -> [u16; 32] {
    Kernels::get().fast_scan_sums(tables, block)
}

/// What the 32 codes of a block, which begins with them, add up to: `start`, then an entry of each table, in order.
///
/// ```
/// use anear_kernels::fast_scan_distances;
///
/// // Vector 0 has the codes 3 and 5, vector 16 has 1 and 0, all others 0 and 0.
/// let tables: [[f32; 16]; 2] = std::array::from_fn(|_| std::array::from_fn(|entry| entry as f32));
/// let mut block = [0; 32];
/// (block[0], block[16]) = (0x13, 0x05);
/// let distances = fast_scan_distances(&tables, &block, 0.5);
/// assert_eq!((distances[0], distances[16], distances[1]), (8.5, 1.5, 0.5));
/// ```
///
/// # Panics
/// If the block is too short.
pub fn fast_scan_distances(tables: &[[f32; 16]], block: &[u8], start: f32) -> [f32; 32] {
    Kernels::get().fast_scan_distances(tables, block, start)
}

/// The number that a vector of a block chooses from a codebook.
///
/// # Panics
/// If there is no such vector or codebook.
#[inline(always)]
pub fn fast_scan_code(block: &[u8], codebook: usize, vector: usize) -> u8 {
    block[16 * codebook + BYTE[vector % 16]] >> (4 * (vector / 16)) & 15
}

impl Kernels {
    /// As [`fast_scan_masks`], on this instruction set.
    pub fn fast_scan_masks(&self, tables: &[&[u8]], blocks: &[u8], stride: usize, bounds: &[u16], masks: &mut [u32]) {
        assert_eq!(bounds.len(), masks.len(), "a bound and a place per query and block");
        let Some(first) = tables.first().filter(|_| !masks.is_empty()) else {
            return;
        };
        assert!(
            first.len().is_multiple_of(LEN) && (1..=stride).contains(&first.len()),
            "tables of pairs"
        );
        assert!(
            tables.iter().all(|tables| tables.len() == first.len()),
            "tables of one length"
        );
        assert!(
            masks.len().is_multiple_of(tables.len()),
            "as many blocks for each query"
        );
        assert!(
            blocks.len() / stride >= masks.len() / tables.len(),
            "as many blocks as places"
        );
        // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
        unsafe { (self.fast_scan.masks)(tables, blocks, stride, bounds, masks) }
    }

    /// As [`fast_scan_sums`], on this instruction set.
    pub fn fast_scan_sums(&self, tables: &[u8], block: &[u8]) -> [u16; 32] {
        assert!(
            tables.len().is_multiple_of(LEN) && tables.len() <= block.len(),
            "tables of pairs"
        );
        // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
        unsafe { (self.fast_scan.sums)(tables, block) }
    }

    /// As [`fast_scan_distances`], on this instruction set.
    pub fn fast_scan_distances(&self, tables: &[[f32; 16]], block: &[u8], start: f32) -> [f32; 32] {
        assert!(block.len() >= 16 * tables.len(), "codes of every table");
        // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
        unsafe { (self.fast_scan.distances)(tables, block, start) }
    }
}

/// Plain Rust.
pub(crate) static SCALAR: FastScan = FastScan { sums, masks, distances };

fn sums(tables: &[u8], block: &[u8]) -> [u16; LEN] {
    let mut sums = [0_u16; LEN];
    for (table, codes) in tables.chunks_exact(16).zip(block.chunks_exact(16)) {
        for (&code, vector) in codes.iter().zip(ORDER) {
            let [low, high] = [code & 15, code >> 4].map(|code| u16::from(table[usize::from(code)]));
            sums[vector] = sums[vector].wrapping_add(low);
            sums[16 + vector] = sums[16 + vector].wrapping_add(high);
        }
    }
    sums
}

fn masks(tables: &[&[u8]], blocks: &[u8], stride: usize, bounds: &[u16], masks: &mut [u32]) {
    let len = bounds.len() / tables.len();
    for (i, (mask, &bound)) in masks.iter_mut().zip(bounds).enumerate() {
        let sums = sums(tables[i / len], &blocks[i % len * stride..]);
        *mask = sums
            .iter()
            .rev()
            .fold(0, |mask, &sum| mask << 1 | u32::from(sum <= bound));
    }
}

fn distances(tables: &[[f32; ENTRIES]], block: &[u8], start: f32) -> [f32; LEN] {
    std::array::from_fn(|vector| {
        let entry = |(part, table): (usize, &[f32; ENTRIES])| table[usize::from(fast_scan_code(block, part, vector))];
        tables
            .iter()
            .enumerate()
            .map(entry)
            .fold(start, |sum, entry| sum + entry)
    })
}

/// From the order of a block's bytes, first the lower halves and then the upper, to that of its vectors.
#[cfg(target_arch = "x86_64")]
fn in_order(by_byte: &[f32; LEN]) -> [f32; LEN] {
    std::array::from_fn(|vector| by_byte[vector / 16 * 16 + BYTE[vector % 16]])
}
