//! Index blueprints: plain data, parsed from and printed as Faiss's factory strings.
//!
//! Reading is in `parse.rs`, printing in `print.rs`, the search parameters of what will be built in `knobs.rs`.

use anear_kernels::{Metric, Rows};
use anear_quant::transform::TransformSpec;
use anear_quant::{QuantizerSpec, Training};

use crate::error::check_index_dim;
use crate::flat::check_metric;
use crate::{Cosine, Error, Flat, Hnsw, IdMap, Ivf, Near, NearShape, Nsg, PreTransform, Refine, Result, VectorIndex};

mod knobs;
mod parse;
mod print;

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
/// let error = "IDMap,Flop".parse::<IndexSpec>().unwrap_err().to_string();
/// assert!(error.starts_with("cannot read index `IDMap,Flop`: unknown index `Flop`"), "{error}");
/// assert!(error.ends_with("at character 6"), "{error}");
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexSpec {
    /// `Flat`, `SQ8`, `PQ16` ...: every vector is compared, as it is or by a code of it.
    Flat(QuantizerSpec),
    /// `IVF1024,Flat`, `IVF4096_HNSW32,PQ16` ...: only the vectors near the query's nearest centroids are compared.
    Ivf(IvfSpec),
    /// `HNSW32,Flat`, `HNSW32,SQ8` ...: only the vectors on the way to the query are compared.
    Hnsw(HnswSpec),
    /// `NSG32,Flat`, `NSG32,SQ8` ...: as before, on one level.
    Nsg(NsgSpec),
    /// `Near`, `NearLists`, `NearGraph`, `NearLean`, `Near2000`: anear's own, which is asked for a recall.
    Near(NearShape),
    /// `IDMap,...` or `IDMap2,...`: ids of the caller's over another index.
    IdMap(IdMapKind, Box<IndexSpec>),
    /// `PCA64,...`, `OPQ16_64,...`, `RR,L2norm,...`: transforms, the first of them first, in front of another index.
    PreTransform(Vec<TransformSpec>, Box<IndexSpec>),
    /// `...,RFlat` or `...,Refine(SQ8)`: the candidates of one index, ranked anew by another.
    Refine(Box<IndexSpec>, Box<IndexSpec>),
}

/// The blueprint of an inverted file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IvfSpec {
    /// Number of inverted lists, each with a centroid of its own.
    pub nlist: usize,
    /// The index that finds the centroids nearest to a vector (Faiss: the coarse quantizer).
    pub coarse: Box<IndexSpec>,
    /// How the vectors of a list are stored.
    pub codes: QuantizerSpec,
    /// Whether codes are of what remains of a vector when its centroid is taken away.
    pub by_residual: bool,
}

/// The blueprint of a graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HnswSpec {
    /// Links per vector and level; twice as many on the lowest.
    pub m: usize,
    /// How vectors are stored.
    pub codes: QuantizerSpec,
}

/// The blueprint of a graph on one level.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NsgSpec {
    /// Links per vector.
    pub r: usize,
    /// How vectors are stored.
    pub codes: QuantizerSpec,
}

/// Which of Faiss's two id maps is meant; ours are the same but in name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdMapKind {
    /// `IDMap` (Faiss: `IndexIDMap`, which cannot reconstruct).
    IdMap,
    /// `IDMap2` (Faiss: `IndexIDMap2`).
    IdMap2,
}

/// Exact search: `Flat`.
impl Default for IndexSpec {
    fn default() -> Self {
        Self::Flat(QuantizerSpec::Raw)
    }
}

impl IndexSpec {
    /// One string for each kind of index there is.
    pub const EXAMPLES: &[&str] = &[
        "Flat",
        "IDMap,Flat",
        "IDMap2,Flat",
        "SQ8",
        "SQfp16",
        "LSH16rt",
        "PQ1x6",
        "PQ1x4fs",
        "IVF8,PQ1x6",
        "IVF8,PQ1x4fs",
        "IVF8,PQ1x4fsr",
        "RQ2x4",
        "RQ2x4_Nfloat",
        "IVF8,RQ2x4",
        "IVF8,RQ2x4_Nfloat",
        "RaBitQ",
        "RaBitQ4",
        "RaBitQfs",
        "IVF8,Flat",
        "IVF8,SQ8",
        "IVF8,SQ8nr",
        "IVF8,PQ1x6nr",
        "IVF8,RaBitQ",
        "IVF8,RaBitQ4",
        "IVF8,RaBitQfs4",
        "IVF8(SQ8),SQ4",
        "IDMap,IVF8,Flat",
        "Flat,RFlat",
        "SQ4,RFlat",
        "RR,Flat",
        "PCAR4,IVF8,SQ8",
        "OPQ2_4,L2norm,Flat,RFlat",
        "IDMap,PCA3,Flat",
        "IVF8,SQ4,RFlat",
        "SQ4,Refine(SQfp16)",
        "HNSW8,Flat",
        "IDMap,HNSW8,Flat",
        "IVF8_HNSW4,Flat",
        "NSG8,Flat",
        "NSG16,SQ8",
        "IVF8_NSG4,Flat",
        "Near",
        "NearLists",
        "NearGraph",
        "NearLean",
        "Near2000",
        "IDMap,Near",
    ];

    /// Whether an index must see vectors before it can be built: [`train`](Self::train) instead of
    /// [`build`](Self::build).
    pub fn needs_training(&self) -> bool {
        match self {
            Self::Flat(codes) | Self::Hnsw(HnswSpec { codes, .. }) | Self::Nsg(NsgSpec { codes, .. }) => {
                *codes != QuantizerSpec::Raw
            }
            Self::Ivf(_) => true,
            Self::Near(_) => false,
            Self::IdMap(_, inner) => inner.needs_training(),
            Self::PreTransform(..) => true,
            Self::Refine(base, refine) => base.needs_training() || refine.needs_training(),
        }
    }

