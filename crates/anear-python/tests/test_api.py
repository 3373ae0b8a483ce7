"""The surface that programs written for LangChain use: names, parameters, defaults."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

import anear
import anear.langchain
from anear.langchain import FAISS, DistanceStrategy, InMemoryDocstore, dependable_faiss_import
from support import Numbers, small_store

SEARCH = "query k=4 filter=None fetch_k=20 **kwargs"
SEARCH_BY_VECTOR = "embedding k=4 filter=None fetch_k=20 **kwargs"
MMR = "query k=4 fetch_k=20 lambda_mult=0.5 filter=None **kwargs"
MMR_BY_VECTOR = "embedding k=4 fetch_k=20 lambda_mult=0.5 filter=None **kwargs"
BATCH = "queries k=4 filter=None **kwargs"

# LangChain's methods with their parameters in order, and ours beside them.
METHODS = {
    "add_texts": "texts metadatas=None ids=None *show_progress=False **kwargs",
    "add_embeddings": "text_embeddings metadatas=None ids=None **kwargs",
    "add_documents": "documents **kwargs",
    "similarity_search": SEARCH,
    "similarity_search_with_score": SEARCH,
    "similarity_search_by_vector": SEARCH_BY_VECTOR,
    "similarity_search_with_score_by_vector": SEARCH_BY_VECTOR,
    "similarity_search_with_relevance_scores": "query k=4 **kwargs",
    "_similarity_search_with_relevance_scores": SEARCH,
    "max_marginal_relevance_search": MMR,
    "max_marginal_relevance_search_by_vector": MMR_BY_VECTOR,
    "max_marginal_relevance_search_with_score_by_vector": "embedding *k=4 *fetch_k=20 *lambda_mult=0.5 *filter=None *params=None",
    "delete": "ids=None *filter=None **kwargs",
    "get_by_ids": "/ids",
    "search": "query search_type **kwargs",
    "from_texts": "texts embedding metadatas=None ids=None *show_progress=False **kwargs",
    "from_embeddings": "text_embeddings embedding metadatas=None ids=None **kwargs",
    "from_documents": "documents embedding **kwargs",
    "merge_from": "target",
    "save_local": "folder_path index_name='index'",
    "load_local": (
        "folder_path embeddings index_name='index' *allow_dangerous_deserialization=False *io_flags=0 **kwargs"
    ),
    "serialize_to_bytes": "",
    "deserialize_from_bytes": "serialized embeddings *allow_dangerous_deserialization=False **kwargs",
    "_embed_documents": "texts",
    "_embed_query": "text",
    # anear's own
    "count": "filter=None",
    "list_ids": "filter=None",
    "similarity_search_batch": BATCH,
    "similarity_search_with_score_batch": BATCH,
    "max_marginal_relevance_search_with_score": MMR,
}

SYNCHRONOUS_ONLY = {
    "as_retriever": "**kwargs",
    "metadata_fields": "",
    "_create_filter_func": "filter",
    "_select_relevance_score_fn": "",
    "_euclidean_relevance_score_fn": "distance",
    "_cosine_relevance_score_fn": "distance",
    "_max_inner_product_relevance_score_fn": "distance",
    "_get_retriever_tags": "",
    "_FAISS__add": "texts embeddings metadatas=None ids=None",
    "_FAISS__from": (
        "texts embeddings embedding metadatas=None ids=None normalize_L2=False "
        f"distance_strategy={DistanceStrategy.EUCLIDEAN_DISTANCE!r} **kwargs"
    ),
}


def parameters(function: Any) -> str:
    """The parameters in the short form above."""
    marks = {"POSITIONAL_ONLY": "/", "KEYWORD_ONLY": "*", "VAR_KEYWORD": "**"}
    words = []
    for name, parameter in inspect.signature(function).parameters.items():
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        words.append(marks.get(parameter.kind.name, "") + name + default)
    return " ".join(word for word in words if word.lstrip("/") != "self")


def twin(name: str) -> str:
    return "_a" + name[1:] if name.startswith("_") else "a" + name


@pytest.mark.parametrize("name", METHODS)
def test_methods_exist_in_pairs_with_the_same_parameters(name: str) -> None:
    assert parameters(getattr(FAISS, name)) == METHODS[name]
    assert parameters(getattr(FAISS, twin(name))) == METHODS[name]
    assert inspect.iscoroutinefunction(getattr(FAISS, twin(name)))


@pytest.mark.parametrize("name", SYNCHRONOUS_ONLY)
def test_other_members_exist(name: str) -> None:
    assert parameters(getattr(FAISS, name)) == SYNCHRONOUS_ONLY[name]


def test_langchains_own_parameters_come_first_and_keep_their_defaults() -> None:
    community = pytest.importorskip("langchain_community.vectorstores.faiss").FAISS
    for name, member in vars(community).items():
        if name.startswith("__") or not callable(getattr(community, name)):
            continue
        theirs = list(inspect.signature(getattr(community, name)).parameters.values())
        ours = inspect.signature(getattr(FAISS, name)).parameters
        for parameter in theirs:
            assert parameter.name in ours, (name, parameter)
            assert ours[parameter.name].default == parameter.default, (name, parameter)
            assert ours[parameter.name].kind == parameter.kind, (name, parameter)


def test_the_constructor_is_langchains() -> None:
    assert parameters(FAISS.__init__) == (
        "embedding_function index docstore index_to_docstore_id relevance_score_fn=None normalize_L2=False "
        f"distance_strategy={DistanceStrategy.EUCLIDEAN_DISTANCE!r} *compat=None"
    )


def test_attributes_that_programs_touch() -> None:
    db = small_store()
    assert isinstance(db, VectorStore) and type(db).__name__ == "FAISS"
    assert isinstance(db.embedding_function, Numbers) and db.embeddings is db.embedding_function
    assert db.distance_strategy == "EUCLIDEAN_DISTANCE"
    assert db._normalize_L2 is False and db.override_relevance_score_fn is None
    assert db.compat is None and FAISS.compat is None


def test_the_retriever_knows_its_store() -> None:
    retriever = small_store().as_retriever(search_type="mmr", search_kwargs={"k": 2})
    assert [document.page_content for document in retriever.invoke("foo")][0] == "foo"
    assert retriever.tags == ["FAISS", "Numbers"]
    assert retriever._get_ls_params()["ls_vector_store_provider"] == "FAISS"


async def test_searches_by_type() -> None:
    db = small_store()
    for search_type in ("similarity", "similarity_score_threshold", "mmr"):
        assert db.search("foo", search_type)[0].page_content == "foo"
        assert (await db.asearch("foo", search_type))[0].page_content == "foo"


def test_every_public_thing_is_documented() -> None:
    for name in anear.langchain.__all__:
        assert inspect.getdoc(getattr(anear.langchain, name)), name
    for name, member in vars(FAISS).items():
        if not name.startswith("_") and (callable(member) or isinstance(member, (property, classmethod))):
            assert inspect.getdoc(member), name


def test_strategies_are_plain_strings_too() -> None:
    assert [strategy.value for strategy in DistanceStrategy] == [
        "EUCLIDEAN_DISTANCE",
        "MAX_INNER_PRODUCT",
        "DOT_PRODUCT",
        "JACCARD",
        "COSINE",
    ]
    community = pytest.importorskip("langchain_community.vectorstores.utils")
    for name in ("COSINE", DistanceStrategy.COSINE, community.DistanceStrategy.COSINE):
        assert small_store(distance_strategy=name).distance_strategy == "COSINE"


def test_the_package_has_a_version() -> None:
    assert anear.__version__.count(".") == 2


def test_importing_needs_neither_faiss_nor_langchain_community() -> None:
    script = "import sys, anear.langchain as a; print(sorted({'faiss', 'langchain_community'} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_importing_without_langchain_core_says_what_to_install() -> None:
    script = "import sys; sys.modules['langchain_core'] = None; import anear; import anear.langchain"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "ImportError" in done.stderr and "pip install 'anear[langchain]'" in done.stderr


def test_faiss_is_imported_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    faiss = pytest.importorskip("faiss")
    assert dependable_faiss_import() is faiss
    assert dependable_faiss_import(no_avx2=True).__name__.startswith("faiss.swigfaiss")
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="pip install faiss-cpu"):
        dependable_faiss_import(no_avx2=False)


# -- subclasses


class Overridden(FAISS):
    """What subclasses of LangChain's FAISS do: the synchronous core, and nothing else."""

    def similarity_search_with_score_by_vector(self, *args: Any, **kwargs: Any) -> list[tuple[Document, float]]:
        found = super().similarity_search_with_score_by_vector(*args, **kwargs)
        return [(Document(page_content="overridden"), score) for _, score in found]

    def _embed_query(self, text: str) -> Any:
        return super()._embed_query(text.lower())


