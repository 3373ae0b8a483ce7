"""Index, docstore and map of a store look like Faiss's and LangChain's, live; foreign ones can take their place."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document

import anear
from anear.langchain import FAISS, AddableMixin, Docstore, InMemoryDocstore
from support import DIM, IDS, METADATAS, TEXTS, Numbers, check_intact, content, small_store


def faiss() -> Any:
    return pytest.importorskip("faiss")


def documents_of(db: FAISS) -> dict[str, Document]:
    return {document.id or "": document for document in db.get_by_ids(IDS)}


# -- docstore


def test_the_docstore_shows_the_documents() -> None:
    db = small_store()
    assert db.docstore.search("1") == Document(id="1", page_content="bar", metadata=METADATAS[1])
    assert db.docstore.search("nobody") == "ID nobody not found."
    assert db.docstore._dict == documents_of(db)
    assert documents_of(db) == db.docstore._dict
    assert repr(db.docstore._dict) == repr(documents_of(db))
    assert list(db.docstore._dict.items()) == list(documents_of(db).items())
    assert isinstance(db.docstore, Docstore) and isinstance(db.docstore, AddableMixin)


def test_the_docstore_has_the_attributes_of_langchains() -> None:
    db = small_store()
    assert db.docstore.__dict__ == InMemoryDocstore(documents_of(db)).__dict__
    assert InMemoryDocstore(documents_of(db)).__dict__ == vars(db.docstore)
    community = pytest.importorskip("langchain_community.docstore.in_memory")
    assert db.docstore.__dict__ == community.InMemoryDocstore(documents_of(db)).__dict__


def test_views_follow_the_store() -> None:
    db = small_store()
    index, docstore, ids = db.index, db.docstore, db.index_to_docstore_id
    db.delete(["1"])
    db.add_texts(["new"], ids=["n"])
    assert index.ntotal == len(docstore._dict) == len(ids) == 4
    assert ids == {0: "0", 1: "2", 2: "3", 3: "n"}
    assert docstore.search("1") == "ID 1 not found."
    assert index.reconstruct(3).tolist() == Numbers().embed_query("new")


def test_documents_of_the_docstore_are_copies() -> None:
    db = small_store()
    db.docstore.search("1").metadata["page"] = 99
    db.docstore._dict["1"].metadata["tags"].append("z")
    assert db.get_by_ids(["1"])[0].metadata == METADATAS[1]


def test_the_docstore_deletes_documents_with_their_vectors() -> None:
    db = small_store()
    db.docstore.delete(["1", "nobody"])
    assert db.index.ntotal == 3
    with pytest.raises(ValueError, match="does not  exist"):
        db.docstore.delete(["nobody"])
    check_intact(db)


def test_the_docstore_adds_no_document_without_a_vector() -> None:
    db = small_store()
    for call in (lambda: db.docstore.add({"1": Document("x")}), lambda: db.docstore.add({"new": Document("x")})):
        with pytest.raises(TypeError, match="add_embeddings"):
            call()
    with pytest.raises(AttributeError):
        db.docstore._dict = {}
    check_intact(db)


def test_a_copy_of_the_docstore_is_a_docstore_of_its_own() -> None:
    db = small_store()
    copied = copy.deepcopy(db.docstore)
    db.delete(["1"])
    assert type(copied) is InMemoryDocstore
    assert copied.search("1").page_content == "bar"


# -- map


def test_the_map_gives_ids_by_position() -> None:
    db = small_store()
    ids = db.index_to_docstore_id
    assert ids == dict(enumerate(IDS)) and dict(enumerate(IDS)) == ids
    assert repr(ids) == repr(dict(enumerate(IDS)))
    assert ids[np.int64(2)] == "2"
    assert list(ids.values()) == IDS and list(ids.items()) == list(enumerate(IDS))
    assert 0 in ids and 4 not in ids and -1 not in ids and "0" not in ids
    for key in (4, -1, "0", 1.5, None):
        with pytest.raises(KeyError):
            ids[key]


def test_the_map_cannot_be_assigned() -> None:
    db = small_store()
    with pytest.raises(AttributeError, match="add_embeddings"):
        db.index_to_docstore_id = {0: "a"}


# -- index


def test_the_index_answers_as_faiss_does() -> None:
    for strategy, name in (("EUCLIDEAN_DISTANCE", "IndexFlatL2"), ("MAX_INNER_PRODUCT", "IndexFlatIP")):
        db = small_store(distance_strategy=strategy)
        theirs = getattr(faiss(), name)(DIM)
        theirs.add(np.array(Numbers().embed_documents(TEXTS), np.float32))
        queries = np.array(Numbers().embed_documents(["bar", "other"]), np.float32)
        for k in (1, 3, 6):
            scores, positions = db.index.search(queries, k)
            expected_scores, expected_positions = theirs.search(queries, k)
            assert scores.dtype == np.float32 and positions.dtype == np.int64
            assert np.array_equal(positions, expected_positions)
            assert np.array_equal(scores[positions >= 0], expected_scores[positions >= 0])
        assert (db.index.ntotal, db.index.d, db.index.is_trained, db.index.metric_type) == (
            theirs.ntotal,
            theirs.d,
            theirs.is_trained,
            theirs.metric_type,
        )
        assert np.array_equal(db.index.reconstruct_n(1, 2), theirs.reconstruct_n(1, 2))
        assert type(db.index.to_faiss()).__name__ == name


def test_the_index_refuses_nonsense() -> None:
    db = small_store()
    query = np.zeros((1, DIM), np.float32)
    for x, k in ((query, 0), (query, -1), (query[0], 1), (np.zeros((1, 3)), 1)):
        with pytest.raises(ValueError):
            db.index.search(x, k)
    for key in (-1, 4, 10**12):
        with pytest.raises(IndexError):
            db.index.reconstruct(key)
    with pytest.raises(IndexError):
        db.index.reconstruct_n(2, 9)
    check_intact(db)


def test_the_index_adds_and_removes_documents() -> None:
    db = small_store()
    db.index.add(np.ones((2, DIM)))
    assert db.index.ntotal == len(db.docstore._dict) == 6
    assert db.index.remove_ids(np.array([0, 5, 99])) == 2
    assert list(db.index_to_docstore_id.values())[:3] == IDS[1:]
    check_intact(db)
    db.index.reset()
    assert db.index.ntotal == 0 and db.index.d == DIM
    assert db.similarity_search("foo") == []


def test_the_index_of_an_empty_store_is_not_false() -> None:
    db = FAISS(Numbers(), None, InMemoryDocstore(), {})
    assert db and db.index and db.index is not None and len(db.index) == 0
    assert "ntotal=0" in repr(db.index)


def test_cosine_becomes_the_inner_product_of_unit_vectors() -> None:
    db = small_store(distance_strategy="COSINE")
    query = np.array([Numbers().embed_query("bar")], np.float32)
    distances, positions = db.index.search(query, 4)
    faiss().normalize_L2(query)
    products, expected = db.index.to_faiss().search(query, 4)
    assert np.array_equal(positions, expected)
    assert distances == pytest.approx(1 - products, abs=1e-6)


# -- indexes that stand alone


@pytest.mark.parametrize("name", ["IndexFlatL2", "IndexFlatIP"])
def test_an_index_alone_answers_as_faiss_does(name: str) -> None:
    vectors = np.array(Numbers().embed_documents([f"text {i}" for i in range(50)]), np.float32)
    ours, theirs = getattr(anear, name)(DIM), getattr(faiss(), name)(DIM)
    ours.add(vectors)
    theirs.add(vectors)
    assert ours.remove_ids([3, 4]) == theirs.remove_ids(np.array([3, 4])) == 2
    expected, _ = theirs.search(vectors[:5], 7)
    scores, positions = ours.search(vectors[:5], 7)
    assert np.array_equal(scores, expected) and positions.shape == (5, 7)
    assert (ours.metric_type, ours.d, ours.ntotal) == (theirs.metric_type, theirs.d, theirs.ntotal)
    again = copy.deepcopy(ours)
    assert type(again) is type(ours) and np.array_equal(again.reconstruct_n(), ours.reconstruct_n())
    ours.reset()
    assert ours.ntotal == 0 and again.ntotal == 48


def test_an_index_takes_faisss_numbers_of_metrics() -> None:
    assert anear.IndexFlat(3, anear.METRIC_INNER_PRODUCT).metric == "inner_product"
    assert anear.IndexFlat(3).metric_type == anear.METRIC_L2
    assert anear.IndexFlat(3, anear.METRIC_JensenShannon).metric == "jensen_shannon"
    with pytest.raises(RuntimeError, match="metric 99 is not known"):
        anear.IndexFlat(3, 99)


# -- the constructor


@pytest.mark.parametrize("kind", ["ours", "faiss"])
def test_an_empty_index_says_dimension_and_metric(kind: str) -> None:
    module = anear if kind == "ours" else faiss()
    db = FAISS(Numbers(), module.IndexFlatIP(DIM), InMemoryDocstore(), {})
    assert (db.distance_strategy, db.index.d) == ("MAX_INNER_PRODUCT", DIM)
    with pytest.raises(ValueError, match="3"):
        db.add_embeddings([("a", [1.0, 2.0, 3.0])])
    assert FAISS(Numbers(), module.IndexFlatL2(DIM), InMemoryDocstore(), {}).distance_strategy == "EUCLIDEAN_DISTANCE"


def filled() -> tuple[Any, dict[str, Document], dict[int, str]]:
    index = faiss().IndexFlatL2(DIM)
    index.add(np.array(Numbers().embed_documents(TEXTS), np.float32))
    documents = {id_: Document(page_content=text) for id_, text in zip(IDS, TEXTS, strict=True)}
    return index, documents, dict(enumerate(IDS))


def test_what_others_hold_is_taken_over() -> None:
    index, documents, ids = filled()
    community = pytest.importorskip("langchain_community.docstore.in_memory")
    for docstore in (InMemoryDocstore(documents), community.InMemoryDocstore(documents)):
        db = FAISS(Numbers(), index, docstore, ids)
        assert db.similarity_search("baz", k=1)[0].page_content == "baz"
        assert db.index_to_docstore_id == ids
        check_intact(db)
        db.delete(["0"])
        assert len(documents) == index.ntotal == 4


def test_what_does_not_match_is_refused_with_the_place() -> None:
    index, documents, ids = filled()
    without = {id_: document for id_, document in documents.items() if id_ != "2"}
    cases = [
        (InMemoryDocstore(without), ids, "position 2"),
        (InMemoryDocstore(documents), {0: "0", 1: "1", 2: "2"}, "position 3"),
        (InMemoryDocstore(documents), {**ids, 4: "4"}, "position 4"),
        (InMemoryDocstore({**documents, "extra": Document("x")}), ids, "extra"),
        (InMemoryDocstore(documents), {0: "0", 1: "1", 2: "2", 3: "2"}, "2"),
    ]
    for docstore, positions, words in cases:
        with pytest.raises(ValueError, match=words):
            FAISS(Numbers(), index, docstore, positions)
    with pytest.raises(TypeError, match="index"):
        FAISS(Numbers(), [1, 2], InMemoryDocstore(), {})


def test_an_approximate_index_is_taken_over_as_one() -> None:
    _, documents, ids = filled()
    index = faiss().IndexHNSWFlat(DIM, 8)
    index.add(np.array(Numbers().embed_documents(TEXTS), np.float32))
    db = FAISS(Numbers(), index, InMemoryDocstore(documents), ids)
    assert db._store.index == "HNSW8,Flat"
    check_intact(db)


def test_an_index_that_keeps_its_vectors_to_itself_is_refused() -> None:
    _, documents, ids = filled()
    vectors = np.array(Numbers().embed_documents(TEXTS), np.float32)
    index = faiss().IndexIDMap(faiss().IndexFlatL2(DIM))
    index.add_with_ids(vectors, np.arange(4))
    with pytest.warns(UserWarning, match="IndexIDMap"), pytest.raises(ValueError, match="from_embeddings"):
        FAISS(Numbers(), index, InMemoryDocstore(documents), ids)


def test_strategies_that_contradict_the_index_are_refused() -> None:
    for strategy in ("MAX_INNER_PRODUCT", "DOT_PRODUCT"):
        with pytest.raises(ValueError, match="IndexFlatIP"):
            FAISS(Numbers(), anear.IndexFlatL2(DIM), InMemoryDocstore(), {}, distance_strategy=strategy)
    for strategy in ("JACCARD", "fake", None):
        with pytest.raises(ValueError, match="COSINE"):
            FAISS(Numbers(), None, InMemoryDocstore(), {}, distance_strategy=strategy)
    with pytest.raises(ValueError, match="langchain"):
        FAISS(Numbers(), None, InMemoryDocstore(), {}, compat="faiss")


def test_the_parts_of_a_store_make_a_store() -> None:
    db = small_store(distance_strategy="COSINE")
    again = FAISS(Numbers(), db.index, db.docstore, db.index_to_docstore_id)
    assert again.distance_strategy == "COSINE" and content(again)[:2] == content(db)[:2]
    assert again.index.reconstruct_n() == pytest.approx(db.index.reconstruct_n(), abs=1e-6)


# -- foreign docstores


class Archive(Docstore, AddableMixin):
    """A docstore of one's own."""

    def __init__(self) -> None:
        self.kept: dict[str, Document] = {}

    def search(self, search: str) -> str | Document:
        return self.kept.get(search, "gone")

    def add(self, texts: dict[str, Document]) -> None:
        if "poison" in (document.page_content for document in texts.values()):
            raise RuntimeError("poisoned")
        self.kept |= texts

    def delete(self, ids: list[str]) -> None:
        for id_ in ids:
            del self.kept[id_]


