//! What a reader sees: a list of segments, fixed from the first look to the last.
//!
//! A write makes a new snapshot that shares all untouched segments with the old one; the store swaps one pointer.
//! New documents become a segment of their own, and segments of similar size are merged (the logarithmic method of
//! Bentley & Saxe, 1980), so that a store of `n` documents has O(log n) segments and each document is copied
//! O(log n) times in its life.

use std::collections::HashSet;
use std::sync::Arc;

use anear_documents::{Document, DocumentFilter, DocumentId};
use anear_kernels::{Metric, Neighbor, Rows, TopK, faiss_tie_order};
use anear_pool::Pool;

use crate::error::{Error, Result};
use crate::segment::{Part, Segment};

/// An immutable state of the store.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    metric: Metric,
    /// The width of the vectors, known from the first one on; an emptied store keeps it.
    dim: Option<usize>,
    parts: Vec<Part>,
}

/// Where a document is: a part and a slot in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    part: usize,
    slot: u32,
}

impl Snapshot {
    pub(crate) fn empty(metric: Metric) -> Self {
        Self {
            metric,
            dim: None,
            parts: Vec::new(),
        }
    }

    /// A snapshot of one segment.
    pub(crate) fn of(segment: Arc<Segment>) -> Self {
        let index = segment.index();
        let (metric, dim) = (index.metric(), Some(index.dim()));
        let parts = if segment.len() == 0 {
            Vec::new()
        } else {
            vec![Part::new(segment)]
        };
        Self { metric, dim, parts }
    }

    pub(crate) fn dim(&self) -> Option<usize> {
        self.dim
    }

    /// Number of documents.
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(Part::live).sum()
    }

    /// The places of all documents, in insertion order.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let parts = self.parts.iter().enumerate();
        parts.flat_map(|(part, p)| p.live_slots().map(move |slot| Place { part, slot }))
    }

    /// The places of the documents that match, in insertion order.
    pub(crate) fn matching(&self, filter: &DocumentFilter) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        for (part, p) in self.parts.iter().enumerate() {
            let slots = p.select(Some(filter))?;
            let slots = slots.iter().flat_map(|slots| slots.iter());
            places.extend(slots.map(|slot| Place {
                part,
                slot: slot as u32,
            }));
        }
        Ok(places)
    }

    /// The place of the document with this id.
    pub(crate) fn find(&self, id: &str) -> Option<Place> {
        let mut parts = self.parts.iter().enumerate();
        parts.find_map(|(part, p)| p.slot_of(id).map(|slot| Place { part, slot }))
    }

    pub(crate) fn document(&self, place: Place) -> &Arc<Document> {
        self.parts[place.part].document(place.slot)
    }

    pub(crate) fn id(&self, place: Place) -> &DocumentId {
        self.document(place)
            .id
            .as_ref()
            .expect("a document set gives every document an id")
    }

    /// The vector at `place`, as it is stored.
    pub(crate) fn vector(&self, place: Place) -> Result<Vec<f32>> {
        self.parts[place.part].segment.vector(place.slot)
    }

    /// The `k` nearest documents that match, nearest first, with their distances.
    pub(crate) fn search(
        &self,
        query: &[f32],
        k: usize,
        filter: Option<&DocumentFilter>,
        pool: &Pool,
    ) -> Result<Vec<(Place, f32)>> {
        let Some(dim) = self.dim else { return Ok(Vec::new()) };
        let query = Rows::new(query, dim)
            .filter(|rows| rows.len() == 1)
            .ok_or_else(|| Error::dimension(dim, query.len()))?;
        let mut top = [TopK::new(k)];
        let mut first_ids = Vec::with_capacity(self.parts.len());
        let mut first_id = 0;
        for part in &self.parts {
            let selected = part.select(filter)?;
            part.search(query, selected.as_deref(), k, first_id, pool, &mut top)?;
            first_ids.push(first_id);
            first_id += part.len() as u64;
        }
        let [top] = top;
        let mut neighbors = top.into_sorted();
        faiss_tie_order(self.metric, &mut neighbors);
        let place = |Neighbor { id, distance }: Neighbor| {
            let part = first_ids.partition_point(|&first| first <= id) - 1;
            // A slot within its part fits u32.
            (
                Place {
                    part,
                    slot: (id - first_ids[part]) as u32,
                },
                distance,
            )
        };
        Ok(neighbors.into_iter().map(place).collect())
    }

    /// This snapshot with a segment's documents added; documents with the same ids are replaced.
    pub(crate) fn with(&self, segment: Arc<Segment>) -> Result<Self> {
        let dim = segment.index().dim();
        if let Some(expected) = self.dim.filter(|&expected| expected != dim) {
            return Err(Error::dimension(expected, dim));
        }
        let ids = segment.documents().iter().filter_map(|document| document.id.as_deref());
        let replaced: Vec<Place> = ids.filter_map(|id| self.find(id)).collect();
        let mut next = self.marked(&replaced);
        next.dim = Some(dim);
        next.parts.push(Part::new(segment));
        next.compacted()
    }

    /// This snapshot without the documents at `places`.
    pub(crate) fn without(&self, places: &[Place]) -> Result<Self> {
        self.marked(places).compacted()
    }

    /// All documents of this snapshot in one segment, or `None` if there are none.
    pub(crate) fn to_segment(&self) -> Result<Option<Arc<Segment>>> {
        match &self.parts[..] {
            [] => Ok(None),
            [whole] if whole.live() == whole.len() => Ok(Some(whole.segment.clone())),
            parts => Ok(Some(Part::compacted(parts)?.segment)),
        }
    }

    /// The documents at `places` marked as deleted, the segments untouched.
    fn marked(&self, places: &[Place]) -> Self {
        let mut slots = vec![Vec::new(); self.parts.len()];
        for place in places.iter().collect::<HashSet<_>>() {
            slots[place.part].push(place.slot);
        }
        let parts = self.parts.iter().zip(&slots);
        let parts = parts.map(|(part, slots)| {
            if slots.is_empty() {
                part.clone()
            } else {
                part.without(slots)
            }
        });
        Self {
            parts: parts.collect(),
            ..*self
        }
    }

    /// The same documents in fewer, fuller segments, where that pays.
    fn compacted(mut self) -> Result<Self> {
        self.parts.retain(|part| part.live() > 0);
        // A part that is mostly dead is rewritten: half of its slots died for it, so each deletion pays for one copy.
        for part in &mut self.parts {
            if 2 * part.live() < part.len() {
                *part = Part::compacted(std::slice::from_ref(part))?;
            }
        }
        // From the newest on, a part swallows its successors until it is more than twice as large as all of them.
        let mut first = self.parts.len().saturating_sub(1);
        let mut tail = self.parts.last().map_or(0, Part::live);
        while first > 0 && self.parts[first - 1].live() <= 2 * tail {
            first -= 1;
            tail += self.parts[first].live();
        }
        if self.parts.len() - first > 1 {
            let merged = Part::compacted(&self.parts[first..])?;
            self.parts.truncate(first);
            self.parts.push(merged);
        }
        Ok(self)
    }
}
