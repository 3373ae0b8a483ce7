//! The trait of an index on bit vectors, and the checks that all of them make at the door.

use std::any::Any;
use std::fmt;
use std::ops::{Range, RangeInclusive};

use anear_kernels::{Bits, IdSelector, Neighbor};
use anear_pool::Pool;

use super::BinarySpec;
use crate::request::known;
use crate::tiles::on_pool;
use crate::{Error, Knob, Knobs, MAX_DIM, Neighbors, RangeRequest, Result, SearchRequest};

/// An index over bit vectors of one dimension, compared by Hamming distance (Faiss: `IndexBinary`).
///
/// Changing takes `&mut self`, searching `&self`. `dyn BinaryIndex` can be cast up to `dyn Any` and down to its type.
pub trait BinaryIndex: Any + fmt::Debug + Send + Sync {
    /// The type's name in messages, for example `binary_flat`.
    fn kind(&self) -> &'static str;

    /// What builds or trains an empty index like this one.
    fn spec(&self) -> BinarySpec;

    /// Bits per vector, a multiple of 8.
    fn dim(&self) -> usize;

    /// Bytes per vector.
    fn code_len(&self) -> usize {
        self.dim() / 8
    }

    /// Number of vectors (Faiss: `ntotal`).
    fn len(&self) -> usize;

