"""k-means over data of one's own, in two levels, by small batches, and of even clusters.

The forms that anear adds to Faiss's: `minibatch_kmeans`, `hierarchical_kmeans`, `balanced_kmeans`.
"""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _native
from ..faiss import METRIC_INNER_PRODUCT, METRIC_L2, IndexFlatL2, Kmeans, extract_index_ivf
from ..faiss._arrays import rows
from ..faiss._clustering import ClusteringParameters, options
from ..faiss._composite import IndexPreTransform
from ..faiss._constants import ClusteringInitMethod_KMEANS_PLUS_PLUS

Array = npt.NDArray[Any]


class DatasetAssign:
    """Vectors that `kmeans` clusters: how many and how wide they are, and which centroid is nearest to each.

    Other data can be clustered too, by a class with the same methods.
    """

    def __init__(self, x: Any) -> None:
        """Holds the rows of `x`."""
        self.x: Array = np.ascontiguousarray(x, dtype=np.float32)

    def count(self) -> int:
        """How many vectors there are."""
        return len(self.x)

    def dim(self) -> int:
        """How wide they are."""
        return int(self.x.shape[1])

    def get_subset(self, indices: Any) -> Array:
        """Some of the vectors."""
        return np.asarray(self.x[indices])

    def perform_search(self, centroids: Any) -> tuple[Array, Array]:
        """The distance of each vector to the nearest centroid, and which that is."""
        index = IndexFlatL2(self.dim())
        index.add(centroids)
        return index.search(self.x, 1)

    def assign_to(self, centroids: Any, weights: Any = None) -> tuple[Array, Array, Array]:
        """The nearest centroid of each vector, its distance, and the sums of the vectors of each centroid."""
        distances, found = (part.ravel() for part in self.perform_search(centroids))
        sums = np.zeros((len(centroids), self.dim()), np.float32)
        np.add.at(sums, found, self.x if weights is None else self.x * np.asarray(weights, np.float32)[:, None])
        return found, distances, sums


def imbalance_factor(k: int, assign: Any) -> float:
    """1 if as many vectors are in each of `k` clusters; `k` if one has all."""
    counts = np.bincount(assign, minlength=k).astype(float)
    return float(k * (counts**2).sum() / counts.sum() ** 2)


def reassign_centroids(hassign: Array, centroids: Array, rs: Any = None) -> int:
    """Gives each empty cluster half of a large one; returns how many there were.

    `hassign` is how many vectors each cluster has; it and `centroids` are changed.
    """
    random = np.random if rs is None else rs
    empty = np.flatnonzero(hassign == 0)
    for cluster in empty:
        large = random.choice(len(hassign), p=hassign / hassign.sum())
        share = centroids[large] / 1024
        centroids[cluster], centroids[large] = centroids[large] + share, centroids[large] - share
        hassign[cluster] = hassign[large] // 2
        hassign[large] -= hassign[cluster]
    return len(empty)


def kmeans(
    k: int,
    data: Any,
    niter: int = 25,
    seed: int = 1234,
    checkpoint: str | None = None,
    verbose: bool = True,
    return_stats: bool = False,
) -> Any:
    """`k` centroids of `data`, which is asked as a `DatasetAssign` is; with `return_stats`, also what is known of iterations.

    With `checkpoint`, the state is written to this file after each iteration.
    """
    count = data.count()
    if count < k:
        raise RuntimeError(f"{count} vectors cannot make {k} clusters")
    random = np.random.RandomState(seed)
    centroids = np.array(data.get_subset(random.choice(count, size=k, replace=False)))
    stats: list[dict[str, Any]] = []
    began, searching = time.perf_counter(), 0.0
    for iteration in range(niter):
        before = time.perf_counter()
        found, distances, sums = data.assign_to(centroids)
        searching += time.perf_counter() - before
        sizes = np.bincount(found, minlength=k)
        filled = sizes > 0
        centroids[filled] = sums[filled] / sizes[filled, None]
        nsplit = reassign_centroids(sizes.copy(), centroids, random)
        known = {"obj": distances.sum(), "time": time.perf_counter() - began, "time_search": searching}
        stats.append({**known, "imbalance_factor": imbalance_factor(k, found), "nsplit": nsplit})
        if verbose:
            print(f"  iteration {iteration}: objective={stats[-1]['obj']:g}, {nsplit} clusters split")
        if checkpoint is not None:
            state = {"centroids": centroids, "iteration_stats": stats, "iteration": iteration}
            Path(checkpoint).write_bytes(pickle.dumps(state))
    return (centroids, stats) if return_stats else centroids


def two_level_clustering(
    xt: Any, nc1: int, nc2: Any, rebalance: bool = True, clustering_niter: int = 25, **args: Any
) -> tuple[Array, list[Any]]:
    """Centroids of the rows of `xt`: of `nc1` clusters, and of those of each of these; `nc2` in all, or for each.

    With `rebalance`, large clusters are cut into more. Other arguments are those of `Kmeans`.

    Returns:
        All centroids; what is known of the iterations, first of the first clusters, then of those of each.
    """
    vectors: Array = np.ascontiguousarray(xt, dtype=np.float32)
    coarse = Kmeans(vectors.shape[1], nc1, niter=clustering_niter, max_points_per_centroid=2000, **args)
    coarse.train(vectors)
    _, found = coarse.assign(vectors)
    sizes = np.bincount(found, minlength=nc1)
    wanted = np.asarray(nc2) if np.ndim(nc2) else _shares(sizes if rebalance else np.ones(nc1, int), int(nc2), sizes)
    parts, stats = [], [coarse.iteration_stats]
    for cluster, number in enumerate(wanted):
        fine = Kmeans(vectors.shape[1], int(number), niter=clustering_niter, **args)
        if number:
            fine.train(vectors[found == cluster])
            parts.append(fine.centroids)
            stats.append(fine.iteration_stats)
    return np.vstack(parts), stats


