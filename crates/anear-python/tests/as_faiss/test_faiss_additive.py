"""Codes by local search and of parts of vectors: as good as Faiss's, and decoded alike by the same codebooks."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from faiss_twins import D, check_alike, outcome, recall, upstream, vectors

import anear

BASE = vectors(800)
TRAIN = vectors(400, 3)
QUERIES = vectors(20, 2)

QUANTIZERS = {
    "LocalSearchQuantizer": (D, 4, 4),
    "ProductResidualQuantizer": (D, 2, 2, 4),
    "ProductLocalSearchQuantizer": (D, 2, 2, 3),
}
KINDS = ["LSQ4x4", "PRQ2x2x4", "PLSQ2x2x3", "LSQ3x4_Nqint8", "PRQ2x2x4_Nfloat"]
BLOCKS = ["LSQ3x4fs_32_Nlsq2x4", "PRQ2x2x4fs_64_Nrq2x4", "IVF8,PRQ2x2x4fsr_32_Nrq2x4", "IVF8,LSQ2x4fs_32_Nlsq2x4"]
KINDS += ["IVF8,LSQ4x4", "IVF8,PRQ2x2x4_Nqint4", "IVF8,PLSQ2x2x3"]


def filled(module: Any, spec: str, metric: int = 1) -> Any:
    index = module.index_factory(D, spec, metric)
    index.train(TRAIN)
    index.add(BASE)
    if spec.startswith("IVF"):
        index.nprobe = 4
    return index


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_quantizer_loses_no_more_than_faisss_and_decodes_alike(name: str) -> None:
    ours, theirs = (getattr(module, name)(*QUANTIZERS[name]) for module in (anear, upstream()))
    assert not ours.is_trained and isinstance(outcome(lambda: ours.compute_codes(BASE)), RuntimeError)
    for quantizer in (ours, theirs):
        quantizer.train(TRAIN)
    for attribute in ("M", "d", "code_size", "tot_bits", "norm_bits", "total_codebook_size", "only_8bit"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    codes = ours.compute_codes(BASE)
    losses = [((each.decode(each.compute_codes(BASE)) - BASE) ** 2).sum(1).mean() for each in (ours, theirs)]
    assert losses[0] < 1.1 * losses[1], losses
    upstream().copy_array_to_vector(anear.vector_to_array(ours.codebooks), theirs.codebooks)
    np.testing.assert_allclose(ours.decode(codes), theirs.decode(codes), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("spec", "metric"), [*((spec, 1) for spec in KINDS), ("PRQ2x2x4", 0), ("IVF8,PRQ2x2x4_Nqint4", 0)]
)
def test_an_index_finds_about_as_much_as_faisss(spec: str, metric: int) -> None:
    ours, theirs = (filled(module, spec, metric) for module in (anear, upstream()))
    assert type(ours).__name__ == type(theirs).__name__
    assert (ours.ntotal, ours.code_size, ours.is_trained) == (800, theirs.code_size, True)
    mine, other = ours.search(QUERIES, 10), theirs.search(QUERIES, 10)
    check_alike(mine, other, exact=False)
    right = anear.knn(QUERIES, BASE, 10, metric)[1]
    assert recall(mine[1], right) > recall(other[1], right) - 0.12
    assert ours.sa_encode(QUERIES).shape == theirs.sa_encode(QUERIES).shape


@pytest.mark.parametrize("spec", KINDS)
def test_distances_are_those_of_the_vectors_that_are_given_back(spec: str) -> None:
    index = filled(anear, spec)
    distances, ids, found = index.search_and_reconstruct(QUERIES, 5)
    np.testing.assert_allclose(distances, ((found - QUERIES[:, None]) ** 2).sum(2), rtol=1e-3, atol=1e-3)
    lims, near, labels = index.range_search(QUERIES, float(distances[0, 4]))
    assert set(labels[: int(lims[1])].tolist()) == set(ids[0][distances[0] < distances[0, 4]].tolist())
    assert (near < distances[0, 4]).all()
    np.testing.assert_allclose(index.sa_decode(index.sa_encode(BASE[:9])), index.reconstruct_n(0, 9), atol=1e-4)


@pytest.mark.parametrize("spec", KINDS)
def test_vectors_are_selected_removed_merged_and_copied(spec: str) -> None:
    index = filled(anear, spec)
    kind = anear.SearchParametersIVF if spec.startswith("IVF") else anear.SearchParameters
    options = {"nprobe": 8} if spec.startswith("IVF") else {}
    params = kind(sel=anear.IDSelectorRange(100, 300), **options)
    chosen = index.search(QUERIES, 5, params=params)
    assert ((chosen[1] >= 100) & (chosen[1] < 300)).all()
    again = pickle.loads(pickle.dumps(index))
    check_alike(again.search(QUERIES, 5), index.search(QUERIES, 5))
    assert index.remove_ids(np.arange(50)) == 50 and index.ntotal == 750
    index.merge_from(again, 1000 if spec.startswith("IVF") else 0)
    assert (index.ntotal, again.ntotal) == (1550, 0)
    assert isinstance(outcome(lambda: anear.serialize_index(index)), RuntimeError)


@pytest.mark.parametrize("spec", ["PRQ2x2x4", "IVF8,PRQ2x2x4_Nqint4"])
def test_numbers_that_are_not_finite_and_codes_of_other_codebooks_are_refused(spec: str) -> None:
    index, other = filled(anear, spec), anear.index_factory(D, spec)
    other.train(BASE[:400])
    other.add(BASE)
    strange = BASE[:3].copy()
    strange[1, 2] = np.nan
    for call, reason in (
        (lambda: index.add(strange), "vector 1 has NaN at component 2"),
        (lambda: anear.LocalSearchQuantizer(D, 1, 1).train(strange), "vector 1 has NaN at component 2"),
        (lambda: index.merge_from(other), "codebooks differ"),
    ):
        with pytest.raises(RuntimeError, match=reason):
            call()
    assert (index.ntotal, other.ntotal) == (800, 800)


@pytest.mark.parametrize("spec", BLOCKS)
def test_codes_in_blocks_find_about_as_much_as_faisss(spec: str) -> None:
    ours, theirs = (filled(module, spec) for module in (anear, upstream()))
    for name in ("ntotal", "code_size", "M", "M2", "bbs", "implem"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert type(ours).__name__ == type(theirs).__name__
    assert getattr(ours, "by_residual", None) == getattr(theirs, "by_residual", None)
    right = anear.knn(QUERIES, BASE, 10)[1]
    assert recall(ours.search(QUERIES, 10)[1], right) > recall(theirs.search(QUERIES, 10)[1], right) - 0.12


def test_codes_become_codes_in_blocks() -> None:
    plain = anear.index_factory(D, "PRQ2x2x4_Nrq2x4")
    plain.train(TRAIN)
    plain.add(BASE)
    blocks = anear.IndexAdditiveQuantizerFastScan(plain)
    check_alike(blocks.search(QUERIES, 5), plain.search(QUERIES, 5))


def test_strings_that_name_no_such_quantizer_are_refused() -> None:
    for spec in ("LSQ4", "PRQ2x4", "PLSQ2x2", "LSQ4x4_Nfoo", "PRQ3x2x4", "IVF8,LSQ4", "LSQ4x4fs", "PRQ2x2x8fs_32_Nrq2x4"):
        ours, theirs = (outcome(lambda m=module, s=spec: m.index_factory(D, s)) for module in (anear, upstream()))
        assert type(ours) is type(theirs) is RuntimeError, spec
