"""Reading and splitting text: LangChain's loader and splitters, done in Rust."""

from __future__ import annotations

import asyncio
import copy
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from enum import Enum
from functools import partial
from importlib import import_module
from typing import Any, Literal

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import BaseDocumentTransformer, Document
from langchain_core.runnables.config import run_in_executor
from typing_extensions import Self

from .. import _native
from ._twins import twin

KeepSeparator = bool | Literal["start", "end"]

# Seconds for which documents are made before the event loop gets its turn.
_STRETCH = 0.002

_logger = logging.getLogger(__name__)


class TextLoader(BaseLoader):
    """Loads one text file as one document with the metadata `source`.

    Encodings are Python's; without one, UTF-8, of which a byte order mark is left out. Line ends become newlines.
    Where no encoding fits, an error says at which byte: nothing is dropped or replaced.
    """

    def __init__(
        self, file_path: str | os.PathLike[str], encoding: str | None = None, autodetect_encoding: bool = False
    ) -> None:
        """The file at `file_path`, opened when it is loaded.

        Args:
            file_path: the file.
            encoding: its encoding; by default UTF-8.
            autodetect_encoding: try what the bytes look like when they are not in that encoding.
        """
        self.file_path = file_path
        self.encoding = encoding
        self.autodetect_encoding = autodetect_encoding

    def lazy_load(self) -> Iterator[Document]:
        """The document; see `load`."""
        try:
            text = self._made().load()
        except Exception as error:
            raise self._failure() from error
        yield self._document(text)

    async def alazy_load(self) -> AsyncIterator[Document]:
        """The document; no thread waits for the file."""
        try:
            text = await self._made().aload()
        except Exception as error:
            raise self._failure() from error
        yield self._document(text)

    def _made(self) -> _native.TextLoader:
        return _native.TextLoader(self.file_path, self.encoding, self.autodetect_encoding)

    def _document(self, text: str) -> Document:
        return Document(page_content=text, metadata={"source": str(self.file_path)})

    def _failure(self) -> RuntimeError:
        return RuntimeError(f"Error loading {self.file_path}")


class Language(str, Enum):
    """Languages whose texts fall apart at their own places; names and values are LangChain's."""

    CPP = "cpp"
    GO = "go"
    JAVA = "java"
    KOTLIN = "kotlin"
    JS = "js"
    TS = "ts"
    PHP = "php"
    PROTO = "proto"
    PYTHON = "python"
    R = "r"
    RST = "rst"
    RUBY = "ruby"
    RUST = "rust"
    SCALA = "scala"
    SWIFT = "swift"
    MARKDOWN = "markdown"
    LATEX = "latex"
    HTML = "html"
    SOL = "sol"
    CSHARP = "csharp"
    COBOL = "cobol"
    C = "c"
    LUA = "lua"
    PERL = "perl"
    HASKELL = "haskell"
    ELIXIR = "elixir"
    POWERSHELL = "powershell"
    VISUALBASIC6 = "visualbasic6"


