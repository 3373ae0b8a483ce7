"""Indexes that hold indexes, and the objects within that are the caller's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, check_alike, outcome, vectors

import anear

BASE = vectors(400)
QUERIES = vectors(20, 2)
IDS = np.random.RandomState(4).permutation(10_000)[:400].astype(np.int64)


def mapped(module: Any, kind: str = "IndexIDMap2") -> Any:
    index = getattr(module, kind)(module.IndexFlatL2(D))
    index.add_with_ids(BASE, IDS)
    return index


def ids_of(module: Any, index: Any) -> Any:
    # The vector lives in the index, which Faiss must be told to keep.
    return module.vector_to_array(index.id_map)


def test_an_id_map_answers_as_faisss() -> None:
    for kind in ("IndexIDMap", "IndexIDMap2"):
        both(lambda module, kind=kind: mapped(module, kind).search(QUERIES, 5))
        both(lambda module, kind=kind: mapped(module, kind).range_search(QUERIES, 40.0))
        both(lambda module, kind=kind: ids_of(module, mapped(module, kind)))
        both(lambda module, kind=kind: mapped(module, kind).add(BASE))
        both(lambda module, kind=kind: mapped(module, kind).reconstruct(int(IDS[7])))
    both(lambda module: mapped(module).reconstruct(123456))

    def removal(module: Any) -> Any:
        index = mapped(module)
        return index.remove_ids(IDS[10:20]), index.ntotal, index.index.ntotal, index.search(QUERIES, 5)

    both(removal)


def test_an_id_map_wants_an_empty_index() -> None:
    def call(module: Any) -> Any:
        inner = module.IndexFlatL2(D)
        inner.add(BASE)
        return module.IndexIDMap(inner)

    both(call)


def test_ids_may_come_twice() -> None:
    def call(module: Any) -> Any:
        index = module.IndexIDMap(module.IndexFlatL2(D))
        index.add_with_ids(BASE, np.zeros(400, np.int64))
        return index.ntotal, index.search(QUERIES, 3)[1], index.remove_ids(np.array([0]))

    both(call)


def test_what_is_done_to_the_index_within_shows() -> None:
    inner = anear.IndexFlatL2(D)
    outer = anear.IndexIDMap(inner)
    assert outer.index is inner
    outer.add_with_ids(BASE, IDS)
    assert inner.ntotal == 400
    ivf = anear.index_factory(D, "PCA8,IVF4,Flat")
    anear.extract_index_ivf(ivf).nprobe = 3
    assert anear.downcast_index(ivf.index).nprobe == 3


def test_id_maps_merge() -> None:
    def call(module: Any) -> Any:
        one, other = mapped(module), mapped(module)
        one.merge_from(other, 20_000)
        return one.ntotal, other.ntotal, module.vector_to_array(one.id_map), one.search(QUERIES, 4)[0]

    both(call)


def test_transforms_come_before_the_index() -> None:
    def call(module: Any) -> Any:
        matrix = module.LinearTransform(D, 4, True)
        rows = np.eye(D, dtype=np.float32)[:4] * 2
        module.copy_array_to_vector(rows.ravel(), matrix.A)
        module.copy_array_to_vector(np.arange(4, dtype=np.float32), matrix.b)
        matrix.is_trained = True
        index = module.IndexPreTransform(matrix, module.IndexFlatL2(4))
        index.add(BASE)
        return index.d, index.ntotal, index.is_trained, index.search(QUERIES, 5), index.chain.size()

    both(call)
    both(lambda module: module.IndexPreTransform(module.PCAMatrix(D, 5), module.IndexFlatL2(4)))


def test_refining_ranks_anew() -> None:
    def call(module: Any) -> Any:
        index = module.IndexRefineFlat(module.IndexFlatL2(D))
        index.add(BASE)
        index.k_factor = 3
        return index.ntotal, index.k_factor, index.search(QUERIES, 5), index.reconstruct(3)

    both(call)

    def with_params(module: Any) -> Any:
        index = module.IndexRefineFlat(module.IndexFlatL2(D))
        index.add(BASE)
        inner = module.SearchParameters(sel=module.IDSelectorRange(0, 100))
        params = module.IndexRefineSearchParameters(k_factor=2, base_index_params=inner)
        return index.search(QUERIES, 5, params=params)

    both(with_params)


@pytest.mark.parametrize("metric", [0, 1])
@pytest.mark.parametrize("factor", [None, 1, 2, 4])
def test_refining_finds_what_is_within_a_radius(metric: int, factor: int | None) -> None:
    def call(module: Any) -> Any:
        index = module.IndexRefineFlat(module.IndexFlat(D, metric))
        index.add(BASE)
        index.base_index.remove_ids(np.arange(390, 400))
        index.base_index.add(BASE[390:] + 0.5)  # What the base finds is a little wrong.
        inner = module.SearchParameters(sel=module.IDSelectorRange(50, 400))
        params = None if factor is None else module.IndexRefineSearchParameters(k_factor=factor, base_index_params=inner)
        return index.range_search(QUERIES, 40.0 if metric else 60.0, params=params)

    if metric == 1 or factor in (None, 1):
        both(call)
        return
    # Faiss narrows the radius there, where it should be wider.
    lims, distances, ids = call(anear)
    products = QUERIES @ BASE.T
    expected = [np.flatnonzero((row > 60) & (np.arange(400) >= 50)).tolist() for row in products]
    assert [sorted(ids[start:end].tolist()) for start, end in zip(lims[:-1], lims[1:], strict=True)] == expected
    np.testing.assert_allclose(distances, products[np.repeat(np.arange(20), np.diff(lims.astype(int))), ids], rtol=1e-4)


def test_shards_are_searched_as_one() -> None:
    def call(module: Any, successive: bool) -> Any:
        index = module.IndexShards(D, True, successive)
        parts = [module.IndexFlatL2(D) if successive else module.index_factory(D, "IDMap,Flat") for _ in range(3)]
        for part in parts:
            index.add_shard(part)
        if successive:
            index.add(BASE)
        else:
            index.add_with_ids(BASE, IDS)
        return index.ntotal, tuple(part.ntotal for part in parts), index.search(QUERIES, 5), index.count()

    both(lambda module: call(module, True))
    both(lambda module: call(module, False))


def test_replicas_share_the_queries() -> None:
    def call(module: Any) -> Any:
        index = module.IndexReplicas()
        parts = [module.IndexFlatL2(D) for _ in range(2)]
        for part in parts:
            index.addIndex(part)
        index.add(BASE)
        return index.ntotal, parts[1].ntotal, index.search(QUERIES, 5)

    both(call)


def test_a_graph_refuses_what_faisss_refuses_or_does_it() -> None:
    index = anear.IndexHNSWFlat(D, 8)
    index.hnsw.efConstruction = 60
    index.add(BASE)
    index.hnsw.efSearch = 100
    truth = anear.knn(QUERIES, BASE, 5)[1]
    assert (index.search(QUERIES, 5)[1] == truth).mean() > 0.95
    assert (index.hnsw.nb_neighbors(0), index.hnsw.nb_neighbors(1)) == (16, 8)
    assert anear.vector_to_array(index.hnsw.levels).shape == (400,)
    both(lambda module: module.IndexHNSWFlat(D, 8).add_with_ids(BASE, IDS))
    check_alike(index.storage.reconstruct_n(), BASE)
    assert isinstance(outcome(lambda: index.hnsw.efsearch), AttributeError)
