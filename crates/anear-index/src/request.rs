//! What is asked of an index: how many neighbors, among which ids, how thoroughly, on which threads.

use std::collections::BTreeMap;

use anear_kernels::{IdSelector, Rows};
use anear_pool::Pool;

use crate::error::{check_dim, check_finite};
use crate::{Error, Result};

/// A search-time parameter of an index: its name, its meaning, the values worth trying.
///
/// One constant beside the code that reads it feeds every surface: the command line, servers, tuners.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knob {
    /// Its name in a request, for example `nprobe`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// The value of a request that does not name it.
    pub default: f64,
    /// Values worth trying, from fast to thorough.
    pub ladder: &'static [f64],
}

/// A k-nearest-neighbor search.
///
/// ```
/// use anear_index::SearchRequest;
/// use anear_kernels::IdSelector;
///
/// let request = SearchRequest::new(10).selecting(IdSelector::Range(0..500)).with("nprobe", 16.0);
/// assert_eq!(request.k, 10);
/// ```
#[derive(Clone, Debug)]
pub struct SearchRequest<'a> {
    /// Neighbors per query; an index with fewer (selected) vectors returns them all.
    pub k: usize,
    /// Which ids may be returned.
    pub selector: IdSelector<'a>,
    /// Search parameters by name; what an index does not know is an error.
    pub knobs: BTreeMap<String, f64>,
    /// The threads to search on; without a pool the calling thread does it all.
    pub pool: Option<&'a Pool>,
}

impl<'a> SearchRequest<'a> {
    /// The `k` nearest among all ids, on the calling thread.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            selector: IdSelector::All,
            knobs: BTreeMap::new(),
            pool: None,
        }
    }

    /// Only ids that `selector` admits.
    pub fn selecting(mut self, selector: IdSelector<'a>) -> Self {
        self.selector = selector;
        self
    }

    /// With a search parameter other than its default.
    pub fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.knobs.insert(name.into(), value);
        self
    }

    /// On the threads of `pool`.
    pub fn on(mut self, pool: &'a Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// The value of `knob` here, or its default.
    pub fn knob(&self, knob: &Knob) -> f64 {
        self.knobs.get(knob.name).copied().unwrap_or(knob.default)
    }

    /// Refuses what an index of dimension `dim` with `knobs` cannot answer: the first line of every search.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::ZeroK`], [`Error::UnknownKnob`], [`Error::NotFinite`].
    pub fn check(&self, dim: usize, knobs: &[&Knob], queries: Rows<'_>) -> Result<()> {
        check_dim(dim, queries)?;
        if self.k == 0 {
            return Err(Error::ZeroK);
        }
        if let Some(name) = self.knobs.keys().find(|name| knobs.iter().all(|k| k.name != **name)) {
            return Err(Error::UnknownKnob {
                name: name.clone(),
                known: known(knobs),
            });
        }
        check_finite("query", queries)
    }
}

fn known(knobs: &[&Knob]) -> String {
    if knobs.is_empty() {
        return "none".into();
    }
    knobs.iter().map(|knob| knob.name).collect::<Vec<_>>().join(", ")
}

/// A search for everything closer than a radius.
#[derive(Clone, Debug)]
pub struct RangeRequest<'a> {
    /// Distances strictly below this are found. As everywhere, smaller is closer: for inner products the radius is the
    /// negated bound, and products strictly above the bound are found.
    pub radius: f32,
    /// Which ids may be returned.
    pub selector: IdSelector<'a>,
    /// The threads to search on; without a pool the calling thread does it all.
    pub pool: Option<&'a Pool>,
}

impl<'a> RangeRequest<'a> {
    /// Everything closer than `radius`, on the calling thread.
    pub fn new(radius: f32) -> Self {
        Self {
            radius,
            selector: IdSelector::All,
            pool: None,
        }
    }

    /// Only ids that `selector` admits.
    pub fn selecting(mut self, selector: IdSelector<'a>) -> Self {
        self.selector = selector;
        self
    }

    /// On the threads of `pool`.
    pub fn on(mut self, pool: &'a Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Refuses what an index of dimension `dim` cannot answer.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::RadiusNaN`], [`Error::NotFinite`].
    pub fn check(&self, dim: usize, queries: Rows<'_>) -> Result<()> {
        check_dim(dim, queries)?;
        if self.radius.is_nan() {
            return Err(Error::RadiusNaN);
        }
        check_finite("query", queries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NPROBE: Knob = Knob {
        name: "nprobe",
        doc: "Lists visited per query.",
        default: 1.0,
        ladder: &[1.0, 4.0],
    };

    #[test]
    fn a_knob_has_its_default_until_it_is_set() {
        assert_eq!(SearchRequest::new(1).knob(&NPROBE), 1.0);
        assert_eq!(SearchRequest::new(1).with("nprobe", 8.0).knob(&NPROBE), 8.0);
    }

    #[test]
    fn an_unknown_knob_is_refused_with_the_known_ones() {
        let query = Rows::new(&[0.0], 1).unwrap();
        let request = SearchRequest::new(1).with("nprob", 8.0);
        let message = |knobs: &[&Knob]| request.check(1, knobs, query).unwrap_err().to_string();
        assert_eq!(
            message(&[&NPROBE]),
            "unknown search parameter `nprob`; this index has: nprobe"
        );
        assert_eq!(message(&[]), "unknown search parameter `nprob`; this index has: none");
    }
}
