"""Working on the lists of inverted files."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..faiss._index import Index, IndexFlat
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


def add_preassigned(index_ivf: IndexIVF, x: Any, a: Any, ids: Any = None) -> None:
    """Adds vectors to lists that are given, one each; ids are counted on if none are given."""
    index_ivf._add_to_lists(x, a, ids)


def replace_ivf_quantizer(index_ivf: IndexIVF, new_quantizer: Index) -> Index:
    """Lets another index find the lists; returns the one that did so far.

    It is given the centroids if it has none; what is in the lists stays there.

    Raises:
        RuntimeError: it has more or fewer centroids.
    """
    old = index_ivf.quantizer
    if new_quantizer.ntotal == 0:
        centroids = old.reconstruct_n(0, index_ivf.nlist)
        new_quantizer.train(centroids)
        new_quantizer.add(centroids)
    if new_quantizer.ntotal != index_ivf.nlist:
        raise RuntimeError(f"{new_quantizer!r} does not find {index_ivf.nlist} lists")
    index_ivf.quantizer = new_quantizer
    index_ivf._rearrange(range(index_ivf.nlist))
    return old


def permute_invlists(index_ivf: IndexIVF, perm: Any) -> None:
    """Makes list `perm[i]` the list `i`, and its centroid the `i`-th of the quantizer, an `IndexFlat`."""
    order = np.ascontiguousarray(perm, dtype=np.int64)
    quantizer = index_ivf.quantizer
    if not isinstance(quantizer, IndexFlat):
        raise RuntimeError(f"only the centroids of an IndexFlat can be permuted, got {quantizer!r}")
    quantizer.permute_entries(order)
    index_ivf._rearrange(order.tolist())


def sort_invlists_by_size(index_ivf: IndexIVF) -> None:
    """Permutes the lists so that the shortest come first."""
    permute_invlists(index_ivf, np.argsort(index_ivf.invlists._sizes(), kind="stable"))
