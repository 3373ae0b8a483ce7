"""How vectors are compared: LangChain's names and anear's metrics."""

from __future__ import annotations

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
