"""Several indexes searched as one: parts of the vectors, or copies of all of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, SupportsIndex, TypeVar

import numpy as np

from ._arrays import Floats, Ids, count, filled, id_array, matrix
from ._constants import METRIC_L2, is_similarity_metric
from ._functions import merge_knn_results
from ._index import Index
from ._selectors import SearchParameters

T = TypeVar("T")


class _Group(Index):
    """Indexes of one width and metric."""

    def __init__(self, d: int = 0, threaded: bool = False) -> None:
        self._describe(int(d), METRIC_L2, "", 0.0)
        self.threaded = threaded
        self._members: list[Index] = []

    def _join(self, index: Index) -> None:
        if not self._members:
            self.d, self.metric_type = self.d or index.d, index.metric_type
        if (index.d, index.metric_type) != (self.d, self.metric_type):
            raise RuntimeError(f"{index!r} has another dimension or metric than the others, {self.d}")
        self._members.append(index)

    def count(self) -> int:
        """How many indexes there are."""
        return len(self._members)

    def at(self, i: int) -> Index:
        """One of the indexes."""
        return self._members[i]

    @property
    def is_trained(self) -> bool:
        """Whether all of them are trained."""
        return all(index.is_trained for index in self._members)

    def train(self, x: Any, numeric_type: int = 0) -> None:
        """Trains each of them."""
        self._each(lambda index: index.train(x))

    def reset(self) -> None:
        """Removes everything."""
        self._each(lambda index: index.reset())

    def _each(self, call: Callable[[Index], T]) -> list[T]:
        if not self._members:
            raise RuntimeError(f"{type(self).__name__} has no index yet")
        if self.threaded and len(self._members) > 1:
            with ThreadPoolExecutor(len(self._members)) as threads:
                return list(threads.map(call, self._members))
        return [call(index) for index in self._members]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.count()} indexes, d={self.d}, ntotal={self.ntotal})"


class IndexShards(_Group):
    """Each index holds a part of the vectors."""

    def __init__(self, d: int = 0, threaded: bool = False, successive_ids: bool = True) -> None:
        super().__init__(d, threaded)
        self.successive_ids = successive_ids

    def add_shard(self, index: Index) -> None:
        """Adds an index and what it holds."""
        self._join(index)

    def remove_shard(self, index: Index) -> None:
        """Takes an index out."""
        self._members.remove(index)

    @property
    def ntotal(self) -> int:
        """How many vectors all of them hold."""
        return sum(index.ntotal for index in self._members)

    def add(self, x: Any, numeric_type: int = 0) -> None:
        """Deals vectors out, one run to each index."""
        x = matrix(x, self.d)
        if self.successive_ids:
            if self.ntotal:
                raise RuntimeError("ids follow on each other only if everything is added at once; use add_with_ids")
            self._deal(x, lambda index, part: index.add(x[part]))
        else:
            self.add_with_ids(x, np.arange(self.ntotal, self.ntotal + len(x)))

    def add_with_ids(self, x: Any, ids: Any, numeric_type: int = 0) -> None:
        """Deals vectors and their ids out, one run to each index."""
        if self.successive_ids:
            raise RuntimeError("ids are the caller's only with successive_ids=False")
        x = matrix(x, self.d)
        ids = id_array(ids, len(x))
        self._deal(x, lambda index, part: index.add_with_ids(x[part], ids[part]))

    def _deal(self, x: Floats, add: Callable[[Index, slice], None]) -> None:
        shares = np.linspace(0, len(x), self.count() + 1).astype(int)
        parts = {id(index): slice(a, b) for index, a, b in zip(self._members, shares, shares[1:], strict=False)}
        self._each(lambda index: add(index, parts[id(index)]))

    def search(
        self,
        x: Any,
        k: SupportsIndex,
        *,
        params: SearchParameters | None = None,
        D: Any = None,
        I: Any = None,
        numeric_type: int = 0,
    ) -> tuple[Floats, Ids]:
        """The best of what each index finds."""
        x, k = matrix(x, self.d), count(k)
        found = self._each(lambda index: index.search(x, k, params=params))
        distances = np.stack([distances for distances, _ in found])
        ids = np.stack([ids for _, ids in found])
        if self.successive_ids:
            before = np.cumsum([0, *(index.ntotal for index in self._members)])[:-1]
            ids = np.where(ids >= 0, ids + before[:, None, None], ids)
        merged = merge_knn_results(distances, ids, is_similarity_metric(self.metric_type))
        return filled(D, merged[0]), filled(I, merged[1])


class IndexReplicas(_Group):
    """Each index holds all vectors; queries are dealt out among them."""

    def add_replica(self, index: Index) -> None:
        """Adds an index, which holds what the others hold."""
        if self._members and index.ntotal != self.ntotal:
            raise RuntimeError(f"{index!r} holds {index.ntotal} vectors, the others {self.ntotal}")
        self._join(index)

    addIndex = add_replica

    def remove_replica(self, index: Index) -> None:
        """Takes an index out."""
        self._members.remove(index)

    @property
    def ntotal(self) -> int:
        """How many vectors each of them holds."""
        return self._members[0].ntotal if self._members else 0

    def add(self, x: Any, numeric_type: int = 0) -> None:
        """Adds vectors to each of them."""
        self._each(lambda index: index.add(x))

    def add_with_ids(self, x: Any, ids: Any, numeric_type: int = 0) -> None:
        """Adds vectors and their ids to each of them."""
        self._each(lambda index: index.add_with_ids(x, ids))

    def remove_ids(self, x: Any) -> int:
        """Removes ids from each of them; returns how many there were."""
        return self._each(lambda index: index.remove_ids(x))[0]

    def reconstruct(self, key: SupportsIndex, x: Any = None) -> Floats:
        """The vector with this id."""
        return self._members[0].reconstruct(key, x)

    def search(
        self,
        x: Any,
        k: SupportsIndex,
        *,
        params: SearchParameters | None = None,
        D: Any = None,
        I: Any = None,
        numeric_type: int = 0,
    ) -> tuple[Floats, Ids]:
        """What the indexes find, each for a run of the queries."""
        x, k = matrix(x, self.d), count(k)
        runs = {id(index): run for index, run in zip(self._members, np.array_split(x, self.count()), strict=True)}
        found = self._each(lambda index: index.search(runs[id(index)], k, params=params))
        distances, ids = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return filled(D, distances), filled(I, ids)
