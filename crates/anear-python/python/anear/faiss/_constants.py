"""Faiss's numbers."""

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


def metric_name(number: int, argument: float = 0.0) -> str:
    """The engine's name of a metric."""
    if number == METRIC_Lp:
        return f"lp{argument:g}"
    try:
        return _NAMES[int(number)]
    except KeyError:
        known = ", ".join(f"{n} ({name})" for n, name in _NAMES.items())
        raise RuntimeError(f"metric {number} is not known; known: {known}, {METRIC_Lp} (lp)") from None


def metric_number(name: str) -> tuple[int, float]:
    """Faiss's number of a metric, and its argument."""
    if name.startswith("lp"):
        return METRIC_Lp, float(name[2:])
    # Faiss keeps cosine as unit vectors by inner product.
    return _NUMBERS.get(name, METRIC_INNER_PRODUCT), 0.0


def is_similarity_metric(number: int) -> bool:
    """Whether more is closer."""
    return number in (METRIC_INNER_PRODUCT, METRIC_Jaccard)
