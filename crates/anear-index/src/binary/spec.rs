//! Blueprints of binary indexes: plain data, parsed from and printed as Faiss's factory strings.

use std::fmt;
use std::str::FromStr;

use anear_kernels::Bits;
use anear_pool::Pool;

use super::index::{check_index_dim, check_width};
use super::{BinaryFlat, BinaryHash, BinaryHnsw, BinaryIdMap, BinaryIndex, BinaryIvf, BinaryMultiHash, centroids};
use crate::{Error, IdMapKind, Result};

/// A blueprint of a binary index, in the words of Faiss's `index_binary_factory`.
///
/// ```
/// use anear_index::binary::{BinaryIndex, BinarySpec};
///
/// let spec: BinarySpec = "IDMap,BFlat".parse()?;
/// assert_eq!(spec.build(64)?.dim(), 64);
///
/// let error = "BIVFx".parse::<BinarySpec>().unwrap_err();
/// assert_eq!(error.to_string(), "cannot read index `BIVFx`: expected a number of lists at character 4");
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BinarySpec {
    /// `BFlat`: every vector is compared (Faiss: `IndexBinaryFlat`).
    Flat,
    /// `BIVF256` or `BIVF256_HNSW32`: lists around centroids (Faiss: `IndexBinaryIVF`).
    Ivf {
        /// Number of lists.
        nlist: usize,
        /// Links per centroid, if those are searched by a graph.
        coarse_m: Option<usize>,
    },
    /// `BHNSW32`: a navigable graph (Faiss: `IndexBinaryHNSW`).
    Hnsw {
        /// Links per vector and level, twice as many at the lowest.
        m: usize,
    },
    /// `BHash16`: buckets by the first bits (Faiss: `IndexBinaryHash`).
    Hash {
        /// Bits of the hash.
        bits: usize,
    },
    /// `BHash4x16`: several tables of buckets, each by other bits (Faiss: `IndexBinaryMultiHash`).
    MultiHash {
        /// Number of tables.
        hashes: usize,
        /// Bits of each hash.
        bits: usize,
    },
    /// `IDMap,...` or `IDMap2,...`: ids of the caller's over an index that numbers by position.
    IdMap(IdMapKind, Box<BinarySpec>),
}

/// Links per vector where a factory string names no number.
const DEFAULT_M: usize = 32;

/// Numbers in factory strings are at most this: lists and links are counted in 32 bits.
const MAX_NUMBER: usize = 1 << 30;

impl BinarySpec {
    /// One string for each kind of binary index there is.
    pub const EXAMPLES: &[&str] = &[
        "BFlat",
        "BIVF16",
        "BIVF16_HNSW8",
        "BHNSW16",
        "BHash12",
        "BHash4x10",
        "IDMap,BFlat",
        "IDMap2,BHNSW16",
        "IDMap2,BHash3x6",
    ];

    /// An empty index for vectors of `dim` bits.
    ///
    /// # Errors
    /// [`Error::BinaryDimension`]; [`Error::NeedsTraining`] for `BIVF...`; [`Error::KnobValue`] for more bits of hashes
    /// than there are.
    pub fn build(&self, dim: usize) -> Result<Box<dyn BinaryIndex>> {
        check_index_dim(dim)?;
        Ok(match self {
            Self::Flat => Box::new(BinaryFlat::new(dim)?),
            Self::IdMap(kind, inner) => Box::new(BinaryIdMap::new(*kind, inner.build(dim)?, &[])?),
            Self::Ivf { .. } => {
                let index = self.to_string();
                return Err(Error::NeedsTraining { index });
            }
            Self::Hnsw { m } => Box::new(BinaryHnsw::new(dim, *m)?),
            Self::Hash { bits } => Box::new(BinaryHash::new(dim, *bits)?),
            Self::MultiHash { hashes, bits } => Box::new(BinaryMultiHash::new(dim, *hashes, *bits)?),
        })
    }

