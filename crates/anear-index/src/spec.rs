//! Index blueprints: plain data, parsed from and printed as Faiss's factory strings.

use std::fmt;
use std::str::FromStr;

use anear_kernels::Metric;

use crate::error::check_index_dim;
use crate::{Error, Flat, IdMap, Result, VectorIndex};

/// A blueprint of an index, in the words of Faiss's `index_factory`.
///
/// ```
/// use anear_index::{IndexSpec, VectorIndex};
/// use anear_kernels::Metric;
///
/// let spec: IndexSpec = "IDMap2,Flat".parse()?;
/// assert_eq!(spec.to_string(), "IDMap2,Flat");
/// assert_eq!(spec.build(64, Metric::Cosine)?.dim(), 64);
///
/// let error = "IDMap,Flop".parse::<IndexSpec>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cannot read index `IDMap,Flop`: unknown index `Flop` (known: Flat, IDMap, IDMap2) at character 6",
/// );
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexSpec {
    /// `Flat`: every vector is compared (Faiss: `IndexFlat`).
    Flat,
    /// `IDMap,...` or `IDMap2,...`: ids of the caller's over another index.
    IdMap(IdMapKind, Box<IndexSpec>),
}

/// Which of Faiss's two id maps is meant; ours are the same but in name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdMapKind {
    /// `IDMap` (Faiss: `IndexIDMap`, which cannot reconstruct).
    IdMap,
    /// `IDMap2` (Faiss: `IndexIDMap2`).
    IdMap2,
}

impl IndexSpec {
    /// One string for each kind of index there is.
    pub const EXAMPLES: &[&str] = &["Flat", "IDMap,Flat", "IDMap2,Flat"];

    /// An empty index for vectors of `dim` components, compared by `metric`.
    ///
    /// # Errors
    /// [`Error::DimensionRange`], and [`Error::Unsupported`] for an id map within another.
    pub fn build(&self, dim: usize, metric: Metric) -> Result<Box<dyn VectorIndex>> {
        check_index_dim(dim)?;
        Ok(match self {
            Self::Flat => Box::new(Flat::new(dim, metric)?),
            Self::IdMap(kind, inner) => Box::new(IdMap::new(*kind, inner.build(dim, metric)?)?),
        })
    }
}

impl IdMapKind {
    /// The token in a factory string.
    pub fn token(self) -> &'static str {
        match self {
            Self::IdMap => "IDMap",
            Self::IdMap2 => "IDMap2",
        }
    }

    fn from_token(token: &str) -> Option<Self> {
        [Self::IdMap, Self::IdMap2]
            .into_iter()
            .find(|kind| kind.token() == token)
    }
}

impl fmt::Display for IndexSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flat => f.write_str("Flat"),
            Self::IdMap(kind, inner) => write!(f, "{},{inner}", kind.token()),
        }
    }
}

impl FromStr for IndexSpec {
    type Err = Error;

    /// Reads `Flat`, and `IDMap` or `IDMap2` before or, as Faiss allows, behind it.
    fn from_str(text: &str) -> Result<Self> {
        let fault = |at, reason| Error::Spec {
            text: text.into(),
            at,
            reason,
        };
        match *tokens(text) {
            [(at, token)] => flat(token).map_err(|reason| fault(at, reason)),
            [first, second] => {
                let swapped = IdMapKind::from_token(first.1).is_none() && IdMapKind::from_token(second.1).is_some();
                let [(map_at, map), (at, token)] = if swapped { [second, first] } else { [first, second] };
                let kind = IdMapKind::from_token(map).ok_or_else(|| fault(map_at, not_before(map)))?;
                let inner = flat(token).map_err(|reason| fault(at, reason))?;
                Ok(Self::IdMap(kind, Box::new(inner)))
            }
            [_, _, (at, token), ..] => Err(fault(at, format!("`{token}` is one part too many"))),
            [] => unreachable!("splitting gives at least one part"),
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

/// Every token there is, for messages.
const KNOWN: &str = "Flat, IDMap, IDMap2";

/// The one index that needs no other within.
fn flat(token: &str) -> Result<IndexSpec, String> {
    match token {
        "Flat" => Ok(IndexSpec::Flat),
        "" => Err(format!("a part is missing (known: {KNOWN})")),
        map if IdMapKind::from_token(map).is_some() => Err(format!("`{map}` needs an index within (as `{map},Flat`)")),
        other => Err(format!("unknown index `{other}` (known: {KNOWN})")),
    }
}

fn not_before(token: &str) -> String {
    match flat(token) {
        Ok(_) => format!("`{token}` takes no index within"),
        Err(reason) => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        text.parse::<IndexSpec>().unwrap_err().to_string()
    }

    #[test]
    fn examples_print_as_they_were_read() {
        for text in IndexSpec::EXAMPLES {
            assert_eq!(text.parse::<IndexSpec>().unwrap().to_string(), *text);
        }
    }

    #[test]
    fn an_id_map_may_stand_behind() {
        assert_eq!("Flat,IDMap2".parse::<IndexSpec>().unwrap().to_string(), "IDMap2,Flat");
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        assert!(fault("IVF4096,Flat").contains("unknown index `IVF4096`"));
        assert!(fault("IVF4096,Flat").ends_with("at character 0"));
        assert!(fault("IDMap,IDMap2,Flat").ends_with("`Flat` is one part too many at character 13"));
        assert!(fault("IDMap,Flat,").ends_with("`` is one part too many at character 11"));
        assert!(fault("IDMap,").contains("a part is missing"));
        assert!(fault("IDMap").contains("`IDMap` needs an index within (as `IDMap,Flat`)"));
        assert!(fault("IDMap,IDMap2").contains("`IDMap2` needs an index within"));
        assert!(fault("Flat,Flat").contains("`Flat` takes no index within"));
        assert!(fault("").contains("a part is missing"));
        assert!(fault("flat").contains("unknown index `flat`"));
        assert!(fault("평면").ends_with("at character 0"));
    }

    #[test]
    fn a_dimension_out_of_range_is_refused() {
        for dim in [0, crate::MAX_DIM + 1, usize::MAX] {
            let error = IndexSpec::Flat.build(dim, Metric::L2).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the dimension of an index must be between 1 and 1048576, got {dim}")
            );
        }
    }
}
