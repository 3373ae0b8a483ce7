"""Indexes in files, in Faiss's format or, where Faiss has no such index, in anear's own, and copies."""

from __future__ import annotations

import copy
import operator
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .. import _native
from ._arrays import Codes, UInt8Vector
from ._binary import IndexBinary, binary_around
from ._codes import IndexPQ
from ._constants import IO_FLAG_MMAP, IO_FLAG_MMAP_IFC
from ._factory import around
from ._index import Index
from ._missing import first_of_missing
from ._quantizers import ProductQuantizer
from ._transforms import VectorTransform, transform_around

T = TypeVar("T")


class IOWriter:
    """Where an index is written to."""

    name = ""

    def write(self, data: bytes) -> None:
        """Takes what comes next."""
        raise NotImplementedError


class IOReader:
    """Where indexes are read from, one after the other."""

    name = ""
    _ahead = b""

    def read(self) -> bytes:
        """Everything that is left."""
        raise NotImplementedError

    def _first(self, parse: Callable[[Codes], tuple[T, int]]) -> T:
        """What is at the beginning of what is left, which goes on behind it."""
        left = np.frombuffer(self._ahead or self.read(), np.uint8)
        found, length = parse(left)
        self._ahead = left[length:].tobytes()
        return found


class VectorIOWriter(IOWriter):
    """Keeps what is written in `data`."""

    def __init__(self) -> None:
        """Holds nothing yet."""
        self.data = UInt8Vector()

    def write(self, data: bytes) -> None:
        """Takes what comes next."""
        self.data._values = np.concatenate([self.data._values, np.frombuffer(data, np.uint8)])


class VectorIOReader(IOReader):
    """Reads what is in `data`."""

    def __init__(self) -> None:
        """Holds nothing yet."""
        self.data = UInt8Vector()
        self.rp = 0

    def read(self) -> bytes:
        """Everything that is left."""
        start, self.rp = self.rp, len(self.data)
        return self.data._values[start:].tobytes()


class PyCallbackIOWriter(IOWriter):
    """Hands what is written to a function, in pieces."""

    def __init__(self, callback: Callable[[bytes], Any], bs: int = 1024 * 1024) -> None:
        """Calls `callback` with at most `bs` bytes."""
        self.callback, self.bs = callback, bs

    def write(self, data: bytes) -> None:
        """Takes what comes next."""
        for start in range(0, len(data), self.bs):
            self.callback(data[start : start + self.bs])


class PyCallbackIOReader(IOReader):
    """Asks a function for bytes, until it gives none."""

    def __init__(self, callback: Callable[[int], bytes], bs: int = 1024 * 1024) -> None:
        """Asks `callback` for at most `bs` bytes."""
        self.callback, self.bs = callback, bs

    def read(self) -> bytes:
        """Everything that is left."""
        pieces = []
        while piece := self.callback(self.bs):
            pieces.append(bytes(piece))
        return b"".join(pieces)


