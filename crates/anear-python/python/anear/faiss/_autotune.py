"""Trying settings of an index, and keeping those that are worth it."""

from __future__ import annotations

import itertools
import math
import operator
import time
from typing import Any, SupportsIndex

import numpy as np

from ._arrays import Float32Vector, Float64Vector, Floats, Ids, Int64Vector, Pointer, Vector, rev_swig_ptr
from ._binary import IndexBinaryHNSW
from ._codes import IndexPQ
from ._composite import IndexIDMap, IndexPreTransform, IndexRefine
from ._graph import IndexHNSW, IndexNSG
from ._index import Index
from ._ivf import IndexIVF, IndexIVFPQ
from ._known import Known
from ._many import Many
from ._near import IndexNear
from ._refined import IndexIVFPQR


class AutoTuneCriterion:
    """How good the answers to some queries are."""

    def __init__(self, nq: SupportsIndex, nnn: SupportsIndex) -> None:
        """For `nq` queries with `nnn` results each."""
        self.nq, self.nnn = operator.index(nq), operator.index(nnn)
        self.gt_nnn = 0
        self.gt_D: Vector = Float32Vector()
        self.gt_I: Vector = Int64Vector()
        self._truth: Ids = np.empty((self.nq, 0), np.int64)

    def set_groundtruth(self, D: Any, I: Any) -> None:
        """Says what the right answers are; distances are not needed.

        Raises:
            AssertionError: there are not as many rows as queries.
        """
        truth: Ids = np.ascontiguousarray(I, dtype=np.int64)
        assert truth.shape[0] == self.nq, f"expected answers for {self.nq} queries, got {truth.shape[0]}"
        self._truth, self.gt_nnn, self.gt_I = truth, truth.shape[1], Int64Vector(truth)
        if D is not None:
            self.gt_D = Float32Vector(np.asarray(D))

    def evaluate(self, D: Any, I: Any) -> float:
        """From 0, all wrong, to 1; distances and ids are arrays, or pointers as in Faiss.

        Raises:
            AssertionError: there are not as many rows as queries.
        """
        answers = rev_swig_ptr(I, self.nq * self.nnn).reshape(self.nq, self.nnn) if isinstance(I, Pointer) else I
        found: Ids = np.ascontiguousarray(answers, dtype=np.int64)
        assert found.shape[0] == self.nq, f"expected answers for {self.nq} queries, got {found.shape[0]}"
        if not self.gt_nnn:
            raise RuntimeError("ground truth not initialized")
        return self._share(found)

    def _share(self, found: Ids) -> float:
        raise NotImplementedError


class OneRecallAtRCriterion(AutoTuneCriterion):
    """For how many queries the nearest is among the first `R` answers."""

    def __init__(self, nq: SupportsIndex, R: SupportsIndex) -> None:
        """For `nq` queries."""
        super().__init__(nq, R)
        self.R = self.nnn

    def _share(self, found: Ids) -> float:
        return float((found[:, : self.R] == self._truth[:, :1]).any(axis=1).mean())


class IntersectionCriterion(AutoTuneCriterion):
    """How many of the `R` nearest are among the first `R` answers."""

    def __init__(self, nq: SupportsIndex, R: SupportsIndex) -> None:
        """For `nq` queries."""
        super().__init__(nq, R)
        self.R = self.nnn

    def _share(self, found: Ids) -> float:
        if self.gt_nnn < self.R:
            raise RuntimeError(f"the right answers have {self.gt_nnn} columns, {self.R} are needed")
        pairs = zip(self._truth[:, : self.R], found[:, : self.R], strict=True)
        return sum(len(np.intersect1d(truth, answer)) for truth, answer in pairs) / (self.nq * self.R)


class OperatingPoint:
    """A setting, how good it is and how long it takes."""

    def __init__(self, perf: float, t: float, key: str, cno: int) -> None:
        """Holds the quality, the time, the setting and its number."""
        self.perf, self.t, self.key, self.cno = perf, t, key, cno

    def __repr__(self) -> str:
        return f"cno={self.cno} key={self.key} perf={self.perf:.4f} t={self.t:.3f}"


