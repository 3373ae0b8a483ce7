//! Components as numbers of a few bits, in Faiss's arithmetic.
//!
//! Plain Rust, compiled for each instruction set: the same bits on all of them.

use crate::kernels::Kernels;

/// The kernels of one instruction set.
pub(crate) struct Entry {
    /// As [`quantize`], of checked lengths.
    pub(crate) levels: Levels,
    /// As [`halves`], of checked lengths.
    pub(crate) halves: unsafe fn(&[f32], &mut [[u8; 2]]),
}

type Levels = unsafe fn(&[f32], &[f32], &[f32], f32, &mut [u8]);

/// `numbers[i]` = how far the `i`-th component is on its way from `lows[i]` to `lows[i] + spans[i]`, from 0 to `levels`
/// (255 at most), without the fraction; components beyond either end are at it, and where the span is 0 they are at the
/// beginning.
///
/// ```
/// let mut numbers = [0; 3];
/// anear_kernels::quantize(&[0.5, 7.0, 7.0], &[0.0, 1.0, 7.0], &[1.0, 2.0, 0.0], 15.0, &mut numbers);
/// assert_eq!(numbers, [7, 15, 0]);
/// ```
///
/// # Panics
/// If the lengths differ, or there are more levels than a byte has numbers.
pub fn quantize(components: &[f32], lows: &[f32], spans: &[f32], levels: f32, numbers: &mut [u8]) {
    Kernels::get().quantize(components, lows, spans, levels, numbers);
}

/// IEEE half precision, rounded to nearest, ties away from zero as Faiss does it: not to even, as processors do.
///
/// ```
/// let mut bits = [[0; 2]; 2];
/// anear_kernels::halves(&[1.0, -2.0], &mut bits);
/// assert_eq!(bits.map(u16::from_le_bytes), [0x3c00, 0xc000]);
/// ```
///
/// # Panics
/// If the lengths differ.
pub fn halves(components: &[f32], bits: &mut [[u8; 2]]) {
    Kernels::get().halves(components, bits);
}

impl Kernels {
    /// As [`quantize`], on this instruction set.
    pub fn quantize(&self, components: &[f32], lows: &[f32], spans: &[f32], levels: f32, numbers: &mut [u8]) {
        let dim = components.len();
        assert_eq!([lows.len(), spans.len(), numbers.len()], [dim; 3], "as many of each");
        assert!((0.0..=255.0).contains(&levels), "levels of a byte");
        // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
        unsafe { (self.quantize.levels)(components, lows, spans, levels, numbers) }
    }

    /// As [`halves`], on this instruction set.
    pub fn halves(&self, components: &[f32], bits: &mut [[u8; 2]]) {
        assert_eq!(components.len(), bits.len(), "a place per component");
        // SAFETY: `for_isa` hands out kernels only where their instruction set is available.
        unsafe { (self.quantize.halves)(components, bits) }
    }
}

/// The [`Entry`] of plain functions.
pub(crate) static SCALAR: Entry = Entry {
    levels: to_levels,
    halves: to_halves,
};

#[inline(always)]
pub(crate) fn to_levels(components: &[f32], lows: &[f32], spans: &[f32], levels: f32, numbers: &mut [u8]) {
    let ranges = lows.iter().zip(spans);
    for ((number, component), (low, span)) in numbers.iter_mut().zip(components).zip(ranges) {
        let share = if *span == 0.0 { 0.0 } else { (component - low) / span };
        *number = bits_of(floor(share.clamp(0.0, 1.0) * levels)) as u8;
    }
}

#[inline(always)]
pub(crate) fn to_halves(components: &[f32], bits: &mut [[u8; 2]]) {
    for (bits, component) in bits.iter_mut().zip(components) {
        *bits = half(*component).to_le_bytes();
    }
}

#[inline(always)]
fn half(component: f32) -> u16 {
    const INFINITE: u32 = 0x7c00;
    // 2^-14, below which halves are multiples of 2^-24; and what the exponents of both forms differ by.
    const NORMAL: f32 = f32::from_bits(0x3880_0000);
    const BIAS: u32 = 0x3800_0000;
    let magnitude = component.abs();
    let small = magnitude.min(NORMAL) * 2.0_f32.powi(24);
    let below = floor(small);
    let small = bits_of(if small - below < 0.5 { below } else { below + 1.0 });
    // What overflows the fraction goes into the exponent, where it belongs.
    let large = (magnitude.to_bits().wrapping_sub(BIAS).wrapping_add(0x1000) >> 13).min(INFINITE);
    let bits = if magnitude < NORMAL { small } else { large };
    let bits = if magnitude.is_nan() { INFINITE + 1 } else { bits };
    bits as u16 | (component.to_bits() >> 16) as u16 & 0x8000
}

/// Above this, floats are whole numbers, and their lowest bits are those of the number.
const WHOLE: f32 = (1 << 23) as f32;

/// The largest whole number that is not above `number`, from 0 to 2^22. Neither this nor [`bits_of`] is a conversion to an
/// integer, which compilers make no vectors of.
#[inline(always)]
fn floor(number: f32) -> f32 {
    let nearest = (number + WHOLE) - WHOLE;
    if nearest > number { nearest - 1.0 } else { nearest }
}

/// A whole number from 0 to 2^22.
#[inline(always)]
fn bits_of(whole: f32) -> u32 {
    (whole + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits())
}
