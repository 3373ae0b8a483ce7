"""Stores can be pickled and copied."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from anear.langchain import FAISS, InMemoryDocstore
from support import DIM, Numbers, check_intact, content, small_store


def relevance(score: float) -> float:
    return 0.25


def pickled(db: FAISS) -> Any:
    return pickle.loads(pickle.dumps(db))


class Named(FAISS):
    """A subclass with an attribute of its own."""

    name = "nobody"


SETTINGS: list[dict[str, Any]] = [
    {},
    {"distance_strategy": "COSINE"},
    {"distance_strategy": "DOT_PRODUCT"},
    {"normalize_L2": True},
    {"relevance_score_fn": relevance},
    {"compat": "langchain"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("again", [pickled, copy.deepcopy])
def test_a_copy_answers_as_the_store(settings: dict[str, Any], again: Any) -> None:
    db = small_store(**settings)
    copied = again(db)
    assert content(copied)[:2] == content(db)[:2]
    assert copied.index.reconstruct_n() == pytest.approx(db.index.reconstruct_n(), abs=1e-6)
    assert copied.similarity_search("bar") == db.similarity_search("bar")
    assert (copied.distance_strategy, copied._normalize_L2, copied.compat) == (
        db.distance_strategy,
        db._normalize_L2,
        db.compat,
    )
    relevances = [copied._select_relevance_score_fn()(score) for _, score in copied.similarity_search_with_score("bar")]
    expected = [db._select_relevance_score_fn()(score) for _, score in db.similarity_search_with_score("bar")]
    assert relevances == pytest.approx(expected, abs=1e-6)
    copied.delete(["1"])
    assert db.count() == 4
    check_intact(copied)


def test_metadata_of_any_objects_is_copied_too() -> None:
    db = FAISS.from_texts(["a"], Numbers(), [{"function": relevance, "set": {1}, "tuple": (1, [2])}])
    metadata = pickle.loads(pickle.dumps(db)).similarity_search("a")[0].metadata
    assert metadata == {"function": relevance, "set": {1}, "tuple": (1, [2])}


def test_an_empty_store_keeps_its_dimension() -> None:
    db = small_store()
    db.delete(db.list_ids())
    copied = pickle.loads(pickle.dumps(db))
    assert copied.count() == 0
    with pytest.raises(ValueError):
        copied.add_embeddings([("a", [0.0] * (DIM + 1))])
    assert copy.deepcopy(FAISS.from_texts([], Numbers())).count() == 0


def test_a_subclass_keeps_its_attributes() -> None:
    db = Named.from_texts(["a"], Numbers())
    db.name = "somebody"
    copied = pickle.loads(pickle.dumps(db))
    assert type(copied) is Named and copied.name == "somebody"


def test_a_docstore_that_was_assigned_comes_along() -> None:
    db = small_store()
    db.docstore = InMemoryDocstore(db.docstore._dict.copy())
    copied = pickle.loads(pickle.dumps(db))
    assert copied.docstore._dict == db.docstore._dict and copied.docstore is not db.docstore


def test_an_index_of_a_store_says_what_to_pickle_instead() -> None:
    with pytest.raises(TypeError, match="pickle the store"):
        pickle.dumps(small_store().index)
    assert pickle.loads(pickle.dumps(small_store().index_to_docstore_id)) == dict(enumerate("0123"))
