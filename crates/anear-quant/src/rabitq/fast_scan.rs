//! RaBitQ by fast scan: signs in blocks of 32 codes, looked up four at a time in registers.
//!
//! Tables are rounded down to bytes, which proves of nearly all codes that they are too far away; the others are
//! estimated as [`RaBitQ`] does. With signs alone, answers are those of plain RaBitQ, to the bit.
//!
//! With more bits, signs prove nothing of the distance that all bits say; they bound it but for rare errors. So that the
//! answer depends neither on the order of the scan nor on the number of threads, the bound is made part of the distance:
//! it is the estimate by all bits, or what the signs say it is at least, whichever is larger.

use anear_bytes::AlignedBytes;
use anear_kernels::{IdSelector, Metric, Neighbor, Rows, SplitQuery, TopK, fast_scan_code, fast_scan_sums};

use super::{RaBitQ, Shape, float_at, scorer::Prepared};
use crate::fast_scan::rounded::{ENTRIES, Rounded};
use crate::spec::check_file_block;
use crate::{BLOCK_LEN, Layout, Quantizer, QuantizerSpec, Result, Scorer};

/// How often the error that is kept with a code, 1.9 standard deviations, is allowed for: 3.8 of them are exceeded by one
/// code in 14,000.
const ERRORS: f32 = 2.0;

/// A [`RaBitQ`] quantizer whose codes lie in blocks of 32 (Faiss: `IndexRaBitQFastScan`).
///
/// ```
/// use anear_kernels::{IdSelector, Metric, Rows, TopK};
/// use anear_quant::{CodeRun, Quantizer, RaBitQFastScan, RaBitQParams};
///
/// let vectors = [1.0, 2.0, -1.0, 0.5, -2.0, 1.0, 0.0, 3.0];
/// let vectors = Rows::new(&vectors, 4).unwrap();
/// let params = RaBitQParams { bits: 4, metric: Metric::L2, query_bits: 0 };
/// let rabitq = RaBitQFastScan::new(params.train(vectors)?);
/// let codes = rabitq.codes_of(vectors)?;
///
/// let mut tops = [TopK::new(1)];
/// rabitq.scan(Metric::L2, vectors.slice(1..2), &CodeRun::all(&codes), &IdSelector::All, &mut tops);
/// let [top] = tops;
/// assert_eq!(top.into_sorted()[0].id, 1);
/// # Ok::<(), anear_quant::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RaBitQFastScan {
    rabitq: RaBitQ,
    file_block: usize,
}

impl RaBitQFastScan {
    /// The codes of `rabitq`, in blocks.
    pub fn new(rabitq: RaBitQ) -> Self {
        Self {
            rabitq,
            file_block: BLOCK_LEN,
        }
    }

    /// The quantizer whose codes these are, one after the other.
    pub fn rabitq(&self) -> &RaBitQ {
        &self.rabitq
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

    /// The same quantizer, which rounds queries to so many bits; 0 for not at all.
    ///
    /// # Errors
    /// As [`RaBitQ::with_query_bits`].
    pub fn with_query_bits(&self, query_bits: u32) -> Result<Self> {
        Ok(Self {
            rabitq: self.rabitq.with_query_bits(query_bits)?,
            ..*self
        })
    }
}

impl Quantizer for RaBitQFastScan {
    fn spec(&self) -> QuantizerSpec {
        QuantizerSpec::RaBitQFastScan {
            bits: self.rabitq.params.bits,
            file_block: self.file_block,
        }
    }

    fn dim(&self) -> usize {
        self.rabitq.dim()
    }

    fn code_len(&self) -> usize {
        self.rabitq.code_len()
    }

    fn layout(&self) -> Layout {
        Layout::Blocks {
            nibbles: self.dim().div_ceil(4),
        }
    }

    fn supports(&self, metric: Metric) -> bool {
        self.rabitq.supports(metric)
    }

    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes) {
        self.rabitq.encode(vectors, codes);
    }

