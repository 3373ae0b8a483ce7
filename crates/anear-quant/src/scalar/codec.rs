//! From components to numbers to packed codes, and back, in Faiss's arithmetic.

use anear_bytes::AlignedBytes;
use anear_kernels::{Packing, Rows, halves, quantize};

use super::{Scalar, ScalarKind};

/// Appends one code per vector.
pub(super) fn encode(scalar: &Scalar, vectors: Rows<'_>, codes: &mut AlignedBytes) {
    let packing = scalar.kind.packing();
    let (start, code_len) = (codes.len(), packing.code_len(scalar.dim));
    codes.resize(start + vectors.len() * code_len, 0);
    let codes = codes.as_mut_slice()[start..].chunks_exact_mut(code_len);
    let (lows, spans): (Vec<f32>, Vec<f32>) = scalar.ranges().unzip();
    let to_numbers = |vector: &[f32], numbers: &mut [u8]| match scalar.kind.levels() {
        Some(levels) => quantize(vector, &lows, &spans, levels, numbers),
        None => without_fraction(vector, &lows, numbers),
    };
    let mut numbers = vec![0; scalar.dim];
    for (vector, code) in vectors.iter().zip(codes) {
        match packing {
            Packing::F16 => halves(vector, code.as_chunks_mut().0),
            Packing::Bf16 => bfloats(vector, code.as_chunks_mut().0),
            Packing::U8 => to_numbers(vector, code),
            Packing::U6 | Packing::U4 => {
                to_numbers(vector, &mut numbers);
                pack(packing.bits(), &numbers, code);
            }
        }
    }
}

/// Appends one vector per code.
pub(super) fn decode(scalar: &Scalar, codes: &[u8], vectors: &mut Vec<f32>) {
    let packing = scalar.kind.packing();
    let ranges: Vec<_> = scalar.ranges().collect();
    let mut numbers = vec![0.0; scalar.dim];
    for code in codes.chunks_exact(packing.code_len(scalar.dim)) {
        packing.unpack(code, &mut numbers);
        let components = numbers.iter().zip(&ranges);
        match (scalar.kind.levels(), scalar.kind) {
            // In this order: anything else has other last digits than Faiss.
            (Some(levels), _) => vectors.extend(components.map(|(n, (low, span))| low + (n + 0.5) / levels * span)),
            (None, ScalarKind::DirectSigned) => vectors.extend(components.map(|(n, (low, _))| n + low)),
            (None, _) => vectors.extend_from_slice(&numbers),
        }
    }
}

/// What a component is above its low end, without its fraction.
fn without_fraction(vector: &[f32], lows: &[f32], numbers: &mut [u8]) {
    for ((number, component), low) in numbers.iter_mut().zip(vector).zip(lows) {
        *number = (component - low) as u8;
    }
}

/// The upper halves of floats, rounded to nearest, ties away from zero.
fn bfloats(vector: &[f32], bits: &mut [[u8; 2]]) {
    for (bits, component) in bits.iter_mut().zip(vector) {
        *bits = ((component.to_bits().wrapping_add(0x8000) >> 16) as u16).to_le_bytes();
    }
}

/// Packs numbers of 4 or 6 bits: 2 or 4 of them end together at a byte.
fn pack(bits: usize, numbers: &[u8], code: &mut [u8]) {
    if bits == 4 {
        let (pairs, last) = numbers.as_chunks::<2>();
        let packed = pairs.iter().map(|[low, high]| low | high << 4);
        let packed = packed.chain(last.iter().copied());
        code.iter_mut().zip(packed).for_each(|(code, packed)| *code = packed);
        return;
    }
    for (numbers, code) in numbers.chunks(4).zip(code.chunks_mut(3)) {
        let packed = numbers
            .iter()
            .rev()
            .fold(0, |packed, &number| packed << 6 | u32::from(number));
        code.copy_from_slice(&packed.to_le_bytes()[..code.len()]);
    }
}
