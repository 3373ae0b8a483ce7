//! Many queries against many rows: a register-tiled product as a filter, canonical distances for what passes.
//!
//! Queries are transposed into panels as wide as a tile. Rows are taken in blocks that stay in L2 while every panel
//! passes over them; a tile never leaves the registers but for one bit per pair: near enough to be measured, or not.
//!
//! What is multiplied are the vectors or images of them, which are shorter (`byte_rows/sketched.rs`); what is measured are
//! the vectors.

use std::ops::Range;

use crate::{
    bitmap::{low_bits, ones},
    bounds::Margin,
    byte_rows::sketched::{Drift, Probe},
    kernels::Kernels,
    metric::Metric,
    nearest::transpose,
    product::{Bounds, Product},
    rows::Rows,
    select::{Neighbor, TopK},
    selector::IdSelector,
};

/// [`scan`](crate::scan) for every query, with the same answers to the bit, at a fraction of the time.
///
/// `tops[i]` belongs to query `i`. Only L2, inner product and cosine have a product form; others gain nothing.
///
/// # Panics
/// If `tops` are not as many as `queries`, or the dimensions differ.
pub fn scan_batch(
    metric: Metric,
    queries: Rows<'_>,
    rows: Rows<'_>,
    first_id: u64,
    keep: &IdSelector<'_>,
    tops: &mut [TopK],
) {
    Kernels::get().scan_batch(metric, queries, rows, first_id, keep, tops);
}

/// [`scan_batch`] for rows that have ids of their own: row `i` has the id `ids[i]`.
///
/// # Panics
/// If `tops` are not as many as `queries` or `ids` not as many as `rows`, or the dimensions differ.
pub fn scan_batch_listed(
    metric: Metric,
    queries: Rows<'_>,
    rows: Rows<'_>,
    ids: &[u64],
    keep: &IdSelector<'_>,
    tops: &mut [TopK],
) {
    Kernels::get().scan_batch_listed(metric, queries, rows, ids, keep, tops);
}

/// [`scan_batch`] for the rows at the positions of `list` alone, each with the id `id_of(position)`.
///
/// # Panics
/// If `tops` are not as many as `queries`, the dimensions differ, or there is no such row.
pub fn scan_batch_at(
    metric: Metric,
    queries: Rows<'_>,
    rows: Rows<'_>,
    list: &[u32],
    id_of: impl Fn(u32) -> u64,
    tops: &mut [TopK],
) {
    Kernels::get().scan_batch_at(metric, queries, rows, list, id_of, tops);
}

// A panel costs the same however few queries are in it; 3 took as long as 3 scans, 4 took 0.7 of 4 (bench `scan`'s data).
const QUERIES_MIN: usize = 4;

// Rows compared with one query per call of a kernel: enough to make the call free. Not tuned.
const RUN: usize = 64;

// A block of rows takes a quarter of a small L2 (1 MiB); the panel that passes over it streams. Reasoned, not
// tuned: bench `scan` can compare other sizes.
const BLOCK_BYTES: usize = 256 << 10;

// Panels of one pass over the rows: a share of L3. Reasoned, not tuned: a batch of bench `scan` fits one pass.
const PANELS_BYTES: usize = 8 << 20;

// Tiles of rows for each neighbor wanted that are compared twice, first for a limit: that limit spares more pairs, each
// measured and sorted in, than these cost. Reasoned, not tuned.
const LIMIT_TILES: usize = 2;

impl Kernels {
    /// As [`scan_batch`], on this instruction set.
    pub fn scan_batch(
        &self,
        metric: Metric,
        queries: Rows<'_>,
        rows: Rows<'_>,
        first_id: u64,
        keep: &IdSelector<'_>,
        tops: &mut [TopK],
    ) {
        check(queries, rows, tops);
        match self.batch(metric, queries) {
            Some(batch) => {
                batch.scan_all(&Queries::of(queries), tops, || {
                    let ids = keep.matches_in(first_id..first_id + rows.len() as u64);
                    ids.map(|id| Candidate::of(id, rows.row((id - first_id) as usize)))
                });
            }
            None => {
                for (query, top) in queries.iter().zip(tops) {
                    self.scan(metric, query, rows, first_id, keep, top);
                }
            }
        }
    }

    /// As [`scan_batch_listed`], on this instruction set.
    pub fn scan_batch_listed(
        &self,
        metric: Metric,
        queries: Rows<'_>,
        rows: Rows<'_>,
        ids: &[u64],
        keep: &IdSelector<'_>,
        tops: &mut [TopK],
    ) {
        check(queries, rows, tops);
        assert_eq!(rows.len(), ids.len(), "one id per row");
        match self.batch(metric, queries) {
            Some(batch) => {
                batch.scan_all(&Queries::of(queries), tops, || {
                    let kept = ids.iter().zip(rows).filter(|(id, _)| keep.contains(**id));
                    kept.map(|(&id, row)| Candidate::of(id, row))
                });
            }
            None => {
                for (query, top) in queries.iter().zip(tops) {
                    self.scan_listed(metric, query, rows, ids, keep, top);
                }
            }
        }
    }