async def test_adds_and_deletes_go_to_a_docstore_of_ones_own_too() -> None:
    archive = Archive()
    db = FAISS(Numbers(), None, archive, {})
    assert db.docstore is archive
    assert db.add_texts(["a", "b"], ids=["1", "2"]) == ["1", "2"]
    assert await db.aadd_texts(["c"], [{"page": 3}], ids=["3"]) == ["3"]
    assert list(archive.kept) == ["1", "2", "3"]
    archive.kept["2"] = Document(id="2", page_content="changed")
    assert db.similarity_search("b", k=1)[0].page_content == "changed"
    assert (await db.asimilarity_search("b", k=1))[0].page_content == "changed"
    assert db.get_by_ids(["2"])[0].page_content == "changed"
    assert (await db.aget_by_ids(["2", "9"]))[0].page_content == "changed"
    assert db.max_marginal_relevance_search("b", k=1)[0].page_content == "changed"
    assert (await db.amax_marginal_relevance_search("b", k=1))[0].page_content == "changed"
    assert await db.adelete(["2", "nobody"])
    assert db.delete(filter={"page": 3})
    assert list(archive.kept) == list(db.list_ids()) == ["1"]


def test_replacing_a_document_replaces_it_in_both() -> None:
    archive = Archive()
    db = FAISS(Numbers(), None, archive, {})
    db.add_texts(["a"], ids=["1"])
    db.add_texts(["b"], ids=["1"])
    assert archive.kept["1"].page_content == "b" and db.count() == 1


