"""Whatever a program does wrong: an ordinary exception, and afterwards the store is as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document

from anear import InternalError
from anear.langchain import FAISS
from support import DIM, IDS, Failing, Numbers, check_intact, content, small_store

NAN, INF = float("nan"), float("inf")
GOOD = [1.0] * DIM


class Liar(Numbers):
    """A model whose next answer is what the test wants."""

    answer: Any = None

    def embed_documents(self, texts: list[str]) -> Any:
        return super().embed_documents(texts) if self.answer is None else self.answer

    def embed_query(self, text: str) -> Any:
        return super().embed_query(text) if self.answer is None else self.answer


def contains_itself() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["self"] = made
    return made


def deep() -> dict[str, Any]:
    made: Any = 1
    for _ in range(500):
        made = [made]
    return {"deep": made}


VECTORS: dict[str, Any] = {
    "too short": [1.0] * (DIM - 1),
    "too long": [1.0] * (DIM + 1),
    "empty": [],
    "with NaN": [NAN, *GOOD[1:]],
    "with inf": [INF, *GOOD[1:]],
    "beyond f32": [1e39, *GOOD[1:]],
    "of text": ["1.0"] * DIM,
    "of None": [None] * DIM,
    "of complex": [1j] * DIM,
    "nested": [[1.0] * DIM],
    "None": None,
    "a text": "vector",
    "a number": 1.0,
    "a dict": {0: 1.0},
    "objects": np.array([object()] * DIM),
    "an exception": ValueError("x"),
}

COUNTS: dict[str, Any] = {
    "zero": 0,
    "negative": -1,
    "very negative": -(2**70),
    "text": "4",
    "float": 4.5,
    "NaN": NAN,
    "list": [4],
}

TEXTS: dict[str, Any] = {"a number": 3, "None": None, "bytes": b"x", "a list": ["x"], "a lone surrogate": "\ud800"}
METADATAS: dict[str, Any] = {"a number": 3, "a text": "x", "a key that is no text": {1: 2}, "cyclic": contains_itself()}
IDS_GIVEN: dict[str, Any] = {"a list": ["x"], "a float": 1.5, "a dict": {}, "bytes": b"1", "a lone surrogate": "\ud800"}

CALLS: dict[str, Callable[[FAISS], Any]] = {}

for name, vector in VECTORS.items():
    CALLS[f"add a vector {name}"] = lambda db, v=vector: db.add_embeddings([("good", GOOD), ("bad", v)], ids=["0", "n"])
    CALLS[f"search by a vector {name}"] = lambda db, v=vector: db.similarity_search_by_vector(v)
    CALLS[f"search diversely by a vector {name}"] = lambda db, v=vector: (
        db.max_marginal_relevance_search_with_score_by_vector(v)
    )
for name, count in COUNTS.items():
    CALLS[f"k {name}"] = lambda db, k=count: db.similarity_search("foo", k=k)
    CALLS[f"k {name} of a diverse search"] = lambda db, k=count: db.max_marginal_relevance_search("foo", k=k)
    CALLS[f"fetch_k {name}"] = lambda db, k=count: db.max_marginal_relevance_search("foo", fetch_k=k)
    CALLS[f"k {name} of a batch"] = lambda db, k=count: db.similarity_search_batch(["foo"], k=k)
for name, text in TEXTS.items():
    CALLS[f"add a text {name}"] = lambda db, t=text: db.add_embeddings([("good", GOOD), (t, GOOD)], ids=["0", "n"])
for name, metadata in METADATAS.items():
    CALLS[f"add metadata {name}"] = lambda db, m=metadata: db.add_texts(["a", "b"], [{}, m], ids=["0", "n"])
for name, id_ in IDS_GIVEN.items():
    CALLS[f"add an id {name}"] = lambda db, i=id_: db.add_texts(["a", "b"], ids=["0", i])

CALLS |= {
    "one text for a list": lambda db: db.add_texts("abc"),
    "no list at all": lambda db: db.add_texts(3),
    "an id twice": lambda db: db.add_texts(["a", "b"], ids=["x", "x"]),
    "an id twice, once as a number": lambda db: db.add_texts(["a", "b"], ids=["1", 1]),
    "fewer metadatas": lambda db: db.add_texts(["a", "b"], metadatas=[{}]),
    "more metadatas": lambda db: db.add_texts(["a"], metadatas=[{}, {}]),
    "one metadata for a list": lambda db: db.add_texts(["a"], metadatas={"page": 1}),
    "fewer ids": lambda db: db.add_texts(["a", "b"], ids=["0"]),
    "one id for a list": lambda db: db.add_texts(["a"], ids="0"),
    "pairs of one": lambda db: db.add_embeddings([("a",)]),
    "pairs of three": lambda db: db.add_embeddings([("a", GOOD, 3)]),
    "no documents": lambda db: db.add_documents(["text"]),
    "deep metadata": lambda db: db.add_texts(["a"], [deep()], ids=["0"]),
    "lambda_mult of 2": lambda db: db.max_marginal_relevance_search("foo", lambda_mult=2.0),
    "lambda_mult of NaN": lambda db: db.max_marginal_relevance_search("foo", lambda_mult=NAN),
    "a threshold of NaN": lambda db: db.similarity_search("foo", score_threshold=NAN),
    "a threshold of text": lambda db: db.similarity_search("foo", score_threshold="0.5"),
    "a query that is no text": lambda db: db.similarity_search(3),
    "one query for a batch": lambda db: db.similarity_search_batch("foo"),
    "delete without ids": lambda db: db.delete(),
    "delete by one text": lambda db: db.delete("0"),
    "delete by a number": lambda db: db.delete(3),
    "delete by odd ids": lambda db: db.delete(["0", {}]),
    "delete by a bad filter": lambda db: db.delete(filter={"$bad": 1}),
    "get by a number": lambda db: db.get_by_ids(3),
    "get by odd ids": lambda db: db.get_by_ids([{}]),
    "merge with itself": lambda db: db.merge_from(db),
    "merge with the same ids": lambda db: db.merge_from(small_store()),
    "merge with another dimension": lambda db: db.merge_from(FAISS.from_texts(["x"], Numbers(3))),
    "merge with a list": lambda db: db.merge_from(["x"]),
    "merge with None": lambda db: db.merge_from(None),
    "save in a file": lambda db: db.save_local(__file__),
    "save above": lambda db: db.save_local("/tmp", "../up"),
    "save under no name": lambda db: db.save_local("/tmp", ""),
    "save under a NUL": lambda db: db.save_local("/tmp/\0", "index"),
    "load from a file": lambda db: FAISS.load_local(__file__, Numbers()),
    "load above": lambda db: FAISS.load_local("/tmp", Numbers(), "../up"),
    "load bytes of text": lambda db: FAISS.deserialize_from_bytes("text", Numbers()),  # type: ignore[arg-type]
    "load no bytes": lambda db: FAISS.deserialize_from_bytes(b"", Numbers()),
    "load odd bytes": lambda db: FAISS.deserialize_from_bytes(b"\x80\x04N.", Numbers()),
    "add to the index": lambda db: db.index.add(np.ones((1, DIM + 1))),
    "remove odd positions": lambda db: db.index.remove_ids(["x"]),
    "search the index for a text": lambda db: db.index.search("foo", 1),
    "assign positions": lambda db: setattr(db, "index_to_docstore_id", {}),
    "assign a number as index": lambda db: setattr(db, "index", 3),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_refused_changes_nothing(name: str) -> None:
    db = small_store()
    before = content(db)
    with pytest.raises(Exception) as caught:
        CALLS[name](db)
    assert not isinstance(caught.value, InternalError), caught.value
    assert str(caught.value)
    assert content(db) == before
    check_intact(db)


ASYNC_CALLS: dict[str, Callable[[FAISS], Any]] = {
    **{f"add a vector {n}": lambda db, v=v: db.aadd_embeddings([("g", GOOD), ("b", v)]) for n, v in VECTORS.items()},
    **{f"search by a vector {n}": lambda db, v=v: db.asimilarity_search_by_vector(v) for n, v in VECTORS.items()},
    **{f"k {n}": lambda db, k=k: db.asimilarity_search("foo", k=k) for n, k in COUNTS.items()},
    **{f"metadata {n}": lambda db, m=m: db.aadd_texts(["a"], [m], ids=["0"]) for n, m in METADATAS.items()},
    **{f"an id {n}": lambda db, i=i: db.aadd_texts(["a", "b"], ids=["0", i]) for n, i in IDS_GIVEN.items()},
    "one text for a list": lambda db: db.aadd_texts("abc"),
    "an id twice": lambda db: db.aadd_texts(["a", "b"], ids=["x", "x"]),
    "delete without ids": lambda db: db.adelete(),
    "delete by odd ids": lambda db: db.adelete(["0", {}]),
    "get by odd ids": lambda db: db.aget_by_ids([{}]),
    "merge with itself": lambda db: db.amerge_from(db),
    "save above": lambda db: db.asave_local("/tmp", "../up"),
    "load odd bytes": lambda db: FAISS.adeserialize_from_bytes(b"\x80\x04N.", Numbers()),
    "load from a file": lambda db: FAISS.aload_local(__file__, Numbers()),
}


@pytest.mark.parametrize("name", ASYNC_CALLS)
async def test_what_is_refused_asynchronously_changes_nothing(name: str) -> None:
    db = small_store()
    before = content(db)
    with pytest.raises(Exception) as caught:
        await ASYNC_CALLS[name](db)
    assert not isinstance(caught.value, InternalError), caught.value
    assert content(db) == before
    check_intact(db)


LIES: dict[str, Any] = {
    "too few": [GOOD],
    "too many": [GOOD] * 3,
    "none": [],
    "None": None,
    "ragged": [GOOD, GOOD[:-1]],
    "flat": GOOD,
    "NaN": [GOOD, [NAN] * DIM],
    "texts": ["a", "b"],
    "a number": 3,
    "an array of three dimensions": np.ones((2, DIM, 1)),
    "another width": np.ones((2, DIM + 1)),
}


@pytest.mark.parametrize("name", [name for name in LIES if name != "None"])
async def test_a_model_that_lies_changes_nothing(name: str) -> None:
    model = Liar()
    db = FAISS.from_texts(["foo", "bar"], model, ids=["0", "1"])
    before = content(db)
    model.answer = LIES[name]
    for arguments in ({}, {"show_progress": lambda done, total: None}):
        with pytest.raises(Exception):
            db.add_texts(["a", "b"], ids=["0", "n"], **arguments)
        with pytest.raises(Exception):
            await db.aadd_texts(["a", "b"], ids=["0", "n"], **arguments)
    model.answer = None
    assert content(db) == before
    check_intact(db)


async def test_a_model_that_fails_is_heard() -> None:
    db = FAISS.from_texts([], Failing())
    for call in (lambda: db.add_texts(["a"]), lambda: db.similarity_search("a")):
        with pytest.raises(ConnectionError, match="the model is down"):
            call()
    for acall in (lambda: db.aadd_texts(["a"]), lambda: db.asimilarity_search("a")):
        with pytest.raises(ConnectionError, match="the model is down"):
            await acall()
    assert db.count() == 0


def test_large_numbers_of_results_are_all_there_are() -> None:
    db = small_store()
    for k in (5, 10**8, 2**40, 2**62):
        assert len(db.similarity_search("foo", k=k)) == 4
        assert len(db.max_marginal_relevance_search("foo", k=k, fetch_k=k)) == 4
        assert len(db.similarity_search_batch(["foo"], k=k)[0]) == 4


def test_vectors_of_zeros_are_vectors() -> None:
    for strategy in ("EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT", "COSINE"):
        for normalize in (False, True):
            db = small_store(distance_strategy=strategy, normalize_L2=normalize)
            db.add_embeddings([("zeros", [0.0] * DIM)], ids=["z"])
            found = db.similarity_search_with_score_by_vector([0.0] * DIM, k=5)
            assert len(found) == 5 and not any(np.isnan(score) for _, score in found)


def test_odd_texts_are_texts() -> None:
    texts = ["", " ", "\x00", "\U0001f600", "a" * 1_000_000, "\n\r\t", "e\u0301"]
    vectors = np.eye(len(texts), DIM)
    db = FAISS.from_embeddings(zip(texts, vectors, strict=True), Numbers(), ids=[str(i) for i in range(len(texts))])
    assert [document.page_content for document in db.get_by_ids(db.list_ids())] == texts


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint8, bool])
def test_vectors_of_all_number_types_are_taken(kind: type) -> None:
    array = np.ones((2, DIM), dtype=kind)
    for vectors in (array, array[:, ::-1], np.asfortranarray(array), list(array), array.tolist()):
        db = FAISS.from_embeddings(zip("ab", vectors, strict=True), Numbers())
        assert db._FAISS__add(["c", "d"], vectors) == db.list_ids()[2:]
        assert db.similarity_search_with_score_by_vector(vectors[0], k=4)[3][1] == 0.0


async def test_a_cancelled_add_is_done_or_not_done() -> None:
    for wait in (0.0, 0.0001, 0.001, 0.01):
        db = small_store()
        task = asyncio.ensure_future(db.aadd_texts([f"text {i}" for i in range(2_000)]))
        await asyncio.sleep(wait)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0.05)
        assert db.count() in (4, 2_004)
        check_index_and_documents_agree(db)


def check_index_and_documents_agree(db: FAISS) -> None:
    assert db.index.ntotal == len(db.docstore._dict) == len(db.index_to_docstore_id) == len(set(db.list_ids()))


def test_names_stay_in_their_folder(tmp_path: Path) -> None:
    db = small_store()
    for name in ("../x", "a/b", "/abs", "..", ".", "a\\b", "x" * 500, "\x00"):
        with pytest.raises((ValueError, OSError)):
            db.save_local(tmp_path / "folder", name)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    db.save_local(tmp_path / "folder")
    assert FAISS.load_local(tmp_path / "folder", Numbers()).list_ids() == IDS


def test_documents_are_not_changed_by_adding_them() -> None:
    document = Document(page_content="x", metadata={"a": 1})
    small_store().add_documents([document])
    assert document == Document(page_content="x", metadata={"a": 1})
