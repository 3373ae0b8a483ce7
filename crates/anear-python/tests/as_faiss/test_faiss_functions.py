"""Clustering, transforms, codes and everything without an index."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, known, outcome, upstream, vectors

import anear

X = vectors(500)
Y = vectors(60, 2)
BITS = np.random.RandomState(0).randint(0, 256, (200, 8)).astype(np.uint8)


def normalized(module: Any) -> Any:
    copy = X.copy()
    module.normalize_L2(copy)
    return copy


def heap(module: Any) -> Any:
    results = module.ResultHeap(60, 4)
    for start in (0, 250):
        distances, labels = module.knn(Y, X[start : start + 250], 4)
        results.add_result(distances, labels + start)
    results.finalize()
    return results.D, results.I


CALLS: dict[str, Callable[[Any], Any]] = {
    "knn": lambda m: m.knn(Y, X, 5),
    "knn by product": lambda m: m.knn(Y, X, 5, m.METRIC_INNER_PRODUCT),
    "knn by L1": lambda m: m.knn(Y, X, 5, m.METRIC_L1)[0],
    "knn of other widths": lambda m: m.knn(Y[:, :3], X, 5),
    "pairwise": lambda m: m.pairwise_distances(Y, X),
    "pairwise by product": lambda m: m.pairwise_distances(Y, X, m.METRIC_INNER_PRODUCT),
    "pairwise by Linf": lambda m: m.pairwise_distances(Y, X, m.METRIC_Linf),
    "normalize": normalized,
    "normalize float64": lambda m: m.normalize_L2(X.astype(np.float64)),
    "knn of bits": lambda m: m.knn_hamming(BITS[:10], BITS, 4)[0],
    "kmin": lambda m: m.kmin(Y, 3),
    "kmax": lambda m: m.kmax(Y, 3),
    "merged": lambda m: m.merge_knn_results(
        np.array([m.knn(Y, X, 3)[0], m.knn(Y, X[::-1].copy(), 3)[0]]), np.zeros((2, 60, 3), np.int64)
    )[0],
    "intersection": lambda m: m.eval_intersection(np.arange(12).reshape(2, 6), np.arange(3, 15).reshape(2, 6)),
    "heap": heap,
    "packed": lambda m: m.pack_bitstrings(np.arange(40, dtype=np.int32).reshape(8, 5) % 32, 5),
    "packed by widths": lambda m: m.pack_bitstrings(np.arange(6, dtype=np.int32).reshape(2, 3), [3, 4, 9]),
    "unpacked": lambda m: m.unpack_bitstrings(BITS[:, :4].copy(), 6, 5),
    "unpacked by widths": lambda m: m.unpack_bitstrings(BITS[:, :4].copy(), np.array([3, 4, 9])),
    "bucket sort": lambda m: m.bucket_sort(np.array([3, 1, 0, 3, 1], np.int64)),
    "similarity": lambda m: tuple(bool(m.is_similarity_metric(metric)) for metric in (0, 1, 2, 23)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_function_answers_as_faisss(call: Callable[[Any], Any]) -> None:
    both(call)


def test_random_numbers_have_the_shape_that_is_wanted() -> None:
    for call in (
        lambda m: m.rand(5),
        lambda m: m.randn((3, 2)),
        lambda m: m.randint(4, vmax=9),
        lambda m: m.rand_smooth_vectors(4, 7),
    ):
        both(call, exact=False)
    assert np.array_equal(anear.randn(9, 3), anear.randn(9, 3)) and not np.array_equal(anear.randn(9, 3), anear.randn(9))


def test_vectors_and_pointers_carry_arrays() -> None:
    numbers = np.arange(5, dtype=np.float32)
    vector = anear.FloatVector()
    anear.copy_array_to_vector(numbers, vector)
    assert vector.size() == 5 and vector.at(3) == 3.0
    np.testing.assert_array_equal(anear.vector_to_array(vector), numbers)
    np.testing.assert_array_equal(anear.rev_swig_ptr(anear.swig_ptr(numbers), 3), numbers[:3])
    assert isinstance(outcome(lambda: anear.rev_swig_ptr(anear.swig_ptr(numbers), 30)), ValueError)


def test_clusters_are_as_good_as_faisss() -> None:
    ours, theirs = (module.Kmeans(D, 20, niter=15, seed=3) for module in (anear, upstream()))
    assert ours.train(X) <= 1.1 * theirs.train(X)
    assert ours.centroids.shape == theirs.centroids.shape
    assert ours.iteration_stats[0].keys() == theirs.iteration_stats[0].keys()
    distances, labels = ours.assign(X)
    expected = theirs.assign(X)
    assert (distances.shape, distances.dtype, labels.dtype) == (expected[0].shape, expected[0].dtype, expected[1].dtype)


def test_clustering_takes_what_faisss_takes() -> None:
    start = X[:4].copy()
    frozen = anear.Kmeans(D, 4, frozen_centroids=True)
    frozen.train(X, init_centroids=start)
    np.testing.assert_array_equal(frozen.centroids, start)
    spherical = anear.Kmeans(D, 4, spherical=True)
    spherical.train(X, weights=np.ones(500, np.float32))
    np.testing.assert_allclose(np.linalg.norm(spherical.centroids, axis=1), 1, rtol=1e-5)
    both(lambda module: module.Kmeans(D, 4, no_such_thing=1))
    both(lambda module: module.Kmeans(D, 40).train(X[:5]))
    both(lambda module: module.Kmeans(D, 4).train(X[:, :3]))
    both(lambda module: module.Kmeans(D, 4).train(np.full_like(X, np.nan)))
    both(lambda module: module.Kmeans(D, 4).assign(X))


def test_one_clustering_fills_an_index() -> None:
    def call(module: Any) -> Any:
        clustering, index = module.Clustering(D, 7), module.IndexFlatL2(D)
        clustering.niter = 3
        clustering.train(X, index)
        return index.ntotal, clustering.centroids.size(), clustering.iteration_stats.size()

    both(call)


def test_numbers_are_clustered_exactly() -> None:
    numbers = np.random.RandomState(0).normal(size=60).astype(np.float32)

    def call(module: Any) -> Any:
        clustering = module.Clustering1D(4)
        clustering.train_exact(numbers[:, None])
        return np.sort(module.vector_to_array(clustering.centroids))

    both(call)


def test_transforms_are_those_of_faiss() -> None:
    def pca(module: Any) -> Any:
        transform = module.PCAMatrix(D, 5)
        transform.train(X)
        images = transform.apply(Y)
        return np.abs(images), transform.reverse_transform(images), module.vector_to_array(transform.mean)

    both(pca)
    for make in (
        lambda m: m.NormalizationTransform(D),
        lambda m: m.CenteringTransform(D),
        lambda m: m.RemapDimensionsTransform(D, 20, False),
        lambda m: m.RemapDimensionsTransform(D, 20, True),
        lambda m: m.RemapDimensionsTransform(D, 7, True),
    ):

        def call(module: Any, make: Callable[[Any], Any] = make) -> Any:
            transform = make(module)
            before = transform.is_trained
            transform.train(X)
            return before, transform.is_trained, transform.d_out, transform.apply(Y)

        both(call)
    both(lambda module: module.PCAMatrix(D, 4).apply(Y))
    both(lambda module: module.PCAMatrix(D, 4).train(Y[:, :3]))


def test_rotations_keep_lengths() -> None:
    rotation = anear.RandomRotationMatrix(D, D)
    rotation.init(7)
    for transform in (rotation, anear.HadamardRotation(D), anear.OPQMatrix(D, 4)):
        transform.train(X)
        images = transform.apply(Y)
        np.testing.assert_allclose(np.linalg.norm(images, axis=1), np.linalg.norm(Y, axis=1), rtol=1e-4)
        np.testing.assert_allclose(transform.reverse_transform(images), Y, atol=1e-3)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(transform)).apply(Y), images)


def test_quantizers_stand_alone() -> None:
    for make in (
        lambda m: m.ScalarQuantizer(D, m.ScalarQuantizer.QT_8bit),
        lambda m: m.ScalarQuantizer(D, m.ScalarQuantizer.QT_fp16),
        lambda m: m.ProductQuantizer(D, 4, 6),
    ):

        def call(module: Any, make: Callable[[Any], Any] = make) -> Any:
            quantizer = make(module)
            quantizer.train(X)
            codes = quantizer.compute_codes(Y)
            return quantizer.code_size, codes.shape, quantizer.decode(codes).shape

        known("PQ4x6")
        both(call)
    # Faiss takes it, and makes codes of no bytes.
    assert isinstance(outcome(lambda: anear.ScalarQuantizer(D, 999)), RuntimeError)


def test_matrices_are_described_in_faisss_words() -> None:
    for matrix in (X, np.zeros((10, 4), np.float32), np.vstack([X, X[:1]])):

        def call(module: Any, matrix: Any = matrix) -> Any:
            return [line for line in module.MatrixStats(matrix).comments.split("\n") if "hash" not in line]

        both(lambda module, call=call: " ".join(call(module)))


def test_single_distances_are_those_of_faiss() -> None:
    base, queries = vectors(200), vectors(2, 2)

    def distances(module: Any, index: Any, metric: int) -> Any:
        filled = index(module, metric)
        filled.add(base)
        computer = filled.get_distance_computer()
        computer.set_query(module.swig_ptr(queries[1]))
        return np.array([computer(3), computer(199), computer.symmetric_dis(3, 4)], np.float32)

    for metric in (0, 1, 2):
        both(lambda m, metric=metric: distances(m, lambda m, metric: m.IndexFlat(D, metric), metric))
    both(lambda m: distances(m, lambda m, metric: m.IndexHNSWFlat(D, 8), 1))


def test_tables_of_a_product_quantizer_are_those_of_faiss() -> None:
    centroids = vectors(16, 5).ravel()

    def tables(module: Any) -> Any:
        pq = module.ProductQuantizer(D, 4, 4)
        pq.train(vectors(400))
        module.copy_array_to_vector(centroids, pq.centroids)
        query, code = vectors(1, 2)[0], np.zeros(2, np.uint8)
        near, like = np.zeros((4, 16), np.float32), np.zeros((4, 16), np.float32)
        pq.compute_distance_table(module.swig_ptr(query), module.swig_ptr(near))
        pq.compute_inner_prod_table(module.swig_ptr(query), module.swig_ptr(like))
        pq.compute_code(module.swig_ptr(query), module.swig_ptr(code))
        pq.compute_sdc_table()
        one = module.rev_swig_ptr(pq.get_centroids(1, 3), 4).copy()
        return near, like, code, one, module.vector_to_array(pq.sdc_table)

    both(tables)


def test_sums_at_pointers_are_those_of_faiss() -> None:
    x, y = vectors(2)

    def sums(module: Any) -> Any:
        found = [np.zeros(D, np.float32) for _ in range(3)]
        one, two, out = module.swig_ptr(x), module.swig_ptr(y), [module.swig_ptr(each) for each in found]
        module.fvec_madd(D, one, 2.5, two, out[0])
        module.fvec_add(D, one, two, out[1])
        module.fvec_sub(D, one, two, out[2])
        between = np.zeros((3, 5), np.float32)
        module.pairwise_L2sqr(
            D, 3, module.swig_ptr(vectors(3)), 5, module.swig_ptr(vectors(5, 2)), module.swig_ptr(between)
        )
        return (*found, between)

    both(sums)
