"""What is wrong with a factory string is said with the part that is wrong and where it stands."""

from __future__ import annotations

import pytest
from faiss_twins import D, outcome

import anear

WRONG = [
    ("PQ5", "`PQ5`: vectors of width 16 cannot be cut into 5 equal parts", 0),
    ("IDMap,IVF16,PQ5", "`PQ5`: vectors of width 16 cannot be cut into 5 equal parts", 12),
    ("PQ0", "`PQ0`: vectors of width 16 cannot be cut into 0 equal parts", 0),
    ("L2norm,PCA5,PQ2", "`PQ2`: vectors of width 5 cannot be cut into 2 equal parts", 12),
    ("IVF0,Flat", "an inverted file has 1 to 1073741824 lists", 3),
    ("Flat,Refine(IVF0,Flat)", "an inverted file has 1 to 1073741824 lists", 15),
    ("IVF16,PQ8x40", "`PQ8x40`: a part has 1 to 24 bits, got 40", 6),
    ("IVF16,RQ2x20", "`RQ2x20`: codes have 1 to 16 bits per codebook, not 20", 6),
    ("IVF16_HNSW1,Flat", "`HNSW1`: a graph has 2 to 4096 links per vector", 6),
    ("HNSW1,SQ8", "`HNSW1`: a graph has 2 to 4096 links per vector", 0),
    ("HNSW16_PQ5", "`PQ5`: vectors of width 16 cannot be cut into 5 equal parts", 7),
    ("NSG16,Flop", "unknown index `Flop`", 6),
    ("IVF4(PQ5),Flat", "`PQ5`: vectors of width 16 cannot be cut into 5 equal parts", 5),
    ("IMI2x3,Flop", "unknown index `Flop`", 7),
    ("IMI3x3,Flat", "`IMI3x3`: vectors of width 16 cannot be cut into 3 equal parts", 0),
    ("IDMap,LSQ4x4,Flop", "`Flop` is one part too many", 13),
    ("Flat,Flat", "`Flat` is one part too many", 5),
    ("PRQ3x2x4", "`PRQ3x2x4`: vectors of width 16 cannot be cut into 3 equal parts", 0),
    ("SQ8,Refine(PQ5)", "`PQ5`: vectors of width 16 cannot be cut into 5 equal parts", 11),
    ("HR3x,Flat", "unknown index `HR3x`", 0),
    ("IVF16,Flatnr", "unknown index `Flatnr`", 6),
    ("RR,", "a part is missing", 3),
    ("", "a part is missing", 0),
    ("PQ" + "9" * 5000, "`PQ999", 0),
]


@pytest.mark.parametrize(("spec", "reason", "at"), WRONG)
def test_what_is_wrong_is_named_with_its_place(spec: str, reason: str, at: int) -> None:
    refused = outcome(lambda: anear.index_factory(D, spec))
    assert isinstance(refused, RuntimeError)
    assert f"`: {reason}" in str(refused) and str(refused).endswith(f" at character {at}"), refused
    assert len(str(refused)) < 900


@pytest.mark.parametrize(
    "spec",
    [
        "IDMap," * 5000 + "Flat",
        "L2norm," * 5000 + "Flat",
        "Flat" + ",RFlat" * 5000,
        "IVF2(" * 5000 + "Flat" + "),Flat" * 5000,
        "Flat,Refine(" * 5000 + "Flat" + ")" * 5000,
    ],
    ids=lambda spec: spec[:8],
)
def test_indexes_within_each_other_without_end_are_refused(spec: str) -> None:
    with pytest.raises(RuntimeError, match="more than 50 indexes within each other at character") as refused:
        anear.index_factory(D, spec)
    assert len(str(refused.value)) < 400
    assert anear.index_factory(D, "L2norm," * 40 + "Flat").chain.size() == 40


def test_refinement_may_be_refined() -> None:
    index = anear.index_factory(D, "SQ4,Refine(SQ8,Refine(Flat))")
    assert type(index.refine_index).__name__ == "IndexRefine" and index.refine_index.refine_index.ntotal == 0


def test_what_is_no_string_is_refused() -> None:
    said = r"'description' must be a factory string as in index_factory\(64, 'Flat'\), got int"
    for factory in (anear.index_factory, anear.index_binary_factory):
        with pytest.raises(TypeError, match=said):
            factory("Flat", D)
