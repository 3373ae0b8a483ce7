//! What is asked of an index: how many neighbors, among which ids, how thoroughly, on which threads.

use anear_kernels::{IdSelector, Rows};
use anear_pool::Pool;

use crate::error::{check_dim, check_finite};
use crate::{Error, Result};

/// A search-time parameter of an index: its name, its meaning, the values worth trying.
///
/// One constant beside the code that reads it feeds every surface: the command line, servers, tuners.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knob {
    /// Its name in a request, for example `ef_search`.
    pub name: &'static str,
    /// Faiss's name, which a request may use as well, for example `efSearch`.
    pub alias: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// The value of a request that does not name it, in an index for which no other was set.
    pub default: f64,
    /// Values worth trying, from fast to thorough.
    pub ladder: &'static [f64],
    /// The smallest value.
    pub least: f64,
    /// What values there are.
    pub values: KnobValues,
}

/// What values a search parameter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KnobValues {
    /// Whole numbers; infinity stands for all.
    Counts,
    /// Shares from 0 to 1; infinity stands for 1.
    Shares,
}

impl Knob {
    /// The one of `known` that is called `name`, if it can have this value.
    ///
    /// # Errors
    /// [`Error::UnknownKnob`], [`Error::KnobValue`].
    ///
    /// ```
    /// use anear_index::{IndexSpec, Knob};
    ///
    /// let known = "HNSW32".parse::<IndexSpec>()?.knobs();
    /// assert_eq!(Knob::checked("efSearch", 64.0, &known)?.name, "ef_search");
    /// assert!(Knob::checked("ef_search", 0.0, &known).is_err());
    /// # Ok::<(), anear_index::Error>(())
    /// ```
    pub fn checked(name: &str, value: f64, known: &[&'static Self]) -> Result<&'static Self> {
        let knob = known.iter().find(|knob| knob.is_called(name));
        let knob = knob.ok_or_else(|| unknown_knob(name, known))?;
        match knob.values {
            KnobValues::Counts => as_count(knob, value).map(|_| *knob),
            KnobValues::Shares => as_share(knob, value).map(|_| *knob),
        }
    }

    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.alias == name
    }
}

/// Values of search parameters, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Knobs(Vec<(String, f64)>);

impl Knobs {
    /// Sets the parameter called `name`. Of a parameter's two names, the one that was set last counts.
    pub fn set(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        self.0.retain(|(own, _)| *own != name);
        self.0.push((name, value));
    }

    /// Whether nothing was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was set, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The value of `knob`, under either of its names.
    pub fn get(&self, knob: &Knob) -> Option<f64> {
        let own = self.0.iter().rev().find(|(name, _)| knob.is_called(name));
        own.map(|(_, value)| *value)
    }

    /// The value of `knob` as a number of things; `own` where it is not set.
    ///
    /// # Errors
    /// [`Error::KnobValue`].
    pub fn count(&self, knob: &'static Knob, own: usize) -> Result<usize> {
        self.get(knob).map_or(Ok(own), |value| as_count(knob, value))
    }

    /// Without those that only `knobs` know: for the index within.
    pub fn without(&self, knobs: &[&Knob]) -> Self {
        let foreign = |name: &str| !knobs.iter().any(|knob| knob.is_called(name));
        let rest = self.0.iter().filter(|(name, _)| foreign(name));
        Self(rest.cloned().collect())
    }

    /// Refuses names that none of `knobs` has.
    ///
    /// # Errors
    /// [`Error::UnknownKnob`].
    pub fn check(&self, knobs: &[&Knob]) -> Result<()> {
        let is_known = |name: &str| knobs.iter().any(|knob| knob.is_called(name));
        match self.0.iter().find(|(name, _)| !is_known(name)) {
            Some((name, _)) => Err(unknown_knob(name, knobs)),
            None => Ok(()),
        }
    }
}

/// `value` as a number of things; infinity stands for all.
///
/// # Errors
/// [`Error::KnobValue`].
pub(crate) fn as_count(knob: &'static Knob, value: f64) -> Result<usize> {
    if value >= knob.least && (value.fract() == 0.0 || value.is_infinite()) {
        return Ok(value as usize);
    }
    Err(Error::KnobValue {
        name: knob.name,
        expected: format!("a whole number of at least {}", knob.least),
        value,
    })
}

/// `value` as a share; infinity stands for all.
///
/// # Errors
/// [`Error::KnobValue`].
pub(crate) fn as_share(knob: &'static Knob, value: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&value) || value == f64::INFINITY {
        return Ok(value.min(1.0));
    }
    Err(Error::KnobValue {
        name: knob.name,
        expected: "a share between 0 and 1".into(),
        value,
    })
}

