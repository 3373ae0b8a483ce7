"""Indexes that compare a query with the code of every vector."""

from __future__ import annotations

import operator
import re
from typing import Any, SupportsIndex

from .. import _native
from ._arrays import Float32Vector, Floats, Ids
from ._constants import METRIC_INNER_PRODUCT, METRIC_L2
from ._globals import PQ_STATS
from ._index import IndexFlatCodes
from ._params import SearchParameters
from ._quantizers import (
    SCALAR_NUMBERS,
    ProductQuantizer,
    RaBitQuantizer,
    ResidualQuantizer,
    ScalarQuantizer,
    rabitq_token,
)


def check_factory_string(description: Any) -> None:
    """Refuses what is no string, as where the width comes second."""
    if not isinstance(description, str):
        kind = type(description).__name__
        raise TypeError(f"'description' must be a factory string as in index_factory(64, 'Flat'), got {kind}")


def numbers_in(spec: str) -> list[int]:
    """The numbers of a factory string, in order."""
    return [int(number) for number in re.findall(r"\d+", spec)]


class IndexScalarQuantizer(IndexFlatCodes):
    """Components as numbers of few bits."""

    def __init__(self, d: SupportsIndex, qtype: SupportsIndex, metric: int | str = METRIC_L2) -> None:
        """An empty index of vectors of width `d`, encoded by the kind `qtype` of `ScalarQuantizer`."""
        super().__init__(d, metric)
        self.sq = ScalarQuantizer(d, qtype, self)
        self._start()
        if not self.sq.learns():
            self.is_trained, self._needs_training = True, False

    def _spec(self) -> str:
        return self.sq._token()

    def _adopt(self, index: _native.VectorIndex) -> None:
        self.sq = ScalarQuantizer(self.d, SCALAR_NUMBERS[index.spec], self)

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.sq.code_size


class IndexPQ(IndexFlatCodes):
    """Parts of vectors as the numbers of their nearest centroids."""

    ST_PQ, ST_HE, ST_generalized_HE, ST_SDC, ST_polysemous, ST_polysemous_generalize = range(6)

    search_type = ST_PQ
    do_polysemous_training = False
    encode_signs = False

    def __init__(
        self, d: SupportsIndex, M: SupportsIndex, nbits: SupportsIndex = 8, metric: int | str = METRIC_L2
    ) -> None:
        """An empty index of vectors of width `d`: `M` parts of `nbits` bits."""
        super().__init__(d, metric)
        self.pq = ProductQuantizer(d, M, nbits, self)
        self.polysemous_ht = self.pq.nbits * self.pq.M + 1
        self._start()

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        super()._search(x, params, distances, labels)
        if PQ_STATS._counts:
            PQ_STATS.nq += len(x)
            PQ_STATS.ncode += len(x) * self.ntotal

    def _spec(self) -> str:
        return self.pq._token()

    def _adopt(self, index: _native.VectorIndex) -> None:
        m, *nbits = numbers_in(index.spec)
        self.pq = ProductQuantizer(self.d, m, nbits[0] if nbits else 8, self)
        self.polysemous_ht = self.pq.nbits * self.pq.M + 1

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.pq.code_size


class IndexPQFastScan(IndexPQ):
    """Product codes of 4 bits in blocks, compared by shuffles of registers."""

    bbs = 32
    implem = 0
    qbs = 0
    skip = 0

    def __init__(
        self,
        d: SupportsIndex | IndexPQ,
        M: SupportsIndex = 0,
        nbits: SupportsIndex = 4,
        metric: int | str = METRIC_L2,
        bbs: SupportsIndex = 32,
    ) -> None:
        """An empty index of vectors of width `d`: `M` parts of 4 bits; or the vectors of an `IndexPQ`, in blocks of `M`.

        Raises:
            RuntimeError: a part has not 4 bits, or the `IndexPQ` is not trained.
        """
        if isinstance(d, IndexPQ):
            self._take_over(d, operator.index(M) or 32)
            return
        check_four_bits(nbits)
        self.bbs = operator.index(bbs)
        super().__init__(d, M, nbits, metric)
        self.M, self.ksub, self.nbits = self.pq.M, self.pq.ksub, self.pq.nbits

    def _take_over(self, plain: IndexPQ, bbs: int) -> None:
        check_four_bits(plain.pq.nbits)
        self.bbs = bbs
        super().__init__(plain.d, plain.pq.M, 4, plain.metric)
        self.M, self.ksub, self.nbits = self.pq.M, self.pq.ksub, self.pq.nbits
        self._index, self.is_trained = plain._live.in_blocks(bbs), True

    def _spec(self) -> str:
        return f"PQ{self.pq.M}x4fs{block_suffix(self.bbs)}"

    def _adopt(self, index: _native.VectorIndex) -> None:
        m, _, *bbs = numbers_in(index.spec)
        self.pq = ProductQuantizer(self.d, m, 4, self)
        self.bbs = bbs[0] if bbs else 32
        self.M, self.ksub, self.nbits = m, 16, 4


