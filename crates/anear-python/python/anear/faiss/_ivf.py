"""Inverted files: a search visits only the lists nearest to the query."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np

from .. import _native
from ._arrays import Array, Codes, Floats, Ids, ids_for, output, pointed, rows
from ._clustering import ClusteringParameters, coarse_clustering, flat_like
from ._codes import block_suffix, check_four_bits, numbers_in, unnormed_search
from ._constants import METRIC_INNER_PRODUCT, METRIC_L2, METRIC_Lp
from ._globals import IVF_STATS
from ._index import EngineIndex, Index, Knobs, Range
from ._lists import DirectMap, InLists, InvertedLists, Listed
from ._ondisk import OnDiskInvertedLists
from ._params import SearchParameters, SearchParametersIVF
from ._quantizers import (
    SCALAR_NUMBERS,
    ProductQuantizer,
    RaBitQuantizer,
    ResidualQuantizer,
    ScalarQuantizer,
    rabitq_token,
)


class IndexIVF(Listed, EngineIndex):
    """An inverted file: vectors in the list of their nearest centroid."""

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

    def _is_of_faiss(self) -> bool:
        return self.quantizer._is_of_faiss()

    def _settle(self, quantizer: Index, nlist: int) -> None:
        self.quantizer, self.nlist = quantizer, nlist
        self.cp = ClusteringParameters()
        self.cp.niter = 10
        self.cp.spherical = self.metric_type == METRIC_INNER_PRODUCT
        self.direct_map = DirectMap(self)
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

    def _list_sizes(self) -> Ids:
        return self._parts.list_sizes()

    def _list_at(self, number: int) -> tuple[Ids, Codes]:
        return self._parts.list(number)

    def replace_invlists(self, il: InvertedLists, own: bool = False) -> None:
        """Takes the codes and ids of other lists in place of its own: copied, but for lists in a file, which stay there.

        What is changed of those later is copied first; the file is never written to.

        Raises:
            RuntimeError: there are more or fewer of them, codes have another size, or two have one id.
        """
        if not isinstance(il, OnDiskInvertedLists):
            super().replace_invlists(il, own)
            return
        self.invlists._check_alike(il)
        il._lend(self._live)

    def _queries(self, x: Any) -> Floats:
        return rows(x, self.d)

    def train_q1(self, x: Any, verbose: bool = False, metric_type: int | None = None) -> None:
        """Finds the centroids and gives them to the quantizer, if it does not have them."""
        train_level1(self, rows(x, self.d))

    def _train(self, x: Floats) -> None:
        if self.ntotal:
            if not _native.check_spec(self._codes())[1]:
                return  # The lists are there, and codes have nothing to learn.
            raise RuntimeError(f"{type(self).__name__} holds {self.ntotal} vectors; reset() it before it is trained anew")
        train_level1(self, x)
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
        given = None if sample is not None else self._given_quantizer()
        if given is not None:
            return given.ivf(self._coarse_engine(), self.metric, self.by_residual)
        return self._made(self._nothing() if sample is None else sample)

    def _add_to_lists(self, x: Any, lists: Any, ids: Any = None) -> None:
        """Adds vectors to these lists; ids are counted on if none are given."""
        vectors = rows(x, self.d)
        numbers = ids_for(lists, len(vectors))
        self._live.add_codes(numbers.astype(np.uint32), self._new_ids(len(vectors), ids), self._codes_in(vectors, numbers))

    def _new_ids(self, count: int, ids: Any) -> Ids:
        """The ids given, one per vector, or those that follow the largest there is."""
        if ids is not None:
            return ids_for(ids, count)
        first = int(self._own_ids().max(initial=-1)) + 1
        return np.arange(first, first + count, dtype=np.int64)

    def _codes_in(self, x: Floats, lists: Ids) -> Codes:
        """The codes of vectors in these lists."""
        origins = self.quantizer.reconstruct_batch(lists) if self.by_residual else None
        return self._parts.encode(x, origins)

    def _rearrange(self, order: Iterable[int]) -> None:
        """Makes the engine know the quantizer of now, with list `order[i]` as list `i`."""
        lists = [self.invlists._list(number) for number in order]
        self._index = self._parts.ivf(self._coarse_engine(), self.metric, self.by_residual)
        for number, (ids, codes) in enumerate(lists):
            self.invlists._append(number, ids, codes)

    def _add(self, x: Floats) -> None:
        self._tell_quantizer()
        super()._add(x)

    def _add_with_ids(self, x: Floats, ids: Ids) -> None:
        self._tell_quantizer()
        self._live.add_with_ids(x, ids)

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        super()._search(x, params, distances, labels)
        self._count_visits(x, params)

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        found = super()._range_search(x, radius, params)
        self._count_visits(x, params)
        return found

    def _count_visits(self, x: Floats, params: SearchParameters | None) -> None:
        """For `cvar`, if it was asked for what searches visit."""
        if not IVF_STATS._counts:
            return
        own: Any = self if params is None else params
        given = own.lists[None] if isinstance(own, InLists) else None
        lists = self.quantizer.assign(x, min(own.nprobe, self.nlist)) if given is None else given
        IVF_STATS._count(lists, self.invlists._sizes(), own.max_codes)

    def _knobs(self, params: SearchParameters | None) -> Knobs:
        if params is not None and not isinstance(params, SearchParametersIVF):
            raise RuntimeError(f"'params' of an inverted file must be SearchParametersIVF, got {type(params).__name__}")
        own: Any = self if params is None else params
        if own.nprobe < 1:
            raise RuntimeError(f"nprobe must be at least 1, got {own.nprobe}")
        coarse = self._coarse_knobs(None if params is None else params.quantizer_params)
        knobs = {"nprobe": float(min(own.nprobe, self.nlist)), **coarse}
        if not isinstance(params, InLists):
            knobs["ensure_topk_full"] = 0.0  # The engine would go on to further lists where too few are found.
        if own.max_codes:
            knobs["max_codes"] = float(own.max_codes)
        return knobs

    def _tell_quantizer(self) -> None:
        """Hands on what the quantizer was told: the engine has a copy of it."""
        for name, value in self._coarse_knobs(None).items():
            # What has no value of its own is told with each search.
            if self._live.knob(name) not in (None, value):
                self._live.set_knob(name, value)

    def _coarse_knobs(self, params: SearchParameters | None) -> Knobs:
        """What the quantizer is told about one search: before the index is trained, also what it cannot be told here."""
        told = {f"quantizer_{name}": value for name, value in self.quantizer._knobs(params).items()}
        if not told or not self.is_trained:
            return told
        known = {name for row in self._live.knobs() for name in row[:2]}
        return {name: value for name, value in told.items() if name in known}

    def _reset(self) -> None:
        if self._index is not None and self.ntotal:
            self._index.remove(_native.Selector.all())

    def _engine(self) -> _native.VectorIndex:
        self._live.set_knob("nprobe", float(self.nprobe))
        self._tell_quantizer()
        return self._live

    def update_vectors(self, keys: Any, x: Any) -> None:
        """Puts other vectors in the place of those with these ids."""
        vectors = rows(x, self.d)
        ids: Ids = np.ascontiguousarray(keys, dtype=np.int64)
        assert ids.shape == (len(vectors),), "not same nb of vectors as ids"
        self.remove_ids(ids)
        self.add_with_ids(vectors, ids)

    def reconstruct_from_offset(self, list_no: SupportsIndex, offset: SupportsIndex, recons: Any = None) -> Floats:
        """The vector at a place of a list; written to an array or a pointer too, if there is one."""
        vector = self.reconstruct(self.invlists.get_single_id(list_no, offset))
        if recons is not None:
            pointed(recons, self.d, np.float32)[:] = vector
        return vector

    def search_and_return_codes(
        self,
        x: Any,
        k: SupportsIndex,
        *,
        include_listnos: bool = False,
        params: SearchParameters | None = None,
        D: Array | None = None,
        I: Array | None = None,
        codes: Array | None = None,
    ) -> tuple[Floats, Ids, Codes]:
        """`search`, and the codes that were found, behind the number of their list if that is wanted; zeros where none was."""
        distances, labels = self.search(x, k, params=params, D=D, I=I)
        width = self.coarse_code_size() if include_listnos else 0
        out = output(codes, (*labels.shape, width + self.code_size), np.uint8)
        out.fill(0)
        numbers, places, ids = self._places()
        order, found = np.argsort(ids, kind="stable"), labels >= 0
        at = order[np.searchsorted(ids, labels[found], sorter=order)]
        codes_found = np.empty((len(at), self.code_size), np.uint8)
        for number in np.unique(numbers[at]):
            here = numbers[at] == number
            codes_found[here] = self._list_at(int(number))[1][places[at[here]]]
        out[found] = np.hstack([self._list_bytes(numbers[at])[:, :width], codes_found])
        return distances, labels, out

    def _list_bytes(self, lists: Ids) -> Codes:
        """Numbers of lists, in as many bytes as they need."""
        return lists.astype("<i8").view(np.uint8).reshape(-1, 8)[:, : self.coarse_code_size()]

    def encode_vectors(
        self, n: SupportsIndex, x: Any, list_nos: Any, codes: Any, include_listno: bool = False
    ) -> None:
        """Writes the codes of `n` vectors in these lists, behind the number of the list if that is wanted."""
        count = operator.index(n)
        lists = pointed(list_nos, count, np.int64)
        found = self._codes_in(self._rows(n, x), lists)
        if include_listno:
            found = np.hstack([self._list_bytes(lists), found])
        pointed(codes, found.size, np.uint8).reshape(found.shape)[:] = found

    def decode_vectors(self, n: SupportsIndex, codes: Any, list_nos: Any, x: Any) -> None:
        """Writes the vectors of `n` codes in these lists."""
        count = operator.index(n)
        lists = pointed(list_nos, count, np.int64)
        given = pointed(codes, count * self.code_size, np.uint8).reshape(count, self.code_size)
        self._rows(n, x)[:] = self._decode(np.hstack([self._list_bytes(lists), given]))

    def encode_listno(self, list_no: SupportsIndex, code: Any) -> None:
        """Writes the number of a list in as many bytes as `coarse_code_size` says."""
        number = np.array([operator.index(list_no)], np.int64)
        pointed(code, self.coarse_code_size(), np.uint8)[:] = self._list_bytes(number)[0]

    def decode_listno(self, code: Any) -> int:
        """The number of the list that `encode_listno` wrote."""
        return int(self._list_numbers(pointed(code, self.coarse_code_size(), np.uint8)[None])[0])

    def add_sa_codes(self, codes: Any, ids: Any = None) -> None:
        """Adds the vectors of codes, which `sa_encode` made; their ids are counted on if none are given.

        Raises:
            RuntimeError: there is no such list.
        """
        given = rows(codes, self.sa_code_size(), np.uint8)
        width = self.coarse_code_size()
        lists = self._list_numbers(given[:, :width])
        chosen = self._new_ids(len(given), ids)
        self._live.add_codes(lists.astype(np.uint32), chosen, np.ascontiguousarray(given[:, width:]))

    def sa_code_size(self) -> int:
        """Bytes of a list's number and a vector's code."""
        return self.coarse_code_size() + self.code_size

    def coarse_code_size(self) -> int:
        """Bytes of a list's number."""
        return ((self.nlist - 1).bit_length() + 7) // 8

    def _encode(self, x: Floats) -> Codes:
        lists = self.quantizer.assign(x, 1).ravel()
        return np.hstack([self._list_bytes(lists), self._codes_in(x, lists)])

    @staticmethod
    def _list_numbers(codes: Codes) -> Ids:
        """Numbers of lists, of the bytes that `_list_bytes` made."""
        numbers = np.zeros((len(codes), 8), np.uint8)
        numbers[:, : codes.shape[1]] = codes
        return numbers.view("<i8").ravel().astype(np.int64)

    def _decode(self, codes: Codes) -> Floats:
        width = self.coarse_code_size()
        lists = self._list_numbers(codes[:, :width])
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
        token = index.spec.rpartition(",")[2].removesuffix("nr")
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
        """An empty index of vectors of width `d` in `nlist` lists: `M` parts of 4 bits; or those of an `IndexIVFPQ`.

        Of an `IndexIVFPQ` the vectors come too; they lie in blocks of as many codes as the next argument says.

        Raises:
            RuntimeError: a part has not 4 bits, or the `IndexIVFPQ` is not trained.
        """
        if isinstance(quantizer, IndexIVFPQ):
            self._take_over(quantizer, operator.index(d) or 32)
            return
        check_four_bits(nbits)
        self.bbs = operator.index(bbs)
        super().__init__(quantizer, d, nlist, M, nbits, metric)

    def _take_over(self, plain: IndexIVFPQ, bbs: int) -> None:
        check_four_bits(plain.pq.nbits)
        self.bbs, self.by_residual = bbs, plain.by_residual
        super().__init__(plain.quantizer, plain.d, plain.nlist, plain.pq.M, 4, plain.metric)
        self._index, self.is_trained, self.nprobe = plain._live.in_blocks(bbs), True, plain.nprobe

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
        return f"PQ{self.pq.M}x4fs{block_suffix(self.bbs)}"

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
        return rabitq_token(self.rabitq.nb_bits, "fs") + block_suffix(self.bbs)

    def _adopt(self, index: _native.VectorIndex) -> None:
        IndexIVF._adopt(self, index)
        token, _, block = index.spec.rpartition(",")[2].removesuffix("nr").partition("_")
        self.bbs = int(block or 32)
        bits = numbers_in(token)
        self.rabitq = RaBitQuantizer(self.d, self.metric_type, bits[0] if bits else 1, self)


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
        token = index.spec.rpartition(",")[2].removesuffix("nr")
        self.rq = ResidualQuantizer._of(self.d, token, unnormed_search(self.metric_type), self)

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.rq.code_size


def train_level1(index: Any, x: Floats) -> None:
    """Makes the centroids of the lists of `index` the vectors of its quantizer, unless it has them.

    Raises:
        RuntimeError: the quantizer trains alone, to another number of lists.
    """
    coarse, alone = index.quantizer, index.quantizer_trains_alone
    if coarse.is_trained and coarse.ntotal == index.nlist:
        return
    if coarse.metric_type == METRIC_Lp and not coarse.metric_arg:
        coarse.metric_arg = index.metric_arg
    if alone in (1, "\x01"):
        coarse.train(x)
        if coarse.ntotal != index.nlist:
            raise RuntimeError(f"the quantizer trained to {coarse.ntotal} lists, not to {index.nlist}")
        return
    index.cp.verbose = index.verbose
    coarse.reset()
    where = index.clustering_index or (flat_like(coarse) if alone in (2, "\x02") else coarse)
    coarse_clustering(index.cp, x, index.nlist, where)
    if where is not coarse:
        if not coarse.is_trained:
            coarse.train(x)
        coarse.add(where.reconstruct_n(0, index.nlist))
