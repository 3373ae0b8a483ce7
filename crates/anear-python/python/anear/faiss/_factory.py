"""From factory strings and engines to indexes of their class."""

from __future__ import annotations

from typing import Any

from .. import _native
from ._constants import METRIC_INNER_PRODUCT, METRIC_L2
from ._index import Index
from ._kinds import (
    IndexFlat,
    IndexFlatCodes,
    IndexFlatIP,
    IndexFlatL2,
    IndexHNSW,
    IndexHNSWFlat,
    IndexHNSWPQ,
    IndexHNSWSQ,
    IndexIDMap,
    IndexIDMap2,
    IndexIVF,
    IndexIVFFlat,
    IndexIVFPQ,
    IndexIVFScalarQuantizer,
    IndexLSH,
    IndexPQ,
    IndexPQFastScan,
    IndexPreTransform,
    IndexRefine,
    IndexRefineFlat,
    IndexScalarQuantizer,
)


def _class_of(spec: str, metric: int) -> type[Index]:
    """The class of an index that such a factory string makes."""
    first, _, rest = spec.partition(",")
    last = spec.rpartition(",")[2]
    if first in ("IDMap", "IDMap2"):
        return IndexIDMap2 if first == "IDMap2" else IndexIDMap
    if last == "RFlat":
        return IndexRefineFlat
    if spec.endswith(")") and ",Refine(" in spec:
        return IndexRefine
    if first.startswith("IVF"):
        return _codes_class(last, IndexIVFFlat, IndexIVFScalarQuantizer, IndexIVFPQ, IndexIVF)
    if first.startswith("HNSW"):
        return _codes_class(last, IndexHNSWFlat, IndexHNSWSQ, IndexHNSWPQ, IndexHNSW)
    if rest:
        return IndexPreTransform
    if first == "Flat":
        return IndexFlat
    if first.startswith("LSH"):
        return IndexLSH
    if first.startswith("PQ") and "fs" in first:
        return IndexPQFastScan
    return _codes_class(first, IndexFlat, IndexScalarQuantizer, IndexPQ, IndexFlatCodes)


def _codes_class(
    token: str, flat: type[Index], scalar: type[Index], product: type[Index], other: type[Index]
) -> type[Index]:
    if token == "Flat":
        return flat
    if token.startswith("SQ"):
        return scalar
    if token.startswith("PQ") and "fs" not in token:
        return product
    return other


def wrap(engine: _native.Engine) -> Any:
    """The index around an engine."""
    index = Index._of(engine)
    kind = _class_of(engine.spec, index.metric_type)
    if kind is IndexFlat:
        kind = {METRIC_L2: IndexFlatL2, METRIC_INNER_PRODUCT: IndexFlatIP}.get(index.metric_type, IndexFlat)
    return kind._of(engine)


def index_factory(d: int, description: str, metric: int = METRIC_L2, own_invlists: bool = True) -> Any:
    """The index that a factory string describes, such as `IVF1024,Flat`."""
    complaint = _native.complaint(description)
    if complaint is not None:
        raise RuntimeError(complaint)
    spec, _ = _native.canonical(description)
    kind = _class_of(spec, metric)
    index = kind.__new__(kind)
    Index.__init__(index, d, metric, spec)
    if isinstance(index, IndexIDMap) and index._engine is None:
        index._quantizer = index_factory(d, spec.partition(",")[2], metric)
    return index


def clone_index(index: Index) -> Any:
    """A copy that shares nothing with the index."""
    copy = type(index).__new__(type(index))
    copy.__dict__.update(index.__dict__)
    copy.__dict__["_set"] = dict(index._set)
    copy.__dict__["_engine"] = None if index._engine is None else index._engine.copy()
    return copy


def downcast_index(index: Index) -> Index:
    """The index itself: here every index is of its class already."""
    return index


def try_extract_index_ivf(index: Index) -> IndexIVF | None:
    """The inverted file within an index, or `None`."""
    while not isinstance(index, IndexIVF):
        if isinstance(index, (IndexIDMap, IndexPreTransform)):
            index = index.index
        elif isinstance(index, IndexRefine):
            index = index.base_index
        else:
            return None
    return index


def extract_index_ivf(index: Index) -> IndexIVF:
    """The inverted file within an index."""
    found = try_extract_index_ivf(index)
    if found is None:
        raise RuntimeError(f"there is no inverted file in {type(index).__name__}")
    return found
