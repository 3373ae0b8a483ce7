//! Where codes live: a growing buffer that knows how its quantizer lays them out.
//!
//! Most codes lie one after the other. Fast-scan codes are interleaved in blocks of 32, so that one register holds one
//! nibble of 32 vectors; the layout is Faiss's, byte for byte.

use std::ops::Range;

use anear_bytes::AlignedBytes;

use crate::{Error, Result};

/// Vectors of a block: one AVX2 register holds as many nibbles of lookup results.
pub const BLOCK_LEN: usize = 32;

/// In which byte of a nibble plane each vector of a group of 16 is, as Faiss orders them.
const BYTE: [usize; 16] = [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15];

/// How the codes of a quantizer lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One code after the other.
    Rows,
    /// Blocks of [`BLOCK_LEN`] codes. The first `nibbles` nibbles of each code are interleaved, nibble by nibble; the
    /// rest of each code follows behind them, code by code.
    Blocks {
        /// Nibbles that are interleaved; an odd number is padded to an even one.
        nibbles: usize,
    },
}

impl Layout {
    /// Bytes that `len` codes of `code_len` bytes take; `usize::MAX` where that is too large a number.
    pub fn bytes_for(self, len: usize, code_len: usize) -> usize {
        match self {
            Self::Rows => len.saturating_mul(code_len),
            Self::Blocks { .. } => len.div_ceil(BLOCK_LEN).saturating_mul(self.block_bytes(code_len)),
        }
    }

    /// Where the codes of `slots` lie; in blocks they begin at a multiple of [`BLOCK_LEN`].
    ///
    /// # Panics
    /// When `slots` begins within a block.
    pub fn bytes_of(self, slots: Range<usize>, code_len: usize) -> Range<usize> {
        if self != Self::Rows {
            assert!(slots.start.is_multiple_of(BLOCK_LEN), "slots begin at a block");
        }
        self.bytes_for(slots.start, code_len)..self.bytes_for(slots.end, code_len)
    }

    /// Bytes of the interleaved part of a block, and of what follows for each code.
    fn block_parts(self, code_len: usize) -> (usize, usize) {
        match self {
            Self::Rows => (0, code_len),
            Self::Blocks { nibbles } => (nibbles.div_ceil(2) * BLOCK_LEN, code_len - nibbles.div_ceil(2)),
        }
    }

    /// Bytes of one whole block.
    pub fn block_bytes(self, code_len: usize) -> usize {
        let (plane, rest) = self.block_parts(code_len);
        plane + rest * BLOCK_LEN
    }

    /// Writes the code of a vector of a block into it.
    ///
    /// # Panics
    /// When the layout has no blocks, or block or code have another length.
    pub fn write(self, block: &mut [u8], vector: usize, code: &[u8]) {
        let (plane, rest_len) = self.block_parts(code.len());
        let (planes, rests) = block.split_at_mut(plane);
        let (interleaved, rest) = code.split_at(plane / BLOCK_LEN);
        let place = Place::of(vector);
        for (pair, byte) in planes.as_chunks_mut::<BLOCK_LEN>().0.iter_mut().zip(interleaved) {
            place.put(&mut pair[..16], byte & 15);
            place.put(&mut pair[16..], byte >> 4);
        }
        rests[vector * rest_len..][..rest_len].copy_from_slice(rest);
    }

    /// Writes the codes of all vectors of a block: the same as writing one after the other, in a fraction of the time.
    ///
    /// # Panics
    /// As [`write`](Self::write).
    pub fn write_all(self, block: &mut [u8], codes: &[&[u8]; BLOCK_LEN]) {
        let code_len = codes[0].len();
        assert!(codes.iter().all(|code| code.len() == code_len), "codes of one length");
        assert_eq!(block.len(), self.block_bytes(code_len), "a whole block");
        let (plane, rest_len) = self.block_parts(code_len);
        let (planes, rests) = block.split_at_mut(plane);
        let interleaved = codes.map(|code| &code[..plane / BLOCK_LEN]);
        for (at, pair) in planes.as_chunks_mut::<BLOCK_LEN>().0.iter_mut().enumerate() {
            let (even, odd) = pair.split_at_mut(BLOCK_LEN / 2);
            for (vector, byte) in BYTE.into_iter().enumerate() {
                let (low, high) = (interleaved[vector][at], interleaved[vector + BLOCK_LEN / 2][at]);
                even[byte] = low & 0x0f | high << 4;
                odd[byte] = low >> 4 | high & 0xf0;
            }
        }
        for (rest, code) in rests.chunks_exact_mut(rest_len.max(1)).zip(codes) {
            rest.copy_from_slice(&code[plane / BLOCK_LEN..]);
        }
    }