/// The error for a search parameter that an index does not have.
pub(crate) fn unknown_knob(name: &str, knobs: &[&Knob]) -> Error {
    Error::UnknownKnob {
        name: name.into(),
        known: known(knobs),
    }
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
    /// Search parameters; one that an index does not know is an error.
    pub knobs: Knobs,
    /// The threads to search on; without a pool the calling thread does it all.
    pub pool: Option<&'a Pool>,
}

impl<'a> SearchRequest<'a> {
    /// The `k` nearest among all ids, on the calling thread.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            selector: IdSelector::All,
            knobs: Knobs::default(),
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
        self.knobs.set(name, value);
        self
    }

    /// On the threads of `pool`.
    pub fn on(mut self, pool: &'a Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Refuses what an index of dimension `dim` with `knobs` cannot answer: the first line of every search.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::ZeroK`], [`Error::UnknownKnob`], [`Error::NotFinite`].
    pub fn check(&self, dim: usize, knobs: &[&Knob], queries: Rows<'_>) -> Result<()> {
        check_dim(dim, queries)?;
        self.check_parameters(knobs)?;
        check_finite("query", queries)
    }

    /// Refuses a `k` and search parameters that an index with `knobs` cannot answer.
    pub(crate) fn check_parameters(&self, knobs: &[&Knob]) -> Result<()> {
        if self.k == 0 {
            return Err(Error::ZeroK);
        }
        self.knobs.check(knobs)
    }
}

pub(crate) fn known(knobs: &[&Knob]) -> String {
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
    /// Search parameters; one that an index does not know is an error.
    pub knobs: Knobs,
    /// The threads to search on; without a pool the calling thread does it all.
    pub pool: Option<&'a Pool>,
}

impl<'a> RangeRequest<'a> {
    /// Everything closer than `radius`, on the calling thread.
    pub fn new(radius: f32) -> Self {
        Self {
            radius,
            selector: IdSelector::All,
            knobs: Knobs::default(),
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
        self.knobs.set(name, value);
        self
    }

    /// On the threads of `pool`.
    pub fn on(mut self, pool: &'a Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Refuses what an index of dimension `dim` with `knobs` cannot answer.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::RadiusNaN`], [`Error::UnknownKnob`], [`Error::NotFinite`].
    pub fn check(&self, dim: usize, knobs: &[&Knob], queries: Rows<'_>) -> Result<()> {
        check_dim(dim, queries)?;
        self.knobs.check(knobs)?;
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
        alias: "nProbe",
        doc: "Lists visited per query.",
        default: 1.0,
        ladder: &[1.0, 4.0],
        least: 1.0,
        values: KnobValues::Counts,
    };

    #[test]
    fn a_knob_has_its_default_until_it_is_set() {
        let count = |request: SearchRequest<'_>| request.knobs.count(&NPROBE, 1).unwrap();
        assert_eq!(count(SearchRequest::new(1)), 1);
        assert_eq!(count(SearchRequest::new(1).with("nprobe", 8.0)), 8);
        assert_eq!(count(SearchRequest::new(1).with("nProbe", f64::INFINITY)), usize::MAX);
        for value in [0.0, -1.0, 1.5, f64::NAN] {
            let error = SearchRequest::new(1)
                .with("nprobe", value)
                .knobs
                .count(&NPROBE, 1)
                .unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("nprobe must be a whole number of at least 1, got {value}")
            );
        }
    }

    #[test]
    fn of_two_names_the_one_that_was_set_last_counts() {
        let knob = Knob {
            name: "ef_search",
            alias: "efSearch",
            doc: "",
            default: 16.0,
            ladder: &[],
            least: 1.0,
            values: KnobValues::Counts,
        };
        let mut knobs = Knobs::default();
        for (name, value) in [("ef_search", 1.0), ("efSearch", 2.0), ("ef_search", 3.0)] {
            knobs.set(name, value);
            assert_eq!(knobs.get(&knob), Some(value));
        }
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
