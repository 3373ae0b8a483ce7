"""Exact comparison in levels: the answers of Faiss, and of the same index without levels."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, check_alike, outcome, upstream, vectors

import anear

BASE = vectors(1500)
QUERIES = vectors(40, 2)

# Factory string, its metric, and the same without levels.
KINDS = [
    ("FlatL2Panorama4", 1, "Flat"),
    ("FlatL2Panorama4_64", 1, "Flat"),
    ("FlatIPPanorama3", 0, "Flat"),
    ("IVF8,FlatPanorama4", 1, "IVF8,Flat"),
    ("IVF8,FlatPanorama", 0, "IVF8,Flat"),
    ("HNSW8,FlatPanorama4", 1, "HNSW8,Flat"),
    ("PCA8,FlatL2Panorama2", 1, "PCA8,Flat"),
]


def filled(module: Any, spec: str, metric: int) -> Any:
    index = module.index_factory(D, spec, metric)
    index.train(BASE)
    index.add(BASE)
    return index


@pytest.mark.parametrize(("spec", "metric", "plain"), KINDS)
def test_levels_change_no_answer(spec: str, metric: int, plain: str) -> None:
    index, without = (filled(anear, each, metric) for each in (spec, plain))
    assert type(index).__name__ == type(filled(upstream(), spec, metric)).__name__
    check_alike(index.search(QUERIES, 7), without.search(QUERIES, 7))
    check_alike(index.range_search(QUERIES, 9.0), without.range_search(QUERIES, 9.0))
    again = pickle.loads(pickle.dumps(index))
    check_alike(again.search(QUERIES, 7), without.search(QUERIES, 7))
    assert type(again) is type(index)


def test_exact_answers_and_attributes_are_those_of_faiss() -> None:
    def answers(module: Any) -> Any:
        index = module.IndexFlatL2Panorama(D, 5)
        index.add(BASE)
        index.remove_ids(np.arange(20))
        return (*index.search(QUERIES, 5), index.reconstruct(3), np.array([index.n_levels, index.batch_size]))

    both(answers)


def test_levels_must_fit_the_width() -> None:
    for levels in (0, D + 1):
        both(lambda m, levels=levels: m.IndexFlatL2Panorama(D, levels))
    for spec in ("FlatL2Panorama", "FlatPanorama4"):
        ours, theirs = (outcome(lambda m=module, s=spec: m.index_factory(D, s)) for module in (anear, upstream()))
        assert type(ours) is type(theirs) is RuntimeError, spec
