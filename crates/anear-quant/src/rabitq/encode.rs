//! From a vector to its code and back.

use anear_bytes::AlignedBytes;
use anear_kernels::Metric;

use super::{RaBitQ, Shape};

/// How many standard deviations of the product with the signs count as its error, as in the paper and Faiss.
const DEVIATIONS: f64 = 1.9;

pub(super) fn subtract(x: &[f32], y: &[f32], out: &mut [f32]) {
    out.iter_mut().zip(x).zip(y).for_each(|((out, x), y)| *out = x - y);
}

pub(super) fn add(x: &[f32], y: &[f32], out: &mut [f32]) {
    out.iter_mut().zip(x).zip(y).for_each(|((out, x), y)| *out = x + y);
}

fn dot(x: &[f32], y: &[f32]) -> f64 {
    total(x, y, |x, y| x * y)
}

/// The sum of the components.
pub(super) fn sum(x: &[f32]) -> f64 {
    total(x, x, |x, _| x)
}

/// The sum over pairs of components, in parts that do not wait for each other.
fn total(x: &[f32], y: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let term = |x: f32, y: f32| term(x.into(), y.into());
    let mut parts = [0.0; 8];
    let ((xs, x), (ys, y)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    for (x, y) in xs.iter().zip(ys) {
        for (i, part) in parts.iter_mut().enumerate() {
            *part += term(x[i], y[i]);
        }
    }
    let rest: f64 = x.iter().zip(y).map(|(x, y)| term(*x, *y)).sum();
    parts.iter().sum::<f64>() + rest
}

/// Makes codes one after the other, with room to compute in.
pub(super) struct Encoder {
    shape: Shape,
    metric: Metric,
    magnitudes: Vec<f32>,
    levels: Vec<u16>,
    code: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(rabitq: &RaBitQ) -> Self {
        Self {
            shape: rabitq.shape(),
            metric: rabitq.params.metric,
            magnitudes: Vec::new(),
            levels: Vec::new(),
            code: Vec::new(),
        }
    }

    /// Appends the code of the vector `center + residual`.
    pub(super) fn push(&mut self, residual: &[f32], center: &[f32], codes: &mut AlignedBytes) {
        let shape = self.shape;
        self.code.clear();
        self.code.resize(shape.signs_len(), 0);
        for (i, x) in residual.iter().enumerate() {
            self.code[i / 8] |= u8::from(*x > 0.0) << (i % 8);
        }
        let squared = dot(residual, residual);
        let spread = total(residual, residual, |x, _| x.abs());
        let product = dot(center, residual);
        let inner = self.metric == Metric::InnerProduct;
        // |r|^2 - |x|^2 without the digits that would cancel.
        self.put(if inner {
            -dot(center, center) - 2.0 * product
        } else {
            squared
        });
        let scale = if spread > 0.0 {
            squared * (shape.dim as f64).sqrt() / spread
        } else {
            0.0
        };
        self.put(scale);
        if shape.rest > 0 {
            // By how much the product with the signs is off, in a random direction: sin / cos of the angle between them.
            let off = (scale * scale - squared).max(0.0).sqrt() / ((shape.dim.max(2) - 1) as f64).sqrt();
            self.put(DEVIATIONS * off * if inner { 1.0 } else { 2.0 });
            self.push_rest(residual);
            self.put(if inner { product } else { squared });
            let scale = self.scale(squared);
            self.put(if inner { scale } else { -2.0 * scale });
        }
        codes.extend_from_slice(&self.code);
    }

    fn put(&mut self, factor: f64) {
        self.code.extend((factor as f32).to_le_bytes());
    }

    fn push_rest(&mut self, residual: &[f32]) {
        let (shape, start) = (self.shape, self.code.len());
        self.magnitudes.clear();
        self.magnitudes.extend(residual.iter().map(|x| x.abs()));
        levels(&self.magnitudes, 1 << shape.rest, &mut self.levels);
        self.code.resize(start + shape.rest_len(), 0);
        let rest = &mut self.code[start..];
        let highest = (1_u16 << shape.rest) - 1;
        for (i, (level, x)) in self.levels.iter().zip(residual).enumerate() {
            // Numbers grow with the component: below zero the levels count down.
            let number = if *x > 0.0 { *level } else { highest - level };
            let (byte, shifted) = (i * shape.rest / 8, number << (i * shape.rest % 8));
            for (byte, part) in rest[byte..].iter_mut().zip(shifted.to_le_bytes()) {
                *byte |= part;
            }
        }
    }

    /// The factor with which the levels have the product with the vector that the vector has with itself.
    fn scale(&self, squared: f64) -> f64 {
        let levels = self.levels.iter().zip(&self.magnitudes);
        let product: f64 = levels.map(|(level, x)| (f64::from(*level) + 0.5) * f64::from(*x)).sum();
        if product > 0.0 { squared / product } else { 0.0 }
    }
}

/// Scales that are tried: each is some 4% above the one before; what that misses, single changes find.
const SCALES: usize = 48;

/// How many levels beyond the last the largest magnitude is thrown, at most: cutting it off may pay.
const BEYOND: f32 = 8.0;

/// How often the levels are gone through for single changes; they rarely help more often.
const ROUNDS: usize = 6;

/// The levels below `count` whose centres, `level + 1/2`, have the smallest angle with `magnitudes`.
///
/// Scales are tried at even distances; from the best, single levels are changed as long as it helps.
fn levels(magnitudes: &[f32], count: u16, out: &mut Vec<u16>) {
    out.clear();
    out.resize(magnitudes.len(), 0);
    let largest = magnitudes.iter().copied().fold(0.0, f32::max);
    if !largest.is_normal() {
        return;
    }
    let (from, to) = (0.4 * f32::from(count), f32::from(count) + BEYOND);
    let last = f32::from(count - 1);
    let mut best = (f64::NEG_INFINITY, 0.0);
    for step in 0..SCALES {
        let scale = from * (to / from).powf(step as f32 / (SCALES - 1) as f32) / largest;
        let cosine = cosine(magnitudes, scale, last);
        if cosine > best.0 {
            best = (cosine, scale);
        }
    }
    let levels = magnitudes.iter().map(|x| level(x * best.1, last) as u16);
    out.iter_mut().zip(levels).for_each(|(out, level)| *out = level);
    for _ in 0..ROUNDS {
        if !improve(magnitudes, count, out) {
            break;
        }
    }
}

/// The level that a number which is not negative falls into: rounded down, without a call where that is no instruction.
#[inline(always)]
fn level(x: f32, last: f32) -> f32 {
    // Floats from here on have no fraction.
    const WHOLE: f32 = (1 << 23) as f32;
    ((x - 0.5 + WHOLE) - WHOLE).clamp(0.0, last)
}

/// In proportion to the cosine of the angle between the magnitudes and their levels at this scale.
///
/// Sums of 64 are single, and eight side by side: at nine bits, losses differ in the last places of single precision.
fn cosine(magnitudes: &[f32], scale: f32, last: f32) -> f64 {
    let (mut product, mut squared) = (0.0_f64, 0.0_f64);
    for some in magnitudes.chunks(64) {
        let [mut products, mut squares] = [[0.0_f32; 8]; 2];
        for eight in some.chunks(8) {
            for (lane, x) in eight.iter().enumerate() {
                let scaled = x * scale;
                let center = level(scaled, last) + 0.5;
                products[lane] += center * scaled;
                squares[lane] += center * center;
            }
        }
        product += f64::from(products.iter().sum::<f32>());
        squared += f64::from(squares.iter().sum::<f32>());
    }
    product / f64::from(scale) / squared.sqrt()
}

/// Changes single levels by one where that makes the angle smaller; whether it did.
fn improve(magnitudes: &[f32], count: u16, levels: &mut [u16]) -> bool {
    let center = |level: u16| f64::from(level) + 0.5;
    let pairs = levels.iter().zip(magnitudes);
    let mut product: f64 = pairs.map(|(level, x)| center(*level) * f64::from(*x)).sum();
    let mut squared: f64 = levels.iter().map(|level| center(*level).powi(2)).sum();
    let mut improved = false;
    for (level, x) in levels.iter_mut().zip(magnitudes) {
        for next in [level.wrapping_sub(1), *level + 1] {
            let (more, longer) = (
                center(next) - center(*level),
                center(next).powi(2) - center(*level).powi(2),
            );
            let (changed, length) = (product + more * f64::from(*x), squared + longer);
            if next < count && changed * changed * squared > product * product * length {
                (product, squared, *level) = (changed, length, next);
                improved = true;
                break;
            }
        }
    }
    improved
}

/// Appends the vector that a code stands for.
pub(super) fn decode(rabitq: &RaBitQ, code: &[u8], vectors: &mut Vec<f32>) {
    let shape = rabitq.shape();
    let [_, factor] = shape.factors(code);
    // Numbers, of which `zero` stands for 0, times `scale`.
    let (scale, rest) = match (shape.rest, rabitq.params.metric) {
        (0, _) => (2.0 * factor / (shape.dim as f32).sqrt(), &[][..]),
        (_, Metric::InnerProduct) => (factor, &code[shape.rest_at()..]),
        (_, _) => (-0.5 * factor, &code[shape.rest_at()..]),
    };
    let number = |i: usize| {
        let sign = u16::from(code[i / 8] >> (i % 8) & 1) << shape.rest;
        let at = i * shape.rest;
        let two = match shape.rest {
            0 => 0,
            _ => u16::from_le_bytes([rest[at / 8], rest[at / 8 + 1]]) >> (at % 8) & ((1 << shape.rest) - 1),
        };
        f32::from(sign | two)
    };
    vectors.extend(
        rabitq
            .center
            .iter()
            .enumerate()
            .map(|(i, c)| c + scale * (number(i) - shape.zero())),
    );
}

#[cfg(test)]
mod tests {
    use anear_kernels::Random;

    use super::*;
    use crate::random::gaussian;

    fn angle(levels: &[u16], x: &[f32]) -> f64 {
        let centers: Vec<f32> = levels.iter().map(|level| f32::from(*level) + 0.5).collect();
        dot(&centers, x) / (dot(&centers, &centers) * dot(x, x)).sqrt()
    }

    /// The best of all scales: at each, one magnitude is at the border of a level.
    fn best(magnitudes: &[f32], count: u16) -> f64 {
        let borders = magnitudes
            .iter()
            .flat_map(|x| (1..count).map(move |level| f32::from(level) / x * 1.000_001));
        let at = |scale: f32| -> Vec<u16> { magnitudes.iter().map(|x| ((x * scale) as u16).min(count - 1)).collect() };
        borders.map(|scale| angle(&at(scale), magnitudes)).fold(0.0, f64::max)
    }

    #[test]
    fn levels_are_nearly_as_good_as_the_best() {
        let mut random = Random::new(4);
        for rest in 1..=8 {
            // Of few components, some scale fits all by luck, and only trying every scale finds it.
            for (dim, worse) in [(2, 4.0), (16, 2.0), (48, 1.2)] {
                let magnitudes: Vec<f32> = (0..dim).map(|_| gaussian(&mut random).abs() as f32 + 1e-3).collect();
                let mut found = Vec::new();
                levels(&magnitudes, 1 << rest, &mut found);
                assert!(found.iter().all(|level| *level < 1 << rest));
                let [found, best] = [angle(&found, &magnitudes), best(&magnitudes, 1 << rest)].map(|angle| 1.0 - angle);
                assert!(
                    found < worse * best + 1e-6,
                    "{rest} bits, {dim}: {found} is lost, {best} would do"
                );
            }
        }
    }

    #[test]
    fn nothing_and_too_much_have_levels_too() {
        let mut out = Vec::new();
        for magnitudes in [[0.0, 0.0], [f32::INFINITY, 1.0], [1e-45, 0.0], [f32::MAX, f32::MAX]] {
            levels(&magnitudes, 4, &mut out);
            assert!(out.len() == 2 && out.iter().all(|level| *level < 4));
        }
    }
}
