"""Product codes with second codes, and graphs of neighbors by Faiss's name: recall, parameters, removal, merging."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from faiss_twins import D, check_alike, outcome, recall, upstream, vectors

import anear
from anear.contrib import factory_tools

BASE, QUERIES = vectors(3000), vectors(50, 2)


def refined(module: Any) -> Any:
    index = module.index_factory(D, "IVF8,PQ4+8")
    index.train(BASE)
    index.nprobe = 8
    return index


def found_of(index: Any) -> float:
    return recall(index.search(QUERIES, 10)[1], anear.knn(QUERIES, BASE, 10)[1])


def test_second_codes_find_as_much_as_in_faiss() -> None:
    theirs, ours = (refined(module) for module in (upstream(), anear))
    assert type(ours).__name__ == type(theirs).__name__ == "IndexIVFPQR"
    for name in ("k_factor", "by_residual", "code_size", "is_trained"):
        assert getattr(ours, name) == getattr(theirs, name), name
    ours.add(BASE)
    theirs.add(BASE)
    for k_factor in (1, 4, 16):
        ours.k_factor = theirs.k_factor = k_factor
        assert found_of(ours) > found_of(theirs) - 0.03
    assert found_of(ours) > 0.9


def test_distances_are_those_of_the_vectors_that_are_given_back() -> None:
    index = refined(anear)
    index.add(BASE)
    distances, labels, given = index.search_and_reconstruct(QUERIES, 5)
    np.testing.assert_allclose(distances, ((QUERIES[:, None] - given) ** 2).sum(-1), rtol=1e-4, atol=1e-4)
    assert (np.diff(distances, axis=1) >= 0).all() and (labels >= 0).all()
    near = ((given - BASE[labels]) ** 2).sum()
    index._refined_ids = index._refined_ids[:0]
    assert near < ((index._reconstruct(labels.ravel()) - BASE[labels.ravel()]) ** 2).sum() / 4


def test_vectors_with_second_codes_are_removed_merged_and_copied() -> None:
    whole = refined(anear)
    index, other = copy.deepcopy(whole), copy.deepcopy(whole)
    whole.add(BASE)
    index.add(BASE[:1000])
    other.add_with_ids(BASE[1000:], np.arange(2000) + 500)
    index.merge_from(other, 500)
    assert (index.ntotal, other.ntotal) == (3000, 0)
    check_alike(index.search(QUERIES, 5), whole.search(QUERIES, 5))
    check_alike(pickle.loads(pickle.dumps(index)).search(QUERIES, 5), whole.search(QUERIES, 5))
    assert index.remove_ids(np.arange(0, 3000, 2)) == 1500
    labels = index.search(QUERIES, 5)[1]
    assert (labels % 2 == 1).all()
    np.testing.assert_array_equal(index.reconstruct(1), whole.reconstruct(1))
    kept = anear.SearchParametersIVF(sel=anear.IDSelectorRange(0, 50), nprobe=8)
    assert (index.search(QUERIES, 5, params=kept)[1] < 50).all()


def test_second_codes_are_not_dropped_in_silence() -> None:
    index = refined(anear)
    index.add(BASE)
    assert isinstance(outcome(lambda: anear.serialize_index(index)), RuntimeError)
    assert isinstance(outcome(lambda: anear.index_factory(D, "IVF8,PQ4+8", anear.METRIC_INNER_PRODUCT)), RuntimeError)


def test_by_hand_added_codes_are_found_without_second_codes() -> None:
    index = refined(anear)
    index.add(BASE)
    index.add_sa_codes(index.sa_encode(BASE[:3]), np.array([9000, 9001, 9002]))
    assert 9001 in index.search(BASE[1:2], 3)[1]


@pytest.mark.parametrize("K", [16, 32])
def test_graphs_of_neighbors_find_as_much_as_in_faiss(K: int) -> None:
    theirs, ours = (module.IndexNNDescentFlat(D, K) for module in (upstream(), anear))
    for index in (theirs, ours):
        index.add(BASE)
    for name in ("K", "S", "R", "iter", "search_L", "random_seed", "ntotal", "has_built"):
        assert getattr(ours.nndescent, name) == getattr(theirs.nndescent, name), name
    for search_L in (0, 16, 64):
        ours.nndescent.search_L = theirs.nndescent.search_L = search_L
        assert found_of(ours) >= found_of(theirs)
    exact = [set(row) for row in upstream().vector_to_array(theirs.nndescent.final_graph).reshape(3000, K).tolist()]
    graph = ours.nndescent.final_graph._values.reshape(3000, K)
    assert np.mean([len(set(row) & right) for row, right in zip(graph.tolist(), exact, strict=True)]) > 0.97 * K
    assert not (graph == np.arange(3000)[:, None]).any()


def test_graphs_of_neighbors_are_pickled_and_written() -> None:
    index = anear.IndexNNDescentFlat(D, 16)
    index.add(BASE)
    index.nndescent.search_L = 40
    for again in (pickle.loads(pickle.dumps(index)), anear.deserialize_index(anear.serialize_index(index))):
        check_alike(again.search(QUERIES, 5), index.search(QUERIES, 5))
    index.nndescent.reset()
    assert index.ntotal == 0
    assert index.nndescent.final_graph.size() == 0


def test_second_codes_are_tuned_named_and_counted() -> None:
    def told(module: Any) -> tuple[float, int]:
        index = module.index_factory(D, "IVF8,PQ4+8")
        module.ParameterSpace().set_index_parameters(index, "nprobe=4,k_factor=8")
        return index.k_factor, index.nprobe

    assert told(anear) == told(upstream()) == (8.0, 4)
    index = anear.index_factory(D, "IVF8,PQ4+8")
    assert factory_tools.reverse_index_factory(index) == "IVF8,PQ4+8"
    assert factory_tools.get_code_size(D, "IVF8,PQ4+8") == 12
    assert factory_tools.get_code_size(D, "NSG8,SQ8") == D + 4 * 8


@pytest.mark.parametrize("factor", [1e12, float("inf")])
def test_no_more_candidates_are_ranked_than_there_are(factor: float) -> None:
    for spec in ("IVF8,PQ4+8", "IVF8,PQ4,RFlat"):
        index = anear.index_factory(D, spec)
        index.train(BASE)
        index.add(BASE[:500])
        ivf = anear.extract_index_ivf(index)
        ivf.nprobe = 8
        index.k_factor = factor
        few = index.search(QUERIES, 5)
        index.k_factor = 100
        check_alike(few, index.search(QUERIES, 5))
        index.k_factor = float("nan")
        with pytest.raises(ValueError, match="NaN"):
            index.search(QUERIES, 5)