    fn encode_residuals(&self, residuals: Rows<'_>, origins: Rows<'_>, of: &[u32], codes: &mut AlignedBytes) {
        self.rabitq.encode_residuals(residuals, origins, of, codes);
    }

    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>) {
        self.rabitq.decode(codes, vectors);
    }

    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
        assert_eq!(query.len(), self.dim(), "a query of the quantizer's dimension");
        let own = self.rabitq.params.metric;
        assert!(self.supports(metric), "codes for {own} are not compared by {metric}");
        let prepared = Prepared::new(&self.rabitq, query, &self.rabitq.center);
        Box::new(Blockwise::new(&self.rabitq, query, prepared))
    }

    fn save(&self) -> Vec<u8> {
        self.rabitq.save()
    }
}

/// A query's exact products, and bytes that bound those with signs.
struct Blockwise<'a> {
    rabitq: &'a RaBitQ,
    shape: Shape,
    query: &'a [f32],
    prepared: Prepared,
    numbers: SplitQuery,
    signs: SplitQuery,
    rounded: Rounded,
    bound: Bound,
}

/// How a sum of bytes bounds a distance: as a [`Line`](super::scorer::Line), from which all that rounding can do is taken.
#[derive(Clone, Copy, Debug)]
struct Bound {
    scale: f32,
    bias: f32,
    /// The least of `slope * product + offset` for a sum of bytes of 0, and what each byte adds.
    start: f32,
    step: f32,
    /// Its largest magnitude.
    span: f32,
}

impl Bound {
    fn new(prepared: &Prepared, rounded: &Rounded) -> Self {
        let line = prepared.signs;
        let (slope, offset) = (f64::from(line.slope), f64::from(line.offset));
        // Tables are of negated products, and the slope is negative.
        let at = |bytes| -slope * rounded.least(bytes) + offset;
        let step = (at(u16::MAX) - at(0)) / f64::from(u16::MAX);
        let span = 2.0 * slope.abs() * rounded.magnitude + offset.abs();
        Self {
            scale: line.scale,
            bias: line.bias,
            start: at(0) as f32,
            step: step as f32,
            span: span as f32,
        }
    }

    /// No estimate by the signs of a code with these factors and this sum of bytes is below.
    fn least(&self, [first, second]: [f32; 2], bytes: u16) -> f32 {
        let product = self.start + self.step * f32::from(bytes);
        // Some roundings of each term, here and in the estimate.
        let slack = 16.0 * f32::EPSILON * (self.bias.abs() + first.abs() + second * self.span);
        self.scale * (self.bias + first + second * product - slack)
    }
}

impl<'a> Blockwise<'a> {
    fn new(rabitq: &'a RaBitQ, query: &'a [f32], prepared: Prepared) -> Self {
        let shape = rabitq.shape();
        let rounded = Rounded::new(&tables(&prepared.residual), 0.0);
        Self {
            rabitq,
            shape,
            query,
            numbers: prepared.split(shape),
            signs: SplitQuery::new(&prepared.residual, 0, shape.signs_len(), shape.code_len()),
            bound: Bound::new(&prepared, &rounded),
            rounded,
            prepared,
        }
    }

    /// Bytes of a block.
    fn stride(&self) -> usize {
        self.shape.code_len() * BLOCK_LEN
    }

