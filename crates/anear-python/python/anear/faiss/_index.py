"""What every index of vectors does, and those that compare with every vector."""

from __future__ import annotations

import copy
import math
import operator
from importlib import import_module
from typing import Any, SupportsIndex, TypeVar

import numpy as np

from .. import _native
from ._arrays import Array, Codes, Floats, Ids, Pointer, UInt8Vector, count_of, ids_for, output, pointed, rows
from ._constants import (
    METRIC_INNER_PRODUCT,
    METRIC_L2,
    Float16,
    Float32,
    Int8,
    METRIC_Lp,
    UInt8,
    is_similarity_metric,
    metric_name,
    metric_number,
)
from ._known import Known
from ._params import SearchParameters, checked
from ._raw import Raw
from ._selectors import IDSelector, IDSelectorAll, selector_of

Self = TypeVar("Self", bound="Index")
Knobs = dict[str, float]
Range = tuple[Array, Floats, Ids]
Found = tuple[Ids, Floats]

_TYPES = {Float32: np.float32, Float16: np.float16, UInt8: np.uint8, Int8: np.int8}


class Index(Raw, Known):
    """An index of vectors of one width, compared by one metric.

    The methods that begin with an underscore are what kinds of indexes differ in.
    """

    verbose = False
    own_fields = False
    is_trained = True
    metric_arg = 0.0

    def __init__(self, d: SupportsIndex, metric: int | str = METRIC_L2) -> None:
        """Nothing yet, of width `d`."""
        self.d = operator.index(d)
        self._cosine = metric == "cosine"
        self.metric_type, self.metric_arg = metric_number(metric) if isinstance(metric, str) else (int(metric), 0.0)
        self._check_metric()

    @property
    def metric(self) -> str:
        """The metric's name, in anear's words."""
        return "cosine" if self._cosine else metric_name(self.metric_type, self.metric_arg)

    @property
    def ntotal(self) -> int:
        """How many vectors there are."""
        return self._count()

    @ntotal.setter
    def ntotal(self, value: int) -> None:
        """Nothing to do: vectors are counted."""

    def train(self, x: Any, *, numeric_type: int = Float32, xq_train: Any = None) -> None:
        """Learns from vectors like those to come.

        Raises:
            RuntimeError: there are too few.
        """
        self._train(rows(x, self.d))

    def add(self, x: Any, numeric_type: int = Float32) -> None:
        """Adds the rows of `x`; their ids are counted on.

        Raises:
            AssertionError: they have another width.
            RuntimeError: the index is not trained, or numbers are not finite.
        """
        self._check_trained("add")
        vectors = rows(x, self.d)
        if len(vectors):
            self._add(vectors)

    def add_with_ids(self, x: Any, ids: Any, numeric_type: int = Float32) -> None:
        """Adds the rows of `x` under these ids.

        Raises:
            AssertionError: they have another width, or there are not as many ids.
            RuntimeError: the index is not trained, or has no ids of its own.
        """
        self._check_trained("add_with_ids")
        vectors = rows(x, self.d)
        chosen = ids_for(ids, len(vectors))
        if len(vectors):
            self._add_with_ids(vectors, chosen)

    def search(
        self,
        x: Any,
        k: SupportsIndex,
        *,
        params: SearchParameters | None = None,
        D: Array | None = None,
        I: Array | None = None,
        numeric_type: int = Float32,
    ) -> tuple[Floats, Ids]:
        """Distances and ids of the `k` nearest to each row of `x`, with the id -1 where there are fewer.

        Raises:
            AssertionError: `x` has another width, or `k` is not positive.
            RuntimeError: the index is not trained, or the parameters are of another kind of index.
            TypeError: `params` are no search parameters.
        """
        queries, count = rows(x, self.d), count_of(k)
        self._check_trained("search")
        distances = output(D, (len(queries), count), np.float32)
        labels = output(I, (len(queries), count), np.int64)
        if len(queries):
            self._search(queries, checked(params), distances, labels)
        return distances, labels

    def range_search(self, x: Any, thresh: float, *, params: SearchParameters | None = None) -> Range:
        """All within a radius: `lims`, distances and ids; those of query `i` are at `lims[i]:lims[i + 1]`.

        Raises:
            AssertionError: `x` has another width.
            RuntimeError: the index is not trained, or the parameters are of another kind of index.
            TypeError: `params` are no search parameters.
        """
        queries = rows(x, self.d)
        self._check_trained("range_search")
        if not len(queries):
            return np.zeros(1, np.uint64), np.empty(0, np.float32), np.empty(0, np.int64)
        return self._range_search(queries, float(thresh), checked(params))

    def assign(self, x: Any, k: SupportsIndex = 1, labels: Array | None = None) -> Ids:
        """The ids of the `k` nearest to each row of `x`."""
        return self.search(x, k, I=labels)[1]

    def search_and_reconstruct(
        self,
        x: Any,
        k: SupportsIndex,
        *,
        params: SearchParameters | None = None,
        D: Array | None = None,
        I: Array | None = None,
        R: Array | None = None,
    ) -> tuple[Floats, Ids, Floats]:
        """`search`, and the vectors that were found; NaN where none was."""
        distances, labels = self.search(x, k, params=params, D=D, I=I)
        vectors = output(R, (*labels.shape, self.d), np.float32)
        vectors.fill(np.nan)
        found = labels >= 0
        if found.any():
            vectors[found] = self._reconstruct(labels[found])
        return distances, labels, vectors

    def reconstruct(self, key: SupportsIndex, x: Array | None = None) -> Floats:
        """The vector with this id.

        Raises:
            RuntimeError: there is none, or the index does not give vectors back.
        """
        vector = output(x, (self.d,), np.float32)
        vector[:] = self._reconstruct(np.array([operator.index(key)], np.int64))[0]
        return vector

    def reconstruct_n(self, n0: SupportsIndex = 0, ni: SupportsIndex = -1, x: Array | None = None) -> Floats:
        """The vectors with `ni` ids from `n0` on; -1 stands for all the rest.

        Raises:
            RuntimeError: one of them is missing, or the index does not give vectors back.
        """
        start, count = operator.index(n0), operator.index(ni)
        count = self._next_id() - start if count == -1 else count
        if start < 0 or count < 0:
            raise RuntimeError(f"there are no {count} vectors from id {start} on; the index holds {self.ntotal}")
        vectors = output(x, (count, self.d), np.float32)
        if count:
            vectors[:] = self._reconstruct(np.arange(start, start + count, dtype=np.int64))
        return vectors

    def reconstruct_batch(self, key: Any, x: Array | None = None) -> Floats:
        """The vectors with these ids.

        Raises:
            RuntimeError: one of them is missing, or the index does not give vectors back.
        """
        keys: Ids = np.ascontiguousarray(key, dtype=np.int64)
        (count,) = keys.shape
        vectors = output(x, (count, self.d), np.float32)
        if count:
            vectors[:] = self._reconstruct(keys)
        return vectors

    def compute_residual(self, x: Any, *rest: Any) -> Floats:
        """What remains of a vector when the one with this id is taken away.

        The id comes last; before it may stand where the answer is written to, as in Faiss.
        """
        *outputs, key = rest
        residual: Floats = pointed(x, self.d, np.float32) - self.reconstruct(key)
        for output in outputs:
            pointed(output, self.d, np.float32)[:] = residual
        return residual

    def compute_residual_n(self, *args: Any) -> Floats:
        """What remains of each row when the vector with its id is taken away: rows and ids.

        As in Faiss, too: how many they are, the rows, where the answer is written to, the ids.
        """
        if len(args) == 2:
            vectors, keys = rows(args[0], self.d), args[1]
        else:
            vectors, keys = self._rows(args[0], args[1]), pointed(args[3], args[0], np.int64)
        residuals: Floats = vectors - self.reconstruct_batch(keys)
        if len(args) == 4:
            self._rows(args[0], args[2])[:] = residuals
        return residuals

    def get_distance_computer(self) -> Any:
        """What compares one query after the other with vectors of one's choice, as they are given back."""
        from ._computer import DistanceComputer

        return DistanceComputer(self)

    def remove_ids(self, x: Any) -> int:
        """Removes the vectors with these ids, an array or a selector; says how many there were.

        Raises:
            RuntimeError: the index cannot remove.
        """
        return self._remove(selector_of(x))

    def merge_from(self, otherIndex: Index, add_id: SupportsIndex = 0) -> None:
        """Takes over the vectors of another index, which is empty then; where ids are kept, they grow by `add_id`.

        Raises:
            RuntimeError: the indexes do not match, or cannot be merged.
        """
        self.check_compatible_for_merge(otherIndex)
        self._merge(otherIndex, operator.index(add_id))

    def check_compatible_for_merge(self, otherIndex: Index) -> None:
        """Raises RuntimeError if the other index is of another kind, width or metric."""
        if not isinstance(otherIndex, Index):
            raise TypeError(f"expected an index, got {type(otherIndex).__name__}")
        if type(self)._family() is not type(otherIndex)._family() or (self.d, self.metric) != (
            otherIndex.d,
            otherIndex.metric,
        ):
            raise RuntimeError(f"cannot merge {otherIndex!r} into {self!r}: they must be alike")

    def reset(self) -> None:
        """Removes all vectors; what was learned stays."""
        self._reset()

    def sa_code_size(self) -> int:
        """Bytes of a vector's code.

        Raises:
            RuntimeError: the index has no codes.
        """
        raise self._cannot("sa_code_size")

    def sa_encode(self, x: Any, codes: Array | None = None) -> Codes:
        """The codes of vectors, a row each.

        Raises:
            RuntimeError: the index has no codes.
        """
        vectors = rows(x, self.d)
        self._check_trained("sa_encode")
        out = output(codes, (len(vectors), self.sa_code_size()), np.uint8)
        if len(vectors):
            out[:] = self._encode(vectors)
        return out

    def sa_decode(self, codes: Any, x: Array | None = None) -> Floats:
        """The vectors of codes.

        Raises:
            RuntimeError: the index has no codes.
        """
        given = rows(codes, self.sa_code_size(), np.uint8)
        self._check_trained("sa_decode")
        vectors = output(x, (len(given), self.d), np.float32)
        if len(given):
            vectors[:] = self._decode(given)
        return vectors

    def to_faiss(self) -> Any:
        """A copy as an index of the Python package `faiss`; cosine becomes the inner product of unit vectors.

        Raises:
            ImportError: `faiss` is not installed.
        """
        return import_module("faiss").deserialize_index(self._to_faiss())

    def add_ex(self, x: Any, numeric_type: int) -> None:
        """`add` of numbers of a type; they are converted."""
        self.add(_typed(x, numeric_type))

    def train_ex(self, x: Any, numeric_type: int) -> None:
        """`train` on numbers of a type; they are converted."""
        self.train(_typed(x, numeric_type))

    def search_ex(self, x: Any, numeric_type: int, k: SupportsIndex, **options: Any) -> tuple[Floats, Ids]:
        """`search` for numbers of a type; they are converted."""
        return self.search(_typed(x, numeric_type), k, **options)

    # What kinds of indexes differ in.

    def _check_metric(self) -> None:
        """Refuses a metric that vectors cannot be compared by."""
        if self.metric_type != METRIC_Lp:
            metric_name(self.metric_type)

    @classmethod
    def _family(cls) -> type:
        """The class within which indexes can be merged."""
        return cls

    def _count(self) -> int:
        raise self._cannot("ntotal")

    def _train(self, x: Floats) -> None:
        """Nothing to learn."""

    def _add(self, x: Floats) -> None:
        raise self._cannot("add")

    def _add_with_ids(self, x: Floats, ids: Ids) -> None:
        raise RuntimeError(f"{self._cannot('add_with_ids')}: give vectors ids by IndexIDMap2(index)")

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        raise self._cannot("search")

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        raise self._cannot("range_search")

    def _reconstruct(self, ids: Ids) -> Floats:
        raise self._cannot("reconstruct")

    def _remove(self, selector: IDSelector) -> int:
        raise self._cannot("remove_ids")

    def _merge(self, other: Any, add_id: int) -> None:
        raise self._cannot("merge_from")

    def _reset(self) -> None:
        self._remove(IDSelectorAll())

    def _encode(self, x: Floats) -> Codes:
        raise self._cannot("sa_encode")

    def _decode(self, codes: Codes) -> Floats:
        raise self._cannot("sa_decode")

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        """What the engine is told about a search; nothing where another searches."""
        return {}

    def _engine(self) -> _native.VectorIndex:
        """The whole of it as one index of the engine, to be saved or built upon."""
        raise self._cannot("saving")

    def _to_faiss(self, beside_lists: bool = False) -> Codes:
        """The whole of it as Faiss writes it; lists in a file of their own stay there if that is wanted."""
        return self._engine().to_faiss(beside_lists)

    def _is_of_faiss(self) -> bool:
        """Whether Faiss has such an index."""
        return True

    def _to_file(self, beside_lists: bool = False) -> Codes:
        """The whole of it as Faiss writes it; in anear's container where Faiss has no such index."""
        if self._is_of_faiss():
            return self._to_faiss(beside_lists)
        return np.frombuffer(self._engine().to_bytes(), np.uint8)

    def _keeps_ids(self) -> bool:
        """Whether vectors keep their ids when others are removed, rather than being numbered by position."""
        return False

    def _next_id(self) -> int:
        """The id that the next vector is given."""
        return self.ntotal

    def _own_ids(self) -> Ids:
        """The ids of all vectors."""
        return np.arange(self.ntotal, dtype=np.int64)

    def _cannot(self, what: str) -> RuntimeError:
        return RuntimeError(f"{what} not implemented for {type(self).__name__}")

    def _check_trained(self, what: str) -> None:
        if not self.is_trained:
            raise RuntimeError(f"{type(self).__name__}.{what}: 'is_trained' failed; call train(x) first")

    def _is_similarity(self) -> bool:
        return is_similarity_metric(self.metric_type)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_index", "_cosine"):
            raise AttributeError(name)
        raise self._unknown(name)

    def __copy__(self: Self) -> Self:
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} d={self.d} ntotal={self.ntotal} metric={self.metric}>"


