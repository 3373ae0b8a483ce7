//! Transforms in front of an index (Faiss: `IndexPreTransform`).

use std::any::Any;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use anear_bytes::{Container, ContainerWriter, Cursor};
use anear_kernels::{IdSelector, Metric, Rows, TopK};
use anear_pool::Pool;
use anear_quant::Training;
use anear_quant::transform::{Transform, TransformSpec};

use crate::error::{check_dim, check_finite, check_index_dim};
use crate::flat::mismatch;
use crate::index::unsupported;
use crate::tiles::{on_pool, parts};
use crate::{
    Add, AddWithIds, Error, IndexSpec, Knob, Knobs, Memory, Merge, Neighbors, RangeRequest, RangeSearch, Reconstruct,
    Remove, Result, SearchRequest, VectorIndex, VectorIndexExt as _, persist,
};

/// The section that holds what the transforms learned.
pub(crate) const CHAIN: [u8; 4] = *b"chai";

/// The section that holds the index behind them.
pub(crate) const INNER: [u8; 4] = *b"bhnd";

/// Vectors transformed by one task.
const TASK_VECTORS: usize = 256;

/// An index whose vectors and queries go through transforms first (Faiss: `IndexPreTransform`).
///
/// Distances are those of the transformed vectors; vectors come back through the transforms the other way.
///
/// ```
/// use anear_index::{IndexSpec, SearchRequest, Training, VectorIndex, VectorIndexExt};
/// use anear_kernels::{Metric, Rows};
///
/// let rows = Rows::new(&[3.0, 4.0, 1.0, 0.0, 0.0, 2.0], 2).unwrap();
/// let mut index = "RR,Flat".parse::<IndexSpec>()?.train(Metric::L2, rows, &Training::default())?;
/// index.add(rows)?;
/// let found = index.search(rows.slice(1..2), &SearchRequest::new(1))?;
/// assert_eq!(found.row(0)[0].id, 1);
/// assert!((index.reconstruct(0)?[1] - 4.0).abs() < 1e-5);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Debug)]
pub struct PreTransform {
    chain: Vec<Arc<dyn Transform>>,
    inner: Box<dyn VectorIndex>,
}

impl PreTransform {
    /// Puts transforms, the first of them first, in front of an index.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when there is no transform, [`Error::Dimension`] when one does not fit the next.
    pub fn new(chain: Vec<Arc<dyn Transform>>, inner: Box<dyn VectorIndex>) -> Result<Self> {
        if chain.is_empty() {
            return Err(unsupported("pre_transform", "a chain without transforms"));
        }
        let takes = chain
            .iter()
            .skip(1)
            .map(|transform| transform.dim_in())
            .chain([inner.dim()]);
        for (transform, expected) in chain.iter().zip(takes) {
            let got = transform.dim_out();
            if got != expected {
                return Err(Error::Dimension { expected, got });
            }
        }
        Ok(Self { chain, inner })
    }

    /// The transforms, the first of them first.
    pub fn chain(&self) -> &[Arc<dyn Transform>] {
        &self.chain
    }

    /// The index behind them.
    pub fn inner(&self) -> &dyn VectorIndex {
        &*self.inner
    }

    pub(crate) fn train(
        specs: &[TransformSpec],
        inner: &IndexSpec,
        metric: Metric,
        sample: Rows<'_>,
        training: &Training<'_>,
    ) -> Result<Self> {
        check_finite("vector", sample)?;
        let mut chain = Vec::new();
        let (mut vectors, mut dim) = (Cow::Borrowed(sample.as_slice()), sample.dim());
        for spec in specs {
            let rows = Rows::new(&vectors, dim).expect("whole vectors");
            let transform = spec.train(rows, training)?;
            check_index_dim(transform.dim_out())?;
            let transformed = apply(std::slice::from_ref(&transform), rows, training.pool);
            (vectors, dim) = (Cow::Owned(transformed), transform.dim_out());
            chain.push(transform);
        }
        let rows = Rows::new(&vectors, dim).expect("whole vectors");
        Self::new(chain, inner.train(metric, rows, training)?)
    }

