"""Indexes of codes of quantizers that the engine does not have: a search decodes codes and compares vectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np

from .. import _native
from ._additive import (
    LearnedAdditiveQuantizer,
    LocalSearchQuantizer,
    ProductLocalSearchQuantizer,
    ProductResidualQuantizer,
)
from ._arrays import Array, Codes, Floats, Ids, check_finite, ids_for, rows
from ._constants import METRIC_L2
from ._functions import knn, pairwise_distances
from ._held import HeldCodes
from ._index import Found, Index, Range, as_range, joined
from ._ivf import IndexIVF, train_level1
from ._lists import ArrayInvertedLists
from ._params import SearchParameters, SearchParametersIVF
from ._quantizers import AdditiveQuantizer
from ._selectors import IDSelector

# Vectors that are decoded at once: a few MiB.
BLOCK = 1 << 14


def nearest_of(index: Index, x: Floats, blocks: Iterable[Found], distances: Floats, labels: Ids) -> None:
    """Puts the vectors of `blocks`, each with its ids, among the nearest so far, by the metric of `index`."""
    k = labels.shape[1]
    sign = -1 if index._is_similarity() else 1
    for ids, vectors in blocks:
        if not len(ids):
            continue
        values, places = knn(x, vectors, min(k, len(ids)), index.metric_type, index.metric_arg)
        values, found = np.hstack([distances, values]), np.hstack([labels, ids[places]])
        order = np.argsort(sign * values, axis=1, kind="stable")[:, :k]
        distances[:], labels[:] = np.take_along_axis(values, order, 1), np.take_along_axis(found, order, 1)


def within_of(index: Index, x: Floats, radius: float, blocks: Iterable[Found]) -> list[Found]:
    """The ids and distances of what is within the radius of each query."""
    found: list[list[Found]] = [[] for _ in x]
    for ids, vectors in blocks:
        if not len(ids):
            continue
        values = pairwise_distances(x, vectors, index.metric_type, index.metric_arg)
        for row, near in enumerate(values > radius if index._is_similarity() else values < radius):
            found[row].append((ids[near], values[row, near]))
    return [(joined(row, 0, np.int64), joined(row, 1, np.float32)) for row in found]


def clear(index: Index, distances: Floats, labels: Ids) -> None:
    """Nothing is found yet."""
    labels.fill(-1)
    distances.fill(np.finfo(np.float32).max * (-1 if index._is_similarity() else 1))


def check_same_codebooks(index: Any, other: Any) -> None:
    """Refuses codes of other codebooks: they would be decoded as other vectors."""
    if not np.array_equal(index.aq.codebooks._values, other.aq.codebooks._values):
        raise RuntimeError(f"cannot merge {other!r} into {index!r}: their codebooks differ; train one and copy it")


class IndexAdditiveQuantizer(HeldCodes):
    """Codes of an additive quantizer. It cannot be written to a file; it can be pickled."""

    def __init__(self, d: SupportsIndex, aq: LearnedAdditiveQuantizer, metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`."""
        super().__init__(d, metric)
        self.aq = aq
        self._held = np.empty((0, aq.code_size), np.uint8)

    @property
    def is_trained(self) -> bool:  # type: ignore[override]
        """Whether the quantizer is trained."""
        return self.aq.is_trained

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.aq.code_size

    def check_compatible_for_merge(self, otherIndex: Index) -> None:
        """Raises RuntimeError if the other index is of another kind, width or metric, or has learned something else."""
        super().check_compatible_for_merge(otherIndex)
        check_same_codebooks(self, otherIndex)

    def _train(self, x: Floats) -> None:
        if self.ntotal:
            raise RuntimeError(f"{self!r} holds vectors; reset() it before it is trained anew")
        self.aq.train(x)

    def _blocks(self, params: SearchParameters | None) -> Iterable[Found]:
        ids = self._own_ids()
        if params is not None and params.sel is not None:
            ids = ids[params.sel._over(lambda: ids).mask(ids)]
        for start in range(0, len(ids), BLOCK):
            part = ids[start : start + BLOCK]
            yield part, self._decode(self._held[part])

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        clear(self, distances, labels)
        nearest_of(self, x, self._blocks(params), distances, labels)

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        return as_range(within_of(self, x, radius, self._blocks(params)))

    def _remove(self, selector: IDSelector) -> int:
        ids = self._own_ids()
        doomed = selector._over(lambda: ids).mask(ids)
        self._held = self._held[~doomed]
        return int(doomed.sum())

    def _merge(self, other: IndexAdditiveQuantizer, add_id: int) -> None:
        if self is other:
            raise RuntimeError("an index cannot be merged into itself")
        self._held = np.vstack([self._held, other._held])
        other.reset()

    def _encode(self, x: Floats) -> Codes:
        return self.aq.compute_codes(x)

    def _decode(self, codes: Codes) -> Floats:
        return self.aq.decode(codes)


