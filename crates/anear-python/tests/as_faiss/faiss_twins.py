"""The same calls to Faiss and to anear: data, outcomes and how they are compared."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import anear
from anear import _native

D = 16


def upstream() -> ModuleType:
    """Faiss itself; without it the test is skipped, unless ANEAR_REQUIRE promises it."""
    try:
        import faiss
    except ImportError as error:
        if "upstream" in os.environ.get("ANEAR_REQUIRE", ""):
            pytest.fail(f"ANEAR_REQUIRE promises upstream, but {error}")
        pytest.skip(f"{error}: parity with Faiss is not tested")
    faiss.omp_set_num_threads(2)
    return faiss


def known(spec: str) -> str:
    """The factory string; the test is skipped if the engine does not know it yet."""
    try:
        _native.check_spec(spec)
    except RuntimeError as error:
        pytest.skip(f"the engine has no {spec} yet: {error}")
    return spec


def vectors(count: int, seed: int = 1, width: int = D) -> Any:
    """Vectors in some clusters."""
    random = np.random.RandomState(seed)
    centers = 4 * np.random.RandomState(99).normal(size=(20, width))
    return (centers[random.randint(20, size=count)] + random.normal(size=(count, width))).astype(np.float32)


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the exception that it raises."""
    try:
        return call()
    except Exception as error:
        return error


def check_alike(ours: Any, theirs: Any, *, exact: bool = True) -> None:
    """Both are of one kind: same shapes and types of arrays, same values, same exceptions."""
    if isinstance(theirs, Exception) or isinstance(ours, Exception):
        assert isinstance(ours, type(theirs)) and isinstance(theirs, type(ours)), f"{ours!r}, Faiss: {theirs!r}"
        return
    if isinstance(theirs, tuple):
        assert isinstance(ours, tuple) and len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            check_alike(mine, other, exact=exact)
        return
    if isinstance(theirs, np.ndarray):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        if exact and theirs.dtype.kind == "f":
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
        elif exact:
            np.testing.assert_array_equal(ours, theirs)
        return
    if exact:
        assert ours == theirs


def both(call: Callable[[Any], Any], *, exact: bool = True) -> None:
    """`call(anear)` and `call(faiss)` have alike outcomes."""
    theirs = upstream()
    check_alike(outcome(lambda: call(anear)), outcome(lambda: call(theirs)), exact=exact)


def recall(found: Any, truth: Any) -> float:
    """Which share of the right ids was found."""
    pairs = zip(found.tolist(), truth.tolist(), strict=True)
    return sum(len(set(row) & set(right)) for row, right in pairs) / truth.size
