"""Loading and splitting text: chunk for chunk what LangChain's own classes give, and what is better."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import logging
import pickle
import random
import re
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import langchain_text_splitters as theirs
import pytest
from langchain_core.documents import Document

from anear.langchain import CharacterTextSplitter, Language, RecursiveCharacterTextSplitter, TextLoader, TextSplitter

WORDS = ["one", "two", "three", "é", "가나다", "\U0001f600", "a.b", "x" * 30, " ", "\t", "\x1f", "\u3000"]
GAPS = [" ", "  ", "\n", "\n\n", "\n\n\n", ". ", ", ", "--", "\r\n", "", "\nclass ", "\ndef ", "<p>"]
SEPARATORS = ["\n\n", "\n", " ", ". ", "", "--", "é", "  "]
REGEXES = [r"\s+", r"[.,]\s", r"(?<=\.)\s", r"(?=\n)", r"\n{2,}", r"x+", r"\bt", r"(?<!\n)\n(?!\n)", r"[^\w\s]"]


def some_text(seed: int, words: int = 60) -> str:
    rng = random.Random(seed)
    return "".join(rng.choice(WORDS) + rng.choice(GAPS) for _ in range(rng.randrange(words)))


def some_options(rng: random.Random) -> dict[str, Any]:
    size = rng.choice([1, 2, 5, 10, 20, 100])
    return {
        "chunk_size": size,
        "chunk_overlap": rng.randrange(size + 1),
        "keep_separator": rng.choice([True, False, "start", "end"]),
        "strip_whitespace": rng.choice([True, False]),
        "add_start_index": rng.choice([True, False]),
        "length_function": rng.choice([len, len, len, lambda text: len(text.encode()), lambda text: len(text.split())]),
    }


def same_chunks(mine: TextSplitter, reference: theirs.TextSplitter, text: str) -> None:
    assert mine.split_text(text) == reference.split_text(text)
    metadatas: list[dict[Any, Any]] = [{"a": [1]}, {"b": 2}]
    assert mine.create_documents([text, text], metadatas) == reference.create_documents([text, text], metadatas)
    documents = [Document(page_content=text, metadata={"c": 3}, id="x")]
    assert mine.split_documents(documents) == reference.split_documents(documents)


# -- as LangChain


@pytest.mark.parametrize("seed", range(120))
def test_one_separator_cuts_as_langchain_does(seed: int) -> None:
    rng, text = random.Random(seed), some_text(seed)
    is_regex = rng.random() < 0.5
    separator = rng.choice(REGEXES if is_regex else SEPARATORS)
    options = {"separator": separator, "is_separator_regex": is_regex, **some_options(rng)}
    same_chunks(CharacterTextSplitter(**options), theirs.CharacterTextSplitter(**options), text)


@pytest.mark.parametrize("seed", range(120))
def test_several_separators_cut_as_langchain_does(seed: int) -> None:
    rng, text = random.Random(seed), some_text(seed)
    is_regex = rng.random() < 0.5
    separators = rng.choice([None, rng.sample(REGEXES if is_regex else SEPARATORS, 3)])
    options = {"separators": separators, "is_separator_regex": is_regex, **some_options(rng)}
    same_chunks(RecursiveCharacterTextSplitter(**options), theirs.RecursiveCharacterTextSplitter(**options), text)


@pytest.mark.parametrize("language", list(theirs.Language), ids=lambda language: language.value)
def test_languages_are_langchains(language: theirs.Language) -> None:
    assert Language[language.name].value == language.value
    if language is theirs.Language.PERL:
        for splitter in (RecursiveCharacterTextSplitter, theirs.RecursiveCharacterTextSplitter):
            with pytest.raises(ValueError, match="perl|PERL"):
                splitter.from_language(language)
        return
    reference = theirs.RecursiveCharacterTextSplitter.from_language(language, chunk_size=30, chunk_overlap=5)
    expected = theirs.RecursiveCharacterTextSplitter.get_separators_for_language(language)
    for same in (language, Language(language.value), language.value):
        assert RecursiveCharacterTextSplitter.get_separators_for_language(same) == expected
        mine = RecursiveCharacterTextSplitter.from_language(same, chunk_size=30, chunk_overlap=5)
        separators = [re.sub(r"\\(.)", r"\1", separator) for separator in expected]
        text = "body of it ".join(separators) + some_text(7)
        same_chunks(mine, reference, text)


def test_the_defaults_are_langchains() -> None:
    text = "\n\n".join("word " * 300 for _ in range(20))
    same_chunks(CharacterTextSplitter(), theirs.CharacterTextSplitter(), text)
    same_chunks(RecursiveCharacterTextSplitter(), theirs.RecursiveCharacterTextSplitter(), text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"chunk_size": 0},
        {"chunk_size": -1},
        {"chunk_overlap": -1},
        {"chunk_size": 10, "chunk_overlap": 11},
        {"chunk_size": 100},
    ],
    ids=repr,
)
def test_sizes_that_cannot_be_are_refused_in_langchains_words(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as expected:
        theirs.CharacterTextSplitter(**wrong)
    for splitter in (CharacterTextSplitter, RecursiveCharacterTextSplitter):
        with pytest.raises(ValueError, match=re.escape(str(expected.value))):
            splitter(**wrong)


def test_fewer_metadatas_than_texts_are_an_index_error() -> None:
    for splitter in (CharacterTextSplitter(), theirs.CharacterTextSplitter()):
        with pytest.raises(IndexError):
            splitter.create_documents(["a", "b"], [{}])
    assert len(CharacterTextSplitter().create_documents(["a", "b"])) == 2
    assert CharacterTextSplitter().create_documents([]) == []


def test_a_chunk_that_is_too_long_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    options: dict[str, Any] = {"separator": " ", "chunk_size": 3, "chunk_overlap": 0}
    with caplog.at_level(logging.WARNING):
        CharacterTextSplitter(**options).split_text("abcde fg hijkl m hijklm")
        mine = [(record.getMessage(), record.levelno) for record in caplog.records]
        assert all(record.name.startswith("anear.langchain") for record in caplog.records)
        caplog.clear()
        theirs.CharacterTextSplitter(**options).split_text("abcde fg hijkl m hijklm")
    assert mine == [(record.getMessage(), record.levelno) for record in caplog.records]
    assert len(mine) == 2


def test_metadata_is_copied_for_each_chunk_and_ids_are_dropped() -> None:
    shared: list[int] = []
    document = Document(page_content="one two", metadata={"shared": shared}, id="1")
    chunks = CharacterTextSplitter(" ", chunk_size=3, chunk_overlap=0).split_documents([document])
    chunks[0].metadata["shared"].append(1)
    assert shared == chunks[1].metadata["shared"] == []
    assert [chunk.id for chunk in chunks] == [None, None]


# -- callables that count


def test_what_a_counting_function_raises_reaches_the_caller_at_once() -> None:
    calls = []

    def broken(text: str) -> int:
        calls.append(text)
        raise LookupError("no count")

    splitter = RecursiveCharacterTextSplitter(length_function=broken)
    with pytest.raises(LookupError, match="no count"):
        splitter.split_text("a b c")
    assert len(calls) == 1
    with pytest.raises(LookupError, match="no count"):
        asyncio.run(splitter.asplit_text("a b c"))


@pytest.mark.parametrize("count", [-1, 2.5, "3", None])
def test_a_count_that_is_none_is_named(count: Any) -> None:
    with pytest.raises(TypeError, match=re.escape(f"length_function must return an int of at least 0, got {count}")):
        CharacterTextSplitter(length_function=lambda text: count).split_text("a")


def test_a_counting_function_may_split_and_runs_where_it_was_called() -> None:
    inner = CharacterTextSplitter(" ", chunk_size=1, chunk_overlap=0, length_function=lambda text: len(text))
    threads = set()

    def words(text: str) -> int:
        threads.add(threading.current_thread())
        return len(inner.split_text(text))

    splitter = CharacterTextSplitter("\n", chunk_size=2, chunk_overlap=0, length_function=words)
    assert splitter.split_text("a b\nc\nd") == ["a b", "c\nd"]
    assert threads == {threading.current_thread()}


async def test_awaited_counting_functions_see_the_tasks_context_and_leave_its_thread_alone() -> None:
    unit: contextvars.ContextVar[int] = contextvars.ContextVar("unit")
    unit.set(2)
    threads = set()

    def length(text: str) -> int:
        threads.add(threading.current_thread())
        return len(text) * unit.get()

    splitter = CharacterTextSplitter(" ", chunk_size=6, chunk_overlap=0, length_function=length)
    assert await splitter.asplit_text("ab c d") == ["ab", "c d"]
    assert threading.current_thread() not in threads


class ByHand(CharacterTextSplitter):
    """Splits otherwise than its class."""

    def split_text(self, text: str) -> list[str]:
        return list(text.upper())


class OnlyLines(TextSplitter):
    """A splitter of the user's own."""

    def split_text(self, text: str) -> list[str]:
        return text.splitlines()


