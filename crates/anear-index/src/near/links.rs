//! The rows of the graph: for each slot the slots it is linked to. Their codes are beside them in blocks of 32, so that one row
//! tells how far all of them are; or, in a lean graph, each is kept once, by slot.

use std::ops::Range;

use anear_bytes::AlignedBytes;
use anear_quant::{BLOCK_LEN, Layout, TransformCode};

use super::effort::{ALONE, JUMP};
use super::slot_codes::{SlotCodes, stride};
use crate::{Error, Memory, Result};

/// No link.
pub(super) const NONE: u32 = u32::MAX;

/// More links than any row has: what a damaged file says beyond that is not multiplied.
const DEGREE_LIMIT: usize = 1 << 12;

/// Bytes that come from memory together.
pub(super) const LINE: usize = 64;

/// Links of which one on average leads to a slot that a walk has not seen (29 to 40 of 64 on words, 15 to 21 of 32 on texts).
const LINKS_PER_NEW: usize = 2;

/// Where the codes of those that a row links to are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// In the row itself, which takes kilobytes and is read in one go.
    Inline,
    /// By slot, each once: a graph takes a tenth of the memory, and a walk jumps to every end that it has not seen.
    Lean,
}

/// What a row is made of.
#[derive(Clone, Debug)]
pub(super) struct RowShape {
    /// Of 32 links.
    blocks: usize,
    code_len: usize,
    /// What blocks of codes are made of; none in a lean graph.
    inline: Option<BlockShape>,
}

#[derive(Clone, Debug)]
struct BlockShape {
    len: usize,
    layout: Layout,
    /// The code of no vector.
    absent: Vec<u8>,
}

impl RowShape {
    /// Of rows of up to `degree` links to vectors of this code.
    pub(super) fn new(code: &TransformCode, ends: Ends, degree: usize) -> Self {
        Self {
            blocks: degree.div_ceil(BLOCK_LEN),
            code_len: code.code_len(),
            inline: (ends == Ends::Inline).then(|| BlockShape {
                len: code.block_len(),
                layout: code.layout(),
                absent: code.absent(),
            }),
        }
    }

    /// Links that a row has room for.
    pub(super) fn degree(&self) -> usize {
        self.blocks * BLOCK_LEN
    }

    /// Bytes of a row: its blocks, where it has them, then the slots.
    pub(super) fn row_len(&self) -> usize {
        (self.blocks_len() + self.degree() * size_of::<u32>()).next_multiple_of(LINE)
    }

    fn blocks_len(&self) -> usize {
        self.inline.as_ref().map_or(0, |block| self.blocks * block.len)
    }

    /// Bytes of the code of a slot in a lean graph.
    fn slot_code_len(&self) -> usize {
        match self.inline {
            Some(_) => 0,
            None => stride(self.code_len),
        }
    }

    /// Bytes that the graph takes for a slot.
    pub(super) fn bytes_per_slot(&self) -> usize {
        self.row_len() + self.slot_code_len()
    }

    /// Bytes that a visit reads: those of a row count [`JUMP`]-fold, and [`ALONE`]-fold the codes that are not in it, a line of
    /// memory for each at least.
    pub(super) fn cost(&self) -> usize {
        let alone = match self.slot_code_len() {
            0 => 0,
            len => len.max(LINE),
        };
        self.row_len() * JUMP + self.degree() / LINKS_PER_NEW * alone * ALONE
    }

    /// Makes a row that links to these slots, whose codes `code` tells.
    pub(super) fn write(&self, row: &mut [u8], slots: &[u32], code: impl FnMut(u32, &mut Vec<u8>)) {
        let (blocks, numbers) = row.split_at_mut(self.blocks_len());
        if let Some(block) = &self.inline {
            self.write_blocks(block, blocks, slots, code);
        }
        let slots = slots.iter().copied().chain(std::iter::repeat(NONE));
        let numbers = numbers.as_chunks_mut::<4>().0.iter_mut().take(self.degree());
        for (number, slot) in numbers.zip(slots) {
            *number = slot.to_le_bytes();
        }
    }

    fn write_blocks(
        &self,
        shape: &BlockShape,
        blocks: &mut [u8],
        slots: &[u32],
        mut code: impl FnMut(u32, &mut Vec<u8>),
    ) {
        let mut codes = Vec::with_capacity(self.degree() * self.code_len);
        slots.iter().for_each(|slot| code(*slot, &mut codes));
        for _ in slots.len()..self.degree() {
            codes.extend_from_slice(&shape.absent);
        }
        let codes = codes.chunks_exact(BLOCK_LEN * self.code_len);
        for (block, codes) in blocks.chunks_exact_mut(shape.len).zip(codes) {
            let code = |lane| &codes[lane * self.code_len..][..self.code_len];
            shape.layout.write_all(block, &std::array::from_fn(code));
        }
    }
}