    /// Reads the code of a vector of a block.
    ///
    /// # Panics
    /// As [`write`](Self::write).
    pub fn read(self, block: &[u8], vector: usize, code: &mut [u8]) {
        let (plane, rest_len) = self.block_parts(code.len());
        let (planes, rests) = block.split_at(plane);
        let (interleaved, rest) = code.split_at_mut(plane / BLOCK_LEN);
        let place = Place::of(vector);
        for (pair, byte) in planes.as_chunks::<BLOCK_LEN>().0.iter().zip(interleaved) {
            *byte = place.get(&pair[..16]) | place.get(&pair[16..]) << 4;
        }
        rest.copy_from_slice(&rests[vector * rest_len..][..rest_len]);
    }
}

/// Codes of one quantizer, in its layout.
///
/// ```
/// use anear_quant::{Codes, Layout};
///
/// let mut codes = Codes::new(Layout::Blocks { nibbles: 4 }, 2);
/// codes.extend_from_rows(&[0x21, 0x43, 0x65, 0x87])?;
/// let mut code = Vec::new();
/// codes.copy_to(1..2, &mut code);
/// assert_eq!(code, [0x65, 0x87]);
/// codes.keep([1..2].into_iter())?;
/// assert_eq!(codes.len(), 1);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Codes {
    layout: Layout,
    code_len: usize,
    bytes: AlignedBytes,
    len: usize,
}

impl Codes {
    /// No codes, of `code_len` bytes each.
    ///
    /// # Panics
    /// When `code_len` is 0, or smaller than the layout's nibbles.
    pub fn new(layout: Layout, code_len: usize) -> Self {
        if let Layout::Blocks { nibbles } = layout {
            assert!(nibbles.div_ceil(2) <= code_len, "the nibbles are part of the code");
        }
        assert!(code_len > 0, "a code has at least one byte");
        Self {
            layout,
            code_len,
            bytes: AlignedBytes::new(),
            len: 0,
        }
    }

    /// `len` codes from bytes in this layout, as [`as_bytes`](Self::as_bytes) gave them.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the bytes are not those of `len` codes.
    pub fn from_bytes(layout: Layout, code_len: usize, len: usize, bytes: AlignedBytes) -> Result<Self> {
        if layout.bytes_for(len, code_len) != bytes.len() {
            return Err(Error::Damaged(format!(
                "{len} codes of {code_len} bytes do not fill {} bytes",
                bytes.len()
            )));
        }
        Ok(Self {
            bytes,
            len,
            ..Self::new(layout, code_len)
        })
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes per code.
    pub fn code_len(&self) -> usize {
        self.code_len
    }

    /// How they lie.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether they are those of a mapped file, not in memory of their own.
    pub fn are_mapped(&self) -> bool {
        self.bytes.is_mapped()
    }

    /// Copies codes that do not begin at a multiple of `alignment`: those of a mapped file may begin anywhere.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; nothing is changed then.
    pub fn try_align(&mut self, alignment: usize) -> Result<()> {
        match self.as_bytes().as_ptr().addr().is_multiple_of(alignment) {
            true => Ok(()),
            false => self.try_own(),
        }
    }

    /// All codes as they lie; the first byte is at a multiple of 64, unless they [are mapped](Self::are_mapped).
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// The codes of these slots as they lie: for [`Scorer`](crate::Scorer).
    ///
    /// # Panics
    /// When there are no such slots, or in blocks when they begin within one.
    pub fn bytes_of(&self, slots: Range<usize>) -> &[u8] {
        assert!(slots.end <= self.len, "slots that exist");
        &self.as_bytes()[self.layout.bytes_of(slots, self.code_len)]
    }

    /// Makes room for `additional` more codes.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn try_reserve(&mut self, additional: usize) -> Result<()> {
        let needed = self
            .layout
            .bytes_for(self.len.saturating_add(additional), self.code_len);
        let bytes = needed.saturating_sub(self.bytes.len());
        self.bytes.try_reserve(bytes).map_err(|_| Error::OutOfMemory { bytes })
    }

