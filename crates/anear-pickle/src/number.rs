//! Python's numbers that Rust's own types do not hold: long integers, decimals, UUIDs.

use std::fmt;

/// Most decimal digits of an integer: CPython refuses to turn longer ones to and from text.
const MAX_DIGITS: usize = 4300;

/// Most bytes of a binary integer: 4300 digits.
const MAX_BYTES: usize = 1786;

/// An integer outside of `i64`, as its decimal digits (at most 4300).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BigInt(Box<str>);

impl BigInt {
    /// The integer written `text`: an optional minus, digits, no leading zero.
    ///
    /// `None` for anything else, for what an `i64` holds, and for more than 4300 digits.
    ///
    /// ```
    /// use anear_pickle::BigInt;
    /// assert_eq!(BigInt::parse("9223372036854775808").unwrap().to_string(), "9223372036854775808");
    /// assert!(BigInt::parse("9223372036854775807").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let canonical = digits.len() <= MAX_DIGITS && is_digits(digits) && !digits.starts_with('0');
        (canonical && text.parse::<i64>().is_err()).then(|| Self(text.into()))
    }

    /// The decimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An integer of any size.
pub(crate) enum Integer {
    Small(i64),
    Big(BigInt),
}

impl Integer {
    /// From decimal text, as protocol 0 writes it.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let small = text.parse().ok().map(Self::Small);
        small.or_else(|| BigInt::parse(text).map(Self::Big))
    }

    /// From little-endian two's complement, as protocol 2 writes it; `None` beyond 4300 digits.
    pub(crate) fn from_le_bytes(bytes: &[u8]) -> Option<Self> {
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        if bytes.len() <= 8 {
            let mut small = [if negative { 0xff } else { 0 }; 8];
            small[..bytes.len()].copy_from_slice(bytes);
            return Some(Self::Small(i64::from_le_bytes(small)));
        }
        if bytes.len() > MAX_BYTES {
            return None;
        }
        let digits = decimal(magnitude(bytes, negative));
        Self::from_text(&if negative { format!("-{digits}") } else { digits })
    }
}

/// The absolute value of a two's complement integer, in 32-bit limbs, lowest first.
fn magnitude(bytes: &[u8], negative: bool) -> Vec<u32> {
    let fill = if negative { 0xff } else { 0 };
    let mut carry = negative;
    let limb = |chunk: &[u8]| {
        let mut padded = [fill; 4];
        padded[..chunk.len()].copy_from_slice(chunk);
        let limb = u32::from_le_bytes(padded);
        if !negative {
            return limb;
        }
        let (limb, overflow) = (!limb).overflowing_add(u32::from(carry));
        carry = overflow;
        limb
    };
    bytes.chunks(4).map(limb).collect()
}

/// The decimal digits of a number in 32-bit limbs, lowest first.
fn decimal(mut limbs: Vec<u32>) -> String {
    const BILLION: u64 = 1_000_000_000;
    let mut groups = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut remainder = 0;
        for limb in limbs.iter_mut().rev() {
            let dividend = remainder << 32 | u64::from(*limb);
            *limb = (dividend / BILLION) as u32;
            remainder = dividend % BILLION;
        }
        groups.push(remainder);
    }
    let mut digits = groups.pop().unwrap_or(0).to_string();
    digits.extend(groups.iter().rev().map(|group| format!("{group:09}")));
    digits
}

/// A `decimal.Decimal`, as its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(Box<str>);

impl Decimal {
    /// The decimal written `text`, in the syntax of `str(decimal.Decimal(...))`: `-1.50`, `1E+3`,
    /// `Infinity`, `NaN`, `sNaN123`.
    ///
    /// ```
    /// use anear_pickle::Decimal;
    /// assert!(Decimal::parse("-12.50").is_some());
    /// assert!(Decimal::parse("twelve").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        (is_special(unsigned) || is_finite(unsigned)).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_special(text: &str) -> bool {
    let payload = text.strip_prefix("sNaN").or_else(|| text.strip_prefix("NaN"));
    text == "Infinity" || payload.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_finite(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['E', 'e']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    is_digits(&format!("{whole}{fraction}")) && is_digits(exponent)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A `uuid.UUID`; displays as the hyphenated text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// The UUID of these 16 bytes, in the order of its text.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes, in the order of its text.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Its value as one integer (Python's `UUID.int`).
    pub const fn as_u128(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

impl From<u128> for Uuid {
    fn from(int: u128) -> Self {
        Self(int.to_be_bytes())
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            let hyphen = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{hyphen}{byte:02x}")?;
        }
        Ok(())
    }
}
