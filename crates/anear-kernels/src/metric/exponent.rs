//! The exponent of [`Metric::Lp`](crate::Metric::Lp).

use std::fmt;

/// A finite number above 0, compared and hashed by its bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exponent(u32);

impl Exponent {
    pub(crate) const EXAMPLE: Self = Self(3.0_f32.to_bits());

    /// `None` if `exponent` is not a finite number above 0.
    pub const fn new(exponent: f32) -> Option<Self> {
        if exponent.is_finite() && exponent > 0.0 {
            Some(Self(exponent.to_bits()))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> f32 {
        f32::from_bits(self.0)
    }
}

impl fmt::Debug for Exponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exponent({self})")
    }
}

impl fmt::Display for Exponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
