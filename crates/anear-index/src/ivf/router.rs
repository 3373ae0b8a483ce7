//! Which lists a vector belongs to: the coarse quantizer and the centroids behind it.

use std::any::Any;
use std::sync::Arc;

use anear_cluster::assign;
use anear_kernels::{Metric, Neighbor, Rows};
use anear_pool::Pool;

use super::knobs;
use crate::{Flat, Knob, Knobs, Neighbors, Result, SearchRequest, VectorIndex, VectorIndexExt as _};

/// The coarse quantizer, and the centroids as it gives them back. Copies share both.
#[derive(Clone, Debug)]
pub(super) struct Router {
    coarse: Arc<dyn VectorIndex>,
    centroids: Arc<[f32]>,
    /// The search parameters of the coarse quantizer, under the names that the inverted file has for them.
    knobs: Arc<[&'static Knob]>,
}

impl Router {
    /// Over an index of centroids that are numbered from 0.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) or [`Error::UnknownId`](crate::Error::UnknownId) when it does
    /// not give them back by these numbers.
    pub(super) fn new(coarse: Box<dyn VectorIndex>) -> Result<Self> {
        let mut centroids = Vec::new();
        coarse.reconstruct_n(0..coarse.len() as u64, &mut centroids)?;
        Ok(Self {
            knobs: coarse.knobs().into_iter().map(knobs::outer).collect(),
            coarse: coarse.into(),
            centroids: centroids.into(),
        })
    }

    pub(super) fn knobs(&self) -> &[&'static Knob] {
        &self.knobs
    }

    pub(super) fn coarse(&self) -> &dyn VectorIndex {
        &*self.coarse
    }

    /// The coarse quantizer, shared with no other router any more.
    pub(super) fn coarse_mut(&mut self) -> &mut dyn VectorIndex {
        if Arc::get_mut(&mut self.coarse).is_none() {
            self.coarse = self.coarse.boxed_clone().into();
        }
        Arc::get_mut(&mut self.coarse).expect("a copy of its own")
    }

    pub(super) fn has_centroids_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.centroids, &other.centroids) || self.centroids == other.centroids
    }

    pub(super) fn nlist(&self) -> usize {
        self.coarse.len()
    }

    pub(super) fn dim(&self) -> usize {
        self.coarse.dim()
    }

    pub(super) fn centroids(&self) -> Rows<'_> {
        Rows::new(&self.centroids, self.dim()).expect("whole centroids")
    }

    pub(super) fn centroid(&self, list: usize) -> &[f32] {
        let dim = self.dim();
        &self.centroids[list * dim..(list + 1) * dim]
    }

    /// The `count` lists nearest to each query, by a search with these parameters.
    pub(super) fn nearest(
        &self,
        queries: Rows<'_>,
        count: usize,
        knobs: &Knobs,
        pool: Option<&Pool>,
    ) -> Result<Neighbors> {
        let request = SearchRequest {
            knobs: knobs.clone(),
            pool,
            ..SearchRequest::new(count.max(1))
        };
        self.coarse.search(queries, &request)
    }

    /// The list of each vector.
    pub(super) fn assign(&self, vectors: Rows<'_>, pool: Option<&Pool>) -> Result<Vec<u32>> {
        if let Some(centroids) = self.flat_centroids() {
            return Ok(assign(vectors, centroids, self.coarse.metric(), pool)?.ids);
        }
        let nearest = self.nearest(vectors, 1, &Knobs::default(), pool)?;
        // A vector so far away that every distance overflows belongs nowhere; the first list is as good as any.
        let list = |row: &[Neighbor]| row.first().map_or(0, |nearest| nearest.id as u32);
        Ok(nearest.iter().map(list).collect())
    }

    /// The centroids, where finding the nearest means comparing all of them.
    fn flat_centroids(&self) -> Option<Rows<'_>> {
        let fused = matches!(self.coarse.metric(), Metric::L2 | Metric::InnerProduct);
        let flat = (&*self.coarse as &dyn Any).downcast_ref::<Flat>()?;
        flat.rows().filter(|_| fused)
    }

    /// What remains of vectors when the centroids of their lists are taken away.
    pub(super) fn residuals(&self, vectors: Rows<'_>, lists: &[u32]) -> Vec<f32> {
        let mut residuals = Vec::with_capacity(vectors.as_slice().len());
        for (vector, &list) in vectors.iter().zip(lists) {
            let centroid = self.centroid(list as usize);
            residuals.extend(vector.iter().zip(centroid).map(|(x, c)| x - c));
        }
        residuals
    }
}
