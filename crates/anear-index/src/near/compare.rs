//! Comparing all that is selected.

use anear_kernels::{Neighbor, Rows, TopK, scan_batch_at};
use anear_pool::Pool;

use super::Near;
use super::scratch::Scratch;
use crate::tiles::{on_pool, over_tiles, tiling};
use crate::{Neighbors, RangeRequest, VectorIndex as _};

/// Vectors that are compared at a time: as many as scans of floats compare.
const BLOCK: usize = 64;

impl Near {
    /// The nearest to each query of all that is in these slots.
    pub(super) fn nearest_in(&self, queries: Rows<'_>, k: usize, slots: &[u32], pool: Option<&Pool>) -> Vec<TopK> {
        let k = k.min(slots.len());
        let tiles = tiling(queries.len(), slots.len(), self.dim(), pool.map_or(1, Pool::threads));
        let mut tops = vec![TopK::new(k); queries.len()];
        over_tiles(pool, &tiles, &mut tops, k, 0, |tile, tops| {
            self.push(queries.slice(tile.queries.clone()), &slots[tile.vectors.clone()], tops);
        });
        tops
    }

    /// Pushes what is in these slots for each query.
    fn push(&self, queries: Rows<'_>, slots: &[u32], tops: &mut [TopK]) {
        let id_of = |slot| self.ids.id(slot).expect("selected slots are in use");
        match self.exact.rows() {
            Some(rows) => scan_batch_at(self.metric, queries, rows, slots, id_of, tops),
            None => self.scratches.with(|scratch| {
                for (query, top) in queries.iter().zip(tops) {
                    self.compare(query, slots, scratch, |slots, distances| {
                        top.push_block(distances, |i| id_of(slots[i]));
                    });
                }
            }),
        }
    }

    /// All selected vectors strictly within the radius, by id.
    pub(super) fn within(&self, queries: Rows<'_>, request: &RangeRequest<'_>) -> Neighbors {
        let slots = self.ids.selected(&request.selector);
        let threads = request.pool.map_or(1, Pool::threads);
        let tiles = tiling(queries.len(), slots.len(), self.dim(), threads);
        let found = on_pool(request.pool, tiles.len(), |i| {
            let (queries, slots) = (
                queries.slice(tiles[i].queries.clone()),
                &slots[tiles[i].vectors.clone()],
            );
            let within = |query| self.within_slots(query, request.radius, slots);
            queries.iter().map(within).collect::<Vec<_>>()
        });
        let mut rows = vec![Vec::new(); queries.len()];
        for (tile, found) in tiles.into_iter().zip(found) {
            for (row, found) in rows[tile.queries].iter_mut().zip(found) {
                row.extend(found);
            }
        }
        for row in &mut rows {
            row.sort_unstable_by_key(|neighbor: &Neighbor| neighbor.id);
        }
        rows.into_iter().collect()
    }

    /// What is strictly within the radius in these slots.
    fn within_slots(&self, query: &[f32], radius: f32, slots: &[u32]) -> Vec<Neighbor> {
        let mut found = Vec::new();
        self.scratches.with(|scratch| {
            self.compare(query, slots, scratch, |slots, distances| {
                let all = slots.iter().zip(distances);
                let near = all.filter(|(_, distance)| **distance < radius);
                found.extend(near.filter_map(|(slot, distance)| self.neighbor(*slot, *distance)));
            });
        });
        found
    }

    /// Hands how far the vectors in these slots are to `visit`, some at a time.
    fn compare(&self, query: &[f32], slots: &[u32], scratch: &mut Scratch, mut visit: impl FnMut(&[u32], &[f32])) {
        self.exact.prepare(query, &mut scratch.comparing);
        let mut distances = [0.0; BLOCK];
        for slots in slots.chunks(BLOCK) {
            let distances = &mut distances[..slots.len()];
            self.exact.distances(query, &mut scratch.comparing, slots, distances);
            visit(slots, distances);
        }
    }

    /// What is in a slot, so far from a query.
    pub(super) fn neighbor(&self, slot: u32, distance: f32) -> Option<Neighbor> {
        self.ids.id(slot).map(|id| Neighbor { id, distance })
    }
}
