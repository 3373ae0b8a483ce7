//! Several indexes that are searched as one (Faiss: `IndexShards`).
//!
//! Faiss's replicas have no counterpart: any number of threads search one index at the same time.

use anear_kernels::{IdSelector, Metric, Rows, TopK};

use crate::flat::mismatch;
use crate::index::unsupported;
use crate::{Neighbors, RangeRequest, Result, SearchRequest, VectorIndex};

/// Several indexes, of any kinds, with vectors of the same width compared in the same way, that are searched as one: a set
/// that grew shard by shard, or one whose shards lie in files of their own.
///
/// What is found is what one index over all vectors would find if each shard finds its nearest: all push into the same
/// top-ks, in any order and on any number of threads.
///
/// ```
/// use anear_index::{Flat, SearchRequest, Shards, VectorIndex, VectorIndexExt};
/// use anear_kernels::{Metric, Rows};
///
/// let mut shards: Vec<Box<dyn VectorIndex>> = Vec::new();
/// for vectors in [[0.0, 1.0], [2.0, 3.0]] {
///     let mut shard = Flat::new(1, Metric::L2)?;
///     shard.add(Rows::new(&vectors, 1).unwrap())?;
///     shards.push(Box::new(shard));
/// }
/// let all = Shards::in_succession(shards)?;
/// let query = Rows::new(&[2.4], 1).unwrap();
/// assert_eq!(all.search(query, &SearchRequest::new(1))?.row(0)[0].id, 2);
/// # Ok::<(), anear_index::Error>(())
/// ```
#[derive(Debug)]
pub struct Shards {
    shards: Vec<Box<dyn VectorIndex>>,
    /// Whether ids count on from shard to shard.
    is_succession: bool,
}

impl Shards {
    /// Shards whose ids count on: those of a shard begin at the number of vectors in all shards before it (Faiss:
    /// `successive_ids=True`).
    ///
    /// # Errors
    /// Those of [`under_own_ids`](Self::under_own_ids), and [`Error::Unsupported`](crate::Error::Unsupported) when ids of a shard are not its
    /// positions, as those of id maps and after removals.
    pub fn in_succession(shards: Vec<Box<dyn VectorIndex>>) -> Result<Self> {
        let counts_on = |shard: &dyn VectorIndex| shard.merge_offset() == shard.len() as u64;
        if let Some(shard) = shards.iter().find(|shard| !counts_on(&***shard)) {
            return Err(unsupported(
                shard.kind(),
                "counting its ids on from other shards; use under_own_ids",
            ));
        }
        let shards = Self::under_own_ids(shards)?;
        Ok(Self {
            is_succession: true,
            ..shards
        })
    }

