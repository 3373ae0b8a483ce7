"""Codes in blocks of 64 and 96, as Faiss's files may have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faiss_twins import D, check_alike, outcome, recall, upstream, vectors

import anear
from anear.contrib import factory_tools

BASE = vectors(700)
QUERIES = vectors(20, 2)
KINDS = [
    "PQ8x4fs_64",
    "PQ8x4fs_96",
    "PQ1x4fs_64",
    "IVF4,PQ8x4fs_96",
    "IVF4,PQ8x4fsr_64",
    "RaBitQfs_64",
    "RaBitQfs3_96",
    "IVF4,RaBitQfs_64",
    "IVF4,RaBitQfs2_96",
    "PQ8x4fs_128",
    "PQ8x4fs",
]


def filled(module: Any, spec: str) -> Any:
    index = module.index_factory(D, spec)
    index.train(BASE)
    index.add(BASE)
    if spec.startswith("IVF"):
        index.nprobe = 4
    return index


@pytest.mark.parametrize("spec", KINDS)
def test_files_of_faiss_are_read_and_written_as_they_were(spec: str) -> None:
    faiss = upstream()
    theirs = filled(faiss, spec)
    file = faiss.serialize_index(theirs)
    ours = anear.deserialize_index(file)
    assert (type(ours).__name__, ours.ntotal, ours.bbs) == (type(theirs).__name__, 700, theirs.bbs)
    assert bytes(anear.serialize_index(ours)) == bytes(file)
    if "RaBitQ" not in spec:
        np.testing.assert_array_equal(ours.reconstruct_n(), theirs.sa_decode(theirs.sa_encode(BASE)))
    ours.add(BASE[:5])
    theirs.add(BASE[:5])
    again = faiss.deserialize_index(anear.serialize_index(ours))
    assert again.ntotal == 705
    of_32 = anear.deserialize_index(faiss.serialize_index(filled(faiss, spec.partition("_")[0])))
    of_32.add(BASE[:5])
    check_alike(ours.search(QUERIES, 10), of_32.search(QUERIES, 10))
    assert recall(again.search(QUERIES, 10)[1], theirs.search(QUERIES, 10)[1]) > 0.99


@pytest.mark.parametrize("spec", KINDS)
def test_an_index_says_how_long_its_blocks_are(spec: str) -> None:
    index = filled(anear, spec)
    wanted = int(spec.partition("_")[2] or 32)
    versions = [index, anear.clone_index(index), anear.deserialize_index(anear.serialize_index(index))]
    assert [version.bbs for version in versions] == [wanted] * 3
    assert [factory_tools.reverse_index_factory(version) for version in versions] == [spec] * 3
    upstream().deserialize_index(anear.serialize_index(index))


def test_codes_go_over_to_blocks_of_64() -> None:
    plain = filled(anear, "PQ8x4")
    scanned = anear.IndexPQFastScan(plain, 64)
    again = upstream().deserialize_index(anear.serialize_index(scanned))
    assert (scanned.bbs, again.bbs, again.ntotal) == (64, 64, 700)


@pytest.mark.parametrize("spec", ["PQ8x4fs_48", "IVF4,PQ8x4fs_64r", "RaBitQfs_16", "PQ8x4fs_0"])
def test_blocks_that_cannot_be_are_refused(spec: str) -> None:
    refused = outcome(lambda: anear.index_factory(D, spec))
    assert isinstance(refused, RuntimeError) and "at character" in str(refused)
