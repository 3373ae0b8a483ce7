"""Which ids may be found or removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, check_alike, known, outcome, vectors

import anear

BASE = vectors(300)
QUERIES = vectors(20, 2)
# Each once: an id that is twice in an IDSelectorArray, some of Faiss's searches find twice.
IDS = np.array([3, 5, 80, 81, 82, 200, 299])
MARKS = np.packbits(np.arange(304) % 3 == 1, bitorder="little")

SELECTORS: dict[str, Callable[[Any], Any]] = {
    "all": lambda m: m.IDSelectorAll(),
    "range": lambda m: m.IDSelectorRange(20, 120),
    "empty range": lambda m: m.IDSelectorRange(20, 20),
    "array": lambda m: m.IDSelectorArray(IDS),
    "batch": lambda m: m.IDSelectorBatch(IDS),
    "bitmap": lambda m: m.IDSelectorBitmap(MARKS),
    "not": lambda m: m.IDSelectorNot(m.IDSelectorRange(20, 280)),
    "and": lambda m: m.IDSelectorAnd(m.IDSelectorBatch(IDS), m.IDSelectorRange(50, 250)),
    "or": lambda m: m.IDSelectorOr(m.IDSelectorBatch(IDS), m.IDSelectorRange(50, 60)),
    "xor": lambda m: m.IDSelectorXOr(m.IDSelectorBatch(IDS), m.IDSelectorRange(50, 250)),
}


@pytest.mark.parametrize("make", SELECTORS.values(), ids=SELECTORS.keys())
def test_a_selector_admits_what_faisss_admits(make: Callable[[Any], Any]) -> None:
    both(lambda module: tuple(make(module).is_member(id_) for id_ in range(300)))


@pytest.mark.parametrize("make", SELECTORS.values(), ids=SELECTORS.keys())
@pytest.mark.parametrize("spec", ["Flat", "IDMap,Flat", "IDMap2,Flat"])
def test_a_search_finds_what_is_selected(make: Callable[[Any], Any], spec: str) -> None:
    def call(module: Any) -> Any:
        index = module.index_factory(D, spec)
        if "IDMap" in spec:
            index.add_with_ids(BASE, np.arange(300)[::-1].copy())
        else:
            index.add(BASE)
        # Faiss must be told that the selector lives on.
        selector = make(module)
        params = module.SearchParameters(sel=selector)
        return index.search(QUERIES, 12, params=params), index.range_search(QUERIES, 60.0, params=params)

    both(call)


@pytest.mark.parametrize("make", SELECTORS.values(), ids=SELECTORS.keys())
@pytest.mark.parametrize("spec", ["Flat", "IDMap,Flat"])
def test_what_is_selected_is_removed(make: Callable[[Any], Any], spec: str) -> None:
    def call(module: Any) -> Any:
        index = module.index_factory(D, spec)
        if "IDMap" in spec:
            index.add_with_ids(BASE, np.arange(300)[::-1].copy())
        else:
            index.add(BASE)
        return index.remove_ids(make(module)), index.ntotal, index.search(QUERIES, 12)

    both(call)


@pytest.mark.parametrize("make", SELECTORS.values(), ids=SELECTORS.keys())
def test_an_inverted_file_searches_among_what_is_selected(make: Callable[[Any], Any]) -> None:
    known("IVF4,Flat")

    def call(module: Any) -> Any:
        index = module.IndexIVFFlat(module.IndexFlatL2(D), D, 4)
        index.quantizer.add(vectors(4, 7))
        index.train(BASE)
        index.add(BASE)
        selector = make(module)
        return index.search(QUERIES, 12, params=module.SearchParametersIVF(sel=selector, nprobe=4))

    both(call)


def test_a_function_selects() -> None:
    index = anear.IndexFlatL2(D)
    index.add(BASE)
    params = anear.SearchParameters(sel=anear.PyCallbackIDSelector(lambda id_: id_ % 7 == 0))
    expected = index.search(QUERIES, 5, params=anear.SearchParameters(sel=anear.IDSelectorBatch(np.arange(0, 300, 7))))
    check_alike(index.search(QUERIES, 5, params=params), expected)


def test_unknown_parameters_are_refused() -> None:
    both(lambda module: module.SearchParametersIVF(nprob=3))
    assert "did you mean nprobe" in str(outcome(lambda: anear.SearchParametersIVF(nprob=3)))
    assert isinstance(outcome(lambda: setattr(anear.SearchParametersIVF(), "nprob", 3)), AttributeError)


def test_only_python_functions_have_the_ids_of_an_index_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(8).random((200, 8), dtype=np.float32)
    index = anear.index_factory(8, "IVF4,Flat")
    index.train(vectors)
    index.add(vectors)
    gathered: list[int] = []
    own_ids = type(index)._own_ids
    monkeypatch.setattr(type(index), "_own_ids", lambda self: gathered.append(1) or own_ids(self))
    one = anear.IDSelectorNot(anear.IDSelectorAnd(anear.IDSelectorRange(3, 9), anear.IDSelectorBatch([4, 5])))
    index.search(vectors[:2], 3, params=anear.SearchParametersIVF(sel=one))
    assert not gathered
    even = anear.PyCallbackIDSelector(lambda id_: id_ % 2 == 0)
    found = index.search(vectors[:2], 3, params=anear.SearchParametersIVF(sel=even, nprobe=4))[1]
    assert gathered and not (found % 2).any()


def test_what_is_no_selector_and_no_id_is_refused() -> None:
    class Odd(anear.IDSelector):
        def is_member(self, id: Any) -> bool:
            return id % 2 == 1

    index = anear.IndexFlatL2(D)
    index.add(vectors(20))
    with pytest.raises(TypeError, match=r"Odd is no rule of its own; PyCallbackIDSelector\(function\) asks a function"):
        index.search(vectors(1), 1, params=anear.SearchParameters(sel=Odd()))
    for wrong in (lambda: anear.IDSelectorNot([1]), lambda: anear.IDSelectorAnd(anear.IDSelectorAll(), "x")):
        with pytest.raises(TypeError, match=r"expected a selector as IDSelectorBatch\(ids\), got"):
            wrong()
    with pytest.raises(TypeError, match="expected a function of an id, got int"):
        anear.PyCallbackIDSelector(3)  # type: ignore[arg-type]
    mask = np.arange(20) > 15
    for told in (lambda: index.remove_ids(mask), lambda: anear.IDSelectorBatch(mask)):
        with pytest.raises(AssertionError, match=r"expected ids, got a mask: np.flatnonzero\(mask\)"):
            told()
    with pytest.raises(AssertionError, match="ids are whole numbers, got 7.9"):
        index.remove_ids(np.array([7.9]))
    with pytest.raises(TypeError):
        anear.IDSelectorRange(0.5, 2)  # type: ignore[arg-type]
    assert index.ntotal == 20
