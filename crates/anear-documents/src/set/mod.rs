//! An immutable batch of documents that answers filters from columns.
//!
//! A slot is a document's place in the batch. Columns (`column.rs`) are built when a filter first names their field;
//! how a filter uses them is in `plan.rs`.

mod column;
mod plan;
mod slots;

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indexmap::IndexSet;

use self::column::Column;
use self::plan::Plan;
pub use self::slots::SlotSet;
use crate::filter::limits;
use crate::{Document, DocumentFilter, Error, Result};

/// Most fields of one set that have a column; filters on further fields look at each document.
const COLUMNS_MAX: usize = 256;

/// An immutable batch of documents with unique ids, and an index over their metadata.
///
/// Built for many readers: every method takes `&self` and none waits for another, except that the first filter on a
/// field builds its column (one to three seconds for a million documents, example `select`) and a second filter on the same field waits for
/// it.
///
/// ```
/// use anear_documents::{Document, DocumentSet, Filter};
///
/// let documents = (0..100).map(|page| Document::new("").with_id(format!("id-{page}")).with_metadata("page", page));
/// let set = DocumentSet::new(documents.collect())?;
/// let selected = set.select(&Filter::gte("page", 98).into())?;
/// assert_eq!(selected.count(), 2);
/// assert_eq!(selected.words()[1], 0b11 << 34);
/// assert_eq!(set.slot_of("id-98"), Some(98));
/// # Ok::<(), anear_documents::Error>(())
/// ```
pub struct DocumentSet {
    entries: IndexSet<Entry>,
    columns: Mutex<HashMap<String, Arc<OnceLock<Column>>>>,
}

impl DocumentSet {
    /// A set of these documents; the position of each becomes its slot.
    ///
    /// # Errors
    /// [`Error::MissingId`], [`Error::DuplicateId`], [`Error::MetadataTooDeep`], or [`Error::TooManyDocuments`] for
    /// more than `u32::MAX`.
    pub fn new(documents: Vec<Document>) -> Result<Self> {
        Self::from_shared(documents.into_iter().map(Arc::new))
    }

    /// A set of documents that others hold too; nothing is copied.
    ///
    /// # Errors
    /// As [`DocumentSet::new`].
    pub fn from_shared(documents: impl IntoIterator<Item = Arc<Document>>) -> Result<Self> {
        let documents = documents.into_iter();
        let mut entries = IndexSet::with_capacity(documents.size_hint().0);
        for (position, document) in documents.enumerate() {
            let entry = Entry::new(position, document)?;
            if let (slot, false) = entries.insert_full(entry) {
                let id = entries
                    .get_index(slot)
                    .map(|entry: &Entry| entry.id().to_owned())
                    .unwrap_or_default();
                return Err(Error::DuplicateId { id });
            }
        }
        if entries.len() > u32::MAX as usize {
            return Err(Error::TooManyDocuments {
                limit: u32::MAX as usize,
                got: entries.len(),
            });
        }
        Ok(Self {
            entries,
            columns: Mutex::default(),
        })
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no documents.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The document in a slot.
    ///
    /// # Panics
    /// When `slot` is not below [`DocumentSet::len`].
    pub fn get(&self, slot: u32) -> &Arc<Document> {
        &self.entries[slot as usize].0
    }

    /// The slot of the document with this id.
    pub fn slot_of(&self, id: &str) -> Option<u32> {
        self.entries.get_index_of(id).map(|slot| slot as u32)
    }

    /// The documents in the order of their slots.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Document>> + DoubleEndedIterator {
        self.entries.iter().map(|entry| &entry.0)
    }

    /// The slots of the documents that the filter wants.
    ///
    /// A filter that is data costs time in proportion to what its most selective parts leave, not to the set; a
    /// closure is asked about each document.
    ///
    /// # Errors
    /// [`Error::FilterTooLarge`] when the filter exceeds [`limits`](crate::limits).
    pub fn select(&self, filter: &DocumentFilter) -> Result<SlotSet> {
        filter.check()?;
        let all = SlotSet::full(self.len());
        Ok(match filter {
            DocumentFilter::Data(filter) => Plan::new(self, filter).select(self, all),
            DocumentFilter::Predicate(predicate) => all.retain(|slot| predicate(&self.get(slot).metadata)),
        })
    }

