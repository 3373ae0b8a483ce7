"""Folders and bytes go both ways between LangChain's FAISS and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anear.langchain import FAISS
from support import IDS, Numbers, content, path_from, small_store

STRATEGIES = ["EUCLIDEAN_DISTANCE", "MAX_INNER_PRODUCT", "COSINE"]


def community() -> Any:
    return pytest.importorskip("langchain_community.vectorstores.faiss")


def their_store(**kwargs: Any) -> Any:
    db = small_store()
    ids, documents, vectors = content(db)
    texts = [documents[id_].page_content for id_ in ids.values()]
    metadatas = [documents[id_].metadata for id_ in ids.values()]
    pairs = zip(texts, vectors, strict=True)
    return community().FAISS.from_embeddings(pairs, Numbers(), metadatas, ids=IDS, **kwargs)


def check_same_answers(ours: FAISS, theirs: Any) -> None:
    assert ours.index_to_docstore_id == theirs.index_to_docstore_id
    assert ours.docstore.__dict__ == theirs.docstore.__dict__
    expected = [(document, float(score)) for document, score in theirs.similarity_search_with_score("bar")]
    assert ours.similarity_search_with_score("bar") == expected


def test_we_open_what_langchain_saves(tmp_path: Path) -> None:
    theirs = their_store()
    theirs.save_local(str(tmp_path), "name")
    check_same_answers(FAISS.load_local(tmp_path, Numbers(), "name"), theirs)
    check_same_answers(FAISS.deserialize_from_bytes(theirs.serialize_to_bytes(), Numbers()), theirs)


def test_langchain_opens_what_we_save(tmp_path: Path) -> None:
    ours, kind = small_store(), community().FAISS
    ours.save_local(tmp_path, "name")
    allowed = {"allow_dangerous_deserialization": True}
    theirs = kind.load_local(str(tmp_path), Numbers(), "name", **allowed)
    check_same_answers(ours, theirs)
    theirs = kind.deserialize_from_bytes(ours.serialize_to_bytes(), Numbers(), **allowed)
    check_same_answers(ours, theirs)
    theirs.add_texts(["more"], ids=["m"])
    assert [document.page_content for document in theirs.get_by_ids(["m", "1"])] == ["more", "bar"]


async def test_the_asynchronous_methods_save_and_load_the_same(tmp_path: Path) -> None:
    db = small_store()
    await db.asave_local(tmp_path / "folder")
    assert content(await FAISS.aload_local(tmp_path / "folder", Numbers(), asynchronous=True)) == content(db)
    saved = await db.aserialize_to_bytes()
    assert content(await FAISS.adeserialize_from_bytes(saved, Numbers(), asynchronous=True)) == content(db)


def test_the_calls_of_the_notebook_work(tmp_path: Path) -> None:
    db = small_store()
    db.save_local(str(tmp_path / "faiss_index"))
    assert {"index.faiss", "index.pkl"} <= {path.name for path in (tmp_path / "faiss_index").iterdir()}
    again = FAISS.load_local(str(tmp_path / "faiss_index"), Numbers(), asynchronous=True)
    assert again.similarity_search("foo")[0] == db.similarity_search("foo")[0]
    again = FAISS.deserialize_from_bytes(embeddings=Numbers(), serialized=db.serialize_to_bytes(), asynchronous=True)
    assert content(again) == content(db)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("normalize", [False, True])
def test_strategy_and_normalization_come_back(tmp_path: Path, strategy: str, normalize: bool) -> None:
    db = small_store(distance_strategy=strategy, normalize_L2=normalize)
    db.save_local(tmp_path)
    for again in (
        FAISS.load_local(tmp_path, Numbers()),
        FAISS.deserialize_from_bytes(db.serialize_to_bytes(), Numbers()),
    ):
        assert (again.distance_strategy, again._normalize_L2) == (strategy, normalize)
        assert again.similarity_search_with_score("bar") == db.similarity_search_with_score("bar")


def test_contradicting_the_saved_strategy_is_refused(tmp_path: Path) -> None:
    small_store(distance_strategy="COSINE").save_local(tmp_path)
    with pytest.raises(ValueError):
        FAISS.load_local(tmp_path, Numbers(), distance_strategy="EUCLIDEAN_DISTANCE")
    with pytest.raises(ValueError):
        FAISS.load_local(tmp_path, Numbers(), normalize_L2=True)


def test_files_of_langchain_take_the_strategy_from_the_call(tmp_path: Path) -> None:
    their_store().save_local(str(tmp_path / "l2"))
    assert FAISS.load_local(tmp_path / "l2", Numbers(), distance_strategy="COSINE").distance_strategy == "COSINE"
    assert FAISS.load_local(tmp_path / "l2", Numbers(), normalize_L2=True)._normalize_L2
    their_store(distance_strategy="MAX_INNER_PRODUCT").save_local(str(tmp_path / "ip"))
    assert FAISS.load_local(tmp_path / "ip", Numbers()).distance_strategy == "MAX_INNER_PRODUCT"


def test_unknown_arguments_are_refused(tmp_path: Path) -> None:
    small_store().save_local(tmp_path)
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'"):
        FAISS.load_local(tmp_path, Numbers(), foo=1)


def test_a_missing_folder_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FAISS.load_local(tmp_path / "nothing", Numbers())


def test_a_pickle_that_names_code_is_refused(tmp_path: Path) -> None:
    small_store().save_local(tmp_path)
    marker = tmp_path / "executed"
    attack = b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR."
    for opened in (attack, small_store().serialize_to_bytes()[:-1] + attack):
        with pytest.raises(ValueError):
            FAISS.deserialize_from_bytes(opened, Numbers(), allow_dangerous_deserialization=True)
    assert not marker.exists()


FOLDERS = [
    "lc0.0.100_pydv1_py310",
    "lc0.0.150_pydv1_py310",
    "lc0.0.220_pydv1_py310",
    "lc0.0.300_pydv2_py310",
    "lc042_py311",
    "lcc0.0.20_core0.1_pydv1_py311",
    "lcc0.0.20_core0.1_pydv2_py311",
    "lcc0.2.16_core0.2_py312",
    "lcc0.3.23_py312",
]


class Three(Numbers):
    """The model of the fixtures' two documents."""

    def embed_query(self, text: str) -> list[float]:
        return [1.0, 2.0, 1.0 if text == "bar" else 0.0]


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_of_nine_installations_open(name: str, tmp_path: Path) -> None:
    folder = path_from("ANEAR_FIXTURES", "fixtures") / name
    check_fixture(FAISS.load_local(folder, Three()))
    if (folder / "bytes.pkl").exists():
        check_fixture(FAISS.deserialize_from_bytes((folder / "bytes.pkl").read_bytes(), Three()))


def check_fixture(db: FAISS) -> None:
    foo, bar = (document for document, _ in db.similarity_search_with_score("foo"))
    assert foo.page_content == "foo"
    assert foo.metadata == {"page": 1, "score": 0.5, "ok": True, "none": None, "l": [1, "a"], "d": {"k": "v"}}
    assert (bar.page_content, bar.metadata) == ("bar", {"page": 2})
    assert db.get_by_ids([foo.id or ""]) == [foo]
    assert db.add_texts(["foo"], ids=["new"]) == ["new"]
    assert [score for _, score in db.similarity_search_with_score("foo")] == [0.0, 0.0, 1.0]