    /// Copies codes that stand on a mapped file, so that what removes or overwrites some cannot fail.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; nothing is changed then.
    pub fn try_own(&mut self) -> Result<()> {
        let bytes = self.bytes.len();
        self.bytes.try_own().map_err(|_| Error::OutOfMemory { bytes })
    }

    /// Appends codes that lie one after the other.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; nothing is appended then.
    ///
    /// # Panics
    /// When `rows` is not a whole number of codes.
    pub fn extend_from_rows(&mut self, rows: &[u8]) -> Result<()> {
        assert!(rows.len().is_multiple_of(self.code_len), "whole codes");
        let count = rows.len() / self.code_len;
        self.try_reserve(count)?;
        if self.layout == Layout::Rows {
            self.bytes.extend_from_slice(rows);
            self.len += count;
            return Ok(());
        }
        // The last block may have room for all of them.
        self.try_own()?;
        let bytes = self.layout.bytes_for(self.len + count, self.code_len);
        self.bytes.resize(bytes, 0);
        let mut codes = rows.chunks_exact(self.code_len);
        while codes.len() > 0 {
            let slot = self.len;
            match codes.len() >= BLOCK_LEN && slot.is_multiple_of(BLOCK_LEN) {
                true => {
                    let block: [&[u8]; BLOCK_LEN] = std::array::from_fn(|_| codes.next().expect("a whole block"));
                    let layout = self.layout;
                    layout.write_all(self.block_mut(slot), &block);
                    self.len += BLOCK_LEN;
                }
                false => {
                    self.write(slot, codes.next().expect("a code is left"));
                    self.len += 1;
                }
            }
        }
        Ok(())
    }

    /// Appends the `count` codes that `encode` appends one after the other; without a copy where they lie so.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; nothing is appended then.
    ///
    /// # Panics
    /// When `encode` appends another number of bytes.
    pub fn extend_with(&mut self, count: usize, encode: impl FnOnce(&mut AlignedBytes)) -> Result<()> {
        self.try_reserve(count)?;
        if self.layout != Layout::Rows {
            let mut rows = AlignedBytes::new();
            encode(&mut rows);
            assert_eq!(rows.len(), count * self.code_len, "as many codes as were announced");
            return self.extend_from_rows(rows.as_slice());
        }
        encode(&mut self.bytes);
        self.len += count;
        assert_eq!(
            self.bytes.len(),
            self.len * self.code_len,
            "as many codes as were announced"
        );
        Ok(())
    }

    /// Appends all codes of another buffer of the same kind.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; nothing is appended then.
    ///
    /// # Panics
    /// When layout or code length differ.
    pub fn append(&mut self, other: &Self) -> Result<()> {
        self.extend_from_range(other, 0..other.len)
    }

    /// Appends the codes of these slots of another buffer of the same kind.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; nothing is appended then.
    ///
    /// # Panics
    /// When layout or code length differ, or there are no such slots.
    pub fn extend_from_range(&mut self, other: &Self, slots: Range<usize>) -> Result<()> {
        assert_eq!(
            (self.layout, self.code_len),
            (other.layout, other.code_len),
            "codes of one kind"
        );
        if self.layout == Layout::Rows {
            return self.extend_from_rows(other.bytes_of(slots));
        }
        let mut rows = Vec::new();
        other.copy_to(slots, &mut rows);
        self.extend_from_rows(&rows)
    }

    /// Appends the codes of these slots to `out`, one after the other.
    ///
    /// # Panics
    /// When there are no such slots.
    pub fn copy_to(&self, slots: Range<usize>, out: &mut Vec<u8>) {
        if self.layout == Layout::Rows {
            out.extend_from_slice(self.bytes_of(slots));
            return;
        }
        assert!(slots.end <= self.len, "slots that exist");
        for slot in slots {
            let start = out.len();
            out.resize(start + self.code_len, 0);
            self.read(slot, &mut out[start..]);
        }
    }

    /// Writes a code over the one in `slot`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when they stand on a file and cannot be copied; nothing is changed then.
    ///
    /// # Panics
    /// When there is no such slot, or the code has another length.
    pub fn set(&mut self, slot: usize, code: &[u8]) -> Result<()> {
        assert!(
            slot < self.len && code.len() == self.code_len,
            "a code of this kind in a slot that exists"
        );
        self.try_own()?;
        self.write(slot, code);
        Ok(())
    }

