//! Codes in blocks, as fast scans have them: Faiss's may be of more than 32 vectors, ours in memory are not.
//!
//! A block of Faiss's holds, for each pair of nibbles, those of its first 32 vectors, then those of the next 32 and so on;
//! behind all pairs comes what else the codes have, vector by vector.

use std::any::Any;
use std::borrow::Cow;

use anear_bytes::AlignedBytes;
use anear_quant::{BLOCK_LEN, Codes, FastScan, Layout, Quantizer, RaBitQFastScan};

use super::source::Source;
use super::unsound;
use crate::Result;

/// How the codes of a quantizer lie in Faiss's blocks.
#[derive(Clone, Copy)]
pub(super) struct Blocks {
    layout: Layout,
    code_len: usize,
    /// Blocks of ours in one of Faiss's.
    groups: usize,
    /// Bytes of the nibbles of one of our blocks.
    plane: usize,
}

impl Blocks {
    /// Of a quantizer whose codes lie in blocks.
    pub(super) fn of(quantizer: &dyn Quantizer) -> Self {
        let any: &dyn Any = quantizer;
        let len = any.downcast_ref().map(FastScan::file_block);
        let len = len.or_else(|| any.downcast_ref().map(RaBitQFastScan::file_block));
        let (layout, code_len) = (quantizer.layout(), quantizer.code_len());
        let plane = match layout {
            Layout::Rows => 0,
            Layout::Blocks { nibbles } => nibbles.div_ceil(2) * BLOCK_LEN,
        };
        Self {
            layout,
            code_len,
            groups: len.unwrap_or(BLOCK_LEN) / BLOCK_LEN,
            plane,
        }
    }

    /// Vectors of a block.
    pub(super) fn len(self) -> usize {
        self.groups * BLOCK_LEN
    }

    /// Bytes of a block.
    pub(super) fn bytes(self) -> usize {
        self.groups * self.layout.block_bytes(self.code_len)
    }

    /// `len` codes that lie so.
    pub(super) fn read(self, len: usize, bytes: &[u8], source: &Source<'_>) -> Result<Codes> {
        if Some(bytes.len()) != len.div_ceil(self.len()).checked_mul(self.bytes()) {
            return Err(unsound(format!(
                "{len} codes of {} bytes in blocks of {} do not fill {} bytes",
                self.code_len,
                self.len(),
                bytes.len()
            )));
        }
        let own = match self.groups {
            1 => source.own(bytes)?,
            _ => self.regrouped(bytes, self.layout.bytes_for(len, self.code_len)),
        };
        Ok(Codes::from_bytes(self.layout, self.code_len, len, own)?)
    }

    /// The first `len` bytes of these blocks, as blocks of ours.
    fn regrouped(self, bytes: &[u8], len: usize) -> AlignedBytes {
        let mut own = AlignedBytes::zeroed(bytes.len());
        let all = own.as_mut_slice();
        self.each_run(bytes.len(), |theirs, ours, len| {
            all[ours..ours + len].copy_from_slice(&bytes[theirs..theirs + len]);
        });
        own.truncate(len);
        own
    }

    /// These codes as they lie in a file.
    pub(super) fn written(self, codes: &Codes) -> Cow<'_, [u8]> {
        let own = codes.as_bytes();
        if self.groups == 1 {
            return Cow::Borrowed(own);
        }
        let mut blocks = vec![0; codes.len().div_ceil(self.len()) * self.bytes()];
        self.each_run(blocks.len(), |theirs, ours, len| {
            // Behind the last block of ours there are zeros.
            if let Some(own) = own.get(ours..ours + len) {
                blocks[theirs..theirs + len].copy_from_slice(own);
            }
        });
        Cow::Owned(blocks)
    }

    /// Calls `copy` with where each run of bytes lies in Faiss's blocks, where in ours, and how long it is.
    fn each_run(self, len: usize, mut copy: impl FnMut(usize, usize, usize)) {
        let own = self.bytes() / self.groups;
        let rest = own - self.plane;
        for block in (0..len).step_by(self.bytes()) {
            for group in 0..self.groups {
                let ours = block + group * own;
                for pair in (0..self.plane).step_by(BLOCK_LEN) {
                    copy(block + pair * self.groups + group * BLOCK_LEN, ours + pair, BLOCK_LEN);
                }
                copy(block + self.plane * self.groups + group * rest, ours + self.plane, rest);
            }
        }
    }
}

/// The vectors of a block, as files tell them.
pub(super) fn read_len(source: &mut Source<'_>) -> Result<usize> {
    let len = source.i32("vectors per block")?;
    usize::try_from(len).map_err(|_| unsound(format!("its blocks are of {len} vectors")))
}

#[cfg(test)]
mod tests {
    use anear_kernels::{Metric, Rows};
    use anear_quant::RaBitQParams;

    use super::*;

    #[test]
    fn a_block_of_64_is_two_of_32_pair_by_pair() {
        let params = RaBitQParams {
            bits: 1,
            metric: Metric::L2,
            query_bits: 0,
        };
        let vectors: Vec<f32> = (0..70 * 12).map(|i| (i * i % 97) as f32 - 48.0).collect();
        let vectors = Rows::new(&vectors, 12).unwrap();
        let rabitq = RaBitQFastScan::new(params.train(vectors).unwrap());
        let codes = rabitq.codes_of(vectors).unwrap();
        let rabitq = rabitq.with_file_block(64).unwrap();
        let blocks = Blocks::of(&rabitq);
        let written = blocks.written(&codes).into_owned();

        // Three nibbles of signs take two pairs; factors take eight bytes.
        let part = |block: usize, from: usize, to: usize| &codes.as_bytes()[block * 320..][32 * from..32 * to];
        let zeros = [0; 320];
        let expected = [
            [
                part(0, 0, 1),
                part(1, 0, 1),
                part(0, 1, 2),
                part(1, 1, 2),
                part(0, 2, 10),
                part(1, 2, 10),
            ]
            .concat(),
            [
                part(2, 0, 1),
                &zeros[..32],
                part(2, 1, 2),
                &zeros[..32],
                part(2, 2, 10),
                &zeros[..256],
            ]
            .concat(),
        ];
        assert_eq!(written, expected.concat());
        let again = blocks.read(70, &written, &Source::new(&[], None)).unwrap();
        assert_eq!(again.as_bytes(), codes.as_bytes());
        assert!(blocks.read(65, &written[1..], &Source::new(&[], None)).is_err());
        assert!(blocks.read(129, &written, &Source::new(&[], None)).is_err());
    }

    #[test]
    fn blocks_of_no_multiple_of_32_are_refused() {
        for len in [0, 16, 48, 4128] {
            assert!(
                FastScan::from_parts(4, 2, vec![0.0; 64])
                    .unwrap()
                    .with_file_block(len)
                    .is_err()
            );
        }
    }
}
