//! Comparing all that is selected.

use anear_kernels::{IdSelector, Neighbor, Rows, TopK, scan_batch_listed};
use anear_pool::Pool;

use super::Near;
use super::scratch::Scratch;
use super::selected::Selected;
use crate::flat::on_pool;
use crate::flat::search::tiling;
use crate::{Neighbors, VectorIndex as _};

/// Vectors that are compared with one query at a time, and with many.
const BLOCK: usize = 64;
const TILE: usize = 4096;

impl Near {
    /// The nearest of all that is selected to each query.
    pub(super) fn nearest_of_all(
        &self,
        queries: Rows<'_>,
        k: usize,
        selected: &Selected<'_>,
        pool: Option<&Pool>,
    ) -> Neighbors {
        let slots = selected.slots();
        let nothing = || TopK::new(k.min(slots.len()));
        let tiles = tiling(queries.len(), slots.len(), self.dim(), pool.map_or(1, Pool::threads));
        let found = on_pool(pool, tiles.len(), |i| {
            let mut tops: Vec<TopK> = tiles[i].queries.clone().map(|_| nothing()).collect();
            let (queries, slots) = (
                queries.slice(tiles[i].queries.clone()),
                &slots[tiles[i].vectors.clone()],
            );
            self.scratches
                .with(|scratch| self.push_all(queries, slots, scratch, &mut tops));
            tops
        });
        let mut tops: Vec<TopK> = queries.iter().map(|_| nothing()).collect();
        for (tile, found) in tiles.into_iter().zip(found) {
            for (top, found) in tops[tile.queries].iter_mut().zip(found) {
                top.merge(found);
            }
        }
        tops.into_iter().map(TopK::into_sorted).collect()
    }

    /// Pushes what is in these slots for each query.
    fn push_all(&self, queries: Rows<'_>, slots: &[u32], scratch: &mut Scratch, tops: &mut [TopK]) {
        let Some(rows) = self.exact.rows().filter(|_| queries.len() > 1) else {
            for (query, top) in queries.iter().zip(tops) {
                self.push_each(query, slots, scratch, top);
            }
            return;
        };
        for slots in slots.chunks(TILE) {
            let gathered = rows.gathered(slots.iter().map(|slot| *slot as usize));
            let gathered = Rows::new(&gathered, rows.dim()).expect("whole vectors");
            let ids: Vec<u64> = slots.iter().filter_map(|slot| self.ids.id(*slot)).collect();
            scan_batch_listed(self.metric, queries, gathered, &ids, &IdSelector::All, tops);
        }
    }

    /// Pushes what is in these slots.
    pub(super) fn push_each(&self, query: &[f32], slots: &[u32], scratch: &mut Scratch, top: &mut TopK) {
        self.compare(query, slots, scratch, |slots, distances| {
            let threshold = top.threshold();
            // Without a branch per distance: hardly any block has one that is near enough.
            if !distances
                .iter()
                .fold(false, |any, distance| any | (*distance <= threshold))
            {
                return;
            }
            for (slot, distance) in slots.iter().zip(distances) {
                if *distance <= top.threshold() {
                    self.neighbor(*slot, *distance)
                        .into_iter()
                        .for_each(|near| top.push(near));
                }
            }
        });
    }

    /// Hands how far the vectors in these slots are to `visit`, some at a time.
    pub(super) fn compare(
        &self,
        query: &[f32],
        slots: &[u32],
        scratch: &mut Scratch,
        mut visit: impl FnMut(&[u32], &[f32]),
    ) {
        scratch.prepare_comparing(&self.exact, query);
        let mut distances = [0.0; BLOCK];
        for slots in slots.chunks(BLOCK) {
            let distances = &mut distances[..slots.len()];
            scratch.compare(&self.exact, query, slots, distances);
            visit(slots, distances);
        }
    }

    /// What is in a slot, so far from a query.
    pub(super) fn neighbor(&self, slot: u32, distance: f32) -> Option<Neighbor> {
        self.ids.id(slot).map(|id| Neighbor { id, distance })
    }
}
