"""Search parameters by name, and what they are worth."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ._functions import eval_intersection
from ._index import Index


class OperatingPoint:
    """What a setting reached, in what time."""

    def __init__(self, perf: float, t: float, key: str, cno: int) -> None:
        self.perf, self.t, self.key, self.cno = perf, t, key, cno


class OperatingPoints:
    """Settings that were tried, and those of them that no other beats."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets everything; doing nothing reaches nothing in no time."""
        self.all_pts: list[OperatingPoint] = []
        self.optimal_pts: list[OperatingPoint] = [OperatingPoint(0.0, 0.0, "", -1)]

    def add(self, perf: float, t: float, key: str, cno: int = 0) -> bool:
        """Takes in a setting; says whether no other beats it."""
        point = OperatingPoint(perf, t, key, cno)
        self.all_pts.append(point)
        if perf == 0 or any(other.perf >= perf and other.t <= t for other in self.optimal_pts if other.perf > 0):
            return False
        kept = [other for other in self.optimal_pts if not (perf >= other.perf > 0 and t <= other.t)]
        self.optimal_pts = sorted([*kept, point], key=lambda other: other.perf)
        return True

    def merge_with(self, other: OperatingPoints, prefix: str = "") -> int:
        """Takes in the settings of others; returns how many of them nothing beats."""
        return sum(self.add(point.perf, point.t, prefix + point.key, point.cno) for point in other.all_pts)

    def t_for_perf(self, perf: float) -> float:
        """The least time in which `perf` is reached."""
        times = [point.t for point in self.optimal_pts if point.perf >= perf]
        return min(times, default=1e50)

    def display(self, only_optimal: bool = True) -> None:
        """Prints the settings."""
        for point in self.optimal_pts if only_optimal else self.all_pts:
            print(f"cno={point.cno} key={point.key} perf={point.perf:.4f} t={point.t:.3f}")


class AutoTuneCriterion:
    """What results are worth."""

    def __init__(self, nq: int, nnn: int) -> None:
        self.nq, self.nnn = nq, nnn
        self.gt_D: Any = None
        self.gt_I: Any = None

    def set_groundtruth(self, D: Any, I: Any) -> None:
        """What there is to find."""
        assert I.shape[0] == self.nq, f"expected {self.nq} rows, got {I.shape[0]}"
        self.gt_D, self.gt_I = D, I

    def evaluate(self, D: Any, I: Any) -> float:
        """What results are worth, from 0 to 1."""
        raise NotImplementedError


class OneRecallAtRCriterion(AutoTuneCriterion):
    """How often the nearest is among the first `R`."""

    def __init__(self, nq: int, R: int) -> None:
        super().__init__(nq, R)
        self.R = R

    def evaluate(self, D: Any, I: Any) -> float:
        """The share of queries whose nearest was found."""
        return float((I[:, : self.R] == self.gt_I[:, :1]).any(axis=1).mean())


class IntersectionCriterion(AutoTuneCriterion):
    """How many of the `R` nearest are among the first `R`."""

    def __init__(self, nq: int, R: int) -> None:
        super().__init__(nq, R)
        self.R = R

    def evaluate(self, D: Any, I: Any) -> float:
        """The share of neighbors that were found."""
        return eval_intersection(self.gt_I[:, : self.R], I[:, : self.R]) / (self.nq * self.R)


class ParameterRange:
    """Values worth trying of one parameter."""

    def __init__(self, name: str, values: list[float]) -> None:
        self.name, self.values = name, values


class ParameterSpace:
    """The search parameters of an index, by name."""

    def __init__(self) -> None:
        self.parameter_ranges: list[ParameterRange] = []
        self.verbose = 1
        self.n_experiments = 500
        self.batchsize = 1 << 30
        self.thread_over_batches = False
        self.min_test_duration = 0.0

    def initialize(self, index: Index) -> None:
        """Learns which parameters the index has and what they can be."""
        for name, ladder in index._trained().ladders().items():
            values = [value for value in ladder if np.isfinite(value)]
            if name == "nprobe":
                values = [value for value in values if value < getattr(index, "nlist", 1 << 30)]
            if name != "efConstruction" and len(values) > 1:
                self.add_range(name).values = values

    def add_range(self, name: str) -> ParameterRange:
        """The range of a parameter, new if there was none."""
        for known in self.parameter_ranges:
            if known.name == name:
                return known
        self.parameter_ranges.append(ParameterRange(name, []))
        return self.parameter_ranges[-1]

    def n_combinations(self) -> int:
        """How many settings there are."""
        return int(np.prod([len(known.values) for known in self.parameter_ranges], dtype=np.int64))

    def _combination(self, cno: int) -> dict[str, float]:
        chosen = {}
        for known in self.parameter_ranges:
            cno, which = divmod(cno, len(known.values))
            chosen[known.name] = known.values[which]
        return chosen

    def combination_name(self, cno: int) -> str:
        """A setting as text."""
        return ",".join(f"{name}={value:g}" for name, value in self._combination(cno).items())

    def combination_ge(self, c1: int, c2: int) -> bool:
        """Whether the first setting is at least as thorough in everything."""
        one, other = self._combination(c1), self._combination(c2)
        return all(one[name] >= other[name] for name in one)

    def set_index_parameters(self, index: Index, cno_or_str: int | str) -> None:
        """Sets all parameters of a setting, by its number or as text: `nprobe=16,efSearch=64`."""
        if isinstance(cno_or_str, str):
            for part in cno_or_str.split(","):
                name, separator, value = part.partition("=")
                if not separator:
                    raise RuntimeError(f"expected name=value, got {part!r}")
                self.set_index_parameter(index, name.strip(), float(value))
        else:
            for name, number in self._combination(cno_or_str).items():
                self.set_index_parameter(index, name, number)

    def set_index_parameter(self, index: Index, name: str, val: float) -> None:
        """Sets one parameter, also of an index within."""
        if name == "verbose":
            index.verbose = bool(val)
            return
        if name == "max_codes" and val == 0:
            val = float("inf")
        index._trained().set_knob(name, float(val))
        index._set[name] = float(val)

    def explore(self, index: Index, xq: Any, crit: AutoTuneCriterion) -> OperatingPoints:
        """Tries settings and tells what each is worth; those that cannot be the best any more are left out."""
        points = OperatingPoints()
        total = self.n_combinations()
        order = [0, total - 1] if total > 1 else [0]
        rest = np.random.default_rng(1234).permutation(np.arange(1, max(total - 1, 1)))
        order.extend(int(cno) for cno in rest if total > 2)
        limit = len(order) if self.n_experiments == 0 else min(self.n_experiments, len(order))
        for cno in order[:limit]:
            if self._is_beaten(points, cno):
                continue
            self.set_index_parameters(index, cno)
            start = time.perf_counter()
            D, I = index.search(xq, crit.nnn)
            spent = time.perf_counter() - start
            points.add(crit.evaluate(D, I), spent, self.combination_name(cno), cno)
        return points

    def _is_beaten(self, points: OperatingPoints, cno: int) -> bool:
        """Whether more thorough settings reached no more than faster ones."""
        most = min((p.perf for p in points.all_pts if self.combination_ge(p.cno, cno)), default=1.0)
        least = max((p.t for p in points.all_pts if self.combination_ge(cno, p.cno)), default=0.0)
        return any(p.perf >= most and p.t <= least for p in points.all_pts)
