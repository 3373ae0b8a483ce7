"""What goes into the engine: contiguous arrays of the right type and shape."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


def matrix(x: Any, d: int) -> Floats:
    """Rows of `d` floats; another width is an `AssertionError`, as in Faiss."""
    rows: Floats = np.ascontiguousarray(x, dtype=np.float32)
    if rows.ndim != 2:
        raise ValueError(f"expected rows of {d} floats, got an array of shape {np.shape(x)}; one vector is `x[None, :]`")
    assert rows.shape[1] == d, f"expected vectors of dimension {d}, got {rows.shape[1]}"
    return rows


def id_array(ids: Any, n: int) -> Ids:
    """One id for each of `n` vectors."""
    labels: Ids = np.ascontiguousarray(ids, dtype=np.int64)
    assert labels.shape == (n,), f"expected {n} ids, got an array of shape {labels.shape}"
    return labels


def count(k: SupportsIndex) -> int:
    """A number of neighbors."""
    number = operator.index(k)
    assert number > 0, f"k must be at least 1, got {number}"
    return number


def filled(out: Any, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`value`, in the caller's array if there is one."""
    if out is None:
        return value
    assert out.shape == value.shape, f"expected an array of shape {value.shape}, got {out.shape}"
    out[...] = value
    result: npt.NDArray[Any] = out
    return result


def vector_to_array(vector: Any) -> npt.NDArray[Any]:
    """A copy of a vector of Faiss's; here vectors are arrays already."""
    return np.array(vector)


def copy_array_to_vector(array: npt.NDArray[Any], vector: npt.NDArray[Any]) -> None:
    """Copies an array over another of the same length."""
    vector[...] = array
