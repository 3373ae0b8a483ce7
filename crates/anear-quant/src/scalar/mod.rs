//! Scalar quantizers: each component as a number of 4 to 16 bits (Faiss: `ScalarQuantizer`, `IndexScalarQuantizer`).
//!
//! Codes and decoded values are Faiss's, bit for bit: how components become numbers is in `codec.rs`. How ranges are
//! learned is in `train.rs`, and how codes are compared without decoding them in `scorer.rs`.

mod codec;
mod scorer;
mod train;

use anear_bytes::AlignedBytes;
use anear_kernels::{Metric, Packing, Rows};

use crate::{Error, Quantizer, QuantizerSpec, Result, Scorer};

pub use train::{RangeStat, ScalarParams};

/// What a component is kept as.
///
/// A kind with a range splits it into equal parts and keeps the number of the part, which then stands for its middle.
/// The others keep the component itself, with fewer digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScalarKind {
    /// `SQ8`: 8 bits, a range for each component.
    Sq8,
    /// `SQ4`: 4 bits, a range for each component.
    Sq4,
    /// `SQ6`: 6 bits, a range for each component.
    Sq6,
    /// `SQfp16`: IEEE half precision; beyond 65504 it is infinite.
    Fp16,
    /// `SQbf16`: the upper half of an `f32`, rounded.
    Bf16,
    /// `SQ8_direct`: the component itself as an integer from 0 to 255, its fraction cut off.
    Direct,
    /// `SQ8_direct_signed`: the component itself as an integer from -128 to 127, rounded down.
    DirectSigned,
    /// `SQ8_uniform`: 8 bits, one range for all components. Faiss has it (`QT_8bit_uniform`), but no token for it.
    Uniform8,
    /// `SQ4_uniform`: 4 bits, one range for all components. Faiss has it (`QT_4bit_uniform`), but no token for it.
    Uniform4,
}

/// What training learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ranges {
    PerComponent,
    Uniform,
    None,
}

impl ScalarKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Sq8,
        Self::Sq4,
        Self::Sq6,
        Self::Fp16,
        Self::Bf16,
        Self::Direct,
        Self::DirectSigned,
        Self::Uniform8,
        Self::Uniform4,
    ];

    /// Token, Faiss's `QuantizerType`, packing and what is learned.
    const fn row(self) -> (&'static str, i32, Packing, Ranges) {
        match self {
            Self::Sq8 => ("SQ8", 0, Packing::U8, Ranges::PerComponent),
            Self::Sq4 => ("SQ4", 1, Packing::U4, Ranges::PerComponent),
            Self::Uniform8 => ("SQ8_uniform", 2, Packing::U8, Ranges::Uniform),
            Self::Uniform4 => ("SQ4_uniform", 3, Packing::U4, Ranges::Uniform),
            Self::Fp16 => ("SQfp16", 4, Packing::F16, Ranges::None),
            Self::Direct => ("SQ8_direct", 5, Packing::U8, Ranges::None),
            Self::Sq6 => ("SQ6", 6, Packing::U6, Ranges::PerComponent),
            Self::Bf16 => ("SQbf16", 7, Packing::Bf16, Ranges::None),
            Self::DirectSigned => ("SQ8_direct_signed", 8, Packing::U8, Ranges::None),
        }
    }

    /// The token in factory strings.
    pub const fn token(self) -> &'static str {
        self.row().0
    }

    /// The kind with this token.
    pub fn parse(token: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.token() == token)
    }

    /// Its number in Faiss's files (`QuantizerType`).
    pub const fn faiss_number(self) -> i32 {
        self.row().1
    }

    /// The kind with this number in Faiss's files.
    pub fn from_faiss_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.faiss_number() == number)
    }

    /// How its numbers are packed.
    pub const fn packing(self) -> Packing {
        self.row().2
    }

    /// How many floats training learns for vectors of `dim` components; `usize::MAX` where that is too large a number.
    pub const fn trained_len(self, dim: usize) -> usize {
        match self.row().3 {
            Ranges::PerComponent => dim.saturating_mul(2),
            Ranges::Uniform => 2,
            Ranges::None => 0,
        }
    }

    /// The largest number, where numbers are parts of a range.
    const fn levels(self) -> Option<f32> {
        match self {
            Self::Sq8 | Self::Uniform8 => Some(255.0),
            Self::Sq6 => Some(63.0),
            Self::Sq4 | Self::Uniform4 => Some(15.0),
            _ => None,
        }
    }

    /// What the number 0 stands for, where numbers are the components themselves.
    const fn zero(self) -> f32 {
        if matches!(self, Self::DirectSigned) {
            -128.0
        } else {
            0.0
        }
    }
}