def _typed(x: Any, numeric_type: int) -> Array:
    try:
        wanted = _TYPES[numeric_type]
    except KeyError:
        raise RuntimeError(f"no numbers have the type {numeric_type}; there are {_TYPES}") from None
    array = np.asarray(x)
    assert array.dtype == wanted, f"expected numbers of {np.dtype(wanted)}, got {array.dtype}"
    return array


class EngineIndex(Index):
    """An index that one index of the engine is behind, once it is trained."""

    def __init__(self, d: SupportsIndex, metric: int | str = METRIC_L2) -> None:
        """Nothing yet."""
        super().__init__(d, metric)
        self._index: _native.VectorIndex | None = None
        self._needs_training = False

    def _spec(self) -> str:
        """The factory string of the index of the engine."""
        raise NotImplementedError

    def _start(self) -> None:
        """Refuses what the engine does not know; says whether there is something to learn."""
        self._needs_training = _native.check_spec(self._spec())[1]
        self.is_trained = not self._needs_training

    def _built(self, spec: str, sample: Floats | None) -> _native.VectorIndex:
        given = None if sample is not None else self._given_quantizer()
        if given is not None:
            return given.flat(self.metric)
        return _native.VectorIndex.build(spec, self.metric, self._nothing() if sample is None else sample)

    def _given_quantizer(self) -> _native.Parts | None:
        """The index whose quantizer was taken over as an attribute of this one, if there is such."""
        for name in ("pq", "sq", "rq", "rabitq"):
            home = getattr(vars(self).get(name), "_home", None)
            if home is not None and home is not self and home._index is not None:
                return _native.Parts(home._index)
        return None

    def _nothing(self) -> Floats:
        return np.empty((0, self.d), np.float32)

    @classmethod
    def _around(cls, index: _native.VectorIndex) -> Any:
        """An object around an index of the engine."""
        this = cls.__new__(cls)
        EngineIndex.__init__(this, index.d, index.metric)
        this._index = index
        this._needs_training = _native.check_spec(index.spec)[1]
        this._adopt(index)
        this._close()
        return this

    def _adopt(self, index: _native.VectorIndex) -> None:
        """Takes over what the object shows of the index behind it."""

    @property
    def _live(self) -> _native.VectorIndex:
        """The index of the engine; made at its first use, so that the metric can still be changed until then."""
        if self._index is None:
            self._check_trained("use")
            self._index = self._built(self._spec(), None)
        return self._index

    @property
    def _parts(self) -> _native.Parts:
        return _native.Parts(self._live)

    def _count(self) -> int:
        return 0 if self._index is None else self._index.ntotal

    def _train(self, x: Floats) -> None:
        if self.ntotal and self._needs_training:
            raise RuntimeError(f"{type(self).__name__} holds {self.ntotal} vectors; reset() it before it is trained anew")
        if self._needs_training:
            self._index = self._built(self._spec(), x)
        self.is_trained = True

    def _add(self, x: Floats) -> None:
        self._live.add(x)

    def _next_id(self) -> int:
        return 0 if self._index is None else self._index.next_id

    def _rule(self, params: SearchParameters | None) -> _native.Selector | None:
        selector = None if params is None else params.sel
        return None if selector is None else selector._over(self._own_ids)

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        self._live.search(x, distances, labels, self._rule(params), self._knobs(params))

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        return self._live.range_search(x, radius, self._rule(params), self._knobs(params))

    def _reconstruct(self, ids: Ids) -> Floats:
        out = np.empty((len(ids), self.d), np.float32)
        self._live.reconstruct(ids, out)
        return out

    def _remove(self, selector: IDSelector) -> int:
        return 0 if self._index is None else self._index.remove(selector._over(self._own_ids))

    def _reset(self) -> None:
        if self._needs_training:
            self._remove(IDSelectorAll())
        else:
            self._index = None

    def _merge(self, other: EngineIndex, add_id: int) -> None:
        if self is other:
            raise RuntimeError("an index cannot be merged into itself")
        self._live.merge(other._live, add_id)

    def _engine(self) -> _native.VectorIndex:
        return self._live

    def sa_code_size(self) -> int:
        """Bytes of a vector's code."""
        return self._parts.code_size()

    def _encode(self, x: Floats) -> Codes:
        return self._parts.encode(x)

    def _decode(self, codes: Codes) -> Floats:
        return self._parts.decode(codes)