async def test_subclasses_that_split_otherwise_are_heard() -> None:
    assert [d.page_content for d in ByHand().create_documents(["ab"])] == ["A", "B"]
    assert [d.page_content for d in await ByHand().asplit_documents([Document(page_content="ab")])] == ["A", "B"]
    assert await ByHand().asplit_text("ab") == ["A", "B"]
    lines = OnlyLines(add_start_index=True).create_documents(["a\nb"], [{"x": 1}])
    assert [(line.page_content, line.metadata["start_index"]) for line in lines] == [("a", 0), ("b", 2)]
    assert await OnlyLines().asplit_text("a\nb") == ["a", "b"]
    with pytest.raises(ValueError, match="chunk_size must be > 0"):
        OnlyLines(chunk_size=0)
    with pytest.raises(TypeError, match="abstract"):
        TextSplitter()  # type: ignore[abstract]


def test_tokenizers_count() -> None:
    tokenizer = SimpleNamespace(tokenize=str.split)
    splitter = CharacterTextSplitter.from_huggingface_tokenizer(tokenizer, separator=" ", chunk_size=2, chunk_overlap=0)
    assert splitter.split_text("a b c") == ["a b", "c"]
    with pytest.raises(ValueError, match="not an instance of PreTrainedTokenizerBase"):
        CharacterTextSplitter.from_huggingface_tokenizer(object())


