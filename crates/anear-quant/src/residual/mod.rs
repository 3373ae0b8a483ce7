//! Residual quantization: a vector is a sum of entries, one of each codebook, each chosen for what those before it left
//! over (Chen, Guan & Wang, *Approximate nearest neighbor search by residual vector quantization*, 2010; Faiss
//! `ResidualQuantizer`).

mod beam;
mod norms;
mod params;
mod scorer;

use std::ops::Range;

use anear_bytes::AlignedBytes;
use anear_kernels::{Codebooks, Matrix, Metric, Rows, first_non_finite, read_bits, write_bits};

use beam::Beam;
pub use norms::NormKind;
use norms::Norms;
pub use params::ResidualParams;
use scorer::{Decoded, Sums};

use crate::{Error, Quantizer, QuantizerSpec, Result, Scorer};

/// Vectors as sums of entries of several codebooks.
///
/// A code is a string of bits, the lowest first: a number for each codebook, and, if it is kept, the squared norm of what
/// they stand for ([`NormKind`]). By inner product a code is compared through a table of those of the query with all entries.
/// By L2 as well where there are norms; otherwise it is decoded.
///
/// ```
/// use anear_kernels::{Metric, Rows};
/// use anear_quant::{Quantizer, Residual, ResidualParams};
///
/// // Coarse steps of 10, then fine ones of 1.
/// let params = ResidualParams::new([1, 1]);
/// let residual = Residual::from_parts(1, params, vec![0.0, 10.0, 0.0, 1.0], Vec::new())?;
/// let codes = residual.codes_of(Rows::new(&[11.2], 1).unwrap())?;
/// let mut distances = [0.0];
/// residual.scorer(Metric::L2, &[9.0]).score_block(codes.as_bytes(), &mut distances);
/// assert_eq!(distances, [4.0]);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Residual {
    dim: usize,
    params: ResidualParams,
    /// One codebook after the other, each of `2^nbits` rows.
    entries: Vec<f32>,
    codebooks: Vec<Codebooks>,
    books: Vec<Book>,
    norms: Norms,
}

/// A codebook as encoding compares it.
#[derive(Clone, Debug)]
struct Book {
    matrix: Matrix,
    /// The squared norm of each entry.
    norms: Vec<f32>,
}

impl Book {
    fn new(entries: Rows<'_>) -> Self {
        Self {
            matrix: Matrix::new(entries),
            norms: entries.iter().map(squared_norm).collect(),
        }
    }
}

impl Residual {
    /// From codebooks in Faiss's order, one after the other, each of `2^nbits` rows of `dim` components, and what
    /// describes the steps of norms, [`NormKind::levels`] numbers.
    ///
    /// # Errors
    /// [`Error::Parameters`] for parameters that cannot be, [`Error::Damaged`] when there are more or fewer entries or
    /// steps, or one is not finite.
    pub fn from_parts(dim: usize, params: ResidualParams, codebooks: Vec<f32>, norm_levels: Vec<f32>) -> Result<Self> {
        params.check()?;
        let norms = Norms::new(params.norm, norm_levels)?;
        let Some(rows) = Rows::new(&codebooks, dim).filter(|rows| rows.len() == params.entries()) else {
            return Err(Error::Damaged(format!(
                "{} codebooks of {} entries of {dim} components in all are not {} numbers",
                params.nbits.len(),
                params.entries(),
                codebooks.len()
            )));
        };
        if let Some((entry, _)) = first_non_finite(rows) {
            return Err(Error::Damaged(format!("entry {entry} is not finite")));
        }
        let book = |stage| {
            Codebooks::new(
                rows.slice(params.entries_of(stage)).as_slice(),
                1,
                1 << params.nbits[stage],
            )
        };
        Ok(Self {
            dim,
            codebooks: (0..params.nbits.len()).map(book).collect(),
            books: (0..params.nbits.len())
                .map(|stage| Book::new(rows.slice(params.entries_of(stage))))
                .collect(),
            entries: codebooks,
            norms,
            params,
        })
    }

    /// The quantizer whose [`save`](Quantizer::save) wrote these bytes.
    ///
    /// # Errors
    /// As [`from_parts`](Self::from_parts).
    pub fn load(dim: usize, params: ResidualParams, saved: &[u8]) -> Result<Self> {
        let (numbers, rest) = saved.as_chunks();
        let Some((beam, numbers)) = numbers.split_first().filter(|_| rest.is_empty()) else {
            return Err(Error::Damaged(format!("{} bytes are no codebooks", saved.len())));
        };
        let params = ResidualParams {
            beam: u32::from_le_bytes(*beam) as usize,
            ..params
        };
        let mut levels: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let entries = levels.split_off(params.norm.levels().min(levels.len()));
        Self::from_parts(dim, params, entries, levels)
    }

