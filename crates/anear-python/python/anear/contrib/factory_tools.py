"""From indexes back to factory strings."""

from __future__ import annotations

from typing import Any

from ..faiss._binary import IndexBinary
from ..faiss._composite import IndexIDMap, IndexIDMap2, IndexPreTransform, IndexRefine, IndexRefineFlat
from ..faiss._factory import index_factory
from ..faiss._graph import IndexHNSW, IndexNSG
from ..faiss._index import EngineIndex, IndexFlat
from ..faiss._ivf import IndexIVF, IndexIVFPQFastScan
from ..faiss._refined import IndexIVFPQR
from ..faiss._transforms import (
    HadamardRotation,
    ITQTransform,
    NormalizationTransform,
    OPQMatrix,
    PCAMatrix,
    RandomRotationMatrix,
    RemapDimensionsTransform,
    VectorTransform,
)


def get_code_size(d: int, indexkey: str) -> int:
    """Bytes of a vector in the index of a factory string, with the links of a graph but without ids."""
    return _code_size(index_factory(d, indexkey))


def _code_size(index: Any) -> int:
    if isinstance(index, IndexRefine):
        return _code_size(index.base_index) + _code_size(index.refine_index)
    if isinstance(index, IndexIDMap | IndexPreTransform):
        return _code_size(index.index)
    if isinstance(index, IndexHNSW):
        return _code_size(index.storage) + 2 * 4 * get_hnsw_M(index)
    if isinstance(index, IndexNSG):
        return _code_size(index.storage) + 4 * index.nsg.R
    second = index.refine_pq.code_size if isinstance(index, IndexIVFPQR) else 0
    return int(index.code_size) + int(second)


def get_hnsw_M(index: Any) -> int:
    """Links per vector and level of a graph."""
    return int(index.hnsw.nb_neighbors(1))


def reverse_index_factory(index: Any) -> str:
    """A factory string that makes an index like this one.

    Raises:
        NotImplementedError: there is none.
    """
    if isinstance(index, IndexIDMap):
        return f"{'IDMap2' if isinstance(index, IndexIDMap2) else 'IDMap'},{reverse_index_factory(index.index)}"
    if isinstance(index, IndexRefineFlat):
        return f"{reverse_index_factory(index.base_index)},RFlat"
    if isinstance(index, IndexRefine):
        return f"{reverse_index_factory(index.base_index)},Refine({reverse_index_factory(index.refine_index)})"
    if isinstance(index, IndexPreTransform):
        return ",".join([*(_token(transform) for transform in index.chain), reverse_index_factory(index.index)])
    if isinstance(index, IndexIVF):
        return f"{_coarse(index)},{_codes(index)}"
    if isinstance(index, EngineIndex | IndexBinary):
        return index._spec()
    raise NotImplementedError(f"no factory string makes {index!r}")


def _codes(index: IndexIVF) -> str:
    codes = index._codes()
    if isinstance(index, IndexIVFPQR):
        return f"PQ{index.pq.M}+{index.refine_pq.M}"
    if isinstance(index, IndexIVFPQFastScan):
        return codes.replace("x4fs", "x4fsr") if index.by_residual else codes
    if index.by_residual == type(index).by_residual:
        return codes
    return codes + ("r" if index.by_residual else "nr")


def _coarse(index: IndexIVF) -> str:
    coarse = index.quantizer
    if isinstance(coarse, IndexFlat):
        return f"IVF{index.nlist}"
    if isinstance(coarse, IndexHNSW):
        return f"IVF{index.nlist}_HNSW{get_hnsw_M(coarse)}"
    return f"IVF{index.nlist}({reverse_index_factory(coarse)})"


def _token(transform: VectorTransform) -> str:
    if isinstance(transform, OPQMatrix):
        return f"OPQ{transform.M}_{transform.d_out}"
    if isinstance(transform, PCAMatrix):
        return transform._token()
    if isinstance(transform, NormalizationTransform):
        return "L2norm"
    if isinstance(transform, RandomRotationMatrix):
        return f"RR{transform.d_out}"
    if isinstance(transform, HadamardRotation):
        return f"HR{transform.seed}"
    if isinstance(transform, ITQTransform):
        return f"ITQ{transform.d_out}"
    if isinstance(transform, RemapDimensionsTransform):
        return f"Pad{transform.d_out}"
    raise NotImplementedError(f"no factory string makes {transform!r}")
