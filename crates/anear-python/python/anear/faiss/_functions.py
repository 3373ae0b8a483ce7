"""What works without an index: neighbors, distances, random numbers, results of several searches."""

from __future__ import annotations

import operator
import os
import time
import zlib
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from .. import _native
from ._arrays import Array, Codes, Floats, Ids, bytes_rows, pointed, rows
from ._constants import METRIC_L2, metric_name
from ._index import IndexFlat
from ._missing import METRICS, pairwise

Size = Any


def knn(
    xq: Any, xb: Any, k: SupportsIndex, metric: int = METRIC_L2, metric_arg: float = 0.0
) -> tuple[Floats, Ids]:
    """Distances and positions of the `k` rows of `xb` nearest to each row of `xq`.

    Raises:
        AssertionError: the rows are of different widths.
    """
    index = IndexFlat(np.shape(xb)[1], metric)
    index.metric_arg = metric_arg
    index.add(xb)
    return index.search(xq, k)


def pairwise_distances(xq: Any, xb: Any, metric: int = METRIC_L2, metric_arg: float = 0) -> Floats:
    """The distance of each row of `xq` to each row of `xb`.

    Raises:
        AssertionError: the rows are of different widths.
    """
    width = np.shape(xb)[1]
    if metric in METRICS:
        return pairwise(rows(xq, width), rows(xb, width), metric)
    return _native.pairwise(rows(xq, width), rows(xb, width), metric_name(metric, metric_arg))


def knn_hamming(xq: Any, xb: Any, k: SupportsIndex, variant: str = "hc") -> tuple[npt.NDArray[np.int32], Ids]:
    """Distances in bits and positions of the `k` rows of `xb` nearest to each row of `xq`.

    Raises:
        AssertionError: the rows are of different widths.
        NotImplementedError: there is no such variant.
    """
    from ._binary import IndexBinaryFlat

    if variant not in ("hc", "mc"):
        raise NotImplementedError(f"there are the variants 'hc' and 'mc', not {variant!r}")
    index = IndexBinaryFlat(8 * np.shape(xb)[1])
    index.add(xb)
    return index.search(xq, k)


def pairwise_hamming(xq: Any, xb: Any) -> npt.NDArray[np.int32]:
    """In how many bits each row of `xq` differs from each row of `xb`."""
    width = np.shape(xb)[1]
    return _native.pairwise_hamming(bytes_rows(xq, width), bytes_rows(xb, width))


def normalize_L2(x: Array) -> None:
    """Scales each row of a float32 array to length 1, in place; zero rows stay zero.

    Raises:
        TypeError: it is no contiguous array of float32.
    """
    if not isinstance(x, np.ndarray) or x.dtype != np.float32 or not x.flags.c_contiguous or x.ndim != 2:
        kind = f"{x.dtype} of shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"expected a contiguous array of float32 with two dimensions, got {kind}")
    if x.size:
        _native.normalize_rows(x)


def kmin(array: Any, k: SupportsIndex) -> tuple[Floats, Ids]:
    """The `k` smallest numbers of each row, and where they are; -1 where there are fewer."""
    return _smallest(np.asarray(array, np.float32), operator.index(k), 1)


def kmax(array: Any, k: SupportsIndex) -> tuple[Floats, Ids]:
    """The `k` largest numbers of each row, and where they are; -1 where there are fewer."""
    return _smallest(np.asarray(array, np.float32), operator.index(k), -1)


def _smallest(array: Floats, k: int, sign: int) -> tuple[Floats, Ids]:
    assert k > 0, f"k must be at least 1, got {k}"
    order = np.argsort(sign * array, axis=1, kind="stable")[:, :k]
    values = np.full((len(array), k), sign * np.finfo(np.float32).max, np.float32)
    places = np.full((len(array), k), -1, np.int64)
    values[:, : order.shape[1]], places[:, : order.shape[1]] = np.take_along_axis(array, order, 1), order
    return values, places