class Encoding:
    """Stands for tiktoken's: one token per word."""

    def encode(self, text: str, *, allowed_special: Any, disallowed_special: Any) -> list[str]:
        assert (allowed_special, disallowed_special) == (set(), "all")
        return text.split()


def test_tiktoken_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(ImportError, match="pip install tiktoken"):
        CharacterTextSplitter.from_tiktoken_encoder()
    tiktoken = SimpleNamespace(get_encoding={"gpt2": Encoding()}.get, encoding_for_model={"m": Encoding()}.get)
    monkeypatch.setitem(sys.modules, "tiktoken", tiktoken)
    named: list[dict[str, Any]] = [{}, {"model_name": "m"}]
    for names in named:
        splitter = RecursiveCharacterTextSplitter.from_tiktoken_encoder(chunk_size=2, chunk_overlap=0, **names)
        assert pickle.loads(pickle.dumps(splitter)).split_text("a b c") == splitter.split_text("a b c") == ["a b", "c"]


# -- better than LangChain


async def test_awaiting_gives_the_same() -> None:
    splitter = RecursiveCharacterTextSplitter(chunk_size=20, chunk_overlap=5, add_start_index=True)
    documents = [Document(page_content=some_text(seed), metadata={"seed": seed}) for seed in range(20)]
    expected = splitter.split_documents(documents)
    assert await splitter.asplit_documents(iter(documents)) == expected
    assert await splitter.atransform_documents(documents) == splitter.transform_documents(documents) == expected
    texts = [document.page_content for document in documents]
    assert await splitter.acreate_documents(texts) == splitter.create_documents(texts)
    assert [await splitter.asplit_text(text) for text in texts] == [splitter.split_text(text) for text in texts]


async def test_the_event_loop_runs_while_texts_are_split() -> None:
    documents = [Document(page_content="some words of a text. " * 200, metadata={"a": [1, 2]}) for _ in range(200)]
    splitter = RecursiveCharacterTextSplitter(chunk_size=40, chunk_overlap=0)
    assert len(await splitter.asplit_documents(documents[:1])) > 100
    splitting = asyncio.ensure_future(splitter.asplit_documents(documents))
    turns, started = 0, time.perf_counter()
    while not splitting.done():
        await asyncio.sleep(0)
        turns += 1
    # A loop that was held got one turn or two; one turn takes some 2 ms.
    assert turns > (time.perf_counter() - started) / 0.1
    assert len(await splitting) > 10_000


def test_splitters_are_copied_and_pickled() -> None:
    text = some_text(3)
    for splitter in (
        CharacterTextSplitter(r"\s", True, chunk_size=9, chunk_overlap=2),
        RecursiveCharacterTextSplitter(["a", "e", ""], chunk_size=9, chunk_overlap=2, keep_separator="end"),
    ):
        for twin in (pickle.loads(pickle.dumps(splitter)), copy.deepcopy(splitter), copy.copy(splitter)):
            assert type(twin) is type(splitter)
            assert twin.split_text(text) == splitter.split_text(text)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=re.escape("separator `(a` is not a valid regular expression")):
        CharacterTextSplitter("(a", is_separator_regex=True)
    with pytest.raises(ValueError, match="keep_separator must be True, False, 'start' or 'end', got 'middle'"):
        CharacterTextSplitter(keep_separator="middle")
    with pytest.raises(TypeError, match="chunksize"):
        CharacterTextSplitter(chunksize=5)
    with pytest.raises(ValueError, match="unknown language `cobolt`"):
        RecursiveCharacterTextSplitter.from_language("cobolt")
    with pytest.raises(TypeError, match="must be str, got int"):
        CharacterTextSplitter().split_text(5)  # type: ignore[arg-type]


