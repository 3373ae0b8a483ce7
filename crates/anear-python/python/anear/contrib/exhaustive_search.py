"""Exact answers over vectors that come in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..faiss._constants import METRIC_L2, is_similarity_metric
from ..faiss._functions import ResultHeap
from ..faiss._index import IndexFlat

Array = npt.NDArray[Any]


def knn_ground_truth(
    xq: Any, db_iterator: Iterable[Any], k: int, metric_type: int = METRIC_L2, shard: bool = False, ngpu: int = -1
) -> tuple[Array, Array]:
    """Distances and ids of the `k` nearest to each query, among vectors that an iterator gives piece by piece."""
    queries = np.ascontiguousarray(xq, dtype=np.float32)
    heap = ResultHeap(len(queries), k, keep_max=is_similarity_metric(metric_type))
    start = 0
    for piece in db_iterator:
        index = IndexFlat(queries.shape[1], metric_type)
        index.add(piece)
        distances, labels = index.search(queries, k)
        labels[labels >= 0] += start
        heap.add_result(distances, labels)
        start += len(piece)
    heap.finalize()
    return heap.D, heap.I


def range_ground_truth(
    xq: Any,
    db_iterator: Iterable[Any],
    threshold: float,
    metric_type: int = METRIC_L2,
    shard: bool = False,
    ngpu: int = -1,
) -> tuple[Array, Array, Array]:
    """All within a radius of each query, among vectors that an iterator gives piece by piece."""
    queries = np.ascontiguousarray(xq, dtype=np.float32)
    distances: list[list[Array]] = [[] for _ in queries]
    ids: list[list[Array]] = [[] for _ in queries]
    start = 0
    for piece in db_iterator:
        index = IndexFlat(queries.shape[1], metric_type)
        index.add(piece)
        lims, found, labels = index.range_search(queries, threshold)
        bounds = lims.astype(np.int64)
        for row, (first, last) in enumerate(zip(bounds, bounds[1:], strict=False)):
            distances[row].append(found[first:last])
            ids[row].append(labels[first:last] + start)
        start += len(piece)
    sizes = [sum(len(part) for part in parts) for parts in ids]
    lims = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint64)
    flat_distances = np.concatenate([np.empty(0, np.float32), *(part for parts in distances for part in parts)])
    return lims, flat_distances, np.concatenate([np.empty(0, np.int64), *(part for parts in ids for part in parts)])


def _is_within(dis: Array, thresh: float, keep_max: bool) -> Array:
    return dis > thresh if keep_max else dis < thresh


def threshold_radius_nres(
    nres: Any, dis: Any, ids: Any, thresh: float, keep_max: bool = False
) -> tuple[Array, Array, Array]:
    """Those results within a smaller radius; `nres` says how many each query has."""
    keep = _is_within(np.asarray(dis), thresh, keep_max)
    kept = np.concatenate([[0], np.cumsum(keep)])
    lims = np.concatenate([[0], np.cumsum(np.asarray(nres).astype(np.int64))])
    return np.diff(kept[lims]).astype(np.asarray(nres).dtype), np.asarray(dis)[keep], np.asarray(ids)[keep]


def threshold_radius(
    lims: Any, dis: Any, ids: Any, thresh: float, keep_max: bool = False
) -> tuple[Array, Array, Array]:
    """Those results within a smaller radius; `lims` says where each query's begin."""
    bounds = np.asarray(lims)
    nres, distances, labels = threshold_radius_nres(np.diff(bounds.astype(np.int64)), dis, ids, thresh, keep_max)
    return np.concatenate([[0], np.cumsum(nres)]).astype(bounds.dtype), distances, labels


def apply_maxres(res_batches: list[Any], target_nres: int, keep_max: bool = False) -> tuple[float, int]:
    """Cuts batches of (counts, distances, ids), in place, to a radius with about `target_nres` results; returns both."""
    distances = np.concatenate([batch[1] for batch in res_batches])
    assert len(distances) > target_nres, f"there are only {len(distances)} results"
    ordered = np.sort(distances)
    radius = float(ordered[-target_nres - 1] if keep_max else ordered[target_nres])
    total = 0
    for at, (nres, dis, ids) in enumerate(res_batches):
        res_batches[at] = threshold_radius_nres(nres, dis, ids, radius, keep_max)
        total += len(res_batches[at][1])
    return radius, total


def range_search_max_results(
    index: Any,
    query_iterator: Iterable[Any],
    radius: float,
    max_results: int | None = None,
    min_results: int | None = None,
    shard: bool = False,
    ngpu: int = 0,
    clip_to_min: bool = False,
) -> tuple[float, Array, Array, Array]:
    """Range search for queries that come in batches; once there are too many results, the radius becomes smaller."""
    if max_results is not None and min_results is None:
        min_results = int(0.8 * max_results)
    keep_max = is_similarity_metric(index.metric_type)
    batches: list[Any] = []
    total = 0
    for queries in query_iterator:
        lims, dis, ids = index.range_search(queries, radius)
        batches.append((np.diff(lims.astype(np.int64)), dis, ids))
        total += len(dis)
        if max_results is not None and min_results is not None and total > max_results:
            radius, total = apply_maxres(batches, min_results, keep_max)
    if clip_to_min and min_results is not None and total > min_results:
        radius, total = apply_maxres(batches, min_results, keep_max)
    nres = np.concatenate([np.empty(0, np.int64), *(batch[0] for batch in batches)])
    distances = np.concatenate([np.empty(0, np.float32), *(batch[1] for batch in batches)])
    labels = np.concatenate([np.empty(0, np.int64), *(batch[2] for batch in batches)])
    return radius, np.concatenate([[0], np.cumsum(nres)]).astype(np.uint64), distances, labels


def exponential_query_iterator(xq: Any, start_bs: int = 32, max_bs: int = 20000) -> Iterator[Any]:
    """Queries in batches, each twice as large as the one before."""
    start, size = 0, start_bs
    while start < len(xq):
        yield xq[start : start + size]
        start += size
        size = min(2 * size, max_bs)
