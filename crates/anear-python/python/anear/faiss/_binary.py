"""Indexes of bit vectors, compared by the number of bits that differ."""

from __future__ import annotations

import copy
import operator
from typing import Any, SupportsIndex, TypeVar

import numpy as np
import numpy.typing as npt

from .. import _native
from ._arrays import Array, Codes, Ids, Int64Vector, UInt8Vector, bytes_rows, count_of, ids_for, output
from ._clustering import ClusteringParameters
from ._codes import check_factory_string, numbers_in
from ._constants import METRIC_L2
from ._index import Index
from ._known import Known
from ._lists import DirectMap, Listed
from ._named import GONE, Named
from ._params import SearchParameters, SearchParametersHNSW, SearchParametersIVF, checked
from ._selectors import IDSelector, selector_of

Self = TypeVar("Self", bound="IndexBinary")
Distances = npt.NDArray[np.int32]
Range = tuple[Array, Array, Ids]


class IndexBinary(Known):
    """An index of vectors of `d` bits, which are rows of `d // 8` bytes."""

    verbose = False
    own_fields = False
    is_trained = True
    metric_type = METRIC_L2

    def __init__(self, d: SupportsIndex) -> None:
        """Nothing yet, for vectors of `d` bits.

        Raises:
            RuntimeError: that is no multiple of 8.
        """
        self.d = operator.index(d)
        if self.d % 8 or self.d < 8:
            raise RuntimeError(f"the number of bits must be a multiple of 8, got {self.d}")
        self.code_size = self.d // 8
        self._index: _native.BinaryIndex | None = None
        self._needs_training = False

    def _spec(self) -> str:
        """The factory string of the index of the engine."""
        raise NotImplementedError

    @classmethod
    def _around(cls, index: _native.BinaryIndex) -> Any:
        this = cls.__new__(cls)
        IndexBinary.__init__(this, index.d)
        this._index = index
        this._adopt(index)
        this._close()
        return this

    def _adopt(self, index: _native.BinaryIndex) -> None:
        """Takes over what the object shows of the index behind it."""

    @property
    def _live(self) -> _native.BinaryIndex:
        if self._index is None:
            self._check_trained()
            self._index = self._built(None)
        return self._index

    def _built(self, sample: Codes | None) -> _native.BinaryIndex:
        return _native.BinaryIndex.build(self._spec(), self.d, sample)

    @property
    def ntotal(self) -> int:
        """How many vectors there are."""
        return self._count()

    @ntotal.setter
    def ntotal(self, value: int) -> None:
        """Nothing to do: vectors are counted."""

    def _keeps_ids(self) -> bool:
        """Whether vectors keep their ids when others are removed, rather than being numbered by position."""
        return False

    def train(self, x: Any) -> None:
        """Learns from vectors like those to come."""
        bytes_rows(x, self.code_size)

    def add(self, x: Any) -> None:
        """Adds the rows of `x`; their ids are counted on.

        Raises:
            AssertionError: they have another width.
            RuntimeError: the index is not trained.
        """
        vectors = bytes_rows(x, self.code_size)
        self._check_trained()
        if len(vectors):
            self._add(vectors)

    def add_with_ids(self, x: Any, ids: Any) -> None:
        """Adds the rows of `x` under these ids.

        Raises:
            AssertionError: they have another width, or there are not as many ids.
            RuntimeError: the index is not trained, or has no ids of its own.
        """
        vectors = bytes_rows(x, self.code_size)
        self._check_trained()
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
    ) -> tuple[Distances, Ids]:
        """Distances in bits and ids of the `k` nearest to each row of `x`, with the id -1 where there are fewer.

        Raises:
            AssertionError: `x` has another width, or `k` is not positive.
            RuntimeError: the index is not trained.
            TypeError: `params` are no search parameters.
        """
        queries, count = bytes_rows(x, self.code_size), count_of(k)
        self._check_trained()
        distances = output(D, (len(queries), count), np.int32)
        labels = output(I, (len(queries), count), np.int64)
        if len(queries):
            self._search(queries, checked(params), distances, labels)
        return distances, labels

    def range_search(self, x: Any, thresh: float, *, params: SearchParameters | None = None) -> Range:
        """All in which fewer than `thresh` bits differ: `lims`, distances and ids."""
        queries = bytes_rows(x, self.code_size)
        self._check_trained()
        if not len(queries):
            return np.zeros(1, np.uint64), np.empty(0, np.float32), np.empty(0, np.int64)
        return self._range_search(queries, float(thresh), checked(params))

    def assign(self, x: Any, k: SupportsIndex = 1, labels: Array | None = None) -> Ids:
        """The ids of the `k` nearest to each row of `x`."""
        return self.search(x, k, I=labels)[1]

    def reconstruct(self, key: SupportsIndex, x: Array | None = None) -> Codes:
        """The vector with this id.

        Raises:
            RuntimeError: there is none.
        """
        vector = output(x, (self.code_size,), np.uint8)
        vector[:] = self._reconstruct(np.array([operator.index(key)], np.int64))[0]
        return vector

    def reconstruct_n(self, n0: SupportsIndex = 0, ni: SupportsIndex = -1, x: Array | None = None) -> Codes:
        """The vectors with `ni` ids from `n0` on; -1 stands for all the rest.

        Raises:
            RuntimeError: one of them is missing.
        """
        start, count = operator.index(n0), operator.index(ni)
        count = self.ntotal - start if count == -1 else count
        if start < 0 or count < 0:
            raise RuntimeError(f"there are no {count} vectors from id {start} on; the index holds {self.ntotal}")
        vectors = output(x, (count, self.code_size), np.uint8)
        if count:
            vectors[:] = self._reconstruct(np.arange(start, start + count, dtype=np.int64))
        return vectors

    def remove_ids(self, x: Any) -> int:
        """Removes the vectors with these ids, an array or a selector; says how many there were."""
        return self._remove(selector_of(x))

    def merge_from(self, otherIndex: Any, add_id: SupportsIndex = 0) -> None:
        """Takes over the vectors of another index, which is empty then; where ids are kept, they grow by `add_id`.

        Raises:
            RuntimeError: the indexes do not match.
        """
        if not isinstance(otherIndex, IndexBinary):
            raise TypeError(f"expected a binary index, got {type(otherIndex).__name__}")
        self.check_compatible_for_merge(otherIndex)
        self._merge(otherIndex, operator.index(add_id))

    def check_compatible_for_merge(self, otherIndex: IndexBinary) -> None:
        """Raises RuntimeError if the other index is of another kind or width."""
        if (type(self), self.d) != (type(otherIndex), otherIndex.d):
            raise RuntimeError(f"cannot merge {otherIndex!r} into {self!r}: they must be alike")

    def reset(self) -> None:
        """Removes all vectors; what was learned stays."""
        if self._needs_training and self._index is not None:
            self._index.remove(_native.Selector.all())
        else:
            self._index = None

    def display(self) -> None:
        """Prints what the index is."""
        print(self)

    def _count(self) -> int:
        return 0 if self._index is None else self._index.ntotal

    def _add(self, x: Codes) -> None:
        self._live.add(x)

    def _add_with_ids(self, x: Codes, ids: Ids) -> None:
        self._live.add_with_ids(x, ids)

    def _knobs(self, params: SearchParameters | None) -> dict[str, float]:
        return {}

    def _rule(self, params: SearchParameters | None) -> _native.Selector | None:
        selector = None if params is None else params.sel
        return None if selector is None else selector._over(lambda: np.arange(self.ntotal, dtype=np.int64))

    def _search(self, x: Codes, params: SearchParameters | None, distances: Distances, labels: Ids) -> None:
        self._live.search(x, distances, labels, self._rule(params), self._knobs(params))

    def _range_search(self, x: Codes, radius: float, params: SearchParameters | None) -> Range:
        return self._live.range_search(x, radius, self._rule(params), self._knobs(params))

    def _reconstruct(self, ids: Ids) -> Codes:
        out = np.empty((len(ids), self.code_size), np.uint8)
        self._live.reconstruct(ids, out)
        return out

    def _remove(self, selector: IDSelector) -> int:
        return 0 if self._index is None else self._index.remove(selector._rule)

    def _merge(self, other: Any, add_id: int) -> None:
        self._live.merge(other._live)

    def _engine(self) -> _native.BinaryIndex:
        """The whole of it as one index of the engine."""
        return self._live

    def _check_trained(self) -> None:
        if not self.is_trained:
            raise RuntimeError(f"{type(self).__name__}: 'is_trained' failed; call train(x) first")

    def _cannot(self, what: str) -> RuntimeError:
        return RuntimeError(f"{what} not implemented for {type(self).__name__}")

    def __copy__(self: Self) -> Self:
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} d={self.d} ntotal={self.ntotal}>"


