"""Inverted files of product codes with a second code of what the first one misses."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np

from .. import _native
from ._arrays import Codes, Floats, Ids
from ._index import Index, Range, candidates
from ._ivf import IndexIVFPQ
from ._params import SearchParameters
from ._quantizers import ProductQuantizer
from ._selectors import IDSelector

# Candidates that are decoded at once.
BLOCK = 1 << 14


class IndexIVFPQR(IndexIVFPQ):
    """An inverted file of product codes, of which `k_factor` times as many as wanted are ranked by a second code.

    The second codes are by id; codes that are put into lists by hand have none. Ranking is done in NumPy. It cannot be written to a file; it can be pickled.
    """

    k_factor = 4.0

    def __init__(
        self,
        quantizer: Index,
        d: SupportsIndex,
        nlist: SupportsIndex,
        M: SupportsIndex,
        nbits_per_idx: SupportsIndex,
        M_refine: SupportsIndex,
        nbits_per_idx_refine: SupportsIndex,
        own_invlists: bool = True,
    ) -> None:
        """An empty index of vectors of width `d` in `nlist` lists, by squared L2 distance.

        Codes are of `M` parts of `nbits_per_idx` bits, those of what is left of `M_refine` parts of
        `nbits_per_idx_refine` bits.
        """
        super().__init__(quantizer, d, nlist, M, nbits_per_idx)
        self.refine_pq = ProductQuantizer(d, M_refine, nbits_per_idx_refine)
        self._forget()

    def _forget(self) -> None:
        """No second codes; those to come lie in the order of their ids."""
        self._refined_ids = np.empty(0, np.int64)
        self._refined = np.empty((0, self.refine_pq.code_size), np.uint8)

    def _train(self, x: Floats) -> None:
        super()._train(x)
        self.refine_pq.train(x - super()._decode(super()._encode(x)))

    def _add(self, x: Floats) -> None:
        self._add_with_ids(x, self._new_ids(len(x), None))

    def _add_with_ids(self, x: Floats, ids: Ids) -> None:
        super()._add_with_ids(x, ids)
        self._refine(ids, self.refine_pq.compute_codes(x - super()._reconstruct(ids)))

    def _refine(self, ids: Ids, codes: Codes) -> None:
        ids, codes = np.concatenate([self._refined_ids, ids]), np.vstack([self._refined, codes])
        order = np.argsort(ids, kind="stable")
        self._refined_ids, self._refined = ids[order], codes[order]

    def _search(self, x: Floats, params: SearchParameters | None, distances: Floats, labels: Ids) -> None:
        k = labels.shape[1]
        count = candidates(k, self.k_factor, self.ntotal)
        step = max(1, BLOCK // count)
        for start in range(0, len(x), step):
            queries = x[start : start + step]
            near, ids = np.empty((len(queries), count), np.float32), np.empty((len(queries), count), np.int64)
            super()._search(queries, params, near, ids)
            found = ids >= 0
            gaps = queries[np.nonzero(found)[0]] - self._reconstruct(ids[found])
            near[found] = (gaps * gaps).sum(axis=1)
            order = np.argsort(near, axis=1, kind="stable")[:, :k]
            distances[start : start + step] = np.take_along_axis(near, order, 1)
            labels[start : start + step] = np.take_along_axis(ids, order, 1)

    def _reconstruct(self, ids: Ids) -> Floats:
        vectors = super()._reconstruct(ids)
        # Codes that were put into lists by hand have no second one.
        places = np.searchsorted(self._refined_ids, ids)
        known = np.append(self._refined_ids, -1)[places] == ids
        if known.any():
            vectors[known] += self.refine_pq.decode(self._refined[places[known]])
        return vectors

    def _range_search(self, x: Floats, radius: float, params: SearchParameters | None) -> Range:
        raise self._cannot("range_search")

    def _remove(self, selector: IDSelector) -> int:
        removed = super()._remove(selector)
        kept = np.isin(self._refined_ids, self._own_ids())
        self._refined_ids, self._refined = self._refined_ids[kept], self._refined[kept]
        return removed

    def _merge(self, other: Any, add_id: int) -> None:
        if not np.array_equal(self.refine_pq.centroids._values, other.refine_pq.centroids._values):
            raise RuntimeError(f"cannot merge {other!r} into {self!r}: their second codebooks differ")
        super()._merge(other, add_id)
        self._refine(other._refined_ids + add_id, other._refined)
        other._forget()

    def _reset(self) -> None:
        super()._reset()
        self._forget()

    def _engine(self) -> _native.VectorIndex:
        raise self._cannot("saving")
