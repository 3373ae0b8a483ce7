"""Choosing results that are relevant but not all the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _native


def maximal_marginal_relevance(
    query_embedding: npt.NDArray[Any] | Sequence[float],
    embedding_list: Sequence[Any] | npt.NDArray[Any],
    lambda_mult: float = 0.5,
    k: int = 4,
) -> list[int]:
    """Positions in `embedding_list` of at most `k` vectors, chosen one by one by maximal marginal relevance.

    Similarity is the cosine; `lambda_mult` weighs it (1) against difference from those already chosen (0).
    """
    if k <= 0 or len(embedding_list) == 0:
        return []
    query = np.asarray(query_embedding, dtype=np.float32).reshape(-1)
    candidates = np.asarray(embedding_list, dtype=np.float32)
    return _native.maximal_marginal_relevance(query, candidates, lambda_mult, k)
