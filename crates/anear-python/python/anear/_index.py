"""Exact indexes under the names of Faiss."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from importlib import import_module
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from . import _native

METRIC_INNER_PRODUCT = 0
METRIC_L2 = 1

# Faiss's numbers of the metrics that anear has too.
METRIC_NAMES = {METRIC_INNER_PRODUCT: "inner_product", METRIC_L2: "l2", 2: "l1", 3: "linf"}
_METRIC_NUMBERS = {name: number for number, name in METRIC_NAMES.items()}

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]


class ExactIndex(ABC):
    """What every exact index offers: vectors in the order in which they came, addressed by position."""

    __slots__ = ()

    is_trained = True

    @property
    @abstractmethod
    def d(self) -> int:
        """The width of the vectors; 0 while no vector has said it."""

    @property
    @abstractmethod
    def ntotal(self) -> int:
        """How many vectors there are."""

    @property
    @abstractmethod
    def metric(self) -> str:
        """The metric's name: `l2` (squared), `inner_product`, `cosine`, `l1` or `linf`."""

    @property
    def metric_type(self) -> int:
        """Faiss's number of the metric; `METRIC_L2` also for cosine distances, where less is closer too."""
        return _METRIC_NUMBERS.get(self.metric, METRIC_L2)

    def search(self, x: npt.ArrayLike, k: SupportsIndex) -> tuple[Floats, Positions]:
        """Distances and positions of the `k` nearest to each row of `x`, padded with -1.

        Raises:
            ValueError: `x` is no array of rows of width `d`, or `k` is less than 1.
        """
        count = operator.index(k)
        if count < 1:
            raise ValueError(f"k must be at least 1, got {count}")
        return self._search(self._rows(x), count)

    def reconstruct(self, key: SupportsIndex) -> Floats:
        """The vector at a position.

        Raises:
            IndexError: there is no such position.
        """
        position = operator.index(key)
        self._check_range(position, position + 1)
        vector: Floats = self._vectors(position, position + 1)[0]
        return vector

    def reconstruct_n(self, n0: SupportsIndex = 0, ni: SupportsIndex = -1) -> Floats:
        """`ni` vectors from position `n0` on; -1 is all the rest.

        Raises:
            IndexError: there are fewer.
        """
        start, count = operator.index(n0), operator.index(ni)
        stop = self.ntotal if count == -1 else start + count
        self._check_range(start, stop)
        return self._vectors(start, stop)

    @abstractmethod
    def add(self, x: npt.ArrayLike) -> None:
        """Adds the rows of `x` behind the others."""

    @abstractmethod
    def remove_ids(self, ids: npt.ArrayLike) -> int:
        """Removes the vectors at these positions and moves the others up; says how many there were."""

    @abstractmethod
    def reset(self) -> None:
        """Removes all vectors."""

    def to_faiss(self) -> Any:
        """A copy as an index of the Python package `faiss`; cosine becomes the inner product of unit vectors.

        Raises:
            ImportError: `faiss` is not installed.
        """
        vectors = self.reconstruct_n()
        faiss = import_module("faiss")
        if self.metric == "cosine":
            faiss.normalize_L2(vectors)
        metric = METRIC_INNER_PRODUCT if self.metric == "cosine" else self.metric_type
        index = _FAISS_CLASSES[metric](faiss, self.d) if metric in _FAISS_CLASSES else faiss.IndexFlat(self.d, metric)
        index.add(vectors)
        return index

    def __len__(self) -> int:
        return self.ntotal

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} d={self.d} ntotal={self.ntotal} metric={self.metric}>"

    @abstractmethod
    def _search(self, rows: Floats, k: int) -> tuple[Floats, Positions]: ...

    @abstractmethod
    def _vectors(self, start: int, stop: int) -> Floats: ...

    def _rows(self, x: npt.ArrayLike) -> Floats:
        rows: Floats = np.ascontiguousarray(x, dtype=np.float32)
        if rows.ndim != 2 or (self.d and rows.shape[1] != self.d):
            width = self.d or "d"
            raise ValueError(f"expected an array of shape (n, {width}), got {np.shape(x)}; one vector is `x[None, :]`")
        return rows

    def _check_range(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.ntotal:
            raise IndexError(f"positions {start} to {stop} are not within the {self.ntotal} vectors of this index")


# The classes by which programs tell the two common metrics apart.
_FAISS_CLASSES = {
    METRIC_INNER_PRODUCT: lambda faiss, d: faiss.IndexFlatIP(d),
    METRIC_L2: lambda faiss, d: faiss.IndexFlatL2(d),
}


class IndexFlat(ExactIndex):
    """An exact index: compares a query with every vector.

    >>> index = IndexFlat(2)
    >>> index.add([[0.0, 1.0], [1.0, 1.0]])
    >>> index.search([[1.0, 1.0]], 1)
    (array([[0.]], dtype=float32), array([[1]]))
    """

    __slots__ = ("_index",)

    def __init__(self, d: SupportsIndex, metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`; `metric` is one of Faiss's numbers or a name."""
        self._index = _native.IndexFlat(operator.index(d), _metric_name(metric))

    @property
    def d(self) -> int:
        """The width of the vectors."""
        return self._index.d

    @property
    def ntotal(self) -> int:
        """How many vectors there are."""
        return self._index.ntotal

    @property
    def metric(self) -> str:
        """The metric's name."""
        return self._index.metric

    def add(self, x: npt.ArrayLike) -> None:
        """Adds the rows of `x` behind the others.

        Raises:
            ValueError: `x` is no array of rows of width `d`, or a number in it is not finite.
        """
        self._index.add(self._rows(x))

    def remove_ids(self, ids: npt.ArrayLike) -> int:
        """Removes the vectors at these positions and moves the others up; says how many there were."""
        return self._index.remove_ids(np.atleast_1d(np.asarray(ids, dtype=np.int64)))

    def reset(self) -> None:
        """Removes all vectors."""
        self._index.reset()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.d, self.metric, self.reconstruct_n())

    def _search(self, rows: Floats, k: int) -> tuple[Floats, Positions]:
        return self._index.search(rows, k)

    def _vectors(self, start: int, stop: int) -> Floats:
        return self._index.reconstruct_n(start, stop - start)


class IndexFlatL2(IndexFlat):
    """An exact index by squared L2 distance."""

    __slots__ = ()

    def __init__(self, d: SupportsIndex) -> None:
        """An empty index of vectors of width `d`."""
        super().__init__(d, METRIC_L2)


class IndexFlatIP(IndexFlat):
    """An exact index by inner product: the largest first."""

    __slots__ = ()

    def __init__(self, d: SupportsIndex) -> None:
        """An empty index of vectors of width `d`."""
        super().__init__(d, METRIC_INNER_PRODUCT)


def _metric_name(metric: int | str) -> str:
    if isinstance(metric, str):
        return metric
    try:
        return METRIC_NAMES[metric]
    except KeyError:
        raise ValueError(f"no exact index for Faiss's metric {metric}; there are {METRIC_NAMES}") from None


def _restored(kind: type[IndexFlat], d: int, metric: str, vectors: Floats) -> IndexFlat:
    index = kind.__new__(kind)
    IndexFlat.__init__(index, d, metric)
    if len(vectors):
        index.add(vectors)
    return index
