"""Quantizers that stand alone: how a vector becomes bytes."""

from __future__ import annotations

import copy
import itertools
import operator
from typing import Any, SupportsIndex, TypeVar

import numpy as np

from .. import _native
from ._arrays import Array, Codes, Float32Vector, Floats, Pointer, UInt64Vector, output, pointed, rows
from ._clustering import ClusteringParameters
from ._functions import pairwise_distances
from ._index import EngineIndex
from ._known import Known

Q = TypeVar("Q", bound="Quantizer")

# Faiss's number of a scalar quantizer, and its token.
SCALAR_TOKENS = {
    0: "SQ8",
    1: "SQ4",
    2: "SQ8_uniform",
    3: "SQ4_uniform",
    4: "SQfp16",
    5: "SQ8_direct",
    6: "SQ6",
    7: "SQbf16",
    8: "SQ8_direct_signed",
    9: "SQ0",
    10: "SQtqmse1",
    11: "SQtqmse2",
    12: "SQtqmse3",
    13: "SQtqmse4",
    14: "SQtqmse8",
    15: "SQtq2",
    16: "SQtq3",
    17: "SQtq4",
    18: "SQtq5",
}
SCALAR_NUMBERS = {token: number for number, token in SCALAR_TOKENS.items()}
_SCALAR_BITS = {0: 8, 1: 4, 2: 8, 3: 4, 4: 16, 5: 8, 6: 6, 7: 16, 8: 8, 9: 0, 10: 1, 11: 2, 12: 3, 13: 4, 14: 8}


class _Codec(EngineIndex):
    """An index that only encodes."""

    def __init__(self, d: int, token: str) -> None:
        super().__init__(d)
        self._token = token
        self._start()

    def _spec(self) -> str:
        return self._token


class Quantizer(Known):
    """How a vector becomes bytes."""

    d: int
    verbose = False

    def __init__(self, d: SupportsIndex, home: EngineIndex | None = None) -> None:
        """For vectors of width `d`; an index whose codes are these has it in its keep."""
        self.d = operator.index(d)
        self._home = home

    def _token(self) -> str:
        raise NotImplementedError

    @property
    def _codec(self) -> EngineIndex:
        if self._home is None:
            self._home = _Codec(self.d, self._token())
        return self._home

    def _learned(self, name: str) -> Float32Vector:
        if self._home is None or self._home._index is None:
            return Float32Vector()
        return Float32Vector(_native.Parts(self._home._index).learned().get(name, ()))

    def train(self, x: Any) -> None:
        """Learns from vectors like those to come."""
        self._home = _Codec(self.d, self._token())
        self._home.train(x)

    @property
    def is_trained(self) -> bool:
        """Whether it has learned, or there is nothing to learn."""
        return self._home is not None and self._home.is_trained

    def compute_codes(self, x: Any) -> Codes:
        """The codes of vectors, a row each."""
        vectors = rows(x, self.d)
        self._codec._check_trained("compute_codes")
        return _native.Parts(self._codec._live).encode(vectors)

    def decode(self, codes: Any, x: Array | None = None) -> Floats:
        """The vectors of codes."""
        parts = _native.Parts(self._codec._live)
        given = rows(codes, parts.code_size(), np.uint8)
        vectors = output(x, (len(given), self.d), np.float32)
        if len(given):
            vectors[:] = parts.decode(given)
        return vectors

    def __repr__(self) -> str:
        return f"<{type(self).__name__} d={self.d} {self._token()}>"


class _Centroids(Float32Vector):
    """The centroids of a product quantizer; numbers that are copied into it become those of the quantizer."""

    def __init__(self, pq: ProductQuantizer, values: Any) -> None:
        super().__init__(values)
        self._pq = pq

    def _set(self, values: Array) -> None:
        self._pq._use(values)
        super()._set(values)


