//! The rows of the graph: for each slot the slots it is linked to. Their codes are beside them in blocks of 32, so that one row
//! tells how far all of them are; or, in a lean graph, each is kept once, by slot.

use std::ops::Range;

use anear_bytes::AlignedBytes;
use anear_quant::{BLOCK_LEN, Layout, TransformCode};

use super::curve::{ALONE, JUMP};
use crate::{Error, Memory, Result};

/// No link.
pub(super) const NONE: u32 = u32::MAX;

/// More links than any row has.
const DEGREE_LIMIT: usize = 1 << 12;

/// Bytes that come from memory together.
const LINE: usize = 64;

/// Codes by slot begin at a multiple of this: then one of 64 bytes is in one line, and one of 96 in two.
const APART: usize = LINE / 2;

/// Links of a row whose ends a walk sees for the first time: on average half of them, on words, texts and images.
const NEW: usize = 2;

/// Where the codes of those that a row links to are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// In the row itself: it is read in one go, and takes kilobytes.
    Inline,
    /// By slot, each once: a graph takes a fifth of the memory, and a walk jumps to every end that it has not seen.
    Lean,
}

/// What a row is made of.
#[derive(Clone, Debug)]
pub(super) struct RowShape {
    ends: Ends,
    blocks: usize,
    block_len: usize,
    absent: Vec<u8>,
    layout: Layout,
    code_len: usize,
}

impl RowShape {
    /// Of rows of up to `degree` links to vectors of this code.
    pub(super) fn new(code: &TransformCode, ends: Ends, degree: usize) -> Self {
        Self {
            ends,
            blocks: degree.div_ceil(BLOCK_LEN),
            block_len: code.block_len(),
            absent: code.absent(),
            layout: code.layout(),
            code_len: code.code_len(),
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
        match self.ends {
            Ends::Inline => self.blocks * self.block_len,
            Ends::Lean => 0,
        }
    }

    /// Bytes from one code by slot to the next; 0 where there are none.
    fn stride(&self) -> usize {
        match self.ends {
            Ends::Inline => 0,
            Ends::Lean => self.code_len.next_multiple_of(APART),
        }
    }

    /// Bytes that the graph takes for a slot.
    pub(super) fn bytes(&self) -> usize {
        self.row_len() + self.stride()
    }

    /// Bytes that a visit reads, those of random places counted [`JUMP`]-fold, and [`ALONE`]-fold where few are together.
    pub(super) fn cost(&self) -> usize {
        self.row_len() * JUMP + self.degree() / NEW * self.stride() * ALONE
    }

    /// Makes a row that links to these slots, whose codes `code` tells.
    pub(super) fn write(&self, row: &mut [u8], slots: &[u32], code: impl FnMut(u32, &mut Vec<u8>)) {
        let (blocks, numbers) = row.split_at_mut(self.blocks_len());
        if self.ends == Ends::Inline {
            self.write_blocks(blocks, slots, code);
        }
        let slots = slots.iter().copied().chain(std::iter::repeat(NONE));
        let numbers = numbers.as_chunks_mut::<4>().0.iter_mut().take(self.degree());
        for (number, slot) in numbers.zip(slots) {
            *number = slot.to_le_bytes();
        }
    }

    fn write_blocks(&self, blocks: &mut [u8], slots: &[u32], mut code: impl FnMut(u32, &mut Vec<u8>)) {
        let mut codes = Vec::with_capacity(self.degree() * self.code_len);
        slots.iter().for_each(|slot| code(*slot, &mut codes));
        for _ in slots.len()..self.degree() {
            codes.extend_from_slice(&self.absent);
        }
        let codes = codes.chunks_exact(BLOCK_LEN * self.code_len);
        for (block, codes) in blocks.chunks_exact_mut(self.block_len).zip(codes) {
            let code = |lane| &codes[lane * self.code_len..][..self.code_len];
            self.layout.write_all(block, &std::array::from_fn(code));
        }
    }
}

/// Codes by slot, as they lie in a lean graph.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotCodes<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) stride: usize,
}

impl<'a> SlotCodes<'a> {
    #[inline]
    pub(super) fn of(self, slot: u32) -> &'a [u8] {
        &self.bytes[slot as usize * self.stride..][..self.stride]
    }
}

/// Links of every slot, some blocks of 32 each.
#[derive(Clone, Debug)]
pub(super) struct Links {
    shape: RowShape,
    bytes: AlignedBytes,
    /// By slot, of a lean graph.
    codes: AlignedBytes,
    len: usize,
}

