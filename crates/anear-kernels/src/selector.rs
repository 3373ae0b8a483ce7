//! Which ids a search may return, as data: Faiss's `IDSelector` family.

use std::{fmt, ops::Range};

use crate::bitmap::{Bitmap, low_bits, ones};

/// A rule over ids, written by the caller; the fallback where no ready-made [`IdSelector`] fits.
pub trait Predicate: Send + Sync {
    /// Whether a search may return `id`. Must answer the same every time within one search, which asks for no ids beyond
    /// those of the index.
    fn contains(&self, id: u64) -> bool;
}

impl<F: Fn(u64) -> bool + Send + Sync> Predicate for F {
    fn contains(&self, id: u64) -> bool {
        self(id)
    }
}

/// The ids that a search may return.
///
/// A search asks for 64 ids at a time, so every variant but `Custom` costs far less than a distance.
///
/// ```
/// use anear_kernels::IdSelector;
///
/// let odd = |id: u64| id % 2 == 1;
/// let keep = IdSelector::And(vec![IdSelector::Range(3..10), IdSelector::Custom(&odd)]);
/// assert!(keep.contains(5) && !keep.contains(6));
/// assert_eq!(keep.matches_in(0..100).collect::<Vec<_>>(), [3, 5, 7, 9]);
/// assert_eq!(keep.count_in(0..8), 3);
/// ```
#[derive(Clone, Default)]
pub enum IdSelector<'a> {
    /// Every id.
    #[default]
    All,
    /// The ids of one range (`IDSelectorRange`).
    Range(Range<u64>),
    /// The listed ids, ascending; repeats are harmless (`IDSelectorArray`).
    Sorted(&'a [u64]),
    /// The ids whose bit is set (`IDSelectorBitmap`).
    Bitmap(&'a Bitmap),
    /// The ids that the inner selector refuses (`IDSelectorNot`).
    Not(Box<IdSelector<'a>>),
    /// The ids that all of them accept; every id if there are none (`IDSelectorAnd`).
    And(Vec<IdSelector<'a>>),
    /// The ids that at least one of them accepts; no id if there are none (`IDSelectorOr`).
    Or(Vec<IdSelector<'a>>),
    /// The ids that exactly one of the two accepts (`IDSelectorXOr`).
    Xor(Box<IdSelector<'a>>, Box<IdSelector<'a>>),
    /// The ids that the caller's own rule accepts.
    Custom(&'a dyn Predicate),
}

impl IdSelector<'_> {
    /// Whether a search may return `id`.
    pub fn contains(&self, id: u64) -> bool {
        match self {
            Self::All => true,
            Self::Range(range) => range.contains(&id),
            Self::Sorted(ids) => ids.binary_search(&id).is_ok(),
            Self::Bitmap(bitmap) => usize::try_from(id).is_ok_and(|position| bitmap.contains(position)),
            Self::Not(inner) => !inner.contains(id),
            Self::And(all) => all.iter().all(|one| one.contains(id)),
            Self::Or(any) => any.iter().any(|one| one.contains(id)),
            Self::Xor(left, right) => left.contains(id) != right.contains(id),
            Self::Custom(rule) => rule.contains(id),
        }
    }

    /// The accepted ids of `range`, ascending. Runs of refused ids are skipped where the selector can tell.
    pub fn matches_in(&self, range: Range<u64>) -> impl Iterator<Item = u64> {
        self.words_in(range)
            .flat_map(|(start, word)| ones(word).map(move |bit| start + bit as u64))
    }

    /// How many ids of `range` are accepted.
    pub fn count_in(&self, range: Range<u64>) -> u64 {
        match self {
            Self::All => range.end.saturating_sub(range.start),
            Self::Range(own) => range.end.min(own.end).saturating_sub(range.start.max(own.start)),
            _ => self.words_in(range).map(|(_, word)| u64::from(word.count_ones())).sum(),
        }
    }

    /// The accepted ids of `range` as (first id, bits of the 64 ids from there on), ascending, empty words left out.
    pub(crate) fn words_in(&self, range: Range<u64>) -> impl Iterator<Item = (u64, u64)> {
        let (mut next, mut listed) = (range.start, self.listed_from(range.start));
        std::iter::from_fn(move || {
            if let Some(ids) = &mut listed {
                return next_word(ids, range.end);
            }
            while next < range.end {
                let start = self.seek(next).filter(|&start| start < range.end)?;
                let wanted = low_bits(usize::try_from(range.end - start).unwrap_or(usize::MAX));
                let word = self.word_at(start, wanted);
                next = start.saturating_add(64);
                if word != 0 {
                    return Some((start, word));
                }
            }
            None
        })
    }

    /// The ids from `start` on, if they are listed.
    fn listed_from(&self, start: u64) -> Option<&[u64]> {
        match self {
            Self::Sorted(ids) => Some(&ids[ids.partition_point(|&id| id < start)..]),
            _ => None,
        }
    }

    /// No id in `from..` below the answer is accepted; `None`: none at all. A bound, cheap rather than tight.
    fn seek(&self, from: u64) -> Option<u64> {
        match self {
            Self::All | Self::Not(_) | Self::Custom(_) => Some(from),
            Self::Range(range) => Some(from.max(range.start)).filter(|id| *id < range.end),
            Self::Sorted(_) => self.listed_from(from)?.first().copied(),
            Self::Bitmap(bitmap) => bitmap
                .next_set(usize::try_from(from).ok()?)
                .map(|position| position as u64),
            Self::And(all) => all.iter().try_fold(from, |bound, one| one.seek(bound)),
            Self::Or(any) => any.iter().filter_map(|one| one.seek(from)).min(),
            Self::Xor(left, right) => left.seek(from).into_iter().chain(right.seek(from)).min(),
        }
    }

    /// Which of the 64 ids from `start` on are accepted, the first of them in the lowest bit, of those that are `wanted`: a
    /// rule of the caller's is asked for no others.
    fn word_at(&self, start: u64, wanted: u64) -> u64 {
        match self {
            Self::All => wanted,
            Self::Range(range) => wanted & range_word(range, start),
            Self::Sorted(ids) => wanted & word_of(&ids[ids.partition_point(|&id| id < start)..], start, u64::MAX).0,
            Self::Bitmap(bitmap) => wanted & usize::try_from(start).map_or(0, |position| bitmap.word_at(position)),
            Self::Not(inner) => wanted & !inner.word_at(start, wanted),
            Self::And(all) => all.iter().fold(wanted, |word, one| one.word_at(start, word)),
            Self::Or(any) => any
                .iter()
                .fold(0, |word, one| word | one.word_at(start, wanted & !word)),
            Self::Xor(left, right) => left.word_at(start, wanted) ^ right.word_at(start, wanted),
            Self::Custom(rule) => ones(wanted)
                .filter(|&bit| rule.contains(start + bit as u64))
                .fold(0, |word, bit| word | 1 << bit),
        }
    }
}

fn range_word(range: &Range<u64>, start: u64) -> u64 {
    let below = |end: u64| low_bits(usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX));
    below(range.end) & !below(range.start)
}

/// The first of the ids, unless it is `end` or more, with its word; `ids` goes on behind it.
fn next_word(ids: &mut &[u64], end: u64) -> Option<(u64, u64)> {
    let start = *ids.first().filter(|id| **id < end)?;
    let (word, taken) = word_of(ids, start, end);
    *ids = &ids[taken..];
    Some((start, word))
}

/// Which of the 64 ids from `start` on, below `end`, are in the list, and how many places of it they take.
fn word_of(ids: &[u64], start: u64, end: u64) -> (u64, usize) {
    let near = ids.iter().take_while(|&&id| id - start < 64 && id < end);
    near.fold((0, 0), |(word, taken), id| (word | 1 << (id - start), taken + 1))
}

impl fmt::Debug for IdSelector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => write!(f, "All"),
            Self::Range(range) => write!(f, "Range({range:?})"),
            Self::Sorted(ids) => write!(f, "Sorted({} ids)", ids.len()),
            Self::Bitmap(bitmap) => bitmap.fmt(f),
            Self::Not(inner) => f.debug_tuple("Not").field(inner).finish(),
            Self::And(all) => f.debug_tuple("And").field(all).finish(),
            Self::Or(any) => f.debug_tuple("Or").field(any).finish(),
            Self::Xor(left, right) => f.debug_tuple("Xor").field(left).field(right).finish(),
            Self::Custom(_) => write!(f, "Custom(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every variant, over ids up to 300 and beyond.
    fn with_samples(check: impl Fn(&IdSelector<'_>)) {
        let sorted = [0, 1, 63, 64, 65, 128, 200, 200, 299, 5000];
        let bitmap = Bitmap::from_indices(260, (0..260).filter(|i| i % 5 == 2 || (100..180).contains(i)));
        let rule = |id: u64| id.is_multiple_of(3);
        let leaves = [
            IdSelector::All,
            IdSelector::Range(17..140),
            IdSelector::Range(5..5),
            IdSelector::Sorted(&sorted),
            IdSelector::Sorted(&[]),
            IdSelector::Bitmap(&bitmap),
            IdSelector::Custom(&rule),
        ];
        for left in &leaves {
            check(left);
            check(&IdSelector::Not(Box::new(left.clone())));
            for right in &leaves {
                check(&IdSelector::And(vec![left.clone(), right.clone()]));
                check(&IdSelector::Or(vec![left.clone(), right.clone()]));
                check(&IdSelector::Xor(Box::new(left.clone()), Box::new(right.clone())));
            }
        }
        check(&IdSelector::And(vec![]));
        check(&IdSelector::Or(vec![]));
    }

    #[test]
    fn matches_and_counts_agree_with_asking_each_id() {
        with_samples(|keep| {
            for range in [0..0, 0..1, 0..64, 3..67, 17..18, 60..300, 0..400, 250..310] {
                let naive: Vec<u64> = range.clone().filter(|&id| keep.contains(id)).collect();
                assert_eq!(
                    keep.matches_in(range.clone()).collect::<Vec<_>>(),
                    naive,
                    "{keep:?} in {range:?}"
                );
                assert_eq!(
                    keep.count_in(range.clone()),
                    naive.len() as u64,
                    "{keep:?} in {range:?}"
                );
            }
        });
    }

    #[test]
    fn rules_are_asked_for_nothing_beyond_the_range() {
        let mask: Vec<bool> = (0..100).map(|id| id % 3 == 0).collect();
        let rule = |id: u64| mask[id as usize];
        let keep = IdSelector::Custom(&rule);
        let not = IdSelector::Not(Box::new(keep.clone()));
        let either = IdSelector::Or(vec![IdSelector::Range(50..500), keep.clone()]);
        assert_eq!([keep, not, either].map(|keep| keep.count_in(0..100)), [34, 66, 50 + 17]);
    }

    #[test]
    fn the_last_ids_of_all_are_reached() {
        let end = u64::MAX - 2..u64::MAX;
        assert_eq!(IdSelector::All.matches_in(end.clone()).count(), 2);
        let even = |id: u64| id.is_multiple_of(2);
        assert_eq!(
            IdSelector::Custom(&even).matches_in(end).collect::<Vec<_>>(),
            [u64::MAX - 1]
        );
    }
}
