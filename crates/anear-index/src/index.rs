//! The traits of an index: what each must do, what some can do, and the everyday surface over both.

use std::any::Any;
use std::fmt;
use std::ops::Range;

use anear_bytes::ContainerWriter;
use anear_kernels::{IdSelector, Metric, Rows, TopK};
use anear_pool::Pool;

use crate::request::unknown_knob;
use crate::{
    Error, IndexSpec, Knob, Knobs, Memory, Neighbors, NeighborsMut, RangeRequest, Result, SearchRequest, faiss_value,
};

/// An index over vectors of one dimension, compared by one metric.
///
/// Changing takes `&mut self`, searching `&self`: concurrency is a policy of the floor above. `dyn VectorIndex` can be
/// cast up to `dyn Any` and down to its type.
pub trait VectorIndex: Any + fmt::Debug + Send + Sync {
    /// The type's name in messages, for example `flat`.
    fn kind(&self) -> &'static str;

    /// What builds an empty index like this one.
    fn spec(&self) -> IndexSpec;

    /// Components per vector.
    fn dim(&self) -> usize;

    /// How vectors are compared.
    fn metric(&self) -> Metric;

    /// Number of vectors (Faiss: `ntotal`).
    fn len(&self) -> usize;

    /// Whether there is no vector.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What its codes take, in memory and in mapped files.
    fn memory(&self) -> Memory;

    /// Whether ids stay what they are when others are removed.
    ///
    /// Otherwise ids are positions, and those behind a removed one move up, as in Faiss's flat indexes.
    fn keeps_ids(&self) -> bool {
        false
    }

    /// The search parameters it understands.
    fn knobs(&self) -> Vec<&'static Knob> {
        Vec::new()
    }

    /// The value of a search parameter for requests that do not name it; `None` when there is no such parameter.
    fn knob(&self, _name: &str) -> Option<f64> {
        None
    }

    /// Sets the value of a search parameter for requests that do not name it.
    ///
    /// # Errors
    /// [`Error::UnknownKnob`], [`Error::KnobValue`].
    fn set_knob(&mut self, name: &str, _value: f64) -> Result<()> {
        Err(unknown_knob(name, &self.knobs()))
    }

    /// One sentence on how searches with these parameters are answered, and why, of an index that finds that out by
    /// itself; `None` of the others.
    fn explain_search(&self, _knobs: &Knobs) -> Option<String> {
        None
    }

    /// Pushes the neighbors of the `i`-th query into `tops[i]`, with `first_id` added to each id.
    ///
    /// This is how the segments of a larger set are searched as one: all push into the same top-ks, each with the
    /// position of its first vector. The request's selector speaks of this index's own ids, without `first_id`.
    ///
    /// # Errors
    /// As [`search`](Self::search); then nothing has been pushed.
    ///
    /// # Panics
    /// When there is not one top-k per query.
    fn search_top(
        &self,
        queries: Rows<'_>,
        request: &SearchRequest<'_>,
        first_id: u64,
        tops: &mut [TopK],
    ) -> Result<()>;

    /// The nearest neighbors of each query, closest first; fewer than `k` where fewer are selected.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::ZeroK`], [`Error::UnknownKnob`], and [`Error::NotFinite`] for a query with NaN or
    /// an infinity.
    fn search(&self, queries: Rows<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        let k = request.k.min(self.len().max(1));
        let mut tops: Vec<_> = (0..queries.len()).map(|_| TopK::new(k)).collect();
        self.search_top(queries, request, 0, &mut tops)?;
        Ok(Neighbors::from_tops(self.metric(), tops))
    }

    /// [`search`](Self::search) into the caller's buffers of `queries.len() * k` places, padded with the id -1.
    ///
    /// # Errors
    /// As [`search`](Self::search), and [`Error::OutputShape`] when the buffers have another length.
    fn search_into(&self, queries: Rows<'_>, request: &SearchRequest<'_>, mut out: NeighborsMut<'_>) -> Result<()> {
        let expected = queries.len().saturating_mul(request.k);
        if out.ids.len() != expected || out.distances.len() != expected {
            return Err(Error::OutputShape {
                expected,
                queries: queries.len(),
                k: request.k,
                got: out.ids.len().min(out.distances.len()),
            });
        }
        let found = self.search(queries, request)?;
        out.fill(request.k, &found);
        Ok(())
    }

    /// What to add to the ids of another index so that none of them is taken here; 0 where ids are the caller's.
    fn merge_offset(&self) -> u64 {
        0
    }

    /// Refuses another index whose vectors this one cannot take over with `add_id` added to their ids.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where nothing can be merged, [`Error::Mismatch`], [`Error::DuplicateId`],
    /// [`Error::IdTooLarge`].
    fn check_merge(&self, _other: &dyn VectorIndex, _add_id: u64) -> Result<()> {
        Err(unsupported(self.kind(), "merging"))
    }

    /// Adds what [`spec`](Self::spec), dimension, metric and length do not tell already, as sections of a container.
    ///
    /// [`to_bytes`](crate::to_bytes) writes the rest.
    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a>;

    /// A copy: what is done to one of the two, the other does not see.
    fn boxed_clone(&self) -> Box<dyn VectorIndex>;

    /// An index without vectors that has learned what this one has, with the same parameters.
    fn emptied(&self) -> Box<dyn VectorIndex>;

    /// Gives the vectors the ids 0, 1, 2, ... in the order of their old ones. Where ids are positions they are so already.
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`] when what has to move stands on a file and cannot be copied.
    fn renumber(&mut self) -> Result<()> {
        Ok(())
    }

    /// Compares by cosine the unit vectors that it holds and has compared by inner product; see [`Cosine::restored`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the index does not know cosine; [`Error::NotNormalized`].
    ///
    /// [`Cosine::restored`]: crate::Cosine::restored
    fn become_cosine(&mut self) -> Result<()> {
        Err(unsupported(self.kind(), "cosine; use Cosine::new"))
    }

    // Abilities. `None` means that this index does not have it.

    /// Adding vectors that are numbered by position.
    fn as_add(&mut self) -> Option<&mut dyn Add> {
        None
    }

    /// Adding vectors under ids of the caller's.
    fn as_add_with_ids(&mut self) -> Option<&mut dyn AddWithIds> {
        None
    }

    /// Removing vectors.
    fn as_remove(&mut self) -> Option<&mut dyn Remove> {
        None
    }

    /// Finding everything within a radius.
    fn as_range_search(&self) -> Option<&dyn RangeSearch> {
        None
    }

    /// Giving vectors back.
    fn as_reconstruct(&self) -> Option<&dyn Reconstruct> {
        None
    }

    /// Taking over the vectors of another index.
    fn as_merge(&mut self) -> Option<&mut dyn Merge> {
        None
    }
}

/// An index that numbers its vectors as they come.
pub trait Add {
    /// Appends the vectors; returns their ids. The threads of `pool` encode them; without it the calling one does.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`], [`Error::OutOfMemory`].
    fn add_on(&mut self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Range<u64>>;
}

