//! A growing byte buffer that begins at a multiple of 64, without unsafe code.

use std::fmt;

use bytemuck::{Pod, Zeroable};

use crate::{Error, Result};

/// Every [`AlignedBytes`] begins at a multiple of this: a cache line, and the widest SIMD register.
pub const ALIGNMENT: usize = 64;

#[repr(C, align(64))]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Line([u8; ALIGNMENT]);

const ZERO: Line = Line([0; ALIGNMENT]);

/// A growing byte buffer aligned to 64 bytes, so that it can be viewed as numbers.
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
    // `lines` is exactly as long as `len` needs; the last line may be partly used.
    lines: Vec<Line>,
    len: usize,
}

impl AlignedBytes {
    /// An empty buffer; allocates nothing.
    pub const fn new() -> Self {
        Self {
            lines: Vec::new(),
            len: 0,
        }
    }

    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            lines: Vec::with_capacity(lines_for(capacity)),
            len: 0,
        }
    }

    /// A buffer of `len` zero bytes.
    pub fn zeroed(len: usize) -> Self {
        Self {
            lines: vec![ZERO; lines_for(len)],
            len,
        }
    }

    /// Makes room for `additional` more bytes, or says that there is no memory for them.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; the buffer is unchanged.
    pub fn try_reserve(&mut self, additional: usize) -> Result<()> {
        let len = self.len.saturating_add(additional);
        let lines = lines_for(len) - self.lines.len();
        self.lines.try_reserve(lines).map_err(|_| Error::OutOfMemory { len })
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
        self.lines.capacity() * ALIGNMENT
    }

    /// All bytes; the first is at a multiple of [`ALIGNMENT`].
    pub fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }

    /// All bytes, to change.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }

    /// Appends one byte.
    pub fn push(&mut self, byte: u8) {
        if self.len.is_multiple_of(ALIGNMENT) {
            self.lines.push(ZERO);
        }
        let at = self.len;
        self.len += 1;
        self.as_mut_slice()[at] = byte;
    }

    /// Appends `bytes`.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        let gap = self.lines.len() * ALIGNMENT - self.len;
        let (head, rest) = bytes.split_at(gap.min(bytes.len()));
        let start = self.len;
        self.len += head.len();
        self.as_mut_slice()[start..].copy_from_slice(head);

        // Whole lines are written once; only the last, partial one is zeroed first.
        let (lines, tail) = rest.as_chunks();
        self.lines.extend(lines.iter().map(|line| Line(*line)));
        if !tail.is_empty() {
            let mut last = ZERO;
            last.0[..tail.len()].copy_from_slice(tail);
            self.lines.push(last);
        }
        self.len += rest.len();
    }

    /// Grows with copies of `byte`, or shrinks, to `len` bytes.
    pub fn resize(&mut self, len: usize, byte: u8) {
        let old = self.len;
        self.lines.resize(lines_for(len), ZERO);
        self.len = len;
        if len > old {
            self.as_mut_slice()[old..].fill(byte);
        }
    }

    /// Keeps the first `len` bytes; does nothing when there are no more than that.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.resize(len, 0);
        }
    }

    /// Removes all bytes and keeps the memory.
    pub fn clear(&mut self) {
        self.truncate(0);
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
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            any::<u8>().prop_map(Op::Push),
            proptest::collection::vec(any::<u8>(), 0..200).prop_map(Op::Extend),
            (0usize..300, any::<u8>()).prop_map(|(len, byte)| Op::Resize(len, byte)),
            (0usize..300).prop_map(Op::Truncate),
            (0usize..300).prop_map(Op::Reserve),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_vec_and_stays_aligned(ops in proptest::collection::vec(op(), 0..40)) {
            let (mut bytes, mut model) = (AlignedBytes::new(), Vec::new());
            for op in ops {
                match op {
                    Op::Push(byte) => { bytes.push(byte); model.push(byte); }
                    Op::Extend(more) => { bytes.extend_from_slice(&more); model.extend(more); }
                    Op::Resize(len, byte) => { bytes.resize(len, byte); model.resize(len, byte); }
                    Op::Truncate(len) => { bytes.truncate(len); model.truncate(len); }
                    Op::Reserve(more) => bytes.try_reserve(more).unwrap(),
                }
                prop_assert_eq!(bytes.as_slice(), &model[..]);
                prop_assert_eq!(bytes.len(), model.len());
                prop_assert_eq!(bytes.as_slice().as_ptr() as usize % ALIGNMENT, 0);
                prop_assert!(bytes.capacity() >= bytes.len());
            }
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
}
