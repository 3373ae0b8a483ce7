//! What a reader sees: a list of segments, fixed from the first look to the last.
//!
//! A write makes a new snapshot that shares all untouched segments with the old one; the store swaps one pointer.
//! New documents become a segment of their own, and segments of similar size are merged (the logarithmic method of
//! Bentley & Saxe, 1980), so that a store of `n` documents has O(log n) segments and each document is copied
//! O(log n) times in its life.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use anear_documents::{Document, DocumentFilter, DocumentId};
use anear_index::{IndexSpec, Knob, Knobs, SearchRequest, VectorIndex};
use anear_kernels::{Bitmap, Metric, Neighbor, Rows, TopK, faiss_tie_order};
use anear_pool::Pool;

use crate::error::{Error, Result};
use crate::segment::{Part, Segment};

/// An immutable state of the store.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    metric: Metric,
    /// The width of the vectors, known from the first one on; an emptied store keeps it.
    dim: Option<usize>,
    /// The index of every segment, trained and without vectors; known from the first vectors on.
    template: Option<Arc<dyn VectorIndex>>,
    /// The search parameters that the index has or, as long as there is none, will have.
    known_knobs: Vec<&'static Knob>,
    /// Search parameters that were set since the index was made.
    knobs: Knobs,
    parts: Vec<Part>,
}

/// Where a document is: a part and a slot in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    part: usize,
    slot: u32,
}

/// The slots of each part among which a search looks; `None`: every slot.
pub(crate) type Selection<'a> = Vec<Option<Cow<'a, Bitmap>>>;

impl Snapshot {
    /// Without documents and, as yet, without an index; it will be one of this kind.
    pub(crate) fn empty(metric: Metric, dim: Option<usize>, kind: &IndexSpec) -> Self {
        Self {
            metric,
            dim,
            template: None,
            known_knobs: kind.knobs(),
            knobs: Knobs::default(),
            parts: Vec::new(),
        }
    }

    /// Without documents, for vectors that `template` will index; it has none.
    pub(crate) fn like(template: Arc<dyn VectorIndex>) -> Self {
        Self {
            metric: template.metric(),
            dim: Some(template.dim()),
            known_knobs: template.knobs(),
            template: Some(template),
            knobs: Knobs::default(),
            parts: Vec::new(),
        }
    }

    /// A snapshot of one segment.
    pub(crate) fn of(segment: Arc<Segment>) -> Self {
        let empty = Self::like(segment.index().emptied().into());
        let parts = if segment.len() == 0 {
            Vec::new()
        } else {
            vec![Part::new(segment)]
        };
        Self { parts, ..empty }
    }

    /// The index of every segment, trained and without vectors; `None` before there was a vector.
    pub(crate) fn template(&self) -> Option<&Arc<dyn VectorIndex>> {
        self.template.as_ref()
    }

    /// Search parameters that were set since the index was made.
    pub(crate) fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    /// The value of a search parameter for searches that do not name it; `to_come`: those that a new index gets.
    pub(crate) fn knob(&self, name: &str, to_come: &Knobs) -> Option<f64> {
        let known = self.known_knobs.iter();
        let knob = known.copied().find(|knob| [knob.name, knob.alias].contains(&name));
        let set = knob.and_then(|knob| self.knobs.get(knob));
        set.or_else(|| match &self.template {
            Some(template) => template.knob(name),
            None => knob.map(|knob| to_come.get(knob).unwrap_or(knob.default)),
        })
    }

    /// What the index of the largest segment says of how it is searched.
    pub(crate) fn explain(&self) -> Option<String> {
        let largest = self.segments().max_by_key(|segment| segment.len())?;
        largest.index().explain_search(&self.knobs)
    }

    /// The same, which has no documents yet, for vectors that `template` will index.
    pub(crate) fn trained_as(&self, template: Arc<dyn VectorIndex>) -> Self {
        Self::like(template).searched_with(self.knobs.clone())
    }

    /// The same, with these search parameters for searches that do not name them.
    pub(crate) fn searched_with(self, knobs: Knobs) -> Self {
        Self { knobs, ..self }
    }

