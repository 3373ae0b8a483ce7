//! Quantizer blueprints: plain data, read from and printed as the tokens of Faiss's factory strings.

use std::fmt;
use std::sync::Arc;

use anear_kernels::{Metric, Rows};
use anear_pool::Pool;

use crate::{
    BLOCK_LEN, Error, FastScan, FastScanParams, Lsh, LshParams, Product, ProductParams, Quantizer, RaBitQ,
    RaBitQFastScan, RaBitQParams, Raw, Residual, ResidualParams, Result, Scalar, ScalarKind, ScalarParams,
};

/// A blueprint of a quantizer.
///
/// ```
/// use anear_quant::QuantizerSpec;
///
/// let spec = QuantizerSpec::parse("Flat").unwrap();
/// assert_eq!(spec, QuantizerSpec::Raw);
/// assert_eq!(spec.to_string(), "Flat");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuantizerSpec {
    /// `Flat`: components as they are.
    Raw,
    /// `SQ8`, `SQ4`, `SQfp16`, ...: each component as a number of a few bits.
    Scalar(ScalarKind),
    /// `LSH`, `LSH64`, `LSH64r`, `LSH64rt`, ...: one bit per component, rotated or not.
    Lsh(LshParams),
    /// `RaBitQ`, `RaBitQ4`, ...: signs, or numbers of a few bits, around a centre.
    RaBitQ {
        /// Bits per component, from 1 to 9.
        bits: u32,
    },
    /// `RaBitQfs`, `RaBitQfs4`, `RaBitQfs4_64`, ...: the same codes, scanned 32 at a time ([`RaBitQFastScan`]).
    RaBitQFastScan {
        /// Bits per component, from 1 to 9.
        bits: u32,
        /// Vectors of a block in Faiss's files; 32 where the token has none.
        file_block: usize,
    },
    /// `PQ16` or `PQ16x12`: a [`Product`] quantizer.
    Product {
        /// Parts of a vector.
        m: usize,
        /// Bits per part; 8 where the token has none.
        nbits: u32,
    },
    /// `PQ16x4fs` or `PQ16x4fs_64`: a product quantizer of 4 bits per part, scanned 32 codes at a time ([`FastScan`]).
    FastScan {
        /// Parts of a vector.
        m: usize,
        /// Vectors of a block in Faiss's files; 32 where the token has none.
        file_block: usize,
    },
    /// `RQ4x8`, `RQ2x8_4x6_Nfloat`, ...: a sum of entries of several codebooks ([`Residual`]).
    Residual(ResidualParams),
}

/// What training may use besides its sample.
#[derive(Clone, Copy, Debug)]
pub struct Training<'a> {
    /// Fixes everything that is drawn at random.
    pub seed: u64,
    /// The threads to train on; without a pool the calling thread does it all.
    pub pool: Option<&'a Pool>,
}

impl Default for Training<'_> {
    fn default() -> Self {
        Self { seed: 1234, pool: None }
    }
}

impl QuantizerSpec {
    /// One token for each kind of quantizer there is.
    pub const EXAMPLES: &[&str] = &[
        "Flat",
        "SQ8",
        "SQ4",
        "SQ6",
        "SQfp16",
        "SQbf16",
        "SQ8_direct",
        "SQ8_direct_signed",
        "SQ8_uniform",
        "SQ4_uniform",
        "LSH",
        "LSHt",
        "LSH64r",
        "LSH64rt",
        "PQ4",
        "PQ4x6",
        "PQ4x4fs",
        "RaBitQ",
        "RaBitQ4",
        "RaBitQfs",
        "RaBitQfs4",
        "RQ2x6",
        "RQ1x6_2x4_Nfloat",
        "RQ2x4_Nqint8",
        "RQ2x4_Ncqint4",
    ];

    /// The blueprint that `token` names; `None` when it names none.
    pub fn parse(token: &str) -> Option<Self> {
        match token {
            "Flat" => Some(Self::Raw),
            _ => (ScalarKind::parse(token).map(Self::Scalar))
                .or_else(|| LshParams::parse(token).map(Self::Lsh))
                .or_else(|| parse_product(token.strip_prefix("PQ")?))
                .or_else(|| parse_rabitq(token.strip_prefix("RaBitQ")?))
                .or_else(|| ResidualParams::parse(token.strip_prefix("RQ")?).map(Self::Residual)),
        }
    }

    /// Refuses what no quantizer can be, whatever the dimension.
    ///
    /// # Errors
    /// [`Error::Parameters`](crate::Error::Parameters).
    pub fn check(&self) -> Result<()> {
        match self {
            &Self::Product { m, nbits } => ProductParams { m, nbits }.check_nbits(),
            Self::Residual(params) => params.check(),
            _ => Ok(()),
        }
    }

