"""k-means under Faiss's names."""

from __future__ import annotations

import logging
import operator
import sys
import time
from typing import Any, SupportsIndex, cast

import numpy as np

from .. import _native
from ._arrays import Array, Float32Vector, Floats, Ids, Pointer, Vector, copy_array_to_vector, rows, vector_to_array
from ._constants import ClusteringInitMethod_RANDOM
from ._index import Index, IndexFlat, IndexFlatIP, IndexFlatL2
from ._known import Known
from ._transforms import PCAMatrix

_logger = logging.getLogger("anear")


class ClusteringParameters(Known):
    """How to cluster."""

    niter = 25
    nredo = 1
    verbose = False
    spherical = False
    int_centroids = False
    update_index = False
    frozen_centroids = False
    min_points_per_centroid = 39
    max_points_per_centroid = 256
    seed = 1234
    decode_block_size = 32768
    check_input_data_for_NaNs = True
    use_faster_subsampling = False
    use_super_kmeans = False
    init_method = ClusteringInitMethod_RANDOM
    afkmc2_chain_length = 50
    early_stop_threshold = 0.0


class ClusteringIterationStats:
    """What is known of an iteration."""

    def __init__(self, obj: float, imbalance_factor: float, nsplit: int, time: float) -> None:
        """Holds the objective, 1 for clusters of equal size, and how many empty clusters took half of another."""
        self.obj, self.imbalance_factor, self.nsplit = obj, imbalance_factor, nsplit
        self.time = self.time_search = time


class ClusteringIterationStatsVector(list[ClusteringIterationStats]):
    """What is known of all iterations."""

    def size(self) -> int:
        """How many there were."""
        return len(self)

    def at(self, n: int) -> ClusteringIterationStats:
        """What is known of iteration `n`."""
        return self[n]


def options(cp: Any, k: int, inner_product: bool) -> dict[str, Any]:
    """The parameters of clustering as the engine takes them."""
    names = (
        "niter",
        "nredo",
        "spherical",
        "int_centroids",
        "frozen_centroids",
        "min_points_per_centroid",
        "max_points_per_centroid",
        "init_method",
        "afkmc2_chain_length",
        "early_stop_threshold",
    )
    options = {name: getattr(cp, name) for name in names}
    return {"k": k, "inner_product": inner_product, "seed": cp.seed % (1 << 64), **options}


class Clustering(ClusteringParameters):
    """k-means: finds `k` centroids of vectors of width `d`."""

    def __init__(self, d: SupportsIndex, k: SupportsIndex, cp: ClusteringParameters | None = None) -> None:
        """Nothing yet."""
        self.d, self.k = operator.index(d), operator.index(k)
        self.centroids: Vector = Float32Vector()
        self.iteration_stats = ClusteringIterationStatsVector()
        if cp is not None:
            vars(self).update(vars(cp))

    def train(self, x: Any, index: Index, weights: Any = None) -> None:
        """Finds centroids of the rows of `x`, and adds them to `index`; those found before are where it begins.

        Raises:
            RuntimeError: there are fewer vectors than centroids, or numbers are not finite.
        """
        vectors = rows(x, self.d)
        start = self.centroids._values.reshape(-1, self.d) if self.centroids.size() else None
        began = time.perf_counter()
        similar = index._is_similarity()
        shares = None if weights is None else np.ascontiguousarray(weights, dtype=np.float32)
        if not index.is_trained:
            index.train(vectors)
        found, self._objective, iterations, warning = _native.kmeans(
            vectors, options(self, self.k, similar), shares, start
        )
        if warning:
            print(f"WARNING {warning}", file=sys.stderr)
        each = (time.perf_counter() - began) / max(1, len(iterations))
        self.iteration_stats.extend(ClusteringIterationStats(*numbers, each) for numbers in iterations)
        if self.verbose:
            for number, stats in enumerate(self.iteration_stats):
                print(f"  Iteration {number}: objective={stats.obj:g} imbalance={stats.imbalance_factor:.3f}")
        self.centroids = Float32Vector(found)
        index.reset()
        index.add(found)

    def train_encoded(self, codes: Any, codec: Index | None, index: Index, weights: Any = None) -> None:
        """`train` on the vectors of codes, which `codec` decodes; None if they are the vectors' own bytes."""
        given = np.ascontiguousarray(codes)
        self.train(given.view(np.float32) if codec is None else codec.sa_decode(given), index, weights)


class ProgressiveDimClusteringParameters(ClusteringParameters):
    """How to cluster in more and more dimensions."""

    niter = 10
    progressive_dim_steps = 10
    apply_pca = True


