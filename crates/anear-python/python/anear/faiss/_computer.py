"""Distances between one query and vectors of one's choice."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np

from ._arrays import Floats, pointed
from ._functions import pairwise_distances


class DistanceComputer:
    """Compares a query with the vectors of an index, as they are given back."""

    def __init__(self, index: Any) -> None:
        """For the vectors of `index`; see `set_query`."""
        self._of = index
        self._query: Floats = np.zeros(index.d, np.float32)

    def set_query(self, x: Any) -> None:
        """Compares with a copy of this vector from now on."""
        self._query = pointed(x, self._of.d, np.float32).copy()

    def __call__(self, i: SupportsIndex) -> float:
        """The distance of the query to vector `i`."""
        return self._between(self._query, self._of.reconstruct(i))

    def symmetric_dis(self, i: SupportsIndex, j: SupportsIndex) -> float:
        """The distance of vector `i` to vector `j`."""
        return self._between(self._of.reconstruct(i), self._of.reconstruct(j))

    def distances_batch_4(
        self,
        idx0: SupportsIndex,
        idx1: SupportsIndex,
        idx2: SupportsIndex,
        idx3: SupportsIndex,
        dis0: Any,
        dis1: Any,
        dis2: Any,
        dis3: Any,
    ) -> None:
        """Writes the distances of the query to four vectors."""
        pairs = zip((idx0, idx1, idx2, idx3), (dis0, dis1, dis2, dis3), strict=True)
        for key, out in pairs:
            pointed(out, 1, np.float32)[0] = self(operator.index(key))

    def _between(self, x: Floats, y: Floats) -> float:
        metric, argument = self._of.metric_type, self._of.metric_arg
        return float(pairwise_distances(x[None], y[None], metric, argument)[0, 0])
