"""Quantizers of inverted files whose centroids are combinations: too many to be learned, few enough to be compared."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np

from .. import _native
from ._additive import LocalSearchQuantizer
from ._arrays import Floats, Ids
from ._constants import METRIC_L2
from ._index import Index, IndexFlat, Range
from ._params import SearchParameters
from ._quantizers import ProductQuantizer, ResidualQuantizer

# Numbers of all centroids together, 4 GiB of them.
_MAX = 1 << 30


class CombinedQuantizer(Index):
    """Every combination of entries is a centroid; a search compares with all of them, and is exact.

    The methods that begin with an underscore are what kinds differ in.
    """

    def __init__(self, d: SupportsIndex, metric: int | str = METRIC_L2) -> None:
        """Nothing yet, of width `d`."""
        super().__init__(d, metric)
        self._centroids: IndexFlat | None = None

    @property
    def is_trained(self) -> bool:  # type: ignore[override]
        """Whether there are centroids."""
        return self._centroids is not None

    def _count(self) -> int:
        return 0 if self._centroids is None else self._centroids.ntotal

    def _train(self, x: Floats) -> None:
        bits = sum(self._widths())
        if self.d << bits > _MAX:
            raise RuntimeError(f"{1 << bits} centroids of width {self.d} are too many to be compared; use fewer bits")
        self._learn(x)
        centroids = IndexFlat(self.d, self.metric_type)
        centroids.add(self._combined(np.arange(1 << bits)))
        self._centroids = centroids

    def _flat(self) -> IndexFlat:
        if self._centroids is None:
            raise RuntimeError(f"{type(self).__name__}: 'is_trained' failed; call train(x) first")
        return self._centroids

    def _chosen(self, keys: Ids) -> list[Ids]:
        """The entry of each part, of which the first has the lowest bits of a key."""
        widths = self._widths()
        return [keys >> sum(widths[:m]) & (1 << bits) - 1 for m, bits in enumerate(widths)]

    def _add(self, x: Floats) -> None:
        raise RuntimeError("the centroids are combinations: nothing can be added")

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        self._flat()._search(x, params, distances, labels)

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        return self._flat()._range_search(x, radius, params)

    def _reconstruct(self, ids: Ids) -> Floats:
        return self._flat()._reconstruct(ids)

    def _reset(self) -> None:
        raise RuntimeError("the centroids are combinations: none can be removed")

    def _engine(self) -> _native.VectorIndex:
        return self._flat()._engine()

    def _widths(self) -> list[int]:
        """The bits of each part of a key."""
        raise NotImplementedError

    def _learn(self, x: Floats) -> None:
        raise NotImplementedError

    def _combined(self, keys: Ids) -> Floats:
        """The centroids of these keys."""
        raise NotImplementedError


class MultiIndexQuantizer(CombinedQuantizer):
    """Each part of a centroid is one of `2**nbits` (Babenko and Lempitsky 2012).

    >>> import numpy as np
    >>> coarse = MultiIndexQuantizer(4, 2, 3)
    >>> coarse.train(np.random.default_rng(1).random((400, 4), dtype=np.float32))
    >>> coarse.ntotal
    64
    """

    def __init__(self, d: SupportsIndex, M: SupportsIndex, nbits: SupportsIndex) -> None:
        """For vectors of width `d`, cut into `M` parts."""
        super().__init__(d)
        self.pq = ProductQuantizer(d, M, nbits)

    def _widths(self) -> list[int]:
        return [self.pq.nbits] * self.pq.M

    def _learn(self, x: Floats) -> None:
        self.pq.train(x)

    def _combined(self, keys: Ids) -> Floats:
        books = self.pq.centroids._values.reshape(self.pq.M, self.pq.ksub, self.pq.dsub)
        return np.hstack([book[entries] for book, entries in zip(books, self._chosen(keys), strict=True)])


class AdditiveCoarseQuantizer(CombinedQuantizer):
    """A centroid is a sum of entries of several codebooks."""

    def __init__(self, d: SupportsIndex, aq: Any, metric: int | str) -> None:
        """For vectors of width `d`."""
        super().__init__(d, metric)
        self.aq = aq

    def _widths(self) -> list[int]:
        return [int(bits) for bits in self.aq.nbits]

    def _learn(self, x: Floats) -> None:
        self.aq.train(x)

    def _combined(self, keys: Ids) -> Floats:
        entries, first = self.aq.codebooks._values.reshape(-1, self.d), 0
        centroids = np.zeros((len(keys), self.d), np.float32)
        for bits, chosen in zip(self._widths(), self._chosen(keys), strict=True):
            centroids += entries[first + chosen]
            first += 1 << bits
        return centroids


class ResidualCoarseQuantizer(AdditiveCoarseQuantizer):
    """A centroid is a sum of entries, each of a codebook for what those before it left."""

    beam_factor = 4.0

    def __init__(self, d: SupportsIndex, M: Any, nbits: Any = None, metric: int | str = METRIC_L2) -> None:
        """For vectors of width `d`: `M` codebooks of `2**nbits` entries, or one for each number of `M`."""
        self.rq = ResidualQuantizer(d, M, nbits)
        super().__init__(d, self.rq, metric)

    def set_beam_factor(self, new_beam_factor: float) -> None:
        """How many candidates are kept: has no effect, for all are compared."""
        self.beam_factor = float(new_beam_factor)


class LocalSearchCoarseQuantizer(AdditiveCoarseQuantizer):
    """A centroid is a sum of entries of codebooks that are fitted together."""

    def __init__(
        self, d: SupportsIndex, M: SupportsIndex, nbits: SupportsIndex, metric: int | str = METRIC_L2
    ) -> None:
        """For vectors of width `d`, by `M` codebooks of `2**nbits` entries."""
        self.lsq = LocalSearchQuantizer(operator.index(d), M, nbits)
        super().__init__(d, self.lsq, metric)
