//! The codes of a lean graph's slots: each is there once, for walks that jump from one to another.

use anear_bytes::AlignedBytes;
use anear_kernels::{BitWeights, prefetch};

use crate::{Error, Memory, Result};

/// Codes begin at a multiple of this: then one of 64 bytes is in one line of memory, and one of 96 in two.
const APART: usize = 32;

/// Codes by slot.
#[derive(Clone, Debug)]
pub(super) struct SlotCodes {
    code_len: usize,
    bytes: AlignedBytes,
}

/// Bytes from one code to the next, where they have so many.
pub(super) fn stride(code_len: usize) -> usize {
    code_len.next_multiple_of(APART)
}

impl SlotCodes {
    /// None yet, of codes of so many bytes.
    pub(super) fn new(code_len: usize) -> Self {
        Self {
            code_len,
            bytes: AlignedBytes::new(),
        }
    }

    /// Those of so many slots that are there already.
    ///
    /// # Errors
    /// [`Error::Damaged`] when they are not as many.
    pub(super) fn from_bytes(code_len: usize, slots: usize, bytes: AlignedBytes) -> Result<Self> {
        match slots.checked_mul(stride(code_len)) == Some(bytes.len()) {
            true => Ok(Self { code_len, bytes }),
            false => Err(Error::Damaged(format!(
                "{} bytes of codes of a lean graph for {slots} slots",
                bytes.len()
            ))),
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    pub(super) fn memory(&self) -> Memory {
        Memory::from(&self.bytes)
    }

    /// Makes room for `additional` more.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`].
    pub(super) fn try_reserve(&mut self, additional: usize) -> Result<()> {
        let bytes = additional.saturating_mul(stride(self.code_len));
        let refused = |_| anear_quant::Error::OutOfMemory { bytes };
        Ok(self.bytes.try_reserve(bytes).map_err(refused)?)
    }

    /// Appends codes that lie one after the other.
    pub(super) fn extend(&mut self, code_rows: &[u8]) {
        let (stride, codes) = (stride(self.code_len), code_rows.chunks_exact(self.code_len));
        let start = self.bytes.len();
        self.bytes.resize(start + codes.len() * stride, 0);
        let places = self.bytes.as_mut_slice()[start..].chunks_exact_mut(stride);
        for (place, code) in places.zip(codes) {
            place[..code.len()].copy_from_slice(code);
        }
    }

    /// Has the code of a slot fetched from memory.
    #[inline]
    pub(super) fn fetch(&self, slot: u32) {
        let start = slot as usize * stride(self.code_len);
        prefetch(&self.bytes.as_slice()[start..][..self.code_len]);
    }

    /// Writes estimates of the codes of some slots.
    #[inline]
    pub(super) fn estimates(&self, weights: &BitWeights, slots: &[u32], out: &mut [f32]) {
        weights.estimates_at(self.bytes.as_slice(), stride(self.code_len), slots, out);
    }
}