def check_four_bits(nbits: SupportsIndex) -> None:
    """Raises RuntimeError unless a part has 4 bits, as fast scans need."""
    if operator.index(nbits) != 4:
        raise RuntimeError(f"codes that are scanned fast have 4 bits per part, got {nbits}")


def block_suffix(bbs: int) -> str:
    """How a factory string of codes in blocks ends."""
    return "" if bbs == 32 else f"_{bbs}"


class IndexLSH(IndexFlatCodes):
    """One bit per component: the side of a threshold on which it lies."""

    def __init__(
        self, d: SupportsIndex, nbits: SupportsIndex, rotate_data: bool = True, train_thresholds: bool = False
    ) -> None:
        """An empty index of vectors of width `d`, encoded in `nbits` bits.

        Raises:
            RuntimeError: there are more bits than components, and no rotation.
        """
        super().__init__(d)
        self.nbits = operator.index(nbits)
        self.rotate_data, self.train_thresholds = bool(rotate_data), bool(train_thresholds)
        if self.nbits > self.d and not self.rotate_data:
            raise RuntimeError(f"{self.nbits} bits of {self.d} components need a rotation: rotate_data=True")
        _native.check_spec(self._spec())
        # A rotation is drawn, not learned.
        self.is_trained, self._needs_training = not self.train_thresholds, self.train_thresholds

    def _spec(self) -> str:
        return f"LSH{self.nbits}{'r' * self.rotate_data}{'t' * self.train_thresholds}"

    def _adopt(self, index: _native.VectorIndex) -> None:
        numbers = numbers_in(index.spec)
        self.nbits = numbers[0] if numbers else self.d
        self.rotate_data, self.train_thresholds = "r" in index.spec, "t" in index.spec
        self._needs_training = self.train_thresholds

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return (self.nbits + 7) // 8

    @property
    def thresholds(self) -> Float32Vector:
        """What components are compared with."""
        return Float32Vector(self._parts.learned()["thresholds"]) if self._index is not None else Float32Vector()


class IndexRaBitQ(IndexFlatCodes):
    """One bit, or a few, per component; the query in `qb` bits."""

    qb = 4
    centered = False

    def __init__(self, d: SupportsIndex, metric: int | str = METRIC_L2, nb_bits: SupportsIndex = 1) -> None:
        """An empty index of vectors of width `d`."""
        super().__init__(d, metric)
        self.rabitq = RaBitQuantizer(d, self.metric_type, nb_bits, self)
        self._start()

    def _spec(self) -> str:
        return rabitq_token(self.rabitq.nb_bits)

    def _adopt(self, index: _native.VectorIndex) -> None:
        bits = numbers_in(index.spec)
        self.rabitq = RaBitQuantizer(self.d, self.metric_type, bits[0] if bits else 1, self)

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.rabitq.code_size


class IndexRaBitQFastScan(IndexRaBitQ):
    """RaBitQ codes in blocks, compared by shuffles of registers."""

    qb = 8
    bbs = 32

    def __init__(
        self,
        d: SupportsIndex,
        metric: int | str = METRIC_L2,
        bbs: SupportsIndex = 32,
        nb_bits: SupportsIndex = 1,
    ) -> None:
        """An empty index of vectors of width `d`."""
        self.bbs = operator.index(bbs)
        super().__init__(d, metric, nb_bits)

    def _spec(self) -> str:
        return rabitq_token(self.rabitq.nb_bits, "fs") + block_suffix(self.bbs)

    def _adopt(self, index: _native.VectorIndex) -> None:
        token, _, block = index.spec.partition("_")
        self.bbs = int(block or 32)
        bits = numbers_in(token)
        self.rabitq = RaBitQuantizer(self.d, self.metric_type, bits[0] if bits else 1, self)


class IndexResidualQuantizer(IndexFlatCodes):
    """Sums of entries of several codebooks, each for what those before it left."""

    def __init__(
        self,
        d: SupportsIndex,
        M: Any,
        nbits: Any = None,
        metric: int | str = METRIC_L2,
        search_type: int = ResidualQuantizer.ST_decompress,
    ) -> None:
        """An empty index of vectors of width `d`: `M` codebooks of `2**nbits` entries, or one for each number of `M`."""
        super().__init__(d, metric)
        self.rq = ResidualQuantizer(d, M, nbits, search_type, self)
        self._start()

    @property
    def aq(self) -> ResidualQuantizer:
        """The quantizer."""
        return self.rq

    def _spec(self) -> str:
        return self.rq._token()

    def _adopt(self, index: _native.VectorIndex) -> None:
        self.rq = ResidualQuantizer._of(self.d, index.spec, unnormed_search(self.metric_type), self)

    @property
    def code_size(self) -> int:
        """Bytes of a vector's code."""
        return self.rq.code_size


def unnormed_search(metric: int) -> int:
    """How codes without a norm are compared: products need no decoding."""
    is_product = metric == METRIC_INNER_PRODUCT
    return ResidualQuantizer.ST_LUT_nonorm if is_product else ResidualQuantizer.ST_decompress
