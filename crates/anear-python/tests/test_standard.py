"""LangChain's standard tests of vector stores and retrievers, none of them overridden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever
from langchain_tests.integration_tests import RetrieversIntegrationTests, VectorStoreIntegrationTests

from anear.langchain import FAISS, InMemoryDocstore
from support import small_store


class TestFAISS(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[VectorStore]:
        yield FAISS(self.get_embeddings(), None, InMemoryDocstore(), {})


class Retriever(VectorStoreRetriever):
    """A retriever whose number of results is an argument of its constructor."""

    def __init__(self, k: int = 4, **kwargs: Any) -> None:
        super().__init__(vectorstore=small_store(), search_kwargs={"k": k}, **kwargs)


class TestRetriever(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[VectorStoreRetriever]:
        return Retriever

    @property
    def retriever_query_example(self) -> str:
        return "foo"
