//! Distances from one query to packed codes: numbers of a few bits, one per component, never unpacked to memory.
//!
//! A code's component stands for `origin + step * number`, with an origin and a step for each component. What a
//! distance needs of them is prepared once per query, so that a component costs two instructions besides its
//! conversion to a float: a fused multiplication and addition for the difference, another for its square.
//!
//! The order of additions is the canonical one; the fused operation is part of it, so these distances too have the same
//! bits on every instruction set. They are not those of the decoded vector, whose components were rounded once more, but
//! differ by some units in the last place of the largest term.

use crate::{
    isa::{scalar::Scalar, simd::WIDE, widen::Widen},
    kernels::Kernels,
    prefetch::{self, prefetch},
};

/// How the numbers of a code are packed. Lower bits and bytes come first, and a code ends at a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// A byte for each number from 0 to 255.
    U8,
    /// Four bits for each number from 0 to 15.
    U4,
    /// Six bits for each number from 0 to 63, four of them in three bytes.
    U6,
    /// IEEE half precision.
    F16,
    /// The upper half of a float.
    Bf16,
}

impl Packing {
    /// Every packing.
    pub const ALL: &[Self] = &[Self::U8, Self::U4, Self::U6, Self::F16, Self::Bf16];

    /// Bits of one number.
    pub const fn bits(self) -> usize {
        match self {
            Self::U8 => 8,
            Self::U4 => 4,
            Self::U6 => 6,
            Self::F16 | Self::Bf16 => 16,
        }
    }

    /// Bytes of `dim` numbers.
    pub const fn code_len(self, dim: usize) -> usize {
        (dim * self.bits()).div_ceil(8)
    }

    /// The numbers of a code.
    ///
    /// ```
    /// use anear_kernels::Packing;
    ///
    /// let mut numbers = [0.0; 3];
    /// Packing::U4.unpack(&[0x21, 0x03], &mut numbers);
    /// assert_eq!(numbers, [1.0, 2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the code is not as long as that of so many numbers.
    pub fn unpack(self, code: &[u8], numbers: &mut [f32]) {
        assert_eq!(code.len(), self.code_len(numbers.len()), "a code of as many numbers");
        match self {
            Self::U8 => unpack::<Bytes>(code, numbers),
            Self::U4 => unpack::<Nibbles>(code, numbers),
            Self::U6 => unpack::<Sextets>(code, numbers),
            Self::F16 => unpack::<Halves>(code, numbers),
            Self::Bf16 => unpack::<Bfloats>(code, numbers),
        }
    }
}

fn unpack<N: Numbers>(code: &[u8], numbers: &mut [f32]) {
    for (packed, numbers) in code.chunks(N::BYTES).zip(numbers.chunks_mut(WIDE)) {
        let [wide] = if packed.len() == N::BYTES {
            N::widen(Scalar, packed)
        } else {
            N::widen(Scalar, &padded(packed))
        };
        numbers.copy_from_slice(&wide[..numbers.len()]);
    }
}

/// As many bytes as 32 numbers take at most: these, then zeros.
#[inline(always)]
fn padded(packed: &[u8]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..packed.len()].copy_from_slice(packed);
    bytes
}

/// A query prepared for packed codes.
///
/// ```
/// use anear_kernels::{PackedQuery, Packing};
///
/// // Numbers 0, 1, 2, ... stand for -1, -0.5, 0, ...; the query is (0, 1).
/// let query = PackedQuery::squares(Packing::U8, &[0.0 + 1.0, 1.0 + 1.0], &[0.5; 2]);
/// let mut distances = [0.0; 2];
/// query.distances(&[2, 4, 2, 3], &mut distances);
/// assert_eq!(distances, [0.0, 0.25]);
/// ```
#[derive(Clone, Debug)]
pub struct PackedQuery {
    packing: Packing,
    dim: usize,
    code_len: usize,
    form: Form,
    /// The inputs of the form, 32 components of the first, then of the second; zeros beyond the dimension.
    terms: Vec<[f32; WIDE]>,
    bias: f32,
}

/// What is summed up over components.
#[derive(Clone, Copy, Debug)]
enum Form {
    Squares,
    Products,
}

impl PackedQuery {
    /// For distances `sum (offset - step * number)^2`, from the offset and step of each component.
    ///
    /// # Panics
    /// When there are none, or not as many offsets as steps.
    pub fn squares(packing: Packing, offsets: &[f32], steps: &[f32]) -> Self {
        let mut terms = vec![[0.0; WIDE]; steps.len().div_ceil(WIDE) * Squares::INPUTS];
        for (i, step) in steps.iter().enumerate() {
            terms[i / WIDE * Squares::INPUTS + 1][i % WIDE] = -step;
        }
        let mut query = Self::new(packing, steps.len(), Form::Squares, terms);
        query.set_offsets(offsets);
        query
    }

