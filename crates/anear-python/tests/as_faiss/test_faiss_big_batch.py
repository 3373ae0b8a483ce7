"""Searches list by list find what the index finds."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faiss_twins import D, check_alike, upstream, vectors

import anear
from anear.contrib.big_batch_search import big_batch_search

BASE = vectors(1500)
QUERIES = vectors(60, 2)


def filled(module: Any, spec: str, metric: int) -> Any:
    index = module.index_factory(D, spec, metric)
    index.train(BASE)
    index.add(BASE)
    index.nprobe = 3
    return index


@pytest.mark.parametrize("method", ["index", "pairwise_distances", "knn_function"])
@pytest.mark.parametrize(("spec", "metric"), [("IVF12,Flat", 1), ("IVF12,SQ8", 0), ("IVF12,PQ4x4", 1)])
def test_list_by_list_finds_what_a_search_finds(spec: str, metric: int, method: str) -> None:
    index = filled(anear, spec, metric)
    found, expected = big_batch_search(index, QUERIES, 7, method=method), index.search(QUERIES, 7)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-3, atol=1e-3)
    assert (found[1] == expected[1]).mean() > 0.98  # Codes can be equally far.


def test_lists_can_be_given_and_parts_of_them_visited_as_in_faiss() -> None:
    def searched(module: Any) -> Any:
        coarse = module.IndexFlatL2(D)
        coarse.add(BASE[::125])
        index = module.IndexIVFFlat(coarse, D, 12)
        index.add(BASE)
        contrib = import_module(f"{module.__name__}.contrib.big_batch_search")
        given = np.arange(60)[:, None] % 12 + np.zeros((1, 1), np.int64)
        return (
            *contrib.big_batch_search(index, QUERIES, 5, q_assign=given),
            *contrib.big_batch_search(index, QUERIES, 5, start_list=2, end_list=7),
        )

    check_alike(searched(anear), searched(upstream()))


def test_a_search_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    index, path = filled(anear, "IVF12,Flat", 1), str(tmp_path / "found")
    with pytest.raises(ZeroDivisionError):
        big_batch_search(index, QUERIES, 5, checkpoint=path, checkpoint_freq=0, crash_at=8)
    assert Path(path).exists()
    check_alike(big_batch_search(index, QUERIES, 5, checkpoint=path), index.search(QUERIES, 5))
    with pytest.raises(AssertionError):
        big_batch_search(index, QUERIES[:9], 5, checkpoint=path)
    with pytest.raises(AssertionError):
        big_batch_search(index, QUERIES, 5, method="foo")
