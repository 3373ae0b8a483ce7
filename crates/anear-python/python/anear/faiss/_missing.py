"""Vectors with numbers missing: metrics that leave out what is NaN, and an exact index by them.

The engine takes no NaN, so this compares in NumPy, some queries and vectors at a time: many times slower than other metrics.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from ._arrays import Codes, Floats, Ids, UInt8Vector
from ._constants import METRIC_GOWER, METRIC_NaNEuclidean
from ._index import IndexFlat, Range, as_range
from ._params import SearchParameters
from ._selectors import IDSelector

# Differences of components that are in memory at once: some MiB.
BLOCK = 1 << 20

# Queries whose distances to all vectors are in memory at once.
QUERIES = 64


def nan_euclidean(x: Floats, y: Floats) -> Floats:
    """Squared distances over the components that neither misses, scaled up to all; NaN where there are none."""
    gaps = x[:, None] - y[None]
    present = ~np.isnan(gaps)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled: Floats = np.nansum(gaps * gaps, axis=-1) * np.float32(x.shape[1]) / present.sum(axis=-1)
    return scaled


def gower(x: Floats, y: Floats) -> Floats:
    """The mean gap of the components that neither misses; NaN where there are none, or some do not go together.

    Numbers from 0 to 1 differ by their difference; below 0 they are categories, which differ by 1 or not at all.
    """
    one, other = np.broadcast_arrays(x[:, None], y[None])
    with np.errstate(invalid="ignore", divide="ignore"):
        gaps = np.where(one < 0, (one != other).astype(np.float32), np.abs(one - other))
        present = ~(np.isnan(one) | np.isnan(other))
        wrong = present & (((one < 0) != (other < 0)) | (one > 1) | (other > 1))
        gaps = np.where(present, np.where(wrong, np.nan, gaps), 0)
        mean: Floats = gaps.sum(axis=-1) / present.sum(axis=-1)
    return mean


# `IxFl`: width, vectors, two numbers without meaning, whether trained, metric, its argument, numbers.
_HEAD = struct.Struct("<4siqqq?ifQ")

METRICS = {METRIC_NaNEuclidean: nan_euclidean, METRIC_GOWER: gower}


def pairwise(x: Floats, y: Floats, metric: int) -> Floats:
    """The distance of each row of `x` to each row of `y`."""
    out = np.empty((len(x), len(y)), np.float32)
    for i, j in _blocks(len(x), len(y), x.shape[1]):
        out[i, j] = METRICS[metric](x[i], y[j])
    return out


def _blocks(queries: int, vectors: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Parts of queries with parts of vectors, small enough to be compared at once."""
    across = max(1, min(vectors, BLOCK // max(1, width)))
    down = max(1, BLOCK // (across * max(1, width)))
    for i in range(0, queries, down):
        for j in range(0, vectors, across):
            yield slice(i, i + down), slice(j, j + across)


class IndexFlatMissing(IndexFlat):
    """An exact index of vectors that may have NaN; `IndexFlat` makes it for `METRIC_NaNEuclidean` and `METRIC_GOWER`.

    >>> import numpy as np
    >>> index = IndexFlat(2, METRIC_NaNEuclidean)
    >>> index.add(np.array([[np.nan, 1.0], [3.0, 3.0]], np.float32))
    >>> index.search(np.array([[0.0, 2.0]], np.float32), 2)
    (array([[ 2., 10.]], dtype=float32), array([[0, 1]]))
    """

    _vectors: Floats

    @property
    def metric(self) -> str:
        """The metric's name in Faiss; anear's engine has none for it."""
        return METRICS[self.metric_type].__name__

    @property
    def codes(self) -> UInt8Vector:
        """A copy of all vectors, as bytes."""
        return UInt8Vector(self._encode(self._vectors))

    def _check_metric(self) -> None:
        """Both are known here."""

    def _start(self) -> None:
        self._vectors = np.empty((0, self.d), np.float32)

    def _count(self) -> int:
        return len(self._vectors)

    def _train(self, x: Floats) -> None:
        """Nothing to learn."""

    def _add(self, x: Floats) -> None:
        self._vectors = np.vstack([self._vectors, x])

    def _kept(self, params: SearchParameters | None) -> Ids:
        ids = self._own_ids()
        return ids if params is None or params.sel is None else ids[params.sel._over(lambda: ids).mask(ids)]

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        kept, k = self._kept(params), labels.shape[1]
        labels.fill(-1)
        distances.fill(np.finfo(np.float32).max)
        for part, values in self._compared(x, kept):
            # What cannot be compared comes last, NaN as numpy sorts it.
            order = np.argsort(values, axis=1, kind="stable")[:, :k]
            values = np.take_along_axis(values, order, 1)
            near = ~np.isnan(values) & (values < np.finfo(np.float32).max)
            width = order.shape[1]
            distances[part, :width] = np.where(near, values, distances[part, :width])
            labels[part, :width] = np.where(near, kept[order], -1)

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        kept = self._kept(params)
        found = []
        for _, values in self._compared(x, kept):
            found += [(kept[row < radius], row[row < radius]) for row in values]
        return as_range(found)

    def _compared(self, x: Floats, kept: Ids) -> Iterator[tuple[slice, Floats]]:
        """The distances of a few queries to the vectors at these positions, and which queries those are."""
        vectors = self._vectors[kept]
        for start in range(0, len(x), QUERIES):
            part = slice(start, start + QUERIES)
            yield part, pairwise(x[part], vectors, self.metric_type)

    def _reconstruct(self, ids: Ids) -> Floats:
        wrong = (ids < 0) | (ids >= self.ntotal)
        if wrong.any():
            raise RuntimeError(f"there is no vector {ids[wrong][0]}; the index holds {self.ntotal}")
        return self._vectors[ids]

    def _remove(self, selector: IDSelector) -> int:
        ids = self._own_ids()
        doomed = selector._over(lambda: ids).mask(ids)
        self._vectors = self._vectors[~doomed]
        return int(doomed.sum())

    def _reset(self) -> None:
        self._start()

    def _merge(self, other: Any, add_id: int) -> None:
        if add_id or self is other:
            raise RuntimeError("ids are positions: merge another index, and leave add_id at 0")
        self._add(other._vectors)
        other.reset()

    def _encode(self, x: Floats) -> Codes:
        return np.ascontiguousarray(x).view(np.uint8).reshape(len(x), self.code_size)

    def _decode(self, codes: Codes) -> Floats:
        return np.ascontiguousarray(codes).view(np.float32)

    @property
    def _live(self) -> Any:
        raise RuntimeError(f"the metric {self.metric} works in an index of its own only, and in ids and shards around it")

    def _to_faiss(self, beside_lists: bool = False) -> Codes:
        head = _HEAD.pack(b"IxFl", self.d, self.ntotal, 1 << 20, 1 << 20, True, self.metric_type, 0.0, self._vectors.size)
        return np.frombuffer(head + self._vectors.tobytes(), np.uint8)


def first_of_missing(data: Codes) -> tuple[IndexFlatMissing, int] | None:
    """The index that a file begins with and its bytes, if it is one by these metrics.

    Raises:
        RuntimeError: the file is cut, or contradicts itself.
    """
    if len(data) < _HEAD.size:
        return None
    code, d, ntotal, _, _, is_trained, metric, _, words = _HEAD.unpack(data[: _HEAD.size].tobytes())
    if code != b"IxFl" or metric not in METRICS:
        return None
    length = _HEAD.size + 4 * words
    if not (0 < d <= 1 << 20 and is_trained and ntotal * d == words and length <= len(data)):
        raise RuntimeError(f"not a sound Faiss index: {ntotal} vectors of dimension {d} in {len(data)} bytes")
    index = IndexFlat(d, metric)
    assert isinstance(index, IndexFlatMissing), "it is made for the metric"
    index._vectors = data[_HEAD.size : length].view("<f4").reshape(ntotal, d).astype(np.float32)
    return index, length
