"""Inverted files: training, lists, parameters, and the quantizer that is shared with the caller."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, check_alike, outcome, upstream, vectors

import anear

BASE = vectors(600)
QUERIES = vectors(20, 2)
CENTROIDS = vectors(6, 7)


def lists(module: Any, nlist: int = 6) -> Any:
    """The same lists in both: their centroids are given."""
    quantizer = module.IndexFlatL2(D)
    quantizer.add(CENTROIDS)
    index = module.IndexIVFFlat(quantizer, D, nlist)
    index.train(BASE)
    return index


def test_lists_hold_what_faisss_hold() -> None:
    def call(module: Any) -> Any:
        index = lists(module)
        index.add(BASE)
        sizes = tuple(index.invlists.list_size(number) for number in range(6))
        ids = tuple(
            np.sort(module.rev_swig_ptr(index.invlists.get_ids(number), size)).astype(np.int64)
            for number, size in enumerate(sizes)
        )
        return sizes, ids, index.get_list_size(2), index.quantizer.ntotal, index.nlist

    both(call)


def test_every_list_searched_is_an_exact_search() -> None:
    def call(module: Any) -> Any:
        index = lists(module)
        index.add(BASE)
        index.nprobe = 6
        return index.search(QUERIES, 9), index.range_search(QUERIES, 30.0)[0]

    both(call)


def test_parameters_of_a_search_pass_over_those_of_the_index() -> None:
    def call(module: Any) -> Any:
        index = lists(module)
        index.add(BASE)
        return index.search(QUERIES, 3, params=module.SearchParametersIVF(nprobe=6)), index.nprobe

    both(call)
    both(lambda module: lists(module).search(QUERIES, 3, params=module.SearchParametersHNSW(efSearch=6)))
    both(lambda module: lists(module).search(QUERIES, 3, params=module.SearchParameters()))


def test_training_fills_the_quantizer_of_the_caller() -> None:
    quantizer = anear.IndexFlatL2(D)
    index = anear.IndexIVFFlat(quantizer, D, 8)
    assert not index.is_trained
    assert isinstance(outcome(lambda: index.add(BASE)), RuntimeError)
    assert isinstance(outcome(lambda: index.train(BASE[:5])), RuntimeError)
    index.train(BASE)
    assert index.is_trained and quantizer.ntotal == 8 and index.quantizer is quantizer


def test_ids_are_the_callers() -> None:
    def call(module: Any) -> Any:
        index = lists(module)
        index.nprobe = 6
        index.add_with_ids(BASE, np.arange(600) * 7 + 100)
        index.make_direct_map()
        return (
            index.search(QUERIES, 4)[1],
            index.reconstruct(100),
            index.remove_ids(np.array([100, 107, 3])),
            index.ntotal,
        )

    def without_direct_map(module: Any) -> Any:
        index = lists(module)
        index.add_with_ids(BASE, np.arange(600) * 7 + 100)
        return index.remove_ids(np.array([100, 107, 3])), index.ntotal

    both(without_direct_map)
    index = lists(anear)
    index.add_with_ids(BASE, np.arange(600) * 7 + 100)
    np.testing.assert_array_equal(index.reconstruct(107), BASE[1])
    both(lambda module: lists(module).add_with_ids(BASE, np.arange(5)))


def test_merging_moves_ids() -> None:
    def call(module: Any) -> Any:
        one, other = lists(module), lists(module)
        one.nprobe = 6
        one.add(BASE[:300])
        other.add(BASE[300:])
        one.merge_from(other, 300)
        return one.ntotal, other.ntotal, one.search(QUERIES, 5)

    both(call)


def test_codes_name_the_list() -> None:
    def call(module: Any) -> Any:
        index = lists(module)
        codes = index.sa_encode(QUERIES)
        return index.sa_code_size(), codes, index.sa_decode(codes)

    both(call)


def test_lists_can_be_given() -> None:
    def call(module: Any) -> Any:
        index = lists(module)
        index.add(BASE)
        index.nprobe = nprobe
        distances, numbers = index.quantizer.search(QUERIES, 2)
        return index.search_preassigned(QUERIES, 5, numbers, distances)

    for nprobe in (1, 2):
        both(call)


def test_vectors_can_be_replaced() -> None:
    index = lists(anear)
    index.add(BASE)
    index.update_vectors(np.array([3, 4]), QUERIES[:2])
    np.testing.assert_array_equal(index.reconstruct(4), QUERIES[1])
    assert index.ntotal == 600


def test_a_subset_can_be_copied() -> None:
    def call(module: Any) -> Any:
        one, other = lists(module), lists(module)
        one.add(BASE)
        one.copy_subset_to(other, 0, 100, 300)
        other.nprobe = 6
        return one.ntotal, other.ntotal, other.search(QUERIES, 3)

    both(call)


def test_the_quantizer_is_told_how_to_search() -> None:
    index = anear.index_factory(D, "IVF16_HNSW8,Flat")
    index.train(BASE)
    index.add(BASE)
    index.nprobe = 16
    index.quantizer.hnsw.efSearch = 64
    exact = anear.knn(QUERIES, BASE, 3)
    check_alike(index.search(QUERIES, 3), exact)
    params = anear.SearchParametersIVF(nprobe=16, quantizer_params=anear.SearchParametersHNSW(efSearch=100))
    check_alike(index.search(QUERIES, 3, params=params), exact)


def test_scalar_codes_of_the_vectors_themselves() -> None:
    """`by_residual=False`: nothing is taken from vectors before they are encoded."""

    def filled(module: Any) -> Any:
        quantizer = module.IndexFlatL2(D)
        quantizer.add(CENTROIDS)
        kind, metric = module.ScalarQuantizer.QT_8bit, module.METRIC_L2
        index = module.IndexIVFScalarQuantizer(quantizer, D, 6, kind, metric, False)
        index.train(BASE)
        index.add(BASE)
        index.nprobe = 6
        return index

    def call(module: Any) -> Any:
        index = filled(module)
        again = module.deserialize_index(module.serialize_index(index))
        return tuple((each.by_residual, each.search(QUERIES, 5)) for each in (index, again))

    both(call)
    faiss = upstream()
    theirs, ours = filled(faiss), filled(anear)
    assert bytes(anear.serialize_index(ours)) == bytes(faiss.serialize_index(theirs))
    read = anear.deserialize_index(faiss.serialize_index(theirs))
    assert not read.by_residual and not anear.clone_index(ours).by_residual
    check_alike(read.search(QUERIES, 5), theirs.search(QUERIES, 5))


def test_a_quantizer_of_lists_is_told_how_many_to_visit() -> None:
    def call(module: Any) -> Any:
        coarse = module.IndexIVFFlat(module.IndexFlatL2(D), D, 4)
        coarse.quantizer.add(CENTROIDS[:4])
        coarse.train(BASE)
        coarse.add(BASE[:50])
        index = module.IndexIVFFlat(coarse, D, 50)
        index.train(BASE)
        coarse.nprobe = 4
        index.add(BASE)
        index.nprobe = 3
        few, many = (
            module.SearchParametersIVF(nprobe=3, quantizer_params=module.SearchParametersIVF(nprobe=nprobe))
            for nprobe in (1, 4)
        )
        return index.search(QUERIES, 2), index.search(QUERIES, 2, params=few), index.search(QUERIES, 2, params=many)

    both(call)


def test_a_quantizer_behind_transforms_is_told_how_many_lists_to_visit() -> None:
    def call(module: Any) -> Any:
        within = module.IndexIVFFlat(module.IndexFlatL2(D), D, 4)
        within.quantizer.add(CENTROIDS[:4])
        within.train(BASE)
        coarse = module.IndexPreTransform(module.CenteringTransform(D), within)
        coarse.train(BASE)
        coarse.add(BASE[:50])
        index = module.IndexIVFFlat(coarse, D, 50)
        index.train(BASE)
        within.nprobe = 4
        index.add(BASE)
        within.nprobe, index.nprobe = 1, 3
        found = [index.search(QUERIES, 2)]
        for nprobe in (1, 4):
            inner = module.SearchParametersPreTransform(index_params=module.SearchParametersIVF(nprobe=nprobe))
            found.append(index.search(QUERIES, 2, params=module.SearchParametersIVF(nprobe=3, quantizer_params=inner)))
        space = module.ParameterSpace()
        space.set_index_parameters(index, "nprobe=3,quantizer_nprobe=4")
        return *found, within.nprobe, index.search(QUERIES, 2)

    both(call)


@pytest.mark.parametrize("spec", ["PCA8,IVF8,Flat", "IVF8,SQ8,RFlat", "Flat,RFlat", "L2norm,HNSW8"])
def test_other_quantizers_with_indexes_within_are_told_too(spec: str) -> None:
    coarse = anear.index_factory(D, spec)
    coarse.train(BASE)
    coarse.add(BASE[:50])
    index = anear.IndexIVFFlat(coarse, D, 50)
    index.train(BASE)
    anear.ParameterSpace().set_index_parameters(index, "nprobe=4")
    if "IVF" in spec:
        anear.ParameterSpace().set_index_parameters(index, "quantizer_nprobe=8")
    if "RFlat" in spec:
        anear.ParameterSpace().set_index_parameters(index, "quantizer_k_factor_rf=8")
    index.add(BASE)
    assert (index.quantizer.assign(QUERIES, 4)[:, 0] == index.quantizer.assign(QUERIES, 1)[:, 0]).all()
    lists = index.quantizer.assign(QUERIES, 4)
    expected = index.search_preassigned(QUERIES, 3, lists)
    check_alike(index.search(QUERIES, 3), expected)
