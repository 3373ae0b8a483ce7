"""Combined centroids, rows scaled to their own range, two layers: as in Faiss."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, check_alike, outcome, recall, upstream, vectors

import anear

BASE = vectors(1500)
TRAIN = vectors(1200, 3)
QUERIES = vectors(40, 2)


def trained(module: Any, spec: str) -> Any:
    index = module.index_factory(D, spec)
    index.train(TRAIN)
    return index


@pytest.mark.parametrize("spec", ["IMI2x4,Flat", "IMI2x3,SQ8", "IVF64(RCQ2x3),Flat", "IVF64(RCQ1x2_1x4),Flat"])
def test_lists_of_combined_centroids_find_as_much_as_faisss(spec: str) -> None:
    ours, theirs = (trained(module, spec) for module in (anear, upstream()))
    for index in (ours, theirs):
        index.add(BASE)
        index.nprobe = 8
    assert (ours.nlist, ours.ntotal, ours.quantizer.ntotal) == (theirs.nlist, 1500, theirs.quantizer.ntotal)
    assert type(ours.quantizer) is getattr(anear, type(upstream().downcast_index(theirs.quantizer)).__name__)
    right = anear.knn(QUERIES, BASE, 10)[1]
    assert recall(ours.search(QUERIES, 10)[1], right) > recall(theirs.search(QUERIES, 10)[1], right) - 0.1
    again = pickle.loads(pickle.dumps(ours))
    check_alike(again.search(QUERIES, 5), ours.search(QUERIES, 5))


@pytest.mark.parametrize("name", ["MultiIndexQuantizer", "ResidualCoarseQuantizer", "LocalSearchCoarseQuantizer"])
def test_a_coarse_quantizer_is_searched_exactly_and_numbers_its_centroids_as_codes(name: str) -> None:
    coarse = getattr(anear, name)(D, 2, 4)
    assert coarse.ntotal == 0 and isinstance(outcome(lambda: coarse.search(QUERIES, 3)), RuntimeError)
    coarse.train(TRAIN)
    every = coarse.reconstruct_n(0, 256)
    check_alike(coarse.search(QUERIES, 7), anear.knn(QUERIES, every, 7))
    if name == "MultiIndexQuantizer":
        books = coarse.pq.centroids._values.reshape(2, 16, -1)
        np.testing.assert_array_equal(every[0x5C], np.concatenate([books[0, 0xC], books[1, 0x5]]))
    assert isinstance(outcome(lambda: coarse.add(QUERIES)), RuntimeError)


@pytest.mark.parametrize("spec", ["MinMax,SQ8", "MinMaxFP16,SQ8", "MinMax,SQ4", "MinMax,PQ4x4", "MinMaxFP16,SQfp16"])
def test_rows_are_scaled_to_their_own_range_as_in_faiss(spec: str) -> None:
    ours, theirs = (trained(module, spec) for module in (anear, upstream()))
    assert type(ours).__name__ == type(theirs).__name__
    mine, other = ours.sa_encode(QUERIES), theirs.sa_encode(QUERIES)
    width = ours.sa_code_size() - ours.index.sa_code_size()
    assert mine.shape == other.shape
    np.testing.assert_array_equal(mine[:, :width], other[:, :width])
    losses = [((index.sa_decode(index.sa_encode(BASE)) - BASE) ** 2).sum(1).mean() for index in (ours, theirs)]
    assert losses[0] < 1.2 * losses[1] + 1e-6, losses
    same = np.full((2, D), 3.0, np.float32)
    np.testing.assert_array_equal(ours.sa_decode(ours.sa_encode(same)), same)


def test_what_only_encodes_is_not_filled_or_searched() -> None:
    for call in (lambda i: i.add(BASE), lambda i: i.search(QUERIES, 2), lambda i: i.reconstruct(0)):
        both(lambda m, call=call: call(trained(m, "MinMax,SQ8")))
    both(lambda m: trained(m, "Residual8,PQ4x4").search(QUERIES, 2))


@pytest.mark.parametrize("spec", ["Residual8,PQ4x4", "Residual2x3,PQ4"])
def test_two_layers_give_vectors_back_as_well_as_faisss(spec: str) -> None:
    ours, theirs = (trained(module, spec) for module in (anear, upstream()))
    for index in (ours, theirs):
        index.add(BASE)
    for name in ("ntotal", "code_size", "code_size_1", "code_size_2"):
        assert getattr(ours, name) == getattr(theirs, name), name
    losses = [((index.reconstruct_n(0, 1500) - BASE) ** 2).sum(1).mean() for index in (ours, theirs)]
    assert losses[0] < 1.15 * losses[1], losses
    codes = ours.sa_encode(BASE)
    np.testing.assert_array_equal(codes.ravel(), anear.vector_to_array(ours.codes))
    np.testing.assert_array_equal(ours.sa_decode(codes), ours.reconstruct_n(0, 1500))


def test_two_layers_become_an_inverted_file() -> None:
    layers = trained(anear, "Residual8,PQ4x4")
    layers.add(BASE)
    index = anear.IndexIVFPQ(anear.IndexFlatL2(D), D, 8, 4, 4)
    layers.transfer_to_IVFPQ(index)
    index.nprobe = 8
    assert index.ntotal == 1500
    right = anear.knn(QUERIES, layers.reconstruct_n(0, 1500), 10)[1]
    assert recall(index.search(QUERIES, 10)[1], right) > 0.95
