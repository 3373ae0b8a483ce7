"""What the indexes of stores and views offer, under the names of Faiss."""

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

    @property
    def is_trained(self) -> bool:
        """Whether vectors can be added."""
        return True

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
