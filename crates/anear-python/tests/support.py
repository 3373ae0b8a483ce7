"""What the tests share: models that need no network, and what a store holds at a moment."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from anear.langchain import FAISS

DIM = 8


class Numbers(Embeddings):
    """Small whole numbers for every text: distances are exact, equal texts have equal vectors."""

    model = "numbers"

    def __init__(self, dim: int = DIM) -> None:
        self.dim = dim

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        random = np.random.default_rng(zlib.crc32(text.encode()))
        return [float(number) for number in random.integers(-8, 9, self.dim)]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        return self.embed_query(text)


class Unit(Numbers):
    """Vectors of unit length, as most models give."""

    def embed_query(self, text: str) -> list[float]:
        vector = np.random.default_rng(zlib.crc32(text.encode())).normal(size=self.dim)
        return [float(number) for number in vector / np.linalg.norm(vector)]


class Failing(Numbers):
    """A model that is down."""

    def embed_query(self, text: str) -> list[float]:
        raise ConnectionError("the model is down")


TEXTS = ["foo", "bar", "baz", "qux"]
METADATAS = [{"page": page, "tags": ["a"] if page % 2 else ["b"]} for page in range(4)]
IDS = ["0", "1", "2", "3"]


def small_store(**kwargs: Any) -> FAISS:
    """Four documents."""
    return FAISS.from_texts(TEXTS, Numbers(), [dict(m) for m in METADATAS], ids=list(IDS), **kwargs)


def content(db: FAISS) -> tuple[dict[int, str], dict[str, Document], list[list[float]]]:
    """Everything that a store holds."""
    return dict(db.index_to_docstore_id), dict(db.docstore._dict), db.index.reconstruct_n().tolist()


def check_intact(db: FAISS) -> None:
    """The three parts of a store agree, and every document is found by its own vector."""
    ids, documents, vectors = content(db)
    assert list(ids) == list(range(len(ids)))
    assert list(ids.values()) == list(documents)
    assert len(vectors) == len(ids) == db.count() == db.index.ntotal
    for position, id_ in ids.items():
        found = db.similarity_search_by_vector(vectors[position], k=len(ids))
        assert id_ in [document.id for document in found]


def path_from(variable: str, promise: str) -> Path:
    """The path in an environment variable; without one the test is skipped, unless ANEAR_REQUIRE promises it."""
    value = os.environ.get(variable)
    if value:
        return Path(value)
    if promise in os.environ.get("ANEAR_REQUIRE", "").replace(",", " ").split():
        pytest.fail(f"ANEAR_REQUIRE promises {promise}, but {variable} is not set")
    pytest.skip(f"{variable} is not set: {promise} is not tested")
