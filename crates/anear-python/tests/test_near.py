"""The index that is asked for a recall, under Faiss's names."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anear.faiss as anear

D, FEW, MANY = 16, 500, 4000
RNG = np.random.default_rng(7)
# Around some middles, as embeddings are.
MIDDLES = RNG.normal(size=(40, D))


def vectors(count: int) -> Any:
    return (MIDDLES[RNG.integers(0, 40, count)] + 0.5 * RNG.normal(size=(count, D))).astype(np.float32)


BASE, QUERIES = vectors(MANY), vectors(50)
SHAPES = ["Near", "NearLists", "NearGraph", "NearLean", "auto3000"]


def filled(shape: str = "Near", metric: Any = anear.METRIC_L2, count: int = MANY) -> Any:
    index = anear.index_factory(D, shape, metric)
    assert index.is_trained
    index.train(BASE)
    index.add(BASE[:count])
    return index


def share(found: Any, truth: Any) -> float:
    return float(np.mean([len(set(one) & set(other)) / len(other) for one, other in zip(found, truth, strict=True)]))


@pytest.mark.parametrize("metric", [anear.METRIC_L2, anear.METRIC_INNER_PRODUCT, "cosine"])
@pytest.mark.parametrize("shape", [*SHAPES, "auto"])
def test_it_finds_the_share_it_is_asked_for(shape: str, metric: Any) -> None:
    index, exact = filled(shape, metric), anear.IndexFlat(D, metric)
    exact.add(BASE)
    assert type(index) is anear.IndexNear and index.metric == exact.metric
    values, truth = exact.search(QUERIES, 10)
    index.recall = 0.9
    assert share(index.search(QUERIES, 10)[1], truth) > 0.85
    everything = index.search(QUERIES, 10, params=anear.SearchParametersNear(recall=1.0))
    np.testing.assert_array_equal(everything[1], truth)
    np.testing.assert_allclose(everything[0], values, rtol=1e-5, atol=1e-5)
    assert index.recall == 0.9


def test_it_says_what_it_made_of_the_vectors() -> None:
    assert filled(count=FEW).explain() == f"all {FEW} vectors are compared: they are few"
    assert "a graph" in filled("NearGraph").explain() and "lists alone" in filled("NearLists").explain()


def test_a_search_may_look_farther_and_among_fewer() -> None:
    index = filled("NearLists")
    near = anear.SearchParametersNear(visits=1, candidates=10)
    assert share(index.search(QUERIES, 10, params=near)[1], index.search(QUERIES, 10)[1]) < 1
    some = anear.SearchParametersNear(recall=1.0, sel=anear.IDSelectorRange(100, 103))
    assert set(index.search(QUERIES, 3, params=some)[1].ravel()) == {100, 101, 102}
    odd = anear.SearchParameters(sel=anear.PyCallbackIDSelector(lambda id_: id_ % 2 == 1))
    assert (index.search(QUERIES, 3, params=odd)[1] % 2 == 1).all()
    with pytest.raises(RuntimeError, match="must be SearchParametersNear, got SearchParametersIVF"):
        index.search(QUERIES, 3, params=anear.SearchParametersIVF(nprobe=3))


def test_what_is_no_share_is_refused() -> None:
    index = filled(count=FEW)
    with pytest.raises(RuntimeError, match="recall must be a share between 0 and 1, got 1.5"):
        index.recall = 1.5
    with pytest.raises(RuntimeError, match="recall must be a share between 0 and 1, got 1.5"):
        index.search(QUERIES, 1, params=anear.SearchParametersNear(recall=1.5))
    for told in [lambda: setattr(index, "recall", "a"), lambda: anear.SearchParametersNear(recall="a")]:
        with pytest.raises(RuntimeError, match="recall must be a number, got 'a'"):
            index.search(QUERIES, 1, params=told())
    with pytest.raises(RuntimeError, match="recall must be a share"):
        anear.ParameterSpace().set_index_parameter(index, "recall", -1)
    with pytest.raises(RuntimeError, match="Near"):
        anear.index_factory(D, "Near", anear.METRIC_L1)
    with pytest.raises(RuntimeError, match="expected the shape"):
        anear.IndexNear(D, "NearBy")


@pytest.mark.parametrize("width", [0, -1])
def test_vectors_without_components_are_refused(width: int) -> None:
    with pytest.raises(RuntimeError, match=f"vectors must have a component at least, got d = {width}"):
        anear.IndexNear(width)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [FEW, MANY])
def test_vectors_come_go_and_come_back(shape: str, count: int) -> None:
    index = filled(shape, count=count)
    index.recall = 1.0
    assert index.remove_ids(np.arange(10)) == 10
    assert index.remove_ids(anear.IDSelectorRange(0, 20)) == 10
    index.add(BASE[:5])
    assert index.search(BASE[:5], 1)[1][:, 0].tolist() == list(range(count, count + 5))
    np.testing.assert_array_equal(index.reconstruct(count + 1), BASE[1])
    with pytest.raises(RuntimeError, match="3"):
        index.reconstruct(3)
    lims, distances, labels = index.range_search(BASE[20:21], 1e-6)
    assert (lims.tolist(), labels.tolist(), distances.tolist()) == ([0, 1], [20], [0.0])
    index.reset()
    index.add(BASE[:3])
    assert index.search(BASE[:3], 1)[1][:, 0].tolist() == [0, 1, 2] and index.recall == 1.0


def test_one_takes_over_another() -> None:
    one, other = filled(count=3000), filled("NearLists", count=FEW)
    one.merge_from(other)
    one.recall = 1.0
    assert (one.ntotal, other.ntotal) == (3000 + FEW, 0)
    assert one.search(BASE[:1], 2)[1].tolist() == [[0, 3000]]


@pytest.mark.parametrize("spec", ["Near", "NearGraph", "IDMap2,Near", "PCA8,NearLists"])
def test_it_comes_back_from_its_file(spec: str, tmp_path: Path) -> None:
    index = anear.index_factory(D, spec)
    index.train(BASE)
    if "IDMap" in spec:
        index.add_with_ids(BASE, np.arange(MANY) + 9000)
    else:
        index.add(BASE)
    index.remove_ids(np.r_[5:10, 9005:9010])
    anear.ParameterSpace().set_index_parameters(index, "recall=0.99")
    expected = index.search(QUERIES, 10)
    path = tmp_path / "index.anear"
    anear.write_index(index, path)
    writer = anear.VectorIOWriter()
    anear.write_index(index, writer)
    reader = anear.VectorIOReader()
    reader.data = writer.data
    for again in (
        anear.read_index(path),
        anear.read_index(path, anear.IO_FLAG_MMAP),
        anear.read_index(reader),
        anear.deserialize_index(anear.serialize_index(index)),
        anear.clone_index(index),
        pickle.loads(pickle.dumps(index)),
    ):
        assert type(again) is type(index) and again.ntotal == MANY - 5
        np.testing.assert_array_equal(again.search(QUERIES, 10)[1], expected[1])
        inner = again if spec.startswith("Near") else again.index
        assert inner.recall == 0.99 and inner.explain()
    with pytest.raises(RuntimeError, match="save it in anear's own format"):
        index.to_faiss()
    path.write_bytes(path.read_bytes()[:-9])
    for flags in (0, anear.IO_FLAG_MMAP):
        with pytest.raises(RuntimeError):
            anear.read_index(path, flags)


def test_settings_are_explored() -> None:
    index = filled()
    space = anear.ParameterSpace()
    space.initialize(index)
    assert [each.name for each in space.parameter_ranges] == ["recall"]
    assert space.combination_name(0) == "recall=0.8"
    space.set_index_parameters(index, "recall=0.85,nprobe=7")
    assert (index.recall, index.visits) == (0.85, 7)
    with pytest.raises(RuntimeError, match="could not set parameter efSearch"):
        space.set_index_parameters(index, "efSearch=7")
    index.visits = 0
    criterion = anear.IntersectionCriterion(len(QUERIES), 10)
    criterion.set_groundtruth(None, anear.knn(QUERIES, BASE, 10)[1])
    points = space.explore(index, QUERIES, criterion)
    assert max(point.perf for point in points.all_pts) == 1.0


@pytest.mark.parametrize("value", [2, -1, float("nan"), "0.9", None, [1]])
def test_a_recall_that_is_no_share_is_refused_where_it_is_set(value: Any) -> None:
    index = anear.IndexNear(D)
    with pytest.raises(RuntimeError, match="recall must be a"):
        index.recall = value
    assert index.recall == 0.95


def test_all_the_rest_is_up_to_the_last_id() -> None:
    index = filled(count=100)
    index.remove_ids(np.arange(10, 20))
    assert (index.reconstruct_n(20) == BASE[20:100]).all()
    with pytest.raises(RuntimeError, match="id 10 is not in the index"):
        index.reconstruct_n()


def test_a_vector_too_large_to_learn_from_is_refused_by_its_number() -> None:
    index = filled(count=FEW)
    with pytest.raises(RuntimeError, match="vector 1 is too large"):
        index.add(np.array([[1.0] * D, [1e30] * D], np.float32))
    assert index.ntotal == FEW


def test_what_is_no_metric_and_no_selector_is_refused_by_name() -> None:
    with pytest.raises(RuntimeError, match="metric 'cos' is not known; there are .*cosine"):
        anear.IndexNear(D, "Near", "cos")
    with pytest.raises(TypeError, match="sel must be a selector as IDSelectorBatch"):
        anear.SearchParametersNear(sel=[1, 2])


def test_lists_that_it_finds_are_saved_in_the_container(tmp_path: Path) -> None:
    index = anear.index_factory(D, "IVF16(auto),Flat")
    index.train(BASE)
    index.add(BASE)
    anear.write_index(index, str(tmp_path / "index"))
    again = anear.read_index(str(tmp_path / "index"))
    assert (again.search(QUERIES, 5)[1] == index.search(QUERIES, 5)[1]).all()