class ResultHeap:
    """Gathers the `k` best results of each query from several searches, into `D` and `I`."""

    def __init__(self, nq: SupportsIndex, k: SupportsIndex, keep_max: bool = False) -> None:
        """Holds nothing yet for `nq` queries; with `keep_max`, larger is better."""
        self.nq, self.k, self.keep_max = operator.index(nq), operator.index(k), keep_max
        self.I = np.full((self.nq, self.k), -1, np.int64)
        self.D = np.full((self.nq, self.k), np.finfo(np.float32).max * (-1 if keep_max else 1), np.float32)

    def add_result(self, D: Any, I: Any) -> None:
        """Adds results for all queries."""
        assert len(D) == self.nq, f"expected results for {self.nq} queries, got {len(D)}"
        self.add_result_subset(np.arange(self.nq), D, I)

    def add_result_subset(self, subset: Any, D: Any, I: Any) -> None:
        """Adds results for some of the queries."""
        assert np.shape(D) == np.shape(I), f"expected as many ids as distances, got {np.shape(I)} and {np.shape(D)}"
        chosen = np.asarray(subset)
        distances = np.hstack([self.D[chosen], np.asarray(D, np.float32)])
        ids = np.hstack([self.I[chosen], np.asarray(I, np.int64)])
        keys = np.where(ids < 0, np.inf, -distances if self.keep_max else distances)
        order = np.argsort(keys, axis=1, kind="stable")[:, : self.k]
        self.D[chosen] = np.take_along_axis(distances, order, 1)
        self.I[chosen] = np.take_along_axis(ids, order, 1)

    def finalize(self) -> None:
        """Nothing to do: results are in order at all times."""


def merge_knn_results(Dall: Any, Iall: Any, keep_max: bool = False) -> tuple[Floats, Ids]:
    """The best results of several searches for the same queries: arrays of shape (searches, queries, k)."""
    distances, ids = np.asarray(Dall), np.asarray(Iall)
    assert distances.shape == ids.shape, f"expected as many ids as distances, got {ids.shape} and {distances.shape}"
    _, nq, k = ids.shape
    heap = ResultHeap(nq, k, keep_max)
    for found, labels in zip(distances, ids, strict=True):
        heap.add_result(found, labels)
    return heap.D.astype(distances.dtype), heap.I


def eval_intersection(I1: Any, I2: Any) -> int:
    """How many ids the rows of two arrays have in common, in all."""
    one, other = np.asarray(I1), np.asarray(I2)
    assert len(one) == len(other), f"expected as many rows, got {len(one)} and {len(other)}"
    return sum(len(np.intersect1d(a, b)) for a, b in zip(one, other, strict=True))


def rand(n: Size, seed: int = 12345) -> Floats:
    """Random numbers from 0 to 1, in an array of this size or shape."""
    return np.asarray(np.random.RandomState(seed).random_sample(n), dtype=np.float32)


def randn(n: Size, seed: int = 12345) -> Floats:
    """Random numbers around 0 with variance 1, in an array of this size or shape."""
    return np.asarray(np.random.RandomState(seed).standard_normal(n), dtype=np.float32)


def randint(n: Size, seed: int = 12345, vmax: int | None = None) -> Ids:
    """Random whole numbers from 0 to below `vmax`, in an array of this size or shape."""
    top = np.iinfo(np.int64).max if vmax is None else vmax
    return np.asarray(np.random.RandomState(seed).randint(0, top, size=n, dtype=np.int64))


lrand = randint


def rand_smooth_vectors(n: SupportsIndex, d: SupportsIndex, seed: int = 1234) -> Floats:
    """Vectors that lie on a smooth surface of few dimensions."""
    count, width = operator.index(n), operator.index(d)
    random = np.random.RandomState(seed)
    inner = min(10, width)
    plain = random.normal(size=(count, inner)) @ random.normal(size=(inner, width))
    return np.sin(plain * random.random_sample(width)).astype(np.float32)


def rand_perm(n: SupportsIndex, seed: int = 12345) -> Ids:
    """The numbers below `n`, in random order."""
    return np.random.RandomState(seed).permutation(operator.index(n)).astype(np.int64)


class RandomGenerator:
    """Random numbers, one by one."""

    def __init__(self, seed: int = 1234) -> None:
        """Starts from `seed`."""
        self._random = np.random.RandomState(seed % (1 << 32))

    def rand_int(self, max: int = 1 << 31) -> int:
        """A whole number from 0 to below `max`."""
        return int(self._random.randint(0, max, dtype=np.int64))

    def rand_int64(self) -> int:
        """A whole number of 63 bits."""
        return int(self._random.randint(0, np.iinfo(np.int64).max, dtype=np.int64))

    def rand_float(self) -> float:
        """A number from 0 to 1."""
        return float(self._random.random_sample())

    def rand_double(self) -> float:
        """A number from 0 to 1."""
        return float(self._random.random_sample())


def checksum(a: Any) -> Any:
    """A number that is the same for the same array; of each row, where there are two dimensions."""
    array = np.ascontiguousarray(a)
    if array.ndim == 1:
        return zlib.crc32(array.tobytes())
    return np.array([zlib.crc32(row.tobytes()) for row in array], np.uint64)