class IndexLocalSearchQuantizer(IndexAdditiveQuantizer):
    """Codes by local search.

    >>> import numpy as np
    >>> x = np.random.default_rng(1).random((200, 8), dtype=np.float32)
    >>> index = IndexLocalSearchQuantizer(8, 2, 4)
    >>> index.train(x)
    >>> index.add(x)
    >>> index.search(x[:5], 3)[1].shape
    (5, 3)
    """

    def __init__(
        self,
        d: SupportsIndex,
        M: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = AdditiveQuantizer.ST_decompress,
    ) -> None:
        """An empty index of vectors of width `d`: `M` codebooks of `2**nbits` entries."""
        self.lsq = LocalSearchQuantizer(d, M, nbits, search_type)
        super().__init__(d, self.lsq, metric)


class IndexProductResidualQuantizer(IndexAdditiveQuantizer):
    """Parts of vectors, each by a residual quantizer."""

    def __init__(
        self,
        d: SupportsIndex,
        nsplits: SupportsIndex,
        Msub: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = AdditiveQuantizer.ST_decompress,
    ) -> None:
        """An empty index of vectors of width `d`: `nsplits` parts, of `Msub` codebooks of `2**nbits` entries each."""
        self.prq = ProductResidualQuantizer(d, nsplits, Msub, nbits, search_type)
        super().__init__(d, self.prq, metric)


class IndexProductLocalSearchQuantizer(IndexAdditiveQuantizer):
    """Parts of vectors, each by local search."""

    def __init__(
        self,
        d: SupportsIndex,
        nsplits: SupportsIndex,
        Msub: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = AdditiveQuantizer.ST_decompress,
    ) -> None:
        """An empty index of vectors of width `d`: `nsplits` parts, of `Msub` codebooks of `2**nbits` entries each."""
        self.plsq = ProductLocalSearchQuantizer(d, nsplits, Msub, nbits, search_type)
        super().__init__(d, self.plsq, metric)


