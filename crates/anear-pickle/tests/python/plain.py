"""Writes pickles of plain values at every protocol, with the meaning of each in a canonical text.

Usage: python plain.py >> ../fixtures/plain.tsv (once with numpy, then with other versions of Python, which
add only what they spell differently). Lines: meaning, protocol, pickle in hex; see tests/plain.rs for the
canonical text.
"""

import collections
import datetime as dt
import decimal
import pathlib
import pickle
import struct
import sys
import uuid

try:
    import numpy as np
except ImportError:
    np = None


def bits(value):
    return struct.pack(">d", value).hex() if value == value else "nan"


def zone(offset):
    return "" if offset is None else str(int(offset.total_seconds()))


def meaning(v):
    if np is not None and isinstance(v, (np.generic, np.ndarray)):
        return meaning(v.tolist())
    if v is None or isinstance(v, bool):
        return str(v)
    if isinstance(v, int):
        return "i%d" % v
    if isinstance(v, float):
        return "f" + bits(v)
    if isinstance(v, complex):
        return "c%s,%s" % (bits(v.real), bits(v.imag))
    if isinstance(v, str):
        return "s" + v.encode().hex()
    if isinstance(v, (bytes, bytearray)):
        return ("b" if isinstance(v, bytes) else "B") + v.hex()
    if isinstance(v, list):
        return "[" + ",".join(map(meaning, v)) + "]"
    if isinstance(v, tuple):
        return "(" + ",".join(map(meaning, v)) + ")"
    if isinstance(v, (set, frozenset)):
        return ("{" if isinstance(v, set) else "F{") + ",".join(map(meaning, v)) + "}"
    if isinstance(v, dict):
        return "<" + ",".join(meaning(k) + "=" + meaning(x) for k, x in v.items()) + ">"
    if isinstance(v, dt.datetime):
        return "T%s fold%d zone%s" % (v.replace(tzinfo=None).isoformat(), v.fold, zone(v.utcoffset()))
    if isinstance(v, dt.date):
        return "D" + v.isoformat()
    if isinstance(v, dt.time):
        return "C%s fold%d zone%s" % (v.replace(tzinfo=None).isoformat(), v.fold, zone(v.utcoffset()))
    if isinstance(v, dt.timedelta):
        return "L" + str(v)
    if isinstance(v, dt.timezone):
        return "Z" + zone(v.utcoffset(None))
    if isinstance(v, decimal.Decimal):
        return "M" + str(v)
    if isinstance(v, uuid.UUID):
        return "U" + str(v)
    if isinstance(v, pathlib.PurePath):
        return ("P" if isinstance(v, pathlib.Path) else "/" if isinstance(v, pathlib.PurePosixPath) else "W") + str(v)
    raise TypeError(type(v))


def spelled_differently():
    """Values whose pickles depend on the version of Python."""
    utc, odd = dt.timezone.utc, dt.timezone(-dt.timedelta(hours=3, minutes=30, seconds=7), "odd")
    when = dt.datetime(2024, 2, 29, 23, 59, 58, 1, tzinfo=odd)
    return [
        pathlib.PurePosixPath("/usr/lib", "x.so"), pathlib.PurePosixPath("a//b/./c"), pathlib.PurePosixPath(),
        pathlib.PurePosixPath("a") / "b" / "../c", pathlib.PureWindowsPath("C:/x/y"), pathlib.Path("é/ü"),
        pathlib.PureWindowsPath("a", "b"), pathlib.PureWindowsPath("c:rel", "d"),
        uuid.UUID("12345678-1234-5678-9abc-def012345678"), uuid.UUID(int=5), when, [when.date(), when.timetz(), utc],
        decimal.Decimal("3.14"), collections.OrderedDict([("b", 1), ("a", 2)]), {1, 2, 3}, b"bytes\xff", bytearray(b"ba"),
        dt.timedelta(days=-5, microseconds=3),
    ]


