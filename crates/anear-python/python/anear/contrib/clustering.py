"""k-means over data of one's own, and in two levels."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..faiss import IndexFlatL2, Kmeans, extract_index_ivf
from ..faiss._composite import IndexPreTransform

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