class OverriddenMmr(FAISS):
    def max_marginal_relevance_search_with_score_by_vector(
        self, *args: Any, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return [(Document(page_content="overridden"), 1.0)]


async def test_an_overridden_core_serves_every_search() -> None:
    db = await Overridden.afrom_texts(["foo", "bar"], Numbers())
    assert type(db) is Overridden
    found = [
        db.similarity_search("FOO", k=1),
        await db.asimilarity_search("FOO", k=1),
        db.similarity_search_by_vector(Numbers().embed_query("foo"), k=1),
        await db.asimilarity_search_by_vector(Numbers().embed_query("foo"), k=1),
        db.similarity_search_batch(["FOO"], k=1)[0],
        (await db.asimilarity_search_batch(["FOO"], k=1))[0],
        [document for document, _ in db.similarity_search_with_relevance_scores("FOO", k=1)],
        [document for document, _ in await db.asimilarity_search_with_relevance_scores("FOO", k=1)],
        db.as_retriever(search_kwargs={"k": 1}).invoke("FOO"),
        await db.as_retriever(search_kwargs={"k": 1}).ainvoke("FOO"),
    ]
    assert [[document.page_content for document in documents] for documents in found] == [["overridden"]] * len(found)
    assert db.similarity_search_with_score("FOO", k=1)[0][1] == 0.0
    assert (await db.asimilarity_search_with_score("FOO", k=1))[0][1] == 0.0


async def test_an_overridden_diverse_search_serves_every_one() -> None:
    db = OverriddenMmr.from_texts(["foo"], Numbers())
    assert db.max_marginal_relevance_search("foo")[0].page_content == "overridden"
    assert (await db.amax_marginal_relevance_search("foo"))[0].page_content == "overridden"
    assert db.max_marginal_relevance_search_with_score("foo")[0][1] == 1.0
    assert (await db.amax_marginal_relevance_search_with_score("foo"))[0][1] == 1.0


class OnTop(FAISS):
    """Both overridden, each on top of ours."""

    def similarity_search(self, *args: Any, **kwargs: Any) -> list[Document]:
        return super().similarity_search(*args, **kwargs)[:1]

    async def asimilarity_search(self, *args: Any, **kwargs: Any) -> list[Document]:
        return (await super().asimilarity_search(*args, **kwargs))[:2]


async def test_methods_overridden_in_pairs_call_ours() -> None:
    db = OnTop.from_texts(["foo", "bar", "baz"], Numbers())
    assert (len(db.similarity_search("foo")), len(await db.asimilarity_search("foo"))) == (1, 2)


async def test_a_function_may_be_the_model(caplog: pytest.LogCaptureFixture) -> None:
    db = FAISS(Numbers().embed_query, None, InMemoryDocstore(), {})
    assert "expected to be an Embeddings object" in caplog.text
    await db.aadd_texts(["foo", "bar"])
    assert (await db.asimilarity_search("foo", k=1))[0].page_content == "foo"
    assert db.similarity_search("bar", k=1)[0].page_content == "bar"
    assert db.embeddings is None
