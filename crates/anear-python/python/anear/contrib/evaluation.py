"""How good answers are, and which settings are worth it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..faiss._functions import eval_intersection, omp_get_max_threads, omp_set_num_threads

Array = npt.NDArray[Any]


def knn_intersection_measure(I1: Any, I2: Any) -> float:
    """Which share of the ids of one table of answers is in the same row of the other.

    >>> knn_intersection_measure(np.array([[1, 2]]), np.array([[2, 3]]))
    0.5
    """
    nq, rank = np.shape(I1)
    assert np.shape(I2) == (nq, rank), f"expected tables of one shape, got {np.shape(I1)} and {np.shape(I2)}"
    return float(eval_intersection(I1, I2) / (rank * nq))


def filter_range_results(lims: Any, D: Any, I: Any, thresh: float) -> tuple[Array, Array, Array]:
    """Those results of a range search whose distance is below a threshold."""
    distances, bounds = np.asarray(D), np.asarray(lims).astype(np.int64)
    keep = distances < thresh
    kept = np.concatenate([[0], np.cumsum(keep)])
    return kept[bounds].astype(np.asarray(lims).dtype), distances[keep], np.asarray(I)[keep]


def counts_to_PR(ngt: Any, nres: Any, ninter: Any, mode: str = "overall") -> tuple[Any, Any]:
    """Precision and recall of queries with `ngt` right answers, `nres` answers, and `ninter` right ones among these.

    Raises:
        AssertionError: the mode is neither `overall` nor `average`.
    """
    assert mode in ("overall", "average"), f"the mode is 'overall' or 'average', not {mode!r}"
    right, given, both = (np.asarray(counts) for counts in (ngt, nres, ninter))
    if mode == "overall":
        right, given, both = right.sum(), given.sum(), both.sum()
        return (both / given if given > 0 else 1.0), (both / right if right > 0 else 1.0)
    precision = np.where(given == 0, 1.0, both / np.maximum(given, 1))
    recall = np.where(right == 0, 1.0, both / np.maximum(right, 1))
    return precision.mean(), recall.mean()


def _rows(lims: Any, values: Any) -> list[Array]:
    bounds = np.asarray(lims).astype(np.int64)
    return [np.asarray(values)[start:stop] for start, stop in zip(bounds, bounds[1:], strict=False)]


def range_PR(lims_ref: Any, Iref: Any, lims_new: Any, Inew: Any, mode: str = "overall") -> tuple[Any, Any]:
    """Precision and recall of the results of a range search, beside those of an exact one."""
    pairs = zip(_rows(lims_ref, Iref), _rows(lims_new, Inew), strict=True)
    both = np.array([len(np.intersect1d(right, given)) for right, given in pairs])
    sizes = [np.diff(np.asarray(lims).astype(np.int64)) for lims in (lims_ref, lims_new)]
    return counts_to_PR(sizes[0], sizes[1], both, mode)


def range_PR_multiple_thresholds(
    lims_ref: Any,
    Iref: Any,
    lims_new: Any,
    Dnew: Any,
    Inew: Any,
    thresholds: Any,
    mode: str = "overall",
    do_sort: str = "ref,new",
) -> tuple[Array, Array]:
    """Precisions and recalls of the results of a range search, cut at several thresholds."""
    precisions, recalls = np.zeros(len(thresholds)), np.zeros(len(thresholds))
    for at, threshold in enumerate(thresholds):
        lims, _, ids = filter_range_results(lims_new, Dnew, Inew, threshold)
        precisions[at], recalls[at] = range_PR(lims_ref, Iref, lims, ids, mode)
    return precisions, recalls


def sort_range_res_1(lims: Any, I: Any) -> Array:
    """The ids of a range search, those of each query in order."""
    return np.concatenate([np.asarray(I)[:0], *(np.sort(row) for row in _rows(lims, I))])


def sort_range_res_2(lims: Any, D: Any, I: Any) -> tuple[Array, Array]:
    """Ids and distances of a range search, in this order; those of each query by distance and then by id."""
    orders = [np.lexsort((ids, dis)) for dis, ids in zip(_rows(lims, D), _rows(lims, I), strict=True)]
    distances = [row[order] for row, order in zip(_rows(lims, D), orders, strict=True)]
    ids = [row[order] for row, order in zip(_rows(lims, I), orders, strict=True)]
    return np.concatenate([np.asarray(I)[:0], *ids]), np.concatenate([np.asarray(D)[:0], *distances])


def check_ref_knn_with_draws(Dref: Any, Iref: Any, Dnew: Any, Inew: Any, rtol: float = 1e-5, atol: float = 0) -> None:
    """Raises AssertionError unless two tables of answers are the same, equal distances in any order."""
    np.testing.assert_allclose(Dref, Dnew, rtol=rtol, atol=atol)
    for right_distances, right, given in zip(np.asarray(Dref), np.asarray(Iref), np.asarray(Inew), strict=True):
        for value in np.unique(right_distances):
            at = right_distances == value
            # The last of equal distances may be others than those that did not fit.
            if value != right_distances[-1]:
                assert set(right[at].tolist()) == set(given[at].tolist()), f"ids at distance {value} differ"


def check_ref_range_results(Lref: Any, Dref: Any, Iref: Any, Lnew: Any, Dnew: Any, Inew: Any) -> None:
    """Raises AssertionError unless the results of two range searches are the same, in any order."""
    np.testing.assert_array_equal(np.asarray(Lref), np.asarray(Lnew))
    pairs = zip(_rows(Lref, Dref), _rows(Lref, Iref), _rows(Lnew, Dnew), _rows(Lnew, Inew), strict=True)
    for right_distances, right, distances, given in pairs:
        one, other = np.argsort(right), np.argsort(given)
        np.testing.assert_array_equal(right[one], given[other])
        np.testing.assert_allclose(right_distances[one], distances[other], rtol=1e-5, atol=1e-5)


class OperatingPoints:
    """Settings, with how good they are and how long they take; those are optimal that no other one beats in both."""

    def __init__(self) -> None:
        """Holds none yet."""
        self.operating_points: list[tuple[Any, float, float]] = []
        self.suboptimal_points: list[tuple[Any, float, float]] = []

    def compare_keys(self, k1: Any, k2: Any) -> int:
        """1 if the first setting must be the better and slower one, -1 if the second, 0 if nobody knows, 2 if equal."""
        raise NotImplementedError

    def do_nothing_key(self) -> Any:
        """The fastest setting."""
        raise NotImplementedError

    def is_pareto_optimal(self, perf_new: float, t_new: float) -> bool:
        """Whether no setting so far is better and faster."""
        return not any(perf >= perf_new and t <= t_new for _, perf, t in self.operating_points)

    def predict_bounds(self, key: Any) -> tuple[float, float]:
        """How good a setting can be at most, and how fast."""
        best, fastest = 1.0, 0.0
        for other, perf, t in [*self.operating_points, *self.suboptimal_points]:
            order = self.compare_keys(key, other)
            if order > 0:
                fastest = max(fastest, t)
            if order < 0:
                best = min(best, perf)
        return best, fastest

    def should_run_experiment(self, key: Any) -> bool:
        """Whether a setting may be optimal."""
        return self.is_pareto_optimal(*self.predict_bounds(key))

    def add_operating_point(self, key: Any, perf: float, t: float) -> bool:
        """Adds a setting; says whether it is optimal."""
        if not self.is_pareto_optimal(perf, t):
            self.suboptimal_points.append((key, perf, t))
            return False
        beaten = [point for point in self.operating_points if point[1] <= perf and point[2] >= t]
        self.operating_points = [point for point in self.operating_points if point not in beaten]
        self.suboptimal_points += beaten
        self.operating_points.append((key, perf, t))
        return True


class OperatingPointsWithRanges(OperatingPoints):
    """Settings of parameters that have a few values each, from fast to thorough; a setting is an array of places."""

    def __init__(self) -> None:
        """Knows no parameter yet."""
        super().__init__()
        self.ranges: list[tuple[str, list[Any]]] = []

    def add_range(self, name: str, values: Any) -> None:
        """Adds a parameter and its values."""
        self.ranges.append((name, list(values)))

    def compare_keys(self, k1: Any, k2: Any) -> int:
        """1 if all values of the first setting are at least those of the second, -1 if at most, 0 otherwise."""
        one, other = np.asarray(k1), np.asarray(k2)
        if (one >= other).all():
            return 1
        return -1 if (one <= other).all() else 0

    def do_nothing_key(self) -> Array:
        """The fastest setting."""
        return np.zeros(len(self.ranges), dtype=int)

    def num_experiments(self) -> int:
        """How many settings there are."""
        return int(np.prod([len(values) for _, values in self.ranges]))

    def sample_experiments(self, n_autotune: int, rs: Any = np.random) -> list[int]:
        """Numbers of settings to try: the fastest, the most thorough, then at random; all if `n_autotune` is 0."""
        count = self.num_experiments()
        wanted = count if n_autotune == 0 else min(n_autotune, count)
        between = (rs.permutation(count - 2) + 1).tolist() if count > 2 else []
        return [*dict.fromkeys([0, count - 1]), *between][:wanted]

    def cno_to_key(self, cno: int) -> Array:
        """The setting of a number."""
        key = self.do_nothing_key()
        for at, (_, values) in enumerate(self.ranges):
            cno, key[at] = divmod(cno, len(values))
        assert cno == 0, "there is no setting of this number"
        return key

    def get_parameters(self, k: Any) -> dict[str, Any]:
        """The values of a setting, by name."""
        return {name: values[at] for (name, values), at in zip(self.ranges, k, strict=True)}

    def restrict_range(self, name: str, max_val: float) -> None:
        """Leaves out the values of a parameter from `max_val` on.

        Raises:
            RuntimeError: there is no such parameter.
        """
        for at, (own, values) in enumerate(self.ranges):
            if own == name:
                self.ranges[at] = (name, [value for value in values if value < max_val])
                return
        raise RuntimeError(f"parameter {name} not found")


class TimerIter:
    """Goes round as often as a timer wants, and measures."""

    def __init__(self, timer: RepeatTimer) -> None:
        """Measures for `timer`."""
        self.timer = timer
        self.rounds = timer.runs
        if timer.nt > 0:
            omp_set_num_threads(timer.nt)
        self.started = time.perf_counter()
        self.first = self.started

    def __iter__(self) -> Iterator[None]:
        return self

    def __next__(self) -> None:
        now = time.perf_counter()
        round_before = self.timer.runs - self.rounds - 1
        if round_before >= self.timer.warmup:
            self.timer.ts.append(now - self.started)
        if self.rounds == 0 or (self.timer.ts and now - self.first > self.timer.max_secs):
            if self.timer.nt > 0:
                omp_set_num_threads(self.timer.remember_nt)
            raise StopIteration
        self.rounds -= 1
        self.started = time.perf_counter()


class RepeatTimer:
    """Measures what is done in `for _ in timer:`, some rounds of warming up not counted."""

    def __init__(self, warmup: int = 0, nt: int = -1, runs: int = 1, max_secs: float = np.inf) -> None:
        """Goes round `runs` times on `nt` threads, the first `warmup` not counted, `max_secs` long at most."""
        assert 0 <= warmup < runs, "at least one round must count"
        self.warmup, self.nt, self.runs, self.max_secs = warmup, nt, runs, max_secs
        self.remember_nt = omp_get_max_threads()
        self.ts: list[float] = []

    def __iter__(self) -> TimerIter:
        self.ts = []
        return TimerIter(self)

    def ms(self) -> float:
        """Milliseconds of a round, on average."""
        return float(np.mean(self.ts)) * 1000

    def ms_std(self) -> float:
        """How far rounds are from the average, in milliseconds."""
        return float(np.std(self.ts)) * 1000 if len(self.ts) > 1 else 0.0

    def nruns(self) -> int:
        """How many rounds counted."""
        return len(self.ts)