    /// Learns a quantizer for vectors like those of `sample`, to be compared by `metric`.
    ///
    /// # Errors
    /// [`Error::TooFewTrainingVectors`](crate::Error::TooFewTrainingVectors) and
    /// [`Error::Parameters`](crate::Error::Parameters).
    pub fn train(&self, metric: Metric, sample: Rows<'_>, training: &Training<'_>) -> Result<Arc<dyn Quantizer>> {
        Ok(match self {
            Self::Raw => Arc::new(Raw::new(sample.dim())),
            Self::Scalar(kind) => Arc::new(ScalarParams::new(*kind).train(sample, training)?),
            Self::Lsh(params) => Arc::new(params.train(sample, training)?),
            &Self::RaBitQ { bits } => Arc::new(rabitq(bits, metric).train(sample)?),
            &Self::RaBitQFastScan { bits, file_block } => {
                let rabitq = rabitq(bits, metric).train(sample)?;
                Arc::new(RaBitQFastScan::new(rabitq).with_file_block(file_block)?)
            }
            &Self::Product { m, nbits } => Arc::new(ProductParams { m, nbits }.train(sample, training)?),
            &Self::FastScan { m, file_block } => {
                let quantizer = FastScanParams { m }.train(sample, training)?;
                Arc::new(quantizer.with_file_block(file_block)?)
            }
            Self::Residual(params) => Arc::new(params.train(sample, training)?),
        })
    }

    /// As [`train`](Self::train), for what vectors differ by from origins that an index takes from them: such codes
    /// need no centre of their own.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub fn train_for_residuals(
        &self,
        metric: Metric,
        sample: Rows<'_>,
        training: &Training<'_>,
    ) -> Result<Arc<dyn Quantizer>> {
        let uncentered = |bits| RaBitQ::new(rabitq(bits, metric), vec![0.0; sample.dim()]);
        match *self {
            Self::RaBitQ { bits } => Ok(Arc::new(uncentered(bits)?)),
            Self::RaBitQFastScan { bits, file_block } => {
                let quantizer = RaBitQFastScan::new(uncentered(bits)?);
                Ok(Arc::new(quantizer.with_file_block(file_block)?))
            }
            _ => self.train(metric, sample, training),
        }
    }

    /// The quantizer that [`Quantizer::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) and [`Error::Bytes`](crate::Error::Bytes).
    pub fn load(&self, dim: usize, saved: &[u8]) -> Result<Arc<dyn Quantizer>> {
        Ok(match self {
            Self::Raw => Arc::new(Raw::new(dim)),
            Self::Scalar(kind) => Arc::new(Scalar::load(*kind, dim, saved)?),
            Self::Lsh(params) => Arc::new(Lsh::load(*params, dim, saved)?),
            &Self::RaBitQ { bits } => Arc::new(RaBitQ::load(bits, dim, saved)?),
            &Self::RaBitQFastScan { bits, file_block } => {
                let quantizer = RaBitQFastScan::new(RaBitQ::load(bits, dim, saved)?);
                Arc::new(quantizer.with_file_block(file_block)?)
            }
            &Self::Product { m, nbits } => Arc::new(Product::load(dim, m, nbits, saved)?),
            &Self::FastScan { m, file_block } => Arc::new(FastScan::load(dim, m, saved)?.with_file_block(file_block)?),
            Self::Residual(params) => Arc::new(Residual::load(dim, params.clone(), saved)?),
        })
    }
}

/// What `RaBitQ` means where nothing else is said: queries are not rounded. Metrics that it does not know are refused by
/// [`Quantizer::supports`].
fn rabitq(bits: u32, metric: Metric) -> RaBitQParams {
    RaBitQParams {
        bits,
        metric: if metric == Metric::InnerProduct {
            metric
        } else {
            Metric::L2
        },
        query_bits: 0,
    }
}

impl fmt::Display for QuantizerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw => f.write_str("Flat"),
            Self::Scalar(kind) => f.write_str(kind.token()),
            Self::Lsh(params) => params.fmt(f),
            Self::RaBitQ { bits: 1 } => f.write_str("RaBitQ"),
            Self::RaBitQ { bits } => write!(f, "RaBitQ{bits}"),
            Self::RaBitQFastScan { bits: 1, file_block } => write!(f, "RaBitQfs{}", block_suffix(*file_block)),
            Self::RaBitQFastScan { bits, file_block } => write!(f, "RaBitQfs{bits}{}", block_suffix(*file_block)),
            Self::Product { m, nbits: 8 } => write!(f, "PQ{m}"),
            Self::Product { m, nbits } => write!(f, "PQ{m}x{nbits}"),
            Self::FastScan { m, file_block } => write!(f, "PQ{m}x4fs{}", block_suffix(*file_block)),
            Self::Residual(params) => params.fmt(f),
        }
    }
}

/// The longest blocks that Faiss's files may have here.
const FILE_BLOCK_MAX: usize = 1 << 12;