    /// Shards with ids of their own, which no two of them share (Faiss: `successive_ids=False`).
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) when there is none, [`Error::Mismatch`](crate::Error::Mismatch) when dimensions or metrics differ.
    pub fn under_own_ids(shards: Vec<Box<dyn VectorIndex>>) -> Result<Self> {
        let first = shards
            .first()
            .ok_or(unsupported("sharded", "having no shard; give one at least"))?;
        let is_like = |shard: &dyn VectorIndex| (shard.dim(), shard.metric()) == (first.dim(), first.metric());
        if let Some(other) = shards.iter().find(|shard| !is_like(&***shard)) {
            return Err(mismatch(&**first, &**other));
        }
        Ok(Self {
            shards,
            is_succession: false,
        })
    }

    /// The shards, in order.
    pub fn shards(&self) -> &[Box<dyn VectorIndex>] {
        &self.shards
    }

    /// The shards, to be changed and put together anew.
    pub fn into_shards(self) -> Vec<Box<dyn VectorIndex>> {
        self.shards
    }

    /// Components per vector.
    pub fn dim(&self) -> usize {
        self.shards[0].dim()
    }

    /// How vectors are compared.
    pub fn metric(&self) -> Metric {
        self.shards[0].metric()
    }

    /// Number of vectors in all shards.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Whether there is no vector.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The nearest of all shards; the selector speaks of the ids that are returned.
    ///
    /// # Errors
    /// As [`VectorIndex::search`] of any shard.
    pub fn search(&self, queries: Rows<'_>, request: &SearchRequest<'_>) -> Result<Neighbors> {
        let mut tops: Vec<TopK> = queries.iter().map(|_| TopK::new(request.k)).collect();
        self.each(&request.selector, |shard, first_id, selector| {
            let request = request.clone().selecting(selector);
            shard.search_top(queries, &request, first_id, &mut tops)
        })?;
        Ok(Neighbors::from_tops(self.metric(), tops))
    }

    /// All vectors of all shards within the radius; the selector speaks of the ids that are returned.
    ///
    /// # Errors
    /// As [`RangeSearch::range_search`](crate::RangeSearch::range_search) of any shard, and [`Error::Unsupported`](crate::Error::Unsupported) when one
    /// has no such search.
    pub fn range_search(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Result<Neighbors> {
        let mut rows = vec![Vec::new(); queries.len()];
        self.each(&request.selector, |shard, first_id, selector| {
            let missing = unsupported(shard.kind(), "range search");
            let request = RangeRequest {
                selector,
                ..request.clone()
            };
            let mut found = shard
                .as_range_search()
                .ok_or(missing)?
                .range_search(queries, &request)?;
            found.all_mut().iter_mut().for_each(|neighbor| neighbor.id += first_id);
            rows.iter_mut()
                .zip(found.iter())
                .for_each(|(row, found)| row.extend_from_slice(found));
            Ok(())
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Calls `search` with each shard, what is added to its ids, and what the selector says of them.
    fn each<'s>(
        &'s self,
        selector: &IdSelector<'_>,
        mut search: impl FnMut(&'s dyn VectorIndex, u64, IdSelector<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut first_id = 0;
        for shard in &self.shards {
            let shifted = |id: u64| selector.contains(id + first_id);
            // Those that indexes make the most of stay what they are.
            let listed: Vec<u64>;
            let own = match selector {
                _ if first_id == 0 => selector.clone(),
                IdSelector::All => IdSelector::All,
                IdSelector::Range(ids) => {
                    IdSelector::Range(ids.start.saturating_sub(first_id)..ids.end.saturating_sub(first_id))
                }
                IdSelector::Sorted(ids) => {
                    listed = ids.iter().filter_map(|id| id.checked_sub(first_id)).collect();
                    IdSelector::Sorted(&listed)
                }
                _ => IdSelector::Custom(&shifted),
            };
            search(&**shard, first_id, own)?;
            if self.is_succession {
                first_id += shard.len() as u64;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Flat, IndexSpec, VectorIndexExt as _};

    const DIM: usize = 4;

    fn vectors(count: usize) -> Vec<f32> {
        (0..count * DIM).map(|i| (i * 7919 % 1013) as f32).collect()
    }

    fn filled(spec: &str, vectors: &[f32]) -> Box<dyn VectorIndex> {
        let mut index = spec.parse::<IndexSpec>().unwrap().build(DIM, Metric::L2).unwrap();
        index.add(Rows::new(vectors, DIM).unwrap()).unwrap();
        index
    }

    #[test]
    fn shards_in_succession_find_what_one_index_finds() {
        let all = vectors(90);
        let whole = filled("Flat", &all);
        let parts = [&all[..50 * DIM], &all[50 * DIM..50 * DIM], &all[50 * DIM..]];
        let shards = Shards::in_succession(parts.map(|part| filled("Flat", part)).into()).unwrap();
        assert_eq!((shards.len(), shards.dim(), shards.metric()), (90, DIM, Metric::L2));
        let queries = Rows::new(&all[..8 * DIM], DIM).unwrap();
        for selector in [
            IdSelector::All,
            IdSelector::Range(40..60),
            IdSelector::Sorted(&[3, 55, 89]),
        ] {
            let request = SearchRequest::new(12).selecting(selector.clone());
            assert_eq!(
                shards.search(queries, &request).unwrap(),
                whole.search(queries, &request).unwrap()
            );
            let request = RangeRequest {
                selector,
                ..RangeRequest::new(300_000.0)
            };
            let want = whole
                .as_range_search()
                .unwrap()
                .range_search(queries, &request)
                .unwrap();
            assert_eq!(shards.range_search(queries, &request).unwrap(), want);
        }
    }

    #[test]
    fn shards_under_their_own_ids_keep_them() {
        let all = vectors(20);
        let mut one = "IDMap,Flat"
            .parse::<IndexSpec>()
            .unwrap()
            .build(DIM, Metric::L2)
            .unwrap();
        one.add_with_ids(Rows::new(&all[..2 * DIM], DIM).unwrap(), &[70, 7])
            .unwrap();
        let other = filled("Flat", &all[2 * DIM..]);
        let refused = Shards::in_succession(vec![one.boxed_clone(), other.boxed_clone()]);
        assert!(matches!(refused, Err(Error::Unsupported { .. })));
        let shards = Shards::under_own_ids(vec![one, other]).unwrap();
        let found = shards
            .search(Rows::new(&all[..3 * DIM], DIM).unwrap(), &SearchRequest::new(1))
            .unwrap();
        let ids: Vec<u64> = found.iter().map(|row| row[0].id).collect();
        assert_eq!(ids, [70, 7, 0]);
    }

    #[test]
    fn shards_must_be_there_and_alike() {
        assert!(matches!(
            Shards::under_own_ids(Vec::new()),
            Err(Error::Unsupported { .. })
        ));
        let narrow = Box::new(Flat::new(DIM, Metric::L2).unwrap());
        let wide = Box::new(Flat::new(DIM + 1, Metric::L2).unwrap());
        assert!(matches!(
            Shards::in_succession(vec![narrow, wide]),
            Err(Error::Mismatch { .. })
        ));
    }
}
