"""What the store can beyond LangChain's: batches, counts, upserts, real metrics, progress, a look for notebooks."""

from __future__ import annotations

import asyncio
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, index

from anear.langchain import FAISS, maximal_marginal_relevance
from support import IDS, TEXTS, Numbers, Unit, check_intact, content, small_store


async def test_a_batch_answers_as_single_searches_do() -> None:
    db = small_store()
    queries = ["foo", "bar", "something else"]
    for arguments in ({}, {"k": 2}, {"filter": {"page": {"$gt": 0}}}, {"score_threshold": 100.0}):
        expected = [db.similarity_search_with_score(query, **arguments) for query in queries]
        documents = [[document for document, _ in found] for found in expected]
        assert db.similarity_search_with_score_batch(queries, **arguments) == expected
        assert await db.asimilarity_search_with_score_batch(queries, **arguments) == expected
        assert db.similarity_search_batch(queries, **arguments) == documents
        assert await db.asimilarity_search_batch(queries, **arguments) == documents
    assert db.similarity_search_batch([]) == await db.asimilarity_search_batch([]) == []
    for compat in small_store(compat="langchain"), small_store():
        assert len(compat.similarity_search_batch(queries)) == 3


async def test_counts_ids_and_fields() -> None:
    db = small_store()
    assert db.count() == await db.acount() == 4
    assert db.count({"page": {"$gte": 2}}) == await db.acount({"page": {"$gte": 2}}) == 2
    assert db.list_ids() == await db.alist_ids() == IDS
    assert db.list_ids({"tags": {"$contains": "a"}}) == await db.alist_ids({"tags": {"$contains": "a"}}) == ["1", "3"]
    assert set(db.metadata_fields()) == {"page", "tags"}
    assert sum(db.metadata_fields()["page"].values()) == 4


async def test_deleting() -> None:
    db = small_store()
    assert db.delete(["1", "nobody", "1"]) is True
    assert await db.adelete(["2", "nobody"]) is True
    assert db.delete([]) is True and await db.adelete([]) is True
    assert db.list_ids() == ["0", "3"]
    assert db.delete(filter={"page": 0}) is True and await db.adelete(filter=lambda m: m["page"] == 3) is True
    assert db.count() == 0 and db.similarity_search("foo") == []
    for arguments in ({}, {"ids": ["0"], "filter": {}}):
        with pytest.raises(ValueError):
            db.delete(**arguments)
        with pytest.raises(ValueError):
            await db.adelete(**arguments)


async def test_adding_an_existing_id_replaces_text_metadata_and_vector() -> None:
    db = small_store()
    assert db.add_texts(["new"], [{"page": 9}], ids=["1"]) == ["1"]
    assert await db.aadd_texts(["newer"], ids=["2"]) == ["2"]
    assert db.count() == 4
    assert db.get_by_ids(["1"]) == [Document(id="1", page_content="new", metadata={"page": 9})]
    assert db.similarity_search("newer", k=1)[0].id == "2"
    check_intact(db)


async def test_missing_ids_are_made() -> None:
    db = small_store()
    made = db.add_documents([Document(id="x", page_content="a"), Document(page_content="b")])
    assert made[0] == "x" and len(made[1]) == 36
    assert await db.aadd_texts(["c"], ids=[]) == db.list_ids()[-1:]
    assert db.add_texts(["d"], ids=[7]) == ["7"]


async def test_adding_nothing_adds_nothing() -> None:
    for db in (small_store(), FAISS.from_texts([], Numbers()), await FAISS.afrom_texts([], Numbers())):
        before = db.count()
        assert db.add_texts([]) == await db.aadd_texts([]) == db.add_embeddings([]) == db.add_documents([]) == []
        assert db.count() == before
    assert FAISS.from_embeddings([], Numbers()).similarity_search("a") == []
    assert FAISS.from_documents([], Numbers()).max_marginal_relevance_search("a") == []


async def test_texts_with_vectors() -> None:
    pairs = list(zip(TEXTS, Numbers().embed_documents(TEXTS), strict=True))
    db = await FAISS.afrom_embeddings(iter(pairs), Numbers(), ids=IDS)
    assert content(db)[2] == content(FAISS.from_embeddings(pairs, Numbers(), ids=IDS))[2]
    assert await db.aadd_embeddings([("more", np.ones(8))], ids=["m"]) == ["m"]
    assert db.similarity_search_by_vector(np.ones(8), k=1)[0].id == "m"


async def test_merging_keeps_the_source() -> None:
    db, other = small_store(), FAISS.from_texts(["more"], Numbers(), ids=["m"])
    db.merge_from(other)
    assert db.list_ids() == [*IDS, "m"] and other.list_ids() == ["m"]
    third = small_store()
    await third.amerge_from(other)
    assert content(third) == content(db)
    for source in (db, third):
        with pytest.raises(ValueError):
            db.merge_from(source)
        with pytest.raises(ValueError):
            await db.amerge_from(source)
    with pytest.raises(ValueError):
        db.merge_from(FAISS.from_texts(["z"], Numbers(), distance_strategy="COSINE"))
    assert content(third) == content(db)


