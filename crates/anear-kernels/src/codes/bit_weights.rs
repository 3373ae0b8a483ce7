//! Estimated distances of codes that lie one after the other, each with a norm and a scale of its own.
//!
//! A code is a string of bits, and two floats behind it: `norm` and `scale`. As a block of 32 codes is estimated by
//! [tables](super::estimates), a code by itself is by weights, a byte for each of its bits: as
//! `norm + scale * (start + step * sum)`, where the sum is that of the weights of the bits that are set.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;

use super::estimates::{CodedPart, FACTORS};
use crate::kernels::Kernels;

/// Weights that are added up at a time: one for each bit of 64.
const LEN: usize = 64;

/// Bytes that have the bits of so many weights.
const BYTES: usize = LEN / 8;

/// The largest weight.
const MOST: f32 = 127.0;

/// Adding this to a float from -2^22 to 2^22 rounds it to a whole number, ties to even, which its lowest bits are then.
const WHOLE: f32 = (3 << 22) as f32;

/// As [`BitWeights::estimates_at`], of as many positions as places.
pub(crate) type EstimatesAt =
    unsafe fn(weights: &BitWeights, codes: &[u8], stride: usize, positions: &[u32], out: &mut [f32]);

/// What a query adds to an inner product for each bit of a code.
///
/// ```
/// use anear_kernels::{BitWeights, CodedPart};
///
/// // Two components of four bits: the numbers 3 and 5 of a code, 0 and 15 of another; norms are 10 and scales 2.
/// let mut weights = BitWeights::default();
/// weights.fill(std::iter::once(CodedPart { components: &[1.0, 1.0], bits: 4, step: 1.0 }));
/// let factors = [10.0_f32, 2.0].map(f32::to_le_bytes);
/// let code = |number: u8| [&[number], factors.as_flattened()].concat();
/// let codes = [code(0x53), code(0xf0)].concat();
///
/// let mut estimates = [0.0; 2];
/// weights.estimates_at(&codes, 9, &[1, 0], &mut estimates);
/// assert!((estimates[0] - 10.0).abs() < 0.2);
/// assert!((estimates[1] - (10.0 - 2.0 * 7.0)).abs() < 0.2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct BitWeights {
    /// Those behind the last bit are 0.
    weights: Vec<[i8; LEN]>,
    /// Bytes of the bits of a code, behind which its norm is.
    bits_len: usize,
    start: f32,
    step: f32,
}

