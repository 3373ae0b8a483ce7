//! The rows of the graph: for each slot the slots it is linked to, with their codes beside them in blocks of 32, so that one
//! row tells how far all of them are.

use std::ops::Range;

use anear_bytes::AlignedBytes;
use anear_quant::{BLOCK_LEN, Layout, TransformCode};

use crate::{Error, Result};

/// No link.
pub(super) const NONE: u32 = u32::MAX;

/// More links than any row has.
const DEGREE_LIMIT: usize = 1 << 12;

/// Bytes that come from memory together.
const LINE: usize = 64;

/// What a row is made of.
#[derive(Clone, Debug)]
pub(super) struct RowShape {
    blocks: usize,
    block_len: usize,
    absent: Vec<u8>,
    layout: Layout,
    code_len: usize,
}

impl RowShape {
    /// Links that a row has room for.
    pub(super) fn degree(&self) -> usize {
        self.blocks * BLOCK_LEN
    }

    /// Bytes of a row: its blocks, then the slots.
    pub(super) fn row_len(&self) -> usize {
        (self.blocks * self.block_len + self.degree() * size_of::<u32>()).next_multiple_of(LINE)
    }

    /// Makes a row that links to these slots, whose codes `code` tells.
    pub(super) fn write(&self, row: &mut [u8], slots: &[u32], mut code: impl FnMut(u32, &mut Vec<u8>)) {
        let mut codes = Vec::with_capacity(self.degree() * self.code_len);
        slots.iter().for_each(|slot| code(*slot, &mut codes));
        for _ in slots.len()..self.degree() {
            codes.extend_from_slice(&self.absent);
        }
        let (blocks, numbers) = row.split_at_mut(self.blocks * self.block_len);
        let codes = codes.chunks_exact(BLOCK_LEN * self.code_len);
        for (block, codes) in blocks.chunks_exact_mut(self.block_len).zip(codes) {
            let code = |lane| &codes[lane * self.code_len..][..self.code_len];
            self.layout.write_all(block, &std::array::from_fn(code));
        }
        let slots = slots.iter().copied().chain(std::iter::repeat(NONE));
        let numbers = numbers.as_chunks_mut::<4>().0.iter_mut().take(self.degree());
        for (number, slot) in numbers.zip(slots) {
            *number = slot.to_le_bytes();
        }
    }
}

/// Links of every slot, some blocks of 32 each.
#[derive(Clone, Debug)]
pub(super) struct Links {
    shape: RowShape,
    bytes: AlignedBytes,
    len: usize,
}

impl Links {
    /// For rows of up to `degree` links to vectors of this code.
    pub(super) fn new(code: &TransformCode, degree: usize) -> Self {
        let shape = RowShape {
            blocks: degree.div_ceil(BLOCK_LEN),
            block_len: code.block_len(),
            absent: code.absent(),
            layout: code.layout(),
            code_len: code.code_len(),
        };
        Self {
            shape,
            bytes: AlignedBytes::new(),
            len: 0,
        }
    }

    /// Rows that are there already.
    ///
    /// # Errors
    /// [`Error::Damaged`] when they are not as many as slots.
    pub(super) fn from_bytes(code: &TransformCode, degree: usize, slots: usize, bytes: AlignedBytes) -> Result<Self> {
        let mut links = Self::new(code, degree.min(DEGREE_LIMIT));
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
        self.shape.degree()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn as_bytes(&self) -> &AlignedBytes {
        &self.bytes
    }

    /// Bytes of a row.
    pub(super) fn row_len(&self) -> usize {
        self.shape.row_len()
    }

    pub(super) fn row(&self, slot: u32) -> &[u8] {
        &self.bytes.as_slice()[slot as usize * self.row_len()..][..self.row_len()]
    }

    /// The blocks of a row, each with the slots of its codes.
    #[inline]
    pub(super) fn blocks<'a>(&self, row: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [[u8; 4]])> + use<'a> {
        let (codes, slots) = row.split_at(self.shape.blocks * self.shape.block_len);
        let slots = slots.as_chunks::<4>().0.chunks_exact(BLOCK_LEN);
        codes.chunks_exact(self.shape.block_len).zip(slots)
    }

    /// The slots that a slot is linked to.
    pub(super) fn of(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let slots = &self.row(slot)[self.shape.blocks * self.shape.block_len..][..self.degree() * 4];
        let slots = slots.as_chunks::<4>().0.iter().map(|slot| u32::from_le_bytes(*slot));
        // A file may tell of slots that are not there.
        slots.filter(|slot| (*slot as usize) < self.len)
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

    /// Appends `additional` rows, for [`rows_mut`](Self::rows_mut) to make.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`].
    pub(super) fn grow(&mut self, additional: usize) -> Result<()> {
        self.try_reserve(additional)?;
        self.len += additional;
        self.bytes.resize(self.len * self.row_len(), 0);
        Ok(())
    }

    /// The rows of these slots, and what each is made of.
    pub(super) fn rows_mut(&mut self, slots: Range<usize>) -> (&RowShape, &mut [u8]) {
        let len = self.row_len();
        let rows = &mut self.bytes.as_mut_slice()[slots.start * len..slots.end * len];
        (&self.shape, rows)
    }

    /// Makes a row.
    pub(super) fn set(&mut self, slot: u32, slots: &[u32], code: impl FnMut(u32, &mut Vec<u8>)) {
        let slot = slot as usize;
        let (shape, row) = self.rows_mut(slot..slot + 1);
        shape.write(row, slots, code);
    }
}
