"""Indexes around others and graphs take over each other's vectors, which keep their names."""

from typing import Any

import anear.faiss as anear
import numpy as np
import pytest

D = 16
X = np.random.default_rng(4).random((300, D), dtype=np.float32)
NEW = np.random.default_rng(5).random((2, D), dtype=np.float32)
NAMED = [
    "IDMap,Flat",
    "IDMap2,IVF4,Flat",
    "IDMap,IVF4,SQ8",
    "IDMap2,HNSW16",
    "IDMap,NSG16",
    "IDMap2,PCA8,IVF4,Flat",
    "IDMap2,IVF4,SQ8,RFlat",
    "IDMap2,IVF4,PRQ2x2x4,RFlat",
]
COUNTED = ["Flat,RFlat", "SQ8,RFlat", "IVF4,SQ8,RFlat", "HNSW16,RFlat", "IVF4,SQ8,Refine(SQ8)", "HNSW16", "NSG16", "PCA8,HNSW16"]


def pair(spec: str) -> tuple[Any, Any]:
    """Two empty indexes that learned the same."""
    index = anear.index_factory(D, spec)
    index.train(X)
    if "IVF" in spec:
        anear.extract_index_ivf(index).nprobe = 4
    return index, anear.clone_index(index)


def nearest(index: Any, rows: Any) -> list[int]:
    refine = index if isinstance(index, anear.IndexRefine) else getattr(index, "index", None)
    if isinstance(refine, anear.IndexRefine):
        refine.k_factor = 10.0
    ids: list[int] = index.search(X[rows], 1)[1][:, 0].tolist()
    return ids


@pytest.mark.parametrize("spec", NAMED)
def test_id_maps_merge_whatever_is_within(spec: str) -> None:
    one, other = pair(spec)
    one.add_with_ids(X[:150], np.arange(150) + 1_000)
    other.add_with_ids(X[150:], np.arange(150) + 2_000)
    # The first, some between and the last of each.
    assert one.remove_ids(np.r_[1_000:1_003, 1_050, 1_145:1_150]) == 9
    assert other.remove_ids(np.r_[2_000:2_003, 2_050, 2_145:2_150]) == 9
    one.check_compatible_for_merge(other)
    one.merge_from(other, 7)
    assert (one.ntotal, other.ntotal) == (282, 0)
    rows = np.array([3, 49, 51, 144, 153, 199, 201, 294])
    names = np.where(rows < 150, rows + 1_000, rows - 150 + 2_007)
    assert nearest(one, rows) == names.tolist()
    for index in (one, other):
        index.add_with_ids(X[295:], np.arange(5) + 9_000)
        assert nearest(index, np.arange(295, 300)) == list(range(9_000, 9_005))
    assert nearest(one, rows) == names.tolist()
    if "PRQ" in spec:
        return
    again = anear.deserialize_index(anear.serialize_index(one)) if "RFlat" not in spec else anear.clone_index(one)
    if "IVF" in spec:
        anear.extract_index_ivf(again).nprobe = 4
    assert again.ntotal == 287 and nearest(again, rows) == names.tolist()


@pytest.mark.parametrize("spec", COUNTED)
def test_refinement_and_graphs_merge_under_ids_that_are_counted_on(spec: str) -> None:
    one, other = pair(spec)
    one.add(X[:150])
    other.add(X[150:])
    one.check_compatible_for_merge(other)
    one.merge_from(other)
    rows = np.arange(0, 300, 7)
    assert (one.ntotal, other.ntotal) == (300, 0) and nearest(one, rows) == rows.tolist()
    one.add(NEW[:1])
    other.add(NEW)
    assert one.search(NEW[:1], 1)[1].tolist() == [[300]] and other.ntotal == 2
    first, second = other.search(NEW, 1)[1][:, 0].tolist()
    assert second == first + 1


@pytest.mark.parametrize("spec", ["IDMap2,IVF4,Flat", "IDMap,HNSW16", "IVF4,SQ8,RFlat", "HNSW16,RFlat"])
def test_a_reset_index_begins_anew(spec: str) -> None:
    index, _ = pair(spec)
    for _ in range(2):
        if spec.startswith("IDMap"):
            index.add_with_ids(X[:100], np.arange(100) + 40)
            assert nearest(index, np.arange(0, 100, 9)) == list(range(40, 140, 9))
        else:
            index.add(X[:100])
            assert np.diff(nearest(index, np.arange(0, 100, 9))).tolist() == [9] * 11
        assert anear.clone_index(index).ntotal == 100
        index.reset()
        assert index.ntotal == 0


@pytest.mark.parametrize("spec", ["IVF4,SQ8,RFlat", "HNSW16,RFlat", "NSG16,RFlat", "IVF4,SQ4,Refine(SQ8)", "PCA8,IVF4,Flat,RFlat"])
def test_refinement_forgets_vectors_and_keeps_the_names_of_others(spec: str) -> None:
    index, other = pair(spec)
    index.add(X)
    assert index.remove_ids(np.r_[0:10, 295:300, 777]) == 15
    assert index.remove_ids(anear.IDSelectorRange(100, 103)) == 3
    rows = np.r_[10:100:7, 103:295:7]
    assert index.ntotal == 282 and nearest(index, rows) == rows.tolist()
    assert not {0, 9, 100, 299} & set(index.search(X[:20], 40)[1].ravel().tolist())
    np.testing.assert_allclose(index.reconstruct(200), X[200], atol=0.01)
    with pytest.raises(RuntimeError, match="there is no vector with id 101"):
        index.reconstruct(101)
    index.add(X[:5])
    other.add(X[100:103])
    index.merge_from(other)
    for version in (index, anear.clone_index(index)):
        if "IVF" in spec:
            anear.extract_index_ivf(version.base_index).nprobe = 4
        assert nearest(version, rows) == rows.tolist()
        assert np.diff(nearest(version, np.r_[0:5, 100:103])).tolist() == [1] * 7
    assert index.ntotal == 290


def test_what_is_not_alike_is_not_merged() -> None:
    for one, other in (
        ("IDMap,IVF4,Flat", "IDMap,IVF5,Flat"),
        ("IDMap,HNSW16", "IDMap,NSG16"),
        ("Flat,RFlat", "SQ8,RFlat"),
        ("Flat,RFlat", "Flat,Refine(SQ8)"),
        ("HNSW16", "HNSW16,SQ8"),
    ):
        ours, theirs = pair(one)[0], pair(other)[0]
        for refused in (ours.check_compatible_for_merge, ours.merge_from):
            with pytest.raises(RuntimeError, match="cannot merge|lists"):
                refused(theirs)
    index = pair("Flat,RFlat")[0]
    index.add(X)
    with pytest.raises(RuntimeError):
        index.merge_from(index)
    assert index.ntotal == 300
