"""Working on the lists of inverted files."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..faiss._ivf import IndexIVF

Array = npt.NDArray[Any]


def search_preassigned(
    index_ivf: IndexIVF, xq: Any, k: int, list_nos: Any, coarse_dis: Any = None
) -> tuple[Array, Array]:
    """`search` in lists that are given, a row per query."""
    return index_ivf.search_preassigned(xq, k, list_nos, coarse_dis)


def range_search_preassigned(
    index_ivf: IndexIVF, x: Any, radius: float, list_nos: Any, coarse_dis: Any = None
) -> tuple[Array, Array, Array]:
    """`range_search` in lists that are given, a row per query."""
    lists = np.asarray(list_nos)
    return index_ivf.range_search_preassigned(x, radius, lists[:, None] if lists.ndim == 1 else lists, coarse_dis)
