//! RaBitQ: one to nine bits per component, and factors that make their products unbiased (Gao & Long, *RaBitQ: Quantizing
//! high-dimensional vectors with a theoretical error bound for approximate nearest neighbor search*, 2024; Gao et al.,
//! *Practical and asymptotically optimal quantization of high-dimensional vectors*, 2025).
//!
//! Codes are Faiss's, bit by bit. With `r` for a vector without the centre, a code is
//!
//! - a sign bit per component of `r`, lowest first, set where it is positive;
//! - `|r|^2`, for inner products without `|x|^2`, and the factor `|r|^2 √d / Σ|r_i|` of the product with the signs;
//!
//! and with more than one bit per component also
//!
//! - the error of that product that is rarely exceeded, per length of the query;
//! - the other bits of each component, a string of numbers, lowest bit first;
//! - `|r|^2`, for inner products `<c, r>`, and the factor of the product with the numbers.
//!
//! The rotation that RaBitQ's bounds want is a transform of its own: `RR,RaBitQ`.

mod encode;
mod fast_scan;
mod scorer;

pub use fast_scan::RaBitQFastScan;

use anear_bytes::{AlignedBytes, Cursor};
use anear_kernels::{Metric, Rows};

use crate::transform::{check_floats, mean, put_floats, take_floats};
use crate::{Error, Quantizer, QuantizerSpec, Result, Scorer};

/// What a [`RaBitQ`] is trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaBitQParams {
    /// Bits per component, from 1 to 9.
    pub bits: u32,
    /// L2 or inner product: codes hold different factors for each.
    pub metric: Metric,
    /// Bits to which components of a query are rounded before they meet signs, as in Faiss's `qb`; 0 for not at all.
    pub query_bits: u32,
}

/// Vectors as signs, or as numbers of a few bits, around a centre (Faiss: `IndexRaBitQ`).
///
/// ```
/// use anear_kernels::{IdSelector, Metric, Rows, TopK};
/// use anear_quant::{CodeRun, Quantizer, RaBitQParams};
///
/// let vectors = [1.0, 2.0, -1.0, 0.5, -2.0, 1.0, 0.0, 3.0];
/// let vectors = Rows::new(&vectors, 4).unwrap();
/// let rabitq = RaBitQParams { bits: 4, metric: Metric::L2, query_bits: 0 }.train(vectors)?;
/// let codes = rabitq.codes_of(vectors)?;
///
/// let mut tops = [TopK::new(1)];
/// rabitq.scan(Metric::L2, vectors.slice(1..2), &CodeRun::all(&codes), &IdSelector::All, &mut tops);
/// let [top] = tops;
/// assert_eq!(top.into_sorted()[0].id, 1);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RaBitQ {
    params: RaBitQParams,
    /// What is taken from every vector; zeros where an index takes its own origins.
    center: Vec<f32>,
}

impl RaBitQParams {
    fn check(&self) -> Result<()> {
        if !matches!(self.metric, Metric::L2 | Metric::InnerProduct) {
            return Err(Error::Parameters(format!(
                "RaBitQ compares by l2 or inner_product, not {}",
                self.metric
            )));
        }
        if !(1..=9).contains(&self.bits) {
            return Err(Error::Parameters(format!(
                "RaBitQ has 1 to 9 bits per component, not {}",
                self.bits
            )));
        }
        if self.query_bits > 8 {
            return Err(Error::Parameters(format!(
                "RaBitQ rounds queries to at most 8 bits, not {}",
                self.query_bits
            )));
        }
        Ok(())
    }

    /// Learns the centre: the mean of the sample.
    ///
    /// # Errors
    /// [`Error::Parameters`] and [`Error::TooFewTrainingVectors`].
    pub fn train(self, sample: Rows<'_>) -> Result<RaBitQ> {
        if sample.is_empty() {
            return Err(Error::TooFewTrainingVectors {
                what: self.spec().to_string(),
                needed: 1,
                got: 0,
            });
        }
        RaBitQ::new(self, mean(sample))
    }

    fn spec(self) -> QuantizerSpec {
        QuantizerSpec::RaBitQ { bits: self.bits }
    }
}

impl RaBitQ {
    /// Codes around `center`, which has a component per component of vectors.
    ///
    /// # Errors
    /// [`Error::Parameters`].
    pub fn new(params: RaBitQParams, center: Vec<f32>) -> Result<Self> {
        params.check()?;
        if center.is_empty() {
            return Err(Error::Parameters(
                "the centre of RaBitQ has at least one component".into(),
            ));
        }
        check_floats("the centre of RaBitQ", &center, center.len())?;
        Ok(Self { params, center })
    }

    /// What it was made with.
    pub fn params(&self) -> RaBitQParams {
        self.params
    }