async def test_langchains_store_can_be_merged() -> None:
    community = pytest.importorskip("langchain_community.vectorstores.faiss")
    for strategy in ("EUCLIDEAN_DISTANCE", "COSINE"):
        db = small_store(distance_strategy=strategy)
        db.merge_from(community.FAISS.from_texts(["a", "b"], Numbers(), ids=["x", "y"]))
        await db.amerge_from(community.FAISS.from_texts(["c"], Numbers(), ids=["z"]))
        assert db.list_ids() == [*IDS, "x", "y", "z"]
        check_intact(db)


# -- metrics


def vectors(*texts: str) -> list[Any]:
    return [np.array(Numbers().embed_query(text)) for text in texts]


@pytest.mark.parametrize("strategy", ["EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT", "DOT_PRODUCT", "COSINE"])
def test_scores_are_what_the_strategy_says(strategy: str) -> None:
    def score(a: Any, b: Any) -> float:
        if strategy == "EUCLIDEAN_DISTANCE":
            return float(((a - b) ** 2).sum())
        product = float(a @ b)
        return product if "PRODUCT" in strategy else 1 - product / float(np.linalg.norm(a) * np.linalg.norm(b))

    db = small_store(distance_strategy=strategy)
    [query] = vectors("query")
    expected = {text: score(vector, query) for text, vector in zip(TEXTS, vectors(*TEXTS), strict=True)}
    found = {document.page_content: score for document, score in db.similarity_search_with_score("query")}
    assert found == pytest.approx(expected, rel=1e-5)
    assert list(found) == sorted(TEXTS, key=expected.__getitem__, reverse="PRODUCT" in strategy)
    some = sorted(expected.values())[1]
    better = {text for text in TEXTS if (expected[text] >= some if "PRODUCT" in strategy else expected[text] <= some)}
    margin = -1e-3 if "PRODUCT" in strategy else 1e-3
    close = db.similarity_search("query", score_threshold=some + margin)
    assert {document.page_content for document in close} == better


@pytest.mark.parametrize("strategy", ["EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT", "COSINE"])
async def test_relevance_is_between_0_and_1_and_best_for_the_same_text(strategy: str) -> None:
    db = FAISS.from_texts([f"text {i}" for i in range(50)], Unit(), distance_strategy=strategy)
    found = db.similarity_search_with_relevance_scores("text 7", k=50)
    assert found[0][0].page_content == "text 7" and found[0][1] == pytest.approx(1.0, abs=1e-6)
    relevances = [relevance for _, relevance in found]
    assert relevances == sorted(relevances, reverse=True) and 0.0 <= min(relevances)
    close = await db.asimilarity_search_with_relevance_scores("text 7", k=50, score_threshold=0.5)
    assert close == [hit for hit in found if hit[1] >= 0.5]


def test_relevance_of_squared_distances_is_langchains() -> None:
    db = FAISS.from_texts(["a", "b"], Unit())
    for (_, score), (_, relevance) in zip(
        db.similarity_search_with_score("a"), db.similarity_search_with_relevance_scores("a"), strict=True
    ):
        assert relevance == pytest.approx(max(0.0, 1 - score / math.sqrt(2)))


def test_normalization_is_for_queries_of_diverse_searches_too() -> None:
    db = small_store(normalize_L2=True)
    [(document, score)] = db.max_marginal_relevance_search_with_score("bar", k=1)
    assert document.page_content == "bar" and score == pytest.approx(0.0, abs=1e-6)


def test_a_strategy_assigned_later_must_be_the_stores() -> None:
    db = small_store(distance_strategy="MAX_INNER_PRODUCT")
    db.distance_strategy = "DOT_PRODUCT"
    assert db.distance_strategy == "DOT_PRODUCT"
    with pytest.raises(ValueError, match="from_embeddings"):
        db.distance_strategy = "COSINE"


def test_maximal_marginal_relevance_is_langchains() -> None:
    theirs = pytest.importorskip("langchain_community.vectorstores.utils").maximal_marginal_relevance
    draw = np.random.default_rng(3)
    for _ in range(50):
        query, candidates = draw.normal(size=8), list(draw.normal(size=(30, 8)))
        for arguments in ((0.5, 4), (0.0, 6), (1.0, 3), (0.3, 0), (0.3, 40)):
            assert maximal_marginal_relevance(query, candidates, *arguments) == theirs(query, candidates, *arguments)
    assert maximal_marginal_relevance(query, []) == []


# -- together