def pack_bitstrings(a: Any, nbit: Any) -> Codes:
    """Rows of whole numbers as rows of bytes: number `j` takes `nbit` bits, or `nbit[j]`."""
    numbers = np.asarray(a).astype(np.int64)
    assert numbers.ndim == 2, f"expected rows of numbers, got the shape {numbers.shape}"
    widths = _widths(nbit, numbers.shape[1])
    columns = [(numbers[:, j, None] >> np.arange(width)) & 1 for j, width in enumerate(widths)]
    return np.packbits(np.hstack(columns).astype(np.uint8), axis=1, bitorder="little")


def unpack_bitstrings(b: Any, M_or_nbits: Any, nbit: Any = None) -> npt.NDArray[np.int32]:
    """What `pack_bitstrings` packed: `M` numbers of `nbit` bits, or numbers of as many bits as an array says."""
    widths = _widths(M_or_nbits, None) if nbit is None else [operator.index(nbit)] * operator.index(M_or_nbits)
    bits = np.unpackbits(np.asarray(b, np.uint8), axis=1, bitorder="little")
    stops = np.cumsum(widths)
    assert stops[-1] <= bits.shape[1], f"expected rows of {stops[-1]} bits, got {bits.shape[1]}"
    columns = [bits[:, stop - width : stop].astype(np.int64) << np.arange(width) for stop, width in zip(stops, widths, strict=True)]
    return np.stack([column.sum(axis=1) for column in columns], axis=1).astype(np.int32)


def _widths(nbit: Any, count: int | None) -> list[int]:
    if np.ndim(nbit) == 0:
        assert count is not None, "expected the number of bits of each number"
        return [operator.index(nbit)] * count
    widths: list[int] = np.asarray(nbit).astype(int).tolist()
    assert count is None or len(widths) == count, f"expected {count} numbers of bits, got {len(widths)}"
    return widths


def bucket_sort(tab: Any, nbucket: int | None = None, nt: int = 0) -> tuple[Ids, Ids]:
    """Sorts whole numbers: where each number's run begins, and the positions in order."""
    array = np.ascontiguousarray(tab, dtype=np.int64)
    count = int(array.max(initial=-1)) + 1 if nbucket is None else nbucket
    lims = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(array.ravel(), minlength=count), out=lims[1:])
    return lims, np.argsort(array.ravel(), kind="stable").astype(np.int64)


def matrix_bucket_sort_inplace(tab: Array, nbucket: int | None = None, nt: int = 0) -> Ids:
    """Replaces a matrix by the numbers of the rows in which each number is, in order; returns where each run begins."""
    assert tab.dtype in (np.int32, np.int64), f"expected an array of int32 or int64, got {tab.dtype}"
    lims, order = bucket_sort(tab, nbucket)
    tab.reshape(-1)[:] = order // tab.shape[1]
    return lims


def real_to_binary(d: int, x_in: Any, x_out: Any) -> None:
    """One bit per number: whether it is positive."""
    bits = np.packbits(pointed(x_in, d, np.float32) > 0, bitorder="little")
    pointed(x_out, len(bits), np.uint8)[:] = bits


