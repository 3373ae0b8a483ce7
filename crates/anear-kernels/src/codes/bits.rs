//! Strings of bits: numbers of a few bits each, one after the other, the lowest bit first (as Faiss packs codes).

/// The `bits` bits of `code` from bit `at` on; what lies beyond the code is zero. At most 32.
///
/// ```
/// use anear_kernels::{read_bits, write_bits};
///
/// let mut code = [0; 3];
/// write_bits(&mut code, 0, 12, 0xabc);
/// write_bits(&mut code, 12, 12, 0xdef);
/// assert_eq!(code, [0xbc, 0xfa, 0xde]);
/// assert_eq!(read_bits(&code, 12, 12), 0xdef);
/// ```
///
/// # Panics
/// If `at` lies beyond the code.
#[inline(always)]
pub fn read_bits(code: &[u8], at: usize, bits: u32) -> u32 {
    let bytes = &code[at / 8..];
    // Four bytes are in the code more often than eight.
    let few = (bits <= 25).then(|| bytes.first_chunk()).flatten();
    let word = match (few, bytes.first_chunk()) {
        (Some(chunk), _) => u32::from_le_bytes(*chunk).into(),
        (_, Some(chunk)) => u64::from_le_bytes(*chunk),
        _ => last_bytes(bytes),
    };
    (word >> (at % 8)) as u32 & (u64::MAX >> (64 - bits)) as u32
}

/// Fewer than 8 bytes and zeros behind them.
fn last_bytes(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// Writes the low `bits` bits of `value` at bit `at` of `code`, where there are zeros so far. At most 32.
///
/// # Panics
/// If they do not fit into the code.
pub fn write_bits(code: &mut [u8], at: usize, bits: u32, value: u32) {
    let end = (at + bits as usize).div_ceil(8);
    let word = u64::from(value) << (at % 8);
    for (byte, more) in code[at / 8..end].iter_mut().zip(word.to_le_bytes()) {
        *byte |= more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_come_back() {
        for bits in 1..=32 {
            let value = |i: u32| i.wrapping_mul(0x9e37_79b9) >> (32 - bits);
            let mut code = vec![0; (11 * bits as usize).div_ceil(8)];
            (0..11).for_each(|i| write_bits(&mut code, (i * bits) as usize, bits, value(i)));
            assert!(
                (0..11).all(|i| read_bits(&code, (i * bits) as usize, bits) == value(i)),
                "{bits} bits"
            );
        }
    }
}
