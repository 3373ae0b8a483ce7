"""Several indexes as one: vectors spread over shards, queries spread over replicas; of numbers or of bits."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, SupportsIndex

import numpy as np

from ._arrays import Array, Ids, rows
from ._binary import IndexBinary
from ._clustering import ClusteringParameters
from ._index import Index, Range
from ._ivf import IndexIVF, train_level1
from ._params import SearchParameters
from ._selectors import IDSelector


class Many:
    """An index over several others, its parts."""

    d: int

    def __init__(self, d: Any = 0, threaded: bool = False) -> None:
        """No parts yet; with `threaded`, they work at the same time."""
        if isinstance(d, bool):
            d, threaded = 0, d
        super().__init__(operator.index(d) or self._no_width)  # type: ignore[call-arg]
        self.d = operator.index(d)
        self.threaded = bool(threaded)
        self._parts: list[Any] = []
        self.own_indices = False

    # What the class above is told while there is no part that says how wide vectors are.
    _no_width = 0

    @property
    def is_trained(self) -> bool:
        """Whether all parts are trained."""
        return all(part.is_trained for part in self._parts)

    def count(self) -> int:
        """How many parts there are."""
        return len(self._parts)

    def at(self, i: SupportsIndex) -> Any:
        """Part `i`."""
        return self._parts[operator.index(i)]

    def addIndex(self, index: Any) -> None:
        """Adds a part.

        Raises:
            RuntimeError: it is not like the others.
        """
        if self._parts or self.d:
            first = self._parts[0] if self._parts else index
            if index.d != (self.d or index.d) or index.metric_type != first.metric_type:
                raise RuntimeError(f"{index!r} is of another width or metric than {first!r}")
        self._become_like(index)
        self._parts.append(index)

    def removeIndex(self, index: Any) -> None:
        """Removes a part.

        Raises:
            RuntimeError: it is none.
        """
        kept = [part for part in self._parts if part is not index]
        if len(kept) == len(self._parts):
            raise RuntimeError(f"{index!r} is not a part of {self!r}")
        self._parts = kept

    def runOnIndex(self, f: Callable[[int, Any], None]) -> None:
        """Calls `f` with the number of each part and the part."""
        self._each(f)

    def syncWithSubIndexes(self) -> None:
        """Nothing to do: what is done to parts shows at once."""

    def train(self, x: Any, **options: Any) -> None:
        """Trains all parts."""
        self._each(lambda _, part: part.train(x, **options))

    def reset(self) -> None:
        """Removes all vectors; what was learned stays."""
        self._each(lambda _, part: part.reset())

    def _become_like(self, index: Any) -> None:
        """Takes over the width of vectors and how they are compared."""
        for name in ("d", "metric_type", "metric_arg", "_cosine", "code_size"):
            if hasattr(index, name) and hasattr(self, name):
                setattr(self, name, getattr(index, name))

    def _each(self, call: Callable[[int, Any], Any]) -> list[Any]:
        """What `call` returns for each number and part."""
        if not self.threaded or len(self._parts) < 2:
            return [call(number, part) for number, part in enumerate(self._parts)]
        with ThreadPoolExecutor(len(self._parts)) as threads:
            return list(threads.map(call, range(len(self._parts)), self._parts))

    def _bounds(self, count: int) -> list[tuple[int, int]]:
        """From where to where things are that are dealt out to the parts."""
        parts = max(1, len(self._parts))
        bounds = [count * number // parts for number in range(parts + 1)]
        return list(zip(bounds, bounds[1:], strict=False))


class Shards(Many):
    """Vectors spread over several indexes; a search asks all of them."""

    def __init__(self, d: Any = 0, threaded: bool = False, successive_ids: bool = True) -> None:
        """No shards yet. With `successive_ids`, the ids of a shard follow those of the shards before."""
        super().__init__(d, threaded)
        self.successive_ids = successive_ids

    def add_shard(self, index: Any) -> None:
        """Adds a shard."""
        self.addIndex(index)

    def remove_shard(self, index: Any) -> None:
        """Removes a shard."""
        self.removeIndex(index)

    def _count(self) -> int:
        return sum(part.ntotal for part in self._parts)

    def _offsets(self) -> list[int]:
        sizes = [part.ntotal if self.successive_ids else 0 for part in self._parts]
        return list(itertools.accumulate(sizes[:-1], initial=0)) if sizes else []

    def _add(self, x: Array) -> None:
        start = self._count()
        self._spread(x, None if self.successive_ids else np.arange(start, start + len(x), dtype=np.int64))

    def _add_with_ids(self, x: Array, ids: Ids) -> None:
        if self.successive_ids:
            raise RuntimeError("shards with successive_ids number their vectors themselves: use add(x)")
        self._spread(x, ids)

    def _spread(self, x: Array, ids: Ids | None) -> None:
        if self.successive_ids and self._count():
            raise RuntimeError("shards with successive_ids take all vectors at once: reset() them first")
        bounds = self._bounds(len(x))

        def add(number: int, part: Any) -> None:
            start, stop = bounds[number]
            if ids is None:
                part.add(x[start:stop])
            else:
                part.add_with_ids(x[start:stop], ids[start:stop])

        self._each(add)

    def _search(self, x: Array, params: SearchParameters | None, distances: Array, labels: Ids) -> None:
        k = labels.shape[1]
        found = self._each(lambda _, part: part.search(x, k, params=params))
        for (_, ids), offset in zip(found, self._offsets(), strict=True):
            ids[ids >= 0] += offset
        labels.fill(-1)
        worst = distances.dtype.type(self._worst())
        distances.fill(worst)
        if not found:
            return
        values, ids = (np.hstack(parts) for parts in zip(*found, strict=True))
        keys = np.where(ids < 0, np.inf, -values if worst < 0 else values)
        order = np.argsort(keys, axis=1, kind="stable")[:, :k]
        distances[:], labels[:] = np.take_along_axis(values, order, 1), np.take_along_axis(ids, order, 1)

    def _worst(self) -> float:
        """The distance where nothing was found."""
        raise NotImplementedError

    def _range_search(self, x: Array, radius: float, params: SearchParameters | None) -> Range:
        rows_of = []
        for part, offset in zip(self._parts, self._offsets(), strict=True):
            lims, distances, labels = part.range_search(x, radius, params=params)
            rows_of.append((lims.astype(int), distances, labels + offset))
        values, ids, ends = [np.empty(0, np.float32)], [np.empty(0, np.int64)], [0]
        for query in range(len(x)):
            for lims, distances, labels in rows_of:
                values.append(distances[lims[query] : lims[query + 1]])
                ids.append(labels[lims[query] : lims[query + 1]])
            ends.append(sum(len(row) for row in ids))
        return np.array(ends, np.uint64), np.concatenate(values), np.concatenate(ids)

    def _remove(self, selector: IDSelector) -> int:
        if self.successive_ids:
            raise RuntimeError("remove_ids not implemented for shards with successive_ids: ids would not be successive")
        return sum(self._each(lambda _, part: part.remove_ids(selector)))


class Replicas(Many):
    """Copies of the same vectors; each answers some of the queries."""

    def add_replica(self, index: Any) -> None:
        """Adds a copy."""
        self.addIndex(index)

    def remove_replica(self, index: Any) -> None:
        """Removes a copy."""
        self.removeIndex(index)

    def _first(self) -> Any:
        if not self._parts:
            raise RuntimeError("no replicas in index")
        return self._parts[0]

    def _count(self) -> int:
        return self._parts[0].ntotal if self._parts else 0

    def _add(self, x: Array) -> None:
        self._each(lambda _, part: part.add(x))

    def _add_with_ids(self, x: Array, ids: Ids) -> None:
        self._each(lambda _, part: part.add_with_ids(x, ids))

    def _search(self, x: Array, params: SearchParameters | None, distances: Array, labels: Ids) -> None:
        self._first()
        bounds = self._bounds(len(x))

        def search(number: int, part: Any) -> None:
            mine = slice(*bounds[number])
            distances[mine], labels[mine] = part.search(x[mine], labels.shape[1], params=params)

        self._each(search)

    def _range_search(self, x: Array, radius: float, params: SearchParameters | None) -> Range:
        found: Range = self._first().range_search(x, radius, params=params)
        return found

    def _reconstruct(self, ids: Ids) -> Array:
        vectors: Array = self._first()._reconstruct(ids)
        return vectors

    def _remove(self, selector: IDSelector) -> int:
        return max(self._each(lambda _, part: part.remove_ids(selector)), default=0)


class IndexShards(Shards, Index):  # type: ignore[override]
    """Vectors spread over several indexes; a search asks all of them.

    >>> import numpy as np
    >>> from anear.faiss import IndexFlat
    >>> index = IndexShards(1)
    >>> index.add_shard(IndexFlat(1)), index.add_shard(IndexFlat(1))
    (None, None)
    >>> index.add(np.array([[1.0], [2.0]], np.float32))
    >>> index.at(1).ntotal, index.search(np.array([[2.1]], np.float32), 1)[1]
    (1, array([[1]]))
    """

    def _worst(self) -> float:
        return float(np.finfo(np.float32).max) * (-1 if self._is_similarity() else 1)


class IndexReplicas(Replicas, Index):  # type: ignore[override]
    """Copies of the same vectors; each answers some of the queries."""


class IndexBinaryShards(Shards, IndexBinary):  # type: ignore[override]
    """Bit vectors spread over several indexes; a search asks all of them."""

    _no_width = 8

    def _worst(self) -> float:
        return float(np.iinfo(np.int32).max)


class IndexBinaryReplicas(Replicas, IndexBinary):  # type: ignore[override]
    """Copies of the same bit vectors; each answers some of the queries."""

    _no_width = 8


class IndexShardsIVF(IndexShards):
    """Inverted files of the same lists, over which vectors are spread."""

    def __init__(
        self, quantizer: Index, nlist: SupportsIndex, threaded: bool = False, successive_ids: bool = True
    ) -> None:
        """No shards yet, for lists that `quantizer` finds."""
        super().__init__(quantizer.d, threaded, successive_ids)
        self.quantizer, self.nlist = quantizer, operator.index(nlist)
        self.cp = ClusteringParameters()
        self.quantizer_trains_alone: Any = 0
        self.clustering_index: Index | None = None

    def addIndex(self, index: Any) -> None:
        """Adds a shard.

        Raises:
            RuntimeError: it has other lists.
        """
        if not isinstance(index, IndexIVF) or index.nlist != self.nlist:
            raise RuntimeError(f"expected an inverted file of {self.nlist} lists, got {index!r}")
        super().addIndex(index)

    def train(self, x: Any, **options: Any) -> None:
        """Finds the centroids, if the quantizer does not have them, and trains all shards."""
        train_level1(self, rows(x, self.d))
        super().train(x, **options)
