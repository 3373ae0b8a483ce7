"""Arrays at the door: what is accepted, what is refused, what stands for C++'s vectors and pointers."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]
Array = npt.NDArray[Any]


def rows(x: Any, width: int, dtype: npt.DTypeLike = np.float32) -> Array:
    """`x` as contiguous rows of `width` numbers.

    Raises:
        ValueError: it has not two dimensions.
        AssertionError: its rows have another width.
    """
    if np.ndim(x) != 2:
        raise ValueError(f"expected an array of shape (n, {width}), got {np.shape(x)}; one vector is `x[None, :]`")
    array: Array = np.ascontiguousarray(x, dtype=dtype)
    assert array.shape[1] == width, f"expected vectors of {width} numbers, got {array.shape[1]}"
    return array


def check_finite(x: Floats) -> None:
    """Refuses vectors with NaN or infinity, as the engine does."""
    wrong = np.argwhere(~np.isfinite(x))
    if len(wrong):
        row, column = wrong[0].tolist()
        value = str(x[row, column]).replace("nan", "NaN")
        raise RuntimeError(f"vector {row} has {value} at component {column}; only finite numbers can be compared")


def bytes_rows(x: Any, width: int) -> Codes:
    """Codes, which are not converted.

    Raises:
        TypeError: they are no bytes.
    """
    if np.asarray(x).dtype != np.uint8:
        raise TypeError(f"expected an array of uint8, got {np.asarray(x).dtype}")
    return rows(x, width, np.uint8)


def whole(ids: Any) -> Ids:
    """Ids as the engine counts them.

    Raises:
        AssertionError: they are a mask, or one is no whole number.
    """
    given = np.ascontiguousarray(ids)
    assert given.dtype != np.bool_, "expected ids, got a mask: np.flatnonzero(mask) are the ids where it is true"
    array: Ids = np.ascontiguousarray(given, dtype=np.int64)
    if given.dtype.kind == "f" and (array != given).any():
        raise AssertionError(f"ids are whole numbers, got {given[array != given][0]}")
    return array


def ids_for(ids: Any, count: int) -> Ids:
    """One id per vector.

    Raises:
        AssertionError: there are not as many, or one is no whole number.
    """
    array = whole(ids)
    assert array.shape == (count,), f"not same nb of vectors as ids: {count} vectors, ids of shape {array.shape}"
    return array


def count_of(k: SupportsIndex) -> int:
    """How many neighbors are asked for.

    Raises:
        AssertionError: not even one.
    """
    count = operator.index(k)
    assert count > 0, f"k must be at least 1, got {count}"
    return count


def output(given: Array | None, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """The array for an answer: the caller's, if it fits.

    Raises:
        AssertionError: it has another shape.
        TypeError: it has another type, or does not lie row by row.
    """
    if given is None:
        return np.empty(shape, dtype=dtype)
    assert given.shape == shape, f"the array for the answer must have the shape {shape}, got {given.shape}"
    if given.dtype != np.dtype(dtype) or not given.flags.c_contiguous or not given.flags.writeable:
        raise TypeError(f"the array for the answer must be writable, contiguous and of {np.dtype(dtype)}")
    return given


class Pointer:
    """What stands for a C++ pointer: the memory of an array."""

    def __init__(self, array: Array) -> None:
        """Points to the first number of `array`."""
        self.array = array

    def __repr__(self) -> str:
        return f"<pointer to {self.array.size} x {self.array.dtype}>"


def pointed(x: Any, count: int, dtype: npt.DTypeLike) -> Array:
    """The first `count` numbers of an array, or at what stands for a pointer to one.

    Raises:
        TypeError: they are of another type.
        ValueError: there are not as many.
    """
    array = x.array if isinstance(x, Pointer) else np.asarray(x)
    if array.dtype != np.dtype(dtype) or not array.flags.c_contiguous:
        raise TypeError(f"expected {count} contiguous numbers of {np.dtype(dtype)}, got {array.dtype}")
    if array.size < count:
        raise ValueError(f"expected {count} numbers, got {array.size}")
    numbers: Array = array.reshape(-1)[:count]
    return numbers


class Vector:
    """What stands for C++'s `std::vector`: a growing array of numbers of one type."""

    dtype: npt.DTypeLike = np.float32

    def __init__(self, values: npt.ArrayLike = ()) -> None:
        """Holds a copy of `values`."""
        self._values: Array = np.array(values, dtype=self.dtype).ravel()

    @classmethod
    def of(cls, values: npt.ArrayLike) -> Vector:
        """A vector of the type of `values`."""
        array = np.asarray(values)
        return _VECTORS_BY_TYPE[array.dtype.str[1:]](array)

    def size(self) -> int:
        """How many numbers there are."""
        return len(self._values)

    def at(self, n: SupportsIndex) -> Any:
        """Number `n`."""
        return self._values[operator.index(n)].item()

    def data(self) -> Pointer:
        """The numbers themselves."""
        return Pointer(self._values)

    def push_back(self, value: float) -> None:
        """Adds a number."""
        self._values = np.append(self._values, np.array(value, dtype=self.dtype))

    def resize(self, n: SupportsIndex, value: float = 0) -> None:
        """Cuts, or adds numbers `value`, until there are `n`."""
        count = operator.index(n)
        more = max(0, count - len(self._values))
        self._values = np.concatenate([self._values[:count], np.full(more, value, dtype=self.dtype)])

    def clear(self) -> None:
        """Forgets all numbers."""
        self.resize(0)

    def _set(self, values: Array) -> None:
        """Forgets all numbers for others."""
        self._values = values

    def swap(self, other: Vector) -> None:
        """Exchanges the contents."""
        self._values, other._values = other._values, self._values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values.tolist())

    def __getitem__(self, n: int) -> Any:
        return self._values[n]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self._values.astype(dtype) if dtype is not None else self._values

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values!r})"