class OperatingPointVector(list[OperatingPoint]):
    """Settings that were tried."""

    def size(self) -> int:
        """How many there are."""
        return len(self)

    def at(self, n: SupportsIndex) -> OperatingPoint:
        """Setting `n`."""
        return self[operator.index(n)]


class OperatingPoints:
    """All settings that were tried; `optimal_pts` are those than which no other is both better and faster."""

    def __init__(self) -> None:
        """Holds the setting that finds nothing at no time."""
        self.clear()

    def clear(self) -> None:
        """Forgets all settings."""
        self.all_pts = OperatingPointVector()
        self.optimal_pts = OperatingPointVector([OperatingPoint(0.0, 0.0, "", -1)])

    def add(self, perf: float, t: float, key: str, cno: int = 0) -> bool:
        """Adds a setting; says whether it is an optimal one."""
        point = OperatingPoint(float(perf), float(t), key, cno)
        self.all_pts.append(point)
        if perf == 0 or any(other.perf >= perf and other.t <= t for other in self.optimal_pts):
            return False
        kept = [other for other in self.optimal_pts if other.perf > perf or other.t < t]
        self.optimal_pts = OperatingPointVector(sorted([*kept, point], key=lambda each: each.perf))
        return True

    def merge_with(self, other: OperatingPoints, prefix: str = "") -> int:
        """Adds all settings of another; says how many of them are optimal."""
        return sum(self.add(each.perf, each.t, prefix + each.key, each.cno) for each in other.all_pts)

    def t_for_perf(self, perf: float) -> float:
        """How long the fastest setting of at least this quality takes; very long if there is none."""
        return min((each.t for each in self.optimal_pts if each.perf >= perf), default=1e50)

    def display(self, only_optimal: bool = True) -> None:
        """Prints the settings."""
        print(f"Tested {len(self.all_pts)} operating points, {len(self.optimal_pts)} ones are Pareto-optimal:")
        for point in self.optimal_pts if only_optimal else self.all_pts:
            star = "*" if not only_optimal and point in self.optimal_pts else ""
            print(f"{point} {star}")

    def all_to_gnuplot(self, fname: str) -> None:
        """Writes all settings as rows of quality, time and setting."""
        self._to_file(fname, self.all_pts)

    def optimal_to_gnuplot(self, fname: str) -> None:
        """Writes the optimal settings as rows of quality, time and setting, as steps."""
        self._to_file(fname, self.optimal_pts)

    @staticmethod
    def _to_file(fname: str, points: OperatingPointVector) -> None:
        with open(fname, "w") as file:
            file.writelines(f"{each.perf:g} {each.t:g} {each.key}\n" for each in points)


class ParameterRange:
    """A parameter and the values worth trying, from fast to thorough."""

    def __init__(self, name: str, values: list[float] | None = None) -> None:
        """Holds the name of a parameter."""
        self.name = name
        self.values = Float64Vector(values or ())


class ParameterRangeVector(list[ParameterRange]):
    """Parameters that can be tried."""

    def size(self) -> int:
        """How many there are."""
        return len(self)

    def at(self, n: SupportsIndex) -> ParameterRange:
        """Parameter `n`."""
        return self[operator.index(n)]


