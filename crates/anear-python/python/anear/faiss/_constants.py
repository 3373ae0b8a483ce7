"""Faiss's numbers: metrics, flags of files, types of numbers."""

from __future__ import annotations

METRIC_INNER_PRODUCT = 0
METRIC_L2 = 1
METRIC_L1 = 2
METRIC_Linf = 3
METRIC_Lp = 4
METRIC_Canberra = 20
METRIC_BrayCurtis = 21
METRIC_JensenShannon = 22
METRIC_Jaccard = 23
METRIC_NaNEuclidean = 24
METRIC_GOWER = 25

IO_FLAG_SKIP_STORAGE = 1
IO_FLAG_READ_ONLY = 2
IO_FLAG_ONDISK_SAME_DIR = 4
IO_FLAG_SKIP_IVF_DATA = 8
IO_FLAG_SKIP_PRECOMPUTE_TABLE = 16
IO_FLAG_PQ_SKIP_SDC_TABLE = 32
IO_FLAG_MMAP_IFC = 512
IO_FLAG_MMAP = 0x646F0000 | IO_FLAG_SKIP_IVF_DATA

Float32 = 0
Float16 = 1
UInt8 = 2
Int8 = 3

ClusteringInitMethod_RANDOM = 0
ClusteringInitMethod_KMEANS_PLUS_PLUS = 1
ClusteringInitMethod_AFK_MC2 = 2


class ClusteringInitMethod:
    """How the first centroids are chosen."""

    RANDOM = ClusteringInitMethod_RANDOM
    KMEANS_PLUS_PLUS = ClusteringInitMethod_KMEANS_PLUS_PLUS
    AFK_MC2 = ClusteringInitMethod_AFK_MC2


# The engine's names.
_NAMES = {
    METRIC_INNER_PRODUCT: "inner_product",
    METRIC_L2: "l2",
    METRIC_L1: "l1",
    METRIC_Linf: "linf",
    METRIC_Canberra: "canberra",
    METRIC_BrayCurtis: "bray_curtis",
    METRIC_JensenShannon: "jensen_shannon",
    METRIC_Jaccard: "jaccard",
}
_NUMBERS = {name: number for number, name in _NAMES.items()}


def metric_name(metric: int, argument: float = 0.0) -> str:
    """The engine's name of a metric of Faiss's.

    Raises:
        RuntimeError: anear cannot compare that way.
    """
    if metric == METRIC_Lp:
        return f"lp{argument:g}"
    try:
        return _NAMES[metric]
    except KeyError:
        raise RuntimeError(f"metric {metric} is not known; there are {_NUMBERS} and lp={METRIC_Lp}") from None


def metric_number(name: str) -> tuple[int, float]:
    """Faiss's number of a metric of the engine's, and its argument; cosine is the inner product of unit vectors.

    Raises:
        RuntimeError: there is none of this name.
    """
    if name.startswith("lp"):
        return METRIC_Lp, float(name[2:])
    if name == "cosine":
        return METRIC_INNER_PRODUCT, 0.0
    if name not in _NUMBERS:
        raise RuntimeError(f"metric {name!r} is not known; there are {', '.join(_NUMBERS)}, cosine and lp<p>")
    return _NUMBERS[name], 0.0


def is_similarity_metric(metric_type: int) -> bool:
    """Whether larger values are closer."""
    return metric_type in (METRIC_INNER_PRODUCT, METRIC_Jaccard)