    /// What follows the signs of a vector of a block: factors, and more bits.
    fn behind<'c>(&self, block: &'c [u8], vector: usize) -> &'c [u8] {
        let len = self.shape.code_len() - self.shape.signs_len();
        &block[self.shape.signs_len() * BLOCK_LEN + vector * len..][..len]
    }

    /// What the kept error allows for.
    fn error(&self, behind: &[u8]) -> f32 {
        match self.shape.rest {
            0 => 0.0,
            _ => ERRORS * self.prepared.length * float_at(behind, self.shape.error_at() - self.shape.signs_len()),
        }
    }

    /// The distance to the code in a slot, which is put together in `code`.
    fn score(&self, codes: &[u8], slot: usize, code: &mut Vec<u8>) -> f32 {
        let (block, vector) = (
            &codes[slot / BLOCK_LEN * self.stride()..][..self.stride()],
            slot % BLOCK_LEN,
        );
        let nibble = |i: usize| fast_scan_code(block, i, vector);
        code.clear();
        code.extend((0..self.shape.signs_len()).map(|byte| nibble(2 * byte) | nibble(2 * byte + 1) << 4));
        let behind = self.behind(block, vector);
        code.extend_from_slice(behind);
        let mut product = [0.0];
        self.numbers.products(code, &mut product);
        let distance = self.prepared.numbers.distance(self.shape.factors(code), product[0]);
        if self.shape.rest == 0 {
            return distance;
        }
        self.signs.products(code, &mut product);
        let by_signs = self.prepared.signs.distance(sign_factors(behind), product[0]);
        distance.max(by_signs - self.error(behind))
    }

    /// Visits the slots, `len` at most, whose distance may be within the threshold: with that distance, for a threshold
    /// from there on.
    fn visit_near(&self, codes: &[u8], len: usize, mut threshold: f32, mut visit: impl FnMut(usize, f32) -> f32) {
        let mut code = Vec::with_capacity(self.shape.code_len());
        for (block, first) in codes.chunks(self.stride()).zip((0..len).step_by(BLOCK_LEN)) {
            let sums = fast_scan_sums(&self.rounded.bytes, block);
            for (vector, &bytes) in sums[..BLOCK_LEN.min(len - first)].iter().enumerate() {
                let behind = self.behind(block, vector);
                let factors = sign_factors(behind);
                let least = self.bound.least(factors, bytes) - self.error(behind);
                // What is no number bounds nothing, nor does a factor that no vector has.
                if least <= threshold || least.is_nan() || factors[1] < 0.0 {
                    threshold = visit(first + vector, self.score(codes, first + vector, &mut code));
                }
            }
        }
    }
}

/// The factors of the product with signs, which come first behind them.
fn sign_factors(behind: &[u8]) -> [f32; 2] {
    [float_at(behind, 0), float_at(behind, 4)]
}

/// The negated sums of each four components, for all that four signs may be.
fn tables(residual: &[f32]) -> Vec<f32> {
    let negated = |four: &[f32], signs: usize| -> f32 {
        let set = four.iter().enumerate().filter(|(i, _)| signs >> i & 1 == 1);
        -set.map(|(_, x)| x).sum::<f32>()
    };
    let fours = residual.chunks(4);
    fours
        .flat_map(|four| (0..ENTRIES).map(move |signs| negated(four, signs)))
        .collect()
}

impl Scorer for Blockwise<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        let prepared = Prepared::rebased(self.rabitq, self.query, origin);
        *self = Self::new(self.rabitq, self.query, prepared);
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        let mut code = Vec::new();
        for (slot, out) in out.iter_mut().enumerate() {
            *out = self.score(codes, slot, &mut code);
        }
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        let mut code = Vec::new();
        for (&slot, out) in slots.iter().zip(out) {
            *out = self.score(codes, slot as usize, &mut code);
        }
    }

    fn scan(&self, codes: &[u8], ids: &[u64], keep: &IdSelector<'_>, top: &mut TopK) {
        self.visit_near(codes, ids.len(), top.threshold(), |slot, distance| {
            let id = ids[slot];
            if distance <= top.threshold() && keep.contains(id) {
                top.push(Neighbor { id, distance });
            }
            top.threshold()
        });
    }

    fn scan_range(&self, codes: &[u8], ids: &[u64], keep: &IdSelector<'_>, radius: f32, out: &mut Vec<Neighbor>) {
        self.visit_near(codes, ids.len(), radius, |slot, distance| {
            let id = ids[slot];
            if distance < radius && keep.contains(id) {
                out.push(Neighbor { id, distance });
            }
            radius
        });
    }
}
