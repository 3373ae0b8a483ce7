"""What stays under its name when vectors are removed within id maps, whichever way the index within numbers its own."""

from typing import Any

import anear.faiss as anear
import numpy as np
import pytest

D = 16
X = np.random.default_rng(4).random((300, D), dtype=np.float32)
IDS = np.arange(300) + 1_000
SPECS = ["IDMap2,Flat", "IDMap2,IVF4,Flat", "IDMap,IVF4,SQ8", "IDMap2,HNSW16", "IDMap,NSG16", "IDMap2,PCA8,IVF4,Flat"]


def filled(spec: str) -> Any:
    index = anear.index_factory(D, spec)
    index.train(X)
    index.add_with_ids(X, IDS)
    if "IVF" in spec:
        anear.extract_index_ivf(index).nprobe = 4
    return index


def nearest(index: Any, rows: Any) -> list[int]:
    ids: list[int] = index.search(X[rows], 1)[1][:, 0].tolist()
    return ids


@pytest.mark.parametrize("spec", SPECS)
def test_the_others_keep_their_names(spec: str) -> None:
    index = filled(spec)
    gone = np.r_[1_000:1_010, 1_295:1_300]
    assert index.remove_ids(gone) == 15
    rows = np.arange(10, 295, 7)
    assert index.ntotal == 285 and nearest(index, rows) == (rows + 1_000).tolist()
    assert not set(gone) & set(index.search(X[:20], 20)[1].ravel().tolist())
    index.add_with_ids(X[:10], np.arange(10) + 5_000)
    assert nearest(index, np.arange(10)) == list(range(5_000, 5_010)) and nearest(index, rows) == (rows + 1_000).tolist()
    some = anear.SearchParametersIVF(sel=anear.IDSelectorRange(1_100, 1_103), nprobe=4) if ",IVF" in spec else None
    if some is not None and "PCA" not in spec:
        assert set(index.search(X[:5], 3, params=some)[1].ravel().tolist()) == {1_100, 1_101, 1_102}
    assert index.remove_ids(np.array([5_003, 1_010, 77])) == 2
    again = anear.deserialize_index(anear.serialize_index(index))
    if "IVF" in spec:
        anear.extract_index_ivf(again).nprobe = 4
    assert again.ntotal == 293 and nearest(again, rows[1:]) == (rows[1:] + 1_000).tolist()
    if spec.startswith("IDMap2"):
        index.check_consistency()
        np.testing.assert_allclose(index.reconstruct(1_100), X[100], atol=0.9)
        with pytest.raises(RuntimeError, match="key 1005 not found"):
            index.reconstruct(1_005)


@pytest.mark.parametrize("spec", ["IDMap2,BFlat", "IDMap2,BIVF4", "IDMap2,BHNSW8", "IDMap2,BHash2x8", "IDMap2,BHash8"])
def test_bit_vectors_keep_their_names_too(spec: str) -> None:
    bits = np.random.default_rng(5).integers(0, 256, (300, 8), dtype=np.uint8)
    index = anear.index_binary_factory(64, spec)
    index.train(bits)
    index.add_with_ids(bits, IDS)
    if "IVF" in spec:
        index.index.nprobe = 4
    assert index.remove_ids(np.r_[1_000:1_010, 1_295:1_300]) == 15
    index.add_with_ids(bits[:3], np.arange(3) + 5_000)
    rows = np.arange(10, 295, 7)
    again = anear.deserialize_index_binary(anear.serialize_index_binary(index))
    if "IVF" in spec:
        again.index.nprobe = 4
    assert type(again.index) is type(index.index)
    for version in (index, again, anear.clone_binary_index(index)):
        assert version.search(bits[rows], 1)[1][:, 0].tolist() == (rows + 1_000).tolist()
        assert version.search(bits[:3], 1)[1][:, 0].tolist() == [5_000, 5_001, 5_002]
        np.testing.assert_array_equal(version.reconstruct(1_100), bits[100])