class ProgressiveDimIndexFactory:
    """Makes the indexes that look for the nearest centroids."""

    def __call__(self, dim: SupportsIndex) -> Index:
        """An empty index of width `dim`."""
        return IndexFlatL2(dim)


class ProgressiveDimClustering(ProgressiveDimClusteringParameters):
    """k-means in the first principal components, then in more of them, from the centroids found before."""

    def __init__(
        self, d: SupportsIndex, k: SupportsIndex, cp: ProgressiveDimClusteringParameters | None = None
    ) -> None:
        """Nothing yet."""
        self.d, self.k = operator.index(d), operator.index(k)
        self.centroids: Vector = Float32Vector()
        self.iteration_stats = ClusteringIterationStatsVector()
        if cp is not None:
            vars(self).update(vars(cp))

    def train(self, x: Any, factory: Any) -> None:
        """Finds centroids of the rows of `x`, in indexes that `factory` makes of a width.

        Raises:
            RuntimeError: there are fewer vectors than centroids, or numbers are not finite.
        """
        vectors = rows(x, self.d)
        components = PCAMatrix(self.d, self.d) if self.apply_pca and self.progressive_dim_steps > 1 else None
        if components is not None:
            components.train(vectors)
            vectors = components.apply(vectors)
        steps = max(1, self.progressive_dim_steps)
        found: Floats = np.empty((0, 0), np.float32)
        for step in range(1, steps + 1):
            width = max(1, int(self.d ** (step / steps))) if step < steps else self.d
            found = self._step(np.ascontiguousarray(vectors[:, :width]), found, factory)
        self.centroids = Float32Vector(found if components is None else components.reverse_transform(found))

    def _step(self, vectors: Floats, before: Floats, factory: Any) -> Floats:
        """Centroids in as many dimensions as `vectors` have, from those `before`, in fewer."""
        width = vectors.shape[1]
        clustering = Clustering(width, self.k)
        for name in vars(ClusteringParameters):
            if not name.startswith("_"):
                setattr(clustering, name, getattr(self, name))
        if len(before):
            start = np.pad(before, ((0, 0), (0, width - before.shape[1])))
            clustering.centroids = Float32Vector(start)
        clustering.train(vectors, factory(width))
        self.iteration_stats.extend(clustering.iteration_stats)
        return np.asarray(clustering.centroids._values.reshape(self.k, width))


class Kmeans:
    """k-means, with arrays.

    >>> import numpy as np
    >>> kmeans = Kmeans(1, 2)
    >>> _ = kmeans.train(np.array([[0.0], [0.1], [9.0], [9.1]] * 20, np.float32))
    >>> sorted(kmeans.centroids.round(2).ravel().tolist())
    [0.05000000074505806, 9.050000190734863]
    """

    gpu = 0

    def __init__(self, d: SupportsIndex, k: SupportsIndex, **kwargs: Any) -> None:
        """`k` clusters of vectors of width `d`; what else is given are parameters as in `ClusteringParameters`.

        With `gpu`, too, it works on the CPU, as Faiss does where there is no GPU.

        Raises:
            AttributeError: there is no parameter of a name.
        """
        self.d = operator.index(d)
        kwargs.pop("gpu", False)
        self.k = operator.index(k)
        progressive = "progressive_dim_steps" in kwargs
        self.cp = ProgressiveDimClusteringParameters() if progressive else ClusteringParameters()
        for name, value in kwargs.items():
            getattr(type(self.cp), name)
            setattr(self.cp, name, value)
        self.reset()

    def reset(self, k: SupportsIndex | None = None) -> None:
        """Forgets everything; there may be another number of clusters from now on."""
        if k is not None:
            self.k = operator.index(k)
        self.set_index()
        self.centroids: Any = None
        self.obj: Any = None
        self.iteration_stats: list[dict[str, float]] | None = None

    def set_index(self) -> None:
        """Makes an empty index for the centroids."""
        self.index: Index = (IndexFlatIP if self.cp.spherical else IndexFlatL2)(self.d)

    def train(self, x: Any, weights: Any = None, init_centroids: Any = None) -> float:
        """Finds centroids of the rows of `x`; returns the final objective.

        Raises:
            AssertionError: the rows have another width, or there are not as many weights.
            RuntimeError: there are fewer vectors than centroids, or numbers are not finite.
        """
        vectors = rows(x, self.d)
        if isinstance(self.cp, ProgressiveDimClusteringParameters):
            return self._train_progressively(vectors)
        clustering = Clustering(self.d, self.k, self.cp)
        if init_centroids is not None:
            start = rows(init_centroids, self.d)
            copy_array_to_vector(start.ravel(), clustering.centroids)
        if weights is not None:
            assert np.shape(weights) == (len(vectors),), "expected one weight per vector"
        clustering.train(vectors, self.index, weights)
        return self._finish(clustering)

    def _train_progressively(self, vectors: Floats) -> float:
        clustering = ProgressiveDimClustering(self.d, self.k, cast(ProgressiveDimClusteringParameters, self.cp))
        clustering.train(vectors, ProgressiveDimIndexFactory())
        self.index.reset()
        self.index.add(clustering.centroids._values.reshape(self.k, self.d))
        return self._finish(clustering)

    def _finish(self, clustering: Clustering | ProgressiveDimClustering) -> float:
        self.centroids = vector_to_array(clustering.centroids).reshape(self.k, self.d)
        stats = clustering.iteration_stats
        self.obj = np.array([each.obj for each in stats])
        self.iteration_stats = [dict(vars(each)) for each in stats]
        return float(self.obj[-1]) if stats else 0.0

    def assign(self, x: Any) -> tuple[Floats, Ids]:
        """The distance of each row of `x` to the nearest centroid, and which that is.

        Raises:
            AssertionError: it is not trained.
        """
        assert self.centroids is not None, "should train before assigning"
        queries = rows(x, self.d)
        self.index.reset()
        self.index.add(self.centroids)
        distances, labels = self.index.search(queries, 1)
        return distances.ravel(), labels.ravel()