class Float32Vector(Vector):
    """Numbers of 32 bits."""


class FloatVector(Float32Vector):
    """Numbers of 32 bits, under an old name."""


class Float64Vector(Vector):
    """Numbers of 64 bits."""

    dtype = np.float64


class DoubleVector(Float64Vector):
    """Numbers of 64 bits, under an old name."""


class Int8Vector(Vector):
    """Whole numbers of 8 bits."""

    dtype = np.int8


class Int16Vector(Vector):
    """Whole numbers of 16 bits."""

    dtype = np.int16


class Int32Vector(Vector):
    """Whole numbers of 32 bits."""

    dtype = np.int32


class IntVector(Int32Vector):
    """Whole numbers of 32 bits, under an old name."""


class Int64Vector(Vector):
    """Whole numbers of 64 bits."""

    dtype = np.int64


class LongVector(Int64Vector):
    """Whole numbers of 64 bits, under an old name."""


class LongLongVector(Int64Vector):
    """Whole numbers of 64 bits, under an old name."""


class UInt8Vector(Vector):
    """Bytes."""

    dtype = np.uint8


class ByteVector(UInt8Vector):
    """Bytes, under an old name."""


class UInt16Vector(Vector):
    """Whole numbers of 16 bits without a sign."""

    dtype = np.uint16


class UInt32Vector(Vector):
    """Whole numbers of 32 bits without a sign."""

    dtype = np.uint32


class UInt64Vector(Vector):
    """Whole numbers of 64 bits without a sign."""

    dtype = np.uint64


class Uint64Vector(UInt64Vector):
    """Whole numbers of 64 bits without a sign, under an old name."""


_VECTORS_BY_TYPE: dict[str, type[Vector]] = {
    "f4": Float32Vector,
    "f8": Float64Vector,
    "i1": Int8Vector,
    "i2": Int16Vector,
    "i4": Int32Vector,
    "i8": Int64Vector,
    "u1": UInt8Vector,
    "u2": UInt16Vector,
    "u4": UInt32Vector,
    "u8": UInt64Vector,
}


def vector_to_array(v: Any) -> Array:
    """A copy of the numbers of a vector.

    Raises:
        AssertionError: it is none.
    """
    if not isinstance(v, Vector):
        raise AssertionError(f"expected a vector such as Float32Vector, got {type(v).__name__}")
    return v._values.copy()


def vector_float_to_array(v: Any) -> Array:
    """`vector_to_array`, under an old name."""
    return vector_to_array(v)


def copy_array_to_vector(a: Array, v: Vector) -> None:
    """Makes the numbers of `a` those of `v`.

    Raises:
        AssertionError: they are of another type.
    """
    (count,) = a.shape
    assert a.dtype == np.dtype(v.dtype), f"cannot copy {a.dtype} to a {type(v).__name__}"
    v._set(a[:count].copy())


def swig_ptr(a: Array) -> Pointer:
    """What stands for a pointer to an array.

    Raises:
        ValueError: it does not lie in one piece, or holds no numbers.
    """
    if a.dtype.kind not in "biuf":
        raise ValueError(f"expected an array of numbers, got {a.dtype}")
    if not a.flags.c_contiguous:
        raise ValueError("array is not C-contiguous")
    return Pointer(a)


def rev_swig_ptr(x: Pointer | Array, n: SupportsIndex) -> Array:
    """The first `n` numbers at a pointer, or of an array."""
    flat = (x.array if isinstance(x, Pointer) else x).reshape(-1)
    count = operator.index(n)
    if count > flat.size:
        raise ValueError(f"{x} has no {count} numbers")
    return flat[:count]
