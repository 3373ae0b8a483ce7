"""Inverted lists in a file, which an index searches without having them in memory."""

from __future__ import annotations

import contextlib
import operator
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, SupportsIndex

import numpy as np

from .. import _native
from ._arrays import Codes, Ids
from ._lists import InvertedLists

_ID = np.dtype("<i8")


class OnDiskInvertedLists(InvertedLists):
    """Lists in a file; in memory is only where each one is, and what is asked for.

    The file is made when the first code comes; one of the same name is replaced, and lives on for those who have it open.
    What an index was given by `replace_invlists` is never changed in the file: lists that grow get another place at its
    end. The room that they leave is not used again.

    >>> import tempfile, numpy as np
    >>> folder = tempfile.TemporaryDirectory()
    >>> lists = OnDiskInvertedLists(2, 4, f"{folder.name}/lists")
    >>> lists.add_entries(1, 2, np.array([70, 80]), np.zeros((2, 4), np.uint8))
    0
    >>> lists.list_size(1), lists.get_single_id(1, 0), lists.totsize
    (2, 70, 24)
    """

    prefetch_nthread = 32
    read_only = False

    def __init__(
        self, nlist: SupportsIndex = 0, code_size: SupportsIndex = 0, filename: str | os.PathLike[str] = ""
    ) -> None:
        """`nlist` empty lists of codes of `code_size` bytes, for the file called `filename`."""
        super().__init__(nlist, code_size)
        self.filename, self.totsize = os.fspath(filename), 0
        # Of each list its size, its capacity and where it begins; -1 where it has no place.
        self._extents = np.tile(np.array([0, 0, -1], np.int64), (self.nlist, 1))
        self._lent = 0

    def list_size(self, list_no: SupportsIndex) -> int:
        """How many codes are in a list; the file is not read for it.

        Raises:
            RuntimeError: there is no such list.
        """
        return int(self._extents[self._number(list_no), 0])

    def merge_from_multiple(
        self, ils: Any, n_il: SupportsIndex, shift_ids: bool = False, verbose: bool = False
    ) -> int:
        """Copies the lists of `n_il` sets, one list after the other; returns how many codes there are then.

        With `shift_ids`, the ids of a set grow by the number of codes in the sets before it. The file takes the place of one
        of the same name at the end: a set may be in that one. If something goes wrong, it stays, and these lists are empty.

        Raises:
            RuntimeError: there is something in these lists, or a set has other lists.
        """
        if self.totsize:
            raise RuntimeError("merge_from_multiple works only on empty lists")
        sets: list[InvertedLists] = list(ils[: operator.index(n_il)])
        for each in sets:
            self._check_alike(each)
        counts = [each.compute_ntotal() if shift_ids else 0 for each in sets]
        shifts = np.cumsum([0, *counts])
        with self._new_file() as file:
            for number in range(self.nlist):
                lists = [each._list(number) for each in sets]
                ids = np.concatenate([np.empty(0, np.int64), *(own + shift for (own, _), shift in zip(lists, shifts))])
                if len(ids):
                    self._put(file, number, len(ids), ids, *(codes for _, codes in lists))
        return self.compute_ntotal()

    def merge_from_1(self, il: InvertedLists, verbose: bool = False) -> int:
        """`merge_from_multiple` of one set."""
        return self.merge_from_multiple([il], 1, verbose=verbose)

    def crop_invlists(self, l0: SupportsIndex, l1: SupportsIndex) -> None:
        """Forgets all lists but those from `l0` to below `l1`; the file stays as it is.

        Raises:
            RuntimeError: there are no such lists.
        """
        first, end = operator.index(l0), operator.index(l1)
        if not 0 <= first <= end <= self.nlist:
            raise RuntimeError(f"there are no lists from {first} to {end}; there are {self.nlist}")
        self._extents, self.nlist = self._extents[first:end].copy(), end - first

    def _lend(self, index: _native.VectorIndex) -> None:
        """Lets an index search the lists in their file."""
        if not self.totsize:
            index.remove(_native.Selector.all())
            return
        with self._file() as file:
            os.fsync(file.fileno())
        index.map_lists(os.path.realpath(self.filename), self.filename, self._extents.view(np.uint64))
        self._lent = self.totsize

    def _sizes(self) -> Ids:
        return self._extents[:, 0].copy()

    def _list(self, number: int) -> tuple[Ids, Codes]:
        size, capacity, offset = self._extents[number].tolist()
        if not size:
            return np.empty(0, np.int64), np.empty((0, self.code_size), np.uint8)
        with Path(self.filename).open("rb") as file:
            file.seek(offset)
            codes = np.fromfile(file, np.uint8, size * self.code_size)
            file.seek(offset + capacity * self.code_size)
            ids = np.fromfile(file, _ID, size)
        if (len(codes), len(ids)) != (size * self.code_size, size):
            raise RuntimeError(f"{self.filename} has not all of list {number}: it was cut, or replaced by another file")
        return ids.astype(np.int64, copy=False), codes.reshape(size, self.code_size)

    def _append(self, number: int, ids: Ids, codes: Codes) -> None:
        size, capacity, _ = self._extents[number].tolist()
        if size + len(ids) > capacity or self._is_lent(number):
            own_ids, own_codes = self._list(number)
            self._replace(number, np.concatenate([own_ids, ids]), np.vstack([own_codes, codes]))
            return
        with self._file() as file:
            self._write(file, number, size, ids, codes)
        self._extents[number, 0] += len(ids)

    def _replace(self, number: int, ids: Ids, codes: Codes) -> None:
        if not len(ids):
            self._extents[number] = 0, 0, -1
            return
        with self._file() as file:
            if len(ids) > self._extents[number, 1] or self._is_lent(number):
                self._put(file, number, 1 << (len(ids) - 1).bit_length(), ids, codes)
            else:
                self._write(file, number, 0, ids, codes)
                self._extents[number, 0] = len(ids)

    def _is_lent(self, number: int) -> bool:
        return 0 <= int(self._extents[number, 2]) < self._lent

    def _file(self) -> BinaryIO:
        """The file, to be changed."""
        path = Path(self.filename)
        if self.totsize:
            return path.open("r+b")
        path.unlink(missing_ok=True)
        return path.open("x+b")

    @contextlib.contextmanager
    def _new_file(self) -> Iterator[BinaryIO]:
        """A file that becomes the one of these lists when all is in it."""
        beside = Path(f"{self.filename}.new")
        beside.unlink(missing_ok=True)
        try:
            with beside.open("x+b") as file:
                yield file
            beside.replace(self.filename)
        except BaseException:
            self._extents[:], self.totsize = (0, 0, -1), 0
            beside.unlink(missing_ok=True)
            raise

    def _put(self, file: BinaryIO, number: int, capacity: int, ids: Ids, *codes: Codes) -> None:
        """Writes a list to the end of the file, with room for `capacity` codes."""
        start, self.totsize = self.totsize, self.totsize + capacity * (self.code_size + _ID.itemsize)
        file.truncate(self.totsize)
        self._extents[number] = 0, capacity, start
        self._write(file, number, 0, ids, *codes)
        self._extents[number, 0] = len(ids)

    def _write(self, file: BinaryIO, number: int, place: int, ids: Ids, *codes: Codes) -> None:
        _, capacity, offset = self._extents[number].tolist()
        file.seek(offset + place * self.code_size)
        for each in codes:
            file.write(np.ascontiguousarray(each).data)
        file.seek(offset + capacity * self.code_size + place * _ID.itemsize)
        file.write(np.ascontiguousarray(ids, _ID).data)
