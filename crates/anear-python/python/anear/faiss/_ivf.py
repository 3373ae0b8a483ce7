"""Inverted files: a search visits only the lists nearest to the query."""

from __future__ import annotations

import operator
import time
from typing import Any, SupportsIndex

import numpy as np

from .. import _native
from ._arrays import Array, Codes, Floats, Ids, Pointer, output, rows
from ._clustering import ClusteringParameters, coarse_clustering, flat_like
from ._codes import fast_scan_token, numbers_in, unnormed_search
from ._constants import METRIC_INNER_PRODUCT, METRIC_L2
from ._index import EngineIndex, Index, Knobs
from ._params import IVFRaBitQSearchParameters, SearchParameters, SearchParametersHNSW, SearchParametersIVF
from ._quantizers import (
    SCALAR_NUMBERS,
    ProductQuantizer,
    RaBitQuantizer,
    ResidualQuantizer,
    ScalarQuantizer,
    rabitq_token,
)
from ._selectors import IDSelectorArray, IDSelectorNot, IDSelectorRange


class DirectMap:
    """Where each id is. The engine always knows, so this only remembers what was asked for."""

    NoMap, Array, Hashtable = range(3)

    def __init__(self) -> None:
        """Knows nothing, as far as Faiss is concerned."""
        self.type = self.NoMap

    def no(self) -> bool:
        """Whether Faiss would not know."""
        return self.type == self.NoMap


class InvertedLists:
    """The lists of an inverted file, as they are now."""

    SUBSET_TYPE_ID_RANGE, SUBSET_TYPE_ID_MOD, SUBSET_TYPE_ELEMENT_RANGE = range(3)
    SUBSET_TYPE_INVLIST_FRACTION, SUBSET_TYPE_INVLIST = range(3, 5)

    def __init__(self, index: IndexIVF) -> None:
        """Shows the lists of `index`."""
        self._of = index

    @property
    def nlist(self) -> int:
        """How many lists there are."""
        return self._of.nlist

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self._of.code_size

    def list_size(self, list_no: SupportsIndex) -> int:
        """How many vectors are in a list."""
        number = operator.index(list_no)
        if not 0 <= number < self.nlist:
            raise RuntimeError(f"there is no list {number}; there are {self.nlist}")
        return int(self._sizes()[number])

    def get_ids(self, list_no: SupportsIndex) -> Pointer:
        """A copy of the ids of a list."""
        return Pointer(self._list(list_no)[0])

    def get_codes(self, list_no: SupportsIndex) -> Pointer:
        """A copy of the codes of a list."""
        return Pointer(self._list(list_no)[1])

    def get_single_id(self, list_no: SupportsIndex, offset: SupportsIndex) -> int:
        """The id at a place of a list."""
        return int(self._list(list_no)[0][operator.index(offset)])

    def release_ids(self, list_no: SupportsIndex, ids: Any) -> None:
        """Nothing to do."""

    def release_codes(self, list_no: SupportsIndex, codes: Any) -> None:
        """Nothing to do."""

    def prefetch_lists(self, list_nos: Any, nlist: int) -> None:
        """Nothing to do."""

    def compute_ntotal(self) -> int:
        """How many vectors there are in all lists."""
        return int(self._sizes().sum())

    def imbalance_factor(self) -> float:
        """1 for lists of equal size; `nlist` if one has all vectors."""
        sizes = self._sizes().astype(float)
        total = sizes.sum()
        return float(len(sizes) * (sizes**2).sum() / total**2) if total else 1.0

    def print_stats(self) -> None:
        """Prints how many lists have how many vectors."""
        sizes = self._sizes()
        for power in range(int(sizes.max(initial=0)).bit_length() + 1):
            low, high = 1 << power >> 1, 1 << power
            print(f"list size in {low} .. {high}: {int(((sizes >= low) & (sizes < high)).sum())} instances")

    def _sizes(self) -> Ids:
        if self._of._index is None:
            return np.zeros(self.nlist, np.int64)
        return self._of._parts.list_sizes()

    def _list(self, list_no: SupportsIndex) -> tuple[Ids, Codes]:
        if self._of._index is None:
            return np.empty(0, np.int64), np.empty((0, self.code_size), np.uint8)
        return self._of._parts.list(operator.index(list_no))


ArrayInvertedLists = InvertedLists