class TextSplitter(BaseDocumentTransformer, ABC):
    """What all splitters share: sizes, and making documents of chunks. A subclass says how a text is split."""

    def __init__(
        self,
        chunk_size: int = 4000,
        chunk_overlap: int = 200,
        length_function: Callable[[str], int] = len,
        keep_separator: KeepSeparator = False,
        add_start_index: bool = False,
        strip_whitespace: bool = True,
    ) -> None:
        """Sizes and choices.

        Args:
            chunk_size: longest chunk that merging makes; a piece without a separator may be longer.
            chunk_overlap: how much of a chunk's end the next one may repeat.
            length_function: how lengths are counted; by default in characters.
            keep_separator: whether separators stay, at the "start" (True) or the "end" of pieces.
            add_start_index: whether metadata says where in its text a chunk begins.
            strip_whitespace: whether chunks lose the whitespace at both ends.

        Raises:
            ValueError: a size that cannot be.
        """
        _check_sizes(chunk_size, chunk_overlap)
        self._chunk_size = chunk_size
        self._chunk_overlap = chunk_overlap
        self._length_function = length_function
        self._keep_separator = keep_separator
        self._add_start_index = add_start_index
        self._strip_whitespace = strip_whitespace

    @abstractmethod
    def split_text(self, text: str) -> list[str]:
        """The chunks of a text, in order."""

    @twin
    async def asplit_text(self, text: str) -> list[str]:
        """`split_text`, off the event loop's thread."""
        return (await self._asplit([text]))[0]

    def create_documents(self, texts: list[str], metadatas: list[dict[Any, Any]] | None = None) -> list[Document]:
        """The chunks of texts as documents, each with a deep copy of its text's metadata."""
        return list(self._documents(texts, metadatas or [{}] * len(texts), self._split(texts)))

    @twin
    async def acreate_documents(
        self, texts: list[str], metadatas: list[dict[Any, Any]] | None = None
    ) -> list[Document]:
        """`create_documents`, off the event loop's thread."""
        return await self._adocuments(texts, metadatas or [{}] * len(texts))

    def split_documents(self, documents: Iterable[Document]) -> list[Document]:
        """The chunks of documents, each with a deep copy of its document's metadata and without an id."""
        return self.create_documents(*_columns(documents))

    @twin
    async def asplit_documents(self, documents: Iterable[Document]) -> list[Document]:
        """`split_documents`, off the event loop's thread."""
        return await self.acreate_documents(*_columns(documents))

    def transform_documents(self, documents: Sequence[Document], **kwargs: Any) -> Sequence[Document]:
        """LangChain's name for `split_documents`."""
        return self.split_documents(list(documents))

    @twin
    async def atransform_documents(self, documents: Sequence[Document], **kwargs: Any) -> Sequence[Document]:
        """LangChain's name for `asplit_documents`."""
        return await self.asplit_documents(list(documents))

    @classmethod
    def from_huggingface_tokenizer(cls, tokenizer: Any, **kwargs: Any) -> Self:
        """A splitter that counts tokens of a tokenizer of the package transformers.

        Raises:
            ValueError: the object has no method `tokenize`.
        """
        tokenize = getattr(tokenizer, "tokenize", None)
        if not callable(tokenize):
            raise ValueError(
                "Tokenizer received was not an instance of PreTrainedTokenizerBase: "
                f"{type(tokenizer).__name__} has no method `tokenize`; give a function as length_function instead"
            )
        return cls(length_function=partial(_count_tokens, tokenize), **kwargs)

    @classmethod
    def from_tiktoken_encoder(
        cls,
        encoding_name: str = "gpt2",
        model_name: str | None = None,
        allowed_special: Literal["all"] | set[str] | None = None,
        disallowed_special: Literal["all"] | Collection[str] = "all",
        **kwargs: Any,
    ) -> Self:
        """A splitter that counts tokens of OpenAI's models.

        Raises:
            ImportError: the package tiktoken is not installed.
        """
        try:
            tiktoken = import_module("tiktoken")
        except ImportError as error:
            raise ImportError("from_tiktoken_encoder needs tiktoken: pip install tiktoken") from error
        encoding = tiktoken.encoding_for_model(model_name) if model_name else tiktoken.get_encoding(encoding_name)
        allowed = set() if allowed_special is None else allowed_special
        encode = partial(encoding.encode, allowed_special=allowed, disallowed_special=disallowed_special)
        return cls(length_function=partial(_count_tokens, encode), **kwargs)

    def _split(self, texts: Sequence[str]) -> list[list[str]]:
        return [self.split_text(text) for text in texts]

    async def _asplit(self, texts: Sequence[str]) -> list[list[str]]:
        return await run_in_executor(None, self._split, texts)

    async def _adocuments(self, texts: Sequence[str], metadatas: Sequence[dict[Any, Any]]) -> list[Document]:
        chunks = await self._asplit(texts)
        documents, since = [], time.perf_counter()
        for document in self._documents(texts, metadatas, chunks):
            documents.append(document)
            if time.perf_counter() - since > _STRETCH:
                await asyncio.sleep(0)
                since = time.perf_counter()
        return documents

    def _documents(
        self, texts: Sequence[str], metadatas: Sequence[dict[Any, Any]], chunks: list[list[str]]
    ) -> Iterator[Document]:
        for i, text in enumerate(texts):
            start, previous = 0, 0
            for chunk in chunks[i]:
                own = copy.deepcopy(metadatas[i])
                if self._add_start_index:
                    start = text.find(chunk, max(0, start + previous - self._chunk_overlap))
                    previous = len(chunk)
                    own["start_index"] = start
                yield Document(page_content=chunk, metadata=own)


