//! From a vector to its code.

use anear_kernels::{Metric, Rows};

use super::{Segment, TransformCode};

/// Vectors that are projected together: their components stay in the cache.
const TOGETHER: usize = 256;

/// Steps that are tried for each vector, relative to one that is as long as most: where components are distributed
/// otherwise than normally, narrower or wider ones fit better.
const STRETCHES: [f32; 6] = [0.7, 0.85, 1.0, 1.15, 1.35, 1.6];

/// Adding this to a float from 0 to 2^22 rounds it to a whole number, which its lowest bits are then.
const WHOLE: f32 = (1 << 23) as f32;

pub(super) fn encode(code: &TransformCode, vectors: Rows<'_>, codes: &mut Vec<u8>) {
    let mut encoder = Encoder::new(code);
    let mut components = Vec::new();
    let mut start = 0;
    while start < vectors.len() {
        let part = vectors.slice(start..vectors.len().min(start + TOGETHER));
        code.project(part, &mut components);
        for (vector, components) in part.iter().zip(components.chunks_exact(code.kept())) {
            encoder.push(vector, components, codes);
        }
        start += TOGETHER;
    }
}

struct Encoder<'a> {
    code: &'a TransformCode,
    /// Of each component: the step, and the largest level.
    steps: Vec<f32>,
    highest: Vec<f32>,
    /// The root of the sum of squares that a vector as long as most has.
    length: f32,
    numbers: Vec<f32>,
    best: Vec<f32>,
}

impl<'a> Encoder<'a> {
    fn new(code: &'a TransformCode) -> Self {
        let per_component = |f: &dyn Fn(&Segment) -> f32| -> Vec<f32> {
            let repeated = code
                .segments
                .iter()
                .flat_map(|segment| std::iter::repeat_n(f(segment), segment.len));
            repeated.collect()
        };
        let deviation = |segment: &Segment| match segment.bits {
            1 => segment.step / 1.5958,
            2 => segment.step / 0.9957,
            _ => segment.step / 0.3352,
        };
        let deviations = per_component(&deviation);
        Self {
            code,
            steps: per_component(&|segment| segment.step),
            highest: per_component(&|segment| ((1 << segment.bits) - 1) as f32),
            length: deviations.iter().map(|x| x * x).sum::<f32>().sqrt(),
            numbers: vec![0.0; code.kept()],
            best: vec![0.0; code.kept()],
        }
    }

    fn push(&mut self, vector: &[f32], components: &[f32], codes: &mut Vec<u8>) {
        let square = components.iter().map(|x| x * x).sum::<f32>();
        let product = self.choose(components, square.sqrt());
        let start = codes.len();
        self.write_nibbles(codes);
        codes.resize(start + self.code.nibbles() / 2, 0);
        let centered = vector.iter().zip(&self.code.mean).map(|(x, mean)| x - mean);
        let norm: f32 = centered.map(|x| x * x).sum();
        let tail = (norm - square).max(0.0) * self.code.tail;
        let scale = if product > 0.0 { (square + tail) / product } else { 0.0 };
        let factors = match self.code.metric {
            Metric::L2 => [norm, -2.0 * scale],
            _ => {
                let with_mean: f32 = vector.iter().zip(&self.code.mean).map(|(x, mean)| x * mean).sum();
                [-with_mean, -scale]
            }
        };
        codes.extend_from_slice(factors.map(f32::to_le_bytes).as_flattened());
    }

    /// Finds the numbers whose levels point most nearly where the components do; returns the inner product of both.
    fn choose(&mut self, components: &[f32], length: f32) -> f32 {
        let relative = if self.length > 0.0 { length / self.length } else { 0.0 };
        let (mut best, mut best_product) = (-1.0, 0.0);
        for stretch in STRETCHES {
            let stretch = stretch * relative;
            if stretch <= 0.0 {
                break;
            }
            let (product, square) = self.round(components, 1.0 / stretch);
            let cosine = product / square.sqrt().max(f32::MIN_POSITIVE);
            if cosine > best {
                (best, best_product) = (cosine, product);
                std::mem::swap(&mut self.numbers, &mut self.best);
            }
        }
        best_product
    }

    /// Rounds components that are multiplied by `narrow`; the inner product of the levels with them, and their own square.
    fn round(&mut self, components: &[f32], narrow: f32) -> (f32, f32) {
        let (mut products, mut squares) = ([0.0; 8], [0.0; 8]);
        let ranges = self.steps.chunks(8).zip(self.highest.chunks(8));
        let parts = components.chunks(8).zip(self.numbers.chunks_mut(8)).zip(ranges);
        for ((components, numbers), (steps, highest)) in parts {
            let each = components.iter().zip(numbers).zip(steps.iter().zip(highest));
            for (lane, ((component, number), (step, highest))) in each.enumerate() {
                let middle = 0.5 * highest;
                let share = component * narrow / step.max(f32::MIN_POSITIVE) + middle;
                *number = (share.max(0.0).min(*highest) + WHOLE) - WHOLE;
                let level = (*number - middle) * step;
                products[lane] += level * component;
                squares[lane] += level * level;
            }
        }
        (products.iter().sum(), squares.iter().sum())
    }

    fn write_nibbles(&self, codes: &mut Vec<u8>) {
        let mut high = false;
        let mut numbers = self.best.as_slice();
        for segment in &self.code.segments {
            let (own, rest) = numbers.split_at(segment.len);
            for shared in own.chunks(segment.together()) {
                let together = shared.iter().rev();
                let nibble = together.fold(0, |nibble, number| nibble << segment.bits | *number as u8);
                match codes.last_mut().filter(|_| high) {
                    Some(byte) => *byte |= nibble << 4,
                    None => codes.push(nibble),
                }
                high = !high;
            }
            numbers = rest;
        }
    }
}
