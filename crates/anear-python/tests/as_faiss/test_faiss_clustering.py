"""k-means in growing dimensions, of codes, of data of one's own and in two levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faiss_twins import D, both, outcome, vectors

import anear
from anear.contrib import clustering

BASE = vectors(1000)


def error(centroids: Any) -> float:
    """The mean squared distance to the nearest centroid."""
    return float(anear.knn(BASE, centroids, 1)[0].mean())


def test_growing_dimensions_end_near_the_plain_result() -> None:
    plain, grown = anear.Kmeans(D, 20, niter=25, nredo=3), anear.Kmeans(D, 20, niter=10, progressive_dim_steps=4)
    plain.train(BASE)
    grown.train(BASE)
    assert grown.centroids.shape == (20, D) and 4 < len(grown.obj) <= 40
    assert error(grown.centroids) < 1.5 * error(plain.centroids)
    both(lambda module: module.Kmeans(D, 5, progressive_dim_steps=3, niter=2).train(BASE) > 0)


def test_codes_are_clustered_as_their_vectors() -> None:
    codec = anear.IndexScalarQuantizer(D, anear.ScalarQuantizer.QT_8bit)
    codec.train(BASE)
    codes, found = codec.sa_encode(BASE), []
    for train in (
        lambda each, index: each.train_encoded(codes, codec, index),
        lambda each, index: each.train(codec.sa_decode(codes), index),
    ):
        each = anear.Clustering(D, 8)
        train(each, anear.IndexFlatL2(D))
        found.append(anear.vector_to_array(each.centroids))
    assert (found[0] == found[1]).all()


def test_data_of_ones_own_are_clustered() -> None:
    centroids, stats = clustering.kmeans(20, clustering.DatasetAssign(BASE), verbose=False, return_stats=True)
    assert centroids.shape == (20, D) and len(stats) == 25
    assert stats[-1]["obj"] <= stats[0]["obj"]
    assert isinstance(outcome(lambda: clustering.kmeans(9, clustering.DatasetAssign(BASE[:8]))), RuntimeError)


def test_a_cluster_of_its_own_takes_half_of_a_large_one() -> None:
    sizes, centroids = np.array([10, 0, 4]), np.array([[1.0], [9.0], [5.0]], np.float32)
    assert clustering.reassign_centroids(sizes, centroids, np.random.RandomState(1)) == 1
    assert sizes.sum() == 14 and (sizes > 0).all()
    assert centroids[1, 0] != 9.0


@pytest.mark.parametrize("rebalance", [True, False])
def test_two_levels_make_as_many_centroids_as_are_wanted(rebalance: bool) -> None:
    centroids, stats = clustering.two_level_clustering(BASE, 4, 30, rebalance=rebalance)
    assert centroids.shape == (30, D) and len(stats) == 5
    assert error(centroids) < error(BASE[:30])


def test_an_inverted_file_is_trained_in_two_levels() -> None:
    index = anear.index_factory(D, "PCA8,IVF16,Flat")
    clustering.train_ivf_index_with_2level(index, BASE)
    assert index.is_trained and anear.extract_index_ivf(index).quantizer.ntotal == 16
    index.add(BASE)
    assert (index.search(BASE[:50], 1)[1].ravel() == np.arange(50)).all()


def test_a_rotation_for_signs_is_learned() -> None:
    rotation = anear.ITQMatrix(D)
    rotation.train(BASE)
    assert rotation.is_trained and rotation.is_orthonormal
    np.testing.assert_allclose(rotation.reverse_transform(rotation.apply(BASE[:5])), BASE[:5], rtol=1e-3, atol=1e-3)


def test_small_batches_and_two_levels_come_near_the_plain_objective() -> None:
    plain = anear.Kmeans(D, 20)
    plain.train(BASE)
    for centroids in (clustering.minibatch_kmeans(20, BASE), clustering.hierarchical_kmeans(20, BASE, parts=4)):
        assert centroids.shape == (20, D)
        assert error(centroids) < 1.1 * error(plain.centroids)


def test_a_batch_larger_than_the_data_is_one_of_all_of_them() -> None:
    found = [clustering.minibatch_kmeans(4, BASE, batch_size=size) for size in (10**12, len(BASE))]
    np.testing.assert_array_equal(*found)


def test_similarity_clusters_by_direction() -> None:
    x = np.repeat(np.eye(3, D, dtype=np.float32), 400, axis=0) * np.linspace(1, 2, 1200, dtype=np.float32)[:, None]
    found = clustering.minibatch_kmeans(3, x, metric=anear.METRIC_INNER_PRODUCT)
    assert sorted(found.argmax(1).tolist()) == [0, 1, 2]


def test_balanced_clusters_keep_to_their_size() -> None:
    skewed = np.vstack([BASE[:800] * np.float32(0.01), BASE[800:]])
    centroids, assign = clustering.balanced_kmeans(10, skewed, max_size=1.2, niter=5)
    assert centroids.shape == (10, D) and assign.dtype == np.int64
    assert np.bincount(assign, minlength=10).max() <= 120
    plain = anear.Kmeans(D, 10)
    plain.train(skewed)
    assert np.bincount(plain.assign(skewed)[1], minlength=10).max() > 120, "the data are too even to test this"
    np.testing.assert_allclose(centroids[3], skewed[assign == 3].mean(0), rtol=1e-4, atol=1e-5)


def test_forms_of_clustering_refuse_what_cannot_be() -> None:
    with pytest.raises(RuntimeError, match="max_size"):
        clustering.balanced_kmeans(10, BASE, max_size=0.5)
    with pytest.raises(RuntimeError, match="30"):
        clustering.hierarchical_kmeans(30, BASE[:10])
    with pytest.raises(AttributeError, match="nitre"):
        clustering.balanced_kmeans(10, BASE, nitre=5)
    with pytest.raises(ValueError, match="two dimensions|shape"):
        clustering.minibatch_kmeans(3, BASE[0])
    with pytest.raises(RuntimeError, match="NaN"):
        clustering.minibatch_kmeans(3, np.full((100, 4), np.nan, np.float32))
    with pytest.raises(ValueError, match="spherical"):
        clustering.balanced_kmeans(3, BASE, spherical=True)
    with pytest.raises(ValueError, match="metric"):
        clustering.minibatch_kmeans(3, BASE, metric=anear.METRIC_L1)
    for wrong in ({"k": 0}, {"k": 3, "niter": -1}, {"k": 3, "batch_size": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            clustering.minibatch_kmeans(x=BASE, **wrong)
    with pytest.raises(ValueError, match="parts"):
        clustering.hierarchical_kmeans(3, BASE, parts=-1)
