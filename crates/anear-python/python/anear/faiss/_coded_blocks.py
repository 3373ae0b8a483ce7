"""Additive codes of 4 bits, which Faiss scans fast: under the same names, searched by decoding here, too."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

from ._additive import (
    LearnedAdditiveQuantizer,
    LocalSearchQuantizer,
    ProductLocalSearchQuantizer,
    ProductResidualQuantizer,
)
from ._coded import IndexAdditiveQuantizer, IndexIVFAdditiveQuantizer
from ._codes import check_four_bits
from ._constants import METRIC_INNER_PRODUCT, METRIC_L2
from ._index import Index
from ._quantizers import AdditiveQuantizer

_LSQ_NORM, _RQ_NORM = AdditiveQuantizer.ST_norm_lsq2x4, AdditiveQuantizer.ST_norm_rq2x4


def _check(aq: LearnedAdditiveQuantizer, metric: int) -> None:
    """Refuses what Faiss cannot scan fast."""
    check_four_bits(aq._bits)
    if metric == METRIC_INNER_PRODUCT and aq.search_type != AdditiveQuantizer.ST_LUT_nonorm:
        raise RuntimeError("inner products are scanned fast with the search type ST_LUT_nonorm")
    if metric == METRIC_L2 and aq.search_type not in (_LSQ_NORM, _RQ_NORM):
        raise RuntimeError("L2 is scanned fast with the search types ST_norm_lsq2x4 and ST_norm_rq2x4")


class _InBlocks:
    """What Faiss is told about its scan; it has no effect."""

    aq: Any
    implem = qbs = skip = 0
    bbs = 32
    rescale_norm = True
    norm_scale = 1
    max_train_points = 98304

    @property
    def M(self) -> int:
        """Parts of 4 bits, those of the norm included."""
        return int(self.aq.tot_bits) // 4

    @property
    def M2(self) -> int:
        """Parts, filled up to an even number."""
        return (self.M + 1) // 2 * 2


class IndexAdditiveQuantizerFastScan(_InBlocks, IndexAdditiveQuantizer):
    """Codes of an additive quantizer of 4 bits. It cannot be written to a file; it can be pickled."""

    def __init__(
        self,
        d: SupportsIndex | IndexAdditiveQuantizer,
        aq: Any = None,
        metric: int | str = METRIC_L2,
        bbs: SupportsIndex = 32,
    ) -> None:
        """An empty index of vectors of width `d`; or the vectors of another index, of which `aq` is the size of blocks.

        Raises:
            RuntimeError: codebooks have not 16 entries, or the search is of another type.
        """
        if isinstance(d, IndexAdditiveQuantizer):
            _check(d.aq, d.metric_type)
            super().__init__(d.d, d.aq, d.metric)
            self._held, self.bbs = d._held, operator.index(aq or 32)
            return
        super().__init__(d, aq, metric)
        _check(aq, self.metric_type)
        self.bbs = operator.index(bbs)


class IndexLocalSearchQuantizerFastScan(IndexAdditiveQuantizerFastScan):
    """Codes by local search."""

    def __init__(
        self,
        d: SupportsIndex,
        M: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = _LSQ_NORM,
        bbs: SupportsIndex = 32,
    ) -> None:
        """An empty index of vectors of width `d`: `M` codebooks of 16 entries."""
        self.lsq = LocalSearchQuantizer(d, M, nbits, search_type)
        super().__init__(d, self.lsq, metric, bbs)


class IndexProductResidualQuantizerFastScan(IndexAdditiveQuantizerFastScan):
    """Parts of vectors, each by a residual quantizer."""

    def __init__(
        self,
        d: SupportsIndex,
        nsplits: SupportsIndex,
        Msub: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = _RQ_NORM,
        bbs: SupportsIndex = 32,
    ) -> None:
        """An empty index of vectors of width `d`: `nsplits` parts, of `Msub` codebooks of 16 entries each."""
        self.prq = ProductResidualQuantizer(d, nsplits, Msub, nbits, search_type)
        super().__init__(d, self.prq, metric, bbs)


class IndexProductLocalSearchQuantizerFastScan(IndexAdditiveQuantizerFastScan):
    """Parts of vectors, each by local search."""

    def __init__(
        self,
        d: SupportsIndex,
        nsplits: SupportsIndex,
        Msub: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = _LSQ_NORM,
        bbs: SupportsIndex = 32,
    ) -> None:
        """An empty index of vectors of width `d`: `nsplits` parts, of `Msub` codebooks of 16 entries each."""
        self.plsq = ProductLocalSearchQuantizer(d, nsplits, Msub, nbits, search_type)
        super().__init__(d, self.plsq, metric, bbs)


class IndexIVFAdditiveQuantizerFastScan(_InBlocks, IndexIVFAdditiveQuantizer):
    """An inverted file of codes of an additive quantizer of 4 bits. It cannot be written to a file; it can be pickled."""

    by_residual = False

    def __init__(
        self,
        aq: LearnedAdditiveQuantizer,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        metric: int | str = METRIC_L2,
        bbs: SupportsIndex = 32,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists.

        Raises:
            RuntimeError: codebooks have not 16 entries, or the search is of another type.
        """
        super().__init__(aq, quantizer, d, nlist, metric)
        _check(aq, self.metric_type)
        self.bbs = operator.index(bbs)


class IndexIVFLocalSearchQuantizerFastScan(IndexIVFAdditiveQuantizerFastScan):
    """An inverted file of codes by local search."""

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        M: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = _LSQ_NORM,
        bbs: SupportsIndex = 32,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists: `M` codebooks of 16 entries."""
        self.lsq = LocalSearchQuantizer(d, M, nbits, search_type)
        super().__init__(self.lsq, quantizer, d, nlist, metric, bbs)


class IndexIVFProductResidualQuantizerFastScan(IndexIVFAdditiveQuantizerFastScan):
    """An inverted file of parts of vectors, each by a residual quantizer."""

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        nsplits: SupportsIndex,
        Msub: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = _RQ_NORM,
        bbs: SupportsIndex = 32,
    ) -> None:
        """An empty index of vectors in `nlist` lists: `nsplits` parts, of `Msub` codebooks of 16 entries each."""
        self.prq = ProductResidualQuantizer(d, nsplits, Msub, nbits, search_type)
        super().__init__(self.prq, quantizer, d, nlist, metric, bbs)


class IndexIVFProductLocalSearchQuantizerFastScan(IndexIVFAdditiveQuantizerFastScan):
    """An inverted file of parts of vectors, each by local search."""

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        nsplits: SupportsIndex,
        Msub: SupportsIndex,
        nbits: SupportsIndex,
        metric: int | str = METRIC_L2,
        search_type: int = _LSQ_NORM,
        bbs: SupportsIndex = 32,
    ) -> None:
        """An empty index of vectors in `nlist` lists: `nsplits` parts, of `Msub` codebooks of 16 entries each."""
        self.plsq = ProductLocalSearchQuantizer(d, nsplits, Msub, nbits, search_type)
        super().__init__(self.plsq, quantizer, d, nlist, metric, bbs)
