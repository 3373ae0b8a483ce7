"""Inverted files too large for memory, put together of parts."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..faiss._constants import IO_FLAG_MMAP
from ..faiss._index import Index
from ..faiss._io import read_index
from ..faiss._ivflib import extract_index_ivf
from ..faiss._lists import InvertedListsPtrVector
from ..faiss._ondisk import OnDiskInvertedLists


def merge_ondisk(
    trained_index: Index,
    shard_fnames: Sequence[str | os.PathLike[str]],
    ivfdata_fname: str | os.PathLike[str],
    shift_ids: bool = False,
) -> None:
    """Writes the lists of several index files to one file, and lets an index search them there.

    With `shift_ids`, the ids of a part grow by the number of vectors in the parts before it. Codes are in memory list by
    list only.

    Raises:
        AssertionError: the index is not empty.
        RuntimeError: a part has other lists, or two vectors have one id.
    """
    ivf = extract_index_ivf(trained_index)
    assert ivf.ntotal == 0, "works only on empty index"
    sets = InvertedListsPtrVector()
    for name in shard_fnames:
        sets.push_back(extract_index_ivf(read_index(name, IO_FLAG_MMAP)).invlists)
    lists = OnDiskInvertedLists(ivf.nlist, ivf.code_size, ivfdata_fname)
    lists.merge_from_multiple(sets.data(), sets.size(), shift_ids)
    ivf.replace_invlists(lists, True)
