//! Transform codes: vectors turned so that few components carry most of what tells them apart, and bits spent on those.
//!
//! The mean is taken away, principal components are sorted into segments, each segment is rotated at random so that its
//! components are alike, and each gets as many bits as pay: 4, 2, 1 or none. A code keeps the squared norm of its vector
//! and a factor that makes inner products with it unbiased. Close relatives: SAQ (Li et al., 2025), MRQ (Yang et al.,
//! 2024), LVQ (Aguerrebere et al., 2023), and RaBitQ (Gao and Long, 2024), from which the factor is.
//!
//! What is learned is in `spectrum.rs`, how a vector becomes a code in `encode.rs`. Codes lie in blocks of 32, whose
//! distances [`EstimateTables`] estimates, or one by one, for [`BitWeights`]; they are made to find candidates, which
//! are then compared as they are. Therefore a code keeps no bound on its error. No component gets 8 bits: of images,
//! patches, words and sentences none would, and with 4 to 24 components, where some would, searches took as long or
//! longer. Scans that prove have bytes of their own ([`ByteRows`](anear_kernels::ByteRows)).

use anear_bytes::Cursor;
use anear_kernels::{BitWeights, ByteMatrix, CodedPart, EstimateTables, Matrix, Metric, Rows};

use crate::transform::{check_floats, put_floats, take_floats};
use crate::{Error, Layout, Result};

mod encode;
mod spectrum;
#[cfg(test)]
mod tests;

pub use spectrum::Spectrum;

/// Components that are rotated together.
const SEGMENT: usize = 32;

/// Bytes of the norm and the scale behind the nibbles of a code.
const FACTORS: usize = 2 * size_of::<f32>();

/// Components that get the same number of bits.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    len: usize,
    bits: u32,
    /// What neighboring levels differ by in a code whose vector is as long as most.
    step: f32,
}

impl Segment {
    fn nibbles(self) -> usize {
        nibbles(self.len, self.bits)
    }

    /// That of its components in a vector as long as most.
    fn variance(self) -> f32 {
        (self.step / spectrum::step(self.bits)).powi(2)
    }
}

/// Nibbles of so many components of so many bits.
fn nibbles(len: usize, bits: u32) -> usize {
    (len * bits as usize).div_ceil(4)
}

/// How vectors become the components that are encoded.
#[derive(Clone, Debug)]
enum Projection {
    /// By a matrix with a row for each component; queries, one at a time, by its bytes, which are read in less time.
    Matrix {
        rows: Vec<f32>,
        packed: Matrix,
        bytes: Box<ByteMatrix>,
    },
    /// Components as they are, rotated segment by segment: for vectors too long for a matrix.
    Segments,
}

/// A trained transform code.
///
/// ```
/// use anear_kernels::{Metric, Rows};
/// use anear_quant::{Spectrum, Training, TransformCode};
///
/// let numbers: Vec<f32> = (0..64 * 500_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as f32).collect();
/// let vectors = Rows::new(&numbers, 64).unwrap();
/// let code = Spectrum::of(vectors, &Training::default())?.code(Metric::L2, 64);
/// assert_eq!(code.code_len(), 64 / 2 + 8);
///
/// let mut codes = Vec::new();
/// code.encode(vectors, &mut codes);
/// assert_eq!(codes.len(), 500 * code.code_len());
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TransformCode {
    metric: Metric,
    mean: Vec<f32>,
    projection: Projection,
    segments: Vec<Segment>,
}

/// A query turned as codes are, with its tables and, where they were made, its weights.
#[derive(Clone, Debug, Default)]
pub struct TransformedQuery {
    centered: Vec<f32>,
    numbers: Vec<i16>,
    /// For weights, whenever they are made.
    components: Vec<f32>,
    tables: EstimateTables,
    weights: BitWeights,
    is_weighed: bool,
}

impl TransformedQuery {
    /// What estimates the codes of a block.
    pub fn tables(&self) -> &EstimateTables {
        &self.tables
    }

