//! How a flat index is searched: scanned tile by tile, by a preview where there is one.

use std::ops::Range;
use std::slice;
use std::sync::Arc;

use anear_kernels::{IdSelector, Neighbor, Rows, TopK};
use anear_pool::Pool;
use anear_quant::CodeRun;

use super::Flat;
use super::preview::{Preview, Rounded};
use crate::tiles::{Tile, on_pool, over_tiles, tiling};
use crate::{Neighbors, RangeRequest, SearchRequest, VectorIndex as _};

/// Pushes the nearest of each query, with `first_id` added to the positions.
pub(super) fn nearest(index: &Flat, queries: Rows<'_>, request: &SearchRequest<'_>, first_id: u64, tops: &mut [TopK]) {
    let tiles = tiles(index, queries.len(), request.pool);
    let preview = Preview::of(index, queries.len(), &request.selector, request.pool);
    let preview = preview.as_ref();
    let positions_are_ids = first_id == 0 || matches!(request.selector, IdSelector::All);
    if tiles.len() <= 1 && positions_are_ids {
        let run = CodeRun {
            first_id,
            ..CodeRun::all(&index.codes)
        };
        let measured = scan(index, preview, queries, &run, &request.selector, tops);
        weigh(index, preview, queries.len(), measured);
        return;
    }
    let most = request.k.min(index.len());
    let measured = over_tiles(request.pool, &tiles, tops, most, first_id, |tile, tops| {
        let run = run(index, &tile.vectors);
        scan(
            index,
            preview,
            queries.slice(tile.queries.clone()),
            &run,
            &request.selector,
            tops,
        )
    });
    weigh(index, preview, queries.len(), measured.iter().sum());
}

/// Everything strictly within the radius, by ascending position.
pub(super) fn within(index: &Flat, queries: Rows<'_>, request: &RangeRequest<'_>) -> Neighbors {
    let tiles = tiles(index, queries.len(), request.pool);
    let preview = Preview::of(index, queries.len(), &request.selector, request.pool);
    let preview = preview.as_ref();
    let found = on_pool(request.pool, tiles.len(), |i| {
        let Tile {
            queries: range,
            vectors,
        } = &tiles[i];
        let run = run(index, vectors);
        let within = |query| scan_range(index, preview, query, &run, request);
        queries.slice(range.clone()).iter().map(within).collect::<Vec<_>>()
    });
    let (mut rows, mut measured) = (vec![Vec::new(); queries.len()], 0);
    for (tile, found) in tiles.iter().zip(found) {
        for (row, (found, more)) in rows[tile.queries.clone()].iter_mut().zip(found) {
            row.extend(found);
            measured += more;
        }
    }
    weigh(index, preview, queries.len(), measured);
    rows.into_iter().collect()
}

/// [`Quantizer::scan`](anear_quant::Quantizer::scan), by a preview where there is one; how many vectors were measured.
fn scan(
    index: &Flat,
    preview: Option<&Arc<Rounded>>,
    queries: Rows<'_>,
    run: &CodeRun<'_>,
    keep: &IdSelector<'_>,
    tops: &mut [TopK],
) -> usize {
    let scan_all = |queries: Rows<'_>, tops: &mut [TopK]| {
        index.quantizer.scan(index.metric, queries, run, keep, tops);
        run.slots.len() * queries.len()
    };
    let Some((rounded, rows)) = preview.zip(index.rows()) else {
        return scan_all(queries, tops);
    };
    let runs = rounded.runs(rows, run.slots.clone(), run.first_id);
    if let Some(measured) = rounded.scan_batch(index.metric, queries, &runs, keep, tops) {
        return measured;
    }
    let scan = |(i, top): (usize, &mut TopK)| match rounded.query(index.metric, queries.row(i)) {
        Some(query) => query.scan(&runs, keep, top),
        None => scan_all(queries.slice(i..i + 1), slice::from_mut(top)),
    };
    tops.iter_mut().enumerate().map(scan).sum()
}

/// [`Quantizer::scan_range`](anear_quant::Quantizer::scan_range), by a preview where there is one; how many vectors were
/// measured.
fn scan_range(
    index: &Flat,
    preview: Option<&Arc<Rounded>>,
    query: &[f32],
    run: &CodeRun<'_>,
    request: &RangeRequest<'_>,
) -> (Vec<Neighbor>, usize) {
    let (keep, radius) = (&request.selector, request.radius);
    let rounded = preview.zip(index.rows());
    let prepared = rounded.and_then(|(rounded, rows)| Some((rounded.query(index.metric, query)?, rounded, rows)));
    let Some((query, rounded, rows)) = prepared else {
        let found = index.quantizer.scan_range(index.metric, query, run, keep, radius);
        return (found, run.slots.len());
    };
    let mut found = Vec::new();
    let runs = rounded.runs(rows, run.slots.clone(), run.first_id);
    let measured = query.scan_range(&runs, keep, radius, &mut found);
    (found, measured)
}

/// Tells a preview what it was good for.
fn weigh(index: &Flat, preview: Option<&Arc<Rounded>>, queries: usize, measured: usize) {
    if let Some(rounded) = preview {
        index.preview.weigh(rounded, index.codes.len(), queries, measured);
    }
}

/// These vectors under their positions.
fn run<'a>(index: &'a Flat, vectors: &Range<usize>) -> CodeRun<'a> {
    CodeRun {
        codes: &index.codes,
        slots: vectors.clone(),
        first_id: vectors.start as u64,
    }
}

fn tiles(index: &Flat, queries: usize, pool: Option<&Pool>) -> Vec<Tile> {
    let threads = pool.map_or(1, Pool::threads);
    tiling(queries, index.len(), index.dim(), threads)
}
