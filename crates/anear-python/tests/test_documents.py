"""Metadata of any Python objects, and callables that look at them."""

from __future__ import annotations

import contextvars
import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding

from anear.langchain import FAISS
from support import METADATAS, TEXTS, Numbers, check_intact, small_store


class Color(enum.Enum):
    RED = 1


@dataclass
class Point:
    x: int


POINT = Point(3)

VALUES: list[Any] = [
    None, True, False, 0, -1, 2**80, 1.5, float("inf"), "", "text", "\x00 \U0001f600", b"bytes", bytearray(b"b"),
    [], [1, [2, {"a": None}]], {}, {"a": {"b": [1]}}, {1: 2}, (), (1, (2,)), {1, 2}, frozenset("a"), 1 + 2j,
    datetime.datetime(2026, 1, 2, 3, 4, 5, 6), datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
    datetime.date(2026, 1, 2), datetime.time(1, 2), datetime.timedelta(days=-1), decimal.Decimal("1.10"),
    uuid.UUID(int=5), pathlib.PurePosixPath("a/b"), Color.RED, POINT, range(3), np.float32(0.1), np.int64(7), int,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_metadata_comes_back_as_it_was(value: Any) -> None:
    db = FAISS.from_texts(["a"], Numbers(), [{"value": value}], ids=["1"])
    await db.aadd_texts(["b"], [{"value": value}], ids=["2"])
    for document in [*db.get_by_ids(["1", "2"]), *db.similarity_search("a"), *await db.asimilarity_search("b")]:
        again = document.metadata["value"]
        assert type(again) is type(value) and again == value


async def test_not_a_number_comes_back_too() -> None:
    db = FAISS.from_texts(["a"], Numbers(), [{"value": float("nan")}])
    assert np.isnan(db.similarity_search("a")[0].metadata["value"])


def test_results_and_inputs_share_nothing_with_the_store() -> None:
    given = {"tags": ["a"]}
    document = Document(page_content="x", metadata=given)
    db = FAISS.from_documents([document], Numbers())
    given["tags"].append("b")
    db.similarity_search("x")[0].metadata["tags"].append("c")
    assert db.similarity_search("x")[0].metadata == {"tags": ["a"]}
    assert document.id is None


def test_results_are_documents_with_ids_and_plain_scores() -> None:
    [(document, score)] = small_store().similarity_search_with_score("bar", k=1)
    assert document == Document(id="1", page_content="bar", metadata=METADATAS[1])
    assert type(score) is float and score == 0.0


# -- filters that are functions


async def test_a_function_sees_the_metadata() -> None:
    db = FAISS.from_texts(TEXTS, Numbers(), [{"value": value} for value in (Color.RED, POINT, {1, 2}, 4)])
    for value in (Color.RED, POINT, {1, 2}, 4):

        def wanted(metadata: dict[str, Any], value: Any = value) -> bool:
            return bool(metadata["value"] == value)

        [document] = db.similarity_search("foo", filter=wanted)
        assert document.metadata["value"] == value
        assert await db.asimilarity_search("foo", filter=wanted) == [document]
        assert db.max_marginal_relevance_search("foo", filter=wanted) == [document]
        assert await db.amax_marginal_relevance_search("foo", filter=wanted) == [document]
        assert db.similarity_search_batch(["foo"], filter=wanted) == [[document]]
        assert await db.asimilarity_search_batch(["foo"], filter=wanted) == [[document]]
        assert db.count(wanted) == await db.acount(wanted) == 1
        assert db.list_ids(wanted) == await db.alist_ids(wanted) == [document.id]


async def test_a_functions_answer_counts_as_truth() -> None:
    db = small_store()
    assert len(db.similarity_search("foo", filter=lambda metadata: metadata["page"])) == 3
    assert db.similarity_search("foo", filter=lambda metadata: None) == []
    assert len(await db.asimilarity_search("foo", filter=lambda metadata: "yes")) == 4


class Trouble(Exception):
    pass


async def test_a_functions_exception_reaches_the_caller() -> None:
    db = small_store()

    def broken(metadata: dict[str, Any]) -> bool:
        raise Trouble(metadata["page"])

    for call in (db.similarity_search, db.max_marginal_relevance_search):
        with pytest.raises(Trouble, match="0"):
            call("foo", filter=broken)
    for acall in (db.asimilarity_search, db.amax_marginal_relevance_search):
        with pytest.raises(Trouble, match="0"):
            await acall("foo", filter=broken)
    with pytest.raises(Trouble):
        db.delete(filter=broken)
    with pytest.raises(Trouble):
        await db.adelete(filter=broken)
    with pytest.raises(Trouble):
        await db.acount(broken)
    check_intact(db)
    assert db.count() == 4


async def test_a_function_may_call_the_store() -> None:
    db = small_store()

    def curious(metadata: dict[str, Any]) -> bool:
        db.add_texts(["seen"], ids=[f"seen {metadata['page']}"])
        return db.similarity_search("bar", k=1)[0].metadata == metadata

    assert [document.id for document in db.similarity_search("foo", filter=curious)] == ["1"]
    db.delete(filter=lambda metadata: "page" not in metadata)
    assert [document.id for document in await db.asimilarity_search("foo", filter=curious)] == ["1"]
    assert db.count() == 8
    check_intact(db)


async def test_a_function_sees_the_context_of_its_caller() -> None:
    tenant: contextvars.ContextVar[int] = contextvars.ContextVar("tenant")
    tenant.set(2)
    [document] = await small_store().asimilarity_search("foo", filter=lambda metadata: metadata["page"] == tenant.get())
    assert document.metadata["page"] == 2


def test_what_a_function_does_to_its_argument_stays_there() -> None:
    db = small_store()
    assert db.similarity_search("foo", filter=lambda metadata: metadata["tags"].append("z") or metadata.clear()) == []
    assert [document.metadata for document in db.get_by_ids(db.list_ids())] == METADATAS


def test_deep_metadata_is_converted_in_time() -> None:
    """Each level has a key that is no text and a leaf that is no data, the worst there is."""
    leaf: Any = object()
    for _ in range(40):
        leaf = {1: leaf}
    db = FAISS.from_texts(["a"], DeterministicFakeEmbedding(size=4), [{"deep": leaf}])
    assert db.similarity_search("a")[0].metadata["deep"] is leaf


def test_a_length_that_lies_reserves_nothing() -> None:
    db = FAISS.from_texts(["a"], DeterministicFakeEmbedding(size=4))

    class Liar(list[str]):
        def __len__(self) -> int:
            return 10**15

    assert db.get_by_ids(Liar(["none"])) == []


def test_ctrl_c_within_a_callers_iterator_stays_ctrl_c() -> None:
    db = FAISS.from_texts(["a"], DeterministicFakeEmbedding(size=4))

    def interrupted() -> Iterator[float]:
        yield 1.0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        db.add_embeddings([("b", interrupted())])  # type: ignore[list-item]
    assert db.count() == 1