    /// What estimates codes that lie one after the other.
    ///
    /// # Panics
    /// When [`weigh`](TransformCode::weigh) has not made it since the query was prepared.
    pub fn weights(&self) -> &BitWeights {
        assert!(self.is_weighed, "a query that was weighed");
        &self.weights
    }
}

impl TransformCode {
    /// Components per vector.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// How vectors are compared.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Components that get bits.
    pub fn kept(&self) -> usize {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Nibbles of a code, an even number.
    pub fn nibbles(&self) -> usize {
        let nibbles: usize = self.segments.iter().map(|segment| segment.nibbles()).sum();
        nibbles.next_multiple_of(2)
    }

    /// Bytes of a code.
    pub fn code_len(&self) -> usize {
        self.nibbles() / 2 + FACTORS
    }

    /// How codes lie in a [`Codes`](crate::Codes).
    pub fn layout(&self) -> Layout {
        Layout::Blocks {
            nibbles: self.nibbles(),
        }
    }

    /// Bytes of a block of 32 codes.
    pub fn block_len(&self) -> usize {
        self.code_len() * crate::BLOCK_LEN
    }

    /// The code of a slot in which no vector is: it is farther than all others.
    pub fn absent(&self) -> Vec<u8> {
        let mut code = vec![0; self.code_len()];
        let factors = [f32::INFINITY, 0.0].map(f32::to_le_bytes);
        let at = code.len() - FACTORS;
        code[at..].copy_from_slice(factors.as_flattened());
        code
    }

    /// Writes the components that are kept of each vector into `out`, one vector after the other.
    ///
    /// # Panics
    /// When the vectors have another dimension.
    pub fn project(&self, vectors: Rows<'_>, out: &mut Vec<f32>) {
        let mut centered = Vec::with_capacity(vectors.as_slice().len());
        for vector in vectors {
            centered.extend(vector.iter().zip(&self.mean).map(|(x, mean)| x - mean));
        }
        let centered = Rows::new(&centered, self.dim()).expect("whole vectors");
        out.clear();
        out.resize(centered.len() * self.kept(), 0.0);
        match &self.projection {
            Projection::Matrix { packed, .. } => packed.multiply(centered, out),
            Projection::Segments => {
                for (vector, components) in centered.iter().zip(out.chunks_exact_mut(self.kept())) {
                    rotate(vector, components);
                }
            }
        }
    }

    /// Appends a code per vector, one after the other.
    ///
    /// # Panics
    /// When the vectors have another dimension.
    pub fn encode(&self, vectors: Rows<'_>, codes: &mut Vec<u8>) {
        encode::encode(self, vectors, codes);
    }

    /// Turns a query, in memory that is used again.
    ///
    /// # Panics
    /// When the query has another dimension.
    pub fn prepare(&self, query: &[f32], into: &mut TransformedQuery) {
        assert_eq!(query.len(), self.dim(), "a query of the code's dimension");
        into.centered.clear();
        into.centered
            .extend(query.iter().zip(&self.mean).map(|(x, mean)| x - mean));
        into.components.resize(self.kept(), 0.0);
        match &self.projection {
            Projection::Matrix { bytes, .. } => {
                bytes.multiply(&into.centered, &mut into.numbers, &mut into.components);
            }
            Projection::Segments => rotate(&into.centered, &mut into.components),
        }
        into.tables.fill(self.parts(&into.components));
        into.is_weighed = false;
    }

    /// As [`prepare`](Self::prepare), of a query that [`project`](Self::project) has turned.
    ///
    /// # Panics
    /// When it has another number of components.
    pub fn prepare_components(&self, components: &[f32], into: &mut TransformedQuery) {
        assert_eq!(components.len(), self.kept(), "a component for each that is kept");
        into.components.clear();
        into.components.extend_from_slice(components);
        into.tables.fill(self.parts(components));
        into.is_weighed = false;
    }

    /// Makes the weights of a query that was prepared, besides its tables.
    ///
    /// # Panics
    /// When it was prepared for a code of another number of components.
    pub fn weigh(&self, query: &mut TransformedQuery) {
        assert_eq!(query.components.len(), self.kept(), "a component for each that is kept");
        query.weights.fill(self.parts(&query.components));
        query.is_weighed = true;
    }

    /// How far a vector is from the mean of those that the code was learned from, squared.
    ///
    /// # Panics
    /// When it has another dimension.
    pub fn from_mean(&self, vector: &[f32]) -> f32 {
        Metric::L2.distance(vector, &self.mean)
    }

    /// What the estimates of a query lack of its distances: the same for all codes.
    ///
    /// # Panics
    /// When the query has another dimension.
    pub fn lacking(&self, query: &[f32]) -> f32 {
        match self.metric {
            Metric::L2 => self.from_mean(query),
            other => other.distance(query, &self.mean) - other.distance(&self.mean, &self.mean),
        }
    }

    /// The components of a query, segment by segment.
    fn parts<'a>(&'a self, components: &'a [f32]) -> impl Iterator<Item = CodedPart<'a>> + Clone {
        self.segments.iter().scan(components, |rest, segment| {
            let components = rest.split_off(..segment.len)?;
            Some(CodedPart {
                components,
                bits: segment.bits,
                step: segment.step,
            })
        })
    }

    /// Everything that [`load`](Self::load) needs besides the dimension.
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_floats(&mut out, &self.mean);
        out.extend((self.segments.len() as u32).to_le_bytes());
        for segment in &self.segments {
            out.extend((segment.len as u32).to_le_bytes());
            out.extend(segment.bits.to_le_bytes());
            out.extend(segment.step.to_le_bytes());
        }
        if let Projection::Matrix { rows, .. } = &self.projection {
            put_floats(&mut out, rows);
        }
        out
    }

