//! Numbers of any number of bits, one after the other, low bits first.

/// A string of bits that grows.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    len: usize,
}

impl BitWriter {
    /// Appends the lowest `bits` bits of `value`.
    pub(super) fn push(&mut self, value: u64, bits: usize) {
        for i in 0..bits {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (value >> i & 1) as u8;
            self.bytes[self.len / 8] |= bit << (self.len % 8);
            self.len += 1;
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// A place in a string of bits.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `bits` bits, or zeros behind the end.
    pub(super) fn next(&mut self, bits: usize) -> u64 {
        (0..bits).fold(0, |value, i| {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
            let bit = u64::from(byte >> (self.at % 8) & 1);
            self.at += 1;
            value | bit << i
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = [(5, 3), (0, 0), (1 << 63 | 1, 64), (0b1010, 4), (77, 7)];
        let mut writer = BitWriter::default();
        numbers.iter().for_each(|(value, bits)| writer.push(*value, *bits));
        let bytes = writer.into_bytes();
        assert_eq!(bytes.len(), 10);
        let mut reader = BitReader::new(&bytes);
        assert!(numbers.iter().all(|(value, bits)| reader.next(*bits) == *value));
        assert_eq!(reader.next(30), 0);
    }
}