class IndexFlatCodes(EngineIndex):
    """An index that compares a query with the code of every vector; ids are positions."""

    def _merge(self, other: EngineIndex, add_id: int) -> None:
        if add_id:
            raise RuntimeError(f"ids are positions: they cannot grow by {add_id}; leave add_id at 0")
        super()._merge(other, add_id)

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self._parts.code_size()

    def sa_code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.code_size

    @property
    def codes(self) -> UInt8Vector:
        """A copy of all codes, one after the other."""
        return UInt8Vector(self._parts.codes() if self.ntotal else ())

    def add_sa_codes(self, codes: Any, ids: Any = None) -> None:
        """Adds the vectors of codes, which `sa_encode` made.

        Raises:
            RuntimeError: ids are given, which are positions here.
        """
        if ids is not None:
            raise self._cannot("add_sa_codes with ids")
        self.add(self.sa_decode(codes))

    def permute_entries(self, perm: Any) -> None:
        """Puts the vector at `perm[i]` to position `i`."""
        order: Ids = np.ascontiguousarray(perm, dtype=np.int64)
        assert order.shape == (self.ntotal,), f"expected {self.ntotal} positions, got the shape {order.shape}"
        assert (np.sort(order) == np.arange(self.ntotal)).all(), "expected every position once"
        vectors = self._reconstruct(order)
        self.reset()
        self._add(vectors)

    def search_subset(
        self, x: Any, k_base: SupportsIndex, base_labels: Any, k: SupportsIndex
    ) -> tuple[Floats, Ids]:
        """The `k` nearest among the first `k_base` candidates of each query."""
        queries, count, first = rows(x, self.d), count_of(k), count_of(k_base)
        among: Ids = np.ascontiguousarray(base_labels, dtype=np.int64)
        assert among.ndim == 2 and len(among) == len(queries), f"expected a row of labels per query, got {among.shape}"
        distances, labels = np.empty((len(queries), count), np.float32), np.empty((len(queries), count), np.int64)
        _rank(self, queries, np.ascontiguousarray(among[:, :first]), distances, labels)
        return distances, labels

    def compute_distance_subset(self, x: Any, labels: Any) -> Floats:
        """The distances between each row of `x` and the vectors with the ids in its row of `labels`."""
        return _distances(self, rows(x, self.d), np.ascontiguousarray(labels, dtype=np.int64))