def values():
    shared = ["shared", 1]
    utc, east = dt.timezone.utc, dt.timezone(dt.timedelta(hours=9))
    yield from [None, True, False, [True, False, None]]
    yield from [[0, 1, 255, 256, 65535, 65536, -1, -128, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1]]
    yield from [[2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**40, -(10**40), 2**2000, -(2**2000) + 1]]
    yield from [[256**n + d for n in (1, 7, 8, 9) for d in (-1, 0, 1)], [-(256**n) // 2 + d for n in (1, 7, 8, 9) for d in (-1, 0, 1)]]
    yield from [[0.0, -0.0, 1.5, -1e300, 5e-324, 0.1, float("inf"), float("-inf"), float("nan"), 1e16, 123456789.125]]
    yield from [1 + 2j, complex("inf-0j")]
    yield from ["", "plain", "line\nfeed\rnul\0tab\t", "back\\slash \\u0041 \\", "ünïcödé ÿ", "한국어", "😀", "\x1a", "x" * 300, "é" * 200]
    yield from [b"", b"ab", bytes(range(256)), b"x" * 300, bytearray(b""), bytearray(b"ab\xff")]
    yield from [[], (), set(), frozenset(), {}, (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [[[[]]]], ((), ((),))]
    yield from [{1, "a", (2, 3)}, frozenset({1, frozenset({2})}), {"a": {"b": [1, {"c": None}]}}, {1: "i", (1, 2): "t", None: 0, 2.5: 1}]
    yield from [[shared, shared, {"again": shared}], [list(range(300))], dict.fromkeys(range(100), "v")]
    yield from [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.time(0, 0), dt.time(1, 2, 3, 4, tzinfo=east)]
    yield from [dt.datetime(2024, 1, 2, 3, 4, 5, 6), dt.datetime(1, 1, 1), dt.datetime(2020, 5, 17, 23, 59, 59, 999999, tzinfo=utc)]
    yield from [dt.datetime(2024, 7, 1, tzinfo=east), dt.timedelta(0), dt.timedelta(1, 2, 3), dt.timedelta.min, dt.timedelta.max, east, utc]
    yield from [decimal.Decimal(x) for x in ("0", "-0", "1.50", "1E+3", "-1.5E-7", "NaN", "sNaN12", "-Infinity", "1" * 60)]
    yield from [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID(int=2**63)]
    yield collections.defaultdict(list, {"a": [1]})
    yield collections.defaultdict(int, {"a": 1})
    yield collections.defaultdict(dict)
    yield from spelled_differently()


def folded():
    """Values whose fold only protocol 4 and later keep."""
    yield dt.datetime(2024, 10, 27, 2, 30, fold=1)
    yield dt.time(2, 30, fold=1, tzinfo=dt.timezone.utc)


def numpy_values():
    for code in ("f2", "f4", "f8"):
        for order in "<>":
            yield [np.array(x, order + code)[()] for x in (0.1, -2.0, 6e-8, np.inf, np.nan)][0:5]
            yield np.array([0.1, -2.0, 6e-8, 1.0, -0.0], order + code)
    for size in (1, 2, 4, 8):
        for sign in "iu":
            info = np.iinfo("%s%d" % (sign, size))
            yield [info.dtype.type(info.min), info.dtype.type(info.max), info.dtype.type(7)]
            yield np.array([info.min, info.max, 7], ">%s%d" % (sign, size))
    yield [np.bool_(True), np.bool_(False), np.array([True, False])]
    yield [np.str_("añ😀"), np.bytes_(b"ab"), np.array(["a", "bcd"]), np.array(["é"], ">U2"), np.array([b"a", b"bcd"])]
    yield [np.complex64(1 + 2j), np.array([1j], "c16")]
    yield [np.zeros((0, 3)), np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)), np.array(1.5)]
    yield {"score": np.float32(0.25), "n": np.int64(3)}


def write(value, protocols):
    seen = set()
    for protocol in protocols:
        for data in {pickle.dumps(value, protocol), pickle._dumps(value, protocol)}:
            if data[2:] not in seen:
                print(meaning(value), protocol, data.hex(), sep="\t")
            seen.add(data[2:])


protocols = range(pickle.HIGHEST_PROTOCOL + 1)
if np is None:
    for value in spelled_differently():
        write(value, (2, 4))
else:
    for value in values():
        write(value, protocols)
    for value in folded():
        write(value, (4, 5))
    for value in numpy_values():
        write(value, (1, 2, 4, 5))