class IndexIVFAdditiveQuantizer(IndexIVF):
    """An inverted file of codes of an additive quantizer. It cannot be written to a file; it can be pickled."""

    def __init__(
        self,
        aq: LearnedAdditiveQuantizer,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        metric: int | str = METRIC_L2,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists."""
        super().__init__(quantizer, d, nlist, metric)
        self.aq = aq
        self._lists = ArrayInvertedLists(nlist, aq.code_size)

    @property
    def invlists(self) -> Any:
        """The lists themselves."""
        return self._lists

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.aq.code_size

    def add_sa_codes(self, codes: Any, ids: Any = None) -> None:
        """Adds the vectors of codes, which `sa_encode` made; their ids are counted on if none are given."""
        given = rows(codes, self.sa_code_size(), np.uint8)
        width = self.coarse_code_size()
        self._put(self._list_numbers(given[:, :width]), self._new_ids(len(given), ids), given[:, width:])

    def check_compatible_for_merge(self, otherIndex: Index) -> None:
        """Raises RuntimeError if the other index is of another kind, width or metric, or has learned something else."""
        super().check_compatible_for_merge(otherIndex)
        check_same_codebooks(self, otherIndex)

    def _put(self, lists: Ids, ids: Ids, codes: Codes) -> None:
        for number in np.unique(lists[lists >= 0]).tolist():
            here = lists == number
            self._lists._append(self._lists._number(number), ids[here], codes[here])

    def _add_to_lists(self, x: Any, lists: Any, ids: Any = None) -> None:
        vectors = rows(x, self.d)
        numbers = ids_for(lists, len(vectors))
        self._put(numbers, self._new_ids(len(vectors), ids), self._codes_in(vectors, numbers))

    def _codes_in(self, x: Floats, lists: Ids) -> Codes:
        return self.aq.compute_codes(x - self.quantizer.reconstruct_batch(lists) if self.by_residual else x)

    def _decoded(self, codes: Codes, lists: Ids) -> Floats:
        vectors = self.aq.decode(codes)
        return vectors + self.quantizer.reconstruct_batch(lists) if self.by_residual else vectors

    def _decode(self, codes: Codes) -> Floats:
        width = self.coarse_code_size()
        return self._decoded(np.ascontiguousarray(codes[:, width:]), self._list_numbers(codes[:, :width]))

    def _train(self, x: Floats) -> None:
        if self.ntotal:
            raise RuntimeError(f"{self!r} holds vectors; reset() it before it is trained anew")
        train_level1(self, x)
        lists = self.quantizer.assign(x, 1).ravel()
        self.aq.train(x - self.quantizer.reconstruct_batch(lists) if self.by_residual else x)
        self.is_trained = True

    def _add(self, x: Floats) -> None:
        self._add_with_ids(x, None)

    def _add_with_ids(self, x: Floats, ids: Ids | None) -> None:
        check_finite(x)
        self._add_to_lists(x, self.quantizer.assign(x, 1).ravel(), ids)

    def _blocks(self, number: int, params: SearchParameters | None) -> Iterable[Found]:
        ids, codes = self._lists._list(number)
        if params is not None and params.sel is not None:
            kept = params.sel._over(lambda: ids).mask(ids)
            ids, codes = ids[kept], codes[kept]
        for start in range(0, len(ids), BLOCK):
            part = slice(start, start + BLOCK)
            yield ids[part], self._decoded(codes[part], np.full(len(ids[part]), number, np.int64))

    def _visits(self, x: Floats, params: SearchParameters | None) -> Iterable[tuple[int, Ids]]:
        """Each list that is visited, and by which queries."""
        if params is not None and not isinstance(params, SearchParametersIVF):
            raise RuntimeError(f"'params' of an inverted file must be SearchParametersIVF, got {type(params).__name__}")
        nprobe = (self if params is None else params).nprobe
        if nprobe < 1:
            raise RuntimeError(f"nprobe must be at least 1, got {nprobe}")
        lists = self.quantizer.assign(x, min(nprobe, self.nlist))
        for number in np.unique(lists[lists >= 0]).tolist():
            yield number, np.flatnonzero((lists == number).any(axis=1))

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        clear(self, distances, labels)
        for number, who in self._visits(x, params):
            values, ids = distances[who], labels[who]
            nearest_of(self, x[who], self._blocks(number, params), values, ids)
            distances[who], labels[who] = values, ids
        self._count_visits(x, params)

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        found: list[list[Found]] = [[] for _ in x]
        for number, who in self._visits(x, params):
            for row, near in zip(who, within_of(self, x[who], radius, self._blocks(number, params)), strict=True):
                found[row].append(near)
        self._count_visits(x, params)
        return as_range([(joined(row, 0, np.int64), joined(row, 1, np.float32)) for row in found])

    def _count(self) -> int:
        return self._lists.compute_ntotal()

    def _next_id(self) -> int:
        return int(self._own_ids().max(initial=-1)) + 1

    def _list_sizes(self) -> Ids:
        return self._lists._sizes()

    def _list_at(self, number: int) -> tuple[Ids, Codes]:
        return self._lists._list(number)

    def _own_ids(self) -> Ids:
        return np.concatenate([self._lists._list(number)[0] for number in range(self.nlist)])

    def _reconstruct(self, ids: Ids) -> Floats:
        numbers, places, own = self._places()
        order = np.argsort(own, kind="stable")
        at = np.searchsorted(own, ids, sorter=order)
        missing = (at == len(own)) | (own[order[np.minimum(at, len(own) - 1)]] != ids) if len(own) else ids == ids
        if missing.any():
            raise RuntimeError(f"there is no vector with id {ids[missing][0]}")
        numbers, places = numbers[order[at]], places[order[at]]
        codes = [self._lists._list(int(number))[1][place] for number, place in zip(numbers, places, strict=True)]
        return self._decoded(np.stack(codes), numbers)

    def _remove(self, selector: IDSelector) -> int:
        count = 0
        for number in range(self.nlist):
            ids, codes = self._lists._list(number)
            doomed = selector._over(lambda: ids).mask(ids)
            self._lists._replace(number, ids[~doomed], codes[~doomed])
            count += int(doomed.sum())
        return count

    def _reset(self) -> None:
        self._lists.reset()

    def _merge(self, other: Any, add_id: int) -> None:
        if self is other:
            raise RuntimeError("an index cannot be merged into itself")
        self._lists.merge_from(other._lists, add_id)

    def _engine(self) -> _native.VectorIndex:
        raise self._cannot("saving")


class IndexIVFLocalSearchQuantizer(IndexIVFAdditiveQuantizer):
    """An inverted file of codes by local search."""

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        M: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = AdditiveQuantizer.ST_decompress,
        own_invlists: bool = True,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists: `M` codebooks of `2**nbits` entries."""
        self.lsq = LocalSearchQuantizer(d, M, nbits, search_type)
        super().__init__(self.lsq, quantizer, d, nlist, metric)


class IndexIVFProductResidualQuantizer(IndexIVFAdditiveQuantizer):
    """An inverted file of parts of vectors, each by a residual quantizer."""

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        nsplits: SupportsIndex,
        Msub: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = AdditiveQuantizer.ST_decompress,
        own_invlists: bool = True,
    ) -> None:
        """An empty index of vectors in `nlist` lists: `nsplits` parts, of `Msub` codebooks of `2**nbits` entries each."""
        self.prq = ProductResidualQuantizer(d, nsplits, Msub, nbits, search_type)
        super().__init__(self.prq, quantizer, d, nlist, metric)


class IndexIVFProductLocalSearchQuantizer(IndexIVFAdditiveQuantizer):
    """An inverted file of parts of vectors, each by local search."""

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        nsplits: SupportsIndex,
        Msub: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = AdditiveQuantizer.ST_decompress,
        own_invlists: bool = True,
    ) -> None:
        """An empty index of vectors in `nlist` lists: `nsplits` parts, of `Msub` codebooks of `2**nbits` entries each."""
        self.plsq = ProductLocalSearchQuantizer(d, nsplits, Msub, nbits, search_type)
        super().__init__(self.plsq, quantizer, d, nlist, metric)
