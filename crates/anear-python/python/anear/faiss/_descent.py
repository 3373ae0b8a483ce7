"""Graphs of nearest neighbors under Faiss's name for how it makes them, over the engine's graph on one level."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np

from .. import _native
from ._arrays import Int32Vector
from ._constants import METRIC_L2
from ._functions import knn
from ._graph import _Linked
from ._index import Knobs
from ._known import Known
from ._params import SearchParameters


class NNDescent(Known):
    """How many neighbors a graph has and how far it is walked.

    The engine gathers neighbors in another way, so what tells Faiss how to, `S`, `R`, `L`, `iter` and `random_seed`, is
    taken and has no effect.
    """

    S = 10
    R = 100
    iter = 10
    random_seed = 2021

    def __init__(self, index: Any, K: int) -> None:
        """The graph of `index`, with `K` neighbors per vector."""
        self._of = index
        self.d, self.K, self.L, self.search_L = index.d, K, K + 50, 0

    @property
    def ntotal(self) -> int:
        """How many vectors are linked."""
        return int(self._of.ntotal)

    @property
    def has_built(self) -> bool:
        """Whether there are links."""
        return self.ntotal > 0

    @property
    def final_graph(self) -> Int32Vector:
        """The positions of the `K` vectors nearest to each, found by comparing all when this is asked for."""
        if not self._of.ntotal:
            return Int32Vector()
        vectors = self._of.reconstruct_n()
        own = np.arange(len(vectors))[:, None]
        near = knn(vectors, vectors, min(self.K + 1, len(vectors)), self._of.metric_type, self._of.metric_arg)[1]
        # Of many equal vectors a row may not be among its own nearest: then the last one goes.
        others = np.argsort(near == own, axis=1, kind="stable")[:, : self.K]
        return Int32Vector(np.take_along_axis(near, others, 1))

    def reset(self) -> None:
        """Removes all vectors."""
        self._of.reset()


class IndexNNDescent(_Linked):
    """A graph of neighbors. Searches walk the engine's graph on one level, of `K` links per vector, as `IndexNSG` does."""

    def __init__(self, d: SupportsIndex, K: SupportsIndex = 32, metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`, with `K` neighbors per vector."""
        super().__init__(d, metric)
        self.nndescent = NNDescent(self, operator.index(K))

    def _links(self) -> str:
        return f"NSG{self.nndescent.K}"

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        return {"search_L": float(max(self.nndescent.search_L, 1))}

    def _engine(self) -> _native.VectorIndex:
        self._live.set_knob("search_L", float(max(self.nndescent.search_L, 1)))
        return self._live


class IndexNNDescentFlat(IndexNNDescent):
    """A graph of neighbors over vectors as they are; in files it is an `IndexNSGFlat`.

    >>> import numpy as np
    >>> index = IndexNNDescentFlat(2, 16)
    >>> index.add(np.array([[0.0, 0.0], [3.0, 0.0]], np.float32))
    >>> index.search(np.array([[2.0, 0.0]], np.float32), 1)[1]
    array([[1]])
    """

    def __init__(self, d: SupportsIndex, K: SupportsIndex = 32, metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`, with `K` neighbors per vector."""
        super().__init__(d, K, metric)
        self._start()