    /// For distances `bias + sum weight * number`, from the weight of each component.
    ///
    /// # Panics
    /// When there are none.
    pub fn products(packing: Packing, weights: &[f32], bias: f32) -> Self {
        let mut terms = vec![[0.0; WIDE]; weights.len().div_ceil(WIDE)];
        for (terms, weights) in terms.iter_mut().zip(weights.chunks(WIDE)) {
            terms[..weights.len()].copy_from_slice(weights);
        }
        let mut query = Self::new(packing, weights.len(), Form::Products, terms);
        query.set_bias(bias);
        query
    }

    /// Sets the offset of each component.
    ///
    /// # Panics
    /// When there are more or fewer of them, or these are no squares.
    pub fn set_offsets(&mut self, offsets: &[f32]) {
        assert!(matches!(self.form, Form::Squares), "offsets of squares");
        assert_eq!(offsets.len(), self.dim, "an offset for each component");
        let terms = self.terms.iter_mut().step_by(Squares::INPUTS);
        for (terms, offsets) in terms.zip(offsets.chunks(WIDE)) {
            terms[..offsets.len()].copy_from_slice(offsets);
        }
    }

    /// Sets what is added to every distance.
    pub fn set_bias(&mut self, bias: f32) {
        self.bias = bias;
    }

    fn new(packing: Packing, dim: usize, form: Form, terms: Vec<[f32; WIDE]>) -> Self {
        assert!(dim > 0, "a code has at least one component");
        Self {
            packing,
            dim,
            code_len: packing.code_len(dim),
            form,
            terms,
            bias: 0.0,
        }
    }

    /// The distances of the `codes`, which lie one after the other, into `out`.
    ///
    /// # Panics
    /// When the codes are not as many as the distances.
    pub fn distances(&self, codes: &[u8], out: &mut [f32]) {
        Kernels::get().packed_distances(self, codes, out);
    }

    /// The distances of those of the `codes` that lie at the positions of `list`, into `out`; codes ahead are fetched
    /// early.
    ///
    /// # Panics
    /// If a length does not fit, or there is no such position.
    pub fn distances_at(&self, codes: &[u8], list: &[u32], out: &mut [f32]) {
        Kernels::get().packed_distances_at(self, codes, list, out);
    }
}

impl Kernels {
    /// As [`PackedQuery::distances`], on this instruction set.
    pub fn packed_distances(&self, query: &PackedQuery, codes: &[u8], out: &mut [f32]) {
        assert_eq!(codes.len(), out.len() * query.code_len, "one distance per code");
        // SAFETY: `for_isa` hands out a table only where its instruction set is available.
        unsafe { (self.packed(query).run)(query, codes, out) }
    }

    /// As [`PackedQuery::distances_at`], on this instruction set.
    pub fn packed_distances_at(&self, query: &PackedQuery, codes: &[u8], list: &[u32], out: &mut [f32]) {
        assert_eq!(list.len(), out.len(), "one distance per position");
        // SAFETY: `for_isa` hands out a table only where its instruction set is available.
        unsafe { (self.packed(query).list)(query, codes, list, out) }
    }

    fn packed(&self, query: &PackedQuery) -> &Entry {
        &self.packed[query.packing as usize][query.form as usize]
    }
}

/// The kernels of one packing and form: a run of codes, and a list of them.
pub(crate) struct Entry {
    pub(crate) run: unsafe fn(&PackedQuery, &[u8], &mut [f32]),
    pub(crate) list: unsafe fn(&PackedQuery, &[u8], &[u32], &mut [f32]),
}

/// One [`Entry`] for each packing and form, in the order of both enums.
pub(crate) type Table = [[Entry; 2]; Packing::ALL.len()];

/// The [`Table`] of the functions `packed_run` and `packed_list` in scope.
macro_rules! packed_entries {
    () => {
        [
            packed_entries!(Bytes),
            packed_entries!(Nibbles),
            packed_entries!(Sextets),
            packed_entries!(Halves),
            packed_entries!(Bfloats),
        ]
    };
    ($numbers:ident) => {
        [
            packed::Entry {
                run: packed_run::<packed::$numbers, packed::Squares>,
                list: packed_list::<packed::$numbers, packed::Squares>,
            },
            packed::Entry {
                run: packed_run::<packed::$numbers, packed::Products>,
                list: packed_list::<packed::$numbers, packed::Products>,
            },
        ]
    };
}
pub(crate) use packed_entries;

/// How 32 numbers are read.
pub(crate) trait Numbers {
    /// Bytes of 32 numbers.
    const BYTES: usize;

    /// The first 32 numbers of `packed`.
    fn widen<S: Widen>(simd: S, packed: &[u8]) -> S::Wide;
}

