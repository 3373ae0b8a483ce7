"""What a store shows of itself under LangChain's three names: docstore, map of positions, index.

A view keeps no copy: each question is answered from the store as it is at that moment.
"""

from __future__ import annotations

import operator
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document

from .. import _native
from .._index import ExactIndex, Floats, Positions
from ._docstore import InMemoryDocstore, check_any_known, not_found

if TYPE_CHECKING:
    from ._faiss import FAISS


def document_of(record: _native.Record) -> Document:
    """A fresh document of what the store holds."""
    id_, text, metadata = record
    return Document(id=id_, page_content=text, metadata=metadata)


class DocumentsById(Mapping[str, Document]):
    """The documents of a store by id, in the order of their positions. Each look gives fresh copies."""

    __slots__ = ("_db",)

    def __init__(self, db: FAISS) -> None:
        """Shows the documents of `db`."""
        self._db = db

    def __getitem__(self, key: str) -> Document:
        record = self._view().record(key) if isinstance(key, str) else None
        if record is None:
            raise KeyError(key)
        return document_of(record)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._view().position(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._view().ids())

    def __len__(self) -> int:
        return len(self._view())

    def keys(self) -> KeysView[str]:
        """The ids."""
        return dict.fromkeys(self._view().ids()).keys()

    def values(self) -> ValuesView[Document]:
        """Copies of all documents."""
        return self._copy().values()

    def items(self) -> ItemsView[str, Document]:
        """The ids with copies of their documents."""
        return self._copy().items()

    def copy(self) -> dict[str, Document]:
        """A dict of the documents as they are now."""
        return self._copy()

    def __eq__(self, other: object) -> bool:
        return self._copy() == dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._copy())

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self._copy(),)

    def _view(self) -> _native.View:
        return self._db._store.view()

    def _copy(self) -> dict[str, Document]:
        return {record[0]: document_of(record) for record in self._view().records()}


class StoreDocstore(InMemoryDocstore):
    """The documents of a store, as a docstore.

    Documents come and go with their vectors, so adding is for the store: `add_documents`, `add_embeddings`.
    """

    __slots__ = ("_db",)

    def __init__(self, db: FAISS) -> None:
        """Shows the documents of `db`."""
        self._db = db

    @property
    def _dict(self) -> DocumentsById:
        return DocumentsById(self._db)

    @_dict.setter
    def _dict(self, value: object) -> None:
        raise AttributeError(_NO_VECTOR)

    # Programs compare docstores by their attributes; LangChain's has this one.
    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        return {"_dict": self._dict}

    def search(self, search: str) -> str | Document:
        """A copy of the document with this id, or a text that says that there is none."""
        document = self._dict.get(search)
        return not_found(search) if document is None else document

    def add(self, texts: dict[str, Document]) -> None:
        """Raises TypeError: a document needs a vector."""
        raise TypeError(_NO_VECTOR)

    def delete(self, ids: list[str]) -> None:
        """Deletes documents and their vectors; those that are not here are skipped.

        Raises:
            ValueError: none of them is here.
        """
        check_any_known(ids, self._dict)
        self._db._store.delete(ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreDocstore) and other._db is self._db

    def __hash__(self) -> int:
        return id(self._db)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._dict)} documents>"

    def __reduce__(self) -> tuple[Any, ...]:
        return InMemoryDocstore, (self._dict.copy(),)


_NO_VECTOR = (
    "documents of a store have vectors: add or replace them with `db.add_documents(documents, ids=...)`, "
    "or with `db.add_embeddings([(text, vector)], metadatas, ids)` to keep a vector that you know"
)


class IdsByPosition(Mapping[int, str]):
    """The ids of a store's documents by position, counted from 0 without gaps."""

    __slots__ = ("_db",)

    def __init__(self, db: FAISS) -> None:
        """Shows the ids of `db`."""
        self._db = db

    def __getitem__(self, key: int) -> str:
        try:
            position = operator.index(key)
        except TypeError:
            raise KeyError(key) from None
        id_ = self._view().id(position) if position >= 0 else None
        if id_ is None:
            raise KeyError(key)
        return id_

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self._view())

    def values(self) -> ValuesView[str]:
        """The ids in the order of their positions."""
        return self.copy().values()

    def items(self) -> ItemsView[int, str]:
        """The positions with their ids."""
        return self.copy().items()

    def copy(self) -> dict[int, str]:
        """A dict of the ids as they are now."""
        return dict(enumerate(self._view().ids()))

    def __eq__(self, other: object) -> bool:
        return self.copy() == dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.copy())

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.copy(),)

    def _view(self) -> _native.View:
        return self._db._store.view()