class IndexIVF(EngineIndex):
    """An inverted file: vectors in the list of their nearest centroid.

    A search that finds too few vectors in `nprobe` lists goes on to further ones, where Faiss answers -1.
    """

    nprobe = 1
    max_codes = 0
    by_residual = True
    quantizer_trains_alone: Any = 0
    parallel_mode = 0
    clustering_index: Index | None = None
    own_invlists = True

    def __init__(
        self, quantizer: Index, d: SupportsIndex, nlist: SupportsIndex, metric: int | str | None = METRIC_L2
    ) -> None:
        """An empty index of vectors of width `d`; `quantizer` will find their lists."""
        if not isinstance(quantizer, Index):
            raise TypeError(f"expected an index as quantizer, got {type(quantizer).__name__}")
        super().__init__(d, METRIC_L2 if metric is None else metric)
        self._settle(quantizer, operator.index(nlist))
        if self.d != quantizer.d:
            raise RuntimeError(f"the quantizer is for vectors of width {quantizer.d}, the index for {self.d}")
        if self.nlist < 1:
            raise RuntimeError(f"there must be at least one list, got {self.nlist}")

    def _settle(self, quantizer: Index, nlist: int) -> None:
        self.quantizer, self.nlist = quantizer, nlist
        self.cp = ClusteringParameters()
        self.cp.niter = 10
        self.cp.spherical = self.metric_type == METRIC_INNER_PRODUCT
        self.direct_map = DirectMap()
        self._needs_training, self.is_trained = True, False

    def _ready(self) -> None:
        """Refuses codes that the engine does not know; they need no training if the quantizer has its centroids."""
        needs_training = _native.check_spec(self._codes())[1]
        full = self.quantizer.is_trained and self.quantizer.ntotal == self.nlist
        self.is_trained = full and not needs_training

    @classmethod
    def _family(cls) -> type:
        return cls

    def _codes(self) -> str:
        """The factory string of the codes in the lists."""
        raise NotImplementedError

    def _spec(self) -> str:
        return f"IVF{self.nlist},{self._codes()}"

    def _adopt(self, index: _native.VectorIndex) -> None:
        from ._factory import around

        parts = _native.Parts(index)
        coarse = around(parts.coarse())
        self._settle(coarse, coarse.ntotal)
        self.is_trained = True
        self.by_residual = parts.by_residual()
        self.nprobe = int(index.knob("nprobe") or 1)

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        raise NotImplementedError

    @property
    def invlists(self) -> InvertedLists:
        """The lists."""
        return InvertedLists(self)

    def train_q1(self, x: Any, verbose: bool = False, metric_type: int | None = None) -> None:
        """Finds the centroids and gives them to the quantizer, if it does not have them."""
        self._train_coarse(rows(x, self.d))

    def _train_coarse(self, x: Floats) -> None:
        coarse = self.quantizer
        if coarse.is_trained and coarse.ntotal == self.nlist:
            return
        alone = self.quantizer_trains_alone
        if alone in (1, "\x01"):
            coarse.train(x)
            if coarse.ntotal != self.nlist:
                raise RuntimeError(f"the quantizer trained to {coarse.ntotal} lists, not to {self.nlist}")
            return
        self.cp.verbose = self.verbose
        coarse.reset()
        where = self.clustering_index or (type(self)._plain(coarse) if alone in (2, "\x02") else coarse)
        coarse_clustering(self.cp, x, self.nlist, where)
        if where is not coarse:
            if not coarse.is_trained:
                coarse.train(x)
            coarse.add(where.reconstruct_n(0, self.nlist))

    @staticmethod
    def _plain(coarse: Index) -> Index:
        return flat_like(coarse)

    def _train(self, x: Floats) -> None:
        if self.ntotal:
            raise RuntimeError(f"{type(self).__name__} holds {self.ntotal} vectors; reset() it before it is trained anew")
        self._train_coarse(x)
        self._index = self._made(x)
        self.is_trained = True

    def _made(self, sample: Floats) -> _native.VectorIndex:
        seed = self.cp.seed % (1 << 64)
        return _native.VectorIndex.ivf(
            self._coarse_engine(), self._codes(), self.metric, self.by_residual, sample, seed
        )

    def _coarse_engine(self) -> _native.VectorIndex:
        try:
            return self.quantizer._engine()
        except RuntimeError:
            # What the engine cannot build upon, it replaces by an exact search among the same centroids.
            return flat_like(self.quantizer)._live

    def _built(self, spec: str, sample: Floats | None) -> _native.VectorIndex:
        return self._made(self._nothing() if sample is None else sample)

    def _add_with_ids(self, x: Floats, ids: Ids) -> None:
        self._live.add_with_ids(x, ids)

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        if params is not None and not isinstance(params, SearchParametersIVF):
            raise RuntimeError(f"'params' of an inverted file must be SearchParametersIVF, got {type(params).__name__}")
        own: Any = self if params is None else params
        if own.nprobe < 1:
            raise RuntimeError(f"nprobe must be at least 1, got {own.nprobe}")
        self._tell_quantizer(None if params is None else params.quantizer_params)
        knobs = {"nprobe": float(min(own.nprobe, self.nlist))}
        if own.max_codes:
            knobs["max_codes"] = float(own.max_codes)
        return knobs

    def _tell_quantizer(self, params: SearchParameters | None) -> None:
        """Hands on what the quantizer is told: the engine has a copy of it."""
        hnsw = getattr(self.quantizer, "hnsw", None)
        ef = params.efSearch if isinstance(params, SearchParametersHNSW) else getattr(hnsw, "efSearch", None)
        if ef is not None and self._live.knob("quantizer_efSearch") != ef:
            self._live.set_knob("quantizer_efSearch", float(ef))

    def _reset(self) -> None:
        if self._index is not None and self.ntotal:
            self._index.remove(_native.Selector.all())

    def _own_ids(self) -> Ids:
        lists = range(self.nlist if self._index is not None else 0)
        return np.concatenate([np.empty(0, np.int64), *(self._parts.list(number)[0] for number in lists)])

    def _engine(self) -> _native.VectorIndex:
        self._live.set_knob("nprobe", float(self.nprobe))
        self._tell_quantizer(None)
        return self._live

    def get_list_size(self, list_no: SupportsIndex) -> int:
        """How many vectors are in a list."""
        return self.invlists.list_size(list_no)

    def make_direct_map(self, new_maintain_direct_map: bool = True) -> None:
        """Nothing to do: ids are always found."""
        self.direct_map.type = DirectMap.Array if new_maintain_direct_map else DirectMap.NoMap

    def set_direct_map_type(self, type: int) -> None:
        """Nothing to do: ids are always found."""
        self.direct_map.type = int(type)

    def update_vectors(self, keys: Any, x: Any) -> None:
        """Puts other vectors in the place of those with these ids."""
        vectors = rows(x, self.d)
        ids: Ids = np.ascontiguousarray(keys, dtype=np.int64)
        assert ids.shape == (len(vectors),), "not same nb of vectors as ids"
        self.remove_ids(ids)
        self.add_with_ids(vectors, ids)

    def reconstruct_from_offset(self, list_no: SupportsIndex, offset: SupportsIndex) -> Floats:
        """The vector at a place of a list."""
        return self.reconstruct(self.invlists.get_single_id(list_no, offset))

    def copy_subset_to(self, other: IndexIVF, subset_type: int, a1: int, a2: int) -> None:
        """Adds some of the vectors to another index of the same lists: by range of ids, or by rest of a division."""
        ids = self._own_ids()
        if subset_type == InvertedLists.SUBSET_TYPE_ID_RANGE:
            keep = (ids >= a1) & (ids < a2)
        elif subset_type == InvertedLists.SUBSET_TYPE_ID_MOD:
            keep = ids % a1 == a2
        elif subset_type == InvertedLists.SUBSET_TYPE_INVLIST:
            number = np.repeat(np.arange(self.nlist), self._parts.list_sizes())
            keep = (number >= a1) & (number < a2)
        elif subset_type == InvertedLists.SUBSET_TYPE_ELEMENT_RANGE:
            place = np.arange(len(ids))
            keep = (place >= a1) & (place < a2)
        else:
            raise RuntimeError(f"cannot copy a subset of type {subset_type}")
        part = self._live.copy()
        part.remove(IDSelectorNot(IDSelectorArray(ids[keep]))._rule)
        other._live.merge(part, 0)

    def search_preassigned(
        self,
        x: Any,
        k: SupportsIndex,
        Iq: Any,
        Dq: Any = None,
        *,
        params: SearchParameters | None = None,
        D: Array | None = None,
        I: Array | None = None,
    ) -> tuple[Floats, Ids]:
        """`search` in lists that are given, a row per query; -1 is no list."""
        queries = rows(x, self.d)
        lists = self._given_lists(Iq, len(queries), params)
        count = operator.index(k)
        distances = output(D, (len(queries), count), np.float32)
        labels = output(I, (len(queries), count), np.int64)
        for row, query in enumerate(queries):
            everywhere = self._everywhere(lists[row], params)
            distances[row], labels[row] = (found[0] for found in self.search(query[None], count, params=everywhere))
        return distances, labels

    def range_search_preassigned(
        self, x: Any, thresh: float, Iq: Any, Dq: Any = None, *, params: SearchParameters | None = None
    ) -> tuple[Array, Floats, Ids]:
        """`range_search` in lists that are given, a row per query; -1 is no list."""
        queries = rows(x, self.d)
        lists = self._given_lists(Iq, len(queries), params)
        found = [
            self.range_search(query[None], thresh, params=self._everywhere(lists[row], params))
            for row, query in enumerate(queries)
        ]
        lims = np.cumsum([0, *(len(labels) for _, _, labels in found)]).astype(np.uint64)
        return (
            lims,
            np.concatenate([np.empty(0, np.float32), *(distances for _, distances, _ in found)]),
            np.concatenate([np.empty(0, np.int64), *(labels for _, _, labels in found)]),
        )

    def _given_lists(self, Iq: Any, count: int, params: SearchParameters | None) -> Ids:
        lists: Ids = np.ascontiguousarray(Iq, dtype=np.int64)
        shape = (count, params.nprobe if isinstance(params, SearchParametersIVF) else self.nprobe)
        assert lists.shape == shape, f"expected nprobe lists of each query: the shape {shape}, got {lists.shape}"
        return lists

    def _everywhere(self, lists: Ids, params: SearchParameters | None) -> SearchParametersIVF:
        """Parameters for a search of what is in some lists."""
        from ._selectors import IDSelectorAnd

        ids = [self._parts.list(number)[0] for number in lists.tolist() if number >= 0]
        chosen: Any = IDSelectorArray(np.concatenate([np.empty(0, np.int64), *ids]))
        if params is not None and params.sel is not None:
            chosen = IDSelectorAnd(chosen, params.sel)
        return SearchParametersIVF(sel=chosen, nprobe=self.nlist)

    def sa_code_size(self) -> int:
        """Bytes of a list's number and a vector's code."""
        return self.coarse_code_size() + self.code_size

    def coarse_code_size(self) -> int:
        """Bytes of a list's number."""
        return ((self.nlist - 1).bit_length() + 7) // 8

    def _encode(self, x: Floats) -> Codes:
        lists = self.quantizer.assign(x, 1).ravel()
        origins = self.quantizer.reconstruct_batch(lists) if self.by_residual else None
        width = self.coarse_code_size()
        numbers = lists.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width]
        return np.hstack([numbers, self._parts.encode(x, origins)])

    def _decode(self, codes: Codes) -> Floats:
        width = self.coarse_code_size()
        numbers = np.zeros((len(codes), 8), np.uint8)
        numbers[:, :width] = codes[:, :width]
        lists = numbers.view("<i8").ravel().astype(np.int64)
        vectors = self._parts.decode(np.ascontiguousarray(codes[:, width:]))
        return vectors + self.quantizer.reconstruct_batch(lists) if self.by_residual else vectors

    def check_compatible_for_merge(self, otherIndex: Index) -> None:
        """Raises RuntimeError if the other index is of another kind, width or metric, or has other lists."""
        super().check_compatible_for_merge(otherIndex)
        if isinstance(otherIndex, IndexIVF) and otherIndex.nlist != self.nlist:
            raise RuntimeError(f"one index has {self.nlist} lists, the other {otherIndex.nlist}")

    def merge_from(self, otherIndex: Index, add_id: SupportsIndex = 0) -> None:
        """Takes over the vectors of another index of the same lists; their ids grow by `add_id`."""
        super().merge_from(otherIndex, add_id)