macro_rules! numbers {
    ($($name:ident, $bytes:literal, $widen:ident;)*) => {
        $(
            pub(crate) struct $name;

            impl Numbers for $name {
                const BYTES: usize = $bytes;

                #[inline(always)]
                fn widen<S: Widen>(simd: S, packed: &[u8]) -> S::Wide {
                    simd.$widen(packed.first_chunk().expect("32 numbers"))
                }
            }
        )*
    };
}
numbers! {
    Bytes, 32, bytes;
    Nibbles, 16, nibbles;
    Sextets, 24, sextets;
    Halves, 64, halves;
    Bfloats, 64, bfloats;
}

/// What 32 components add to 32 running totals.
pub(crate) trait Term {
    /// Floats per component that the query contributes.
    const INPUTS: usize;

    fn add<S: Widen>(simd: S, totals: S::Wide, inputs: &[[f32; WIDE]], numbers: S::Wide) -> S::Wide;
}

/// `(offset - step * number)^2`, from offset and negative step.
pub(crate) struct Squares;

impl Term for Squares {
    const INPUTS: usize = 2;

    #[inline(always)]
    fn add<S: Widen>(simd: S, totals: S::Wide, inputs: &[[f32; WIDE]], numbers: S::Wide) -> S::Wide {
        let difference = simd.mul_add(numbers, simd.load(&inputs[1]), simd.load(&inputs[0]));
        simd.mul_add(difference, difference, totals)
    }
}

/// `weight * number`.
pub(crate) struct Products;

impl Term for Products {
    const INPUTS: usize = 1;

    #[inline(always)]
    fn add<S: Widen>(simd: S, totals: S::Wide, inputs: &[[f32; WIDE]], numbers: S::Wide) -> S::Wide {
        simd.mul_add(numbers, simd.load(&inputs[0]), totals)
    }
}

// Codes compared at a time: the query is loaded once for all of them.
const TOGETHER: usize = 2;

// How far ahead of the codes being read memory is fetched, as in `pairwise.rs`.
const AHEAD_BYTES: usize = 4096;

/// The distances of the codes, written to `out`.
#[inline(always)]
pub(crate) fn run<S: Widen, N: Numbers, T: Term>(simd: S, query: &PackedQuery, codes: &[u8], out: &mut [f32]) {
    let code_len = query.code_len;
    let mut groups = codes.chunks_exact(TOGETHER * code_len);
    let (pairs, rest) = out.as_chunks_mut::<TOGETHER>();
    for (group, out) in groups.by_ref().zip(pairs) {
        prefetch::bytes_at(group.as_ptr().wrapping_add(AHEAD_BYTES), group.len());
        *out = fold::<S, N, T, TOGETHER>(simd, query, std::array::from_fn(|i| &group[i * code_len..][..code_len]));
    }
    for (code, out) in groups.remainder().chunks_exact(code_len).zip(rest) {
        [*out] = fold::<S, N, T, 1>(simd, query, [code]);
    }
}

/// The distances of the codes at the positions of `list`, written to `out`.
#[inline(always)]
pub(crate) fn list<S: Widen, N: Numbers, T: Term>(
    simd: S,
    query: &PackedQuery,
    codes: &[u8],
    list: &[u32],
    out: &mut [f32],
) {
    let code = |position: u32| &codes[position as usize * query.code_len..][..query.code_len];
    let codes_ahead = (AHEAD_BYTES / query.code_len).clamp(1, 8);
    for (n, (out, &position)) in out.iter_mut().zip(list).enumerate() {
        if let Some(&position) = list.get(n + codes_ahead) {
            prefetch(code(position));
        }
        [*out] = fold::<S, N, T, 1>(simd, query, [code(position)]);
    }
}

/// The distances of `R` codes in the canonical order.
#[inline(always)]
fn fold<S: Widen, N: Numbers, T: Term, const R: usize>(simd: S, query: &PackedQuery, codes: [&[u8]; R]) -> [f32; R] {
    assert!(
        codes.iter().all(|code| code.len() == query.code_len),
        "codes of one length"
    );
    let mut totals = [simd.zero(); R];
    let whole = query.code_len / N::BYTES;
    for (i, inputs) in query.terms.chunks_exact(T::INPUTS).take(whole).enumerate() {
        for (totals, code) in totals.iter_mut().zip(codes) {
            *totals = T::add(simd, *totals, inputs, N::widen(simd, &code[i * N::BYTES..][..N::BYTES]));
        }
    }
    if whole * N::BYTES < query.code_len {
        let inputs = &query.terms[whole * T::INPUTS..];
        for (totals, code) in totals.iter_mut().zip(codes) {
            let rest = padded(&code[whole * N::BYTES..]);
            *totals = T::add(simd, *totals, inputs, N::widen(simd, &rest));
        }
    }
    let mut distances = [query.bias; R];
    for (distance, totals) in distances.iter_mut().zip(totals) {
        *distance += simd.sum(totals);
    }
    distances
}
