//! Two indexes over the same vectors: one finds candidates, the other ranks them (Faiss: `IndexRefine`).

use std::any::Any;
use std::ops::Range;

use anear_bytes::{Container, ContainerWriter};
use anear_kernels::{IdSelector, Metric, Neighbor, Rows, TopK};
use anear_pool::Pool;

use crate::error::{check_dim, check_finite};
use crate::flat::mismatch;
use crate::index::unsupported;
use crate::request::as_count;
use crate::tiles::{on_pool, parts};
use crate::{
    Add, AddWithIds, Error, IdMap, IdMapKind, IndexSpec, Knob, KnobValues, Knobs, Memory, Merge, Neighbors,
    RangeRequest, RangeSearch, Reconstruct, Remove, Result, SearchRequest, VectorIndex, VectorIndexExt as _, persist,
};

/// The section that holds the index that finds candidates.
pub(crate) const BASE: [u8; 4] = *b"base";

/// The section that holds the index that ranks them.
pub(crate) const REFINE: [u8; 4] = *b"rank";

/// Queries that one task ranks: few, for each is a search of its own.
const TASK_QUERIES: usize = 4;

/// Candidates per neighbor wanted.
static K_FACTOR: Knob = Knob {
    name: "k_factor",
    alias: "k_factor_rf",
    doc: "Candidates taken from the index within for each neighbor that is wanted.",
    default: 1.0,
    ladder: &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0],
    least: 1.0,
    values: KnobValues::Counts,
};