impl Links {
    /// No rows yet.
    pub(super) fn new(shape: RowShape) -> Self {
        Self {
            shape,
            bytes: AlignedBytes::new(),
            codes: AlignedBytes::new(),
            len: 0,
        }
    }

    /// Rows that are there already; with the codes by slot, where the graph is lean.
    ///
    /// # Errors
    /// [`Error::Damaged`] when they are not as many as slots.
    pub(super) fn from_bytes(
        code: &TransformCode,
        degree: usize,
        slots: usize,
        bytes: AlignedBytes,
        codes: Option<AlignedBytes>,
    ) -> Result<Self> {
        let ends = if codes.is_some() { Ends::Lean } else { Ends::Inline };
        let shape = RowShape::new(code, ends, degree.min(DEGREE_LIMIT));
        let codes = codes.unwrap_or_default();
        let are_whole = |bytes: &AlignedBytes, each| slots.checked_mul(each) == Some(bytes.len());
        if shape.degree() != degree || !are_whole(&bytes, shape.row_len()) || !are_whole(&codes, shape.stride()) {
            return Err(Error::Damaged(format!(
                "{} bytes of rows of {degree} links, and {} of codes beside them, for {slots} slots",
                bytes.len(),
                codes.len()
            )));
        }
        Ok(Self {
            shape,
            bytes,
            codes,
            len: slots,
        })
    }

    pub(super) fn shape(&self) -> &RowShape {
        &self.shape
    }

    /// Links that a row has room for.
    pub(super) fn degree(&self) -> usize {
        self.shape.degree()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// The codes by slot, of a lean graph.
    pub(super) fn slot_codes(&self) -> Option<SlotCodes<'_>> {
        (self.shape.ends == Ends::Lean).then_some(SlotCodes {
            bytes: self.codes.as_slice(),
            stride: self.shape.stride(),
        })
    }

    /// What it is, in a few words.
    pub(super) fn explain(&self) -> String {
        let row_len = self.row_len();
        match self.shape.ends {
            Ends::Inline => format!("a graph of rows of {row_len} bytes"),
            Ends::Lean => format!(
                "a lean graph of rows of {row_len} bytes and codes of {}",
                self.shape.stride()
            ),
        }
    }

    pub(super) fn memory(&self) -> Memory {
        Memory::from(&self.bytes) + Memory::from(&self.codes)
    }

    /// Bytes of a row.
    pub(super) fn row_len(&self) -> usize {
        self.shape.row_len()
    }

    #[inline]
    pub(super) fn row(&self, slot: u32) -> &[u8] {
        &self.bytes.as_slice()[slot as usize * self.row_len()..][..self.row_len()]
    }

    /// The blocks of a row, each with the slots of its codes; none in a lean graph.
    #[inline]
    pub(super) fn blocks<'a>(&self, row: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [[u8; 4]])> + use<'a> {
        let (codes, slots) = row.split_at(self.shape.blocks_len());
        let slots = slots.as_chunks::<4>().0.chunks_exact(BLOCK_LEN);
        codes.chunks_exact(self.shape.block_len).zip(slots)
    }

    /// The slots that a slot is linked to.
    #[inline]
    pub(super) fn of(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let slots = &self.row(slot)[self.shape.blocks_len()..][..self.degree() * 4];
        let slots = slots.as_chunks::<4>().0.iter().map(|slot| u32::from_le_bytes(*slot));
        // A file may tell of slots that are not there.
        slots.filter(|slot| (*slot as usize) < self.len)
    }

    /// Makes room for `additional` more rows.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`].
    pub(super) fn try_reserve(&mut self, additional: usize) -> Result<()> {
        let parts = [
            (&mut self.bytes, self.shape.row_len()),
            (&mut self.codes, self.shape.stride()),
        ];
        for (buffer, each) in parts {
            let bytes = additional.saturating_mul(each);
            let refused = |_| anear_quant::Error::OutOfMemory { bytes };
            buffer.try_reserve(bytes).map_err(refused)?;
        }
        Ok(())
    }

    /// Appends rows without links for slots that have these codes, one after the other.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`].
    pub(super) fn grow(&mut self, code_rows: &[u8]) -> Result<()> {
        let codes = code_rows.chunks_exact(self.shape.code_len);
        self.try_reserve(codes.len())?;
        let first = self.len;
        self.len += codes.len();
        self.bytes.resize(self.len * self.row_len(), 0);
        if self.shape.ends == Ends::Lean {
            let stride = self.shape.stride();
            self.codes.resize(self.len * stride, 0);
            let places = self.codes.as_mut_slice()[first * stride..].chunks_exact_mut(stride);
            for (place, code) in places.zip(codes) {
                place[..code.len()].copy_from_slice(code);
            }
        }
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