class FileIOWriter(IOWriter):
    """Writes to a file."""

    def __init__(self, name: str | os.PathLike[str]) -> None:
        """Writes to the file called `name`."""
        self.name = os.fspath(name)
        self._written = b""

    def write(self, data: bytes) -> None:
        """Puts a whole file in its place, or leaves what was there; what was written to it before is in it too."""
        data = self._written + data
        self._put(data)
        self._written = data

    def _put(self, data: bytes) -> None:
        target = Path(self.name)
        folder = target.parent
        if not folder.is_dir():
            raise RuntimeError(f"could not open {self.name} for writing: there is no folder {folder}")
        try:
            handle, aside = tempfile.mkstemp(dir=folder, prefix=f".{target.name}.")
        except OSError as error:
            raise RuntimeError(f"could not open {self.name} for writing: {error}") from error
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).chmod(0o666 & ~_umask())
            Path(aside).replace(target)
        except OSError as error:
            Path(aside).unlink(missing_ok=True)
            raise RuntimeError(f"could not write {self.name}: {error}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class FileIOReader(IOReader):
    """Reads from a file."""

    def __init__(self, name: str | os.PathLike[str]) -> None:
        """Reads from the file called `name`.

        Raises:
            RuntimeError: it cannot be opened.
        """
        self.name = os.fspath(name)
        self._is_read = False
        if not Path(self.name).is_file():
            what = "it is no file" if Path(self.name).exists() else "no such file"
            raise RuntimeError(f"could not open {self.name} for reading: {what}")

    def read(self) -> bytes:
        """Everything, once."""
        if self._is_read:
            return b""
        self._is_read = True
        try:
            return Path(self.name).read_bytes()
        except OSError as error:
            raise RuntimeError(f"could not open {self.name} for reading: {error}") from error


class BufferedIOWriter(IOWriter):
    """Writes to another writer."""

    def __init__(self, writer: IOWriter, bsz: int = 1024 * 1024) -> None:
        """Writes to `writer`."""
        self.writer = writer

    def write(self, data: bytes) -> None:
        """Takes what comes next."""
        self.writer.write(data)


class BufferedIOReader(IOReader):
    """Reads from another reader."""

    def __init__(self, reader: IOReader, bsz: int = 1024 * 1024) -> None:
        """Reads from `reader`."""
        self.reader = reader

    def read(self) -> bytes:
        """Everything that is left."""
        return self.reader.read()


def _writer(target: Any) -> IOWriter:
    if isinstance(target, IOWriter):
        return target
    if isinstance(target, (str, os.PathLike)):
        return FileIOWriter(target)
    raise TypeError(f"expected a path or an IOWriter, got {type(target).__name__}")


def _reader(source: Any) -> IOReader:
    if isinstance(source, IOReader):
        return source
    if isinstance(source, (str, os.PathLike)):
        return FileIOReader(source)
    raise TypeError(f"expected a path or an IOReader, got {type(source).__name__}")


def serialize_index(index: Index, io_flags: int = 0) -> Codes:
    """An index as an array of bytes, in Faiss's format; in anear's own where Faiss has no such index.

    Raises:
        RuntimeError: it is not trained, or cannot be written.
    """
    if not isinstance(index, Index):
        raise TypeError(f"expected an index, got {type(index).__name__}")
    return index._to_file()


def deserialize_index(data: Any, io_flags: int = 0) -> Index:
    """The index of an array of bytes that `serialize_index` wrote, of anear or of Faiss.

    Raises:
        RuntimeError: the bytes are none, or of a kind that anear does not read.
    """
    return _whole(_bytes(data))


def _whole(data: Codes, folder: str | None = None) -> Index:
    """The index that bytes are, with lists in another file in `folder`."""
    if _native.VectorIndex.is_own(data):
        return around(_native.VectorIndex.from_bytes(data.tobytes()))
    missing = first_of_missing(data)
    if missing is None:
        return around(_native.VectorIndex.from_faiss(data, folder))
    index, length = missing
    if length != len(data):
        raise RuntimeError(f"not a sound Faiss index: {len(data) - length} bytes are left over")
    return index


def _beginning(data: Codes) -> tuple[Index, int]:
    """The index that bytes begin with, and how many it takes: all of them if it is in anear's format."""
    if _native.VectorIndex.is_own(data):
        return _whole(data), len(data)
    missing = first_of_missing(data)
    if missing is not None:
        return missing
    index, length = _native.VectorIndex.first_of_faiss(data)
    return around(index), length


def serialize_index_binary(index: IndexBinary) -> Codes:
    """A binary index as an array of bytes, in Faiss's format."""
    if not isinstance(index, IndexBinary):
        raise TypeError(f"expected a binary index, got {type(index).__name__}")
    return index._engine().to_faiss()


def deserialize_index_binary(data: Any) -> IndexBinary:
    """The binary index of an array of bytes that `serialize_index_binary` wrote, of anear or of Faiss.

    Raises:
        RuntimeError: the bytes are none, or of a kind that anear does not read.
    """
    return binary_around(_native.BinaryIndex.from_faiss(_bytes(data)))


def _bytes(data: Any) -> Codes:
    array = np.frombuffer(data, np.uint8) if isinstance(data, (bytes, bytearray, memoryview)) else np.asarray(data)
    if array.dtype != np.uint8:
        raise TypeError(f"expected an array of uint8, got {array.dtype}")
    return np.ascontiguousarray(array).ravel()


def write_index(index: Index, target: Any, io_flags: int = 0) -> None:
    """Writes an index to a path or a writer, in Faiss's format; a file is never half written.

    An index that Faiss has none of is written in anear's format, which `read_index` reads as well.

    Lists in a file of their own stay there as long as none was changed: the file of the index names it. A writer gets
    everything.

    Raises:
        RuntimeError: the index is not trained, or cannot be written, or the file cannot.
    """
    writer = _writer(target)
    if not isinstance(index, Index):
        raise TypeError(f"expected an index, got {type(index).__name__}")
    writer.write(index._to_file(beside_lists=writer is not target).tobytes())


def read_index(source: Any, io_flags: int = 0, *, ondisk_dir: str | os.PathLike[str] | None = None) -> Index:
    """The index in a file or a reader, which anear or Faiss wrote.

    With `IO_FLAG_MMAP` or `IO_FLAG_MMAP_IFC` its codes stay in the file and are in memory only where a search looks at
    them; what is changed is copied first. Nobody may change or cut the file meanwhile, only replace it by another.

    Lists that are in a file of their own stay there always. That file is looked for beside that of the index, as with
    `IO_FLAG_ONDISK_SAME_DIR`, or in the folder `ondisk_dir`; never where the file of the index says it is.

    Raises:
        RuntimeError: there is no file, or none that anear reads.
    """
    reader = _reader(source)
    if not isinstance(reader, FileIOReader) or (reader is source and not maps(io_flags)):
        index: Index = reader._first(_beginning)
        return index
    folder = os.path.dirname(reader.name) if ondisk_dir is None else os.fspath(ondisk_dir)
    if maps(io_flags):
        # Links are followed, as in Faiss.
        path = os.path.realpath(reader.name)
        data = np.memmap(path, np.uint8, "r") if os.path.getsize(path) else np.empty(0, np.uint8)
        if _native.VectorIndex.is_own(data):
            return around(_native.VectorIndex.map_own(path))
        if not len(data) or first_of_missing(data) is None:
            return around(_native.VectorIndex.map_faiss(path, folder))
    return _whole(np.frombuffer(reader.read(), np.uint8), folder)


def maps(io_flags: int) -> bool:
    """Whether these flags ask for a mapped file."""
    try:
        io_flags = operator.index(io_flags)
    except TypeError:
        raise TypeError(f"io_flags must be a sum of flags such as IO_FLAG_MMAP, got {io_flags!r}") from None
    return bool(io_flags & IO_FLAG_MMAP_IFC) or io_flags & IO_FLAG_MMAP == IO_FLAG_MMAP


def write_index_binary(index: IndexBinary, target: Any) -> None:
    """Writes a binary index to a path or a writer, in Faiss's format; a file is never half written."""
    _writer(target).write(serialize_index_binary(index).tobytes())


def read_index_binary(source: Any, io_flags: int = 0) -> IndexBinary:
    """The binary index in a file or a reader, which anear or Faiss wrote."""
    if isinstance(source, IOReader):
        return binary_around(source._first(_native.BinaryIndex.first_of_faiss))
    return deserialize_index_binary(_reader(source).read())


def write_VectorTransform(vt: VectorTransform, target: Any) -> None:
    """Writes a transform to a path or a writer, in Faiss's format.

    Raises:
        RuntimeError: it is not trained, or the file cannot be written.
    """
    if not isinstance(vt, VectorTransform):
        raise TypeError(f"expected a transform, got {type(vt).__name__}")
    _writer(target).write(vt._live.to_faiss().tobytes())


def read_VectorTransform(source: Any) -> VectorTransform:
    """The transform in a file or a reader, which anear or Faiss wrote.

    Raises:
        RuntimeError: there is no file, or none that anear reads.
    """
    return transform_around(_reader(source)._first(_native.Transform.first_of_faiss))


def write_ProductQuantizer(pq: ProductQuantizer, target: Any) -> None:
    """Writes a product quantizer to a path or a writer, in Faiss's format.

    Raises:
        RuntimeError: it is not trained, or the file cannot be written.
    """
    if not isinstance(pq, ProductQuantizer):
        raise TypeError(f"expected a ProductQuantizer, got {type(pq).__name__}")
    pq._codec._check_trained("saving")
    _writer(target).write(_native.Parts(pq._codec._live).product_to_faiss().tobytes())


def read_ProductQuantizer(source: Any) -> ProductQuantizer:
    """The product quantizer in a file or a reader, which anear or Faiss wrote.

    Raises:
        RuntimeError: there is no file, or none that anear reads.
    """
    index = IndexPQ._around(_reader(source)._first(_native.VectorIndex.first_product_of_faiss))
    pq: ProductQuantizer = index.pq
    return pq


def clone_index(index: T) -> T:
    """A copy that shares nothing with an index."""
    if not isinstance(index, (Index, VectorTransform)):
        raise TypeError(f"expected an index, got {type(index).__name__}")
    return copy.deepcopy(index)


def clone_binary_index(index: T) -> T:
    """A copy that shares nothing with a binary index."""
    if not isinstance(index, IndexBinary):
        raise TypeError(f"expected a binary index, got {type(index).__name__}")
    return copy.deepcopy(index)
