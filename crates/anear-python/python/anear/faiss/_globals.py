"""Faiss's global variables, `cvar`: what searches counted, and sizes that Faiss works by."""

from __future__ import annotations

import numpy as np

from ._arrays import Ids
from ._known import Known


class IndexIVFStats(Known):
    """What searches of inverted files visited, since `cvar` was first asked for it or it was reset."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._counts = False
        self.reset()

    def reset(self) -> None:
        """Counts from 0 on."""
        self.nq = self.nlist = self.ndis = self.nheap_updates = 0
        self.quantization_time = self.search_time = 0.0

    def add(self, other: IndexIVFStats) -> None:
        """Adds what another has counted."""
        for name in ("nq", "nlist", "ndis", "nheap_updates", "quantization_time", "search_time"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def _count(self, lists: Ids, sizes: Ids, max_codes: int) -> None:
        """Counts a row of lists per query, of which no further one is visited after `max_codes` codes; 0 is no limit."""
        codes = np.where(lists < 0, 0, sizes[lists])
        before = codes.cumsum(1) - codes
        visited = (lists >= 0) & ((max_codes == 0) | (before < max_codes))
        self.nq += len(lists)
        self.nlist += int(visited.sum())
        self.ndis += int(codes[visited].sum())


class IndexPQStats(Known):
    """What searches of product codes compared, since `cvar` was first asked for it or it was reset."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._counts = False
        self.reset()

    def reset(self) -> None:
        """Counts from 0 on."""
        self.nq = self.ncode = self.n_hamming_pass = 0


IVF_STATS, PQ_STATS = IndexIVFStats(), IndexPQStats()


class Globals(Known):
    """Global variables. Those that say how Faiss cuts its work can be set, which has no effect."""

    bucket_sort_verbose = 0
    check_compatible_for_merge_expensive_check = True
    distance_compute_blas_database_bs = 1024
    distance_compute_blas_query_bs = 4096
    distance_compute_blas_threshold = 128000
    distance_compute_min_k_reservoir = 100
    hamming_batch_size = 65536
    index_factory_verbose = 0
    index_ivfpq_add_core_o_bs = 32768
    index_read_warn_on_null_invlists = True
    multi_index_quantizer_search_bs = 32768
    precomputed_table_max_bytes = 1 << 31
    product_quantizer_compute_codes_bs = 262144
    rowwise_minmax_sa_decode_bs = 16384
    rowwise_minmax_sa_encode_bs = 16384

    @property
    def indexIVF_stats(self) -> IndexIVFStats:
        """What searches of inverted files visited; it is counted from the first time this is read."""
        IVF_STATS._counts = True
        return IVF_STATS

    @property
    def indexPQ_stats(self) -> IndexPQStats:
        """What searches of product codes compared; it is counted from the first time this is read."""
        PQ_STATS._counts = True
        return PQ_STATS


cvar = Globals()
