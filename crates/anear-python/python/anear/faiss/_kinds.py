"""The kinds of indexes, under Faiss's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _native
from ._arrays import Floats, Ids, matrix
from ._constants import METRIC_INNER_PRODUCT, METRIC_L2, metric_name
from ._index import Index, nlist_of


class IndexFlatCodes(Index):
    """Indexes that compare every code."""


class IndexFlat(IndexFlatCodes):
    """Every vector as it is, compared with every query."""

    def __init__(self, d: int, metric: int = METRIC_L2, metric_arg: float = 0.0) -> None:
        if not isinstance(d, (int, np.integer)):
            raise TypeError(f"the dimension must be a whole number, got {d!r}")
        super().__init__(int(d), metric, "Flat", metric_arg)

    @property
    def code_size(self) -> int:
        """Bytes per vector."""
        return 4 * self.d

    def sa_code_size(self) -> int:
        """Bytes per vector."""
        return self.code_size

    def sa_encode(self, x: Any, codes: Any = None) -> Any:
        """Vectors as bytes."""
        return matrix(x, self.d).view(np.uint8).reshape(len(x), -1)

    def sa_decode(self, codes: Any, x: Any = None) -> Floats:
        """Bytes as vectors."""
        return np.ascontiguousarray(codes).view(np.float32).reshape(len(codes), self.d)


class IndexFlatL2(IndexFlat):
    """`IndexFlat` by squared L2."""

    def __init__(self, d: int) -> None:
        super().__init__(d, METRIC_L2)


class IndexFlatIP(IndexFlat):
    """`IndexFlat` by inner product."""

    def __init__(self, d: int) -> None:
        super().__init__(d, METRIC_INNER_PRODUCT)


class ScalarQuantizer:
    """The kinds of scalar quantizers."""

    QT_8bit = 0
    QT_4bit = 1
    QT_8bit_uniform = 2
    QT_4bit_uniform = 3
    QT_fp16 = 4
    QT_8bit_direct = 5
    QT_6bit = 6
    QT_bf16 = 7
    QT_8bit_direct_signed = 8

    _TOKENS = {
        QT_8bit: "SQ8",
        QT_4bit: "SQ4",
        QT_8bit_uniform: "SQ8_uniform",
        QT_4bit_uniform: "SQ4_uniform",
        QT_fp16: "SQfp16",
        QT_8bit_direct: "SQ8_direct",
        QT_6bit: "SQ6",
        QT_bf16: "SQbf16",
        QT_8bit_direct_signed: "SQ8_direct_signed",
    }

    @classmethod
    def token(cls, qtype: int) -> str:
        """The factory token of a kind."""
        try:
            return cls._TOKENS[int(qtype)]
        except KeyError:
            raise RuntimeError(f"scalar quantizer {qtype} is not known; known: {sorted(cls._TOKENS)}") from None


class IndexScalarQuantizer(IndexFlatCodes):
    """Each component as a number of a few bits."""

    def __init__(self, d: int, qtype: int, metric: int = METRIC_L2) -> None:
        super().__init__(d, metric, ScalarQuantizer.token(qtype))


class IndexPQ(IndexFlatCodes):
    """Product-quantized vectors."""

    def __init__(self, d: int, M: int, nbits: int, metric: int = METRIC_L2) -> None:
        super().__init__(d, metric, f"PQ{M}x{nbits}")


class IndexPQFastScan(IndexFlatCodes):
    """Product-quantized vectors of 4 bits, compared 32 at a time."""

    def __init__(self, d: int, M: int, nbits: int = 4, metric: int = METRIC_L2, bbs: int = 32) -> None:
        super().__init__(d, metric, f"PQ{M}x{nbits}fs")


class IndexLSH(IndexFlatCodes):
    """Vectors hashed to bits."""

    def __init__(self, d: int, nbits: int, rotate_data: bool = True, train_thresholds: bool = False) -> None:
        letters = ("r" if rotate_data else "") + ("t" if train_thresholds else "")
        super().__init__(d, METRIC_L2, f"LSH{nbits}{letters}")
        if self._engine is None and not train_thresholds:
            # Nothing is learned: a rotation is drawn.
            self.train(np.zeros((1, d), dtype=np.float32))


class IndexIVF(Index):
    """Inverted files: vectors in the list of their nearest centroid."""

    _knobs = ("nprobe", "max_codes")

    _codes = "Flat"
    own_fields = True

    def __init__(self, quantizer: Index, d: int, nlist: int, codes: str, metric: int) -> None:
        assert quantizer.d == d, f"the quantizer has dimension {quantizer.d}, the index {d}"
        coarse = quantizer._spec
        spec = f"IVF{int(nlist)},{codes}" if coarse == "Flat" else f"IVF{int(nlist)}({coarse}),{codes}"
        super().__init__(d, metric, spec)
        self._quantizer = quantizer

    @property
    def nlist(self) -> int:
        """How many lists there are."""
        return nlist_of(self._spec)

    @property
    def quantizer(self) -> Any:
        """The index that finds the lists nearest to a vector."""
        if self._quantizer is None and self._engine is not None:
            self._quantizer = self._part("quantizer")
        return self._quantizer

    def _learned(self, x: Floats) -> _native.Engine:
        given = self._quantizer
        if given is None or given.ntotal == 0:
            engine = super()._learned(x)
        else:
            if given.ntotal != self.nlist:
                raise RuntimeError(f"the quantizer holds {given.ntotal} vectors, expected {self.nlist}")
            metric = metric_name(self.metric_type, self.metric_arg)
            engine = _native.Engine.over(given._trained(), self._spec, metric, x)
        if given is not None:
            given._adopt(engine.part("quantizer"))
        return engine

    def _own_request(self) -> dict[str, float]:
        # Faiss stops after `nprobe` lists, however few vectors were in them.
        return {"ensure_topk_full": 0.0} if _stops_early(self._trained()) else {}

    def make_direct_map(self, new_maintain_direct_map: bool = True) -> None:
        """Nothing: ids are always found."""

    def set_direct_map_type(self, type: int) -> None:
        """Nothing: ids are always found."""

    def get_list_size(self, list_no: int) -> int:
        """How many vectors there are in a list."""
        ids = self._trained().list_ids(int(list_no))
        return 0 if ids is None else len(ids)

    def update_vectors(self, keys: Any, x: Any) -> None:
        """Puts other vectors in the place of those with these ids."""
        keys = np.ascontiguousarray(keys, dtype=np.int64)
        x = matrix(x, self.d)
        self.remove_ids(keys)
        self.add_with_ids(x, keys)


def _stops_early(engine: _native.Engine) -> bool:
    return "ensure_topk_full" in engine.ladders()


class IndexIVFFlat(IndexIVF):
    """Inverted files of vectors as they are."""

    def __init__(self, quantizer: Index, d: int, nlist: int, metric: int = METRIC_L2) -> None:
        super().__init__(quantizer, d, nlist, "Flat", metric)


class IndexIVFScalarQuantizer(IndexIVF):
    """Inverted files of scalar-quantized residuals."""

    def __init__(
        self,
        quantizer: Index,
        d: int,
        nlist: int,
        qtype: int,
        metric: int = METRIC_L2,
        by_residual: bool = True,
    ) -> None:
        if not by_residual:
            raise RuntimeError("scalar quantizers in inverted files are of residuals; by_residual=False is not there yet")
        super().__init__(quantizer, d, nlist, ScalarQuantizer.token(qtype), metric)


class IndexIVFPQ(IndexIVF):
    """Inverted files of product-quantized residuals."""

    def __init__(
        self,
        quantizer: Index,
        d: int,
        nlist: int,
        M: int,
        nbits_per_idx: int,
        metric: int = METRIC_L2,
    ) -> None:
        super().__init__(quantizer, d, nlist, f"PQ{M}x{nbits_per_idx}", metric)


class IndexHNSW(Index):
    """Graphs of near neighbors."""

    _knobs = ("efSearch", "efConstruction")

    @property
    def hnsw(self) -> Any:
        """Where Faiss keeps the search parameters: here it is the index itself."""
        return self


class IndexHNSWFlat(IndexHNSW):
    """A graph of vectors as they are."""

    def __init__(self, d: int, M: int = 32, metric: int = METRIC_L2) -> None:
        super().__init__(d, metric, f"HNSW{M},Flat")


class IndexHNSWSQ(IndexHNSW):
    """A graph of scalar-quantized vectors."""

    def __init__(self, d: int, qtype: int, M: int, metric: int = METRIC_L2) -> None:
        super().__init__(d, metric, f"HNSW{M},{ScalarQuantizer.token(qtype)}")


class IndexHNSWPQ(IndexHNSW):
    """A graph of product-quantized vectors."""

    def __init__(self, d: int, pq_m: int, M: int, pq_nbits: int = 8, metric: int = METRIC_L2) -> None:
        super().__init__(d, metric, f"HNSW{M},PQ{pq_m}x{pq_nbits}")


class IndexIDMap(Index):
    """Ids of the caller's over another index, which is copied."""

    _token = "IDMap"

    def __init__(self, index: Index) -> None:
        self._describe(index.d, index.metric_type, f"{self._token},{index._spec}", index.metric_arg)
        if index._engine is not None:
            self._adopt(index._engine.mapped(self._token))
        else:
            self._quantizer = index

    def _learned(self, x: Floats) -> _native.Engine:
        assert self._quantizer is not None
        self._quantizer.train(x)
        return self._quantizer._trained().mapped(self._token)

    @property
    def index(self) -> Any:
        """A copy of the index within; before training, the one that was given."""
        return self._part("index") if self._engine is not None else self._quantizer

    @property
    def id_map(self) -> Ids:
        """The id of each vector, in the order in which they came."""
        ids = self._trained().id_map()
        return np.empty(0, dtype=np.int64) if ids is None else ids

    def add(self, x: Any, numeric_type: int = 0) -> None:
        """Not possible: vectors need ids."""
        raise RuntimeError(f"{type(self).__name__} needs ids: call add_with_ids(x, ids)")