class IndexBinaryFlat(IndexBinary):
    """An exact index of bit vectors.

    >>> import numpy as np
    >>> index = IndexBinaryFlat(8)
    >>> index.add(np.array([[0b0000_1111], [0b1111_1111]], np.uint8))
    >>> index.search(np.array([[0b0000_1110]], np.uint8), 1)
    (array([[1]], dtype=int32), array([[0]]))
    """

    use_heap = True
    query_batch_size = 32

    def _spec(self) -> str:
        return "BFlat"

    @property
    def xb(self) -> UInt8Vector:
        """A copy of all vectors, one after the other."""
        return UInt8Vector(self.reconstruct_n())


class IndexBinaryIVF(Listed, IndexBinary):
    """An inverted file of bit vectors."""

    _distance_type = np.int32
    own_invlists = True
    per_invlist_search = False

    nprobe = 1
    max_codes = 0
    use_heap = True
    clustering_index: Index | None = None

    def __init__(self, quantizer: IndexBinary, d: SupportsIndex, nlist: SupportsIndex) -> None:
        """An empty index of vectors of `d` bits in `nlist` lists; `quantizer` will find them."""
        if not isinstance(quantizer, IndexBinary):
            raise TypeError(f"expected a binary index as quantizer, got {type(quantizer).__name__}")
        super().__init__(d)
        self._settle(quantizer, operator.index(nlist))
        if quantizer.d != self.d:
            raise RuntimeError(f"the quantizer is for {quantizer.d} bits, the index for {self.d}")
        self.is_trained = quantizer.ntotal == self.nlist

    def _settle(self, quantizer: IndexBinary, nlist: int) -> None:
        self.quantizer, self.nlist = quantizer, nlist
        self.cp = ClusteringParameters()
        self.cp.niter = 10
        self.direct_map = DirectMap(self)
        self._needs_training = True

    def _spec(self) -> str:
        return f"BIVF{self.nlist}"

    def _adopt(self, index: _native.BinaryIndex) -> None:
        coarse = binary_around(index.coarse())
        self._settle(coarse, coarse.ntotal)
        self.nprobe = int(index.knob("nprobe") or 1)

    def train(self, x: Any) -> None:
        """Finds the centroids of the lists, unless the quantizer has them."""
        vectors = bytes_rows(x, self.code_size)
        if self.quantizer.ntotal != self.nlist:
            trained = _native.BinaryIndex.build(self._spec(), self.d, vectors, self.cp.seed % (1 << 64))
            centroids = np.empty((self.nlist, self.code_size), np.uint8)
            trained.coarse().reconstruct(np.arange(self.nlist, dtype=np.int64), centroids)
            self.quantizer.reset()
            self.quantizer.add(centroids)
        self._index = self._built(None)
        self.is_trained = True

    def _built(self, sample: Codes | None) -> _native.BinaryIndex:
        return _native.BinaryIndex.ivf(self.quantizer._engine())

    def _knobs(self, params: SearchParameters | None) -> dict[str, float]:
        nprobe = params.nprobe if isinstance(params, SearchParametersIVF) else self.nprobe
        return {"nprobe": float(min(max(nprobe, 1), self.nlist))}

    def _engine(self) -> _native.BinaryIndex:
        self._live.set_knob("nprobe", float(self.nprobe))
        return self._live

    def _merge(self, other: Any, add_id: int) -> None:
        self.invlists.merge_from(other.invlists, add_id)

    def reconstruct_from_offset(self, list_no: SupportsIndex, offset: SupportsIndex) -> Codes:
        """The vector at a place of a list."""
        return self.invlists.get_single_code(list_no, offset).array

    def _list_sizes(self) -> Ids:
        return np.array([len(self._list_at(number)[0]) for number in range(self.nlist)], np.int64)

    def _list_at(self, number: int) -> tuple[Ids, Codes]:
        return self._live.list(number)

    def _queries(self, x: Any) -> Codes:
        return bytes_rows(x, self.code_size)


