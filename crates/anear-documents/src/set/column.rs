//! One field of a set: who has it, in the order of the values.
//!
//! A column keeps no values, only where they stand; looking one up is a binary search through the documents. So a
//! column costs 8 bytes for each document that has the field and for each element of a list.

use std::cmp::Ordering;
use std::ops::Range;

use indexmap::IndexSet;

use super::DocumentSet;
use crate::Value;
use crate::filter::lookup;
use crate::value::Key;

/// The documents that have a field, and the elements of those that have a list in it.
#[derive(Debug)]
pub(super) struct Column {
    name: String,
    values: Sorted,
    elements: Sorted,
}

/// Which of a column's two orders is meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// The values of the field.
    Values,
    /// The elements of values that are lists.
    Elements,
}

/// Where a value stands: in a document's field, or in the list there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) slot: u32,
    item: u32,
}

/// The item of a place that is the field itself.
const WHOLE: u32 = u32::MAX;

/// Places in the order of their keys, then of their slots; kind `k` stands in `bounds[k]..bounds[k + 1]`.
#[derive(Debug, Default)]
struct Sorted {
    places: Vec<Place>,
    bounds: [usize; Key::KINDS + 1],
}

impl Column {
    pub(super) fn build(set: &DocumentSet, name: &str) -> Self {
        let (mut values, mut elements) = (Vec::new(), Vec::new());
        for (slot, document) in (0..).zip(set.iter()) {
            let Some(value) = lookup(&document.metadata, name) else {
                continue;
            };
            values.push((Key::of(value), Place { slot, item: WHOLE }));
            if let Value::List(items) = value.nearest() {
                elements.extend(
                    (0..)
                        .zip(items)
                        .map(|(item, value)| (Key::of(value), Place { slot, item })),
                );
            }
        }
        Self {
            name: name.to_owned(),
            values: Sorted::new(values),
            elements: Sorted::new(elements),
        }
    }

    /// All places of a part.
    pub(super) fn places(&self, part: Part) -> &[Place] {
        &self.part(part).places
    }

    /// Where the values of one kind stand.
    pub(super) fn kind(&self, part: Part, kind: usize) -> Range<usize> {
        let bounds = &self.part(part).bounds;
        bounds[kind]..bounds[kind + 1]
    }

    /// Where the values stand that have the key's kind and are ordered to the key as `accept` says; `accept` must hold for a
    /// run of neighbors.
    pub(super) fn range(
        &self,
        set: &DocumentSet,
        part: Part,
        key: &Key<'_>,
        accept: fn(Ordering) -> bool,
    ) -> Range<usize> {
        let kind = self.kind(part, key.kind());
        let places = &self.places(part)[kind.clone()];
        let order = |place: &Place| Key::of(self.value(set, *place)).cmp(key);
        let below = |accepted: bool| match accepted {
            true => places.partition_point(|place| order(place).is_lt()),
            false => places.partition_point(|place| order(place).is_le()),
        };
        let equal = accept(Ordering::Equal);
        let start = if accept(Ordering::Less) { 0 } else { below(equal) };
        let end = if accept(Ordering::Greater) {
            places.len()
        } else {
            below(!equal)
        };
        kind.start + start..kind.start + end
    }

    /// The value at a place.
    pub(super) fn value<'a>(&self, set: &'a DocumentSet, place: Place) -> &'a Value {
        let value = lookup(&set.get(place.slot).metadata, &self.name);
        match (value.map(Value::nearest), place.item) {
            (Some(Value::List(items)), item) if item != WHOLE => &items[item as usize],
            (Some(value), _) => value,
            (None, _) => unreachable!("a column lists only documents that have its field"),
        }
    }

    fn part(&self, part: Part) -> &Sorted {
        match part {
            Part::Values => &self.values,
            Part::Elements => &self.elements,
        }
    }
}

impl Sorted {
    fn new(keyed: Vec<(Key<'_>, Place)>) -> Self {
        let (mut texts, mut others) = (Vec::new(), Vec::new());
        for (key, place) in keyed {
            match key {
                Key::Text(text) => texts.push((text, place)),
                _ => others.push((key, place)),
            }
        }
        others.sort_unstable_by(|(left, at), (right, other)| left.cmp(right).then_with(|| at.cmp(other)));
        let mut bounds = [0; Key::KINDS + 1];
        for kind in 0..Key::KINDS {
            bounds[kind + 1] = others.partition_point(|(key, _)| key.kind() <= kind);
        }
        let text_kind = Key::Text("").kind();
        bounds[text_kind + 1..]
            .iter_mut()
            .for_each(|bound| *bound += texts.len());
        let mut places: Vec<_> = others.into_iter().map(|(_, place)| place).collect();
        let at = bounds[text_kind];
        places.splice(at..at, by_rank(texts));
        Self { places, bounds }
    }
}

/// The places in the order of their texts. Many documents share a text (their source, their language), so only the
/// distinct texts are compared; then numbers are.
fn by_rank(texts: Vec<(&str, Place)>) -> impl Iterator<Item = Place> {
    let distinct: IndexSet<&str> = texts.iter().map(|(text, _)| *text).collect();
    let mut order: Vec<usize> = (0..distinct.len()).collect();
    order.sort_unstable_by_key(|&position| distinct[position]);
    let mut ranks = vec![0; distinct.len()];
    for (rank, position) in (0_u32..).zip(order) {
        ranks[position] = rank;
    }
    let rank = |text| distinct.get_index_of(text).map_or(0, |position| ranks[position]);
    let mut ranked: Vec<_> = texts.into_iter().map(|(text, place)| (rank(text), place)).collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, place)| place)
}
