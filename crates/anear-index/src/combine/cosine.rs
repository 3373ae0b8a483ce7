//! Cosine for indexes that do not know it: unit vectors by inner product.

use std::any::Any;
use std::ops::Range;

use anear_bytes::{Container, ContainerWriter};
use anear_kernels::{IdSelector, Metric, Neighbor, Rows, RowsMut, TopK, normalize};
use anear_pool::Pool;
use anear_quant::Training;

use crate::error::{check_dim, check_finite};
use crate::index::unsupported;
use crate::{
    Add, AddWithIds, Error, IndexSpec, Knob, Knobs, Memory, Merge, Neighbors, RangeRequest, RangeSearch, Reconstruct,
    Remove, Result, SearchRequest, VectorIndex, VectorIndexExt as _, flat, persist,
};

/// The section that holds the index within.
pub(crate) const INNER: [u8; 4] = *b"unit";

/// An index of unit vectors by inner product that speaks of cosine distances: `1 - cos`; hashing to bits counts those that
/// differ, as by every metric.
///
/// What it is given is normalized; a zero vector stays zero, at distance 1 from everything. Rounding, and codes that are
/// longer than the vectors they stand for, can put a distance below 0: it is kept, because it says who is nearer.
///
/// ```
/// use anear_index::{IndexSpec, SearchRequest, Training, VectorIndex, VectorIndexExt};
/// use anear_kernels::{Metric, Rows};
///
/// let rows = Rows::new(&[1.0, 0.0, 0.0, 2.0, 3.0, 3.0], 2).unwrap();
/// let mut index = "IVF2,Flat".parse::<IndexSpec>()?.train(Metric::Cosine, rows, &Training::default())?;
/// index.add(rows)?;
/// let found = index.search(Rows::new(&[5.0, 5.0], 2).unwrap(), &SearchRequest::new(1))?;
/// assert_eq!(found.row(0)[0].id, 2);
/// assert!(found.row(0)[0].distance < 1e-6);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Debug)]
pub struct Cosine {
    inner: Box<dyn VectorIndex>,
    /// What is added to the inner index's distances: 1 to negative inner products, nothing to counts of bits.
    offset: f32,
}

impl Cosine {
    /// Over an index by inner product whose vectors are unit vectors, if it has any.
    ///
    /// # Errors
    /// [`Error::Metric`] when it compares by another metric.
    pub fn new(inner: Box<dyn VectorIndex>) -> Result<Self> {
        if inner.metric() == Metric::InnerProduct {
            let counts_bits = inner.spec().bits_compared(inner.dim()).is_some();
            let offset = if counts_bits { 0.0 } else { 1.0 };
            return Ok(Self { inner, offset });
        }
        Err(Error::Metric {
            what: "an index over unit vectors".into(),
            metric: inner.metric(),
            supported: Metric::InnerProduct.name().into(),
        })
    }

    /// The cosine index that was written as `index`, by inner product, since Faiss's files have no other: its answers are
    /// the same to the bit.
    ///
    /// # Errors
    /// [`Error::Metric`] when it compares by another metric, [`Error::NotNormalized`] when a vector is neither of length 1,
    /// to rounding, nor zero.
    pub fn restored(mut index: Box<dyn VectorIndex>) -> Result<Box<dyn VectorIndex>> {
        if index.metric() != Metric::InnerProduct || !index.spec().knows_cosine() {
            return Ok(Box::new(Self::new(index)?));
        }
        index.become_cosine()?;
        Ok(index)
    }

    /// The index within, by inner product.
    pub fn inner(&self) -> &dyn VectorIndex {
        &*self.inner
    }

    /// The inner index's distances as cosine distances.
    fn renamed(&self, mut found: Neighbors) -> Neighbors {
        for neighbor in found.all_mut() {
            neighbor.distance += self.offset;
        }
        found
    }

    pub(crate) fn train(spec: &IndexSpec, sample: Rows<'_>, training: &Training<'_>) -> Result<Self> {
        check_finite("vector", sample)?;
        let unit = unit(sample);
        let inner = spec.train(Metric::InnerProduct, rows(&unit, sample.dim()), training)?;
        Self::new(inner)
    }