def _shares(weights: Array, total: int, limits: Array) -> Array:
    """Parts of `total` in proportion to `weights`, none above its limit."""
    ends: Array = np.round(np.cumsum(weights) / weights.sum() * total).astype(int)
    shares: Array = np.minimum(np.diff(ends, prepend=0), limits)
    for _ in range(total - int(shares.sum())):
        shares[np.argmax(limits - shares)] += 1
    return shares


def train_ivf_index_with_2level(index: Any, xt: Any, **args: Any) -> None:
    """Trains an index with an inverted file in it, whose centroids are found in two levels.

    Other arguments are those of `two_level_clustering`.
    """
    ivf, vectors = extract_index_ivf(index), np.ascontiguousarray(xt, dtype=np.float32)
    if isinstance(index, IndexPreTransform):
        for transform in index.chain:
            if not transform.is_trained:
                transform.train(vectors)
            vectors = transform.apply(vectors)
    centroids, _ = two_level_clustering(vectors, int(np.sqrt(ivf.nlist)), ivf.nlist, **args)
    if not ivf.quantizer.is_trained:
        ivf.quantizer.train(centroids)
    ivf.quantizer.reset()
    ivf.quantizer.add(centroids)
    ivf.train(vectors)


def minibatch_kmeans(
    k: int, x: Any, niter: int = 100, batch_size: int | None = None, seed: int = 1234, metric: int = METRIC_L2
) -> Array:
    """`k` centroids of the rows of `x`, found from `niter` small batches of them (Sculley 2010): for very many vectors.

    `batch_size` is `max(1024, 4 * k)` unless given, and at most the number of rows; `metric` is `METRIC_L2` or
    `METRIC_INNER_PRODUCT`. The objective is a few percent above that of `Kmeans`, in a time that does not grow with the
    number of vectors.

    >>> x = np.random.default_rng(1).standard_normal((5000, 8), dtype=np.float32)
    >>> minibatch_kmeans(16, x).shape
    (16, 8)

    Raises:
        ValueError: the metric is another one, or a number is below 1.
        RuntimeError: there are fewer vectors than centroids, or numbers are not finite.
    """
    if metric not in (METRIC_L2, METRIC_INNER_PRODUCT):
        raise ValueError(f"metric must be METRIC_L2 or METRIC_INNER_PRODUCT, got {metric}")
    _at_least_one(k=k, niter=niter, batch_size=1 if batch_size is None else batch_size)
    cp = ClusteringParameters()
    cp.niter, cp.seed, cp.init_method = niter, seed, ClusteringInitMethod_KMEANS_PLUS_PLUS
    return _native.minibatch_kmeans(_rows(x), options(cp, k, metric == METRIC_INNER_PRODUCT), batch_size)


def hierarchical_kmeans(k: int, x: Any, parts: int = 0, **args: Any) -> Array:
    """`k` centroids of the rows of `x`, in two levels: for very many clusters.

    `parts` clusters are found first, `sqrt(k)` unless given, then centroids in each of them, more in larger ones; the
    time grows with `sqrt(k)`. Other arguments are those of `Kmeans`.

    >>> x = np.random.default_rng(1).standard_normal((5000, 8), dtype=np.float32)
    >>> hierarchical_kmeans(100, x, niter=10).shape
    (100, 8)

    Raises:
        AttributeError: there is no parameter of a name.
        RuntimeError: there are fewer vectors than centroids, or numbers are not finite.
    """
    if parts < 0:
        raise ValueError(f"parts must be at least 0, got {parts}")
    return _native.hierarchical_kmeans(*_given(k, x, args), parts)


def balanced_kmeans(k: int, x: Any, max_size: float = 1.1, **args: Any) -> tuple[Array, Array]:
    """`k` centroids of the rows of `x`, and the cluster of each row: none has over `max_size` times the average, rounded up.

    A row is not always in the cluster of its nearest centroid. Other arguments are those of `Kmeans`, without `spherical`
    and `int_centroids`: centroids are means.

    >>> x = np.random.default_rng(1).standard_normal((1000, 8), dtype=np.float32)
    >>> centroids, assign = balanced_kmeans(10, x)
    >>> int(np.bincount(assign).max()) <= 110
    True

    Raises:
        AttributeError: there is no parameter of a name.
        ValueError: `spherical` or `int_centroids` is asked for, or `k` is below 1.
        RuntimeError: there are fewer vectors than centroids, numbers are not finite, or `max_size` is below 1.
    """
    for name in ("spherical", "int_centroids"):
        if args.get(name):
            raise ValueError(f"balanced clusters have their means as centroids; leave out {name}")
    centroids, assign = _native.balanced_kmeans(*_given(k, x, args), max_size)
    return centroids, assign.astype(np.int64)


def _given(k: int, x: Any, args: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
    """The vectors, and the parameters of clustering that are arguments of `Kmeans`."""
    _at_least_one(k=k)
    vectors = _rows(x)
    cp = Kmeans(vectors.shape[1], k, **args).cp
    return vectors, options(cp, k, cp.spherical)


def _rows(x: Any) -> Array:
    return rows(x, np.shape(x)[-1])


def _at_least_one(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