class IndexIDMap2(IndexIDMap):
    """As `IndexIDMap`."""

    _token = "IDMap2"


class IndexPreTransform(Index):
    """Transforms in front of an index."""

    @property
    def index(self) -> Any:
        """A copy of the index behind the transforms."""
        return self._part("index")


class IndexRefine(Index):
    """An index whose candidates another one ranks. Both are copied."""

    _knobs = ("k_factor_rf",)

    def __init__(self, base_index: Index, refine_index: Index) -> None:
        spec = f"{base_index._spec},Refine({refine_index._spec})"
        self._describe(base_index.d, base_index.metric_type, spec, base_index.metric_arg)
        if base_index._engine is not None and refine_index._engine is not None:
            self._adopt(base_index._engine.refined(refine_index._engine))

    @property
    def k_factor(self) -> Any:
        """Candidates per neighbor."""
        return self.k_factor_rf

    @k_factor.setter
    def k_factor(self, value: float) -> None:
        self.k_factor_rf = value

    @property
    def base_index(self) -> Any:
        """A copy of the index that finds candidates."""
        return self._part("base_index")

    @property
    def refine_index(self) -> Any:
        """A copy of the index that ranks them."""
        return self._part("refine_index")


class IndexRefineFlat(IndexRefine):
    """An index whose candidates are ranked by the vectors as they are."""

    def __init__(self, base_index: Index, xb: Any = None) -> None:
        flat = IndexFlat(base_index.d, base_index.metric_type)
        if xb is not None:
            flat.add(np.asarray(xb))
        super().__init__(base_index, flat)
