"""Graphs: a search walks from vector to vector towards the query."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np

from .. import _native
from ._arrays import Array, Floats, Ids, Int32Vector, UInt64Vector, pointed, rows
from ._codes import IndexPQ, IndexScalarQuantizer, numbers_in
from ._constants import METRIC_L2
from ._index import EngineIndex, Index, IndexFlat, Knobs
from ._known import Known
from ._params import SearchParameters, SearchParametersHNSW
from ._quantizers import SCALAR_NUMBERS, ScalarQuantizer, scalar_token


class HNSW(Known):
    """The links of a graph and how they are made and walked."""

    check_relative_distance = True
    search_bounded_queue = True
    prune_headroom = 0.0

    def __init__(self, index: Any, M: int) -> None:
        """The graph of `index`, with `M` links per vector and level."""
        self._of = index
        self._m = M
        self.efConstruction = 40
        self.efSearch = 16

    def _part(self, name: str) -> Array:
        index = self._of._index
        if index is None:
            return np.empty(0, np.int32)
        part: Array = _native.Parts(index).graph()[name]
        return part

    @property
    def levels(self) -> Int32Vector:
        """On how many levels each vector is."""
        return Int32Vector(self._part("levels"))

    @property
    def offsets(self) -> UInt64Vector:
        """Where the links of each vector begin."""
        return UInt64Vector(self._part("offsets"))

    @property
    def neighbors(self) -> Int32Vector:
        """All links; -1 where there is none."""
        return Int32Vector(self._part("neighbors"))

    @property
    def cum_nneighbor_per_level(self) -> Int32Vector:
        """Places for links below each level."""
        return Int32Vector(self._part("cum_nneighbor_per_level"))

    @property
    def entry_point(self) -> int:
        """Where searches begin; -1 where there is no vector."""
        return -1 if self._of._index is None else int(_native.Parts(self._of._index).graph()["entry_point"])

    @property
    def max_level(self) -> int:
        """The highest level; -1 where there is no vector."""
        return int(self._part("levels").max(initial=0)) - 1

    def nb_neighbors(self, layer_no: SupportsIndex) -> int:
        """Links per vector on a level."""
        return 2 * self._m if operator.index(layer_no) == 0 else self._m

    def cum_nb_neighbors(self, layer_no: SupportsIndex) -> int:
        """Links per vector below a level."""
        layer = operator.index(layer_no)
        return 0 if layer == 0 else (layer + 1) * self._m

    def neighbor_range(self, no: SupportsIndex, layer_no: SupportsIndex, begin: Any, end: Any) -> None:
        """Writes where in `neighbors` the links of a vector on a level begin and end.

        Raises:
            RuntimeError: there is no such vector or level.
        """
        number, layer, levels = operator.index(no), operator.index(layer_no), self._part("levels")
        if not (0 <= number < len(levels) and 0 <= layer < levels[number]):
            raise RuntimeError(f"vector {number} has no links on level {layer}")
        start = int(self._part("offsets")[number])
        pointed(begin, 1, np.uint64)[0] = start + self.cum_nb_neighbors(layer)
        pointed(end, 1, np.uint64)[0] = start + self.cum_nb_neighbors(layer + 1)

    def reset(self) -> None:
        """Removes all vectors."""
        self._of.reset()


class NSG(Known):
    """The links of a graph on one level and how they are made and walked."""

    def __init__(self, index: Any, R: int) -> None:
        """The graph of `index`, with `R` links per vector."""
        self._of = index
        self.R = R
        self.search_L = 16

    @property
    def ntotal(self) -> int:
        """How many vectors are linked."""
        return int(self._of.ntotal)

    _part = HNSW._part

    @property
    def is_built(self) -> bool:
        """Whether there are links."""
        return self.ntotal > 0

    @property
    def enterpoint(self) -> int:
        """Where searches begin; -1 where there is no vector."""
        return -1 if self._of._index is None else int(_native.Parts(self._of._index).graph()["entry_point"])


class _Linked(EngineIndex):
    """Codes that are linked."""

    _token = "Flat"
    own_fields = True

    @classmethod
    def _family(cls) -> type:
        return cls

    def _keeps_ids(self) -> bool:
        return True

    def _merge(self, other: EngineIndex, add_id: int) -> None:
        super()._merge(other, add_id or self._next_id())

    def _links(self) -> str:
        """What the factory string begins with."""
        raise NotImplementedError

    def _spec(self) -> str:
        return self._links() if self._token == "Flat" else f"{self._links()},{self._token}"

    def _adopt(self, index: _native.VectorIndex) -> None:
        self._token = index.spec.partition(",")[2] or "Flat"

    def _learns_scales(self, d: SupportsIndex, qtype: SupportsIndex) -> None:
        self._token = scalar_token(operator.index(qtype))
        self._start()
        if not ScalarQuantizer(d, qtype).learns():
            self.is_trained, self._needs_training = True, False

    @property
    def storage(self) -> Index:
        """A copy of the vectors, as an index that compares with all of them."""
        if self._token == "Flat":
            flat: Index = IndexFlat(self.d, self.metric_type)
            flat.metric_arg = self.metric_arg
        elif self._token in SCALAR_NUMBERS:
            flat = IndexScalarQuantizer(self.d, SCALAR_NUMBERS[self._token], self.metric_type)
        else:
            m, *nbits = numbers_in(self._token)
            flat = IndexPQ(self.d, m, nbits[0] if nbits else 8, self.metric_type)
        if self.is_trained and self.ntotal:
            vectors = self.reconstruct_n()
            flat.train(vectors)
            flat.add(vectors)
        return flat


class IndexHNSW(_Linked):
    """A hierarchical navigable small world."""

    def __init__(self, d: SupportsIndex, M: SupportsIndex = 32, metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`, with `M` links per vector and level."""
        super().__init__(d, metric)
        self.hnsw = HNSW(self, operator.index(M))

    def _links(self) -> str:
        return f"HNSW{self.hnsw._m}"

    def _adopt(self, index: _native.VectorIndex) -> None:
        super()._adopt(index)
        head = index.spec.partition(",")[0].removeprefix("HNSW")
        self.hnsw = HNSW(self, int(head or 32))
        self.hnsw.efSearch = int(index.knob("efSearch") or 16)
        self.hnsw.efConstruction = int(index.knob("efConstruction") or 40)

    def _add(self, x: Floats) -> None:
        self._live.set_knob("efConstruction", float(self.hnsw.efConstruction))
        self._live.add(x)

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        ef = params.efSearch if isinstance(params, SearchParametersHNSW) else self.hnsw.efSearch
        return {"ef_search": float(max(ef, 1))}

    def _engine(self) -> _native.VectorIndex:
        self._live.set_knob("efSearch", float(self.hnsw.efSearch))
        self._live.set_knob("efConstruction", float(self.hnsw.efConstruction))
        return self._live