    /// An empty index for vectors of `dim` components, compared by `metric`.
    ///
    /// # Errors
    /// [`Error::DimensionRange`], [`Error::Untrained`] for indexes that must be trained, [`Error::Metric`] for metrics
    /// by which they cannot compare, and [`Error::Unsupported`] for an id map within another.
    pub fn build(&self, dim: usize, metric: Metric) -> Result<Box<dyn VectorIndex>> {
        if self.needs_training() {
            return Err(Error::Untrained { what: self.to_string() });
        }
        let nothing = Rows::new(&[], dim).ok_or(Error::DimensionRange { got: dim })?;
        self.train(metric, nothing, &Training::default())
    }

    /// An empty index for vectors like those of `sample`, compared by `metric`, that has learned from the sample.
    ///
    /// # Errors
    /// As [`build`](Self::build) but for [`Error::Untrained`], and [`Error::Quantizer`] or [`Error::Cluster`] when the
    /// sample is too small, [`Error::NotFinite`] when it has NaN or infinities.
    pub fn train(&self, metric: Metric, sample: Rows<'_>, training: &Training<'_>) -> Result<Box<dyn VectorIndex>> {
        check_index_dim(sample.dim())?;
        if metric == Metric::Cosine && !self.knows_cosine() {
            return Ok(Box::new(Cosine::train(self, sample, training)?));
        }
        Ok(match self {
            Self::Flat(QuantizerSpec::Raw) => Box::new(Flat::new(sample.dim(), metric)?),
            Self::Flat(codes) => {
                let quantizer = codes.train(metric, sample, training)?;
                check_metric(&*quantizer, metric)?;
                Box::new(Flat::over(quantizer, metric)?)
            }
            Self::Ivf(spec) => Box::new(Ivf::train(spec, metric, sample, training)?),
            Self::Hnsw(spec) => Box::new(Hnsw::train(spec, metric, sample, training)?),
            Self::Nsg(spec) => Box::new(Nsg::train(spec, metric, sample, training)?),
            Self::Near(shape) => Box::new(Near::train(*shape, metric, sample, training)?),
            Self::IdMap(kind, inner) => Box::new(IdMap::new(*kind, inner.train(metric, sample, training)?)?),
            Self::PreTransform(chain, inner) => Box::new(PreTransform::train(chain, inner, metric, sample, training)?),
            Self::Refine(base, refine) => {
                let base = base.train(metric, sample, training)?;
                let refine = refine.train(metric, sample, training)?;
                Box::new(Refine::new(base, refine)?)
            }
        })
    }

    /// Of how many bits distances count those that differ, in an index for vectors of `dim` components; `None` where
    /// distances are something else. Hashing (`LSH64`) counts so, whatever the metric.
    ///
    /// ```
    /// use anear_index::IndexSpec;
    ///
    /// let bits = |spec: &str| spec.parse::<IndexSpec>().unwrap().bits_compared(32);
    /// assert_eq!(["LSH", "IVF8,LSH64r", "PCA16,LSH"].map(bits), [Some(32), Some(64), Some(16)]);
    /// assert_eq!(["Flat", "LSH,RFlat"].map(bits), [None, None]);
    /// ```
    pub fn bits_compared(&self, dim: usize) -> Option<usize> {
        let codes = match self {
            Self::Flat(codes) | Self::Hnsw(HnswSpec { codes, .. }) | Self::Nsg(NsgSpec { codes, .. }) => codes,
            Self::Ivf(spec) => &spec.codes,
            Self::Near(_) => return None,
            Self::IdMap(_, inner) => return inner.bits_compared(dim),
            Self::PreTransform(chain, inner) => {
                let dim = chain.iter().fold(dim, |dim, transform| transform.dim_out(dim));
                return inner.bits_compared(dim);
            }
            Self::Refine(_, refine) => return refine.bits_compared(dim),
        };
        match codes {
            QuantizerSpec::Lsh(params) => Some(params.nbits.unwrap_or(dim)),
            _ => None,
        }
    }

    /// Whether the index itself compares by cosine; the others hold unit vectors by inner product.
    pub(crate) fn knows_cosine(&self) -> bool {
        match self {
            Self::Flat(codes) => matches!(codes, QuantizerSpec::Raw | QuantizerSpec::Lsh(_)),
            Self::Hnsw(HnswSpec { codes, .. }) | Self::Nsg(NsgSpec { codes, .. }) => *codes == QuantizerSpec::Raw,
            Self::Ivf(_) | Self::Near(_) | Self::PreTransform(..) => false,
            Self::IdMap(_, inner) => inner.knows_cosine(),
            Self::Refine(base, refine) => base.knows_cosine() && refine.knows_cosine(),
        }
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

    pub(crate) fn from_token(token: &str) -> Option<Self> {
        [Self::IdMap, Self::IdMap2]
            .into_iter()
            .find(|kind| kind.token() == token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_out_of_range_is_refused() {
        for dim in [0, crate::MAX_DIM + 1, usize::MAX] {
            let error = IndexSpec::Flat(QuantizerSpec::Raw).build(dim, Metric::L2).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the dimension of an index must be between 1 and 1048576, got {dim}")
            );
        }
    }

    #[test]
    fn what_must_be_trained_is_not_built() {
        let spec: IndexSpec = "IDMap,IVF8,Flat".parse().unwrap();
        assert_eq!(
            spec.build(4, Metric::L2).unwrap_err().to_string(),
            "`IDMap,IVF8,Flat` must be trained on vectors like those to come before it can be built"
        );
    }
}