    /// What is taken from every vector.
    pub fn center(&self) -> &[f32] {
        &self.center
    }

    /// The same quantizer, which rounds queries to so many bits; 0 for not at all.
    ///
    /// # Errors
    /// [`Error::Parameters`] for more than 8.
    pub fn with_query_bits(&self, query_bits: u32) -> Result<Self> {
        Self::new(
            RaBitQParams {
                query_bits,
                ..self.params
            },
            self.center.clone(),
        )
    }

    /// What [`save`](Quantizer::save) wrote.
    pub(crate) fn load(bits: u32, dim: usize, saved: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(saved);
        let metric = if cursor.bool("metric")? {
            Metric::InnerProduct
        } else {
            Metric::L2
        };
        let query_bits = cursor.u8("query bits")?.into();
        let center = take_floats(&mut cursor, "center")?;
        cursor.finish()?;
        check_floats("the centre of RaBitQ", &center, dim)?;
        Self::new(
            RaBitQParams {
                bits,
                metric,
                query_bits,
            },
            center,
        )
    }

    fn shape(&self) -> Shape {
        Shape {
            dim: self.center.len(),
            rest: self.params.bits as usize - 1,
        }
    }
}

/// Where the parts of a code are.
#[derive(Clone, Copy, Debug)]
struct Shape {
    dim: usize,
    /// Bits per component besides the sign.
    rest: usize,
}

impl Shape {
    /// Bytes of signs, behind which the first two factors are.
    fn signs_len(self) -> usize {
        self.dim.div_ceil(8)
    }

    fn error_at(self) -> usize {
        self.signs_len() + 8
    }

    fn rest_at(self) -> usize {
        self.signs_len() + 12
    }

    fn rest_len(self) -> usize {
        (self.dim * self.rest).div_ceil(8)
    }

    fn code_len(self) -> usize {
        match self.rest {
            0 => self.signs_len() + 8,
            _ => self.rest_at() + self.rest_len() + 8,
        }
    }

    /// The two factors that distances are made of: with more than one bit per component, the last ones.
    fn factors(self, code: &[u8]) -> [f32; 2] {
        let at = if self.rest == 0 {
            self.signs_len()
        } else {
            self.code_len() - 8
        };
        [float_at(code, at), float_at(code, at + 4)]
    }

    /// What a component of 0 is as a number: numbers lie evenly around it.
    fn zero(self) -> f32 {
        (1_u32 << self.rest) as f32 - 0.5
    }
}

fn float_at(code: &[u8], at: usize) -> f32 {
    f32::from_le_bytes(*code[at..].first_chunk().expect("factors are part of the code"))
}

impl Quantizer for RaBitQ {
    fn spec(&self) -> QuantizerSpec {
        self.params.spec()
    }

    fn dim(&self) -> usize {
        self.center.len()
    }

    fn code_len(&self) -> usize {
        self.shape().code_len()
    }

    fn supports(&self, metric: Metric) -> bool {
        metric == self.params.metric
    }

    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes) {
        assert_eq!(vectors.dim(), self.dim(), "rows of the quantizer's dimension");
        let mut encoder = encode::Encoder::new(self);
        let mut residual = vec![0.0; self.dim()];
        for vector in vectors {
            encode::subtract(vector, &self.center, &mut residual);
            encoder.push(&residual, &self.center, codes);
        }
    }

    fn encode_residuals(&self, residuals: Rows<'_>, origins: Rows<'_>, of: &[u32], codes: &mut AlignedBytes) {
        assert_eq!(residuals.dim(), self.dim(), "rows of the quantizer's dimension");
        assert_eq!(residuals.len(), of.len(), "one origin per residual");
        let mut encoder = encode::Encoder::new(self);
        let (mut residual, mut center) = (vec![0.0; self.dim()], vec![0.0; self.dim()]);
        for (from, &of) in residuals.iter().zip(of) {
            encode::subtract(from, &self.center, &mut residual);
            encode::add(origins.row(of as usize), &self.center, &mut center);
            encoder.push(&residual, &center, codes);
        }
    }

    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>) {
        assert!(codes.len().is_multiple_of(self.code_len()), "whole codes");
        for code in codes.chunks_exact(self.code_len()) {
            encode::decode(self, code, vectors);
        }
    }

    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
        assert_eq!(query.len(), self.dim(), "a query of the quantizer's dimension");
        assert!(
            self.supports(metric),
            "codes for {} are not compared by {metric}",
            self.params.metric
        );
        Box::new(scorer::Estimator::new(self, query))
    }

    fn save(&self) -> Vec<u8> {
        let mut out = vec![
            (self.params.metric == Metric::InnerProduct).into(),
            self.params.query_bits as u8,
        ];
        put_floats(&mut out, &self.center);
        out
    }
}