class IndexIVFFlat(IndexIVF):
    """An inverted file of vectors as they are."""

    by_residual = False

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        metric: int | str = METRIC_L2,
        own_invlists: bool = True,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists."""
        super().__init__(quantizer, d, nlist, metric)
        self._ready()

    def _codes(self) -> str:
        return "Flat"

    @property
    def code_size(self) -> int:
        """Bytes of a vector."""
        return 4 * self.d


class IndexIVFFlatDedup(IndexIVFFlat):
    """An inverted file of vectors as they are; equal ones take no less room than others."""


class IndexIVFScalarQuantizer(IndexIVF):
    """An inverted file of components as numbers of few bits."""

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        qtype: SupportsIndex,
        metric: int | str = METRIC_L2,
        by_residual: bool = True,
        own_invlists: bool = True,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists, encoded by the kind `qtype`."""
        super().__init__(quantizer, d, nlist, metric)
        self.sq = ScalarQuantizer(d, qtype, self)
        self.by_residual = bool(by_residual)
        self._ready()

    def _codes(self) -> str:
        return self.sq._token()

    def _adopt(self, index: _native.VectorIndex) -> None:
        super()._adopt(index)
        token = index.spec.rpartition(",")[2]
        token = token if token in SCALAR_NUMBERS else token.removesuffix("r")
        self.sq = ScalarQuantizer(self.d, SCALAR_NUMBERS[token], self)

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.sq.code_size


