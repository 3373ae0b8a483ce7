//! A segment: documents and their vectors, immutable once built.
//!
//! Slot `i` of the index is the vector of slot `i` of the documents, by construction: no map between the two exists
//! that could fall out of step.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use anear_documents::{Document, DocumentFilter, DocumentSet, SlotSet};
use anear_index::{SearchRequest, VectorIndex, VectorIndexExt};
use anear_kernels::{Bitmap, IdSelector, Rows, TopK};
use anear_pool::Pool;

use crate::error::{Error, Result, check_lengths};
use crate::live::Live;

/// Documents and the index of their vectors.
#[derive(Debug)]
pub(crate) struct Segment {
    documents: DocumentSet,
    index: Box<dyn VectorIndex>,
}

/// A segment as one snapshot sees it: some of its slots may have been deleted since.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) segment: Arc<Segment>,
    /// The slots that are not deleted; `None` while nothing was.
    live: Option<Arc<Live>>,
}

impl Segment {
    /// Indexes `documents` (each with its id) and their `vectors`, in the same order, by an index like `template`.
    pub(crate) fn build(
        documents: DocumentSet,
        vectors: Rows<'_>,
        template: &dyn VectorIndex,
        pool: &Pool,
    ) -> Result<Self> {
        let mut index = template.emptied();
        let own_ids = || Error::OwnIds {
            index: template.spec().to_string(),
        };
        index.as_add().ok_or_else(own_ids)?.add_on(vectors, Some(pool))?;
        Self::new(documents, index)
    }

    /// Puts the two halves together.
    pub(crate) fn new(documents: DocumentSet, index: Box<dyn VectorIndex>) -> Result<Self> {
        check_lengths("documents", documents.len(), "vectors", index.len())?;
        Ok(Self { documents, index })
    }

    pub(crate) fn len(&self) -> usize {
        self.documents.len()
    }

    pub(crate) fn index(&self) -> &dyn VectorIndex {
        &*self.index
    }

    pub(crate) fn documents(&self) -> &DocumentSet {
        &self.documents
    }

    /// Appends the vectors in `slots` to `out`, as they are stored.
    pub(crate) fn vectors(&self, slots: Range<u32>, out: &mut Vec<f32>) -> Result<()> {
        Ok(self.index.reconstruct_n(slots.start.into()..slots.end.into(), out)?)
    }
}

impl Part {
    pub(crate) fn new(segment: Arc<Segment>) -> Self {
        Self { segment, live: None }
    }

    /// Slots, deleted ones included.
    pub(crate) fn len(&self) -> usize {
        self.segment.len()
    }

    /// Number of slots that are not deleted.
    pub(crate) fn live(&self) -> usize {
        self.live.as_ref().map_or(self.len(), |live| live.len())
    }

    /// The slots that are not deleted; `None`: every slot.
    fn live_bitmap(&self) -> Option<&Bitmap> {
        self.live.as_ref().map(|live| live.slots())
    }

    fn is_live(&self, slot: u32) -> bool {
        self.live_bitmap().is_none_or(|live| live.contains(slot as usize))
    }

    /// The slots that are not deleted, ascending.
    pub(crate) fn live_slots(&self) -> impl Iterator<Item = u32> + '_ {
        // A segment's slots fit u32: `DocumentSet` refuses more.
        (0..self.len() as u32).filter(|&slot| self.is_live(slot))
    }

    /// How many live slots stand before `slot`.
    pub(crate) fn rank(&self, slot: u32) -> usize {
        self.live.as_ref().map_or(slot as usize, |live| live.rank(slot))
    }

    /// The live slot before which `rank` others stand; there must be one.
    pub(crate) fn nth(&self, rank: usize) -> u32 {
        self.live.as_ref().map_or(rank as u32, |live| live.nth(rank))
    }

    /// Appends the vectors of the live slots with these ranks to `out`, as they are stored.
    pub(crate) fn vectors(&self, ranks: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        match &self.live {
            None => self.segment.vectors(ranks.start as u32..ranks.end as u32, out),
            Some(live) => live.runs(ranks).try_for_each(|slots| self.segment.vectors(slots, out)),
        }
    }

    pub(crate) fn document(&self, slot: u32) -> &Arc<Document> {
        self.segment.documents.get(slot)
    }

    /// The live slot of the document with this id.
    pub(crate) fn slot_of(&self, id: &str) -> Option<u32> {
        self.segment.documents.slot_of(id).filter(|&slot| self.is_live(slot))
    }

    /// The live slots whose documents match; all live ones without a filter. `None`: every slot.
    pub(crate) fn select(&self, filter: Option<&DocumentFilter>) -> Result<Option<Cow<'_, Bitmap>>> {
        let live = self.live_bitmap();
        let Some(filter) = filter else {
            return Ok(live.map(Cow::Borrowed));
        };
        let mut matching = slots_bitmap(self.segment.documents.select(filter)?);
        if let Some(live) = live {
            matching.and(live);
        }
        Ok(Some(Cow::Owned(matching)))
    }

    /// Pushes the nearest of the selected slots into `tops`, as ids `first_id + slot`; `request` says all but which.
    pub(crate) fn search(
        &self,
        queries: Rows<'_>,
        selected: Option<&Bitmap>,
        request: &SearchRequest<'_>,
        first_id: u64,
        tops: &mut [TopK],
    ) -> Result<()> {
        let selector = selected.map_or(IdSelector::All, IdSelector::Bitmap);
        let request = request.clone().selecting(selector);
        Ok(self.segment.index.search_top(queries, &request, first_id, tops)?)
    }

    /// The same part with `slots` (live ones, each once) deleted.
    pub(crate) fn without(&self, slots: &[u32]) -> Self {
        let mut live = self.live_bitmap().cloned().unwrap_or_else(|| Bitmap::full(self.len()));
        for &slot in slots {
            live.remove(slot as usize);
        }
        Self {
            segment: self.segment.clone(),
            live: Some(Arc::new(Live::new(live))),
        }
    }

    /// A part that holds the live slots of `parts` and nothing else, in the same order.
    ///
    /// Codes are moved, never made anew. A graph keeps the links of the first part, the largest where parts are merged, and
    /// takes in the nodes of the others one by one.
    pub(crate) fn compacted(parts: &[Self], pool: &Pool) -> Result<Self> {
        let documents = parts
            .iter()
            .flat_map(|part| part.live_slots().map(|slot| part.document(slot).clone()));
        let documents = DocumentSet::from_shared(documents)?;
        let mut index: Option<Box<dyn VectorIndex>> = None;
        for part in parts {
            let mut kept = part.segment.index.boxed_clone();
            if let Some(live) = part.live_bitmap() {
                kept.remove_on(&IdSelector::Not(Box::new(IdSelector::Bitmap(live))), Some(pool))?;
                kept.renumber()?;
            }
            match &mut index {
                None => index = Some(kept),
                Some(index) => index.merge_on(&mut *kept, Some(pool))?,
            }
        }
        let index = index.ok_or(Error::NothingToAdd { what: "segments" })?;
        Ok(Self::new(Arc::new(Segment::new(documents, index)?)))
    }
}

/// The same set, as the kernels want it.
fn slots_bitmap(slots: SlotSet) -> Bitmap {
    let len = slots.slots();
    Bitmap::from_words(slots.into_words(), len).expect("a slot set has a word for every 64 slots")
}