class ProductQuantizer(Quantizer):
    """Cuts vectors into `M` parts; the code of each is the number of the nearest of `2**nbits` centroids."""

    Train_default, Train_hot_start, Train_shared, Train_hypercube, Train_hypercube_pca = range(5)

    def __init__(
        self, d: SupportsIndex, M: SupportsIndex, nbits: SupportsIndex, home: EngineIndex | None = None
    ) -> None:
        """For vectors of width `d`.

        Raises:
            RuntimeError: `M` does not divide `d`.
        """
        super().__init__(d, home)
        self.M, self.nbits = operator.index(M), operator.index(nbits)
        if self.M < 1 or self.d % self.M:
            raise RuntimeError(f"vectors of width {self.d} cannot be cut into {self.M} equal parts")
        if not 1 <= self.nbits <= 24:
            raise RuntimeError(f"a part has 1 to 24 bits, got {self.nbits}")
        self.dsub, self.ksub = self.d // self.M, 1 << self.nbits
        self.code_size = (self.M * self.nbits + 7) // 8
        self.cp = ClusteringParameters()
        self.train_type = self.Train_default

    def _token(self) -> str:
        return f"PQ{self.M}x{self.nbits}"

    @property
    def centroids(self) -> Float32Vector:
        """The centroids: of part 0, then of part 1, ...; zeros before there are any. See `copy_array_to_vector`."""
        return _Centroids(self, self._learned("centroids")._values if self.is_trained else np.zeros(self.d * self.ksub))

    def _use(self, centroids: Array) -> None:
        """Encodes by other centroids from now on."""
        home = self._home
        if home is not None and home.ntotal:
            raise RuntimeError(f"{home!r} holds vectors that were encoded by the centroids of now; reset() it first")
        codec = _Codec(self.d, self._token())
        codec._index = _native.VectorIndex.product(self.d, self.M, self.nbits, np.ascontiguousarray(centroids))
        codec.is_trained = True
        if home is not None:
            home._index = None
        self._home = codec

    def _tables(self, x: Any) -> tuple[Floats, Floats]:
        queries = rows(x, self.d).reshape(-1, self.M, self.dsub)
        return queries, self.centroids._values.reshape(self.M, self.ksub, self.dsub)

    def compute_distance_tables(self, x: Any) -> Floats:
        """The squared distance of each part of each vector to each centroid."""
        queries, centroids = self._tables(x)
        tables = ((queries[:, :, None, :] - centroids[None]) ** 2).sum(-1)
        return np.asarray(tables, dtype=np.float32)

    def compute_distance_table(self, x: Any, dis_table: Any) -> None:
        """Writes the squared distance of each part of a vector to each centroid."""
        table = self.compute_distance_tables(pointed(x, self.d, np.float32)[None])
        pointed(dis_table, table.size, np.float32)[:] = table.ravel()

    def compute_inner_prod_table(self, x: Any, dis_table: Any) -> None:
        """Writes the inner product of each part of a vector with each centroid."""
        table = self.compute_inner_prod_tables(pointed(x, self.d, np.float32)[None])
        pointed(dis_table, table.size, np.float32)[:] = table.ravel()

    def compute_code(self, x: Any, code: Any) -> None:
        """Writes the code of a vector."""
        pointed(code, self.code_size, np.uint8)[:] = self.compute_codes(pointed(x, self.d, np.float32)[None])[0]

    def get_centroids(self, m: SupportsIndex, i: SupportsIndex) -> Pointer:
        """What stands for a pointer to centroid `i` of part `m`: a copy of it and of those behind it."""
        start = (operator.index(m) * self.ksub + operator.index(i)) * self.dsub
        return Pointer(self.centroids._values[start:])

    @property
    def sdc_table(self) -> Float32Vector:
        """The squared distances between the centroids of each part; nothing before it is trained."""
        if not self.is_trained:
            return Float32Vector()
        books = self.centroids._values.reshape(self.M, self.ksub, self.dsub)
        return Float32Vector(np.concatenate([pairwise_distances(book, book).ravel() for book in books]))

    def compute_sdc_table(self) -> None:
        """Nothing to do: the table is made when it is asked for."""

    def compute_inner_prod_tables(self, x: Any) -> Floats:
        """The inner product of each part of each vector with each centroid."""
        queries, centroids = self._tables(x)
        return np.asarray(np.einsum("nmd,mkd->nmk", queries, centroids), dtype=np.float32)