    /// What [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::Damaged`] and [`Error::Bytes`].
    pub fn load(metric: Metric, dim: usize, saved: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(saved);
        let mean = take_floats(&mut cursor, "mean")?;
        check_floats("the mean", &mean, dim)?;
        let count = cursor.u32("number of segments")? as usize;
        let mut segments = Vec::new();
        for _ in 0..count {
            let [len, bits, step] = [cursor.u32("length")?, cursor.u32("bits")?, cursor.u32("step")?];
            segments.push(Segment {
                len: len as usize,
                bits,
                step: f32::from_bits(step),
            });
        }
        let is_sound = |segment: &Segment| {
            matches!(segment.bits, 1 | 2 | 4)
                && (1..=SEGMENT).contains(&segment.len)
                && segment.step >= 0.0
                && segment.step.is_finite()
        };
        let kept: usize = segments.iter().map(|segment| segment.len).sum();
        if !segments.iter().all(is_sound) || !(1..=dim).contains(&kept) {
            return Err(Error::Damaged(format!(
                "{count} segments of a code for {dim} components"
            )));
        }
        let projection = if dim > spectrum::MATRIX_DIM_MAX {
            Projection::Segments
        } else {
            let rows = take_floats(&mut cursor, "projection")?;
            check_floats("the projection", &rows, kept * dim)?;
            Projection::matrix(rows, dim)
        };
        cursor.finish()?;
        Ok(Self {
            metric,
            mean,
            projection,
            segments,
        })
    }
}

impl Projection {
    fn matrix(rows: Vec<f32>, dim: usize) -> Self {
        let whole = Rows::new(&rows, dim).expect("whole rows");
        let (packed, bytes) = (Matrix::new(whole), Box::new(ByteMatrix::new(whole)));
        Self::Matrix { rows, packed, bytes }
    }
}

/// The first components of a vector, rotated segment by segment.
fn rotate(vector: &[f32], components: &mut [f32]) {
    components.copy_from_slice(&vector[..components.len()]);
    spectrum::rotate_segments(components, 1);
}
