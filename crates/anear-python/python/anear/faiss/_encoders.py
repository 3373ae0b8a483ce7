"""Indexes that are there to encode: of rows scaled to their own range, and in two layers."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from ._arrays import Codes, Floats
from ._composite import _Wrapper
from ._constants import METRIC_L2
from ._held import HeldCodes
from ._index import Index
from ._ivf import IndexIVFPQ
from ._quantizers import ProductQuantizer


class IndexRowwiseMinMaxBase(_Wrapper):
    """Scales each vector to numbers from 0 to 1 before another index encodes it; only encodes. It can be pickled."""

    _number: npt.DTypeLike = np.float32

    def __init__(self, index: Index) -> None:
        """Before `index`."""
        super().__init__(index)
        self.own_fields = False

    def sa_code_size(self) -> int:
        """Bytes of a vector's range, its minimum and its code."""
        return 2 * np.dtype(self._number).itemsize + self.index.sa_code_size()

    def _train(self, x: Floats) -> None:
        self.index.train(self._scaled(x)[1])

    def _scaled(self, x: Floats) -> tuple[Any, Floats]:
        """The range and the minimum of each row, as they are kept, and the rows scaled by them."""
        low = x.min(axis=1, keepdims=True)
        kept = np.hstack([x.max(axis=1, keepdims=True) - low, low]).astype(self._number)
        span, low = np.split(kept.astype(np.float32), 2, axis=1)
        return kept, ((x - low) / np.where(span > 0, span, np.float32(1))).astype(np.float32)

    def _encode(self, x: Floats) -> Codes:
        kept, scaled = self._scaled(x)
        return np.hstack([np.ascontiguousarray(kept).view(np.uint8), self.index.sa_encode(scaled)])

    def _decode(self, codes: Codes) -> Floats:
        width = self.sa_code_size() - self.index.sa_code_size()
        kept = np.ascontiguousarray(codes[:, :width]).view(self._number).astype(np.float32)
        span, low = np.split(kept, 2, axis=1)
        vectors: Floats = self.index.sa_decode(np.ascontiguousarray(codes[:, width:])) * span + low
        return vectors


class IndexRowwiseMinMax(IndexRowwiseMinMaxBase):
    """Keeps the range and the minimum of each vector in 32 bits each.

    >>> import numpy as np
    >>> from anear.faiss import IndexScalarQuantizer
    >>> index = IndexRowwiseMinMax(IndexScalarQuantizer(4, 0))
    >>> x = np.array([[1.0, 2.0, 3.0, 5.0], [10.0, 20.0, 30.0, 50.0]], np.float32)
    >>> index.train(x)
    >>> index.sa_decode(index.sa_encode(x)).round(1)[:, [0, 3]]
    array([[ 1.,  5.],
           [10., 50.]], dtype=float32)
    """


class IndexRowwiseMinMaxFP16(IndexRowwiseMinMaxBase):
    """Keeps the range and the minimum of each vector in 16 bits each."""

    _number = np.float16


class Index2Layer(HeldCodes):
    """The number of the nearest centroid and a product code of what is left; encodes and gives back. It can be pickled."""

    def __init__(
        self,
        quantizer: Index,
        nlist: SupportsIndex,
        M: SupportsIndex,
        nbit: SupportsIndex = 8,
        metric: int | str = METRIC_L2,
    ) -> None:
        """An empty index; `quantizer` finds the nearest of `nlist` centroids, the rest is cut into `M` parts."""
        super().__init__(quantizer.d, metric)
        self.q1 = IndexIVFPQ(quantizer, quantizer.d, nlist, M, nbit, metric)
        self._held = np.empty((0, self.code_size), np.uint8)

    @property
    def is_trained(self) -> bool:  # type: ignore[override]
        """Whether both layers are trained."""
        return bool(self.q1.is_trained)

    @property
    def pq(self) -> ProductQuantizer:
        """The second layer."""
        return self.q1.pq

    @property
    def code_size_1(self) -> int:
        """Bytes of the number of a centroid."""
        return self.q1.coarse_code_size()

    @property
    def code_size_2(self) -> int:
        """Bytes of the product code."""
        return self.q1.code_size

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.code_size_1 + self.code_size_2

    def transfer_to_IVFPQ(self, other: IndexIVFPQ) -> None:
        """Adds all vectors to an inverted file, which takes over the quantizers.

        Raises:
            RuntimeError: it is of other lists or codes.
        """
        if (other.nlist, other.code_size, other.d) != (self.q1.nlist, self.code_size_2, self.d):
            raise RuntimeError(f"{other!r} has other lists or codes than {self!r}")
        other.quantizer, other.pq = self.q1.quantizer, self.q1.pq
        other.is_trained = True
        other.add_sa_codes(self._held)

    def _train(self, x: Floats) -> None:
        self.q1.train(x)

    def _encode(self, x: Floats) -> Codes:
        return self.q1.sa_encode(x)

    def _decode(self, codes: Codes) -> Floats:
        return self.q1.sa_decode(codes)