    /// What [`VectorIndex::save`] wrote.
    pub(crate) fn load(specs: &[TransformSpec], dim: usize, from: &Container<'_>) -> Result<Self> {
        let inner = persist::from_section(from, INNER)?;
        let mut saved = Cursor::new(from.section(CHAIN)?);
        let (mut chain, mut dim) = (Vec::new(), dim);
        for spec in specs {
            let transform = spec.load(dim, saved.counted_items(1, "transform")?)?;
            dim = transform.dim_out();
            chain.push(transform);
        }
        saved.finish()?;
        Self::new(chain, inner)
    }

    fn transformed(&self, vectors: Rows<'_>, pool: Option<&Pool>) -> Vec<f32> {
        apply(&self.chain, vectors, pool)
    }

    fn rows<'v>(&self, transformed: &'v [f32]) -> Rows<'v> {
        Rows::new(transformed, self.inner.dim()).expect("one vector for each")
    }

    fn same<'o>(&self, other: &'o dyn VectorIndex) -> Result<&'o Self> {
        let description = |index: &Self| -> Vec<_> {
            let chain = index.chain.iter();
            chain.map(|transform| (transform.spec(), transform.save())).collect()
        };
        let same = (other as &dyn Any).downcast_ref::<Self>();
        same.filter(|other| description(self) == description(other))
            .ok_or_else(|| mismatch(self, other))
    }
}

/// The vectors behind all transforms, on the threads of `pool`.
fn apply(chain: &[Arc<dyn Transform>], vectors: Rows<'_>, pool: Option<&Pool>) -> Vec<f32> {
    let tasks: Vec<_> = parts(vectors.len(), TASK_VECTORS).collect();
    let transformed = on_pool(pool, tasks.len(), |task| {
        let part = vectors.slice(tasks[task].clone());
        let (mut current, mut dim) = (Cow::Borrowed(part.as_slice()), part.dim());
        for transform in chain {
            let rows = Rows::new(&current, dim).expect("whole vectors");
            let mut next = Vec::with_capacity(rows.len() * transform.dim_out());
            transform.apply(rows, &mut next);
            (current, dim) = (Cow::Owned(next), transform.dim_out());
        }
        current.into_owned()
    });
    transformed.concat()
}

impl VectorIndex for PreTransform {
    fn kind(&self) -> &'static str {
        "pre_transform"
    }

    fn spec(&self) -> IndexSpec {
        let chain = self.chain.iter().map(|transform| transform.spec());
        IndexSpec::PreTransform(chain.collect(), Box::new(self.inner.spec()))
    }

    fn dim(&self) -> usize {
        self.chain[0].dim_in()
    }

    fn metric(&self) -> Metric {
        self.inner.metric()
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn memory(&self) -> Memory {
        self.inner.memory()
    }

    fn keeps_ids(&self) -> bool {
        self.inner.keeps_ids()
    }

    fn knobs(&self) -> Vec<&'static Knob> {
        self.inner.knobs()
    }

    fn knob(&self, name: &str) -> Option<f64> {
        self.inner.knob(name)
    }

    fn set_knob(&mut self, name: &str, value: f64) -> Result<()> {
        self.inner.set_knob(name, value)
    }

    fn explain_search(&self, knobs: &Knobs) -> Option<String> {
        self.inner.explain_search(knobs)
    }

    fn search_top(
        &self,
        queries: Rows<'_>,
        request: &SearchRequest<'_>,
        first_id: u64,
        tops: &mut [TopK],
    ) -> Result<()> {
        request.check(self.dim(), &self.knobs(), queries)?;
        let transformed = self.transformed(queries, request.pool);
        self.inner.search_top(self.rows(&transformed), request, first_id, tops)
    }

    fn search(&self, queries: Rows<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        let transformed = self.transformed(queries, request.pool);
        self.inner.search(self.rows(&transformed), request)
    }

    fn merge_offset(&self) -> u64 {
        self.inner.merge_offset()
    }

    fn check_merge(&self, other: &dyn VectorIndex, add_id: u64) -> Result<()> {
        self.inner.check_merge(&*self.same(other)?.inner, add_id)
    }

    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
        let mut chain = Vec::new();
        for saved in self.chain.iter().map(|transform| transform.save()) {
            chain.extend((saved.len() as u64).to_le_bytes());
            chain.extend(saved);
        }
        out.section(CHAIN, chain)
            .section(INNER, persist::to_bytes(&*self.inner))
    }

    fn boxed_clone(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            chain: self.chain.clone(),
            inner: self.inner.boxed_clone(),
        })
    }

    fn emptied(&self) -> Box<dyn VectorIndex> {
        Box::new(Self {
            chain: self.chain.clone(),
            inner: self.inner.emptied(),
        })
    }

    fn renumber(&mut self) -> Result<()> {
        self.inner.renumber()
    }

    fn as_add(&mut self) -> Option<&mut dyn Add> {
        self.inner.as_add().is_some().then_some(self)
    }

    fn as_add_with_ids(&mut self) -> Option<&mut dyn AddWithIds> {
        self.inner.as_add_with_ids().is_some().then_some(self)
    }

    fn as_remove(&mut self) -> Option<&mut dyn Remove> {
        self.inner.as_remove().is_some().then_some(self)
    }

    fn as_range_search(&self) -> Option<&dyn RangeSearch> {
        self.inner.as_range_search().is_some().then_some(self)
    }

    fn as_reconstruct(&self) -> Option<&dyn Reconstruct> {
        self.inner.as_reconstruct().is_some().then_some(self)
    }

    fn as_merge(&mut self) -> Option<&mut dyn Merge> {
        self.inner.as_merge().is_some().then_some(self)
    }
}