class _RustSplitter(TextSplitter):
    """A splitter whose work is done in Rust, unless a subclass splits otherwise."""

    _rust: _native.Splitter

    @abstractmethod
    def _made(self) -> _native.Splitter:
        """The half in Rust."""

    def split_text(self, text: str) -> list[str]:
        """The chunks of a text, in order."""
        return _warned(self._rust.split_texts([text]))[0]

    def _split(self, texts: Sequence[str]) -> list[list[str]]:
        if self._splits_otherwise():
            return super()._split(texts)
        return _warned(self._rust.split_texts(texts))

    async def _asplit(self, texts: Sequence[str]) -> list[list[str]]:
        if self._splits_otherwise():
            return await super()._asplit(texts)
        return _warned(await self._rust.asplit_texts(texts))

    def _splits_otherwise(self) -> bool:
        return type(self).split_text is not _RustSplitter.split_text

    def _options(self) -> dict[str, Any]:
        return {
            "chunk_size": self._chunk_size,
            "chunk_overlap": self._chunk_overlap,
            "keep_separator": self._keep_separator,
            "strip_whitespace": self._strip_whitespace,
            "length_function": None if self._length_function is len else self._length_function,
        }

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_rust"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._rust = self._made()


class CharacterTextSplitter(_RustSplitter):
    """Cuts at one separator and merges the pieces up to the chunk size.

    >>> CharacterTextSplitter(separator=". ", chunk_size=11, chunk_overlap=0).split_text("One. Two. Three.")
    ['One. Two', 'Three.']
    """

    def __init__(self, separator: str = "\n\n", is_separator_regex: bool = False, **kwargs: Any) -> None:
        """Cuts at `separator`, or at its matches if it is a regular expression; see `TextSplitter` for the rest."""
        super().__init__(**kwargs)
        self._separator = separator
        self._is_separator_regex = is_separator_regex
        self._rust = self._made()

    def _made(self) -> _native.Splitter:
        return _native.Splitter.character(self._separator, self._is_separator_regex, **self._options())


class RecursiveCharacterTextSplitter(_RustSplitter):
    """Cuts at the coarsest separator that occurs, and pieces that are still too long at finer ones.

    >>> RecursiveCharacterTextSplitter(chunk_size=12, chunk_overlap=4).split_text("one two\n\nthree four five")
    ['one two', 'three four', 'five']
    """

    def __init__(
        self,
        separators: list[str] | None = None,
        keep_separator: KeepSeparator = True,
        is_separator_regex: bool = False,
        **kwargs: Any,
    ) -> None:
        """Separators, coarse ones first; by default paragraphs, lines, words, characters."""
        super().__init__(keep_separator=keep_separator, **kwargs)
        self._separators = separators or ["\n\n", "\n", " ", ""]
        self._is_separator_regex = is_separator_regex
        self._rust = self._made()

    def _made(self) -> _native.Splitter:
        return _native.Splitter.recursive(self._separators, self._is_separator_regex, **self._options())

    @classmethod
    def from_language(cls, language: Language | str, **kwargs: Any) -> Self:
        """A splitter at the places where a language begins something new."""
        return cls(separators=cls.get_separators_for_language(language), is_separator_regex=True, **kwargs)

    @staticmethod
    def get_separators_for_language(language: Language | str) -> list[str]:
        """The separators of a language, as regular expressions; LangChain's own `Language` is taken too."""
        name = language.value if isinstance(language, Enum) else language
        return _native.Splitter.separators_for_language(name)


def _check_sizes(chunk_size: int, chunk_overlap: int) -> None:
    if chunk_size <= 0:
        raise ValueError(f"chunk_size must be > 0, got {chunk_size}")
    if chunk_overlap < 0:
        raise ValueError(f"chunk_overlap must be >= 0, got {chunk_overlap}")
    if chunk_overlap > chunk_size:
        raise ValueError(
            f"Got a larger chunk overlap ({chunk_overlap}) than chunk size ({chunk_size}), should be smaller."
        )


def _count_tokens(encode: Callable[[str], list[Any]], text: str) -> int:
    return len(encode(text))


def _columns(documents: Iterable[Document]) -> tuple[list[str], list[dict[Any, Any]]]:
    documents = list(documents)
    return [document.page_content for document in documents], [document.metadata for document in documents]


def _warned(split: tuple[list[list[str]], list[tuple[int, int]]]) -> list[list[str]]:
    chunks, oversized = split
    for length, size in oversized:
        _logger.warning("Created a chunk of size %d, which is longer than the specified %d", length, size)
    return chunks
