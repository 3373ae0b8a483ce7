//! A growing byte buffer that begins at a multiple of 64, or a piece of a mapped file until it is changed.

use std::fmt;

use bytemuck::{Pod, Zeroable};

use crate::{Error, Mapping, Result, try_reserve_large};

/// The own memory of every [`AlignedBytes`] begins at a multiple of this: a cache line, and the widest SIMD register.
pub const ALIGNMENT: usize = 64;

#[repr(C, align(64))]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Line([u8; ALIGNMENT]);

const ZERO: Line = Line([0; ALIGNMENT]);

/// A growing byte buffer aligned to 64 bytes, so that it can be viewed as numbers.
///
/// One that stands on a [`Mapping`] ([`of`](Self::of)) has no memory of its own: its copies share the file, and the first
/// change of any of them copies what that one holds; [`try_own`](Self::try_own) and [`try_reserve`](Self::try_reserve)
/// say when there is no memory for that, where other changes end the process. Such bytes are aligned as they are in the
/// file: those of a section of a [`Container`](crate::Container) to 64, those of a foreign file perhaps to nothing.
///
/// ```
/// # use anear_bytes::AlignedBytes;
/// let mut bytes = AlignedBytes::new();
/// for x in [1.0f32, 2.0, 3.0] {
///     bytes.extend_from_slice(&x.to_le_bytes());
/// }
/// let floats: &[f32] = bytemuck::cast_slice(bytes.as_slice());
/// assert_eq!(floats, [1.0, 2.0, 3.0]);
/// ```
#[derive(Clone, Default)]
pub struct AlignedBytes {
    memory: Memory,
    len: usize,
}

#[derive(Clone)]
enum Memory {
    /// Exactly as many lines as `len` needs; the last may be partly used.
    Own(Vec<Line>),
    /// A file, from this byte on.
    Mapped(Mapping, usize),
}

impl Default for Memory {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl AlignedBytes {
    /// An empty buffer; allocates nothing.
    pub const fn new() -> Self {
        Self {
            memory: Memory::Own(Vec::new()),
            len: 0,
        }
    }

    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut lines = Vec::new();
        reserve(&mut lines, lines_for(capacity));
        Self {
            memory: Memory::Own(lines),
            len: 0,
        }
    }

    /// A buffer of `len` zero bytes.
    pub fn zeroed(len: usize) -> Self {
        let mut zeroed = Self::with_capacity(len);
        zeroed.resize(len, 0);
        zeroed
    }

