"""k-means."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _native
from ._arrays import Floats, Ids
from ._kinds import IndexFlat, IndexFlatIP, IndexFlatL2

_PARAMETERS = {
    "niter": 25,
    "nredo": 1,
    "verbose": False,
    "spherical": False,
    "int_centroids": False,
    "update_index": False,
    "frozen_centroids": False,
    "min_points_per_centroid": 39,
    "max_points_per_centroid": 256,
    "seed": 1234,
    "decode_block_size": 32768,
    "check_input_data_for_NaNs": True,
    "use_faster_subsampling": False,
    "init_method": 0,
    "afkmc2_chain_length": 50,
    "early_stop_threshold": 0.0,
}


class ClusteringInitMethod:
    """How the first centroids are chosen."""

    RANDOM = 0
    KMEANS_PLUS_PLUS = 1
    AFK_MC2 = 2


class ClusteringParameters:
    """The parameters of k-means."""

    def __init__(self, **parameters: Any) -> None:
        for name, value in {**_PARAMETERS, **parameters}.items():
            if name not in _PARAMETERS:
                raise AttributeError(f"k-means has no parameter {name!r}; it has {', '.join(_PARAMETERS)}")
            setattr(self, name, value)

    def _given(self) -> dict[str, float]:
        return {name: float(getattr(self, name)) for name in _PARAMETERS}


class Kmeans:
    """Clusters the rows of a matrix into `k` groups around their means."""

    def __init__(self, d: int, k: int, **kwargs: Any) -> None:
        self.gpu = kwargs.pop("gpu", False)
        if self.gpu:
            raise RuntimeError("anear clusters on the CPU; leave out gpu=True")
        kwargs.pop("progressive_dim_steps", None)
        self.d, self.k = d, int(k)
        self.cp = ClusteringParameters(**kwargs)
        self.centroids: Floats = np.empty((0, d), dtype=np.float32)
        self.obj: Any = None
        self.iteration_stats: list[dict[str, Any]] = []
        self.index: IndexFlat | None = None

    def train(self, x: Any, weights: Any = None, init_centroids: Any = None) -> float:
        """Finds the centroids; returns the objective of the last iteration."""
        x = np.ascontiguousarray(x, dtype=np.float32)
        assert x.shape[1] == self.d, f"expected vectors of dimension {self.d}, got {x.shape[1]}"
        if weights is not None:
            weights = np.ascontiguousarray(weights, dtype=np.float32)
        if init_centroids is not None:
            init_centroids = np.ascontiguousarray(init_centroids, dtype=np.float32)
        given = {**self.cp._given(), "inner_product": float(self.cp._given()["spherical"])}
        self.centroids, history = _native.kmeans(x, self.k, given, weights, init_centroids)
        self.iteration_stats = [
            {"obj": obj, "time": 0.0, "time_search": 0.0, "imbalance_factor": imbalance, "nsplit": splits}
            for obj, imbalance, splits in history
        ]
        self.obj = np.array([obj for obj, _, _ in history])
        self.index = (IndexFlatIP if given["spherical"] else IndexFlatL2)(self.d)
        self.index.add(self.centroids)
        return float(self.obj[-1]) if history else 0.0

    def assign(self, x: Any) -> tuple[Floats, Ids]:
        """The distance to the nearest centroid, and which it is."""
        assert self.index is not None, "train(x) comes before assign(x)"
        distances, ids = self.index.search(np.ascontiguousarray(x, dtype=np.float32), 1)
        return distances.ravel(), ids.ravel()


class Clustering(ClusteringParameters):
    """k-means as in C++: the centroids of `train(x, index)` also go into `index`."""

    def __init__(self, d: int, k: int, cp: ClusteringParameters | None = None) -> None:
        super().__init__(**({} if cp is None else {name: getattr(cp, name) for name in _PARAMETERS}))
        self.d, self.k = d, int(k)
        self.centroids: Floats = np.empty(0, dtype=np.float32)
        self.iteration_stats: list[dict[str, Any]] = []

    def train(self, x: Any, index: Any, weights: Any = None) -> None:
        """Finds the centroids and puts them into `index`."""
        kmeans = Kmeans(self.d, self.k, **{name: getattr(self, name) for name in _PARAMETERS})
        kmeans.train(x, weights)
        self.centroids = kmeans.centroids.ravel()
        self.iteration_stats = kmeans.iteration_stats
        index.reset()
        index.train(kmeans.centroids)
        index.add(kmeans.centroids)


def kmeans_clustering(d: int, n: int, k: int, x: Any, centroids: Any) -> float:
    """Clusters `n` rows; the centroids go into the array given."""
    kmeans = Kmeans(d, k)
    objective = kmeans.train(np.asarray(x).reshape(n, d))
    centroids[...] = kmeans.centroids.reshape(centroids.shape)
    return objective