class IndexHNSWFlat(IndexHNSW):
    """A graph over vectors as they are.

    >>> import numpy as np
    >>> index = IndexHNSWFlat(2, 16)
    >>> index.add(np.array([[0.0, 0.0], [3.0, 0.0]], np.float32))
    >>> index.search(np.array([[2.0, 0.0]], np.float32), 1)[1]
    array([[1]])
    """

    def __init__(self, d: SupportsIndex, M: SupportsIndex = 32, metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`, with `M` links per vector and level."""
        super().__init__(d, M, metric)
        self._start()


class IndexHNSWSQ(IndexHNSW):
    """A graph over components as numbers of few bits."""

    def __init__(
        self, d: SupportsIndex, qtype: SupportsIndex, M: SupportsIndex, metric: int | str = METRIC_L2
    ) -> None:
        """An empty index of vectors of width `d`, encoded by the kind `qtype`, with `M` links per vector and level."""
        super().__init__(d, M, metric)
        self._learns_scales(d, qtype)


class IndexHNSWPQ(IndexHNSW):
    """A graph over product codes."""

    def __init__(
        self,
        d: SupportsIndex,
        pq_m: SupportsIndex,
        M: SupportsIndex,
        pq_nbits: SupportsIndex = 8,
        metric: int | str = METRIC_L2,
    ) -> None:
        """An empty index of vectors of width `d`: `pq_m` parts of `pq_nbits` bits, `M` links per vector and level."""
        super().__init__(d, M, metric)
        self._token = IndexPQ(d, pq_m, pq_nbits, metric)._spec()
        self._start()


class IndexNSG(_Linked):
    """A navigating spreading-out graph: one level of links, which all begin at the middle of the vectors.

    Candidates for links are found through a graph of several levels, so what Faiss is told about gathering them, from
    `GK` to `nndescent_iter`, is taken and has no effect.
    """

    GK = 64
    build_type = 1
    nndescent_S = 10
    nndescent_R = 100
    nndescent_L = 114
    nndescent_iter = 10

    def __init__(self, d: SupportsIndex, R: SupportsIndex = 32, metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`, with `R` links per vector."""
        super().__init__(d, metric)
        self.nsg = NSG(self, operator.index(R))

    def _links(self) -> str:
        return f"NSG{self.nsg.R}"

    def _adopt(self, index: _native.VectorIndex) -> None:
        super()._adopt(index)
        head = index.spec.partition(",")[0].removeprefix("NSG")
        self.nsg = NSG(self, int(head or 32))
        self.nsg.search_L = int(index.knob("search_L") or 16)

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        return {"search_L": float(max(self.nsg.search_L, 1))}

    def _engine(self) -> _native.VectorIndex:
        self._live.set_knob("search_L", float(max(self.nsg.search_L, 1)))
        return self._live

    @property
    def is_built(self) -> bool:
        """Whether there are links."""
        return self.nsg.is_built

    def build(self, x: Any, graph: Any) -> None:
        """Links vectors; `graph`, the positions of neighbors in a row for each, is checked and not needed.

        Raises:
            AssertionError: there is not one row per vector.
            RuntimeError: vectors are linked already, or the graph is none of theirs.
        """
        vectors = rows(x, self.d)
        near: Ids = np.ascontiguousarray(graph, dtype=np.int64)
        assert near.ndim == 2 and len(near) == len(vectors), f"{len(vectors)} vectors, a graph of {near.shape}"
        if self.ntotal:
            raise RuntimeError("the vectors are linked already; reset() the index first")
        self._check_graph(near)
        self.add(vectors)

    @staticmethod
    def _check_graph(near: Ids) -> None:
        own = np.arange(len(near))[:, None]
        wrong = int(((near < 0) | (near >= len(near)) | (near == own)).sum())
        if wrong >= len(near) / 10:
            raise RuntimeError(f"{wrong} entries of the graph of {len(near)} vectors are no other vector's positions")


class IndexNSGFlat(IndexNSG):
    """A graph on one level over vectors as they are.

    >>> import numpy as np
    >>> index = IndexNSGFlat(2, 16)
    >>> index.add(np.array([[0.0, 0.0], [3.0, 0.0]], np.float32))
    >>> index.search(np.array([[2.0, 0.0]], np.float32), 1)[1]
    array([[1]])
    """

    def __init__(self, d: SupportsIndex, R: SupportsIndex = 32, metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`, with `R` links per vector."""
        super().__init__(d, R, metric)
        self._start()


class IndexNSGSQ(IndexNSG):
    """A graph on one level over components as numbers of few bits."""

    def __init__(
        self, d: SupportsIndex, qtype: SupportsIndex, R: SupportsIndex, metric: int | str = METRIC_L2
    ) -> None:
        """An empty index of vectors of width `d`, encoded by the kind `qtype`, with `R` links per vector."""
        super().__init__(d, R, metric)
        self._learns_scales(d, qtype)


class IndexNSGPQ(IndexNSG):
    """A graph on one level over product codes."""

    def __init__(
        self,
        d: SupportsIndex,
        pq_m: SupportsIndex,
        R: SupportsIndex,
        pq_nbits: SupportsIndex = 8,
        metric: int | str = METRIC_L2,
    ) -> None:
        """An empty index of vectors of width `d`: `pq_m` parts of `pq_nbits` bits, `R` links per vector."""
        super().__init__(d, R, metric)
        self._token = IndexPQ(d, pq_m, pq_nbits, metric)._spec()
        self._start()
