//! Product quantization: each part of a vector becomes the number of its nearest centroid (Jégou, Douze & Schmid,
//! *Product quantization for nearest neighbor search*, 2011; Faiss `ProductQuantizer`, `IndexPQ`).

mod scorer;
mod train;

use anear_bytes::AlignedBytes;
use anear_kernels::{Codebooks, Metric, Rows, first_non_finite, read_bits, write_bits};

use scorer::Lookup;
pub(crate) use scorer::Table;
pub use train::ProductParams;
pub(crate) use train::codebook;

use crate::{Error, Quantizer, QuantizerSpec, Result, Scorer};

/// The widest codes: 65536 centroids per part.
const NBITS_MAX: u32 = 16;

/// Vectors as `m` numbers of `nbits` bits, one for each `m`-th of the components.
///
/// A code is a string of bits, the lowest first, of `m * nbits` bits and padded to whole bytes, as in Faiss. Distances
/// are those of the query to the decoded vector, summed up from a table of those of its parts to all centroids
/// (asymmetric distance computation).
///
/// ```
/// use anear_kernels::{Metric, Rows};
/// use anear_quant::{Product, Quantizer};
///
/// // Two parts of one component, two centroids each: 0 or 1, and 5 or 7.
/// let product = Product::from_parts(2, 2, 1, vec![0.0, 1.0, 5.0, 7.0])?;
/// let codes = product.codes_of(Rows::new(&[0.2, 6.9], 2).unwrap())?;
/// assert_eq!(codes.as_bytes(), [0b10]);
/// let mut distances = [0.0];
/// product.scorer(Metric::L2, &[1.0, 5.0]).score_block(codes.as_bytes(), &mut distances);
/// assert_eq!(distances, [5.0]);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Product {
    dim: usize,
    m: usize,
    nbits: u32,
    /// `[m][2^nbits][dim / m]`, Faiss's order.
    centroids: Vec<f32>,
    codebooks: Codebooks,
}

impl Product {
    /// From centroids in Faiss's order, `[m][2^nbits][dim / m]`.
    ///
    /// # Errors
    /// [`Error::Parameters`] when `m` does not divide `dim` or `nbits` is not 1 to 16, [`Error::Damaged`] when there are
    /// more or fewer centroids, or one is not finite.
    pub fn from_parts(dim: usize, m: usize, nbits: u32, centroids: Vec<f32>) -> Result<Self> {
        ProductParams { m, nbits }.check(dim)?;
        if dim.checked_mul(1 << nbits) != Some(centroids.len()) {
            return Err(Error::Damaged(format!(
                "{m} codebooks of 2^{nbits} centroids of {} components are not {} numbers",
                dim / m,
                centroids.len()
            )));
        }
        if let Some((centroid, _)) = Rows::new(&centroids, dim / m).and_then(first_non_finite) {
            return Err(Error::Damaged(format!("centroid {centroid} is not finite")));
        }
        Ok(Self {
            dim,
            m,
            nbits,
            codebooks: Codebooks::new(&centroids, m, 1 << nbits),
            centroids,
        })
    }

    /// The quantizer whose [`save`](Quantizer::save) wrote these bytes.
    ///
    /// # Errors
    /// As [`from_parts`](Self::from_parts).
    pub fn load(dim: usize, m: usize, nbits: u32, saved: &[u8]) -> Result<Self> {
        let (numbers, rest) = saved.as_chunks();
        if !rest.is_empty() {
            return Err(Error::Damaged(format!(
                "{} bytes are no whole number of centroids",
                saved.len()
            )));
        }
        Self::from_parts(
            dim,
            m,
            nbits,
            numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        )
    }

    /// Parts of a vector.
    pub fn m(&self) -> usize {
        self.m
    }

    /// Bits per part.
    pub fn nbits(&self) -> u32 {
        self.nbits
    }

    /// All centroids, `[m][2^nbits][dim / m]`.
    pub fn centroids(&self) -> &[f32] {
        &self.centroids
    }

    /// The centroids of a part.
    ///
    /// # Panics
    /// When there is no such part.
    pub fn codebook(&self, part: usize) -> Rows<'_> {
        let len = self.part_dim() << self.nbits;
        Rows::new(&self.centroids[part * len..][..len], self.part_dim()).expect("whole centroids")
    }

    fn part_dim(&self) -> usize {
        self.dim / self.m
    }

    /// Entries of a table of distances.
    fn table_len(&self) -> usize {
        self.m << self.nbits
    }

    /// Where the number of a part begins in a code, in bits.
    fn bit_of(&self, part: usize) -> usize {
        part * self.nbits as usize
    }
}

/// Vectors of which one part after the other is encoded: they stay in the cache while a codebook does.
const ENCODED_TOGETHER: usize = 256;

impl Quantizer for Product {
    fn spec(&self) -> QuantizerSpec {
        QuantizerSpec::Product {
            m: self.m,
            nbits: self.nbits,
        }
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn code_len(&self) -> usize {
        self.bit_of(self.m).div_ceil(8)
    }

    fn supports(&self, metric: Metric) -> bool {
        matches!(metric, Metric::L2 | Metric::InnerProduct)
    }

    fn scorer_is_costly(&self) -> bool {
        true
    }

    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes) {
        assert_eq!(vectors.dim(), self.dim, "rows of the quantizer's dimension");
        let start = codes.len();
        let code_len = self.code_len();
        codes.resize(start + vectors.len() * code_len, 0);
        let codes = &mut codes.as_mut_slice()[start..];
        let mut numbers = [0; ENCODED_TOGETHER];
        let blocks = vectors.as_slice().chunks(ENCODED_TOGETHER * self.dim);
        for (block, codes) in blocks.zip(codes.chunks_mut(ENCODED_TOGETHER * code_len)) {
            let block = Rows::new(block, self.dim).expect("whole rows");
            let numbers = &mut numbers[..block.len()];
            for part in 0..self.m {
                self.codebooks.nearest(part, block, numbers);
                for (code, &number) in codes.chunks_exact_mut(code_len).zip(&*numbers) {
                    write_bits(code, self.bit_of(part), self.nbits, number);
                }
            }
        }
    }

    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>) {
        assert!(codes.len().is_multiple_of(self.code_len()), "whole codes");
        for code in codes.chunks_exact(self.code_len()) {
            for part in 0..self.m {
                let number = read_bits(code, self.bit_of(part), self.nbits);
                vectors.extend_from_slice(self.codebook(part).row(number as usize));
            }
        }
    }

    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
        Box::new(Lookup(Table::new(self, metric, query)))
    }

    fn save(&self) -> Vec<u8> {
        self.centroids.iter().flat_map(|number| number.to_le_bytes()).collect()
    }
}
