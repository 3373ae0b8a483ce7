"""How good results are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..faiss._functions import eval_intersection

Array = npt.NDArray[Any]


def knn_intersection_measure(I1: Any, I2: Any) -> float:
    """The share of neighbors that two results have in common, row by row."""
    rows, k = I1.shape
    assert I2.shape == (rows, k), f"shapes {I1.shape} and {I2.shape} differ"
    return float(eval_intersection(I1, I2) / (rows * k))


def filter_range_results(lims: Any, D: Any, I: Any, thresh: float) -> tuple[Array, Array, Array]:
    """Range results that are closer than `thresh`."""
    keep = D < thresh
    counts = np.concatenate([[0], np.cumsum(keep)])
    return counts[np.asarray(lims, dtype=np.int64)].astype(lims.dtype), D[keep], I[keep]


def range_PR(
    lims_ref: Any, Iref: Any, lims_new: Any, Inew: Any, mode: str = "overall"
) -> tuple[float, float]:
    """Precision and recall of range results; `mode` is `overall` or `average` (over queries)."""
    found, expected, common = _counts(lims_ref, Iref, lims_new, Inew)
    return counts_to_PR(expected, found, common, mode)


def _counts(lims_ref: Any, Iref: Any, lims_new: Any, Inew: Any) -> tuple[Array, Array, Array]:
    lims_ref, lims_new = (np.asarray(lims, dtype=np.int64) for lims in (lims_ref, lims_new))
    common = [
        len(np.intersect1d(Iref[lims_ref[q] : lims_ref[q + 1]], Inew[lims_new[q] : lims_new[q + 1]]))
        for q in range(len(lims_ref) - 1)
    ]
    return np.diff(lims_new), np.diff(lims_ref), np.array(common, dtype=np.int64)


def counts_to_PR(ngt: Any, nres: Any, ninter: Any, mode: str = "overall") -> tuple[float, float]:
    """Precision and recall from how many there are to find, were found, and were found rightly, per query."""
    ngt, nres, ninter = (np.asarray(counts) for counts in (ngt, nres, ninter))
    if mode == "overall":
        expected, found, common = ngt.sum(), nres.sum(), ninter.sum()
        precision = common / found if found > 0 else 1.0
        recall = common / expected if expected > 0 else (1.0 if found == 0 else 0.0)
        return float(precision), float(recall)
    if mode != "average":
        raise AssertionError(f"mode is `overall` or `average`, got {mode!r}")
    precision = np.where(nres > 0, ninter / np.maximum(nres, 1), 1.0)
    recall = np.where(ngt > 0, ninter / np.maximum(ngt, 1), np.where(nres == 0, 1.0, 0.0))
    return float(precision.mean()), float(recall.mean())


def sort_range_res_2(lims: Any, D: Any, I: Any) -> tuple[Array, Array]:
    """Range results of each query by distance."""
    D, I = D.copy(), I.copy()
    for start, end in zip(lims[:-1], lims[1:], strict=True):
        order = np.argsort(D[int(start) : int(end)], kind="stable")
        D[int(start) : int(end)] = D[int(start) : int(end)][order]
        I[int(start) : int(end)] = I[int(start) : int(end)][order]
    return D, I


def sort_range_res_1(lims: Any, I: Any) -> Array:
    """The ids of each query's range results, ascending."""
    I = I.copy()
    for start, end in zip(lims[:-1], lims[1:], strict=True):
        I[int(start) : int(end)].sort()
    sorted_ids: Array = I
    return sorted_ids


def range_PR_multiple_thresholds(
    lims_ref: Any,
    Iref: Any,
    lims_new: Any,
    Dnew: Any,
    Inew: Any,
    thresholds: Any,
    mode: str = "overall",
    do_sort: str = "ref,new",
) -> tuple[Array, Array]:
    """Precision and recall of range results at several thresholds."""
    pairs = []
    for threshold in thresholds:
        lims, _, ids = filter_range_results(np.asarray(lims_new), Dnew, Inew, threshold)
        pairs.append(range_PR(lims_ref, Iref, lims, ids, mode))
    precisions, recalls = zip(*pairs, strict=True)
    return np.array(precisions), np.array(recalls)


def check_ref_knn_with_draws(
    Dref: Any, Iref: Any, Dnew: Any, Inew: Any, rtol: float = 1e-5
) -> None:
    """Asserts that results are the same but for the order among equal distances."""
    np.testing.assert_allclose(Dref, Dnew, rtol=rtol)
    for distances, expected, got in zip(Dref, Iref, Inew, strict=True):
        for distance in np.unique(distances[:-1]):
            tied = distances == distance
            if tied[-1]:
                continue
            assert set(expected[tied]) == set(got[tied]), f"{expected} and {got} differ at distance {distance}"


def check_ref_range_results(
    Lref: Any, Dref: Any, Iref: Any, Lnew: Any, Dnew: Any, Inew: Any
) -> None:
    """Asserts that range results are the same but for their order."""
    np.testing.assert_array_equal(Lref, Lnew)
    for start, end in zip(Lref[:-1], Lref[1:], strict=True):
        one, other = np.argsort(Iref[int(start) : int(end)]), np.argsort(Inew[int(start) : int(end)])
        np.testing.assert_array_equal(Iref[int(start) : int(end)][one], Inew[int(start) : int(end)][other])
        np.testing.assert_allclose(Dref[int(start) : int(end)][one], Dnew[int(start) : int(end)][other], rtol=1e-4)
