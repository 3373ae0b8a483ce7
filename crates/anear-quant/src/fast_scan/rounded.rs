//! Tables rounded down to bytes, and what their sums prove of the exact ones.
//!
//! Let `t_p` be the entry that a code chooses for part `p`, `min_p` the smallest of that part, and `b_p` the byte
//! `floor((t_p - min_p) / step)`. With `base` for the sum of all `min_p`, the true sum of the `t_p` is at least
//! `base + step * sum(b_p)`.
//!
//! The exact distance is a sum of `m` entries in `f32` from `start` on; it is off by at most `gamma(m) (|start| + A)`,
//! where `A` is the sum of the largest magnitudes of all parts and `gamma(m) = m u / (1 - m u)`, `u = 2^-24` (Higham,
//! *Accuracy and Stability of Numerical Algorithms*, section 3.1). So where the distance is at most `limit`,
//!
//! ```text
//! sum(b_p) <= (limit - start - base + gamma(m) (|start| + A)) / step
//! ```
//!
//! Twice the slack, and that of 8 more parts, covers the roundings of all this in `f64` as well. Whatever is not finite
//! ends in a bound that lets every code pass.

use anear_kernels::quantize;

use crate::terms;

/// Sums of bytes stay below this, so that they fit into 16 bits with the roundings of `step` in between.
const SUM_MAX: f64 = 65_000.0;

/// The largest byte.
const LEVELS: f64 = 255.0;

/// A byte is computed in three operations of `f32`, which make it that of an entry larger by `3 u` at most: a step that
/// is smaller by more than that keeps what a byte proves.
const ROUNDED_UP: f64 = 1.0 - 8.0 * (f32::EPSILON / 2.0) as f64;

/// Entries of a part.
pub(crate) const ENTRIES: usize = 16;

/// A table rounded down to bytes.
#[derive(Debug)]
pub(crate) struct Rounded {
    /// Sixteen per part, and zeros to an even number of parts.
    pub(crate) bytes: Vec<u8>,
    step: f64,
    /// The sum of the smallest entries.
    base: f64,
    /// What any exact sum is at most, by magnitude, its start included.
    pub(crate) magnitude: f64,
    start: f64,
    parts: usize,
}

impl Rounded {
    pub(crate) fn new(entries: &[f32], start: f32) -> Self {
        let tables: &[[f32; ENTRIES]] = entries.as_chunks().0;
        let ranges: Vec<(f64, f64)> = tables.iter().map(|table| terms::range(table)).collect();
        let total = |f: fn(&(f64, f64)) -> f64| ranges.iter().map(f).sum::<f64>();
        let widest = ranges.iter().map(|(min, max)| max - min).fold(0.0, f64::max);
        let span = widest.max(total(|(min, max)| max - min) / SUM_MAX * LEVELS) as f32;
        let mut bytes = vec![0; tables.len().next_multiple_of(2) * ENTRIES];
        // All entries of each part alike, or something not finite: no byte says anything.
        let says_something = span > 0.0 && span.is_finite();
        if says_something {
            let lows: Vec<f32> = ranges.iter().flat_map(|(min, _)| [*min as f32; ENTRIES]).collect();
            let spans = vec![span; entries.len()];
            quantize(entries, &lows, &spans, LEVELS as f32, &mut bytes[..entries.len()]);
        }
        Self {
            bytes,
            step: if says_something {
                f64::from(span) / LEVELS * ROUNDED_UP
            } else {
                1.0
            },
            base: total(|(min, _)| *min),
            magnitude: total(|(min, max)| max.abs().max(min.abs())) + f64::from(start).abs(),
            start: f64::from(start),
            parts: tables.len(),
        }
    }

    /// What any sum of the same numbers is at least, however it is rounded, for a code with this sum of bytes. The
    /// numbers are added in any order, each in at most as many steps as there are parts and 16 more.
    pub(crate) fn least(&self, bytes: u16) -> f64 {
        let slack = 2.0 * (self.parts + 16) as f64 * f64::from(f32::EPSILON) * self.magnitude;
        self.start + self.base + self.step * f64::from(bytes) - slack
    }

    /// No code whose exact sum is at most `limit` has a larger sum of bytes than this.
    pub(crate) fn bound(&self, limit: f64) -> u16 {
        let slack = (self.parts + 8) as f64 * f64::from(f32::EPSILON) * (self.magnitude + limit.abs());
        let bound = (limit - self.start - self.base + slack) / self.step;
        if bound < f64::from(u16::MAX) {
            bound as u16
        } else {
            u16::MAX
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudo_random(i: usize) -> f32 {
        ((i as u32).wrapping_mul(0x9e37_79b9) >> 8) as f32 / (1 << 24) as f32
    }

    #[test]
    fn no_code_within_the_limit_is_beyond_the_bound() {
        for (parts, scale, shift) in [
            (1, 1.0, 0.0),
            (7, 1e-30, 0.0),
            (32, 1e6, -3e5),
            (300, 1.0, 1e4),
            (64, 1e36, 0.0),
        ] {
            let start = -2.5 * scale;
            let entries: Vec<f32> = (0..parts * ENTRIES).map(|i| pseudo_random(i) * scale + shift).collect();
            let rounded = Rounded::new(&entries, start);
            for code in 0..500 {
                let number = |part: usize| (pseudo_random(code * 977 + part) * 16.0) as usize;
                let exact = (0..parts).fold(start, |sum, part| sum + entries[part * ENTRIES + number(part)]);
                let bytes = (0..parts).map(|part| u32::from(rounded.bytes[part * ENTRIES + number(part)]));
                let bytes: u32 = bytes.sum();
                assert!(bytes <= u32::from(rounded.bound(exact.into())), "{parts} parts");
                assert!(rounded.least(bytes as u16) <= f64::from(exact), "{parts} parts");
                // And the bound is of use: a step per part is lost, and some slack.
                let below = f64::from(exact) - rounded.step * (parts as f64 + 2.0) - rounded.magnitude * 1e-3;
                assert!(bytes == 0 || bytes > u32::from(rounded.bound(below)), "{parts} parts");
            }
        }
    }

    #[test]
    fn nothing_is_dropped_where_numbers_fail() {
        for strange in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut entries = [1.0; 2 * ENTRIES];
            entries[20] = strange;
            assert_eq!(Rounded::new(&entries, 0.0).bound(-1e30), u16::MAX);
            assert_eq!(Rounded::new(&[1.0; ENTRIES], strange).bound(-1e30), u16::MAX);
        }
        assert_eq!(Rounded::new(&[1.0; ENTRIES], 0.0).bound(f64::INFINITY), u16::MAX);
    }
}
