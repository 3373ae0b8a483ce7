"""Taking over what others hold: a Faiss index, a docstore and the map between them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from .. import _native
from .._index import METRIC_NAMES, ExactIndex, Floats
from ..contrib.factory_tools import reverse_index_factory
from ..faiss._index import Index
from ._docstore import InMemoryDocstore, found

# Exact indexes of Faiss, on the CPU and on GPUs: nothing is lost by taking over their vectors.
_EXACT = re.compile(r"(Gpu)?IndexFlat(L2|IP)?")

# Kinds that give all vectors at once. With others Faiss asks for one by one on many threads, and what one cannot
# give ends the process (IndexIDMap of Faiss 1.15).
_GIVES_ALL = re.compile(r"(Gpu)?Index(Flat|IVF|HNSW|Near).*")


@dataclass(frozen=True)
class Contents:
    """Vectors and their documents, position by position."""

    vectors: Floats
    texts: list[str]
    metadatas: list[dict[str, Any]]
    ids: list[str]

    def add_to(self, store: _native.Store) -> None:
        """Adds all of them to a store.

        Raises:
            ValueError: an id comes twice or is in the store already.
        """
        if self.ids:
            store.add(self.texts, self.vectors, self.metadatas, self.ids, replace=False)


def is_in_memory(docstore: Any) -> bool:
    """Whether all documents of a docstore can be seen: ours, LangChain's, or anything with a dict `_dict`."""
    return isinstance(docstore, InMemoryDocstore) or isinstance(getattr(docstore, "_dict", None), dict)


def metric_of_index(index: Any) -> str | None:
    """How an index compares; None for no index.

    Raises:
        TypeError: it is no index, or one of bit vectors.
        ValueError: it compares as anear cannot.
    """
    if index is None or isinstance(index, str):
        return None
    if isinstance(index, (ExactIndex, _native.Store)):
        return index.metric
    _check_is_index(index)
    if getattr(index, "metric", None) == "cosine":
        return "cosine"
    if index.metric_type not in METRIC_NAMES:
        raise ValueError(f"no exact index for Faiss's metric {index.metric_type}; there are {METRIC_NAMES}")
    return METRIC_NAMES[index.metric_type]


def dim_of_index(index: Any) -> int | None:
    """The width of an index's vectors; None when nothing says it yet."""
    return None if index is None or isinstance(index, str) else int(index.d) or None


def index_for_store(index: Any) -> str | _native.VectorIndex | None:
    """What a store shall search by: a factory string, or an index that has learned; None: exactly.

    Raises:
        ValueError: it has not learned yet, and no store learns like it.
    """
    if index is None or isinstance(index, (str, ExactIndex)) or _EXACT.fullmatch(type(index).__name__):
        return index if isinstance(index, str) else None
    _check_is_index(index)
    known, reason = _known_index(index)
    if known is None and not index.is_trained:
        raise ValueError(
            f"no store learns as this {type(index).__name__} would, which is not trained yet ({reason}); train it before, "
            'or name the index by a factory string: index="IVF1024,SQ8"'
        )
    return known


def _known_index(index: Any) -> tuple[str | _native.VectorIndex | None, str]:
    """What a store can search by as the index does; None, and why it cannot."""
    try:
        if isinstance(index, Index):
            known = index._engine() if index.is_trained else reverse_index_factory(index)
        else:
            known = _native.VectorIndex.from_faiss(import_module("faiss").serialize_index(index))
        spec = known if isinstance(known, str) else known.spec
        _native.check_spec(spec)
    except (AttributeError, ImportError, RuntimeError, ValueError) as error:
        return None, str(error)
    if spec.startswith("IDMap"):
        return None, "a store numbers its documents itself: leave out the id map"
    return known, ""


def store_like(
    index: Any, wanted: str | _native.VectorIndex | None, *, metric: str, normalize_l2: bool, model: str
) -> _native.Store:
    """An empty store that searches as an index does, by `wanted`, which `index_for_store` gave for it."""
    dim = dim_of_index(index)
    store = _native.Store(metric=metric, normalize_l2=normalize_l2, dim=dim, index=wanted, model=model)
    if isinstance(index, Index) and isinstance(wanted, str):
        # What it would tell the engine; but where it stops at `nprobe` lists, a store goes on while too few are found.
        for name, value in index._knobs(None).items():
            if name != "ensure_topk_full" and store.knob(name) is not None:
                store.set_knob(name, value)
    return store