def test_langchains_indexing_updates_in_place() -> None:
    db, records = FAISS.from_texts([], Numbers()), InMemoryRecordManager("test")
    records.create_schema()
    documents = [Document(page_content=text, metadata={"source": text}) for text in TEXTS]
    arguments: dict[str, Any] = {"cleanup": "full", "source_id_key": "source", "key_encoder": "sha256"}
    assert index(documents, records, db, **arguments)["num_added"] == 4
    assert index(documents[:3], records, db, **arguments) == {
        "num_added": 0,
        "num_updated": 0,
        "num_skipped": 3,
        "num_deleted": 1,
    }
    assert index(documents[:3], records, db, force_update=True, **arguments)["num_updated"] == 3
    assert db.count() == 3


async def test_many_tasks_may_use_one_store() -> None:
    db = small_store()
    added = [db.aadd_texts([f"text {i}"], ids=[f"n{i}"]) for i in range(50)]
    searched = [db.asimilarity_search(f"text {i}") for i in range(50)]
    answers = await asyncio.gather(*added, *searched)
    assert all(len(answer) in (1, 4) for answer in answers)
    assert db.count() == 54
    check_intact(db)


# -- progress


async def test_progress_is_told_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [f"text {i}" for i in range(2_500)]
    seen: list[tuple[int, int]] = []
    db = FAISS.from_texts(texts, Numbers(), show_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1_000, 2_500), (2_000, 2_500), (2_500, 2_500)]
    seen.clear()
    documents = [Document(page_content=text) for text in texts]
    again = await FAISS.afrom_documents(
        documents, Numbers(), show_progress=lambda done, total: seen.append((done, total))
    )
    assert len(seen) == 3 and content(again)[2] == content(db)[2]
    db.add_texts(["a"], show_progress=True)
    await db.aadd_texts(["b"], show_progress=True)
    assert capsys.readouterr().err


def test_a_bar_shows_progress_where_tqdm_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bar:
        steps: list[int] = []

        def __init__(self, total: int, unit: str) -> None:
            self.steps.append(total)

        def update(self, count: int) -> None:
            self.steps.append(count)

        def close(self) -> None:
            self.steps.append(0)

    monkeypatch.setattr("anear.langchain._progress._tqdm", Bar)
    small_store().add_texts([f"text {i}" for i in range(1_200)], show_progress=True)
    assert Bar.steps == [1_200, 1_000, 200, 0]


def test_a_model_that_fails_midway_adds_nothing() -> None:
    class Tiring(Numbers):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            if "text 1500" in texts:
                raise ConnectionError("gone")
            return super().embed_documents(texts)

    db = FAISS.from_texts([], Tiring())
    with pytest.raises(ConnectionError):
        db.add_texts([f"text {i}" for i in range(2_000)], show_progress=lambda done, total: None)
    assert db.count() == 0


# -- showing


def test_a_store_shows_itself() -> None:
    db = FAISS.from_texts(["a"], Numbers(), [{"<b>page</b>": 1}])
    assert repr(db) == "<FAISS documents=1 dimension=8 EUCLIDEAN_DISTANCE>"
    html = db._repr_html_()
    assert "&lt;b&gt;page&lt;/b&gt;" in html and "<b>" not in html
    for word in ("Documents", "Dimension", "EUCLIDEAN_DISTANCE", "Memory", "Numbers", "int"):
        assert word in html
    assert "<table>" in FAISS.from_texts([], Numbers())._repr_html_()


def test_pairs_may_be_lists_and_bytes_of_any_kind() -> None:
    db = small_store()
    before = db.count()
    db.add_embeddings([["from JSON", db.index.reconstruct(0).tolist()]])  # type: ignore[list-item]
    assert db.count() == before + 1
    data = db.serialize_to_bytes()
    for kind in (bytearray, memoryview):
        again = FAISS.deserialize_from_bytes(kind(data), db.embeddings)  # type: ignore[arg-type]
        assert again.count() == before + 1


class Named(Numbers):
    """A model that says what it is called."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model


class Nameless(Numbers):
    """A model that does not."""

    model = None  # type: ignore[assignment]


async def test_a_store_opened_with_another_model_of_the_same_width_warns(tmp_path: Path) -> None:
    db = FAISS.from_texts(["one", "two"], Named("hub/small-v1"))
    db.save_local(tmp_path)
    data = db.serialize_to_bytes()
    with pytest.warns(UserWarning, match="saved with the model 'hub/small-v1' and is opened with 'hub/small-v2'"):
        FAISS.load_local(tmp_path, Named("hub/small-v2"))
    with pytest.warns(UserWarning, match="saved with the model 'hub/small-v1'") as caught:
        FAISS.deserialize_from_bytes(data, Named("other"))
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="vectors of different models cannot be compared"):
        await FAISS.aload_local(tmp_path, Named("other"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for same in (Named("hub/small-v1"), Named("/models/small-v1/"), Nameless()):
            FAISS.load_local(tmp_path, same)
        FAISS.load_local(tmp_path, Named("other"), compat="langchain", allow_dangerous_deserialization=True)
        (tmp_path / "index.anear.json").unlink()
        FAISS.load_local(tmp_path, Named("hub/small-v1"))
