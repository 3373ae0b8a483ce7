"""`compat="langchain"` answers as langchain-community's FAISS does: same documents, scores, errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document

from anear.langchain import FAISS, InMemoryDocstore
from support import METADATAS, TEXTS, Numbers, Unit

community = pytest.importorskip("langchain_community.vectorstores.faiss")

STRATEGIES = ["EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT", "DOT_PRODUCT", "COSINE", "JACCARD", "fake"]

FILTERS: list[Any] = [
    None,
    {},
    {"page": 1},
    {"page": [0, 2]},
    {"page": list(range(12))},
    {"page": (0, 2)},
    {"page": {"$gt": 0, "$lte": 2}},
    {"page": {"$in": [1, 2]}},
    {"page": {"$nin": [1]}},
    {"page": {"$neq": 1}},
    {"nothing": None},
    {"tags": {"$eq": ["a"]}},
    {"$and": [{"page": {"$gte": 1}}, {"kind": "x"}], "page": 99},
    {"$or": [{"page": 0}, {"$not": {"kind": "x"}}]},
    {"$not": {"page": 0}},
    {"$and": []},
    {"$or": []},
    lambda metadata: metadata["page"] % 2 == 0,
]


def both(**kwargs: Any) -> tuple[Any, FAISS]:
    """LangChain's store and ours, made alike."""
    texts = [f"text {number}" for number in range(60)] + ["text 3"] * 3
    metadatas = [{"page": i % 4, "kind": "xyz"[i % 3], "tags": ["a"] if i % 2 else ["b"]} for i in range(len(texts))]
    model = kwargs.pop("model", Numbers())
    arguments = {"metadatas": metadatas, "ids": [str(i) for i in range(len(texts))], **kwargs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = community.FAISS.from_texts(texts, model, **arguments)
        ours = FAISS.from_texts(texts, model, compat="langchain", **arguments)
    return theirs, ours


def outcome(call: Callable[[], Any]) -> tuple[Any, ...]:
    """What a call returns, or the type and text of what it raises."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            answer = call()
    except Exception as error:
        return type(error).__name__, str(error)
    words = sorted({str(warning.message).split(" got ")[0] for warning in caught})
    return "returned", answer, words


def check_same(theirs: tuple[Any, ...], ours: tuple[Any, ...]) -> None:
    if theirs[0] != "returned" or ours[0] != "returned":
        assert ours == theirs
        return
    assert ours[2] == theirs[2]
    assert len(ours[1]) == len(theirs[1])
    for mine, other in zip(ours[1], theirs[1], strict=True):
        if isinstance(mine, Document):
            assert mine == other
            continue
        assert mine[0] == other[0]
        assert mine[1] == pytest.approx(float(other[1]), rel=1e-6, abs=1e-6)


def check_call(stores: tuple[Any, FAISS], call: Callable[[Any], Any]) -> None:
    theirs, ours = stores
    check_same(outcome(lambda: call(theirs)), outcome(lambda: call(ours)))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("filter", FILTERS, ids=str)
def test_searches(strategy: str, filter: Any) -> None:
    stores = both(distance_strategy=strategy)
    for k, fetch_k in [(4, 20), (1, 1), (10, 3), (100, 100), (5, 70)]:
        check_call(stores, lambda db: db.similarity_search_with_score("text 7", k=k, fetch_k=fetch_k, filter=filter))
        check_call(stores, lambda db: db.similarity_search("text 3", k=k, fetch_k=fetch_k, filter=filter))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("threshold", [-50.0, 0.0, 120.0, 400.0])
def test_thresholds(strategy: str, threshold: float) -> None:
    stores = both(distance_strategy=strategy)
    check_call(stores, lambda db: db.similarity_search_with_score("text 7", k=30, score_threshold=threshold))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_relevance(strategy: str) -> None:
    stores = both(distance_strategy=strategy, model=Unit())
    check_call(stores, lambda db: db.similarity_search_with_relevance_scores("text 7", k=9))
    check_call(stores, lambda db: db.similarity_search_with_relevance_scores("text 7", k=9, score_threshold=0.2))


@pytest.mark.parametrize("strategy", ["EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT"])
def test_normalized_searches(strategy: str) -> None:
    stores = both(distance_strategy=strategy, normalize_L2=True)
    check_call(stores, lambda db: db.similarity_search_with_score("text 7", k=9))
    # Not by a text that is stored: with equal weights all others would tie but for the last bit.
    vector = Numbers().embed_query("another text")
    by_vector = "max_marginal_relevance_search_with_score_by_vector"
    for arguments in ({}, {"filter": {"kind": "x"}}, {"k": 9, "fetch_k": 30}):
        check_call(stores, lambda db: getattr(db, by_vector)(vector, lambda_mult=0.6, **arguments))


@pytest.mark.parametrize("strategy", ["EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT"])
@pytest.mark.parametrize("filter", FILTERS, ids=str)
def test_diverse_searches_with_their_wrong_scores(strategy: str, filter: Any) -> None:
    stores = both(distance_strategy=strategy, model=Unit())
    vector = Unit().embed_query("text 11")
    for k, fetch_k in [(4, 20), (1, 5), (9, 4), (0, 9)]:
        check_call(
            stores,
            lambda db: db.max_marginal_relevance_search_with_score_by_vector(
                vector, k=k, fetch_k=fetch_k, filter=filter, lambda_mult=0.4
            ),
        )


@pytest.mark.parametrize("filter", FILTERS, ids=str)
async def test_asynchronous_searches_answer_as_synchronous_ones(filter: Any) -> None:
    _, ours = both(model=Unit())
    found = ours.similarity_search_with_score("text 1", k=7, fetch_k=9, filter=filter)
    assert await ours.asimilarity_search_with_score("text 1", k=7, fetch_k=9, filter=filter) == found
    diverse = ours.max_marginal_relevance_search("text 1", k=3, filter=filter)
    assert await ours.amax_marginal_relevance_search("text 1", k=3, filter=filter) == diverse


ERRORS: dict[str, Callable[[Any], Any]] = {
    "k of zero": lambda db: db.similarity_search("a", k=0),
    "k below zero": lambda db: db.similarity_search("a", k=-1),
    "fetch_k of zero": lambda db: db.similarity_search("a", filter={}, fetch_k=0),
    "k below zero with a filter": lambda db: db.similarity_search("a", k=-1, filter={}),
    "dimension of a query": lambda db: db.similarity_search_by_vector([1.0, 2.0]),
    "dimension of a document": lambda db: db.add_embeddings([("a", [1.0, 2.0])]),
    "ids that exist": lambda db: db.add_texts(["a"], ids=["1"]),
    "ids that come twice": lambda db: db.add_texts(["a", "b"], ids=["x", "x"]),
    "no texts": lambda db: db.add_texts([]),
    "no embeddings": lambda db: db.add_embeddings([]),
    "unknown ids": lambda db: db.delete(["nobody"]),
    "no ids": lambda db: db.delete([]),
    "None": lambda db: db.delete(None),
    "too few metadatas": lambda db: db.add_texts(["a", "b"], metadatas=[{}]),
    "too few ids": lambda db: db.add_texts(["a", "b"], ids=["x"]),
    "an operator": lambda db: db.similarity_search("a", filter={"$bad": 1}),
    "an operator of a field": lambda db: db.similarity_search("a", filter={"page": {"$bad": 1}}),
    "a filter of another type": lambda db: db.similarity_search("a", filter=3),
    "a comparison": lambda db: db.similarity_search("a", filter={"nothing": {"$gt": 1}}),
    "unhashable items": lambda db: db.similarity_search("a", filter={"page": [[1]] * 11}),
    "a key that is no text": lambda db: db.similarity_search("a", filter={1: 2}),
    "merging with itself": lambda db: db.merge_from(db),
    "a search type": lambda db: db.search("a", "nearest"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    check_call(both(), ERRORS[name])


@pytest.mark.parametrize("wrong", [((3, [0.0] * 8), {}), (("a", [0.0] * 8), 3), (("a", [0.0] * 8), None)], ids=str)
def test_errors_of_documents(wrong: Any) -> None:
    pair, metadata = wrong
    theirs, ours = both()
    kinds = [outcome(lambda db=db: db.add_embeddings([pair], [metadata]))[0] for db in (theirs, ours)]
    assert kinds == ["ValidationError", "ValidationError"]


def test_errors_of_new_stores() -> None:
    for make in (
        lambda kind: kind.from_texts([], Numbers()),
        lambda kind: kind.from_embeddings([], Numbers()),
        lambda kind: kind.from_texts(["a"], Numbers(), foo=1),
        lambda kind: kind.from_texts(["a"], Numbers(), ids=["a", "b"]),
    ):
        theirs, ours = outcome(lambda: make(community.FAISS)), outcome(lambda: make(Letter))
        assert ours == theirs


class Letter(FAISS):
    """Our store to the letter, by its class attribute."""

    compat = "langchain"


Letter.__name__ = "FAISS"
Letter.__init__.__qualname__ = "FAISS.__init__"


def test_a_repeated_id_is_refused_before_anything_is_deleted() -> None:
    theirs, ours = both()
    assert outcome(lambda: ours.delete(["1", "1"])) == outcome(lambda: theirs.delete(["1", "1"])) == ("KeyError", "'1'")
    assert "1" in ours.index_to_docstore_id.values()


def test_loading_without_the_flag_is_refused(tmp_path: Any) -> None:
    theirs, ours = both()
    ours.save_local(tmp_path)
    for kind in (community.FAISS, Letter):
        with pytest.raises(ValueError, match="allow_dangerous_deserialization"):
            kind.load_local(tmp_path, Numbers())
        with pytest.raises(ValueError, match="allow_dangerous_deserialization"):
            kind.deserialize_from_bytes(ours.serialize_to_bytes(), Numbers())
        with pytest.raises(TypeError, match="asynchronous"):
            kind.load_local(tmp_path, Numbers(), allow_dangerous_deserialization=True, asynchronous=True)


def test_normalizing_another_strategy_warns() -> None:
    for kind in (community.FAISS, Letter):
        with pytest.warns(UserWarning, match="Normalizing L2 is not applicable for metric type"):
            kind.from_texts(["a"], Numbers(), normalize_L2=True, distance_strategy="MAX_INNER_PRODUCT")


async def test_a_function_as_model_fails_in_asynchronous_calls_only() -> None:
    for kind, docstore in ((community.FAISS, community.InMemoryDocstore()), (Letter, InMemoryDocstore())):
        faiss = pytest.importorskip("faiss")
        db = kind(Numbers().embed_query, faiss.IndexFlatL2(8), docstore, {})
        db.add_texts(["a"])
        assert db.similarity_search("a")[0].page_content == "a"
        with pytest.raises(Exception, match="is expected to be an Embeddings object"):
            await db.asimilarity_search("a")


def test_merging_and_deleting() -> None:
    theirs, ours = both()
    more = ["b", "c"]
    theirs.merge_from(community.FAISS.from_texts(more, Numbers(), ids=["n1", "n2"]))
    ours.merge_from(Letter.from_texts(more, Numbers(), ids=["n1", "n2"]))
    assert theirs.delete(["5", "n1"]) is ours.delete(["5", "n1"]) is True
    assert ours.index_to_docstore_id == theirs.index_to_docstore_id
    assert ours.docstore.__dict__ == theirs.docstore.__dict__
    assert np.array_equal(ours.index.reconstruct_n(), theirs.index.reconstruct_n(0, theirs.index.ntotal))


def test_a_docstore_that_is_assigned_is_asked() -> None:
    theirs, ours = both()
    for db in (theirs, ours):
        db.docstore = community.InMemoryDocstore({})
    query = Numbers().embed_query("text 1")
    check_call((theirs, ours), lambda db: db.similarity_search_by_vector(query, k=1))
    check_call((theirs, ours), lambda db: db.get_by_ids(["1"]))


def test_filter_functions_agree() -> None:
    documents = [dict(m) for m in METADATAS] + [{}, {"page": None}, {"page": "1"}]
    for filter in FILTERS[1:]:
        theirs, ours = community.FAISS._create_filter_func(filter), FAISS._create_filter_func(filter)
        for metadata in documents:
            check_same(outcome(lambda: [(0, theirs(metadata))]), outcome(lambda: [(0, ours(metadata))]))


def test_names_that_programs_call() -> None:
    vectors = Numbers().embed_documents(TEXTS)
    for kind in (community.FAISS, Letter):
        db = kind._FAISS__from(TEXTS, vectors, Numbers(), metadatas=METADATAS, ids=list("abcd"), normalize_L2=False)
        assert db._FAISS__add(["more"], [vectors[0]], None, ["e"]) == ["e"]
        assert dict(db.index_to_docstore_id) == dict(enumerate("abcde"))
