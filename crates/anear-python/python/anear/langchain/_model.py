"""Texts to vectors, whatever the caller gave as a model: anear's own, LangChain's `Embeddings`, or a function."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.runnables.config import run_in_executor

from ._embeddings import NativeEmbeddings

Model = Embeddings | Callable[[str], Any]

# LangChain's words: programs look for them.
FUNCTION_AS_MODEL = (
    "`embedding_function` is expected to be an Embeddings object, support for passing in a function will soon be "
    "removed."
)

_logger = logging.getLogger(__name__)


def check_model(model: object) -> None:
    """Warns of a function in place of a model, as LangChain does."""
    if not isinstance(model, Embeddings):
        _logger.warning(FUNCTION_AS_MODEL)


def identity_of(model: Any) -> str | None:
    """What the model calls itself; None when it does not say."""
    names = (getattr(model, name, None) for name in ("model", "model_name"))
    return next((name for name in names if isinstance(name, str)), None)


def name_of(model: Any) -> str:
    """What saved stores call the model: what it calls itself, else its class; empty for a function."""
    return identity_of(model) or (type(model).__name__ if isinstance(model, Embeddings) else "")


def warn_of_another(saved: str | None, model: Any) -> None:
    """Warns of a model that is not the one a store was saved with, as far as both say which they are."""
    identity = identity_of(model)
    if not saved or not identity or _same(saved, identity):
        return
    warnings.warn(
        f"the store was saved with the model {saved!r} and is opened with {identity!r}; vectors of different models cannot "
        "be compared: open it with its own model, or make it anew with this one",
        UserWarning,
        stacklevel=5,
    )


def _same(one: str, other: str) -> bool:
    # Hubs and folders put something before the name: "sentence-transformers/all-MiniLM-L6-v2".
    names = (re.split(r"[/\\]", name.rstrip("/\\"))[-1] for name in (one, other))
    return len(set(names)) == 1


def embed_documents(model: Model, texts: list[str]) -> Any:
    """Vectors of texts that are to be found."""
    if arrays := _arrays_of(model):
        return arrays.documents_array(texts)
    if isinstance(model, Embeddings):
        return model.embed_documents(texts)
    return [model(text) for text in texts]


async def aembed_documents(model: Model, texts: list[str]) -> Any:
    """Vectors of texts that are to be found; a function runs in the loop's executor."""
    if arrays := _arrays_of(model):
        return await arrays.adocuments_array(texts)
    if isinstance(model, Embeddings):
        return await model.aembed_documents(texts)
    return await run_in_executor(None, embed_documents, model, texts)


def embed_query(model: Model, text: str) -> Any:
    """Vector of a text to search by."""
    if arrays := _arrays_of(model):
        return arrays.query_array(text)
    return model.embed_query(text) if isinstance(model, Embeddings) else model(text)


async def aembed_query(model: Model, text: str) -> Any:
    """Vector of a text to search by; a function runs in the loop's executor."""
    if arrays := _arrays_of(model):
        return await arrays.aquery_array(text)
    if isinstance(model, Embeddings):
        return await model.aembed_query(text)
    return await run_in_executor(None, model, text)


def _arrays_of(model: Any) -> NativeEmbeddings | None:
    """A model of ours, which gives arrays; not a subclass of a user's, which may embed differently."""
    ours = isinstance(model, NativeEmbeddings) and type(model).__module__ == NativeEmbeddings.__module__
    return model if ours else None