    /// As [`scan_batch_at`], on this instruction set.
    pub fn scan_batch_at(
        &self,
        metric: Metric,
        queries: Rows<'_>,
        rows: Rows<'_>,
        list: &[u32],
        id_of: impl Fn(u32) -> u64,
        tops: &mut [TopK],
    ) {
        check(queries, rows, tops);
        match self.batch(metric, queries) {
            Some(batch) => {
                batch.scan_all(&Queries::of(queries), tops, || {
                    let candidate = |&at: &u32| Candidate::of(id_of(at), rows.row(at as usize));
                    list.iter().map(candidate)
                });
            }
            None => {
                for (query, top) in queries.iter().zip(tops) {
                    self.scan_at(metric, query, rows, list, &id_of, top);
                }
            }
        }
    }

    fn scan_at(
        &self,
        metric: Metric,
        query: &[f32],
        rows: Rows<'_>,
        list: &[u32],
        id_of: impl Fn(u32) -> u64,
        top: &mut TopK,
    ) {
        let (mut positions, mut distances) = ([0; RUN], [0.0; RUN]);
        for list in list.chunks(RUN) {
            let distances = &mut distances[..list.len()];
            if list.is_sorted_by(|a, b| a.checked_add(1) == Some(*b)) {
                let first = list[0] as usize;
                self.distances(metric, query, rows.slice(first..first + list.len()), distances);
            } else {
                let positions = &mut positions[..list.len()];
                positions.iter_mut().zip(list).for_each(|(to, at)| *to = *at as usize);
                self.distances_at(metric, query, rows, positions, distances);
            }
            top.push_block(distances, |i| id_of(list[i]));
        }
    }

    fn scan_listed(
        &self,
        metric: Metric,
        query: &[f32],
        rows: Rows<'_>,
        ids: &[u64],
        keep: &IdSelector<'_>,
        top: &mut TopK,
    ) {
        let mut distances = [0.0; RUN];
        for (start, ids) in (0..).step_by(RUN).zip(ids.chunks(RUN)) {
            let distances = &mut distances[..ids.len()];
            self.distances(metric, query, rows.slice(start..start + ids.len()), distances);
            for (&id, &distance) in ids.iter().zip(&*distances) {
                if distance <= top.threshold() && keep.contains(id) {
                    top.push(Neighbor { id, distance });
                }
            }
        }
    }

    /// How to compare these queries at once, where that is possible and pays.
    fn batch(&self, metric: Metric, queries: Rows<'_>) -> Option<Batch<'_>> {
        Some(Batch {
            kernels: self,
            product: self.product.as_ref().filter(|_| queries.len() >= QUERIES_MIN)?,
            margin: Margin::new(metric, queries.dim())?,
            metric,
            drift: None,
        })
    }
}

fn check(queries: Rows<'_>, rows: Rows<'_>, tops: &[TopK]) {
    assert_eq!(queries.len(), tops.len(), "one top-k per query");
    assert_eq!(
        queries.dim(),
        rows.dim(),
        "the queries must have the dimension of the rows"
    );
}

/// What stays the same while a batch is worked off.
pub(crate) struct Batch<'a> {
    pub(crate) kernels: &'a Kernels,
    pub(crate) product: &'a Product,
    /// Of products of images.
    pub(crate) margin: Margin,
    pub(crate) metric: Metric,
    /// Where images are rounded sketches: what they hide.
    pub(crate) drift: Option<&'a Drift>,
}

/// Queries, and what is multiplied in their place.
pub(crate) struct Queries<'a> {
    pub(crate) vectors: Rows<'a>,
    pub(crate) images: Rows<'a>,
    /// Of queries that are compared by their sketches.
    pub(crate) probes: Option<&'a [Probe]>,
}

impl<'a> Queries<'a> {
    fn of(vectors: Rows<'a>) -> Self {
        Self {
            vectors,
            images: vectors,
            probes: None,
        }
    }

    fn slice(&self, range: Range<usize>) -> Self {
        Self {
            vectors: self.vectors.slice(range.clone()),
            images: self.images.slice(range.clone()),
            probes: self.probes.map(|probes| &probes[range]),
        }
    }
}

/// A row, and what is multiplied in its place.
pub(crate) struct Candidate<'r> {
    pub(crate) id: u64,
    pub(crate) vector: &'r [f32],
    pub(crate) image: &'r [f32],
}