class ParameterSpace(Known):
    """All settings of an index that are worth trying.

    >>> from anear.faiss import index_factory
    >>> space = ParameterSpace()
    >>> space.initialize(index_factory(8, "IVF64,Flat"))
    >>> [space.combination_name(number) for number in range(3)]
    ['nprobe=1', 'nprobe=2', 'nprobe=4']
    """

    def __init__(self) -> None:
        """Knows no parameter yet."""
        self.parameter_ranges = ParameterRangeVector()
        self.verbose = 1
        self.n_experiments = 500
        self.batchsize = 1 << 30
        self.thread_over_batches = False
        self.min_test_duration = 0.0

    def initialize(self, index: Any) -> None:
        """Takes over the parameters of an index and of those within."""
        self.parameter_ranges = ParameterRangeVector(_ranges_of(index))

    def add_range(self, name: str) -> ParameterRange:
        """A parameter of this name, with the values it has or none yet."""
        known = next((each for each in self.parameter_ranges if each.name == name), None)
        if known is None:
            known = ParameterRange(name)
            self.parameter_ranges.append(known)
        return known

    def n_combinations(self) -> int:
        """How many settings there are."""
        return math.prod(len(each.values) for each in self.parameter_ranges)

    def _values(self, cno: int) -> list[tuple[str, float]]:
        values = []
        for each in self.parameter_ranges:
            cno, at = divmod(cno, len(each.values))
            values.append((each.name, each.values[at]))
        return values

    def combination_name(self, cno: SupportsIndex) -> str:
        """Setting `cno` in words, as `set_index_parameters` reads it.

        Raises:
            RuntimeError: there is none of this number.
        """
        number = operator.index(cno)
        if not 0 <= number < self.n_combinations():
            raise RuntimeError(f"there is no combination {number}; there are {self.n_combinations()}")
        return ",".join(f"{name}={value:g}" for name, value in self._values(number))

    def combination_ge(self, c1: SupportsIndex, c2: SupportsIndex) -> bool:
        """Whether every value of one setting is at least that of another."""
        pairs = zip(self._values(operator.index(c1)), self._values(operator.index(c2)), strict=True)
        return all(one >= other for (_, one), (_, other) in pairs)

    def display(self) -> None:
        """Prints all parameters with their values."""
        count = self.n_combinations()
        print(f"ParameterSpace, {len(self.parameter_ranges)} parameters, {count} combinations:")
        for each in self.parameter_ranges:
            print(f"   {each.name}: [{', '.join(f' {value:g}' for value in each.values).strip()}]")

    def set_index_parameters(self, index: Any, setting: Any) -> None:
        """Gives an index a setting: its number, or words like `nprobe=16,quantizer_efSearch=64`.

        Raises:
            RuntimeError: the words name no parameter of the index.
        """
        if not isinstance(setting, str):
            for name, value in self._values(operator.index(setting)):
                self.set_index_parameter(index, name, value)
            return
        for part in filter(None, setting.replace(" ", ",").split(",")):
            name, equals, number = part.partition("=")
            if not equals:
                raise RuntimeError(f"expected name=value, got {part!r}")
            self.set_index_parameter(index, name.strip(), float(number))

    def set_index_parameter(self, index: Any, name: str, val: float) -> None:
        """Gives a parameter of an index a value.

        Raises:
            RuntimeError: it has none of this name.
        """
        if name == "verbose":
            index.verbose = bool(val)
        elif not _set(index, name, float(val)):
            raise RuntimeError(f"ParameterSpace::set_index_parameter: could not set parameter {name} of {index!r}")

    def update_bounds(self, cno: int, op: OperatingPoint, upper_bound_perf: float, lower_bound_t: float) -> Any:
        """Narrows what is known of a setting by another one that was tried."""
        if self.combination_ge(cno, op.cno):
            lower_bound_t = max(lower_bound_t, op.t)
        if self.combination_ge(op.cno, cno):
            upper_bound_perf = min(upper_bound_perf, op.perf)
        return upper_bound_perf, lower_bound_t

    def explore(self, index: Any, xq: Any, crit: AutoTuneCriterion) -> OperatingPoints:
        """Tries settings, leaving out those that cannot be worth it; `n_experiments` at most, 0 for all.

        Raises:
            AssertionError: the queries are not as many as the criterion's.
        """
        queries = np.ascontiguousarray(xq)
        assert len(queries) == crit.nq, f"expected {crit.nq} queries, got {len(queries)}"
        count = self.n_combinations()
        points = OperatingPoints()
        for number in self._order(count):
            best, fastest = 1.0, 0.0
            for point in points.all_pts:
                best, fastest = self.update_bounds(number, point, best, fastest)
            if not points.all_pts or points.t_for_perf(best) > fastest:
                self._try(index, queries, crit, number, points)
        return points

    def _order(self, count: int) -> list[int]:
        """The fastest, the most thorough, and then at random."""
        if self.n_experiments <= 0 or self.n_experiments >= count:
            total = count
        else:
            total = self.n_experiments
        between = np.random.RandomState(1234).permutation(np.arange(1, count - 1)).tolist() if count > 2 else []
        return [*dict.fromkeys([0, count - 1]), *between][:total] if count else []

    def _try(self, index: Any, queries: Any, crit: AutoTuneCriterion, number: int, points: OperatingPoints) -> None:
        self.set_index_parameters(index, number)
        took, rounds = 0.0, 0
        while rounds == 0 or took < self.min_test_duration:
            began = time.perf_counter()
            found = [
                index.search(queries[start : start + self.batchsize], crit.nnn)
                for start in range(0, len(queries), self.batchsize)
            ]
            took += time.perf_counter() - began
            rounds += 1
        distances: Floats = np.vstack([distances for distances, _ in found])
        perf = crit.evaluate(distances, np.vstack([labels for _, labels in found]))
        name = self.combination_name(number)
        is_optimal = points.add(perf, took / rounds, name, number)
        if self.verbose > 1:
            print(f"  {number}/{self.n_combinations()}: {name} perf={perf:.3f} t={took / rounds:.3f} s {is_optimal}")


