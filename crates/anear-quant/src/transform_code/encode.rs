//! From a vector to its code.

use anear_kernels::{Grid, Metric, Rows};

use super::TransformCode;

/// Vectors that are projected together: their components stay in the cache.
const TOGETHER: usize = 256;

/// Steps that are tried for each vector, relative to one that is as long as most: where components are distributed
/// otherwise than normally, narrower or wider ones fit better.
const STRETCHES: [f32; Grid::SCALES] = [0.7, 0.85, 1.0, 1.15, 1.35, 1.6];

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
    grid: Grid,
    /// The root of the sum of squares that a vector as long as most has.
    length: f32,
    numbers: Vec<u8>,
    nibbles: Vec<u8>,
}

impl<'a> Encoder<'a> {
    fn new(code: &'a TransformCode) -> Self {
        let segments = code.segments.iter();
        let squares = segments.map(|segment| segment.len as f32 * segment.variance());
        let segments = code.segments.iter();
        let levels = segments.flat_map(|segment| std::iter::repeat_n((segment.step, segment.bits), segment.len));
        Self {
            code,
            grid: Grid::new(levels),
            length: squares.sum::<f32>().sqrt(),
            numbers: vec![0; code.kept()],
            nibbles: Vec::new(),
        }
    }

    fn push(&mut self, vector: &[f32], components: &[f32], codes: &mut Vec<u8>) {
        let square = -Metric::InnerProduct.distance(components, components);
        let product = self
            .grid
            .round(components, &self.scales(square.sqrt()), &mut self.numbers);
        self.write_nibbles(codes);
        let norm = Metric::L2.distance(vector, &self.code.mean);
        let scale = if product > 0.0 { square / product } else { 0.0 };
        let factors = match self.code.metric {
            Metric::L2 => [norm, -2.0 * scale],
            _ => [Metric::InnerProduct.distance(vector, &self.code.mean), -scale],
        };
        codes.extend_from_slice(factors.map(f32::to_le_bytes).as_flattened());
    }

    /// What the components of a vector so long are multiplied by before they are rounded.
    fn scales(&self, length: f32) -> [f32; Grid::SCALES] {
        let per_length = if length > 0.0 { self.length / length } else { 0.0 };
        STRETCHES.map(|stretch| per_length / stretch)
    }

    fn write_nibbles(&mut self, codes: &mut Vec<u8>) {
        self.nibbles.clear();
        let mut numbers = self.numbers.as_slice();
        for segment in &self.code.segments {
            let (own, rest) = numbers.split_at(segment.len);
            match segment.bits {
                1 => push_nibbles::<1, 4>(own, &mut self.nibbles),
                2 => push_nibbles::<2, 2>(own, &mut self.nibbles),
                _ => self.nibbles.extend_from_slice(own),
            }
            numbers = rest;
        }
        self.nibbles.resize(self.code.nibbles(), 0);
        let pairs = self.nibbles.as_chunks().0.iter();
        codes.extend(pairs.map(|[low, high]| low | high << 4));
    }
}

/// Appends the nibbles of numbers of `BITS` bits, of which `SHARED` share one, the first the lowest bits.
fn push_nibbles<const BITS: u32, const SHARED: usize>(numbers: &[u8], nibbles: &mut Vec<u8>) {
    let nibble = |shared: &[u8]| shared.iter().rev().fold(0, |nibble, number| nibble << BITS | number);
    let (whole, rest) = numbers.as_chunks::<SHARED>();
    nibbles.extend(whole.iter().map(|shared| nibble(shared)));
    if !rest.is_empty() {
        nibbles.push(nibble(rest));
    }
}