def vectors_of(index: Any, *, is_kept: bool = False) -> Floats:
    """All vectors of an index, in the order of their positions; `is_kept`: the store searches by one like it.

    Raises:
        TypeError: it is no index.
        ValueError: it cannot give its vectors back.
    """
    _check_is_index(index)
    name = type(index).__name__
    if not isinstance(index, ExactIndex) and not _EXACT.fullmatch(name) and index.ntotal and not is_kept:
        warnings.warn(
            f"{name}: its {index.ntotal} vectors are taken over into an exact index, which searches without "
            "approximation",
            UserWarning,
            stacklevel=5,
        )
    try:
        return _reconstructed(index)
    except RuntimeError as error:
        raise ValueError(
            f"{name} does not give its vectors back ({error}); make the store of the texts or vectors that it was "
            "made of: `FAISS.from_embeddings(...)`"
        ) from error


def _reconstructed(index: Any) -> Floats:
    if isinstance(index, ExactIndex) or _GIVES_ALL.fullmatch(type(index).__name__):
        return np.asarray(index.reconstruct_n(0, index.ntotal), dtype=np.float32)
    rows = [index.reconstruct(position) for position in range(index.ntotal)]
    return np.asarray(rows, dtype=np.float32).reshape(index.ntotal, index.d)


def contents_of(index: Any, docstore: Any, positions: Mapping[int, Any], *, is_kept: bool = False) -> Contents:
    """Everything that an index, a docstore and the map between them hold.

    Raises:
        ValueError: they do not match; says where.
    """
    count = 0 if index is None or isinstance(index, str) else int(index.ntotal)
    _check_match(count, docstore, positions)
    ids = [_id_at(positions, position) for position in range(count)]
    documents = [_document_at(docstore, ids, position) for position in range(count)]
    return Contents(
        vectors=vectors_of(index, is_kept=is_kept) if count else np.empty((0, 0), np.float32),
        texts=[document.page_content for document in documents],
        metadatas=[document.metadata for document in documents],
        ids=ids,
    )


def is_store_of_langchain(other: Any) -> bool:
    """Whether `other` has the three parts of LangChain's FAISS."""
    return all(hasattr(other, part) for part in ("index", "docstore", "index_to_docstore_id"))


def _check_is_index(index: Any) -> None:
    if not all(hasattr(index, part) for part in ("d", "ntotal", "metric_type", "reconstruct_n")):
        raise TypeError(f"expected an index of anear or of Faiss, got {type(index).__name__}")
    if any(kind.__name__ == "IndexBinary" for kind in type(index).__mro__):
        raise TypeError(
            f"{type(index).__name__} holds bit vectors, but models make floats; a store takes indexes of float vectors "
            'and factory strings: index="LSH64r" keeps bits of them'
        )


def _check_match(count: int, docstore: Any, positions: Mapping[int, Any]) -> None:
    if len(positions) > count:
        extra = next((position for position in positions if not 0 <= position < count), None)
        raise ValueError(f"index_to_docstore_id has position {extra}, but the index holds {count} vectors")
    if not is_in_memory(docstore):
        return
    known = set(positions.values())
    orphan = next((id_ for id_ in docstore._dict if id_ not in known), None)
    if len(docstore._dict) > count and orphan is not None:
        raise ValueError(
            f"document {orphan!r} of the docstore has no vector in the index; add it with `add_documents` instead"
        )


def _id_at(positions: Mapping[int, Any], position: int) -> Any:
    try:
        return positions[position]
    except KeyError:
        raise ValueError(f"the vector at position {position} has no id in index_to_docstore_id") from None


def _document_at(docstore: Any, ids: list[Any], position: int) -> Any:
    try:
        return found(docstore, ids[position])
    except ValueError as error:
        raise ValueError(f"the vector at position {position} has no document: {error}") from None
