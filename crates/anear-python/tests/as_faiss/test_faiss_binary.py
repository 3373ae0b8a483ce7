"""Indexes of bit vectors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faiss_twins import both, check_alike, recall, upstream

import anear

BASE = np.random.RandomState(0).randint(0, 256, (500, 8)).astype(np.uint8)
QUERIES = np.random.RandomState(1).randint(0, 256, (20, 8)).astype(np.uint8)


def flat(module: Any) -> Any:
    index = module.IndexBinaryFlat(64)
    index.add(BASE)
    return index


CALLS: dict[str, Callable[[Any], Any]] = {
    "search": lambda index: index.search(QUERIES, 5)[0],
    "more than there are": lambda index: index.search(QUERIES, 600)[0][:, :500],
    "range": lambda index: index.range_search(QUERIES, 24)[0],
    "reconstruct": lambda index: index.reconstruct(7),
    "reconstruct all": lambda index: index.reconstruct_n(0, 500),
    "remove": lambda index: (index.remove_ids(np.array([3, 5])), index.ntotal),
    "k zero": lambda index: index.search(QUERIES, 0),
    "other width": lambda index: index.search(QUERIES[:, :3].copy(), 2),
    "one dimension": lambda index: index.search(QUERIES[0], 2),
    "reset": lambda index: (index.reset(), index.ntotal),
    "attributes": lambda index: (index.d, index.ntotal, index.is_trained, index.code_size),
    "add with ids": lambda index: index.add_with_ids(BASE, np.arange(500)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_flat_index_answers_as_faisss(call: Callable[[Any], Any]) -> None:
    both(lambda module: call(flat(module)))


@pytest.mark.parametrize("spec", ["BFlat", "BIVF8", "BIVF8_HNSW8", "BHNSW16", "BHash10", "BHash3x8", "IDMap2,BFlat"])
def test_an_index_finds_about_as_much_as_faisss(spec: str, tmp_path: Path) -> None:
    faiss = upstream()

    def filled(module: Any) -> Any:
        index = module.index_binary_factory(64, spec)
        index.train(BASE)
        if "IDMap" in spec:
            index.add_with_ids(BASE, np.arange(500))
        else:
            index.add(BASE)
        if "IVF" in spec:
            index.nprobe = 8
        if "Hash" in spec:
            index.nflip = 2
        return index

    ours, theirs = filled(anear), filled(faiss)
    assert type(ours).__name__ == type(theirs).__name__
    truth = flat(anear).search(QUERIES, 5)[1]
    mine, other = ours.search(QUERIES, 5), theirs.search(QUERIES, 5)
    assert (mine[0].shape, mine[0].dtype, mine[1].dtype) == (other[0].shape, other[0].dtype, other[1].dtype)
    assert recall(mine[1], truth) >= recall(other[1], truth) - 0.15
    for again in (pickle.loads(pickle.dumps(ours)), anear.deserialize_index_binary(anear.serialize_index_binary(ours))):
        assert type(again) is type(ours)
        if "Hash" in spec:
            again.nflip = 2
        check_alike(again.search(QUERIES, 5), mine)
    anear.write_index_binary(ours, str(tmp_path / "ours"))
    assert faiss.read_index_binary(str(tmp_path / "ours")).ntotal == 500
    faiss.write_index_binary(theirs, str(tmp_path / "theirs"))
    assert anear.read_index_binary(str(tmp_path / "theirs")).ntotal == 500


def test_selectors_restrict_a_search() -> None:
    def call(module: Any) -> Any:
        selector = module.IDSelectorRange(100, 200)
        return flat(module).search(QUERIES, 5, params=module.SearchParameters(sel=selector))[0]

    both(call)