    /// These bytes: where they are part of `mapping` standing on it, otherwise as a copy.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn of(bytes: &[u8], mapping: Option<&Mapping>) -> Result<Self> {
        if let Some((mapping, start)) = mapping.and_then(|mapping| Some((mapping, mapping.find(bytes)?))) {
            return Ok(Self {
                memory: Memory::Mapped(mapping.clone(), start),
                len: bytes.len(),
            });
        }
        Self::copied(bytes, bytes.len())
    }

    /// A copy of `bytes` with room for `capacity`.
    fn copied(bytes: &[u8], capacity: usize) -> Result<Self> {
        let mut lines = Vec::new();
        let reserved = try_reserve_large(&mut lines, lines_for(capacity));
        reserved.map_err(|_| Error::OutOfMemory { len: capacity })?;
        let memory = Memory::Own(lines);
        let mut copy = Self { memory, len: 0 };
        copy.extend_from_slice(bytes);
        Ok(copy)
    }

    /// Whether the bytes are those of a mapped file, not in memory of their own.
    pub const fn is_mapped(&self) -> bool {
        matches!(self.memory, Memory::Mapped(..))
    }

    /// Copies bytes of a mapped file into memory of their own, or says that there is none for them; a change after this
    /// copies nothing.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; the buffer is unchanged.
    pub fn try_own(&mut self) -> Result<()> {
        if self.is_mapped() {
            *self = Self::copied(self.as_slice(), self.len)?;
        }
        Ok(())
    }

    /// The lines to change, which are not those of a file.
    fn own(&mut self) -> &mut Vec<Line> {
        if self.is_mapped() {
            *self = Self::from(self.as_slice());
        }
        match &mut self.memory {
            Memory::Own(lines) => lines,
            Memory::Mapped(..) => unreachable!("it was just copied"),
        }
    }

    /// Makes room for `additional` more bytes, or says that there is no memory for them.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; the buffer is unchanged.
    pub fn try_reserve(&mut self, additional: usize) -> Result<()> {
        let len = self.len.saturating_add(additional);
        match &mut self.memory {
            Memory::Own(lines) => {
                let additional = lines_for(len) - lines.len();
                let reserved = try_reserve_large(lines, additional);
                reserved.map_err(|_| Error::OutOfMemory { len })
            }
            Memory::Mapped(..) if additional == 0 => Ok(()),
            Memory::Mapped(..) => {
                *self = Self::copied(self.as_slice(), len)?;
                Ok(())
            }
        }
    }

    /// Number of bytes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that fit without allocating.
    pub fn capacity(&self) -> usize {
        match &self.memory {
            Memory::Own(lines) => lines.capacity() * ALIGNMENT,
            Memory::Mapped(..) => self.len,
        }
    }

    /// All bytes; the first is at a multiple of [`ALIGNMENT`], unless they [are mapped](Self::is_mapped).
    pub fn as_slice(&self) -> &[u8] {
        match &self.memory {
            Memory::Own(lines) => &bytemuck::cast_slice(lines)[..self.len],
            Memory::Mapped(mapping, start) => &mapping.as_slice()[*start..*start + self.len],
        }
    }

    /// All bytes, to change; the first is at a multiple of [`ALIGNMENT`].
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let len = self.len;
        &mut bytemuck::cast_slice_mut(self.own())[..len]
    }

    /// Appends one byte.
    pub fn push(&mut self, byte: u8) {
        let at = self.len;
        let lines = self.own();
        if at.is_multiple_of(ALIGNMENT) {
            lines.push(ZERO);
        }
        lines[at / ALIGNMENT].0[at % ALIGNMENT] = byte;
        self.len += 1;
    }

    /// Appends `bytes`.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let start = self.len;
        let lines = self.own();
        let gap = lines.len() * ALIGNMENT - start;
        reserve(lines, lines_for(start + bytes.len()) - lines.len());
        let (head, rest) = bytes.split_at(gap.min(bytes.len()));
        self.len += head.len();
        self.as_mut_slice()[start..].copy_from_slice(head);

        // Whole lines are written once; only the last, partial one is zeroed first.
        let (whole, tail) = rest.as_chunks();
        let lines = self.own();
        lines.extend(whole.iter().map(|line| Line(*line)));
        if !tail.is_empty() {
            let mut last = ZERO;
            last.0[..tail.len()].copy_from_slice(tail);
            lines.push(last);
        }
        self.len += rest.len();
    }

    /// Grows with copies of `byte`, or shrinks, to `len` bytes.
    pub fn resize(&mut self, len: usize, byte: u8) {
        let old = self.len;
        if len <= old {
            return self.truncate(len);
        }
        let lines = self.own();
        reserve(lines, lines_for(len) - lines.len());
        lines.resize(lines_for(len), ZERO);
        self.len = len;
        self.as_mut_slice()[old..].fill(byte);
    }

    /// Keeps the first `len` bytes; does nothing when there are no more than that.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.len = len;
        // Of a file, the rest is looked at no more.
        if let Memory::Own(lines) = &mut self.memory {
            lines.truncate(lines_for(len));
        }
    }

    /// Removes all bytes and keeps the memory.
    pub fn clear(&mut self) {
        self.truncate(0);
    }
}

/// Makes room for more lines, where there is nobody to tell that there is no memory.
fn reserve(lines: &mut Vec<Line>, additional: usize) {
    if try_reserve_large(lines, additional).is_err() {
        lines.reserve(additional);
    }
}

fn lines_for(len: usize) -> usize {
    len.div_ceil(ALIGNMENT)
}

impl From<&[u8]> for AlignedBytes {
    fn from(bytes: &[u8]) -> Self {
        let mut aligned = Self::with_capacity(bytes.len());
        aligned.extend_from_slice(bytes);
        aligned
    }
}

