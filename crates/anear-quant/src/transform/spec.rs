//! Transform blueprints: plain data, read from and printed as the tokens of Faiss's factory strings.

use std::fmt;
use std::sync::Arc;

use anear_kernels::Rows;

use super::{Center, Hadamard, Itq, Linear, Normalize, Pca, Remap, Transform, check_dim, check_square, opq, rotation};
use crate::{Error, Result, Training};

/// A blueprint of a transform.
///
/// ```
/// use anear_quant::transform::TransformSpec;
///
/// let spec = TransformSpec::parse("OPQ16_64").unwrap();
/// assert_eq!(spec, TransformSpec::Opq { m: 16, dim: Some(64) });
/// assert_eq!(spec.dim_out(384), 64);
/// assert_eq!(spec.to_string(), "OPQ16_64");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransformSpec {
    /// `PCA64`: the principal components with the largest variance; `PCAW` scales them to equal variance, `PCAR` and
    /// `PCAWR` rotate them at random.
    Pca {
        /// Components that are kept.
        dim: usize,
        /// Whether they are scaled to equal variance.
        whiten: bool,
        /// Whether they are rotated, which spreads the variance over them.
        rotate: bool,
    },
    /// `RR`, `RR64`: a random rotation.
    Rotation {
        /// Components it makes; those it takes, where nothing is said.
        dim: Option<usize>,
    },
    /// `HR`, `HR7`: three randomized Hadamard transforms, a rotation that costs `d log d`.
    Hadamard {
        /// What its signs are made of.
        seed: u32,
    },
    /// `OPQ16`, `OPQ16_64`: the rotation with which a product quantizer loses least.
    Opq {
        /// Parts of the product quantizer.
        m: usize,
        /// Components it makes; those it takes, where nothing is said.
        dim: Option<usize>,
    },
    /// `ITQ`, `ITQ64`: the rotation with which signs lose least, of unit vectors around the mean.
    Itq {
        /// Components it makes; those it takes, where nothing is said.
        dim: Option<usize>,
    },
    /// `Pad96`: zeros behind, up to a number of components.
    Pad {
        /// The least number of components there are then.
        dim: usize,
    },
    /// `L2norm`: vectors of length 1.
    Normalize,
    /// `Center`: vectors without the mean (Faiss: `CenteringTransform`, which has no token there).
    Center,
    /// `Linear64`: a matrix that came from elsewhere; it cannot be trained (Faiss: `LinearTransform`).
    Linear {
        /// Components it makes.
        dim: usize,
    },
    /// `Remap64`: components picked by a map that came from elsewhere; it cannot be trained (Faiss:
    /// `RemapDimensionsTransform`).
    Remap {
        /// Components it makes.
        dim: usize,
    },
}

/// The seed of `HR`, as in Faiss.
const HADAMARD_SEED: u32 = 12345;

impl TransformSpec {
    /// One token for each kind of transform that can be trained.
    pub const EXAMPLES: &[&str] = &[
        "PCA8", "PCAR8", "PCAW8", "PCAWR8", "RR", "RR8", "RR32", "HR", "HR7", "OPQ4", "OPQ4_16", "ITQ", "ITQ8",
        "Pad96", "L2norm", "Center",
    ];

    /// The blueprint that `token` names; `None` when it names none.
    pub fn parse(token: &str) -> Option<Self> {
        match token {
            "L2norm" | "L2Norm" => return Some(Self::Normalize),
            "Center" => return Some(Self::Center),
            _ => {}
        }
        let (name, numbers) = token.split_at(token.find(|c: char| c.is_ascii_digit()).unwrap_or(token.len()));
        let pca = |whiten, rotate| {
            Some(Self::Pca {
                dim: number(numbers)?,
                whiten,
                rotate,
            })
        };
        match name {
            "PCA" => pca(false, false),
            "PCAR" => pca(false, true),
            "PCAW" => pca(true, false),
            "PCAWR" => pca(true, true),
            "RR" => Some(Self::Rotation {
                dim: optional(numbers)?,
            }),
            "HR" => Some(Self::Hadamard {
                seed: optional(numbers)?.unwrap_or(HADAMARD_SEED),
            }),
            "ITQ" => Some(Self::Itq {
                dim: optional(numbers)?,
            }),
            "OPQ" => Some(match numbers.split_once('_') {
                Some((m, dim)) => Self::Opq {
                    m: number(m)?,
                    dim: Some(number(dim)?),
                },
                None => Self::Opq {
                    m: number(numbers)?,
                    dim: None,
                },
            }),
            "Pad" => Some(Self::Pad { dim: number(numbers)? }),
            "Linear" => Some(Self::Linear { dim: number(numbers)? }),
            "Remap" => Some(Self::Remap { dim: number(numbers)? }),
            _ => None,
        }
    }

    /// Components of the vectors that are made of such with `dim_in`.
    pub fn dim_out(&self, dim_in: usize) -> usize {
        match *self {
            Self::Pca { dim, .. } | Self::Linear { dim } | Self::Remap { dim } => dim,
            Self::Rotation { dim } | Self::Opq { dim, .. } | Self::Itq { dim } => dim.unwrap_or(dim_in),
            Self::Pad { dim } => dim.max(dim_in),
            Self::Hadamard { .. } => dim_in.checked_next_power_of_two().unwrap_or(usize::MAX),
            Self::Normalize | Self::Center => dim_in,
        }
    }

