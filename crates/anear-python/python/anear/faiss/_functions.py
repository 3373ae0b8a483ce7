"""What needs no index."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from .. import _native
from ._arrays import Floats, Ids, count
from ._constants import METRIC_L2, metric_name


def knn(
    xq: Any, xb: Any, k: SupportsIndex, metric: int = METRIC_L2, metric_arg: float = 0.0
) -> tuple[Floats, Ids]:
    """Distances and positions of the `k` rows of `xb` nearest to each row of `xq`."""
    assert xq.shape[1] == xb.shape[1], f"dimensions {xq.shape[1]} and {xb.shape[1]} differ"
    xq, xb = (np.ascontiguousarray(x, dtype=np.float32) for x in (xq, xb))
    return _native.knn(xq, xb, count(k), metric_name(metric, metric_arg))


def pairwise_distances(xq: Any, xb: Any, metric: int = METRIC_L2, metric_arg: float = 0.0) -> Floats:
    """The distance of each row of `xq` to each row of `xb`."""
    assert xq.shape[1] == xb.shape[1], f"dimensions {xq.shape[1]} and {xb.shape[1]} differ"
    xq, xb = (np.ascontiguousarray(x, dtype=np.float32) for x in (xq, xb))
    return _native.pairwise(xq, xb, metric_name(metric, metric_arg))


def normalize_L2(x: Any) -> None:
    """Gives every row the length 1, in place; zero rows stay."""
    assert x.dtype == np.float32 and x.flags.c_contiguous, "expected contiguous rows of float32"
    _native.normalize_rows(x)


def omp_set_num_threads(num_threads: int) -> None:
    """Lets the engine use so many threads."""
    _native.set_threads(int(num_threads))


def omp_get_max_threads() -> int:
    """How many threads the engine uses."""
    return _native.threads()


def eval_intersection(I1: Any, I2: Any) -> int:
    """How many ids both have in the same rows."""
    assert len(I1) == len(I2), f"{len(I1)} rows were compared with {len(I2)}"
    return sum(len(np.intersect1d(one, other)) for one, other in zip(I1, I2, strict=True))


def merge_knn_results(Dall: Any, Iall: Any, keep_max: bool = False) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The best of several searches: arrays of shape (searches, queries, k)."""
    assert Iall.shape == Dall.shape, f"shapes {Dall.shape} and {Iall.shape} differ"
    shards, n, k = Dall.shape
    distances = np.swapaxes(Dall, 0, 1).reshape(n, shards * k)
    ids = np.swapaxes(Iall, 0, 1).reshape(n, shards * k)
    best = np.argsort(-distances if keep_max else distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, best, axis=1), np.take_along_axis(ids, best, axis=1)


def kmin(array: Any, k: int) -> tuple[Floats, Ids]:
    """The `k` smallest of each row, ascending, and where they are."""
    order = np.argsort(array, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(array, order, axis=1), order.astype(np.int64)


def kmax(array: Any, k: int) -> tuple[Floats, Ids]:
    """The `k` largest of each row, descending, and where they are."""
    order = np.argsort(-array, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(array, order, axis=1), order.astype(np.int64)


def rand(n: Any, seed: int = 12345) -> Floats:
    """Numbers from 0 to 1."""
    numbers: Floats = np.random.default_rng(seed).random(n, dtype=np.float32)
    return numbers


def randn(n: Any, seed: int = 12345) -> Floats:
    """Normally distributed numbers."""
    numbers: Floats = np.random.default_rng(seed).standard_normal(n, dtype=np.float32)
    return numbers


def randint(n: Any, seed: int = 12345, vmax: int | None = None) -> Ids:
    """Whole numbers from 0 up to but not including `vmax`."""
    end = 1 << 31 if vmax is None else vmax
    numbers: Ids = np.random.default_rng(seed).integers(0, end, n, dtype=np.int64)
    return numbers


class ResultHeap:
    """The `k` best results of each query, from several searches."""

    def __init__(self, nq: int, k: int, keep_max: bool = False) -> None:
        self.nq, self.k, self.keep_max = nq, k, keep_max
        worst = np.finfo(np.float32).min if keep_max else np.finfo(np.float32).max
        self.D = np.full((nq, k), worst, dtype=np.float32)
        self.I = np.full((nq, k), -1, dtype=np.int64)

    def add_result(self, D: Any, I: Any) -> None:
        """Takes in the results of one more search."""
        self.D, self.I = self._best(np.hstack([self.D, D]), np.hstack([self.I, I]))

    def add_result_subset(self, subset: Any, D: Any, I: Any) -> None:
        """Takes in results of some of the queries."""
        distances, ids = np.hstack([self.D[subset], D]), np.hstack([self.I[subset], I])
        self.D[subset], self.I[subset] = self._best(distances, ids)

    def finalize(self) -> None:
        """Nothing: results are always in order."""

    def _best(self, distances: Any, ids: Any) -> tuple[Any, Any]:
        order = np.argsort(-distances if self.keep_max else distances, axis=1, kind="stable")[:, : self.k]
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(ids, order, axis=1)
