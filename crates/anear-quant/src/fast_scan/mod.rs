//! Fast scan: product quantization of 4 bits per part, whose tables fit into registers (André, Kermarrec & Le Scouarnec,
//! *Cache locality is not enough*, 2015; Faiss `IndexPQFastScan`).
//!
//! A scan sums up tables rounded down to bytes, which proves of nearly all codes that they are too far away; what remains
//! is measured exactly. So unlike Faiss's, the answers are those of the plain product quantizer, to the bit.

pub(crate) mod rounded;
mod scorer;

use anear_bytes::AlignedBytes;
use anear_kernels::{IdSelector, Metric, Rows, TopK};

use crate::spec::check_file_block;
use crate::{
    BLOCK_LEN, CodeRun, Layout, Product, ProductParams, Quantizer, QuantizerSpec, Result, Scorer, Training,
    product::Table,
};
use scorer::{Blockwise, scan_together};

/// Bits per part: sixteen bytes of a table fill a register.
const NBITS: u32 = 4;

/// Queries that share each block of codes while it is in L1, where their tables are too.
const TOGETHER: usize = 16;

/// What a fast-scan quantizer is trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastScanParams {
    /// Parts of a vector; divides its dimension.
    pub m: usize,
}

impl FastScanParams {
    /// Learns the centroids of vectors like those of `sample`.
    ///
    /// # Errors
    /// As [`ProductParams::train`].
    pub fn train(&self, sample: Rows<'_>, training: &Training<'_>) -> Result<FastScan> {
        let params = ProductParams {
            m: self.m,
            nbits: NBITS,
        };
        Ok(FastScan::new(params.train(sample, training)?))
    }
}

/// A [`Product`] quantizer of 4 bits per part, whose codes lie in blocks of 32.
///
/// ```
/// use anear_kernels::{IdSelector, Metric, Rows, TopK};
/// use anear_quant::{CodeRun, FastScanParams, Quantizer, Training};
///
/// let vectors: Vec<f32> = (0..400).map(|i| (i * i % 31) as f32).collect();
/// let vectors = Rows::new(&vectors, 4).unwrap();
/// let quantizer = FastScanParams { m: 2 }.train(vectors, &Training::default())?;
/// let codes = quantizer.codes_of(vectors)?;
/// let mut tops = [TopK::new(5)];
/// quantizer.scan(Metric::L2, vectors.slice(7..8), &CodeRun::all(&codes), &IdSelector::All, &mut tops);
/// assert_eq!(tops[0].len(), 5);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FastScan {
    product: Product,
    file_block: usize,
}

impl FastScan {
    fn new(product: Product) -> Self {
        Self {
            product,
            file_block: BLOCK_LEN,
        }
    }

    /// From centroids in Faiss's order, `[m][16][dim / m]`.
    ///
    /// # Errors
    /// As [`Product::from_parts`].
    pub fn from_parts(dim: usize, m: usize, centroids: Vec<f32>) -> Result<Self> {
        Product::from_parts(dim, m, NBITS, centroids).map(Self::new)
    }

    /// The quantizer whose [`save`](Quantizer::save) wrote these bytes.
    ///
    /// # Errors
    /// As [`Product::load`].
    pub fn load(dim: usize, m: usize, saved: &[u8]) -> Result<Self> {
        Product::load(dim, m, NBITS, saved).map(Self::new)
    }

    /// The quantizer whose codes these are, one after the other.
    pub fn product(&self) -> &Product {
        &self.product
    }

    /// Vectors of a block in Faiss's files.
    pub fn file_block(&self) -> usize {
        self.file_block
    }

    /// The same quantizer, of whose codes [`file_block`](Self::file_block) lie in a block of Faiss's files.
    ///
    /// # Errors
    /// [`Error::Parameters`](crate::Error::Parameters) unless that is a multiple of 32 up to 4096.
    pub fn with_file_block(self, file_block: usize) -> Result<Self> {
        check_file_block(file_block)?;
        Ok(Self { file_block, ..self })
    }

    fn blockwise<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Blockwise<'a> {
        Blockwise::new(Table::new(&self.product, metric, query))
    }
}

impl Quantizer for FastScan {
    fn spec(&self) -> QuantizerSpec {
        QuantizerSpec::FastScan {
            m: self.product.m(),
            file_block: self.file_block,
        }
    }

    fn dim(&self) -> usize {
        self.product.dim()
    }

    fn code_len(&self) -> usize {
        self.product.code_len()
    }

    fn layout(&self) -> Layout {
        Layout::Blocks {
            nibbles: self.product.m(),
        }
    }

    fn supports(&self, metric: Metric) -> bool {
        self.product.supports(metric)
    }

    fn scorer_is_costly(&self) -> bool {
        true
    }

    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes) {
        self.product.encode(vectors, codes);
    }

    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>) {
        self.product.decode(codes, vectors);
    }

    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
        Box::new(self.blockwise(metric, query))
    }

    fn save(&self) -> Vec<u8> {
        self.product.save()
    }

    fn scan(&self, metric: Metric, queries: Rows<'_>, run: &CodeRun<'_>, keep: &IdSelector<'_>, tops: &mut [TopK]) {
        assert_eq!(queries.len(), tops.len(), "one top-k per query");
        for (first, tops) in (0..).step_by(TOGETHER).zip(tops.chunks_mut(TOGETHER)) {
            let queries = queries.slice(first..first + tops.len());
            let scorers: Vec<_> = queries.iter().map(|query| self.blockwise(metric, query)).collect();
            run.for_each_block(|codes, ids| scan_together(&scorers, codes, ids, keep, tops));
        }
    }
}