class IndexIVFPQ(IndexIVF):
    """An inverted file of product codes."""

    do_polysemous_training = False
    polysemous_ht = 0
    scan_table_threshold = 0
    use_precomputed_table = 0

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        M: SupportsIndex,
        nbits_per_idx: SupportsIndex,
        metric: int | str = METRIC_L2,
        own_invlists: bool = True,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists: `M` parts of `nbits_per_idx` bits."""
        super().__init__(quantizer, d, nlist, metric)
        self.pq = ProductQuantizer(d, M, nbits_per_idx, self)
        self._ready()

    def _codes(self) -> str:
        return self.pq._token()

    def _adopt(self, index: _native.VectorIndex) -> None:
        super()._adopt(index)
        m, *nbits = numbers_in(index.spec.rpartition(",")[2])
        self.pq = ProductQuantizer(self.d, m, nbits[0] if nbits else 8, self)

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.pq.code_size

    def precompute_table(self) -> None:
        """Nothing to do: the engine sees to its tables."""


class IndexIVFPQFastScan(IndexIVFPQ):
    """An inverted file of product codes of 4 bits in blocks."""

    by_residual = False
    bbs = 32
    implem = 0
    qbs = 0
    qbs2 = 0
    skip = 0

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex = 0,
        nlist: SupportsIndex = 0,
        M: SupportsIndex = 0,
        nbits: SupportsIndex = 4,
        metric: int | str = METRIC_L2,
        bbs: SupportsIndex = 32,
        own_invlists: bool = True,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists: `M` parts of 4 bits."""
        if isinstance(quantizer, IndexIVFPQ):
            raise RuntimeError("make an IndexIVFPQFastScan of the vectors; an IndexIVFPQ cannot be converted")
        self.bbs = operator.index(bbs)
        super().__init__(quantizer, d, nlist, M, nbits, metric)

    @property
    def M(self) -> int:
        """Parts of a vector."""
        return self.pq.M

    @property
    def nbits(self) -> int:
        """Bits of a part."""
        return self.pq.nbits

    @property
    def ksub(self) -> int:
        """Centroids of a part."""
        return self.pq.ksub

    def _codes(self) -> str:
        return fast_scan_token(self.pq.M, self.bbs)

    def _adopt(self, index: _native.VectorIndex) -> None:
        IndexIVF._adopt(self, index)
        m, _, *bbs = numbers_in(index.spec.rpartition(",")[2])
        self.pq = ProductQuantizer(self.d, m, 4, self)
        self.bbs = bbs[0] if bbs else 32


