"""The vector store: LangChain's FAISS over anear's store in Rust."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.runnables.config import run_in_executor
from typing_extensions import Self

from .. import _native
from . import _model
from ._behavior import Behavior, Filter
from ._compat import LangChainBehavior
from ._distance import DistanceStrategy
from ._docstore import InMemoryDocstore
from ._foreign import check_addable, put
from ._html import table
from ._progress import ShowProgress, aembed_with_progress, embed_with_progress
from ._searching import DOCUMENTS_AT_ONCE, Searches
from ._takeover import (
    Contents,
    contents_of,
    index_for_store,
    is_in_memory,
    is_store_of_langchain,
    metric_of_index,
    store_like,
    vectors_of,
)
from ._twins import twin
from ._views import IdsByPosition, StoreDocstore, StoreIndex, document_of

TextEmbeddings = Iterable[tuple[str, Sequence[float]]]
Path = str | os.PathLike[str]

_BEHAVIORS: dict[str | None, type[Behavior]] = {None: Behavior, "langchain": LangChainBehavior}


@dataclass(frozen=True)
class _Batch:
    """Documents about to be added."""

    texts: list[str]
    vectors: Any
    metadatas: list[Any] | None
    ids: list[Any] | None

    def documents(self, ids: list[str]) -> dict[str, Document]:
        metadatas = self.metadatas or [{}] * len(ids)
        rows = zip(ids, self.texts, metadatas, strict=True)
        return {id_: document_of((id_, text, metadata or {})) for id_, text, metadata in rows}


class FAISS(Searches):
    """A vector store with the names, signatures and file format of LangChain's FAISS.

    Faiss and langchain-community are not needed. Every method has an asynchronous twin, which takes no thread.
    Any number of tasks and threads may use one store; a call that fails changes nothing.

    >>> db = FAISS.from_texts(["foo", "bar"], DefaultEmbeddings())
    >>> db.similarity_search("foo", k=1)[0].page_content
    'foo'

    Where LangChain errs, this store does better: the `k` nearest *matching* documents with every filter, existing ids
    replaced, real cosine, right scores. `compat="langchain"`, for one store or as the class attribute, gives
    LangChain's behavior to the letter.
    """

    compat: str | None = None
    """None, or "langchain": the behavior of stores that are not told otherwise."""

    # -- making one

    def __init__(
        self,
        embedding_function: Callable[[str], list[float]] | Embeddings,
        index: Any,
        docstore: Any,
        index_to_docstore_id: Mapping[int, str],
        relevance_score_fn: Callable[[float], float] | None = None,
        normalize_L2: bool = False,
        distance_strategy: str = DistanceStrategy.EUCLIDEAN_DISTANCE,
        *,
        compat: str | None = None,
    ) -> None:
        """A store of what an index, a docstore and the map between them hold; all three may be empty.

        Args:
            embedding_function: the model; a function from a text to a vector works too.
            index: an index of `anear` or Faiss, whose vectors are copied; or a factory string such as "auto", which is
                asked for a recall (`params={"recall": 0.99}`), "HNSW32" or "IVF1024,SQ8", which learns from the first
                texts; None searches exactly. What Faiss calls by position `anear` does, too: leave out `IDMap`.
            docstore: an in-memory one is taken over; any other stays and is asked for texts and metadata of results.
            index_to_docstore_id: ids by position.
            relevance_score_fn: from a score to a relevance between 0 and 1.
            normalize_L2: scale vectors and queries to unit length.
            distance_strategy: how vectors are compared; left out, the index decides.
            compat: "langchain" for LangChain's behavior to the letter.

        Raises:
            ValueError: the three do not match, or the strategy is unknown or contradicts the index.
        """
        _model.check_model(embedding_function)
        self.compat = compat if compat is not None else type(self).compat
        self._behavior = _behavior_of(self.compat)
        self.embedding_function = embedding_function
        self.override_relevance_score_fn = relevance_score_fn
        self._foreign = None if docstore is None or is_in_memory(docstore) else docstore
        metric, self._strategy = self._behavior.settle(distance_strategy, metric_of_index(index), normalize_L2)
        if isinstance(index, _native.Store):
            self._store = index
            return
        wanted = index_for_store(index)
        contents = contents_of(index, docstore, index_to_docstore_id or {}, is_kept=wanted is not None)
        model = _model.name_of(embedding_function)
        self._store = store_like(index, wanted, metric=metric, normalize_l2=normalize_L2, model=model)
        contents.add_to(self._store)

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        *,
        show_progress: ShowProgress = False,
        **kwargs: Any,
    ) -> Self:
        """A store of texts. Further arguments are the constructor's, such as `index="HNSW32"`."""
        db = cls.__empty(embedding, **kwargs)
        db._behavior.check_texts(texts, first=True)
        db.add_texts(texts, metadatas, ids, show_progress=show_progress)
        return db

    @classmethod
    async def afrom_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        *,
        show_progress: ShowProgress = False,
        **kwargs: Any,
    ) -> Self:
        """A store of texts. Further arguments are the constructor's."""
        db = cls.__empty(embedding, **kwargs)
        db._behavior.check_texts(texts, first=True)
        await db.aadd_texts(texts, metadatas, ids, show_progress=show_progress)
        return db

    @classmethod
    def from_embeddings(
        cls,
        text_embeddings: TextEmbeddings,
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A store of texts whose vectors are known. Further arguments are the constructor's."""
        db = cls.__empty(embedding, **kwargs)
        db.add_embeddings(text_embeddings, metadatas, ids)
        return db

    @classmethod
    async def afrom_embeddings(
        cls,
        text_embeddings: TextEmbeddings,
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A store of texts whose vectors are known. Further arguments are the constructor's."""
        db = cls.__empty(embedding, **kwargs)
        await db.aadd_embeddings(text_embeddings, metadatas, ids)
        return db

    @classmethod
    def __empty(cls, embedding: Any, **kwargs: Any) -> Self:
        docstore = kwargs.pop("docstore", None)
        positions = kwargs.pop("index_to_docstore_id", {})
        index = kwargs.pop("index", None)
        return cls(embedding, index, InMemoryDocstore() if docstore is None else docstore, positions, **kwargs)

    # Programs built on LangChain call this by its mangled name.
    @classmethod
    def __from(
        cls,
        texts: Iterable[str],
        embeddings: Any,
        embedding: Embeddings,
        metadatas: Iterable[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        normalize_L2: bool = False,
        distance_strategy: str = DistanceStrategy.EUCLIDEAN_DISTANCE,
        **kwargs: Any,
    ) -> Self:
        db = cls.__empty(embedding, normalize_L2=normalize_L2, distance_strategy=distance_strategy, **kwargs)
        db.__add(texts, embeddings, metadatas, ids)
        return db

    # -- what it consists of

    @property
    def embeddings(self) -> Embeddings | None:
        """The model; None when it is a plain function."""
        return self.embedding_function if isinstance(self.embedding_function, Embeddings) else None

    @property
    def distance_strategy(self) -> str:
        """How vectors are compared, by LangChain's name."""
        return self._strategy

    @distance_strategy.setter
    def distance_strategy(self, strategy: str) -> None:
        self._strategy = self._behavior.restated(strategy, self._store.metric)

    @property
    def _normalize_L2(self) -> bool:
        return self._store.normalize_l2

    @property
    def index(self) -> Any:
        """The vectors as an index under Faiss's names, live. `to_faiss()` makes one of Faiss's own.

        An index that is assigned replaces the vectors; it must hold as many. Nobody may add or delete meanwhile.
        """
        return StoreIndex(self)

    @index.setter
    def index(self, index: Any) -> None:
        wanted = index_for_store(index)
        vectors = vectors_of(index, is_kept=wanted is not None)
        records = self._store.view().records()
        if len(vectors) != len(records):
            raise ValueError(f"the index holds {len(vectors)} vectors, but the store {len(records)} documents")
        store = store_like(
            index,
            wanted,
            metric=self._store.metric,
            normalize_l2=self._store.normalize_l2,
            model=_model.name_of(self.embedding_function),
        )
        _contents(records, vectors).add_to(store)
        self._store = store

    @property
    def docstore(self) -> Any:
        """The documents, live and as copies.

        A docstore that is assigned has the last word on texts and metadata of results from then on; filters still see
        the metadata with which documents were added.
        """
        return StoreDocstore(self) if self._foreign is None else self._foreign

    @docstore.setter
    def docstore(self, docstore: Any) -> None:
        own = isinstance(docstore, StoreDocstore) and docstore == StoreDocstore(self)
        self._foreign = None if own else docstore

    @property
    def index_to_docstore_id(self) -> Mapping[int, str]:
        """The ids by position, live; after a deletion the later ones move up."""
        return IdsByPosition(self)

    @index_to_docstore_id.setter
    def index_to_docstore_id(self, positions: Any) -> None:
        raise AttributeError(
            "index_to_docstore_id shows what the store holds and cannot be assigned; add and delete by "
            "`db.add_texts(texts, ids=...)`, `db.add_embeddings(...)` and `db.delete(ids)`"
        )

    # -- adding

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        *,
        show_progress: ShowProgress = False,
        **kwargs: Any,
    ) -> list[str]:
        """Embeds texts and adds them, all or none; returns their ids. Existing ids are replaced.

        `show_progress`: True for a bar, or a function of the number of texts embedded so far and of all.

        Raises:
            ValueError: lists of different lengths, an id twice.
            TypeError: a text that is no str, metadata that is no dict.
        """
        batch = self.__texts(texts, metadatas, ids)
        if not batch.texts:
            return []
        vectors = embed_with_progress(batch.texts, self._embed_documents, show_progress)
        return self.__add(batch.texts, vectors, batch.metadatas, batch.ids)

    @twin
    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        *,
        show_progress: ShowProgress = False,
        **kwargs: Any,
    ) -> list[str]:
        """Embeds texts and adds them, all or none; returns their ids. See `add_texts`."""
        batch = self.__texts(texts, metadatas, ids)
        if not batch.texts:
            return []
        vectors = await aembed_with_progress(batch.texts, self._aembed_documents, show_progress)
        return await self._aadd_vectors(batch.texts, vectors, batch.metadatas, batch.ids)

    def add_embeddings(
        self,
        text_embeddings: TextEmbeddings,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Adds texts whose vectors are known, all or none; returns their ids. See `add_texts`."""
        if self.__takes_pairs():
            return self._store.add_pairs(text_embeddings, _optional_list(metadatas), _optional_list(ids) or None)
        texts, vectors = self.__unzipped(text_embeddings)
        return self.__add(texts, vectors, metadatas, ids) if texts else []

    @twin
    async def aadd_embeddings(
        self,
        text_embeddings: TextEmbeddings,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Adds texts whose vectors are known, all or none; returns their ids. See `add_texts`."""
        if self.__takes_pairs():
            return await self._store.aadd_pairs(text_embeddings, _optional_list(metadatas), _optional_list(ids) or None)
        texts, vectors = self.__unzipped(text_embeddings)
        return await self._aadd_vectors(texts, vectors, metadatas, ids) if texts else []

    def __takes_pairs(self) -> bool:
        """Whether pairs of texts and vectors may go to the store in Rust unseen, which runs them off the event loop."""
        return self._foreign is None and self._behavior.takes_pairs

    # Programs built on LangChain call this by its mangled name.
    def __add(
        self,
        texts: Iterable[str],
        embeddings: Iterable[Any],
        metadatas: Iterable[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
    ) -> list[str]:
        return self._add_vectors(texts, embeddings, metadatas, ids)

    def _add_vectors(
        self,
        texts: Iterable[str],
        vectors: Iterable[Any],
        metadatas: Iterable[dict[str, Any]] | None,
        ids: Iterable[str] | None,
    ) -> list[str]:
        batch = self.__batch(texts, vectors, metadatas, ids)
        if self._foreign is not None:
            return self.__add_to_both(batch)
        return self._store.add(batch.texts, batch.vectors, batch.metadatas, batch.ids, replace=self._behavior.replace)

    async def _aadd_vectors(
        self,
        texts: Iterable[str],
        vectors: Iterable[Any],
        metadatas: Iterable[dict[str, Any]] | None,
        ids: Iterable[str] | None,
    ) -> list[str]:
        batch = self.__batch(texts, vectors, metadatas, ids)
        if self._foreign is not None:
            return await run_in_executor(None, self.__add_to_both, batch)
        return await self._store.aadd(
            batch.texts, batch.vectors, batch.metadatas, batch.ids, replace=self._behavior.replace
        )

    def __add_to_both(self, batch: _Batch) -> list[str]:
        """To the foreign docstore and the store, after a rehearsal has found no fault with the batch."""
        rehearsal = _native.Store(metric=self._store.metric, dim=self._store.dim)
        ids = rehearsal.add(batch.texts, batch.vectors, batch.metadatas, batch.ids)
        view = self._store.view()
        put(self._foreign, batch.documents(ids), [id_ for id_ in ids if view.position(id_) is not None])
        return self._store.add(batch.texts, batch.vectors, batch.metadatas, ids, replace=self._behavior.replace)

    def __texts(self, texts: Iterable[str], metadatas: Any, ids: Any) -> _Batch:
        """The lists of a call, checked before any text is embedded."""
        if isinstance(texts, (str, bytes)):
            raise TypeError(f"expected a list of texts, got one {type(texts).__name__}; for one text: [text]")
        batch = _Batch(list(texts), None, _optional_list(metadatas), _optional_list(ids) or None)
        self._behavior.check_texts(batch.texts, first=False)
        self.__check_batch(batch)
        return batch

    def __batch(self, texts: Iterable[str], vectors: Any, metadatas: Any, ids: Any) -> _Batch:
        """Everything that is to be added, checked as far as the store does not do it better."""
        batch = _Batch(list(texts), _as_vectors(vectors), _optional_list(metadatas), _optional_list(ids) or None)
        self.__check_batch(batch)
        checked_texts, checked_metadatas = self._behavior.as_documents(batch.texts, batch.metadatas)
        _check_lengths("documents", checked_texts, "embeddings", batch.vectors)
        if batch.ids and len(set(batch.ids) - {None}) + batch.ids.count(None) < len(batch.ids):
            raise ValueError("Duplicate ids found in the ids list.")
        checked_vectors = self._behavior.checked_vectors(self._store, batch.vectors)
        self._behavior.check_new_ids(self._store, batch.ids)
        return _Batch(checked_texts, checked_vectors, checked_metadatas, batch.ids)

    def __check_batch(self, batch: _Batch) -> None:
        if self._foreign is not None:
            check_addable(self._foreign)
        _check_lengths("texts", batch.texts, "metadatas", batch.metadatas)
        _check_lengths("texts", batch.texts, "ids", batch.ids)

    def __unzipped(self, pairs: TextEmbeddings) -> tuple[list[str], list[Any]]:
        pairs = list(pairs)
        if not pairs:
            self._behavior.check_pairs()
        texts, vectors = cast("tuple[Any, Any]", zip(*pairs, strict=True)) if pairs else ((), ())
        return list(texts), list(vectors)

    # -- deleting and merging

    def delete(self, ids: list[str] | None = None, *, filter: Filter | None = None, **kwargs: Any) -> bool | None:
        """Deletes documents by their ids, or those that match a filter; unknown ids do no harm. Returns True.

        Raises:
            ValueError: neither ids nor a filter, or both.
        """
        if self.__deletes_matching(ids, filter):
            self._store.delete_matching(cast("Filter", filter))
        else:
            self._delete_ids(self.__ids_to_delete(ids, filter))
        return True

    @twin
    async def adelete(
        self, ids: list[str] | None = None, *, filter: Filter | None = None, **kwargs: Any
    ) -> bool | None:
        """Deletes documents by their ids, or those that match a filter. See `delete`."""
        if self.__deletes_matching(ids, filter):
            await self._store.adelete_matching(cast("Filter", filter))
        elif self._foreign is not None:
            await run_in_executor(None, self.delete, ids, filter=filter)
        else:
            await self._store.adelete(self.__ids_to_delete(ids, filter))
        return True

    def _delete_ids(self, ids: list[Any]) -> int:
        if self._foreign is not None:
            known = [record[0] for record in self._store.get(list(dict.fromkeys(ids)))]
            if known:
                self._foreign.delete(known)
        return self._store.delete(ids)

    def __deletes_matching(self, ids: Any, filter: Filter | None) -> bool:
        if ids is not None and filter is not None:
            raise ValueError("delete takes ids or a filter, not both")
        return filter is not None and self._foreign is None

    def __ids_to_delete(self, ids: Any, filter: Filter | None) -> list[Any]:
        if filter is not None:
            return self._store.list_ids(filter)
        if ids is None:
            raise ValueError("No ids provided to delete.")
        return self._behavior.ids_to_delete(self._store, ids)

    def merge_from(self, target: FAISS) -> None:
        """Adds the documents of another store, which keeps them; LangChain's FAISS will do too.

        Raises:
            ValueError: an id is in both, or they compare vectors differently; nothing has changed.
            TypeError: `target` is no such store.
        """
        self.__merge(self.__mergeable(target))

    @twin
    async def amerge_from(self, target: FAISS) -> None:
        """Adds the documents of another store, which keeps them. See `merge_from`."""
        if not isinstance(target, FAISS) or self._foreign is not None:
            # Objects of others are read and asked, which may take its time.
            await run_in_executor(None, lambda: self.__merge(self.__mergeable(target)))
        else:
            await self._store.amerge(self.__mergeable(target))

    def __mergeable(self, target: Any) -> _native.Store:
        if isinstance(target, FAISS) and target._foreign is None:
            other = target._store
        elif is_store_of_langchain(target):
            other = self.__copy_of(target)
        else:
            raise TypeError(f"expected a FAISS store to merge from, got {type(target).__name__}")
        self._behavior.check_merge(self._store, other)
        return other

    def __copy_of(self, target: Any) -> _native.Store:
        ours, theirs = self._store.metric, metric_of_index(target.index)
        # The cosine needs only the vectors, whatever their index compares by.
        metric = ours if ours == "cosine" or theirs is None else theirs
        store = _native.Store(metric=metric, normalize_l2=self._store.normalize_l2)
        contents_of(target.index, target.docstore, target.index_to_docstore_id).add_to(store)
        return store

    def __merge(self, other: _native.Store) -> None:
        """Into the store first, which refuses what does not fit; taken back if a foreign docstore refuses."""
        if self._foreign is None:
            self._store.merge(other)
            return
        if not callable(getattr(self._foreign, "add", None)):
            raise ValueError("Cannot merge with this type of docstore")
        records = other.view().records()
        self._store.merge(other)
        try:
            self._foreign.add({record[0]: document_of(record) for record in records})
        except BaseException:
            self._store.delete([record[0] for record in records])
            raise

    # -- looking

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents with these ids, in this order; unknown ids are left out."""
        if self._foreign is not None:
            answers = [self._foreign.search(id_) for id_ in ids]
            return [answer for answer in answers if isinstance(answer, Document)]
        return [document_of(record) for record in self._store.get(ids)]

    @twin
    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents with these ids, in this order; unknown ids are left out."""
        if self._foreign is not None:
            return await run_in_executor(None, self.get_by_ids, ids)
        documents: list[Document] = []
        for i, record in enumerate(await self._store.aget(ids)):
            if i and i % DOCUMENTS_AT_ONCE == 0:
                await asyncio.sleep(0)
            documents.append(document_of(record))
        return documents

    def count(self, filter: Filter | None = None) -> int:
        """How many documents there are, or match."""
        return self._store.count(filter)

    @twin
    async def acount(self, filter: Filter | None = None) -> int:
        """How many documents there are, or match."""
        return await self._store.acount(filter)

    def list_ids(self, filter: Filter | None = None) -> list[str]:
        """The ids of all documents, or of those that match, in the order of their positions."""
        return self._store.list_ids(filter)

    @twin
    async def alist_ids(self, filter: Filter | None = None) -> list[str]:
        """The ids of all documents, or of those that match, in the order of their positions."""
        return await self._store.alist_ids(filter)

    def metadata_fields(self) -> dict[str, dict[str, int]]:
        """The fields of the metadata: for each the types of its values, and how many documents have them."""
        return self._store.metadata_fields()

    # -- saving and loading

    def save_local(self, folder_path: Path, index_name: str = "index") -> None:
        """Saves the store in a folder, where LangChain can open it too. A crash leaves the old or the new state."""
        self._store.save(folder_path, index_name)

    @twin
    async def asave_local(self, folder_path: Path, index_name: str = "index") -> None:
        """Saves the store in a folder. See `save_local`."""
        await self._store.asave(folder_path, index_name)

    @classmethod
    def load_local(
        cls,
        folder_path: Path,
        embeddings: Embeddings,
        index_name: str = "index",
        *,
        allow_dangerous_deserialization: bool = False,
        io_flags: int = 0,
        **kwargs: Any,
    ) -> Self:
        """Opens a store that `save_local` wrote, here or in any LangChain. Nothing in the files is ever executed.

        Args:
            folder_path: the folder.
            embeddings: the model that the store was made with; warns where both say that it is another.
            index_name: the name it was saved under.
            allow_dangerous_deserialization: accepted without effect, there is no danger.
            io_flags: with Faiss's `IO_FLAG_MMAP` or `IO_FLAG_MMAP_IFC`, codes and vectors of an index such as `auto` or
                `IVF1024,SQ8` that was saved here stay in their file and are in memory only where searches look at them, after
                all was looked at once. Nobody may change or cut the file meanwhile, as LangChain's `save_local` into the
                same folder would: the system ends who looks at it then. Other flags are accepted without effect.
            **kwargs: the constructor's. The distance strategy and normalization are saved; files of LangChain lack
                them, so say them again here.

        Raises:
            ValueError: the files are damaged, or contradict the arguments.
        """
        settings = cls.__settings(embeddings, allow_dangerous_deserialization, kwargs)
        store = _native.Store.load(folder_path, index_name, mapped=_maps(io_flags), **settings)
        return cls.__opened(store, embeddings, kwargs)

    @classmethod
    async def aload_local(
        cls,
        folder_path: Path,
        embeddings: Embeddings,
        index_name: str = "index",
        *,
        allow_dangerous_deserialization: bool = False,
        io_flags: int = 0,
        **kwargs: Any,
    ) -> Self:
        """Opens a store that was saved. See `load_local`."""
        settings = cls.__settings(embeddings, allow_dangerous_deserialization, kwargs)
        store = await _native.Store.aload(folder_path, index_name, mapped=_maps(io_flags), **settings)
        return cls.__opened(store, embeddings, kwargs)

    def serialize_to_bytes(self) -> bytes:
        """The whole store as bytes, which LangChain can open too."""
        return self._store.to_bytes()

    @twin
    async def aserialize_to_bytes(self) -> bytes:
        """The whole store as bytes. See `serialize_to_bytes`."""
        return await self._store.ato_bytes()

    @classmethod
    def deserialize_from_bytes(
        cls,
        serialized: bytes,
        embeddings: Embeddings,
        *,
        allow_dangerous_deserialization: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Opens bytes that `serialize_to_bytes` made, here or in any LangChain. See `load_local`."""
        settings = cls.__settings(embeddings, allow_dangerous_deserialization, kwargs)
        return cls.__opened(_native.Store.from_bytes(bytes(serialized), **settings), embeddings, kwargs)

    @classmethod
    async def adeserialize_from_bytes(
        cls,
        serialized: bytes,
        embeddings: Embeddings,
        *,
        allow_dangerous_deserialization: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Opens bytes that `serialize_to_bytes` made. See `load_local`."""
        settings = cls.__settings(embeddings, allow_dangerous_deserialization, kwargs)
        return cls.__opened(await _native.Store.afrom_bytes(bytes(serialized), **settings), embeddings, kwargs)

    @classmethod
    def __settings(cls, embeddings: Any, allow_dangerous: bool, kwargs: dict[str, Any]) -> dict[str, Any]:
        behavior = _behavior_of(kwargs.get("compat") or cls.compat)
        behavior.check_load(allow_dangerous, kwargs)
        metric, normalize = behavior.load_settings(kwargs.get("distance_strategy"), kwargs.get("normalize_L2"))
        return {"metric": metric, "normalize_l2": normalize, "model": _model.name_of(embeddings)}

    @classmethod
    def __opened(cls, store: _native.Store, embeddings: Any, kwargs: dict[str, Any]) -> Self:
        _behavior_of(kwargs.get("compat") or cls.compat).check_saved_model(store.saved_model, embeddings)
        docstore = kwargs.pop("docstore", None)
        return cls(embeddings, store, InMemoryDocstore() if docstore is None else docstore, {}, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        state = vars(self).copy()
        state["_saved"] = _saved(state.pop("_store"), _model.name_of(self.embedding_function))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_saved")
        vars(self).update(state)
        if "bytes" in saved:
            self._store = _native.Store.from_bytes(saved["bytes"], **saved["settings"])
            return
        self._store = _native.Store(**saved["settings"])
        _contents(saved["records"], saved["vectors"]).add_to(self._store)

    # -- showing

    def __repr__(self) -> str:
        store = self._store
        return f"<{type(self).__name__} documents={len(store)} dimension={store.dim} {self.__distance()}>"

    def _repr_html_(self) -> str:
        names = dict.fromkeys([type(self.embedding_function).__name__, _model.name_of(self.embedding_function)])
        return table(type(self).__name__, self._store, self.__distance(), " ".join(filter(None, names)))

    def __distance(self) -> str:
        return str(getattr(self._strategy, "value", self._strategy))


def dependable_faiss_import(no_avx2: bool | None = None) -> Any:
    """The package `faiss`, for programs that use it beside the store; anear needs none of it.

    `no_avx2`, or the environment's FAISS_NO_AVX2, asks for its build without AVX2.
    """
    if no_avx2 is None:
        no_avx2 = bool(os.environ.get("FAISS_NO_AVX2"))
    try:
        return import_module("faiss.swigfaiss" if no_avx2 else "faiss")
    except ImportError as error:
        raise ImportError(
            "Could not import faiss python package; `pip install faiss-cpu` installs it. anear.langchain.FAISS works "
            "without it."
        ) from error


def _maps(io_flags: int) -> bool:
    """Whether Faiss's flags ask for a mapped file; without any, what knows them is not imported."""
    if not io_flags:
        return False
    from ..faiss._io import maps

    return maps(io_flags)


def _behavior_of(compat: str | None) -> Behavior:
    if compat not in _BEHAVIORS:
        raise ValueError(f'compat must be None or "langchain", got {compat!r}')
    return _BEHAVIORS[compat]()


def _saved(store: _native.Store, model: str) -> dict[str, Any]:
    """What a store is pickled as: its bytes, which keep codes as they are; or, if exact or empty, what it was made of."""
    settings = {"metric": store.metric, "normalize_l2": store.normalize_l2, "model": model}
    view = store.view()
    if len(view) and store.index != "Flat":
        try:
            return {"settings": settings, "bytes": store.to_bytes()}
        except ValueError:
            pass  # Metadata of objects that only a pickle can hold.
    settings |= {"index": store.empty_index() or store.index, "dim": view.dim}
    return {"settings": settings, "records": view.records(), "vectors": view.vectors()}


def _contents(records: Sequence[_native.Record], vectors: Any) -> Contents:
    return Contents(
        vectors=vectors,
        texts=[text for _, text, _ in records],
        metadatas=[metadata for _, _, metadata in records],
        ids=[id_ for id_, _, _ in records],
    )


def _optional_list(values: Iterable[Any] | None) -> list[Any] | None:
    if values is None or isinstance(values, list):
        return values
    if isinstance(values, (str, bytes, Mapping)):
        raise TypeError(f"expected a list beside the texts, got one {type(values).__name__}")
    return list(values)


def _as_vectors(vectors: Any) -> Any:
    return vectors if hasattr(vectors, "__len__") else list(vectors)


def _check_lengths(name: str, values: Any, other_name: str, others: Any) -> None:
    # LangChain's words, which programs may know.
    if others is not None and len(values) != len(others):
        raise ValueError(
            f"{name} and {other_name} expected to be equal length but "
            f"len({name})={len(values)} and len({other_name})={len(others)}"
        )