    /// Moves the last code into `slot` and forgets it there.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when they stand on a file and cannot be copied; nothing is changed then.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn swap_remove(&mut self, slot: usize) -> Result<()> {
        assert!(slot < self.len, "a slot that exists");
        let last = self.len - 1;
        if slot != last {
            let mut code = Vec::with_capacity(self.code_len);
            self.copy_to(last..last + 1, &mut code);
            self.set(slot, &code)?;
        }
        self.truncate(last)
    }

    /// Keeps the codes of these ascending runs of slots; they move up.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when they stand on a file and cannot be copied; nothing is changed then.
    ///
    /// # Panics
    /// When there are no such slots.
    pub fn keep(&mut self, runs: impl Iterator<Item = Range<usize>>) -> Result<()> {
        let mut end = 0;
        for run in runs {
            assert!(
                run.end <= self.len && end <= run.start,
                "ascending runs of slots that exist"
            );
            let len = run.len();
            if end != run.start {
                self.try_own()?;
                self.move_up(run, end);
            }
            end += len;
        }
        self.truncate(end)
    }

    fn move_up(&mut self, slots: Range<usize>, to: usize) {
        if self.layout == Layout::Rows {
            let bytes = slots.start * self.code_len..slots.end * self.code_len;
            self.bytes.as_mut_slice().copy_within(bytes, to * self.code_len);
            return;
        }
        let mut code = vec![0; self.code_len];
        for (slot, to) in slots.zip(to..) {
            self.read(slot, &mut code);
            self.write(to, &code);
        }
    }

    /// Forgets the codes from slot `len` on.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when they are blocks that stand on a file and cannot be copied; nothing is changed then.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        if len >= self.len {
            return Ok(());
        }
        if self.layout != Layout::Rows {
            self.try_own()?;
            // What a block has no vector for is zero, in files too.
            let zero = vec![0; self.code_len];
            let end = len.next_multiple_of(BLOCK_LEN).min(self.len);
            (len..end).for_each(|slot| self.write(slot, &zero));
        }
        self.bytes.truncate(self.layout.bytes_for(len, self.code_len));
        self.len = len;
        Ok(())
    }

    fn write(&mut self, slot: usize, code: &[u8]) {
        if self.layout == Layout::Rows {
            let at = slot * self.code_len;
            self.bytes.as_mut_slice()[at..at + self.code_len].copy_from_slice(code);
            return;
        }
        let layout = self.layout;
        layout.write(self.block_mut(slot), slot % BLOCK_LEN, code);
    }

    fn read(&self, slot: usize, code: &mut [u8]) {
        if self.layout == Layout::Rows {
            let at = slot * self.code_len;
            code.copy_from_slice(&self.as_bytes()[at..at + self.code_len]);
            return;
        }
        let block_bytes = self.layout.block_bytes(self.code_len);
        let block = &self.as_bytes()[slot / BLOCK_LEN * block_bytes..][..block_bytes];
        self.layout.read(block, slot % BLOCK_LEN, code);
    }

    fn block_mut(&mut self, slot: usize) -> &mut [u8] {
        let bytes = self.layout.block_bytes(self.code_len);
        &mut self.bytes.as_mut_slice()[slot / BLOCK_LEN * bytes..][..bytes]
    }
}

/// Where a vector of a block is in the 16 bytes of a nibble plane.
struct Place {
    byte: usize,
    high: bool,
}

impl Place {
    fn of(vector: usize) -> Self {
        Self {
            byte: BYTE[vector % 16],
            high: vector >= 16,
        }
    }

    fn put(&self, plane: &mut [u8], nibble: u8) {
        let byte = &mut plane[self.byte];
        *byte = if self.high {
            *byte & 0x0f | nibble << 4
        } else {
            *byte & 0xf0 | nibble
        };
    }

