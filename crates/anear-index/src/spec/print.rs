//! From a blueprint to the factory string.

use std::fmt;

use anear_quant::QuantizerSpec;

use super::{HnswSpec, IndexSpec, IvfSpec, NsgSpec};

impl fmt::Display for IndexSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flat(codes) => codes.fmt(f),
            Self::Ivf(spec) => spec.fmt(f),
            Self::Hnsw(spec) => spec.fmt(f),
            Self::Nsg(spec) => spec.fmt(f),
            Self::Near(shape) => shape.fmt(f),
            Self::IdMap(kind, inner) => write!(f, "{},{inner}", kind.token()),
            Self::PreTransform(chain, inner) => {
                chain.iter().try_for_each(|transform| write!(f, "{transform},"))?;
                inner.fmt(f)
            }
            Self::Refine(base, refine) if **refine == Self::Flat(QuantizerSpec::Raw) => write!(f, "{base},RFlat"),
            Self::Refine(base, refine) => write!(f, "{base},Refine({refine})"),
        }
    }
}

impl fmt::Display for HnswSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HNSW{},{}", self.m, self.codes)
    }
}

impl fmt::Display for NsgSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NSG{},{}", self.r, self.codes)
    }
}

impl fmt::Display for IvfSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IVF{}", self.nlist)?;
        match &*self.coarse {
            IndexSpec::Flat(QuantizerSpec::Raw) => {}
            IndexSpec::Hnsw(HnswSpec {
                m,
                codes: QuantizerSpec::Raw,
            }) => write!(f, "_HNSW{m}")?,
            IndexSpec::Nsg(NsgSpec {
                r,
                codes: QuantizerSpec::Raw,
            }) => write!(f, "_NSG{r}")?,
            coarse => write!(f, "({coarse})")?,
        }
        let codes = self.codes.to_string();
        match (Self::default_by_residual(&self.codes), self.by_residual) {
            // The length of blocks comes last.
            (false, true) if codes.contains("x4fs") => write!(f, ",{}", codes.replace("x4fs", "x4fsr")),
            (false, true) => write!(f, ",{codes}r"),
            // Faiss has such indexes, but no token for them.
            (true, false) => write!(f, ",{codes}nr"),
            _ => write!(f, ",{codes}"),
        }
    }
}