/// Links of every slot.
#[derive(Clone, Debug)]
pub(super) struct Links {
    shape: RowShape,
    rows: AlignedBytes,
    /// Of a lean graph.
    codes: Option<SlotCodes>,
    len: usize,
}

impl Links {
    /// No rows yet.
    pub(super) fn new(shape: RowShape) -> Self {
        let codes = shape.inline.is_none().then(|| SlotCodes::new(shape.code_len));
        Self {
            shape,
            rows: AlignedBytes::new(),
            codes,
            len: 0,
        }
    }

    /// Rows that are there already; with the codes of slots, where the graph is lean.
    ///
    /// # Errors
    /// [`Error::Damaged`] when they are not as many as slots.
    pub(super) fn from_bytes(
        code: &TransformCode,
        degree: usize,
        slots: usize,
        rows: AlignedBytes,
        codes: Option<AlignedBytes>,
    ) -> Result<Self> {
        let ends = if codes.is_some() { Ends::Lean } else { Ends::Inline };
        let shape = RowShape::new(code, ends, degree.min(DEGREE_LIMIT));
        if shape.degree() != degree || slots.checked_mul(shape.row_len()) != Some(rows.len()) {
            let len = rows.len();
            return Err(Error::Damaged(format!(
                "{len} bytes of rows of {degree} links for {slots} slots"
            )));
        }
        let codes = codes.map(|codes| SlotCodes::from_bytes(shape.code_len, slots, codes));
        Ok(Self {
            codes: codes.transpose()?,
            shape,
            rows,
            len: slots,
        })
    }

    pub(super) fn shape(&self) -> &RowShape {
        &self.shape
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.rows.as_slice()
    }

    /// The codes of slots, of a lean graph.
    pub(super) fn slot_codes(&self) -> Option<&SlotCodes> {
        self.codes.as_ref()
    }

    /// What it is, in a few words.
    pub(super) fn explain(&self) -> String {
        let what = if self.codes.is_some() {
            "a lean graph"
        } else {
            "a graph"
        };
        format!("{what} of {} bytes a vector", self.shape.bytes_per_slot())
    }

    pub(super) fn memory(&self) -> Memory {
        let codes = self.codes.as_ref().map(SlotCodes::memory);
        Memory::from(&self.rows) + codes.unwrap_or_default()
    }

    #[inline]
    pub(super) fn row(&self, slot: u32) -> &[u8] {
        let len = self.shape.row_len();
        &self.rows.as_slice()[slot as usize * len..][..len]
    }

    /// The blocks of a row, each with the slots of its codes; none in a lean graph.
    #[inline]
    pub(super) fn blocks(&self, slot: u32) -> impl Iterator<Item = (&[u8], &[[u8; 4]])> {
        let (codes, slots) = self.row(slot).split_at(self.shape.blocks_len());
        let slots = slots.as_chunks::<4>().0.chunks_exact(BLOCK_LEN);
        let block_len = self.shape.inline.as_ref().map_or(1, |block| block.len);
        codes.chunks_exact(block_len).zip(slots)
    }

    /// The slots that a slot is linked to.
    #[inline]
    pub(super) fn of(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let slots = &self.row(slot)[self.shape.blocks_len()..][..self.shape.degree() * 4];
        let slots = slots.as_chunks::<4>().0.iter().map(|slot| u32::from_le_bytes(*slot));
        // A file may tell of slots that are not there.
        slots.filter(|slot| (*slot as usize) < self.len)
    }

    /// Makes room for `additional` more rows.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`].
    pub(super) fn try_reserve(&mut self, additional: usize) -> Result<()> {
        let bytes = additional.saturating_mul(self.shape.row_len());
        let refused = |_| anear_quant::Error::OutOfMemory { bytes };
        self.rows.try_reserve(bytes).map_err(refused)?;
        match &mut self.codes {
            Some(codes) => codes.try_reserve(additional),
            None => Ok(()),
        }
    }

    /// Appends rows of slots with these codes, one after the other: nothing may lead to one before it is set.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`].
    pub(super) fn grow(&mut self, code_rows: &[u8]) -> Result<()> {
        let additional = code_rows.len() / self.shape.code_len;
        self.try_reserve(additional)?;
        self.len += additional;
        self.rows.resize(self.len * self.shape.row_len(), 0);
        if let Some(codes) = &mut self.codes {
            codes.extend(code_rows);
        }
        Ok(())
    }

    /// The rows of these slots, and what each is made of.
    pub(super) fn rows_mut(&mut self, slots: Range<usize>) -> (&RowShape, &mut [u8]) {
        let len = self.shape.row_len();
        let rows = &mut self.rows.as_mut_slice()[slots.start * len..slots.end * len];
        (&self.shape, rows)
    }

    /// Makes a row.
    pub(super) fn set(&mut self, slot: u32, slots: &[u32], code: impl FnMut(u32, &mut Vec<u8>)) {
        let slot = slot as usize;
        let (shape, row) = self.rows_mut(slot..slot + 1);
        shape.write(row, slots, code);
    }
}
