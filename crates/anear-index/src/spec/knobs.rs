//! The search parameters of an index that is not there yet.

use super::IndexSpec;
use crate::{Knob, combine::refine, hnsw, ivf, near, nsg};

impl IndexSpec {
    /// The search parameters that an index of this kind understands: [`VectorIndex::knobs`](crate::VectorIndex::knobs)
    /// of one, before there is one.
    ///
    /// ```
    /// use anear_index::IndexSpec;
    ///
    /// let knobs = "IVF64_HNSW8,SQ8".parse::<IndexSpec>()?.knobs();
    /// let names: Vec<_> = knobs.iter().map(|knob| knob.name).collect();
    /// assert_eq!(names, ["nprobe", "max_codes", "ensure_topk_full", "quantizer_ef_search"]);
    /// # Ok::<(), anear_index::Error>(())
    /// ```
    pub fn knobs(&self) -> Vec<&'static Knob> {
        match self {
            Self::Flat(_) => Vec::new(),
            Self::Ivf(spec) => {
                let coarse = spec.coarse.knobs().into_iter().map(ivf::knobs::outer);
                ivf::knobs::over(&coarse.collect::<Vec<_>>())
            }
            Self::Hnsw(_) => vec![&hnsw::EF_SEARCH],
            Self::Nsg(_) => vec![&nsg::SEARCH_L],
            Self::Near(_) => near::knobs(),
            Self::IdMap(_, inner) | Self::PreTransform(_, inner) => inner.knobs(),
            Self::Refine(base, _) => refine::over(base.knobs()),
        }
    }
}
