//! From components to numbers to packed codes, and back, in Faiss's arithmetic.

use anear_bytes::AlignedBytes;
use anear_kernels::{Packing, Rows};

use super::{Scalar, ScalarKind};

/// Appends one code per vector.
pub(super) fn encode(scalar: &Scalar, vectors: Rows<'_>, codes: &mut AlignedBytes) {
    let (packing, ranges) = (scalar.kind.packing(), scalar.ranges().collect::<Vec<_>>());
    let (start, code_len) = (codes.len(), packing.code_len(scalar.dim));
    codes.resize(start + vectors.len() * code_len, 0);
    let mut numbers = vec![0; scalar.dim];
    for (vector, code) in vectors
        .iter()
        .zip(codes.as_mut_slice()[start..].chunks_exact_mut(code_len))
    {
        match packing {
            Packing::F16 => put(code, vector, half),
            Packing::Bf16 => put(code, vector, bfloat),
            Packing::U8 => to_numbers(scalar.kind, &ranges, vector, code),
            Packing::U6 | Packing::U4 => {
                to_numbers(scalar.kind, &ranges, vector, &mut numbers);
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

/// The number of each component: that of its part of the range, or what is left of it without its fraction.
fn to_numbers(kind: ScalarKind, ranges: &[(f32, f32)], vector: &[f32], numbers: &mut [u8]) {
    let components = numbers.iter_mut().zip(vector).zip(ranges);
    match kind.levels() {
        Some(levels) => components.for_each(|((number, component), &(low, span))| {
            let share = if span == 0.0 { 0.0 } else { (component - low) / span };
            *number = (share.clamp(0.0, 1.0) * levels) as u8;
        }),
        None => components.for_each(|((number, component), (low, _))| *number = (component - low) as u8),
    }
}

fn put(code: &mut [u8], vector: &[f32], bits: impl Fn(f32) -> u16) {
    for (bytes, &component) in code.as_chunks_mut().0.iter_mut().zip(vector) {
        *bytes = bits(component).to_le_bytes();
    }
}

/// The upper half of a float, rounded to nearest, ties away from zero.
fn bfloat(component: f32) -> u16 {
    (component.to_bits().wrapping_add(0x8000) >> 16) as u16
}

/// IEEE half precision, rounded to nearest, ties away from zero as Faiss does it: not to even, as processors do.
fn half(component: f32) -> u16 {
    const INFINITE: u32 = 0x7c00;
    // 2^-14, below which halves are multiples of 2^-24; and what the exponents of both forms differ by.
    const NORMAL: f32 = f32::from_bits(0x3880_0000);
    const BIAS: u32 = 0x3800_0000;
    let magnitude = component.abs();
    let bits = if magnitude.is_nan() {
        INFINITE + 1
    } else if magnitude < NORMAL {
        (magnitude * 2.0_f32.powi(24)).round() as u32
    } else {
        // What overflows the fraction goes into the exponent, where it belongs.
        ((magnitude.to_bits() - BIAS + 0x1000) >> 13).min(INFINITE)
    };
    bits as u16 | (component.to_bits() >> 16) as u16 & 0x8000
}

/// Packs numbers of 4 or 6 bits: 2 or 4 of them end together at a byte.
fn pack(bits: usize, numbers: &[u8], code: &mut [u8]) {
    let (group, bytes) = if bits == 4 { (2, 1) } else { (4, 3) };
    for (numbers, code) in numbers.chunks(group).zip(code.chunks_mut(bytes)) {
        let packed = numbers
            .iter()
            .rev()
            .fold(0, |packed, &number| packed << bits | u32::from(number));
        code.copy_from_slice(&packed.to_le_bytes()[..code.len()]);
    }
}