class ScalarQuantizer(Quantizer):
    """Keeps each component as a number of few bits."""

    QT_8bit, QT_4bit, QT_8bit_uniform, QT_4bit_uniform, QT_fp16 = range(5)
    QT_8bit_direct, QT_6bit, QT_bf16, QT_8bit_direct_signed, QT_0bit = range(5, 10)
    QT_1bit_tqmse, QT_2bit_tqmse, QT_3bit_tqmse, QT_4bit_tqmse, QT_8bit_tqmse = range(10, 15)
    QT_2bit_tq, QT_3bit_tq, QT_4bit_tq, QT_5bit_tq = range(15, 19)
    QT_1bit_eden, QT_2bit_eden, QT_3bit_eden, QT_4bit_eden = range(19, 23)
    QT_5bit_eden, QT_6bit_eden, QT_7bit_eden, QT_8bit_eden = range(23, 27)
    QT_count = 27
    RS_minmax, RS_meanstd, RS_quantiles, RS_optim = range(4)

    rangestat = RS_minmax
    rangestat_arg = 0.0

    def __init__(self, d: SupportsIndex, qtype: SupportsIndex, home: EngineIndex | None = None) -> None:
        """For vectors of width `d`, by the kind `qtype`.

        Raises:
            RuntimeError: there is no such kind.
        """
        super().__init__(d, home)
        self.qtype = operator.index(qtype)
        scalar_token(self.qtype)
        self.bits = _SCALAR_BITS.get(self.qtype, 8)
        self.code_size = (self.d * self.bits + 7) // 8

    def _token(self) -> str:
        if self.rangestat != self.RS_minmax or self.rangestat_arg:
            raise RuntimeError("ranges go from the smallest number to the largest: leave rangestat at RS_minmax, 0")
        return scalar_token(self.qtype)

    def learns(self) -> bool:
        """Whether it must be trained: others keep components as they are, with fewer digits."""
        direct = (self.QT_fp16, self.QT_bf16, self.QT_8bit_direct, self.QT_8bit_direct_signed, self.QT_0bit)
        return self.qtype not in direct

    @property
    def trained(self) -> Float32Vector:
        """What was learned of the ranges of components."""
        return self._learned("trained")


def scalar_token(qtype: int) -> str:
    """The factory string of a kind of scalar quantizer.

    Raises:
        RuntimeError: there is none, or anear does not have it.
    """
    try:
        return SCALAR_TOKENS[qtype]
    except KeyError:
        raise RuntimeError(f"no scalar quantizer has the number {qtype}; there are {SCALAR_TOKENS}") from None


class RaBitQuantizer(Quantizer):
    """One bit, or a few, per component of a vector that was rotated before."""

    def __init__(
        self, d: SupportsIndex, metric: int = 1, nb_bits: SupportsIndex = 1, home: EngineIndex | None = None
    ) -> None:
        """For vectors of width `d`."""
        super().__init__(d, home)
        self.metric_type, self.nb_bits = metric, operator.index(nb_bits)
        # The signs and two factors; more bits have 3 factors for the signs and 2 of their own.
        more = ((self.nb_bits - 1) * self.d + 7) // 8 + 12 if self.nb_bits > 1 else 0
        self.code_size = (self.d + 7) // 8 + 8 + more

    def _token(self) -> str:
        return rabitq_token(self.nb_bits)


def rabitq_token(bits: int, layout: str = "") -> str:
    """The factory string of RaBitQ codes of so many bits; the layout is `fs` where they lie in blocks."""
    return f"RaBitQ{layout}" if bits == 1 else f"RaBitQ{layout}{bits}"


class AdditiveQuantizer(Quantizer):
    """Sums of entries of several codebooks, with the norm of the sum where one is asked for."""

    ST_decompress, ST_LUT_nonorm, ST_norm_from_LUT, ST_norm_float, ST_norm_qint8 = range(5)
    ST_norm_qint4, ST_norm_cqint8, ST_norm_cqint4, ST_norm_lsq2x4, ST_norm_rq2x4, ST_count = range(5, 11)