    fn get(&self, plane: &[u8]) -> u8 {
        if self.high {
            plane[self.byte] >> 4
        } else {
            plane[self.byte] & 15
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUTS: [Layout; 3] = [
        Layout::Rows,
        Layout::Blocks { nibbles: 5 },
        Layout::Blocks { nibbles: 10 },
    ];
    const CODE_LEN: usize = 5;

    fn code(i: usize) -> [u8; CODE_LEN] {
        std::array::from_fn(|byte| (i * 31 + byte * 7 + 3) as u8)
    }

    /// With an odd number of nibbles, the last has no partner and is padded by the quantizer: nothing is lost.
    fn filled(layout: Layout, len: usize) -> Codes {
        let mut codes = Codes::new(layout, CODE_LEN);
        (0..len).for_each(|i| codes.extend_from_rows(&code(i)).unwrap());
        codes
    }

    fn rows(codes: &Codes) -> Vec<[u8; CODE_LEN]> {
        let mut rows = Vec::new();
        codes.copy_to(0..codes.len(), &mut rows);
        rows.as_chunks().0.to_vec()
    }

    #[test]
    fn codes_come_back_from_every_layout() {
        for layout in LAYOUTS {
            for len in [0, 1, 31, 32, 33, 100] {
                let codes = filled(layout, len);
                assert_eq!(rows(&codes), (0..len).map(code).collect::<Vec<_>>());
                let again = Codes::from_bytes(layout, CODE_LEN, len, codes.as_bytes().into()).unwrap();
                assert_eq!(rows(&again), rows(&codes));
            }
        }
    }

    #[test]
    fn a_block_that_is_written_at_once_is_the_same_as_one_written_code_by_code() {
        for layout in LAYOUTS.into_iter().filter(|layout| *layout != Layout::Rows) {
            let codes: Vec<[u8; CODE_LEN]> = (0..BLOCK_LEN).map(code).collect();
            let mut one_by_one = vec![0; layout.block_bytes(CODE_LEN)];
            for (vector, code) in codes.iter().enumerate() {
                layout.write(&mut one_by_one, vector, code);
            }
            let mut at_once = vec![0xff; one_by_one.len()];
            layout.write_all(&mut at_once, &std::array::from_fn(|vector| &codes[vector][..]));
            assert_eq!(at_once, one_by_one, "{layout:?}");
        }
    }

    #[test]
    fn codes_may_come_in_any_portions() {
        let all: Vec<[u8; CODE_LEN]> = (0..78).map(code).collect();
        for layout in LAYOUTS {
            let mut codes = Codes::new(layout, CODE_LEN);
            let (first, rest) = all.split_at(5);
            for part in [first, &rest[..70], &rest[70..], &[]] {
                codes.extend_from_rows(part.as_flattened()).unwrap();
            }
            assert_eq!(rows(&codes), all, "{layout:?}");
            assert_eq!(codes.as_bytes(), filled(layout, all.len()).as_bytes(), "{layout:?}");
        }
    }

    #[test]
    fn changes_are_those_of_a_list() {
        for layout in LAYOUTS {
            let (mut codes, mut model) = (filled(layout, 100), (0..100).map(code).collect::<Vec<_>>());
            codes.swap_remove(3).unwrap();
            model.swap_remove(3);
            codes.keep([0..1, 2..40, 45..46, 60..99].into_iter()).unwrap();
            model = [&model[..1], &model[2..40], &model[45..46], &model[60..99]].concat();
            codes.set(7, &code(500)).unwrap();
            model[7] = code(500);
            codes.append(&filled(layout, 40)).unwrap();
            model.extend((0..40).map(code));
            codes.truncate(110).unwrap();
            model.truncate(110);
            assert_eq!(rows(&codes), model, "{layout:?}");
            // What was removed leaves no trace.
            let mut fresh = Codes::new(layout, CODE_LEN);
            fresh.extend_from_rows(model.as_flattened()).unwrap();
            assert_eq!(codes.as_bytes(), fresh.as_bytes(), "{layout:?}");
        }
    }

    #[test]
    fn a_block_is_laid_out_as_faiss_does() {
        let mut codes = Codes::new(Layout::Blocks { nibbles: 2 }, 1);
        codes
            .extend_from_rows(&(0..32).map(|i| (i % 16) | ((15 - i % 16) << 4)).collect::<Vec<_>>())
            .unwrap();
        let order = [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15];
        let even: Vec<u8> = order.iter().map(|i| *i as u8 * 0x11).collect();
        let odd: Vec<u8> = order.iter().map(|i| (15 - *i as u8) * 0x11).collect();
        assert_eq!(codes.as_bytes(), [even, odd].concat());
    }

    #[test]
    fn bytes_of_another_number_of_codes_are_refused() {
        for layout in LAYOUTS {
            let whole = filled(layout, 40);
            for len in [0, 7, usize::MAX, usize::MAX / CODE_LEN] {
                assert!(Codes::from_bytes(layout, CODE_LEN, len, whole.as_bytes().into()).is_err());
            }
        }
    }
}
