"""Indexes: what all of them do, whatever their kind."""

from __future__ import annotations

import re
from typing import Any, ClassVar, SupportsIndex

import numpy as np
import numpy.typing as npt

from .. import _native
from ._arrays import Floats, Ids, count, filled, id_array, matrix
from ._constants import METRIC_L2, is_similarity_metric, metric_name, metric_number
from ._selectors import SearchParameters, as_selector

# Where all randomness of training comes from, as in Faiss's clustering.
SEED = 1234


class Index:
    """Vectors of one width, and what finds the nearest of them.

    Until it is trained, an index is a factory string; from then on it is the engine's.
    """

    _engine: _native.Engine | None
    _spec: str
    # Values of search parameters that were set, by Faiss's names.
    _set: dict[str, float]
    _quantizer: Index | None
    # Which attributes are search parameters of the engine.
    _knobs: ClassVar[tuple[str, ...]] = ()

    verbose: bool = False

    def __init__(self, d: int, metric: int = METRIC_L2, spec: str = "Flat", metric_arg: float = 0.0) -> None:
        self._describe(int(d), int(metric), spec, metric_arg)
        _, needs_training = _native.canonical(spec)
        if not needs_training:
            self._adopt(_native.Engine.build(spec, self.d, metric_name(self.metric_type, self.metric_arg)))

    def _describe(self, d: int, metric: int, spec: str, metric_arg: float) -> None:
        self.d = d
        self.metric_type = metric
        self.metric_arg = metric_arg
        self._spec = spec
        self._engine = None
        self._quantizer = None
        self._set = {}

    def _adopt(self, engine: _native.Engine) -> None:
        self._engine = engine
        self._spec = engine.spec
        for name, value in self._set.items():
            engine.set_knob(name, value)

    @classmethod
    def _of(cls, engine: _native.Engine) -> Any:
        """An index of this class around an engine that is there already."""
        index = cls.__new__(cls)
        metric, argument = metric_number(engine.metric)
        index._describe(engine.dim, metric, engine.spec, argument)
        index._engine = engine
        return index

    def __getattr__(self, name: str) -> Any:
        if name in type(self)._knobs:
            engine = self.__dict__.get("_engine")
            known = {} if engine is None else engine.knobs()
            value = known.get(name, self._set.get(name))
            return _DEFAULTS.get(name, 1) if value is None else _whole(value)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in type(self)._knobs:
            object.__setattr__(self, name, value)
            return
        self._set[name] = float(value)
        if self._engine is not None:
            self._engine.set_knob(name, float(value))

    @property
    def is_trained(self) -> bool:
        """Whether vectors can be added."""
        return self._engine is not None

    @property
    def metric(self) -> str:
        """The metric's name."""
        return metric_name(self.metric_type, self.metric_arg)

    @property
    def ntotal(self) -> int:
        """How many vectors there are."""
        return 0 if self._engine is None else len(self._engine)

    def _trained(self) -> _native.Engine:
        if self._engine is None:
            raise RuntimeError(f"the index `{self._spec}` is not trained yet: call train(x) first")
        return self._engine

    def train(self, x: Any, numeric_type: int = 0) -> None:
        """Learns from vectors like those to come; what needs no training learns nothing."""
        x = matrix(x, self.d)
        if self._engine is None:
            self._adopt(self._learned(x))

    def _learned(self, x: Floats) -> _native.Engine:
        metric = metric_name(self.metric_type, self.metric_arg)
        return _native.Engine.train(self._spec, metric, x, SEED)

    def add(self, x: Any, numeric_type: int = 0) -> None:
        """Adds vectors, numbered as they come."""
        self._trained().add(matrix(x, self.d))

    def add_with_ids(self, x: Any, ids: Any, numeric_type: int = 0) -> None:
        """Adds vectors under ids of the caller's."""
        x = matrix(x, self.d)
        self._trained().add_with_ids(x, id_array(ids, len(x)))

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
        """Distances and ids of the `k` nearest to each row, padded with -1."""
        x, k = matrix(x, self.d), count(k)
        distances, ids = _finite(self._trained(), x, k, *self._request(params))
        return filled(D, distances), filled(I, ids)

    def _request(self, params: SearchParameters | None) -> tuple[dict[str, float], _native.Selector | None]:
        if params is None:
            return self._own_request(), None
        return {**self._own_request(), **params._knobs()}, params._selection()

    def _own_request(self) -> dict[str, float]:
        return {}

    def range_search(
        self, x: Any, thresh: float, *, params: SearchParameters | None = None
    ) -> tuple[npt.NDArray[np.uint64], Floats, Ids]:
        """Everything better than `thresh`: where each query's results end, their distances and their ids."""
        knobs, selector = self._request(params)
        lims, distances, ids = self._trained().range_search(matrix(x, self.d), float(thresh), knobs, selector)
        return lims.astype(np.uint64), distances, ids

    def assign(self, x: Any, k: SupportsIndex, labels: Any = None) -> Ids:
        """The ids that `search` finds."""
        return filled(labels, self.search(x, k)[1])

    def reconstruct(self, key: SupportsIndex, x: Any = None) -> Floats:
        """The vector with this id."""
        ids = np.array([key], dtype=np.int64)
        return filled(x, self._trained().reconstruct(ids)[0])

    def reconstruct_batch(self, key: Any, x: Any = None) -> Floats:
        """The vectors with these ids."""
        ids = np.ascontiguousarray(key, dtype=np.int64)
        return filled(x, self._trained().reconstruct(ids))

    def reconstruct_n(self, n0: int = 0, ni: int = -1, x: Any = None) -> Floats:
        """The `ni` vectors from id `n0` on; all that follow, where `ni` is -1."""
        count = self.ntotal - n0 if ni == -1 else ni
        return self.reconstruct_batch(np.arange(n0, n0 + count), x)

    def search_and_reconstruct(
        self,
        x: Any,
        k: SupportsIndex,
        *,
        params: SearchParameters | None = None,
        D: Any = None,
        I: Any = None,
        R: Any = None,
    ) -> tuple[Floats, Ids, Floats]:
        """What `search` finds, and the vectors found; NaN where there is none."""
        distances, ids = self.search(x, k, params=params, D=D, I=I)
        vectors = np.full((*ids.shape, self.d), np.nan, dtype=np.float32)
        found = ids >= 0
        vectors[found] = self.reconstruct_batch(ids[found])
        return distances, ids, filled(R, vectors)

    def remove_ids(self, x: Any) -> int:
        """Removes the ids of an array or a selector; returns how many there were."""
        return self._trained().remove(as_selector(x))

    def reset(self) -> None:
        """Removes everything."""
        if self._engine is not None:
            self._engine.remove(_native.Selector.all())

    def check_compatible_for_merge(self, other: Index) -> None:
        """Refuses an index whose vectors this one cannot take over."""
        same = type(self) is type(other) and self.d == other.d and self.metric_type == other.metric_type
        if not same:
            raise RuntimeError(f"{type(other).__name__} cannot be merged into {type(self).__name__} like this one")

    def merge_from(self, otherIndex: Index, add_id: int = 0) -> None:
        """Takes over the vectors of another index, which is empty then."""
        self.check_compatible_for_merge(otherIndex)
        self._trained().merge(otherIndex._trained(), add_id)

    def compute_residual(self, x: Any, key: SupportsIndex) -> Floats:
        """What remains of a vector when the one with this id is taken away."""
        return np.asarray(x, dtype=np.float32) - self.reconstruct(key)

    def compute_residual_n(self, x: Any, keys: Any) -> Floats:
        """What remains of vectors when those with these ids are taken away."""
        return np.asarray(x, dtype=np.float32) - self.reconstruct_batch(keys)

    def _part(self, name: str) -> Any:
        from ._factory import wrap

        return wrap(self._trained().part(name))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        engine = state.pop("_engine")
        state["_file"] = None if engine is None else engine.to_faiss()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        file = state.pop("_file")
        self.__dict__.update(state)
        self.__dict__["_engine"] = None if file is None else _native.Engine.from_faiss(file)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._spec!r}, d={self.d}, ntotal={self.ntotal})"