class _Links(Known):
    """How a graph is made and walked."""

    def __init__(self, m: int) -> None:
        self.m = m
        self.efConstruction = 40
        self.efSearch = 16


class IndexBinaryHNSW(IndexBinary):
    """A hierarchical navigable small world of bit vectors."""

    def __init__(self, d: SupportsIndex, M: SupportsIndex = 32) -> None:
        """An empty index of vectors of `d` bits, with `M` links per vector and level."""
        super().__init__(d)
        self.hnsw = _Links(operator.index(M))

    def _spec(self) -> str:
        return f"BHNSW{self.hnsw.m}"

    def _built(self, sample: Codes | None) -> _native.BinaryIndex:
        return _native.BinaryIndex.hnsw(self.d, self.hnsw.m, self.hnsw.efConstruction)

    def _adopt(self, index: _native.BinaryIndex) -> None:
        self.hnsw = _Links(*numbers_in(index.spec))
        self.hnsw.efSearch = int(index.knob("efSearch") or 16)

    def _knobs(self, params: SearchParameters | None) -> dict[str, float]:
        ef = params.efSearch if isinstance(params, SearchParametersHNSW) else self.hnsw.efSearch
        return {"efSearch": float(max(ef, 1))}

    def _engine(self) -> _native.BinaryIndex:
        self._live.set_knob("efSearch", float(self.hnsw.efSearch))
        return self._live


