"""What searches count in `cvar`: as many queries, lists and codes as Faiss's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, upstream, vectors

import anear

BASE = vectors(1500)
QUERIES = vectors(40, 2)


def in_lists(module: Any, codes: str = "Flat") -> Any:
    """An inverted file with the same centroids in both."""
    coarse = module.IndexFlatL2(D)
    coarse.add(BASE[::100])
    index = module.IndexIVFFlat(coarse, D, 15)
    index.train(BASE)
    index.add(BASE)
    index.nprobe = 3
    return index


def counted(module: Any, call: Any) -> tuple[int, ...]:
    index, stats = in_lists(module), module.cvar.indexIVF_stats
    stats.reset()
    call(module, index)
    return stats.nq, stats.nlist, stats.ndis


CALLS: dict[str, Any] = {
    "search": lambda m, index: index.search(QUERIES, 5),
    "range": lambda m, index: index.range_search(QUERIES, 10.0),
    "parameters": lambda m, index: index.search(QUERIES, 5, params=m.SearchParametersIVF(nprobe=7)),
    "max_codes": lambda m, index: index.search(QUERIES, 5, params=m.SearchParametersIVF(nprobe=7, max_codes=200)),
    "twice": lambda m, index: (index.search(QUERIES, 5), index.search(QUERIES[:3], 5)),
    "given": lambda m, index: index.search_preassigned(QUERIES, 5, *index.quantizer.search(QUERIES, 3)[::-1]),
}


@pytest.mark.parametrize("call", CALLS)
def test_inverted_files_count_what_they_visit_as_faiss_does(call: str) -> None:
    ours, theirs = (counted(module, CALLS[call]) for module in (anear, upstream()))
    assert ours[:2] == theirs[:2], (ours, theirs)
    if call != "max_codes":  # Faiss cuts the last list where the number is reached; anear reads it to the end.
        assert ours == theirs
    assert ours[2] > 0


def test_product_codes_count_what_they_compare() -> None:
    def counts(module: Any) -> tuple[int, int]:
        index = module.IndexPQ(D, 4, 4)
        index.train(BASE)
        index.add(BASE)
        module.cvar.indexPQ_stats.reset()
        index.search(QUERIES, 3)
        return module.cvar.indexPQ_stats.nq, module.cvar.indexPQ_stats.ncode

    both(counts)


def test_sizes_of_work_can_be_set_and_a_misspelt_one_is_refused() -> None:
    before = anear.cvar.distance_compute_blas_threshold
    expected = anear.knn(QUERIES, BASE, 3)
    anear.cvar.distance_compute_blas_threshold = 1
    try:
        np.testing.assert_array_equal(anear.knn(QUERIES, BASE, 3)[1], expected[1])
    finally:
        anear.cvar.distance_compute_blas_threshold = before
    with pytest.raises(AttributeError, match="did you mean"):
        anear.cvar.distance_compute_blas_treshold = 1


def test_lists_that_hold_too_few_are_filled_up_as_in_faiss() -> None:
    def few(module: Any) -> Any:
        index = in_lists(module)
        index.nprobe = 1
        plain = index.search(QUERIES, 300)
        chosen = module.SearchParametersIVF(nprobe=2, sel=module.IDSelectorBatch(np.arange(0, 1500, 40)))
        return (*plain, *index.search(QUERIES, 10, params=chosen))

    both(few)
    assert (few(anear)[1] == -1).any() and (few(anear)[3] == -1).any()