    /// An empty index for vectors of `dim` bits, trained on a sample where it needs training.
    ///
    /// The same sample and seed train the same index, on any number of threads.
    ///
    /// # Errors
    /// Those of [`build`](Self::build), [`Error::Dimension`], and [`Error::TooFewTrainingVectors`] for fewer vectors
    /// than lists.
    pub fn train(&self, dim: usize, sample: Bits<'_>, seed: u64, pool: Option<&Pool>) -> Result<Box<dyn BinaryIndex>> {
        check_index_dim(dim)?;
        check_width(dim, sample)?;
        let Self::Ivf { nlist, coarse_m } = self else {
            return self.build(dim);
        };
        let centroids = centroids::train(sample, *nlist, seed, pool)?;
        let coarse: Box<dyn BinaryIndex> = match coarse_m {
            Some(m) => Box::new(BinaryHnsw::over(centroids, *m)?),
            None => Box::new(centroids),
        };
        Ok(Box::new(BinaryIvf::new(coarse)?))
    }

    /// Whether ids are the caller's; otherwise they are positions.
    pub fn has_own_ids(&self) -> bool {
        matches!(self, Self::Ivf { .. } | Self::Hash { .. } | Self::IdMap(..))
    }
}

impl fmt::Display for BinarySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flat => f.write_str("BFlat"),
            Self::Ivf { nlist, coarse_m: None } => write!(f, "BIVF{nlist}"),
            Self::Ivf {
                nlist,
                coarse_m: Some(m),
            } => write!(f, "BIVF{nlist}_HNSW{m}"),
            Self::Hnsw { m } => write!(f, "BHNSW{m}"),
            Self::Hash { bits } => write!(f, "BHash{bits}"),
            Self::MultiHash { hashes, bits } => write!(f, "BHash{hashes}x{bits}"),
            Self::IdMap(kind, inner) => write!(f, "{},{inner}", kind.token()),
        }
    }
}

impl FromStr for BinarySpec {
    type Err = Error;

    /// Reads one index, and `IDMap` or `IDMap2` before or, as Faiss allows, behind it.
    fn from_str(text: &str) -> Result<Self> {
        let parsed = match *tokens(text) {
            [part] => single(part),
            [first, second] => match (IdMapKind::from_token(first.1), IdMapKind::from_token(second.1)) {
                (Some(kind), _) => mapped(kind, second),
                (None, Some(kind)) => mapped(kind, first),
                (None, None) => single(first).and(Err((second.0, format!("`{}` is one part too many", second.1)))),
            },
            [_, _, (at, token), ..] => Err((at, format!("`{token}` is one part too many"))),
            [] => unreachable!("splitting gives at least one part"),
        };
        parsed.map_err(|(at, reason)| Error::Spec {
            text: text.into(),
            at,
            reason,
        })
    }
}

/// What is wrong, and at which character.
type Fault = (usize, String);

/// Every token there is, for messages.
const KNOWN: &str = "BFlat, BIVF256, BIVF256_HNSW32, BHNSW32, BHash16, BHash4x16, IDMap, IDMap2";

fn mapped(kind: IdMapKind, (at, token): (usize, &str)) -> Result<BinarySpec, Fault> {
    let inner = single((at, token))?;
    if inner.has_own_ids() {
        let token = kind.token();
        return Err((at, format!("`{inner}` has ids of its own; leave `{token}` out")));
    }
    Ok(BinarySpec::IdMap(kind, Box::new(inner)))
}

/// One part that is an index by itself.
fn single((at, token): (usize, &str)) -> Result<BinarySpec, Fault> {
    if IdMapKind::from_token(token).is_some() {
        return Err((at, format!("`{token}` needs an index within (as `{token},BFlat`)")));
    }
    let mut part = Part { at, rest: token };
    let spec = if part.skip("BFlat") {
        BinarySpec::Flat
    } else if part.skip("BIVF") {
        let nlist = part.number("lists")?;
        let coarse_m = part.skip("_HNSW").then(|| part.links()).transpose()?;
        BinarySpec::Ivf { nlist, coarse_m }
    } else if part.skip("BHNSW") {
        BinarySpec::Hnsw { m: part.links()? }
    } else if part.skip("BHash") {
        let first = part.number("bits or of tables")?;
        match part.skip("x") {
            false => BinarySpec::Hash { bits: first },
            true => BinarySpec::MultiHash {
                hashes: first,
                bits: part.number("bits")?,
            },
        }
    } else {
        let what = if token.is_empty() {
            "a part is missing".into()
        } else {
            format!("unknown index `{token}`")
        };
        return Err((at, format!("{what} (known: {KNOWN})")));
    };
    match part.rest {
        "" => Ok(spec),
        rest => Err((part.at, format!("`{rest}` does not belong to `{spec}`"))),
    }
}