class GraphParameters:
    """What searches in a store's graph are told."""

    __slots__ = ("_index",)

    def __init__(self, index: StoreIndex) -> None:
        """Of this index."""
        self._index = index

    @property
    def efSearch(self) -> int:  # noqa: N802
        """Nodes kept while the graph is walked."""
        return self._index._knob("ef_search")

    @efSearch.setter
    def efSearch(self, value: int) -> None:  # noqa: N802
        self._index._store.set_knob("ef_search", value)


class StoreIndex(ExactIndex):
    """The vectors of a store, as an index; positions are those of `index_to_docstore_id`.

    What is added here are documents without text, and what is removed here are documents.
    """

    __slots__ = ("_db",)

    def __init__(self, db: FAISS) -> None:
        """Shows the vectors of `db`."""
        self._db = db

    @property
    def d(self) -> int:
        """The width of the vectors; 0 while no vector has said it."""
        return self._store.dim or 0

    @property
    def ntotal(self) -> int:
        """How many vectors there are."""
        return len(self._store)

    @property
    def metric(self) -> str:
        """The metric's name."""
        return self._store.metric

    @property
    def is_trained(self) -> bool:
        """Whether the index has learned what it must."""
        return self._store.is_trained

    def train(self, x: npt.ArrayLike) -> None:
        """Learns from vectors like those to come, before the first of them; without effect where it has learned."""
        self._store.train(self._rows(x))

    @property
    def nprobe(self) -> int:
        """Lists of an inverted file that a search visits where it does not say."""
        return self._knob("nprobe")

    @nprobe.setter
    def nprobe(self, value: int) -> None:
        self._store.set_knob("nprobe", value)

    @property
    def k_factor(self) -> int:
        """Candidates for each neighbor of a refined index, where a search does not say."""
        return self._knob("k_factor")

    @k_factor.setter
    def k_factor(self, value: int) -> None:
        self._store.set_knob("k_factor", value)

    @property
    def recall(self) -> float:
        """The share of the true neighbors that an index of kind `auto` is to find where a search does not say."""
        return self._value("recall")

    @recall.setter
    def recall(self, value: float) -> None:
        self._store.set_knob("recall", value)

    def explain(self) -> str | None:
        """One sentence on how an index of kind `auto` searches, and why; None for others, and while there is no vector."""
        return self._store.explain()

    @property
    def hnsw(self) -> GraphParameters:
        """The parameters of a graph: `efSearch`."""
        self._knob("ef_search")
        return GraphParameters(self)

    def _knob(self, name: str) -> int:
        return int(self._value(name))

    def _value(self, name: str) -> float:
        value = self._store.knob(name)
        if value is None:
            raise AttributeError(f"an index of kind {self._store.index!r} has no {name}")
        return value

    def add(self, x: npt.ArrayLike) -> None:
        """Adds the rows of `x` as documents with empty texts under new random ids."""
        rows = self._rows(x)
        self._db._add_vectors([""] * len(rows), rows, None, None)

    def remove_ids(self, ids: npt.ArrayLike) -> int:
        """Deletes the documents at these positions, if there are any, and moves the others up."""
        wanted = {int(position) for position in np.atleast_1d(np.asarray(ids, dtype=np.int64))}
        view = self._store.view()
        found = [view.id(position) for position in sorted(wanted) if 0 <= position < len(view)]
        return self._db._delete_ids([id_ for id_ in found if id_ is not None])

    def reset(self) -> None:
        """Deletes all documents."""
        self._db._delete_ids(self._store.view().ids())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreIndex) and other._db is self._db

    def __hash__(self) -> int:
        return id(self._db)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a store's index cannot be pickled alone: pickle the store, or `db.index.to_faiss()`")

    @property
    def _store(self) -> _native.Store:
        return self._db._store

    def _search(self, rows: Floats, k: int) -> tuple[Floats, Positions]:
        return self._store.view().nearest(rows, k)

    def _vectors(self, start: int, stop: int) -> Floats:
        return self._store.view().vectors(start, stop)