/// The search parameters of a refined index whose base has these.
pub(crate) fn over(base: Vec<&'static Knob>) -> Vec<&'static Knob> {
    [vec![&K_FACTOR], base].concat()
}

/// An index whose candidates another index ranks anew (Faiss: `IndexRefine`, `IndexRefineFlat`).
///
/// For each neighbor that is wanted, `k_factor` candidates are taken from the base; distances are those of the index
/// that refines. A filter is the base's business; removing and upserting work where the base can do them.
///
/// ```
/// use anear_index::{IndexSpec, SearchRequest, VectorIndex, VectorIndexExt};
/// use anear_kernels::{Metric, Rows};
///
/// let mut index = "Flat,RFlat".parse::<IndexSpec>()?.build(1, Metric::L2)?;
/// index.add(Rows::new(&[1.0, 2.0, 3.0], 1).unwrap())?;
/// let request = SearchRequest::new(1).with("k_factor", 2.0);
/// assert_eq!(index.search(Rows::new(&[2.2], 1).unwrap(), &request)?.row(0)[0].id, 1);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Debug)]
pub struct Refine {
    base: Box<dyn VectorIndex>,
    refine: Box<dyn VectorIndex>,
    /// What [`spec`](VectorIndex::spec) says of the refining index, which may stand under an id map here.
    refine_spec: IndexSpec,
    k_factor: usize,
}

impl Refine {
    /// Over two empty indexes.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when dimension or metric differ, [`Error::IdCount`] when they are not empty.
    pub fn new(base: Box<dyn VectorIndex>, refine: Box<dyn VectorIndex>) -> Result<Self> {
        Self::with_vectors(base, refine)
    }

    /// Over two indexes of the same vectors, which are numbered by position in both.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when dimension or metric differ, [`Error::IdCount`] when one holds more vectors.
    pub fn with_vectors(base: Box<dyn VectorIndex>, refine: Box<dyn VectorIndex>) -> Result<Self> {
        let ids = (0..refine.len() as u64).collect();
        Self::with_ids(base, refine, ids)
    }

    /// Over two indexes of the same vectors, of which the `i`-th of `refine` has the id `ids[i]` in `base`; where `base`
    /// numbers by position, or `refine` keeps ids itself, ids are the same in both and `ids` is of no account.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when dimension or metric differ, [`Error::IdCount`] when one holds more vectors or there is not
    /// one id for each, [`Error::RepeatedId`], [`Error::IdTooLarge`].
    pub fn with_ids(base: Box<dyn VectorIndex>, refine: Box<dyn VectorIndex>, ids: Vec<u64>) -> Result<Self> {
        if (base.dim(), base.metric()) != (refine.dim(), refine.metric()) {
            return Err(mismatch(&*base, &*refine));
        }
        if base.len() != refine.len() {
            return Err(Error::IdCount {
                vectors: base.len(),
                ids: refine.len(),
            });
        }
        let refine_spec = refine.spec();
        // Where the base keeps its ids, positions would drift away from them with the first removal.
        let refine = match base.keeps_ids() && !refine.keeps_ids() {
            true => Box::new(IdMap::with_ids(IdMapKind::IdMap2, refine, ids)?),
            false => refine,
        };
        Ok(Self {
            base,
            refine,
            refine_spec,
            k_factor: 1,
        })
    }

    /// The index that finds candidates.
    pub fn base(&self) -> &dyn VectorIndex {
        &*self.base
    }

    /// The index that ranks them; under an [`IdMap`] where the base keeps its ids.
    pub fn refining(&self) -> &dyn VectorIndex {
        &*self.refine
    }

    /// The index that ranks them, if its positions are the ids of the base.
    pub fn by_position(&self) -> Option<&dyn VectorIndex> {
        match (&*self.refine as &dyn Any).downcast_ref::<IdMap>() {
            Some(map) if map.spec() != self.refine_spec => {
                let counted = (0..).zip(map.ids()).all(|(position, id)| position == *id);
                counted.then_some(map.inner())
            }
            _ => Some(&*self.refine),
        }
    }

    /// Candidates per neighbor for requests that do not say.
    pub fn k_factor(&self) -> usize {
        self.k_factor
    }

    /// Sets [`k_factor`](Self::k_factor).
    ///
    /// # Panics
    /// When it is 0.
    pub fn set_k_factor(&mut self, k_factor: usize) {
        assert!(k_factor > 0, "at least one candidate per neighbor");
        self.k_factor = k_factor;
    }

    /// What [`VectorIndex::save`] wrote.
    pub(crate) fn load(refine_spec: &IndexSpec, from: &Container<'_>) -> Result<Self> {
        let [base, refine] = [BASE, REFINE].map(|tag| persist::from_section(from, tag));
        let (base, refine) = (base?, refine?);
        if (base.dim(), base.metric(), base.len()) != (refine.dim(), refine.metric(), refine.len()) {
            return Err(Error::Damaged("base and refining index hold different vectors".into()));
        }
        Ok(Self {
            base,
            refine,
            refine_spec: refine_spec.clone(),
            k_factor: 1,
        })
    }

    /// Ranks the candidates of the queries `range`.
    fn rank(
        &self,
        queries: Rows<'_>,
        candidates: &Neighbors,
        rank: impl Fn(Rows<'_>, IdSelector<'_>) -> Result<Neighbors> + Send + Sync,
        pool: Option<&Pool>,
    ) -> Result<Neighbors> {
        let tasks: Vec<_> = parts(queries.len(), TASK_QUERIES).collect();
        let ranked = on_pool(pool, tasks.len(), |task| {
            let one = |i: usize| {
                let mut ids: Vec<u64> = candidates.row(i).iter().map(|neighbor| neighbor.id).collect();
                ids.sort_unstable();
                let found = rank(queries.slice(i..i + 1), IdSelector::Sorted(&ids))?;
                Ok(found.row(0).to_vec())
            };
            tasks[task].clone().map(one).collect::<Result<Vec<Vec<Neighbor>>>>()
        });
        ranked.into_iter().try_fold(Neighbors::default(), |mut all, rows| {
            rows?.into_iter().for_each(|row| all.push_row(&row));
            Ok(all)
        })
    }

    fn add_both(
        &mut self,
        vectors: Rows<'_>,
        pool: Option<&Pool>,
        add: impl FnOnce(&mut dyn VectorIndex) -> Result<Vec<u64>>,
    ) -> Result<()> {
        check_dim(self.dim(), vectors)?;
        check_finite("vector", vectors)?;
        let ids = add(&mut *self.base)?;
        let added = match self.refine.as_add_with_ids() {
            Some(refine) => refine.add_with_ids_on(vectors, &ids, pool),
            None => {
                let missing = unsupported(self.refine.kind(), "adding");
                let refine = self.refine.as_add().ok_or(missing)?;
                refine.add_on(vectors, pool).map(drop)
            }
        };
        if added.is_err() {
            // Only memory can be missing by now: both are as before.
            let mut sorted = ids;
            sorted.sort_unstable();
            self.base.remove_on(&IdSelector::Sorted(&sorted), pool)?;
        }
        added
    }
}

impl VectorIndex for Refine {
    fn kind(&self) -> &'static str {
        "refine"
    }

    fn spec(&self) -> IndexSpec {
        IndexSpec::Refine(Box::new(self.base.spec()), Box::new(self.refine_spec.clone()))
    }

    fn dim(&self) -> usize {
        self.base.dim()
    }

    fn metric(&self) -> Metric {
        self.base.metric()
    }

    fn len(&self) -> usize {
        self.base.len()
    }

    fn memory(&self) -> Memory {
        self.base.memory() + self.refine.memory()
    }

    fn keeps_ids(&self) -> bool {
        self.base.keeps_ids()
    }

    fn knobs(&self) -> Vec<&'static Knob> {
        over(self.base.knobs())
    }

    fn knob(&self, name: &str) -> Option<f64> {
        match K_FACTOR.is_called(name) {
            true => Some(self.k_factor as f64),
            false => self.base.knob(name),
        }
    }

    fn set_knob(&mut self, name: &str, value: f64) -> Result<()> {
        if !K_FACTOR.is_called(name) {
            return self.base.set_knob(name, value);
        }
        self.k_factor = as_count(&K_FACTOR, value)?;
        Ok(())
    }

    fn explain_search(&self, knobs: &Knobs) -> Option<String> {
        self.base.explain_search(knobs)
    }

    fn search_top(
        &self,
        queries: Rows<'_>,
        request: &SearchRequest<'_>,
        first_id: u64,
        tops: &mut [TopK],
    ) -> Result<()> {
        self.search(queries, request)?.push_into(tops, first_id);
        Ok(())
    }

    fn search(&self, queries: Rows<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        let k_factor = request.knobs.count(&K_FACTOR, self.k_factor)?;
        let base = SearchRequest {
            k: request.k.saturating_mul(k_factor),
            knobs: request.knobs.without(&[&K_FACTOR]),
            ..request.clone()
        };
        let candidates = self.base.search(queries, &base)?;
        let rank = |query: Rows<'_>, among: IdSelector<'_>| {
            self.refine
                .search(query, &SearchRequest::new(request.k).selecting(among))
        };
        self.rank(queries, &candidates, rank, request.pool)
    }

    fn merge_offset(&self) -> u64 {
        self.base.merge_offset()
    }

    fn check_merge(&self, other: &dyn VectorIndex, add_id: u64) -> Result<()> {
        let refused = mismatch(self, other);
        let other = (other as &dyn Any).downcast_ref::<Self>().ok_or(refused)?;
        self.base.check_merge(&*other.base, add_id)?;
        self.refine.check_merge(&*other.refine, add_id)
    }

    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
        out.section(BASE, persist::to_bytes(&*self.base))
            .section(REFINE, persist::to_bytes(&*self.refine))
    }

    fn boxed_clone(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            base: self.base.boxed_clone(),
            refine: self.refine.boxed_clone(),
            refine_spec: self.refine_spec.clone(),
            k_factor: self.k_factor,
        })
    }

    fn emptied(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            base: self.base.emptied(),
            refine: self.refine.emptied(),
            refine_spec: self.refine_spec.clone(),
            k_factor: self.k_factor,
        })
    }

    fn renumber(&mut self) -> Result<()> {
        self.base.renumber()?;
        self.refine.renumber()
    }

    fn become_cosine(&mut self) -> Result<()> {
        self.base.become_cosine()?;
        self.refine.become_cosine()
    }

    fn as_add(&mut self) -> Option<&mut dyn Add> {
        self.base.as_add().is_some().then_some(self)
    }

    fn as_add_with_ids(&mut self) -> Option<&mut dyn AddWithIds> {
        self.base.as_add_with_ids().is_some().then_some(self)
    }

    fn as_remove(&mut self) -> Option<&mut dyn Remove> {
        (self.base.as_remove().is_some() && self.refine.as_remove().is_some()).then_some(self)
    }

    fn as_range_search(&self) -> Option<&dyn RangeSearch> {
        (self.base.as_range_search().is_some() && self.refine.as_range_search().is_some()).then_some(self)
    }

    fn as_reconstruct(&self) -> Option<&dyn Reconstruct> {
        self.refine.as_reconstruct()
    }

    fn as_merge(&mut self) -> Option<&mut dyn Merge> {
        (self.base.as_merge().is_some() && self.refine.as_merge().is_some()).then_some(self)
    }
}

