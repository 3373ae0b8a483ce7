//! The rows of the graph: for each slot the slots it is linked to, with their codes beside them in blocks of 32, so that one
//! row tells how far all of them are.

use anear_bytes::AlignedBytes;
use anear_quant::{BLOCK_LEN, Layout, TransformCode};

use crate::{Error, Result};

/// No link.
pub(super) const NONE: u32 = u32::MAX;

/// More links than any row has.
const DEGREE_MAX: usize = 1 << 12;

/// Bytes that come from memory together.
const LINE: usize = 64;

/// Links of every slot, some blocks of 32 each.
#[derive(Clone, Debug)]
pub(super) struct Links {
    /// Blocks of a row.
    blocks: usize,
    block_len: usize,
    absent: Vec<u8>,
    layout: Layout,
    code_len: usize,
    bytes: AlignedBytes,
    len: usize,
}

impl Links {
    /// For rows of up to `degree` links to vectors of this code.
    pub(super) fn new(code: &TransformCode, degree: usize) -> Self {
        Self {
            blocks: degree.div_ceil(BLOCK_LEN),
            block_len: code.block_len(),
            absent: code.absent(),
            layout: code.layout(),
            code_len: code.code_len(),
            bytes: AlignedBytes::new(),
            len: 0,
        }
    }

    /// Rows that are there already.
    ///
    /// # Errors
    /// [`Error::Damaged`] when they are not as many as slots.
    pub(super) fn from_bytes(code: &TransformCode, degree: usize, slots: usize, bytes: AlignedBytes) -> Result<Self> {
        let mut links = Self::new(code, degree.min(DEGREE_MAX));
        if links.degree() != degree || slots.checked_mul(links.row_len()) != Some(bytes.len()) {
            let len = bytes.len();
            return Err(Error::Damaged(format!(
                "{len} bytes of rows of {degree} links for {slots} slots"
            )));
        }
        (links.bytes, links.len) = (bytes, slots);
        Ok(links)
    }

    /// Links that a row has room for.
    pub(super) fn degree(&self) -> usize {
        self.blocks * BLOCK_LEN
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn as_bytes(&self) -> &AlignedBytes {
        &self.bytes
    }

    /// Bytes of a row: its blocks, then the slots.
    pub(super) fn row_len(&self) -> usize {
        (self.blocks * self.block_len + self.degree() * size_of::<u32>()).next_multiple_of(LINE)
    }

    pub(super) fn row(&self, slot: u32) -> &[u8] {
        &self.bytes.as_slice()[slot as usize * self.row_len()..][..self.row_len()]
    }

    /// The blocks of a row, each with the slots of its codes.
    #[inline]
    pub(super) fn blocks<'a>(&self, row: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [[u8; 4]])> + use<'a> {
        let (codes, slots) = row.split_at(self.blocks * self.block_len);
        let slots = slots.as_chunks::<4>().0.chunks_exact(BLOCK_LEN);
        codes.chunks_exact(self.block_len).zip(slots)
    }

    /// The slots that a slot is linked to.
    pub(super) fn of(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let slots = &self.row(slot)[self.blocks * self.block_len..][..self.degree() * 4];
        let slots = slots.as_chunks::<4>().0.iter().map(|slot| u32::from_le_bytes(*slot));
        // A file may tell of slots that are not there.
        slots.filter(|slot| (*slot as usize) < self.len)
    }

    /// The bytes of a row that links to these slots, whose codes `code` tells.
    pub(super) fn make_row(&self, slots: &[u32], mut code: impl FnMut(u32, &mut Vec<u8>)) -> Vec<u8> {
        let mut row = vec![0; self.row_len()];
        let mut one = Vec::with_capacity(self.code_len);
        let (codes, numbers) = row.split_at_mut(self.blocks * self.block_len);
        for (lane, number) in numbers
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .take(self.degree())
            .enumerate()
        {
            let slot = slots.get(lane).copied().unwrap_or(NONE);
            *number = slot.to_le_bytes();
            one.clear();
            match slot {
                NONE => one.extend_from_slice(&self.absent),
                slot => code(slot, &mut one),
            }
            let block = &mut codes[lane / BLOCK_LEN * self.block_len..][..self.block_len];
            self.layout.write(block, lane % BLOCK_LEN, &one);
        }
        row
    }

    /// Makes room for `additional` more rows.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`].
    pub(super) fn try_reserve(&mut self, additional: usize) -> Result<()> {
        let bytes = additional.saturating_mul(self.row_len());
        let refused = |_| anear_quant::Error::OutOfMemory { bytes };
        Ok(self.bytes.try_reserve(bytes).map_err(refused)?)
    }

    /// Appends rows.
    pub(super) fn extend(&mut self, rows: &[u8]) {
        self.bytes.extend_from_slice(rows);
        self.len += rows.len() / self.row_len();
    }

    /// Replaces a row.
    pub(super) fn set(&mut self, slot: u32, row: &[u8]) {
        let len = self.row_len();
        self.bytes.as_mut_slice()[slot as usize * len..][..len].copy_from_slice(row);
    }
}