def _buckets(vectors: Codes, first: int, b: int) -> int:
    """In how many buckets vectors are, by `b` bits from bit `first` on."""
    bits = np.unpackbits(vectors, axis=1, bitorder="little")[:, first : first + b]
    return len(np.unique(np.packbits(bits, axis=1), axis=0))


class IndexBinaryHash(IndexBinary):
    """Buckets by the first bits."""

    def hashtable_size(self) -> int:
        """In how many buckets there are vectors."""
        ids = np.arange(self.ntotal, dtype=np.int64)
        return _buckets(self._reconstruct(ids), 0, self.b) if self.ntotal else 0

    def _keeps_ids(self) -> bool:
        return True

    def __init__(self, d: SupportsIndex, b: SupportsIndex) -> None:
        """An empty index of vectors of `d` bits, in buckets by the first `b`."""
        super().__init__(d)
        self.b, self.nflip = operator.index(b), 0

    def _spec(self) -> str:
        return f"BHash{self.b}"

    def _adopt(self, index: _native.BinaryIndex) -> None:
        (self.b,), self.nflip = numbers_in(index.spec), int(index.knob("nflip") or 0)

    def _knobs(self, params: SearchParameters | None) -> dict[str, float]:
        return {"nflip": float(self.nflip)}

    def _engine(self) -> _native.BinaryIndex:
        self._live.set_knob("nflip", float(self.nflip))
        return self._live