/// Each component kept as a number of a few bits.
///
/// ```
/// use anear_kernels::{Metric, Rows};
/// use anear_quant::{Quantizer, ScalarKind, ScalarParams, Training};
///
/// let sample = [0.0, -1.0, 0.5, 0.0, 1.0, 1.0];
/// let sq8 = ScalarParams::new(ScalarKind::Sq8).train(Rows::new(&sample, 2).unwrap(), &Training::default())?;
/// assert_eq!(sq8.code_len(), 2);
///
/// let codes = sq8.codes_of(Rows::new(&[0.25, 0.75], 2).unwrap())?;
/// let mut decoded = Vec::new();
/// sq8.decode(codes.as_bytes(), &mut decoded);
/// assert!((decoded[0] - 0.25).abs() < 1.0 / 255.0 && (decoded[1] - 0.75).abs() < 2.0 / 255.0);
///
/// let mut distances = [0.0];
/// sq8.scorer(Metric::L2, &[0.25, 0.25]).score_block(codes.as_bytes(), &mut distances);
/// assert!((distances[0] - 0.25).abs() < 0.01);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    kind: ScalarKind,
    dim: usize,
    trained: Vec<f32>,
}

impl Scalar {
    /// From what training learned: nothing, the beginning and width of the range of all components, or the beginnings
    /// of the ranges of each component and then their widths (Faiss's `ScalarQuantizer::trained`).
    ///
    /// # Errors
    /// [`Error::Damaged`] when there are more or fewer of them, or one is not finite; [`Error::Parameters`] when `dim`
    /// is 0.
    pub fn from_parts(kind: ScalarKind, dim: usize, trained: Vec<f32>) -> Result<Self> {
        if dim == 0 {
            return Err(Error::Parameters("vectors have at least 1 component, got 0".to_owned()));
        }
        let (token, wanted, got) = (kind.token(), kind.trained_len(dim), trained.len());
        if got != wanted {
            return Err(Error::Damaged(format!(
                "{token} of {dim} components has {wanted} trained values, got {got}"
            )));
        }
        if let Some(bad) = trained.iter().find(|value| !value.is_finite()) {
            return Err(Error::Damaged(format!("{token} has a trained value of {bad}")));
        }
        Ok(Self { kind, dim, trained })
    }

    /// What components are kept as.
    pub fn kind(&self) -> ScalarKind {
        self.kind
    }

    /// What training learned, as [`from_parts`](Self::from_parts) takes it.
    pub fn trained(&self) -> &[f32] {
        &self.trained
    }

    /// The quantizer that [`Quantizer::save`] wrote.
    ///
    /// # Errors
    /// Those of [`from_parts`](Self::from_parts).
    pub fn load(kind: ScalarKind, dim: usize, saved: &[u8]) -> Result<Self> {
        let (floats, rest) = saved.as_chunks();
        if !rest.is_empty() {
            return Err(Error::Damaged(format!(
                "{} bytes of trained values are no whole number of floats",
                saved.len()
            )));
        }
        Self::from_parts(
            kind,
            dim,
            floats.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        )
    }

    /// Beginning and width of the range of each component; for kinds without, those that make a number stand for itself.
    fn ranges(&self) -> impl ExactSizeIterator<Item = (f32, f32)> + Clone {
        let (lows, spans) = self.trained.split_at(self.trained.len() / 2);
        (0..self.dim).map(move |i| match lows.len() {
            0 => (self.kind.zero(), 1.0),
            1 => (lows[0], spans[0]),
            _ => (lows[i], spans[i]),
        })
    }

    /// Zero and step of each component: a number stands for `zero + step * number`.
    fn lines(&self) -> impl ExactSizeIterator<Item = (f64, f64)> + Clone {
        // Where there are levels, a number stands for the middle of its part of the range.
        let (levels, middle) = self.kind.levels().map_or((1.0, 0.0), |levels| (f64::from(levels), 0.5));
        self.ranges().map(move |(low, span)| {
            let step = f64::from(span) / levels;
            (f64::from(low) + middle * step, step)
        })
    }
}

impl Quantizer for Scalar {
    fn spec(&self) -> QuantizerSpec {
        QuantizerSpec::Scalar(self.kind)
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn code_len(&self) -> usize {
        self.kind.packing().code_len(self.dim)
    }

    fn supports(&self, metric: Metric) -> bool {
        metric != Metric::Cosine
    }

    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes) {
        assert_eq!(vectors.dim(), self.dim, "rows of the quantizer's dimension");
        codec::encode(self, vectors, codes);
    }

    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>) {
        assert!(codes.len().is_multiple_of(self.code_len()), "a whole number of codes");
        codec::decode(self, codes, vectors);
    }

    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
        assert_eq!(query.len(), self.dim, "a query of the quantizer's dimension");
        assert!(
            self.supports(metric),
            "{} does not compare by {metric}",
            self.kind.token()
        );
        scorer::scorer(self, metric, query)
    }

    fn save(&self) -> Vec<u8> {
        self.trained.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}