    /// What [`VectorIndex::save`] wrote.
    pub(crate) fn load(from: &Container<'_>) -> Result<Self> {
        Self::new(persist::from_section(from, INNER)?)
    }
}

fn unit(vectors: Rows<'_>) -> Vec<f32> {
    let mut unit = vectors.as_slice().to_vec();
    if let Some(mut rows) = RowsMut::new(&mut unit, vectors.dim()) {
        normalize(&mut rows);
    }
    unit
}

fn rows(vectors: &[f32], dim: usize) -> Rows<'_> {
    Rows::new(vectors, dim).expect("normalizing changes no length")
}

impl VectorIndex for Cosine {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn spec(&self) -> IndexSpec {
        self.inner.spec()
    }

    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn metric(&self) -> Metric {
        Metric::Cosine
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
        let found = self.inner.search(rows(&unit(queries), queries.dim()), request)?;
        self.renamed(found).push_into(tops, first_id);
        Ok(())
    }

    fn merge_offset(&self) -> u64 {
        self.inner.merge_offset()
    }

    fn check_merge(&self, other: &dyn VectorIndex, add_id: u64) -> Result<()> {
        let refused = flat::mismatch(self, other);
        let other = (other as &dyn Any).downcast_ref::<Self>().ok_or(refused)?;
        self.inner.check_merge(&*other.inner, add_id)
    }

    fn save<'a>(&'a self, out: ContainerWriter<'a>) -> ContainerWriter<'a> {
        out.section(INNER, persist::to_bytes(&*self.inner))
    }

    fn boxed_clone(&self) -> Box<dyn VectorIndex> {
        let inner = self.inner.boxed_clone();
        Box::new(Self { inner, ..*self })
    }

    fn emptied(&self) -> Box<dyn VectorIndex> {
        let inner = self.inner.emptied();
        Box::new(Self { inner, ..*self })
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
        self.inner.as_reconstruct()
    }

    fn as_merge(&mut self) -> Option<&mut dyn Merge> {
        self.inner.as_merge().is_some().then_some(self)
    }
}

impl Add for Cosine {
    fn add_on(&mut self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Range<u64>> {
        check_dim(self.dim(), vectors)?;
        check_finite("vector", vectors)?;
        let missing = unsupported(self.kind(), "adding without ids");
        let unit = unit(vectors);
        self.inner
            .as_add()
            .ok_or(missing)?
            .add_on(rows(&unit, vectors.dim()), pool)
    }
}

impl AddWithIds for Cosine {
    fn add_with_ids_on(&mut self, vectors: Rows<'_>, ids: &[u64], pool: Option<&Pool>) -> Result<()> {
        check_dim(self.dim(), vectors)?;
        check_finite("vector", vectors)?;
        let missing = unsupported(self.kind(), "adding with ids");
        let (unit, dim) = (unit(vectors), vectors.dim());
        let inner = self.inner.as_add_with_ids().ok_or(missing)?;
        inner.add_with_ids_on(rows(&unit, dim), ids, pool)
    }
}

impl Remove for Cosine {
    fn remove_ids(&mut self, ids: &IdSelector<'_>, pool: Option<&Pool>) -> Result<usize> {
        self.inner.remove_on(ids, pool)
    }
}

impl RangeSearch for Cosine {
    fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        request.check(self.dim(), &self.knobs(), queries)?;
        // What rounding puts at a distance of 0 is found by any positive radius.
        let radius = request.radius;
        let inner = RangeRequest {
            radius: radius - self.offset,
            ..request.clone()
        };
        let found = self.inner.range_search(rows(&unit(queries), queries.dim()), &inner)?;
        Ok(self
            .renamed(found)
            .filtered(|Neighbor { distance, .. }| *distance < radius))
    }
}

impl Merge for Cosine {
    fn merge_from(&mut self, other: &mut dyn VectorIndex, add_id: u64, pool: Option<&Pool>) -> Result<()> {
        self.check_merge(other, add_id)?;
        let refused = flat::mismatch(self, other);
        let other = (other as &mut dyn Any).downcast_mut::<Self>().ok_or(refused)?;
        let missing = unsupported(self.kind(), "merging");
        let inner = self.inner.as_merge().ok_or(missing)?;
        inner.merge_from(&mut *other.inner, add_id, pool)
    }
}