impl AsRef<[u8]> for AlignedBytes {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for AlignedBytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for AlignedBytes {}

impl fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBytes")
            .field("len", &self.len)
            .field("is_mapped", &self.is_mapped())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Op {
        Push(u8),
        Extend(Vec<u8>),
        Resize(usize, u8),
        Truncate(usize),
        Reserve(usize),
        Own,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            any::<u8>().prop_map(Op::Push),
            proptest::collection::vec(any::<u8>(), 0..200).prop_map(Op::Extend),
            (0usize..300, any::<u8>()).prop_map(|(len, byte)| Op::Resize(len, byte)),
            (0usize..300).prop_map(Op::Truncate),
            (0usize..300).prop_map(Op::Reserve),
            Just(Op::Own),
        ]
    }

    /// A file of 200 bytes that no test changes.
    fn mapping() -> (Mapping, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, (0..200).collect::<Vec<u8>>()).unwrap();
        (Mapping::open(&path).unwrap(), dir)
    }

    fn is_aligned(bytes: &AlignedBytes) -> bool {
        (bytes.as_slice().as_ptr() as usize).is_multiple_of(ALIGNMENT)
    }

    proptest! {
        #[test]
        fn behaves_as_a_vec_and_stays_aligned(
            ops in proptest::collection::vec(op(), 0..40),
            piece in (0usize..200).prop_flat_map(|start| (Just(start), start..=200)),
        ) {
            let (mapping, _dir) = mapping();
            let mut model = mapping.as_slice()[piece.0..piece.1].to_vec();
            let mut bytes = AlignedBytes::of(&mapping.as_slice()[piece.0..piece.1], Some(&mapping)).unwrap();
            let (untouched, before) = (bytes.clone(), model.clone());
            prop_assert_eq!(bytes.is_mapped(), !model.is_empty());
            for op in ops {
                match op {
                    Op::Push(byte) => { bytes.push(byte); model.push(byte); }
                    Op::Extend(more) => { bytes.extend_from_slice(&more); model.extend(more); }
                    Op::Resize(len, byte) => { bytes.resize(len, byte); model.resize(len, byte); }
                    Op::Truncate(len) => { bytes.truncate(len); model.truncate(len); }
                    Op::Reserve(more) => bytes.try_reserve(more).unwrap(),
                    Op::Own => { bytes.try_own().unwrap(); prop_assert!(!bytes.is_mapped()); }
                }
                prop_assert_eq!(bytes.as_slice(), &model[..]);
                prop_assert_eq!(bytes.len(), model.len());
                prop_assert!(bytes.is_mapped() || is_aligned(&bytes));
                prop_assert!(bytes.capacity() >= bytes.len());
            }
            bytes.as_mut_slice().fill(7);
            prop_assert!(!bytes.is_mapped() && is_aligned(&bytes));
            prop_assert_eq!(untouched.as_slice(), &before[..]);
            prop_assert_eq!(mapping.as_slice(), (0..200).collect::<Vec<u8>>());
        }
    }

    #[test]
    fn views_as_wider_numbers_at_any_length() {
        for lanes in 0..200 {
            let bytes = AlignedBytes::zeroed(lanes * 16);
            assert_eq!(bytemuck::cast_slice::<u8, u128>(bytes.as_slice()), vec![0u128; lanes]);
        }
    }

    #[test]
    fn refuses_more_than_the_memory() {
        let mut bytes = AlignedBytes::from(&b"kept"[..]);
        assert!(matches!(
            bytes.try_reserve(usize::MAX),
            Err(Error::OutOfMemory { len: usize::MAX })
        ));
        assert_eq!(bytes.as_slice(), b"kept");
    }

    #[test]
    fn what_changes_nothing_copies_nothing() {
        let (mapping, _dir) = mapping();
        let mut bytes = AlignedBytes::of(&mapping.as_slice()[3..50], Some(&mapping)).unwrap();
        bytes.try_reserve(0).unwrap();
        bytes.extend_from_slice(&[]);
        bytes.resize(47, 1);
        bytes.truncate(20);
        assert!(bytes.is_mapped());
        assert_eq!(bytes.as_slice(), &mapping.as_slice()[3..23]);
        assert!(
            !AlignedBytes::of(&[1, 2, 3], Some(&mapping)).unwrap().is_mapped(),
            "bytes from elsewhere"
        );
    }
}