class IndexFlat(IndexFlatCodes):
    """An exact index: compares a query with every vector.

    >>> import numpy as np
    >>> index = IndexFlat(2)
    >>> index.add(np.array([[0.0, 1.0], [1.0, 1.0]]))
    >>> index.search(np.array([[1.0, 1.0]]), 1)
    (array([[0.]], dtype=float32), array([[1]]))
    """

    def __new__(cls, d: Any = 0, metric: Any = METRIC_L2, *rest: Any, **options: Any) -> IndexFlat:
        """One that takes NaN for the metrics that leave it out."""
        from ._missing import METRICS, IndexFlatMissing

        return super().__new__(IndexFlatMissing if cls is IndexFlat and metric in METRICS else cls)

    def __init__(self, d: SupportsIndex = 0, metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`; `metric` is one of Faiss's numbers or a name of anear's."""
        super().__init__(d, metric)
        self._start()

    def _spec(self) -> str:
        return "Flat"

    @classmethod
    def _family(cls) -> type:
        return IndexFlat

    def get_xb(self) -> Pointer:
        """What stands for a pointer to the vectors: a copy of them."""
        return Pointer(self.codes._values.view(np.float32))

    @property
    def code_size(self) -> int:
        """Bytes of a vector."""
        return 4 * self.d


class IndexFlatL2(IndexFlat):
    """An exact index by squared L2 distance."""

    def __init__(self, d: SupportsIndex = 0) -> None:
        """An empty index of vectors of width `d`."""
        super().__init__(d, METRIC_L2)


class IndexFlatIP(IndexFlat):
    """An exact index by inner product: the largest first."""

    def __init__(self, d: SupportsIndex = 0) -> None:
        """An empty index of vectors of width `d`."""
        super().__init__(d, METRIC_INNER_PRODUCT)


class IndexFlat1D(IndexFlatL2):
    """An exact index of single numbers; distances are not squared."""

    def __init__(self, continuous_update: bool = True) -> None:
        """An empty index of numbers."""
        super().__init__(1)

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        super()._search(x, params, distances, labels)
        distances[labels >= 0] **= 0.5

    def update_permutation(self) -> None:
        """Nothing to do: the numbers are not sorted."""


def joined(found: list[Found], part: int, dtype: Any) -> Array:
    """All ids, or all distances, of several queries."""
    return np.concatenate([np.empty(0, dtype), *(each[part] for each in found)])


def as_range(found: list[Found]) -> Range:
    """The three arrays of a range search."""
    lims = np.cumsum([0, *(len(ids) for ids, _ in found)]).astype(np.uint64)
    return lims, joined(found, 1, np.float32), joined(found, 0, np.int64)


def _distances(index: Index, x: Floats, labels: Ids) -> Floats:
    """The distances between each query and the vectors with the ids in its row; NaN where there is none."""
    out = np.full(labels.shape, np.nan, np.float32)
    if not isinstance(index, EngineIndex):
        raise index._cannot("distances to vectors of one's choice")
    if labels.size:
        index._live.distances(x, labels, out)
    return out


def candidates(k: int, factor: float, ntotal: int) -> int:
    """How many are to be ranked for `k` neighbors: `factor` times as many, if there are.

    Raises:
        ValueError: the factor is not a number.
    """
    if math.isnan(factor):
        raise ValueError("k_factor is NaN; it must be at least 1")
    return max(k, int(min(k * factor, ntotal)))


def _rank(index: Index, x: Floats, candidates: Ids, distances: Floats, labels: Ids) -> None:
    """Writes the best of each row of candidates, by the distances of `index`."""
    if not isinstance(index, EngineIndex):
        raise index._cannot("distances to vectors of one's choice")
    index._live.rank(x, candidates, distances, labels)