    /// Learns a transform for vectors like those of `sample`.
    ///
    /// # Errors
    /// [`Error::TooFewTrainingVectors`] and [`Error::Parameters`].
    pub fn train(&self, sample: Rows<'_>, training: &Training<'_>) -> Result<Arc<dyn Transform>> {
        let (dim_in, dim_out) = (sample.dim(), self.dim_out(sample.dim()));
        check_dim(dim_out)?;
        if let Self::Rotation { .. } | Self::Opq { .. } | Self::Pca { .. } | Self::Itq { .. } = self {
            check_square(dim_in, dim_out)?;
        }
        Ok(match *self {
            Self::Pca { .. } => Arc::new(Pca::train(*self, sample, training)?),
            Self::Rotation { .. } => Arc::new(rotation::train(*self, dim_in, training)?),
            Self::Hadamard { seed } => Arc::new(Hadamard::new(dim_in, seed)?),
            Self::Opq { m, .. } => Arc::new(opq::train(*self, m, sample, training)?),
            Self::Itq { .. } => Arc::new(Itq::train(*self, sample, training)?),
            Self::Pad { .. } => Arc::new(Remap::pad(*self, dim_in)?),
            Self::Normalize => Arc::new(Normalize::new(dim_in)),
            Self::Center => Arc::new(Center::train(sample)?),
            Self::Linear { .. } | Self::Remap { .. } => {
                return Err(Error::Parameters(format!(
                    "`{self}` comes from a file and cannot be trained"
                )));
            }
        })
    }

    /// The transform that [`Transform::save`] wrote, for vectors of `dim_in` components.
    ///
    /// # Errors
    /// [`Error::Parameters`] and [`Error::Bytes`] for bytes that are not one.
    pub fn load(&self, dim_in: usize, saved: &[u8]) -> Result<Arc<dyn Transform>> {
        check_dim(dim_in)?;
        check_dim(self.dim_out(dim_in))?;
        let mut cursor = anear_bytes::Cursor::new(saved);
        let transform: Arc<dyn Transform> = match *self {
            Self::Pca { .. } => Arc::new(Pca::load(*self, dim_in, &mut cursor)?),
            Self::Rotation { .. } | Self::Opq { .. } | Self::Linear { .. } => {
                Arc::new(Linear::load(*self, dim_in, &mut cursor)?)
            }
            Self::Hadamard { seed } => Arc::new(Hadamard::new(dim_in, seed)?),
            Self::Itq { .. } => Arc::new(Itq::load(*self, dim_in, &mut cursor)?),
            Self::Pad { .. } => Arc::new(Remap::pad(*self, dim_in)?),
            Self::Remap { .. } => Arc::new(Remap::load(*self, dim_in, &mut cursor)?),
            Self::Normalize => Arc::new(Normalize::new(dim_in)),
            Self::Center => Arc::new(Center::load(dim_in, &mut cursor)?),
        };
        cursor.finish()?;
        Ok(transform)
    }
}

/// A number without sign or leading zeros: what is printed is what was read.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

/// A number or nothing.
fn optional<T: std::str::FromStr>(digits: &str) -> Option<Option<T>> {
    if digits.is_empty() {
        Some(None)
    } else {
        number(digits).map(Some)
    }
}

impl fmt::Display for TransformSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, first) = match *self {
            Self::Pca { dim, whiten, rotate } => (
                ["PCA", "PCAR", "PCAW", "PCAWR"][2 * usize::from(whiten) + usize::from(rotate)],
                Some(dim),
            ),
            Self::Rotation { dim } => ("RR", dim),
            Self::Hadamard { seed } => ("HR", (seed != HADAMARD_SEED).then_some(seed as usize)),
            Self::Opq { m, .. } => ("OPQ", Some(m)),
            Self::Itq { dim } => ("ITQ", dim),
            Self::Pad { dim } => ("Pad", Some(dim)),
            Self::Normalize => ("L2norm", None),
            Self::Center => ("Center", None),
            Self::Linear { dim } => ("Linear", Some(dim)),
            Self::Remap { dim } => ("Remap", Some(dim)),
        };
        f.write_str(name)?;
        first.map_or(Ok(()), |number| write!(f, "{number}"))?;
        match *self {
            Self::Opq { dim: Some(dim), .. } => write!(f, "_{dim}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_printed_as_they_are_read() {
        for token in TransformSpec::EXAMPLES
            .iter()
            .chain(&["Linear12", "Remap12", "PCA0", "HR0"])
        {
            assert_eq!(
                TransformSpec::parse(token).map(|spec| spec.to_string()).as_deref(),
                Some(*token)
            );
        }
        assert_eq!(TransformSpec::parse("HR12345"), TransformSpec::parse("HR"));
    }

    #[test]
    fn other_tokens_are_none() {
        for token in [
            "",
            "PCA",
            "PCA-1",
            "PCA08",
            "RR+3",
            "HR99999999999",
            "OPQ",
            "OPQ4_",
            "OPQ_4",
            "OPQ4_8_8",
            "Flat",
            "L2norm3",
            "Pad",
            "PCA1x",
            "PCAéé8",
            "RR 8",
        ] {
            assert_eq!(TransformSpec::parse(token), None, "{token}");
        }
    }
}