/// What is left of a part, and where that begins. What was read is ASCII.
struct Part<'a> {
    at: usize,
    rest: &'a str,
}

impl Part<'_> {
    fn skip(&mut self, word: &str) -> bool {
        let rest = self.rest.strip_prefix(word);
        if let Some(rest) = rest {
            self.rest = rest;
            self.at += word.len();
        }
        rest.is_some()
    }

    fn number(&mut self, of_what: &str) -> Result<usize, Fault> {
        let len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(len);
        if digits.is_empty() {
            return Err((self.at, format!("expected a number of {of_what}")));
        }
        let number = digits.parse().ok().filter(|number| (1..=MAX_NUMBER).contains(number));
        let number = number.ok_or_else(|| {
            let reason = format!("the number of {of_what} must be between 1 and {MAX_NUMBER}, not {digits},");
            (self.at, reason)
        })?;
        self.rest = rest;
        self.at += len;
        Ok(number)
    }

    fn links(&mut self) -> Result<usize, Fault> {
        match self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            true => self.number("links"),
            false => Ok(DEFAULT_M),
        }
    }
}

/// The parts between commas, each with its place in characters.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    text.split(',')
        .map(|token| {
            let start = at;
            at += token.chars().count() + 1;
            (start, token)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        text.parse::<BinarySpec>().unwrap_err().to_string()
    }

    #[test]
    fn examples_print_as_they_were_read() {
        for text in BinarySpec::EXAMPLES {
            assert_eq!(text.parse::<BinarySpec>().unwrap().to_string(), *text);
        }
    }

    #[test]
    fn short_and_turned_forms_are_read() {
        for (text, printed) in [
            ("BHNSW", "BHNSW32"),
            ("BIVF7_HNSW", "BIVF7_HNSW32"),
            ("BFlat,IDMap2", "IDMap2,BFlat"),
            ("BHash4x8,IDMap", "IDMap,BHash4x8"),
        ] {
            assert_eq!(text.parse::<BinarySpec>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        assert!(fault("Flat").contains("unknown index `Flat` (known: BFlat"));
        assert!(fault("IDMap,Flat").ends_with("at character 6"));
        assert!(fault("BFlat,BFlat").ends_with("`BFlat` is one part too many at character 6"));
        assert!(fault("IDMap,BFlat,").ends_with("`` is one part too many at character 12"));
        assert!(fault("IDMap,").contains("a part is missing"));
        assert!(fault("").contains("a part is missing"));
        assert!(fault("IDMap").contains("`IDMap` needs an index within (as `IDMap,BFlat`)"));
        assert!(fault("IDMap,IDMap2").contains("`IDMap2` needs an index within"));
        assert!(fault("IDMap,BIVF9").ends_with("`BIVF9` has ids of its own; leave `IDMap` out at character 6"));
        assert!(fault("BFlatter").ends_with("`ter` does not belong to `BFlat` at character 5"));
        assert!(fault("BIVF12_HSNW3").ends_with("`_HSNW3` does not belong to `BIVF12` at character 6"));
        assert!(fault("BHash").ends_with("expected a number of bits or of tables at character 5"));
        assert!(fault("BHash4x").ends_with("expected a number of bits at character 7"));
        assert!(fault("BIVF0").contains("the number of lists must be between 1 and 1073741824, not 0"));
        assert!(fault("BHNSW99999999999999999999").contains("the number of links must be"));
        assert!(fault("평면").ends_with("at character 0"));
    }

    #[test]
    fn a_dimension_out_of_range_is_refused() {
        for dim in [0, 4, 12, crate::MAX_DIM + 8, usize::MAX] {
            let error = BinarySpec::Flat.build(dim).unwrap_err().to_string();
            let start = "the dimension of a binary index must be a multiple of 8 between 8 and 1048576";
            assert_eq!(error, format!("{start}, got {dim}"));
        }
    }
}