# What search parameters are before they are set.
_DEFAULTS = {"nprobe": 1, "efSearch": 16, "efConstruction": 40, "max_codes": 0, "k_factor_rf": 1}


def _whole(value: float) -> float | int:
    if value == float("inf") or value >= 2**63:
        return 0
    return int(value) if value == int(value) else value


def _finite(
    engine: _native.Engine, x: Floats, k: int, knobs: dict[str, float], selector: _native.Selector | None
) -> tuple[Floats, Ids]:
    """A search in which rows that are not finite find nothing, as in Faiss."""
    finite = np.isfinite(x).all(axis=1)
    if finite.all():
        return engine.search(x, k, knobs, selector)
    metric, _ = metric_number(engine.metric)
    worst = np.finfo(np.float32).min if is_similarity_metric(metric) else np.finfo(np.float32).max
    distances = np.full((len(x), k), worst, dtype=np.float32)
    ids = np.full((len(x), k), -1, dtype=np.int64)
    if finite.any():
        distances[finite], ids[finite] = engine.search(np.ascontiguousarray(x[finite]), k, knobs, selector)
    return distances, ids


def nlist_of(spec: str) -> int:
    """The number of lists that a factory string says."""
    found = re.search(r"IVF(\d+)", spec)
    return int(found.group(1)) if found else 0