/// An index whose ids are the caller's.
pub trait AddWithIds {
    /// Adds the `i`-th vector under `ids[i]`.
    ///
    /// # Errors
    /// [`Error::IdCount`], [`Error::DuplicateId`], [`Error::RepeatedId`], [`Error::IdTooLarge`], and those of
    /// [`Add::add_on`].
    fn add_with_ids_on(&mut self, vectors: Rows<'_>, ids: &[u64], pool: Option<&Pool>) -> Result<()>;
}

/// An index that forgets.
pub trait Remove {
    /// Removes the vectors whose ids are selected; returns how many (Faiss: `remove_ids`). Ids that are not there are no error.
    /// The threads of `pool` build anew what an index builds anew then; without it the calling one does.
    ///
    /// Where ids are positions, those behind move up, as in Faiss; see [`VectorIndex::keeps_ids`].
    ///
    /// # Errors
    /// [`anear_quant::Error::OutOfMemory`] when what has to move stands on a mapped file and cannot be copied, and those of
    /// building anew; nothing is removed then. Those of the index within, if there is one.
    fn remove_ids(&mut self, ids: &IdSelector<'_>, pool: Option<&Pool>) -> Result<usize>;
}

/// An index that finds everything within a radius.
pub trait RangeSearch {
    /// All selected vectors strictly closer than the radius, in the order in which they are stored.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::RadiusNaN`], [`Error::NotFinite`].
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors>;
}

/// An index that gives its vectors back.
pub trait Reconstruct {
    /// Appends the vector with this id to `out`, as it is stored: by a cosine index normalized.
    ///
    /// # Errors
    /// [`Error::UnknownId`].
    fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()>;