impl<'r> Candidate<'r> {
    fn of(id: u64, vector: &'r [f32]) -> Self {
        Self {
            id,
            vector,
            image: vector,
        }
    }
}

impl Batch<'_> {
    /// Compares all queries with all candidates, as many queries in each pass as stay in the cache. Returns how many pairs
    /// had to be measured.
    pub(crate) fn scan_all<'r, C: Iterator<Item = Candidate<'r>>>(
        &self,
        queries: &Queries<'_>,
        tops: &mut [TopK],
        candidates: impl Fn() -> C,
    ) -> usize {
        let panels = PANELS_BYTES / (self.product.queries * queries.images.dim() * size_of::<f32>());
        let pass = panels.max(1) * self.product.queries;
        let passes = (0..).step_by(pass).zip(tops.chunks_mut(pass));
        let scan = |(start, tops): (usize, &mut [TopK])| {
            self.scan(&queries.slice(start..start + tops.len()), candidates(), tops)
        };
        passes.map(scan).sum()
    }

    fn scan<'r>(
        &self,
        queries: &Queries<'_>,
        candidates: impl Iterator<Item = Candidate<'r>>,
        tops: &mut [TopK],
    ) -> usize {
        let width = self.product.queries;
        let mut panels: Vec<_> = (0..tops.len())
            .step_by(width)
            .zip(tops.chunks_mut(width))
            .map(|(start, tops)| self.panel(&queries.slice(start..start + tops.len()), tops))
            .collect();
        let mut block = Block::default();
        let block_len = (BLOCK_BYTES / (queries.images.dim() * size_of::<f32>()))
            .max(1)
            .next_multiple_of(self.product.rows);
        for candidate in candidates {
            self.add(&mut block, &candidate);
            if block.ids.len() == block_len {
                self.pass_all(&mut panels, &block);
                block.clear();
            }
        }
        if let Some(&last) = block.images.last() {
            let full = block.images.len().next_multiple_of(self.product.rows);
            block.images.resize(full, last);
            block.weights.resize(full, 0.0);
            self.pass_all(&mut panels, &block);
        }
        panels.iter().map(|panel| panel.measured).sum()
    }

    fn pass_all(&self, panels: &mut [Panel<'_>], block: &Block<'_>) {
        for panel in panels {
            // A query without any bound so far, which can have one: not by the cosine of vectors, and not of NaN.
            if panel.offset.contains(&f32::NEG_INFINITY) {
                self.limit(panel, block);
            }
            self.pass(panel, block);
        }
    }

    fn add<'r>(&self, block: &mut Block<'r>, candidate: &Candidate<'r>) {
        let squared_norm = self.kernels.squared_norm(candidate.image);
        block.ids.push(candidate.id);
        block.vectors.push(candidate.vector);
        block.images.push(candidate.image);
        block.weights.push(self.margin.weight(squared_norm));
        // A row whose norm is NaN proves nothing, and counts for nothing.
        block.largest = block.largest.max(squared_norm);
    }

    fn panel<'q>(&self, queries: &Queries<'q>, tops: &'q mut [TopK]) -> Panel<'q> {
        let (width, len, dim) = (self.product.queries, tops.len(), queries.images.dim());
        let mut columns = vec![0.0; dim * width];
        transpose(queries.images, width, &mut columns);
        let norms = queries.images.iter().map(|image| self.kernels.squared_norm(image));
        let mut panel = Panel {
            queries: queries.vectors,
            tops,
            columns,
            norms: norms.collect(),
            probes: queries.probes,
            limits: vec![f32::INFINITY; len],
            slope: vec![0.0; width],
            offset: vec![0.0; width],
            measured: 0,
        };
        (0..len).for_each(|q| self.tighten(&mut panel, q));
        panel
    }

    /// Adapts the bound of query `q` to its threshold.
    fn tighten(&self, panel: &mut Panel<'_>, q: usize) {
        let threshold = panel.tops[q].threshold().min(panel.limits[q]);
        let threshold = match (self.drift, panel.probes) {
            (Some(drift), Some(probes)) => drift.raised_by_rounding(self.metric, &probes[q], threshold),
            _ => threshold,
        };
        (panel.slope[q], panel.offset[q]) = self.margin.query(panel.norms[q], threshold);
    }

    /// Limits the queries of a panel to what the rows of a block prove: each tile of rows has one as near as the least of
    /// its fused values says, so that the `k` nearest are within the `k`-th of these. Where the values are those of images,
    /// they only say which tiles to measure.
    ///
    /// Otherwise all that comes before the threshold has settled would have to be measured.
    fn limit(&self, panel: &mut Panel<'_>, block: &Block<'_>) {
        let (size, width) = (self.product.rows, self.product.queries);
        let tiles = LIMIT_TILES.saturating_mul(panel.tops.iter().map(TopK::k).max().unwrap_or(0));
        // The last rows of the last block repeat, and count for nothing.
        if tiles > block.ids.len() / size {
            return;
        }
        let weights = &block.weights[..tiles * size];
        let weights: Vec<f32> = weights.iter().map(|weight| self.margin.fused_weight(*weight)).collect();
        let mut least = vec![0.0; tiles * width];
        let of_tiles = block.images.chunks_exact(size).zip(weights.chunks_exact(size));
        for ((rows, weights), least) in of_tiles.zip(least.chunks_exact_mut(width)) {
            // SAFETY: `Kernels::for_isa` hands out a table only where its instruction set is available.
            unsafe { (self.product.least)(&panel.columns, rows, weights, least) };
        }
        let mut values = Vec::with_capacity(tiles);
        for q in 0..panel.queries.len() {
            let k = panel.tops[q].k();
            if k == 0 {
                continue;
            }
            values.clear();
            values.extend(least.chunks_exact(width).map(|least| least[q]).zip(0..));
            let (nearer, value, _) = values.select_nth_unstable_by(k - 1, |(a, _), (b, _)| a.total_cmp(b));
            let limit = match self.drift {
                Some(_) => {
                    panel.measured += k * size;
                    let tiles = nearer.iter().chain([&*value]).map(|(_, tile)| *tile);
                    self.limit_of(panel.queries.row(q), k, tiles, block)
                }
                None => self.margin.at_most(panel.norms[q], block.largest, value.0),
            };
            panel.limits[q] = limit.min(panel.limits[q]);
            self.tighten(panel, q);
        }
    }

    /// The `k`-th nearest of the rows of some tiles.
    fn limit_of(&self, query: &[f32], k: usize, tiles: impl Iterator<Item = usize>, block: &Block<'_>) -> f32 {
        let size = self.product.rows;
        let rows = tiles.flat_map(|tile| &block.vectors[tile * size..(tile + 1) * size]);
        let distance = |row: &&[f32]| self.kernels.distance_or_infinity(self.metric, query, row);
        let mut distances: Vec<f32> = rows.map(distance).collect();
        *distances.select_nth_unstable_by(k - 1, f32::total_cmp).1
    }

    /// Compares every query of the panel with every row of the block.
    fn pass(&self, panel: &mut Panel<'_>, block: &Block<'_>) {
        let size = self.product.rows;
        let queries = low_bits(panel.queries.len());
        for (start, rows) in (0..).step_by(size).zip(block.images.chunks_exact(size)) {
            let bounds = Bounds {
                slope: &panel.slope,
                offset: &panel.offset,
                weight: &block.weights[start..],
            };
            // SAFETY: `Kernels::for_isa` hands out a table only where its instruction set is available.
            let tile = unsafe { (self.product.tile)(&panel.columns, rows, &bounds) };
            // The last rows of the last block repeat, and have no id.
            for ((&passing, &id), row) in tile.iter().zip(&block.ids[start..]).zip(&block.vectors[start..]) {
                ones(u64::from(passing) & queries).for_each(|q| self.measure(panel, q, id, row));
            }
        }
    }

    fn measure(&self, panel: &mut Panel<'_>, q: usize, id: u64, row: &[f32]) {
        let distance = self.kernels.distance(self.metric, panel.queries.row(q), row);
        panel.measured += 1;
        if distance <= panel.tops[q].threshold() {
            panel.tops[q].push(Neighbor { id, distance });
            self.tighten(panel, q);
        }
    }
}

/// As many queries as a tile is wide, transposed.
struct Panel<'q> {
    queries: Rows<'q>,
    probes: Option<&'q [Probe]>,
    tops: &'q mut [TopK],
    columns: Vec<f32>,
    norms: Vec<f32>,
    /// No neighbor among the `k` nearest is beyond this.
    limits: Vec<f32>,
    slope: Vec<f32>,
    offset: Vec<f32>,
    measured: usize,
}

/// Accepted rows that are in the cache together.
#[derive(Default)]
struct Block<'r> {
    ids: Vec<u64>,
    vectors: Vec<&'r [f32]>,
    /// What is multiplied in their place; the last one repeats where a tile is not full.
    images: Vec<&'r [f32]>,
    weights: Vec<f32>,
    /// The largest squared norm of a row.
    largest: f32,
}

impl Block<'_> {
    fn clear(&mut self) {
        self.ids.clear();
        self.vectors.clear();
        self.images.clear();
        self.weights.clear();
        self.largest = 0.0;
    }
}
