"""anear's embedding models as LangChain's `Embeddings`: built in, hosted, local. All of them work in Rust."""

from __future__ import annotations

import asyncio
import copy
import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings
from typing_extensions import Self

from .. import _native
from ._twins import twin

# Numbers made into Python floats between two turns of the event loop: about a millisecond.
_NUMBERS_AT_ONCE = 32_000


class NativeEmbeddings(Embeddings):
    """A model in Rust. Stores take its arrays as they are; everybody else gets lists of floats."""

    _rust: _native.Embeddings

    @abstractmethod
    def _made(self) -> _native.Embeddings:
        """The half in Rust, made from what a pickle holds."""

    @property
    def model(self) -> str:
        """The model's name, which saved stores keep."""
        return self._rust.model

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text."""
        return _lists(self.documents_array(texts))

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        vector: list[float] = self.query_array(text).tolist()
        return vector

    @twin
    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text; no thread waits meanwhile."""
        vectors = await self.adocuments_array(texts)
        rows_at_once = max(1, _NUMBERS_AT_ONCE // max(1, vectors.shape[1]))
        lists: list[list[float]] = []
        for start in range(0, len(vectors), rows_at_once):
            lists.extend(_lists(vectors[start : start + rows_at_once]))
            await asyncio.sleep(0)
        return lists

    @twin
    async def aembed_query(self, text: str) -> list[float]:
        """The vector of a question; no thread waits meanwhile."""
        vector: list[float] = (await self.aquery_array(text)).tolist()
        return vector

    def documents_array(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """`embed_documents` as one array."""
        return self._rust.embed_documents(texts)

    async def adocuments_array(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """`aembed_documents` as one array."""
        return await self._rust.aembed_documents(texts)

    def query_array(self, text: str) -> npt.NDArray[np.float32]:
        """`embed_query` as an array."""
        return self._rust.embed_query(text)

    async def aquery_array(self, text: str) -> npt.NDArray[np.float32]:
        """`aembed_query` as an array."""
        return await self._rust.aembed_query(text)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_rust"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._rust = self._made()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy that shares the half in Rust, which nothing changes: weights are there once, and a key stays known."""
        twin_ = self.__class__.__new__(self.__class__)
        memo[id(self)] = twin_
        vars(twin_).update(copy.deepcopy(self.__getstate__(), memo), _rust=self._rust)
        return twin_

    def __copy__(self) -> Self:
        return self.__deepcopy__({})


class DefaultEmbeddings(NativeEmbeddings):
    """The model that is part of the package: English, 128 dimensions, no download and no key.

    It averages word vectors distilled from all-MiniLM-L6-v2: fast, and good enough to begin with.
    """

    def __init__(self) -> None:
        """The built-in model."""
        self._rust = self._made()

    def _made(self) -> _native.Embeddings:
        return _native.default_embeddings()

    def __repr__(self) -> str:
        return "DefaultEmbeddings()"


class OpenAIEmbeddings(NativeEmbeddings):
    """OpenAI's embedding API, and servers that speak it.

    Batches are sent at the same time; refusals that pass are tried again; long texts are cut into pieces whose vectors
    are averaged. The key is never shown, logged or pickled.
    """

    def __init__(
        self,
        model: str = "text-embedding-ada-002",
        *,
        dimensions: int | None = None,
        api_key: Any = None,
        openai_api_key: Any = None,
        base_url: str | None = None,
        openai_api_base: str | None = None,
        organization: str | None = None,
        openai_organization: str | None = None,
        chunk_size: int = 1000,
        embedding_ctx_length: int = 8191,
        check_embedding_ctx_length: bool | None = None,
        skip_empty: bool = False,
        max_retries: int = 2,
        timeout: float | None = None,
        request_timeout: float | None = None,
        default_headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, str] | None = None,
        **others: Any,
    ) -> None:
        """A client; nothing is sent yet.

        Args:
            model: the model's name.
            dimensions: shorter vectors, where the model can.
            api_key: the key, a str or a pydantic SecretStr; by default from OPENAI_API_KEY. Also `openai_api_key`.
            base_url: the server; by default from OPENAI_API_BASE or OPENAI_BASE_URL, else OpenAI's. Also
                `openai_api_base`.
            organization: by default from OPENAI_ORG_ID. Also `openai_organization`.
            chunk_size: texts in one request.
            embedding_ctx_length: tokens in one text.
            check_embedding_ctx_length: cut longer texts by tokens; False sends texts as they are, which servers other
                than OpenAI's want. By default True for OpenAI's.
            skip_empty: leave out empty texts of requests; their vectors are zeros.
            max_retries: how often a request that failed is sent again.
            timeout: seconds for each request. Also `request_timeout`.
            default_headers: further headers.
            default_query: further query parameters.
            others: what else LangChain's class takes must be left out or say nothing, as `tiktoken_enabled=True`.

        Raises:
            ValueError: no key, or a setting that cannot be.
        """
        _check_others(others, model)
        self._settings: dict[str, Any] = {
            "model": model,
            "dimensions": dimensions,
            "base_url": base_url or openai_api_base,
            "organization": organization or openai_organization,
            "chunk_size": chunk_size,
            "embedding_ctx_length": embedding_ctx_length,
            "check_embedding_ctx_length": check_embedding_ctx_length,
            "skip_empty": skip_empty,
            "max_retries": max_retries,
            "timeout": timeout if timeout is not None else request_timeout,
            "headers": dict(default_headers or {}),
            "query": dict(default_query or {}),
        }
        self._rust = self._made(_secret(api_key or openai_api_key))

    def _made(self, key: str | None = None) -> _native.Embeddings:
        """Without a key, with the one of the environment: so it is where a pickle is opened."""
        return _native.openai_embeddings(api_key=key, **self._settings)

    @property
    def dimensions(self) -> int | None:
        """The length of vectors that is asked for."""
        dimensions: int | None = self._settings["dimensions"]
        return dimensions

    @property
    def chunk_size(self) -> int:
        """The most texts in one request."""
        size: int = self._settings["chunk_size"]
        return size

    def __repr__(self) -> str:
        return f"OpenAIEmbeddings(model={self.model!r})"


class HuggingFaceEmbeddings(NativeEmbeddings):
    """A sentence-transformers model of the BERT family, run here, without PyTorch.

    The model is a folder, or a name that is looked up in the hub's cache and else downloaded.
    """

    def __init__(
        self,
        model_name: str | os.PathLike[str] = "sentence-transformers/all-MiniLM-L6-v2",
        *,
        model: str | os.PathLike[str] | None = None,
        cache_folder: str | None = None,
        model_kwargs: Mapping[str, Any] | None = None,
        encode_kwargs: Mapping[str, Any] | None = None,
        query_encode_kwargs: Mapping[str, Any] | None = None,
        multi_process: bool = False,
        show_progress: bool = False,
    ) -> None:
        """Loads the model.

        Args:
            model_name: a folder or a name; one without "/" is of sentence-transformers. Also `model`.
            cache_folder: must be left out; HF_HUB_CACHE or HF_HOME says where the cache is.
            model_kwargs: only `device="cpu"`.
            encode_kwargs: `normalize_embeddings`; `batch_size`, which changes nothing.
            query_encode_kwargs: the same for questions.
            multi_process: must be False; all cores work anyway.
            show_progress: must be False; `FAISS.add_texts(..., show_progress=True)` shows it.

        Raises:
            FileNotFoundError: there is no such model and none could be downloaded.
            ValueError: a setting that cannot be honored.
        """
        _refuse("cache_folder", cache_folder, "set HF_HUB_CACHE")
        _refuse("multi_process", multi_process, "leave it out: all cores work anyway")
        _refuse("show_progress", show_progress, "use FAISS.add_texts(..., show_progress=True)")
        _check_model_kwargs(model_kwargs or {})
        documents = encode_kwargs or {}
        queries = documents if query_encode_kwargs is None else query_encode_kwargs
        self.model_name = os.fspath(model or model_name)
        self._normalize = {
            "normalize_documents": _normalizes("encode_kwargs", documents),
            "normalize_queries": _normalizes("query_encode_kwargs", queries),
        }
        self._rust = self._made()

    def _made(self) -> _native.Embeddings:
        return _native.huggingface_embeddings(self.model_name, **self._normalize)

    def __repr__(self) -> str:
        return f"HuggingFaceEmbeddings(model_name={self.model_name!r})"


def _lists(vectors: npt.NDArray[np.float32]) -> list[list[float]]:
    lists: list[list[float]] = vectors.tolist()
    return lists


def _secret(key: Any) -> str | None:
    """The text of a key; pydantic's secrets give theirs only when asked."""
    revealed = key.get_secret_value() if hasattr(key, "get_secret_value") else key
    if revealed is not None and not isinstance(revealed, str):
        kind = type(revealed).__name__
        raise TypeError(f"api_key must be a str or a SecretStr, got {kind}; call a function yourself")
    return revealed


# What LangChain's class takes besides, with the way to the same end.
_OPENAI_ELSEWHERE = {
    "allowed_special": "leave it out: special tokens are counted as text",
    "deployment": "give its name as model",
    "disallowed_special": "leave it out: special tokens are counted as text",
    "headers": "use default_headers",
    "http_async_client": "leave it out; a proxy is taken from HTTPS_PROXY, certificates from the system",
    "http_client": "leave it out; a proxy is taken from HTTPS_PROXY, certificates from the system",
    "http_socket_options": "leave it out",
    "model_kwargs": "use dimensions, default_headers or default_query",
    "openai_api_type": "for Azure give base_url, default_query={'api-version': ...} and default_headers",
    "openai_api_version": "use default_query={'api-version': ...}",
    "openai_proxy": "set HTTPS_PROXY",
    "retry_max_seconds": "leave it out; max_retries says how often, the server how soon",
    "retry_min_seconds": "leave it out; max_retries says how often, the server how soon",
    "show_progress_bar": "use FAISS.add_texts(..., show_progress=True)",
    "tiktoken_enabled": "to send texts as they are, use check_embedding_ctx_length=False",
    "tiktoken_model_name": "leave it out: the tokens are the model's",
}


def _check_others(others: Mapping[str, Any], model: str) -> None:
    silent = {"tiktoken_enabled": True, "deployment": model, "tiktoken_model_name": model}
    for name, value in others.items():
        if name not in _OPENAI_ELSEWHERE:
            raise TypeError(f"OpenAIEmbeddings.__init__() got an unexpected keyword argument {name!r}")
        # The value is not shown: it may hold a key.
        if value != silent.get(name) and (value or name in silent and value is not None):
            raise ValueError(f"{name} cannot be honored here: {_OPENAI_ELSEWHERE[name]}")


def _refuse(name: str, value: Any, way_out: str) -> None:
    if value:
        raise ValueError(f"{name}={value!r} cannot be honored here: {way_out}")


def _check_model_kwargs(kwargs: Mapping[str, Any]) -> None:
    for name, value in kwargs.items():
        if (name, str(value)) != ("device", "cpu"):
            raise ValueError(f"model_kwargs: {name}={value!r} cannot be honored; models run on the CPU: device='cpu'")


def _normalizes(name: str, kwargs: Mapping[str, Any]) -> bool:
    """Whether the settings of `encode` ask for vectors of length 1."""
    known = ("normalize_embeddings", "batch_size", "show_progress_bar")
    for setting in kwargs:
        if setting not in known:
            raise ValueError(f"{name}: {setting!r} cannot be honored; there are {', '.join(known)}")
    shows_progress = kwargs.get("show_progress_bar")
    _refuse(f"{name}: show_progress_bar", shows_progress, "use FAISS.add_texts(..., show_progress=True)")
    return bool(kwargs.get("normalize_embeddings"))
