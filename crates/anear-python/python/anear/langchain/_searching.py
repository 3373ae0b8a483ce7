"""How the vector store is searched: by texts and vectors, one or many, by relevance and by diversity."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.runnables.config import run_in_executor
from langchain_core.vectorstores import VectorStore

from .. import _native
from . import _model
from ._behavior import Behavior, Diverse, Filter, Params, Scored, Search
from ._filters import Predicate, predicate
from ._foreign import look_up
from ._twins import twin

# Documents made between two turns of the event loop: some milliseconds.
DOCUMENTS_AT_ONCE = 500

# Queries of a batch that are embedded at the same time.
_QUERIES_AT_ONCE = 16


class Searches(VectorStore):
    """A store that embeds and searches."""

    embedding_function: _model.Model
    override_relevance_score_fn: Callable[[float], float] | None
    _store: _native.Store
    _behavior: Behavior
    _strategy: str
    # The docstore that has the last word on texts and metadata, if that is not the store itself.
    _foreign: Any

    # -- embedding

    def _embed_documents(self, texts: list[str]) -> Any:
        return _model.embed_documents(self.embedding_function, texts)

    @twin
    async def _aembed_documents(self, texts: list[str]) -> Any:
        self.__check_async_model()
        return await _model.aembed_documents(self.embedding_function, texts)

    def _embed_query(self, text: str) -> Any:
        return _model.embed_query(self.embedding_function, text)

    @twin
    async def _aembed_query(self, text: str) -> Any:
        self.__check_async_model()
        return await _model.aembed_query(self.embedding_function, text)

    def __check_async_model(self) -> None:
        if self.embeddings is None:
            self._behavior.check_model(self.embedding_function)

    # -- searching

    def similarity_search(
        self, query: str, k: int = 4, filter: Filter | None = None, fetch_k: int = 20, **kwargs: Any
    ) -> list[Document]:
        """The `k` documents most similar to a text, among those that match `filter`.

        Args:
            query: the text.
            k: how many, at least 1.
            filter: a dict such as `{"page": {"$gte": 2}}`, or a function of the metadata.
            fetch_k: no longer needed; with `compat="langchain"`, how many are looked at before filtering.
            **kwargs: `score_threshold`, the worst score that is good enough; `params`, search parameters of the index
                for this search, such as `{"nprobe": 16}`.
        """
        found = self.similarity_search_with_score(query, k, filter=filter, fetch_k=fetch_k, **kwargs)
        return _without_scores(found)

    @twin
    async def asimilarity_search(
        self, query: str, k: int = 4, filter: Filter | None = None, fetch_k: int = 20, **kwargs: Any
    ) -> list[Document]:
        """The `k` documents most similar to a text, among those that match. See `similarity_search`."""
        found = await self.asimilarity_search_with_score(query, k, filter=filter, fetch_k=fetch_k, **kwargs)
        return _without_scores(found)

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Filter | None = None, fetch_k: int = 20, **kwargs: Any
    ) -> Scored:
        """As `similarity_search`, with scores: squared L2 distance, inner product, or 1 - cosine."""
        vector = self._embed_query(query)
        return self.similarity_search_with_score_by_vector(vector, k, filter=filter, fetch_k=fetch_k, **kwargs)

    @twin
    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, filter: Filter | None = None, fetch_k: int = 20, **kwargs: Any
    ) -> Scored:
        """As `asimilarity_search`, with scores: squared L2 distance, inner product, or 1 - cosine."""
        vector = await self._aembed_query(query)
        return await self.asimilarity_search_with_score_by_vector(vector, k, filter=filter, fetch_k=fetch_k, **kwargs)

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Filter | None = None, fetch_k: int = 20, **kwargs: Any
    ) -> list[Document]:
        """As `similarity_search`, by a vector."""
        found = self.similarity_search_with_score_by_vector(embedding, k, filter=filter, fetch_k=fetch_k, **kwargs)
        return _without_scores(found)

    @twin
    async def asimilarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Filter | None = None, fetch_k: int = 20, **kwargs: Any
    ) -> list[Document]:
        """As `asimilarity_search`, by a vector."""
        found = await self.asimilarity_search_with_score_by_vector(
            embedding, k, filter=filter, fetch_k=fetch_k, **kwargs
        )
        return _without_scores(found)

    def similarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, filter: Filter | None = None, fetch_k: int = 20, **kwargs: Any
    ) -> Scored:
        """As `similarity_search_with_score`, by a vector. All synchronous similarity searches come through here."""
        search = Search(embedding, k, filter, fetch_k, kwargs.get("score_threshold"), kwargs.get("params"))
        self._behavior.check_search(self, search)
        hits = self._store.search(**self._behavior.search_arguments(search))
        return self._behavior.selected(self, search, self._with_documents(hits))

    @twin
    async def asimilarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, filter: Filter | None = None, fetch_k: int = 20, **kwargs: Any
    ) -> Scored:
        """As `asimilarity_search_with_score`, by a vector. All asynchronous ones come through here."""
        search = Search(embedding, k, filter, fetch_k, kwargs.get("score_threshold"), kwargs.get("params"))
        self._behavior.check_search(self, search)
        hits = await self._store.asearch(**self._behavior.search_arguments(search))
        return self._behavior.selected(self, search, await self._awith_documents(hits))

    def similarity_search_batch(
        self, queries: Sequence[str], k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[list[Document]]:
        """As `similarity_search`, for many texts at once."""
        found = self.similarity_search_with_score_batch(queries, k, filter, **kwargs)
        return [_without_scores(each) for each in found]

    @twin
    async def asimilarity_search_batch(
        self, queries: Sequence[str], k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[list[Document]]:
        """As `asimilarity_search`, for many texts at once."""
        found = await self.asimilarity_search_with_score_batch(queries, k, filter, **kwargs)
        return [_without_scores(each) for each in found]

    def similarity_search_with_score_batch(
        self, queries: Sequence[str], k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[Scored]:
        """As `similarity_search_with_score`, for many texts at once."""
        vectors = [self._embed_query(query) for query in _queries(queries)]
        if not self.__searches_as_one():
            search = self.similarity_search_with_score_by_vector
            return [search(vector, k, filter=filter, **kwargs) for vector in vectors]
        wanted = _of_search(filter, kwargs)
        found = self._store.search_batch(vectors, k, **wanted) if vectors else []
        return [self._with_documents(hits) for hits in found]

    @twin
    async def asimilarity_search_with_score_batch(
        self, queries: Sequence[str], k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[Scored]:
        """As `asimilarity_search_with_score`, for many texts at once."""
        vectors = await self.__aembed_queries(_queries(queries))
        if not self.__searches_as_one():
            search = self.asimilarity_search_with_score_by_vector
            return [await search(vector, k, filter=filter, **kwargs) for vector in vectors]
        wanted = _of_search(filter, kwargs)
        found = await self._store.asearch_batch(vectors, k, **wanted) if vectors else []
        return [await self._awith_documents(hits) for hits in found]

    def __searches_as_one(self) -> bool:
        kind = type(self)
        overridden = (
            kind.similarity_search_with_score_by_vector is not Searches.similarity_search_with_score_by_vector
            or kind.asimilarity_search_with_score_by_vector is not Searches.asimilarity_search_with_score_by_vector
        )
        return self._behavior.can_batch() and not overridden

    async def __aembed_queries(self, queries: Sequence[str]) -> list[Any]:
        turns = asyncio.Semaphore(_QUERIES_AT_ONCE)

        async def embed(query: str) -> Any:
            async with turns:
                return await self._aembed_query(query)

        return await asyncio.gather(*(embed(query) for query in queries))

    # Programs built on LangChain call this; the store's own filters are evaluated in Rust.
    @staticmethod
    def _create_filter_func(filter: Any) -> Predicate:
        return predicate(filter)

    def _with_documents(self, hits: Sequence[_native.Hit]) -> Scored:
        if self._foreign is not None:
            return look_up(self._foreign, hits)
        return [(Document(id=id_, page_content=text, metadata=metadata), score) for id_, text, metadata, score in hits]

    async def _awith_documents(self, hits: Sequence[_native.Hit]) -> Scored:
        if self._foreign is not None:
            return await run_in_executor(None, look_up, self._foreign, hits)
        scored: Scored = []
        for start in range(0, len(hits), DOCUMENTS_AT_ONCE):
            if start:
                await asyncio.sleep(0)
            scored += self._with_documents(hits[start : start + DOCUMENTS_AT_ONCE])
        return scored

    # -- relevance

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return self.override_relevance_score_fn or self._behavior.relevance(self._strategy, self._store)

    def _similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, filter: Filter | None = None, fetch_k: int = 20, **kwargs: Any
    ) -> Scored:
        relevance = self._select_relevance_score_fn()
        found = self.similarity_search_with_score(query, k=k, filter=filter, fetch_k=fetch_k, **kwargs)
        return [(document, relevance(score)) for document, score in found]

    @twin
    async def _asimilarity_search_with_relevance_scores(
        self, query: str, k: int = 4, filter: Filter | None = None, fetch_k: int = 20, **kwargs: Any
    ) -> Scored:
        relevance = self._select_relevance_score_fn()
        found = await self.asimilarity_search_with_score(query, k=k, filter=filter, fetch_k=fetch_k, **kwargs)
        return [(document, relevance(score)) for document, score in found]

    # -- relevant, but not all the same

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """The `k` documents that are similar to a text but not all the same.

        Args:
            query: the text.
            k: how many, at least 1.
            fetch_k: how many of the nearest that match `filter` they are chosen from.
            lambda_mult: 1 asks for similarity only, 0 for difference only.
            filter: a dict such as `{"page": {"$gte": 2}}`, or a function of the metadata.
            **kwargs: `params`, search parameters of the index for this search, such as `{"nprobe": 16}`.
        """
        return self.max_marginal_relevance_search_by_vector(
            self._embed_query(query), k=k, fetch_k=fetch_k, lambda_mult=lambda_mult, filter=filter, **kwargs
        )

    @twin
    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """The `k` documents that are similar to a text but not all the same. See `max_marginal_relevance_search`."""
        vector = await self._aembed_query(query)
        return await self.amax_marginal_relevance_search_by_vector(
            vector, k=k, fetch_k=fetch_k, lambda_mult=lambda_mult, filter=filter, **kwargs
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """As `max_marginal_relevance_search`, by a vector."""
        found = self.max_marginal_relevance_search_with_score_by_vector(
            embedding, k=k, fetch_k=fetch_k, lambda_mult=lambda_mult, filter=filter, params=kwargs.get("params")
        )
        return _without_scores(found)

    @twin
    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """As `amax_marginal_relevance_search`, by a vector."""
        found = await self.amax_marginal_relevance_search_with_score_by_vector(
            embedding, k=k, fetch_k=fetch_k, lambda_mult=lambda_mult, filter=filter, params=kwargs.get("params")
        )
        return _without_scores(found)

    def max_marginal_relevance_search_with_score(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> Scored:
        """As `max_marginal_relevance_search`, with the score of each document."""
        return self.max_marginal_relevance_search_with_score_by_vector(
            self._embed_query(query), k=k, fetch_k=fetch_k, lambda_mult=lambda_mult, filter=filter, params=kwargs.get("params")
        )

    @twin
    async def amax_marginal_relevance_search_with_score(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> Scored:
        """As `amax_marginal_relevance_search`, with the score of each document."""
        vector = await self._aembed_query(query)
        return await self.amax_marginal_relevance_search_with_score_by_vector(
            vector, k=k, fetch_k=fetch_k, lambda_mult=lambda_mult, filter=filter, params=kwargs.get("params")
        )

    def max_marginal_relevance_search_with_score_by_vector(
        self,
        embedding: list[float],
        *,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        params: Params | None = None,
    ) -> Scored:
        """As `max_marginal_relevance_search_with_score`, by a vector. All synchronous ones come through here."""
        return self._behavior.mmr(self, Diverse(embedding, k, fetch_k, lambda_mult, filter, params))

    @twin
    async def amax_marginal_relevance_search_with_score_by_vector(
        self,
        embedding: list[float],
        *,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        params: Params | None = None,
    ) -> Scored:
        """As `amax_marginal_relevance_search_with_score`, by a vector. All asynchronous ones come through here."""
        return await self._behavior.ammr(self, Diverse(embedding, k, fetch_k, lambda_mult, filter, params))


def _without_scores(found: Scored) -> list[Document]:
    return [document for document, _ in found]


def _queries(queries: Sequence[str]) -> Sequence[str]:
    if isinstance(queries, (str, bytes)):
        raise TypeError(f"expected a list of queries, got one {type(queries).__name__}; for one query: [query]")
    return queries


def _of_search(filter: Filter | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    return {"filter": filter, "score_threshold": kwargs.get("score_threshold"), "params": kwargs.get("params")}