    /// Whether there is no vector.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The search parameters it understands.
    fn knobs(&self) -> Vec<&'static Knob> {
        Vec::new()
    }

    /// The value of a search parameter for requests that do not name it; `None` when there is no such parameter.
    fn knob(&self, _name: &str) -> Option<f64> {
        None
    }

    /// Changes a search parameter for all requests that do not name it; it is saved with the index.
    ///
    /// # Errors
    /// [`Error::UnknownKnob`], [`Error::KnobValue`].
    fn set_knob(&mut self, name: &str, _value: f64) -> Result<()> {
        Err(unknown_knob(name, &self.knobs()))
    }

    /// The nearest neighbors of each query, closest first; fewer than `k` where fewer are selected or looked at.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::ZeroK`], [`Error::UnknownKnob`], [`Error::KnobValue`].
    fn search(&self, queries: Bits<'_>, request: &SearchRequest<'_>) -> Result<Neighbors>;

    /// All selected vectors strictly closer than the radius, by ascending id; from an id map, in the order in which
    /// they were added.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::RadiusNaN`].
    fn range_search(&self, queries: Bits<'_>, request: &RangeRequest<'_>) -> Result<Neighbors>;

    /// Adds the vectors under the ids that follow the largest there is; returns those.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::OutOfMemory`], and [`Error::Unsupported`] by an id map.
    fn add(&mut self, vectors: Bits<'_>) -> Result<Range<u64>>;

    /// Adds the `i`-th vector under `ids[i]`.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::IdCount`], [`Error::DuplicateId`], [`Error::RepeatedId`], [`Error::IdTooLarge`],
    /// [`Error::OutOfMemory`], and [`Error::Unsupported`] where ids are positions.
    fn add_with_ids(&mut self, vectors: Bits<'_>, ids: &[u64]) -> Result<()>;

    /// The vector with this id.
    ///
    /// # Errors
    /// [`Error::UnknownId`].
    fn reconstruct(&self, id: u64) -> Result<&[u8]>;

    /// Removes the vectors whose ids are selected; returns how many. Ids that are not there are no error.
    ///
    /// Where ids are positions, those behind move up, as in Faiss.
    ///
    /// # Errors
    /// Those of the index within, if there is one.
    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize>;

    /// Takes over all vectors of `other`, which is empty then (Faiss: `merge_from`).
    ///
    /// Positions continue behind this index's own; other ids stay what they are.
    ///
    /// # Errors
    /// [`Error::Mismatch`] unless both have the same kind, dimension and, where they were trained, centroids;
    /// [`Error::DuplicateId`], [`Error::OutOfMemory`]. Both are as before then.
    fn merge(&mut self, other: &mut dyn BinaryIndex) -> Result<()>;

    /// A copy that shares nothing with this one.
    fn boxed_clone(&self) -> Box<dyn BinaryIndex>;
}

/// Refuses a dimension that no index over bits can have.
pub(super) fn check_index_dim(dim: usize) -> Result<()> {
    if dim.is_multiple_of(8) && (8..=MAX_DIM).contains(&dim) {
        return Ok(());
    }
    Err(Error::BinaryDimension { got: dim })
}

/// Refuses vectors of another length than `dim` bits.
pub(super) fn check_width(dim: usize, vectors: Bits<'_>) -> Result<()> {
    let got = vectors.dim() * 8;
    if got == dim {
        return Ok(());
    }
    Err(Error::Dimension { expected: dim, got })
}

/// The first line of every search.
pub(super) fn check_search(index: &dyn BinaryIndex, queries: Bits<'_>, request: &SearchRequest<'_>) -> Result<()> {
    check_width(index.dim(), queries)?;
    request.check_parameters(&index.knobs())
}

/// The first line of every search by radius: the radius in whole bits.
pub(super) fn check_range(index: &dyn BinaryIndex, queries: Bits<'_>, request: &RangeRequest<'_>) -> Result<u32> {
    check_width(index.dim(), queries)?;
    if request.radius.is_nan() {
        return Err(Error::RadiusNaN);
    }
    // A distance is below a radius between two whole numbers if it is below the larger. Negative ones become 0.
    Ok(request.radius.ceil() as u32)
}

/// The error of adding under ids to an index that numbers by position.
pub(super) fn no_own_ids(index: &dyn BinaryIndex) -> Error {
    Error::Unsupported {
        index: index.kind(),
        operation: "adding with ids; build it as `IDMap,...`",
    }
}

/// The error of two indexes that do not go together.
pub(super) fn mismatch(own: &dyn BinaryIndex, other: &dyn BinaryIndex) -> Error {
    let describe = |index: &dyn BinaryIndex| {
        let (kind, spec, dim) = (index.kind(), index.spec(), index.dim());
        format!("a {kind} index `{spec}` of dimension {dim}")
    };
    Error::Mismatch {
        own: describe(own),
        other: describe(other),
    }
}

pub(super) fn unknown_knob(name: &str, knobs: &[&Knob]) -> Error {
    Error::UnknownKnob {
        name: name.into(),
        known: known(knobs),
    }
}

/// A knob's value as the whole number it must be.
pub(super) fn whole(knob: &Knob, value: f64, allowed: RangeInclusive<usize>) -> Result<usize> {
    let number = value as usize;
    if number as f64 == value && allowed.contains(&number) {
        return Ok(number);
    }
    let (start, end) = allowed.into_inner();
    let expected = match end {
        usize::MAX => format!("a whole number of at least {start}"),
        _ => format!("a whole number between {start} and {end}"),
    };
    Err(Error::KnobValue {
        name: knob.name,
        expected,
        value,
    })
}

/// The value that a request gives a knob, or else `own`.
pub(super) fn requested(knobs: &Knobs, knob: &Knob, own: usize, allowed: RangeInclusive<usize>) -> Result<usize> {
    match knobs.get(knob) {
        Some(value) => whole(knob, value, allowed),
        None => Ok(own),
    }
}

/// Answers each query by itself, on the pool if there is one. Queries that follow each other share a `scratch`.
pub(super) fn each_query<S>(
    pool: Option<&Pool>,
    queries: Bits<'_>,
    scratch: impl Fn() -> S + Send + Sync,
    answer: impl Fn(usize, &[u8], &mut S) -> Vec<Neighbor> + Send + Sync,
) -> Neighbors {
    /// Tasks per thread, so that a thread that was held up leaves work to the others.
    const TASKS_PER_THREAD: usize = 8;
    let tasks = pool.map_or(1, |pool| pool.threads() * TASKS_PER_THREAD);
    let len = queries.len().div_ceil(tasks).max(1);
    let found = on_pool(pool, queries.len().div_ceil(len), |task| {
        let mut scratch = scratch();
        let range = task * len..queries.len().min((task + 1) * len);
        range
            .map(|i| answer(i, queries.row(i), &mut scratch))
            .collect::<Vec<_>>()
    });
    found.into_iter().flatten().collect()
}