# The ways to search that a token names: its end, and the bits of a norm.
_NORMS = {
    AdditiveQuantizer.ST_decompress: ("", 0),
    AdditiveQuantizer.ST_LUT_nonorm: ("", 0),
    AdditiveQuantizer.ST_norm_float: ("_Nfloat", 32),
    AdditiveQuantizer.ST_norm_qint8: ("_Nqint8", 8),
    AdditiveQuantizer.ST_norm_qint4: ("_Nqint4", 4),
    AdditiveQuantizer.ST_norm_cqint8: ("_Ncqint8", 8),
    AdditiveQuantizer.ST_norm_cqint4: ("_Ncqint4", 4),
}


# The ways to search that factory strings name.
SEARCHES = {
    "Nfloat": AdditiveQuantizer.ST_norm_float,
    "Nqint8": AdditiveQuantizer.ST_norm_qint8,
    "Nqint4": AdditiveQuantizer.ST_norm_qint4,
    "Ncqint8": AdditiveQuantizer.ST_norm_cqint8,
    "Ncqint4": AdditiveQuantizer.ST_norm_cqint4,
    "Nlsq2x4": AdditiveQuantizer.ST_norm_lsq2x4,
    "Nrq2x4": AdditiveQuantizer.ST_norm_rq2x4,
}


class ResidualQuantizer(AdditiveQuantizer):
    """Each codebook encodes what those before it left (Chen, Guan and Wang 2010)."""

    Train_default, Train_progressive_dim, Train_refine_codebook, Train_top_beam = 0, 1, 2, 1024
    max_beam_size = 5
    train_type = Train_progressive_dim

    def __init__(
        self,
        d: SupportsIndex,
        M: Any,
        nbits: Any = None,
        search_type: int = AdditiveQuantizer.ST_decompress,
        home: EngineIndex | None = None,
    ) -> None:
        """For vectors of width `d`: `M` codebooks of `2**nbits` entries; `nbits` may be a list, one for each, or `M` is it.

        Raises:
            RuntimeError: there are not as many, or anear does not search that way.
        """
        super().__init__(d, home)
        if np.ndim(M):
            M, nbits = len(M), M
        self.M, self.search_type = operator.index(M), int(search_type)
        self.nbits = UInt64Vector([operator.index(nbits)] * self.M if np.ndim(nbits) == 0 else nbits)
        if len(self.nbits) != self.M:
            raise RuntimeError(f"{self.M} codebooks need {self.M} numbers of bits, got {len(self.nbits)}")
        if self.search_type not in _NORMS:
            raise RuntimeError(f"no search of type {search_type}; there are {sorted(_NORMS)}")
        self.norm_bits = _NORMS[self.search_type][1]
        self.tot_bits = sum(self.nbits) + self.norm_bits
        self.code_size = (self.tot_bits + 7) // 8

    @classmethod
    def _of(cls, d: int, token: str, search_type: int, home: EngineIndex | None = None) -> ResidualQuantizer:
        """The quantizer of a factory string; without a norm, it is searched by `search_type`."""
        books, _, norm = token.removeprefix("RQ").partition("_N")
        pairs = [[int(number) for number in part.split("x")] for part in books.split("_")]
        nbits = [bits for count, bits in pairs for _ in range(count)]
        named = {end: number for number, (end, _) in _NORMS.items() if end}
        return cls(d, len(nbits), nbits, named.get(f"_N{norm}", search_type), home)

    def _token(self) -> str:
        runs = [f"{len(list(run))}x{bits}" for bits, run in itertools.groupby(self.nbits)]
        return f"RQ{'_'.join(runs)}{_NORMS[self.search_type][0]}"

    @property
    def codebook_offsets(self) -> UInt64Vector:
        """Before which entry each codebook begins, and how many entries there are."""
        return UInt64Vector(np.cumsum([0, *(1 << bits for bits in self.nbits)]))

    @property
    def total_codebook_size(self) -> int:
        """Entries of all codebooks."""
        return sum(1 << bits for bits in self.nbits)

    @property
    def codebooks(self) -> Float32Vector:
        """The entries of all codebooks, one after the other."""
        return self._learned("codebooks")


def clone_Quantizer(quantizer: Q) -> Q:
    """A copy that shares nothing with a quantizer."""
    return copy.deepcopy(quantizer)


def downcast_Quantizer(quantizer: Q) -> Q:
    """The quantizer itself: it is of its own class already."""
    return quantizer