def kmeans_clustering(d: int, n: int, k: int, x: Any, centroids: Any) -> float:
    """Clusters `n` vectors of width `d`; writes `k` centroids, returns the quantization error."""
    given = x.array if isinstance(x, Pointer) else x
    kmeans = Kmeans(d, k)
    error = kmeans.train(np.reshape(given, -1)[: n * d].reshape(n, d))
    out: Array = centroids.array if isinstance(centroids, Pointer) else centroids
    out.reshape(-1)[: k * d] = kmeans.centroids.ravel()
    return error


class Clustering1D(Clustering):
    """Clusters of numbers, found exactly."""

    def __init__(self, k: SupportsIndex, cp: ClusteringParameters | None = None) -> None:
        """Nothing yet."""
        super().__init__(1, k, cp)

    def train_exact(self, x: Any) -> None:
        """Finds centroids with the least squared error there is.

        Raises:
            RuntimeError: there are fewer numbers than centroids.
        """
        numbers = np.sort(np.asarray(x, dtype=np.float64).ravel())
        self.centroids = Float32Vector(exact_means(numbers, self.k))


def exact_means(numbers: Array, k: int) -> Array:
    """Dynamic programming over sorted numbers: the best split into `j` runs, by the best into `j - 1`."""
    n = len(numbers)
    if not 0 < k <= n:
        raise RuntimeError(f"{n} numbers cannot make {k} clusters")
    sums = np.concatenate([[0.0], np.cumsum(numbers)])
    squares = np.concatenate([[0.0], np.cumsum(numbers**2)])

    def cost(start: Array, stop: int) -> Array:
        """The squared error of one run around its mean."""
        total = sums[stop] - sums[start]
        error: Array = squares[stop] - squares[start] - total**2 / (stop - start)
        return error

    best = np.array([0.0] + [float(cost(np.array([0]), stop)[0]) for stop in range(1, n + 1)])
    cuts = []
    for runs in range(2, k + 1):
        following, cut = np.full(n + 1, np.inf), np.zeros(n + 1, np.int64)
        for stop in range(runs, n + 1):
            starts = np.arange(runs - 1, stop)
            totals = best[starts] + cost(starts, stop)
            at = int(np.argmin(totals))
            following[stop], cut[stop] = totals[at], starts[at]
        best = following
        cuts.append(cut)
    ends = [n]
    for cut in reversed(cuts):
        ends.append(int(cut[ends[-1]]))
    bounds = [0, *reversed(ends)]
    return np.array([numbers[start:stop].mean() for start, stop in zip(bounds, bounds[1:], strict=False)])


def coarse_clustering(cp: ClusteringParameters, x: Floats, nlist: int, index: Index) -> None:
    """Makes the centroids of `nlist` clusters the vectors of `index`."""
    Clustering(index.d, nlist, cp).train(x, index)


def flat_like(index: Index) -> IndexFlat:
    """The vectors of an index, to be compared one by one."""
    flat = IndexFlat(index.d, index.metric_type)
    flat.metric_arg = index.metric_arg
    if index.ntotal:
        flat.add(index.reconstruct_n())
    return flat
