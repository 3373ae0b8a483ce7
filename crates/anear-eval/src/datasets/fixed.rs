//! Files of vectors of one length each: what fvecs, big-ann's files and npy have in common.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use half::f16;

use crate::{Blocks, Error, Result};

/// Bytes that are read and converted at a time, at least one vector.
const CHUNK: usize = 1 << 18;

/// How a number is stored; all little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    F32,
    F64,
    I8,
    U8,
    I32,
    U32,
    I64,
    U64,
}

impl Element {
    pub(super) fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// Whether an id can be stored so.
    fn is_whole(self) -> bool {
        !matches!(self, Self::F16 | Self::F32 | Self::F64)
    }

    /// Appends the numbers of `bytes`, which are whole numbers of this element.
    fn decode_floats(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32(), out),
            Self::F32 => each(bytes, f32::from_le_bytes, out),
            Self::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32, out),
            Self::I8 => each(bytes, |b| f32::from(i8::from_le_bytes(b)), out),
            Self::U8 => each(bytes, |b| f32::from(u8::from_le_bytes(b)), out),
            Self::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32, out),
            Self::U32 => each(bytes, |b| u32::from_le_bytes(b) as f32, out),
            Self::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32, out),
            Self::U64 => each(bytes, |b| u64::from_le_bytes(b) as f32, out),
        }
    }

    /// The same for whole numbers; nothing for others. What is above all signed numbers becomes negative, no id.
    fn decode_ids(self, bytes: &[u8], out: &mut Vec<i64>) {
        match self {
            Self::I8 => each(bytes, |b| i64::from(i8::from_le_bytes(b)), out),
            Self::U8 => each(bytes, |b| i64::from(u8::from_le_bytes(b)), out),
            Self::I32 => each(bytes, |b| i64::from(i32::from_le_bytes(b)), out),
            Self::U32 => each(bytes, |b| i64::from(u32::from_le_bytes(b)), out),
            Self::I64 => each(bytes, i64::from_le_bytes, out),
            Self::U64 => each(bytes, |b| u64::from_le_bytes(b) as i64, out),
            Self::F16 | Self::F32 | Self::F64 => {}
        }
    }
}

fn each<const N: usize, T>(bytes: &[u8], convert: impl Fn([u8; N]) -> T, out: &mut Vec<T>) {
    let (numbers, _) = bytes.as_chunks::<N>();
    out.extend(numbers.iter().map(|&number| convert(number)));
}

/// Where the vectors of a file are, and how they are stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// The byte at which the first begins.
    pub(super) start: u64,
    pub(super) dim: usize,
    pub(super) len: usize,
    pub(super) element: Element,
    /// Whether the dimension stands before each vector, as a number of 4 bytes.
    pub(super) repeats_dim: bool,
}

impl Layout {
    fn stride(&self) -> u64 {
        let header = if self.repeats_dim { 4 } else { 0 };
        header + self.dim as u64 * self.element.size() as u64
    }
}

/// The vectors of a file, one after the other.
#[derive(Debug)]
pub(super) struct FixedFile {
    path: PathBuf,
    file: BufReader<File>,
    layout: Layout,
    done: usize,
}

/// A file whose header is being read.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    file: BufReader<File>,
    at: u64,
}