class IndexIVFRaBitQ(IndexIVF):
    """An inverted file of RaBitQ codes."""

    qb = 4

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        metric: int | str = METRIC_L2,
        own_invlists: bool = True,
        nb_bits: SupportsIndex = 1,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists."""
        super().__init__(quantizer, d, nlist, metric)
        self.rabitq = RaBitQuantizer(d, self.metric_type, nb_bits, self)
        self._ready()

    def _codes(self) -> str:
        return rabitq_token(self.rabitq.nb_bits)

    def _adopt(self, index: _native.VectorIndex) -> None:
        super()._adopt(index)
        bits = numbers_in(index.spec.rpartition(",")[2])
        self.rabitq = RaBitQuantizer(self.d, self.metric_type, bits[0] if bits else 1, self)

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        knobs = super()._knobs(params)
        if any("qb" in row[:2] for row in self._live.knobs()):
            knobs["qb"] = params.qb if isinstance(params, IVFRaBitQSearchParameters) else self.qb
        return knobs

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.rabitq.code_size


class IndexIVFRaBitQFastScan(IndexIVFRaBitQ):
    """An inverted file of RaBitQ codes in blocks."""

    qb = 8
    bbs = 32

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        metric: int | str = METRIC_L2,
        bbs: SupportsIndex = 32,
        own_invlists: bool = True,
        nb_bits: SupportsIndex = 1,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists."""
        self.bbs = operator.index(bbs)
        super().__init__(quantizer, d, nlist, metric, own_invlists, nb_bits)

    def _codes(self) -> str:
        return rabitq_token(self.rabitq.nb_bits, "fs")


