"""Codes that the engine does not hold: they lie one after the other in an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import Codes, Floats, Ids, UInt8Vector, check_finite, rows
from ._index import Index


class HeldCodes(Index):
    """An index that keeps a code of each vector; ids are positions. Kinds of it say how long codes are and make them."""

    _held: Codes

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        raise NotImplementedError

    @property
    def codes(self) -> UInt8Vector:
        """A copy of all codes, one after the other."""
        return UInt8Vector(self._held)

    def sa_code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.code_size

    def add_sa_codes(self, codes: Any, ids: Any = None) -> None:
        """Adds the vectors of codes, which `sa_encode` made.

        Raises:
            RuntimeError: ids are given, which are positions here.
        """
        if ids is not None:
            raise self._cannot("add_sa_codes with ids")
        self._held = np.vstack([self._held, rows(codes, self.code_size, np.uint8)])

    def _count(self) -> int:
        return len(self._held)

    def _add(self, x: Floats) -> None:
        check_finite(x)
        self.add_sa_codes(self._encode(x))

    def _reconstruct(self, ids: Ids) -> Floats:
        wrong = (ids < 0) | (ids >= self.ntotal)
        if wrong.any():
            raise RuntimeError(f"there is no vector {ids[wrong][0]}; the index holds {self.ntotal}")
        return self._decode(self._held[ids])

    def _reset(self) -> None:
        self._held = self._held[:0]
