"""Exact comparison in levels, under Faiss's names: whole vectors are compared here, so that levels have no effect."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

from ._composite import IndexRefine
from ._constants import METRIC_INNER_PRODUCT, METRIC_L2
from ._graph import IndexHNSWFlat
from ._index import Index, IndexFlat
from ._ivf import IndexIVFFlat


def _levels(n_levels: SupportsIndex, d: int) -> int:
    levels = operator.index(n_levels)
    if not 0 < levels <= d:
        raise RuntimeError(f"vectors of width {d} have 1 to {d} levels, got {levels}")
    return levels


class IndexFlatPanorama(IndexFlat):
    """An exact index; the answers are those of `IndexFlat`.

    >>> import numpy as np
    >>> index = IndexFlatPanorama(2, METRIC_L2, 2)
    >>> index.add(np.array([[0.0, 1.0], [1.0, 1.0]]))
    >>> index.search(np.array([[1.0, 1.0]]), 1)[1]
    array([[1]])
    """

    def __init__(
        self, d: SupportsIndex, metric: int | str, n_levels: SupportsIndex, batch_size: SupportsIndex = 1024
    ) -> None:
        """An empty index of vectors of width `d`.

        Raises:
            RuntimeError: there are more levels than components, or none.
        """
        super().__init__(d, metric)
        self.n_levels, self.batch_size = _levels(n_levels, self.d), operator.index(batch_size)


class IndexFlatL2Panorama(IndexFlatPanorama):
    """An exact index by squared L2 distance."""

    def __init__(self, d: SupportsIndex, n_levels: SupportsIndex, batch_size: SupportsIndex = 1024) -> None:
        """An empty index of vectors of width `d`."""
        super().__init__(d, METRIC_L2, n_levels, batch_size)


class IndexFlatIPPanorama(IndexFlatPanorama):
    """An exact index by inner product: the largest first."""

    def __init__(self, d: SupportsIndex, n_levels: SupportsIndex, batch_size: SupportsIndex = 1024) -> None:
        """An empty index of vectors of width `d`."""
        super().__init__(d, METRIC_INNER_PRODUCT, n_levels, batch_size)


class IndexIVFFlatPanorama(IndexIVFFlat):
    """An inverted file of vectors as they are; the answers are those of `IndexIVFFlat`."""

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        n_levels: SupportsIndex,
        metric: int | str = METRIC_L2,
        own_invlists: bool = True,
        batch_size: SupportsIndex = 1024,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists.

        Raises:
            RuntimeError: there are more levels than components, or none.
        """
        super().__init__(quantizer, d, nlist, metric, own_invlists)
        self.n_levels, self.batch_size = _levels(n_levels, self.d), operator.index(batch_size)


class IndexHNSWFlatPanorama(IndexHNSWFlat):
    """A graph over vectors as they are; the answers are those of `IndexHNSWFlat`."""

    def __init__(
        self,
        d: SupportsIndex,
        M: SupportsIndex,
        num_panorama_levels: SupportsIndex,
        metric: int | str = METRIC_L2,
    ) -> None:
        """An empty index of vectors of width `d`, with `M` links per vector and level.

        Raises:
            RuntimeError: there are more levels than components, or none.
        """
        super().__init__(d, M, metric)
        self.num_panorama_levels = _levels(num_panorama_levels, self.d)


class IndexRefinePanorama(IndexRefine):
    """The candidates of one index, ranked by another; the answers are those of `IndexRefine`."""


def of_panorama(plain: str, levels: int, batch_size: int, d: int, metric: Any) -> Index | None:
    """The exact index of a factory string that begins with `plain`, if its metric is the one named."""
    kinds = {("FlatL2", METRIC_L2): IndexFlatL2Panorama, ("FlatIP", METRIC_INNER_PRODUCT): IndexFlatIPPanorama}
    kind = kinds.get((plain, metric))
    return None if kind is None else kind(d, levels, batch_size)
