"""Faiss's files."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _native
from ._factory import wrap
from ._index import Index

IO_FLAG_SKIP_STORAGE = 1
IO_FLAG_READ_ONLY = 2
IO_FLAG_ONDISK_SAME_DIR = 4
IO_FLAG_SKIP_IVF_DATA = 8
IO_FLAG_MMAP = 0x646F0000 | IO_FLAG_SKIP_IVF_DATA


def write_index(index: Index, path: str | os.PathLike[str]) -> None:
    """Writes the Faiss file of an index: aside first, so that nothing half-written is ever found."""
    data = index._trained().to_faiss()
    path = os.path.abspath(os.fspath(path))
    handle, aside = tempfile.mkstemp(prefix=os.path.basename(path), dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


def read_index(path: str | os.PathLike[str], io_flags: int = 0) -> Any:
    """The index in a Faiss file."""
    try:
        with open(path, "rb") as file:
            return wrap(_native.Engine.from_faiss(file.read()))
    except FileNotFoundError as error:
        raise RuntimeError(f"could not open {os.fspath(path)} for reading: no such file") from error


def serialize_index(index: Index) -> npt.NDArray[np.uint8]:
    """The Faiss file of an index as an array of bytes."""
    return np.frombuffer(index._trained().to_faiss(), dtype=np.uint8).copy()


def deserialize_index(data: Any, io_flags: int = 0) -> Any:
    """The index in an array of bytes."""
    return wrap(_native.Engine.from_faiss(np.ascontiguousarray(data, dtype=np.uint8).tobytes()))
