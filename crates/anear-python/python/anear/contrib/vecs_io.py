"""Files of vectors as the TEXMEX sets have them: before each vector stands its width, as 32 bits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Name = str | os.PathLike[str]


def ivecs_read(fname: Name) -> Array:
    """The rows of a file of whole numbers of 32 bits."""
    numbers = np.fromfile(fname, dtype="<i4")
    if not numbers.size:
        raise ValueError(f"{fname} is empty")
    return numbers.reshape(-1, numbers[0] + 1)[:, 1:].copy()


def fvecs_read(fname: Name) -> Array:
    """The rows of a file of numbers of 32 bits."""
    return ivecs_read(fname).view("<f4")


def ivecs_mmap(fname: Name) -> Array:
    """The rows of a file of whole numbers of 32 bits, which are read when they are used."""
    numbers = np.memmap(fname, dtype="<i4", mode="r")
    return numbers.reshape(-1, numbers[0] + 1)[:, 1:]


def fvecs_mmap(fname: Name) -> Array:
    """The rows of a file of numbers of 32 bits, which are read when they are used."""
    return ivecs_mmap(fname).view("<f4")


def bvecs_mmap(fname: Name) -> Array:
    """The rows of a file of bytes, which are read when they are used."""
    numbers = np.memmap(fname, dtype=np.uint8, mode="r")
    width = int(numbers[:4].view("<i4")[0])
    return numbers.reshape(-1, width + 4)[:, 4:]


def ivecs_write(fname: Name, m: Any) -> None:
    """Writes rows of whole numbers."""
    rows = np.asarray(m, dtype="<i4")
    widths = np.full((len(rows), 1), rows.shape[1], dtype="<i4")
    Path(fname).write_bytes(np.hstack([widths, rows]).tobytes())


def fvecs_write(fname: Name, m: Any) -> None:
    """Writes rows of numbers."""
    ivecs_write(fname, np.ascontiguousarray(m, dtype="<f4").view("<i4"))
