"""Inverted files within other indexes, and parts of them (Faiss: `ivflib`)."""

from __future__ import annotations

import operator
import time
from typing import Any, SupportsIndex

import numpy as np

from ._arrays import Array, Ids, pointed
from ._composite import IndexPreTransform, parameters_for
from ._index import Index
from ._ivf import IndexIVF
from ._known import Known
from ._lists import ArrayInvertedLists, InvertedLists
from ._params import SearchParameters


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
    began = time.perf_counter()
    found = index.search(x, k, params=None if params is None else parameters_for(index, params))
    return (*found, _stats(index, x, params, time.perf_counter() - began)) if output_stats else found


def range_search_with_parameters(
    index: Index, x: Any, radius: float, params: SearchParameters | None = None, output_stats: bool = False
) -> Any:
    """`index.range_search` with parameters for the inverted file within."""
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


def check_compatible_for_merge(index1: Index, index2: Index) -> None:
    """Raises RuntimeError if the inverted files within two indexes cannot be merged."""
    extract_index_ivf(index1).check_compatible_for_merge(extract_index_ivf(index2))


def search_centroid(index: Index, x: Any, n: SupportsIndex, centroid_ids: Any) -> None:
    """Writes to which list each of `n` vectors belongs; arrays, or pointers as in Faiss."""
    count = operator.index(n)
    ivf, queries = _before_lists(index, pointed(x, count * index.d, np.float32).reshape(count, index.d))
    pointed(centroid_ids, count, np.int64)[:] = ivf.quantizer.assign(queries, 1).ravel()


def search_and_return_centroids(
    index: Index,
    n: SupportsIndex,
    xin: Any,
    k: SupportsIndex,
    distances: Any,
    labels: Any,
    query_centroid_ids: Any,
    result_centroid_ids: Any,
) -> None:
    """`search` of `n` vectors; writes also in which list each vector and each result is, unless that is None."""
    count, nearest = operator.index(n), operator.index(k)
    vectors = pointed(xin, count * index.d, np.float32).reshape(count, index.d)
    ivf, queries = _before_lists(index, vectors)
    found, ids = index.search(vectors, nearest)
    pointed(distances, found.size, np.float32)[:] = found.ravel()
    pointed(labels, ids.size, np.int64)[:] = ids.ravel()
    if query_centroid_ids is not None:
        pointed(query_centroid_ids, count, np.int64)[:] = ivf.quantizer.assign(queries, 1).ravel()
    if result_centroid_ids is not None:
        numbers, _, own = ivf._places()
        order = np.argsort(own, kind="stable")
        places = np.searchsorted(own, ids.ravel(), sorter=order)
        at = np.append(order, -1)[places]
        lists_of = np.where(ids.ravel() < 0, -1, np.append(numbers, -1)[at])
        pointed(result_centroid_ids, ids.size, np.int64)[:] = lists_of


def _before_lists(index: Index, x: Array) -> tuple[IndexIVF, Array]:
    """The inverted file within an index, and what comes to it of vectors."""
    if isinstance(index, IndexPreTransform):
        return extract_index_ivf(index), index.apply_chain(x)
    return extract_index_ivf(index), x


def get_invlist_range(index: Index, i0: SupportsIndex, i1: SupportsIndex) -> ArrayInvertedLists:
    """A copy of the lists from `i0` to below `i1`."""
    ivf, first = extract_index_ivf(index), operator.index(i0)
    part = ArrayInvertedLists(operator.index(i1) - first, ivf.code_size)
    for number in range(part.nlist):
        part._append(number, *ivf.invlists._list(ivf.invlists._number(first + number)))
    return part


def set_invlist_range(index: Index, i0: SupportsIndex, i1: SupportsIndex, src: InvertedLists) -> None:
    """Exchanges the lists from `i0` to below `i1` with others.

    Raises:
        RuntimeError: there are not as many.
    """
    lists, first = extract_index_ivf(index).invlists, operator.index(i0)
    if src.nlist != operator.index(i1) - first or not 0 <= first <= first + src.nlist <= lists.nlist:
        raise RuntimeError(f"{src!r} does not fit from list {i0} to {i1} of {lists.nlist}")
    for number in range(src.nlist):
        before = lists._list(first + number)
        lists._replace(first + number, *src._list(number))
        src._replace(number, *before)


class SlidingIndexWindow(Known):
    """An inverted file that holds the vectors of the last few slices."""

    def __init__(self, index: Index) -> None:
        """Around an empty index, to which slices will be added."""
        self.index, self._ivf = index, extract_index_ivf(index)
        self._slices: list[Ids] = []

    @property
    def n_slice(self) -> int:
        """How many slices there are."""
        return len(self._slices)

    @property
    def nlist(self) -> int:
        """How many lists there are."""
        return self._ivf.nlist

    def step(self, sub_index: Index | None, remove_oldest: bool) -> None:
        """Adds the vectors of an index as a slice, if there is one; removes the oldest slice, if that is wanted.

        Raises:
            RuntimeError: the indexes do not match, or there is no slice to remove.
        """
        if remove_oldest and not self._slices:
            raise RuntimeError("cannot remove a slice: there is none")
        part = None if sub_index is None else extract_index_ivf(sub_index)
        if part is not None:
            self._ivf.check_compatible_for_merge(part)
        if remove_oldest:
            self._ivf.remove_ids(self._slices.pop(0))
        if part is not None:
            part.invlists.copy_subset_to(self._ivf.invlists, InvertedLists.SUBSET_TYPE_INVLIST, 0, part.nlist)
            self._slices.append(part._own_ids())
