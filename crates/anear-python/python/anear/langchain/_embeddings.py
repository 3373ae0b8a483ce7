"""anear's embedding models as LangChain's `Embeddings`: built in, hosted, local. All of them work in Rust."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from .. import _native

# Rows made into Python lists between two turns of the event loop: about a millisecond.
_ROWS_AT_ONCE = 250


class NativeEmbeddings(Embeddings):
    """A model in Rust. Stores take its arrays as they are; everybody else gets lists of floats."""

    _native: _native.Embeddings

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text."""
        return _lists(self.documents_array(texts))

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        vector: list[float] = self.query_array(text).tolist()
        return vector

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text; no thread waits meanwhile."""
        vectors = await self.adocuments_array(texts)
        lists: list[list[float]] = []
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            lists.extend(_lists(vectors[start : start + _ROWS_AT_ONCE]))
            await asyncio.sleep(0)
        return lists

    async def aembed_query(self, text: str) -> list[float]:
        """The vector of a question; no thread waits meanwhile."""
        vector: list[float] = (await self.aquery_array(text)).tolist()
        return vector

    def documents_array(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """`embed_documents` as one array."""
        return self._finished(self._native.embed_documents(texts))

    async def adocuments_array(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """`aembed_documents` as one array."""
        return self._finished(await self._native.aembed_documents(texts))

    def query_array(self, text: str) -> npt.NDArray[np.float32]:
        """`embed_query` as an array."""
        return self._finished_query(self._native.embed_query(text))

    async def aquery_array(self, text: str) -> npt.NDArray[np.float32]:
        """`aembed_query` as an array."""
        return self._finished_query(await self._native.aembed_query(text))

    def _finished(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return vectors

    def _finished_query(self, vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return self._finished(vector)


class DefaultEmbeddings(NativeEmbeddings):
    """The model that is part of the package: English, 128 dimensions, no download and no key.

    It averages word vectors distilled from all-MiniLM-L6-v2: fast, and good enough to begin with.
    """

    def __init__(self) -> None:
        """The built-in model."""
        self._native = _native.default_embeddings()

    def __reduce__(self) -> tuple[Any, ...]:
        return DefaultEmbeddings, ()

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

        Raises:
            ValueError: no key, or a setting that cannot be.
        """
        self.model = model
        self._settings: dict[str, Any] = {
            "model": model,
            "dimensions": dimensions,
            "base_url": base_url or openai_api_base,
            "organization": organization or openai_organization or os.environ.get("OPENAI_ORG_ID"),
            "chunk_size": chunk_size,
            "embedding_ctx_length": embedding_ctx_length,
            "check_embedding_ctx_length": check_embedding_ctx_length,
            "skip_empty": skip_empty,
            "max_retries": max_retries,
            "timeout": timeout if timeout is not None else request_timeout,
            "headers": dict(default_headers or {}),
            "query": dict(default_query or {}),
        }
        self._native = _native.openai_embeddings(api_key=_secret(api_key or openai_api_key), **self._settings)

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Without a key: the one of the environment is taken where this is unpickled."""
        self._settings = state["settings"]
        self.model = self._settings["model"]
        self._native = _native.openai_embeddings(api_key=None, **self._settings)

    def __repr__(self) -> str:
        return f"OpenAIEmbeddings(model={self.model!r})"


class HuggingFaceEmbeddings(NativeEmbeddings):
    """A sentence-transformers model of the BERT family, run here, without PyTorch.

    The model is a folder, or a name that is looked up in the hub's cache and else downloaded.
    """

    def __init__(
        self,
        model_name: str = "sentence-transformers/all-MiniLM-L6-v2",
        *,
        model: str | None = None,
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
            cache_folder: must be left out; HF_HOME says where the cache is.
            model_kwargs: only `device="cpu"`.
            encode_kwargs: `normalize_embeddings`, `batch_size`.
            query_encode_kwargs: the same for questions.
            multi_process: must be False; all cores work anyway.
            show_progress: must be False; `FAISS.add_texts(..., show_progress=True)` shows it.

        Raises:
            FileNotFoundError: there is no such model and none could be downloaded.
            ValueError: a setting that cannot be honored.
        """
        self.model_name = model or model_name
        _refuse("cache_folder", cache_folder, "set HF_HOME")
        _refuse("multi_process", multi_process, "leave it out: all cores work anyway")
        _refuse("show_progress", show_progress, "use FAISS.add_texts(..., show_progress=True)")
        _check_model_kwargs(model_kwargs or {})
        self._encode = dict(encode_kwargs or {})
        self._query_encode = dict(query_encode_kwargs) if query_encode_kwargs is not None else self._encode
        for kwargs in (self._encode, self._query_encode):
            _check_encode_kwargs(kwargs)
        self._native = _native.huggingface_embeddings(self.model_name)

    def _finished(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return _normalized(vectors) if self._encode.get("normalize_embeddings") else vectors

    def _finished_query(self, vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return _normalized(vector) if self._query_encode.get("normalize_embeddings") else vector

    def __getstate__(self) -> dict[str, Any]:
        return {"model_name": self.model_name, "encode": self._encode, "query": self._query_encode}

    def __setstate__(self, state: dict[str, Any]) -> None:
        HuggingFaceEmbeddings.__init__(
            self, state["model_name"], encode_kwargs=state["encode"], query_encode_kwargs=state["query"]
        )

    def __repr__(self) -> str:
        return f"HuggingFaceEmbeddings(model_name={self.model_name!r})"


def _lists(vectors: npt.NDArray[np.float32]) -> list[list[float]]:
    lists: list[list[float]] = vectors.tolist()
    return lists


def _normalized(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: npt.NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-12))
    return scaled


def _secret(key: Any) -> str | None:
    """The text of a key; pydantic's secrets give theirs only when asked."""
    revealed = key.get_secret_value() if hasattr(key, "get_secret_value") else key
    return None if revealed is None else str(revealed)


def _refuse(name: str, value: Any, way_out: str) -> None:
    if value:
        raise ValueError(f"{name}={value!r} cannot be honored here: {way_out}")


def _check_model_kwargs(kwargs: Mapping[str, Any]) -> None:
    for name, value in kwargs.items():
        if (name, str(value)) != ("device", "cpu"):
            raise ValueError(f"model_kwargs: {name}={value!r} cannot be honored; models run on the CPU: device='cpu'")


def _check_encode_kwargs(kwargs: Mapping[str, Any]) -> None:
    known: Sequence[str] = ("normalize_embeddings", "batch_size", "show_progress_bar")
    for name in kwargs:
        if name not in known:
            raise ValueError(f"encode_kwargs: {name!r} cannot be honored; there are {', '.join(known)}")
