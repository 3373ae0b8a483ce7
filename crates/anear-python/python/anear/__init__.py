"""Vector search inside your program.

`import anear as faiss`: indexes, clustering and files under Faiss's names (all of `anear.faiss`).
`from anear.langchain import FAISS`: the vector store with documents.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

from . import faiss
from ._native import InternalError
from .faiss import *  # noqa: F403

__version__: str = version("anear")

__all__ = ["InternalError", "__version__"]
__all__ += faiss.__all__


def __getattr__(name: str) -> Any:
    if name == "contrib":
        return import_module("anear.contrib")
    raise AttributeError(f"module 'anear' has no attribute {name!r}{_similar(name)}")


def _similar(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, __all__, 1)
    return f"; did you mean {close[0]}?" if close else ""