class IndexBinaryMultiHash(IndexBinary):
    """Several tables of buckets, each by other bits."""

    def hashtable_size(self) -> int:
        """In how many buckets of all tables there are vectors."""
        vectors = self.reconstruct_n()
        return sum(_buckets(vectors, table * self.b, self.b) for table in range(self.nhash)) if len(vectors) else 0

    def __init__(self, d: SupportsIndex, nhash: SupportsIndex, b: SupportsIndex) -> None:
        """An empty index of vectors of `d` bits, in `nhash` tables of buckets by `b` bits."""
        super().__init__(d)
        self.nhash, self.b, self.nflip = operator.index(nhash), operator.index(b), 0

    def _spec(self) -> str:
        return f"BHash{self.nhash}x{self.b}"

    def _adopt(self, index: _native.BinaryIndex) -> None:
        (self.nhash, self.b), self.nflip = numbers_in(index.spec), int(index.knob("nflip") or 0)

    def _knobs(self, params: SearchParameters | None) -> dict[str, float]:
        return {"nflip": float(self.nflip)}

    def _engine(self) -> _native.BinaryIndex:
        self._live.set_knob("nflip", float(self.nflip))
        return self._live


class IndexBinaryIDMap(Named[IndexBinary], IndexBinary):
    """Ids of the caller's over an index that numbers its vectors."""

    def __init__(self, index: IndexBinary) -> None:
        """Around `index`, which must be empty.

        Raises:
            RuntimeError: it is not.
        """
        super().__init__(index.d)
        if index.ntotal:
            raise RuntimeError(f"an id map needs an empty index, got one of {index.ntotal} vectors")
        self.index = index
        self.id_map = Int64Vector()

    @property
    def is_trained(self) -> bool:  # type: ignore[override]
        """Whether the index within is trained."""
        return self.index.is_trained

    def _count(self) -> int:
        return self.index.ntotal

    def train(self, x: Any) -> None:
        """Trains the index within."""
        self.index.train(x)

    def _add(self, x: Codes) -> None:
        raise RuntimeError("add does not make sense with IndexBinaryIDMap, use add_with_ids")

    def _add_with_ids(self, x: Codes, ids: Ids) -> None:
        self._fit()
        self.index.add(x)
        self._append(ids)

    def _fit(self) -> None:
        """Lists count on from the largest id there is, be it one that was removed before."""
        if self.index._keeps_ids():
            self.id_map._values = self._ids[: self._living().max(initial=-1) + 1]

    def _search(self, x: Codes, params: SearchParameters | None, distances: Distances, labels: Ids) -> None:
        self.index.search(x, labels.shape[1], params=self._inner(params), D=distances, I=labels)
        self._rename(labels)

    def _range_search(self, x: Codes, radius: float, params: SearchParameters | None) -> Range:
        lims, distances, labels = self.index.range_search(x, radius, params=self._inner(params))
        self._rename(labels)
        return lims, distances, labels

    def reset(self) -> None:
        """Removes all vectors."""
        self.index.reset()
        self.id_map.clear()

    def _merge(self, other: Any, add_id: int) -> None:
        self._fit()
        taken = np.where(other._ids == GONE, GONE, other._ids + add_id)
        self.index.merge_from(other.index, len(self._ids) if self.index._keeps_ids() else 0)
        self._append(taken)
        other.id_map.clear()

    def check_compatible_for_merge(self, otherIndex: IndexBinary) -> None:
        """Raises RuntimeError if the other index is no id map over an index alike."""
        super().check_compatible_for_merge(otherIndex)
        if isinstance(otherIndex, IndexBinaryIDMap):
            self.index.check_compatible_for_merge(otherIndex.index)

    def _reconstruct(self, ids: Ids) -> Codes:
        raise self._cannot("reconstruct")

    def _engine(self) -> _native.BinaryIndex:
        two = isinstance(self, IndexBinaryIDMap2)
        return _native.BinaryIndex.id_map(two, self.index._engine(), self._numbers())


