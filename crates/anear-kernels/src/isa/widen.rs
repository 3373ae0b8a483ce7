//! How packed numbers become floats: [`Widen`] takes 32 of them at a time, on every instruction set.
//!
//! Every conversion is exact, so that all of them agree to the bit. What is provided is plain Rust, which compilers
//! vectorize fairly well; an instruction set overrides what it does better.

use std::array;

use super::simd::{Simd, WIDE};

/// Conversions of 32 packed numbers to 32 floats. Lower bits and bytes come first.
pub(crate) trait Widen: Simd {
    /// One byte each.
    #[inline(always)]
    fn bytes(self, packed: &[u8; WIDE]) -> Self::Wide {
        self.load(&packed.map(f32::from))
    }

    /// Four bits each.
    #[inline(always)]
    fn nibbles(self, packed: &[u8; WIDE / 2]) -> Self::Wide {
        self.load(&array::from_fn(|i| f32::from(packed[i / 2] >> (i % 2 * 4) & 15)))
    }

    /// Six bits each: four numbers in three bytes.
    #[inline(always)]
    fn sextets(self, packed: &[u8; WIDE / 4 * 3]) -> Self::Wide {
        self.load(&array::from_fn(|i| {
            let three = &packed[i / 4 * 3..][..3];
            let bits = u32::from_le_bytes([three[0], three[1], three[2], 0]);
            (bits >> (i % 4 * 6) & 63) as f32
        }))
    }

    /// `bits` bits each, from 1 to 8: `4 * bits` bytes, and four more that are not looked at.
    #[inline(always)]
    fn few_bits(self, packed: &[u8], bits: usize) -> Self::Wide {
        self.load(&array::from_fn(|i| {
            let at = i * bits;
            let two = u16::from_le_bytes([packed[at / 8], packed[at / 8 + 1]]);
            f32::from(two >> (at % 8) & ((1 << bits) - 1))
        }))
    }

    /// The floats of which the bit is set, zeros elsewhere.
    #[inline(always)]
    fn select(self, bits: u32, floats: &[f32; WIDE]) -> Self::Wide {
        self.load(&array::from_fn(|i| {
            // All ones where the bit is set.
            let mask = (bits >> i & 1).wrapping_neg();
            f32::from_bits(floats[i].to_bits() & mask)
        }))
    }

    /// IEEE half precision.
    #[inline(always)]
    fn halves(self, packed: &[u8; 2 * WIDE]) -> Self::Wide {
        self.load(&array::from_fn(|i| {
            half(u16::from_le_bytes([packed[2 * i], packed[2 * i + 1]]))
        }))
    }

    /// The upper halves of floats (bfloat16).
    #[inline(always)]
    fn bfloats(self, packed: &[u8; 2 * WIDE]) -> Self::Wide {
        self.load(&array::from_fn(|i| {
            f32::from_bits(u32::from_le_bytes([0, 0, packed[2 * i], packed[2 * i + 1]]))
        }))
    }
}

/// The value of a half: its bits moved to where a float has them, then the exponent's bias of 15 raised to 127.
#[inline(always)]
fn half(bits: u16) -> f32 {
    const RAISE: f32 = f32::from_bits((127 + 127 - 15) << 23);
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * RAISE;
    // The largest exponent stands for infinities and NaN, in both forms.
    let special = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(magnitude.to_bits() | special | u32::from(bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn a_half_has_the_value_that_its_fields_say() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
            let magnitude = match exponent {
                0 => fraction * (-14.0_f64).exp2(),
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1.0 + fraction) * f64::from(exponent - 15).exp2(),
            };
            let want = if bits >> 15 == 1 { -magnitude } else { magnitude };
            let got = f64::from(half(bits));
            assert!(
                got == want && got.is_sign_negative() == want.is_sign_negative() || want.is_nan() && got.is_nan(),
                "{bits:04x}: {got}, not {want}"
            );
        }
    }
}
