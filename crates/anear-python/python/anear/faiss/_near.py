"""anear's own index: it is asked for a recall, and finds out by itself how to reach it."""

from __future__ import annotations

import re
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np

from .. import _native
from ._arrays import Floats, Ids
from ._constants import METRIC_L2
from ._index import EngineIndex, Knobs
from ._params import SearchParameters, SearchParametersNear

SHAPE = re.compile(r"(Near|auto)([1-9][0-9]*)?|NearLists|NearGraph|NearLean")
KNOBS = ("recall", "visits", "candidates")


class IndexNear(EngineIndex):
    """An index that is asked for a recall, which Faiss has none of: its files are anear's own.

    Few vectors are all compared. From some two thousand on it learns by itself what to look at, so there is nothing to
    train. `shape` is `Near` (or `auto`: lists, and a graph where those are not enough), `NearLists`, `NearGraph`,
    `NearLean` (a graph of some hundred bytes a vector), or `Near2000`: a graph only where vectors, codes and links are within
    so many bytes a vector, and a lean one where the other does not fit.

    `recall` is the share of the true neighbors that searches are to find; `visits` and `candidates` say instead how far they
    look, for those who know: 0 leaves it to the recall.

    >>> import numpy as np
    >>> index = IndexNear(2)
    >>> index.add(np.array([[0.0, 0.0], [3.0, 0.0]], np.float32))
    >>> index.recall = 0.9
    >>> index.search(np.array([[2.0, 0.0]], np.float32), 1)[1]
    array([[1]])
    >>> index.explain()
    'all 2 vectors are compared: they are few'
    """

    _told: Knobs

    def __init__(self, d: SupportsIndex, shape: str = "Near", metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`, compared by L2, inner product or cosine.

        Raises:
            RuntimeError: there is no such shape, or vectors cannot be compared so.
        """
        super().__init__(d, metric)
        if self.d < 1:
            raise RuntimeError(f"vectors must have a component at least, got d = {self.d}")
        if not isinstance(shape, str) or not SHAPE.fullmatch(shape):
            known = "Near, auto, NearLists, NearGraph, NearLean or Near<bytes a vector>"
            raise RuntimeError(f"expected the shape {known}, got {shape!r}; the metric comes behind it")
        self._shape = shape.replace("auto", "Near")
        self._take_knobs(self._built(self._shape, None))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in KNOBS:
            self._built(self._shape, None).set_knob(name, _number(name, value))
            self._told = {**self._told, name: float(value)}
        super().__setattr__(name, value)

    def _take_knobs(self, index: _native.VectorIndex) -> None:
        self._told = {name: index.knob(name) or 0.0 for name in KNOBS}
        recall, visits, candidates = self._told.values()
        self.__dict__.update(recall=recall, visits=int(visits), candidates=int(candidates))

    def explain(self) -> str:
        """One sentence on how searches are answered, and why."""
        return self._engine().explain() or ""

    def _spec(self) -> str:
        return self._shape

    def _adopt(self, index: _native.VectorIndex) -> None:
        self._shape = index.spec
        self._take_knobs(index)

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        if params is None:
            return self._told
        if type(params) not in (SearchParameters, SearchParametersNear):
            raise RuntimeError(f"'params' of an IndexNear must be SearchParametersNear, got {type(params).__name__}")
        asked = {name: getattr(params, name, None) for name in KNOBS}
        return self._told | {name: _number(name, value) for name, value in asked.items() if value is not None}

    def _engine(self) -> _native.VectorIndex:
        for name, value in self._knobs(None).items():
            self._live.set_knob(name, value)
        return self._live

    def _tell(self, name: str, value: float) -> bool:
        """Sets a search parameter by either of its names; says whether there is one."""
        own = next((own for own, alias, *_ in self._live.knobs() if name in (own, alias)), None)
        if own is not None:
            self._live.set_knob(own, value)
            self._take_knobs(self._live)
        return own is not None

    def _is_of_faiss(self) -> bool:
        return False

    def _keeps_ids(self) -> bool:
        return True

    def _own_ids(self) -> Ids:
        return np.arange(self._next_id(), dtype=np.int64)

    def _merge(self, other: EngineIndex, add_id: int) -> None:
        super()._merge(other, add_id or self._next_id())


def _number(name: str, value: Any) -> float:
    if not isinstance(value, SupportsFloat) or isinstance(value, str):
        raise RuntimeError(f"{name} must be a number, got {value!r}")
    return float(value)


__all__ = ["IndexNear"]