def _powers(first: int, last: float) -> list[float]:
    return list(itertools.takewhile(lambda value: value < last, (float(first << power) for power in range(64))))


def _ranges_of(index: Any) -> list[ParameterRange]:
    if isinstance(index, IndexPreTransform | IndexIDMap):
        return _ranges_of(index.index)
    if isinstance(index, IndexRefine):
        return [ParameterRange("k_factor_rf", _powers(1, 65)), *_ranges_of(index.base_index)]
    if isinstance(index, Many):
        return _ranges_of(index.at(0)) if index.count() else []
    if isinstance(index, IndexIVF):
        own = [ParameterRange("nprobe", _powers(1, min(index.nlist, 4097)))]
        if isinstance(index, IndexIVFPQR):
            own.append(ParameterRange("k_factor", _powers(1, 65)))
        within = _ranges_of(index.quantizer)
        return [*own, *(ParameterRange("quantizer_" + each.name, list(each.values)) for each in within)]
    if isinstance(index, IndexHNSW):
        return [ParameterRange("efSearch", _powers(4, 513))]
    if isinstance(index, IndexNSG):
        return [ParameterRange("search_L", _powers(4, 513))]
    if isinstance(index, IndexNear):
        return [ParameterRange(name, ladder) for name, _, _, ladder in index._live.knobs() if len(ladder) > 1]
    return []


def _set(index: Any, name: str, value: float) -> bool:
    """Sets a parameter of an index or of one within; says whether there is one."""
    if isinstance(index, IndexPreTransform | IndexIDMap):
        return _set(index.index, name, value)
    if isinstance(index, IndexRefine):
        if name == "k_factor_rf":
            index.k_factor = value
            return True
        return _set(index.base_index, name, value)
    if isinstance(index, Many):
        return index.count() > 0 and all([_set(part, name, value) for part in index._parts])
    if isinstance(index, IndexNear):
        return index._tell(name, value)
    if name.startswith("quantizer_") and isinstance(index, IndexIVF):
        return _set(index.quantizer, name.removeprefix("quantizer_"), value)
    if name == "nprobe" and hasattr(type(index), "nprobe"):
        index.nprobe = int(value)
    elif name == "k_factor" and isinstance(index, IndexIVFPQR):
        index.k_factor = value
    elif name == "max_codes" and hasattr(type(index), "max_codes"):
        index.max_codes = 0 if math.isinf(value) else int(value)
    elif name in ("efSearch", "efConstruction") and isinstance(index, IndexHNSW | IndexBinaryHNSW):
        setattr(index.hnsw, name, int(value))
    elif name == "search_L" and isinstance(index, IndexNSG):
        index.nsg.search_L = int(value)
    elif name == "ht" and isinstance(index, IndexPQ | IndexIVFPQ):
        index.polysemous_ht = int(value)
    else:
        return False
    return True
