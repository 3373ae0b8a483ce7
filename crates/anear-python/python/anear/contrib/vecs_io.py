"""Files of vectors: fvecs, ivecs, bvecs."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

Path = str | os.PathLike[str]


def ivecs_read(fname: Path) -> npt.NDArray[np.int32]:
    """Rows of whole numbers, each after its length."""
    words = np.fromfile(fname, dtype="<i4")
    if not len(words):
        return np.empty((0, 0), dtype=np.int32)
    width = int(words[0])
    if width <= 0 or len(words) % (width + 1):
        raise ValueError(f"{os.fspath(fname)}: {len(words)} words are not rows of {width}")
    return words.reshape(-1, width + 1)[:, 1:].copy()


def fvecs_read(fname: Path) -> npt.NDArray[np.float32]:
    """Rows of floats, each after its length."""
    return ivecs_read(fname).view(np.float32)


def bvecs_read(fname: Path) -> npt.NDArray[np.uint8]:
    """Rows of bytes, each after its length."""
    data = np.fromfile(fname, dtype=np.uint8)
    width = int(data[:4].view("<i4")[0])
    return data.reshape(-1, width + 4)[:, 4:].copy()


def ivecs_write(fname: Path, m: Any) -> None:
    """Writes rows of whole numbers."""
    rows, width = m.shape
    whole = np.empty((rows, width + 1), dtype="<i4")
    whole[:, 0], whole[:, 1:] = width, m
    whole.tofile(fname)


def fvecs_write(fname: Path, m: Any) -> None:
    """Writes rows of floats."""
    ivecs_write(fname, np.ascontiguousarray(m, dtype="<f4").view("<i4"))
