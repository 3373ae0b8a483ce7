"""Additive quantizers that are learned in NumPy: by local search, and of parts of vectors.

Codebooks, codes and their bits lie as in Faiss. Searches compare decoded vectors, so a norm in a code is never read.
"""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex, cast

import numpy as np
import numpy.typing as npt

from ._arrays import Array, Codes, Float32Vector, Floats, UInt64Vector, check_finite, output, rows
from ._quantizers import AdditiveQuantizer, Quantizer, ResidualQuantizer

Entries = npt.NDArray[np.int64]

# Bits of the norm in a code, by the type of the search.
_NORM_BITS = {0: 0, 1: 0, 2: 0, 3: 32, 4: 8, 5: 4, 6: 8, 7: 4, 8: 8, 9: 8}


class LearnedAdditiveQuantizer(AdditiveQuantizer):
    """What those have in common: the sum of one entry of each of `M` codebooks.

    The methods that begin with an underscore are what kinds differ in.
    """

    norm_min = norm_max = 0.0

    def __init__(self, d: SupportsIndex, M: SupportsIndex, nbits: SupportsIndex, search_type: int) -> None:
        """For vectors of width `d`, by `M` codebooks of `2**nbits` entries.

        Raises:
            RuntimeError: there is no such way to search, or not even one codebook.
        """
        super().__init__(d)
        self.M, self.search_type, self._bits = operator.index(M), int(search_type), operator.index(nbits)
        if self.search_type not in _NORM_BITS:
            raise RuntimeError(f"no search of type {search_type}; there are {sorted(_NORM_BITS)}")
        if self.M < 1 or not 1 <= self._bits <= 16:
            raise RuntimeError(f"{M} codebooks of {nbits} bits cannot be: at least 1 of 1 to 16 bits")
        self.nbits = UInt64Vector([self._bits] * self.M)
        self.K = 1 << self._bits
        self.codebooks = Float32Vector()
        self.codebook_offsets = UInt64Vector(np.arange(self.M + 1) * self.K)
        self.total_codebook_size = self.M * self.K
        self.norm_bits = _NORM_BITS[self.search_type]
        self.tot_bits = self.M * self._bits + self.norm_bits
        self.code_size = (self.tot_bits + 7) // 8
        self.only_8bit = self._bits == 8

    @property
    def is_trained(self) -> bool:
        """Whether there are codebooks."""
        return self.codebooks.size() > 0

    def train(self, x: Any) -> None:
        """Learns codebooks from vectors like those to come.

        Raises:
            RuntimeError: there are fewer vectors than entries of a codebook, or numbers are not finite.
        """
        vectors = rows(x, self.d)
        check_finite(vectors)
        if len(vectors) < self.K:
            raise RuntimeError(f"{len(vectors)} vectors cannot make codebooks of {self.K} entries")
        self._learn(vectors)
        norms = (self._sum(self._entries(vectors)) ** 2).sum(1)
        self.norm_min, self.norm_max = float(norms.min()), float(norms.max())

    def compute_codes(self, x: Any) -> Codes:
        """The codes of vectors, a row each.

        Raises:
            RuntimeError: it is not trained.
        """
        vectors = rows(x, self.d)
        if not self.is_trained:
            raise RuntimeError(f"{type(self).__name__}: 'is_trained' failed; call train(x) first")
        if not len(vectors):
            return np.empty((0, self.code_size), np.uint8)
        return self._packed(self._entries(vectors))

    def decode(self, codes: Any, x: Array | None = None) -> Floats:
        """The vectors of codes."""
        given = rows(codes, self.code_size, np.uint8)
        vectors = output(x, (len(given), self.d), np.float32)
        vectors[:] = self._sum(self._unpacked(given))
        return vectors

    def _packed(self, entries: Entries) -> Codes:
        """The bytes of numbers of entries, the lowest bit first, and of the norm behind them."""
        bits = _bits_of(entries, self._bits)
        if self.norm_bits:
            bits = np.hstack([bits, self._norm_bits_of((self._sum(entries) ** 2).sum(1, dtype=np.float32))])
        return np.packbits(bits, axis=1, bitorder="little")

    def _norm_bits_of(self, norms: Floats) -> Codes:
        if self.norm_bits == 32:
            return np.unpackbits(norms[:, None].view(np.uint8), axis=1, bitorder="little")
        steps = (1 << self.norm_bits) - 1
        share = (norms - self.norm_min) / max(self.norm_max - self.norm_min, 1e-30)
        return _bits_of(np.rint(share.clip(0, 1) * steps).astype(np.int64)[:, None], self.norm_bits)

    def _unpacked(self, codes: Codes) -> Entries:
        bits = np.unpackbits(codes, axis=1, bitorder="little")[:, : self.M * self._bits]
        weights = 1 << np.arange(self._bits)
        return np.asarray(bits.reshape(len(codes), self.M, self._bits) @ weights, dtype=np.int64)

    def _sum(self, entries: Entries) -> Floats:
        """The vectors of numbers of entries."""
        books = self.codebooks._values.reshape(self.M, self.K, -1)
        vectors = np.zeros((len(entries), self.d), np.float32)
        for m, book in enumerate(books):
            vectors += book[entries[:, m]]
        return vectors

    def _learn(self, x: Floats) -> None:
        raise NotImplementedError

    def _entries(self, x: Floats) -> Entries:
        """The numbers of the entries that stand for vectors."""
        raise NotImplementedError

    def _token(self) -> str:
        raise RuntimeError(f"the engine does not know {type(self).__name__}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} d={self.d} M={self.M} nbits={self._bits}>"


def _bits_of(numbers: Entries, width: int) -> Codes:
    """The lowest `width` bits of each number, one behind the other."""
    return (numbers[:, :, None] >> np.arange(width) & 1).astype(np.uint8).reshape(len(numbers), -1)


class LocalSearchQuantizer(LearnedAdditiveQuantizer):
    """Codebooks by least squares, entries by local search (Martinez et al. 2016, 2018).

    >>> import numpy as np
    >>> x = np.random.default_rng(1).random((200, 8), dtype=np.float32)
    >>> lsq = LocalSearchQuantizer(8, 2, 4)
    >>> lsq.train(x)
    >>> lsq.compute_codes(x).shape
    (200, 1)
    """

    def __init__(
        self,
        d: SupportsIndex,
        M: SupportsIndex,
        nbits: SupportsIndex,
        search_type: int = AdditiveQuantizer.ST_decompress,
    ) -> None:
        """For vectors of width `d`, by `M` codebooks of `2**nbits` entries."""
        super().__init__(d, M, nbits, search_type)
        self.train_iters, self.train_ils_iters, self.encode_ils_iters = 25, 8, 16
        self.icm_iters, self.nperts, self.chunk_size = 4, 4, 10000
        self.lambd, self.p, self.random_seed = 1e-2, 0.5, 0x12345
        self.update_codebooks_with_double = True

    def _learn(self, x: Floats) -> None:
        random = np.random.default_rng(self.random_seed)
        entries = random.integers(self.K, size=(len(x), self.M))
        spread = x.std(axis=0)
        for step in range(self.train_iters):
            books = self._fitted(x, entries)
            # Noise that fades keeps the search out of the first minimum (Martinez et al. 2018, SR-D).
            heat = (1 - (step + 1) / self.train_iters) ** self.p
            books += random.normal(size=books.shape) * (spread * heat / self.M)
            entries = self._searched(x, books.astype(np.float32), entries, self.train_ils_iters, random)
        self.codebooks = Float32Vector(self._fitted(x, entries))

    def _fitted(self, x: Floats, entries: Entries) -> npt.NDArray[np.float64]:
        """The codebooks with the least squared error for these entries, held back a little by `lambd`."""
        size = self.M * self.K
        columns = entries + np.arange(self.M) * self.K
        pairs = (columns[:, :, None] * size + columns[:, None, :]).ravel()
        both = np.bincount(pairs, minlength=size * size).reshape(size, size) + self.lambd * np.eye(size)
        sums = np.zeros((size, self.d))
        for column in columns.T:
            np.add.at(sums, column, x)
        return np.asarray(np.linalg.solve(both, sums).reshape(self.M, self.K, self.d))

    def _entries(self, x: Floats) -> Entries:
        books = self.codebooks._values.reshape(self.M, self.K, self.d)
        found = np.empty((len(x), self.M), np.int64)
        for start in range(0, len(x), self.chunk_size):
            chunk, random = x[start : start + self.chunk_size], np.random.default_rng(self.random_seed)
            better = self._searched(chunk, books, self._greedy(chunk, books), self.encode_ils_iters, random)
            found[start : start + self.chunk_size] = better
        return found

    def _greedy(self, x: Floats, books: Floats) -> Entries:
        """Where a search begins: of each codebook the nearest to what is left."""
        rest, found = x.copy(), np.empty((len(x), self.M), np.int64)
        for m, book in enumerate(books):
            found[:, m] = np.argmin((book**2).sum(1) - 2 * rest @ book.T, axis=1)
            rest -= book[found[:, m]]
        return found

    def _searched(
        self, x: Floats, books: Floats, entries: Entries, rounds: int, random: np.random.Generator
    ) -> Entries:
        """Better entries, found from those given: `rounds` times some are changed at random, then improved one by one."""
        alone = (books**2).sum(2)[:, None] - 2 * np.einsum("nd,mkd->mnk", x, books)
        with_others = 2 * np.einsum("ikd,jld->ijkl", books, books)
        best, error, each = entries.copy(), self._errors(x, books, entries), np.arange(len(x))
        # What is drawn for a vector comes from the vector, so that its code depends on no other one.
        weights = random.integers(1 << 63, size=self.d, dtype=np.uint64)
        marks = (np.ascontiguousarray(x).view(np.uint32) * weights).sum(1, dtype=np.uint64)
        for _ in range(rounds):
            tried = best.copy()
            for _ in range(self.nperts):
                # One step of Knuth's generator (MMIX) per vector; its high bits are the good ones.
                marks = marks * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                drawn = (marks >> np.uint64(33)).astype(np.int64)
                tried[each, drawn % self.M] = drawn // self.M % self.K
            for _ in range(self.icm_iters):
                for m in range(self.M):
                    cost = alone[m].copy()
                    for other in range(self.M):
                        if other != m:
                            cost += with_others[other, m][tried[:, other]]
                    tried[:, m] = np.argmin(cost, axis=1)
            errors = self._errors(x, books, tried)
            better = errors < error
            best[better], error[better] = tried[better], errors[better]
        return best

    def _errors(self, x: Floats, books: Floats, entries: Entries) -> Floats:
        sums = sum(book[entries[:, m]] for m, book in enumerate(books))
        return cast(Floats, ((x - sums) ** 2).sum(1))


class ProductAdditiveQuantizer(LearnedAdditiveQuantizer):
    """Cuts vectors into `nsplits` parts, each with an additive quantizer of its own."""

    def __init__(
        self,
        d: SupportsIndex,
        nsplits: SupportsIndex,
        Msub: SupportsIndex,
        nbits: SupportsIndex,
        search_type: int = AdditiveQuantizer.ST_decompress,
    ) -> None:
        """For vectors of width `d`, by `Msub` codebooks of `2**nbits` entries for each part.

        Raises:
            RuntimeError: `nsplits` does not divide `d`.
        """
        self.nsplits = operator.index(nsplits)
        if self.nsplits < 1 or operator.index(d) % self.nsplits:
            raise RuntimeError(f"vectors of width {d} cannot be cut into {nsplits} equal parts")
        super().__init__(d, self.nsplits * operator.index(Msub), nbits, search_type)
        self.quantizers: list[Any] = [self._part() for _ in range(self.nsplits)]

    def subquantizer(self, m: SupportsIndex) -> Any:
        """The quantizer of part `m`."""
        return self.quantizers[operator.index(m)]

    def _part(self) -> Quantizer:
        raise NotImplementedError

    def _parts_of(self, x: Floats) -> list[Floats]:
        return [np.ascontiguousarray(part) for part in np.split(x, self.nsplits, axis=1)]

    def _learn(self, x: Floats) -> None:
        for quantizer, part in zip(self.quantizers, self._parts_of(x), strict=True):
            quantizer.train(part)
        self.codebooks = Float32Vector(np.concatenate([each.codebooks._values for each in self.quantizers]))

    def _entries(self, x: Floats) -> Entries:
        each = self.M // self.nsplits
        parts = zip(self.quantizers, self._parts_of(x), strict=True)
        bits = [np.unpackbits(quantizer.compute_codes(part), axis=1, bitorder="little") for quantizer, part in parts]
        whole = np.hstack([part[:, : each * self._bits] for part in bits])
        return self._unpacked(np.packbits(whole, axis=1, bitorder="little"))

    def _sum(self, entries: Entries) -> Floats:
        each, width = self.M // self.nsplits, self.d // self.nsplits
        books = self.codebooks._values.reshape(self.M, self.K, width)
        vectors = np.zeros((len(entries), self.d), np.float32)
        for m, book in enumerate(books):
            start = m // each * width
            vectors[:, start : start + width] += book[entries[:, m]]
        return vectors


class ProductResidualQuantizer(ProductAdditiveQuantizer):
    """Cuts vectors into parts, each with a residual quantizer of its own."""

    def _part(self) -> Quantizer:
        return ResidualQuantizer(self.d // self.nsplits, self.M // self.nsplits, self._bits)


class ProductLocalSearchQuantizer(ProductAdditiveQuantizer):
    """Cuts vectors into parts, each with a local search quantizer of its own."""

    def _part(self) -> Quantizer:
        return LocalSearchQuantizer(self.d // self.nsplits, self.M // self.nsplits, self._bits)
