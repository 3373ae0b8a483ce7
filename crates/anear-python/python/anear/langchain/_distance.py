"""How vectors are compared: LangChain's names, anear's metrics, and what a score is worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum


class DistanceStrategy(str, Enum):
    """LangChain's names of the ways to compare vectors. The plain strings are accepted too."""

    EUCLIDEAN_DISTANCE = "EUCLIDEAN_DISTANCE"
    MAX_INNER_PRODUCT = "MAX_INNER_PRODUCT"
    DOT_PRODUCT = "DOT_PRODUCT"
    JACCARD = "JACCARD"
    COSINE = "COSINE"


_METRICS = {
    DistanceStrategy.EUCLIDEAN_DISTANCE: "l2",
    DistanceStrategy.MAX_INNER_PRODUCT: "inner_product",
    DistanceStrategy.DOT_PRODUCT: "inner_product",
    DistanceStrategy.COSINE: "cosine",
}

_STRATEGIES = {
    "l2": DistanceStrategy.EUCLIDEAN_DISTANCE,
    "inner_product": DistanceStrategy.MAX_INNER_PRODUCT,
    "cosine": DistanceStrategy.COSINE,
}


def metric_of(strategy: str) -> str:
    """The metric that a strategy asks for.

    Raises:
        ValueError: there is none.
    """
    try:
        return _METRICS[DistanceStrategy(strategy)]
    except (KeyError, ValueError):
        known = ", ".join(known.value for known in _METRICS)
        name = getattr(strategy, "value", strategy)
        raise ValueError(f"unknown distance strategy {name!r}; there are: {known}") from None


def strategy_of(metric: str) -> str:
    """LangChain's name of a metric, or the metric's own where LangChain has none."""
    return _STRATEGIES.get(metric, metric)


def relevance_of(metric: str, bits: int | None = None) -> Callable[[float], float]:
    """The function from a score to a relevance: 1 for the best match of unit vectors, 0 for none.

    `bits`: scores count which of so many bits differ; then it is the share of those that do not.
    """
    # By inner product, where larger is closer, counts are negative.
    return (lambda score: _cut(1.0 - abs(score) / bits)) if bits else _RELEVANCES.get(metric, _reciprocal)


def _euclidean(score: float) -> float:
    # LangChain's formula, so that thresholds tuned with it keep their meaning.
    return _cut(1.0 - score / math.sqrt(2.0))


def _inner_product(score: float) -> float:
    return _cut(score)


def _cosine(score: float) -> float:
    return _cut(1.0 - score)


def _reciprocal(score: float) -> float:
    return 1.0 / (1.0 + score)


def _cut(relevance: float) -> float:
    return max(0.0, min(1.0, relevance))


_RELEVANCES: dict[str, Callable[[float], float]] = {
    "l2": _euclidean,
    "inner_product": _inner_product,
    "cosine": _cosine,
}