impl BitWeights {
    /// Makes the weights of these parts, one part after the other; each begins at a nibble, and together they have whole bytes.
    /// All have one step: 127 of them are the largest weight.
    ///
    /// # Panics
    /// If a part has other bits than 1, 2 or 4.
    pub fn fill<'a>(&mut self, parts: impl Iterator<Item = CodedPart<'a>> + Clone) {
        let is_known = |part: CodedPart<'_>| matches!(part.bits, 1 | 2 | 4);
        assert!(parts.clone().all(is_known), "1, 2 or 4 bits a component");
        let largest = |part: CodedPart<'_>| {
            let component = part.components.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
            component * part.step * (1 << (part.bits - 1)) as f32
        };
        let most = parts.clone().map(largest).fold(0.0, f32::max);
        let per_step = if most > 0.0 { MOST / most } else { 0.0 };
        let nibbles: usize = parts.clone().map(|part| part.tables()).sum();
        self.bits_len = nibbles.div_ceil(2);
        self.weights.clear();
        self.weights.resize(self.bits_len.div_ceil(BYTES), [0; LEN]);
        let mut weights = self.weights.as_flattened_mut();
        for part in parts {
            let (own, rest) = weights.split_at_mut(4 * part.tables());
            match part.bits {
                1 => weigh::<1>(part, per_step, own),
                2 => weigh::<2>(part, per_step, own),
                _ => weigh::<4>(part, per_step, own),
            }
            weights = rest;
        }
        // Numbers stand for how far they are from their middle, which is where half of all bits are set.
        let sum: i32 = self
            .weights
            .as_flattened()
            .iter()
            .map(|weight| i32::from(*weight))
            .sum();
        self.step = most / MOST;
        self.start = -0.5 * self.step * sum as f32;
    }

    /// Bytes of a code: its bits, and two floats.
    pub fn code_len(&self) -> usize {
        self.bits_len + FACTORS
    }

    /// Writes the estimates of the codes at these positions, of those that begin every `stride` bytes.
    ///
    /// # Panics
    /// If there is no code at a position, or there are not as many positions as places.
    #[inline]
    pub fn estimates_at(&self, codes: &[u8], stride: usize, positions: &[u32], out: &mut [f32]) {
        self.estimates_at_on(Kernels::get(), codes, stride, positions, out);
    }

    /// As [`estimates_at`](Self::estimates_at), on the instruction set of `kernels`.
    #[doc(hidden)]
    pub fn estimates_at_on(&self, kernels: &Kernels, codes: &[u8], stride: usize, positions: &[u32], out: &mut [f32]) {
        assert_eq!(positions.len(), out.len(), "an estimate for each");
        // SAFETY: `Kernels::for_isa` hands out kernels only where their instruction set is available.
        unsafe { (kernels.estimates_at)(self, codes, stride, positions, out) }
    }

    /// The code at a position.
    #[inline(always)]
    fn code<'a>(&self, codes: &'a [u8], stride: usize, position: u32) -> &'a [u8] {
        &codes[position as usize * stride..][..self.code_len()]
    }
}

/// The weights of a part's bits.
fn weigh<const BITS: usize>(part: CodedPart<'_>, per_step: f32, out: &mut [i8]) {
    let scale = part.step * per_step;
    for (component, weights) in part.components.iter().zip(out.as_chunks_mut::<BITS>().0) {
        for (bit, weight) in weights.iter_mut().enumerate() {
            *weight = (component * (scale * (1 << bit) as f32) + WHOLE).to_bits() as i8;
        }
    }
}

/// Estimates by a sum of weights: those of the bits that are set in the first argument.
#[inline(always)]
fn estimates_by(
    weights: &BitWeights,
    codes: &[u8],
    stride: usize,
    positions: &[u32],
    out: &mut [f32],
    sum: impl Fn(&[u8], &[[i8; LEN]]) -> i32,
) {
    for (position, estimate) in positions.iter().zip(out) {
        let code = weights.code(codes, stride, *position);
        let factor = |i: usize| {
            let factor = code[weights.bits_len + i * size_of::<f32>()..].first_chunk();
            f32::from_le_bytes(*factor.expect("two floats behind the bits"))
        };
        let product = weights.step.mul_add(sum(code, &weights.weights) as f32, weights.start);
        *estimate = factor(1).mul_add(product, factor(0));
    }
}

/// Eight bytes that begin with the `i`-th eight of a code; what follows the bits is of no weight, and fills the last eight.
#[inline(always)]
fn bits(code: &[u8], i: usize) -> u64 {
    let bytes = code[i * BYTES..].first_chunk();
    u64::from_le_bytes(*bytes.expect("eight bytes of factors behind the bits"))
}

/// Plain Rust.
pub(crate) fn scalar(weights: &BitWeights, codes: &[u8], stride: usize, positions: &[u32], out: &mut [f32]) {
    estimates_by(weights, codes, stride, positions, out, |code, weights| {
        let weights = weights.iter().enumerate();
        let sum = |(i, weights): (usize, &[i8; LEN])| {
            let bits = bits(code, i);
            let set = (0..).zip(weights).filter(|(bit, _)| bits >> bit & 1 == 1);
            set.map(|(_, weight)| i32::from(*weight)).sum::<i32>()
        };
        weights.map(sum).sum()
    });
}
