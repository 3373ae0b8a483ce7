//! Products of one query with codes whose numbers are split: their highest bits lie together at the beginning of the
//! code, their other bits, if there are more, somewhere behind.
//!
//! Additions are in the canonical order, on every instruction set.

use crate::{
    isa::{simd::WIDE, widen::Widen},
    kernels::Kernels,
    prefetch::{self, prefetch},
};

/// A query prepared for codes of split numbers (RaBitQ's).
///
/// A number of `1 + rest` bits has its highest bit at the component's place in the first bytes of the code, lowest bit
/// first, and the rest at its place in a string of `rest`-bit numbers, which begins at another byte.
///
/// ```
/// use anear_kernels::SplitQuery;
///
/// // Two components of 1 + 3 bits in codes of 6 bytes. The numbers are 2 and 8 + 5.
/// let query = SplitQuery::new(&[1.0, 10.0], 3, 1, 6);
/// let mut products = [0.0];
/// query.products(&[0b10, 0b101_010, 0, 0, 0, 0], &mut products);
/// assert_eq!(products, [132.0]);
/// ```
#[derive(Clone, Debug)]
pub struct SplitQuery {
    /// Zeros beyond the dimension; empty where numbers have no rest.
    values: Vec<[f32; WIDE]>,
    /// The value of the highest bit times the component.
    highest: Vec<[f32; WIDE]>,
    dim: usize,
    rest: usize,
    rest_at: usize,
    code_len: usize,
}

impl SplitQuery {
    /// For codes of `code_len` bytes, in which numbers of `1 + rest` bits have their rest from byte `rest_at` on.
    ///
    /// # Panics
    /// If the parts do not fit into a code, four bytes behind the rest included, or `rest` is above 8.
    pub fn new(query: &[f32], rest: usize, rest_at: usize, code_len: usize) -> Self {
        let (dim, highest_len) = (query.len(), query.len().div_ceil(8));
        assert!(dim > 0 && rest <= 8, "components of 1 to 9 bits");
        assert!(highest_len <= code_len, "the highest bits are part of the code");
        let end = rest_at + (dim * rest).div_ceil(8) + 4;
        assert!(
            rest == 0 || (highest_len <= rest_at && end <= code_len),
            "the rest is part of the code"
        );
        let chunks = |scale: f32| {
            let chunk = |chunk: &[f32]| {
                let mut padded = [0.0; WIDE];
                padded.iter_mut().zip(chunk).for_each(|(to, from)| *to = from * scale);
                padded
            };
            query.chunks(WIDE).map(chunk).collect()
        };
        Self {
            values: if rest > 0 { chunks(1.0) } else { Vec::new() },
            highest: chunks((1_u32 << rest) as f32),
            dim,
            rest,
            rest_at,
            code_len,
        }
    }

    /// The sum of component times number for each of the `codes`, which lie one after the other, into `out`.
    ///
    /// # Panics
    /// If there are fewer codes than places.
    pub fn products(&self, codes: &[u8], out: &mut [f32]) {
        self.products_on(Kernels::get(), codes, out);
    }

    /// The sums for those of the `codes` that lie at the positions of `list`, into `out`.
    ///
    /// # Panics
    /// If a length does not fit, or there is no such position.
    pub fn products_at(&self, codes: &[u8], list: &[u32], out: &mut [f32]) {
        self.products_at_on(Kernels::get(), codes, list, out);
    }

    /// As [`products`](Self::products), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn products_on(&self, kernels: &Kernels, codes: &[u8], out: &mut [f32]) {
        assert!(codes.len() >= out.len() * self.code_len, "one code per place");
        // SAFETY: `Kernels::for_isa` hands out kernels only where their instruction set is available.
        unsafe { (kernels.split.run)(self, codes, out) }
    }

    /// As [`products_at`](Self::products_at), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn products_at_on(&self, kernels: &Kernels, codes: &[u8], list: &[u32], out: &mut [f32]) {
        assert_eq!(list.len(), out.len(), "one place per position");
        // SAFETY: `Kernels::for_isa` hands out kernels only where their instruction set is available.
        unsafe { (kernels.split.list)(self, codes, list, out) }
    }
}

/// The kernels of one instruction set: a run of codes, and a list of them.
pub(crate) struct Entry {
    pub(crate) run: unsafe fn(&SplitQuery, &[u8], &mut [f32]),
    pub(crate) list: unsafe fn(&SplitQuery, &[u8], &[u32], &mut [f32]),
}

// How far ahead of the codes being read memory is fetched, as in `pairwise.rs`.
const AHEAD_BYTES: usize = 4096;

/// The products with the codes, written to `out`.
#[inline(always)]
pub(crate) fn run<S: Widen>(simd: S, query: &SplitQuery, codes: &[u8], out: &mut [f32]) {
    for (code, out) in codes.chunks_exact(query.code_len).zip(out) {
        prefetch::line(code.as_ptr().wrapping_add(AHEAD_BYTES));
        *out = fold(simd, query, code);
    }
}

/// The products with the codes at the positions of `list`, written to `out`.
#[inline(always)]
pub(crate) fn list<S: Widen>(simd: S, query: &SplitQuery, codes: &[u8], list: &[u32], out: &mut [f32]) {
    let code = |position: u32| &codes[position as usize * query.code_len..][..query.code_len];
    let codes_ahead = (AHEAD_BYTES / query.code_len).clamp(1, 8);
    for (n, (out, &position)) in out.iter_mut().zip(list).enumerate() {
        if let Some(&position) = list.get(n + codes_ahead) {
            prefetch(code(position));
        }
        *out = fold(simd, query, code(position));
    }
}

/// The product with one code.
#[inline(always)]
fn fold<S: Widen>(simd: S, query: &SplitQuery, code: &[u8]) -> f32 {
    let mut totals = simd.zero();
    // Four bytes at a time, and as many as are left; bits beyond the dimension do not matter.
    let (words, last) = code[..query.dim.div_ceil(8)].as_chunks();
    let (whole, rest) = query.highest.split_at(words.len());
    for (word, highest) in words.iter().zip(whole) {
        totals = simd.add(totals, simd.select(u32::from_le_bytes(*word), highest));
    }
    if let [highest] = rest {
        let word = last.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        totals = simd.add(totals, simd.select(word, highest));
    }
    if query.rest > 0 {
        totals = add_rest(simd, totals, query, code);
    }
    simd.sum(totals)
}

#[inline(always)]
fn add_rest<S: Widen>(simd: S, mut totals: S::Wide, query: &SplitQuery, code: &[u8]) -> S::Wide {
    let (step, whole) = (WIDE / 8 * query.rest, query.dim / WIDE);
    let rest = &code[query.rest_at..];
    for (i, values) in query.values[..whole].iter().enumerate() {
        let numbers = simd.few_bits(&rest[i * step..][..step + 4], query.rest);
        totals = simd.add(totals, simd.mul(numbers, simd.load(values)));
    }
    if let Some(values) = query.values.get(whole) {
        let mut padded = [0; WIDE + 4];
        let bytes = &rest[whole * step..(query.dim * query.rest).div_ceil(8)];
        padded[..bytes.len()].copy_from_slice(bytes);
        totals = simd.add(totals, simd.mul(simd.few_bits(&padded, query.rest), simd.load(values)));
    }
    totals
}