class IndexBinaryIDMap2(IndexBinaryIDMap):
    """Ids of the caller's over an index that numbers its vectors; gives the vectors back."""

    def _reconstruct(self, ids: Ids) -> Codes:
        return self.index._reconstruct(self._places(ids))

    def construct_rev_map(self) -> None:
        """Nothing to do: ids are always found."""


class IndexBinaryFromFloat(IndexBinary):
    """Bit vectors in an index of vectors of zeros and ones."""

    def __init__(self, index: Index) -> None:
        """Over `index`, which has a component for each bit."""
        super().__init__(index.d)
        self.index = index

    def _count(self) -> int:
        return self.index.ntotal

    @property
    def is_trained(self) -> bool:  # type: ignore[override]
        """Whether the index within is trained."""
        return self.index.is_trained

    @staticmethod
    def _signs(x: Codes) -> Array:
        return np.unpackbits(x, axis=1, bitorder="little").astype(np.float32) * 2 - 1

    def train(self, x: Any) -> None:
        """Trains the index within."""
        self.index.train(self._signs(bytes_rows(x, self.code_size)))

    def _add(self, x: Codes) -> None:
        self.index.add(self._signs(x))

    def reset(self) -> None:
        """Removes all vectors."""
        self.index.reset()

    def _search(self, x: Codes, params: SearchParameters | None, distances: Distances, labels: Ids) -> None:
        found, labels[:] = self.index.search(self._signs(x), labels.shape[1], params=params)
        distances[:] = np.where(labels < 0, np.iinfo(np.int32).max, np.rint(np.minimum(found, 1e9) / 4))

    def _remove(self, selector: IDSelector) -> int:
        return self.index.remove_ids(selector)


_KINDS: tuple[tuple[str, type[IndexBinary]], ...] = (
    ("BFlat", IndexBinaryFlat),
    ("BIVF", IndexBinaryIVF),
    ("BHNSW", IndexBinaryHNSW),
    ("BHash", IndexBinaryHash),
)


def binary_around(index: _native.BinaryIndex) -> IndexBinary:
    """An object of Faiss's class around an index of the engine."""
    spec = index.spec
    inner = index.inner()
    if inner is not None:
        kind = IndexBinaryIDMap2 if spec.startswith("IDMap2") else IndexBinaryIDMap
        outer = kind.__new__(kind)
        IndexBinary.__init__(outer, index.d)
        outer.index, outer.id_map = binary_around(inner[0]), Int64Vector(inner[1])
        return outer
    if spec.startswith("BHash") and "x" in spec:
        around: IndexBinary = IndexBinaryMultiHash._around(index)
        return around
    kind_of = next(kind for head, kind in _KINDS if spec.startswith(head))
    found: IndexBinary = kind_of._around(index)
    return found


def index_binary_factory(d: SupportsIndex, description: str, own_invlists: bool = True) -> IndexBinary:
    """The binary index that a factory string names.

    Raises:
        RuntimeError: it names none.
        TypeError: it is no string.
    """
    check_factory_string(description)
    for kind, token in ((IndexBinaryIDMap2, "IDMap2"), (IndexBinaryIDMap, "IDMap")):
        if description.startswith(token + ","):
            return kind(index_binary_factory(d, description.removeprefix(token + ",")))
        if description.endswith("," + token):
            return kind(index_binary_factory(d, description.removesuffix("," + token)))
    spec = _native.check_binary_spec(description)
    numbers = numbers_in(spec)
    if spec.startswith("BIVF"):
        nlist, *links = numbers
        coarse: IndexBinary = IndexBinaryHNSW(d, links[0]) if links else IndexBinaryFlat(d)
        return IndexBinaryIVF(coarse, d, nlist)
    if spec.startswith("BHNSW"):
        return IndexBinaryHNSW(d, *numbers)
    if spec.startswith("BHash"):
        return IndexBinaryMultiHash(d, *numbers) if "x" in spec else IndexBinaryHash(d, *numbers)
    return IndexBinaryFlat(d)


def downcast_IndexBinary(index: IndexBinary) -> IndexBinary:
    """The index itself: it is of its own class already."""
    return index