# -- the loader

FILES: list[tuple[bytes, str | None]] = [
    (b"", None),
    (b"a\r\nb\rc\nd\r\r\n\re\r", None),
    ("é 가 \U0001f600\r\n".encode(), "utf-8"),
    ("é 가\n".encode(), "UTF8"),
    (b"\xef\xbb\xbfmark", "utf-8-sig"),
    (bytes(range(256)), "latin-1"),
    (bytes(range(128)), "ascii"),
    (bytes(range(256)), "cp437"),
    ("가나다\r\n".encode("cp949"), "cp949"),
    ("가나다\r\n".encode("utf-16"), "utf-16"),
    ("가나다\r\n".encode("utf-16-be"), "utf-16-be"),
    ("가나다\r\n".encode("utf-32"), "utf-32"),
    ("日本\r\n".encode("iso2022_jp"), "iso2022_jp"),
    (b"x\r\n" * 700_000, "latin-1"),
]


def of_langchain(path: Path, encoding: str | None) -> list[Document]:
    from langchain_community.document_loaders import TextLoader as Reference

    return Reference(path, encoding=encoding).load()


@pytest.mark.parametrize(("content", "encoding"), FILES, ids=[f"{encoding} {len(c)}" for c, encoding in FILES])
def test_files_load_as_with_langchain(content: bytes, encoding: str | None, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    expected = of_langchain(path, encoding)
    for same in (path, str(path)):
        loader = TextLoader(same, encoding=encoding)
        assert loader.load() == list(loader.lazy_load()) == expected
        assert asyncio.run(loader.aload()) == expected


BAD_FILES: list[tuple[bytes, str | None]] = [
    (b"caf\xe9", None), (b"caf\xe9", "ascii"), (b"a", "no such encoding"), (b"a", "hex"), (b"a", "utf-16-le"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "encoding"), BAD_FILES, ids=repr)
async def test_what_langchain_refuses_is_refused(content: bytes, encoding: str | None, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=re.escape(f"Error loading {path}")) as expected:
        await asyncio.to_thread(of_langchain, path, encoding)
    loader = TextLoader(path, encoding)
    for loading in (asyncio.to_thread(loader.load), loader.aload()):
        with pytest.raises(RuntimeError) as error:
            await loading
        assert str(error.value) == str(expected.value)
        assert error.value.__cause__ is not None


async def test_a_missing_file_is_named() -> None:
    for encoding in (None, "latin-1"):
        loader = TextLoader("no/such/file.txt", encoding)
        with pytest.raises(RuntimeError, match="Error loading no/such/file.txt") as error:
            await loader.aload()
        assert isinstance(error.value.__cause__, FileNotFoundError)
        with pytest.raises(RuntimeError, match="Error loading no/such/file.txt"):
            loader.load()


def test_the_cause_says_where_the_bytes_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(RuntimeError) as error:
        TextLoader(path).load()
    assert "not valid UTF-8 at byte 3" in str(error.value.__cause__)


KOREAN = "나라의 말이 중국과 달라 문자와 서로 통하지 아니하므로 어리석은 백성이 말하고자 하는 바가 있어도\n"


@pytest.mark.parametrize("wrong", [None, "ascii", "utf-8"])
async def test_an_encoding_is_found(wrong: str | None, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(KOREAN.encode("euc-kr"))
    loader = TextLoader(path, wrong, autodetect_encoding=True)
    assert (await loader.aload())[0].page_content == KOREAN
    assert [document async for document in loader.alazy_load()] == await loader.aload()


def test_a_file_in_no_encoding_is_no_empty_document(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    # A byte order mark of UTF-16, and half a character.
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuntimeError, match="Error loading") as error:
        TextLoader(path, autodetect_encoding=True).load()
    assert "no encoding fits" in str(error.value.__cause__)


def test_loading_and_splitting_and_pickling(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("one two three")
    loader = pickle.loads(pickle.dumps(TextLoader(path)))
    splitter: Any = CharacterTextSplitter(" ", chunk_size=7, chunk_overlap=0)
    assert [chunk.page_content for chunk in loader.load_and_split(splitter)] == ["one two", "three"]
    assert loader.load_and_split() == loader.load()


async def test_a_loader_waits_in_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.txt"
    path.write_text("text")
    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", None)
    assert (await TextLoader(path).aload())[0].page_content == "text"
    assert await CharacterTextSplitter().asplit_text("text") == ["text"]
