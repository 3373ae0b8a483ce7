"""Searches of inverted files for very many queries: list by list, each for all queries that visit it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..faiss import _functions
from ..faiss._functions import ResultHeap
from ..faiss._index import IndexFlat
from ..faiss._ivf import IndexIVF

Array = npt.NDArray[Any]

_METHODS = ("index", "pairwise_distances", "knn_function")


def big_batch_search(
    index: IndexIVF,
    xq: Any,
    k: int,
    method: str = "knn_function",
    pairwise_distances: Callable[..., Any] = _functions.pairwise_distances,
    knn: Callable[..., Any] = _functions.knn,
    verbose: int = 0,
    threaded: int = 0,
    use_float16: bool = False,
    prefetch_threads: int = 1,
    computation_threads: int = 1,
    q_assign: Any = None,
    checkpoint: str | None = None,
    checkpoint_freq: float = 7200,
    start_list: int = 0,
    end_list: int | None = None,
    crash_at: int = -1,
) -> tuple[Array, Array]:
    """`index.search(xq, k)`, list by list; `q_assign` says which lists a query visits, if not the nearest `nprobe`.

    The distances of a list come from a flat index, from `pairwise_distances` or from `knn`, by the method. What was
    found goes into the file `checkpoint` every `checkpoint_freq` seconds; if there is such a file, the search goes on
    from there. It fails at list `crash_at`, to try that. Threads and 16 bits have no effect: the engine has its own.

    Raises:
        AssertionError: there is no such method, or the file is of another search.
    """
    assert method in _METHODS, f"expected a method of {_METHODS}, got {method!r}"
    queries = np.ascontiguousarray(xq, dtype=np.float32)
    visited = index.quantizer.assign(queries, index.nprobe) if q_assign is None else np.asarray(q_assign)
    heap = ResultHeap(len(queries), k, keep_max=index._is_similarity())
    first = start_list if checkpoint is None else _resumed(checkpoint, heap, start_list)
    saved = time.monotonic()
    for number in range(first, index.nlist if end_list is None else end_list):
        if number == crash_at:
            raise ZeroDivisionError(f"stopped before list {number}, as asked by crash_at")
        who = np.flatnonzero((visited == number).any(axis=1))
        size = index.get_list_size(number)
        if len(who) and size:
            ids, vectors = _decoded(index, number)
            heap.add_result_subset(who, *_nearest(index, queries[who], ids, vectors, k, method, pairwise_distances, knn))
        if verbose:
            print(f"list {number} of {index.nlist}: {len(who)} queries, {size} vectors")
        if checkpoint is not None and time.monotonic() - saved >= checkpoint_freq:
            _save(checkpoint, heap, number + 1)
            saved = time.monotonic()
    heap.finalize()
    return heap.D, heap.I


def _decoded(index: IndexIVF, number: int) -> tuple[Array, Array]:
    """The ids and vectors of a list."""
    ids, codes = index.invlists._list(number)
    lists = index._list_bytes(np.full(len(ids), number, np.int64))
    return ids, index.sa_decode(np.hstack([lists, codes]))


def _nearest(
    index: IndexIVF,
    queries: Array,
    ids: Array,
    vectors: Array,
    k: int,
    method: str,
    pairwise_distances: Callable[..., Any],
    knn: Callable[..., Any],
) -> tuple[Array, Array]:
    """The nearest in one list, as many as there are."""
    k = min(k, len(ids))
    if method == "index":
        flat = IndexFlat(index.d, index.metric_type)
        flat.add(vectors)
        distances, places = flat.search(queries, k)
    elif method == "knn_function":
        distances, places = knn(queries, vectors, k, metric=index.metric_type)
    else:
        every = np.asarray(pairwise_distances(queries, vectors, metric=index.metric_type))
        places = np.argsort(-every if index._is_similarity() else every, axis=1, kind="stable")[:, :k]
        distances = np.take_along_axis(every, places, 1)
    return np.ascontiguousarray(distances, dtype=np.float32), ids[places]


def _save(path: str, heap: ResultHeap, following: int) -> None:
    """Writes what was found aside, then puts it in its place."""
    aside = Path(path + ".tmp")
    with aside.open("wb") as file:
        np.savez(file, D=heap.D, I=heap.I, following=following)
    aside.replace(path)


def _resumed(path: str, heap: ResultHeap, start_list: int) -> int:
    """Takes what was found before; returns the list to go on with."""
    if not Path(path).exists():
        return start_list
    with np.load(path) as found:
        assert found["D"].shape == heap.D.shape, f"{path} is of a search of the shape {found['D'].shape}"
        heap.D[:], heap.I[:] = found["D"], found["I"]
        return int(found["following"])