impl Add for Refine {
    fn add_on(&mut self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Range<u64>> {
        let mut added = 0..0;
        self.add_both(vectors, pool, |base| {
            let missing = unsupported(base.kind(), "adding without ids");
            added = base.as_add().ok_or(missing)?.add_on(vectors, pool)?;
            Ok(added.clone().collect())
        })?;
        Ok(added)
    }
}

impl AddWithIds for Refine {
    fn add_with_ids_on(&mut self, vectors: Rows<'_>, ids: &[u64], pool: Option<&Pool>) -> Result<()> {
        self.add_both(vectors, pool, |base| {
            let missing = unsupported(base.kind(), "adding with ids");
            let base = base.as_add_with_ids().ok_or(missing)?;
            base.add_with_ids_on(vectors, ids, pool)?;
            Ok(ids.to_vec())
        })
    }
}

impl Remove for Refine {
    fn remove_ids(&mut self, ids: &IdSelector<'_>, pool: Option<&Pool>) -> Result<usize> {
        if self.refine.memory().mapped == 0 {
            let removed = self.base.remove_on(ids, pool)?;
            self.refine.remove_on(ids, pool)?;
            return Ok(removed);
        }
        // Either may find no memory for a copy of what it has in a file; a clone shares the file.
        let before = self.refine.boxed_clone();
        self.refine.remove_on(ids, pool)?;
        self.base.remove_on(ids, pool).inspect_err(|_| self.refine = before)
    }
}

impl RangeSearch for Refine {
    /// What the base finds within the radius and the refining index finds there, too.
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        let base = RangeRequest {
            knobs: request.knobs.without(&[&K_FACTOR]),
            ..request.clone()
        };
        let candidates = self.base.range_search(queries, &base)?;
        let rank = |query: Rows<'_>, among: IdSelector<'_>| {
            let within = RangeRequest {
                selector: among,
                knobs: Knobs::default(),
                pool: None,
                radius: request.radius,
            };
            self.refine.range_search(query, &within)
        };
        self.rank(queries, &candidates, rank, request.pool)
    }
}

impl Merge for Refine {
    fn merge_from(&mut self, other: &mut dyn VectorIndex, add_id: u64, pool: Option<&Pool>) -> Result<()> {
        self.check_merge(other, add_id)?;
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        let missing = || unsupported("refine", "merging");
        let base = self.base.as_merge().ok_or_else(missing)?;
        let refine = self.refine.as_merge().ok_or_else(missing)?;
        base.merge_from(&mut *other.base, add_id, pool)?;
        refine.merge_from(&mut *other.refine, add_id, pool)
    }
}