impl Add for PreTransform {
    fn add_on(&mut self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Range<u64>> {
        check_dim(self.dim(), vectors)?;
        check_finite("vector", vectors)?;
        let transformed = self.transformed(vectors, pool);
        let (rows, missing) = (
            self.rows(&transformed),
            unsupported("pre_transform", "adding without ids"),
        );
        self.inner.as_add().ok_or(missing)?.add_on(rows, pool)
    }
}

impl AddWithIds for PreTransform {
    fn add_with_ids_on(&mut self, vectors: Rows<'_>, ids: &[u64], pool: Option<&Pool>) -> Result<()> {
        check_dim(self.dim(), vectors)?;
        check_finite("vector", vectors)?;
        let transformed = self.transformed(vectors, pool);
        let (rows, missing) = (self.rows(&transformed), unsupported("pre_transform", "adding with ids"));
        self.inner
            .as_add_with_ids()
            .ok_or(missing)?
            .add_with_ids_on(rows, ids, pool)
    }
}

impl Remove for PreTransform {
    fn remove_ids(&mut self, ids: &IdSelector<'_>, pool: Option<&Pool>) -> Result<usize> {
        self.inner.remove_on(ids, pool)
    }
}

impl RangeSearch for PreTransform {
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        let transformed = self.transformed(queries, request.pool);
        self.inner.range_search(self.rows(&transformed), request)
    }
}

impl Reconstruct for PreTransform {
    fn reconstruct(&self, id: u64, out: &mut Vec<f32>) -> Result<()> {
        let mut vector = self.inner.reconstruct(id)?;
        for transform in self.chain.iter().rev() {
            let mut reversed = Vec::with_capacity(transform.dim_in());
            let row = Rows::new(&vector, transform.dim_out()).expect("one whole vector");
            transform.reverse(row, &mut reversed)?;
            vector = reversed;
        }
        out.extend(vector);
        Ok(())
    }
}

impl Merge for PreTransform {
    fn merge_from(&mut self, other: &mut dyn VectorIndex, add_id: u64, pool: Option<&Pool>) -> Result<()> {
        self.check_merge(other, add_id)?;
        let refused = mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        let missing = unsupported("pre_transform", "merging");
        let inner = self.inner.as_merge().ok_or(missing)?;
        inner.merge_from(&mut *other.inner, add_id, pool)
    }
}