impl Opened {
    pub(super) fn new(path: &Path) -> Result<Self> {
        let opened = File::open(path).and_then(|file| {
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                return Err(io::Error::other("it is a folder"));
            }
            Ok((file, metadata.len()))
        });
        let (file, bytes) = opened.map_err(|source| Error::read(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            file: BufReader::new(file),
            at: 0,
        })
    }

    /// The next `N` bytes of the header.
    pub(super) fn header<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next `len` bytes of the header, as many as the file has.
    pub(super) fn header_of(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len.min(usize::try_from(self.bytes).unwrap_or(usize::MAX))];
        self.fill(&mut bytes)?;
        if bytes.len() < len {
            return Err(self.wrong(format!("a header of {len} bytes is longer than the file")));
        }
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        match self.file.read_exact(bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.wrong("the file ends in its header"))
            }
            Err(source) => Err(Error::read(&self.path, source)),
            Ok(()) => {
                self.at += bytes.len() as u64;
                Ok(())
            }
        }
    }

    /// The error that something is wrong where reading is.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::format(&self.path, self.at, reason)
    }

    /// The vectors that follow where reading is, until the end of the file.
    ///
    /// `len` vectors of `dim` elements must be what is there, whatever a header says.
    pub(super) fn vectors(self, len: u64, dim: u64, element: Element) -> Result<FixedFile> {
        if dim == 0 || dim > anear_index::MAX_DIM as u64 {
            let most = anear_index::MAX_DIM;
            return Err(self.wrong(format!("dimension {dim} is not between 1 and {most}")));
        }
        let needed = len.checked_mul(dim).and_then(|n| n.checked_mul(element.size() as u64));
        let there = self.bytes - self.at;
        if needed != Some(there) {
            let needed = needed.map_or("more".into(), |needed| needed.to_string());
            return Err(self.wrong(format!(
                "{len} vectors of dimension {dim} need {needed} bytes, there are {there}"
            )));
        }
        let layout = Layout {
            start: self.at,
            dim: dim as usize,
            len: usize::try_from(len).map_err(|_| self.wrong("too many vectors for this machine"))?,
            element,
            repeats_dim: false,
        };
        Ok(self.with(layout))
    }

    /// The vectors of this layout; reading must be at its start.
    pub(super) fn with(self, layout: Layout) -> FixedFile {
        FixedFile {
            path: self.path,
            file: self.file,
            layout,
            done: 0,
        }
    }
}

impl FixedFile {
    /// Appends the next rows of ids, `max` at most; returns how many.
    pub(super) fn next_ids(&mut self, max: usize, out: &mut Vec<i64>) -> Result<usize> {
        let element = self.layout.element;
        if !element.is_whole() {
            let reason = "it holds fractions, not ids";
            return Err(Error::format(&self.path, self.layout.start, reason));
        }
        self.next(max, |bytes| element.decode_ids(bytes, out))
    }

    /// Hands the bytes of the next vectors to `take`, `max` vectors at most; returns how many.
    fn next(&mut self, max: usize, mut take: impl FnMut(&[u8])) -> Result<usize> {
        let count = max.min(self.layout.len - self.done);
        let stride = self.layout.stride() as usize;
        let mut chunk = vec![0; (CHUNK / stride).clamp(1, count.max(1)) * stride];
        let mut left = count;
        while left > 0 {
            let rows = left.min(chunk.len() / stride);
            let bytes = &mut chunk[..rows * stride];
            self.file
                .read_exact(bytes)
                .map_err(|source| Error::read(&self.path, source))?;
            if self.layout.repeats_dim {
                for row in bytes.chunks_exact(stride) {
                    self.check_dim(row)?;
                    take(&row[4..]);
                    self.done += 1;
                }
            } else {
                take(bytes);
                self.done += rows;
            }
            left -= rows;
        }
        Ok(count)
    }

    fn check_dim(&self, row: &[u8]) -> Result<()> {
        let (expected, got) = (self.layout.dim, u32::from_le_bytes([row[0], row[1], row[2], row[3]]));
        if got as usize == expected {
            return Ok(());
        }
        let at = self.layout.start + self.done as u64 * self.layout.stride();
        let reason = format!("vector {} has dimension {got}, the first has {expected}", self.done);
        Err(Error::format(&self.path, at, reason))
    }
}

impl Blocks for FixedFile {
    fn dim(&self) -> usize {
        self.layout.dim
    }

    fn len(&self) -> usize {
        self.layout.len
    }

    fn next_block(&mut self, max: usize, out: &mut Vec<f32>) -> Result<usize> {
        let (element, dim) = (self.layout.element, self.layout.dim);
        // The file is as long as this: it was compared with its size.
        out.reserve_exact(max.min(self.layout.len - self.done) * dim);
        self.next(max, |bytes| element.decode_floats(bytes, out))
    }
}