    /// The same documents, searched with another value of a parameter where searches do not name it.
    ///
    /// # Errors
    /// Those of [`VectorIndex::set_knob`], whether there is an index yet or not.
    pub(crate) fn with_knob(&self, name: &str, value: f64) -> Result<Self> {
        let name = Knob::checked(name, value, &self.known_knobs)?.name;
        let mut next = self.clone();
        if let Some(template) = &self.template {
            let mut changed = template.boxed_clone();
            changed.set_knob(name, value)?;
            next.template = Some(changed.into());
        }
        next.knobs.set(name, value);
        Ok(next)
    }

    /// The parameters of a search that names `own`.
    fn search_knobs(&self, own: &Knobs) -> Result<Knobs> {
        for (name, value) in own.iter() {
            Knob::checked(name, value, &self.known_knobs)?;
        }
        let mut knobs = Knobs::default();
        for knob in &self.known_knobs {
            if let Some(value) = own.get(knob).or_else(|| self.knobs.get(knob)) {
                knobs.set(knob.name, value);
            }
        }
        Ok(knobs)
    }

    pub(crate) fn dim(&self) -> Option<usize> {
        self.dim
    }

    /// The segments, with the documents that were deleted since.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.parts.iter().map(|part| &*part.segment)
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
        for (part, slots) in self.select(Some(filter))?.into_iter().enumerate() {
            let slots = slots.iter().flat_map(|slots| slots.iter());
            places.extend(slots.map(|slot| Place {
                part,
                slot: slot as u32,
            }));
        }
        Ok(places)
    }

    /// The slots of each part whose documents match; all live ones without a filter.
    pub(crate) fn select(&self, filter: Option<&DocumentFilter>) -> Result<Selection<'_>> {
        let select = || self.parts.iter().map(|part| part.select(filter)).collect();
        match filter {
            None => select(),
            // A filter may build columns, which a forked child must not inherit half-built.
            Some(_) => Pool::here(select),
        }
    }

    /// The slots of each part that are at these positions, given in any order.
    pub(crate) fn at(&self, positions: &[usize]) -> Result<Vec<Bitmap>> {
        let mut selected: Vec<Bitmap> = self.parts.iter().map(|part| Bitmap::with_len(part.len())).collect();
        for &position in positions {
            let Place { part, slot } = self.place(position)?;
            selected[part].insert(slot as usize);
        }
        Ok(selected)
    }

    /// Where the document at this position of the insertion order is.
    pub(crate) fn place(&self, position: usize) -> Result<Place> {
        let mut rank = position;
        for (part, p) in self.parts.iter().enumerate() {
            if rank < p.live() {
                let slot = p.nth(rank);
                return Ok(Place { part, slot });
            }
            rank -= p.live();
        }
        let len = self.len();
        Err(Error::UnknownPosition { position, len })
    }

    /// The position of a place in the insertion order.
    pub(crate) fn position(&self, place: Place) -> usize {
        let before = self.parts[..place.part].iter().map(Part::live).sum::<usize>();
        before + self.parts[place.part].rank(place.slot)
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

    /// Appends the vector at `place` to `out`, as it is stored.
    pub(crate) fn vector(&self, place: Place, out: &mut Vec<f32>) -> Result<()> {
        self.parts[place.part].segment.vectors(place.slot..place.slot + 1, out)
    }

    /// The vectors at these positions, row after row, as they are stored.
    pub(crate) fn vectors(&self, positions: Range<usize>) -> Result<Vec<f32>> {
        let len = self.len();
        let missing = positions.start.max(len);
        if missing < positions.end {
            let position = missing;
            return Err(Error::UnknownPosition { position, len });
        }
        let mut vectors = Vec::with_capacity(positions.len() * self.dim.unwrap_or_default());
        let mut first = 0;
        for part in &self.parts {
            let end = first + part.live();
            let (from, to) = (positions.start.clamp(first, end), positions.end.clamp(first, end));
            if from < to {
                part.vectors(from - first..to - first, &mut vectors)?;
            }
            first = end;
        }
        Ok(vectors)
    }

    /// The `ks[i]` selected documents nearest to the `i`-th query, nearest first, with their distances.
    pub(crate) fn nearest(
        &self,
        queries: Rows<'_>,
        ks: &[usize],
        selection: &Selection<'_>,
        knobs: &Knobs,
        pool: &Pool,
    ) -> Result<Vec<Vec<(Place, f32)>>> {
        self.check_queries(queries)?;
        let Some(&k) = ks.iter().max() else {
            return Ok(Vec::new());
        };
        let request = SearchRequest {
            knobs: self.search_knobs(knobs)?,
            ..SearchRequest::new(k).on(pool)
        };
        let mut tops: Vec<TopK> = ks.iter().map(|&k| TopK::new(k)).collect();
        let mut first_ids = Vec::with_capacity(self.parts.len());
        let mut first_id = 0;
        for (part, selected) in self.parts.iter().zip(selection) {
            part.search(queries, selected.as_deref(), &request, first_id, &mut tops)?;
            first_ids.push(first_id);
            first_id += part.len() as u64;
        }
        Ok(tops.into_iter().map(|top| self.places_of(top, &first_ids)).collect())
    }

    /// Refuses queries of another width than the store's, if that is known, and those that are not finite.
    pub(crate) fn check_queries(&self, queries: Rows<'_>) -> Result<()> {
        match self.dim {
            Some(dim) if dim != queries.dim() => Err(Error::dimension(dim, queries.dim())),
            _ => Ok(SearchRequest::new(1).check(queries.dim(), &[], queries)?),
        }
    }

    /// What a search over all parts found, nearest first: ids count the slots from the first part on.
    fn places_of(&self, top: TopK, first_ids: &[u64]) -> Vec<(Place, f32)> {
        let mut neighbors = top.into_sorted();
        faiss_tie_order(self.metric, &mut neighbors);
        let place = |Neighbor { id, distance }: Neighbor| {
            let part = first_ids.partition_point(|&first| first <= id) - 1;
            // A slot within its part fits u32.
            let slot = (id - first_ids[part]) as u32;
            (Place { part, slot }, distance)
        };
        neighbors.into_iter().map(place).collect()
    }

    /// This snapshot with a segment's documents added; documents with the same ids are replaced. The segment's index is a
    /// filled copy of the template, which it becomes where there was none.
    pub(crate) fn with(&self, segment: Arc<Segment>, pool: &Pool) -> Result<Self> {
        let dim = segment.index().dim();
        if let Some(expected) = self.dim.filter(|&expected| expected != dim) {
            return Err(Error::dimension(expected, dim));
        }
        let ids = segment.documents().iter().filter_map(|document| document.id.as_deref());
        let replaced: Vec<Place> = ids.filter_map(|id| self.find(id)).collect();
        let mut next = self.marked(&replaced);
        next.dim = Some(dim);
        let template = next.template.get_or_insert_with(|| segment.index().emptied().into());
        next.known_knobs = template.knobs();
        next.parts.push(Part::new(segment));
        next.compacted(pool)
    }

    /// This snapshot without the documents at `places`.
    pub(crate) fn without(&self, places: &[Place], pool: &Pool) -> Result<Self> {
        self.marked(places).compacted(pool)
    }

    /// All documents of this snapshot in one segment, or `None` if there are none.
    pub(crate) fn to_segment(&self, pool: &Pool) -> Result<Option<Arc<Segment>>> {
        match &self.parts[..] {
            [] => Ok(None),
            [whole] if whole.live() == whole.len() => Ok(Some(whole.segment.clone())),
            parts => Ok(Some(Part::compacted(parts, pool)?.segment)),
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
            template: self.template.clone(),
            known_knobs: self.known_knobs.clone(),
            knobs: self.knobs.clone(),
            ..*self
        }
    }

    /// The same documents in fewer, fuller segments, where that pays.
    fn compacted(mut self, pool: &Pool) -> Result<Self> {
        self.parts.retain(|part| part.live() > 0);
        // A part that is mostly dead is rewritten: half of its slots died for it, so each deletion pays for one copy.
        for part in &mut self.parts {
            if 2 * part.live() < part.len() {
                *part = Part::compacted(std::slice::from_ref(part), pool)?;
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
            let merged = Part::compacted(&self.parts[first..], pool)?;
            self.parts.truncate(first);
            self.parts.push(merged);
        }
        Ok(self)
    }
}
