"""Vectors with numbers missing: the metrics that leave them out, in functions, in an index, in files."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faiss_twins import both, check_alike, outcome, upstream

import anear

METRICS = [anear.METRIC_NaNEuclidean, anear.METRIC_GOWER]
RANDOM = np.random.RandomState(5)


def with_gaps(count: int, width: int = 6) -> Any:
    """Numbers from 0 to 1 and, in the last two columns, categories; a third of all is missing, of some rows everything."""
    vectors = RANDOM.random_sample((count, width)).astype(np.float32)
    vectors[:, -2:] = -RANDOM.randint(1, 4, size=(count, 2))
    vectors[RANDOM.random_sample(vectors.shape) < 0.3] = np.nan
    vectors[::17] = np.nan
    return vectors


BASE, QUERIES = with_gaps(90), with_gaps(20)


def filled(module: Any, metric: int) -> Any:
    index = module.IndexFlat(6, metric)
    index.add(BASE[:40])
    index.add(BASE[40:])
    return index


def in_order(found: Any) -> Any:
    """Distances of a search; of equal ones any may come first, and Faiss sums in another order."""
    return found[0]


@pytest.mark.parametrize("metric", METRICS)
def test_distances_are_those_of_faiss(metric: int) -> None:
    both(lambda module: module.pairwise_distances(QUERIES, BASE, metric))
    both(lambda module: in_order(module.knn(QUERIES, BASE, 7, metric=metric)))
    both(lambda module: in_order(filled(module, metric).search(QUERIES, 90)))
    both(lambda module: filled(module, metric).range_search(QUERIES, 0.4))


@pytest.mark.parametrize("metric", METRICS)
def test_found_vectors_have_the_distances_that_are_said(metric: int) -> None:
    index = filled(anear, metric)
    kept = anear.SearchParameters(sel=anear.IDSelectorRange(10, 60))
    distances, labels = index.search(QUERIES, 5, params=kept)
    table = anear.pairwise_distances(QUERIES, BASE, metric)
    assert ((labels == -1) | ((labels >= 10) & (labels < 60))).all() and (labels >= 0).any()
    rows, columns = np.nonzero(labels >= 0)
    np.testing.assert_array_equal(distances[rows, columns], table[rows, labels[rows, columns]])
    both(lambda module: in_order(filled(module, metric).search(QUERIES, 5, params=module.SearchParameters(sel=module.IDSelectorRange(10, 60)))))


@pytest.mark.parametrize(("one", "other"), [(-1, -1.4), (-0.3, -0.7), (-0.0, 0.5), (1, 0), (1.5, 0.5), (0.5, 1.5), (np.inf, 0.5), (-np.inf, -np.inf), (0.5, -1), (np.nan, 3), (3, np.nan)])
def test_categories_and_numbers_go_together_as_in_faiss(one: float, other: float) -> None:
    x, y = (np.array([[value, 0.5]], np.float32) for value in (one, other))
    both(lambda module: module.pairwise_distances(x, y, module.METRIC_GOWER))


def test_large_sets_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from anear.faiss import _missing

    whole = anear.pairwise_distances(QUERIES, BASE, anear.METRIC_GOWER)
    monkeypatch.setattr(_missing, "BLOCK", 50)
    np.testing.assert_array_equal(anear.pairwise_distances(QUERIES, BASE, anear.METRIC_GOWER), whole)


def test_many_queries_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from anear.faiss import _missing

    index = filled(anear, anear.METRIC_GOWER)
    whole = [index.range_search(QUERIES, 0.4), index.search(QUERIES, 5)]
    counts, pairwise = [], _missing.pairwise
    monkeypatch.setattr(_missing, "QUERIES", 3)
    monkeypatch.setattr(_missing, "pairwise", lambda x, y, metric: (counts.append(len(x)), pairwise(x, y, metric))[1])
    for found, expected in zip([index.range_search(QUERIES, 0.4), index.search(QUERIES, 5)], whole, strict=True):
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert max(counts) == 3 and sum(counts) == 2 * len(QUERIES)


@pytest.mark.parametrize("metric", METRICS)
def test_vectors_are_removed_merged_and_given_back(metric: int) -> None:
    def call(module: Any) -> Any:
        index, other = filled(module, metric), filled(module, metric)
        removed = index.remove_ids(np.arange(0, 30, 2))
        index.merge_from(other)
        return removed, index.ntotal, other.ntotal, index.reconstruct_n(0, index.ntotal), index.sa_encode(BASE[:3])

    both(call)
    index = filled(anear, metric)
    index.reset()
    assert index.ntotal == 0 and isinstance(outcome(lambda: index.reconstruct(0)), RuntimeError)


@pytest.mark.parametrize("metric", METRICS)
def test_files_and_copies_keep_everything(metric: int, tmp_path: Path) -> None:
    index = filled(anear, metric)
    anear.write_index(index, tmp_path / "index")
    for again in (
        anear.read_index(tmp_path / "index"),
        anear.read_index(tmp_path / "index", anear.IO_FLAG_MMAP),
        anear.deserialize_index(anear.serialize_index(index)),
        copy.deepcopy(index),
        anear.clone_index(index),
        pickle.loads(pickle.dumps(index)),
    ):
        assert isinstance(again, anear.IndexFlat) and (again.metric_type, again.ntotal) == (metric, 90)
        check_alike(again.search(QUERIES, 5), index.search(QUERIES, 5))
    file = anear.serialize_index(index)
    for cut in range(len(file)):
        assert isinstance(outcome(lambda cut=cut: anear.deserialize_index(file[:cut])), RuntimeError), cut
    assert isinstance(outcome(lambda: anear.deserialize_index(np.append(file, np.uint8(0)))), RuntimeError)
    theirs = upstream()
    assert theirs.serialize_index(filled(theirs, metric)).tobytes() == file.tobytes()
    assert theirs.deserialize_index(file).ntotal == 90


@pytest.mark.parametrize("metric", METRICS)
def test_ids_and_shards_go_around_them(metric: int) -> None:
    index = anear.IndexIDMap2(anear.IndexFlat(6, metric))
    index.add_with_ids(BASE, np.arange(90) + 1000)
    labels = index.search(QUERIES, 3)[1]
    plain = filled(anear, metric).search(QUERIES, 3)[1]
    np.testing.assert_array_equal(labels, np.where(plain < 0, -1, plain + 1000))
    shards = anear.IndexShards(6, False, True)
    halves = [anear.IndexFlat(6, metric) for _ in range(2)]
    for half, vectors in zip(halves, (BASE[:50], BASE[50:]), strict=True):
        half.add(vectors)
        shards.add_shard(half)
    np.testing.assert_array_equal(shards.search(QUERIES, 3)[1], plain)
    for kind in ("HNSW8", "IVF2,Flat", "SQ8"):
        assert isinstance(outcome(lambda kind=kind: anear.index_factory(6, kind, metric)), RuntimeError)
    assert anear.index_factory(6, "Flat", metric).metric_type == metric