    /// Appends the vectors with these ids, one after the other (Faiss: `reconstruct_n`).
    ///
    /// # Errors
    /// [`Error::UnknownId`]; `out` may have grown then.
    fn reconstruct_n(&self, ids: Range<u64>, out: &mut Vec<f32>) -> Result<()> {
        ids.into_iter().try_for_each(|id| self.reconstruct(id, out))
    }
}

/// An index that takes over another's vectors.
pub trait Merge {
    /// Moves all vectors of `other` behind this index's own, `add_id` added to their ids (Faiss: `merge_from`); `other`
    /// is empty then. Where ids are positions, `add_id` is of no account. The threads of `pool` link them to each other
    /// where an index does so; without it the calling one does.
    ///
    /// Everything is checked first: after an error both are as before.
    ///
    /// # Errors
    /// Those of [`VectorIndex::check_merge`], and [`Error::OutOfMemory`].
    fn merge_from(&mut self, other: &mut dyn VectorIndex, add_id: u64, pool: Option<&Pool>) -> Result<()>;
}

/// The everyday surface: implemented for every index, never by hand.
///
/// Each method is the ability of that name, or [`Error::Unsupported`] where the index does not have it.
pub trait VectorIndexExt: VectorIndex {
    /// [`Add::add_on`] the calling thread.
    ///
    /// # Errors
    /// [`Error::Unsupported`] and those of the ability.
    fn add(&mut self, vectors: Rows<'_>) -> Result<Range<u64>> {
        let missing = unsupported(self.kind(), "adding without ids; use add_with_ids");
        self.as_add().ok_or(missing)?.add_on(vectors, None)
    }

    /// [`AddWithIds::add_with_ids_on`] the calling thread.
    ///
    /// # Errors
    /// [`Error::Unsupported`] and those of the ability.
    fn add_with_ids(&mut self, vectors: Rows<'_>, ids: &[u64]) -> Result<()> {
        let missing = unsupported(self.kind(), "adding with ids; build it as `IDMap,...`");
        self.as_add_with_ids()
            .ok_or(missing)?
            .add_with_ids_on(vectors, ids, None)
    }

    /// [`remove_on`](Self::remove_on) the calling thread.
    ///
    /// # Errors
    /// [`Error::Unsupported`] and those of the ability.
    fn remove(&mut self, ids: &IdSelector<'_>) -> Result<usize> {
        self.remove_on(ids, None)
    }

    /// [`Remove::remove_ids`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] and those of the ability.
    fn remove_on(&mut self, ids: &IdSelector<'_>, pool: Option<&Pool>) -> Result<usize> {
        let missing = unsupported(self.kind(), "removing");
        self.as_remove().ok_or(missing)?.remove_ids(ids, pool)
    }

    /// [`RangeSearch::range_search`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] and those of the ability.
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        let missing = unsupported(self.kind(), "range search");
        self.as_range_search().ok_or(missing)?.range_search(queries, request)
    }

    /// The vector with this id: [`Reconstruct::reconstruct`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] and those of the ability.
    fn reconstruct(&self, id: u64) -> Result<Vec<f32>> {
        let missing = unsupported(self.kind(), "giving vectors back");
        let mut vector = Vec::with_capacity(self.dim());
        self.as_reconstruct().ok_or(missing)?.reconstruct(id, &mut vector)?;
        Ok(vector)
    }

    /// [`Reconstruct::reconstruct_n`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] and those of the ability.
    fn reconstruct_n(&self, ids: Range<u64>, out: &mut Vec<f32>) -> Result<()> {
        let missing = unsupported(self.kind(), "giving vectors back");
        self.as_reconstruct().ok_or(missing)?.reconstruct_n(ids, out)
    }

    /// [`merge_on`](Self::merge_on) the calling thread.
    ///
    /// # Errors
    /// [`Error::Unsupported`] and those of the ability.
    fn merge(&mut self, other: &mut dyn VectorIndex) -> Result<()> {
        self.merge_on(other, None)
    }

    /// [`Merge::merge_from`] with ids that are raised no more than they must be.
    ///
    /// # Errors
    /// [`Error::Unsupported`] and those of the ability.
    fn merge_on(&mut self, other: &mut dyn VectorIndex, pool: Option<&Pool>) -> Result<()> {
        let (missing, offset) = (unsupported(self.kind(), "merging"), self.merge_offset());
        self.as_merge().ok_or(missing)?.merge_from(other, offset, pool)
    }

    /// The value Faiss reports for a distance of this index: [`faiss_value`].
    fn faiss_value(&self, distance: f32) -> f32 {
        faiss_value(self.metric(), distance)
    }
}

impl<T: VectorIndex + ?Sized> VectorIndexExt for T {}

/// The error of an ability that an index does not have.
pub(crate) fn unsupported(index: &'static str, operation: &'static str) -> Error {
    Error::Unsupported { index, operation }
}
