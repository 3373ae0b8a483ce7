"""Sets of vectors to train on, to search in and to search for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..faiss._constants import METRIC_INNER_PRODUCT, METRIC_L2
from ..faiss._functions import knn
from .vecs_io import fvecs_mmap, ivecs_read

Array = npt.NDArray[Any]

dataset_basedir = "data"


def set_dataset_basedir(path: str) -> None:
    """Looks for files below `path` from now on."""
    global dataset_basedir
    dataset_basedir = path


class Dataset:
    """Vectors to train on, to search in and to search for."""

    def __init__(self) -> None:
        """Holds none."""
        self.d = -1
        self.metric = "L2"
        self.nq = self.nb = self.nt = -1

    def get_queries(self) -> Array:
        """The vectors to search for."""
        raise NotImplementedError

    def get_train(self, maxtrain: int | None = None) -> Array:
        """The vectors to train on."""
        raise NotImplementedError

    def get_database(self) -> Array:
        """The vectors to search in."""
        raise NotImplementedError

    def database_iterator(self, bs: int = 128, split: tuple[int, int] = (1, 0)) -> Iterator[Array]:
        """The vectors to search in, `bs` at a time; those of part `split[1]` of `split[0]`."""
        vectors = self.get_database()
        parts, part = split
        start, stop = self.nb * part // parts, self.nb * (part + 1) // parts
        for at in range(start, stop, bs):
            yield vectors[at : min(at + bs, stop)]

    def get_groundtruth(self, k: int | None = None) -> Array:
        """The ids of the nearest of each query."""
        raise NotImplementedError

    def get_groundtruth_range(self, thresh: float | None = None) -> Any:
        """The ids of all within a radius of each query."""
        raise NotImplementedError

    def check_sizes(self) -> None:
        """Raises AssertionError if arrays have not the shapes they should have."""
        assert self.get_queries().shape == (self.nq, self.d)
        if self.nt > 0:
            assert self.get_train(maxtrain=123).shape == (min(123, self.nt), self.d)
        assert self.get_database().shape == (self.nb, self.d)
        assert self.get_groundtruth(k=13).shape == (self.nq, 13)

    def __str__(self) -> str:
        return f"dataset in dimension {self.d}, with metric {self.metric}, size: Q {self.nq} B {self.nb} T {self.nt}"


class SyntheticDataset(Dataset):
    """Vectors on a curved surface of few dimensions: random, but not without structure."""

    def __init__(self, d: int, nt: int, nb: int, nq: int, metric: str = "L2", seed: int = 1338) -> None:
        """`nt` vectors to train on, `nb` to search in and `nq` to search for, of width `d`."""
        super().__init__()
        self.d, self.nt, self.nb, self.nq, self.metric = d, nt, nb, nq, metric
        random = np.random.RandomState(seed)
        inner = min(d, 10)
        surface = random.normal(size=(nt + nb + nq, inner)) @ random.random_sample((inner, d))
        bent = np.sin(surface * (4 * random.random_sample(d) + 0.1)).astype(np.float32)
        self.xt, self.xb, self.xq = bent[:nt], bent[nt : nt + nb], bent[nt + nb :]

    def get_queries(self) -> Array:
        """The vectors to search for."""
        return self.xq

    def get_train(self, maxtrain: int | None = None) -> Array:
        """The vectors to train on."""
        return self.xt[:maxtrain]

    def get_database(self) -> Array:
        """The vectors to search in."""
        return self.xb

    def get_groundtruth(self, k: int | None = 100) -> Array:
        """The ids of the nearest of each query."""
        metric = METRIC_L2 if self.metric == "L2" else METRIC_INNER_PRODUCT
        return knn(self.xq, self.xb, k or 100, metric)[1]


class _FromFiles(Dataset):
    """Vectors in the files of a folder."""

    def __init__(self, folder: str, stem: str, d: int, nt: int, nb: int, nq: int) -> None:
        super().__init__()
        self.d, self.nt, self.nb, self.nq = d, nt, nb, nq
        self._stem = Path(dataset_basedir) / folder / stem

    def _floats(self, part: str) -> Array:
        return np.ascontiguousarray(fvecs_mmap(f"{self._stem}_{part}.fvecs"), dtype=np.float32)

    def get_queries(self) -> Array:
        """The vectors to search for."""
        return self._floats("query")

    def get_train(self, maxtrain: int | None = None) -> Array:
        """The vectors to train on."""
        return self._floats("learn")[:maxtrain]

    def get_database(self) -> Array:
        """The vectors to search in."""
        return self._floats("base")

    def get_groundtruth(self, k: int | None = None) -> Array:
        """The ids of the nearest of each query; at most 100 are known."""
        truth = ivecs_read(f"{self._stem}_groundtruth.ivecs")
        assert k is None or k <= truth.shape[1], f"at most {truth.shape[1]} answers are known, {k} were asked for"
        return truth[:, :k]


class DatasetSIFT1M(_FromFiles):
    """A million descriptors of pictures, from http://corpus-texmex.irisa.fr/."""

    def __init__(self) -> None:
        """Looks for `sift1M/sift_base.fvecs` and its like."""
        super().__init__("sift1M", "sift", 128, 100_000, 1_000_000, 10_000)


class DatasetGIST1M(_FromFiles):
    """A million wide descriptors of pictures, from http://corpus-texmex.irisa.fr/."""

    def __init__(self) -> None:
        """Looks for `gist1M/gist_base.fvecs` and its like."""
        super().__init__("gist1M", "gist", 960, 500_000, 1_000_000, 1_000)


def dataset_from_name(dataset: str = "sift1M", download: bool = False) -> Dataset:
    """The set of this name.

    Raises:
        RuntimeError: there is none; anear downloads nothing.
    """
    known: dict[str, type[Dataset]] = {"sift1M": DatasetSIFT1M, "gist1M": DatasetGIST1M}
    if dataset not in known:
        raise RuntimeError(f"unknown dataset {dataset}; there are {', '.join(known)}")
    return known[dataset]()
