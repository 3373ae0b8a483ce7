"""Exact indexes and what all indexes share: arguments, shapes, types, exceptions."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, check_alike, outcome, upstream, vectors

import anear

BASE = vectors(200)
QUERIES = vectors(30, 2)


def flat(module: Any, metric: int = 1) -> Any:
    index = module.IndexFlat(D, metric)
    index.add(BASE)
    return index


CALLS: dict[str, Callable[[Any], Any]] = {
    "search": lambda index: index.search(QUERIES, 5),
    "more than there are": lambda index: index.search(QUERIES, 300),
    "one query": lambda index: index.search(QUERIES[:1], 1),
    "no query": lambda index: index.search(QUERIES[:0], 3),
    "float64": lambda index: index.search(QUERIES.astype(np.float64), 3),
    "columns first": lambda index: index.search(np.asfortranarray(QUERIES), 3),
    "every second": lambda index: index.search(QUERIES[::2], 3),
    "k zero": lambda index: index.search(QUERIES, 0),
    "k below zero": lambda index: index.search(QUERIES, -1),
    "k no whole number": lambda index: index.search(QUERIES, 2.5),
    "one dimension": lambda index: index.search(QUERIES[0], 3),
    "other width": lambda index: index.search(QUERIES[:, :5], 3),
    "not finite": lambda index: index.search(np.full((2, D), np.nan, np.float32), 3),
    "own arrays": lambda index: index.search(QUERIES, 2, D=np.empty((30, 2), np.float32), I=np.empty((30, 2), np.int64)),
    "own arrays of another shape": lambda index: index.search(QUERIES, 2, D=np.empty((30, 3), np.float32)),
    "own arrays of another type": lambda index: index.search(QUERIES, 2, D=np.empty((30, 2), np.float64)),
    "range": lambda index: index.range_search(QUERIES, 40.0),
    "range for no query": lambda index: index.range_search(QUERIES[:0], 40.0)[0],
    "assign": lambda index: index.assign(QUERIES, 1),
    "assign three": lambda index: index.assign(QUERIES, 3),
    "with vectors": lambda index: index.search_and_reconstruct(QUERIES, 3),
    "reconstruct": lambda index: index.reconstruct(7),
    "reconstruct into": lambda index: index.reconstruct(7, np.empty(D, np.float32)),
    "reconstruct what is not there": lambda index: index.reconstruct(1000),
    "reconstruct all": lambda index: index.reconstruct_n(),
    "reconstruct some": lambda index: index.reconstruct_n(10, 5),
    "reconstruct too many": lambda index: index.reconstruct_n(190, 50),
    "reconstruct a batch": lambda index: index.reconstruct_batch([5, 3, 5]),
    "remove": lambda index: (index.remove_ids(np.array([3, 5, 1000])), index.ntotal, index.search(QUERIES, 4)),
    "remove int32": lambda index: index.remove_ids(np.array([3, 5], np.int32)),
    "remove none": lambda index: index.remove_ids(np.empty(0, np.int64)),
    "remove by two dimensions": lambda index: index.remove_ids(np.zeros((2, 2), np.int64)),
    "add nothing": lambda index: (index.add(BASE[:0]), index.ntotal),
    "add another width": lambda index: index.add(BASE[:, :5]),
    "add with ids": lambda index: index.add_with_ids(BASE, np.arange(200)),
    "reset": lambda index: (index.reset(), index.ntotal, index.search(QUERIES, 2)),
    "codes": lambda index: (index.sa_code_size(), index.sa_encode(QUERIES), index.sa_decode(index.sa_encode(QUERIES))),
    "no such attribute": lambda index: index.no_such_thing,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_flat_index_answers_as_faiss_does(call: Callable[[Any], Any]) -> None:
    both(lambda module: call(flat(module)))


@pytest.mark.parametrize("metric", [0, 1, 2, 3, 20, 21, 22, 23])
def test_a_flat_index_compares_as_faiss_does(metric: int) -> None:
    shift = 10.0 if metric >= 20 else 0.0

    def call(module: Any) -> Any:
        index = module.IndexFlat(D, metric)
        index.add(np.abs(BASE) + shift)
        return index.search(np.abs(QUERIES) + shift, 4)[0]

    both(call)


def test_lp_takes_its_exponent_after_the_fact() -> None:
    def call(module: Any) -> Any:
        index = module.IndexFlat(D, module.METRIC_Lp)
        index.metric_arg = 1.5
        index.add(BASE)
        return index.search(QUERIES, 4)[0], module.knn(QUERIES, BASE, 3, module.METRIC_Lp, metric_arg=3)[0]

    both(call)


ATTRIBUTES = ("d", "ntotal", "is_trained", "metric_type", "metric_arg", "verbose")


@pytest.mark.parametrize("name", ["IndexFlat", "IndexFlatL2", "IndexFlatIP"])
def test_attributes_are_those_of_faiss(name: str) -> None:
    both(lambda module: tuple(getattr(getattr(module, name)(D), attribute) for attribute in ATTRIBUTES))


def test_copies_share_nothing() -> None:
    index = flat(anear)
    for again in (copy.copy(index), copy.deepcopy(index), anear.clone_index(index), pickle.loads(pickle.dumps(index))):
        assert type(again) is type(index) and again.ntotal == 200
        again.reset()
        assert index.ntotal == 200


def test_merging_empties_the_other() -> None:
    def call(module: Any) -> Any:
        one, other = flat(module), flat(module)
        one.merge_from(other)
        return one.ntotal, other.ntotal, one.reconstruct(250)

    both(call)
    both(lambda module: flat(module).merge_from(module.IndexFlatL2(D + 1)))
    both(lambda module: flat(module).merge_from(module.IndexHNSWFlat(D, 8)))


def test_what_is_misspelt_is_named() -> None:
    with pytest.raises(AttributeError, match="did you mean IndexFlatL2"):
        anear.IndexFlatL3  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean ntotal"):
        flat(anear).n_total  # noqa: B018


MISSPELT: dict[str, Callable[[Any], Any]] = {
    "nprob": lambda m: m.index_factory(D, "IVF4,Flat"),
    "efSearc": lambda m: m.IndexHNSWFlat(D, 8).hnsw,
    "niters": lambda m: m.ClusteringParameters(),
    "eigenpower": lambda m: m.PCAMatrix(D, 4),
    "train_types": lambda m: m.ProductQuantizer(D, 4, 8),
    "nflips": lambda m: m.IndexBinaryHash(16, 8),
    "n_experiment": lambda m: m.ParameterSpace(),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_what_is_misspelt_is_not_set(name: str) -> None:
    with pytest.raises(AttributeError, match=f"{name}.*did you mean"):
        setattr(MISSPELT[name](anear), name, 3)
    again = anear.deserialize_index(anear.serialize_index(flat(anear)))
    with pytest.raises(AttributeError, match="verbos"):
        again.verbos = True
    # Faiss refuses at indexes, and lets it pass elsewhere.
    both(lambda module: setattr(flat(module), "verbos", True))


def test_lists_of_lists_are_vectors_too() -> None:
    index = anear.IndexFlatL2(2)
    index.add([[0.0, 1.0], [1.0, 1.0]])
    assert index.search([[1.0, 1.0]], np.int64(1))[1].tolist() == [[1]]


def test_threads_change_no_answer() -> None:
    index, before = flat(anear), anear.omp_get_max_threads()
    expected = index.search(QUERIES, 5)
    try:
        for threads in (1, 2, 5):
            anear.omp_set_num_threads(threads)
            assert anear.omp_get_max_threads() == threads
            check_alike(index.search(QUERIES, 5), expected)
    finally:
        anear.omp_set_num_threads(before)
    assert isinstance(outcome(lambda: anear.omp_set_num_threads(0)), ValueError)


def test_cosine_is_the_product_of_unit_vectors() -> None:
    index = anear.IndexFlat(D, "cosine")
    index.add(BASE)
    unit = QUERIES.copy()
    anear.normalize_L2(unit)
    base = BASE.copy()
    anear.normalize_L2(base)
    np.testing.assert_allclose(index.search(QUERIES, 3)[0], anear.knn(unit, base, 3, 0)[0], atol=1e-5)
    upstream_index = upstream().IndexFlatIP(D)
    assert type(index.to_faiss()) is type(upstream_index)
