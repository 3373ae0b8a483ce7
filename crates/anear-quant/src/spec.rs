//! Quantizer blueprints: plain data, read from and printed as the tokens of Faiss's factory strings.

use std::fmt;
use std::sync::Arc;

use anear_kernels::{Metric, Rows};
use anear_pool::Pool;

use crate::{Quantizer, Raw, Result, Scalar, ScalarKind, ScalarParams};

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
    ];

    /// The blueprint that `token` names; `None` when it names none.
    pub fn parse(token: &str) -> Option<Self> {
        match token {
            "Flat" => Some(Self::Raw),
            _ => ScalarKind::parse(token).map(Self::Scalar),
        }
    }

    /// Learns a quantizer for vectors like those of `sample`, to be compared by `metric`.
    ///
    /// # Errors
    /// [`Error::TooFewTrainingVectors`](crate::Error::TooFewTrainingVectors) and
    /// [`Error::Parameters`](crate::Error::Parameters).
    pub fn train(&self, _metric: Metric, sample: Rows<'_>, training: &Training<'_>) -> Result<Arc<dyn Quantizer>> {
        Ok(match self {
            Self::Raw => Arc::new(Raw::new(sample.dim())),
            Self::Scalar(kind) => Arc::new(ScalarParams::new(*kind).train(sample, training)?),
        })
    }

    /// The quantizer that [`Quantizer::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) and [`Error::Bytes`](crate::Error::Bytes).
    pub fn load(&self, dim: usize, saved: &[u8]) -> Result<Arc<dyn Quantizer>> {
        Ok(match self {
            Self::Raw => Arc::new(Raw::new(dim)),
            Self::Scalar(kind) => Arc::new(Scalar::load(*kind, dim, saved)?),
        })
    }
}

impl fmt::Display for QuantizerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw => f.write_str("Flat"),
            Self::Scalar(kind) => f.write_str(kind.token()),
        }
    }
}