def binary_to_real(d: int, x_in: Any, x_out: Any) -> None:
    """1 or -1 per bit."""
    bits = np.unpackbits(pointed(x_in, (d + 7) // 8, np.uint8), bitorder="little")
    pointed(x_out, d, np.float32)[:] = bits[:d].astype(np.float32) * 2 - 1


def omp_set_num_threads(num_threads: SupportsIndex) -> None:
    """Lets anear use so many threads from now on."""
    _native.set_threads(operator.index(num_threads))


def omp_get_max_threads() -> int:
    """How many threads anear uses."""
    return _native.threads()


FAISS_VERSION_MAJOR, FAISS_VERSION_MINOR, FAISS_VERSION_PATCH = 1, 15, 1


def get_version() -> str:
    """The version of Faiss whose names and files these are; anear's own is `anear.__version__`."""
    return f"{FAISS_VERSION_MAJOR}.{FAISS_VERSION_MINOR}.{FAISS_VERSION_PATCH}"


# What Faiss calls the instructions that the kernels may run on.
_INSTRUCTIONS = {"avx2": {"AVX2"}, "avx512": {"AVX2", "AVX512"}, "neon": {"NEON"}}


def supported_instruction_sets() -> set[str]:
    """The instructions that the kernels run on, in Faiss's words."""
    return set(_INSTRUCTIONS.get(_native.instruction_set().lower(), ()))


has_AVX2 = "AVX2" in supported_instruction_sets()
has_AVX512 = "AVX512" in supported_instruction_sets()


def getmillisecs() -> float:
    """Milliseconds since some moment."""
    return time.perf_counter() * 1e3


def get_compile_options() -> str:
    """What instructions the kernels run on, in Faiss's words."""
    return f"OPTIMIZE {_native.instruction_set().upper()} "


def get_mem_usage_kb() -> int:
    """How much memory this process takes; 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    except OSError:
        return 0


def get_num_gpus() -> int:
    """None: anear computes on the CPU."""
    return 0


def _no_gpu(what: str) -> NotImplementedError:
    return NotImplementedError(f"{what} needs a GPU; anear computes on the CPU: leave the index or vectors where they are")


def knn_gpu(*args: Any, **options: Any) -> Any:
    """Refused: there is no GPU. Use `knn`.

    Raises:
        NotImplementedError: always.
    """
    raise _no_gpu("knn_gpu")


def pairwise_distance_gpu(*args: Any, **options: Any) -> Any:
    """Refused: there is no GPU. Use `pairwise_distances`.

    Raises:
        NotImplementedError: always.
    """
    raise _no_gpu("pairwise_distance_gpu")


def index_cpu_to_all_gpus(*args: Any, **options: Any) -> Any:
    """Refused: there is no GPU.

    Raises:
        NotImplementedError: always.
    """
    raise _no_gpu("index_cpu_to_all_gpus")


class MatrixStats:
    """What strikes one about the numbers of a matrix; `comments` says it."""

    def __init__(self, m: Any) -> None:
        """Looks at the rows of `m`."""
        matrix = np.asarray(m, dtype=np.float32)
        assert matrix.ndim == 2, f"expected a matrix, got the shape {matrix.shape}"
        self.n, self.d = matrix.shape
        self.hash_value = int(zlib.crc32(np.ascontiguousarray(matrix).tobytes()))
        finite = np.isfinite(matrix).all(axis=1)
        self.n_valid = int(finite.sum())
        norms = np.linalg.norm(matrix[finite].astype(np.float64), axis=1)
        self.n0 = int((norms == 0).sum())
        lengths = norms[norms > 0]
        self.min_norm2 = float(lengths.min(initial=np.inf))
        self.max_norm2 = float(lengths.max(initial=0.0))
        self.comments = "\n".join([*self._general(), *self._rows(matrix), *self._columns(matrix[finite])]) + "\n"

    def _general(self) -> list[str]:
        bad = self.n - self.n_valid
        return [
            f"analyzing {self.n} vectors of size {self.d}",
            f"hash value 0x{self.hash_value:016x}",
            f"vectors with NaN or Infs: {bad} ({100 * bad / max(self.n, 1):.2f}%)" if bad else "no NaN or Infs in data",
        ]

    def _rows(self, matrix: Floats) -> list[str]:
        distinct, counts = np.unique(matrix, axis=0, return_counts=True)
        if len(distinct) == self.n:
            lines = ["all vectors are distinct"]
        else:
            lines = [f"{len(distinct)} vectors are distinct ({100 * len(distinct) / self.n:.2f}%)"]
            copies = int(counts.max())
            first = int(np.flatnonzero((matrix == distinct[counts.argmax()]).all(axis=1))[0])
            lines.append(f"vector {first} has {copies} copies")
        lines.append(f"range of L2 norms=[{self.min_norm2:g}, {self.max_norm2:g}] ({self.n0} null vectors)")
        if self.max_norm2 < self.min_norm2 * 1.0001:
            lines.append("vectors are normalized, inner product and L2 search are equivalent")
        elif self.max_norm2 > self.min_norm2 * 100:
            lines.append("vectors have very large differences in norms, is this normal?")
        return lines

    @staticmethod
    def _columns(matrix: Floats) -> list[str]:
        if not len(matrix):
            return []
        zeros = 100 * float((matrix == 0).mean())
        wide = matrix.astype(np.float64)
        deviations, means = wide.std(axis=0), np.abs(wide.mean(axis=0))
        constant = int((matrix.min(axis=0) == matrix.max(axis=0)).sum())
        far = int((means > 1e4 * np.maximum(deviations, 1e-30)).sum()) - constant
        return [
            f"matrix contains {zeros:.2f} % 0 entries" if zeros else "matrix contains no 0s",
            f"{constant} dimensions are constant: they can be removed" if constant else "no constant dimensions",
            "no dimension has a too large mean" if far <= 0 else f"{far} dimensions are too large wrt. their variance",
            f"stddevs per dimension are in [{deviations.min():g} {deviations.max():g}]",
        ]


class RangeSearchResult:
    """What stands for C++'s answer of a range search."""

    def __init__(self, nq: int) -> None:
        """For `nq` queries."""
        self.nq = nq
        self.lims = np.zeros(nq + 1, np.uint64)
        self.distances: Floats = np.empty(0, np.float32)
        self.labels: Ids = np.empty(0, np.int64)