    /// The column of a field, built if need be; `None` once too many fields have one.
    fn column(&self, name: &str) -> Option<Arc<OnceLock<Column>>> {
        let cell = {
            let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
            match columns.get(name) {
                Some(cell) => Arc::clone(cell),
                None if columns.len() < COLUMNS_MAX => Arc::clone(columns.entry(name.to_owned()).or_default()),
                None => return None,
            }
        };
        cell.get_or_init(|| Column::build(self, name));
        Some(cell)
    }
}

impl fmt::Debug for DocumentSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentSet")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// A document in a hash table, found by its id.
struct Entry(Arc<Document>);

impl Entry {
    fn new(position: usize, document: Arc<Document>) -> Result<Self> {
        let Some(id) = &document.id else {
            return Err(Error::MissingId { position });
        };
        let limit = limits::METADATA_DEPTH;
        if !document.metadata.values().all(|value| value.fits(limit)) {
            return Err(Error::MetadataTooDeep { id: id.clone(), limit });
        }
        Ok(Self(document))
    }

    fn id(&self) -> &str {
        // `new` lets no document without an id in.
        self.0.id.as_deref().unwrap_or_default()
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Entry {}

impl Borrow<str> for Entry {
    fn borrow(&self) -> &str {
        self.id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, Value};

    fn pages(n: i64) -> DocumentSet {
        let document = |page| {
            Document::new("")
                .with_id(format!("id-{page}"))
                .with_metadata("page", page)
        };
        DocumentSet::new((0..n).map(document).collect()).unwrap()
    }

    #[test]
    fn a_batch_without_unique_ids_is_refused_by_name() {
        let error = DocumentSet::new(vec![Document::new("x").with_id("a"), Document::new("y")]).unwrap_err();
        assert!(error.to_string().contains("document 1 has no id"));
        let twice = ["a", "b", "a"].map(|id| Document::new("x").with_id(id)).to_vec();
        assert!(
            DocumentSet::new(twice)
                .unwrap_err()
                .to_string()
                .contains("id `a` occurs more than once")
        );
    }

    #[test]
    fn metadata_as_deep_as_the_limit_is_taken_and_deeper_refused() {
        let nested = |levels: usize| (0..levels).fold(Value::Int(1), |value, _| Value::List(vec![value]));
        let set = |levels| DocumentSet::new(vec![Document::new("").with_id("a").with_metadata("x", nested(levels))]);
        assert!(set(limits::METADATA_DEPTH).is_ok());
        assert!(
            set(limits::METADATA_DEPTH + 1)
                .unwrap_err()
                .to_string()
                .contains("document `a` is nested deeper")
        );
        // What is nearest to a foreign value counts as if it stood there.
        let foreign = |levels| Value::from(crate::Foreign::new("thing", nested(levels), Arc::new(())));
        let wrapped = |levels| Value::List(vec![foreign(levels - 1)]);
        let set = |value| DocumentSet::new(vec![Document::new("").with_id("a").with_metadata("x", value)]);
        assert!(set(wrapped(limits::METADATA_DEPTH)).is_ok());
        assert!(set(wrapped(limits::METADATA_DEPTH + 1)).is_err());
    }

    #[test]
    fn ids_and_slots_agree() {
        let set = pages(100);
        for (slot, document) in set.iter().enumerate() {
            assert_eq!(set.slot_of(document.id.as_ref().unwrap()), Some(slot as u32));
            assert!(Arc::ptr_eq(set.get(slot as u32), document));
        }
        assert_eq!(set.slot_of("id-100"), None);
    }

    #[test]
    fn more_fields_than_columns_still_answer() {
        let set = pages(3);
        for field in 0..2 * COLUMNS_MAX {
            assert_eq!(
                set.select(&Filter::eq(format!("f{field}"), 1).into()).unwrap().count(),
                0
            );
        }
        assert_eq!(set.columns.lock().unwrap().len(), COLUMNS_MAX);
        assert_eq!(
            set.select(&Filter::eq("page", 1).into())
                .unwrap()
                .iter()
                .collect::<Vec<_>>(),
            [1]
        );
    }

    #[test]
    fn an_empty_set_selects_nothing() {
        let set = pages(0);
        assert!(set.select(&Filter::all().into()).unwrap().is_empty());
        assert!(
            set.select(&Filter::eq("page", Value::Null).into())
                .unwrap()
                .words()
                .is_empty()
        );
    }

    #[test]
    fn a_filter_beyond_the_limits_is_refused() {
        let filter = (0..100).fold(Filter::all(), |filter, _| !filter);
        assert!(matches!(
            pages(1).select(&filter.into()),
            Err(Error::FilterTooLarge { .. })
        ));
    }
}