    /// How it was trained and how it encodes.
    pub fn params(&self) -> &ResidualParams {
        &self.params
    }

    /// All codebooks, one after the other, each of `2^nbits` rows.
    pub fn entries(&self) -> Rows<'_> {
        Rows::new(&self.entries, self.dim).expect("whole entries")
    }

    /// What describes the steps of norms.
    pub fn norm_levels(&self) -> &[f32] {
        self.norms.levels()
    }

    /// The entry that a code chooses from each codebook, as numbers in [`entries`](Self::entries).
    fn chosen(&self, code: &[u8]) -> impl Iterator<Item = usize> {
        let mut bit = 0;
        let mut first = 0;
        self.params.nbits.iter().map(move |&nbits| {
            let entry = first + read_bits(code, bit, nbits) as usize;
            bit += nbits as usize;
            first += 1 << nbits;
            entry
        })
    }

    /// Appends what a code stands for.
    fn decode_one(&self, code: &[u8], vectors: &mut Vec<f32>) {
        let start = vectors.len();
        vectors.resize(start + self.dim, 0.0);
        for entry in self.chosen(code) {
            let sum = vectors[start..].iter_mut();
            sum.zip(self.entries().row(entry)).for_each(|(sum, x)| *sum += x);
        }
    }

    /// Where the norm is in a code.
    fn norm_bit(&self) -> usize {
        self.params.nbits.iter().map(|&nbits| nbits as usize).sum()
    }

    fn norm(&self, code: &[u8]) -> f32 {
        self.norms
            .norm(read_bits(code, self.norm_bit(), self.params.norm.bits()))
    }
}

impl Quantizer for Residual {
    fn spec(&self) -> QuantizerSpec {
        QuantizerSpec::Residual(self.params.clone())
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn code_len(&self) -> usize {
        (self.norm_bit() + self.params.norm.bits() as usize).div_ceil(8)
    }

    fn supports(&self, metric: Metric) -> bool {
        matches!(metric, Metric::L2 | Metric::InnerProduct)
    }

    fn scorer_is_costly(&self) -> bool {
        true
    }

    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes) {
        assert_eq!(vectors.dim(), self.dim, "rows of the quantizer's dimension");
        let (mut code, mut decoded) = (vec![0; self.code_len()], Vec::new());
        Beam::new(self).encode(vectors, |numbers, _| {
            code.fill(0);
            let mut bit = 0;
            for (&number, &nbits) in numbers.iter().zip(&self.params.nbits) {
                write_bits(&mut code, bit, nbits, number);
                bit += nbits as usize;
            }
            if self.params.norm != NormKind::None {
                decoded.clear();
                self.decode_one(&code, &mut decoded);
                let norm = self.norms.number(squared_norm(&decoded));
                write_bits(&mut code, bit, self.params.norm.bits(), norm);
            }
            codes.extend_from_slice(&code);
        });
    }

    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>) {
        assert!(codes.len().is_multiple_of(self.code_len()), "whole codes");
        codes
            .chunks_exact(self.code_len())
            .for_each(|code| self.decode_one(code, vectors));
    }

    fn kept_norm(&self, code: &[u8]) -> Option<f32> {
        (self.params.norm != NormKind::None).then(|| self.norm(code))
    }

    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
        if metric == Metric::L2 && self.params.norm == NormKind::None {
            Box::new(Decoded::new(self, query))
        } else {
            Box::new(Sums::new(self, metric, query))
        }
    }

    fn save(&self) -> Vec<u8> {
        let beam = (self.params.beam as u32).to_le_bytes();
        let numbers = self.norms.levels().iter().chain(&self.entries);
        beam.into_iter()
            .chain(numbers.flat_map(|number| number.to_le_bytes()))
            .collect()
    }
}

fn squared_norm(x: &[f32]) -> f32 {
    -Metric::InnerProduct.distance(x, x)
}

impl ResidualParams {
    /// The entries of all codebooks.
    fn entries(&self) -> usize {
        self.nbits.iter().map(|&nbits| 1 << nbits).sum()
    }

    /// Those of a codebook among them.
    fn entries_of(&self, stage: usize) -> Range<usize> {
        let start = self.nbits[..stage].iter().map(|&nbits| 1 << nbits).sum();
        start..start + (1 << self.nbits[stage])
    }
}
