"""The methods of Faiss's indexes that end with `_c`: they take numbers of vectors, and pointers or arrays."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex, cast

import numpy as np

from ._arrays import Array, pointed


class Raw:
    """Methods that take pointers, by those that take arrays."""

    def train_c(self, n: SupportsIndex, x: Any) -> None:
        """`train` on `n` vectors."""
        self._array.train(self._rows(n, x))

    def add_c(self, n: SupportsIndex, x: Any) -> None:
        """`add` of `n` vectors."""
        self._array.add(self._rows(n, x))

    def add_with_ids_c(self, n: SupportsIndex, x: Any, xids: Any) -> None:
        """`add_with_ids` of `n` vectors."""
        self._array.add_with_ids(self._rows(n, x), pointed(xids, operator.index(n), np.int64))

    def search_c(
        self, n: SupportsIndex, x: Any, k: SupportsIndex, distances: Any, labels: Any, params: Any = None
    ) -> None:
        """`search` for `n` queries; writes distances and ids."""
        shape = (operator.index(n), operator.index(k))
        size = shape[0] * shape[1]
        found = pointed(distances, size, np.float32).reshape(shape)
        self._array.search(self._rows(n, x), k, params=params, D=found, I=pointed(labels, size, np.int64).reshape(shape))

    def range_search_c(self, n: SupportsIndex, x: Any, radius: float, result: Any, params: Any = None) -> None:
        """`range_search` for `n` queries, into a `RangeSearchResult`."""
        found = self._array.range_search(self._rows(n, x), radius, params=params)
        result.lims, result.distances, result.labels = found

    def assign_c(self, n: SupportsIndex, x: Any, labels: Any, k: SupportsIndex = 1) -> None:
        """`assign` of `n` queries; writes ids."""
        shape = (operator.index(n), operator.index(k))
        out = pointed(labels, shape[0] * shape[1], np.int64).reshape(shape)
        self._array.assign(self._rows(n, x), k, labels=out)

    def reconstruct_c(self, key: SupportsIndex, recons: Any) -> None:
        """`reconstruct`; writes the vector."""
        self._array.reconstruct(key, x=self._rows(1, recons)[0])

    def reconstruct_n_c(self, i0: SupportsIndex, ni: SupportsIndex, recons: Any) -> None:
        """`reconstruct_n`; writes the vectors."""
        self._array.reconstruct_n(i0, ni, x=self._rows(ni, recons))

    def remove_ids_c(self, sel: Any) -> int:
        """`remove_ids` of those that a selector admits."""
        count: int = self._array.remove_ids(sel)
        return count

    def sa_encode_c(self, n: SupportsIndex, x: Any, bytes: Any) -> None:
        """`sa_encode` of `n` vectors; writes codes."""
        self._array.sa_encode(self._rows(n, x), codes=self._codes_of(n, bytes))

    def sa_decode_c(self, n: SupportsIndex, bytes: Any, x: Any) -> None:
        """`sa_decode` of `n` codes; writes vectors."""
        self._array.sa_decode(self._codes_of(n, bytes), x=self._rows(n, x))

    @property
    def _array(self) -> Any:
        """The index, for its methods that take arrays."""
        return cast(Any, self)

    def _rows(self, n: SupportsIndex, x: Any) -> Array:
        count, width = operator.index(n), self._array.d
        return pointed(x, count * width, np.float32).reshape(count, width)

    def _codes_of(self, n: SupportsIndex, codes: Any) -> Array:
        count, width = operator.index(n), self._array.sa_code_size()
        return pointed(codes, count * width, np.uint8).reshape(count, width)
