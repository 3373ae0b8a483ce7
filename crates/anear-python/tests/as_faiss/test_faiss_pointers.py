"""Functions and methods that take pointers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, outcome, vectors

import anear

BASE = vectors(300)
QUERIES = vectors(10, 2)
BITS = np.random.RandomState(3).randint(256, size=(60, 8)).astype(np.uint8)


def flat(module: Any) -> Any:
    index = module.IndexFlatL2(D)
    index.add_c(300, module.swig_ptr(BASE))
    return index


def test_indexes_work_through_pointers() -> None:
    def call(module: Any) -> Any:
        index, pointer = flat(module), module.swig_ptr
        distances, labels, vector = np.empty((10, 3), np.float32), np.empty((10, 3), np.int64), np.empty(D, np.float32)
        index.search_c(10, pointer(QUERIES), 3, pointer(distances), pointer(labels))
        index.reconstruct_c(4, pointer(vector))
        rest = np.empty((5, D), np.float32)
        index.reconstruct_n_c(2, 5, pointer(rest))
        nearest = np.empty((10, 2), np.int64)
        index.assign_c(10, pointer(QUERIES), pointer(nearest), 2)
        removed = index.remove_ids_c(module.IDSelectorRange(0, 7))
        return distances, labels, vector, rest, nearest, removed, index.ntotal

    both(call)


def test_distances_lengths_and_bits_are_faisss() -> None:
    def call(module: Any) -> Any:
        pointer, x, y = module.swig_ptr, np.ascontiguousarray(QUERIES[0]), np.ascontiguousarray(QUERIES[1])
        pairs = (module.fvec_L2sqr, module.fvec_inner_product, module.fvec_L1, module.fvec_Linf)
        rows = np.empty(300, np.float32), np.empty(300, np.float32), np.empty(10, np.float32)
        module.fvec_L2sqr_ny(pointer(rows[0]), pointer(x), pointer(BASE), D, 300)
        module.fvec_inner_products_ny(pointer(rows[1]), pointer(x), pointer(BASE), D, 300)
        module.fvec_norms_L2sqr(pointer(rows[2]), pointer(QUERIES), D, 10)
        packed, signs = np.empty((10, D // 8), np.uint8), np.empty((10, D), np.float32)
        module.fvecs2bitvecs(pointer(QUERIES), pointer(packed), D, 10)
        module.bitvecs2fvecs(pointer(packed), pointer(signs), D, 10)
        differing = np.empty((10, 60), np.int32)
        module.hammings(pointer(BITS[:10]), pointer(BITS), 10, 60, 8, pointer(differing))
        return (
            np.array([pair(pointer(x), pointer(y), D) for pair in pairs], np.float32),
            rows,
            packed,
            signs,
            differing,
            module.popcount32(255),
            module.popcount64((1 << 40) - 1),
        )

    both(call)


def test_ranks_and_clusters_of_numbers_are_faisss() -> None:
    def call(module: Any) -> Any:
        pointer, numbers = module.swig_ptr, np.array([1, 1.1, 5, 5.1, 9, 9.1, 20], np.float32)
        centroids, order, values = np.empty(3, np.float32), np.empty(D, np.uint64), np.ascontiguousarray(QUERIES[0])
        factor = module.kmeans1d(pointer(numbers), 7, 3, pointer(centroids))
        module.fvec_argsort(D, pointer(values), pointer(order))
        one, other = np.array([1, 2, 3, 4]), np.array([3, 4, 9])
        assigned = np.array([0, 0, 1, 1, 2, 2, 3, 0])
        return (
            np.float32(factor).reshape(1),
            np.sort(centroids),
            order,
            module.ranklist_intersection_size(4, pointer(one), 3, pointer(other)),
            module.imbalance_factor(8, 4, pointer(assigned)),
        )

    both(call)


def test_maps_and_strings_of_bits_are_faisss() -> None:
    def call(module: Any) -> Any:
        keys, values, wanted = np.array([1, 5, 9]), np.array([10, 50, 90]), np.array([5, 7])
        one, other = module.MapLong2Long(), module.MapInt64ToInt64(16)
        one.add(keys, values)
        other.add(keys, values)
        room = np.zeros(3, np.uint8)
        writer = module.BitstringWriter(module.swig_ptr(room), 3)
        writer.write(5, 3)
        writer.write(100, 9)
        reader = module.BitstringReader(module.swig_ptr(room), 3)
        return one.search(9), one.search(3), one.search_multiple(wanted), other.lookup(wanted), room, reader.read(3), reader.read(9)

    both(call)


def test_rows_may_be_shorter_than_what_is_asked_for() -> None:
    both(lambda module: (module.kmin(BASE, D + 1), module.kmax(BASE, D + 1)))


@pytest.mark.parametrize("call", ["knn_gpu", "pairwise_distance_gpu", "index_cpu_to_all_gpus"])
def test_there_is_no_gpu(call: str) -> None:
    assert isinstance(outcome(lambda: getattr(anear, call)(None)), NotImplementedError)
    assert anear.get_num_gpus() == 0


def test_pointers_to_too_little_are_refused() -> None:
    index = flat(anear)
    assert isinstance(outcome(lambda: index.add_c(301, BASE)), ValueError)
    assert isinstance(outcome(lambda: index.add_c(3, BASE.astype(np.float64))), TypeError)
    assert isinstance(outcome(lambda: anear.BitstringWriter(np.zeros(1, np.uint8), 1).write(1, 9)), RuntimeError)
    assert isinstance(outcome(lambda: anear.kmeans1d(BASE, 3, 4, np.empty(4, np.float32))), RuntimeError)
    assert index.ntotal == 300