/// Refuses blocks that fast scans of Faiss cannot have.
pub(crate) fn check_file_block(len: usize) -> Result<()> {
    match len.is_multiple_of(BLOCK_LEN) && (BLOCK_LEN..=FILE_BLOCK_MAX).contains(&len) {
        true => Ok(()),
        false => Err(Error::Parameters(format!(
            "blocks have a multiple of {BLOCK_LEN} vectors up to {FILE_BLOCK_MAX}, not {len}"
        ))),
    }
}

/// What a token says of the blocks of Faiss's files, unless they are of 32.
fn block_suffix(len: usize) -> String {
    match len {
        BLOCK_LEN => String::new(),
        _ => format!("_{len}"),
    }
}

/// A token without what it says of blocks, and how long those are.
fn split_block(token: &str) -> Option<(&str, usize)> {
    let Some((token, digits)) = token.split_once('_') else {
        return Some((token, BLOCK_LEN));
    };
    let len = number(digits).filter(|len| check_file_block(*len).is_ok())?;
    Some((token, len))
}

/// `16`, `16x12`, either with `np` behind (no polysemous training: there is none), or `16x4fs`, with the length of Faiss's
/// blocks behind or not.
fn parse_product(parts: &str) -> Option<QuantizerSpec> {
    if let Some((m, blocks)) = parts.split_once("x4fs") {
        let ("", file_block) = split_block(blocks)? else {
            return None;
        };
        return Some(QuantizerSpec::FastScan {
            m: number(m)?,
            file_block,
        });
    }
    let parts = parts.strip_suffix("np").unwrap_or(parts);
    let (m, nbits) = parts.split_once('x').unwrap_or((parts, "8"));
    Some(QuantizerSpec::Product {
        m: number(m)?,
        nbits: number(nbits)?.try_into().ok()?,
    })
}

/// Nothing or the bits from 1 to 9; before them `fs` for fast scan, then with the length of Faiss's blocks behind or not.
fn parse_rabitq(rest: &str) -> Option<QuantizerSpec> {
    let bits = |digits: &str| match digits.as_bytes() {
        [] => Some(1),
        [digit @ b'1'..=b'9'] => Some(u32::from(digit - b'0')),
        _ => None,
    };
    let Some(rest) = rest.strip_prefix("fs") else {
        return Some(QuantizerSpec::RaBitQ { bits: bits(rest)? });
    };
    let (digits, file_block) = split_block(rest)?;
    Some(QuantizerSpec::RaBitQFastScan {
        bits: bits(digits)?,
        file_block,
    })
}

/// A number as factory strings have it: digits only, not zero.
pub(crate) fn number(digits: &str) -> Option<usize> {
    let number = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten();
    number.filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_and_printed_in_one_form() {
        for (token, printed) in [
            ("PQ16", "PQ16"),
            ("PQ16x8", "PQ16"),
            ("PQ16np", "PQ16"),
            ("PQ16x12", "PQ16x12"),
            ("PQ16x12np", "PQ16x12"),
            ("PQ16x4", "PQ16x4"),
            ("PQ16x4fs", "PQ16x4fs"),
            ("PQ15x4fs_32", "PQ15x4fs"),
            ("PQ16x4fs_64", "PQ16x4fs_64"),
            ("RaBitQ1", "RaBitQ"),
            ("RaBitQ9", "RaBitQ9"),
            ("RaBitQfs_64", "RaBitQfs_64"),
            ("RaBitQfs4_96", "RaBitQfs4_96"),
            ("RaBitQfs4_32", "RaBitQfs4"),
            ("RQ4x8", "RQ4x8"),
            ("RQ2x8_1x8_4x6_Nnone", "RQ3x8_4x6"),
            ("RQ4x8_Nfloat", "RQ4x8_Nfloat"),
            ("RQ2x4_1x4_Nqint8", "RQ3x4_Nqint8"),
        ] {
            assert_eq!(QuantizerSpec::parse(token).unwrap().to_string(), printed);
        }
        for token in [
            "PQ",
            "PQ0",
            "PQx8",
            "PQ16x",
            "PQ+4",
            "PQ4x-1",
            "PQ16x8fs",
            "PQ16x4fs_16",
            "PQ16x4fs_0",
            "PQ16x4fs_48",
            "PQ16x4fs_",
            "PQ16x4fs_64_64",
            "PQ16x4fs64",
            "PQ16x4fsr",
            "pq16",
            "RaBitQ0",
            "RaBitQ10",
            "RaBitQ4_32",
            "RaBitQfs_16",
            "rabitq",
            "RQ",
            "RQ4",
            "RQ4x8_",
            "RQ4x0",
            "RQ4x8_Nrq2x4",
            "RQ4x8_Nfloat_Nnone",
        ] {
            assert_eq!(QuantizerSpec::parse(token), None, "{token}");
        }
    }
}
