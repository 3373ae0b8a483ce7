"""Functions of Faiss's that take pointers: numbers of vectors, bits and ranks. Arrays will do as well."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np

from ._arrays import Array, Codes, Ids, pointed
from ._clustering import exact_means
from ._constants import METRIC_L1, METRIC_L2, METRIC_INNER_PRODUCT, METRIC_Linf
from ._functions import normalize_L2, pairwise_distances, pairwise_hamming


def _floats(x: Any, n: int, d: int) -> Array:
    return pointed(x, n * d, np.float32).reshape(n, d)


def _pair(x: Any, y: Any, d: int, metric: int) -> float:
    return float(pairwise_distances(_floats(x, 1, d), _floats(y, 1, d), metric)[0, 0])


def fvec_L2sqr(x: Any, y: Any, d: int) -> float:
    """The squared distance of two vectors."""
    return _pair(x, y, d, METRIC_L2)


def fvec_inner_product(x: Any, y: Any, d: int) -> float:
    """The inner product of two vectors."""
    return _pair(x, y, d, METRIC_INNER_PRODUCT)


def fvec_L1(x: Any, y: Any, d: int) -> float:
    """The sum of the differences of two vectors."""
    return _pair(x, y, d, METRIC_L1)


def fvec_Linf(x: Any, y: Any, d: int) -> float:
    """The largest difference of two vectors."""
    return _pair(x, y, d, METRIC_Linf)


def fvec_norm_L2sqr(x: Any, d: int) -> float:
    """The squared length of a vector."""
    return fvec_inner_product(x, x, d)


def fvec_L2sqr_ny(dis: Any, x: Any, y: Any, d: int, ny: int) -> None:
    """Writes the squared distances of one vector to `ny` others."""
    pointed(dis, ny, np.float32)[:] = pairwise_distances(_floats(x, 1, d), _floats(y, ny, d))[0]


def fvec_inner_products_ny(ip: Any, x: Any, y: Any, d: int, ny: int) -> None:
    """Writes the inner products of one vector with `ny` others."""
    products = pairwise_distances(_floats(x, 1, d), _floats(y, ny, d), METRIC_INNER_PRODUCT)
    pointed(ip, ny, np.float32)[:] = products[0]


def fvec_norms_L2sqr(norms: Any, x: Any, d: int, nx: int) -> None:
    """Writes the squared length of each vector."""
    pointed(norms, nx, np.float32)[:] = (_floats(x, nx, d).astype(np.float64) ** 2).sum(1)


def fvec_norms_L2(norms: Any, x: Any, d: int, nx: int) -> None:
    """Writes the length of each vector."""
    pointed(norms, nx, np.float32)[:] = np.linalg.norm(_floats(x, nx, d).astype(np.float64), axis=1)


def fvec_renorm_L2(d: int, nx: int, x: Any) -> None:
    """Scales each vector to length 1."""
    normalize_L2(_floats(x, nx, d))


def fvec_madd(n: int, a: Any, bf: float, b: Any, c: Any) -> None:
    """Writes `a + bf * b` to `c`, all of `n` numbers."""
    pointed(c, n, np.float32)[:] = pointed(a, n, np.float32) + np.float32(bf) * pointed(b, n, np.float32)


def fvec_add(d: int, a: Any, b: Any, c: Any) -> None:
    """Writes `a + b` to `c`, all of `d` numbers; `b` may be one number."""
    pointed(c, d, np.float32)[:] = pointed(a, d, np.float32) + (b if np.isscalar(b) else pointed(b, d, np.float32))


def fvec_sub(d: int, a: Any, b: Any, c: Any) -> None:
    """Writes `a - b` to `c`, all of `d` numbers."""
    pointed(c, d, np.float32)[:] = pointed(a, d, np.float32) - pointed(b, d, np.float32)


def pairwise_L2sqr(d: int, nq: int, xq: Any, nb: int, xb: Any, dis: Any) -> None:
    """Writes the squared distance of each of `nq` vectors to each of `nb` others."""
    pointed(dis, nq * nb, np.float32)[:] = pairwise_distances(_floats(xq, nq, d), _floats(xb, nb, d)).ravel()


def fvec_argsort(n: int, vals: Any, perm: Any) -> None:
    """Writes the positions of numbers, the smallest first."""
    pointed(perm, n, np.uint64)[:] = np.argsort(pointed(vals, n, np.float32), kind="stable")


def fvecs2bitvecs(x: Any, b: Any, d: int, n: int) -> None:
    """Writes one bit per number: whether it is not negative."""
    width = (d + 7) // 8
    bits = np.packbits(_floats(x, n, d) >= 0, axis=1, bitorder="little")
    pointed(b, n * width, np.uint8).reshape(n, width)[:] = bits


def bitvecs2fvecs(b: Any, x: Any, d: int, n: int) -> None:
    """Writes 1 or -1 per bit."""
    width = (d + 7) // 8
    bits = np.unpackbits(pointed(b, n * width, np.uint8).reshape(n, width), axis=1, bitorder="little")
    _floats(x, n, d)[:] = bits[:, :d].astype(np.float32) * 2 - 1


def hammings(a: Any, b: Any, na: int, nb: int, nbytespercode: int, dis: Any) -> None:
    """Writes in how many bits each of `na` codes differs from each of `nb` others."""
    ours = pointed(a, na * nbytespercode, np.uint8).reshape(na, nbytespercode)
    theirs = pointed(b, nb * nbytespercode, np.uint8).reshape(nb, nbytespercode)
    pointed(dis, na * nb, np.int32)[:] = pairwise_hamming(ours, theirs).ravel()


def popcount32(x: SupportsIndex) -> int:
    """How many bits of a number of 32 bits are set."""
    return (operator.index(x) & 0xFFFF_FFFF).bit_count()


def popcount64(x: SupportsIndex) -> int:
    """How many bits of a number of 64 bits are set."""
    return (operator.index(x) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()


def ranklist_intersection_size(k1: int, v1: Any, k2: int, v2: Any) -> int:
    """How many ids two lists have in common."""
    return len(np.intersect1d(pointed(v1, k1, np.int64), pointed(v2, k2, np.int64)))


def imbalance_factor(n: int, k: int, assign: Any) -> float:
    """1 if as many of `n` vectors are in each of `k` clusters; `k` if one has all."""
    counts = np.bincount(pointed(assign, n, np.int64), minlength=k).astype(np.float64)
    return float(k * (counts**2).sum() / n**2)


def kmeans1d(x: Any, n: int, nclusters: int, centroids: Any) -> float:
    """Writes the centroids of `n` numbers with the least squared error there is; returns 1 for clusters of equal size.

    Raises:
        RuntimeError: there are fewer numbers than centroids.
    """
    numbers = np.sort(pointed(x, n, np.float32).astype(np.float64))
    means = exact_means(numbers, nclusters)
    pointed(centroids, nclusters, np.float32)[:] = means
    nearest = np.abs(numbers[:, None] - means).argmin(1)
    return imbalance_factor(n, nclusters, nearest.astype(np.int64))


class BitstringWriter:
    """Writes numbers of any width into bytes, one behind the other."""

    def __init__(self, code: Any, code_size: SupportsIndex) -> None:
        """Writes into `code_size` bytes, which are set to 0."""
        self._code: Codes = pointed(code, operator.index(code_size), np.uint8)
        self._code[:] = 0
        self.i = 0

    def write(self, x: SupportsIndex, nbit: SupportsIndex) -> None:
        """Writes the lowest `nbit` bits of a number.

        Raises:
            RuntimeError: there is no room.
        """
        stop = self.i + operator.index(nbit)
        if stop > 8 * len(self._code):
            raise RuntimeError(f"{nbit} bits at bit {self.i} do not fit in {len(self._code)} bytes")
        bits = np.unpackbits(self._code, bitorder="little")
        bits[self.i : stop] = [operator.index(x) >> at & 1 for at in range(stop - self.i)]
        self._code[:] = np.packbits(bits, bitorder="little")
        self.i = stop


class BitstringReader:
    """Reads what a `BitstringWriter` wrote."""

    def __init__(self, code: Any, code_size: SupportsIndex) -> None:
        """Reads from `code_size` bytes."""
        self._bits = np.unpackbits(pointed(code, operator.index(code_size), np.uint8), bitorder="little")
        self.i = 0

    def read(self, nbit: SupportsIndex) -> int:
        """The next number of `nbit` bits.

        Raises:
            RuntimeError: there are not as many bits left.
        """
        stop = self.i + operator.index(nbit)
        if stop > len(self._bits):
            raise RuntimeError(f"{nbit} bits at bit {self.i} are more than {len(self._bits) // 8} bytes hold")
        number = sum(int(bit) << at for at, bit in enumerate(self._bits[self.i : stop]))
        self.i = stop
        return number


class MapLong2Long:
    """Whole numbers by whole numbers."""

    def __init__(self) -> None:
        """Holds nothing yet."""
        self._values: dict[int, int] = {}

    def add(self, keys: Any, vals: Any) -> None:
        """Remembers a value for each key; a key that is there already keeps its last one."""
        numbers, values = np.asarray(keys, np.int64), np.asarray(vals, np.int64)
        assert numbers.shape == values.shape, f"expected a value per key, got {values.shape} for {numbers.shape}"
        self._values.update(zip(numbers.tolist(), values.tolist(), strict=True))

    def search(self, key: SupportsIndex) -> int:
        """The value of a key; -1 where there is none."""
        return self._values.get(operator.index(key), -1)

    def search_multiple(self, keys: Any) -> Ids:
        """The values of several keys; -1 where there is none."""
        return np.array([self.search(key) for key in np.asarray(keys, np.int64)], np.int64)


class MapInt64ToInt64(MapLong2Long):
    """Whole numbers by whole numbers, as many as were planned."""

    def __init__(self, capacity: SupportsIndex) -> None:
        """Room for `capacity` keys."""
        super().__init__()
        self.capacity = operator.index(capacity)

    def add(self, keys: Any, vals: Any) -> None:
        """Remembers a value for each key.

        Raises:
            RuntimeError: there is no room.
        """
        more = set(np.asarray(keys, np.int64).tolist()) - self._values.keys()
        if len(self._values) + len(more) > self.capacity:
            raise RuntimeError(f"there is room for {self.capacity} keys only")
        super().add(keys, vals)

    def lookup(self, keys: Any) -> Ids:
        """The values of several keys; -1 where there is none."""
        return self.search_multiple(keys)