def test_an_add_that_fails_in_one_changes_neither() -> None:
    archive = Archive()
    db = FAISS(Numbers(), None, archive, {})
    db.add_texts(["a"], ids=["1"])
    for pairs in ([("poison", [0.0] * DIM)], [("x", [0.0])], [("x", [float("nan")] * DIM)]):
        with pytest.raises((RuntimeError, ValueError)):
            db.add_embeddings(pairs, ids=["1"])
    assert archive.kept["1"].page_content == "a" and list(archive.kept) == db.list_ids() == ["1"]


class ReadOnly(Docstore):
    """A docstore that answers only."""

    def search(self, search: str) -> str | Document:
        return Document(page_content="always the same")


async def test_a_docstore_that_only_answers_takes_no_documents() -> None:
    db = FAISS(Numbers(), None, ReadOnly(), {})
    with pytest.raises(ValueError, match="should support adding items"):
        db.add_texts(["a"])
    with pytest.raises(ValueError, match="should support adding items"):
        await db.aadd_texts(["a"])
    with pytest.raises(ValueError, match="Cannot merge"):
        db.merge_from(small_store())
    assert db.count() == 0


async def test_a_docstore_that_is_assigned_has_the_last_word() -> None:
    db = small_store()
    db.docstore = InMemoryDocstore({"1": Document(id="1", page_content="changed")})
    assert db.similarity_search("bar", k=1)[0].page_content == "changed"
    with pytest.raises(ValueError, match="Could not find document for id 0, got ID 0 not found."):
        db.similarity_search("foo")
    with pytest.raises(ValueError, match="Could not find document for id 0"):
        await db.asimilarity_search("foo")
    del db.docstore._dict["1"]
    with pytest.raises(ValueError, match="Could not find document"):
        db.similarity_search_batch(["bar"])
    db.docstore = small_store().docstore
    assert db.similarity_search("bar", k=1)[0].page_content == "bar"


def test_documents_of_a_foreign_docstore_are_merged() -> None:
    archive = Archive()
    db = FAISS(Numbers(), None, archive, {})
    db.add_texts(["a"], ids=["a"])
    db.merge_from(small_store())
    assert list(archive.kept) == db.list_ids() == ["a", *IDS]
    target = small_store()
    target.delete(IDS)
    target.merge_from(db)
    assert target.list_ids() == ["a", *IDS]


def test_an_index_that_is_assigned_replaces_the_vectors() -> None:
    db = small_store()
    before = db.docstore._dict.copy()
    index = db.index.to_faiss()
    moved = faiss().IndexFlatL2(DIM)
    moved.add(index.reconstruct_n(0, 4)[::-1].copy())
    db.index = moved
    assert db.docstore._dict == before
    assert db.similarity_search("foo", k=1)[0].page_content == "qux"
    check_intact(db)
    with pytest.raises(ValueError, match="0 vectors"):
        db.index = anear.IndexFlatL2(DIM)
    with pytest.raises(TypeError):
        db.index = None