class IndexIVFResidualQuantizer(IndexIVF):
    """An inverted file of sums of entries of several codebooks."""

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        M: SupportsIndex,
        nbits: Any,
        metric: int | str = METRIC_L2,
        search_type: int = ResidualQuantizer.ST_decompress,
        own_invlists: bool = True,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists: `M` codebooks of `2**nbits` entries."""
        super().__init__(quantizer, d, nlist, metric)
        self.rq = ResidualQuantizer(d, M, nbits, search_type, self)
        self._ready()

    @property
    def aq(self) -> ResidualQuantizer:
        """The quantizer."""
        return self.rq

    def _codes(self) -> str:
        return self.rq._token()

    def _adopt(self, index: _native.VectorIndex) -> None:
        super()._adopt(index)
        token = index.spec.rpartition(",")[2]
        self.rq = ResidualQuantizer._of(self.d, token, unnormed_search(self.metric_type), self)

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.rq.code_size


def extract_index_ivf(index: Any) -> IndexIVF:
    """The inverted file within an index.

    Raises:
        RuntimeError: there is none.
    """
    found = try_extract_index_ivf(index)
    if found is None:
        raise RuntimeError(f"{index!r} has no inverted file within")
    return found


def try_extract_index_ivf(index: Any) -> IndexIVF | None:
    """The inverted file within an index, if there is one."""
    while not isinstance(index, IndexIVF):
        within = [vars(index).get(name) for name in ("base_index", "index")]
        index = next((inner for inner in within if inner is not None), None)
        if index is None:
            return None
    return index


def search_with_parameters(
    index: Index, x: Any, k: SupportsIndex, params: SearchParameters | None = None, output_stats: bool = False
) -> Any:
    """`index.search` with parameters for the inverted file within."""
    from ._composite import parameters_for

    began = time.perf_counter()
    found = index.search(x, k, params=None if params is None else parameters_for(index, params))
    return (*found, _stats(index, x, params, time.perf_counter() - began)) if output_stats else found


def range_search_with_parameters(
    index: Index, x: Any, radius: float, params: SearchParameters | None = None, output_stats: bool = False
) -> Any:
    """`index.range_search` with parameters for the inverted file within."""
    from ._composite import parameters_for

    began = time.perf_counter()
    found = index.range_search(x, radius, params=None if params is None else parameters_for(index, params))
    return (*found, _stats(index, x, params, time.perf_counter() - began)) if output_stats else found


def _stats(index: Index, x: Any, params: SearchParameters | None, seconds: float) -> dict[str, float]:
    """How many codes are in the lists that were searched, and how long that took; the parts are not timed apart."""
    ivf, queries = extract_index_ivf(index), np.asarray(x)
    while index is not ivf:
        queries = index.apply_chain(queries) if hasattr(type(index), "apply_chain") else queries
        index = next(filter(None, (vars(index).get(name) for name in ("base_index", "index"))))
    own: Any = ivf if params is None else params
    lists = ivf.quantizer.assign(queries, min(own.nprobe, ivf.nlist))
    compared = int(ivf.invlists._sizes()[lists[lists >= 0]].sum())
    return {"ndis": compared, "pre_transform_ms": 0.0, "coarse_quantizer_ms": 0.0, "invlist_scan_ms": 1e3 * seconds}


def merge_into(index0: Index, index1: Index, shift_ids: bool) -> None:
    """Moves the vectors of one index into another; with `shift_ids`, behind its ids."""
    index0.merge_from(index1, index0.ntotal if shift_ids else 0)
