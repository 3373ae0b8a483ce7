//! How much a pickle may ask for.

use crate::{Error, Result};

/// The nesting beyond which no limit may go: decoding recurses once per level.
const DEEPEST: usize = 512;

/// Bounds on what a pickle may cost to read.
///
/// The defaults fit any store that LangChain saved and still keep a hostile file from taking more
/// than memory and time in proportion to its own length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest pickle, in bytes; 16 GiB by default.
    pub bytes: usize,
    /// Most opcodes; 2³¹ by default.
    pub opcodes: usize,
    /// Most remembered objects (the pickle's memo); 2³⁰ by default. Whatever this says, the memo has
    /// no more entries than opcodes were read.
    pub memo: usize,
    /// Deepest nesting of lists, dicts and tuples in one value; 64 by default, at most 512.
    pub depth: usize,
    /// Bytes of decoded data that one byte of pickle may stand for, on top of [`slack`](Self::slack);
    /// 64 by default. A pickle that shares one object among many holders is expanded when it is
    /// decoded; this is what bounds the expansion ("billion laughs").
    pub expansion: usize,
    /// Bytes of decoded data that any pickle may stand for, however short; 16 MiB by default.
    pub slack: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 1 << 34,
            opcodes: 1 << 31,
            memo: 1 << 30,
            depth: 64,
            expansion: 64,
            slack: 1 << 24,
        }
    }
}

impl Limits {
    /// The budget for a pickle of `len` bytes.
    pub(crate) fn budget(&self, len: usize) -> Result<Budget> {
        if len > self.bytes {
            return Err(Error::Limit {
                what: "bytes",
                limit: self.bytes,
                field: "bytes",
            });
        }
        let total = len.saturating_mul(self.expansion).saturating_add(self.slack);
        Ok(Budget { left: total, total })
    }

    /// The nesting allowed, never so deep that recursion could exhaust the stack.
    pub(crate) fn nesting(&self) -> usize {
        self.depth.min(DEEPEST)
    }
}

/// Bytes of decoded data that may still be made.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
    total: usize,
}

impl Budget {
    /// Takes `bytes` from the budget, before they are allocated.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<()> {
        let exceeded = Error::Limit {
            what: "bytes of decoded data",
            limit: self.total,
            field: "expansion",
        };
        self.left = self.left.checked_sub(bytes).ok_or(exceeded)?;
        Ok(())
    }

    /// Takes `count` values of type `T`.
    pub(crate) fn charge_for<T>(&mut self, count: usize) -> Result<()> {
        self.charge(count.saturating_mul(size_of::<T>()))
    }
}
